// The window of time that the page looks at: quick choices, whole days, or two moments.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { clockMs } from "../model/format";
import { DEFAULT_TIME, place, setParams, timeBounds } from "../url";
import { Menu } from "./Menu";

const CHOICES: readonly (readonly [string, string])[] = [
  ["15m", "15 minutes"],
  ["1h", "1 hour"],
  ["6h", "6 hours"],
  ["24h", "24 hours"],
  ["7d", "7 days"],
  ["30d", "30 days"],
  ["all", "all of time"],
];

const DAY_MS = 86_400_000;

/** Local midnights: today's, and yesterday's from one to the other. */
export function days(nowMs: number): { today: string; yesterday: string } {
  const now = new Date(nowMs);
  const midnight = (days: number): number =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() + days).getTime();
  return { today: `${midnight(0)}-${midnight(1)}`, yesterday: `${midnight(-1)}-${midnight(0)}` };
}

export function timeName(t: string | undefined, nowMs: number = Date.now()): string {
  const known = CHOICES.find(([value]) => value === (t ?? DEFAULT_TIME));
  if (known) return known[1];
  const { today, yesterday } = days(nowMs);
  if (t === today) return "today";
  if (t === yesterday) return "yesterday";
  if (!t?.includes("-")) return t ?? DEFAULT_TIME;
  const [from, to] = timeBounds(t, nowMs);
  return `${clockMs(from, nowMs)} – ${clockMs(to, nowMs)}`;
}

/** As an <input type="datetime-local"> wants it. */
function local(ms: number): string {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 16);
}

export function TimeRange(): VNode {
  const t = place.value.params["t"];
  const now = Date.now();
  const [from, to] = timeBounds(t, now);
  const { today, yesterday } = days(now);
  const choose = (value: string): void => setParams({ t: value === DEFAULT_TIME ? null : value, cursor: null });
  return (
    <Menu
      name={`${timeName(t, now)} (time shown)`}
      label={
        <>
          <span class="one-line">{timeName(t, now)}</span> <span aria-hidden="true">▾</span>
        </>
      }
      items={[
        ...CHOICES.map(([value, label]) => ({
          label,
          on: value === (t ?? DEFAULT_TIME),
          act: () => choose(value),
        })),
        { label: "today", on: t === today, act: () => choose(today) },
        { label: "yesterday", on: t === yesterday, act: () => choose(yesterday) },
      ]}
    >
      <Between from={from === 0 ? now - DAY_MS : from} to={to} onChoose={choose} />
    </Menu>
  );
}

/** For a list that is empty: a longer time, while there is one. */
export function WiderTime(): VNode {
  const { t } = place.value.params;
  return (
    <>
      {!["7d", "30d", "all"].includes(t ?? "") && (
        <button type="button" class="button" onClick={() => setParams({ t: "7d" })}>
          Show 7 days
        </button>
      )}
      {t !== "all" && (
        <button type="button" class="button" onClick={() => setParams({ t: "all" })}>
          Show all of time
        </button>
      )}
    </>
  );
}

function Between({ from, to, onChoose }: { from: number; to: number; onChoose(t: string): void }): VNode {
  const [start, setStart] = useState(local(from));
  const [end, setEnd] = useState(local(to));
  const wrong = !(Date.parse(start) < Date.parse(end));
  return (
    <form
      class="between"
      onSubmit={(event) => {
        event.preventDefault();
        if (!wrong) onChoose(`${Date.parse(start)}-${Date.parse(end)}`);
      }}
    >
      <label class="field">
        <span>from</span>
        <input class="input" type="datetime-local" value={start} onInput={(e) => setStart(e.currentTarget.value)} />
      </label>
      <label class="field">
        <span>to</span>
        <input class="input" type="datetime-local" value={end} onInput={(e) => setEnd(e.currentTarget.value)} />
      </label>
      <button
        type="submit"
        class="button"
        disabled={wrong}
        title={wrong ? "the end must be after the start" : undefined}
      >
        Show
      </button>
    </form>
  );
}
