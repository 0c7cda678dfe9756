// Series on the buckets of a window, stacked with the rest as one; bars over time; filters that find failures again.
import { describe, expect, it } from "vitest";
import type { Series } from "../../src/api/types";
import { barAt, barsOf, momentAt, windowParam } from "../../src/model/bars";
import { commonPiece, filterFor } from "../../src/model/failures";
import { aligned, before, bucketsOf, change, isEmpty, lineAt, stacked, stepFor, total } from "../../src/model/series";

const HOUR = 3_600_000;
const series = (groups: Record<string, (number | null)[]>, firstHour: number): Series => ({
  by: ["model"],
  step_ns: String(HOUR * 1e6),
  times_ns: Object.values(groups)[0]!.map((_, at) => `${(firstHour + at) * HOUR}000000`),
  groups: Object.entries(groups).map(([key, cost]) => ({ keys: [key], values: { cost } })),
  left_out: 0,
});

describe("series", () => {
  it("have about a hundred buckets, of a width that one can say", () => {
    expect(
      [60_000, 15 * 60_000, HOUR, 24 * HOUR, 7 * 24 * HOUR, 400 * 24 * HOUR].map((ms) => stepFor(ms).text),
    ).toEqual(["1s", "10s", "1m", "15m", "2h", "7d"]);
    for (const ms of [1, 1e5, 1e7, 1e9, 1e11])
      expect(bucketsOf([0, ms], stepFor(ms).ms).length).toBeLessThanOrEqual(111);
  });

  it("line up with the window, wherever the answer begins and ends", () => {
    const told = series({ a: [1, null, 3] }, 2);
    const times = bucketsOf([0, 6 * HOUR], HOUR);
    expect(aligned(told, told.groups[0], "cost", times, 0)).toEqual([0, 0, 1, 0, 3, 0]);
    expect(aligned(told, told.groups[0], "cost", times)).toEqual([null, null, 1, null, 3, null]);
    expect(aligned(told, undefined, "cost", times)).toEqual([null, null, null, null, null, null]);
  });

  it("stack the largest first, and add the rest up", () => {
    const told = series({ small: [1, 1], none: [0, 0], large: [5, 5], middle: [2, 2] }, 0);
    const lines = stacked(told, "cost", bucketsOf([0, 2 * HOUR], HOUR), 2);
    expect(lines.map((line) => [line.label, total(line.values)])).toEqual([
      ["large", 10],
      ["2 others", 6],
    ]);
    expect(stacked(told, "cost", [0, HOUR], 9).map((line) => line.label)).toEqual(["large", "middle", "small"]);
  });

  it("change against the window before, where there was something", () => {
    expect(before([100, 150])).toEqual([50, 100]);
    expect([change(12, 10), change(5, 10), change(5, 0), change(null, 1), change(1, undefined)]).toEqual([
      expect.closeTo(0.2),
      -0.5,
      null,
      null,
      null,
    ]);
  });
});

describe("bars", () => {
  const bars = barsOf(
    [0, HOUR, 2 * HOUR],
    HOUR,
    [
      { id: "failed", label: "failed", counts: [0, 1, 0] },
      { id: "fine", label: "others", counts: [10, 9, 0] },
    ],
    [0, 4 * HOUR],
    400,
    40,
  );
  it("stand on each other, as tall as the tallest, small ones still seen", () => {
    expect(bars.sorts[1]!.path).toBe("M0 40V0H99V40ZM100 36V0H199V36Z");
    expect(bars.sorts[0]!.path).toBe("M100 40V36H199V40Z");
    expect(bars.totals).toEqual([10, 10, 0]);
  });
  it("are found below a point, and make a window", () => {
    expect([0, 0.3, 0.6, 0.9].map((share) => barAt(bars, momentAt(bars, share)))).toEqual([0, 1, 2, -1]);
    expect(windowParam(5.2, 1.7)).toBe("1-6");
    expect(windowParam(3, 3)).toBe("3-4");
  });
});

describe("failures", () => {
  it("are found again by what all of their messages have", () => {
    expect(commonPiece("no answer from … in … s")).toBe("no answer from");
    expect(commonPiece("…: limit of … tokens a minute reached")).toBe("tokens a minute reached");
    expect(commonPiece("…")).toBe("");
    expect(filterFor({ span_name: "POST /chat", message: 'said "no" to …' }, "env=prod")).toBe(
      'env=prod status:error name="POST /chat" error:"said \\"no\\" to"',
    );
    expect(filterFor({ span_name: "a", message: "" }, "")).toBe("status:error name=a");
  });
});

describe("a point of a chart", () => {
  const lines = [
    { key: "a", label: "a", values: [3, 0, null] },
    { key: "b", label: "b", values: [5, 2, null] },
  ];
  it("means the part of the stack around it, the topmost above all, and no part of nothing", () => {
    expect([1, 3, 4, 99].map((value) => lineAt(lines, 0, value, true)?.key)).toEqual(["a", "a", "b", "b"]);
    expect(lineAt(lines, 1, 0, true)?.key).toBe("b");
    expect(lineAt(lines, 2, 1, true)).toBeUndefined();
  });
  it("means the nearest of lines, also of one that says 0", () => {
    expect([0, 3.9, 4.1].map((value) => lineAt(lines, 0, value, false)?.key)).toEqual(["a", "a", "b"]);
    expect(lineAt(lines, 1, 0, false)?.key).toBe("a");
  });
  it("is missing where no line says anything; 0 is a mean, but no sum", () => {
    const zeros = [{ key: "a", label: "a", values: [0, null] }];
    expect([isEmpty([], true), isEmpty(zeros, true), isEmpty(zeros, false), isEmpty(lines, true)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
