// A trace as the page works with it: the skeleton's columns as typed arrays, and the tree in order of drawing. A place
// is a position in that order; a node is a span (its index in the columns) or, negative, a group that stands for no
// span: spans whose parent was not received, or many alike siblings. Nothing here is done while one scrolls.
import type { Columns, SpanRow } from "../api/types";
import { type Cover, coverOf } from "./cover";
import { shapeOf, type Shape, soundParents } from "./shape";

export const FAILED = 1;
export const OPEN = 2;
export const COUNTED = 4;
export const UNPRICED = 8;

/** One entry per span, in the order in which spans came. Times are µs from `startNs`. */
export interface Spans {
  readonly id: string;
  readonly startNs: bigint;
  readonly count: number;
  readonly names: readonly string[];
  readonly kinds: readonly string[];
  readonly models: readonly string[];
  readonly spanId: readonly string[];
  /** -1 for none, -2 for one that was not received. */
  readonly parent: Int32Array;
  readonly name: Int32Array;
  readonly kind: Int32Array;
  /** -1 for none, as all that is not known of a span is -1 or NaN. */
  readonly model: Int32Array;
  readonly start: Float64Array;
  /** NaN while a span is open. */
  readonly duration: Float64Array;
  readonly flags: Uint8Array;
  readonly tokensIn: Float64Array;
  readonly tokensOut: Float64Array;
  readonly cost: Float64Array;
  readonly ttft: Float64Array;
}

export interface Totals {
  readonly spans: number;
  readonly calls: number;
  readonly tokens: number;
  /** null where nobody knows the price of any call. */
  readonly costUsd: number | null;
  readonly unpriced: number;
  readonly errors: number;
  readonly open: number;
  /** Spans whose parent is named and not there. */
  readonly lost: number;
  /** The first start, and the last start or end that is known. */
  readonly from: number;
  readonly to: number;
}

/** What a group comes to. */
export interface GroupSum {
  readonly from: number;
  /** NaN while one of it is open. */
  readonly to: number;
  readonly total: number;
  readonly p95: number;
  readonly errors: number;
  readonly tokens: number;
  readonly cost: number;
}

export interface Trace extends Spans, Shape {
  readonly totals: Totals;
  readonly sums: readonly GroupSum[];
  readonly cover: Cover;
  /** Places of failed spans and of model calls, in order. */
  readonly errors: Int32Array;
  readonly calls: Int32Array;
}

const known = (column: readonly (number | null)[]): Float64Array =>
  Float64Array.from(column, (value) => (value === null ? NaN : value));

export function spansOf(columns: Columns): Spans {
  return {
    id: columns.trace_id,
    startNs: BigInt(columns.start_ns || "0"),
    count: columns.count,
    names: columns.names,
    kinds: columns.kinds,
    models: columns.models,
    spanId: columns.span_id,
    parent: Int32Array.from(columns.parent),
    name: Int32Array.from(columns.name),
    kind: Int32Array.from(columns.kind),
    model: Int32Array.from(columns.model, (value) => value ?? -1),
    start: Float64Array.from(columns.start_us),
    duration: known(columns.duration_us),
    flags: Uint8Array.from(columns.flags),
    tokensIn: known(columns.tokens_in),
    tokensOut: known(columns.tokens_out),
    cost: known(columns.cost_usd),
    ttft: known(columns.ttft_us),
  };
}

export function traceOf(columns: Columns): Trace {
  return build(spansOf(columns));
}

/** As the server would tell it: by start. For what reads columns while a trace grows. */
export function columnsOf(trace: Spans): Columns {
  const order = Int32Array.from({ length: trace.count }, (_, at) => at);
  order.sort((a, b) => trace.start[a]! - trace.start[b]! || a - b);
  const placeOf = new Int32Array(trace.count);
  order.forEach((span, place) => (placeOf[span] = place));
  const told = (column: Float64Array): (number | null)[] =>
    Array.from(order, (span) => (Number.isNaN(column[span]) ? null : column[span]!));
  const plain = (column: ArrayLike<number>): number[] => Array.from(order, (span) => column[span]!);
  return {
    trace_id: trace.id,
    start_ns: String(trace.startNs),
    count: trace.count,
    names: trace.names,
    kinds: trace.kinds,
    models: trace.models,
    span_id: Array.from(order, (span) => trace.spanId[span]!),
    parent: plain(trace.parent).map((parent) => (parent >= 0 ? placeOf[parent]! : parent)),
    name: plain(trace.name),
    kind: plain(trace.kind),
    model: plain(trace.model).map((model) => (model < 0 ? null : model)),
    start_us: plain(trace.start),
    duration_us: told(trace.duration),
    flags: plain(trace.flags),
    tokens_in: told(trace.tokensIn),
    tokens_out: told(trace.tokensOut),
    cost_usd: told(trace.cost),
    ttft_us: told(trace.ttft),
  };
}

function build(told: Spans, before?: Shape): Trace {
  const spans = { ...told, parent: soundParents(told.parent) };
  const shape = before ? onlyShape(before) : shapeOf(spans);
  const places = (is: (span: number) => boolean): Int32Array => shape.node.filter((node) => node >= 0 && is(node));
  const llm = spans.kinds.indexOf("llm");
  const at = (nodes: Int32Array): Int32Array => nodes.map((node) => shape.placeOf[node]!);
  return {
    ...spans,
    ...shape,
    totals: totalsOf(spans),
    sums: shape.groups.map((group) => sumOf(spans, group.members)),
    cover: coverOf(spans, shape),
    errors: at(places((span) => (spans.flags[span]! & FAILED) !== 0)),
    calls: at(places((span) => spans.kind[span] === llm)),
  };
}

function onlyShape({ places, node, depth, up, end, nth, of, placeOf, groups, from, list }: Shape): Shape {
  return { places, node, depth, up, end, nth, of, placeOf, groups, from, list };
}

function totalsOf(spans: Spans): Totals {
  const llm = spans.kinds.indexOf("llm");
  let [calls, tokens, unpriced, errors, open, lost] = [0, 0, 0, 0, 0, 0];
  let cost: number | null = null;
  let [from, to] = [Infinity, -Infinity];
  for (let span = 0; span < spans.count; span += 1) {
    const flags = spans.flags[span]!;
    const start = spans.start[span]!;
    if (flags & FAILED) errors += 1;
    if (flags & OPEN) open += 1;
    if (spans.parent[span] === -2) lost += 1;
    if (start < from) from = start;
    const end = start + (spans.duration[span]! || 0);
    if (end > to) to = end;
    if (!(flags & COUNTED)) continue;
    if (spans.kind[span] === llm) calls += 1;
    if (flags & UNPRICED) unpriced += 1;
    tokens += (spans.tokensIn[span]! || 0) + (spans.tokensOut[span]! || 0);
    const usd = spans.cost[span]!;
    if (usd === usd) cost = (cost ?? 0) + usd;
  }
  if (from > to) [from, to] = [0, 0];
  return { spans: spans.count, calls, tokens, costUsd: cost, unpriced, errors, open, lost, from, to };
}

function sumOf(spans: Spans, members: Int32Array): GroupSum {
  let [from, to, total, errors, tokens, cost] = [Infinity, -Infinity, 0, 0, 0, NaN];
  const lasted: number[] = [];
  for (const span of members) {
    const start = spans.start[span]!;
    const duration = spans.duration[span]!;
    from = Math.min(from, start);
    to = Math.max(to, start + duration); // NaN once one is open
    if (spans.flags[span]! & FAILED) errors += 1;
    if (spans.flags[span]! & COUNTED) {
      tokens += (spans.tokensIn[span]! || 0) + (spans.tokensOut[span]! || 0);
      const usd = spans.cost[span]!;
      if (usd === usd) cost = (cost || 0) + usd;
    }
    if (duration === duration) {
      total += duration;
      lasted.push(duration);
    }
  }
  lasted.sort((a, b) => a - b);
  const p95 = lasted[Math.max(0, Math.ceil(lasted.length * 0.95) - 1)] ?? NaN;
  return { from, to, total, p95, errors, tokens, cost };
}

// --- what one asks of a row

/** Where a bar begins, and where it ends while `now` is; open spans end now. */
export function startOf(trace: Trace, place: number): number {
  const node = trace.node[place]!;
  return node < 0 ? trace.sums[~node]!.from : trace.start[node]!;
}

export function endOf(trace: Trace, place: number, now: number): number {
  const node = trace.node[place]!;
  const from = startOf(trace, place);
  const to = node < 0 ? trace.sums[~node]!.to : from + trace.duration[node]!;
  return to === to ? to : Math.max(now, from);
}

export function isOpen(trace: Trace, place: number): boolean {
  const node = trace.node[place]!;
  return node < 0 ? Number.isNaN(trace.sums[~node]!.to) : (trace.flags[node]! & OPEN) !== 0;
}

/** The part of a span's time in which none of its children ran. */
export function selfTime(trace: Trace, place: number, now: number): number {
  const from = startOf(trace, place);
  const to = endOf(trace, place, now);
  const { first, start, end } = trace.cover;
  let own = to - from;
  for (let at = first[place]!; at < first[place + 1]!; at += 1)
    own -= Math.max(0, Math.min(to, end[at]!) - Math.max(from, start[at]!));
  return Math.max(0, own);
}

const byId = new WeakMap<readonly string[], Map<string, number>>();

function indexes(trace: Spans): Map<string, number> {
  let found = byId.get(trace.spanId);
  if (!found) {
    found = new Map();
    for (let span = 0; span < trace.count; span += 1) found.set(trace.spanId[span]!, span);
    byId.set(trace.spanId, found);
  }
  return found;
}

/** Where a span stands; -1 if it is not in the trace. */
export function placeOfSpan(trace: Trace, spanId: string): number {
  const span = indexes(trace).get(spanId);
  return span === undefined ? -1 : trace.placeOf[span]!;
}

/** The span of a place: of a group the first one in it. */
export function spanAt(trace: Trace, place: number): number {
  const node = trace.node[place] ?? -1;
  return node >= 0 ? node : (trace.groups[~node]?.members[0] ?? -1);
}

export function spanIdAt(trace: Trace, place: number): string {
  return trace.spanId[spanAt(trace, place)] ?? "";
}

// --- what arrives live

/**
 * The trace with spans that are new or have changed. When nothing is new the tree stays as it is and only figures are
 * made again. Spans whose parent came later cannot be told from the columns: `lost` of the totals says that there are
 * some, and that the skeleton should be read again.
 */
export function withSpans(trace: Trace, rows: readonly SpanRow[]): Trace {
  if (rows.length === 0) return trace;
  const at = new Map(indexes(trace));
  const fresh = rows.filter((row) => !at.has(row.span_id) && row.trace_id === trace.id);
  for (const row of fresh) if (!at.has(row.span_id)) at.set(row.span_id, at.size);
  const count = at.size;
  const grown = grow(trace, count);
  byId.set(grown.spanId, at);
  const codes = { names: coder(trace.names), kinds: coder(trace.kinds), models: coder(trace.models) };
  for (const row of rows) {
    const span = at.get(row.span_id);
    if (span === undefined) continue;
    // an open span never takes the place of one that has ended: batches may come twice
    if (span < trace.count && row.end_ns === null && !(trace.flags[span]! & OPEN)) continue;
    grown.spanId[span] = row.span_id;
    grown.parent[span] = row.parent_id === null ? -1 : (at.get(row.parent_id) ?? -2);
    grown.name[span] = codes.names.code(row.name);
    grown.kind[span] = codes.kinds.code(row.kind);
    grown.model[span] = row.model === null ? -1 : codes.models.code(row.model);
    grown.start[span] = Number((BigInt(row.start_ns) - trace.startNs) / 1_000n);
    grown.duration[span] = row.end_ns === null ? NaN : Number((BigInt(row.end_ns) - BigInt(row.start_ns)) / 1_000n);
    grown.tokensIn[span] = row.input_tokens ?? NaN;
    grown.tokensOut[span] = row.output_tokens ?? NaN;
    grown.cost[span] = row.cost_usd ?? NaN;
    grown.ttft[span] = row.ttft_ms === null ? NaN : row.ttft_ms * 1e3;
    const unpriced = row.input_tokens !== null && row.cost_usd === null && row.counted;
    grown.flags[span] =
      (row.status === "ERROR" ? FAILED : 0) |
      (row.end_ns === null ? OPEN : 0) |
      (row.counted ? COUNTED : 0) |
      (unpriced ? UNPRICED : 0);
  }
  const spans = { ...grown, names: codes.names.list, kinds: codes.kinds.list, models: codes.models.list };
  return build(spans, count === trace.count && sameShape(trace, spans) ? trace : undefined);
}

type Grown = { -readonly [K in keyof Spans]: Spans[K] } & { spanId: string[] };

function grow(trace: Spans, count: number): Grown {
  const floats = (old: Float64Array): Float64Array => {
    const made = new Float64Array(count);
    made.set(old);
    return made;
  };
  const whole = (old: Int32Array): Int32Array => {
    const made = new Int32Array(count);
    made.set(old);
    return made;
  };
  const flags = new Uint8Array(count);
  flags.set(trace.flags);
  return {
    id: trace.id,
    startNs: trace.startNs,
    count,
    names: trace.names,
    kinds: trace.kinds,
    models: trace.models,
    spanId: trace.spanId.slice(),
    parent: whole(trace.parent),
    name: whole(trace.name),
    kind: whole(trace.kind),
    model: whole(trace.model),
    start: floats(trace.start),
    duration: floats(trace.duration),
    flags,
    tokensIn: floats(trace.tokensIn),
    tokensOut: floats(trace.tokensOut),
    cost: floats(trace.cost),
    ttft: floats(trace.ttft),
  };
}

function coder(list: readonly string[]): { list: string[]; code(value: string): number } {
  const own = [...list];
  const codes = new Map(own.map((value, at) => [value, at]));
  return {
    list: own,
    code(value) {
      const found = codes.get(value) ?? own.length;
      if (found === own.length) codes.set(value, own.push(value) - 1);
      return found;
    },
  };
}

function sameShape(a: Spans, b: Spans): boolean {
  const same = (one: ArrayLike<number>, two: ArrayLike<number>): boolean => {
    for (let at = 0; at < one.length; at += 1) if (one[at] !== two[at]) return false;
    return true;
  };
  return same(a.parent, b.parent) && same(a.start, b.start) && same(a.name, b.name) && same(a.kind, b.kind);
}
