// The critical path: its parts are the root's whole time, once each, and go through the children that ended last.
import { describe, expect, it } from "vitest";
import { criticalPath } from "../../src/model/critical";
import { traceOf, type Trace } from "../../src/model/trace";
import { drawn, nameAt, random } from "./drawn";

function partsOf(trace: Trace, now: number): { place: number; from: number; to: number }[] {
  const { parts } = criticalPath(trace, now);
  return Array.from({ length: trace.places }, (_, place) =>
    Array.from({ length: parts.first[place + 1]! - parts.first[place]! }, (_none, nth) => {
      const at = parts.first[place]! + nth;
      return { place, from: parts.start[at]!, to: parts.end[at]! };
    }),
  )
    .flat()
    .sort((a, b) => a.from - b.from);
}

function told(trace: Trace, now = 0): string[] {
  return partsOf(trace, now).map(({ place, from, to }) => `${nameAt(trace, place)} ${from}-${to}`);
}

describe("the critical path", () => {
  it("goes back from the end along the child that ended last", () => {
    const trace = drawn("root 0-100\n  quick 10-30\n  slow 10-60\n    inner 20-50\n  last 70-90");
    expect(told(trace)).toEqual([
      "root 0-10",
      "slow 10-20",
      "inner 20-50",
      "slow 50-60",
      "root 60-70",
      "last 70-90",
      "root 90-100",
    ]);
    expect(criticalPath(trace, 0).on[1]).toBe(0);
  });

  it("cuts a child that outlives its parent", () => {
    expect(told(drawn("root 0-100\n  beyond 60-500"))).toEqual(["root 0-60", "beyond 60-100"]);
  });

  it("takes what runs beside only from where it had ended", () => {
    const trace = drawn("root 0-100\n  a 0-80\n  b 40-100");
    expect(told(trace)).toEqual(["root 0-40", "b 40-100"]);
  });

  it("reaches to now in a trace that runs, and knows nothing of an empty one", () => {
    expect(told(drawn("root 0-\n  a 10-20\n  b 30-"), 70)).toEqual(["root 0-10", "a 10-20", "root 20-30", "b 30-70"]);
    expect(
      criticalPath(
        traceOf({
          ...random(1, 1),
          count: 0,
          span_id: [],
          parent: [],
          start_us: [],
          duration_us: [],
          flags: [],
          name: [],
          kind: [],
          model: [],
        }),
        0,
      ).spans,
    ).toBe(0);
  });

  it.each([1, 2, 3, 4, 5, 6])("is as long as what it goes through, without gap or overlap (%i)", (seed) => {
    const trace = traceOf(random(300, seed));
    const { byKind } = criticalPath(trace, 50_000);
    const all = partsOf(trace, 50_000);
    for (let at = 1; at < all.length; at += 1) expect(all[at]!.from).toBeCloseTo(all[at - 1]!.to, 6);
    const length = all.length > 0 ? all[all.length - 1]!.to - all[0]!.from : 0;
    expect([...byKind.values()].reduce((sum, us) => sum + us, 0)).toBeCloseTo(length, 3);
  });
});
