// The tree of spans beside their bars on one axis of time. Only the rows on screen are elements, and those that have not
// changed are the same ones as before; where the axis follows the rows, it is fitted in the pass that draws them. One
// element has the focus, the selected row is told by aria-activedescendant.
import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { recall, remember } from "../memory";
import type { CriticalPath } from "../model/critical";
import type { Folds, Matches, Rows } from "../model/rows";
import { followed, moved, type Window, zoomed } from "../model/timeline";
import type { Trace } from "../model/trace";
import { Axis } from "./Axis";
import { scrolled } from "./scrolled";
import { drawRow, type Drawn, type Look } from "./SpanRow";
import type { SpanColumn } from "./spancolumns";

export const ROW_PX = 24;
const SPARE = 4;
const LEAST_BAR_PX = 220;
const INDENT_PX = 14;

export interface WaterfallProps {
  trace: Trace;
  rows: Rows;
  folds: Folds;
  /** Row, -1 for none. */
  selected: number;
  /** What to show of the time; null where the axis follows the rows. */
  window: Window | null;
  whole: Window;
  /** Told what is shown. */
  shown: Signal<Window>;
  now: number;
  critical: CriticalPath | null;
  matches: Matches | null;
  columns: readonly SpanColumn[];
  onSelect(row: number): void;
  onFold(row: number, level: boolean): void;
  onZoom(window: Window): void;
  onWhole(): void;
  /** Rows that fit on the screen, for paging and for whether to follow. */
  onHeight(rows: number): void;
}

export function Waterfall(props: WaterfallProps): VNode {
  const { trace, rows, selected, whole } = props;
  const own = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [box, setBox] = useState({ height: 600, width: 900, bar: 0 });
  const [nameWidth, setNameWidth] = useState(() => Number(recall("trace.name")) || 0);
  const count = rows.place.length;
  const { sizerPx, scale, at, first, last, offsetPx } = scrolled(count, ROW_PX, top, box.height, SPARE);
  const seenFirst = Math.floor(at / ROW_PX);
  const seenLast = Math.min(count, Math.floor((at + box.height) / ROW_PX + 0.4));
  const window = props.window ?? followed(trace, rows, seenFirst, seenLast, props.now, whole);
  useLayoutEffect(() => {
    const now = props.shown.peek();
    if (now.from !== window.from || now.to !== window.to) props.shown.value = window;
  });

  useLayoutEffect(() => {
    const element = own.current!;
    const measure = (): void => {
      const height = element.clientHeight || 600;
      setBox({ height, width: element.clientWidth || 900, bar: element.offsetWidth - element.clientWidth });
      props.onHeight(Math.max(1, Math.floor(height / ROW_PX)));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const before = useRef(rows);
  useLayoutEffect(() => {
    const element = own.current!;
    const changed = before.current !== rows;
    before.current = rows;
    if (selected < 0) return;
    const from = selected * ROW_PX;
    const seen = element.scrollTop * scale;
    if (from >= seen && from + ROW_PX <= seen + element.clientHeight) return;
    // a far jump lands in the middle, a step at the edge; folding elsewhere moves nothing
    const far = changed || Math.abs(from - seen) > element.clientHeight * 1.5;
    const edge = from < seen ? from : from + ROW_PX - element.clientHeight;
    element.scrollTop = Math.max(0, far ? from - element.clientHeight / 2 : edge) / scale;
    setTop(element.scrollTop);
  }, [selected]);

  const columns = fitting(props.columns, box.width);
  const figures = columns.reduce((sum, column) => sum + column.px + 6, 0);
  const most = Math.max(140, box.width - figures - LEAST_BAR_PX / 2);
  const name = Math.min(most, nameWidth || Math.round(Math.max(180, Math.min(420, box.width * 0.36))));
  const barPx = Math.max(60, box.width - name - figures - 16);
  const setName = (px: number): void => {
    const kept = Math.round(Math.max(120, Math.min(most, px)));
    setNameWidth(kept);
    remember("trace.name", String(kept));
  };

  // deep rows: what all have in common is left out, so that names stay readable at any depth
  const levels = Math.max(3, Math.floor((name * 0.55) / INDENT_PX));
  let [low, high] = [Infinity, 0];
  for (let row = seenFirst; row < seenLast && !rows.flat; row += 1) {
    const depth = trace.depth[rows.place[row]!]!;
    low = Math.min(low, depth);
    high = Math.max(high, depth);
  }
  const shift = high > levels ? Math.max(0, Math.min(low, high - levels)) : 0;

  const look: Look = { ...props, window, barPx, columns, shift, levels };
  const kept = useRef(new Map<number, Drawn>());
  const drawn = new Map<number, Drawn>();
  const elements: VNode[] = [];
  for (let row = first; row < last; row += 1) {
    const place = rows.place[row]!;
    const made = drawRow(look, row, place, kept.current.get(place));
    drawn.set(place, made);
    elements.push(made.row);
  }
  kept.current = drawn;

  const momentAt = (clientX: number): number => {
    const left = own.current!.getBoundingClientRect().left + name + 6;
    return window.from + Math.max(0, Math.min(1, (clientX - left) / barPx)) * (window.to - window.from);
  };
  const template = `${name}px minmax(0, 1fr) ${columns.map((column) => `${column.px}px`).join(" ")}`;
  return (
    <div class="waterfall" style={{ "--template": template }}>
      <Axis
        window={window}
        whole={whole}
        widthPx={barPx}
        columns={columns}
        scrollbarPx={box.bar}
        shift={shift}
        name={name}
        onName={setName}
        onZoom={props.onZoom}
        onWhole={props.onWhole}
      />
      <div
        ref={own}
        class="scroller tree"
        id="tree"
        role="tree"
        aria-label="spans"
        tabIndex={0}
        aria-activedescendant={selected >= first && selected < last ? `span-row-${selected}` : undefined}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        // one listener for all rows: nothing to hang on and off while scrolling
        onClick={(event) => {
          const target = event.target as HTMLElement;
          const row = rowOf(target);
          if (row < 0) return;
          if (target.closest(".fold")) props.onFold(row, event.altKey);
          else props.onSelect(row);
        }}
        onDblClick={(event) => {
          const target = event.target as HTMLElement;
          if (rowOf(target) >= 0 && !target.closest(".fold")) props.onFold(rowOf(target), event.altKey);
        }}
        onWheel={(event) => {
          const zooms = event.ctrlKey || event.metaKey;
          const by = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
          const pans = !zooms && by !== 0 && Math.abs(by) >= Math.abs(event.deltaY);
          if (!zooms && !pans) return;
          event.preventDefault();
          if (zooms) props.onZoom(zoomed(window, 1.0015 ** event.deltaY, momentAt(event.clientX), whole));
          else props.onZoom(moved(window, ((window.to - window.from) * by) / barPx, whole));
        }}
      >
        <div class="sizer" role="presentation" style={{ height: `${sizerPx}px` }}>
          <div class="window" role="presentation" style={{ transform: `translateY(${offsetPx}px)` }}>
            {elements}
          </div>
        </div>
      </div>
    </div>
  );
}

function rowOf(target: HTMLElement): number {
  return Number(target.closest<HTMLElement>("[data-row]")?.dataset["row"] ?? -1);
}

/** As many columns as leave room for names and bars; the last ones are the most wanted. */
function fitting(columns: readonly SpanColumn[], width: number): readonly SpanColumn[] {
  let room = width - 180 - LEAST_BAR_PX;
  const kept: SpanColumn[] = [];
  for (const column of [...columns].reverse()) {
    room -= column.px + 6;
    if (room < 0) break;
    kept.unshift(column);
  }
  return kept;
}
