// Which rows of a trace are shown: folds, runs of like siblings that are one row, and what a search leaves over.
// Counted anew when a fold or the search changes, never while one scrolls or moves the selection.
import { type Tree, kindAt, nameAt } from "./trace";

/** More like siblings in a row than this are shown as one. */
export const MANY = 20;

/** Siblings of one name and kind that follow each other. */
export interface Run {
  /** Positions of the first and of the last. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly name: string;
  readonly kind: string;
  readonly errors: number;
  /** Microseconds: from the first start to the last end, in all, and what 95 of 100 stay below. */
  readonly from: number;
  readonly to: number;
  readonly total: number;
  readonly p95: number;
}

export type Mode = "all" | "context" | "matches";

/** What somebody has folded, opened and searched for. Positions. */
export interface Shape {
  readonly folded: ReadonlySet<number>;
  /** First positions of the runs that are shown one by one. */
  readonly opened: ReadonlySet<number>;
  readonly matches: Int32Array | null;
  readonly mode: Mode;
}

/** A row is a position, or below -1 a run: `-2 - number of the run`. */
export interface Rows {
  readonly list: Int32Array;
  readonly runs: readonly Run[];
  /** Position -> row, -1 for what is hidden. */
  readonly rowOf: Int32Array;
  /** By row: how far it is moved in; members of an opened run stand one deeper. */
  readonly indent: Int32Array;
}

export const NOTHING: Shape = { folded: new Set(), opened: new Set(), matches: null, mode: "all" };

export function runAt(rows: Rows, row: number): Run | undefined {
  const one = rows.list[row];
  return one !== undefined && one < -1 ? rows.runs[-2 - one] : undefined;
}

/** The position that a row stands for; of a run its first. */
export function positionAt(rows: Rows, row: number): number {
  const one = rows.list[row] ?? -1;
  return one < -1 ? rows.runs[-2 - one]!.first : one;
}

export function findRuns(tree: Tree): Run[] {
  const found: Run[] = [];
  const { count, end, parent } = tree;
  // siblings follow each other at `end`; each position is looked at once as the start of a run
  const seen = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    if (seen[at]) continue;
    const name = nameAt(tree, at);
    const kind = kindAt(tree, at);
    let many = 0;
    let last = at;
    for (let one = at; one < count && parent[one] === parent[at]; one = end[one]!) {
      if (nameAt(tree, one) !== name || kindAt(tree, one) !== kind) break;
      seen[one] = 1;
      last = one;
      many++;
    }
    if (many > MANY) found.push(summed(tree, at, last, many, name, kind));
  }
  return found;
}

function summed(tree: Tree, first: number, last: number, count: number, name: string, kind: string): Run {
  const lengths = new Float64Array(count);
  let errors = 0;
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  let total = 0;
  let at = first;
  for (let i = 0; i < count; i++, at = tree.end[at]!) {
    lengths[i] = tree.to[at]! - tree.from[at]!;
    total += lengths[i]!;
    from = Math.min(from, tree.from[at]!);
    to = Math.max(to, tree.to[at]!);
    if (tree.flags[at]! & 1) errors++;
  }
  lengths.sort();
  const p95 = lengths[Math.min(count - 1, Math.ceil(count * 0.95) - 1)]!;
  return { first, last, count, name, kind, errors, from, to, total, p95 };
}

export function visible(tree: Tree, runs: readonly Run[], shape: Shape): Rows {
  const list = new Int32Array(tree.count + runs.length);
  const indent = new Int32Array(tree.count + runs.length);
  const rowOf = new Int32Array(tree.count).fill(-1);
  let size = 0;
  const put = (one: number, depth: number): void => {
    list[size] = one;
    indent[size] = depth;
    if (one >= 0) rowOf[one] = size;
    size++;
  };
  if (shape.matches !== null && shape.mode !== "all") {
    const wanted = shape.mode === "context" ? withAncestors(tree, shape.matches) : shape.matches;
    for (const at of wanted) put(at, shape.mode === "context" ? tree.depth[at]! : 0);
    return { list: list.slice(0, size), indent: indent.slice(0, size), runs, rowOf };
  }
  const runOf = new Map(runs.map((run, number) => [run.first, number]));
  // opened runs move what is below them in by one, up to where they end
  const ends: number[] = [];
  for (let at = 0; at < tree.count;) {
    while (ends.length > 0 && at >= ends.at(-1)!) ends.pop();
    const number = runOf.get(at);
    if (number !== undefined) {
      const run = runs[number]!;
      put(-2 - number, tree.depth[at]! + ends.length);
      if (!shape.opened.has(at)) {
        at = tree.end[run.last]!;
        continue;
      }
      ends.push(tree.end[run.last]!);
    }
    put(at, tree.depth[at]! + ends.length);
    at = shape.folded.has(at) ? tree.end[at]! : at + 1;
  }
  return { list: list.slice(0, size), indent: indent.slice(0, size), runs, rowOf };
}

function withAncestors(tree: Tree, matches: Int32Array): Int32Array {
  const wanted = new Uint8Array(tree.count);
  for (const match of matches) for (let at = match; at >= 0 && wanted[at] === 0; at = tree.parent[at]!) wanted[at] = 1;
  const found: number[] = [];
  for (let at = 0; at < tree.count; at++) if (wanted[at]) found.push(at);
  return Int32Array.from(found);
}

// --- changing folds

/** So that a position is on screen: its ancestors unfolded, the runs it is in opened. */
export function reveal(tree: Tree, runs: readonly Run[], shape: Shape, at: number): Shape {
  const folded = new Set(shape.folded);
  const opened = new Set(shape.opened);
  for (let up = tree.parent[at] ?? -1; up >= 0; up = tree.parent[up]!) folded.delete(up);
  for (const run of runs) if (run.first <= at && at < tree.end[run.last]!) opened.add(run.first);
  return { ...shape, folded, opened };
}

export function toggle(shape: Shape, at: number): Shape {
  const folded = new Set(shape.folded);
  if (!folded.delete(at)) folded.add(at);
  return { ...shape, folded };
}

/** Fold or unfold a position and all that hangs below. */
export function foldBelow(tree: Tree, shape: Shape, at: number, fold: boolean): Shape {
  const folded = new Set(shape.folded);
  for (let one = at; one < tree.end[at]!; one++) {
    if (!fold) folded.delete(one);
    else if (tree.end[one]! > one + 1) folded.add(one);
  }
  return { ...shape, folded };
}

/** Everything of this depth and deeper is folded; `depth` 1 shows the top rows only. */
export function foldTo(tree: Tree, shape: Shape, depth: number): Shape {
  const folded = new Set<number>();
  for (let at = 0; at < tree.count; at++) if (tree.depth[at]! >= depth - 1 && tree.end[at]! > at + 1) folded.add(at);
  return { ...shape, folded };
}
