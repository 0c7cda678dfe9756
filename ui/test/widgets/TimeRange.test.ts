// Days of the calendar: on two days of a year they have 23 and 25 hours.
import { afterEach, expect, it } from "vitest";
import { days } from "../../src/widgets/TimeRange";

const before = process.env["TZ"];
afterEach(() => {
  process.env["TZ"] = before;
});

it("today and yesterday go from midnight to midnight", () => {
  process.env["TZ"] = "Europe/Berlin";
  const hours = (t: string): number => {
    const [from, to] = t.split("-").map(Number) as [number, number];
    return (to - from) / 3_600_000;
  };
  const turned = new Date(2026, 9, 25, 12).getTime(); // the clocks go back at three
  expect(hours(days(turned).today)).toBe(25);
  expect(hours(days(turned + 86_400_000).yesterday)).toBe(25);
  expect(hours(days(new Date(2026, 2, 29, 12).getTime()).today)).toBe(23);
});
