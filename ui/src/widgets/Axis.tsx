// Above the waterfall: ticks of the time that is shown, names of the columns, and the edge that makes names wider.
import type { VNode } from "preact";
import { ticks, type Window } from "../model/timeline";
import { dragAcross } from "./drag";
import type { SpanColumn } from "./spancolumns";

/** What a label takes; one that would be cut is left out. */
const TICK_PX = 46;
const EACH_PX = 76;

export function Axis(props: {
  window: Window;
  whole: Window;
  widthPx: number;
  columns: readonly SpanColumn[];
  scrollbarPx: number;
  /** Levels of the tree that are left out at the left. */
  shift: number;
  /** Width of the names. */
  name: number;
  onName(px: number): void;
  onZoom(window: Window): void;
  onWhole(): void;
}): VNode {
  const { window, name } = props;
  const length = window.to - window.from;
  const room = (props.widthPx - TICK_PX) / props.widthPx;
  const marks = ticks(window, props.widthPx, EACH_PX).filter((mark) => (mark.at - window.from) / length < room);
  return (
    <div class="axis" style={{ paddingRight: `${10 + props.scrollbarPx}px` }}>
      <div class="axis-name">
        span
        {props.shift > 0 && (
          <span class="muted" title="levels above are left out at the left">
            {" "}
            · level {props.shift + 1} and below
          </span>
        )}
        <NameEdge name={name} onName={props.onName} />
      </div>
      <div
        class="axis-time"
        title="drag to zoom, double-click for the whole trace"
        onPointerDown={(event) =>
          dragAcross(event, (from, to) =>
            props.onZoom({ from: window.from + from * length, to: window.from + to * length }),
          )
        }
        onDblClick={props.onWhole}
      >
        {marks.map((mark, i) => (
          <span key={i} style={{ left: `${((mark.at - window.from) / length) * 100}%` }}>
            {mark.label}
          </span>
        ))}
      </div>
      {props.columns.map((column) => (
        <div key={column.id} class={column.words ? "one-line" : "num"}>
          {column.label}
        </div>
      ))}
    </div>
  );
}

function NameEdge({ name, onName }: { name: number; onName(px: number): void }): VNode {
  return (
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
        onName(name + (event.key === "ArrowLeft" ? -16 : 16));
      }}
      onPointerDown={(event) => {
        event.preventDefault();
        const bar = event.currentTarget;
        bar.setPointerCapture(event.pointerId);
        const from = event.clientX - name;
        const move = (moved: PointerEvent): void => onName(moved.clientX - from);
        bar.addEventListener("pointermove", move);
        bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), { once: true });
      }}
    />
  );
}
