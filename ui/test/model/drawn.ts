// Traces drawn as text: two spaces a level, then name, `start-end` in µs (`12-` while open), and what else it is: a
// kind, `!` failed, `lost` where the parent was not received, `100t` tokens.
import type { Columns, SpanRow } from "../../src/api/types";
import { type Trace, traceOf } from "../../src/model/trace";

interface Drawn {
  name: string;
  kind: string;
  depth: number;
  start: number;
  end: number | null;
  failed: boolean;
  lost: boolean;
  tokens: number | null;
  parent: number;
}

function parse(text: string): Drawn[] {
  const found: Drawn[] = [];
  const above: number[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const depth = (line.length - line.trimStart().length) / 2;
    const [name, time, ...more] = line.trim().split(/\s+/) as [string, string, ...string[]];
    const [from, to] = time.split("-") as [string, string];
    const tokens = more.find((word) => /^\d+t$/.test(word));
    above.length = depth;
    found.push({
      name,
      kind: more.find((word) => /^[a-z]+$/.test(word) && word !== "lost") ?? "span",
      depth,
      start: Number(from),
      end: to === "" ? null : Number(to),
      failed: more.includes("!"),
      lost: more.includes("lost"),
      tokens: tokens ? Number(tokens.slice(0, -1)) : null,
      parent: depth === 0 ? -1 : above[depth - 1]!,
    });
    above.push(found.length - 1);
  }
  return found;
}

/** As the server tells it: by start, names and kinds once. */
export function columns(spans: readonly Drawn[]): Columns {
  const order = spans.map((_, at) => at).sort((a, b) => spans[a]!.start - spans[b]!.start || a - b);
  const placeOf = new Map(order.map((at, place) => [at, place]));
  const sorted = order.map((at) => spans[at]!);
  const names = [...new Set(sorted.map((span) => span.name))];
  const kinds = [...new Set(sorted.map((span) => span.kind))];
  return {
    trace_id: "t".padEnd(32, "0"),
    start_ns: "1000000000000",
    count: spans.length,
    names,
    kinds,
    models: [],
    span_id: order.map(id),
    parent: sorted.map((span) => (span.lost ? -2 : span.parent < 0 ? -1 : placeOf.get(span.parent)!)),
    name: sorted.map((span) => names.indexOf(span.name)),
    kind: sorted.map((span) => kinds.indexOf(span.kind)),
    model: sorted.map(() => null),
    start_us: sorted.map((span) => span.start),
    duration_us: sorted.map((span) => (span.end === null ? null : span.end - span.start)),
    flags: sorted.map((span) => (span.failed ? 1 : 0) | (span.end === null ? 2 : 0) | (span.tokens === null ? 0 : 4)),
    tokens_in: sorted.map((span) => span.tokens),
    tokens_out: sorted.map(() => null),
    cost_usd: sorted.map((span) => (span.tokens === null ? null : span.tokens / 1e6)),
    ttft_us: sorted.map(() => null),
  };
}

export const id = (at: number): string => (at + 1).toString(16).padStart(16, "0");

export const drawn = (text: string): Trace => traceOf(columns(parse(text)));

/** A place as it is drawn: indent and name, a group as `(lost)` or `name × n`. */
export function nameAt(trace: Trace, place: number): string {
  const node = trace.node[place]!;
  if (node >= 0) return trace.names[trace.name[node]!]!;
  const group = trace.groups[~node]!;
  return group.sort === "lost" ? "(lost)" : `${trace.names[trace.name[group.members[0]!]!]} × ${group.members.length}`;
}

export function shown(
  trace: Trace,
  places: ArrayLike<number> = Array.from({ length: trace.places }, (_, at) => at),
): string {
  return Array.from(places, (place) => "  ".repeat(trace.depth[place]!) + nameAt(trace, place)).join("\n");
}

/** Lines without the indent that all have. */
export function text(drawing: string): string {
  const lines = drawing.split("\n").filter((line) => line.trim() !== "");
  const least = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(least).trimEnd()).join("\n");
}

/** The same numbers each time. */
export function chance(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

/** A tree of any number of spans: children within their parents or beyond them, open ones, failed ones, lost ones. */
export function random(count: number, seed: number): Columns {
  const roll = chance(seed);
  const spans: Drawn[] = [];
  for (let at = 0; at < count; at += 1) {
    const parent = at === 0 ? -1 : roll() < 0.6 ? at - 1 : Math.floor(roll() * at);
    const start = parent < 0 ? 0 : spans[parent]!.start + Math.floor(roll() * 1_000);
    spans.push({
      name: `name${Math.floor(roll() * 5)}`,
      kind: ["llm", "tool", "agent", "span"][Math.floor(roll() * 4)]!,
      depth: 0,
      start,
      end: roll() < 0.05 ? null : start + Math.floor(roll() * 3_000),
      failed: roll() < 0.1,
      lost: at > 0 && roll() < 0.03,
      tokens: roll() < 0.3 ? Math.floor(roll() * 1_000) : null,
      parent,
    });
  }
  return columns(spans);
}

export function spanRow(trace: Trace, more: Partial<SpanRow> & { span_id: string }): SpanRow {
  return {
    trace_id: trace.id,
    parent_id: null,
    name: "new",
    kind: "span",
    span_kind: "INTERNAL",
    start_ns: String(trace.startNs),
    end_ns: null,
    duration_ms: null,
    status: "UNSET",
    error_message: null,
    service: "",
    provider: null,
    model: null,
    input_tokens: null,
    output_tokens: null,
    cost_usd: null,
    ttft_ms: null,
    session_id: null,
    user_id: null,
    tool: null,
    agent: null,
    counted: false,
    weight: 1,
    input_preview: "",
    output_preview: "",
    ...more,
  };
}
