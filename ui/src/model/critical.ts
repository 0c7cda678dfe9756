// The critical path, as Jaeger finds it: from the root's end back, always along the child that ended last before, until
// the root's start. What is on it made the trace as long as it was. Children that outlive their parent are cut to it.
import type { Cover } from "./cover";
import { endOf, type Trace } from "./trace";

export interface CriticalPath {
  /** By place: 1 for spans that are on it. */
  readonly on: Uint8Array;
  /** By place, when it was on the path itself. */
  readonly parts: Cover;
  /** How much of it was spent in each kind, by the index of the kind. */
  readonly byKind: ReadonlyMap<number, number>;
  readonly spans: number;
}

interface Step {
  readonly span: number;
  /** Of the span, within what it stands in. */
  readonly start: number;
  readonly end: number;
  /** Its children by end, and how many of them may still be on the path. */
  readonly children: readonly (readonly [span: number, start: number, end: number])[];
  left: number;
  cursor: number;
}

export function criticalPath(trace: Trace, now: number): CriticalPath {
  const on = new Uint8Array(trace.places);
  const parts = new Map<number, (readonly [number, number])[]>();
  const byKind = new Map<number, number>();
  let spans = 0;
  const endAt = (span: number): number => endOf(trace, trace.placeOf[span]!, now);
  const childrenWithin = (bucket: number, low: number, high: number): Step["children"] => {
    const found: (readonly [number, number, number])[] = [];
    for (let at = trace.from[bucket]!; at < trace.from[bucket + 1]!; at += 1) {
      const span = trace.list[at]!;
      const start = Math.max(low, trace.start[span]!);
      const end = Math.min(high, endAt(span));
      if (end > start) found.push([span, start, end]);
    }
    return found.sort((a, b) => a[2] - b[2]);
  };
  const tops = [
    ...childrenWithin(trace.count, -Infinity, Infinity),
    ...childrenWithin(trace.count + 1, -Infinity, Infinity),
  ];
  const last = tops.reduce<Step["children"][number] | undefined>((a, b) => (a && a[2] >= b[2] ? a : b), undefined);
  const take = (span: number, from: number, to: number): void => {
    const place = trace.placeOf[span]!;
    if (on[place] === 0) spans += 1;
    on[place] = 1;
    if (to <= from) return;
    const own = parts.get(place);
    if (own) own.push([from, to]);
    else parts.set(place, [[from, to]]);
    const kind = trace.kind[span]!;
    byKind.set(kind, (byKind.get(kind) ?? 0) + to - from);
  };
  const step = ([span, start, end]: Step["children"][number]): Step => {
    const children = childrenWithin(span, start, end);
    return { span, start, end, children, left: children.length, cursor: end };
  };
  const stack: Step[] = last ? [step(last)] : [];
  while (stack.length > 0) {
    const own = stack[stack.length - 1]!;
    while (own.left > 0 && own.children[own.left - 1]![2] > own.cursor) own.left -= 1;
    const child = own.left > 0 ? own.children[own.left - 1]! : undefined;
    if (!child || child[2] <= own.start) {
      take(own.span, own.start, own.cursor);
      stack.pop();
      continue;
    }
    take(own.span, child[2], own.cursor);
    own.left -= 1;
    own.cursor = child[1];
    stack.push(step(child));
  }
  return { on, parts: coverOfParts(parts, trace.places), byKind, spans };
}

/** Parts come from the last to the first. */
function coverOfParts(parts: ReadonlyMap<number, readonly (readonly [number, number])[]>, places: number): Cover {
  let all = 0;
  for (const own of parts.values()) all += own.length;
  const [first, start, end] = [new Int32Array(places + 1), new Float64Array(all), new Float64Array(all)];
  let filled = 0;
  for (let place = 0; place < places; place += 1) {
    first[place] = filled;
    const own = parts.get(place) ?? [];
    for (let at = own.length - 1; at >= 0; at -= 1) {
      [start[filled], end[filled]] = own[at]!;
      filled += 1;
    }
  }
  first[places] = filled;
  return { first, start, end };
}
