// One log record with all it says: where it belongs, its message, its exception with the stack, its attributes, each of
// which filters by a click.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { LogRow } from "../../api/types";
import { useKeys } from "../../keys";
import { attributesOf, exceptionOf, levelOf, shifted, termOf, textOf } from "../../model/logs";
import { ago, moment, clockMs, toMs } from "../../model/format";
import { append } from "../../model/query";
import { JsonView } from "../../renderers/JsonView";
import { Stack } from "../../renderers/Stack";
import { Text } from "../../renderers/Text";
import { link, place, setParams } from "../../url";
import { Copy, copyText } from "../../widgets/parts";
import { Level } from "./parts";

const AROUND_MS = 30_000;
const SHOWN = 40;
const LONG = 300;

export function LogDetail({ row, onClose }: { row: LogRow; onClose(): void }): VNode {
  const failed = exceptionOf(row);
  const attributes = attributesOf(row);
  const [all, setAll] = useState(false);
  const json = (): string => JSON.stringify(row, null, 2);
  useKeys("list", { copy: () => void copyText(json(), "log copied as JSON") });
  const around = `${shifted(row.time_ns, -AROUND_MS)}-${shifted(row.time_ns, AROUND_MS)}`;
  const log = place.value.params["log"];
  return (
    <section class="log-detail" aria-label="the chosen log">
      <div class="top">
        <Level severity={row.severity} />
        <b class="one-line" title={moment(row.time_ns)}>
          {clockMs(toMs(row.time_ns), Date.now(), true)}
        </b>
        <span class="muted one-line">{ago(row.time_ns)}</span>
        <span class="spread" />
        <button type="button" class="button" onClick={() => void copyText(json(), "log copied as JSON")}>
          Copy JSON
        </button>
        <button type="button" class="icon-button" aria-label="close" title="close (Esc)" onClick={onClose}>
          ✕
        </button>
      </div>
      <Body row={row} />
      <dl class="facts">
        {row.trace_id && (
          <Fact name="trace">
            <a href={link({ view: "trace", id: row.trace_id, params: { span: row.span_id } })} class="mono">
              {row.span_id ? `span ${row.span_id.slice(0, 8)} of trace ${row.trace_id.slice(0, 8)}…` : row.trace_id}
            </a>{" "}
            <Copy text={row.trace_id} label="copy the trace id" />
          </Fact>
        )}
        {row.service && (
          <Fact name="service">
            <Filtering field="service" value={row.service} />
          </Fact>
        )}
        {row.scope_name && <Fact name="logger">{row.scope_name}</Fact>}
        {row.event_name && (
          <Fact name="event">
            <Filtering field="name" value={row.event_name} />
          </Fact>
        )}
        <Fact name="time, UTC">{moment(row.time_ns)}</Fact>
        <Fact name="more">
          <a href={link({ view: "logs", params: { t: around, log }, keep: [] })}>what was logged around it</a>
          {row.trace_id && (
            <>
              {" · "}
              <a href={link({ view: "logs", params: { q: `trace=${row.trace_id}`, t: "all", log }, keep: [] })}>
                logs of this trace
              </a>
            </>
          )}
          {row.severity > 0 && (
            <>
              {" · "}
              <a href={link({ view: "logs", params: { q: `level=${levelOf(row.severity)}`, log } })}>
                logs of this level
              </a>
            </>
          )}
        </Fact>
      </dl>
      {failed && (
        <div>
          <div class="part-head">
            <h2>Exception</h2>
            <span class="spread" />
            {failed.stack && <Copy text={failed.stack} label="copy the stack" />}
          </div>
          {failed.stack ? (
            <Stack text={failed.stack} />
          ) : (
            <p class="error">
              ✕ <b>{failed.type || "exception"}</b>
              {failed.message && `: ${failed.message}`}
            </p>
          )}
        </div>
      )}
      {attributes.length > 0 && (
        <div>
          <div class="part-head">
            <h2>Attributes</h2>
            <span class="muted">a click filters by a value, Alt-click leaves it out</span>
          </div>
          {attributes.slice(0, all ? 400 : SHOWN).map(([name, value]) => (
            <Attribute key={name} name={name} value={value} />
          ))}
          {!all && attributes.length > SHOWN && (
            <button type="button" class="link" onClick={() => setAll(true)}>
              show all {attributes.length}
            </button>
          )}
        </div>
      )}
      {row.cut && <p class="muted">Parts of this record are larger than 256 kB and were cut.</p>}
    </section>
  );
}

function Body({ row }: { row: LogRow }): VNode | null {
  const [asJson, setAsJson] = useState(false);
  const { body } = row;
  if (body === null || body === undefined) return null;
  if (typeof body === "string") return <Text text={body} />;
  const text = textOf(body);
  const hasText = text !== JSON.stringify(body);
  return (
    <div>
      <div class="part-head">
        <h2>Body</h2>
        {hasText && (
          <button type="button" class="link" aria-pressed={asJson} onClick={() => setAsJson(!asJson)}>
            {asJson ? "as text" : "as JSON"}
          </button>
        )}
        <span class="spread" />
        <Copy text={() => (hasText && !asJson ? text : JSON.stringify(body, null, 2))} label="copy the body" />
      </div>
      {hasText && !asJson ? <Text text={text} /> : <JsonView value={body} label="body" />}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): VNode {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function filterBy(term: string | undefined): void {
  if (term) setParams({ q: append(place.value.params["q"] ?? "", term) });
}

/** A value that filters by a click, and is left out by an Alt-click. */
function Filtering({ field, value, shown }: { field: string; value: unknown; shown?: string }): VNode {
  const text = shown ?? String(value);
  const one = termOf(field, value);
  if (!one) return <>{text}</>;
  return (
    <button
      type="button"
      class="link"
      title={`only ${one}; with Alt without it`}
      onClick={(event) => filterBy(termOf(field, value, event.altKey))}
    >
      {text}
    </button>
  );
}

function Attribute({ name, value }: { name: string; value: unknown }): VNode {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
  const field = `attr.${name}`;
  const filters = termOf(field, value) !== undefined;
  return (
    <div class="attribute">
      <span class="name mono">{name}</span>
      <span class="value mono">
        {text.length > LONG ? (
          <Text text={text} limit={1_000} />
        ) : (
          <Filtering field={field} value={value} shown={text} />
        )}
      </span>
      <span class="doing">
        {filters && (
          <>
            <button
              type="button"
              class="icon-button"
              aria-label={`only ${name} of this value`}
              title="only this value"
              onClick={() => filterBy(termOf(field, value))}
            >
              =
            </button>
            <button
              type="button"
              class="icon-button"
              aria-label={`without ${name} of this value`}
              title="without this value"
              onClick={() => filterBy(termOf(field, value, true))}
            >
              ≠
            </button>
          </>
        )}
        <Copy text={text} label={`copy ${name}`} />
      </span>
    </div>
  );
}
