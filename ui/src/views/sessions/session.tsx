// One session as a conversation over its traces: what each trace added, what it cost, and the way into it.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, useAnswer } from "../../api/client";
import { usePages } from "../../api/pages";
import type { ScoreRow } from "../../api/types";
import { useKeys } from "../../keys";
import { billOf, type Round, roundsOf, scoresByTrace } from "../../model/conversation";
import { clock, count, duration, milliseconds, moment, plural, toMs, usd } from "../../model/format";
import { term } from "../../model/query";
import { Chat } from "../../renderers/Chat";
import { go, link, place } from "../../url";
import { Copy, Empty, Failure, Stat, Waiting } from "../../widgets/parts";
import { Lazy } from "./Lazy";
import "./sessions.css";

const PAGE = 20;

export function Session(): VNode {
  const { id } = place.value;
  const pages = usePages("/api/turns", { session: id, limit: PAGE });
  const rounds = useMemo(() => roundsOf(pages.items), [pages.items]);
  const scores = useScores(rounds);
  const [selected, setSelected] = useState(-1);
  const end = useRef<HTMLDivElement>(null);
  const next = useRef(pages.next);
  next.current = pages.next;
  useEffect(() => {
    const element = end.current;
    if (element === null) return;
    const observer = new IntersectionObserver((seen) => seen.at(-1)?.isIntersecting && next.current(), {
      rootMargin: "600px 0px",
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [pages.items.length, pages.more]);
  const move = (to: number): void => {
    const at = Math.max(0, Math.min(rounds.length - 1, to));
    setSelected(at);
    const show = (): void => document.getElementById(`round-${at}`)?.scrollIntoView({ block: "nearest" });
    show();
    // once more when what came near is drawn and has its height
    setTimeout(show, 60);
  };
  useKeys("list", {
    down: () => move(selected + 1),
    up: () => move(selected - 1),
    first: () => move(0),
    last: () => move(rounds.length - 1),
    open: () => {
      const round = rounds[selected];
      if (round) go(traceLink(round));
    },
  });
  if (pages.error && rounds.length === 0) return <Failure error={pages.error} onRetry={pages.reload} />;
  return (
    <>
      <Head id={id} rounds={rounds} whole={!pages.more && !pages.loading} />
      <div class="session" tabIndex={0} role="region" aria-label="conversation">
        {rounds.length === 0 ? (
          pages.loading ? (
            <Waiting />
          ) : (
            <Empty title="No trace of this session is kept">
              <p>
                Its traces are older than what is kept, were erased, or belong to another project.{" "}
                <a href={link({ view: "sessions" })}>All sessions</a>
              </p>
            </Empty>
          )
        ) : (
          <div class="rounds">
            {rounds.map((round, at) => (
              <div key={round.exchange.trace.trace_id}>
                <Pause before={rounds[at - 1]} round={round} />
                <Lazy
                  id={`round-${at}`}
                  class={`round${at === selected ? " selected" : ""}`}
                  estimate={estimate(round)}
                >
                  {() => <RoundView round={round} scores={scores.get(round.exchange.trace.trace_id) ?? []} />}
                </Lazy>
              </div>
            ))}
            <div ref={end}>{pages.loading && <Waiting />}</div>
            {pages.error && <Failure error={pages.error} onRetry={pages.next} />}
          </div>
        )}
      </div>
    </>
  );
}

const traceLink = (round: Round): string =>
  link({
    view: "trace",
    id: round.exchange.trace.trace_id,
    params: round.exchange.span_id ? { span: round.exchange.answer_span_id ?? round.exchange.span_id } : {},
  });

/** Pixels that a round may take, before it is drawn. */
function estimate(round: Round): number {
  return 60 + round.turns.reduce((sum, turn) => sum + 46 + Math.min(600, Math.ceil(turn.chars / 110) * 19), 0);
}

function Head({ id, rounds, whole }: { id: string; rounds: readonly Round[]; whole: boolean }): VNode {
  const sums = useAnswer("/api/sessions", { q: term("session", id), limit: 1 });
  const group = sums.data?.items[0];
  const bill = useMemo(() => billOf(rounds.map((round) => round.exchange)), [rounds]);
  const users = [...new Set(rounds.map((round) => round.exchange.trace.user_id).filter((user) => user !== null))];
  const traces = group?.traces ?? bill.traces;
  const failed = group?.failed ?? bill.failed;
  const cost = group ? group.cost_usd : bill.costUsd;
  const unpriced = group?.unpriced_calls ?? bill.unpriced;
  const sign = group || whole ? "" : "+";
  return (
    <div class="head">
      <h1 class="one-line session-name">
        <a href={link({ view: "sessions" })}>Sessions</a> <span class="muted">/</span> {id}
      </h1>
      <Copy text={id} label="copy the session id" />
      <span class="spread" />
      <div class="stats">
        {users.length > 0 && (
          <Stat label={users.length === 1 ? "user" : "users"} value={users.slice(0, 3).join(", ")} />
        )}
        <Stat label="turns" value={count(traces) + sign} />
        <Stat label="model calls" value={count(group?.calls ?? bill.calls) + sign} />
        <Stat label="tokens" value={count(group ? group.input_tokens + group.output_tokens : bill.tokens) + sign} />
        <Stat
          label="cost"
          value={usd(cost) + (cost === null ? "" : sign)}
          {...(unpriced > 0 ? { title: `${count(unpriced)} calls without a known price` } : {})}
        />
        {whole && <Stat label="busy" value={milliseconds(bill.busyMs)} title="time inside its traces" />}
        {failed > 0 && <Stat label="failed" value={`✕ ${count(failed)}`} bad />}
        <a class="button" href={link({ view: "traces", params: { q: term("session", id), t: "all" } })}>
          as a list
        </a>
      </div>
    </div>
  );
}

/** A pause that one notices: somebody thought, or came back another day. */
function Pause({ before, round }: { before: Round | undefined; round: Round }): VNode | null {
  if (before === undefined) return null;
  const from = toMs(before.exchange.trace.end_ns ?? before.exchange.trace.start_ns);
  const ms = toMs(round.exchange.trace.start_ns) - from;
  return ms < 120_000 ? null : <p class="pause">{duration(ms * 1e3)} later</p>;
}

function RoundView({ round, scores }: { round: Round; scores: readonly ScoreRow[] }): VNode {
  const { trace, cut } = round.exchange;
  const running = trace.open_spans > 0;
  return (
    <>
      <div class="round-head">
        <a href={traceLink(round)}>{trace.name || "(no name)"}</a>
        <time dateTime={moment(trace.start_ns)} title={moment(trace.start_ns)}>
          {clock(trace.start_ns)}
        </time>
        <span>{running ? "running" : <b>{milliseconds(trace.duration_ms)}</b>}</span>
        {trace.calls > 0 && <span>{plural(trace.calls, "call")}</span>}
        {trace.input_tokens + trace.output_tokens > 0 && (
          <span title={`${count(trace.input_tokens)} in, ${count(trace.output_tokens)} out`}>
            <b>{count(trace.input_tokens + trace.output_tokens)}</b> tokens
          </span>
        )}
        {trace.cost_usd !== null && <b>{usd(trace.cost_usd)}</b>}
        {trace.unpriced_calls > 0 && <span>{plural(trace.unpriced_calls, "call")} unpriced</span>}
        {trace.errors > 0 && <span class="error">✕ {plural(trace.errors, "error")}</span>}
        {round.repeated > 0 && <span>{plural(round.repeated, "earlier message")} told again</span>}
      </div>
      {trace.error_message && (
        <p class="round-error">
          <b class="error">✕ </b>
          {trace.error_message}
        </p>
      )}
      {round.turns.length > 0 ? (
        <Chat turns={round.turns} budget={260} />
      ) : (
        <p class="muted">What was said in this trace was not recorded.</p>
      )}
      {cut.length > 0 && <p class="muted">Long messages were cut here; the trace has all of them.</p>}
      {scores.length > 0 && (
        <div class="round-scores">
          {scores.slice(0, 20).map((score) => (
            <span key={score.score_id} class="chip" title={[score.author, score.comment].filter(Boolean).join(": ")}>
              {score.name} <b>{scoreText(score)}</b>
            </span>
          ))}
        </div>
      )}
    </>
  );
}

const scoreText = (score: ScoreRow): string =>
  score.value === null ? (score.label ?? "") : String(Number(score.value.toPrecision(5)));

/** Scores of the traces, asked for a page of traces at a time. */
function useScores(rounds: readonly Round[]): ReadonlyMap<string, readonly ScoreRow[]> {
  const [held, setHeld] = useState<ReadonlyMap<string, readonly ScoreRow[]>>(new Map());
  const asked = useRef(new Set<string>());
  useEffect(() => {
    const fresh = rounds.map((round) => round.exchange.trace.trace_id).filter((id) => !asked.current.has(id));
    if (fresh.length === 0) return;
    for (const id of fresh) asked.current.add(id);
    // without scores the conversation still stands, so a failure is no reason to say more
    get("/api/scores", { q: `trace:[${fresh.join(",")}]`, limit: 1_000 }).then(
      (page) => setHeld((now) => new Map([...now, ...scoresByTrace(page.items)])),
      () => undefined,
    );
  }, [rounds]);
  return held;
}
