// What a chart marks by a point: values that no line would show.
import { expect, it } from "vitest";
import { alone } from "../../src/widgets/Chart";

it("marks values between gaps", () => {
  expect(alone([null, 3, null, 1, 2, null, 4])).toEqual([1, 6]);
  expect(alone([5])).toEqual([0]);
  expect(alone([1, 2, 3])).toEqual([]);
});
