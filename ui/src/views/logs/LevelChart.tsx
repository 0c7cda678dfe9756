// Logs over time by level: dragging over it, or a click on a bar, makes that the window of time. The same numbers are
// told in words beside it and as a table.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { clockMs, count, plural, short } from "../../model/format";
import { barAt, barsOf, momentAt, windowParam, type LevelBars } from "../../model/levelbars";
import { LEVELS } from "../../model/logs";
import { place, setParams, timeBounds, timeWindow } from "../../url";
import { Dialog } from "../../widgets/Dialog";
import { Level } from "./parts";

const HEIGHT = 44;
const LIVE_MS = 15_000;
const DRAG_PX = 4;

export function LevelChart({ live }: { live: boolean }): VNode | null {
  const { params } = place.value;
  const t = params["t"];
  const answer = useAnswer(
    "/api/logs/histogram",
    { q: params["q"] ?? "", ...timeWindow(t) },
    { keep: true, ...(live ? { everyMs: LIVE_MS } : {}) },
  );
  const [width, setWidth] = useState(900);
  const [asTable, setAsTable] = useState(false);
  const own = useRef<HTMLDivElement>(null);
  const found = answer.data;
  const shown = found !== undefined && found.times_ns.length > 0;
  useEffect(() => {
    const element = own.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [shown]);
  const bars = useMemo(
    () => (found ? barsOf(found, t === "all" ? undefined : timeBounds(t), width, HEIGHT) : undefined),
    [found, t, width],
  );
  if (!shown || !bars) return null;
  return (
    <div class={`level-chart${answer.stale ? " stale" : ""}`}>
      <div class="plot" ref={own}>
        <Plot bars={bars} width={width} />
        <Axis bars={bars} />
      </div>
      <div class="told">
        {bars.levels.map((level) => (
          <span key={level.id}>
            <Level severity={LEVELS.find(({ id }) => id === level.id)!.least} /> <b>{count(level.count)}</b>
          </span>
        ))}
        {!found.complete && (
          <span class="muted" title={`counted are the newest ${count(found.logs_read)}`}>
            from {clockMs(Number(found.read_from_ns.slice(0, -6)))} on; there are more
          </span>
        )}
        <button type="button" class="link" onClick={() => setAsTable(true)}>
          as a table
        </button>
      </div>
      {asTable && <AsTable bars={bars} onClose={() => setAsTable(false)} />}
    </div>
  );
}

function Plot({ bars, width }: { bars: LevelBars; width: number }): VNode {
  const [over, setOver] = useState(-1);
  const [dragged, setDragged] = useState<readonly [number, number] | undefined>();
  const begun = useRef<number | undefined>(undefined);
  const share = (event: PointerEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const total = bars.totals.reduce((sum, n) => sum + n, 0);
  return (
    <div
      class="bars"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        (event.currentTarget as Element).setPointerCapture(event.pointerId);
        begun.current = share(event);
      }}
      onPointerMove={(event) => {
        const at = share(event);
        setOver(barAt(bars, momentAt(bars, at)));
        if (begun.current !== undefined && Math.abs(at - begun.current) * width > DRAG_PX)
          setDragged([Math.min(begun.current, at), Math.max(begun.current, at)]);
      }}
      onPointerUp={() => {
        const from = begun.current;
        begun.current = undefined;
        setDragged(undefined);
        if (from === undefined) return;
        if (dragged) setParams({ t: windowParam(momentAt(bars, dragged[0]), momentAt(bars, dragged[1])), live: null });
        else if (over >= 0) look(bars, over);
      }}
      onPointerCancel={() => {
        begun.current = undefined;
        setDragged(undefined);
      }}
      onPointerLeave={() => setOver(-1)}
    >
      <svg
        role="img"
        aria-label={`${plural(total, "log")} over time by level`}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {over >= 0 && <Column bars={bars} at={over} width={width} />}
        {bars.levels.map((level) => (
          <path key={level.id} d={level.path} class={`bar-${level.id}`} />
        ))}
        {dragged && (
          <rect class="brush" x={dragged[0] * width} y={0} width={(dragged[1] - dragged[0]) * width} height={HEIGHT} />
        )}
      </svg>
      {over >= 0 && <Tip bars={bars} at={over} />}
    </div>
  );
}

function look(bars: LevelBars, at: number): void {
  const from = bars.timesMs[at]!;
  setParams({ t: windowParam(from, from + bars.stepMs), live: null });
}

function Column({ bars, at, width }: { bars: LevelBars; at: number; width: number }): VNode {
  const scale = width / (bars.toMs - bars.fromMs);
  return (
    <rect
      class="column"
      x={(bars.timesMs[at]! - bars.fromMs) * scale}
      y={0}
      width={bars.stepMs * scale}
      height={HEIGHT}
    />
  );
}

function Tip({ bars, at }: { bars: LevelBars; at: number }): VNode {
  const share = (bars.timesMs[at]! - bars.fromMs) / (bars.toMs - bars.fromMs);
  return (
    <div class="tip" style={share > 0.6 ? { right: `${(1 - share) * 100}%` } : { left: `${share * 100}%` }}>
      <b>{clockMs(bars.timesMs[at]!)}</b>
      {bars.levels
        .filter(({ counts }) => counts[at]! > 0)
        .map(({ id, counts }) => (
          <span key={id} class={`level level-${id}`}>
            {count(counts[at])} {id}
          </span>
        ))}
      {bars.totals[at] === 0 && <span class="muted">none</span>}
    </div>
  );
}

const TICKS = [0, 0.25, 0.5, 0.75, 1];

function Axis({ bars }: { bars: LevelBars }): VNode {
  const now = Date.now();
  return (
    <div class="axis" aria-hidden="true">
      {TICKS.map((share) => (
        <span key={share}>
          {clockMs(momentAt(bars, share), now).replace(/:\d\d$/, bars.toMs - bars.fromMs > 600_000 ? "" : "$&")}
        </span>
      ))}
    </div>
  );
}

function AsTable({ bars, onClose }: { bars: LevelBars; onClose(): void }): VNode {
  const now = Date.now();
  const rows = bars.timesMs.map((ms, at) => ({ ms, at })).filter(({ at }) => bars.totals[at]! > 0);
  return (
    <Dialog title="Logs over time by level" onClose={onClose}>
      <table class="bars-table">
        <thead>
          <tr>
            <th scope="col">from</th>
            {bars.levels.map(({ id }) => (
              <th key={id} scope="col" class="num">
                {id}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(-100).map(({ ms, at }) => (
            <tr key={ms}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  onClick={() => {
                    onClose();
                    look(bars, at);
                  }}
                >
                  {clockMs(ms, now)}
                </button>
              </th>
              {bars.levels.map(({ id, counts }) => (
                <td key={id} class="num">
                  {short(counts[at])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
