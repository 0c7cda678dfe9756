// One trace: what it was, what it cost, its spans over time, and beside them what the selected span says.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { openLive, useAnswer } from "../../api/client";
import type { TraceRow } from "../../api/types";
import { useKeys } from "../../keys";
import { build, type Tree } from "../../model/trace";
import { place, setParams } from "../../url";
import { Empty, Failure, Waiting } from "../../widgets/parts";
import { Splitter } from "../../widgets/Splitter";
import { Detail } from "./Detail";
import { Logs } from "./Logs";
import { SpanTree } from "./SpanTree";
import { TraceHead } from "./TraceHead";
import "./trace.css";

/** A trace that began longer ago is not listened to, unless it is still open. */
const RECENT_MS = 3_600_000;
const SETTLE_MS = 400;

export function Trace(): VNode {
  const { id: traceId, params } = place.value;
  const pathParams = { trace_id: traceId };
  const skeleton = useAnswer("/api/traces/{trace_id}/skeleton", {}, { pathParams });
  const whole = useAnswer("/api/traces/{trace_id}", { limit: 1 }, { pathParams });
  const columns = skeleton.data;
  const [nowMs, setNowMs] = useState(Date.now());
  const tree = useMemo(() => {
    if (!columns || columns.count === 0) return undefined;
    const isOpen = columns.flags.some((flag) => (flag & 2) !== 0);
    return build(columns, isOpen ? Math.max(0, nowMs - Number(columns.start_ns.slice(0, -6))) * 1e3 : 0);
  }, [columns, nowMs]);
  useArrivals(traceId, tree, whole.data?.trace ?? undefined, () => {
    setNowMs(Date.now());
    skeleton.reload();
    whole.reload();
  });

  const spanId = params["span"] ?? "";
  const known = tree && (tree.columns.span_id.includes(spanId) ? spanId : tree.columns.span_id[tree.order[0]!]);
  const select = (id: string): void => setParams({ span: id }, "replace");
  useKeys("tree", {
    switchPane: () => {
      const detail = document.getElementById("detail-panel");
      const tree = document.getElementById("tree");
      (detail?.contains(document.activeElement) ? tree : detail)?.focus();
    },
  });
  const focused = useRef("");
  useEffect(() => {
    if (!tree || focused.current === traceId) return;
    focused.current = traceId;
    if (document.activeElement === document.body) document.getElementById("tree")?.focus();
  }, [tree, traceId]);

  const error = whole.error ?? skeleton.error;
  if (error?.status === 404 || error?.code === "bad_id") return <Unknown traceId={traceId} />;
  if (error && !tree) return <Failure error={error} onRetry={() => (skeleton.reload(), whole.reload())} />;
  if (!tree) {
    if (whole.data && columns?.count === 0) return <OnlyLogs traceId={traceId} />;
    return <Waiting what="reading the trace" />;
  }
  const index = tree.columns.span_id.indexOf(known ?? "");
  const kind = tree.columns.kinds[tree.columns.kind[index] ?? 0] ?? "span";
  return (
    <div class="trace">
      <TraceHead traceId={traceId} tree={tree} row={whole.data?.trace ?? undefined} spanId={known ?? ""} />
      {error && <Failure error={error} onRetry={skeleton.reload} />}
      <Splitter
        name="trace"
        share={0.61}
        left={<SpanTree traceId={traceId} tree={tree} selected={known ?? ""} onSelect={select} />}
        right={
          <>
            {known && <Detail traceId={traceId} spanId={known} kind={kind} />}
            {whole.data && whole.data.logs.length > 0 && index === tree.order[0] && (
              <Logs logs={whole.data.logs} more={whole.data.more_logs} traceId={traceId} />
            )}
          </>
        }
      />
      <Hints />
    </div>
  );
}

/** Reads the trace again when spans of it arrive: a trace that still runs, or ended a moment ago. */
function useArrivals(traceId: string, tree: Tree | undefined, row: TraceRow | undefined, again: () => void): void {
  const latest = useRef(again);
  latest.current = again;
  const isOpen = (tree?.totals.open ?? 0) > 0;
  const startMs = tree ? Number(tree.columns.start_ns.slice(0, -6)) : 0;
  const recent = row !== undefined && Date.now() - startMs < RECENT_MS;
  useEffect(() => {
    if (!isOpen && !recent) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        latest.current();
      }, SETTLE_MS);
    };
    const close = openLive({ of: "spans", trace_id: traceId }, { batch: soon, lost: soon });
    return () => {
      clearTimeout(timer);
      close();
    };
  }, [traceId, isOpen, recent]);
  // open spans grow
  useEffect(() => {
    if (!isOpen) return;
    const timer = setInterval(() => latest.current(), 5_000);
    return () => clearInterval(timer);
  }, [isOpen]);
}

function Unknown({ traceId }: { traceId: string }): VNode {
  return (
    <Empty title="There is no such trace">
      <p>
        <code>{traceId.slice(0, 80)}</code> is not in project {place.value.project}. It may be in another project, may
        have been deleted by age or by request, or its program has not sent it yet.
      </p>
      <p class="muted">
        Programs send once a second; <code>vestigo.flush()</code> sends at once. Settings tell how long traces are kept
        and what was refused.
      </p>
    </Empty>
  );
}

function OnlyLogs({ traceId }: { traceId: string }): VNode {
  const whole = useAnswer("/api/traces/{trace_id}", { limit: 1 }, { pathParams: { trace_id: traceId } });
  return (
    <div class="trace">
      <Empty title="Of this trace only logs are known" small>
        <p class="muted">Its spans have not arrived, or were not sampled.</p>
      </Empty>
      {whole.data && <Logs logs={whole.data.logs} more={whole.data.more_logs} traceId={traceId} />}
    </div>
  );
}

function Hints(): VNode {
  return (
    <footer class="foot" aria-label="keys">
      <span>
        <kbd>j</kbd> <kbd>k</kbd> move
      </span>
      <span>
        <kbd>←</kbd> <kbd>→</kbd> fold
      </span>
      <span>
        <kbd>e</kbd> next error
      </span>
      <span>
        <kbd>m</kbd> next model call
      </span>
      <span>
        <kbd>z</kbd> zoom to span
      </span>
      <span>
        <kbd>0</kbd> whole
      </span>
      <span>
        <kbd>f</kbd> follow
      </span>
      <span>
        <kbd>p</kbd> critical path
      </span>
      <span>
        <kbd>/</kbd> find
      </span>
      <span>
        <kbd>?</kbd> all keys
      </span>
    </footer>
  );
}
