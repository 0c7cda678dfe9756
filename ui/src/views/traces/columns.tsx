// What the columns of the list show, of traces and of spans; a click on a value filters by it.
import type { VNode } from "preact";
import type { SpanRow, TraceRow } from "../../api/types";
import { ago, clock, count, milliseconds, moment, usd } from "../../model/format";
import { link } from "../../url";
import { filterBy } from "../../widgets/Facets";
import { Kind } from "../../widgets/parts";
import type { Column } from "../../widgets/Table";

const LIST = ["q", "t", "order"];

export function traceLink(row: TraceRow | SpanRow): string {
  const params = "span_id" in row ? { span: row.span_id } : {};
  return link({ view: "trace", id: row.trace_id, params, keep: LIST });
}

/** A value that the list is filtered by when it is clicked. */
function Value({ field, value }: { field: string; value: string | null | undefined }): VNode | null {
  if (!value) return null;
  return (
    <button
      type="button"
      class="bare value-cell one-line"
      title={`${value}: click filters by ${field}, Alt-click leaves it out`}
      onClick={(event) => filterBy(field, value, event.altKey)}
    >
      {value}
    </button>
  );
}

function Failed({ row }: { row: { status: string; error_message: string | null } }): VNode | null {
  if (row.status !== "ERROR") return null;
  return (
    <span class="error" title={row.error_message ?? "failed"}>
      <span aria-hidden="true">✕</span>
      <span class="sr-only">failed</span>
    </span>
  );
}

function Said({ input, output, error }: { input: string; output: string; error: string | null }): VNode {
  if (error) return <span class="error">{error}</span>;
  return (
    <span class="said-both">
      <span>{input}</span>
      {output !== "" && <span class="muted">→ {output}</span>}
    </span>
  );
}

const started = (row: TraceRow | SpanRow): VNode => (
  <time dateTime={moment(row.start_ns)} title={`${moment(row.start_ns)} (${ago(row.start_ns)})`} class="muted">
    {clock(row.start_ns)}
  </time>
);

export const TRACE_COLUMNS: readonly Column<TraceRow>[] = [
  { id: "time", label: "started", width: "112px", cell: started },
  {
    id: "name",
    label: "name",
    width: "minmax(120px, 1.1fr)",
    title: (row) => row.name,
    cell: (row) => (
      <a class="row-link" href={traceLink(row)}>
        {row.open_spans > 0 && <span class="dot on" role="img" aria-label="running" title="still running" />}
        <Failed row={row} /> {row.name || "(no name)"}
      </a>
    ),
  },
  {
    id: "said",
    label: "said",
    width: "minmax(140px, 2.4fr)",
    title: (row) => row.error_message ?? `${row.input_preview}\n→ ${row.output_preview}`,
    cell: (row) => <Said input={row.input_preview} output={row.output_preview} error={row.error_message} />,
  },
  { id: "model", drop: 3, label: "model", width: "minmax(80px, 0.8fr)", cell: (row) => <Models names={row.models} /> },
  {
    id: "user",
    drop: 4,
    label: "user",
    width: "minmax(56px, 0.5fr)",
    cell: (row) => <Value field="user" value={row.user_id} />,
  },
  {
    id: "session",
    drop: 6,
    label: "session",
    width: "minmax(60px, 0.5fr)",
    cell: (row) =>
      row.session_id && (
        <a href={link({ view: "session", id: row.session_id })} title={row.session_id}>
          {row.session_id}
        </a>
      ),
  },
  {
    id: "service",
    drop: 7,
    label: "service",
    width: "minmax(60px, 0.5fr)",
    cell: (row) => <Value field="service" value={row.service} />,
  },
  { id: "spans", drop: 6, label: "spans", width: "56px", numeric: true, cell: (row) => count(row.spans) },
  { id: "calls", drop: 6, label: "calls", width: "52px", numeric: true, cell: (row) => count(row.calls) },
  {
    id: "tokens",
    drop: 2,
    label: "tokens",
    width: "72px",
    numeric: true,
    title: (row) =>
      `${count(row.input_tokens)} in (${count(row.cached_tokens)} cached), ${count(row.output_tokens)} out`,
    cell: (row) => (row.calls > 0 ? count(row.input_tokens + row.output_tokens) : ""),
  },
  {
    id: "cost",
    drop: 1,
    label: "cost",
    width: "76px",
    numeric: true,
    title: (row) => (row.unpriced_calls > 0 ? `${count(row.unpriced_calls)} calls of unknown price` : ""),
    cell: (row) =>
      row.calls > 0 ? `${usd(row.cost_usd)}${row.unpriced_calls > 0 && row.cost_usd !== null ? "+" : ""}` : "",
  },
  {
    id: "duration",
    label: "duration",
    width: "80px",
    numeric: true,
    cell: (row) => (row.open_spans > 0 ? <span class="muted">running</span> : milliseconds(row.duration_ms)),
  },
];

function Models({ names }: { names: readonly string[] }): VNode | null {
  const [first, ...others] = names;
  if (!first) return null;
  return (
    <span class="models">
      <Value field="model" value={first} />
      {others.length > 0 && (
        <span class="muted" title={others.join(", ")}>
          +{others.length}
        </span>
      )}
    </span>
  );
}

export const SPAN_COLUMNS: readonly Column<SpanRow>[] = [
  { id: "time", label: "started", width: "112px", cell: started },
  {
    id: "name",
    label: "name",
    width: "minmax(140px, 1.2fr)",
    title: (row) => row.name,
    cell: (row) => (
      <a class="row-link" href={traceLink(row)}>
        <Kind kind={row.kind} failed={row.status === "ERROR"} /> {row.end_ns === null && "… "}
        <Failed row={row} /> {row.name || "(no name)"}
      </a>
    ),
  },
  {
    id: "said",
    label: "said",
    width: "minmax(140px, 2.4fr)",
    title: (row) => row.error_message ?? `${row.input_preview}\n→ ${row.output_preview}`,
    cell: (row) => <Said input={row.input_preview} output={row.output_preview} error={row.error_message} />,
  },
  { id: "kind", drop: 5, label: "kind", width: "72px", cell: (row) => <Value field="kind" value={row.kind} /> },
  {
    id: "model",
    drop: 3,
    label: "model",
    width: "minmax(80px, 0.8fr)",
    cell: (row) => <Value field="model" value={row.model} />,
  },
  {
    id: "tool",
    drop: 5,
    label: "tool",
    width: "minmax(60px, 0.6fr)",
    cell: (row) => <Value field="tool" value={row.tool} />,
  },
  {
    id: "user",
    drop: 4,
    label: "user",
    width: "minmax(56px, 0.5fr)",
    cell: (row) => <Value field="user" value={row.user_id} />,
  },
  {
    id: "tokens",
    drop: 2,
    label: "tokens",
    width: "72px",
    numeric: true,
    title: (row) => `${count(row.input_tokens)} in, ${count(row.output_tokens)} out`,
    cell: (row) => (row.input_tokens === null ? "" : count((row.input_tokens ?? 0) + (row.output_tokens ?? 0))),
  },
  {
    id: "cost",
    drop: 1,
    label: "cost",
    width: "76px",
    numeric: true,
    cell: (row) => (row.cost_usd === null ? "" : usd(row.cost_usd)),
  },
  {
    id: "ttft",
    drop: 4,
    label: "first token",
    width: "80px",
    numeric: true,
    cell: (row) => (row.ttft_ms === null ? "" : milliseconds(row.ttft_ms)),
  },
  {
    id: "duration",
    label: "duration",
    width: "80px",
    numeric: true,
    cell: (row) => (row.end_ns === null ? <span class="muted">running</span> : milliseconds(row.duration_ms)),
  },
];

/** Shown unless somebody chose otherwise. */
export const FIRST_COLUMNS: Readonly<Record<"traces" | "spans", readonly string[]>> = {
  traces: ["time", "name", "said", "model", "user", "tokens", "cost", "duration"],
  spans: ["time", "name", "said", "model", "user", "tokens", "cost", "duration"],
};
