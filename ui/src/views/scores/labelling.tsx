// Working through a queue: one trace at a time, the answer by keys, saved behind one's back while the next is shown.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { may, me } from "../../api/session";
import { useKeys } from "../../keys";
import { count } from "../../model/format";
import { type Choice, choicesOf, queueFilter, readAs } from "../../model/queue";
import { link, place, setParams, timeWindow } from "../../url";
import { Empty, Failure, toast, Waiting } from "../../widgets/parts";
import { timeName } from "../../widgets/TimeRange";
import { AnswerBar, type Draft } from "./answers";
import { Conversation } from "./conversation";
import { answerOf, put, savedHere } from "./outbox";
import { type Asked, type Item, readAhead, useShown, useToday, useWork } from "./work";

/** What stands for an end in the address. */
const END = "end";

export function Labelling(): VNode {
  const { params, project } = place.value;
  const name = params["name"] ?? "";
  const choices = useMemo(() => choicesOf(params["labels"] ?? ""), [params["labels"]]);
  const all = params["all"] === "1";
  const order = params["order"] === "oldest" || params["order"] === "random" ? params["order"] : "newest";
  const asked: Asked = {
    project,
    q: queueFilter(params["q"] ?? "", name, all),
    ...timeWindow(params["t"]),
    order,
    seed: params["seed"] ?? "1",
  };
  // the address may name a trace that the list does not have, such as one that has its label by now
  const [named] = useState(params["at"] === END ? "" : (params["at"] ?? ""));
  const wanted = params["at"] ?? "";
  const [reached, setReached] = useState(0);
  const work = useWork(asked, reached);
  const items = useMemo<readonly Item[]>(() => {
    if (named === "" || work.loading || work.items.some((item) => item.id === named)) return work.items;
    return [{ id: named }, ...work.items];
  }, [work.items, work.loading, named]);
  const places = useMemo(() => new Map(items.map((item, at) => [item.id, at])), [items]);
  const at = wanted === END ? items.length : wanted === "" ? 0 : (places.get(wanted) ?? 0);
  const item = items[at];
  const shown = useShown(project, item, name);
  const author = me.value?.name ?? "";
  const today = useToday(project, name, author);
  const saved = savedHere(project, name);
  const labelled = useMemo(() => new Set([...today, ...saved]).size, [today, saved]);
  const allowed = may("write", project);
  const body = useRef<HTMLDivElement>(null);
  const comment = useRef<HTMLTextAreaElement>(null);
  const [told, tell] = useState("");

  useEffect(() => {
    setReached(at);
    body.current?.scrollTo(0, 0);
    for (const next of items.slice(at + 1, at + 6)) readAhead(project, next, name);
  }, [item?.id, items.length]);

  // --- the answer

  const drafts = useRef(new Map<string, Draft>());
  const [, redraw] = useState(0);
  const own = shown.value?.scores.find((row) => row.author === author);
  const before = item ? answerOf(project, item.id, name) : undefined;
  const draft: Draft = useMemo(() => {
    const kept = item ? drafts.current.get(item.id) : undefined;
    if (kept) return kept;
    if (before)
      return { choice: choices.find(({ value }) => value === before.score.value), comment: before.score.comment ?? "" };
    const label = own ? readAs(choices, own.value, own.label) : "";
    return { choice: choices.find((choice) => choice.label === label), comment: own?.comment ?? "" };
  }, [item?.id, own, before, choices, drafts.current.get(item?.id ?? "")]);
  const change = (to: Partial<Draft>): void => {
    if (!item) return;
    drafts.current.set(item.id, { ...draft, ...to });
    redraw((n) => n + 1);
  };
  const go = (to: number): void => {
    comment.current?.blur();
    setParams({ at: to >= items.length ? END : (items[Math.max(0, to)]?.id ?? null) }, "replace");
  };
  const save = (given: Draft): void => {
    if (!item) return;
    if (!allowed) return toast("you may read here, not give scores");
    if (!given.choice) return toast(`choose an answer first: ${choices[0]?.key} to ${choices.at(-1)?.key}; n skips`);
    drafts.current.set(item.id, given);
    const { choice, comment: said } = given;
    const score = { trace_id: item.id, name, value: choice.value, comment: said.trim() };
    put(project, said.trim() === "" ? { trace_id: item.id, name, value: choice.value } : score, choice.label);
    tell(`${choice.label}; ${Math.min(at + 2, items.length)} of ${items.length}`);
    go(at + 1);
  };
  const label = (choice: Choice | undefined): void => {
    if (!choice || !item) return;
    if (!allowed) return toast("you may read here, not give scores");
    if (params["quick"] === "1") save({ ...draft, choice });
    else change({ choice });
  };
  useKeys("queue", {
    back: () => at > 0 && go(at - 1),
    ...(item
      ? {
          label: (event) => label(choices.find((choice) => choice.key === event.key)),
          save: () => save(draft),
          skip: () => go(at + 1),
          comment: () => comment.current?.focus(),
        }
      : {}),
  });

  const total = `${count(items.length)}${work.more ? "+" : ""}`;
  return (
    <div class="queue">
      <header class="head">
        <h1 class="one-line" title={name}>
          {name}
        </h1>
        <span class="stats" aria-live="off">
          {items.length > 0 && (
            <b>
              {at < items.length ? count(at + 1) : total} of {total}
            </b>
          )}
          <span class="muted">{count(labelled)} labelled by you today</span>
        </span>
        <span class="spread" />
        <a class="button" href={link({ view: "queue", params: { setup: "1" }, keep: Object.keys(params) })}>
          Set up
        </a>
      </header>
      <Progress items={items} at={at} answered={(id) => answerOf(project, id, name) !== undefined} />
      <p class="sr-only" role="status">
        {told}
      </p>
      {!allowed && <ReadOnly project={project} />}
      <div class="queue-body" ref={body} tabIndex={0} role="region" aria-label="the conversation">
        {work.error && items.length === 0 ? (
          <Failure error={work.error} onRetry={work.reload} />
        ) : work.loading ? (
          <Waiting what="looking for traces" />
        ) : items.length === 0 ? (
          <NothingToLabel name={name} all={all} onReload={work.reload} />
        ) : item ? (
          <Conversation key={item.id} item={item} shown={shown} name={name} />
        ) : (
          <AtTheEnd name={name} onBack={() => go(items.length - 1)} onReload={work.reload} items={items} />
        )}
      </div>
      {item && (
        <AnswerBar
          choices={choices}
          draft={draft}
          before={before}
          own={own}
          others={shown.value?.scores.filter((row) => row.author !== author) ?? []}
          allowed={allowed}
          commentBox={comment}
          first={at === 0}
          onLabel={label}
          onComment={(text) => change({ comment: text })}
          onSave={() => save(draft)}
          onSkip={() => go(at + 1)}
          onBack={() => go(at - 1)}
        />
      )}
    </div>
  );
}

function Progress(props: { items: readonly Item[]; at: number; answered(id: string): boolean }): VNode | null {
  const { items, at } = props;
  const done = items.reduce((sum, item) => sum + (props.answered(item.id) ? 1 : 0), 0);
  if (items.length === 0) return null;
  return (
    <div
      class="queue-progress"
      role="progressbar"
      aria-label="answered of this list"
      aria-valuemin={0}
      aria-valuemax={items.length}
      aria-valuenow={done}
    >
      <span class="seen" style={{ width: `${(100 * at) / items.length}%` }} />
      <span class="done" style={{ width: `${(100 * done) / items.length}%` }} />
    </div>
  );
}

function ReadOnly({ project }: { project: string }): VNode {
  const who = (me.value?.name ?? "").replace(/^user:/, "");
  return (
    <p class="queue-note" role="note">
      <b>You may read {project}, not give scores.</b>{" "}
      <span class="muted">
        Somebody with the scope admin can change that:{" "}
        <code>
          vestigo user role {who || "NAME"} {project}:member
        </code>
      </span>
    </p>
  );
}

function NothingToLabel({ name, all, onReload }: { name: string; all: boolean; onReload(): void }): VNode {
  const { q, t } = place.value.params;
  return (
    <Empty title="Nothing to label">
      <p>
        In {timeName(t)} there is no trace
        {q ? (
          <>
            {" "}
            that matches <code>{q}</code>
          </>
        ) : null}
        {all ? "." : ` and has no score ${name} yet.`}
      </p>
      <p class="stats">
        {t !== "7d" && t !== "all" && (
          <button type="button" class="button" onClick={() => setParams({ t: "7d" })}>
            Look at 7 days
          </button>
        )}
        {t !== "all" && (
          <button type="button" class="button" onClick={() => setParams({ t: "all" })}>
            All of time
          </button>
        )}
        {!all && (
          <button type="button" class="button" onClick={() => setParams({ all: "1" })}>
            Look again at those with the score
          </button>
        )}
        {q && (
          <button type="button" class="button" onClick={() => setParams({ q: null })}>
            Clear the filter
          </button>
        )}
        <button type="button" class="button" onClick={onReload}>
          Look again
        </button>
      </p>
    </Empty>
  );
}

function AtTheEnd(props: { name: string; items: readonly Item[]; onBack(): void; onReload(): void }): VNode {
  const { project } = place.value;
  const answered = props.items.filter((item) => answerOf(project, item.id, props.name) !== undefined).length;
  const skipped = props.items.length - answered;
  return (
    <Empty title="That was the last one">
      <p>
        {count(answered)} of {count(props.items.length)} answered{skipped > 0 && `, ${count(skipped)} skipped`}.
      </p>
      <p class="stats">
        <a class="button first" href={link({ view: "scores", params: { name: props.name }, keep: ["q", "t"] })}>
          See the scores
        </a>
        <button
          type="button"
          class="button"
          onClick={() => {
            setParams({ at: null }, "replace");
            props.onReload();
          }}
        >
          {skipped > 0 ? "Begin again with those skipped" : "Look for new ones"}
        </button>
        <button type="button" class="button" onClick={props.onBack}>
          Back to the last one <kbd>b</kbd>
        </button>
      </p>
    </Empty>
  );
}
