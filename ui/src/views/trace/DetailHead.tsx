// What a span is: its name, kind, model, figures, and the error if it failed; and copies of it in four forms.
import type { VNode } from "preact";
import { get } from "../../api/client";
import type { SpanDetail } from "../../api/types";
import { spanJson, spanMarkdown, spanSnippet, traceMarkdown } from "../../model/copy";
import { clock, count, milliseconds, moment, seconds, usd } from "../../model/format";
import { lastingLink, link, place, root } from "../../url";
import { Menu } from "../../widgets/Menu";
import { copyText, Kind, toast } from "../../widgets/parts";

export function DetailHead({ detail }: { detail: SpanDetail }): VNode {
  const { span, normal } = detail;
  const usage = normal.usage ?? undefined;
  const failed = span.status === "ERROR";
  const unusual = (normal.finish_reasons ?? []).filter((reason) => !USUAL.has(reason.toLowerCase()));
  return (
    <div class="detail-head">
      <div class="detail-title">
        <Kind kind={span.kind} failed={failed} />
        <h2>{span.name || "(no name)"}</h2>
        <span class="spread" />
        <CopyMenu detail={detail} />
      </div>
      <p class="detail-figures">
        <span>{span.kind === "span" ? span.span_kind.toLowerCase() : span.kind}</span>
        {span.model !== null && (
          <span title={modelTitle(detail)}>
            <b>{span.model}</b>
            {span.provider !== null && ` ${span.provider}`}
          </span>
        )}
        {normal.tool_name && span.kind === "tool" && !span.name.includes(normal.tool_name) && <b>{normal.tool_name}</b>}
        {span.agent !== null && <span>agent {span.agent}</span>}
        <span title={`${moment(span.start_ns)} to ${span.end_ns === null ? "now" : moment(span.end_ns)}`}>
          {span.end_ns === null ? <b>running</b> : <b>{milliseconds(span.duration_ms)}</b>} at {clock(span.start_ns)}
        </span>
        {normal.ttft_s !== null && normal.ttft_s !== undefined && (
          <span title="time to the first token">
            first token <b>{seconds(normal.ttft_s)}</b>
          </span>
        )}
        {usage !== undefined && (
          <span title={span.counted ? undefined : "repeats what spans below it tell: not counted in sums"}>
            <Tokens usage={usage} />
            {!span.counted && " (not counted)"}
          </span>
        )}
        <Cost detail={detail} />
        {unusual.length > 0 && (
          <span title="why the model stopped">
            stopped by <b>{unusual.join(", ")}</b>
          </span>
        )}
        {normal.prompt_name && (
          <span title="the prompt that was used">
            prompt {normal.prompt_name}
            {normal.prompt_version && ` ${normal.prompt_version}`}
          </span>
        )}
        {span.session_id !== null && (
          <a href={link({ view: "session", id: span.session_id })} class="one-line" title={span.session_id}>
            session {span.session_id}
          </a>
        )}
        {span.user_id !== null && <span class="one-line">user {span.user_id}</span>}
      </p>
      {failed && (
        <div class="detail-error" role="note" tabIndex={0}>
          <b class="error">✕ </b>
          {errorText(detail)}
        </div>
      )}
    </div>
  );
}

const USUAL: ReadonlySet<string> = new Set([
  "stop",
  "end_turn",
  "tool_calls",
  "tool_call",
  "tool_use",
  "tool-calls",
  "function_call",
  "completed",
  "stop_sequence",
]);

function errorText(detail: SpanDetail): string {
  const type = detail.attributes["error.type"];
  const told = detail.status_message || detail.span.error_message || "";
  if (told === "") return typeof type === "string" && type !== "" ? type : "failed, and did not tell why";
  return typeof type === "string" && type !== "" && !told.includes(type) ? `${type}: ${told}` : told;
}

function Tokens({ usage }: { usage: NonNullable<SpanDetail["normal"]["usage"]> }): VNode {
  const of = (parts: readonly (readonly [string, number | null | undefined])[]): string => {
    const told = parts.filter(([, n]) => n).map(([name, n]) => `${count(n)} ${name}`);
    return told.length === 0 ? "" : ` (${told.join(", ")})`;
  };
  return (
    <>
      <b>{count(usage.input)}</b> in
      {of([
        ["cached", usage.cache_read],
        ["written to the cache", usage.cache_write],
        ["audio", usage.audio_input],
        ["image", usage.image_input],
      ])}
      {" · "}
      <b>{count(usage.output)}</b> out
      {of([
        ["reasoning", usage.reasoning],
        ["audio", usage.audio_output],
        ["image", usage.image_output],
      ])}
    </>
  );
}

function Cost({ detail }: { detail: SpanDetail }): VNode | null {
  const cost = detail.normal.cost;
  if (cost === null || cost === undefined) return null;
  if (cost.total_usd === null || cost.total_usd === undefined) {
    if (!detail.normal.usage) return null;
    return <span title="nobody knows the price of this model: set one under the setting `prices`">unpriced</span>;
  }
  const parts = [
    cost.input_usd ? `input ${usd(cost.input_usd)}` : "",
    cost.output_usd ? `output ${usd(cost.output_usd)}` : "",
    cost.source === "reported" ? "as the application told it" : `by ${cost.price_id || "the price table"}`,
  ];
  return (
    <span title={parts.filter(Boolean).join(", ")}>
      <b>{usd(cost.total_usd)}</b>
    </span>
  );
}

function modelTitle(detail: SpanDetail): string {
  const { request_model: asked, response_model: answered, finish_reasons: finish } = detail.normal;
  return [
    asked ? `asked ${asked}` : "",
    answered ? `answered ${answered}` : "",
    finish?.length ? `finished: ${finish.join(", ")}` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

function CopyMenu({ detail }: { detail: SpanDetail }): VNode {
  const { span } = detail;
  const wholeTrace = async (): Promise<void> => {
    try {
      const whole = await get("/api/traces/{trace_id}", { limit: 1_000 }, { pathParams: { trace_id: span.trace_id } });
      await copyText(traceMarkdown(whole), "trace copied as Markdown");
    } catch (failure) {
      toast((failure as { message?: string }).message ?? String(failure));
    }
  };
  const snippet = (): string => spanSnippet(detail, new URL(root, location.href).href, place.value.project);
  return (
    <>
      <Menu
        label="Copy"
        name="copy the span"
        class="button"
        items={[
          { label: "as Markdown", act: () => void copyText(spanMarkdown(detail), "span copied as Markdown") },
          { label: "as JSON", hint: "y", act: () => void copyText(spanJson(detail), "span copied as JSON") },
          {
            label: span.kind === "llm" ? "Python that repeats the call" : "Python that reads the span",
            act: () => void copyText(snippet(), "Python copied"),
          },
          { label: "link to the span", hint: "Y", act: () => void copyText(lastingLink(), "link copied") },
          { label: "span id", act: () => void copyText(span.span_id, "id copied") },
          { label: "the whole trace as Markdown", act: () => void wholeTrace() },
        ]}
      />
    </>
  );
}
