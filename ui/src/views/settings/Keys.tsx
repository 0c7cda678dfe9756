// API keys of programs: which there are and who made them, making one (its token is told once), replacing one with an
// overlap, and ending one.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { send, useAnswer } from "../../api/client";
import type { KeyShown, Made, NewKey } from "../../api/types";
import {
  EXPIRIES,
  keyErrors,
  lifetimeS,
  namesIn,
  SCOPES,
  senderLines,
  stateOf,
  type KeyForm,
} from "../../model/access";
import { ago, clock, moment } from "../../model/format";
import { place, root } from "../../url";
import { Dialog } from "../../widgets/Dialog";
import { CodeBox, Empty, Failure, toast, Waiting } from "../../widgets/parts";
import { allowed, Confirm, Denied, Failed, Field, Part, TextField, useChange, useShown } from "./parts";

const WHAT = "the keys of this project";

interface Told {
  token: string;
  name: string;
  project: string;
}

export function Keys(): VNode {
  const { project } = place.value;
  const may = allowed("admin", false);
  const answer = useAnswer(may && project !== "" ? "/api/keys" : null, {}, { keep: true });
  const [told, tell] = useState<Told | undefined>();
  if (project === "")
    return (
      <Empty title="No project" small>
        <p class="muted">Keys belong to projects; choose one at the top.</p>
      </Empty>
    );
  if (!may) return <Denied scope="admin" every={false} what={WHAT} />;
  if (answer.error)
    return <Failed error={answer.error} scope="admin" every={false} what={WHAT} retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return (
    <>
      <NewKeyPart
        onMade={(made) => {
          tell(made);
          answer.reload();
        }}
      />
      <List
        keys={answer.data.keys}
        reload={answer.reload}
        onMade={(made) => {
          tell(made);
          answer.reload();
        }}
      />
      {told && <TokenDialog told={told} onClose={() => tell(undefined)} />}
    </>
  );
}

function NewKeyPart({ onMade }: { onMade(made: Told): void }): VNode {
  const { project } = place.value;
  const empty: KeyForm = { name: "", scopes: ["ingest"], projects: project };
  const [form, setForm] = useState<KeyForm>(empty);
  const [expiry, setExpiry] = useState(1);
  const [tried, setTried] = useState(false);
  const change = useChange();
  const errors = tried ? keyErrors(form) : {};
  const make = async (): Promise<void> => {
    setTried(true);
    if (Object.keys(keyErrors(form)).length > 0) return;
    const projects = namesIn(form.projects);
    const body: NewKey = {
      name: form.name.trim(),
      scopes: form.scopes,
      projects,
      expires_in_s: EXPIRIES[expiry]![1],
    };
    await change.run(async () => {
      const made = await send<Made>("POST", "/api/keys", body);
      onMade({
        token: made.token,
        name: form.name.trim(),
        project: projects.length === 1 && projects[0] !== "*" ? "" : project,
      });
      setForm(empty);
      setTried(false);
    });
  };
  const flip = (scope: string): void =>
    setForm({
      ...form,
      scopes: form.scopes.includes(scope) ? form.scopes.filter((one) => one !== scope) : [...form.scopes, scope],
    });
  return (
    <Part
      title="Make a key"
      note="For programs: they send it as Authorization: Bearer vst_… It is shown once, when it is made."
    >
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!change.busy) void make();
        }}
      >
        <div class="fields">
          <TextField
            label="Name"
            value={form.name}
            onChange={(name) => setForm({ ...form, name })}
            error={errors.name}
            placeholder="checkout-service"
            hint="what it is for"
          />
          <TextField
            label="Projects"
            mono
            value={form.projects}
            onChange={(projects) => setForm({ ...form, projects })}
            error={errors.projects ?? (change.error?.status === 403 ? change.error.message : undefined)}
            hint="by comma; * is every one"
          />
          <Field
            label="Ends"
            hint="it can be revoked before"
            control={(ids) => (
              <select
                {...ids}
                class="input"
                value={String(expiry)}
                onChange={(event) => setExpiry(Number(event.currentTarget.value))}
              >
                {EXPIRIES.map(([label], at) => (
                  <option key={label} value={String(at)}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          />
        </div>
        <fieldset aria-describedby="scopes-said">
          <legend>May</legend>
          <div class="checks">
            {SCOPES.map(([scope, about]) => (
              <label key={scope} class="check">
                <input type="checkbox" checked={form.scopes.includes(scope)} onChange={() => flip(scope)} />
                <span>
                  <b>{scope}</b> <span class="muted">{about}</span>
                </span>
              </label>
            ))}
          </div>
          <p id="scopes-said" class={errors.scopes ? "error" : "muted"}>
            {errors.scopes
              ? `✕ ${errors.scopes}`
              : form.scopes.includes("admin")
                ? "A key with admin can make other keys: better kept for people."
                : ""}
          </p>
        </fieldset>
        {change.error && change.error.status !== 403 && <Failure error={change.error} />}
        <p class="buttons">
          <button type="submit" class="button first" disabled={change.busy}>
            {change.busy ? "making …" : "Make the key"}
          </button>
        </p>
      </form>
    </Part>
  );
}

function TokenDialog({ told, onClose }: { told: Told; onClose(): void }): VNode {
  const server = new URL(root, location.href).href.replace(/\/$/, "");
  const lines = senderLines(server, told.token, told.project);
  return (
    <Dialog title={`The key ${told.name}`} onClose={onClose}>
      <div class="form">
        <p>
          <b>Copy it now: it is shown this one time.</b> The server keeps only a hash of it.
        </p>
        <CodeBox text={told.token} label="copy the key" />
        <h3>For any program with OpenTelemetry</h3>
        <CodeBox text={lines.otel} label="copy the lines" />
        <h3>For a program with Vestigo</h3>
        <CodeBox text={lines.vestigo} label="copy the lines" />
        <p class="buttons">
          <button type="button" class="button first" onClick={onClose}>
            I have copied it
          </button>
        </p>
      </div>
    </Dialog>
  );
}

function List(props: { keys: readonly KeyShown[]; reload(): void; onMade(made: Told): void }): VNode {
  const [search, setSearch] = useState("");
  const [ended, setEnded] = useState(false);
  const now = Date.now();
  const words = search.trim().toLowerCase();
  const found = props.keys
    .filter((key) => ended || stateOf(key, now) === "works")
    .filter((key) =>
      `${key.name} ${key.id} ${key.created_by} ${Object.keys(key.grants).join(" ")}`.toLowerCase().includes(words),
    )
    .toSorted((a, b) => (a.created_ns.length - b.created_ns.length || (a.created_ns < b.created_ns ? -1 : 1)) * -1);
  const over = props.keys.filter((key) => stateOf(key, now) !== "works").length;
  const { shown, rest } = useShown(found, 40);
  return (
    <Part
      title="Keys"
      side={
        <>
          {over > 0 && (
            <button type="button" class="button" aria-pressed={ended} onClick={() => setEnded(!ended)}>
              with {over} ended
            </button>
          )}
          <input
            class="input"
            type="search"
            aria-label="search the keys"
            placeholder="search the keys"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </>
      }
    >
      {shown.length === 0 ? (
        <p class="muted">
          {props.keys.length === 0
            ? "No key yet. Programs on this machine may send without one."
            : "No key is like that."}
        </p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">name</th>
              <th scope="col">id</th>
              <th scope="col">may</th>
              <th scope="col">made</th>
              <th scope="col">last used</th>
              <th scope="col">ends</th>
              <th scope="col">
                <span class="sr-only">change</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((key) => (
              <KeyRow key={key.id} one={key} now={now} reload={props.reload} onMade={props.onMade} />
            ))}
          </tbody>
        </table>
      )}
      {rest}
    </Part>
  );
}

function KeyRow(props: { one: KeyShown; now: number; reload(): void; onMade(made: Told): void }): VNode {
  const { one, now } = props;
  const state = stateOf(one, now);
  const name = one.name || one.id;
  const [asked, ask] = useState<"" | "revoke" | "replace">("");
  const change = useChange();
  const close = (): void => {
    ask("");
    change.clear();
  };
  return (
    <tr class={state === "works" ? "" : "muted"}>
      <td>
        <b>{one.name || "–"}</b>
      </td>
      <td class="mono">{one.id}</td>
      <td>
        {Object.entries(one.grants).map(([project, scopes]) => (
          <div key={project}>
            <span class="mono">{project === "*" ? "every project" : project}</span>:{" "}
            <span class={scopes.includes("admin") ? "error" : ""}>{scopes.join(", ")}</span>
          </div>
        ))}
      </td>
      <td title={moment(one.created_ns)}>
        {ago(one.created_ns)} <span class="muted">by {one.created_by.replace(/^user:/, "")}</span>
      </td>
      <td title={one.used_ns ? `${moment(one.used_ns)}, within ten minutes` : ""}>
        {one.used_ns ? ago(one.used_ns) : <span class="muted">never</span>}
      </td>
      <td>
        {state === "revoked" ? (
          <span title={moment(one.revoked_ns)}>✕ revoked {ago(one.revoked_ns)}</span>
        ) : state === "expired" ? (
          <>✕ since {clock(one.expires_ns)}</>
        ) : one.expires_ns ? (
          <span title={moment(one.expires_ns)}>{clock(one.expires_ns)}</span>
        ) : (
          <span class="muted">never</span>
        )}
      </td>
      <td class="doing">
        {state === "works" && (
          <>
            <button type="button" class="link" onClick={() => ask("replace")}>
              Replace<span class="sr-only"> {name}</span>
            </button>{" "}
            <button type="button" class="link error" onClick={() => ask("revoke")}>
              Revoke<span class="sr-only"> {name}</span>
            </button>
          </>
        )}
        {asked === "revoke" && (
          <Confirm
            title={`Revoke the key ${name}`}
            name={name}
            act="Revoke it"
            change={change}
            onClose={close}
            onAct={() =>
              void change
                .run(() => send("DELETE", `/api/keys/${encodeURIComponent(one.id)}`))
                .then((done) => {
                  if (!done) return;
                  toast(`${name} is revoked`);
                  close();
                  props.reload();
                })
            }
          >
            <p>
              Programs that use it are refused at once,{" "}
              {one.used_ns ? `and it was used ${ago(one.used_ns)}` : "though it was never used"}. What it has sent
              stays.
            </p>
          </Confirm>
        )}
        {asked === "replace" && (
          <Dialog title={`Replace the key ${name}`} onClose={close}>
            <form
              class="form"
              onSubmit={(event) => {
                event.preventDefault();
                void change
                  .run(async () => {
                    const made = await send<Made>("POST", "/api/keys", {
                      replaces: one.id,
                      expires_in_s: lifetimeS(one),
                    });
                    const projects = Object.keys(one.grants);
                    props.onMade({
                      token: made.token,
                      name,
                      project: projects.length === 1 && projects[0] !== "*" ? "" : place.value.project,
                    });
                  })
                  .then((done) => done && close());
              }}
            >
              <p>
                A new key of the same name may do the same and lives as long. Both work for a day; then this one ends.
              </p>
              {change.error && <Failure error={change.error} />}
              <p class="buttons">
                <button type="submit" class="button first" disabled={change.busy}>
                  Make the new key
                </button>
                <button type="button" class="button" onClick={close}>
                  Cancel
                </button>
              </p>
            </form>
          </Dialog>
        )}
      </td>
    </tr>
  );
}
