// What the tabs of the settings are made of: parts with a title, fields with their errors, what is said to who may not,
// and the dialog that asks for a name before something goes for good.
import type { ComponentChildren, VNode } from "preact";
import { useId, useState } from "preact/hooks";
import { isApiError, type ApiError } from "../../api/client";
import { me, may } from "../../api/session";
import { place } from "../../url";
import { Dialog } from "../../widgets/Dialog";
import { CodeBox, Failure } from "../../widgets/parts";

export function Part(props: {
  title: string;
  note?: ComponentChildren;
  side?: ComponentChildren;
  children: ComponentChildren;
}): VNode {
  return (
    <section class="part" aria-label={props.title}>
      <div class="part-title">
        <h2>{props.title}</h2>
        <span class="spread" />
        {props.side}
      </div>
      {props.note && <p class="muted note">{props.note}</p>}
      {props.children}
    </section>
  );
}

/** A labelled control, its error at it. The control gets the ids by which it is described. */
export function Field(props: {
  label: string;
  hint?: ComponentChildren;
  /** At the end of the label's line, whatever is wrong. */
  side?: ComponentChildren;
  error?: string | undefined;
  control(ids: { id: string; "aria-describedby": string; "aria-invalid": boolean | undefined }): VNode;
}): VNode {
  const id = useId();
  return (
    <div class="form-field">
      <div class="label-line">
        <label for={id}>{props.label}</label>
        {props.side}
      </div>
      {props.control({
        id,
        "aria-describedby": `${id}-said`,
        "aria-invalid": props.error ? true : undefined,
      })}
      <p id={`${id}-said`} class={props.error ? "error" : "muted"}>
        {props.error ? `✕ ${props.error}` : props.hint}
      </p>
    </div>
  );
}

export function TextField(props: {
  label: string;
  value: string;
  onChange(value: string): void;
  hint?: ComponentChildren;
  side?: ComponentChildren;
  error?: string | undefined;
  type?: "text" | "password";
  placeholder?: string;
  autocomplete?: string;
  mono?: boolean;
}): VNode {
  return (
    <Field
      label={props.label}
      hint={props.hint}
      side={props.side}
      error={props.error}
      control={(ids) => (
        <input
          {...ids}
          class={`input${props.mono ? " mono" : ""}`}
          {...(props.type === "password" ? { type: "password" as const } : { type: "text" as const })}
          spellcheck={false}
          autocomplete={props.autocomplete ?? "off"}
          placeholder={props.placeholder}
          value={props.value}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    />
  );
}

// --- who may not

const ROLE_OF: Readonly<Record<string, string>> = { read: "viewer", write: "member", ingest: "member", admin: "admin" };

/** What is missing and how to get it. */
export function Denied({ scope, every, what }: { scope: string; every: boolean; what: string }): VNode {
  const project = every ? "*" : place.value.project || "PROJECT";
  const name = (me.value?.name ?? "").replace(/^user:/, "");
  return (
    <div class="denied">
      <p>
        <b>
          You may not see {what}: this needs the scope <code>{scope}</code>{" "}
          {every ? "for every project" : `in the project ${project}`}.
        </b>
      </p>
      <p class="muted">
        You are {name || "nobody"}. Somebody who may write the server’s data directory, or administers it, can give you
        the role that has it:
      </p>
      <CodeBox text={`vestigo user role ${name || "NAME"} '${project}:${ROLE_OF[scope] ?? "admin"}'`} />
    </div>
  );
}

/** Whether who looks may do it; for every project where `every`. */
export function allowed(scope: string, every: boolean): boolean {
  return may(scope, every ? "*" : place.value.project);
}

/** A failed answer in a tab: a missing scope is told with its remedy. */
export function Failed(props: { error: ApiError; scope: string; every: boolean; what: string; retry(): void }): VNode {
  if (props.error.status === 403) return <Denied {...props} />;
  return <Failure error={props.error} onRetry={props.retry} />;
}

// --- changes

export interface Change {
  busy: boolean;
  error: ApiError | undefined;
  /** Do it; false if it failed, which `error` tells then. */
  run(act: () => Promise<unknown>): Promise<boolean>;
  clear(): void;
}

export function useChange(): Change {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | undefined>();
  return {
    busy,
    error,
    clear: () => setError(undefined),
    run: async (act) => {
      setBusy(true);
      setError(undefined);
      try {
        await act();
        return true;
      } catch (failure) {
        setError(isApiError(failure) ? failure : { status: 0, code: "failed", message: String(failure) });
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

/** Asks for the name of what goes for good before the button works. */
export function Confirm(props: {
  title: string;
  name: string;
  act: string;
  change: Change;
  onAct(): void;
  onClose(): void;
  children: ComponentChildren;
}): VNode {
  const [typed, setTyped] = useState("");
  const right = typed.trim() === props.name;
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (right && !props.change.busy) props.onAct();
        }}
      >
        {props.children}
        {props.change.error && <Failure error={props.change.error} />}
        <TextField label={`Type “${props.name}” to confirm`} value={typed} onChange={setTyped} mono />
        <p class="buttons">
          <button type="submit" class="button danger" disabled={!right || props.change.busy}>
            {props.change.busy ? "working …" : props.act}
          </button>
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}

// --- small lists

/** The first rows of a list, and a way to the others: a page stays small however many there are. */
export function useShown<T>(all: readonly T[], first = 50): { shown: readonly T[]; rest: VNode | null } {
  const [most, setMost] = useState(first);
  const left = all.length - most;
  return {
    shown: all.slice(0, most),
    rest:
      left > 0 ? (
        <button type="button" class="link" onClick={() => setMost(most + first)}>
          show {Math.min(left, first)} more of {left}
        </button>
      ) : null,
  };
}
