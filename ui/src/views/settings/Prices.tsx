// What calls cost: the table in force, one's own prices, and each model that was seen with its price, or why nobody
// knows it and what to write then.
import type { VNode } from "preact";
import { useAnswer } from "../../api/client";
import type { ModelPrice, OwnPriceRow, PriceList, PriceRow } from "../../api/types";
import { count, usd } from "../../model/format";
import { furtherRates, perMillion, rateFor, remedyFor, sourceOf } from "../../model/pricing";
import { quoted } from "../../model/query";
import { link, place, setParams, timeWindow } from "../../url";
import { CodeBox, Empty, Stat, Waiting } from "../../widgets/parts";
import { TimeRange } from "../../widgets/TimeRange";
import { allowed, Denied, Failed, Part, useShown } from "./parts";

const WHAT = "what calls cost";
const SHOWN = ["input", "cache_read", "output"];

export function Prices(): VNode {
  const { project, params } = place.value;
  const may = allowed("read", false);
  const answer = useAnswer(may && project !== "" ? "/api/prices" : null, timeWindow(params["t"]), { keep: true });
  if (project === "")
    return (
      <Empty title="No project" small>
        <p class="muted">The models seen are those of a project; choose one at the top.</p>
      </Empty>
    );
  if (!may) return <Denied scope="read" every={false} what={WHAT} />;
  if (answer.error) return <Failed error={answer.error} scope="read" every={false} what={WHAT} retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return <Shown list={answer.data} />;
}

function Shown({ list }: { list: PriceList }): VNode {
  const missing = list.models.filter((one) => one.price.reason !== "");
  const partly = list.models.filter((one) => one.price.reason === "" && one.unpriced_calls > 0);
  return (
    <>
      <Part title="Where prices come from">
        <div class="stats">
          {list.table ? (
            <Stat label="table" value={list.table} />
          ) : (
            <span class="stat bad">
              table <b>✕ none is installed</b>
            </span>
          )}
          <Stat label="your own" value={list.own.length} />
        </div>
        {!list.table && (
          <>
            <p class="muted">Without it only your own file prices; every other call has an unknown cost.</p>
            <CodeBox text="pip install 'vestigo[prices]'" />
          </>
        )}
        <p class="muted">
          Your own come first, then the table, which comes with the package genai-prices and is never fetched. What a
          call cost was worked out when it came; a new price holds for what comes after.
        </p>
      </Part>
      <Models list={list} />
      {missing.length > 0 && (
        <Part
          title={`No price for ${missing.length === 1 ? "a model" : `${missing.length} models`}`}
          note="Their cost is unknown, never $0. Put this into a file, fill in the prices, and name the file by the setting prices:"
        >
          <CodeBox text={remedyFor(missing.slice(0, 20))} label="copy the entries" />
        </Part>
      )}
      {partly.length > 0 && (
        <p class="muted">
          Some calls of {partly.map((one) => one.model).join(", ")} have no cost although the model has a price: no
          tokens were counted, or the counts contradict each other. A call’s own page says which.
        </p>
      )}
      <Own own={list.own} />
    </>
  );
}

function Rates({ price }: { price: PriceRow }): VNode {
  const further = furtherRates(price, SHOWN);
  if (price.request_usd > 0) further.push(`${usd(price.request_usd)} each request`);
  return (
    <>
      {SHOWN.map((unit) => (
        <td key={unit} class="num">
          {perMillion(rateFor(price, unit))}
        </td>
      ))}
      <td class="muted further">
        {further.length > 0 && (
          <details>
            <summary>{further.length} more</summary>
            <ul>
              {further.map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          </details>
        )}
      </td>
    </>
  );
}

function RateHeads(): VNode {
  return (
    <>
      {["input", "cached input", "output"].map((name) => (
        <th key={name} scope="col" class="num" title="USD per million tokens">
          {name}
        </th>
      ))}
      <th scope="col">other rates</th>
    </>
  );
}

function Models({ list }: { list: PriceList }): VNode {
  const { shown, rest } = useShown(list.models, 40);
  return (
    <Part title="Models seen" note="Prices in USD per million tokens, as of now." side={<TimeRange />}>
      {list.models.length === 0 ? (
        <p class="muted">
          No call of a model in this time.{" "}
          <button type="button" class="link" onClick={() => setParams({ t: "all" })}>
            Look at all of time
          </button>
        </p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">model</th>
              <th scope="col">provider</th>
              <th scope="col" class="num">
                calls
              </th>
              <th scope="col" class="num">
                cost
              </th>
              <th scope="col" class="num">
                unpriced
              </th>
              <RateHeads />
              <th scope="col">price from</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => (
              <Model key={`${one.provider}/${one.model}`} one={one} />
            ))}
          </tbody>
        </table>
      )}
      {rest}
      {list.left_out > 0 && <p class="muted">{count(list.left_out)} further models are not told; narrow the time.</p>}
    </Part>
  );
}

function Model({ one }: { one: ModelPrice }): VNode {
  const calls = one.model
    ? link({ view: "traces", params: { of: "calls", q: `model=${quoted(one.model)}` } })
    : undefined;
  return (
    <tr>
      <td>{calls ? <a href={calls}>{one.model}</a> : <span class="muted">(no name)</span>}</td>
      <td>{one.provider ?? <span class="muted">–</span>}</td>
      <td class="num">{count(one.calls)}</td>
      <td class="num">{usd(one.cost_usd)}</td>
      <td class={`num${one.unpriced_calls > 0 ? " error" : ""}`}>
        {one.unpriced_calls > 0 ? `✕ ${count(one.unpriced_calls)}` : "0"}
      </td>
      {one.price.reason ? (
        <td class="error" colSpan={5}>
          ✕ {one.price.reason}
        </td>
      ) : (
        <>
          <Rates price={one.price} />
          <td class="mono muted further" title={one.price.price_id}>
            {sourceOf(one.price.price_id)}
          </td>
        </>
      )}
    </tr>
  );
}

function Own({ own }: { own: readonly OwnPriceRow[] }): VNode | null {
  const { shown, rest } = useShown(own, 40);
  if (own.length === 0) return null;
  return (
    <Part
      title="Your own prices"
      note="In the order in which they are looked at: the first one that fits a call is used."
    >
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">model</th>
            <th scope="col">provider</th>
            <th scope="col">days</th>
            <th scope="col">only for</th>
            <RateHeads />
            <th scope="col">in force</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one, at) => (
            <tr key={at} class={one.in_force ? "" : "muted"}>
              <td class="mono">{one.model}</td>
              <td>{one.provider ?? <span class="muted">any</span>}</td>
              <td>{one.first || one.last ? `${one.first ?? "…"} – ${one.last ?? "…"}` : "always"}</td>
              <td>
                {[one.batch === true ? "batches" : one.batch === false ? "no batches" : "", one.service_tier ?? ""]
                  .filter(Boolean)
                  .join(", ")}
              </td>
              <Rates price={one.price} />
              <td>{one.in_force ? <span class="fine">✓ today</span> : "not today"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest}
    </Part>
  );
}
