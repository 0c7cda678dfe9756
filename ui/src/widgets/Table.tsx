// A table of many rows of one height: a header, virtual rows, columns that are chosen and remembered. Columns say how
// they look; rows are whatever the view has.
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { rowId, VirtualList } from "./VirtualList";

export interface Column<T> {
  id: string;
  label: string;
  /** A CSS grid track, such as `80px` or `minmax(120px, 2fr)`. */
  width: string;
  numeric?: boolean;
  /** The label is only for those who do not see it. */
  hidden?: boolean;
  cell(row: T, i: number): ComponentChildren;
  /** Text for a title, where the cell may be cut. */
  title?(row: T): string;
  sort?: { on: boolean; act(): void };
  /** Left out first where there is too little room, the higher the sooner; without it the column always stays. */
  drop?: number;
}

/** The least width of a grid track. */
export function leastPx(width: string): number {
  return Number(/(\d+)px/.exec(width)?.[1] ?? 60);
}

const GAP_PX = 14;
const EDGE_PX = 24;

/** The columns that fit into a width; those that may be dropped go by their number. */
export function fitting<T extends { width: string; drop?: number }>(
  columns: readonly T[],
  widthPx: number,
): readonly T[] {
  let kept = columns;
  const need = (): number => kept.reduce((sum, column) => sum + leastPx(column.width) + GAP_PX, EDGE_PX - GAP_PX);
  while (need() > widthPx) {
    const most = Math.max(...kept.map((column) => column.drop ?? 0));
    if (most <= 0) return kept;
    kept = kept.filter((column) => (column.drop ?? 0) !== most);
  }
  return kept;
}

export interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey(row: T): string;
  selected?: number;
  onSelect?(i: number): void;
  onOpen?(i: number, event?: MouseEvent): void;
  onEnd?(): void;
  rowClass?(row: T, i: number): string;
  rowHeight?: number;
  keys?: boolean;
  /** The element that scrolls, for whoever wants to know where it stands. */
  scroller?: { current: HTMLDivElement | null };
}

export function Table<T>(props: TableProps<T>): VNode {
  const { rows } = props;
  const own = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(Number.POSITIVE_INFINITY);
  useLayoutEffect(() => {
    const element = own.current!;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth || Number.POSITIVE_INFINITY));
    setWidth(element.clientWidth || Number.POSITIVE_INFINITY);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = fitting(props.columns, width);
  const tracks = columns.map((column) => column.width).join(" ");
  return (
    <div class="table" ref={own} style={{ "--columns": tracks }}>
      <VirtualList
        label={props.label}
        role="grid"
        class="body"
        count={rows.length}
        rowHeight={props.rowHeight ?? 28}
        selected={props.selected ?? -1}
        {...(props.onSelect ? { onSelect: props.onSelect } : {})}
        {...(props.onOpen ? { onOpen: (i: number) => props.onOpen?.(i) } : {})}
        {...(props.onEnd ? { onEnd: props.onEnd } : {})}
        {...(props.keys === undefined ? {} : { keys: props.keys })}
        {...(props.scroller ? { scroller: props.scroller } : {})}
        header={
          <div class="row header" role="row" aria-rowindex={1}>
            {columns.map((column) => (
              <div
                key={column.id}
                class={`cell${column.numeric ? " num" : ""}`}
                role="columnheader"
                aria-sort={column.sort?.on ? "descending" : undefined}
              >
                {column.sort ? (
                  <button type="button" class="bare sort" onClick={column.sort.act}>
                    {column.label}
                    <span aria-hidden="true">{column.sort.on ? "▾" : ""}</span>
                  </button>
                ) : (
                  <span class={column.hidden ? "sr-only" : undefined}>{column.label}</span>
                )}
              </div>
            ))}
          </div>
        }
        render={(i) => {
          const row = rows[i] as T;
          return (
            <div
              key={props.rowKey(row)}
              id={rowId(props.label, i)}
              class={`row ${props.rowClass?.(row, i) ?? ""}`}
              role="row"
              aria-rowindex={i + 2}
              aria-selected={i === props.selected}
              style={{ height: `${props.rowHeight ?? 28}px` }}
              onClick={(event) => {
                if ((event.target as Element).closest("a, button, input")) return;
                props.onSelect?.(i);
              }}
              onDblClick={(event) => props.onOpen?.(i, event)}
            >
              {columns.map((column) => (
                <div
                  key={column.id}
                  class={`cell${column.numeric ? " num" : ""}`}
                  role="gridcell"
                  title={column.title?.(row)}
                >
                  {column.cell(row, i)}
                </div>
              ))}
            </div>
          );
        }}
      />
    </div>
  );
}
