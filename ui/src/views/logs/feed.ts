// The rows of the list of logs: pages that are read as one scrolls, and what arrives live, held while somebody reads.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, isApiError, openLive, type ApiError } from "../../api/client";
import type { LogRow } from "../../api/types";
import { merged, rateOf } from "../../model/logs";
import { timeWindow } from "../../url";

const FIRST_PAGE = 100;
const PAGE = 400;
/** Rows that a live list keeps, and as many at most wait while it is held. */
export const KEPT_LIVE = 5_000;

export type LiveState = "off" | "connecting" | "open" | "closed";

export interface Feed {
  rows: readonly LogRow[];
  loading: boolean;
  /** The rows are those of the question before. */
  stale: boolean;
  error: ApiError | undefined;
  /** Whether the window has further rows, whether the oldest were let go, or neither. */
  end: "more" | "end" | "let-go";
  live: LiveState;
  /** What arrived while the list was held. */
  waiting: number;
  perSecond: number;
  lost: number;
  leftOut: number;
  more(): void;
  reload(): void;
  /** Put in what waits. */
  release(): void;
}

interface Asked {
  project: string;
  q: string;
  t: string | undefined;
  oldest: boolean;
  live: boolean;
  /** Whether what arrives is to wait. Read at each arrival. */
  isHeld(): boolean;
}

export function useFeed(asked: Asked): Feed {
  const [, redraw] = useState(0);
  const [again, setAgain] = useState(0);
  const held = useRef(asked.isHeld);
  held.current = asked.isHeld;
  const feed = useRef<ReturnType<typeof openFeed>>(undefined);
  const { project, q, t, oldest, live } = asked;
  useEffect(() => {
    if (project === "") return;
    const own = openFeed(
      { q, t, oldest, live, before: feed.current },
      () => held.current(),
      () => redraw((n) => n + 1),
    );
    feed.current = own;
    redraw((n) => n + 1);
    return () => own.close();
  }, [project, q, t, oldest, live, again]);
  const own = feed.current;
  return {
    rows: own?.rows ?? [],
    loading: own?.loading ?? true,
    stale: own?.stale ?? true,
    error: own?.error,
    end: own?.end ?? "more",
    live: own?.live ?? "off",
    waiting: own?.waiting.length ?? 0,
    perSecond: own ? rateOf(own.arrivals, Date.now()) : 0,
    lost: own?.lost ?? 0,
    leftOut: own?.leftOut ?? 0,
    more: () => own?.more(),
    release: () => own?.release(),
    reload: () => setAgain((n) => n + 1),
  };
}

interface Question {
  q: string;
  t: string | undefined;
  oldest: boolean;
  live: boolean;
  /** Whose rows are shown until the first answer is there. */
  before: { rows: readonly LogRow[] } | undefined;
}

function openFeed(question: Question, isHeld: () => boolean, changed: () => void) {
  const asking = new AbortController();
  const window = timeWindow(question.t);
  let cursor: string | undefined;
  let read = false; // whether the first page was
  let asked = false; // for the first page, while another was on its way
  let closeLive = (): void => undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  const own = {
    rows: question.before?.rows ?? ([] as readonly LogRow[]),
    waiting: [] as readonly LogRow[],
    arrivals: [] as (readonly [number, number])[],
    loading: false,
    stale: true,
    error: undefined as ApiError | undefined,
    end: "more" as Feed["end"],
    live: "off" as LiveState,
    lost: 0,
    leftOut: 0,
    more: (): void => void (own.end === "more" && cursor !== undefined && !own.error && page()),
    release: (): void => {
      if (own.waiting.length === 0) return;
      put(own.waiting);
      own.waiting = [];
      changed();
    },
    close: (): void => {
      asking.abort();
      closeLive();
      clearInterval(timer);
    },
  };

  const ask = async (from: string | undefined): Promise<void> => {
    const answer = await get(
      "/api/logs",
      {
        q: question.q,
        ...window,
        order: question.oldest ? "oldest" : "newest",
        limit: from === undefined ? FIRST_PAGE : PAGE,
        ...(from === undefined ? {} : { cursor: from }),
      },
      { signal: asking.signal },
    );
    own.error = undefined;
    own.stale = false;
    if (read && from === undefined) return put(answer.items); // after a gap in the live tail: what is there stays
    read = true;
    own.rows = from === undefined ? answer.items : [...own.rows, ...answer.items];
    cursor = answer.cursor ?? undefined;
    own.end = cursor === undefined ? "end" : "more";
  };
  const page = (from: string | undefined = cursor): void => {
    if (own.loading) {
      asked ||= from === undefined;
      return;
    }
    own.loading = true;
    ask(from)
      .catch((error: unknown) => {
        if (asking.signal.aborted) return;
        own.error = isApiError(error) ? error : { status: 0, code: "failed", message: String(error) };
        if (!read) own.rows = [];
        own.stale = false;
      })
      .finally(() => {
        own.loading = false;
        if (asking.signal.aborted) return;
        if (asked) {
          asked = false;
          page(undefined);
        }
        changed();
      });
    changed();
  };
  const put = (come: readonly LogRow[]): void => {
    const all = merged(own.rows, come);
    own.rows = all.length > KEPT_LIVE ? all.slice(0, KEPT_LIVE) : all;
    if (all.length > KEPT_LIVE) {
      cursor = undefined;
      own.end = "let-go";
    }
  };

  if (question.live) {
    closeLive = openLive(
      { of: "logs", q: question.q },
      {
        state: (state) => {
          own.live = state;
          changed();
        },
        ready: () => page(undefined), // what was written before the stream began
        batch: (batch) => {
          const come = batch.logs ?? [];
          own.leftOut += batch.left_out ?? 0;
          own.arrivals = [...own.arrivals.filter(([ms]) => Date.now() - ms <= 10_000), [Date.now(), come.length]];
          if (isHeld()) {
            const all = merged(own.waiting, come);
            own.leftOut += Math.max(0, all.length - KEPT_LIVE);
            own.waiting = all.length > KEPT_LIVE ? all.slice(0, KEPT_LIVE) : all;
          } else {
            put(merged(own.waiting, come));
            own.waiting = [];
          }
          changed();
        },
        lost: (changes) => {
          own.lost += changes;
          page(undefined);
        },
      },
    );
    timer = setInterval(changed, 2_000); // the rate falls while nothing comes
  }
  page(undefined);
  return own;
}
