// The time axis: the window that is shown, zooming and moving it, its ticks with labels, and following, in which the
// window fits the rows on screen. Times are µs from the trace's start. Pure.
import type { Rows } from "./rows";
import { endOf, startOf, type Trace } from "./trace";

export interface Window {
  readonly from: number;
  readonly to: number;
}

/** No window is narrower. */
const LEAST_US = 5;
const ROOM = 0.02;

/** From the first start to the last end; while spans are open, to now. */
export function wholeWindow(trace: Trace, now: number): Window {
  const { from, to, open } = trace.totals;
  const end = open > 0 ? Math.max(to, now) : to;
  return { from, to: Math.max(end, from + LEAST_US) };
}

export function clamped(window: Window, whole: Window): Window {
  const length = Math.min(whole.to - whole.from, Math.max(LEAST_US, window.to - window.from));
  const from = Math.max(whole.from, Math.min(window.from, whole.to - length));
  return { from, to: from + length };
}

/** A factor below 1 zooms in; the time `at` stays where it is on the screen. */
export function zoomed(window: Window, factor: number, at: number, whole: Window): Window {
  const from = at - (at - window.from) * factor;
  return clamped({ from, to: from + Math.max(LEAST_US, (window.to - window.from) * factor) }, whole);
}

export function moved(window: Window, by: number, whole: Window): Window {
  return clamped({ from: window.from + by, to: window.to + by }, whole);
}

/** A window that shows from one time to another with a little room. */
export function around(from: number, to: number, whole: Window): Window {
  const room = Math.max((to - from) * ROOM, LEAST_US / 2);
  return clamped({ from: from - room, to: to + room }, whole);
}

export function isWhole(window: Window, whole: Window): boolean {
  const slack = (whole.to - whole.from) / 1e4;
  return window.from <= whole.from + slack && window.to >= whole.to - slack;
}

/** Of the address: `1200-5300`, in µs. */
export function windowText(window: Window): string {
  return `${Math.round(window.from)}-${Math.round(window.to)}`;
}

export function windowOfText(text: string | undefined, whole: Window): Window | undefined {
  const found = /^(-?\d{1,15})-(-?\d{1,15})$/.exec(text ?? "");
  if (!found || Number(found[2]) <= Number(found[1])) return undefined;
  return clamped({ from: Number(found[1]), to: Number(found[2]) }, whole);
}

/**
 * The window that rows `first` to `last` (behind the last) fill. Rows of which a part is below the screen do not count:
 * an agent that runs for an hour would make slivers of the ten seconds of it that are on the screen.
 */
export function followed(trace: Trace, rows: Rows, first: number, last: number, now: number, whole: Window): Window {
  const behind = last < rows.place.length ? rows.place[last]! : trace.places;
  let [from, to] = [Infinity, -Infinity];
  for (let row = Math.max(0, first); row < last && row < rows.place.length; row += 1) {
    const place = rows.place[row]!;
    if (!rows.flat && trace.end[place]! > behind) continue;
    from = Math.min(from, startOf(trace, place));
    to = Math.max(to, endOf(trace, place, now));
  }
  if (from <= to) return around(from, to, whole);
  const place = first < rows.place.length ? rows.place[Math.min(last, rows.place.length) - 1] : undefined; // nothing but a chain: the innermost one
  return place === undefined ? whole : around(startOf(trace, place), endOf(trace, place, now), whole);
}

// --- ticks

export interface Tick {
  readonly at: number;
  readonly label: string;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const SECOND = 1e6;
const LARGE_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/** A step of a round number of µs, ms, s, min or h, so that at most `most` ticks are in the window. */
export function stepOf(length: number, most: number): number {
  const least = length / Math.max(1, most);
  for (const unit of [1, 1e3]) for (const step of STEPS) if (step * unit >= least) return step * unit;
  for (const step of LARGE_STEPS) if (step * SECOND >= least) return step * SECOND;
  const day = 86_400 * SECOND;
  let days = 1;
  while (days * day < least) days *= 2;
  return days * day;
}

export function ticks(window: Window, widthPx: number, eachPx = 96): Tick[] {
  const length = window.to - window.from;
  const step = stepOf(length, Math.max(1, Math.floor(widthPx / eachPx)));
  const found: Tick[] = [];
  for (let at = Math.ceil(window.from / step) * step; at < window.to && found.length < 60; at += step)
    found.push({ at, label: tickLabel(at, step, window.to) });
  return found;
}

/** As much as tells this tick from the next: `0 s`, `12.5 s`, `68m 18.5s`. All ticks of a window have one unit. */
export function tickLabel(at: number, step: number, greatest: number): string {
  const most = Math.max(Math.abs(greatest), step);
  if (most < 1e3) return `${Math.round(at)} µs`;
  if (most < SECOND) return `${fixed(at / 1e3, step / 1e3)} ms`;
  if (most < 120 * SECOND) return `${fixed(at / SECOND, step / SECOND)} s`;
  const sign = at < 0 ? "-" : "";
  const all = Math.abs(at) / SECOND;
  // to whole steps first: 59.9999 s is a minute
  const s = Math.round(all / (step / SECOND)) * (step / SECOND);
  const h = Math.floor(s / 3_600);
  const min = Math.floor((s % 3_600) / 60);
  const rest = s - h * 3_600 - min * 60;
  if (step >= 60 * SECOND)
    return most >= 7_200 * SECOND ? `${sign}${h}h ${String(min).padStart(2, "0")}m` : `${sign}${h * 60 + min} min`;
  const told = fixed(rest, step / SECOND);
  const hours = most >= 7_200 * SECOND ? `${h}h ${String(min).padStart(2, "0")}m ` : `${h * 60 + min}m `;
  return `${sign}${hours}${told}s`;
}

function fixed(value: number, step: number): string {
  if (Math.abs(value) < step / 2) return "0";
  const digits = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step) - 1e-9));
  return value.toFixed(digits);
}
