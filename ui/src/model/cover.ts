// In which part of each span its children ran: their intervals merged and cut to the span, for self time and for the
// lighter part of bars. Of a group it is when its members ran.
import type { Shape } from "./shape";
import type { Spans } from "./trace";

export interface Cover {
  /** Intervals of place p are `first[p]` … `first[p + 1] - 1`, by start, without overlap. */
  readonly first: Int32Array;
  readonly start: Float64Array;
  /** Infinity where a child is open. */
  readonly end: Float64Array;
}

export function coverOf(spans: Spans, shape: Shape): Cover {
  const first = new Int32Array(shape.places + 1);
  const most = spans.count * 2 + 1; // each span once below its parent, and once in its group
  const start = new Float64Array(most);
  const end = new Float64Array(most);
  let filled = 0;
  const add = (list: Int32Array, from: number, to: number, low: number, high: number): void => {
    let open = -Infinity;
    for (let at = from; at < to; at += 1) {
      const span = list[at]!;
      const begins = Math.max(low, spans.start[span]!);
      const lasted = spans.duration[span]!;
      const ends = Math.min(high, lasted === lasted ? spans.start[span]! + lasted : Infinity);
      if (ends <= begins) continue;
      if (begins <= open) {
        if (ends > open) end[filled - 1] = open = ends;
        continue;
      }
      start[filled] = begins;
      end[filled] = open = ends;
      filled += 1;
    }
  };
  for (let place = 0; place < shape.places; place += 1) {
    first[place] = filled;
    const node = shape.node[place]!;
    if (node < 0) {
      const { members } = shape.groups[~node]!;
      add(members, 0, members.length, -Infinity, Infinity);
      continue;
    }
    const from = shape.from[node]!;
    const to = shape.from[node + 1]!;
    if (from === to) continue;
    const low = spans.start[node]!;
    const lasted = spans.duration[node]!;
    add(shape.list, from, to, low, lasted === lasted ? low + lasted : Infinity);
  }
  first[shape.places] = filled;
  return { first, start: start.slice(0, filled), end: end.slice(0, filled) };
}

/**
 * The covered parts of a place that a window shows, at most `most` of them: gaps that are too narrow to be seen are
 * closed, by search and not by a walk, so that it costs the same for ten children and for a hundred thousand.
 */
export function coveredParts(
  cover: Cover,
  place: number,
  from: number,
  to: number,
  most: number,
): readonly (readonly [from: number, to: number])[] {
  const low = cover.first[place]!;
  const high = cover.first[place + 1]!;
  const gap = (to - from) / most;
  const parts: (readonly [number, number])[] = [];
  let at = firstAbove(cover.end, low, high, from);
  while (at < high && cover.start[at]! < to) {
    const begins = Math.max(from, cover.start[at]!);
    let ends = cover.end[at]!;
    for (;;) {
      const next = firstAbove(cover.start, at, high, ends + gap) - 1;
      if (next <= at) break;
      at = next;
      ends = cover.end[at]!;
      if (ends >= to) break;
    }
    parts.push([begins, Math.min(ends, to)]);
    at += 1;
  }
  return parts;
}

/** The first index from `low` to `high` whose value is above; `high` if none is. */
function firstAbove(values: Float64Array, low: number, high: number, value: number): number {
  while (low < high) {
    const half = (low + high) >> 1;
    if (values[half]! > value) high = half;
    else low = half + 1;
  }
  return low;
}
