// What differs between two texts, two JSON values or two lists. Every algorithm here is bounded: past a number of
// differences it looks for lines or items that occur once on both sides, and past that it says "all of it changed".

export interface Pair {
  /** Places in the two lists; null where the other side has something more. */
  readonly a: number | null;
  readonly b: number | null;
}

/** The items of two lists side by side, those with equal keys paired, in an order that fits both lists. */
export function alignBy<T>(a: readonly T[], b: readonly T[], key: (item: T) => string): Pair[] {
  const numbers = new Map<string, number>();
  const number = (item: T): number => {
    const name = key(item);
    const known = numbers.get(name);
    if (known !== undefined) return known;
    numbers.set(name, numbers.size);
    return numbers.size - 1;
  };
  return align(a.map(number), b.map(number));
}

export interface Piece {
  readonly sort: "same" | "gone" | "new";
  readonly text: string;
}

/** Words that went and came, the texts that did not change between them. Lines are compared first, then their words. */
export function diffText(before: string, after: string): Piece[] {
  if (before === after) return before === "" ? [] : [{ sort: "same", text: before }];
  const old = linesOf(before);
  const now = linesOf(after);
  const pieces: Piece[] = [];
  let gone = "";
  let came = "";
  const flush = (): void => {
    if (gone !== "" || came !== "") for (const piece of diffWords(gone, came)) pieces.push(piece);
    gone = "";
    came = "";
  };
  for (const pair of alignBy(old, now, (line) => line)) {
    if (pair.a !== null && pair.b !== null) {
      flush();
      pieces.push({ sort: "same", text: old[pair.a] ?? "" });
    } else if (pair.a !== null) gone += old[pair.a] ?? "";
    else if (pair.b !== null) came += now[pair.b] ?? "";
  }
  flush();
  return joined(pieces);
}

export interface JsonChange {
  readonly keys: readonly (string | number)[];
  readonly sort: "gone" | "new" | "changed";
  readonly before: unknown;
  readonly after: unknown;
}

/** What went, came or changed in a JSON value, by path, at most `limit` changes. Items of lists are aligned first. */
export function diffJson(before: unknown, after: unknown, limit = 1_000): JsonChange[] {
  const found: JsonChange[] = [];
  const waiting: { keys: (string | number)[]; before: unknown; after: unknown }[] = [{ keys: [], before, after }];
  while (waiting.length > 0 && found.length < limit) {
    const step = waiting.pop();
    if (step === undefined) break;
    const { keys, before: old, after: now } = step;
    if (old === now || (isRecord(old) && isRecord(now) && keys.length > 200)) continue;
    if (Array.isArray(old) && Array.isArray(now)) {
      for (const pair of pairedItems(old, now).toReversed()) {
        if (pair.a === null) waiting.push({ keys: [...keys, pair.b ?? 0], before: MISSING, after: now[pair.b ?? 0] });
        else if (pair.b === null) waiting.push({ keys: [...keys, pair.a], before: old[pair.a], after: MISSING });
        else waiting.push({ keys: [...keys, pair.b], before: old[pair.a], after: now[pair.b] });
      }
    } else if (isRecord(old) && isRecord(now)) {
      const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].toReversed();
      for (const name of names) {
        const left = Object.hasOwn(old, name) ? old[name] : MISSING;
        const right = Object.hasOwn(now, name) ? now[name] : MISSING;
        waiting.push({ keys: [...keys, name], before: left, after: right });
      }
    } else if (old === MISSING) found.push({ keys, sort: "new", before: undefined, after: now });
    else if (now === MISSING) found.push({ keys, sort: "gone", before: old, after: undefined });
    else found.push({ keys, sort: "changed", before: old, after: now });
  }
  return found;
}

const MISSING = Symbol("missing");

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Equal items paired; between them, items that changed are paired in order rather than shown as gone and new. */
function pairedItems(a: readonly unknown[], b: readonly unknown[]): Pair[] {
  const pairs: Pair[] = [];
  let gone: number[] = [];
  let came: number[] = [];
  const flush = (): void => {
    const both = Math.min(gone.length, came.length);
    for (let at = 0; at < both; at += 1) pairs.push({ a: gone[at] ?? null, b: came[at] ?? null });
    for (const at of gone.slice(both)) pairs.push({ a: at, b: null });
    for (const at of came.slice(both)) pairs.push({ a: null, b: at });
    gone = [];
    came = [];
  };
  for (const pair of alignBy(a, b, safeText)) {
    if (pair.a !== null && pair.b !== null) flush();
    else if (pair.a !== null) gone.push(pair.a);
    else if (pair.b !== null) came.push(pair.b);
  }
  flush();
  return pairs;
}

function safeText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "deep";
  }
}

const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function diffWords(before: string, after: string): Piece[] {
  const old = before.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  const now = after.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  return alignBy(old, now, (word) => word).map((pair): Piece => {
    if (pair.b === null) return { sort: "gone", text: old[pair.a ?? 0] ?? "" };
    return { sort: pair.a === null ? "new" : "same", text: now[pair.b] ?? "" };
  });
}

/** Neighbours of one sort as one piece; what went stands before what came. */
function joined(pieces: readonly Piece[]): Piece[] {
  const made: Piece[] = [];
  let gone = "";
  let came = "";
  let same = "";
  const flush = (): void => {
    if (gone !== "") made.push({ sort: "gone", text: gone });
    if (came !== "") made.push({ sort: "new", text: came });
    gone = "";
    came = "";
  };
  const flushSame = (): void => {
    if (same !== "") made.push({ sort: "same", text: same });
    same = "";
  };
  for (const piece of pieces) {
    if (piece.sort === "same") {
      flush();
      same += piece.text;
    } else {
      flushSame();
      if (piece.sort === "gone") gone += piece.text;
      else came += piece.text;
    }
  }
  flush();
  flushSame();
  return made;
}

/** Differences that the shortest script is looked for; memory and time grow with their square. */
const MOST = 600;

function align(a: readonly number[], b: readonly number[]): Pair[] {
  const pairs: Pair[] = [];
  alignRange(a, 0, a.length, b, 0, b.length, pairs, 0);
  return pairs;
}

function alignRange(
  a: readonly number[],
  aFrom: number,
  aTo: number,
  b: readonly number[],
  bFrom: number,
  bTo: number,
  into: Pair[],
  depth: number,
): void {
  while (aFrom < aTo && bFrom < bTo && a[aFrom] === b[bFrom]) into.push({ a: aFrom++, b: bFrom++ });
  let tail = 0;
  while (aTo > aFrom && bTo > bFrom && a[aTo - 1] === b[bTo - 1]) {
    aTo -= 1;
    bTo -= 1;
    tail += 1;
  }
  if (aFrom === aTo || bFrom === bTo) oneSided(aFrom, aTo, bFrom, bTo, into);
  else {
    const script = shortest(a, aFrom, aTo, b, bFrom, bTo);
    if (script !== null) for (const pair of script) into.push(pair);
    else byAnchors(a, aFrom, aTo, b, bFrom, bTo, into, depth);
  }
  for (let at = 0; at < tail; at += 1) into.push({ a: aTo + at, b: bTo + at });
}

function oneSided(aFrom: number, aTo: number, bFrom: number, bTo: number, into: Pair[]): void {
  for (let at = aFrom; at < aTo; at += 1) into.push({ a: at, b: null });
  for (let at = bFrom; at < bTo; at += 1) into.push({ a: null, b: at });
}

/** Myers' shortest edit script, or null if it has more than MOST edits. Source: Myers 1986, An O(ND) Difference Algorithm. */
function shortest(
  a: readonly number[],
  aFrom: number,
  aTo: number,
  b: readonly number[],
  bFrom: number,
  bTo: number,
): Pair[] | null {
  const n = aTo - aFrom;
  const m = bTo - bFrom;
  const bound = Math.min(n + m, MOST);
  const furthest = new Int32Array(2 * bound + 3);
  const middle = bound + 1;
  const steps: Int32Array[] = [];
  for (let edits = 0; edits <= bound; edits += 1) {
    steps.push(furthest.slice(middle - edits - 1, middle + edits + 2));
    for (let line = -edits; line <= edits; line += 2) {
      const left = furthest[middle + line - 1] ?? 0;
      const right = furthest[middle + line + 1] ?? 0;
      let x = line === -edits || (line !== edits && left < right) ? right : left + 1;
      let y = x - line;
      while (x < n && y < m && a[aFrom + x] === b[bFrom + y]) {
        x += 1;
        y += 1;
      }
      furthest[middle + line] = x;
      if (x >= n && y >= m) return backwards(steps, n, m, aFrom, bFrom);
    }
  }
  return null;
}

function backwards(steps: readonly Int32Array[], n: number, m: number, aFrom: number, bFrom: number): Pair[] {
  const pairs: Pair[] = [];
  let x = n;
  let y = m;
  for (let edits = steps.length - 1; edits >= 0; edits -= 1) {
    const before = steps[edits] as Int32Array;
    const reach = (line: number): number => before[line + edits + 1] ?? 0;
    const line = x - y;
    const down = line === -edits || (line !== edits && reach(line - 1) < reach(line + 1));
    const from = down ? line + 1 : line - 1;
    const fromX = edits === 0 ? 0 : reach(from);
    const fromY = edits === 0 ? 0 : fromX - from;
    while (x > fromX && y > fromY) pairs.push({ a: aFrom + (x -= 1), b: bFrom + (y -= 1) });
    if (edits === 0) break;
    if (down) pairs.push({ a: null, b: bFrom + (y -= 1) });
    else pairs.push({ a: aFrom + (x -= 1), b: null });
  }
  return pairs.toReversed();
}

/** Items that occur once on both sides hold the lists together; what lies between them is aligned for itself. */
function byAnchors(
  a: readonly number[],
  aFrom: number,
  aTo: number,
  b: readonly number[],
  bFrom: number,
  bTo: number,
  into: Pair[],
  depth: number,
): void {
  const anchors = depth > 6 ? [] : rising(onceInBoth(a, aFrom, aTo, b, bFrom, bTo));
  if (anchors.length === 0) {
    oneSided(aFrom, aTo, bFrom, bTo, into);
    return;
  }
  let aAt = aFrom;
  let bAt = bFrom;
  for (const [inA, inB] of anchors) {
    alignRange(a, aAt, inA, b, bAt, inB, into, depth + 1);
    into.push({ a: inA, b: inB });
    aAt = inA + 1;
    bAt = inB + 1;
  }
  alignRange(a, aAt, aTo, b, bAt, bTo, into, depth + 1);
}

function onceInBoth(
  a: readonly number[],
  aFrom: number,
  aTo: number,
  b: readonly number[],
  bFrom: number,
  bTo: number,
): [number, number][] {
  const count = (list: readonly number[], from: number, to: number): Map<number, number> => {
    const places = new Map<number, number>();
    for (let at = from; at < to; at += 1) {
      const item = list[at] ?? -1;
      places.set(item, places.has(item) ? -1 : at);
    }
    return places;
  };
  const inB = count(b, bFrom, bTo);
  const found: [number, number][] = [];
  for (const [item, place] of count(a, aFrom, aTo)) {
    const other = inB.get(item) ?? -1;
    if (place >= 0 && other >= 0) found.push([place, other]);
  }
  return found.toSorted((one, two) => one[0] - two[0]);
}

/** The longest part of the pairs whose second numbers rise too. */
function rising(pairs: readonly [number, number][]): [number, number][] {
  const ends: number[] = [];
  const before: number[] = [];
  pairs.forEach(([, second], at) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const half = (low + high) >> 1;
      if ((pairs[ends[half] ?? 0]?.[1] ?? 0) < second) low = half + 1;
      else high = half;
    }
    before.push(low === 0 ? -1 : (ends[low - 1] ?? -1));
    ends[low] = at;
  });
  const found: [number, number][] = [];
  for (let at = ends.at(-1) ?? -1; at >= 0; at = before[at] ?? -1) {
    const pair = pairs[at];
    if (pair !== undefined) found.push(pair);
  }
  return found.toReversed();
}
