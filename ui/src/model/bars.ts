// Stacked bars over time: one path for each sort, and which bar lies below a point. Pure.

export interface Sort {
  readonly id: string;
  readonly label: string;
  readonly counts: readonly number[];
}

export interface Bars {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  /** Starts of the bars. */
  readonly timesMs: readonly number[];
  readonly totals: readonly number[];
  /** The first at the bottom; `path` draws them in `width` by `height`. */
  readonly sorts: readonly (Sort & { readonly count: number; readonly path: string })[];
}

const LEAST_PX = 2;
const GAP_PX = 1;

/** `window` is what the axis shows, in milliseconds; undefined takes what there is. */
export function barsOf(
  timesMs: readonly number[],
  stepMs: number,
  sorts: readonly Sort[],
  window: readonly [number, number] | undefined,
  width: number,
  height: number,
): Bars {
  const last = timesMs[timesMs.length - 1] ?? 0;
  const fromMs = window ? window[0] : (timesMs[0] ?? 0);
  const toMs = Math.max(fromMs + stepMs, window ? window[1] : last + stepMs);
  const totals = timesMs.map((_, at) => sorts.reduce((sum, sort) => sum + (sort.counts[at] ?? 0), 0));
  const highest = totals.reduce((most, n) => Math.max(most, n), 0);
  const x = (ms: number): number => Math.max(0, Math.min(width, ((ms - fromMs) / (toMs - fromMs)) * width));
  const tops = timesMs.map(() => height);
  const drawn = sorts.map((sort) => {
    let path = "";
    for (const [at, n] of sort.counts.entries()) {
      if (n <= 0 || timesMs[at] === undefined) continue;
      const left = x(timesMs[at]);
      const right = Math.max(left + LEAST_PX, x(timesMs[at] + stepMs) - GAP_PX);
      const tall = Math.max(LEAST_PX, (n / highest) * height);
      const top = Math.max(0, tops[at]! - tall);
      path += `M${px(left)} ${px(tops[at]!)}V${px(top)}H${px(right)}V${px(tops[at]!)}Z`;
      tops[at] = top;
    }
    return { ...sort, count: sort.counts.reduce((sum, n) => sum + n, 0), path };
  });
  return { fromMs, toMs, stepMs, timesMs, totals, sorts: drawn };
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** The moment below a share of the width. */
export function momentAt(bars: Bars, share: number): number {
  return bars.fromMs + Math.max(0, Math.min(1, share)) * (bars.toMs - bars.fromMs);
}

/** The bar of a moment; -1 beside all of them. Bars are of one width, so nothing is searched. */
export function barAt(bars: Bars, ms: number): number {
  const at = Math.floor((ms - (bars.timesMs[0] ?? 0)) / bars.stepMs);
  return at >= 0 && at < bars.timesMs.length ? at : -1;
}

/** Two moments as the address has a window, at least a millisecond wide. */
export function windowParam(a: number, b: number): string {
  const from = Math.floor(Math.min(a, b));
  return `${from}-${Math.max(from + 1, Math.ceil(Math.max(a, b)))}`;
}
