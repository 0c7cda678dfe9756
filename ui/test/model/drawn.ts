// Traces drawn as text: a line a span, indented by two spaces under its parent.
//   "agent 0-100 !"  name, start and end in microseconds, marks: ! failed, ~ open, ? parent not received, $ model call
import type { Columns } from "../../src/api/types";

export function drawn(text: string): Columns {
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const told = /^(\s*)(.+?) (\d+)-(\d+)((?: [!~?$])*)$/.exec(line)!;
      return {
        indent: told[1]!.length,
        name: told[2]!,
        start: Number(told[3]),
        end: Number(told[4]),
        marks: told[5]!,
        parent: null as number | null,
      };
    });
  const least = Math.min(...lines.map((line) => line.indent));
  const above: number[] = [];
  lines.forEach((line, at) => {
    const depth = (line.indent - least) / 2;
    above.length = depth;
    line.parent = above.at(-1) ?? null;
    above.push(at);
  });
  const byStart = lines.map((_, at) => at).sort((a, b) => lines[a]!.start - lines[b]!.start || a - b);
  const place = new Map(byStart.map((line, index) => [line, index]));
  const sorted = byStart.map((at) => lines[at]!);
  const names = [...new Set(sorted.map((line) => line.name))];
  const has = (line: { marks: string }, mark: string): boolean => line.marks.includes(mark);
  return {
    trace_id: "t",
    start_ns: "0",
    count: lines.length,
    names,
    kinds: ["span", "llm"],
    models: [],
    span_id: byStart.map((at) => `s${at}`),
    parent: sorted.map((line) => (has(line, "?") ? -2 : line.parent === null ? -1 : place.get(line.parent)!)),
    name: sorted.map((line) => names.indexOf(line.name)),
    kind: sorted.map((line) => (has(line, "$") ? 1 : 0)),
    model: sorted.map(() => null),
    start_us: sorted.map((line) => line.start),
    duration_us: sorted.map((line) => (has(line, "~") ? null : line.end - line.start)),
    flags: sorted.map((line) => (has(line, "!") ? 1 : 0) | (has(line, "~") ? 2 : 0) | (has(line, "$") ? 4 : 0)),
    tokens_in: sorted.map((line) => (has(line, "$") ? 10 : null)),
    tokens_out: sorted.map((line) => (has(line, "$") ? 1 : null)),
    cost_usd: sorted.map((line) => (has(line, "$") ? 0.5 : null)),
    ttft_us: sorted.map(() => null),
  };
}

/** A trace of `count` spans, each below one of those before it by `above`. */
export function grown(count: number, above: (index: number) => number): Columns {
  const zero = <T>(value: T): T[] => Array.from({ length: count }, () => value);
  return {
    trace_id: "t",
    start_ns: "0",
    count,
    names: ["a", "b", "c"],
    kinds: ["span", "llm", "tool"],
    models: [],
    span_id: Array.from({ length: count }, (_, i) => i.toString(16).padStart(16, "0")),
    parent: Array.from({ length: count }, (_, i) => (i === 0 ? -1 : above(i))),
    name: Array.from({ length: count }, (_, i) => i % 3),
    kind: Array.from({ length: count }, (_, i) => i % 3),
    model: zero(null),
    start_us: Array.from({ length: count }, (_, i) => i * 10),
    duration_us: zero(25),
    flags: Array.from({ length: count }, (_, i) => (i % 97 === 0 ? 1 : 0)),
    tokens_in: zero(null),
    tokens_out: zero(null),
    cost_usd: zero(null),
    ttft_us: zero(null),
  };
}
