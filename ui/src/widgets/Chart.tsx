// Lines or stacks over time, drawn by uPlot: one crosshair over all charts of a page, a drag makes a window, a click or
// Enter opens the point, and the same numbers stand in a table.
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { windowParam } from "../model/bars";
import { clockMs, day } from "../model/format";
import { isEmpty, type Line, lineAt, total } from "../model/series";
import { Dialog } from "./Dialog";
import { useLook } from "./look";
import "./chart.css";
import "./histogram.css";

export type { Line } from "../model/series";

export interface ChartProps {
  title: string;
  /** Starts of the buckets. */
  timesMs: readonly number[];
  stepMs: number;
  lines: readonly Line[];
  /** Names of colours of theme.css, one for each line. */
  colours: readonly string[];
  stack?: boolean;
  format(value: number | null): string;
  /** What is told of a line beside its name: its sum, or its last value. */
  sum?(line: Line): string;
  height?: number;
  /** What is said where there is nothing to draw. */
  nothing?: string;
  /** Charts of one name share the crosshair. */
  together?: string;
  onWindow(t: string): void;
  /** A point was chosen: the line and its bucket of time as a window. */
  onOpen(line: Line, t: string): void;
}

const DRAG_PX = 5;

export function Chart(props: ChartProps): VNode {
  const { timesMs, lines } = props;
  const own = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState<number | null>(null);
  const [asTable, setAsTable] = useState(false);
  const look = useLook();
  const latest = useRef(props);
  latest.current = props;
  const height = props.height ?? 150;
  const shown = lines.filter((line) => !hidden.has(line.label));
  const data = useMemo(() => dataOf(timesMs, shown, props.stack ?? false), [timesMs, lines, hidden, props.stack]);
  const visible = useRef(shown);
  visible.current = shown;
  const open = (index: number, value?: number): void => {
    const { current } = latest;
    const from = current.timesMs[index];
    const line =
      value === undefined
        ? largest(visible.current, index)
        : lineAt(visible.current, index, value, current.stack ?? false);
    if (from !== undefined && line) current.onOpen(line, windowParam(from, from + current.stepMs));
  };

  const names = shown.map((line) => line.label).join("\n");
  useLayoutEffect(() => {
    const element = own.current!;
    const made = new uPlot(
      options(element, latest.current, shown, height, {
        at: setAt,
        open,
        window: (from, to) => latest.current.onWindow(windowParam(from, to)),
      }),
      data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
    // what only changes the numbers is given to the same plot below
  }, [names, look, height, props.stack, props.together]);
  useLayoutEffect(() => plot.current?.setData(data), [data]);

  const move = (by: number): void => {
    const made = plot.current;
    if (!made) return;
    const next = Math.max(0, Math.min(timesMs.length - 1, (at ?? (by > 0 ? -1 : timesMs.length)) + by));
    // the third argument, which uPlot's types leave out, moves the crosshair of the other charts
    const set: (to: { left: number; top: number }, fire: boolean, publish: boolean) => void = made.setCursor;
    set({ left: made.valToPos(timesMs[next]! / 1e3, "x"), top: height / 2 }, true, true);
  };
  const toggle = (label: string): void => {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    if (next.size < lines.length) setHidden(next);
  };
  const told = props.sum ?? ((line: Line) => props.format(total(line.values)));
  return (
    <figure class="chart">
      <figcaption>
        <h2>{props.title}</h2>
        <span class="muted">{at !== null && timesMs[at] !== undefined ? clockMs(timesMs[at]) : ""}</span>
        <span class="spread" />
        <button type="button" class="link" onClick={() => setAsTable(true)} aria-label={`table of ${props.title}`}>
          table
        </button>
      </figcaption>
      <div
        ref={own}
        class="chart-plot"
        role="img"
        tabIndex={0}
        aria-label={`${props.title}: ${lines.map((line) => `${line.label} ${told(line)}`).join(", ")}`}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight") move(1);
          else if (event.key === "ArrowLeft") move(-1);
          else if (event.key === "Enter" && at !== null) open(at);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      {isEmpty(lines, props.stack ?? false) && (
        <p class="muted chart-nothing">{props.nothing ?? "There is nothing to draw in this time."}</p>
      )}
      <ul class="legend">
        {lines.map((line, i) => (
          <li key={line.label}>
            <button
              type="button"
              class="bare"
              aria-pressed={!hidden.has(line.label)}
              title={line.label}
              onClick={() => toggle(line.label)}
            >
              <span class="swatch" style={{ background: `var(${props.colours[i % props.colours.length]})` }} />
              <span class="one-line">{line.label}</span>
              <b>{at !== null ? props.format(line.values[at] ?? null) : told(line)}</b>
            </button>
          </li>
        ))}
      </ul>
      {asTable && <AsTable {...props} onClose={() => setAsTable(false)} />}
    </figure>
  );
}

/** Columns for uPlot; of a stack each line has those below it added, the topmost first. */
function dataOf(timesMs: readonly number[], lines: readonly Line[], stack: boolean): uPlot.AlignedData {
  const times = timesMs.map((ms) => ms / 1e3);
  if (!stack) return [times, ...lines.map((line) => [...line.values])] as uPlot.AlignedData;
  const sums = timesMs.map(() => 0);
  const stacked = lines.map((line) => line.values.map((value, i) => (sums[i] = sums[i]! + (value ?? 0))));
  return [times, ...stacked.reverse()] as uPlot.AlignedData;
}

/** How long a part of the time is, in seconds. */
function stepOf(times: ArrayLike<number>): number {
  return times.length > 1 ? times[1]! - times[0]! : 60;
}

/** Where a value stands between gaps. */
export function alone(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (value, i) =>
    value != null && values[i - 1] == null && values[i + 1] == null ? i : -1,
  ).filter((i) => i >= 0);
}

/** At a moment, the line that has the most: what a click there means. */
function largest(lines: readonly Line[], at: number): Line | undefined {
  return lines.reduce<Line | undefined>(
    (best, line) => ((line.values[at] ?? 0) > (best?.values[at] ?? 0) ? line : best),
    lines[0],
  );
}

/** The bucket below the pointer: bars reach from their time to the next, lines have their nearest point. */
function under(self: uPlot, bars: boolean): number | null {
  const { idx, left } = self.cursor;
  if (idx == null || !bars || left == null || left < 0) return idx ?? null;
  const times = self.data[0];
  const at = Math.floor((self.posToVal(left, "x") - times[0]!) / stepOf(times) + 0.02);
  return Math.max(0, Math.min(times.length - 1, at));
}

function options(
  element: HTMLElement,
  props: ChartProps,
  shown: readonly Line[],
  height: number,
  on: {
    at(index: number | null): void;
    open(index: number, value: number): void;
    window(fromMs: number, toMs: number): void;
  },
): uPlot.Options {
  const style = getComputedStyle(element);
  // light-dark() has to be resolved by the browser before a canvas can take it
  const sample = document.createElement("span");
  element.append(sample);
  const colour = (name: string): string => {
    sample.style.color = `var(${name})`;
    return getComputedStyle(sample).color;
  };
  const muted = colour("--muted");
  const line = colour("--line");
  const paper = colour("--bg");
  const strokes = shown.map((one) => colour(props.colours[props.lines.indexOf(one) % props.colours.length]!));
  sample.remove();
  let dragged = false;
  const font = `11px ${style.fontFamily}`;
  const series = shown.map((one, i): uPlot.Series => {
    const stroke = strokes[i]!;
    return {
      label: one.label,
      stroke,
      width: props.stack ? 0 : 1.5,
      ...(props.stack ? { fill: mixed(stroke, paper, 0.82), paths: uPlot.paths.bars!({ align: 1, size: [1] }) } : {}),
      // a value without a neighbour has no line to be seen by
      points: props.stack
        ? { show: false }
        : { size: 5, fill: stroke, width: 0, filter: (self, at) => alone(self.data[at] ?? []) },
      spanGaps: false,
    };
  });
  return {
    width: element.clientWidth || 400,
    height,
    legend: { show: false },
    cursor: {
      ...(props.together ? { sync: { key: props.together, setSeries: false } } : {}),
      drag: {
        x: true,
        y: false,
        setScale: false,
        dist: DRAG_PX,
        // a hand that shakes by a pixel has not dragged
        click: (_, event) => {
          if (dragged) event.stopPropagation();
          dragged = false;
        },
      },
      points: { size: 6 },
    },
    // the newest part of the time ends where the axis does
    scales: {
      x: { time: true, range: (self, min, max) => [min, max + stepOf(self.data[0])] },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      {
        stroke: muted,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        size: 22,
        space: 80,
        values: (self, values) => {
          const days = ((self.scales["x"]?.max ?? 0) - (self.scales["x"]?.min ?? 0)) / 86_400 > 2;
          return values.map((value) => (days ? day(value * 1e3).slice(5) : clockMs(value * 1e3).slice(-8, -3)));
        },
      },
      {
        stroke: muted,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        size: 58,
        space: 34,
        values: (_, values) => values.map((value) => props.format(value)),
      },
    ],
    series: [{}, ...(props.stack ? series.reverse() : series)],
    hooks: {
      // uPlot's own bind of clicks is for its legend
      init: [
        (self) =>
          self.over.addEventListener("click", () => {
            const at = under(self, props.stack ?? false);
            if (at !== null) on.open(at, self.posToVal(self.cursor.top ?? 0, "y"));
          }),
      ],
      setCursor: [(self) => on.at(under(self, props.stack ?? false))],
      setSelect: [
        (self) => {
          const { left, width } = self.select;
          dragged = width >= DRAG_PX;
          if (width >= DRAG_PX) on.window(self.posToVal(left, "x") * 1e3, self.posToVal(left + width, "x") * 1e3);
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** A colour on paper: what lies above is painted first, so it must not shine through. */
function mixed(colour: string, paper: string, share: number): string {
  const parts = (text: string): number[] =>
    (/^rgba?\(([^)]+)\)$/.exec(text)?.[1] ?? "")
      .split(/[ ,/]+/)
      .slice(0, 3)
      .map(Number);
  const [a, b] = [parts(colour), parts(paper)];
  if (a.length < 3 || b.length < 3) return colour;
  return `rgb(${a.map((value, i) => Math.round(value * share + b[i]! * (1 - share))).join(",")})`;
}

function AsTable(props: ChartProps & { onClose(): void }): VNode {
  const rows = props.timesMs
    .map((ms, at) => ({ ms, at }))
    .filter(({ at }) => props.lines.some((line) => line.values[at] != null && line.values[at] !== 0));
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">from</th>
            {props.lines.map((line) => (
              <th key={line.label} scope="col" class="num">
                {line.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(-120).map(({ ms, at }) => (
            <tr key={ms}>
              <th scope="row">{clockMs(ms)}</th>
              {props.lines.map((line) => (
                <td key={line.label} class="num">
                  <button
                    type="button"
                    class="link"
                    onClick={() => {
                      props.onClose();
                      props.onOpen(line, windowParam(ms, ms + props.stepMs));
                    }}
                  >
                    {props.format(line.values[at] ?? null)}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        {props.stack && rows.length > 0 && (
          <tfoot>
            <tr>
              <th scope="row">all</th>
              {props.lines.map((line) => (
                <td key={line.label} class="num">
                  <b>{props.format(total(line.values))}</b>
                </td>
              ))}
            </tr>
          </tfoot>
        )}
      </table>
      {rows.length === 0 && <p class="muted">There are no numbers in this time.</p>}
    </Dialog>
  );
}
