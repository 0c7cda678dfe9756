// The sums of the window above the charts, each against the window before.
import type { VNode } from "preact";
import type { Series } from "../../api/types";
import { count, percent, seconds, short, usd } from "../../model/format";
import { append } from "../../model/query";
import { change } from "../../model/series";
import { link } from "../../url";

/** Of model calls. */
const of = (series: Series | undefined, measure: string): number | null =>
  series?.groups.find((group) => group.keys[0] === "llm")?.values[measure]?.[0] ?? null;

/** Of spans of every kind: embeddings cost too. */
function sum(series: Series | undefined, measure: string): number | null {
  const known = series?.groups.map((group) => group.values[measure]?.[0]).filter((one) => one != null) ?? [];
  return known.length > 0 ? known.reduce((all, one) => all + one, 0) : null;
}

export function Totals({ now, past, q }: { now: Series | undefined; past: Series | undefined; q: string }): VNode {
  const calls = of(now, "count");
  const errors = of(now, "errors");
  const unpriced = sum(now, "unpriced");
  const failed = calls ? (errors ?? 0) / calls : null;
  const pastCalls = of(past, "count");
  const tokens = (series: Series | undefined): number | null => {
    const input = sum(series, "tokens.in");
    return input === null ? null : input + (sum(series, "tokens.out") ?? 0);
  };
  return (
    <ul class="totals" aria-label="sums">
      <Total name="model calls" told={count(calls)} by={change(calls, pastCalls)} />
      <Total
        name="failed"
        told={percent(failed)}
        by={change(failed, pastCalls ? (of(past, "errors") ?? 0) / pastCalls : null)}
        worse="more"
        {...(errors ? { href: link({ view: "errors", params: { q: append(q, "kind:llm") } }) } : {})}
      />
      <Total
        name="p95 latency"
        told={seconds(of(now, "latency.p95"))}
        by={change(of(now, "latency.p95"), of(past, "latency.p95"))}
        worse="more"
      />
      <Total name="tokens" told={short(tokens(now))} by={change(tokens(now), tokens(past))} />
      <Total name="cost" told={usd(sum(now, "cost"))} by={change(sum(now, "cost"), sum(past, "cost"))} worse="more" />
      {(unpriced ?? 0) > 0 && (
        <Total
          name="calls of unknown price"
          told={count(unpriced)}
          by={null}
          href={link({ view: "settings", params: { tab: "prices" } })}
          remedy="give them a price"
        />
      )}
    </ul>
  );
}

function Total(props: {
  name: string;
  told: string;
  by: number | null;
  worse?: "more";
  href?: string;
  remedy?: string;
}): VNode {
  const { by } = props;
  const same = by !== null && Math.abs(by) < 0.005;
  const words =
    by === null
      ? ""
      : same
        ? "as before"
        : by > 4
          ? `×${count(by + 1)} against before`
          : `${by > 0 ? "+" : "−"}${percent(Math.abs(by))} against before`;
  return (
    <li>
      <span class="muted">{props.name}</span>
      <b>{props.href ? <a href={props.href}>{props.told}</a> : props.told}</b>
      <span class={!same && by !== null && by > 0 && props.worse ? "error" : "muted"}>{props.remedy ?? words}</span>
    </li>
  );
}
