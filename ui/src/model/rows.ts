// Which places of a trace are rows on the screen: folds, the modes of the search, and steps from one row to another.
// Folds and searches walk the tree once; moving, selecting and scrolling only look things up.
import { placeOfSpan, spanIdAt, type Trace } from "./trace";

/** By place: 1 where what is below is hidden. */
export type Folds = Uint8Array;
export type SearchMode = "all" | "context" | "matches";

export interface Rows {
  readonly place: Int32Array;
  /** By place: its row, -1 while it is hidden. */
  readonly rowOf: Int32Array;
  /** Only matches, without what they stand in. */
  readonly flat: boolean;
}

export interface Matches {
  readonly places: Int32Array;
  /** By place: 1 for a match, 2 for what a match stands in. */
  readonly marks: Uint8Array;
}

export const canFold = (trace: Trace, place: number): boolean => trace.end[place]! > place + 1;

/** As a trace is first shown: only groups of many alike spans are folded. */
export function firstFolds(trace: Trace): Folds {
  const folds = new Uint8Array(trace.places);
  for (const group of trace.groups) if (group.sort === "many") folds[trace.up[trace.placeOf[group.members[0]!]!]!] = 1;
  return folds;
}

export function visibleRows(trace: Trace, folds: Folds, matches?: Matches, mode: SearchMode = "all"): Rows {
  const rowOf = new Int32Array(trace.places).fill(-1);
  const keep = matches && mode !== "all" ? matches.marks : undefined;
  if (matches && mode === "matches") {
    matches.places.forEach((place, row) => (rowOf[place] = row));
    return { place: matches.places, rowOf, flat: true };
  }
  const rows = new Int32Array(trace.places);
  let count = 0;
  for (let place = 0; place < trace.places;) {
    if (keep && keep[place] === 0) {
      place = trace.end[place]!;
      continue;
    }
    rows[count] = place;
    rowOf[place] = count;
    count += 1;
    place = folds[place] ? trace.end[place]! : place + 1;
  }
  return { place: rows.slice(0, count), rowOf, flat: false };
}

// --- folding; each gives new folds

export function withFold(folds: Folds, place: number, folded: boolean): Folds {
  const made = folds.slice();
  made[place] = folded ? 1 : 0;
  return made;
}

export function withSubtree(trace: Trace, folds: Folds, place: number, folded: boolean): Folds {
  const made = folds.slice();
  for (let at = place; at < trace.end[place]!; at += 1) made[at] = folded && canFold(trace, at) ? 1 : 0;
  return made;
}

/** Everything that stands as deep as a place. */
export function withLevel(trace: Trace, folds: Folds, depth: number, folded: boolean): Folds {
  const made = folds.slice();
  for (let at = 0; at < trace.places; at += 1)
    if (trace.depth[at] === depth && canFold(trace, at)) made[at] = folded ? 1 : 0;
  return made;
}

/** 1 shows the top only. Groups of many stay folded. */
export function foldsToDepth(trace: Trace, levels: number): Folds {
  const made = firstFolds(trace);
  for (let at = 0; at < trace.places; at += 1) if (trace.depth[at]! >= levels - 1 && canFold(trace, at)) made[at] = 1;
  return made;
}

/** Folds in which a place can be seen; the same ones if it can be seen already. */
export function revealing(trace: Trace, folds: Folds, place: number): Folds {
  let made = folds;
  for (let at = trace.up[place]!; at >= 0; at = trace.up[at]!) {
    if (!made[at]) continue;
    if (made === folds) made = folds.slice();
    made[at] = 0;
  }
  return made;
}

/** The place itself, or the folded one that hides it. */
export function shownFor(trace: Trace, rows: Rows, place: number): number {
  let at = place;
  while (at >= 0 && rows.rowOf[at]! < 0) at = trace.up[at]!;
  return at;
}

// --- folds in the address, and after the trace has grown

const MOST_TOLD = 40;

/** `d3` for a depth, then ids of spans that are otherwise, `g` before the id for the group that it is the first of. */
export function foldsText(trace: Trace, folds: Folds, levels: number): string {
  const base = levels > 0 ? foldsToDepth(trace, levels) : firstFolds(trace);
  const told: string[] = levels > 0 ? [`d${levels}`] : [];
  for (let at = 0; at < trace.places && told.length < MOST_TOLD; at += 1)
    if (folds[at] !== base[at] && canFold(trace, at)) told.push(keyOf(trace, at));
  return told.join(".");
}

export function foldsOf(trace: Trace, text: string): { folds: Folds; levels: number } {
  const parts = text === "" ? [] : text.split(".").slice(0, MOST_TOLD);
  const levels = Number(/^d(\d)$/.exec(parts[0] ?? "")?.[1] ?? 0);
  const folds = levels > 0 ? foldsToDepth(trace, levels) : firstFolds(trace);
  for (const key of levels > 0 ? parts.slice(1) : parts) {
    const place = placeOfKey(trace, key);
    if (place >= 0) folds[place] = folds[place] ? 0 : 1;
  }
  return { folds, levels };
}

/** Folds of a trace before it grew, as they are in what it is now. */
export function carriedFolds(before: Trace, folds: Folds, trace: Trace): Folds {
  const first = firstFolds(before);
  const made = firstFolds(trace);
  for (let at = 0; at < before.places; at += 1) {
    if (folds[at] === first[at]) continue;
    const place = placeOfKey(trace, keyOf(before, at));
    if (place >= 0) made[place] = folds[at]!;
  }
  return made;
}

function keyOf(trace: Trace, place: number): string {
  return `${trace.node[place]! < 0 ? "g" : ""}${spanIdAt(trace, place)}`;
}

function placeOfKey(trace: Trace, key: string): number {
  const group = key.startsWith("g");
  const place = placeOfSpan(trace, group ? key.slice(1) : key);
  if (place < 0 || !group) return place;
  const above = trace.up[place]!;
  return above >= 0 && trace.node[above]! < 0 ? above : -1;
}

// --- the search

/** Of the columns' indexes that the server found. */
export function matchesOf(trace: Trace, indices: readonly number[]): Matches {
  const marks = new Uint8Array(trace.places);
  const places = Int32Array.from(
    indices.filter((span) => span < trace.count),
    (span) => trace.placeOf[span]!,
  ).sort();
  for (const place of places)
    for (let at = trace.up[place]!; at >= 0 && marks[at] === 0; at = trace.up[at]!) marks[at] = 2;
  for (const place of places) marks[place] = 1;
  return { places, marks };
}

/** The next of some places in order, after or before one; from the other end where there is none; -1 if all are none. */
export function nextOf(places: Int32Array, place: number, by: 1 | -1): number {
  if (places.length === 0) return -1;
  let low = 0;
  let high = places.length;
  const bound = by > 0 ? place + 1 : place;
  while (low < high) {
    const half = (low + high) >> 1;
    if (places[half]! < bound) low = half + 1;
    else high = half;
  }
  const at = by > 0 ? low : low - 1;
  return places[(at + places.length) % places.length]!;
}

/** Which of some places in order one is, from 1; 0 if it is none of them. */
export function rankOf(places: Int32Array, place: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const half = (low + high) >> 1;
    if (places[half]! < place) low = half + 1;
    else high = half;
  }
  return places[low] === place ? low + 1 : 0;
}
