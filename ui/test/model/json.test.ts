import { describe, expect, test } from "vitest";
import {
  findText,
  jsonText,
  oneLine,
  openAll,
  parentIndex,
  pathOf,
  reveal,
  rowsOf,
  toggle,
  unwrapped,
} from "../../src/model/json";

const shown = (rows: ReturnType<typeof rowsOf>): string[] =>
  rows.map(
    (row) =>
      `${"  ".repeat(row.depth)}${row.key ?? "·"}${row.open ? " ▾" : row.size > 0 && typeof row.value === "object" ? " ▸" : ""}`,
  );

describe("rows of a JSON value", () => {
  const value = { a: { b: [1, { c: 2 }] }, d: null, "e f": "text" };

  test("the first two levels are open", () => {
    expect(shown(rowsOf(value, 2, 2_000, 0))).toEqual(["· ▾", "  a ▾", "    b ▸", "  d", "  e f"]);
    expect(shown(rowsOf(value, 2, 3, 0))).toEqual(["· ▾", "  a ▸", "  d", "  e f"]);
  });

  test("a small value is open to its end", () => {
    expect(shown(rowsOf(value)).at(5)).toBe("        c");
    expect(shown(rowsOf(value, 0))).toEqual(["· ▸"]);
  });

  test("a container opens and closes with all below it, and the rows before are left alone", () => {
    const rows = rowsOf(value, 2, 2_000, 0);
    const open = toggle(rows, 2);
    expect(shown(open)).toEqual(["· ▾", "  a ▾", "    b ▾", "      0", "      1 ▸", "  d", "  e f"]);
    expect(shown(toggle(open, 1))).toEqual(["· ▾", "  a ▸", "  d", "  e f"]);
    expect(shown(rows)).toHaveLength(5);
  });

  test("everything below a row opens", () => {
    expect(shown(openAll(rowsOf(value, 0), 0))).toEqual([
      "· ▾",
      "  a ▾",
      "    b ▾",
      "      0",
      "      1 ▾",
      "        c",
      "  d",
      "  e f",
    ]);
  });

  test("a path is written as code has it", () => {
    const rows = openAll(rowsOf(value, 0), 0);
    expect(rows.map(pathOf)).toEqual(["", ".a", ".a.b", ".a.b[0]", ".a.b[1]", ".a.b[1].c", ".d", '["e f"]']);
    expect(parentIndex(rows, 5)).toBe(4);
    expect(parentIndex(rows, 0)).toBe(-1);
  });

  test("a search finds names and values, and opens the way to them", () => {
    const places = findText(value, "C");
    expect(places.map((place) => place.keys)).toEqual([["a", "b", 1, "c"]]);
    const there = reveal(rowsOf(value, 0), places[0]!);
    expect(pathOf(there.rows[there.index]!)).toBe(".a.b[1].c");
    expect(reveal(rowsOf(value, 2, 2_000, 0), { keys: ["gone"] }).index).toBe(-1);
  });

  test("names of JavaScript's own objects are names like others", () => {
    const hostile = JSON.parse('{"__proto__": {"constructor": 1}, "toString": 2}') as unknown;
    expect(shown(rowsOf(hostile, 2, 2_000, 0))).toEqual(["· ▾", "  __proto__ ▾", "    constructor", "  toString"]);
  });

  test("a nest of 100,000 levels is opened, searched and written without a stack overflow", () => {
    let deep: unknown = "end";
    for (let at = 0; at < 100_000; at += 1) deep = [deep];
    expect(rowsOf(deep).length).toBeLessThan(20);
    expect(openAll(rowsOf(deep, 0), 0).length).toBe(100_001);
    expect(findText(deep, "end")).toHaveLength(1);
    expect(jsonText(deep)).toContain("too deep");
    expect(oneLine(deep)).toContain("…");
  });

  test("six megabytes: only what is open is made, and the search ends at its limit", () => {
    const large = Array.from({ length: 40_000 }, (_, at) => ({
      id: at,
      name: `name ${at}`,
      tags: ["a", "b"],
      n: { x: at },
    }));
    expect(rowsOf(large)).toHaveLength(40_001);
    expect(findText(large, "name 39999")).toHaveLength(1);
    expect(findText(large, "a")).toHaveLength(1_000);
    const there = reveal(rowsOf(large), { keys: [39_999, "n", "x"] });
    expect(there.rows[there.index]?.value).toBe(39_999);
  });
});

test("JSON in a text is read if it is an object or array", () => {
  expect(unwrapped(' {"a": 1}')).toEqual({ a: 1 });
  expect(unwrapped("[1")).toBe("[1");
  expect(unwrapped("1")).toBe("1");
  expect(unwrapped(7)).toBe(7);
});

test("one line of a value is short whatever it holds", () => {
  expect(oneLine({ query: "rotate api key", top_k: 4, tags: ["a"] })).toBe(
    '{query: "rotate api key", top_k: 4, tags: ["a"]}',
  );
  expect(oneLine({ text: "x".repeat(100_000), more: 1 }, 40).length).toBeLessThanOrEqual(40);
  expect(
    oneLine(
      Array.from({ length: 1_000_000 }, (_, at) => at),
      60,
    ).length,
  ).toBeLessThanOrEqual(60);
});
