// Rows that arrive while one looks: merged into the list, or held while somebody is reading it.
import { useEffect, useRef, useState } from "preact/hooks";
import { openLive } from "./client";

export interface Arrivals<T> {
  /** New rows, the newest first; what is held is not among them. */
  rows: readonly T[];
  /** Rows of the list that have changed since it was read. */
  changed: ReadonlyMap<string, T>;
  held: number;
  state: "off" | "connecting" | "open" | "closed";
  /** Rows a second, over the last ten. */
  rate: number;
  /** Rows were left out: the list should be read again. */
  incomplete: boolean;
  release(): void;
  /** Begin anew, as the list does that is read again. */
  restart(): void;
}

const MOST = 2_000;
const RATE_S = 10;

/** `hold` keeps new rows back; they come with `release`, or when nothing holds them any more. */
export function useArrivals<T>(options: {
  on: boolean;
  of: "traces" | "spans" | "logs";
  q: string;
  key(row: T): string;
  rowsOf(batch: { traces?: readonly unknown[]; spans?: readonly unknown[]; logs?: readonly unknown[] }): readonly T[];
  /** Keys of the rows that the list has anyway. */
  known(key: string): boolean;
  hold: boolean;
  /** Read the list again: what was written before the stream began is in no batch. False if somebody is in it. */
  reload(): boolean;
}): Arrivals<T> {
  const { on, of, q, hold } = options;
  const latest = useRef(options);
  latest.current = options;
  const kept = useRef({ rows: [] as T[], waiting: [] as T[], changed: new Map<string, T>(), times: [] as number[] });
  const [, redraw] = useState(0);
  const [state, setState] = useState<Arrivals<T>["state"]>("off");
  const [incomplete, setIncomplete] = useState(false);
  const [again, setAgain] = useState(0);

  useEffect(() => {
    kept.current = { rows: [], waiting: [], changed: new Map(), times: [] };
    setIncomplete(false);
    if (!on) {
      setState("off");
      return;
    }
    return openLive(
      { of, ...(q ? { q } : {}) },
      {
        state: setState,
        lost: () => setIncomplete(true),
        ready: () => void (latest.current.reload() || setIncomplete(true)),
        batch: (data) => {
          const { key, rowsOf, known, hold: held } = latest.current;
          const now = kept.current;
          if (data.left_out) setIncomplete(true);
          const come = new Map(rowsOf(data).map((row) => [key(row), row]));
          for (const [id, row] of come) if (known(id)) now.changed.set(id, row);
          const renewed = (row: T): T => {
            const id = key(row);
            const newer = come.get(id);
            come.delete(id);
            return newer ?? row;
          };
          now.rows = now.rows.map(renewed);
          now.waiting = now.waiting.map(renewed);
          const fresh = [...come].filter(([id]) => !known(id)).map(([, row]) => row);
          now.times.push(...fresh.map(() => performance.now()));
          const list = held ? "waiting" : "rows";
          now[list] = [...fresh.reverse(), ...now[list]].slice(0, MOST);
          now.changed = new Map(now.changed);
          redraw((n) => n + 1);
        },
      },
    );
  }, [on, of, q, again]);

  const release = (): void => {
    const now = kept.current;
    if (now.waiting.length === 0) return;
    now.rows = [...now.waiting, ...now.rows].slice(0, MOST);
    now.waiting = [];
    redraw((n) => n + 1);
  };
  useEffect(() => {
    if (!hold) release();
  }, [hold]);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => redraw((n) => n + 1), 1_000);
    return () => clearInterval(timer);
  }, [on]);
  const since = performance.now() - RATE_S * 1e3;
  kept.current.times = kept.current.times.filter((time) => time > since);
  return {
    rows: kept.current.rows,
    changed: kept.current.changed,
    held: kept.current.waiting.length,
    state,
    rate: kept.current.times.length / RATE_S,
    incomplete,
    release,
    restart: () => setAgain((n) => n + 1),
  };
}
