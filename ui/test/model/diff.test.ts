import { describe, expect, test } from "vitest";
import { alignBy, diffJson, diffText } from "../../src/model/diff";

const drawn = (before: string, after: string): string =>
  diffText(before, after)
    .map((piece) => ({ same: piece.text, gone: `[-${piece.text}-]`, new: `{+${piece.text}+}` })[piece.sort])
    .join("");

const random = (seed: number) => (): number => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
};

describe("lists side by side", () => {
  test("equal keys are paired in order", () => {
    const pairs = alignBy(["a", "b", "c", "d"], ["b", "x", "d", "e"], (item) => item);
    expect(pairs.map(({ a, b }) => `${a ?? "-"}${b ?? "-"}`)).toEqual(["0-", "10", "2-", "-1", "32", "-3"]);
  });

  test("every item of both lists occurs once, in order, and pairs are equal, for random lists", () => {
    const next = random(7);
    for (let round = 0; round < 300; round += 1) {
      const make = (): string[] =>
        Array.from({ length: Math.floor(next() * 40) }, () => "abcdef"[Math.floor(next() * 6)]!);
      const [a, b] = [make(), make()];
      const pairs = alignBy(a, b, (item) => item);
      expect(pairs.flatMap((pair) => (pair.a === null ? [] : [pair.a]))).toEqual(a.map((_, at) => at));
      expect(pairs.flatMap((pair) => (pair.b === null ? [] : [pair.b]))).toEqual(b.map((_, at) => at));
      for (const pair of pairs) if (pair.a !== null && pair.b !== null) expect(a[pair.a]).toBe(b[pair.b]);
    }
  });

  test("lists of 50,000 that differ in everything, or in every tenth item, end soon", () => {
    const a = Array.from({ length: 50_000 }, (_, at) => `a${at}`);
    expect(
      alignBy(
        a,
        a.map((item) => `${item}!`),
        (item) => item,
      ),
    ).toHaveLength(100_000);
    const b = a.map((item, at) => (at % 10 === 0 ? `${item}!` : item));
    expect(alignBy(a, b, (item) => item).filter((pair) => pair.a !== null && pair.b !== null)).toHaveLength(45_000);
  });
});

describe("texts", () => {
  test("words are compared inside lines that changed", () => {
    expect(drawn("the quick fox\njumps\n", "the slow fox\njumps\n")).toBe("the [-quick-]{+slow+} fox\njumps\n");
    expect(drawn("same", "same")).toBe("same");
    expect(drawn("", "new")).toBe("{+new+}");
    expect(drawn("old", "")).toBe("[-old-]");
  });

  test("what is left without the new is the old, and the other way round, for random texts", () => {
    const next = random(3);
    for (let round = 0; round < 200; round += 1) {
      const make = (): string =>
        Array.from({ length: Math.floor(next() * 60) }, () => "ab \n.é"[Math.floor(next() * 6)]).join("");
      const [before, after] = [make(), make()];
      const pieces = diffText(before, after);
      expect(
        pieces
          .filter((piece) => piece.sort !== "new")
          .map((piece) => piece.text)
          .join(""),
      ).toBe(before);
      expect(
        pieces
          .filter((piece) => piece.sort !== "gone")
          .map((piece) => piece.text)
          .join(""),
      ).toBe(after);
    }
  });

  test("a megabyte without a line break that has nothing in common", () => {
    const before = "a b ".repeat(60_000);
    expect(diffText(before, "c d ".repeat(60_000)).length).toBeLessThan(200_000);
  });
});

describe("JSON", () => {
  const drawnJson = (before: unknown, after: unknown): string[] =>
    diffJson(before, after).map(({ keys, sort }) => `${sort} ${keys.join(".")}`);

  test("names that went, came and changed", () => {
    expect(drawnJson({ a: 1, b: { c: 2 }, d: 3 }, { a: 1, b: { c: 4 }, e: 5 })).toEqual([
      "changed b.c",
      "gone d",
      "new e",
    ]);
  });

  test("an item put into a list moves no other", () => {
    expect(drawnJson([{ id: 1 }, { id: 2 }], [{ id: 0 }, { id: 1 }, { id: 2 }])).toEqual(["new 0"]);
    expect(drawnJson([{ id: 1, x: 1 }, { id: 2 }], [{ id: 1, x: 2 }, { id: 2 }])).toEqual(["changed 0.x"]);
  });

  test("another sort of value is a change, and equal values are none", () => {
    expect(drawnJson({ a: [1] }, { a: { 0: 1 } })).toEqual(["changed a"]);
    expect(drawnJson([null, "a"], [null, "a"])).toEqual([]);
  });
});
