// Two traces as one tree: spans paired by kind, name and order among siblings, level by level; what differs of each
// pair; and the sums of both. Columns in, columns out, no recursion: 10,000 spans a side are ordinary. Pure.
import type { Columns } from "../api/types";
import { alignBy } from "./diff";

/** One row for each pair of spans, and for each span that only one side has, depth-first. */
export interface Aligned {
  readonly count: number;
  /** Where the row's span stands in each side's columns; -1 where it has none. */
  readonly inA: Int32Array;
  readonly inB: Int32Array;
  readonly depth: Int32Array;
  /** The row above; -1 at the top. */
  readonly parent: Int32Array;
  /** The first row behind all that is below. */
  readonly end: Int32Array;
  /** What differs, as bits of `DIFFERS`. */
  readonly differs: Uint8Array;
  /** Rows that differ themselves, in order. */
  readonly differing: readonly number[];
}

export const DIFFERS = { alone: 1, status: 2, name: 4, tokens: 8, duration: 16, below: 32 } as const;
const ITSELF = 31;

const FAILED = 1;
const OPEN = 2;
const LEAF = 4;

/** Above so many siblings on a side they are paired by order alone. */
const MOST_SIBLINGS = 3_000;
/** Kinds whose spans are named for a model: another model is the same step. */
const BY_MODEL: ReadonlySet<string> = new Set(["llm", "embedding", "rerank"]);

export function align(a: Columns, b: Columns): Aligned {
  const codes = new Map<string, number>();
  const one = sideOf(a, codes);
  const two = sideOf(b, codes);
  const most = a.count + b.count;
  const inA = new Int32Array(most);
  const inB = new Int32Array(most);
  const depth = new Int32Array(most);
  const parent = new Int32Array(most);
  let count = 0;
  const waiting: { pair: Both; depth: number; parent: number }[] = [];
  const push = (pairs: readonly Both[], below: number, row: number): void => {
    for (let at = pairs.length - 1; at >= 0; at -= 1) waiting.push({ pair: pairs[at]!, depth: below, parent: row });
  };
  push(rootsOf(one, two), 0, -1);
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const row = count;
    count += 1;
    inA[row] = next.pair[0];
    inB[row] = next.pair[1];
    depth[row] = next.depth;
    parent[row] = next.parent;
    push(pairSiblings(childrenOf(one, next.pair[0]), childrenOf(two, next.pair[1]), one, two), next.depth + 1, row);
  }
  const made = {
    count,
    inA: inA.slice(0, count),
    inB: inB.slice(0, count),
    depth: depth.slice(0, count),
    parent: parent.slice(0, count),
  };
  return { ...made, end: endsOf(made.parent), ...differences(a, b, made) };
}

// --- one side

type Both = readonly [a: number, b: number];

interface Side {
  readonly columns: Columns;
  /** Of kind and name, the same on both sides. */
  readonly code: Int32Array;
  /** Children of span i are `list[from[i]] … list[from[i + 1] - 1]`; those of the top come last. */
  readonly from: Int32Array;
  readonly list: Int32Array;
}

function sideOf(columns: Columns, codes: Map<string, number>): Side {
  const { count } = columns;
  const parents = soundParents(columns.parent);
  const from = new Int32Array(count + 2);
  const place = (at: number): number => (parents[at]! < 0 ? count : parents[at]!);
  for (let at = 0; at < count; at += 1) from[place(at) + 1]! += 1;
  for (let at = 0; at <= count; at += 1) from[at + 1]! += from[at]!;
  const list = new Int32Array(count);
  const next = from.slice();
  // spans come by start, and so do children
  for (let at = 0; at < count; at += 1) list[next[place(at)]!++] = at;
  const code = new Int32Array(count);
  const known = new Map<string, number>();
  for (let at = 0; at < count; at += 1) {
    const short = `${columns.kind[at]} ${columns.name[at]} ${columns.model[at] ?? ""}`;
    let found = known.get(short);
    if (found === undefined) {
      const key = stepName(columns, at);
      found = codes.get(key) ?? codes.size;
      codes.set(key, found);
      known.set(short, found);
    }
    code[at] = found;
  }
  return { columns, code, from, list };
}

/** Kind and name, without the model where the name has it: `chat gpt-4o` and `chat claude` are one step. */
function stepName(columns: Columns, at: number): string {
  const kind = columns.kinds[columns.kind[at] ?? -1] ?? "";
  const name = columns.names[columns.name[at] ?? -1] ?? "";
  const model = columns.models[columns.model[at] ?? -1] ?? "";
  return `${kind}\n${model !== "" && BY_MODEL.has(kind) ? name.replace(model, "") : name}`;
}

/** Parents without rings: one span of each stands at the top. */
function soundParents(told: readonly number[]): Int32Array {
  const parents = Int32Array.from(told, (parent, at) => (parent === at ? -1 : parent));
  const seen = new Int32Array(parents.length);
  for (let at = 0; at < parents.length; at += 1) {
    let up = at;
    while (up >= 0 && seen[up] === 0) {
      seen[up] = at + 1;
      const above = parents[up]!;
      if (above >= 0 && seen[above] === at + 1) {
        parents[up] = -1;
        break;
      }
      up = above;
    }
  }
  return parents;
}

function childrenOf(side: Side, at: number): readonly number[] {
  if (at < 0) return [];
  const from = side.from[at]!;
  const to = side.from[at + 1]!;
  return from === to ? [] : Array.from(side.list.subarray(from, to));
}

// --- pairs

/** The tops: one on each side are the same whatever they are called. */
function rootsOf(one: Side, two: Side): Both[] {
  const a = childrenOf(one, one.columns.count);
  const b = childrenOf(two, two.columns.count);
  return a.length === 1 && b.length === 1 ? [[a[0]!, b[0]!]] : pairSiblings(a, b, one, two);
}

function pairSiblings(a: readonly number[], b: readonly number[], one: Side, two: Side): Both[] {
  if (a.length === 0) return b.map((at): Both => [-1, at]);
  if (b.length === 0) return a.map((at): Both => [at, -1]);
  if (a.length === b.length && a.every((at, n) => one.code[at] === two.code[b[n]!]))
    return a.map((at, n): Both => [at, b[n]!]);
  if (a.length > MOST_SIBLINGS || b.length > MOST_SIBLINGS) return pairGap(a, b, one, two);
  const codes = [...a.map((at) => one.code[at]!), ...b.map((at) => two.code[at]!)];
  const pairs: Both[] = [];
  let onlyA: number[] = [];
  let onlyB: number[] = [];
  const flush = (): void => {
    if (onlyA.length > 0 || onlyB.length > 0) pairs.push(...pairGap(onlyA, onlyB, one, two));
    onlyA = [];
    onlyB = [];
  };
  for (const pair of alignBy(codes.slice(0, a.length), codes.slice(a.length), String)) {
    if (pair.a !== null && pair.b !== null) {
      flush();
      pairs.push([a[pair.a]!, b[pair.b]!]);
    } else if (pair.a !== null) onlyA.push(a[pair.a]!);
    else if (pair.b !== null) onlyB.push(b[pair.b]!);
  }
  flush();
  return pairs;
}

/** Siblings between two pairs: the n-th of a name with the n-th of it, then calls of models with each other. */
function pairGap(a: readonly number[], b: readonly number[], one: Side, two: Side): Both[] {
  const partner = new Map<number, number>();
  const taken = new Set<number>();
  const match = (keyA: (at: number) => string | number, keyB: (at: number) => string | number): void => {
    const open = new Map<string | number, number[]>();
    for (const at of b) {
      if (taken.has(at) || keyB(at) === "") continue;
      const list = open.get(keyB(at));
      if (list) list.push(at);
      else open.set(keyB(at), [at]);
    }
    for (const list of open.values()) list.reverse();
    for (const at of a) {
      const found = partner.has(at) ? undefined : open.get(keyA(at))?.pop();
      if (found === undefined) continue;
      partner.set(at, found);
      taken.add(found);
    }
  };
  const kind = (side: Side, at: number): string => {
    const name = side.columns.kinds[side.columns.kind[at] ?? -1] ?? "";
    return BY_MODEL.has(name) ? name : "";
  };
  match(
    (at) => one.code[at]!,
    (at) => two.code[at]!,
  );
  match(
    (at) => kind(one, at),
    (at) => kind(two, at),
  );
  return [
    ...a.map((at): Both => [at, partner.get(at) ?? -1]),
    ...b.filter((at) => !taken.has(at)).map((at): Both => [-1, at]),
  ];
}

function endsOf(parent: Int32Array): Int32Array {
  const end = Int32Array.from(parent, (_, row) => row + 1);
  for (let row = parent.length - 1; row >= 0; row -= 1) {
    const above = parent[row]!;
    if (above >= 0 && end[above]! < end[row]!) end[above] = end[row]!;
  }
  return end;
}

// --- what differs

type Rows = Pick<Aligned, "count" | "inA" | "inB" | "parent">;

function differences(a: Columns, b: Columns, rows: Rows): Pick<Aligned, "differs" | "differing"> {
  const differs = new Uint8Array(rows.count);
  const differing: number[] = [];
  const long = Math.max(lengthOf(a), lengthOf(b));
  for (let row = rows.count - 1; row >= 0; row -= 1) {
    differs[row]! |= pairDiffers(a, rows.inA[row]!, b, rows.inB[row]!, long);
    const above = rows.parent[row]!;
    if (above >= 0 && differs[row] !== 0) differs[above]! |= DIFFERS.below;
    if ((differs[row]! & ITSELF) !== 0) differing.push(row);
  }
  return { differs, differing: differing.reverse() };
}

function pairDiffers(a: Columns, inA: number, b: Columns, inB: number, longUs: number): number {
  if (inA < 0 || inB < 0) return DIFFERS.alone;
  const state = (columns: Columns, at: number): number => columns.flags[at]! & (FAILED | OPEN);
  const named = (columns: Columns, at: number): string =>
    `${columns.names[columns.name[at] ?? -1]}\n${columns.models[columns.model[at] ?? -1] ?? ""}`;
  let found = 0;
  if (state(a, inA) !== state(b, inB)) found |= DIFFERS.status;
  if (named(a, inA) !== named(b, inB)) found |= DIFFERS.name;
  if (a.tokens_in[inA] !== b.tokens_in[inB] || a.tokens_out[inA] !== b.tokens_out[inB]) found |= DIFFERS.tokens;
  if (durationDiffers(a.duration_us[inA] ?? null, b.duration_us[inB] ?? null, longUs)) found |= DIFFERS.duration;
  return found;
}

/** By a quarter, and by enough of the whole to be seen: two runs never take the same microseconds. */
export function durationDiffers(aUs: number | null, bUs: number | null, longUs: number): boolean {
  if (aUs === null || bUs === null) return false;
  const by = Math.abs(aUs - bUs);
  return by > Math.max(aUs, bUs) / 4 && by > Math.max(1_000, longUs / 200);
}

/** From the first start to the last end, in microseconds. */
export function lengthOf(columns: Columns): number {
  let last = 0;
  for (let at = 0; at < columns.count; at += 1)
    last = Math.max(last, (columns.start_us[at] ?? 0) + (columns.duration_us[at] ?? 0));
  return last;
}

export interface Totals {
  readonly durationUs: number;
  readonly spans: number;
  readonly calls: number;
  readonly tokens: number;
  /** null where nobody knows the price of any call. */
  readonly costUsd: number | null;
  readonly errors: number;
  /** The most used first. */
  readonly models: readonly string[];
  readonly open: boolean;
}

export function totalsOf(columns: Columns): Totals {
  const models = new Map<string, number>();
  let [calls, tokens, errors, cost, open] = [0, 0, 0, null as number | null, false];
  for (let at = 0; at < columns.count; at += 1) {
    const flags = columns.flags[at]!;
    if (columns.kinds[columns.kind[at]!] === "llm") calls += 1;
    if (flags & FAILED) errors += 1;
    if (flags & OPEN) open = true;
    const model = columns.models[columns.model[at] ?? -1];
    if (model) models.set(model, (models.get(model) ?? 0) + 1);
    if (!(flags & LEAF)) continue;
    tokens += (columns.tokens_in[at] ?? 0) + (columns.tokens_out[at] ?? 0);
    const usd = columns.cost_usd[at] ?? null;
    if (usd !== null) cost = (cost ?? 0) + usd;
  }
  const ordered = [...models].toSorted((one, two) => two[1] - one[1]).map(([model]) => model);
  return {
    durationUs: lengthOf(columns),
    spans: columns.count,
    calls,
    tokens,
    costUsd: cost,
    errors,
    models: ordered,
    open,
  };
}

// --- rows on screen

/** Rows that are not folded away; with `only`, those that differ and what they stand in. */
export function visibleRows(aligned: Aligned, folded: ReadonlySet<number>, only: boolean): Int32Array {
  const rows = new Int32Array(aligned.count);
  let count = 0;
  for (let row = 0; row < aligned.count;) {
    if (only && aligned.differs[row] === 0) {
      row = aligned.end[row]!;
      continue;
    }
    rows[count] = row;
    count += 1;
    row = folded.has(row) ? aligned.end[row]! : row + 1;
  }
  return rows.slice(0, count);
}

/** The next row that differs itself, after or before one; -1 if there is none. */
export function nextDifference(aligned: Aligned, row: number, by: 1 | -1): number {
  const { differing } = aligned;
  let low = 0;
  let high = differing.length;
  while (low < high) {
    const half = (low + high) >> 1;
    if (differing[half]! < row + (by > 0 ? 1 : 0)) low = half + 1;
    else high = half;
  }
  return differing[by > 0 ? low : low - 1] ?? -1;
}

/** The time that rows on screen fill, with a little room; spans that reach far beyond the screen do not count. */
export function windowOf(
  aligned: Aligned,
  a: Columns,
  b: Columns,
  rows: Int32Array,
  first: number,
  last: number,
): readonly [fromUs: number, toUs: number] {
  const behind = rows[last] ?? aligned.count;
  let [from, to] = [Infinity, -Infinity];
  const add = (columns: Columns, at: number): void => {
    if (at < 0) return;
    const start = columns.start_us[at] ?? 0;
    from = Math.min(from, start);
    to = Math.max(to, start + (columns.duration_us[at] ?? 0));
  };
  for (let n = first; n < last && n < rows.length; n += 1) {
    const row = rows[n]!;
    if (aligned.end[row]! > behind && aligned.end[row]! > row + 1) continue;
    add(a, aligned.inA[row]!);
    add(b, aligned.inB[row]!);
  }
  if (from > to) return [0, Math.max(lengthOf(a), lengthOf(b), 1)];
  const room = Math.max((to - from) * 0.03, 1);
  return [Math.max(0, from - room), to + room];
}
