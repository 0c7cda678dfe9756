// Logs of a trace under the detail of its root, the first of them; the page of logs has all.
import type { VNode } from "preact";
import type { LogRow } from "../../api/types";
import { clockMs, plural, toMs } from "../../model/format";
import { LEVELS, textOf } from "../../model/logs";
import { link, setParams } from "../../url";

const SHOWN = 50;

export function Logs({ logs, more, traceId }: { logs: readonly LogRow[]; more: boolean; traceId: string }): VNode {
  return (
    <section class="trace-logs" aria-label="logs of the trace">
      <h3>
        {plural(logs.length, "log")}
        {more ? " and more" : ""} of the trace ·{" "}
        <a href={link({ view: "logs", params: { q: `trace=${traceId}`, t: "all" } })}>all on the page of logs</a>
      </h3>
      <ul>
        {logs.slice(0, SHOWN).map((log) => (
          <li key={log.log_id}>
            <span class="muted">{clockMs(toMs(log.time_ns), undefined, true).slice(-12)}</span>
            <span class={log.severity >= 17 ? "error" : "muted"}>{level(log.severity)}</span>
            {log.span_id ? (
              <button
                type="button"
                class="bare one-line"
                onClick={() => setParams({ span: log.span_id, tab: "events" }, "replace")}
              >
                {text(log)}
              </button>
            ) : (
              <span class="one-line">{text(log)}</span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function level(severity: number): string {
  return LEVELS.find(({ least }) => severity >= least)?.name ?? "–";
}

function text(log: LogRow): string {
  return (textOf(log.body) || log.event_name).slice(0, 300);
}
