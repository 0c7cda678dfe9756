// The one key map. Views say what an action does (`useKeys`); which key it has stands here, and the sheet under `?`
// and docs/page.md are made from it. No key acts while a text field has the focus.
import { useLayoutEffect, useRef } from "preact/hooks";

export type KeyPlace = "everywhere" | "list" | "tree" | "detail" | "queue" | "compare";

interface Key {
  keys: readonly string[];
  where: KeyPlace;
  what: string;
}

export const KEYS = {
  filter: { keys: ["/"], where: "everywhere", what: "type a filter" },
  palette: { keys: ["Ctrl+k", "Meta+k"], where: "everywhere", what: "go to a page, a saved view or a trace id" },
  sheet: { keys: ["?"], where: "everywhere", what: "this sheet" },
  close: { keys: ["Escape"], where: "everywhere", what: "close, clear, zoom out" },
  traces: { keys: ["g t"], where: "everywhere", what: "go to traces" },
  live: { keys: ["g l"], where: "everywhere", what: "go to live traces" },
  sessions: { keys: ["g s"], where: "everywhere", what: "go to sessions" },
  logs: { keys: ["g o"], where: "everywhere", what: "go to logs" },
  dash: { keys: ["g d"], where: "everywhere", what: "go to dashboards" },
  errors: { keys: ["g e"], where: "everywhere", what: "go to errors" },
  scores: { keys: ["g c"], where: "everywhere", what: "go to scores" },
  settings: { keys: ["g ,"], where: "everywhere", what: "go to settings" },
  copyLink: { keys: ["Y"], where: "everywhere", what: "copy a link that shows the same tomorrow" },
  toggleLive: { keys: ["l"], where: "everywhere", what: "live on or off" },
  hold: { keys: ["."], where: "everywhere", what: "hold what arrives live, or go on" },
  down: { keys: ["j", "ArrowDown"], where: "list", what: "down" },
  up: { keys: ["k", "ArrowUp"], where: "list", what: "up" },
  first: { keys: ["Home"], where: "list", what: "to the first" },
  last: { keys: ["End"], where: "list", what: "to the last" },
  pageDown: { keys: ["PageDown"], where: "list", what: "a screen down" },
  pageUp: { keys: ["PageUp"], where: "list", what: "a screen up" },
  open: { keys: ["Enter"], where: "list", what: "open" },
  peek: { keys: [" "], where: "list", what: "look at it beside the list" },
  select: { keys: ["x"], where: "list", what: "select for comparing" },
  compare: { keys: ["c"], where: "list", what: "compare the two selected" },
  fold: { keys: ["ArrowLeft", "h"], where: "tree", what: "fold, or go to the parent" },
  unfold: { keys: ["ArrowRight"], where: "tree", what: "unfold, or go to the first child" },
  foldAll: { keys: ["Shift+ArrowLeft"], where: "tree", what: "fold the whole subtree" },
  unfoldAll: { keys: ["Shift+ArrowRight"], where: "tree", what: "unfold the whole subtree" },
  depth: { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], where: "tree", what: "fold to this depth" },
  nextError: { keys: ["e"], where: "tree", what: "next error" },
  previousError: { keys: ["E"], where: "tree", what: "previous error" },
  nextCall: { keys: ["m"], where: "tree", what: "next model call" },
  previousCall: { keys: ["M"], where: "tree", what: "previous model call" },
  nextMatch: { keys: ["n"], where: "tree", what: "next match of the search" },
  previousMatch: { keys: ["N"], where: "tree", what: "previous match of the search" },
  zoom: { keys: ["z"], where: "tree", what: "zoom to the span" },
  whole: { keys: ["0"], where: "tree", what: "the whole trace" },
  zoomIn: { keys: ["+", "="], where: "tree", what: "zoom in" },
  zoomOut: { keys: ["-"], where: "tree", what: "zoom out" },
  follow: { keys: ["f"], where: "tree", what: "follow: the axis fits the rows on screen" },
  critical: { keys: ["p"], where: "tree", what: "show the critical path" },
  nextTrace: { keys: ["J"], where: "tree", what: "next trace of the list" },
  previousTrace: { keys: ["K"], where: "tree", what: "previous trace of the list" },
  copy: { keys: ["y"], where: "tree", what: "copy the span as JSON" },
  switchPane: { keys: ["t"], where: "tree", what: "from tree to detail and back" },
  nextTab: { keys: ["]"], where: "detail", what: "next tab" },
  previousTab: { keys: ["["], where: "detail", what: "previous tab" },
  annotate: { keys: ["a"], where: "detail", what: "give a score" },
  label: { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], where: "queue", what: "give this label" },
  save: { keys: ["s", "Enter"], where: "queue", what: "save and go to the next" },
  skip: { keys: ["ArrowRight", "n"], where: "queue", what: "skip" },
  back: { keys: ["ArrowLeft", "b"], where: "queue", what: "back to the one before" },
  comment: { keys: ["i"], where: "queue", what: "write a comment" },
  nextDifference: { keys: ["d"], where: "compare", what: "next span that differs" },
  previousDifference: { keys: ["D"], where: "compare", what: "previous span that differs" },
  onlyDifferences: { keys: ["o"], where: "compare", what: "only differences" },
  swap: { keys: ["w"], where: "compare", what: "swap the sides" },
} as const satisfies Record<string, Key>;

export type ActionId = keyof typeof KEYS;
export type Actions = Partial<Record<ActionId, (event: KeyboardEvent) => void>>;

const stack: { actions: Actions; where: KeyPlace }[] = [];
let pending = "";
let pendingUntil = 0;

/** Handlers for the time that a component is there. The one mounted last is asked first. */
export function useKeys(where: KeyPlace, actions: Actions): void {
  const latest = useRef(actions);
  latest.current = actions;
  // with what it belongs to, not after it is painted: a key pressed at once acts
  useLayoutEffect(() => {
    const own = {
      where,
      get actions() {
        return latest.current;
      },
    };
    stack.push(own);
    return () => void stack.splice(stack.indexOf(own), 1);
  }, [where]);
}

/** Whether typing belongs to the element: then no key is ours. */
export function takesText(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  if (!element?.matches) return false;
  return element.matches("input:not([type=checkbox],[type=radio],[type=range]), textarea, select, [contenteditable]");
}

function named(event: KeyboardEvent): string {
  const held = `${event.ctrlKey ? "Ctrl+" : ""}${event.metaKey ? "Meta+" : ""}${event.altKey ? "Alt+" : ""}`;
  const shift = event.shiftKey && event.key.length > 1 ? "Shift+" : "";
  return held + shift + event.key;
}

/** The action of a key press, asked of the mounted views; true if one took it. */
export function press(event: KeyboardEvent, nowMs: number): boolean {
  const key = named(event);
  if (takesText(event.target) && key !== "Escape" && !key.endsWith("+k")) return false;
  // a focused button or link keeps the keys that work it
  const control = (event.target as Element | null)?.closest?.("button, a[href], summary, [role=menuitem], [role=tab]");
  if (control && (key === "Enter" || key === " ")) return false;
  const told = pending !== "" && nowMs < pendingUntil ? `${pending} ${key}` : key;
  pending = "";
  if (key === "g" && told === "g") {
    pending = "g";
    pendingUntil = nowMs + 1_200;
    return true;
  }
  for (const { actions } of [...stack].reverse())
    for (const [id, act] of Object.entries(actions))
      if (act && (KEYS[id as ActionId].keys as readonly string[]).includes(told)) {
        act(event);
        return true;
      }
  return false;
}

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    if (!event.defaultPrevented && !event.isComposing && press(event, performance.now())) event.preventDefault();
  });
}

/** A key as a person reads it. */
export function shown(key: string): string {
  const names: Record<string, string> = {
    ArrowDown: "↓",
    ArrowUp: "↑",
    ArrowLeft: "←",
    ArrowRight: "→",
    Escape: "Esc",
    " ": "Space",
    "Meta+k": "⌘ K",
    "Ctrl+k": "Ctrl K",
    PageDown: "PgDn",
    PageUp: "PgUp",
    "Shift+ArrowLeft": "Shift ←",
    "Shift+ArrowRight": "Shift →",
  };
  return names[key] ?? key;
}
