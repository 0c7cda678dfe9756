// Traces and spans that got different values under one name: who gave what, and the way there.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Disagreement, Tally } from "../../api/types";
import { clock, count, moment } from "../../model/format";
import { giver, givenLine, valueText } from "../../model/scores";
import { go, link, setParams } from "../../url";
import { Empty } from "../../widgets/parts";
import { type Column, Table } from "../../widgets/Table";
import { scoreLink } from "./columns";

const newest = (row: Disagreement): string =>
  row.given.reduce((last, one) => (BigInt(one.time_ns) > BigInt(last) ? one.time_ns : last), "0");

const COLUMNS: readonly Column<Disagreement>[] = [
  {
    id: "time",
    label: "last given",
    width: "112px",
    cell: (row) => (
      <time class="muted" title={moment(newest(row))}>
        {clock(newest(row))}
      </time>
    ),
  },
  {
    id: "name",
    label: "name",
    width: "minmax(90px, 1fr)",
    cell: (row) => (
      <button type="button" class="bare score-click one-line" onClick={() => setParams({ name: row.name })}>
        {row.name}
      </button>
    ),
  },
  {
    id: "given",
    label: "who gave what",
    width: "minmax(200px, 4fr)",
    title: (row) => givenLine(row.given),
    cell: (row) => (
      <span class="score-given">
        {row.given.slice(0, 6).map((one) => (
          <span key={one.score_id} class="chip" title={one.comment || undefined}>
            {giver(one.source)} <b>{valueText(one)}</b>
          </span>
        ))}
        {row.given.length > 6 && <span class="muted">and {count(row.given.length - 6)} more</span>}
      </span>
    ),
  },
  {
    id: "trace",
    label: "trace",
    width: "150px",
    cell: (row) => (
      <a class="mono" href={scoreLink(row)} title={`open the ${row.span_id ? "span" : "trace"} ${row.trace_id}`}>
        {row.trace_id.slice(0, 6)}…{row.trace_id.slice(-4)}
        {row.span_id && <span class="muted"> span</span>}
      </a>
    ),
  },
  {
    id: "settle",
    label: "settle",
    width: "96px",
    cell: (row) => (
      <a
        href={link({ view: "queue", params: { name: row.name, q: `trace:${row.trace_id}`, all: "1", setup: "1" } })}
        title="answer yourself, with this trace in the queue"
      >
        annotate
      </a>
    ),
  },
];

export function Differing({ sums }: { sums: Tally }): VNode {
  const [selected, setSelected] = useState(-1);
  const rows = sums.disagreements;
  if (rows.length === 0)
    return (
      <Empty title="Nobody differs" small>
        <p class="muted">
          Where two people, or a person and a program, give one trace or span different values under the same name, it
          stands here.
        </p>
      </Empty>
    );
  return (
    <Table<Disagreement>
      label="disagreements"
      columns={COLUMNS}
      rows={rows}
      rowKey={(row) => `${row.name} ${row.trace_id} ${row.span_id}`}
      selected={selected}
      onSelect={setSelected}
      onOpen={(at) => go(scoreLink(rows[at]!))}
    />
  );
}
