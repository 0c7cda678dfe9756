// Who read, changed, deleted or was refused what: the audit log, a page at a time, filtered by exact words; and the
// head of its chain, to be kept elsewhere.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import type { EntryShown } from "../../api/types";
import { clockMs, moment, toMs } from "../../model/format";
import { place, setParams, timeWindow, timeBounds } from "../../url";
import { CodeBox, Waiting } from "../../widgets/parts";
import { TimeRange } from "../../widgets/TimeRange";
import { allowed, Denied, Failed, Part } from "./parts";

const PAGE = 50;
const WHAT = "the audit log";
const FILTERS = [
  { param: "who", label: "who", hint: "user:ann@example.org" },
  { param: "action", label: "action", hint: "records.erase" },
  { param: "of", label: "project", hint: "shop" },
  { param: "object", label: "what", hint: "a key, a user, a trace" },
] as const;
const ACTIONS = [
  "login", "logout", "key.create", "key.revoke", "key.list", "user.add", "user.remove", "user.role", "user.password",
  "user.list", "role.list", "retention.read", "retention.set", "records.erase", "traces.delete", "erasures.list",
  "audit.read", "audit.erase", "status.read", "traces.list", "trace.read", "spans.list", "span.read", "logs.list",
  "live.open", "score.write", "figures.read", "prices.read",
]; // prettier-ignore

export function AuditLog(): VNode {
  const { params } = place.value;
  const may = allowed("admin", true);
  const before = Number(params["before"]) || 0;
  const window = auditWindow(params["t"]);
  const answer = useAnswer(
    may ? "/api/audit" : null,
    {
      principal: params["who"] ?? "",
      action: params["action"] ?? "",
      of_project: params["of"] ?? "",
      object: params["object"] ?? "",
      limit: PAGE,
      ...(before ? { before } : {}),
      ...window,
    },
    { keep: true, project: "" },
  );
  if (!may) return <Denied scope="admin" every what={WHAT} />;
  if (answer.error) return <Failed error={answer.error} scope="admin" every what={WHAT} retry={answer.reload} />;
  const entries = answer.data?.entries ?? [];
  const filtered = FILTERS.some(({ param }) => params[param]) || params["t"] !== undefined;
  return (
    <>
      {answer.data && (
        <Part
          title="The head of the chain"
          note="Each entry holds the hash of the one before it, so that what was changed, taken out or cut off is found. Whoever may write the data directory could still make a new chain: only a head that is kept elsewhere shows that. Keep this one, and check it with:"
        >
          <CodeBox text={`vestigo verify --audit-head ${answer.data.head}`} label="copy the command" />
        </Part>
      )}
      <Part
        title="Entries"
        side={
          <>
            <TimeRange />
            <button
              type="button"
              class="button"
              onClick={() => {
                setParams({ before: null });
                answer.reload();
              }}
            >
              Newest
            </button>
          </>
        }
      >
        <div class="fields">
          {FILTERS.map((one) => (
            <FilterField key={`${one.param}${params[one.param] ?? ""}`} {...one} />
          ))}
        </div>
        <datalist id="audit-actions">
          {ACTIONS.map((action) => (
            <option key={action} value={action} />
          ))}
        </datalist>
        {!answer.data && <Waiting />}
        {answer.data && entries.length === 0 && (
          <p class="muted">
            No entry is like that.{" "}
            {filtered && (
              <button
                type="button"
                class="link"
                onClick={() => setParams({ who: null, action: null, of: null, object: null, t: null, before: null })}
              >
                Show all
              </button>
            )}
          </p>
        )}
        {entries.length > 0 && (
          <table class={`plain audit${answer.stale ? " stale" : ""}`}>
            <thead>
              <tr>
                <th scope="col" class="num">
                  no.
                </th>
                <th scope="col">when</th>
                <th scope="col">who</th>
                <th scope="col">action</th>
                <th scope="col">project</th>
                <th scope="col">what</th>
                <th scope="col">outcome</th>
                <th scope="col">from</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Entry key={entry.sequence} entry={entry} />
              ))}
            </tbody>
          </table>
        )}
        <p class="buttons">
          {before > 0 && (
            <button type="button" class="button" onClick={() => setParams({ before: null })}>
              ‹ Newest
            </button>
          )}
          {entries.length === PAGE && (
            <button
              type="button"
              class="button"
              onClick={() => setParams({ before: String(entries[entries.length - 1]!.sequence) })}
            >
              Older ›
            </button>
          )}
          {entries.length > 0 && entries.length < PAGE && <span class="muted">These are the oldest of this time.</span>}
        </p>
      </Part>
    </>
  );
}

/** The window of the address for this route, which takes numbers; all of time adds nothing. */
function auditWindow(t: string | undefined): { start_ns?: number; end_ns?: number } {
  const { start, end } = timeWindow(t);
  if (start === "") return {};
  const [from] = timeBounds(t);
  // rounded to a minute, so that the question stays the same while one looks
  const ns = Math.floor(from / 60_000) * 60_000 * 1e6;
  return end === "" ? { start_ns: ns } : { start_ns: Number(start), end_ns: Number(end) };
}

function FilterField({ param, label, hint }: { param: string; label: string; hint: string }): VNode {
  const now = place.value.params[param] ?? "";
  const [value, setValue] = useState(now);
  const submit = (): void => {
    if (value.trim() !== now) setParams({ [param]: value.trim(), before: null });
  };
  return (
    <form
      class="form-field"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label>
        {label}
        <input
          class="input mono"
          type="search"
          list={param === "action" ? "audit-actions" : undefined}
          placeholder={hint}
          spellcheck={false}
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
          onBlur={submit}
        />
      </label>
    </form>
  );
}

function Pick({ param, value, children }: { param: string; value: string; children?: string }): VNode {
  if (value === "") return <span class="muted">–</span>;
  return (
    <button
      type="button"
      class="link plain-link"
      title={`only ${value}`}
      onClick={() => setParams({ [param]: value, before: null })}
    >
      {children ?? value}
    </button>
  );
}

function Entry({ entry }: { entry: EntryShown }): VNode {
  const detail = entry.detail && Object.keys(entry.detail).length > 0 ? JSON.stringify(entry.detail) : "";
  const bad = entry.outcome !== "ok";
  return (
    <tr>
      <td class="num muted" title={`hash ${entry.hash}`}>
        {entry.sequence}
      </td>
      <td title={moment(entry.time_ns)} class="nowrap">
        {clockMs(toMs(entry.time_ns))}
      </td>
      <td>
        <Pick param="who" value={entry.principal}>
          {entry.principal.replace(/^user:/, "")}
        </Pick>
      </td>
      <td>
        <Pick param="action" value={entry.action} />
      </td>
      <td>
        <Pick param="of" value={entry.project} />
      </td>
      <td class="breaks">
        {entry.object === null ? (
          <i class="muted">erased</i>
        ) : (
          entry.object && <Pick param="object" value={entry.object} />
        )}
        {detail && <span class="mono muted"> {detail.length > 200 ? `${detail.slice(0, 200)}…` : detail}</span>}
      </td>
      <td class={bad ? "error" : "muted"}>
        {bad && "✕ "}
        {entry.outcome.replaceAll("_", " ")}
      </td>
      <td class="muted nowrap">{entry.address}</td>
    </tr>
  );
}
