// What the two traces are and what they come to: a line for each, and a line of differences.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { Columns } from "../../api/types";
import type { Totals } from "../../model/align";
import { clock, count, duration, moment, usd } from "../../model/format";
import { link } from "../../url";
import { Copy } from "../../widgets/parts";
import { Chooser } from "./chooser";
import { Change } from "./change";
import { nameOf, swap } from "./sides";

export function Head({ a, b, sums }: { a: Columns; b: Columns; sums: readonly [Totals, Totals] }): VNode {
  const [changing, setChanging] = useState<"" | "a" | "b">("");
  const [one, two] = sums;
  const same = a.trace_id === b.trace_id;
  const errors = (totals: Totals): ComponentChildren =>
    totals.errors === 0 ? "0" : <span class="error">✕ {count(totals.errors)}</span>;
  const models = (totals: Totals): string => totals.models.join(", ") || "–";
  return (
    <div class="compare-head">
      <div class="compare-table">
        <table>
          <caption class="sr-only">sums of both traces and their differences</caption>
          <thead>
            <tr>
              <th scope="col">trace</th>
              <th scope="col">duration</th>
              <th scope="col">spans</th>
              <th scope="col">model calls</th>
              <th scope="col">tokens</th>
              <th scope="col">cost</th>
              <th scope="col">errors</th>
              <th scope="col" class="wide">
                models
              </th>
            </tr>
          </thead>
          <tbody>
            {(["a", "b"] as const).map((side, at) => {
              const totals = sums[at]!;
              return (
                <tr key={side}>
                  <Which
                    columns={side === "a" ? a : b}
                    side={side}
                    onChange={() => setChanging(changing === side ? "" : side)}
                  />
                  <td>
                    {duration(totals.durationUs)}
                    {totals.open && <span class="muted"> running</span>}
                  </td>
                  <td>{count(totals.spans)}</td>
                  <td>{count(totals.calls)}</td>
                  <td>{count(totals.tokens)}</td>
                  <td>{usd(totals.costUsd)}</td>
                  <td>{errors(totals)}</td>
                  <td class="wide one-line" title={models(totals)}>
                    {models(totals)}
                  </td>
                </tr>
              );
            })}
            <tr class="differences">
              <th scope="row">
                <span class="side">Δ</span> B against A
              </th>
              <td>
                <Change a={one.durationUs} b={two.durationUs} of="duration" share />
              </td>
              <td>
                <Change a={one.spans} b={two.spans} of="count" neutral />
              </td>
              <td>
                <Change a={one.calls} b={two.calls} of="count" neutral />
              </td>
              <td>
                <Change a={one.tokens} b={two.tokens} of="tokens" share />
              </td>
              <td>
                <Change a={one.costUsd} b={two.costUsd} of="cost" share />
              </td>
              <td>
                <Change a={one.errors} b={two.errors} of="errors" />
              </td>
              <td class="wide">
                {models(one) === models(two) ? <span class="muted">the same</span> : <ModelChange a={one} b={two} />}
              </td>
            </tr>
          </tbody>
        </table>
        <button type="button" class="button" onClick={swap} title="swap the sides (w)">
          ⇅ swap
        </button>
      </div>
      {same && (
        <p class="compare-same" role="note">
          <b>This is the same trace twice.</b>{" "}
          <span class="muted">Choose another one for B, such as the one before of the same name:</span>
        </p>
      )}
      {(changing !== "" || same) && (
        <Chooser
          key={changing}
          side={changing || "b"}
          beside={changing === "a" ? b : a}
          onChosen={() => setChanging("")}
        />
      )}
    </div>
  );
}

function Which(props: { columns: Columns; side: "a" | "b"; onChange(): void }): VNode {
  const { columns, side } = props;
  const name = nameOf(columns);
  return (
    <th scope="row">
      <span class={`side side-${side}`}>{side.toUpperCase()}</span>{" "}
      <a class="one-line" href={link({ view: "trace", id: columns.trace_id })} title={`${name} ${columns.trace_id}`}>
        {name}
      </a>{" "}
      <time class="muted" title={moment(columns.start_ns)}>
        {clock(columns.start_ns)}
      </time>
      <code class="muted">
        {" "}
        {columns.trace_id.slice(0, 4)}…{columns.trace_id.slice(-4)}
      </code>
      <Copy text={columns.trace_id} label={`copy the id of ${side.toUpperCase()}`} />
      <button
        type="button"
        class="link"
        onClick={props.onChange}
        aria-label={`change ${side.toUpperCase()}`}
        title="compare with another trace"
      >
        change
      </button>
    </th>
  );
}

function ModelChange({ a, b }: { a: Totals; b: Totals }): VNode {
  const gone = a.models.filter((model) => !b.models.includes(model));
  const came = b.models.filter((model) => !a.models.includes(model));
  if (gone.length + came.length === 0) return <span class="muted">the same, in other numbers</span>;
  return (
    <span
      class="one-line"
      title={[...gone.map((model) => `only A: ${model}`), ...came.map((model) => `only B: ${model}`)].join("\n")}
    >
      {gone.length > 0 && <>only A: {gone.join(", ")} </>}
      {came.length > 0 && <>only B: {came.join(", ")}</>}
    </span>
  );
}
