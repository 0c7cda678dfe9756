// What a log record says in one line and in parts, its level, terms that filter for it, and the rows of a live tail.
// Pure.
import type { LogRow } from "../api/types";
import { quoted, terms, append } from "./query";

export type LevelId = "trace" | "debug" | "info" | "warning" | "error" | "fatal" | "none";

/** OpenTelemetry's six levels, each of four severity numbers; `least` is the first of them. */
export const LEVELS: readonly { id: LevelId; least: number; name: string; sign: string }[] = [
  { id: "fatal", least: 21, name: "FATAL", sign: "✕" },
  { id: "error", least: 17, name: "ERROR", sign: "✕" },
  { id: "warning", least: 13, name: "WARN", sign: "▲" },
  { id: "info", least: 9, name: "INFO", sign: "●" },
  { id: "debug", least: 5, name: "DEBUG", sign: "○" },
  { id: "trace", least: 1, name: "TRACE", sign: "·" },
];

export function levelOf(severity: number): LevelId {
  return LEVELS.find((level) => severity >= level.least)?.id ?? "none";
}

/** `INFO`, `INFO2` for what lies between the levels, `–` for records without one. */
export function levelName(severity: number): string {
  const level = LEVELS.find(({ least }) => severity >= least);
  if (!level) return "–";
  const step = severity - level.least;
  return step === 0 || step > 3 ? level.name : `${level.name}${step + 1}`;
}

export function levelSign(severity: number): string {
  return LEVELS.find(({ least }) => severity >= least)?.sign ?? "";
}

// --- one line

const LINE = 400;
const OWN = /^(code\.|exception\.|error\.|thread\.|process\.)/;

/** The message as one line. Without a body: what failed, else the attributes that tell most. */
export function lineOf(row: LogRow): string {
  const body = textOf(row.body);
  if (body !== "") return oneLine(body);
  const failed = exceptionOf(row);
  if (failed) return oneLine([failed.type, failed.message].filter(Boolean).join(": "));
  return extrasOf(row);
}

/** What a record says beside its message, as `name=value` on one line; not where it was made. */
export function extrasOf(row: LogRow): string {
  const told: string[] = [];
  let size = 0;
  for (const [name, value] of Object.entries(row.attributes)) {
    if (OWN.test(name) || value === null) continue;
    const one = `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`;
    told.push(one);
    size += one.length;
    if (size > LINE) break;
  }
  return oneLine(told.join("  "));
}

/** Text of a body that has one: itself, or its `message`; JSON of any other. */
export function textOf(body: unknown): string {
  if (body === null || body === undefined) return "";
  if (typeof body === "string") return body;
  if (typeof body === "object" && "message" in body && typeof body.message === "string") return body.message;
  return JSON.stringify(body);
}

function oneLine(text: string): string {
  const cut = text.length > LINE ? `${text.slice(0, LINE)}…` : text;
  return cut.replace(/\s+/g, " ").trim();
}

export interface Exception {
  type: string;
  message: string;
  stack: string;
}

export function exceptionOf(row: LogRow): Exception | undefined {
  const text = (...names: string[]): string => {
    for (const name of names) if (typeof row.attributes[name] === "string") return row.attributes[name];
    return "";
  };
  const type = text("exception.type", "error.type");
  const message = text("exception.message", "error.message");
  const stack = text("exception.stacktrace");
  return stack !== "" || message !== "" || "exception.type" in row.attributes ? { type, message, stack } : undefined;
}

/** Attributes that the exception's own part does not show already, by name. */
export function attributesOf(row: LogRow): (readonly [string, unknown])[] {
  return Object.entries(row.attributes)
    .filter(([name]) => name !== "exception.stacktrace")
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

// --- terms

const KEY = /^[^\s()":=<>~!]+$/;
const LEVEL_TERM = /^-?level[:=<>!~]/;
const LONGEST = 300;

/** A term for one field or attribute; undefined where the filter language cannot say it, as for lists. */
export function termOf(field: string, value: unknown, not = false): string | undefined {
  if (!KEY.test(field) || value === "" || !["string", "number", "boolean"].includes(typeof value)) return undefined;
  const text = String(value);
  if (text.length > LONGEST || /[\r\n]/.test(text)) return undefined;
  return `${not ? "-" : ""}${field}=${quoted(text)}`;
}

/** The least level that a filter text asks for, as `level>=warning`; undefined for none, "" for another kind of it. */
export function levelIn(text: string): LevelId | "" | undefined {
  const own = terms(text).filter((one) => LEVEL_TERM.test(one));
  if (own.length === 0) return undefined;
  return LEVELS.find(({ id }) => own.length === 1 && own[0] === `level>=${id}`)?.id ?? "";
}

/** The text with this least level in the place of what it says of levels. */
export function withLevel(text: string, least: LevelId | undefined): string {
  const rest = terms(text).includes("OR")
    ? text
    : terms(text)
        .filter((one) => !LEVEL_TERM.test(one))
        .join(" ");
  return least === undefined ? rest : append(rest, `level>=${least}`);
}

// --- the open one

/** A record as the address holds it: with its time, by which it is found again. */
export function logParam(row: LogRow): string {
  return `${row.time_ns}.${row.log_id}`;
}

export function readLogParam(text: string | undefined): { timeNs: string; logId: string } | undefined {
  const found = /^(\d{1,19})\.([\w-]{1,100})$/.exec(text ?? "");
  return found ? { timeNs: found[1]!, logId: found[2]! } : undefined;
}

/** Decimal nanoseconds a whole number of milliseconds away. */
export function shifted(ns: string, ms: number): number {
  return Math.max(0, Number(ns.slice(0, -6)) + ms);
}

/** The next nanosecond: the end of a window that holds one moment. */
export function after(ns: string): string {
  return (BigInt(ns) + 1n).toString();
}

// --- rows

/** Newest first: negative where `a` stands before `b`. Times are decimal texts of nanoseconds. */
export function newer(a: LogRow, b: LogRow): number {
  if (a.time_ns.length !== b.time_ns.length) return b.time_ns.length - a.time_ns.length;
  return a.time_ns === b.time_ns ? (a.log_id < b.log_id ? 1 : -1) : a.time_ns < b.time_ns ? 1 : -1;
}

/** Two lists as one without repeats, newest first, cut to `most`; the same list where nothing is new. */
export function merged(rows: readonly LogRow[], come: readonly LogRow[], most = Infinity): readonly LogRow[] {
  const known = new Set(rows.map((row) => row.log_id));
  const fresh: LogRow[] = [];
  for (const row of come)
    if (!known.has(row.log_id)) {
      known.add(row.log_id);
      fresh.push(row);
    }
  if (fresh.length === 0) return rows;
  fresh.sort(newer);
  const all: LogRow[] = [];
  let at = 0;
  for (const row of fresh) {
    while (at < rows.length && newer(rows[at]!, row) < 0) all.push(rows[at++]!);
    all.push(row);
  }
  for (; at < rows.length; at++) all.push(rows[at]!);
  return all.length > most ? all.slice(0, most) : all;
}

/** Records a second over the last ten: arrivals as [milliseconds, count], oldest first. */
export function rateOf(arrivals: readonly (readonly [number, number])[], nowMs: number): number {
  let sum = 0;
  for (const [ms, n] of arrivals) if (nowMs - ms <= 10_000) sum += n;
  return sum / 10;
}
