// The keys of the tree: moving, folding, the next error, zooming. Keys that scroll belong to the detail while it has the
// focus.
import type { ReadonlySignal } from "@preact/signals";
import { type Actions, useKeys } from "../../keys";
import { canFold, type Folds, foldsToDepth, nextOf, type Rows, withFold, withSubtree } from "../../model/rows";
import { around, type Window, zoomed } from "../../model/timeline";
import { endOf, startOf, type Trace } from "../../model/trace";

interface Hand {
  trace: Trace;
  rows: Rows;
  folds: Folds;
  /** The selected place, and its row: -1 where it is hidden. */
  at: number;
  row: number;
  /** Rows on a screen. */
  fits: number;
  now: number;
  whole: Window;
  shown: ReadonlySignal<Window>;
  isZoomed: boolean;
  show(place: number): void;
  goTo(place: number): void;
  setFolds(folds: Folds, levels?: number): void;
  zoomTo(window: Window | null): void;
  showWhole(): void;
  toggleFollow(): void;
  toggleCritical(): void;
  stepMatch: ((by: 1 | -1) => void) | undefined;
}

export function useTreeKeys(hand: Hand): void {
  const { trace, rows, folds, at, row, fits } = hand;
  const step = (by: number): void => {
    const from = row < 0 ? (by > 0 ? -1 : rows.place.length) : row;
    const next = rows.place[Math.max(0, Math.min(rows.place.length - 1, from + by))];
    if (next !== undefined) hand.show(next);
  };
  const foldable = !rows.flat && canFold(trace, at);
  const scrollsDetail =
    (act: () => void) =>
    (event: KeyboardEvent): void => {
      if (!scrolled(event)) act();
    };
  const middle = (): number => {
    const { from, to } = hand.shown.peek();
    const own = (startOf(trace, at) + endOf(trace, at, hand.now)) / 2;
    return own >= from && own <= to ? own : (from + to) / 2;
  };
  const zoomBy = (factor: number): void => hand.zoomTo(zoomed(hand.shown.peek(), factor, middle(), hand.whole));
  const actions: Actions = {
    down: scrollsDetail(() => step(1)),
    up: scrollsDetail(() => step(-1)),
    first: scrollsDetail(() => step(-Infinity)),
    last: scrollsDetail(() => step(Infinity)),
    pageDown: scrollsDetail(() => step(fits - 1)),
    pageUp: scrollsDetail(() => step(1 - fits)),
    fold: () => {
      if (foldable && !folds[at]) hand.setFolds(withFold(folds, at, true));
      else if (trace.up[at]! >= 0) hand.goTo(trace.up[at]!);
    },
    unfold: () => {
      if (!foldable) return;
      if (folds[at]) hand.setFolds(withFold(folds, at, false));
      else hand.goTo(rows.place[row + 1] ?? -1);
    },
    foldAll: () => foldable && hand.setFolds(withSubtree(trace, folds, at, true)),
    unfoldAll: () => foldable && hand.setFolds(withSubtree(trace, folds, at, false)),
    depth: (event) => hand.setFolds(foldsToDepth(trace, Number(event.key)), Number(event.key)),
    nextError: () => hand.goTo(nextOf(trace.errors, at, 1)),
    previousError: () => hand.goTo(nextOf(trace.errors, at, -1)),
    nextCall: () => hand.goTo(nextOf(trace.calls, at, 1)),
    previousCall: () => hand.goTo(nextOf(trace.calls, at, -1)),
    zoom: () => hand.zoomTo(around(startOf(trace, at), endOf(trace, at, hand.now), hand.whole)),
    whole: hand.showWhole,
    zoomIn: () => zoomBy(0.5),
    zoomOut: () => zoomBy(2),
    follow: hand.toggleFollow,
    critical: hand.toggleCritical,
  };
  const { stepMatch } = hand;
  if (stepMatch) {
    actions.nextMatch = () => stepMatch(1);
    actions.previousMatch = () => stepMatch(-1);
  }
  if (hand.isZoomed) actions.close = () => hand.zoomTo(null);
  useKeys("tree", actions);
}

/** Arrows and the like in the detail scroll it, as they would without us; j and k stay with the tree. */
function scrolled(event: KeyboardEvent): boolean {
  if (event.key.length === 1) return false;
  const panel = (event.target as Element | null)?.closest<HTMLElement>("#detail-panel");
  if (!panel) return false;
  let area: HTMLElement | null = panel;
  while (area && area.scrollHeight <= area.clientHeight) area = area.parentElement;
  if (!area) return false;
  const page = area.clientHeight - 40;
  const by: Readonly<Record<string, number>> = {
    ArrowDown: 40,
    ArrowUp: -40,
    PageDown: page,
    PageUp: -page,
    End: area.scrollHeight,
    Home: -area.scrollHeight,
  };
  area.scrollBy({ top: by[event.key] ?? 0 });
  return true;
}
