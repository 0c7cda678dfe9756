// Logs of a trace under the detail of its root, the first of them; the page of logs has all.
import type { VNode } from "preact";
import type { LogRow } from "../../api/types";
import { clockMs, plural, toMs } from "../../model/format";
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
  return ["–", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"][Math.ceil(severity / 4)] ?? "–";
}

function text(log: LogRow): string {
  const body = log.body as unknown;
  if (typeof body === "string") return body.slice(0, 300);
  const message = body !== null && typeof body === "object" ? (body as { message?: unknown }).message : undefined;
  if (typeof message === "string") return message.slice(0, 300);
  return (body === null || body === undefined ? log.event_name : JSON.stringify(body)).slice(0, 300);
}
