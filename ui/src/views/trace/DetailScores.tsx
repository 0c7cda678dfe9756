// Scores of a span: who gave them, when and why; and a form that gives one.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, isApiError, send, useAnswer } from "../../api/client";
import { may } from "../../api/session";
import type { NewScore, Scored, SpanDetail } from "../../api/types";
import { recall, remember } from "../../memory";
import { ago, moment } from "../../model/format";
import { jsonText } from "../../model/json";
import { place } from "../../url";
import { Empty, Failure, toast } from "../../widgets/parts";
import { SCORE } from "./DetailEvents";

export interface Score {
  readonly id: string;
  readonly timeNs: string;
  readonly name: string;
  readonly value: string;
  readonly comment: string;
  readonly author: string;
  /** Of the whole trace, not of the span. */
  readonly ofTrace?: boolean;
}

function told(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return typeof value === "object" ? jsonText(value, 0) : String(value);
}

export function scoresOf(detail: SpanDetail): Score[] {
  return detail.logs
    .filter((log) => log.event_name === SCORE)
    .map(({ log_id: id, time_ns: timeNs, attributes, service }) => ({
      id,
      timeNs,
      name: told(attributes["gen_ai.evaluation.name"]) || "(no name)",
      value: [told(attributes["gen_ai.evaluation.score.value"]), told(attributes["gen_ai.evaluation.score.label"])]
        .filter(Boolean)
        .join(" · "),
      comment: told(attributes["gen_ai.evaluation.explanation"]),
      author: told(attributes["vestigo.author"]).replace(/^user:/, "") || service || "a program",
    }))
    .toReversed();
}

export function DetailScores(props: { detail: SpanDetail; wantsForm: number; reload(): void }): VNode {
  const { detail } = props;
  const whole = useTraceScores(detail);
  const scores = [...scoresOf(detail), ...whole.scores];
  const reload = (): void => {
    props.reload();
    whole.reload();
  };
  return (
    <>
      {scores.length === 0 && (
        <Empty small title="No scores yet">
          <p class="muted">
            A program gives them by <code>vestigo.score(span, "helpful", 0.9)</code> or <code>POST /api/scores</code>,
            you by the form below (key a).
          </p>
        </Empty>
      )}
      <div>
        {scores.slice(0, 100).map((score) => (
          <div key={score.id} class="score">
            <b>
              {score.name}
              {score.ofTrace && <span class="muted"> of the trace</span>}
            </b>
            <span>{score.value || "(no value)"}</span>
            <span class="muted" title={moment(score.timeNs)}>
              {score.author}, {ago(score.timeNs)}
            </span>
            {score.comment !== "" && <span class="comment">{score.comment}</span>}
          </div>
        ))}
      </div>
      {may("write", place.value.project) ? (
        <Form {...props} reload={reload} names={[...new Set(scores.map((score) => score.name))]} />
      ) : (
        <p class="muted">Giving scores needs the scope write in this project.</p>
      )}
    </>
  );
}

/** Those given to the trace itself, beside its root. */
function useTraceScores({ span }: SpanDetail): { scores: Score[]; reload(): void } {
  const isRoot = span.parent_id === null;
  const { data, reload } = useAnswer(isRoot ? "/api/scores" : null, { trace_id: span.trace_id, limit: 200 });
  const own = (data?.items ?? []).filter((score) => score.span_id === null && score.trace_id === span.trace_id);
  const scores = own.map((score) => ({
    id: score.score_id,
    timeNs: score.time_ns,
    name: score.name || "(no name)",
    value: [told(score.value), score.label ?? ""].filter(Boolean).join(" · "),
    comment: score.comment,
    author: score.author.replace(/^user:/, "") || "a program",
    ofTrace: true,
  }));
  return { scores, reload };
}

type Sort = "number" | "yesno" | "label";
const SORTS: readonly (readonly [Sort, string])[] = [
  ["number", "a number"],
  ["yesno", "yes or no"],
  ["label", "a label"],
];

function Form(props: { detail: SpanDetail; wantsForm: number; reload(): void; names: readonly string[] }): VNode {
  const { span } = props.detail;
  const [name, setName] = useState(() => recall("score.name") ?? "");
  const [sort, setSort] = useState<Sort>(() => (recall("score.sort") as Sort | null) ?? "number");
  const [value, setValue] = useState("");
  const [comment, setComment] = useState("");
  const [failure, setFailure] = useState<ApiError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const isRoot = span.parent_id === null;
  const [ofTrace, setOfTrace] = useState(isRoot);
  const field = useRef<HTMLInputElement>(null);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.wantsForm > 0) (name === "" ? first.current : (field.current ?? first.current))?.focus();
  }, [props.wantsForm]);
  const give = async (given: NewScore["value"]): Promise<void> => {
    setBusy(true);
    setFailure(undefined);
    const of = ofTrace ? {} : { span_id: span.span_id };
    const body: NewScore = { trace_id: span.trace_id, ...of, name: name.trim(), value: given, comment };
    try {
      await send<Scored>("POST", "/api/scores", body);
      remember("score.name", name.trim());
      remember("score.sort", sort);
      setValue("");
      setComment("");
      toast(`${name.trim()} given`);
      props.reload();
    } catch (error) {
      setFailure(isApiError(error) ? error : { status: 0, code: "failed", message: String(error) });
    } finally {
      setBusy(false);
    }
  };
  const number = Number(value.replace(",", "."));
  const ready =
    name.trim() !== "" && (sort !== "number" ? value.trim() !== "" : value.trim() !== "" && Number.isFinite(number));
  return (
    <form
      class="score-form"
      aria-label="give a score"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && sort !== "yesno") void give(sort === "number" ? number : value.trim());
      }}
    >
      <div class="line">
        <label class="field grow">
          <span>name</span>
          <input
            ref={first}
            class="input"
            list="score-names"
            maxLength={200}
            placeholder="helpful"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <datalist id="score-names">
            {props.names.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        </label>
        <label class="field">
          <span>as</span>
          <select class="input" value={sort} onChange={(event) => setSort(event.currentTarget.value as Sort)}>
            {SORTS.map(([id, label]) => (
              <option key={id} value={id}>
                {label}
              </option>
            ))}
          </select>
        </label>
        {sort !== "yesno" && (
          <label class="field">
            <span>{sort === "number" ? "number" : "label"}</span>
            <input
              ref={field}
              class="input"
              inputMode={sort === "number" ? "decimal" : "text"}
              maxLength={1_000}
              placeholder={sort === "number" ? "0.5" : "good"}
              value={value}
              onInput={(event) => setValue(event.currentTarget.value)}
            />
          </label>
        )}
      </div>
      <label class="field">
        <span>comment</span>
        <textarea
          class="input"
          rows={2}
          maxLength={10_000}
          value={comment}
          onInput={(event) => setComment(event.currentTarget.value)}
        />
      </label>
      {failure !== undefined && <Failure error={failure} />}
      <div class="line">
        <label class="of-trace">
          <input type="checkbox" checked={ofTrace} onChange={(event) => setOfTrace(event.currentTarget.checked)} /> of
          the whole trace
        </label>
        {sort === "yesno" ? (
          <>
            <button type="button" class="button" disabled={busy || name.trim() === ""} onClick={() => void give(true)}>
              yes
            </button>
            <button type="button" class="button" disabled={busy || name.trim() === ""} onClick={() => void give(false)}>
              no
            </button>
          </>
        ) : (
          <button type="submit" class="button first" disabled={busy || !ready}>
            give the score
          </button>
        )}
      </div>
    </form>
  );
}
