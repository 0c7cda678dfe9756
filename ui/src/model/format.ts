// Figures as text, the same everywhere: durations, counts, money, times, sizes. Pure.

const THIN = "\u202f";

/** Microseconds as text of three digits: `870 µs`, `41.4 ms`, `1.43 s`, `75.4 min`, `3.2 h`. */
export function duration(us: number | null | undefined): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return "–";
  const size = Math.abs(us);
  if (size < 1) return us === 0 ? "0 µs" : "<1 µs";
  if (size < 999.5) return `${Math.round(us)} µs`;
  if (size < 999_500) return `${three(us / 1e3)} ms`;
  if (size < 120e6) return `${three(us / 1e6)} s`;
  if (size < 7_200e6) return `${three(us / 60e6)} min`;
  if (size < 172_800e6) return `${three(us / 3_600e6)} h`;
  return `${three(us / 86_400e6)} d`;
}

export function milliseconds(ms: number | null | undefined): string {
  return duration(ms === null || ms === undefined ? ms : ms * 1e3);
}

export function seconds(s: number | null | undefined): string {
  return duration(s === null || s === undefined ? s : s * 1e6);
}

function three(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A count with thousands marked: `119,354`. Weighted counts are rounded. */
export function count(n: number | null | undefined): string {
  return n === null || n === undefined ? "–" : whole.format(n);
}

export const tokens = count;

/** A short count for axes and chips: `940`, `1.2k`, `3.4M`. */
export function short(n: number | null | undefined): string {
  if (n === null || n === undefined) return "–";
  const size = Math.abs(n);
  if (size < 1_000) return String(Math.round(n * 100) / 100);
  for (const [unit, sign] of [
    [1e3, "k"],
    [1e6, "M"],
    [1e9, "G"],
  ] as const)
    if (size < unit * 999.5 || sign === "G") return `${Number((n / unit).toPrecision(3))}${sign}`;
  return String(n);
}

/** US dollars: four decimals below one dollar, two above, `<$0.0001` for less; `–` where nobody knows. */
export function usd(x: number | null | undefined): string {
  if (x === null || x === undefined) return "–";
  const size = Math.abs(x);
  if (size === 0) return "$0";
  if (size < 0.000_05) return x < 0 ? "-<$0.0001" : "<$0.0001";
  const sign = x < 0 ? "-" : "";
  if (size < 1) return `${sign}$${size.toFixed(4)}`;
  return `${sign}$${size.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** A share from 0 to 1 as per cent. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  return `${value === 0 ? 0 : value < 0.1 ? "<0.1" : value < 10 ? value.toFixed(1) : value.toFixed(0)}${THIN}%`;
}

export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined) return "–";
  if (n < 1_000) return `${n} B`;
  for (const [unit, sign] of [
    [1e3, "kB"],
    [1e6, "MB"],
    [1e9, "GB"],
    [1e12, "TB"],
  ] as const)
    if (n < unit * 999.5 || sign === "TB") return `${three(n / unit)} ${sign}`;
  return String(n);
}

/** Milliseconds since 1970 of a decimal text of nanoseconds. */
export function toMs(ns: string | null | undefined): number {
  return ns ? Number(ns.slice(0, -6)) : 0;
}

const two = (n: number): string => String(n).padStart(2, "0");

export function day(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Local time; with the day unless it is today. With milliseconds where asked. */
export function clockMs(ms: number, nowMs: number = Date.now(), fine = false): string {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const told = fine ? `${time}.${String(at.getMilliseconds()).padStart(3, "0")}` : time;
  return day(ms) === day(nowMs)
    ? told
    : `${day(ms).slice(at.getFullYear() === new Date(nowMs).getFullYear() ? 5 : 0)} ${told}`;
}

export function clock(ns: string | null | undefined, nowMs?: number): string {
  return ns ? clockMs(toMs(ns), nowMs) : "–";
}

/** The whole moment in UTC, for titles. */
export function moment(ns: string | null | undefined): string {
  return ns ? new Date(toMs(ns)).toISOString() : "";
}

/** `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`. */
export function ago(ns: string | null | undefined, nowMs: number = Date.now()): string {
  if (!ns) return "–";
  const s = Math.max(0, (nowMs - toMs(ns)) / 1e3);
  if (s < 2) return "now";
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5_400) return `${Math.round(s / 60)} min ago`;
  if (s < 129_600) return `${Math.round(s / 3_600)} h ago`;
  return `${Math.round(s / 86_400)} d ago`;
}

/** `1 span`, `2 spans`. */
export function plural(n: number, one: string, many: string = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
