// The dashboard: what was called, what failed, how long it took and what it cost, on one axis of time with one crosshair,
// under the filter of the page. Every point and every bar leads to the list of what it counts.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useBounds } from "../../api/bounds";
import { type ApiError, useAnswer } from "../../api/client";
import type { Series } from "../../api/types";
import { count, percent, seconds, short, usd } from "../../model/format";
import { append, term, terms } from "../../model/query";
import { aligned, before, bucketsOf, type Line, stacked, stepFor, total } from "../../model/series";
import { go, link, place, setParams, timeWindow } from "../../url";
import { BarList, type BarRow } from "../../widgets/BarList";
import { Chart, type ChartProps } from "../../widgets/Chart";
import { Failure, Waiting } from "../../widgets/parts";
import { NothingFound } from "../../widgets/FirstSteps";
import { Totals } from "./Totals";
import "./dash.css";

const LIVE_MS = 30_000;
const PALETTE = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `--series-${n}`);
const MOST_MODELS = 7;
const TOP = 8;
/** Groups that are asked for: the API has those with the most spans first, and the page wants those that cost most. */
const GROUPS = 200;
const MOST_USERS = 1_000;

const ms = (moment: number): string => `${Math.floor(moment)}000000`;

/** The filter with a kind besides; one that has another kind, or leaves this one out, then finds nothing. */
function ofKind(q: string, kind: string): string {
  const one = `kind:${kind}`;
  return terms(q).includes(`-${one}`) ? `${q} ${one}` : append(q, one);
}

export function Dash(): VNode {
  const window = useBounds(place.value.params["t"]);
  return window ? <Panels window={window} /> : <Waiting />;
}

function Panels({ window }: { window: readonly [number, number] }): VNode {
  const { params } = place.value;
  const { t } = params;
  const q = params["q"] ?? "";
  const every = params["live"] === "1" ? { everyMs: LIVE_MS } : {};
  const step = stepFor(window[1] - window[0]);
  const earlier = before(window);
  const times = timeWindow(t);
  const keep = { keep: true, ...every };

  const calls = useAnswer(
    "/api/series",
    {
      ...filter(ofKind(q, "llm")),
      ...times,
      step: step.text,
      measures:
        "count,errors,latency.p50,latency.p95,latency.p99,ttft.p50,ttft.p95,tokens.in,tokens.cached,tokens.out,tokens.reasoning",
    },
    keep,
  );
  const models = useAnswer(
    "/api/series",
    { ...filter(q), ...times, step: step.text, by: "model", measures: "cost,count" },
    keep,
  );
  const tools = useAnswer(
    "/api/series",
    { ...filter(ofKind(q, "tool")), ...times, step: step.text, by: "tool", measures: "count,errors", groups: 20 },
    keep,
  );
  const scores = useAnswer("/api/scores/summary", { ...times, step: step.text }, keep);
  // of whole traces: the user often stands at the root alone, and the cost at the calls below
  const users = useAnswer("/api/endusers", { ...filter(q), ...times, limit: MOST_USERS }, keep);
  const prompts = useAnswer(
    "/api/series",
    { ...filter(q), ...times, by: "prompt", measures: "cost,count", groups: GROUPS },
    keep,
  );
  const past = useAnswer(
    t === "all" ? null : "/api/series",
    {
      ...filter(q),
      start: ms(Math.floor(earlier[0] / step.ms) * step.ms),
      end: ms(Math.floor(earlier[1] / step.ms) * step.ms),
      by: "kind",
      measures: "count,errors,cost,tokens.in,tokens.out,latency.p95",
    },
    { keep: true },
  );
  const now = useAnswer(
    "/api/series",
    { ...filter(q), ...times, by: "kind", measures: "count,errors,cost,tokens.in,tokens.out,unpriced,latency.p95" },
    keep,
  );

  const edge = Math.floor(window[0] / step.ms);
  const timesMs = useMemo(() => bucketsOf(window, step.ms), [edge, step.ms, Math.floor(window[1] / step.ms)]);
  const error = calls.error ?? now.error ?? models.error;
  if (error && !calls.data) return <Failure error={error} onRetry={calls.reload} />;
  if (calls.loading || now.loading) return <Waiting />;
  const nothing = now.data?.groups.length === 0 && models.data?.groups.length === 0 && tools.data?.groups.length === 0;
  if (nothing) return <NothingFound what="calls" />;

  const common = {
    timesMs,
    stepMs: step.ms,
    together: "dash",
    onWindow: (to: string) => setParams({ t: to, live: null }),
  };
  const list = (filterText: string, to: string, of = "calls"): void =>
    go(link({ view: "traces", params: { q: filterText, t: to, of } }));
  const line = (label: string, measure: string, nothingIs: number | null = null): Line => ({
    key: measure,
    label,
    values: calls.data
      ? aligned(calls.data, calls.data.groups[0], measure, timesMs, nothingIs)
      : timesMs.map(() => nothingIs),
  });
  const failed = line("failed", "errors", 0);
  const fine = { ...line("ended well", "count", 0) };
  const well: Line = { ...fine, values: fine.values.map((value, at) => (value ?? 0) - (failed.values[at] ?? 0)) };
  const costs = models.data ? stacked(models.data, "cost", timesMs, MOST_MODELS) : [];
  const input = line("input", "tokens.in", 0);
  const cached = line("cached input", "tokens.cached", 0);
  const output = line("output", "tokens.out", 0);
  const reasoning = line("reasoning", "tokens.reasoning", 0);
  // cached is a part of input and reasoning a part of output: each token stands in one of the four
  const less = (whole: Line, part: Line): Line => ({
    ...whole,
    values: whole.values.map((value, at) => Math.max(0, (value ?? 0) - (part.values[at] ?? 0))),
  });
  const byTool = tools.data ? stacked(tools.data, "errors", timesMs, 6) : [];
  const means: Line[] = (scores.data?.names ?? [])
    .filter((score) => score.numbers > 0)
    .slice(0, 6)
    .map((score) => ({
      key: score.name,
      label: score.name,
      values: scoreLine(score.means, scores.data?.times_ns ?? [], step.ms, timesMs),
    }));
  const chart = (more: Omit<ChartProps, "timesMs" | "stepMs" | "together" | "onWindow">): VNode => (
    <Chart {...common} {...more} />
  );
  const last =
    (told: (value: number | null) => string) =>
    (one: Line): string => {
      const values = one.values.filter((value): value is number => value !== null);
      return values.length > 0 ? told(values.reduce((sum, value) => sum + value, 0) / values.length) : "–";
    };
  return (
    <div class={`dash${calls.stale ? " stale" : ""}`}>
      <Totals now={now.data} past={past.data} q={q} />
      <div class="dash-grid">
        {chart({
          title: "Model calls",
          stack: true,
          lines: [failed, well],
          colours: ["--error", "--llm"],
          format: short,
          onOpen: (one, to) =>
            list(one.key === "errors" ? append(ofKind(q, "llm"), "status:error") : ofKind(q, "llm"), to),
        })}
        {chart({
          title: "Latency of model calls",
          lines: [line("p50", "latency.p50"), line("p95", "latency.p95"), line("p99", "latency.p99")],
          colours: ["--retriever", "--agent", "--llm"],
          format: seconds,
          sum: last(seconds),
          onOpen: (_, to) =>
            go(link({ view: "traces", params: { q: ofKind(q, "llm"), t: to, of: "calls", order: "slowest" } })),
        })}
        {chart({
          title: "Cost by model",
          stack: true,
          lines: costs,
          nothing: models.error?.message ?? "No call of a known price in this time.",
          colours: PALETTE,
          format: usd,
          onOpen: (one, to) => list(one.key ? append(q, term("model", one.key)) : q, to),
        })}
        {chart({
          title: "Tokens",
          stack: true,
          lines: [less(input, cached), cached, less(output, reasoning), reasoning].filter(
            (one) => total(one.values) > 0,
          ),
          colours: ["--agent", "--retriever", "--llm", "--tool"],
          format: short,
          onOpen: (_, to) => list(ofKind(q, "llm"), to),
        })}
        {chart({
          title: "Time to first token",
          lines: [line("p50", "ttft.p50"), line("p95", "ttft.p95")],
          colours: ["--retriever", "--agent"],
          format: seconds,
          sum: last(seconds),
          onOpen: (_, to) => list(append(ofKind(q, "llm"), "ttft:*"), to),
        })}
        {chart({
          title: "Tool calls that failed",
          stack: true,
          lines: byTool,
          nothing: tools.error?.message ?? "No call of a tool failed in this time.",
          colours: ["--error", ...PALETTE],
          format: short,
          sum: (one) => `${count(total(one.values))} (${percent(rate(tools.data, one))})`,
          onOpen: (one, to) =>
            list(append(one.key ? append(q, term("tool", one.key)) : ofKind(q, "tool"), "status:error"), to, "spans"),
        })}
        {chart({
          title: "Scores, mean",
          lines: means,
          nothing: scores.error?.message ?? "No scores that are numbers in this time.",
          colours: PALETTE,
          format: (value) => (value === null ? "–" : String(Math.round(value * 100) / 100)),
          sum: (one) => {
            const score = scores.data?.names.find((other) => other.name === one.key);
            return score?.mean == null ? "–" : `${Math.round(score.mean * 100) / 100} of ${count(score.numbers)}`;
          },
          onOpen: (one, to) => go(link({ view: "scores", params: { name: one.key, t: to } })),
        })}
        <div class="dash-lists">
          <BarList
            title="Users by cost"
            nothing="No user ids in this time: session.id and user.id are attributes of spans."
            {...(users.data?.cursor ? { note: `of the ${count(MOST_USERS)} seen last` } : {})}
            {...failure(users.error)}
            rows={largest(
              (users.data?.items ?? []).map((user) => ({ label: user.key, cost: user.cost_usd, many: user.calls })),
              (name) => append(q, term("user", name)),
            )}
          />
          <BarList
            title="Prompts by cost"
            nothing="No prompt names in this time: gen_ai.prompt.name is an attribute of model calls."
            {...failure(prompts.error)}
            rows={largest(ofGroups(prompts.data), (name) => append(q, term("prompt", name)))}
          />
          <BarList
            title="Models by cost"
            nothing="No models in this time: gen_ai.request.model is an attribute of model calls."
            {...failure(models.error)}
            rows={largest(ofGroups(models.data), (name) => append(q, term("model", name)))}
          />
        </div>
      </div>
    </div>
  );
}

const filter = (q: string): { q?: string } => (q ? { q } : {});

/** The share of a tool's calls that failed; of all of them for the rest. */
function rate(series: Series | undefined, line: Line): number | null {
  const groups = series?.groups.filter((group) => line.key === "" || group.keys[0] === line.key) ?? [];
  const sum = (measure: string): number => groups.reduce((all, group) => all + total(group.values[measure] ?? []), 0);
  return sum("count") > 0 ? sum("errors") / sum("count") : null;
}

function scoreLine(
  means: readonly (number | null)[],
  times: readonly string[],
  stepMs: number,
  timesMs: readonly number[],
): (number | null)[] {
  const first = Number(times[0]?.slice(0, -6) ?? 0);
  return timesMs.map((moment) => means[Math.round((moment - first) / stepMs)] ?? null);
}

interface Cost {
  label: string;
  /** null where no price is known, which is not 0. */
  cost: number | null;
  many: number;
}

function ofGroups(told: Series | undefined): Cost[] {
  return (told?.groups ?? [])
    .filter((group) => group.keys[0] !== null)
    .map(({ keys, values }) => {
      const costs = (values["cost"] ?? []).filter((cost) => cost !== null);
      return { label: keys[0]!, cost: costs.length > 0 ? total(costs) : null, many: total(values["count"] ?? []) };
    });
}

function largest(rows: readonly Cost[], filterOf: (name: string) => string): BarRow[] {
  return rows
    .toSorted((a, b) => (b.cost ?? 0) - (a.cost ?? 0) || b.many - a.many)
    .slice(0, TOP)
    .map(({ label, cost, many }) => ({
      label,
      value: cost ?? 0,
      told: `${usd(cost)} · ${short(many)}`,
      href: link({ view: "traces", params: { q: filterOf(label) } }),
    }));
}

const failure = (error: ApiError | undefined): { nothing?: string } => (error ? { nothing: error.message } : {});
