// How many spans match over time, failed ones at the bottom, above the list; a drag makes that the window.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useBounds } from "../../api/bounds";
import { useAnswer } from "../../api/client";
import { count, percent } from "../../model/format";
import { aligned, bucketsOf, stepFor } from "../../model/series";
import { place, setParams, timeWindow } from "../../url";
import { Histogram } from "../../widgets/Histogram";

const LIVE_MS = 15_000;

export function OverTime({ q, live }: { q: string; live: boolean }): VNode | null {
  const { t } = place.value.params;
  const window = useBounds(t);
  const step = stepFor(window ? window[1] - window[0] : 0);
  const told = useAnswer(
    window ? "/api/series" : null,
    { ...(q ? { q } : {}), ...timeWindow(t), measures: "count,errors", step: step.text },
    { keep: true, ...(live ? { everyMs: LIVE_MS } : {}) },
  );
  const series = told.data;
  const fresh = series?.step_ns === String(step.ms * 1e6);
  const edge = window && Math.floor(window[0] / step.ms);
  const shown = useMemo(() => {
    if (!window || !series || series.groups.length === 0) return undefined;
    const stepMs = Number(series.step_ns) / 1e6;
    // the step of an answer to another question may be a millionth of this window: that has its own buckets
    const timesMs = fresh ? bucketsOf(window, stepMs) : series.times_ns.map((ns) => Number(ns) / 1e6);
    const group = series.groups[0];
    const counts = aligned(series, group, "count", timesMs, 0) as number[];
    const errors = aligned(series, group, "errors", timesMs, 0) as number[];
    return {
      timesMs,
      stepMs,
      sorts: [
        { id: "failed", label: "failed", counts: errors },
        { id: "fine", label: "others", counts: counts.map((n, at) => n - errors[at]!) },
      ],
    };
  }, [series, edge, fresh]);
  if (!shown) return null;
  const [failed, fine] = shown.sorts.map((sort) => sort.counts.reduce((sum, n) => sum + n, 0)) as [number, number];
  return (
    <Histogram
      label="spans over time"
      {...shown}
      window={window}
      stale={told.stale && !fresh}
      height={36}
      onWindow={(to) => setParams({ t: to, live: null })}
    >
      <span>
        <b>{count(failed + fine)}</b> spans
      </span>
      {failed > 0 && (
        <span class="error">
          ✕ <b>{count(failed)}</b> failed ({percent(failed / (failed + fine))})
        </span>
      )}
    </Histogram>
  );
}
