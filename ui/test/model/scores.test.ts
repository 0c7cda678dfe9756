import { describe, expect, test } from "vitest";
import type { ScoreTally } from "../../src/api/types";
import {
  giver,
  isYesNo,
  kindOf,
  linePoints,
  number,
  rangeFilter,
  ranges,
  scoreTerm,
  sourceTerm,
  stepOf,
  valueText,
} from "../../src/model/scores";

const tally = (more: Partial<ScoreTally>): ScoreTally => ({
  name: "x",
  count: 0,
  by_people: 0,
  by_programs: 0,
  numbers: 0,
  mean: null,
  min: null,
  max: null,
  bins: [],
  labels: [],
  sources: [],
  counts: [],
  means: [],
  ...more,
});

test("values and givers read as people say them", () => {
  expect(valueText({ value: 0.123456, label: null })).toBe("0.123");
  expect(valueText({ value: null, label: "good" })).toBe("good");
  expect(valueText({ value: null, label: null })).toBe("–");
  expect([number(4), number(1e-9), number(1234567.5)]).toEqual(["4", "1.00e-9", "1.23e+6"]);
  expect([giver("user:ann"), giver("key:7f3a"), giver("judge"), giver("")]).toEqual([
    "ann",
    "key 7f3a",
    "judge",
    "a program",
  ]);
});

test("terms find what was clicked; labels that read as numbers stay labels", () => {
  expect(scoreTerm("verdict", { value: null, label: "good" })).toBe("score.verdict:good");
  expect(scoreTerm("verdict", { value: null, label: "very good" })).toBe('score.verdict:"very good"');
  expect(scoreTerm("stars", { value: null, label: "4" })).toBe('score.stars:"4"');
  expect(scoreTerm("stars", { value: 4, label: null })).toBe("score.stars=4");
  expect(sourceTerm("user:ann")).toBe('attr.vestigo.author="user:ann"');
  expect(sourceTerm("judge")).toBe("service=judge");
});

describe("the spread of numbers", () => {
  test("ten parts with filters that leave nothing out and count nothing twice", () => {
    const found = ranges(tally({ numbers: 10, min: 0, max: 1, bins: [1, 0, 0, 0, 0, 0, 0, 0, 0, 9] }));
    expect(found).toHaveLength(10);
    expect(rangeFilter("h", found[3]!)).toBe("score.h>=0.3 score.h<0.4");
    expect(rangeFilter("h", found[9]!)).toBe("score.h>=0.9 score.h<=1");
    const same = ranges(tally({ numbers: 3, min: 2, max: 2, bins: [3, 0, 0, 0, 0, 0, 0, 0, 0, 0] }));
    expect(same.map((range) => rangeFilter("h", range))).toEqual(["score.h=2"]);
    expect(ranges(tally({}))).toEqual([]);
  });

  test("yes and no are told from numbers that only begin and end there", () => {
    const yes = { numbers: 10, min: 0, max: 1, bins: [3, 0, 0, 0, 0, 0, 0, 0, 0, 7] };
    expect(isYesNo(tally({ ...yes, mean: 0.7 }))).toBe(true);
    expect(isYesNo(tally({ ...yes, mean: 0.68 }))).toBe(false);
    expect(isYesNo(tally({ numbers: 4, mean: 1, min: 1, max: 1, bins: [4, 0, 0, 0, 0, 0, 0, 0, 0, 0] }))).toBe(true);
    expect(kindOf(tally({ labels: [{ value: "good", count: 1 }] }))).toBe("labels");
  });
});

test("a window has some dozens of buckets", () => {
  const hour = 3_600e3;
  expect(stepOf(1, 1 + hour)).toBe("5m");
  expect(stepOf(1, 1 + 24 * hour)).toBe("1h");
  expect(stepOf(1, 1 + 7 * 24 * hour)).toBe("6h");
  expect(stepOf(1, 1 + 30 * 24 * hour)).toBe("1d");
  expect(stepOf(0, 1)).toBe("7d");
});

test("a line has gaps where nothing is known", () => {
  expect(linePoints([0, null, 2, 4])).toEqual([
    [[0, 1]],
    [
      [2 / 3, 0.5],
      [1, 0],
    ],
  ]);
  expect(linePoints([3, 3])).toEqual([
    [
      [0, 0.5],
      [1, 0.5],
    ],
  ]);
  expect(linePoints([])).toEqual([]);
});
