// Stacked bars over time in one SVG: dragging over it, or a click on a bar, gives a window of time. The same numbers are
// there as a table.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Bars, barAt, barsOf, momentAt, type Sort, windowParam } from "../model/bars";
import { clockMs, count } from "../model/format";
import { Dialog } from "./Dialog";
import "./histogram.css";

const DRAG_PX = 4;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const ROWS = 100;

export function Histogram(props: {
  /** What is counted, such as `logs over time by level`. */
  label: string;
  timesMs: readonly number[];
  stepMs: number;
  /** The first at the bottom; styled by the class `bar-ID`. */
  sorts: readonly Sort[];
  /** What the axis shows; undefined takes what there is. */
  window: readonly [number, number] | undefined;
  height?: number;
  stale?: boolean;
  onWindow(t: string): void;
  /** What is told at the right end, before the way to the table. */
  children?: ComponentChildren;
}): VNode {
  const height = props.height ?? 44;
  const [width, setWidth] = useState(900);
  const [asTable, setAsTable] = useState(false);
  const own = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = own.current!;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth || 900));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const bars = useMemo(
    () => barsOf(props.timesMs, props.stepMs, props.sorts, props.window, width, height),
    [props.timesMs, props.stepMs, props.sorts, props.window?.[0], props.window?.[1], width, height],
  );
  const look = (at: number): void => {
    const from = bars.timesMs[at]!;
    props.onWindow(windowParam(from, from + bars.stepMs));
  };
  return (
    <div class={`histogram${props.stale ? " stale" : ""}`}>
      <div class="plot" ref={own}>
        <Plot bars={bars} width={width} height={height} label={props.label} onLook={look} onWindow={props.onWindow} />
        <div class="histogram-axis" aria-hidden="true">
          {TICKS.map((share) => (
            <span key={share}>{tick(bars, share)}</span>
          ))}
        </div>
      </div>
      <div class="told">
        {props.children}
        <button type="button" class="link" onClick={() => setAsTable(true)}>
          as a table
        </button>
      </div>
      {asTable && <AsTable bars={bars} label={props.label} onClose={() => setAsTable(false)} onLook={look} />}
    </div>
  );
}

function tick(bars: Bars, share: number): string {
  const told = clockMs(momentAt(bars, share));
  return bars.toMs - bars.fromMs > 600_000 ? told.replace(/:\d\d$/, "") : told;
}

function Plot(props: {
  bars: Bars;
  width: number;
  height: number;
  label: string;
  onLook(at: number): void;
  onWindow(t: string): void;
}): VNode {
  const { bars, width, height } = props;
  const [over, setOver] = useState(-1);
  const [dragged, setDragged] = useState<readonly [number, number] | undefined>();
  const begun = useRef<number | undefined>(undefined);
  const share = (event: PointerEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return (event.clientX - box.left) / box.width;
  };
  const scale = width / (bars.toMs - bars.fromMs);
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
        if (dragged) props.onWindow(windowParam(momentAt(bars, dragged[0]), momentAt(bars, dragged[1])));
        else if (over >= 0) props.onLook(over);
      }}
      onPointerCancel={() => {
        begun.current = undefined;
        setDragged(undefined);
      }}
      onPointerLeave={() => setOver(-1)}
    >
      <svg
        role="img"
        aria-label={`${props.label}: ${bars.sorts.map((sort) => `${count(sort.count)} ${sort.label}`).join(", ")}`}
        viewBox={`0 0 ${width} ${height}`}
        style={{ height: `${height}px` }}
        preserveAspectRatio="none"
      >
        {over >= 0 && (
          <rect
            class="column"
            x={(bars.timesMs[over]! - bars.fromMs) * scale}
            y={0}
            width={bars.stepMs * scale}
            height={height}
          />
        )}
        {bars.sorts.map((sort) => (
          <path key={sort.id} d={sort.path} class={`bar-${sort.id}`} />
        ))}
        {dragged && (
          <rect class="brush" x={dragged[0] * width} y={0} width={(dragged[1] - dragged[0]) * width} height={height} />
        )}
      </svg>
      {over >= 0 && <Tip bars={bars} at={over} />}
    </div>
  );
}

function Tip({ bars, at }: { bars: Bars; at: number }): VNode {
  const share = (bars.timesMs[at]! - bars.fromMs) / (bars.toMs - bars.fromMs);
  return (
    <div class="tip" style={share > 0.6 ? { right: `${(1 - share) * 100}%` } : { left: `${share * 100}%` }}>
      <b>{clockMs(bars.timesMs[at]!)}</b>
      {bars.sorts
        .filter(({ counts }) => (counts[at] ?? 0) > 0)
        .map(({ id, label, counts }) => (
          <span key={id}>
            {count(counts[at])} {label}
          </span>
        ))}
      {bars.totals[at] === 0 && <span class="muted">none</span>}
    </div>
  );
}

function AsTable(props: { bars: Bars; label: string; onClose(): void; onLook(at: number): void }): VNode {
  const { bars } = props;
  const rows = bars.timesMs.map((ms, at) => ({ ms, at })).filter(({ at }) => bars.totals[at]! > 0);
  return (
    <Dialog title={props.label} onClose={props.onClose}>
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">from</th>
            {bars.sorts.map(({ id, label }) => (
              <th key={id} scope="col" class="num">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(-ROWS).map(({ ms, at }) => (
            <tr key={ms}>
              <th scope="row">
                <button
                  type="button"
                  class="link"
                  onClick={() => {
                    props.onClose();
                    props.onLook(at);
                  }}
                >
                  {clockMs(ms)}
                </button>
              </th>
              {bars.sorts.map(({ id, counts }) => (
                <td key={id} class="num">
                  {count(counts[at] ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
