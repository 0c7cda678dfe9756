// What is shown of a trace: folds, runs of like siblings as one row, searches with and without what is above.
import { describe, expect, it } from "vitest";
import {
  findRuns,
  foldBelow,
  foldTo,
  NOTHING,
  positionAt,
  reveal,
  type Rows,
  runAt,
  type Shape,
  toggle,
  visible,
} from "../../src/model/rows";
import { build, nameAt, type Tree } from "../../src/model/trace";
import { drawn } from "./drawn";

const lines = (tree: Tree, rows: Rows): string[] =>
  Array.from(rows.list, (_, row) => {
    const run = runAt(rows, row);
    return "  ".repeat(rows.indent[row]!) + (run ? `${run.name} × ${run.count}` : nameAt(tree, positionAt(rows, row)));
  });
const show = (tree: Tree, shape: Partial<Shape> = {}): string[] =>
  lines(tree, visible(tree, findRuns(tree), { ...NOTHING, ...shape }));

const small = build(
  drawn(`
    root 0-100
      plan 10-40
        call 12-20 $
        tool 22-30 !
      answer 50-90
  `),
);
const embeds = Array.from(
  { length: 25 },
  (_, i) => `        embed ${100 + i * 10}-${105 + i * 10}${i === 3 ? " !" : ""}`,
);
const many = build(
  drawn(
    ["    root 0-1000", "      plan 10-40", ...embeds.map((line) => line.slice(2)), "      end 900-910"].join("\n"),
  ),
);

describe("folds", () => {
  it("hide what is below, one by one, by subtree, and to a depth", () => {
    expect(show(small)).toEqual(["root", "  plan", "    call", "    tool", "  answer"]);
    const folded = toggle(NOTHING, 1);
    expect(show(small, folded)).toEqual(["root", "  plan", "  answer"]);
    expect(show(small, toggle(folded, 1))).toEqual(show(small));
    expect(show(small, foldTo(small, NOTHING, 1))).toEqual(["root"]);
    expect(show(small, foldTo(small, NOTHING, 2))).toEqual(["root", "  plan", "  answer"]);
    const all = foldBelow(small, NOTHING, 0, true);
    expect([...all.folded]).toEqual([0, 1]);
    expect(show(small, foldBelow(small, all, 0, false))).toEqual(show(small));
  });

  it("open for a span that is looked for", () => {
    const folded = foldTo(small, NOTHING, 1);
    expect(show(small, reveal(small, [], folded, 3))).toEqual(show(small));
  });
});

describe("runs", () => {
  it("are one row that says how many, how long and how many failed", () => {
    expect(show(many)).toEqual(["root", "  plan", "  embed × 25", "  end"]);
    expect(findRuns(many)[0]).toMatchObject({ count: 25, errors: 1, total: 125, p95: 5, from: 100, to: 345 });
  });

  it("open to their members, one deeper, and for a member that is looked for", () => {
    const runs = findRuns(many);
    const opened = { ...NOTHING, opened: new Set([runs[0]!.first]) };
    const rows = show(many, opened);
    expect(rows.length).toBe(29);
    expect(rows.slice(2, 4)).toEqual(["  embed × 25", "    embed"]);
    expect(rows.at(-1)).toBe("  end");
    const sought = reveal(many, runs, NOTHING, runs[0]!.first + 7);
    expect(visible(many, runs, sought).rowOf[runs[0]!.first + 7]).toBeGreaterThan(0);
  });

  it("are not made of siblings that take turns", () => {
    const turns = Array.from({ length: 60 }, (_, i) => `      ${i % 2 ? "tool" : "call"} ${i * 10}-${i * 10 + 5}`);
    const tree = build(drawn(["    root 0-1000", ...turns].join("\n")));
    expect(findRuns(tree)).toEqual([]);
  });
});

describe("a search", () => {
  it("leaves matches alone, or with what is above them", () => {
    const matches = Int32Array.from([3]);
    expect(show(small, { matches, mode: "matches" })).toEqual(["tool"]);
    expect(show(small, { matches, mode: "context" })).toEqual(["root", "  plan", "    tool"]);
    expect(show(small, { matches, mode: "all" })).toEqual(show(small));
    expect(show(small, { matches: new Int32Array(0), mode: "context" })).toEqual([]);
  });
});
