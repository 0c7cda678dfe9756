// Sessions of the traces that match, the one with the last trace first: turns, failures, tokens, cost, and when.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { usePages } from "../../api/pages";
import type { GroupRow } from "../../api/types";
import { ago, clock, count, duration, moment, toMs, usd } from "../../model/format";
import { append, term } from "../../model/query";
import { go, link, place, root, timeWindow } from "../../url";
import { CodeBox, Empty, Failure, Waiting } from "../../widgets/parts";
import { type Column, Table } from "../../widgets/Table";
import "./sessions.css";

const LIST = ["q", "t"];

const sessionLink = (row: GroupRow): string => link({ view: "session", id: row.key, keep: LIST });

const COLUMNS: readonly Column<GroupRow>[] = [
  {
    id: "session",
    label: "session",
    width: "minmax(160px, 2fr)",
    title: (row) => row.key,
    cell: (row) => (
      <a class="row-link" href={sessionLink(row)}>
        {row.key}
      </a>
    ),
  },
  { id: "turns", label: "turns", width: "64px", numeric: true, cell: (row) => count(row.traces) },
  {
    id: "failed",
    label: "failed",
    width: "64px",
    numeric: true,
    cell: (row) =>
      row.failed > 0 ? (
        <a
          class="error"
          href={link({
            view: "traces",
            params: { q: append(append(place.value.params["q"] ?? "", term("session", row.key)), "status:error") },
            keep: ["t"],
          })}
          title="the failed ones"
        >
          ✕ {count(row.failed)}
        </a>
      ) : (
        <span class="muted">–</span>
      ),
  },
  { id: "calls", label: "calls", width: "64px", numeric: true, cell: (row) => count(row.calls) },
  {
    id: "tokens",
    label: "tokens",
    width: "88px",
    numeric: true,
    title: (row) => `${count(row.input_tokens)} in, ${count(row.output_tokens)} out`,
    cell: (row) => count(row.input_tokens + row.output_tokens),
  },
  {
    id: "cost",
    label: "cost",
    width: "84px",
    numeric: true,
    title: (row) => (row.unpriced_calls > 0 ? `${count(row.unpriced_calls)} calls without a known price` : ""),
    cell: (row) => (
      <>
        {usd(row.cost_usd)}
        {row.unpriced_calls > 0 && row.cost_usd !== null && <span class="muted">+?</span>}
      </>
    ),
  },
  {
    id: "length",
    label: "first to last",
    width: "96px",
    numeric: true,
    cell: (row) => {
      const ms = toMs(row.last_ns) - toMs(row.first_ns);
      return ms > 0 ? duration(ms * 1e3) : <span class="muted">one turn</span>;
    },
  },
  {
    id: "last",
    label: "last turn",
    width: "120px",
    title: (row) => `first ${moment(row.first_ns)}, last ${moment(row.last_ns)} (${ago(row.last_ns)})`,
    cell: (row) => (
      <time class="muted" dateTime={moment(row.last_ns)}>
        {clock(row.last_ns)}
      </time>
    ),
  },
];

export function Sessions(): VNode {
  const { params } = place.value;
  const q = params["q"] ?? "";
  const pages = usePages("/api/sessions", { ...(q ? { q } : {}), ...timeWindow(params["t"]), limit: 100 });
  const [key, setKey] = useState("");
  const rows = pages.items;
  const selected = useMemo(() => rows.findIndex((row) => row.key === key), [rows, key]);
  if (pages.error && rows.length === 0) return <Failure error={pages.error} onRetry={pages.reload} />;
  if (rows.length === 0) return pages.loading ? <Waiting /> : <None />;
  return (
    <div class={`table${pages.stale ? " stale" : ""}`}>
      <h1 class="sr-only">Sessions</h1>
      <Table
        label="sessions"
        columns={COLUMNS}
        rows={rows}
        rowKey={(row) => row.key}
        selected={selected}
        onSelect={(at) => setKey(rows[at]?.key ?? "")}
        onOpen={(at) => rows[at] && go(sessionLink(rows[at]))}
        onEnd={pages.next}
      />
      {pages.error && <Failure error={pages.error} onRetry={pages.next} />}
    </div>
  );
}

function None(): VNode {
  const { params } = place.value;
  const address = location.origin + root.replace(/\/$/, "");
  return (
    <Empty title={params["q"] ? "No sessions match this filter" : "No sessions in this time"}>
      <p>
        A session is one conversation: traces whose root says the same <code>session.id</code> or{" "}
        <code>gen_ai.conversation.id</code>.
      </p>
      {(params["q"] || (params["t"] && params["t"] !== "all")) && (
        <p class="stats">
          <a class="button" href={link({ view: "sessions", params: { t: "all" }, keep: [] })}>
            Show all sessions of all time
          </a>
        </p>
      )}
      <CodeBox
        text={`import vestigo

vestigo.configure(storage=${JSON.stringify(address)}, project=${JSON.stringify(place.value.project)})
with vestigo.trace("chat turn", {"session.id": "chat-42", "user.id": "u7"}):
    ...   # what happens here is one turn of the session`}
      />
    </Empty>
  );
}
