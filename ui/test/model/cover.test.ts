// Covered parts of a bar: right where they can be seen, and found by search.
import { describe, expect, it } from "vitest";
import { coveredParts } from "../../src/model/cover";
import { traceOf } from "../../src/model/trace";
import { drawn, random } from "./drawn";

describe("covered parts", () => {
  it("are what children ran in, cut to the window", () => {
    const { cover } = drawn("root 0-100\n  a 10-30\n  b 20-40\n  c 60-70");
    expect(coveredParts(cover, 0, 0, 100, 100)).toEqual([
      [10, 40],
      [60, 70],
    ]);
    expect(coveredParts(cover, 0, 35, 65, 100)).toEqual([
      [35, 40],
      [60, 65],
    ]);
    expect(coveredParts(cover, 1, 0, 100, 100)).toEqual([]);
  });

  it("close gaps that are too narrow to be seen", () => {
    const many = Array.from({ length: 1_000 }, (_, at) => `  a${at} ${at * 10}-${at * 10 + 9}`).join("\n");
    const { cover } = drawn(`root 0-10000\n${many}\n  end 10500-10600`);
    expect(coveredParts(cover, 0, 0, 10_000, 100)).toEqual([[0, 9_999]]);
    expect(coveredParts(cover, 0, 0, 30, 100)).toHaveLength(3);
  });

  it.each([1, 2, 3])("are few, in order, and within the window (%i)", (seed) => {
    const trace = traceOf(random(400, seed));
    for (let place = 0; place < trace.places; place += 1) {
      const parts = coveredParts(trace.cover, place, 500, 9_000, 24);
      expect(parts.length).toBeLessThanOrEqual(26);
      parts.forEach(([from, to], at) => {
        expect(from).toBeGreaterThanOrEqual(at === 0 ? 500 : parts[at - 1]![1]);
        expect(to).toBeLessThanOrEqual(9_000);
      });
    }
  });
});
