// What happened during a span, in order: its events, exceptions with their stacks, and its logs.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { EventRow, LogRow, SpanDetail } from "../../api/types";
import { bytes, count, duration } from "../../model/format";
import { LEVELS } from "../../model/logs";
import { Stack } from "../../renderers/Stack";
import { Value } from "../../renderers/Value";
import { Empty } from "../../widgets/parts";

export const SCORE = "gen_ai.evaluation.result";
const PORTION = 40;

type Happening = { atNs: string; event: EventRow } | { atNs: string; log: LogRow };

export function eventCount(detail: SpanDetail): number {
  return detail.events.length + detail.logs.filter((log) => log.event_name !== SCORE).length;
}

export function DetailEvents({ detail, load }: { detail: SpanDetail; load(field: string): Promise<void> }): VNode {
  const [portion, setPortion] = useState(PORTION);
  const all: Happening[] = [
    ...detail.events.map((event) => ({ atNs: event.time_ns, event })),
    ...detail.logs.filter((log) => log.event_name !== SCORE).map((log) => ({ atNs: log.time_ns, log })),
  ].toSorted((one, two) => Number(BigInt(one.atNs) - BigInt(two.atNs)));
  const cut = detail.cut.find((one) => one.field === "events");
  if (all.length === 0) {
    return (
      <Empty small title="No events">
        <p class="muted">
          Exceptions, logs written inside the span and <code>tracer.event("name")</code> are listed here.
        </p>
      </Empty>
    );
  }
  return (
    <div>
      {cut !== undefined && (
        <p class="cut-note">
          events are {bytes(cut.size_bytes)}; the first 256 kB are shown
          <button type="button" class="link" onClick={() => void load("events")}>
            show all
          </button>
        </p>
      )}
      {all.slice(0, portion).map((one, at) => {
        const after = Number(BigInt(one.atNs) - BigInt(detail.span.start_ns)) / 1e3;
        return "event" in one ? (
          <EventView key={at} event={one.event} afterUs={after} />
        ) : (
          <LogView key={at} log={one.log} afterUs={after} />
        );
      })}
      {all.length > portion && (
        <button type="button" class="link more" onClick={() => setPortion(portion + PORTION)}>
          show more of {count(all.length)}
        </button>
      )}
      {detail.more_logs && <p class="muted">There are further logs; the page Logs has them all.</p>}
    </div>
  );
}

const signed = (us: number): string => (us < 0 ? `−${duration(-us)}` : `+${duration(us)}`);

function EventView({ event, afterUs }: { event: EventRow; afterUs: number }): VNode {
  const {
    "exception.stacktrace": stack,
    "exception.type": type,
    "exception.message": message,
    ...rest
  } = event.attributes;
  const failed = type !== undefined || message !== undefined || stack !== undefined;
  return (
    <div class="event">
      <div class="event-head">
        <span class="at" title="after the start of the span">
          {signed(afterUs)}
        </span>
        <b class={`one-line${failed ? " error" : ""}`}>
          {failed && "✕ "}
          {event.name || "(no name)"}
        </b>
      </div>
      {failed && typeof stack !== "string" && (
        <p class="text">{[type, message].filter((told) => typeof told === "string" && told !== "").join(": ")}</p>
      )}
      {typeof stack === "string" && <Stack text={stack} />}
      {Object.keys(rest).length > 0 && <Value value={rest} label={event.name} bare />}
    </div>
  );
}

function LogView({ log, afterUs }: { log: LogRow; afterUs: number }): VNode {
  const level = LEVELS.find(({ least }) => log.severity >= least)?.id ?? "trace";
  const bad = log.severity >= 17;
  const { "exception.stacktrace": stack, ...rest } = log.attributes;
  return (
    <div class="event">
      <div class="event-head">
        <span class="at" title="after the start of the span">
          {signed(afterUs)}
        </span>
        <span class={bad ? "error" : "muted"}>
          {bad && "✕ "}
          log · {level}
        </span>
        {log.event_name !== "" && <b class="one-line">{log.event_name}</b>}
      </div>
      {log.body !== null && log.body !== undefined && <Value value={log.body} label="log" bare />}
      {typeof stack === "string" && <Stack text={stack} />}
      {Object.keys(rest).length > 0 && <Value value={rest} label="attributes of the log" bare />}
      {log.cut && <p class="muted">A long value of it was cut.</p>}
    </div>
  );
}
