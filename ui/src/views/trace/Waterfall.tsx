// The tree of spans beside their bars on one axis of time. Only the rows on screen are elements; where the axis follows
// them, it is fitted in the same pass that draws them. One element has the focus, the selected row is told by
// aria-activedescendant.
import { type Signal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Critical } from "../../model/critical";
import { count, duration, tokens, usd } from "../../model/format";
import { positionAt, type Rows, type Run, runAt } from "../../model/rows";
import { following, type Stretch, tickLabel, ticks } from "../../model/timeline";
import { FAILED, hasChildren, kindAt, NO_SPAN, nameAt, OPEN, ownParts, type Tree, UNPRICED } from "../../model/trace";
import { recall, remember } from "../../memory";
import { Kind } from "../../widgets/parts";
import { drag } from "./Overview";

export const ROW_PX = 24;
const SPARE = 4;
const MOST_PX = 12_000_000;

export interface WaterfallProps {
  tree: Tree;
  rows: Rows;
  folded: ReadonlySet<number>;
  opened: ReadonlySet<number>;
  /** Row, -1 for none. */
  selected: number;
  /** The stretch to show; null where the axis follows the rows. */
  stretch: Stretch | null;
  /** Told what is shown. */
  shown: Signal<Stretch>;
  critical: Critical | null;
  matches: ReadonlySet<number> | null;
  onSelect(row: number): void;
  onFold(row: number, event: { altKey: boolean }): void;
  onZoom(stretch: Stretch): void;
  onWhole(): void;
  /** Rows that fit on the screen, for paging and for whether to follow. */
  onHeight(rows: number): void;
}

export function Waterfall(props: WaterfallProps): VNode {
  const { tree, rows, selected } = props;
  const own = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [box, setBox] = useState({ height: 600, width: 900 });
  const nameWidth = useSignal(Number(recall("trace.name")) || 0);
  const total = rows.list.length * ROW_PX;
  const shownPx = Math.min(total, MOST_PX);
  const scale = shownPx < total && shownPx > box.height ? (total - box.height) / (shownPx - box.height) : 1;
  const at = Math.max(0, Math.min(top * scale, total - box.height));
  const first = Math.max(0, Math.floor(at / ROW_PX) - SPARE);
  const last = Math.min(rows.list.length, Math.ceil((at + box.height) / ROW_PX) + SPARE);
  const seenFirst = Math.floor(at / ROW_PX);
  const seenLast = Math.min(rows.list.length, Math.ceil((at + box.height) / ROW_PX));
  const stretch = props.stretch ?? following(tree, rows, seenFirst, seenLast);
  useLayoutEffect(() => {
    const now = props.shown.peek();
    if (now.from !== stretch.from || now.to !== stretch.to) props.shown.value = stretch;
  });

  useLayoutEffect(() => {
    const element = own.current!;
    const measure = (): void => {
      setBox({ height: element.clientHeight || 600, width: element.clientWidth || 900 });
      props.onHeight(Math.max(1, Math.floor((element.clientHeight || 600) / ROW_PX)));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const lastRows = useRef(rows);
  useLayoutEffect(() => {
    const element = own.current!;
    if (selected < 0) return;
    const from = selected * ROW_PX;
    const seen = element.scrollTop * scale;
    const changed = lastRows.current !== rows;
    lastRows.current = rows;
    if (from >= seen && from + ROW_PX <= seen + element.clientHeight) return;
    // a far jump lands in the middle, a step at the edge
    const far = changed || Math.abs(from - seen) > element.clientHeight * 1.5;
    const edge = from < seen ? from : from + ROW_PX - element.clientHeight;
    element.scrollTop = Math.max(0, far ? from - element.clientHeight / 2 : edge) / scale;
    setTop(element.scrollTop);
  }, [selected, rows]);

  const name = nameWidth.value || Math.round(Math.max(200, Math.min(420, box.width * 0.36)));
  const figures = box.width > 620;
  const barPx = Math.max(80, box.width - name - (figures ? 140 : 0) - 16);
  const parts = useMemo(() => new Map<number, (readonly [number, number])[]>(), [tree]);
  const shownRows: VNode[] = [];
  for (let row = first; row < last; row++)
    shownRows.push(
      <Row
        key={rows.list[row]}
        row={row}
        props={props}
        stretch={stretch}
        parts={parts}
        barPx={barPx}
        figures={figures}
        isSelected={row === selected}
      />,
    );
  return (
    <div class={`waterfall${figures ? "" : " slim"}`} style={{ "--name": `${name}px` }}>
      <Axis stretch={stretch} widthPx={barPx} figures={figures} onZoom={props.onZoom} onWhole={props.onWhole}>
        <div
          class="name-edge"
          role="separator"
          aria-orientation="vertical"
          aria-label="width of the names"
          aria-valuenow={name}
          aria-valuemin={120}
          aria-valuemax={900}
          tabIndex={0}
          onKeyDown={(event) => {
            if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
            event.preventDefault();
            event.stopPropagation();
            nameWidth.value = Math.max(120, Math.min(900, name + (event.key === "ArrowLeft" ? -16 : 16)));
            remember("trace.name", String(nameWidth.value));
          }}
          onPointerDown={(event) => {
            event.preventDefault();
            const bar = event.currentTarget;
            bar.setPointerCapture(event.pointerId);
            const from = event.clientX - name;
            const move = (moved: PointerEvent): void => {
              nameWidth.value = Math.max(120, Math.min(box.width - 200, moved.clientX - from));
            };
            bar.addEventListener("pointermove", move);
            bar.addEventListener(
              "lostpointercapture",
              () => {
                bar.removeEventListener("pointermove", move);
                remember("trace.name", String(nameWidth.value));
              },
              { once: true },
            );
          }}
        />
      </Axis>
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
          const row = Number(target.closest<HTMLElement>("[data-row]")?.dataset["row"] ?? -1);
          if (row < 0) return;
          if (target.closest(".fold")) props.onFold(row, event);
          else props.onSelect(row);
        }}
        onDblClick={(event) => {
          const row = Number((event.target as HTMLElement).closest<HTMLElement>("[data-row]")?.dataset["row"] ?? -1);
          if (row >= 0) props.onFold(row, event);
        }}
      >
        <div class="sizer" role="presentation" style={{ height: `${shownPx}px` }}>
          <div
            class="window"
            role="presentation"
            style={{ transform: `translateY(${first * ROW_PX - at + at / scale}px)` }}
          >
            {shownRows}
          </div>
        </div>
      </div>
    </div>
  );
}

function Axis(props: {
  stretch: Stretch;
  widthPx: number;
  figures: boolean;
  onZoom(stretch: Stretch): void;
  onWhole(): void;
  children: VNode;
}): VNode {
  const { stretch } = props;
  const length = stretch.to - stretch.from;
  const marks = ticks(stretch, props.widthPx);
  const step = marks.length > 1 ? marks[1]! - marks[0]! : length;
  return (
    <div class="axis">
      <div class="axis-name">span{props.children}</div>
      <div
        class="axis-time"
        title="drag to zoom, double-click for the whole trace"
        onPointerDown={(event) => drag(event, length, props.onZoom, stretch.from)}
        onDblClick={props.onWhole}
      >
        {marks.map((mark, i) => (
          <span key={i} style={{ left: `${((mark - stretch.from) / length) * 100}%` }}>
            {tickLabel(mark, step)}
          </span>
        ))}
      </div>
      {props.figures && (
        <>
          <div class="num">tokens</div>
          <div class="num">cost</div>
        </>
      )}
    </div>
  );
}

function Row(given: {
  row: number;
  props: WaterfallProps;
  stretch: Stretch;
  parts: Map<number, (readonly [number, number])[]>;
  barPx: number;
  figures: boolean;
  isSelected: boolean;
}): VNode {
  const { row, props, stretch, isSelected } = given;
  const { tree, rows } = props;
  const run = runAt(rows, row);
  const at = positionAt(rows, row);
  const index = tree.order[at]!;
  const flags = tree.flags[at]!;
  const failed = run ? run.errors > 0 : (flags & FAILED) !== 0;
  const isOpen = !run && (flags & OPEN) !== 0;
  const kind = kindAt(tree, at);
  const known = /^[a-z_]+$/.test(kind) ? kind : "other";
  const foldable = run !== undefined || hasChildren(tree, at);
  const unfolded = run ? props.opened.has(run.first) : foldable && !props.folded.has(at);
  const from = run ? run.from : tree.from[at]!;
  const to = run ? run.to : tree.to[at]!;
  const indent = rows.indent[row]!;
  const level = Math.min(indent, 24);
  const match = props.matches?.has(at) && !run;
  const name = run ? run.name : nameAt(tree, at);
  const columns = tree.columns;
  const used = index === NO_SPAN || run ? null : (columns.tokens_in[index] ?? null);
  const costUsd = index === NO_SPAN || run ? null : (columns.cost_usd[index] ?? null);
  const counted = index !== NO_SPAN && used !== null;
  return (
    <div
      id={`span-row-${row}`}
      class={`span-row kind-${failed && !run ? "error" : known}${isSelected ? " selected" : ""}${match ? " match" : ""}${run ? " run" : ""}`}
      role="treeitem"
      aria-level={indent + 1}
      aria-posinset={row + 1}
      aria-setsize={rows.list.length}
      aria-expanded={foldable ? unfolded : undefined}
      aria-selected={isSelected}
      data-row={row}
    >
      <div class="span-name" style={{ paddingLeft: `${4 + level * 14}px` }}>
        <span class={`fold${foldable ? "" : " none"}`} aria-hidden="true">
          {foldable ? (unfolded ? "▾" : "▸") : ""}
        </span>
        <Kind kind={kind} failed={failed && !run} />
        <span class="one-line" title={name.length > 40 ? name.slice(0, 500) : undefined}>
          <bdi>{name.length > 300 ? name.slice(0, 300) : name}</bdi>
        </span>
        {run && <span class="times">× {count(run.count)}</span>}
        {failed && (
          <span class="error" title={run ? `${count(run.errors)} failed` : "failed"}>
            ✕<span class="sr-only">failed</span>
            {run && ` ${count(run.errors)}`}
          </span>
        )}
        {foldable && !unfolded && !run && <span class="muted below">+{count(tree.end[at]! - at - 1)}</span>}
      </div>
      <Bar given={given} run={run} at={at} from={from} to={to} isOpen={isOpen} stretch={stretch} />
      {given.figures && (
        <>
          <div class="num muted">{counted ? tokens(used + (columns.tokens_out[index] ?? 0)) : ""}</div>
          <div class="num muted">
            {costUsd !== null ? (
              usd(costUsd)
            ) : flags & UNPRICED && !run ? (
              <span title="nobody knows the price">?</span>
            ) : (
              ""
            )}
          </div>
        </>
      )}
    </div>
  );
}

function Bar(props: {
  given: { props: WaterfallProps; parts: Map<number, (readonly [number, number])[]>; barPx: number };
  run: Run | undefined;
  at: number;
  from: number;
  to: number;
  isOpen: boolean;
  stretch: Stretch;
}): VNode {
  const { run, at, from, to, isOpen, stretch } = props;
  const { tree, critical } = props.given.props;
  const length = stretch.to - stretch.from;
  const share = (us: number): number => ((us - stretch.from) / length) * 100;
  const left = Math.max(0, share(from));
  const right = Math.min(100, share(to));
  const outside = from > stretch.to ? "after" : to < stretch.from ? "before" : "";
  const told = isOpen ? `${duration(to - from)} …` : duration(to - from);
  const label = run ? `${duration(run.total)} · p95 ${duration(run.p95)}` : told;
  if (outside) return <div class={`span-bar out ${outside}`}>{outside === "after" ? `${label} ›` : `‹ ${label}`}</div>;
  const labelShare = ((label.length * 6.6 + 12) / props.given.barPx) * 100;
  const side = right + labelShare < 100 ? "right" : left > labelShare ? "left" : "inside";
  const width = Math.max(0, right - left);
  const inside = (us: number): string => `${Math.max(0, Math.min(100, ((share(us) - left) / (width || 1)) * 100))}%`;
  let own = props.given.parts.get(at);
  const nested = !run && hasChildren(tree, at);
  if (nested && own === undefined) {
    own = ownParts(tree, at);
    props.given.parts.set(at, own);
  }
  const index = tree.order[at]!;
  const ttft = run || index === NO_SPAN ? null : tree.columns.ttft_us[index];
  const path = run ? undefined : critical?.get(at);
  const visibleParts = width * props.given.barPx > 400 ? own : own?.slice(0, 1);
  return (
    <div class="span-bar">
      <div
        class={`stroke${nested ? " nested" : ""}${isOpen ? " open" : ""}${run ? " many" : ""}`}
        style={{ left: `${left}%`, width: `max(2px, ${width}%)` }}
      >
        {nested &&
          visibleParts?.map(([start, stop]) => (
            <i key={start} style={{ left: inside(start), width: `calc(${inside(stop)} - ${inside(start)})` }} />
          ))}
        {ttft != null && ttft > 0 && (
          <b class="notch" style={{ left: inside(from + ttft) }} title={`first token after ${duration(ttft)}`} />
        )}
        {path?.map(([start, stop]) => (
          <u key={start} style={{ left: inside(start), width: `calc(${inside(stop)} - ${inside(start)})` }} />
        ))}
        {side === "inside" && <span class="inside">{label}</span>}
      </div>
      {side === "right" && (
        <span class="beside" style={{ left: `calc(${right}% + 5px)` }}>
          {label}
        </span>
      )}
      {side === "left" && (
        <span class="beside" style={{ right: `calc(${100 - left}% + 5px)` }}>
          {label}
        </span>
      )}
    </div>
  );
}
