// One trace: what it was, what it cost, its spans over time, and beside them what the selected span says.
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { useKeys } from "../../keys";
import { count, plural } from "../../model/format";
import { placeOfSpan, spanAt, spanIdAt, type Trace as Spans } from "../../model/trace";
import { place } from "../../url";
import { Empty, Failure, Waiting } from "../../widgets/parts";
import { Splitter } from "../../widgets/Splitter";
import { Detail } from "./Detail";
import { Hints } from "./Hints";
import { Logs } from "./Logs";
import { useTrace } from "./source";
import { SpanTree } from "./SpanTree";
import { TraceHead } from "./TraceHead";
import "./trace.css";

export function Trace(): VNode {
  const { id: traceId, params } = place.value;
  const source = useTrace(traceId);
  const { trace, error } = source;
  useKeys("tree", {
    switchPane: () => {
      const detail = document.getElementById("detail-panel");
      const tree = document.getElementById("tree");
      (detail?.contains(document.activeElement) ? tree : detail)?.focus();
    },
  });
  const focused = useRef("");
  const there = trace !== undefined && trace.count > 0;
  useEffect(() => {
    if (!there || focused.current === traceId) return;
    focused.current = traceId;
    if (document.activeElement === document.body) document.getElementById("tree")?.focus();
  }, [there, traceId]);

  if (!trace && (error?.status === 404 || error?.code === "bad_id")) return <Unknown traceId={traceId} />;
  if (!trace && error) return <Failure error={error} onRetry={source.reload} />;
  if (!trace) return <Waiting what="reading the trace" />;
  if (trace.count === 0) return <OnlyLogs traceId={traceId} />;
  const asked = placeOfSpan(trace, params["span"] ?? "");
  const at = Math.max(0, asked);
  const span = spanAt(trace, at);
  const isRoot = trace.up[at] === -1;
  return (
    <div class="trace">
      <TraceHead source={source} trace={trace} spanId={spanIdAt(trace, at)} />
      {error && <Failure error={error} onRetry={source.reload} />}
      <Splitter
        name="trace"
        share={0.61}
        left={<SpanTree key={traceId} source={source} trace={trace} />}
        right={
          <>
            <Detail traceId={traceId} spanId={spanIdAt(trace, at)} kind={trace.kinds[trace.kind[span]!] ?? "span"} />
            {isRoot && source.logs.length > 0 && <Logs logs={source.logs} more={source.moreLogs} traceId={traceId} />}
          </>
        }
      />
      <Hints />
      <Arrivals trace={trace} state={source.state} />
    </div>
  );
}

/** Tells screen readers of a trace that runs, at most every ten seconds. */
function Arrivals({ trace, state }: { trace: Spans; state: string }): VNode | null {
  const told = useRef({ text: "", at: 0 });
  if (state !== "running") return null;
  const now = performance.now();
  if (now - told.current.at > 10_000)
    told.current = { text: `${plural(trace.count, "span")}, ${count(trace.totals.open)} running`, at: now };
  return (
    <p class="sr-only" role="status">
      {told.current.text}
    </p>
  );
}

/** Neither spans nor logs, or logs alone. */
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
  if (whole.error?.status === 404) return <Unknown traceId={traceId} />;
  return (
    <div class="trace">
      <Empty title="Of this trace only logs are known" small>
        <p class="muted">Its spans have not arrived, or were not sampled.</p>
      </Empty>
      {whole.data && <Logs logs={whole.data.logs} more={whole.data.more_logs} traceId={traceId} />}
    </div>
  );
}
