// A row of tabs: arrows move between them, the chosen one alone is in the tab order.
import type { VNode } from "preact";
import { useRef } from "preact/hooks";

export interface Tab {
  id: string;
  label: string;
  /** Shown small beside the label. */
  count?: number;
}

export function Tabs(props: {
  tabs: readonly Tab[];
  chosen: string;
  onChoose(id: string): void;
  label: string;
  /** Id of the element that shows what is chosen. */
  panel?: string;
}): VNode {
  const own = useRef<HTMLDivElement>(null);
  const move = (by: number): void => {
    const at = props.tabs.findIndex((tab) => tab.id === props.chosen);
    const next = props.tabs[(at + by + props.tabs.length) % props.tabs.length];
    if (!next) return;
    props.onChoose(next.id);
    own.current?.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus();
  };
  return (
    <div
      ref={own}
      class="tabs"
      role="tablist"
      aria-label={props.label}
      onKeyDown={(event) => {
        if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
        event.preventDefault();
        move(event.key === "ArrowRight" ? 1 : -1);
      }}
    >
      {props.tabs.map((tab) => (
        <button
          type="button"
          role="tab"
          key={tab.id}
          data-tab={tab.id}
          aria-selected={tab.id === props.chosen}
          aria-controls={tab.id === props.chosen ? props.panel : undefined}
          tabIndex={tab.id === props.chosen ? 0 : -1}
          onClick={() => props.onChoose(tab.id)}
        >
          {tab.label}
          {tab.count !== undefined && <span class="muted"> {tab.count}</span>}
        </button>
      ))}
    </div>
  );
}
