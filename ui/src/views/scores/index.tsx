// The scores of a project: by name their spread, who gave them and how they went, where givers differ, and the newest
// of them. The address holds the filter, the time, the name and the list that is shown.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { usePages } from "../../api/pages";
import type { ScoreRow, Tally } from "../../api/types";
import { count, plural } from "../../model/format";
import { stepOf } from "../../model/scores";
import { go, link, place, setParams, timeBounds, timeWindow } from "../../url";
import { Empty, Failure, Stat, Waiting } from "../../widgets/parts";
import { Table } from "../../widgets/Table";
import { Tabs } from "../../widgets/Tabs";
import { timeName, WiderTime } from "../../widgets/TimeRange";
import { SCORE_COLUMNS, scoreLink } from "./columns";
import { Differing } from "./differing";
import { GiveScores } from "./give";
import { Names } from "./names";
import "./scores.css";

export function Scores(): VNode {
  const { params } = place.value;
  const { q = "", t, name = "" } = params;
  const differing = params["tab"] === "differing";
  const [from, to] = timeBounds(t);
  const asked = { ...(q ? { q } : {}), ...timeWindow(t), ...(name ? { name } : {}) };
  const told = useAnswer("/api/scores/summary", { ...asked, step: stepOf(from, to) }, { keep: true });
  const pages = usePages("/api/scores", { ...asked, limit: 100 });
  const [selected, setSelected] = useState(-1);
  const sums = told.data;
  const empty = sums !== undefined && sums.names.length === 0 && pages.items.length === 0;
  return (
    <div class="scores">
      <header class="head">
        <h1 class="sr-only">Scores</h1>
        {sums && !empty && <Sums sums={sums} />}
        {name !== "" && (
          <button
            type="button"
            class="chip bare"
            title={`show scores of every name, not only ${name}`}
            onClick={() => setParams({ name: null })}
          >
            name {name} <span aria-hidden="true">✕</span>
            <span class="sr-only">, show every name</span>
          </button>
        )}
        <span class="spread" />
        <a
          class="button first"
          href={link({ view: "queue", params: { q, name, ...(name ? { setup: "1" } : {}) }, keep: ["t"] })}
          title="label traces that match, one after the other, by keys"
        >
          Annotate these
        </a>
      </header>
      {told.error && sums === undefined ? (
        <Refused error={told.error} onRetry={told.reload} q={q} />
      ) : sums === undefined ? (
        <Waiting what="adding up scores" />
      ) : empty && !told.stale ? (
        <NoScores q={q} t={t} name={name} />
      ) : (
        <div class={`scores-body${told.stale && told.loading ? " stale" : ""}`}>
          <Names sums={sums} chosen={name} />
          <Tabs
            label="lists of scores"
            panel="scores-list"
            chosen={differing ? "differing" : "newest"}
            onChoose={(id) => setParams({ tab: id === "newest" ? null : id }, "replace")}
            tabs={[
              { id: "newest", label: "Newest scores" },
              { id: "differing", label: "Disagreements", count: sums.disagreeing },
            ]}
          />
          <div class="scores-list" id="scores-list" role="tabpanel" aria-label={differing ? "disagreements" : "newest"}>
            {differing ? (
              <Differing sums={sums} />
            ) : pages.error && pages.items.length === 0 ? (
              <Failure error={pages.error} onRetry={pages.reload} />
            ) : pages.items.length === 0 ? (
              <Waiting />
            ) : (
              <Table<ScoreRow>
                label="newest scores"
                columns={SCORE_COLUMNS}
                rows={pages.items}
                rowKey={(row) => row.score_id}
                selected={selected}
                onSelect={setSelected}
                onOpen={(at) => {
                  const href = scoreLink(pages.items[at]!);
                  if (href) go(href);
                }}
                onEnd={pages.next}
              />
            )}
          </div>
        </div>
      )}
    </div>
  );
}

function Sums({ sums }: { sums: Tally }): VNode {
  const [people, programs] = sums.names.reduce(
    ([one, two], tally) => [one + tally.by_people, two + tally.by_programs] as const,
    [0, 0] as readonly [number, number],
  );
  return (
    <div class="stats">
      <Stat label="scores" value={`${count(people + programs)}${sums.complete ? "" : "+"}`} />
      <Stat label="names" value={count(sums.names.length)} />
      <Stat label="by people" value={count(people)} />
      <Stat label="by programs" value={count(programs)} />
      {sums.replaced > 0 && (
        <Stat
          label="given anew"
          value={count(sums.replaced)}
          title="earlier scores by the same giver for the same target; the newest counts"
        />
      )}
      {!sums.complete && (
        <span class="muted">
          only the newest {plural(sums.scores_read, "score")} were read; narrow the time for all
        </span>
      )}
    </div>
  );
}

/** A filter that scores cannot answer: they have the fields of logs, and the filter may come from a list of traces. */
function Refused(props: { error: Parameters<typeof Failure>[0]["error"]; q: string; onRetry(): void }): VNode {
  const { error, q } = props;
  return (
    <>
      <Failure error={error} {...(error.code === "bad_query" ? {} : { onRetry: props.onRetry })} />
      {error.code === "bad_query" && q !== "" && (
        <p class="scores-refused">
          <span class="muted">
            Scores are found by their own fields: <code>score.NAME</code>, <code>service</code>, <code>trace</code>,{" "}
            <code>attr.vestigo.author</code>, and by words of their text.
          </span>{" "}
          <button type="button" class="button" onClick={() => setParams({ q: null })}>
            Clear the filter
          </button>
        </p>
      )}
    </>
  );
}

function NoScores({ q, t, name }: { q: string; t: string | undefined; name: string }): VNode {
  const any = useAnswer("/api/scores", { limit: 1 });
  if (any.loading) return <Waiting />;
  if ((any.data?.items.length ?? 0) === 0) return <GiveScores />;
  return (
    <Empty title="No scores here">
      <p>
        Nothing {q ? "matches this filter" : "was scored"} in {timeName(t)}
        {name && ` under the name ${name}`}, but this project has scores.
      </p>
      <p class="stats">
        <WiderTime />
        {name && (
          <button type="button" class="button" onClick={() => setParams({ name: null })}>
            Every name
          </button>
        )}
        {q && (
          <button type="button" class="button" onClick={() => setParams({ q: null })}>
            Clear the filter
          </button>
        )}
      </p>
    </Empty>
  );
}
