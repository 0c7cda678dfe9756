// From the API's series to lines and stacks over one window of time: a fitting step, buckets that line up, the largest
// groups with the rest as one, totals and changes. Pure.
import type { Series } from "../api/types";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS: readonly (readonly [string, number])[] = [
  ["1s", SECOND],
  ["5s", 5 * SECOND],
  ["10s", 10 * SECOND],
  ["30s", 30 * SECOND],
  ["1m", MINUTE],
  ["2m", 2 * MINUTE],
  ["5m", 5 * MINUTE],
  ["10m", 10 * MINUTE],
  ["15m", 15 * MINUTE],
  ["30m", 30 * MINUTE],
  ["1h", HOUR],
  ["2h", 2 * HOUR],
  ["3h", 3 * HOUR],
  ["6h", 6 * HOUR],
  ["12h", 12 * HOUR],
  ["1d", DAY],
  ["2d", 2 * DAY],
  ["7d", 7 * DAY],
  ["30d", 30 * DAY],
];
const BUCKETS = 110;

export interface Step {
  /** For the API, such as `5m`. */
  readonly text: string;
  readonly ms: number;
}

/** A width of buckets of which about a hundred fill the window. */
export function stepFor(windowMs: number): Step {
  const found = STEPS.find(([, ms]) => windowMs / ms <= BUCKETS) ?? STEPS.at(-1)!;
  return { text: found[0], ms: found[1] };
}

/** Starts of all buckets of a window, in milliseconds. */
export function bucketsOf(window: readonly [number, number], stepMs: number): number[] {
  const found: number[] = [];
  for (let at = Math.floor(window[0] / stepMs) * stepMs; at < window[1]; at += stepMs) found.push(at);
  return found;
}

export interface Line {
  readonly key: string;
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** The values of one measure on the buckets of a window; null (or `nothing`) where the answer has none. */
export function aligned(
  series: Series,
  group: Series["groups"][number] | undefined,
  measure: string,
  timesMs: readonly number[],
  nothing: number | null = null,
): (number | null)[] {
  const values = group?.values[measure] ?? [];
  const first = series.times_ns[0] === undefined ? 0 : Number(series.times_ns[0].slice(0, -6));
  const stepMs = Number(series.step_ns) / 1e6;
  return timesMs.map((ms) => {
    const at = Math.round((ms - first) / stepMs);
    return at < 0 || at >= values.length ? nothing : (values[at] ?? nothing);
  });
}

/** One line for each group, the largest first, what is left as `others`. */
export function stacked(series: Series, measure: string, timesMs: readonly number[], most: number): Line[] {
  const sum = (values: readonly (number | null)[]): number => values.reduce<number>((all, one) => all + (one ?? 0), 0);
  const lines = series.groups
    .map((group) => ({
      key: group.keys[0] ?? "",
      label: group.keys[0] ?? "(none)",
      values: aligned(series, group, measure, timesMs, 0),
    }))
    .filter((line) => sum(line.values) > 0)
    .sort((a, b) => sum(b.values) - sum(a.values));
  if (lines.length <= most) return lines;
  const rest = lines.slice(most - 1);
  const others = timesMs.map((_, at) => rest.reduce((all, line) => all + (line.values[at] ?? 0), 0));
  return [...lines.slice(0, most - 1), { key: "", label: `${rest.length} others`, values: others }];
}

/** The line that a point means: the part of the stack around it, else the line that is nearest. */
export function lineAt(lines: readonly Line[], at: number, value: number, stack: boolean): Line | undefined {
  const told = lines.filter((line) => line.values[at] != null);
  if (!stack) {
    const away = (line: Line): number => Math.abs(line.values[at]! - value);
    return told.reduce<Line | undefined>((best, line) => (best && away(best) <= away(line) ? best : line), undefined);
  }
  const parts = told.filter((line) => line.values[at]! > 0);
  let top = 0;
  return parts.find((line) => (top += line.values[at]!) >= value) ?? parts.at(-1);
}

/** Whether there is nothing to draw: no value at all, and of sums only zeros. */
export function isEmpty(lines: readonly Line[], stack: boolean): boolean {
  return lines.every((line) => line.values.every((value) => value === null || (stack && value === 0)));
}

export function total(values: readonly (number | null)[]): number {
  return values.reduce<number>((all, one) => all + (one ?? 0), 0);
}

/** By how much something changed against the window before: 0.12 for 12 % more; null where there was nothing. */
export function change(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now == null || !before) return null;
  return now / before - 1;
}

/** The window of the same length just before. */
export function before(window: readonly [number, number]): readonly [number, number] {
  return [window[0] - (window[1] - window[0]), window[0]];
}
