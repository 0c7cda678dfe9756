// A trace as an annotator reads it: what was asked and what was answered in full, what came before folded, tools in a
// line each.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { clock, count, milliseconds, moment, usd } from "../../model/format";
import { type Call, turnsOfList } from "../../model/messages";
import { contextLine, stepLine } from "../../model/queue";
import { Chat } from "../../renderers/Chat";
import { ToolCall } from "../../renderers/ToolCall";
import { link } from "../../url";
import { Empty, Failure } from "../../widgets/parts";
import type { Item, useShown } from "./work";

export function Conversation(props: { item: Item; shown: ReturnType<typeof useShown>; name: string }): VNode {
  const { item, shown } = props;
  const trace = item.row ?? shown.value?.trace;
  const said = shown.value?.conversation;
  return (
    <article class="queue-trace" aria-label={trace?.name ?? "trace"}>
      <header class="queue-about">
        <b class="one-line">{trace?.name || (trace ? "(no name)" : item.id)}</b>
        {trace && (
          <span class="muted">
            <time title={moment(trace.start_ns)}>{clock(trace.start_ns)}</time>
            {trace.user_id && ` · ${trace.user_id}`}
            {trace.models.length > 0 && ` · ${trace.models.slice(0, 3).join(", ")}`} · {milliseconds(trace.duration_ms)}{" "}
            · {count(trace.input_tokens + trace.output_tokens)} tokens
            {trace.cost_usd !== null && ` · ${usd(trace.cost_usd)}`}
          </span>
        )}
        <span class="spread" />
        <a href={link({ view: "trace", id: item.id })} target="_blank" rel="noopener">
          whole trace ↗
        </a>
      </header>
      {trace?.error_message && <p class="error">✕ {trace.error_message}</p>}
      {trace && trace.status === "ERROR" && !trace.error_message && <p class="error">✕ the trace failed</p>}
      {shown.error && !said && <Failure error={shown.error} onRetry={shown.retry} />}
      {said ? <Told said={said} cut={shown.value?.cut ?? false} /> : !shown.error && <Early item={item} />}
    </article>
  );
}

function Told({
  said,
  cut,
}: {
  said: NonNullable<ReturnType<typeof useShown>["value"]>["conversation"];
  cut: boolean;
}): VNode {
  const [open, setOpen] = useState(false);
  const nothing = said.question.length + said.answer.length + said.context.length + said.steps.length === 0;
  if (nothing)
    return (
      <Empty title="Nothing was said in this trace" small>
        <p class="muted">No span of it has messages. Open the whole trace to see what it did, or skip it with n.</p>
      </Empty>
    );
  return (
    <>
      {said.context.length > 0 && (
        <section class="queue-context">
          <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            <span aria-hidden="true">{open ? "▾" : "▸"}</span> {contextLine(said.context)}
          </button>
          {open && <Chat turns={said.context} />}
        </section>
      )}
      <section class="queue-said-turns" aria-label="question">
        {said.question.length > 0 ? <Chat turns={said.question} /> : <p class="muted">no question of a person</p>}
      </section>
      {said.steps.length > 0 && <Steps steps={said.steps} />}
      <section class="queue-said-turns" aria-label="answer">
        {said.answer.length > 0 ? <Chat turns={said.answer} /> : <p class="muted">no answer in words</p>}
      </section>
      {cut && <p class="muted">Long messages are cut here; the whole trace has all of them.</p>}
    </>
  );
}

const STEPS = 8;

/** Calls of tools, a line each, opened on demand. */
function Steps({ steps }: { steps: readonly Call[] }): VNode {
  const [open, setOpen] = useState(-1);
  const [all, setAll] = useState(false);
  return (
    <ul class="queue-steps" aria-label="calls of tools">
      {steps.slice(0, all ? 200 : STEPS).map((step, at) => {
        const { call, result } = stepLine(step);
        return (
          <li key={at}>
            <button
              type="button"
              class="bare mono one-line"
              aria-expanded={open === at}
              onClick={() => setOpen(open === at ? -1 : at)}
            >
              <span class="kind kind-tool" aria-hidden="true" /> {call}
              {result !== "" && <span class="muted"> → {result}</span>}
            </button>
            {open === at && <ToolCall call={step} />}
          </li>
        );
      })}
      {!all && steps.length > STEPS && (
        <li>
          <button type="button" class="link" onClick={() => setAll(true)}>
            show {count(steps.length - STEPS)} more calls
          </button>
        </li>
      )}
    </ul>
  );
}

/** The beginning of it, which the list has, until all of it is there. */
function Early({ item }: { item: Item }): VNode {
  const { input_preview: asked, output_preview: answered } = item.row ?? {};
  const turns = [
    ...(asked ? turnsOfList([{ role: "user", parts: [{ type: "text", content: asked }] }], "input") : []),
    ...(answered ? turnsOfList([{ role: "assistant", parts: [{ type: "text", content: answered }] }], "output") : []),
  ];
  return (
    <section class="queue-said-turns stale" aria-busy="true" aria-label="reading">
      {turns.length > 0 ? <Chat turns={turns} /> : <p class="muted">reading …</p>}
    </section>
  );
}
