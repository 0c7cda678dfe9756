// Rows on the screen: folds, the search's three modes, steps to the next error; and what they cost.
import { describe, expect, it } from "vitest";
import {
  carriedFolds,
  canFold,
  firstFolds,
  foldsOf,
  foldsText,
  foldsToDepth,
  matchesOf,
  nextOf,
  revealing,
  shownFor,
  visibleRows,
  withFold,
  withLevel,
  withSubtree,
} from "../../src/model/rows";
import { traceOf, withSpans, type Trace } from "../../src/model/trace";
import { chance, drawn, id, random, shown, spanRow, text } from "./drawn";

const RUN = `
root 0-100
  plan 1-40 agent
    chat 2-10 llm
    search 11-20 tool
      http 12-19
  write 41-90 agent
    chat 42-80 llm`;

const seen = (trace: Trace, folds = firstFolds(trace)): string => shown(trace, visibleRows(trace, folds).place);

describe("folds", () => {
  it("hide what is below, and show it again", () => {
    const trace = drawn(RUN);
    const folded = withFold(firstFolds(trace), 1, true);
    expect(seen(trace, folded)).toBe(text("root\n  plan\n  write\n    chat"));
    expect(visibleRows(trace, folded).rowOf[3]).toBe(-1);
    expect(seen(trace, withFold(folded, 1, false))).toBe(shown(trace));
  });

  it("take a whole subtree, a depth, or a level", () => {
    const trace = drawn(RUN);
    const all = withSubtree(trace, firstFolds(trace), 1, true);
    expect(seen(trace, withFold(all, 1, false))).toBe(text("root\n  plan\n    chat\n    search\n  write\n    chat"));
    expect(seen(trace, foldsToDepth(trace, 1))).toBe("root");
    expect(seen(trace, foldsToDepth(trace, 2))).toBe(text("root\n  plan\n  write"));
    expect(seen(trace, foldsToDepth(trace, 9))).toBe(shown(trace));
    expect(seen(trace, withLevel(trace, firstFolds(trace), 1, true))).toBe(text("root\n  plan\n  write"));
  });

  it("open for a span that is asked for, and for no other", () => {
    const trace = drawn(RUN);
    const folds = foldsToDepth(trace, 1);
    expect(seen(trace, revealing(trace, folds, 4))).toBe(
      text("root\n  plan\n    chat\n    search\n      http\n  write"),
    );
    const open = firstFolds(trace);
    expect(revealing(trace, open, 4)).toBe(open);
    expect(shownFor(trace, visibleRows(trace, folds), 4)).toBe(0);
  });

  it("keep many alike spans in one row until it is opened", () => {
    const many = Array.from({ length: 30 }, (_, at) => `  embed ${at}-${at + 1}`).join("\n");
    const trace = drawn(`root 0-100\n${many}\n  end 50-60`);
    expect(seen(trace)).toBe(text("root\n  embed × 30\n  end"));
    expect(visibleRows(trace, withFold(firstFolds(trace), 1, false)).place).toHaveLength(33);
    expect(visibleRows(trace, revealing(trace, firstFolds(trace), 20)).place).toHaveLength(33);
  });

  it("are told by the address, with a depth and what is otherwise", () => {
    const trace = drawn(RUN);
    const folds = withFold(foldsToDepth(trace, 2), 1, false);
    const told = foldsText(trace, folds, 2);
    expect(told).toBe(`d2.${id(1)}`);
    expect(foldsOf(trace, told)).toEqual({ folds, levels: 2 });
    expect(foldsOf(trace, "")).toEqual({ folds: firstFolds(trace), levels: 0 });
    expect(foldsOf(trace, "d0.nonsense.gx")).toEqual({ folds: firstFolds(trace), levels: 0 });
  });

  it.each([1, 2, 3, 4])("come back from the address as they were (%i)", (seed) => {
    const trace = traceOf(random(200, seed));
    const roll = chance(seed);
    let folds = firstFolds(trace);
    for (let n = 0; n < 30; n += 1) {
      const place = Math.floor(roll() * trace.places);
      if (canFold(trace, place)) folds = withFold(folds, place, roll() < 0.7);
    }
    expect(foldsOf(trace, foldsText(trace, folds, 0)).folds).toEqual(folds);
  });

  it("stay when spans arrive", () => {
    const before = drawn(RUN);
    const folds = withFold(firstFolds(before), 5, true);
    const start = String(before.startNs + 5_000n);
    const after = withSpans(before, [spanRow(before, { span_id: "feed", parent_id: id(0), start_ns: start })]);
    expect(seen(after, carriedFolds(before, folds, after))).toBe(
      text("root\n  plan\n    chat\n    search\n      http\n  new\n  write"),
    );
  });
});

describe("the search in a trace", () => {
  const trace = drawn(RUN);
  // columns are by start: http is the fifth, the last chat the seventh
  const matches = matchesOf(trace, [6, 4]);

  it("shows matches alone, matches in what they stand in, or all", () => {
    const places = (mode: "all" | "context" | "matches"): string =>
      shown(trace, visibleRows(trace, firstFolds(trace), matches, mode).place);
    expect(places("matches")).toBe("      http\n    chat");
    expect(places("context")).toBe(text("root\n  plan\n    search\n      http\n  write\n    chat"));
    expect(places("all")).toBe(shown(trace));
    expect([...matches.marks]).toEqual([2, 2, 0, 2, 1, 2, 1]);
  });

  it("shows nothing where nothing matches", () => {
    expect(visibleRows(trace, firstFolds(trace), matchesOf(trace, []), "context").place).toHaveLength(0);
    expect(matchesOf(trace, [99]).places).toHaveLength(0);
  });
});

describe("the next of some places", () => {
  it("goes forward and back, and from one end to the other", () => {
    const places = Int32Array.of(2, 5, 9);
    expect([0, 2, 5, 9, 50].map((place) => nextOf(places, place, 1))).toEqual([2, 5, 9, 2, 2]);
    expect([0, 2, 5, 7, 50].map((place) => nextOf(places, place, -1))).toEqual([9, 9, 2, 5, 9]);
    expect(nextOf(Int32Array.of(), 3, 1)).toBe(-1);
  });

  it("looks at a few, not at all", () => {
    let looks = 0;
    const places = new Proxy(
      Int32Array.from({ length: 100_000 }, (_, at) => at * 2),
      {
        get(target, name) {
          if (typeof name === "string" && /^\d+$/.test(name)) looks += 1;
          const value: unknown = Reflect.get(target, name, target);
          return value;
        },
      },
    );
    expect(nextOf(places, 77_777, 1)).toBe(77_778);
    expect(looks).toBeLessThan(25);
  });
});

describe("rows of any tree", () => {
  it.each([1, 2, 3, 4, 5])("are in order, once each, none below a fold (%i)", (seed) => {
    const trace = traceOf(random(300, seed));
    const roll = chance(seed + 50);
    let folds = firstFolds(trace);
    for (let n = 0; n < 20; n += 1) folds = withFold(folds, Math.floor(roll() * trace.places), roll() < 0.6);
    const rows = visibleRows(trace, folds);
    rows.place.forEach((place, row) => {
      expect(rows.rowOf[place]).toBe(row);
      if (row > 0) expect(place).toBeGreaterThan(rows.place[row - 1]!);
      for (let up = trace.up[place]!; up >= 0; up = trace.up[up]!) expect(folds[up]).toBe(0);
    });
    for (let place = 0; place < trace.places; place += 1)
      if (rows.rowOf[place] === -1) expect(shownFor(trace, rows, place)).toBeGreaterThanOrEqual(0);
  });
});
