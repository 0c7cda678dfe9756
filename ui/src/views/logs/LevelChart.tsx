// Logs over time by level, the worst at the bottom, above the list; a drag over it makes that the window of time.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useAnswer } from "../../api/client";
import type { Histogram as Counted } from "../../api/types";
import { clockMs, count, toMs } from "../../model/format";
import { LEVELS } from "../../model/logs";
import { place, setParams, timeBounds, timeWindow } from "../../url";
import { Histogram } from "../../widgets/Histogram";
import { Level } from "./parts";

const LIVE_MS = 30_000;

export function LevelChart({ live }: { live: boolean }): VNode | null {
  const { q, t } = place.value.params;
  const answer = useAnswer(
    "/api/logs/histogram",
    { ...(q ? { q } : {}), ...timeWindow(t) },
    { keep: true, ...(live ? { everyMs: LIVE_MS } : {}) },
  );
  const found = answer.data;
  const shown = useMemo(() => {
    if (!found || found.times_ns.length === 0) return undefined;
    return {
      timesMs: found.times_ns.map(toMs),
      stepMs: Number(found.step_ns) / 1e6,
      sorts: LEVELS.flatMap(({ id }) => {
        const counts = found.levels.find(({ level }) => level === id)?.counts;
        return counts ? [{ id, label: id, counts }] : [];
      }),
      window: windowOf(found, t),
    };
  }, [found, t]);
  if (!found || !shown) return null;
  return (
    <Histogram
      label="logs over time by level"
      {...shown}
      stale={answer.stale}
      onWindow={(to) => setParams({ t: to, live: null })}
    >
      <span class="level-counts">
        {shown.sorts.map((sort) => (
          <span key={sort.id}>
            <Level severity={LEVELS.find(({ id }) => id === sort.id)!.least} />{" "}
            <b>{count(sort.counts.reduce((sum, n) => sum + n, 0))}</b>
          </span>
        ))}
      </span>
      {!found.complete && (
        <span class="muted" title={`counted are the newest ${count(found.logs_read)}`}>
          from {clockMs(toMs(found.read_from_ns))} on; there are more
        </span>
      )}
    </Histogram>
  );
}

/** The axis begins where counting began: what was not read must not look like nothing. */
function windowOf(found: Counted, t: string | undefined): readonly [number, number] | undefined {
  if (t === "all") return undefined;
  const [from, to] = timeBounds(t);
  return found.complete ? [from, to] : [toMs(found.read_from_ns), to];
}
