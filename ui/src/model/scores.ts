// Scores as the page shows them: how values and their givers read, ranges of a histogram, and the filter texts behind
// what can be clicked. Pure.
import type { Given, ScoreRow, ScoreTally } from "../api/types";
import { scoreField } from "./queue";
import { quoted } from "./query";

/** A value as a person reads it: the label, or the number without noise. */
export function valueText(row: Pick<ScoreRow, "value" | "label">): string {
  if (row.label !== null) return row.label;
  return row.value === null ? "–" : number(row.value);
}

export function number(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return String(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** A term that finds scores of this value. A label that reads as a number is quoted, so that it stays a label. */
export function scoreTerm(name: string, row: Pick<ScoreRow, "value" | "label">): string {
  const field = scoreField(name);
  if (row.label === null) return row.value === null ? `${field}:*` : `${field}=${row.value}`;
  const text = quoted(row.label);
  return `${field}:${/^[-+.\d]/.test(text) || /^(true|false)$/i.test(text) ? `"${row.label}"` : text}`;
}

export interface Range {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly last: boolean;
}

/** The ten parts of a tally's histogram; one for numbers that are all the same. */
export function ranges(tally: ScoreTally): Range[] {
  const { min, max, bins } = tally;
  if (min === null || max === null || bins.length === 0) return [];
  if (min === max) return [{ from: min, to: max, count: bins[0] ?? 0, last: true }];
  const edge = (at: number): number => min + (max / bins.length - min / bins.length) * at;
  const last = bins.length - 1;
  return bins.map((count, at) => ({
    from: edge(at),
    to: at === last ? max : edge(at + 1),
    count,
    last: at === last,
  }));
}

/** A filter of the traces whose scores lie in a range. */
export function rangeFilter(name: string, range: Range): string {
  const field = scoreField(name);
  if (range.from === range.to) return `${field}=${range.from}`;
  return `${field}>=${plain(range.from)} ${field}${range.last ? "<=" : "<"}${plain(range.to)}`;
}

const plain = (value: number): string => String(Number(value.toPrecision(12)));

/** Whether all numbers are 0 or 1, as yes and no are stored. */
export function isYesNo(tally: ScoreTally): boolean {
  const inner = tally.bins.slice(1, -1).some((count) => count > 0);
  const whole = (tally.min === 0 || tally.min === 1) && (tally.max === 0 || tally.max === 1);
  // numbers beside 0 and 1 in the outer bins would move the mean off what those two make
  const yes = tally.min === 1 ? tally.numbers : tally.max === 0 ? 0 : (tally.bins.at(-1) ?? 0);
  return whole && !inner && tally.numbers > 0 && Math.abs((tally.mean ?? 0) - yes / tally.numbers) < 1e-9;
}

/** How the values are best shown. */
export function kindOf(tally: ScoreTally): "yesno" | "numbers" | "labels" {
  if (tally.labels.length > 0 && tally.numbers === 0) return "labels";
  return isYesNo(tally) ? "yesno" : "numbers";
}

/** Who gave a score: `ann`, `key 7f3a`, `judge`. */
export function giver(source: string): string {
  if (source === "") return "a program";
  return source.replace(/^user:/, "").replace(/^key:/, "key ");
}

/** A term that finds what one source gave. */
export function sourceTerm(source: string): string {
  const known = source === "local" || /^(user|key):/.test(source);
  return known ? `attr.vestigo.author=${quoted(source)}` : `service=${quoted(source)}`;
}

/** What each of them gave, as one line. */
export function givenLine(given: readonly Given[]): string {
  return given.map((one) => `${giver(one.source)}: ${valueText(one)}`).join(" · ");
}

const STEPS: readonly (readonly [string, number])[] = [
  ["1m", 60e3],
  ["5m", 300e3],
  ["15m", 900e3],
  ["1h", 3_600e3],
  ["6h", 21_600e3],
  ["1d", 86_400e3],
  ["7d", 604_800e3],
];

/** A width of buckets that makes some dozens of them of a window. */
export function stepOf(fromMs: number, toMs: number): string {
  if (fromMs === 0) return "7d";
  return (STEPS.find(([, ms]) => (toMs - fromMs) / ms <= 48) ?? STEPS.at(-1)!)[0];
}

/** What a score did over time: the means of numbers, and counts of labels. */
export function trendOf(tally: ScoreTally): { values: readonly (number | null)[]; what: string } {
  return tally.numbers > 0 ? { values: tally.means, what: "mean" } : { values: tally.counts, what: "scores" };
}

/** Points of a line through values, from 0 to 1 each way with y downwards; a gap where there is none. */
export function linePoints(values: readonly (number | null)[]): (readonly (readonly [number, number])[])[] {
  const known = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const low = Math.min(...known);
  const high = Math.max(...known);
  const parts: [number, number][][] = [];
  let part: [number, number][] = [];
  values.forEach((value, at) => {
    if (value === null || !Number.isFinite(value)) {
      if (part.length > 0) parts.push(part);
      part = [];
      return;
    }
    const x = values.length < 2 ? 0.5 : at / (values.length - 1);
    part.push([x, high === low ? 0.5 : 1 - (value - low) / (high - low)]);
  });
  if (part.length > 0) parts.push(part);
  return parts;
}
