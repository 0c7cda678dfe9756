// A row for each name of scores: how many, their spread, who gave them, how they went over time. A bar opens the traces
// behind it.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { ScoreTally, Tally } from "../../api/types";
import { clock, count, duration, percent } from "../../model/format";
import {
  giver,
  kindOf,
  linePoints,
  number,
  type Range,
  rangeFilter,
  ranges,
  scoreTerm,
  sourceTerm,
  trendOf,
} from "../../model/scores";
import { link, setParams } from "../../url";
import { toggleTerm } from "./terms";

const SHOWN = 8;

export function Names({ sums, chosen }: { sums: Tally; chosen: string }): VNode {
  const [from, setFrom] = useState(0);
  const names = sums.names;
  const start = from < names.length ? from : 0;
  const differing = new Map<string, number>();
  for (const { name } of sums.disagreements) differing.set(name, (differing.get(name) ?? 0) + 1);
  return (
    <section class="score-names" aria-label="names">
      {names.slice(start, start + SHOWN).map((tally) => (
        <Name
          key={tally.name}
          tally={tally}
          sums={sums}
          differing={differing.get(tally.name) ?? 0}
          chosen={chosen === tally.name}
        />
      ))}
      {names.length > SHOWN && (
        <p class="score-more">
          <button
            type="button"
            class="button"
            disabled={start === 0}
            onClick={() => setFrom(Math.max(0, start - SHOWN))}
          >
            ‹ before
          </button>
          <span class="muted">
            {count(start + 1)}–{count(Math.min(names.length, start + SHOWN))} of {count(names.length)} names
          </span>
          <button
            type="button"
            class="button"
            disabled={start + SHOWN >= names.length}
            onClick={() => setFrom(start + SHOWN)}
          >
            further ›
          </button>
        </p>
      )}
    </section>
  );
}

function Name(props: { tally: ScoreTally; sums: Tally; differing: number; chosen: boolean }): VNode {
  const { tally, differing } = props;
  const kind = kindOf(tally);
  return (
    <article class="score-name" aria-label={tally.name}>
      <div class="score-title">
        <button
          type="button"
          class="bare one-line"
          aria-pressed={props.chosen}
          title={props.chosen ? "show every name" : `show only ${tally.name}`}
          onClick={() => setParams({ name: props.chosen ? null : tally.name })}
        >
          <b>{tally.name}</b>
        </button>
        <span class="muted">
          {count(tally.count)} {tally.count === 1 ? "score" : "scores"}
          {kind === "numbers" && tally.mean !== null && (
            <>
              {" "}
              · mean <b class="score-mean">{number(tally.mean)}</b>
            </>
          )}
        </span>
        {differing > 0 && (
          <button
            type="button"
            class="link score-differing"
            onClick={() => setParams({ name: tally.name, tab: "differing" })}
          >
            {count(differing)} {differing === 1 ? "disagreement" : "disagreements"}
          </button>
        )}
      </div>
      {kind === "labels" ? (
        <Labels tally={tally} />
      ) : kind === "yesno" ? (
        <YesNo tally={tally} />
      ) : (
        <Spread tally={tally} />
      )}
      <Sources tally={tally} />
      <Trend tally={tally} sums={props.sums} />
    </article>
  );
}

const traces = (q: string): string => link({ view: "traces", params: { q }, keep: ["t"] });

/** Ten bars of numbers; labels beside them are told in words. */
function Spread({ tally }: { tally: ScoreTally }): VNode {
  const parts = ranges(tally);
  const most = Math.max(1, ...parts.map((part) => part.count));
  const told = (part: Range): string =>
    `${part.from === part.to ? number(part.from) : `${number(part.from)} to ${number(part.to)}`}: ${count(part.count)}`;
  const labelled = tally.labels.reduce((sum, label) => sum + label.count, 0);
  return (
    <div class="score-spread">
      <div class="score-bins">
        {parts.map((part) =>
          part.count > 0 ? (
            <a
              key={part.from}
              href={traces(rangeFilter(tally.name, part))}
              title={`${told(part)}; opens the traces`}
              aria-label={told(part)}
            >
              <span style={{ height: `${Math.max(4, (part.count / most) * 100)}%` }} />
            </a>
          ) : (
            <i key={part.from} />
          ),
        )}
      </div>
      <div class="score-edges muted">
        <span>{tally.min === null ? "" : number(tally.min)}</span>
        {labelled > 0 && <span>and {count(labelled)} labels</span>}
        <span>{tally.max === null || tally.max === tally.min ? "" : number(tally.max)}</span>
      </div>
    </div>
  );
}

function Line(props: { href: string; label: string; share: number; n: number; told?: string }): VNode {
  return (
    <a class="score-line" href={props.href} title={`${props.label}: ${count(props.n)}; opens the traces`}>
      <span class="one-line">{props.label}</span>
      <span class="track" aria-hidden="true">
        <span style={{ width: `${Math.max(1, props.share * 100)}%` }} />
      </span>
      <span class="num">{count(props.n)}</span>
      <span class="num muted">{percent(props.share)}</span>
    </a>
  );
}

function YesNo({ tally }: { tally: ScoreTally }): VNode {
  const share = tally.mean ?? 0;
  const yes = Math.round(share * tally.numbers);
  const term = (value: number): string => scoreTerm(tally.name, { value, label: null });
  return (
    <div class="score-lines">
      <Line href={traces(term(1))} label="yes" share={share} n={yes} />
      <Line href={traces(term(0))} label="no" share={1 - share} n={tally.numbers - yes} />
    </div>
  );
}

const LABELS = 4;

function Labels({ tally }: { tally: ScoreTally }): VNode {
  const shown = tally.labels.slice(0, LABELS);
  const rest = tally.labels.length - shown.length;
  return (
    <div class="score-lines">
      {shown.map((label) => (
        <Line
          key={label.value}
          href={traces(scoreTerm(tally.name, { value: null, label: label.value }))}
          label={label.value}
          share={label.count / tally.count}
          n={label.count}
        />
      ))}
      {rest > 0 && (
        <span
          class="muted"
          title={tally.labels
            .slice(LABELS)
            .map((label) => `${label.value} ${label.count}`)
            .join(", ")}
        >
          and {rest} further {rest === 1 ? "label" : "labels"}
        </span>
      )}
    </div>
  );
}

const SOURCES = 3;

function Sources({ tally }: { tally: ScoreTally }): VNode {
  const { by_people: people, by_programs: programs } = tally;
  return (
    <div class="score-sources">
      <span class="muted">
        {people > 0 && `${count(people)} by people`}
        {people > 0 && programs > 0 && " · "}
        {programs > 0 && `${count(programs)} by programs`}
      </span>
      <span class="score-given">
        {tally.sources.slice(0, SOURCES).map((source) => (
          <button
            key={source.value}
            type="button"
            class="chip bare"
            title={`${source.value}: click filters by who gave it`}
            onClick={(event) => toggleTerm(sourceTerm(source.value), event.altKey)}
          >
            <span class="one-line">{giver(source.value)}</span> <b>{count(source.count)}</b>
          </button>
        ))}
        {tally.sources.length > SOURCES && (
          <span
            class="muted"
            title={tally.sources
              .slice(SOURCES)
              .map((one) => giver(one.value))
              .join(", ")}
          >
            +{tally.sources.length - SOURCES}
          </span>
        )}
      </span>
    </div>
  );
}

const [WIDTH, HEIGHT] = [160, 34];

function Trend({ tally, sums }: { tally: ScoreTally; sums: Tally }): VNode {
  const { values, what } = trendOf(tally);
  const known = values.filter((value): value is number => value !== null);
  const step = duration(Number(sums.step_ns ?? 0) / 1e3);
  if (known.length < 2) return <div class="score-trend muted">{known.length === 0 ? "" : "one moment only"}</div>;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const told = `${what} each ${step}: from ${number(known[0]!)} to ${number(known.at(-1)!)}, between ${number(low)} and ${number(high)}`;
  return (
    <div class="score-trend" title={told}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={told} preserveAspectRatio="none">
        {linePoints(values).map((part, at) => {
          const points = part.map(
            ([x, y]) => `${(x * (WIDTH - 4) + 2).toFixed(1)},${(y * (HEIGHT - 6) + 3).toFixed(1)}`,
          );
          return part.length === 1 ? (
            <circle key={at} cx={points[0]!.split(",")[0]} cy={points[0]!.split(",")[1]} r="1.5" />
          ) : (
            <polyline key={at} points={points.join(" ")} />
          );
        })}
      </svg>
      <span class="score-edges muted">
        <span>{clock(sums.times_ns[0]).replace(/:\d\d$/, "")}</span>
        <span>
          {what} {number(low)}–{number(high)}
        </span>
      </span>
    </div>
  );
}
