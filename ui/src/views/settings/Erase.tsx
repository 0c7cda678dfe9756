// Forgetting a user, a session or a trace: counted first, then asked for by name, then told what went and what was
// looked for afterwards. And the list of what was erased, which does not say whom.
import type { VNode } from "preact";
import { useRef, useState } from "preact/hooks";
import { forget, send, useAnswer } from "../../api/client";
import type { EraseBody, Told } from "../../api/types";
import { bytes, clock, count, moment, plural, seconds } from "../../model/format";
import { link } from "../../url";
import { CodeBox, Copy, Failure, Waiting } from "../../widgets/parts";
import { Confirm, Field, Part, TextField, useChange, useShown } from "./parts";

const KINDS = [
  { id: "user", label: "a user", hint: "as in the field user: whose traces and logs go", field: "user" },
  { id: "session", label: "a session", hint: "all traces of one conversation", field: "session" },
  { id: "trace", label: "a trace", hint: "one trace id", field: "trace" },
  { id: "q", label: "what a filter finds", hint: "whole traces in which it finds something", field: "" },
] as const;
type Kind = (typeof KINDS)[number]["id"];

export function Erase(): VNode {
  const [kind, setKind] = useState<Kind>("user");
  const [value, setValue] = useState("");
  const [found, setFound] = useState<Told | undefined>();
  const [report, setReport] = useState<Told | undefined>();
  const [asking, setAsking] = useState(false);
  const counting = useChange();
  const erasing = useChange();
  const chosen = KINDS.find(({ id }) => id === kind)!;
  const name = value.trim();
  const body = (dry: boolean): EraseBody => ({ [kind]: name, dry_run: dry });
  const typed = useRef(0); // what is counted for a name is not shown for the next one
  const anew = (): void => {
    typed.current += 1;
    setFound(undefined);
    setReport(undefined);
    counting.clear();
  };
  return (
    <Part
      title="Erase"
      note="For good and everywhere: the storage with its indexes and write-ahead log, what waits to be sent on, and the name in the audit log. Not in backups, exports, or what was sent on already."
    >
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (name === "" || counting.busy) return;
          anew();
          const of = typed.current;
          void counting.run(async () => {
            const told = await send<Told>("POST", "/api/erase", body(true));
            if (of === typed.current) setFound(told);
          });
        }}
      >
        <div class="fields">
          <Field
            label="Erase"
            hint={chosen.hint}
            control={(ids) => (
              <select
                {...ids}
                class="input"
                value={kind}
                onChange={(event) => {
                  setKind(event.currentTarget.value as Kind);
                  anew();
                }}
              >
                {KINDS.map(({ id, label }) => (
                  <option key={id} value={id}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          />
          <TextField
            label={kind === "q" ? "Filter" : "Which"}
            mono
            value={value}
            onChange={(text) => {
              setValue(text);
              anew();
            }}
            placeholder={kind === "q" ? "tag:test env:staging" : kind === "trace" ? "4aefe7041f1f4d6b…" : "u7"}
            error={
              counting.error?.code === "bad_query" || counting.error?.code === "bad_id"
                ? counting.error.message
                : undefined
            }
          />
        </div>
        {counting.error && !["bad_query", "bad_id"].includes(counting.error.code) && <Failure error={counting.error} />}
        <p class="buttons">
          <button type="submit" class="button" disabled={name === "" || counting.busy}>
            {counting.busy ? "counting …" : "Count what would go"}
          </button>
          {found && found.traces > 0 && (
            <button type="button" class="button danger" onClick={() => setAsking(true)}>
              Erase {plural(found.traces, "trace")} …
            </button>
          )}
        </p>
      </form>
      {found && (
        <p role="status">
          {found.traces === 0 ? (
            "Nothing of that is stored, or all of it is on hold."
          ) : (
            <>
              <b>
                {plural(found.traces, "trace")} with {plural(found.spans, "span")}
              </b>{" "}
              and their logs would go.{" "}
              <a
                href={link({
                  view: "traces",
                  params: { q: kind === "q" ? name : `${chosen.field}="${name.replaceAll('"', '\\"')}"`, t: "all" },
                })}
              >
                Look at them
              </a>
            </>
          )}{" "}
          {found.troubles.map((one) => (
            <span key={one} class="muted">
              {one}.{" "}
            </span>
          ))}
        </p>
      )}
      {report && <Report report={report} />}
      {asking && found && (
        <Confirm
          title={`Erase ${chosen.label === "what a filter finds" ? chosen.label : `${chosen.label.replace(/^an? /, "")} ${name}`}`}
          name={name}
          act={`Erase ${plural(found.traces, "trace")} for good`}
          change={erasing}
          onClose={() => setAsking(false)}
          onAct={() =>
            void erasing
              .run(async () => setReport(await send<Told>("POST", "/api/erase", body(false))))
              .then((done) => {
                if (!done) return;
                setAsking(false);
                setFound(undefined);
                forget();
              })
          }
        >
          <p>
            {plural(found.traces, "trace")} with {plural(found.spans, "span")} and their logs are deleted, and looked
            for afterwards. Nobody can bring them back.
          </p>
        </Confirm>
      )}
    </Part>
  );
}

/** What went, and what was looked for afterwards. */
function Report({ report }: { report: Told }): VNode {
  const went: readonly (readonly [string, number])[] = [
    ["traces", report.traces],
    ["spans", report.spans],
    ["logs", report.logs],
    ["data points", report.points],
    ["messages", report.bodies],
    ["words of the index", report.words],
    ["names", report.names],
    ["records waiting to be sent on", report.spooled],
    ["entries of the audit log that named it", report.audit_entries],
  ];
  const copies = Object.entries(report.copies);
  return (
    <div class={`report${report.clean ? "" : " bad"}`} role="status">
      <p>
        {report.clean ? (
          <b>
            <span class="fine">✓</span> Erased. Nothing is left of it, as far as was looked.
          </b>
        ) : (
          <b class="error">✕ Not complete: something is left.</b>
        )}
      </p>
      <div class="stats">
        {went
          .filter(([, n]) => n > 0)
          .map(([label, n]) => (
            <span class="stat" key={label}>
              <b>{count(n)}</b> {label}
            </span>
          ))}
        {report.bytes_freed > 0 && (
          <span class="stat">
            <b>{bytes(report.bytes_freed)}</b> freed for what is written next
          </span>
        )}
      </div>
      <p class="muted">
        {report.probes > 0 &&
          `${count(report.probes)} ids and messages were then looked for byte by byte: ${count(
            copies.reduce((sum, [, n]) => sum + n, 0),
          )} found in ${plural(copies.length, "file")}. `}
        {plural(report.steps, "step")}, the longest {seconds(report.longest_step_s)}.
        {report.arrived > 0 && ` ${plural(report.arrived, "trace")} came meanwhile: erase once more.`}
      </p>
      {report.troubles.map((one) => (
        <p key={one} class="error">
          ✕ {one}
        </p>
      ))}
    </div>
  );
}

export function Erased(): VNode {
  const answer = useAnswer("/api/erasures", {}, { keep: true });
  const { shown, rest } = useShown(answer.data?.items ?? [], 30);
  return (
    <Part
      title="What was erased and deleted"
      note="The list does not say whom it forgot. Who knows the filter finds it by its SHA-256, here of user:ann:"
    >
      <CodeBox text={`printf %s 'user:ann' | sha256sum`} />
      {answer.error && <Failure error={answer.error} onRetry={answer.reload} />}
      {answer.loading && <Waiting />}
      {answer.data && shown.length === 0 && <p class="muted">Nothing yet: neither by a policy nor by hand.</p>}
      {shown.length > 0 && (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">when</th>
              <th scope="col">by</th>
              <th scope="col" class="num">
                traces
              </th>
              <th scope="col" class="num">
                spans
              </th>
              <th scope="col" class="num">
                logs
              </th>
              <th scope="col" class="num">
                freed
              </th>
              <th scope="col">looked for afterwards</th>
              <th scope="col">filter, SHA-256</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one, at) => (
              <tr key={at}>
                <td title={moment(one.finished_ns)}>{clock(one.finished_ns)}</td>
                <td>{one.by.replace(/^user:/, "")}</td>
                <td class="num">{count(one.traces)}</td>
                <td class="num">{count(one.spans)}</td>
                <td class="num">{count(one.logs)}</td>
                <td class="num">{bytes(one.bytes_freed)}</td>
                <td>
                  {one.troubles.length > 0 || !one.clean ? (
                    <span class="error">✕ {one.troubles.join("; ") || "something is left"}</span>
                  ) : (
                    <>
                      <span class="fine">✓</span> nothing left
                    </>
                  )}
                </td>
                <td class="mono">
                  {one.filter_sha256 ? (
                    <>
                      {one.filter_sha256.slice(0, 12)}… <Copy text={one.filter_sha256} label="copy the SHA-256" />
                    </>
                  ) : (
                    <span class="muted">by age</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {rest}
    </Part>
  );
}
