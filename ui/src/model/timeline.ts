// The axis of time of a trace: which stretch is shown, its ticks, and the stretch that fits the rows on screen.
// All times are microseconds from the start of the trace.
import { type Rows, runAt } from "./rows";
import type { Tree } from "./trace";

export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Follow is on from the start where a trace is longer than this many screens. */
export const FOLLOW_SCREENS = 40;
const LEAST_US = 1;

export function whole(tree: Tree): Stretch {
  return { from: 0, to: tree.length };
}

/** Kept inside the trace, and never narrower than a microsecond. */
export function within(tree: Tree, stretch: Stretch): Stretch {
  const length = Math.max(LEAST_US, Math.min(tree.length, stretch.to - stretch.from));
  const from = Math.max(0, Math.min(stretch.from, tree.length - length));
  return { from, to: from + length };
}

/** Zoom by a factor around a moment; below 1 zooms in. */
export function zoomed(
  tree: Tree,
  stretch: Stretch,
  factor: number,
  around = (stretch.from + stretch.to) / 2,
): Stretch {
  return within(tree, {
    from: around - (around - stretch.from) * factor,
    to: around + (stretch.to - around) * factor,
  });
}

/** A span with some room on both sides. */
export function around(tree: Tree, from: number, to: number): Stretch {
  const room = Math.max((to - from) * 0.06, 1);
  return within(tree, { from: from - room, to: to + room });
}

/**
 * The stretch that fits the rows from `first` to before `last`. Rows whose subtrees go on outside of the screen are
 * frames around what one looks at, and do not count, unless there are no others. Takes time in proportion to the rows.
 */
export function following(tree: Tree, rows: Rows, first: number, last: number): Stretch {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  let outerFrom = Number.POSITIVE_INFINITY;
  let outerTo = 0;
  const edge = last < rows.list.length ? Math.max(0, rows.list[last]!) : tree.count;
  for (let row = first; row < last; row++) {
    const run = runAt(rows, row);
    const at = rows.list[row]!;
    const start = run ? run.from : tree.from[at]!;
    const stop = run ? run.to : tree.to[at]!;
    outerFrom = Math.min(outerFrom, start);
    outerTo = Math.max(outerTo, stop);
    const shownBelow = row + 1 < rows.list.length && rows.indent[row + 1]! > rows.indent[row]!;
    if (!run && shownBelow && edge > 0 && tree.end[at]! > edge) continue;
    from = Math.min(from, start);
    to = Math.max(to, stop);
  }
  if (from > to) [from, to] = [outerFrom, outerTo];
  if (from > to) return whole(tree);
  return around(tree, from, to);
}

const STEPS = [1, 2, 5] as const;
const MINUTE = 60e6;
const HOUR = 3_600e6;
const LONG_STEPS = [10e6, 15e6, 30e6, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];

/** Even moments for an axis of some width, about 100 px apart. */
export function ticks(stretch: Stretch, widthPx: number): number[] {
  const length = stretch.to - stretch.from;
  const wanted = length / Math.max(1, widthPx / 100);
  let step = LONG_STEPS.find((one) => one >= wanted) ?? Math.ceil(wanted / HOUR) * HOUR;
  if (wanted < 10e6) {
    const unit = 10 ** Math.floor(Math.log10(Math.max(wanted, 1)));
    step = (STEPS.find((one) => one * unit >= wanted) ?? 10) * unit;
  }
  const found: number[] = [];
  for (let at = Math.ceil(stretch.from / step) * step; at <= stretch.to; at += step) found.push(at);
  return found;
}

/** A moment on an axis whose ticks are `step` apart: no more digits than tell them apart. */
export function tickLabel(at: number, step: number): string {
  if (at === 0) return "0";
  const [unit, sign] =
    at >= 2 * HOUR
      ? [HOUR, "h"]
      : at >= 2 * MINUTE
        ? [MINUTE, "min"]
        : at >= 1e6
          ? [1e6, "s"]
          : at >= 1e3
            ? [1e3, "ms"]
            : [1, "µs"];
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / unit) - 1e-9)));
  return `${(at / unit).toFixed(digits)} ${sign}`;
}
