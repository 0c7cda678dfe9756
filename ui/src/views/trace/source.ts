// Where the trace on the page comes from: its skeleton, its line of the list with its logs, and the spans that arrive
// while it runs. New spans are put in; the skeleton is read again only when they cannot be.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type ApiError, get, isApiError, openLive, useAnswer } from "../../api/client";
import type { LogRow, SpanRow, TraceRow } from "../../api/types";
import { type Trace, traceOf, withSpans } from "../../model/trace";
import { place } from "../../url";
import { holdSkeleton } from "./skeleton";

export interface Source {
  trace: Trace | undefined;
  row: TraceRow | undefined;
  logs: readonly LogRow[];
  moreLogs: boolean;
  error: ApiError | undefined;
  /** Of an open trace: it is heard of, or was not for an hour. */
  state: "ended" | "running" | "abandoned";
  /** How far open spans reach, in µs from the trace's start. */
  now: number;
  reload(): void;
}

/** A trace that began longer ago is not listened to, unless it is open. */
const RECENT_MS = 900_000;
/** A trace of which nothing was heard for longer does not grow any more. */
const ABANDONED_MS = 3_600_000;
const TICK_MS = 500;
const BATCH_MS = 250;
const AGAIN_MS = 2_000;

export function useTrace(traceId: string): Source {
  const project = place.value.project;
  const [trace, setTrace] = useState<Trace | undefined>(undefined);
  const [failed, setFailed] = useState<{ of: string; error: ApiError } | undefined>(undefined);
  const error = failed?.of === traceId ? failed.error : undefined;
  const [reads, setReads] = useState(0);
  const latest = useRef<Trace | undefined>(undefined);
  const show = (next: Trace | undefined): void => {
    latest.current = next;
    setTrace(next);
  };
  const shown = trace?.id === traceId ? trace : undefined;
  const whole = useAnswer("/api/traces/{trace_id}", { limit: 1 }, { pathParams: { trace_id: traceId } });

  useEffect(() => {
    const asking = new AbortController();
    get("/api/traces/{trace_id}/skeleton", {}, { pathParams: { trace_id: traceId }, signal: asking.signal }).then(
      (columns) => {
        setFailed(undefined);
        const read = traceOf(columns);
        holdSkeleton(project, read, columns);
        show(read);
      },
      (failure: unknown) => {
        if (asking.signal.aborted) return;
        const error = isApiError(failure) ? failure : { status: 0, code: "failed", message: String(failure) };
        setFailed({ of: traceId, error });
      },
    );
    return () => asking.abort();
  }, [traceId, project, reads]);
  useEffect(() => () => holdSkeleton(project, undefined), [traceId, project]);

  const again = useAgain(() => {
    setReads((n) => n + 1);
    whole.reload();
  });
  const startMs = shown ? Number(shown.startNs / 1_000_000n) : 0;
  const { open = 0, lost = 0, to = 0 } = shown?.totals ?? {};
  const [nowMs, setNowMs] = useState(Date.now());
  const state = open === 0 ? "ended" : nowMs - startMs - to / 1e3 > ABANDONED_MS ? "abandoned" : "running";
  const listens = shown !== undefined && (state === "running" || Date.now() - startMs < RECENT_MS);
  useEffect(() => {
    if (!listens) return;
    let waiting: SpanRow[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let pause = BATCH_MS;
    const put = (): void => {
      timer = undefined;
      const before = latest.current;
      if (!before || waiting.length === 0) return;
      const began = performance.now();
      const after = withSpans(before, waiting);
      waiting = [];
      // a parent that comes after its children is known by name on the server alone
      if (before.totals.lost > 0 && after.count > before.count) again();
      if (before.totals.open > 0 && after.totals.open === 0) again();
      holdSkeleton(project, after);
      show(after);
      setNowMs(Date.now());
      // large traces take longer to put together: at most a tenth of the time goes there
      pause = Math.max(BATCH_MS, (performance.now() - began) * 10);
    };
    let first = true;
    const close = openLive(
      { of: "spans", trace_id: traceId },
      {
        // what came between reading the skeleton and now
        ready: () => {
          if (!first || state === "running" || lost > 0) again();
          first = false;
        },
        batch: (data) => {
          if (data.left_out) again();
          waiting.push(...((data.spans ?? []) as readonly SpanRow[]));
          timer ??= setTimeout(put, pause);
        },
        lost: again,
      },
    );
    return () => {
      clearTimeout(timer);
      close();
    };
  }, [traceId, project, listens]);
  useEffect(() => {
    if (state !== "running") return;
    const timer = setInterval(() => setNowMs(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [state]);

  const now = state === "running" ? Math.max(to, (nowMs - startMs) * 1e3) : to;
  return useMemo(
    () => ({
      trace: shown,
      row: whole.data?.trace ?? undefined,
      logs: whole.data?.logs ?? [],
      moreLogs: whole.data?.more_logs ?? false,
      error: error ?? (shown ? undefined : whole.error),
      state,
      now,
      reload: again,
    }),
    [shown, whole.data, whole.error, error, state, now],
  );
}

/** The first time at once, then at most every two seconds. */
function useAgain(read: () => void): () => void {
  const latest = useRef(read);
  latest.current = read;
  const last = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    if (timer.current !== undefined) return;
    const wait = Math.max(0, last.current + AGAIN_MS - Date.now());
    timer.current = setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      latest.current();
    }, wait);
  };
}
