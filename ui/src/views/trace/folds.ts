// What is folded of the trace on the page: kept while it grows, told by the address, and put aside while a search shows
// matches in their context.
import { useMemo, useRef, useState } from "preact/hooks";
import { carriedFolds, type Folds, foldsOf, foldsText } from "../../model/rows";
import type { Trace } from "../../model/trace";
import type { Later } from "./later";

export interface Folding {
  folds: Folds;
  /** `levels` is the depth that all was folded to, for a short address. */
  set(folds: Folds, levels?: number): void;
}

export function useFolds(trace: Trace, told: string, later: Later): Folding {
  const kept = useRef<{ trace: Trace; folds: Folds; levels: number; told: string } | undefined>(undefined);
  const [, redraw] = useState(0);
  const now = kept.current;
  if (now === undefined || (now.told !== told && !later.own("fold", told))) {
    kept.current = { trace, ...foldsOf(trace, told), told };
  } else if (now.trace !== trace) {
    kept.current = { ...now, trace, folds: carriedFolds(now.trace, now.folds, trace) };
  } else if (now.told !== told) kept.current = { ...now, told };
  const own = kept.current!;
  return {
    folds: own.folds,
    set(folds, levels = own.levels) {
      kept.current = { ...own, folds, levels };
      later.write({ fold: foldsText(trace, folds, levels) || null });
      redraw((n) => n + 1);
    },
  };
}

/** Folds of the search's context: nothing is folded when a search begins. */
export function useOpenFolds(trace: Trace, key: unknown): Folding {
  const fresh = useMemo(() => ({ folds: new Uint8Array(trace.places) as Folds }), [trace, key]);
  const [, redraw] = useState(0);
  return {
    folds: fresh.folds,
    set(folds) {
      fresh.folds = folds;
      redraw((n) => n + 1);
    },
  };
}
