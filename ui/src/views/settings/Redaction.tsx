// The rules that hide secrets before anything is written: which are in force, how often they hid something, and how to
// change them. Read only: they are settings of the server.
import type { VNode } from "preact";
import { useAnswer } from "../../api/client";
import type { Status } from "../../api/types";
import { count } from "../../model/format";
import { ruleGroups, settingOf } from "../../model/status";
import { CodeBox, Waiting } from "../../widgets/parts";
import { allowed, Denied, Failed, Part } from "./parts";

const WHAT = "the rules of redaction";
const ABOUT: Readonly<Record<string, string>> = {
  "key names": "Values below names such as password, api_key, authorization, cookie, and those of redact_keys.",
  secret: "Keys, tokens and credentials that are known by their form.",
  personal: "E-mail addresses, card numbers, IBANs, social security numbers, IP addresses.",
  phone: "Phone numbers have no general form; this hides other numbers too.",
};
const HOW: Readonly<Record<string, string>> = { personal: "redact=personal", phone: "redact_phone=true" };

export function Redaction(): VNode {
  const may = allowed("read", true);
  const answer = useAnswer(may ? "/api/status" : null, {}, { keep: true });
  if (!may) return <Denied scope="read" every what={WHAT} />;
  if (answer.error) return <Failed error={answer.error} scope="read" every what={WHAT} retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return <Rules status={answer.data} />;
}

function Rules({ status }: { status: Status }): VNode {
  const groups = ruleGroups(status.redaction);
  const mode = settingOf(status.settings, "redact_mode");
  const looks: Readonly<Record<string, string>> = {
    replace: "[REDACTED]",
    last4: "[REDACTED:…1111]",
    hash: "[REDACTED:email:3c106b25]",
  };
  if (groups.length === 0)
    return (
      <Part title="Redaction is off">
        <p class="error">✕ Nothing is hidden: secrets in prompts, headers and logs are stored as they come.</p>
        <CodeBox text="vestigo serve --set redact=secrets" />
      </Part>
    );
  return (
    <>
      <Part
        title="How it works here"
        note={
          <>
            Each record is looked through before it is written: names, attributes, events, logs, exceptions with their
            stacks, JSON inside text. What is hidden is gone for good; what is stored already is not hidden afterwards.
          </>
        }
      >
        <p>
          In the place of what is hidden stands <code>{looks[mode] ?? mode}</code> (<code>redact_mode={mode}</code>).
        </p>
      </Part>
      {groups.map((group) => (
        <Part
          key={group.kind}
          title={group.kind}
          note={ABOUT[group.kind]}
          side={
            group.on === group.rules.length ? (
              <span class="fine">✓ {group.rules.length === 1 ? "on" : `all ${group.on} on`}</span>
            ) : (
              <span class="muted">{group.on === 0 ? "off" : `${group.on} of ${group.rules.length} on`}</span>
            )
          }
        >
          <ul class="rules">
            {group.rules.map((rule) => {
              const hid = status.counters[`redacted.${rule.name}`] ?? 0;
              return (
                <li key={rule.name} class={`chip${rule.on ? "" : " off"}`}>
                  <span class={rule.on ? "fine" : ""} aria-hidden="true">
                    {rule.on ? "✓" : "–"}
                  </span>
                  {rule.name}
                  <span class="sr-only">{rule.on ? "on" : "off"}</span>
                  {hid > 0 && (
                    <b title="values hidden since the start" class="hid">
                      {count(hid)}
                    </b>
                  )}
                </li>
              );
            })}
          </ul>
          {group.on === 0 && HOW[group.kind] && <CodeBox text={`vestigo serve --set ${HOW[group.kind]}`} />}
        </Part>
      ))}
      <Part
        title="How to change it"
        note="Rules are settings of the server, so that nobody turns them off by a click. They apply to what comes after the restart."
      >
        <CodeBox
          label="copy the settings"
          text={`# vestigo.toml in the data directory, or vestigo serve --set NAME=VALUE
redact = "personal"            # "secrets" is the default, "off" hides nothing
redact_keys = ["tax_number"]   # further names whose values are hidden
redact_mode = "hash"           # equal values can still be joined
redact_hash_key = "..."        # else they are equal within one process only
`}
        />
        <p class="muted">
          Programs with Vestigo hide in the same way before they send, by their own settings:{" "}
          <code>Tracer("shop", redact="personal")</code>. <code>vestigo doctor</code> lists the rules in force.
        </p>
      </Part>
    </>
  );
}
