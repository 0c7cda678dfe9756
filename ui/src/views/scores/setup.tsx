// The form in front of the queue: which traces, what the score is called, what may be answered, in which order.
import type { VNode } from "preact";
import { useId, useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { choicesOf, mistakeIn, queueFilter, YES_NO } from "../../model/queue";
import { place, setParams, timeWindow } from "../../url";
import { FilterBox } from "../../widgets/FilterBox";
import { Failure } from "../../widgets/parts";
import { timeName } from "../../widgets/TimeRange";

const PRESETS: readonly (readonly [string, string])[] = [
  ["good,bad,unsure", "good, bad, unsure"],
  [YES_NO, "yes or no"],
  ["1-5", "1 to 5"],
  ["", "labels of my own"],
];
const ORDERS = [
  ["", "newest first"],
  ["oldest", "oldest first"],
  ["random", "in random order"],
] as const;
const SHOWN = 100;

export function Setup(): VNode {
  const { params } = place.value;
  const given = params["labels"] ?? "";
  const [name, setName] = useState(params["name"] ?? "");
  const [preset, setPreset] = useState(
    given === "" ? PRESETS[0]![0] : PRESETS.some(([value]) => value === given) ? given : "",
  );
  const [own, setOwn] = useState(PRESETS.some(([value]) => value === given) ? "" : given);
  const [order, setOrder] = useState(params["order"] ?? "");
  const [all, setAll] = useState(params["all"] === "1");
  const [quick, setQuick] = useState(params["quick"] === "1");
  const [tried, setTried] = useState(false);
  const id = useId();
  const labels = preset === "" ? own : preset;
  const mistake = mistakeIn(name, labels);
  const wrongName = name.trim() === "";

  const q = queueFilter(params["q"] ?? "", name.trim() || "helpful", all || wrongName);
  const found = useAnswer("/api/traces", { q, ...timeWindow(params["t"]), limit: SHOWN }, { keep: true });
  const known = useAnswer("/api/scores", { limit: 500 });
  const names = [...new Set(known.data?.items.map((row) => row.name).filter(Boolean))].slice(0, 12);
  const traces = found.data?.items.length ?? 0;

  const start = (): void => {
    setTried(true);
    if (mistake !== "") return;
    const seed = order === "random" ? (params["seed"] ?? String(Math.floor(Math.random() * 9_000) + 1_000)) : null;
    const same = params["name"] === name.trim() && (params["order"] ?? "") === order;
    setParams({
      name: name.trim(),
      labels: choicesOf(labels).length > 0 && preset === "" ? own.replaceAll(/\s*,\s*/g, ",").trim() : labels,
      order: order || null,
      seed,
      all: all ? "1" : null,
      quick: quick ? "1" : null,
      at: same ? (params["at"] ?? null) : null,
      setup: null,
    });
  };

  return (
    <div class="queue-setup">
      <h1>Label traces by hand</h1>
      <p class="muted">
        One trace after the other, with the question and the answer; a number key gives a label, <kbd>s</kbd> saves and
        goes on. What you answer becomes a score of the trace, which filters and figures can use.
      </p>
      <section class="field" aria-label="which traces">
        <span>Traces to label: a filter, or all of them</span>
        <FilterBox hint="name:chat user:u7 -status:error" />
        {found.error ? (
          <Failure error={found.error} onRetry={found.reload} />
        ) : (
          <span class="muted" role="status">
            {found.data === undefined
              ? "counting …"
              : `${traces}${found.data.cursor === null ? "" : " or more"} ${traces === 1 ? "trace" : "traces"} of ${timeName(params["t"])}${all || wrongName ? "" : ` without the score ${name.trim()}`}; the time is chosen at the top right`}
          </span>
        )}
      </section>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <label class="field">
          <span>Name of the score</span>
          <input
            class="input"
            value={name}
            list={`${id}-names`}
            placeholder="helpful"
            maxLength={200}
            aria-invalid={tried && wrongName ? true : undefined}
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <datalist id={`${id}-names`}>
            {names.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        </label>
        <fieldset class="field">
          <legend>Answers</legend>
          {PRESETS.map(([value, label]) => (
            <label key={value} class="choice">
              <input type="radio" name={`${id}-labels`} checked={preset === value} onChange={() => setPreset(value)} />
              {label}
            </label>
          ))}
          {preset === "" && (
            <input
              class="input"
              value={own}
              aria-label="labels, by comma"
              placeholder="on topic, off topic, unsafe"
              onInput={(event) => setOwn(event.currentTarget.value)}
            />
          )}
          <span class="queue-preview" aria-label="keys">
            {choicesOf(labels).map((choice) => (
              <span key={choice.key} class="chip">
                <kbd>{choice.key}</kbd> {choice.label !== choice.key && choice.label}
              </span>
            ))}
          </span>
        </fieldset>
        <fieldset class="field">
          <legend>Order</legend>
          {ORDERS.map(([value, label]) => (
            <label key={value} class="choice">
              <input type="radio" name={`${id}-order`} checked={order === value} onChange={() => setOrder(value)} />
              {label}
            </label>
          ))}
        </fieldset>
        <fieldset class="field">
          <legend>How</legend>
          <label class="choice">
            <input type="checkbox" checked={quick} onChange={(event) => setQuick(event.currentTarget.checked)} />
            <span>
              a label saves and goes on at once <span class="muted">(one key a trace)</span>
            </span>
          </label>
          <label class="choice">
            <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
            <span>
              also traces that have this score already <span class="muted">(to look again)</span>
            </span>
          </label>
        </fieldset>
        {tried && mistake !== "" && (
          <p class="error" role="alert">
            ✕ {mistake}
          </p>
        )}
        <p>
          <button type="submit" class="button first">
            Begin
          </button>
        </p>
      </form>
    </div>
  );
}
