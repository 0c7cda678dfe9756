// What was said and told in a pair of spans: messages word by word, attributes path by path. A span without a partner
// shows what it says.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Answer, useAnswer } from "../../api/client";
import type { Columns, SpanDetail } from "../../api/types";
import { diffJson } from "../../model/diff";
import { count, duration, usd } from "../../model/format";
import { unwrapped } from "../../model/json";
import { isAnswered, type Turn, turnsOf, turnText } from "../../model/messages";
import { alike, pairTurns, type TurnPair } from "../../model/turnpairs";
import { Chat } from "../../renderers/Chat";
import { JsonDiff, TextDiff } from "../../renderers/Diff";
import { Value } from "../../renderers/Value";
import { link, setParams } from "../../url";
import { Failure, Kind, Waiting } from "../../widgets/parts";
import { Tabs } from "../../widgets/Tabs";
import { Change } from "./change";

interface PairProps {
  a: Columns;
  b: Columns;
  inA: number;
  inB: number;
  sa: string;
  sb: string;
}

export function PairDetail(props: PairProps): VNode {
  const { a, b, inA, inB } = props;
  const one = useSpan(a, inA);
  const two = useSpan(b, inB);
  const columns = inA >= 0 ? a : b;
  const at = inA >= 0 ? inA : inB;
  if (at < 0)
    return (
      <p class="waiting">
        There is no span {props.sa || props.sb} in {props.sa ? "A" : "B"}; choose a row.
      </p>
    );
  const kind = columns.kinds[columns.kind[at] ?? -1] ?? "span";
  const told = [one, two].find((side) => side.error);
  const ready = (inA < 0 || one.data !== undefined) && (inB < 0 || two.data !== undefined);
  return (
    <section class="compare-pair" aria-label="the chosen pair">
      <div class="head">
        <Kind kind={kind} />
        <h2 class="one-line">{columns.names[columns.name[at] ?? -1] || "(no name)"}</h2>
        {inA < 0 && <span class="chip">only in B</span>}
        {inB < 0 && <span class="chip">only in A</span>}
        <span class="spread" />
        {inA >= 0 && <a href={spanLink(a, inA)}>open A</a>}
        {inB >= 0 && <a href={spanLink(b, inB)}>open B</a>}
        <button
          type="button"
          class="icon-button"
          aria-label="close"
          title="close (Esc)"
          onClick={() => setParams({ sa: null, sb: null }, "replace")}
        >
          ✕
        </button>
      </div>
      <Figures {...props} />
      {told?.error && <Failure error={told.error} onRetry={told.reload} />}
      {!ready && !told && <Waiting />}
      {ready && <Sides one={inA < 0 ? undefined : one.data} two={inB < 0 ? undefined : two.data} />}
    </section>
  );
}

function useSpan(columns: Columns, at: number): Answer<SpanDetail> {
  const span_id = columns.span_id[at] ?? "";
  return useAnswer(
    span_id === "" ? null : "/api/spans/{trace_id}/{span_id}",
    {},
    { pathParams: { trace_id: columns.trace_id, span_id } },
  );
}

function spanLink(columns: Columns, at: number): string {
  return link({ view: "trace", id: columns.trace_id, params: { span: columns.span_id[at] ?? null } });
}

function Figures({ a, b, inA, inB }: PairProps): VNode {
  const row = (columns: Columns, at: number, side: "A" | "B"): VNode | null =>
    at < 0 ? null : (
      <tr>
        <th scope="row">
          <span class={`side side-${side.toLowerCase()}`}>{side}</span>
        </th>
        <td>{columns.duration_us[at] === null ? "running" : duration(columns.duration_us[at])}</td>
        <td>{count(columns.tokens_in[at])}</td>
        <td>{count(columns.tokens_out[at])}</td>
        <td>{usd(columns.cost_usd[at])}</td>
        <td class="one-line">{columns.models[columns.model[at] ?? -1] ?? "–"}</td>
        <td>{(columns.flags[at]! & 1) === 1 ? <span class="error">✕ failed</span> : "ok"}</td>
      </tr>
    );
  return (
    <div class="compare-table">
      <table>
        <thead>
          <tr>
            <th scope="col">side</th>
            <th scope="col">duration</th>
            <th scope="col">tokens in</th>
            <th scope="col">out</th>
            <th scope="col">cost</th>
            <th scope="col">model</th>
            <th scope="col">status</th>
          </tr>
        </thead>
        <tbody>
          {row(a, inA, "A")}
          {row(b, inB, "B")}
          {inA >= 0 && inB >= 0 && (
            <tr class="differences">
              <th scope="row">
                <span class="side">Δ</span>
              </th>
              <td>
                <Change a={a.duration_us[inA]} b={b.duration_us[inB]} of="duration" />
              </td>
              <td>
                <Change a={a.tokens_in[inA]} b={b.tokens_in[inB]} of="tokens" />
              </td>
              <td>
                <Change a={a.tokens_out[inA]} b={b.tokens_out[inB]} of="tokens" />
              </td>
              <td>
                <Change a={a.cost_usd[inA]} b={b.cost_usd[inB]} of="cost" />
              </td>
              <td />
              <td />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function Sides({ one, two }: { one: SpanDetail | undefined; two: SpanDetail | undefined }): VNode {
  const [tab, setTab] = useState("");
  const turnsA = useMemo(() => (one ? turnsOf(one.messages) : []), [one]);
  const turnsB = useMemo(() => (two ? turnsOf(two.messages) : []), [two]);
  const pairs = useMemo(() => pairTurns(turnsA, turnsB), [turnsA, turnsB]);
  const [before, after] = useMemo(() => [one && structureOf(one), two && structureOf(two)], [one, two]);
  const changes = useMemo(() => (before && after ? diffJson(before, after).length : undefined), [before, after]);
  const said = turnsA.length + turnsB.length > 0;
  const chosen = tab || (said ? "messages" : "attributes");
  const cut = [...(one?.cut ?? []), ...(two?.cut ?? [])].length > 0;
  return (
    <>
      <Tabs
        label="what is compared"
        panel="compare-panel"
        tabs={[
          {
            id: "messages",
            label: "Messages",
            ...(one && two ? { count: pairs.filter((pair) => pair.sort !== "same").length } : {}),
          },
          { id: "attributes", label: "Attributes", ...(changes === undefined ? {} : { count: changes }) },
        ]}
        chosen={chosen}
        onChoose={setTab}
      />
      <div class="compare-panel" id="compare-panel" role="tabpanel" tabIndex={0} aria-label={chosen}>
        {chosen === "messages" ? (
          said ? (
            one && two ? (
              pairs.map((pair, at) => <TurnDiff key={at} pair={pair} />)
            ) : (
              <Chat turns={one ? turnsA : turnsB} />
            )
          ) : (
            <p class="muted">
              Nothing was said in {one && two ? "either span" : "this span"}; the attributes tell the rest.
            </p>
          )
        ) : changes === 0 ? (
          <p class="muted">The same attributes, events and resource.</p>
        ) : before && after ? (
          <JsonDiff before={before} after={after} />
        ) : (
          <Value value={before ?? after} label="attributes" />
        )}
        {cut && <p class="muted">Values above 256 kB are cut before they are compared.</p>}
      </div>
    </>
  );
}

/** Attributes that the tab of messages shows. */
const SAID: ReadonlySet<string> = new Set([
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.system_instructions",
  "gen_ai.tool.definitions",
]);

/** What a span tells beside its messages; JSON in attributes as what it holds. */
function structureOf(detail: SpanDetail): unknown {
  const read = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([name]) => !SAID.has(name))
        .map(([name, value]) => [name, unwrapped(value)]),
    );
  return {
    name: detail.span.name,
    status: detail.span.status,
    ...(detail.status_message ? { status_message: detail.status_message } : {}),
    attributes: read(detail.attributes),
    ...(detail.events.length > 0
      ? { events: detail.events.map((event) => ({ name: event.name, attributes: read(event.attributes) })) }
      : {}),
    resource: read(detail.resource),
  };
}

function TurnDiff({ pair }: { pair: TurnPair }): VNode | null {
  const [open, setOpen] = useState(false);
  if (pair.sort === "same")
    return (
      <section class="compare-equal">
        <button type="button" class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span aria-hidden="true">{open ? "▾" : "▸"}</span> {pair.turns.length}{" "}
          {pair.turns.length === 1 ? "equal message" : "equal messages"}
        </button>
        {!open && <span class="muted one-line"> {pair.turns.map((turn) => turn.role).join(", ")}</span>}
        {open && <Chat turns={pair.turns} />}
      </section>
    );
  if (pair.sort === "changed" && !alike(turnText(pair.a), turnText(pair.b)))
    return (
      <>
        <Alone turn={pair.a} side="A" />
        <Alone turn={pair.b} side="B" />
      </>
    );
  if (pair.sort === "changed")
    return (
      <section class={`turn turn-${pair.a.role}`} aria-label={pair.a.role}>
        <div class="turn-head">
          <b>{pair.a.told || pair.a.role}</b>
          <span class="muted">
            {pair.a.side === "output" ? "answer" : "told"} · <del>only A</del> <ins>only B</ins>
          </span>
        </div>
        <TextDiff before={turnText(pair.a)} after={turnText(pair.b)} />
      </section>
    );
  return isAnswered(pair.turn) ? null : <Alone turn={pair.turn} side={pair.sort.toUpperCase()} />;
}

function Alone({ turn, side }: { turn: Turn; side: string }): VNode {
  return (
    <section class="compare-alone">
      <span class="chip">only in {side}</span>
      <Chat turns={[turn]} />
    </section>
  );
}
