// The small parts that every page is made of: kind marks, figures with labels, copying, and what is said where
// nothing is or something failed.
import { signal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import type { ApiError } from "../api/client";

/** The square of a kind, with its name for those who do not see it. */
export function Kind({ kind, failed = false }: { kind: string; failed?: boolean }): VNode {
  const known = /^[a-z_]+$/.test(kind) ? kind : "other";
  return <span class={`kind kind-${failed ? "error" : known}`} title={kind} role="img" aria-label={kind} />;
}

export function Stat({
  label,
  value,
  bad = false,
  title,
}: {
  label: string;
  value: ComponentChildren;
  bad?: boolean;
  title?: string;
}): VNode {
  return (
    <span class={`stat${bad ? " bad" : ""}`} title={title}>
      {label} <b>{value}</b>
    </span>
  );
}

const told = signal("");
let clearing: ReturnType<typeof setTimeout> | undefined;

/** Say something for a moment, to screen readers too. */
export function toast(text: string): void {
  told.value = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => (told.value = ""), 2_500);
}

export function Toast(): VNode {
  return (
    <div aria-live="polite" role="status">
      {told.value && <div class="toast">{told.value}</div>}
    </div>
  );
}

export async function copyText(text: string, what = "copied"): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    // no clipboard without https or localhost: by a field that is selected
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    toast(done ? what : "the browser does not let this page copy; select the text instead");
  }
}

export function Copy({ text, label = "copy" }: { text: string | (() => string); label?: string }): VNode {
  return (
    <button
      type="button"
      class="icon-button copy"
      title={label}
      aria-label={label}
      onClick={(event) => {
        event.stopPropagation();
        void copyText(typeof text === "string" ? text : text());
      }}
    >
      <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />
      </svg>
    </button>
  );
}

/** A command or program to take along. */
export function CodeBox({ text, label = "copy" }: { text: string; label?: string }): VNode {
  return (
    <pre class="code" tabIndex={0}>
      <code>{text}</code>
      <Copy text={text} label={label} />
    </pre>
  );
}

/** What is said where nothing is: why, and the next step. */
export function Empty({
  title,
  children,
  small,
}: {
  title: string;
  children?: ComponentChildren;
  small?: boolean;
}): VNode {
  return (
    <div class={`notice${small ? " small" : ""}`}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

const REMEDIES: Readonly<Record<string, string>> = {
  unreachable: "Is `vestigo serve` still running? The page tries again when you do.",
  query_timeout: "Narrow the time, or filter by model, user or session.",
  busy: "Too many questions at once; try again in a moment.",
  storage: "The storage failed; the server's log and `vestigo doctor` say why.",
  forbidden: "Ask somebody with the scope admin for a role in this project.",
  unauthenticated: "Log in again; `vestigo link` prints a link that does.",
};

export function Failure({ error, onRetry }: { error: ApiError; onRetry?: () => void }): VNode {
  const remedy = REMEDIES[error.code];
  return (
    <div class="failure" role="alert">
      <p>
        <b class="error">✕ {error.message}</b>
        {error.position !== undefined && <span class="muted"> (at character {error.position + 1})</span>}
      </p>
      {remedy && (
        <p class="muted">{remedy.split("`").map((text, at) => (at % 2 === 1 ? <code key={at}>{text}</code> : text))}</p>
      )}
      {onRetry && error.code !== "bad_query" && (
        <p>
          <button type="button" class="button" onClick={onRetry}>
            Try again
          </button>
        </p>
      )}
    </div>
  );
}

export function Waiting({ what = "reading" }: { what?: string }): VNode {
  return (
    <p class="waiting" role="status">
      {what} …
    </p>
  );
}
