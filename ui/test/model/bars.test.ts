import { expect, test } from "vitest";
import { barAt, barsOf, momentAt, windowParam } from "../../src/model/bars";

const times = [10_000, 11_000, 12_000];
const sorts = [
  { id: "error", label: "error", counts: [2, 0, 0] },
  { id: "info", label: "info", counts: [8, 0, 1] },
];

test("bars stand on each other in the order of their sorts", () => {
  const bars = barsOf(times, 1_000, sorts, undefined, 300, 50);
  expect([bars.fromMs, bars.toMs]).toEqual([10_000, 13_000]);
  expect(bars.totals).toEqual([10, 0, 1]);
  expect(bars.sorts.map(({ id, count }) => [id, count])).toEqual([
    ["error", 2],
    ["info", 9],
  ]);
  expect(bars.sorts[0]!.path).toBe("M0 50V40H99V50Z");
  expect(bars.sorts[1]!.path).toBe("M0 40V0H99V40ZM200 50V45H299V50Z");
});

test("the axis shows the whole window, and a bar that is seldom stays visible", () => {
  const bars = barsOf(times, 1_000, [{ id: "error", label: "error", counts: [1, 0, 999] }], [0, 20_000], 200, 50);
  expect(bars.sorts[0]!.path.startsWith("M100 50V48H109V50Z")).toBe(true);
  expect(momentAt(bars, 0.5)).toBe(10_000);
  expect(momentAt(bars, 2)).toBe(20_000);
});

test("a point is a bar by division", () => {
  const bars = barsOf(times, 1_000, sorts, [0, 20_000], 200, 50);
  expect([9_999, 10_000, 12_999, 13_000].map((ms) => barAt(bars, ms))).toEqual([-1, 0, 2, -1]);
});

test("nothing makes no bars", () => {
  const bars = barsOf([], 1_000, [], undefined, 100, 50);
  expect([bars.sorts.length, barAt(bars, 5)]).toEqual([0, -1]);
});

test("a dragged window is the same from either side, and never empty", () => {
  expect(windowParam(20.7, 10.2)).toBe("10-21");
  expect(windowParam(5, 5)).toBe("5-6");
});
