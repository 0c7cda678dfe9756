// The tree of a trace: order, depth, own time and sums, for drawn traces and for large and broken ones.
import { describe, expect, it } from "vitest";
import { build, find, hasChildren, nameAt, nextIn, ownParts, type Tree } from "../../src/model/trace";
import { drawn, grown } from "./drawn";

const told = (tree: Tree): string[] =>
  Array.from({ length: tree.count }, (_, at) => "  ".repeat(tree.depth[at]!) + nameAt(tree, at));

describe("a tree", () => {
  it("is in order of depth first, children by start", () => {
    const tree = build(
      drawn(`
        root 0-100
          late 50-90
            inner 60-70
          early 10-40 $
      `),
    );
    expect(told(tree)).toEqual(["root", "  early", "  late", "    inner"]);
    expect([...tree.end]).toEqual([4, 2, 4, 4]);
    expect([...tree.parent]).toEqual([-1, 0, 0, 2]);
    expect(tree.totals).toMatchObject({ spans: 4, calls: 1, errors: 0, tokensIn: 10, tokensOut: 1, costUsd: 0.5 });
  });

  it("counts as its own the time in which no child ran, overlapping children once", () => {
    const tree = build(
      drawn(`
        root 0-100
          a 10-40
          b 30-60
          c 90-120
      `),
    );
    expect([...tree.own]).toEqual([40, 30, 30, 30]);
    expect(ownParts(tree, 0)).toEqual([
      [0, 10],
      [60, 90],
    ]);
  });

  it("puts spans whose parent was not received under one row that says so", () => {
    const tree = build(
      drawn(`
        root 0-100
        orphan 20-30 ?
          child 22-25
        other 40-50 ? !
      `),
    );
    expect(told(tree)).toEqual(["root", "parent not received", "  orphan", "    child", "  other"]);
    expect([tree.from[1], tree.to[1]]).toEqual([20, 50]);
    expect([...tree.errors]).toEqual([4]);
  });

  it("lets open spans reach as far as anything is known", () => {
    const columns = drawn(`
      root 0-0 ~
        done 10-40
        running 20-20 ~
    `);
    expect([...build(columns).to]).toEqual([40, 40, 40]);
    expect([...build(columns, 90).to]).toEqual([90, 40, 90]);
    expect(build(columns, 90).totals.open).toBe(2);
  });

  it("shows each span once whatever the parents are: circles, itself, a hundred thousand deep", () => {
    const circle = { ...grown(5, (i) => i - 1), parent: [1, 2, 0, 3, -1] };
    for (const columns of [circle, grown(100_000, (i) => i - 1), grown(3_000, () => 0)]) {
      const tree = build(columns);
      expect(new Set(tree.order).size).toBe(columns.count);
      expect(tree.order.every((index, at) => tree.position[index] === at)).toBe(true);
    }
    expect(build(grown(100_000, (i) => i - 1)).maxDepth).toBe(99_999);
  });

  it("is a tree for any parents that come before", () => {
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
    for (let round = 0; round < 60; round++) {
      const tree = build(grown(1 + random(200), (i) => (random(10) === 0 ? -2 : random(i))));
      for (let at = 0; at < tree.count; at++) {
        const above = tree.parent[at]!;
        expect(tree.depth[at]).toBe(above < 0 ? 0 : tree.depth[above]! + 1);
        if (above >= 0) expect(at > above && tree.end[at]! <= tree.end[above]!).toBe(true);
        expect(hasChildren(tree, at)).toBe(tree.parent.includes(at));
      }
    }
  });

  it("finds spans, and the next one of a sort around the end", () => {
    const tree = build(grown(300, (i) => i >> 1));
    expect(find(tree, "nothing")).toBe(-1);
    expect(tree.order[find(tree, (25).toString(16).padStart(16, "0"))]).toBe(25);
    const some = Int32Array.from([3, 8, 20]);
    expect([-1, 3, 8, 19, 20, 99].map((at) => nextIn(some, at))).toEqual([3, 8, 20, 20, 3, 3]);
    expect([0, 3, 8, 9, 99].map((at) => nextIn(some, at, true))).toEqual([20, 20, 3, 8, 20]);
    expect(nextIn(new Int32Array(0), 5)).toBe(-1);
  });
});
