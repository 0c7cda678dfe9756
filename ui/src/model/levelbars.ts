// Bars of logs over time, stacked by level with the worst at the bottom: one path for each level, and which bar lies
// below a point. Pure.
import type { Histogram } from "../api/types";
import type { LevelId } from "./logs";

const BOTTOM_UP: readonly LevelId[] = ["fatal", "error", "warning", "info", "debug", "trace"];
const LEAST_PX = 2;
const GAP_PX = 1;

export interface LevelBars {
  fromMs: number;
  toMs: number;
  stepMs: number;
  /** Starts of the bars. */
  timesMs: readonly number[];
  totals: readonly number[];
  highest: number;
  /** Logs of each level that there is, the worst first; `path` draws them in `width` by `height`. */
  levels: readonly { id: LevelId; count: number; counts: readonly number[]; path: string }[];
}

/** `window` is what the axis shows, in milliseconds; undefined takes what there is. */
export function barsOf(
  found: Histogram,
  window: readonly [number, number] | undefined,
  width: number,
  height: number,
): LevelBars {
  const stepMs = Number(found.step_ns) / 1e6;
  const timesMs = found.times_ns.map((ns) => Number(ns.slice(0, -6)));
  const last = timesMs[timesMs.length - 1] ?? 0;
  const fromMs = window ? window[0] : (timesMs[0] ?? 0);
  const toMs = Math.max(fromMs + stepMs, window ? window[1] : last + stepMs);
  const totals = timesMs.map((_, at) => found.levels.reduce((sum, level) => sum + (level.counts[at] ?? 0), 0));
  const highest = totals.reduce((most, n) => Math.max(most, n), 0);
  const x = (ms: number): number => Math.max(0, Math.min(width, ((ms - fromMs) / (toMs - fromMs)) * width));
  const tops = timesMs.map(() => height);
  const levels = BOTTOM_UP.flatMap((id) => {
    const counts = found.levels.find(({ level }) => level === id)?.counts;
    if (!counts) return [];
    let path = "";
    for (const [at, n] of counts.entries()) {
      if (n === 0) continue;
      const left = x(timesMs[at]!);
      const right = Math.max(left + LEAST_PX, x(timesMs[at]! + stepMs) - GAP_PX);
      const tall = Math.max(LEAST_PX, (n / highest) * height);
      const top = Math.max(0, tops[at]! - tall);
      path += `M${px(left)} ${px(tops[at]!)}V${px(top)}H${px(right)}V${px(tops[at]!)}Z`;
      tops[at] = top;
    }
    return [{ id, count: counts.reduce((sum, n) => sum + n, 0), counts, path }];
  });
  return { fromMs, toMs, stepMs, timesMs, totals, highest, levels };
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** The moment below a share of the width. */
export function momentAt(bars: LevelBars, share: number): number {
  return bars.fromMs + Math.max(0, Math.min(1, share)) * (bars.toMs - bars.fromMs);
}

/** The bar of a moment; -1 beside all of them. Bars are of one width, so nothing is searched. */
export function barAt(bars: LevelBars, ms: number): number {
  const at = Math.floor((ms - (bars.timesMs[0] ?? 0)) / bars.stepMs);
  return at >= 0 && at < bars.timesMs.length ? at : -1;
}

/** Two moments as the address has a window, at least a millisecond wide. */
export function windowParam(a: number, b: number): string {
  const from = Math.floor(Math.min(a, b));
  return `${from}-${Math.max(from + 1, Math.ceil(Math.max(a, b)))}`;
}
