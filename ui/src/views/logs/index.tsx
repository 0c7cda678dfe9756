// The logs of a project: levels at a click, a table that reads further as one scrolls, what arrives live at its top,
// and the chosen record beside it.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import type { LogRow } from "../../api/types";
import { useKeys } from "../../keys";
import { after, extrasOf, levelOf, lineOf, logParam, readLogParam } from "../../model/logs";
import { clockMs, count, moment, plural, toMs } from "../../model/format";
import { link, place, setParams } from "../../url";
import { Failure, Waiting } from "../../widgets/parts";
import { Splitter } from "../../widgets/Splitter";
import { Table, type Column } from "../../widgets/Table";
import { LevelChart } from "./LevelChart";
import { LogDetail } from "./LogDetail";
import { KEPT_LIVE, useFeed, type Feed } from "./feed";
import { Level, LevelChips, NoLogs } from "./parts";
import "./logs.css";

export function Logs(): VNode {
  const { project, params } = place.value;
  const live = params["live"] === "1";
  const oldest = params["order"] === "oldest" && !live;
  const [chosen, choose] = useState(""); // id of the selected row, while none is open
  const [paused, pause] = useState(false);
  const over = useRef(false);
  const clicked = useRef(false);
  const scroller = useRef<HTMLDivElement>(null);
  const isScrolled = (): boolean => (scroller.current?.scrollTop ?? 0) > 4;
  const feed = useFeed({
    project,
    q: params["q"] ?? "",
    t: params["t"],
    oldest,
    live,
    isHeld: () => paused || over.current || isScrolled(),
  });
  const { rows } = feed;
  const openParam = readLogParam(params["log"]);
  const at = useMemo(() => new Map(rows.map((row, i) => [row.log_id, i])), [rows]);
  const open = useOpened(openParam, rows, at);
  const selected = at.get(openParam?.logId ?? chosen) ?? -1;
  useEffect(() => pause(false), [live]);

  const show = (row: LogRow | undefined, how: "push" | "replace" = "replace"): void => {
    if (row) choose(row.log_id);
    setParams({ log: row ? logParam(row) : null }, how);
  };
  const release = (): void => {
    pause(false);
    if (scroller.current) scroller.current.scrollTop = 0;
    feed.release();
  };
  const close = (): void => show(undefined);
  useKeys("list", {
    ...(live ? { hold: () => (paused || feed.waiting > 0 ? release() : pause(true)) } : {}),
    ...(openParam ? { close, peek: close } : rows[selected] ? { peek: () => show(rows[selected], "push") } : {}),
  });

  const list = (
    <div
      class="list"
      onPointerEnter={() => (over.current = true)}
      onPointerLeave={() => {
        over.current = false;
        if (live && !paused && !isScrolled()) feed.release();
      }}
      onClickCapture={() => {
        clicked.current = true;
        setTimeout(() => (clicked.current = false));
      }}
    >
      {live && feed.waiting > 0 && (
        <button type="button" class="button first new-rows" onClick={release}>
          {count(feed.waiting)} new <span aria-hidden="true">↑</span>
        </button>
      )}
      <Rows
        feed={feed}
        oldest={oldest}
        live={live}
        selected={selected}
        scroller={scroller}
        onSelect={(i) => {
          const row = rows[i];
          if (!row) return;
          if (openParam || clicked.current) show(row, openParam ? "replace" : "push");
          else choose(row.log_id);
        }}
        onOpen={(i) => show(rows[i], "push")}
      />
    </div>
  );
  return (
    <div class={`logs${feed.stale && rows.length > 0 ? " stale" : ""}`}>
      <h1 class="sr-only">Logs</h1>
      <div class="head">
        <LevelChips />
        <span class="spread" />
        {live && (
          <button
            type="button"
            class="button"
            aria-pressed={paused}
            title="hold what arrives, or go on (.)"
            onClick={() => (paused ? release() : pause(true))}
          >
            hold
          </button>
        )}
      </div>
      {!feed.error && <LevelChart live={live} />}
      {feed.error && <Failure error={feed.error} onRetry={feed.reload} />}
      {openParam ? (
        <Splitter
          name="logs"
          share={0.6}
          left={list}
          right={
            open.row ? (
              <LogDetail key={open.row.log_id} row={open.row} onClose={close} />
            ) : (
              <Missing open={open} onClose={close} />
            )
          }
        />
      ) : (
        list
      )}
      <Foot feed={feed} live={live} oldest={oldest} paused={paused} />
    </div>
  );
}

/** The record that the address names: of the rows at hand, else asked for by its time. */
function useOpened(
  param: { timeNs: string; logId: string } | undefined,
  rows: readonly LogRow[],
  at: ReadonlyMap<string, number>,
): { row: LogRow | undefined; missing: boolean } {
  const found = param ? rows[at.get(param.logId) ?? -1] : undefined;
  const last = useRef<LogRow>(undefined);
  if (found) last.current = found;
  const kept = last.current?.log_id === param?.logId ? last.current : undefined;
  const lone = useAnswer(param && !found && !kept ? "/api/logs" : null, {
    start: param?.timeNs ?? "",
    end: param ? after(param.timeNs) : "",
    limit: 1_000,
  });
  const row = found ?? kept ?? lone.data?.items.find((one) => one.log_id === param?.logId);
  return { row, missing: row === undefined && (lone.data !== undefined || lone.error !== undefined) };
}

function Missing({ open, onClose }: { open: { missing: boolean }; onClose(): void }): VNode {
  if (!open.missing) return <Waiting />;
  return (
    <div class="notice small">
      <h2>This log is gone</h2>
      <p class="muted">It was deleted since the link was made, or belongs to another project.</p>
      <p>
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </p>
    </div>
  );
}

// --- the table

function Rows(props: {
  feed: Feed;
  oldest: boolean;
  live: boolean;
  selected: number;
  scroller: { current: HTMLDivElement | null };
  onSelect(i: number): void;
  onOpen(i: number): void;
}): VNode | null {
  const { feed } = props;
  const own = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1_000);
  useEffect(() => {
    const element = own.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = useMemo(
    () => columnsFor(feed.rows, width, props.oldest, props.live),
    [feed.rows, width, props.oldest, props.live],
  );
  const empty = feed.rows.length === 0;
  return (
    <div class="list-body" ref={own}>
      {empty && feed.loading && <Waiting />}
      {empty && !feed.loading && !feed.error && <NoLogs live={props.live} />}
      {!empty && (
        <Table<LogRow>
          label="logs"
          columns={columns}
          rows={feed.rows}
          rowKey={(row) => row.log_id}
          rowHeight={24}
          rowClass={(row) => `log-${levelOf(row.severity)}`}
          selected={props.selected}
          onSelect={props.onSelect}
          onOpen={props.onOpen}
          onEnd={feed.more}
          scroller={props.scroller}
        />
      )}
    </div>
  );
}

/** Columns that fit, of those that say something: which go first is their order here. */
function columnsFor(rows: readonly LogRow[], width: number, oldest: boolean, live: boolean): Column<LogRow>[] {
  const now = Date.now();
  const today =
    rows.length === 0 ||
    [rows[0]!, rows[rows.length - 1]!].every((row) => !clockMs(toMs(row.time_ns), now).includes(" "));
  const time: Column<LogRow> = {
    id: "time",
    label: `time ${oldest ? "▴" : "▾"}`,
    width: today ? "88px" : "132px",
    cell: (row) => <span class="muted">{clockMs(toMs(row.time_ns), now, true)}</span>,
    title: (row) => moment(row.time_ns),
    ...(live ? {} : { sort: { on: false, act: () => setParams({ order: oldest ? null : "oldest", cursor: null }) } }),
  };
  const level: Column<LogRow> = {
    id: "level",
    label: "level",
    width: "66px",
    cell: (row) => <Level severity={row.severity} />,
  };
  const message: Column<LogRow> = {
    id: "message",
    label: "message",
    width: "minmax(160px, 1fr)",
    cell: (row) => {
      const line = lineOf(row);
      const extras = extrasOf(row);
      return (
        <>
          {line || <span class="muted">–</span>}
          {extras !== "" && extras !== line && <span class="extras">{extras}</span>}
        </>
      );
    },
    title: lineOf,
  };
  const further: (readonly [Column<LogRow>, number, boolean])[] = [
    [
      {
        id: "trace",
        label: "trace",
        width: "72px",
        cell: (row) =>
          row.trace_id && (
            <a
              class="mono"
              href={link({ view: "trace", id: row.trace_id, params: { span: row.span_id } })}
              title={`trace ${row.trace_id}`}
            >
              {row.trace_id.slice(0, 8)}
            </a>
          ),
      },
      86,
      rows.some((row) => row.trace_id !== null),
    ],
    [textColumn("logger", 124, (row) => row.scope_name), 138, rows.some((row) => row.scope_name !== "")],
    [textColumn("event", 110, (row) => row.event_name), 124, rows.some((row) => row.event_name !== "")],
    [
      textColumn("service", 110, (row) => row.service),
      124,
      rows.some((row) => row.service !== rows[0]?.service), // one service in all says nothing
    ],
  ];
  let left = width - 24 - (today ? 88 : 132) - 66 - 28 - 240;
  const shown: Column<LogRow>[] = [];
  for (const [column, px, says] of further)
    if (says && left >= px) {
      shown.push(column);
      left -= px;
    }
  const order = ["event", "logger", "service", "trace"];
  return [time, level, message, ...shown.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id))];
}

function textColumn(id: string, px: number, read: (row: LogRow) => string): Column<LogRow> {
  return { id, label: id, width: `${px}px`, cell: (row) => <span class="muted">{read(row)}</span>, title: read };
}

// --- what is below it

function Foot({
  feed,
  live,
  oldest,
  paused,
}: {
  feed: Feed;
  live: boolean;
  oldest: boolean;
  paused: boolean;
}): VNode | null {
  const { rows } = feed;
  if (rows.length === 0 && !live) return null;
  const end = {
    more: feed.loading ? "reading further …" : `${oldest ? "newer" : "older"} ones follow as you scroll`,
    end: "no more logs in this window",
    "let-go": `the newest ${count(KEPT_LIVE)} are kept while live; turn live off for older ones`,
  }[feed.end];
  return (
    <div class="foot" role="status">
      <span>{plural(rows.length, "log")}</span>
      <span>{end}</span>
      {live && (
        <>
          <span>
            {{ off: "", connecting: "connecting …", open: "live", closed: "✕ not connected; trying again" }[feed.live]}
            {feed.live === "open" &&
              `, ${feed.perSecond < 10 ? feed.perSecond.toFixed(1) : count(feed.perSecond)} a second`}
          </span>
          {(paused || feed.waiting > 0) && <span>held{paused ? " (. goes on)" : " while you read"}</span>}
          {feed.leftOut > 0 && (
            <span class="error">✕ {count(feed.leftOut)} came too fast to be shown; they are stored</span>
          )}
          {feed.lost > 0 && (
            <span class="error">✕ {plural(feed.lost, "batch", "batches")} lost; the list was asked again</span>
          )}
        </>
      )}
    </div>
  );
}
