// The head of a trace: its name, its figures, the way to its neighbours in the list, and what can be done with it.
import type { VNode } from "preact";
import { clock, count, duration, moment, plural, tokens, usd } from "../../model/format";
import { term } from "../../model/query";
import { spanIdAt, type Trace } from "../../model/trace";
import { link } from "../../url";
import { nameOf } from "../../widgets/SpanRow";
import { Copy, Stat } from "../../widgets/parts";
import { Neighbours } from "./Neighbours";
import type { Source } from "./source";
import { TakeMenu } from "./TakeMenu";

export function TraceHead({ source, trace, spanId }: { source: Source; trace: Trace; spanId: string }): VNode {
  const { row, state } = source;
  const { totals } = trace;
  const rootId = spanIdAt(trace, 0);
  const failed = row ? row.status === "ERROR" : totals.errors > 0 && (trace.flags[trace.node[0]!] ?? 0) % 2 === 1;
  const name = row?.name || nameOf(trace, 0);
  const startNs = String(trace.startNs);
  return (
    <div class="head trace-head">
      <h2 class="one-line" title={name.slice(0, 500)}>
        {failed && (
          <span class="error" title="failed">
            ✕<span class="sr-only">failed</span>{" "}
          </span>
        )}
        <bdi>{name.slice(0, 300)}</bdi>
      </h2>
      <span class="trace-id">
        <code class="muted" title={trace.id}>
          {trace.id.slice(0, 8)}…
        </code>
        <Copy text={trace.id} label="copy trace id" />
      </span>
      <Neighbours traceId={trace.id} />
      <TakeMenu traceId={trace.id} spanId={spanId} rootId={rootId} name={name} startNs={startNs} />
      <span class="spread" />
      <span class="stats">
        <span class="stat">
          <time dateTime={moment(startNs)} title={moment(startNs)}>
            {clock(startNs)}
          </time>
        </span>
        {row?.user_id && (
          <span class="stat">
            user{" "}
            <a
              class="one-line"
              title={row.user_id}
              href={link({ view: "traces", params: { q: term("user", row.user_id) } })}
            >
              {row.user_id}
            </a>
          </span>
        )}
        {row?.session_id && (
          <span class="stat">
            session{" "}
            <a class="one-line" title={row.session_id} href={link({ view: "session", id: row.session_id })}>
              {row.session_id}
            </a>
          </span>
        )}
        {state !== "ended" && (
          <span class={`stat${state === "running" ? " running" : ""}`}>
            <span class={`dot${state === "running" ? " on" : ""}`} aria-hidden="true" />
            <b>{state === "running" ? "running" : "never ended"}</b>
          </span>
        )}
        <Stat label="duration" value={duration((state === "running" ? source.now : totals.to) - totals.from)} />
        <Stat label="spans" value={count(totals.spans)} />
        <Stat label="model calls" value={count(totals.calls)} />
        <Stat label="tokens" value={tokens(totals.tokens)} />
        {totals.unpriced > 0 ? (
          <span class="stat" title={`${plural(totals.unpriced, "call")} of unknown price; set it in Settings, Prices`}>
            cost <b>{totals.costUsd === null ? "" : `${usd(totals.costUsd)} + `}</b>
            <a href={link({ view: "settings", params: { tab: "prices" } })}>{count(totals.unpriced)} unpriced</a>
          </span>
        ) : (
          <Stat label="cost" value={usd(totals.costUsd)} />
        )}
        <Stat label="errors" value={totals.errors > 0 ? `✕ ${count(totals.errors)}` : "0"} bad={totals.errors > 0} />
      </span>
    </div>
  );
}
