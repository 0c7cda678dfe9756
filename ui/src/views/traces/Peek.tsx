// A trace beside the list: its figures, what was asked and answered, and its first spans.
import type { VNode } from "preact";
import { useAnswer } from "../../api/client";
import type { SpanRow, TraceRow } from "../../api/types";
import { count, milliseconds, usd } from "../../model/format";
import { link } from "../../url";
import { Failure, Kind, Stat, Waiting } from "../../widgets/parts";
import { traceLink } from "./columns";

const SPANS = 40;

export function Peek({ row, onClose }: { row: TraceRow | SpanRow; onClose(): void }): VNode {
  const told = useAnswer(
    "/api/traces/{trace_id}",
    { limit: SPANS },
    { pathParams: { trace_id: row.trace_id }, keep: true },
  );
  const trace = told.data?.trace;
  return (
    <section class="peek" aria-label={`trace ${row.name}`}>
      <div class="head">
        <h2 class="one-line">{row.name || "(no name)"}</h2>
        <span class="spread" />
        <a class="button" href={traceLink(row)}>
          Open
        </a>
        <button type="button" class="icon-button" aria-label="close" onClick={onClose}>
          ✕
        </button>
      </div>
      {told.error && <Failure error={told.error} onRetry={told.reload} />}
      {told.loading && <Waiting />}
      {trace && (
        <div class={`peek-body${told.stale && trace.trace_id !== row.trace_id ? " stale" : ""}`}>
          <div class="stats">
            <Stat label="duration" value={milliseconds(trace.duration_ms)} />
            <Stat label="spans" value={count(trace.spans)} />
            <Stat label="model calls" value={count(trace.calls)} />
            <Stat label="tokens" value={count(trace.input_tokens + trace.output_tokens)} />
            <Stat label="cost" value={usd(trace.cost_usd)} />
            {trace.errors > 0 && <Stat label="errors" value={count(trace.errors)} bad />}
          </div>
          {trace.error_message && <p class="error">✕ {trace.error_message}</p>}
          {trace.input_preview && (
            <>
              <h3>asked</h3>
              <p class="said">{trace.input_preview}</p>
            </>
          )}
          {trace.output_preview && (
            <>
              <h3>answered</h3>
              <p class="said">{trace.output_preview}</p>
            </>
          )}
          <h3>spans</h3>
          <ul class="peek-spans">
            {tree(told.data?.spans ?? []).map(({ span, depth }) => (
              <li key={span.span_id} style={{ paddingLeft: `${Math.min(depth, 12) * 12}px` }}>
                <a
                  class="one-line"
                  href={link({
                    view: "trace",
                    id: span.trace_id,
                    params: { span: span.span_id },
                    keep: ["q", "t", "order"],
                  })}
                >
                  <Kind kind={span.kind} failed={span.status === "ERROR"} /> {span.name || "(no name)"}
                  {span.status === "ERROR" && <span class="error"> ✕</span>}
                </a>
                <span class="spread" />
                <span class="muted">{span.end_ns === null ? "running" : milliseconds(span.duration_ms)}</span>
              </li>
            ))}
          </ul>
          {trace.spans > SPANS && <p class="muted">and {count(trace.spans - SPANS)} more</p>}
        </div>
      )}
    </section>
  );
}

/** The spans depth-first; one whose parent is not among them stands at the top. */
function tree(spans: readonly SpanRow[]): { span: SpanRow; depth: number }[] {
  const ids = new Set(spans.map((span) => span.span_id));
  const children = new Map<string, SpanRow[]>();
  for (const span of spans) {
    const above = span.parent_id && ids.has(span.parent_id) ? span.parent_id : "";
    const below = children.get(above);
    if (below) below.push(span);
    else children.set(above, [span]);
  }
  const found: { span: SpanRow; depth: number }[] = [];
  const left = (children.get("") ?? []).map((span) => ({ span, depth: 0 })).reverse();
  for (let one = left.pop(); one; one = left.pop()) {
    found.push(one);
    const below = children.get(one.span.span_id) ?? [];
    for (const span of [...below].reverse()) left.push({ span, depth: one.depth + 1 });
  }
  return found;
}
