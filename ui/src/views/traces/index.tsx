// The list: traces, spans or model calls that match the filter, with the values to narrow it by, their number over
// time, and what arrives live. The address holds all of it.
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useArrivals } from "../../api/arrivals";
import { address } from "../../api/client";
import { usePages } from "../../api/pages";
import type { SpanRow, TraceRow } from "../../api/types";
import { useKeys } from "../../keys";
import { recall, remember } from "../../memory";
import { count, plural } from "../../model/format";
import { append } from "../../model/query";
import { go, lastingLink, link, place, root, setParams, timeWindow } from "../../url";
import { Facets } from "../../widgets/Facets";
import { Icon } from "../../widgets/icons";
import { Menu } from "../../widgets/Menu";
import { copyText, Failure, toast, Waiting } from "../../widgets/parts";
import { Splitter } from "../../widgets/Splitter";
import { type Column, Table } from "../../widgets/Table";
import { FIRST_COLUMNS, SPAN_COLUMNS, TRACE_COLUMNS, traceLink } from "./columns";
import { NothingFound } from "../../widgets/FirstSteps";
import { OverTime } from "./OverTime";
import { Peek } from "./Peek";
import "./traces.css";

type Unit = "traces" | "spans" | "calls";
type Row = TraceRow | SpanRow;

const UNITS: readonly (readonly [Unit, string])[] = [
  ["traces", "traces"],
  ["spans", "spans"],
  ["calls", "model calls"],
];
const FACETS = [
  { field: "status", label: "status", open: true },
  { field: "kind", label: "kind of span", open: true },
  { field: "model", label: "model", open: true },
  { field: "service", label: "service", open: true },
  { field: "user", label: "user" },
  { field: "session", label: "session" },
  { field: "tool", label: "tool" },
  { field: "agent", label: "agent" },
  { field: "prompt", label: "prompt" },
  { field: "tag", label: "tag" },
  { field: "env", label: "environment" },
  { field: "release", label: "release" },
] as const;

export const keyOf = (row: Row): string => ("span_id" in row ? `${row.trace_id}.${row.span_id}` : row.trace_id);

/** The filter of the unit: model calls are spans of one kind. */
export function filterOf(unit: Unit, q: string): string {
  return unit === "calls" ? append(q, "kind:llm") : q;
}

export function Traces(): VNode {
  const { params } = place.value;
  const unit: Unit = params["of"] === "spans" || params["of"] === "calls" ? params["of"] : "traces";
  const q = filterOf(unit, params["q"] ?? "");
  const order = params["order"] === "oldest" || params["order"] === "slowest" ? params["order"] : "newest";
  const live = params["live"] === "1" && order === "newest";
  const asked = { ...(q ? { q } : {}), ...timeWindow(params["t"]), order, limit: 100 } as const;
  const traces = usePages(unit === "traces" ? "/api/traces" : null, asked);
  const spans = usePages(unit === "traces" ? null : "/api/spans", asked);
  const pages = unit === "traces" ? traces : spans;
  const paused = useSignal(false);
  const [over, setOver] = useState(false);
  const [scrolled, setScrolled] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const ids = useMemo(() => new Set((pages.items as readonly Row[]).map(keyOf)), [pages.items]);
  const arrivals = useArrivals<Row>({
    on: live,
    of: unit === "traces" ? "traces" : "spans",
    q,
    key: keyOf,
    rowsOf: (batch) => (unit === "traces" ? (batch.traces ?? []) : (batch.spans ?? [])) as readonly Row[],
    known: (key) => ids.has(key),
    hold: paused.value || over || scrolled,
    reload: () => {
      if (!paused.value && !scrolled) pages.reload();
      return !paused.value && !scrolled;
    },
  });
  // a list that was read later has some of them too
  const arrived = useMemo(() => arrivals.rows.filter((row) => !ids.has(keyOf(row))), [arrivals.rows, ids]);
  const rows = useMemo(() => {
    const old = (pages.items as readonly Row[]).map((row) => arrivals.changed.get(keyOf(row)) ?? row);
    return [...arrived, ...old];
  }, [pages.items, arrived, arrivals.changed]);

  // what is selected is remembered by its key, so that arrivals do not move it
  const [selectedKey, setSelectedKey] = useState("");
  const selected = useMemo(() => rows.findIndex((row) => keyOf(row) === selectedKey), [rows, selectedKey]);
  const peek = params["peek"] === "1" && selected >= 0;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => setChosen(new Set()), [unit]);
  const chose = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const compare = (): void => {
    const [a, b] = [...chosen];
    if (chosen.size !== 2) return toast("select two traces with x, then c compares them");
    go(link({ view: "compare", params: { a: a!, b: b! } }));
  };
  const current = rows[selected];
  useKeys("list", {
    hold: () => (paused.value = !paused.value),
    ...(current
      ? {
          peek: () => setParams({ peek: peek ? null : "1" }, "replace"),
          select: () => chose(current.trace_id),
        }
      : {}),
    compare,
    ...(peek
      ? { close: () => setParams({ peek: null }, "replace") }
      : chosen.size > 0
        ? { close: () => setChosen(new Set()) }
        : {}),
  });

  const { columns, all, show } = useColumns(unit);
  const [faceted, setFaceted] = useState(() => (recall("facets") ?? (innerWidth < 1_100 ? "off" : "on")) === "on");
  const sortBy = (id: string): Column<Row>["sort"] => {
    if (id === "time") {
      const other = order === "newest" ? "oldest" : null;
      return { on: order !== "slowest", act: () => setParams({ order: order === "slowest" ? null : other }) };
    }
    if (id !== "duration") return undefined;
    return { on: order === "slowest", act: () => setParams({ order: order === "slowest" ? null : "slowest" }) };
  };
  const shown: Column<Row>[] = columns.map((column) => {
    const sort = sortBy(column.id);
    return sort ? { ...column, sort } : column;
  });
  if (unit === "traces")
    shown.unshift({
      id: "choose",
      label: "select",
      hidden: true,
      width: "16px",
      cell: (row) => (
        <input
          type="checkbox"
          aria-label={`select ${row.name} for comparing`}
          checked={chosen.has(row.trace_id)}
          onChange={() => chose(row.trace_id)}
        />
      ),
    });

  const list = (
    <div
      class={`list${pages.stale ? " stale" : ""}`}
      onMouseEnter={() => setOver(true)}
      onMouseLeave={() => setOver(false)}
      onScrollCapture={() => setScrolled((scroller.current?.scrollTop ?? 0) > 40)}
    >
      {pages.error && <Failure error={pages.error} onRetry={pages.reload} />}
      {!pages.error &&
        rows.length === 0 &&
        (pages.loading ? <Waiting /> : <NothingFound what={unit === "calls" ? "model calls" : unit} />)}
      {rows.length > 0 && (
        <Table<Row>
          label={unit === "calls" ? "model calls" : unit}
          columns={shown}
          rows={rows}
          rowKey={keyOf}
          selected={selected}
          onSelect={(i) => setSelectedKey(rows[i] ? keyOf(rows[i]) : "")}
          onOpen={(i) => rows[i] && go(traceLink(rows[i]))}
          onEnd={pages.next}
          rowClass={(row, i) => `${i < arrived.length ? "arrived" : ""}${chosen.has(row.trace_id) ? " chosen" : ""}`}
          scroller={scroller}
        />
      )}
    </div>
  );
  return (
    <div class="panes">
      {faceted && <Facets name="traces" fields={FACETS} />}
      <div class="pane spread">
        <div class="list-bar">
          <button
            type="button"
            class="icon-button"
            aria-label="values to filter by"
            title="values to filter by"
            aria-pressed={faceted}
            onClick={() => {
              remember("facets", faceted ? "off" : "on");
              setFaceted(!faceted);
            }}
          >
            <Icon name="facets" />
          </button>
          <span role="group" aria-label="what is listed" class="units">
            {UNITS.map(([id, label]) => (
              <button
                key={id}
                type="button"
                class="bare unit"
                aria-pressed={unit === id}
                onClick={() => setParams({ of: id === "traces" ? null : id })}
              >
                {label}
              </button>
            ))}
          </span>
          <span class="muted" role="status">
            {rows.length > 0 && `${count(rows.length)}${pages.more ? " and more" : ""}`}
          </span>
          {live && (
            <LiveState
              arrivals={arrivals}
              paused={paused.value}
              onReload={() => (arrivals.restart(), pages.reload())}
            />
          )}
          {arrivals.held > 0 && (
            <button
              type="button"
              class="link"
              onClick={() => {
                arrivals.release();
                scroller.current?.scrollTo({ top: 0 });
              }}
            >
              {count(arrivals.held)} new ↑
            </button>
          )}
          <span class="spread" />
          {chosen.size > 0 && (
            <button type="button" class="button" disabled={chosen.size !== 2} onClick={compare}>
              Compare {chosen.size === 2 ? "" : `(${chosen.size} of 2)`}
            </button>
          )}
          <Menu
            label="Columns"
            class="button"
            items={all.map((column) => ({
              label: column.label,
              on: columns.some((one) => one.id === column.id),
              act: () => show(column.id),
            }))}
          />
          <Menu
            label={<span aria-hidden="true">⋯</span>}
            name="more"
            class="icon-button"
            items={moreItems(unit, q, asked, rows)}
          />
        </div>
        <OverTime q={q} live={live} />
        <Splitter
          name="peek"
          share={0.62}
          left={list}
          right={peek && current ? <Peek row={current} onClose={() => setParams({ peek: null }, "replace")} /> : null}
        />
      </div>
    </div>
  );
}

function LiveState(props: {
  arrivals: { state: string; rate: number; incomplete: boolean };
  paused: boolean;
  onReload(): void;
}): VNode {
  const { state, rate, incomplete } = props.arrivals;
  const told =
    state === "open"
      ? `live, ${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)} a second${props.paused ? ", held (. goes on)" : ""}`
      : state === "closed"
        ? "live: the server refused; trying again"
        : "live: connecting …";
  return (
    <span class="muted">
      {told}
      {incomplete && (
        <>
          {" "}
          · some were missed;{" "}
          <button type="button" class="link" onClick={props.onReload}>
            read the list again
          </button>
        </>
      )}
    </span>
  );
}

function useColumns(unit: Unit): {
  columns: readonly Column<Row>[];
  all: readonly Column<Row>[];
  show(id: string): void;
} {
  const kind = unit === "traces" ? "traces" : "spans";
  const all = (kind === "traces" ? TRACE_COLUMNS : SPAN_COLUMNS) as readonly Column<Row>[];
  const [, redraw] = useState(0);
  const kept = recall(`columns.${kind}`)?.split(",") ?? FIRST_COLUMNS[kind];
  const show = (id: string): void => {
    const next = kept.includes(id) ? kept.filter((one) => one !== id) : [...kept, id];
    if (next.length === 0) return;
    remember(`columns.${kind}`, next.join(","));
    redraw((n) => n + 1);
  };
  return { columns: all.filter((column) => kept.includes(column.id)), all, show };
}

function moreItems(unit: Unit, q: string, asked: Record<string, string | number>, rows: readonly Row[]) {
  const path = unit === "traces" ? "/api/traces" : "/api/spans";
  const since = String(asked["start"] ?? "");
  const command = `vestigo query ${unit === "traces" ? "" : "--spans "}${/^\d+[smhdw]$/.test(since) ? `--since ${since} ` : ""}${shellQuoted(q)}`;
  const curl = `curl -s -H "Authorization: Bearer $VESTIGO_KEY" ${shellQuoted(new URL(address(path, asked), location.href).href)}`;
  return [
    { label: "copy link", hint: "Y", act: () => void copyText(lastingLink(), "link copied") },
    { label: "copy as command", act: () => void copyText(command.trim(), "command copied") },
    { label: "copy as curl", act: () => void copyText(curl, "command copied") },
    {
      label: `download ${plural(rows.length, "row")} as JSON`,
      act: () => save(`${unit}.json`, JSON.stringify(rows, null, 1)),
    },
    { label: `download ${plural(rows.length, "row")} as CSV`, act: () => save(`${unit}.csv`, csv(rows)) },
    { label: "the API of this list", href: `${root}docs` },
  ];
}

function shellQuoted(text: string): string {
  return text === "" ? "" : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Rows as CSV. Cells that a spreadsheet would take for a formula are text. */
export function csv(rows: readonly object[]): string {
  const names = Object.keys(rows[0] ?? {});
  const cell = (value: unknown): string => {
    const plain =
      value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [
    names.join(","),
    ...rows.map((row) => names.map((name) => cell((row as Record<string, unknown>)[name])).join(",")),
  ].join("\r\n");
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
