// A trace as columns in tree order: what the waterfall, the overview and the critical path are drawn from. Built once
// from the skeleton; nothing here is done again while one scrolls. A position is a place in tree order; an index is a
// place in the skeleton's columns, which are by start.
import type { Columns } from "../api/types";

export const FAILED = 1;
export const OPEN = 2;
export const COUNTED = 4;
export const UNPRICED = 8;

const LOST_PARENT = -2;
/** What a position's index is where it stands for "parent not received". */
export const NO_SPAN = -1;

export interface Tree {
  readonly columns: Columns;
  /** Rows of the tree: the spans, and one more where parents were not received. */
  readonly count: number;
  /** Position -> index, or NO_SPAN. */
  readonly order: Int32Array;
  /** Index -> position. */
  readonly position: Int32Array;
  readonly depth: Int32Array;
  /** Position of the parent, -1 at the top. */
  readonly parent: Int32Array;
  /** Position after the last of the subtree. */
  readonly end: Int32Array;
  /** Microseconds from the start of the trace, by position. */
  readonly from: Float64Array;
  /** An open span reaches to the end of what is known. */
  readonly to: Float64Array;
  /** Time in which no child ran, in microseconds. */
  readonly own: Float64Array;
  readonly flags: Uint8Array;
  readonly maxDepth: number;
  /** Microseconds from the start of the trace to its end. */
  readonly length: number;
  readonly totals: Totals;
  /** Positions, ascending. */
  readonly errors: Int32Array;
  readonly calls: Int32Array;
}

export interface Totals {
  readonly spans: number;
  readonly calls: number;
  readonly errors: number;
  readonly open: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly costUsd: number | null;
  readonly unpriced: number;
}

/** `nowUs` is how far an open span reaches, from the start of the trace. Takes time in proportion to the spans. */
export function build(columns: Columns, nowUs = 0): Tree {
  const spans = columns.count;
  const { first, next, roots, lost } = children(columns);
  const count = spans + (lost.length > 0 ? 1 : 0);
  const order = new Int32Array(count);
  const position = new Int32Array(spans).fill(-1);
  const depth = new Int32Array(count);
  const parent = new Int32Array(count).fill(-1);
  let at = 0;
  const walk = (root: number, above: number, level: number): void => {
    const stack = [root];
    const aboves = [above];
    const levels = [level];
    while (stack.length > 0) {
      const index = stack.pop()!;
      const up = aboves.pop()!;
      const deep = levels.pop()!;
      if (position[index] !== -1) continue; // a circle of parents
      order[at] = index;
      position[index] = at;
      depth[at] = deep;
      parent[at] = up;
      const below: number[] = [];
      for (let child = first[index]!; child !== -1; child = next[child]!) below.push(child);
      for (let i = below.length - 1; i >= 0; i--) {
        stack.push(below[i]!);
        aboves.push(at);
        levels.push(deep + 1);
      }
      at++;
    }
  };
  for (const root of roots) walk(root, -1, 0);
  if (lost.length > 0) {
    const own = at++;
    order[own] = NO_SPAN;
    for (const root of lost) walk(root, own, 1);
  }
  // spans whose parents form a circle hang on nothing: each is shown at the top once
  for (let index = 0; index < spans; index++) if (position[index] === -1) walk(index, -1, 0);
  return measured(columns, nowUs, { count, order, position, depth, parent });
}

/** Children as linked lists by start; what has no parent; what has one that was not received. */
function children(columns: Columns): { first: Int32Array; next: Int32Array; roots: number[]; lost: number[] } {
  const spans = columns.count;
  const first = new Int32Array(spans).fill(-1);
  const next = new Int32Array(spans).fill(-1);
  const roots: number[] = [];
  const lost: number[] = [];
  for (let index = spans - 1; index >= 0; index--) {
    const above = columns.parent[index]!;
    if (above >= 0 && above !== index) {
      next[index] = first[above]!;
      first[above] = index;
    } else if (above === LOST_PARENT) lost.push(index);
    else roots.push(index);
  }
  return { first, next, roots: roots.reverse(), lost: lost.reverse() };
}

function measured(
  columns: Columns,
  nowUs: number,
  shape: Pick<Tree, "count" | "order" | "position" | "depth" | "parent">,
): Tree {
  const { count, order, depth, parent } = shape;
  const end = new Int32Array(count);
  const from = new Float64Array(count);
  const to = new Float64Array(count);
  const own = new Float64Array(count);
  const flags = new Uint8Array(count);
  const errors: number[] = [];
  const calls: number[] = [];
  let known = nowUs;
  for (let index = 0; index < columns.count; index++)
    known = Math.max(known, columns.start_us[index]! + (columns.duration_us[index] ?? 0));
  let maxDepth = 0;
  const totals = { spans: columns.count, calls: 0, errors: 0, open: 0, tokensIn: 0, tokensOut: 0, unpriced: 0 };
  let costUsd: number | null = null;
  const llm = columns.kinds.indexOf("llm");
  for (let at = 0; at < count; at++) {
    const index = order[at]!;
    maxDepth = Math.max(maxDepth, depth[at]!);
    if (index === NO_SPAN) {
      from[at] = Number.POSITIVE_INFINITY;
      continue;
    }
    const flag = columns.flags[index]!;
    flags[at] = flag;
    from[at] = columns.start_us[index]!;
    to[at] = flag & OPEN ? known : from[at]! + (columns.duration_us[index] ?? 0);
    if (flag & FAILED) errors.push(at);
    if (columns.kind[index] === llm) calls.push(at);
    if (flag & OPEN) totals.open++;
    if (flag & COUNTED) {
      totals.tokensIn += columns.tokens_in[index] ?? 0;
      totals.tokensOut += columns.tokens_out[index] ?? 0;
      const cost = columns.cost_usd[index];
      if (cost != null) costUsd = (costUsd ?? 0) + cost;
    }
    if (flag & UNPRICED) totals.unpriced++;
  }
  totals.calls = calls.length;
  totals.errors = errors.length;
  // from the last to the first: what hangs below is known before what it hangs on
  for (let at = count - 1; at >= 0; at--) {
    end[at] = Math.max(end[at]!, at + 1);
    const above = parent[at]!;
    if (above < 0) continue;
    end[above] = Math.max(end[above]!, end[at]!);
    if (order[above] === NO_SPAN) {
      from[above] = Math.min(from[above]!, from[at]!);
      to[above] = Math.max(to[above]!, to[at]!);
    }
  }
  const covered = new Float64Array(count);
  const until = Float64Array.from(from);
  for (let at = 0; at < count; at++) {
    const above = parent[at]!;
    if (above < 0) continue;
    const start = Math.max(from[at]!, until[above]!);
    const stop = Math.min(to[at]!, to[above]!);
    if (stop <= start) continue;
    covered[above] = covered[above]! + stop - start;
    until[above] = stop;
  }
  for (let at = 0; at < count; at++) own[at] = Math.max(0, to[at]! - from[at]! - covered[at]!);
  return {
    ...shape,
    columns,
    end,
    from,
    to,
    own,
    flags,
    maxDepth,
    length: Math.max(known, 1),
    totals: { ...totals, costUsd },
    errors: Int32Array.from(errors),
    calls: Int32Array.from(calls),
  };
}

// --- what a row says

export function nameAt(tree: Tree, at: number): string {
  const index = tree.order[at]!;
  if (index === NO_SPAN) return "parent not received";
  return tree.columns.names[tree.columns.name[index]!] || "(no name)";
}

export function kindAt(tree: Tree, at: number): string {
  const index = tree.order[at]!;
  return index === NO_SPAN ? "other" : (tree.columns.kinds[tree.columns.kind[index]!] ?? "span");
}

export function idAt(tree: Tree, at: number): string {
  const index = tree.order[at]!;
  return index === NO_SPAN ? "" : tree.columns.span_id[index]!;
}

/** The position of a span; -1 if it is not there. Reads all ids: not for every frame. */
export function find(tree: Tree, spanId: string): number {
  const index = tree.columns.span_id.indexOf(spanId);
  return index < 0 ? -1 : tree.position[index]!;
}

/** Whether anything hangs below. */
export function hasChildren(tree: Tree, at: number): boolean {
  return tree.end[at]! > at + 1;
}

/** Positions of the children, by start. */
export function childrenOf(tree: Tree, at: number): number[] {
  const found: number[] = [];
  for (let child = at + 1; child < tree.end[at]!; child = tree.end[child]!) found.push(child);
  return found;
}

/** Stretches in which no child ran, at most `most` of them: the longest gaps between them are kept. */
export function ownParts(tree: Tree, at: number, most = 40): (readonly [number, number])[] {
  const parts: (readonly [number, number])[] = [];
  let cursor = tree.from[at]!;
  for (let child = at + 1; child < tree.end[at]!; child = tree.end[child]!) {
    if (tree.from[child]! > cursor) parts.push([cursor, Math.min(tree.from[child]!, tree.to[at]!)]);
    cursor = Math.max(cursor, tree.to[child]!);
    if (cursor >= tree.to[at]!) break;
  }
  if (cursor < tree.to[at]!) parts.push([cursor, tree.to[at]!]);
  if (parts.length <= most) return parts;
  const longest = [...parts].sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, most);
  return longest.sort((a, b) => a[0] - b[0]);
}

/** In ascending positions, the next one after `at` (or before it), around the end; -1 if there is none. */
export function nextIn(sorted: Int32Array, at: number, backwards = false): number {
  if (sorted.length === 0) return -1;
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (backwards ? sorted[middle]! < at : sorted[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return sorted[backwards ? (low - 1 + sorted.length) % sorted.length : low % sorted.length]!;
}
