// What the list of scores shows; a click on a value filters by it, with Alt it is left out.
import type { VNode } from "preact";
import type { ScoreRow } from "../../api/types";
import { ago, clock, moment } from "../../model/format";
import { giver, scoreTerm, sourceTerm, valueText } from "../../model/scores";
import { link, setParams } from "../../url";
import type { Column } from "../../widgets/Table";
import { toggleTerm } from "./terms";

export function scoreLink(row: Pick<ScoreRow, "trace_id" | "span_id">): string {
  if (row.trace_id === null) return "";
  return link({
    view: "trace",
    id: row.trace_id,
    params: { ...(row.span_id ? { span: row.span_id } : {}), tab: "scores" },
  });
}

function Click(props: { text: string; what: string; act(not: boolean): void; strong?: boolean }): VNode {
  return (
    <button
      type="button"
      class="bare score-click one-line"
      title={`${props.text}: click filters by ${props.what}, Alt-click leaves it out`}
      onClick={(event) => props.act(event.altKey)}
    >
      {props.strong ? <b>{props.text}</b> : props.text}
    </button>
  );
}

export const SCORE_COLUMNS: readonly Column<ScoreRow>[] = [
  {
    id: "time",
    label: "given",
    width: "112px",
    cell: (row) => (
      <time class="muted" dateTime={moment(row.time_ns)} title={`${moment(row.time_ns)} (${ago(row.time_ns)})`}>
        {clock(row.time_ns)}
      </time>
    ),
  },
  {
    id: "name",
    label: "name",
    width: "minmax(90px, 1fr)",
    cell: (row) => (
      <button
        type="button"
        class="bare score-click one-line"
        title={`${row.name}: show only scores of this name`}
        onClick={() => setParams({ name: row.name })}
      >
        {row.name}
      </button>
    ),
  },
  {
    id: "value",
    label: "value",
    width: "minmax(70px, 0.7fr)",
    cell: (row) => (
      <Click text={valueText(row)} what="this value" strong act={(not) => toggleTerm(scoreTerm(row.name, row), not)} />
    ),
  },
  {
    id: "by",
    label: "by",
    width: "minmax(90px, 0.9fr)",
    cell: (row) =>
      row.author === "" ? (
        <Click text="a program" what="scores by programs" act={(not) => toggleTerm("attr.vestigo.author:*", !not)} />
      ) : (
        <Click text={giver(row.author)} what="who gave it" act={(not) => toggleTerm(sourceTerm(row.author), not)} />
      ),
  },
  {
    id: "comment",
    label: "comment",
    width: "minmax(120px, 3fr)",
    title: (row) => row.comment,
    cell: (row) => (row.comment === "" ? <span class="muted">–</span> : row.comment),
  },
  {
    id: "trace",
    label: "trace",
    width: "150px",
    cell: (row) =>
      row.trace_id === null ? (
        <span class="muted">none</span>
      ) : (
        <a class="mono" href={scoreLink(row)} title={`open ${row.span_id ? "the span" : "the trace"} ${row.trace_id}`}>
          {row.trace_id.slice(0, 6)}…{row.trace_id.slice(-4)}
          {row.span_id && <span class="muted"> span</span>}
        </a>
      ),
  },
];
