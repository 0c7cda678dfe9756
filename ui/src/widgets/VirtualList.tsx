// A tall list of rows of one height, of which only those on screen are elements. One element has the focus; the
// selected row is told by aria-activedescendant. Knows nothing of what a row shows.
import type { ComponentChildren, Ref, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "../keys";
import { scrolled } from "./scrolled";

export interface VirtualListProps {
  count: number;
  rowHeight: number;
  /** A row; give it `id={rowId(label, i)}` and a role. Called for the rows on screen only. */
  render(i: number): VNode;
  label: string;
  role?: "grid" | "tree" | "listbox" | "list" | "rowgroup";
  /** -1 for none. */
  selected?: number;
  onSelect?(i: number): void;
  onOpen?(i: number): void;
  onEnd?(): void;
  onRange?(first: number, last: number): void;
  /** Whether j, k and the like are this list's; one list of a page should say so. */
  keys?: boolean;
  /** Stays at the top while the rows scroll; `HEADER_PX` high. */
  header?: ComponentChildren;
  class?: string;
  scroller?: Ref<HTMLDivElement>;
}

const SPARE = 6;
export const HEADER_PX = 28;

export function rowId(label: string, i: number): string {
  return `${label.replace(/\W+/g, "-")}-row-${i}`;
}

export function VirtualList(props: VirtualListProps): VNode {
  const { count, rowHeight, selected = -1 } = props;
  const own = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const headPx = props.header ? HEADER_PX : 0;
  const { sizerPx, scale, first, last, offsetPx } = scrolled(count, rowHeight, top, height, SPARE);

  useLayoutEffect(() => {
    const element = own.current;
    if (!element) return;
    const measure = (): void => setHeight((element.clientHeight || 600) - headPx);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    props.onRange?.(first, last);
    if (last >= count - 1 && count > 0) props.onEnd?.();
  }, [first, last, count]);
  const reveal = (i: number): void => {
    const element = own.current;
    if (!element || i < 0) return;
    const from = i * rowHeight;
    const seen = element.scrollTop * scale;
    if (from < seen) element.scrollTop = from / scale;
    else if (from + rowHeight > seen + element.clientHeight - headPx)
      element.scrollTop = (from + rowHeight - element.clientHeight + headPx) / scale;
  };
  useLayoutEffect(() => reveal(selected), [selected]);

  const move = (by: number): void => {
    if (count === 0) return;
    const from = selected < 0 ? (by > 0 ? -1 : count) : selected;
    props.onSelect?.(Math.max(0, Math.min(count - 1, from + by)));
  };
  const page = Math.max(1, Math.floor(height / rowHeight) - 1);
  useKeys(
    "list",
    props.keys === false || !props.onSelect
      ? {}
      : {
          down: () => move(1),
          up: () => move(-1),
          first: () => move(-count - 1),
          last: () => move(count + 1),
          pageDown: () => move(page),
          pageUp: () => move(-page),
          ...(props.onOpen && selected >= 0 ? { open: () => props.onOpen?.(selected) } : {}),
        },
  );

  const rows: VNode[] = [];
  for (let i = first; i < last; i++) rows.push(props.render(i));
  return (
    <div
      ref={(element) => {
        own.current = element;
        const given = props.scroller;
        if (typeof given === "function") given(element);
        else if (given) given.current = element;
      }}
      class={`scroller ${props.class ?? ""}`}
      role={props.role ?? "list"}
      aria-label={props.label}
      aria-rowcount={props.role === "grid" ? count + (props.header ? 1 : 0) : undefined}
      aria-activedescendant={selected >= first && selected < last ? rowId(props.label, selected) : undefined}
      tabIndex={0}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      {props.header}
      <div class="sizer" role="presentation" style={{ height: `${sizerPx}px` }}>
        <div class="window" role="presentation" style={{ transform: `translateY(${offsetPx}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
