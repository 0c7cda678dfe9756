// The whole trace in a strip: depth downwards, time to the right, and per pixel one kind. Counted once for a trace and a
// width; what is drawn are rectangles of one kind that touch.
import { FAILED, NO_SPAN, type Tree } from "./trace";

export const LANES = 12;

export interface Box {
  readonly lane: number;
  readonly x: number;
  readonly width: number;
  /** A place in `kinds`; -1 for failed spans. */
  readonly kind: number;
}

export interface Overview {
  readonly lanes: number;
  readonly boxes: readonly Box[];
}

/** Spans of deeper lanes share the last one. A failed span is drawn over others of its lane. */
export function boxes(tree: Tree, widthPx: number): Overview {
  const width = Math.max(1, Math.floor(widthPx));
  const lanes = Math.min(LANES, tree.maxDepth + 1);
  // 0 nothing, 1 failed, 2 + kind
  const cells = new Uint8Array(lanes * width);
  const until = new Int32Array(lanes).fill(-1);
  const lastKind = new Int32Array(lanes).fill(-1);
  const scale = width / tree.length;
  const { columns } = tree;
  for (let pass = 0; pass < 2; pass++) {
    until.fill(-1);
    lastKind.fill(-1);
    for (let index = 0; index < columns.count; index++) {
      const at = tree.position[index]!;
      const failed = (tree.flags[at]! & FAILED) !== 0;
      if (failed !== (pass === 1)) continue;
      const lane = Math.min(tree.depth[at]!, lanes - 1);
      const value = failed ? 1 : Math.min(255, 2 + columns.kind[index]!);
      let x = Math.min(width - 1, Math.max(0, Math.floor(tree.from[at]! * scale)));
      const stop = Math.min(width, Math.max(x + 1, Math.ceil(tree.to[at]! * scale)));
      // columns are by start: what the last of the kind has covered need not be painted again
      if (lastKind[lane] === value) x = Math.max(x, until[lane]!);
      if (x < stop) cells.fill(value, lane * width + x, lane * width + stop);
      if (lastKind[lane] !== value || stop > until[lane]!) until[lane] = stop;
      lastKind[lane] = value;
    }
  }
  const found: Box[] = [];
  for (let lane = 0; lane < lanes; lane++)
    for (let x = 0; x < width;) {
      const value = cells[lane * width + x]!;
      let stop = x + 1;
      while (stop < width && cells[lane * width + stop] === value) stop++;
      if (value !== 0) found.push({ lane, x, width: stop - x, kind: value === 1 ? -1 : value - 2 });
      x = stop;
    }
  return { lanes, boxes: found };
}

/** The strip in words. */
export function told(tree: Tree): string {
  const counts = new Map<string, number>();
  for (let at = 0; at < tree.count; at++) {
    const index = tree.order[at]!;
    if (index === NO_SPAN) continue;
    const kind = tree.columns.kinds[tree.columns.kind[index]!] ?? "span";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const parts = [...counts].sort((a, b) => b[1] - a[1]).map(([kind, many]) => `${many} ${kind}`);
  return `${tree.totals.spans} spans, ${tree.maxDepth + 1} deep: ${parts.join(", ")}; ${tree.totals.errors} failed`;
}
