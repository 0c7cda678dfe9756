// What a span said and was told: a conversation, a tool's arguments and result, a search and what it found; and for a
// span that said nothing, what is below it.
import type { ComponentChildren, VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { get, useAnswer } from "../../api/client";
import type { Columns, SpanDetail } from "../../api/types";
import { below, neighbours, toolSpanAfter } from "../../model/calls";
import { type Document, documentsOf, queryOf } from "../../model/documents";
import { bytes, count, duration, plural } from "../../model/format";
import { oneLine } from "../../model/json";
import { type Call, sharedTurns, type Turn, turnsOf } from "../../model/messages";
import { quoted } from "../../model/query";
import { Chat } from "../../renderers/Chat";
import { Documents } from "../../renderers/Documents";
import { JsonView } from "../../renderers/JsonView";
import { Text } from "../../renderers/Text";
import { Value } from "../../renderers/Value";
import { link, place, setParams } from "../../url";
import { Empty, Kind, toast } from "../../widgets/parts";
import { useSkeleton } from "./skeleton";

type Load = (field: string) => Promise<void>;

export function DetailChat({ detail, load }: { detail: SpanDetail; load: Load }): VNode {
  const { span, attributes } = detail;
  const turns = useMemo(() => turnsOf(detail.messages), [detail.messages]);
  const documents = useMemo(() => documentsOf(attributes), [attributes]);
  const cuts = detail.cut.filter((one) => one.field.startsWith("messages."));
  return (
    <>
      {cuts.map((cut) => (
        <p key={cut.field} class="cut-note">
          {cut.field.slice(9)} is {bytes(cut.size_bytes)}; its first 256 kB are shown
          <button type="button" class="link" onClick={() => void load(cut.field)}>
            show all
          </button>
        </p>
      ))}
      {span.kind === "tool" || span.kind === "mcp" ? (
        <ToolSpan detail={detail} turns={turns} />
      ) : documents.length > 0 || span.kind === "retrieval" || span.kind === "rerank" ? (
        <Retrieval detail={detail} documents={documents} turns={turns} />
      ) : turns.length > 0 ? (
        <Conversation detail={detail} turns={turns} />
      ) : (
        <Silent detail={detail} />
      )}
    </>
  );
}

/** A part with a heading. */
function PartOf({ name, children }: { name: string; children: ComponentChildren }): VNode {
  return (
    <div class="part-of">
      <h3>{name}</h3>
      {children}
    </div>
  );
}

/** Another span of the trace: the same address, with that span chosen. */
function spanLink(traceId: string, spanId: string): string {
  const keep = Object.keys(place.value.params).filter((name) => name !== "span");
  return link({ view: "trace", id: traceId, params: { span: spanId }, keep });
}

function Conversation({ detail, turns }: { detail: SpanDetail; turns: readonly Turn[] }): VNode {
  const { span } = detail;
  const isCall = span.kind === "llm";
  const columns = useSkeleton(span.trace_id, isCall);
  const near = useMemo(() => (columns ? neighbours(columns, span.span_id) : undefined), [columns, span.span_id]);
  const [first, second] = near?.before ?? [];
  const one = useEarlier(span.trace_id, first?.spanId);
  const sharedFirst = useMemo(() => (one ? sharedTurns(turns, one) : 0), [turns, one]);
  // a call that runs beside this one is asked only if the sibling shares nothing but the instructions
  const tries = one !== undefined && sharedFirst < 2 && second !== undefined;
  const two = useEarlier(span.trace_id, tries ? second.spanId : undefined);
  const sharedSecond = useMemo(() => (two ? sharedTurns(turns, two) : 0), [turns, two]);
  const from = sharedSecond > sharedFirst ? second : first;
  const shared = Math.max(sharedFirst, sharedSecond);
  const openTool = (call: Call): void => void goToTool(detail, call, columns);
  const answers = turns.filter((turn) => turn.side === "output").length;
  return (
    <>
      <Chat
        turns={turns}
        shared={shared}
        {...(from && shared > 0
          ? {
              sharedWith: (
                <span>
                  same as <a href={spanLink(span.trace_id, from.spanId)}>call {count(from.call)}</a>
                </span>
              ),
            }
          : {})}
        outputTokens={answers === 1 && isCall ? span.output_tokens : null}
        {...(isCall ? { onOpenTool: openTool } : {})}
      />
      {span.end_ns === null && turns.every((turn) => turn.side === "input") && (
        <p class="muted" role="status">
          the answer is on its way …
        </p>
      )}
      {detail.messages.tools.length > 0 && <Offered tools={detail.messages.tools} />}
    </>
  );
}

/** The tools that the model could call: their names on a line until it is opened. */
function Offered({ tools }: { tools: readonly unknown[] }): VNode {
  const [open, setOpen] = useState(false);
  const names = tools.slice(0, 40).map((tool) => (isNamed(tool) ? tool.name : "?"));
  return (
    <div class="part-of">
      <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="sign" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <span>{plural(tools.length, "tool")} offered</span>
        {!open && <span class="one-line mono">{names.join(", ")}</span>}
      </button>
      {open && <JsonView value={tools} label="tools" />}
    </div>
  );
}

const isNamed = (tool: unknown): tool is { name: string } =>
  typeof tool === "object" && tool !== null && typeof (tool as { name?: unknown }).name === "string";

/** The turns of an earlier call. */
function useEarlier(traceId: string, spanId: string | undefined): readonly Turn[] | undefined {
  const path = spanId === undefined ? null : "/api/spans/{trace_id}/{span_id}";
  const { data } = useAnswer(path, {}, { pathParams: { trace_id: traceId, span_id: spanId ?? "" } });
  return useMemo(() => (data ? turnsOf(data.messages) : undefined), [data]);
}

/** By the id of the call, which the tool's span has if its instrumentation knows it; else by name and order. */
async function goToTool(detail: SpanDetail, call: Call, columns: Columns | undefined): Promise<void> {
  const { trace_id: traceId, span_id: spanId } = detail.span;
  let found: string | null = null;
  if (call.id !== "") {
    const q = `trace:${traceId} kind:tool attr.gen_ai.tool.call.id=${quoted(call.id)}`;
    try {
      found = (await get("/api/spans", { q, order: "oldest", limit: 1 })).items[0]?.span_id ?? null;
    } catch {
      // then by name
    }
  }
  found ??= columns ? toolSpanAfter(columns, spanId, call.name) : null;
  if (found === null) toast(`no span of ${call.name} in this trace`);
  else setParams({ span: found });
}

function ToolSpan({ detail, turns }: { detail: SpanDetail; turns: readonly Turn[] }): VNode {
  const parts = turns.flatMap((turn) => turn.parts);
  const call = parts.find((part) => part.type === "call");
  const result = parts.find((part) => part.type === "result");
  const others = turns.filter((turn) => !turn.parts.every((part) => part.type === "call" || part.type === "result"));
  const { span, attributes } = detail;
  const args = call?.args ?? attributes["gen_ai.tool.call.arguments"];
  const value = result?.value ?? call?.result?.value ?? attributes["gen_ai.tool.call.result"];
  if (args === undefined && value === undefined && others.length === 0) return <Silent detail={detail} />;
  return (
    <>
      <PartOf name={`arguments${call?.id ? ` · ${call.id}` : ""}`}>
        {args === undefined || isEmpty(args) ? (
          <p class="muted">{args === undefined ? "none were recorded" : "none"}</p>
        ) : (
          <Value value={args} label="arguments" />
        )}
      </PartOf>
      <PartOf name="result">
        {value !== undefined ? (
          <Value value={value} label="result" />
        ) : (
          <p class="muted">
            {span.end_ns === null
              ? "it is running …"
              : span.status === "ERROR"
                ? "it failed before there was one"
                : "none was recorded"}
          </p>
        )}
      </PartOf>
      {others.length > 0 && <Chat turns={others} />}
    </>
  );
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

function Retrieval(props: { detail: SpanDetail; documents: readonly Document[]; turns: readonly Turn[] }): VNode {
  const { detail, documents, turns } = props;
  const asked = turns.filter((turn) => turn.side === "input");
  const query = queryOf(detail.attributes);
  return (
    <>
      <PartOf name="query">
        {query !== "" ? (
          <Text text={query} />
        ) : asked.length > 0 ? (
          <Chat turns={asked} />
        ) : (
          <p class="muted">not recorded</p>
        )}
      </PartOf>
      <PartOf name={documents.length === 0 ? "documents" : plural(documents.length, "document")}>
        {documents.length > 0 ? <Documents documents={documents} /> : <p class="muted">none were found or recorded</p>}
      </PartOf>
    </>
  );
}

const SHORT = 12;

/** A span without words: what is directly below it, and its own short attributes. */
function Silent({ detail }: { detail: SpanDetail }): VNode {
  const { span, attributes } = detail;
  const columns = useSkeleton(span.trace_id, true);
  const groups = useMemo(() => (columns ? below(columns, span.span_id) : []), [columns, span.span_id]);
  // not String(): an object in a list may have a toString of its own, which is no function
  const short = Object.entries(attributes)
    .filter(([, value]) => value !== null && (typeof value !== "object" || Array.isArray(value)))
    .map(([key, value]) => [key, typeof value === "string" ? value : oneLine(value)] as const)
    .filter(([, told]) => told.length < 200)
    .slice(0, SHORT);
  const model = span.kind === "llm" || span.kind === "embedding";
  return (
    <>
      {model && (
        <Empty small title="What was said was not recorded">
          <p>
            The application keeps messages out of its spans, or a setting of the server withholds them. With
            OpenTelemetry's instrumentations set{" "}
            <code>OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY</code>; with Vestigo's own, see the
            setting <code>content</code>.
          </p>
        </Empty>
      )}
      {groups.length > 0 && (
        <PartOf name="below it">
          <div class="below-list">
            {groups.slice(0, 30).map((group) => (
              <a key={`${group.name} ${group.kind}`} href={spanLink(span.trace_id, group.spanId)}>
                <Kind kind={group.kind} failed={group.failed > 0} />
                <span class="one-line">{group.name || "(no name)"}</span>
                {group.spans > 1 && <span class="muted">× {count(group.spans)}</span>}
                {group.failed > 0 && <span class="error">✕ {count(group.failed)} failed</span>}
                <span class="spread" />
                <span class="muted">
                  {group.open > 0
                    ? group.spans > 1
                      ? `${count(group.open)} running`
                      : "running"
                    : duration(group.duration_us)}
                </span>
              </a>
            ))}
          </div>
          {groups.length > 30 && <p class="muted">and {count(groups.length - 30)} other names</p>}
        </PartOf>
      )}
      {short.length > 0 && (
        <PartOf name="told of itself">
          {short.map(([key, value]) => (
            <div key={key} class="attr-row">
              <span class="key">{key}</span>
              <span class="attr-value">{value}</span>
              <span />
            </div>
          ))}
        </PartOf>
      )}
      {groups.length === 0 && short.length === 0 && !model && (
        <Empty small title="Nothing was said in this span">
          <p class="muted">It has neither messages nor attributes; its time and place in the trace are all there is.</p>
        </Empty>
      )}
    </>
  );
}
