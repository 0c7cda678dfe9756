import { expect, test } from "vitest";
import type { Columns } from "../../src/api/types";
import { below, neighbours, toolSpanAfter } from "../../src/model/calls";

/** Spans as lines: `id parent kind name`, in order of start. */
function columns(drawing: string): Columns {
  const rows = drawing
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/) as [string, string, string, string]);
  const ids = rows.map(([id]) => id);
  const names = [...new Set(rows.map((row) => row[3].replace("_", " ")))];
  const kinds = [...new Set(rows.map((row) => row[2]))];
  const none = rows.map(() => null);
  return {
    trace_id: "t",
    start_ns: "0",
    count: rows.length,
    names,
    kinds,
    models: [],
    span_id: ids,
    parent: rows.map((row) => ids.indexOf(row[1])),
    name: rows.map((row) => names.indexOf(row[3].replace("_", " "))),
    kind: rows.map((row) => kinds.indexOf(row[2])),
    model: none,
    start_us: rows.map((_, at) => at),
    duration_us: rows.map((_, at) => (at === rows.length - 1 ? null : 10)),
    flags: rows.map((_, at) => (at === 4 ? 1 : 0)),
    tokens_in: none,
    tokens_out: none,
    cost_usd: none,
    ttft_us: none,
  };
}

const RUN = columns(`
  root - span root
  a    root agent writer
  c1   a llm chat
  t1   a tool execute_find
  t2   a tool execute_find
  b    root agent critic
  c2   b llm chat
  c3   a llm chat
`);

test("a call is told its number and the calls that may have had its history", () => {
  expect(neighbours(RUN, "c3")).toEqual({
    call: 3,
    before: [
      { spanId: "c1", call: 1 },
      { spanId: "c2", call: 2 },
    ],
  });
  expect(neighbours(RUN, "c2")).toEqual({ call: 2, before: [{ spanId: "c1", call: 1 }] });
  expect(neighbours(RUN, "c1")).toEqual({ call: 1, before: [] });
  expect(neighbours(RUN, "t1").call).toBe(0);
  expect(neighbours(RUN, "gone").call).toBe(0);
});

test("the span of a tool is the next of its name", () => {
  expect(toolSpanAfter(RUN, "c1", "find")).toBe("t1");
  expect(toolSpanAfter(RUN, "c1", "find", 1)).toBe("t2");
  expect(toolSpanAfter(RUN, "c2", "find")).toBeNull();
  expect(toolSpanAfter(RUN, "c1", "")).toBeNull();
});

test("what is below a span, those of one name together", () => {
  expect(below(RUN, "a").map(({ name, spans, failed, open }) => [name, spans, failed, open])).toEqual([
    ["chat", 2, 0, 1],
    ["execute find", 2, 1, 0],
  ]);
  expect(below(RUN, "gone")).toEqual([]);
});
