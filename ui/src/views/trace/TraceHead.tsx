// The head of a trace: its name, its figures, the way to its neighbours in the list, and taking it along.
import type { VNode } from "preact";
import { get, useAnswer } from "../../api/client";
import type { TraceRow } from "../../api/types";
import { useKeys } from "../../keys";
import { spanJson, spanMarkdown, spanSnippet, traceMarkdown } from "../../model/copy";
import { clock, count, duration, moment, plural, tokens, usd } from "../../model/format";
import { nameAt, type Tree } from "../../model/trace";
import { go, lastingLink, link, place, timeWindow } from "../../url";
import { Menu } from "../../widgets/Menu";
import { copyText, Stat, toast } from "../../widgets/parts";

const LIST = ["q", "t", "order"] as const;
const NEAR = 100;

export function TraceHead(props: { traceId: string; tree: Tree; row: TraceRow | undefined; spanId: string }): VNode {
  const { traceId, tree, row } = props;
  const { totals } = tree;
  const failed = row?.status === "ERROR";
  const name = row?.name || nameAt(tree, 0);
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
      <Take traceId={traceId} spanId={props.spanId} />
      <Neighbours traceId={traceId} />
      <span class="spread" />
      <span class="stats">
        {row && (
          <span class="stat">
            <time dateTime={moment(row.start_ns)} title={moment(row.start_ns)}>
              {clock(row.start_ns)}
            </time>
          </span>
        )}
        {row?.user_id && (
          <span class="stat">
            user{" "}
            <a href={link({ view: "traces", params: { q: `user=${JSON.stringify(row.user_id)}` } })}>{row.user_id}</a>
          </span>
        )}
        {row?.session_id && (
          <span class="stat" title="session">
            <a class="one-line" href={link({ view: "session", id: row.session_id })}>
              {row.session_id}
            </a>
          </span>
        )}
        <Stat label="duration" value={totals.open > 0 ? `${duration(tree.length)} …` : duration(tree.length)} />
        <Stat label="spans" value={count(totals.spans)} />
        <Stat label="model calls" value={count(totals.calls)} />
        <Stat
          label="tokens"
          value={tokens(totals.tokensIn + totals.tokensOut)}
          title={`${count(totals.tokensIn)} in, ${count(totals.tokensOut)} out`}
        />
        <Stat
          label="cost"
          value={`${usd(totals.costUsd)}${totals.unpriced > 0 ? " + ?" : ""}`}
          {...(totals.unpriced > 0
            ? { title: `${plural(totals.unpriced, "call")} of unknown price; see Settings, Prices` }
            : {})}
        />
        {totals.open > 0 && <Stat label="open" value={count(totals.open)} />}
        <Stat label="errors" value={count(totals.errors)} bad={totals.errors > 0} />
      </span>
    </div>
  );
}

/** ‹ 12 of 240 › in the list that the address tells of. */
function Neighbours({ traceId }: { traceId: string }): VNode | null {
  const { q, t, order } = place.value.params;
  const told = useAnswer("/api/traces", {
    ...(q ? { q } : {}),
    ...timeWindow(t),
    order: order === "oldest" || order === "slowest" ? order : "newest",
    limit: NEAR,
  });
  const ids = told.data?.items.map((item) => item.trace_id) ?? [];
  const at = ids.indexOf(traceId);
  const to = (id: string | undefined): string | undefined => id && link({ view: "trace", id, keep: LIST });
  const before = at > 0 ? to(ids[at - 1]) : undefined;
  const after = at >= 0 ? to(ids[at + 1]) : undefined;
  useKeys("tree", {
    ...(after ? { nextTrace: () => go(after) } : {}),
    ...(before ? { previousTrace: () => go(before) } : {}),
  });
  if (at < 0) return null;
  const arrow = (href: string | undefined, name: string, sign: string): VNode =>
    href ? (
      <a class="icon-button" href={href} aria-label={name} title={name}>
        {sign}
      </a>
    ) : (
      <span class="icon-button muted" aria-hidden="true">
        {sign}
      </span>
    );
  return (
    <nav class="neighbours" aria-label="traces of the list">
      {arrow(before, "previous trace (K)", "‹")}
      <span class="muted">
        {at + 1} of {ids.length}
        {told.data?.cursor ? "+" : ""}
      </span>
      {arrow(after, "next trace (J)", "›")}
    </nav>
  );
}

/** Taking the trace or the span along, and where to go from here. */
function Take({ traceId, spanId }: { traceId: string; spanId: string }): VNode {
  const { project } = place.value;
  const origin = location.origin;
  const span = async (told: (detail: Awaited<ReturnType<typeof readSpan>>) => string, what: string): Promise<void> => {
    try {
      await copyText(told(await readSpan(traceId, spanId)), what);
    } catch (error) {
      toast((error as { message?: string }).message ?? String(error));
    }
  };
  const trace = async (told: (whole: Awaited<ReturnType<typeof readTrace>>) => string, what: string): Promise<void> => {
    try {
      await copyText(told(await readTrace(traceId)), what);
    } catch (error) {
      toast((error as { message?: string }).message ?? String(error));
    }
  };
  return (
    <Menu
      label="Copy"
      items={[
        { label: "trace id", act: () => void copyText(traceId, "trace id copied") },
        { label: "link", hint: "Y", act: () => void copyText(lastingLink(), "link copied") },
        { label: "trace as Markdown", act: () => void trace(traceMarkdown, "trace copied as Markdown") },
        {
          label: "trace as JSON",
          act: () => void trace((whole) => JSON.stringify(whole, null, 1), "trace copied as JSON"),
        },
        { label: "span as Markdown", act: () => void span(spanMarkdown, "span copied as Markdown") },
        { label: "span as JSON", hint: "y", act: () => void span(spanJson, "span copied as JSON") },
        {
          label: "span as a program that runs",
          act: () => void span((detail) => spanSnippet(detail, origin, project), "program copied"),
        },
        { label: "compare with another trace …", href: link({ view: "compare", params: { a: traceId }, keep: LIST }) },
      ]}
    />
  );
}

const readSpan = (traceId: string, spanId: string) =>
  get("/api/spans/{trace_id}/{span_id}", {}, { pathParams: { trace_id: traceId, span_id: spanId } });

const readTrace = (traceId: string) =>
  get("/api/traces/{trace_id}", { limit: 1_000 }, { pathParams: { trace_id: traceId } });
