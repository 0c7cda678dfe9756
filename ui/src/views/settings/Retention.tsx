// How long the records of a project are kept, with what a change would mean before it is made; what is erased on
// request, and what was.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { forget, get, isApiError, send, useAnswer } from "../../api/client";
import type { PolicyGiven, RetentionState } from "../../api/types";
import { clockMs, count, plural } from "../../model/format";
import {
  cutoffMs,
  dueFilter,
  formOf,
  meaningOf,
  readPolicy,
  samePolicy,
  type PolicyErrors,
  type PolicyForm,
} from "../../model/policy";
import { place } from "../../url";
import { Empty, Failure, Stat, toast, Waiting } from "../../widgets/parts";
import { Erase, Erased } from "./Erase";
import { allowed, Denied, Failed, Part, TextField, useChange } from "./parts";

const INTERVAL_S = 300;

export function Retention(): VNode {
  const { project } = place.value;
  const may = allowed("admin", false);
  const what = `how long records are kept`;
  const answer = useAnswer(may && project !== "" ? "/api/retention" : null, {}, { keep: true });
  if (project === "")
    return (
      <Empty title="No project" small>
        <p class="muted">Retention belongs to a project; choose one at the top.</p>
      </Empty>
    );
  if (!may) return <Denied scope="admin" every={false} what={what} />;
  if (answer.error)
    return <Failed error={answer.error} scope="admin" every={false} what={what} retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return (
    <>
      <PolicyPart state={answer.data} reload={answer.reload} />
      <Erase />
      <Erased />
    </>
  );
}

function PolicyPart({ state, reload }: { state: RetentionState; reload(): void }): VNode {
  const { project } = place.value;
  const { figures } = state;
  const [form, setForm] = useState<PolicyForm>(() => formOf(state.policy));
  const change = useChange();
  const { policy, errors } = readPolicy(form);
  const changed = policy === undefined || !samePolicy(state.policy, policy);
  const due = useDue(policy ?? { hold: form.hold.trim() });
  const said: PolicyErrors = { ...errors, ...(due.holdError ? { hold: due.holdError } : {}) };
  const blocked = Object.keys(said).length > 0;
  const set = (name: keyof PolicyForm) => (value: string) => setForm({ ...form, [name]: value });
  const save = async (): Promise<void> => {
    if (!policy) return;
    const done = await change.run(() => send("PUT", "/api/retention", policy));
    if (!done) return;
    toast("policy saved");
    forget();
    reload();
  };
  return (
    <Part
      title={`What is kept of ${project}`}
      note={
        state.own
          ? "This project has a policy of its own."
          : "This project follows the server’s settings (retention_days, retention_traces) until it gets a policy here."
      }
    >
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!blocked && changed && !change.busy) void save();
        }}
      >
        <div class="fields">
          <TextField
            label="Days"
            value={form.days}
            onChange={set("days")}
            error={said.days}
            placeholder="for ever"
            hint={state.default.days ? `the server’s own: ${state.default.days}` : "empty keeps everything"}
          />
          <TextField
            label="Traces at most"
            value={form.traces}
            onChange={set("traces")}
            error={said.traces}
            placeholder="any number"
            hint={state.default.traces ? `the server’s own: ${count(state.default.traces)}` : "empty keeps everything"}
          />
          <TextField
            label="Hold"
            mono
            value={form.hold}
            onChange={set("hold")}
            error={said.hold}
            placeholder="session:s7 OR tag:case-12"
            hint={
              <>
                a filter of what nobody may delete; <code>*</code> is all of the project
              </>
            }
          />
        </div>
        {policy && (
          <div class="preview" aria-live="polite">
            <b>{changed ? "This would mean:" : "This means:"}</b>
            <ul>
              {meaningOf(policy, INTERVAL_S).map((sentence) => (
                <li key={sentence}>{sentence}</li>
              ))}
              {due.told && <li class={changed && due.some ? "error" : ""}>{due.told}</li>}
            </ul>
          </div>
        )}
        {change.error && <Failure error={change.error} />}
        <p class="buttons">
          <button type="submit" class="button first" disabled={blocked || !changed || change.busy}>
            {change.busy ? "saving …" : "Save the policy"}
          </button>
          {changed && (
            <button type="button" class="button" onClick={() => setForm(formOf(state.policy))}>
              Undo
            </button>
          )}
        </p>
      </form>
      <div class="stats">
        <span class="muted">Deleted since the start:</span>
        <Stat label="traces" value={count(figures["traces"] ?? 0)} />
        <Stat label="spans" value={count(figures["spans"] ?? 0)} />
        <Stat label="logs" value={count(figures["logs"] ?? 0)} />
        <Stat label="runs" value={count(figures["runs"] ?? 0)} title="how often it was looked at" />
        <Stat label="failed" value={count(figures["failed"] ?? 0)} bad={(figures["failed"] ?? 0) > 0} />
      </div>
    </Part>
  );
}

const SEEN = 1_000;
const WAIT_MS = 400;

interface Due {
  told: string;
  some: boolean;
  holdError: string;
}

/** What age would take away at once, counted by the list of traces; and whether the hold can be read. */
function useDue(policy: PolicyGiven): Due {
  const [due, setDue] = useState<Due>({ told: "", some: false, holdError: "" });
  const { days = 0, hold = "" } = policy;
  useEffect(() => {
    const q = dueFilter({ hold });
    setDue((before) => ({ ...before, holdError: "" }));
    if (q === undefined) {
      setDue({ told: "", some: false, holdError: "" });
      return;
    }
    const cutoff = cutoffMs({ days }, Date.now());
    if (cutoff === undefined && q === "") {
      setDue({ told: "", some: false, holdError: "" });
      return;
    }
    const asking = new AbortController();
    const timer = setTimeout(() => {
      // without a limit of age one row is enough to learn whether the hold can be read
      const asked =
        cutoff === undefined ? { q, limit: 1 } : { q, end: `${Math.max(0, Math.floor(cutoff))}000000`, limit: SEEN };
      get("/api/traces", asked, { signal: asking.signal }).then(
        ({ items, cursor }) => {
          const n = items.length;
          const some = cutoff !== undefined && n > 0;
          const many = cursor === null ? plural(n, "trace") : `${count(n)} traces or more`;
          const from = some ? `, the oldest of ${clockMs(Number(items[n - 1]!.start_ns.slice(0, -6)))}` : "";
          const told = some ? `${many} would go at once${cursor === null ? from : ""}.` : "No trace is that old now.";
          setDue({ told: cutoff === undefined ? "" : told, some, holdError: "" });
        },
        (error: unknown) => {
          if (asking.signal.aborted || !isApiError(error)) return;
          setDue({ told: "", some: false, holdError: error.code === "bad_query" ? error.message : "" });
        },
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [days, hold]);
  return due;
}
