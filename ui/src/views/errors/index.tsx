// Failures that are alike, together: how often, for how many users, since when, and one of them to look at.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import type { ErrorGroup } from "../../api/types";
import { useKeys } from "../../keys";
import { filterFor } from "../../model/failures";
import { ago, count, moment } from "../../model/format";
import { go, link, place, timeWindow } from "../../url";
import { Code } from "../../renderers/Code";
import { Empty, Failure, Waiting } from "../../widgets/parts";
import { Sparkline } from "../../widgets/Sparkline";
import { Splitter } from "../../widgets/Splitter";
import { type Column, Table } from "../../widgets/Table";
import { timeName, WiderTime } from "../../widgets/TimeRange";
import "./errors.css";

const MOST = 200;

const COLUMNS: readonly Column<ErrorGroup>[] = [
  { id: "count", label: "times", width: "64px", numeric: true, cell: (group) => <b>{count(group.count)}</b> },
  {
    id: "message",
    label: "failure",
    width: "minmax(200px, 3fr)",
    title: (group) => `${group.error_type} ${group.message}`,
    cell: (group) => (
      <>
        <span class="error">✕ {shortType(group)}</span> {group.message || <span class="muted">no message</span>}
      </>
    ),
  },
  {
    id: "name",
    label: "span",
    width: "minmax(110px, 1fr)",
    title: (group) => group.span_name,
    cell: (group) => group.span_name,
  },
  {
    id: "over",
    label: "over time",
    width: "112px",
    drop: 3,
    cell: (group) => <Sparkline values={group.buckets} label="times" />,
  },
  {
    id: "users",
    label: "users",
    width: "52px",
    numeric: true,
    drop: 1,
    cell: (group) => (group.users > 0 ? count(group.users) : "–"),
  },
  {
    id: "first",
    label: "first",
    width: "84px",
    drop: 2,
    title: (group) => moment(group.first_ns),
    cell: (group) => <span class="muted">{ago(group.first_ns)}</span>,
  },
  {
    id: "last",
    label: "last",
    width: "84px",
    title: (group) => moment(group.last_ns),
    cell: (group) => <span class="muted">{ago(group.last_ns)}</span>,
  },
];

/** Without the module it comes from, which the title tells. */
function shortType(group: ErrorGroup): string {
  return group.error_type.split(".").at(-1) || "error";
}

const keyOf = (group: ErrorGroup): string => `${group.error_type}\n${group.message}\n${group.span_name}`;

export function Errors(): VNode {
  const { q, t } = place.value.params;
  const told = useAnswer("/api/errors", { ...(q ? { q } : {}), ...timeWindow(t), limit: MOST }, { keep: true });
  const [chosen, setChosen] = useState("");
  const groups = told.data?.groups ?? [];
  const selected = groups.findIndex((group) => keyOf(group) === chosen);
  const group = groups[selected];
  const open = (i: number): void => {
    const one = groups[i];
    if (one) go(link({ view: "trace", id: one.trace_id, params: { span: one.span_id, q: filterFor(one, q ?? "") } }));
  };
  useKeys("list", group ? { close: () => setChosen("") } : {});
  if (told.error) return <Failure error={told.error} onRetry={told.reload} />;
  if (told.loading) return <Waiting />;
  if (groups.length === 0)
    return (
      <Empty title={q ? "Nothing that matches failed" : "Nothing failed"}>
        <p>
          In the time that is shown ({timeName(t)}) no span {q && "that matches the filter "}ended with an error.
        </p>
        <p class="stats">
          <WiderTime />
        </p>
        <p class="muted">
          A span fails when an exception leaves it, when its instrumentation says so, or by{" "}
          <code>span.set_status("ERROR")</code>.
        </p>
      </Empty>
    );
  const table = (
    <>
      <Table
        label="errors"
        columns={COLUMNS}
        rows={groups}
        rowKey={keyOf}
        selected={selected}
        onSelect={(i) => setChosen(groups[i] ? keyOf(groups[i]) : "")}
        onOpen={open}
      />
      <footer class="foot">
        <span>
          {count(groups.length)} sorts of failures in {count(told.data!.spans_read)} failed spans
          {!told.data!.complete && ", the newest ones: narrow the time or the filter to see all"}
        </span>
        <span>
          <kbd>j</kbd> <kbd>k</kbd> move
        </span>
        <span>
          <kbd>Enter</kbd> the newest one
        </span>
      </footer>
    </>
  );
  return (
    <Splitter
      name="errors"
      share={0.62}
      left={<div class={`errors${told.stale ? " stale" : ""}`}>{table}</div>}
      right={group ? <One group={group} q={q ?? ""} onClose={() => setChosen("")} /> : null}
    />
  );
}

function One({ group, q, onClose }: { group: ErrorGroup; q: string; onClose(): void }): VNode {
  const filter = filterFor(group, q);
  return (
    <section class="one-error" aria-label="one of them">
      <div class="head">
        <h2 class="error one-line">✕ {group.error_type || "error"}</h2>
        <span class="spread" />
        <button type="button" class="icon-button" aria-label="close" onClick={onClose}>
          ✕
        </button>
      </div>
      <div class="one-error-body">
        <p class="said">{group.message || "no message"}</p>
        <p class="stats">
          <span>
            <b>{count(group.count)}</b> {group.count === 1 ? "time" : "times"}
          </span>
          {group.users > 0 && (
            <span>
              <b>{count(group.users)}</b> {group.users === 1 ? "user" : "users"}
            </span>
          )}
          <span class="muted">
            first {ago(group.first_ns)}, last {ago(group.last_ns)}
          </span>
        </p>
        <p class="stats">
          <a
            class="button first"
            href={link({ view: "trace", id: group.trace_id, params: { span: group.span_id, q: filter } })}
          >
            Open the newest
          </a>
          <a class="button" href={link({ view: "traces", params: { q: filter, of: "spans" } })}>
            List all of them
          </a>
        </p>
        <h3>the newest one said</h3>
        <Code text={group.example || "(nothing)"} language="text" />
      </div>
    </section>
  );
}
