// The overview: a lane for each depth, at most twelve; neighbours of a kind merged; errors never painted over.
import { describe, expect, it } from "vitest";
import { ERROR_CODE, MOST_LANES, overviewOf } from "../../src/model/overview";
import { wholeWindow } from "../../src/model/timeline";
import { traceOf, type Trace } from "../../src/model/trace";
import { drawn, random } from "./drawn";

/** Lanes as text: the first letter of the kind for each pixel, `E` for an error. */
function painted(trace: Trace, width: number, now = 0): string[] {
  const { lanes, boxes } = overviewOf(trace, wholeWindow(trace, now), width, now);
  const rows = Array.from({ length: lanes }, () => Array.from({ length: width }, () => "."));
  for (let at = 0; at < boxes.length; at += 4) {
    const [lane, left, right, code] = boxes.slice(at, at + 4) as unknown as [number, number, number, number];
    rows[lane]!.fill(code === ERROR_CODE ? "E" : trace.kinds[code]![0]!, left, right);
  }
  return rows.map((row) => row.join(""));
}

describe("the overview", () => {
  it("has a lane for each depth, and a pixel for the shortest span", () => {
    const trace = drawn("root 0-100 agent\n  a 0-50 llm\n  b 50-100 tool\n    c 90-90 span");
    expect(painted(trace, 10)).toEqual(["aaaaaaaaaa", "lllllttttt", ".........s"]);
  });

  it("merges neighbours of one kind, and shows the error among them", () => {
    const many = Array.from({ length: 400 }, (_, at) => `  e ${at * 10}-${at * 10 + 9} tool${at === 200 ? " !" : ""}`);
    const trace = drawn(`root 0-4000 agent\n${many.join("\n")}`);
    expect(painted(trace, 10)).toEqual(["aaaaaaaaaa", "tttttEtttt"]);
    expect(overviewOf(trace, wholeWindow(trace, 0), 10, 0).boxes.length / 4).toBe(4);
  });

  it("lets open spans reach to now", () => {
    expect(painted(drawn("root 0- agent\n  a 0-20 llm"), 10, 100)).toEqual(["aaaaaaaaaa", "ll........"]);
  });

  it("has at most twelve lanes, and paints within its width", () => {
    const deep = Array.from({ length: 40 }, (_, at) => `${"  ".repeat(at)}a ${at}-${100 - at}`).join("\n");
    expect(painted(drawn(deep), 100)).toHaveLength(MOST_LANES);
    for (const seed of [1, 2, 3]) {
      const trace = traceOf(random(500, seed));
      const { boxes, lanes } = overviewOf(trace, wholeWindow(trace, 5_000), 333, 5_000);
      for (let at = 0; at < boxes.length; at += 4) {
        expect(boxes[at]).toBeLessThan(lanes);
        expect(boxes[at + 2]).toBeGreaterThan(boxes[at + 1]!);
        expect(boxes[at + 2]).toBeLessThanOrEqual(333);
      }
    }
  });

  it("of nothing is nothing", () => {
    const trace = traceOf({
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
      tokens_in: [],
      tokens_out: [],
      cost_usd: [],
      ttft_us: [],
    });
    expect(overviewOf(trace, wholeWindow(trace, 0), 100, 0).boxes).toHaveLength(0);
  });
});
