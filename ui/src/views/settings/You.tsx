// Oneself: what one may do, and one's own password.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { send } from "../../api/client";
import { learn, me } from "../../api/session";
import { passwordError } from "../../model/access";
import { Failure, toast } from "../../widgets/parts";
import { Part, TextField, useChange } from "./parts";

export function You(): VNode {
  const who = me.value;
  const isUser = who?.name.startsWith("user:") ?? false;
  return (
    <Part title="You">
      <p>
        You are <b>{who?.name.replace(/^user:/, "") ?? "nobody"}</b>
        {who?.name === "local" && ", who came by the one-time link and may do everything"}.
      </p>
      <p class="muted">
        {Object.entries(who?.grants ?? {}).map(([name, scopes]) => (
          <span key={name} class="chip">
            <span class="mono">{name === "*" ? "every project" : name}</span> {scopes.join(", ")}
          </span>
        ))}
      </p>
      {isUser && <OwnPassword />}
    </Part>
  );
}

function OwnPassword(): VNode {
  const [old, setOld] = useState("");
  const [first, setFirst] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const change = useChange();
  const wrong = change.error?.code === "wrong_password";
  const bad = passwordError(first);
  const differs = !bad && again !== first ? "the two are not the same" : undefined;
  const save = async (): Promise<void> => {
    setTried(true);
    if (old === "" || bad || differs) return;
    if (!(await change.run(() => send("POST", "/api/password", { password: old, new: first })))) return;
    toast("password changed; other sessions ended");
    for (const empty of [setOld, setFirst, setAgain]) empty("");
    setTried(false);
    void learn();
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!change.busy) void save();
      }}
    >
      <input type="text" autocomplete="username" hidden value={me.value?.name.replace(/^user:/, "")} readOnly />
      <div class="fields">
        <TextField
          label="Password until now"
          type="password"
          autocomplete="current-password"
          value={old}
          onChange={setOld}
          error={
            wrong
              ? "this is not your password"
              : tried && old === ""
                ? "needed, so that nobody else changes it"
                : undefined
          }
        />
        <TextField
          label="New password"
          type="password"
          autocomplete="new-password"
          value={first}
          onChange={setFirst}
          error={tried ? bad : undefined}
          hint="at least 12 characters"
        />
        <TextField
          label="Once more"
          type="password"
          autocomplete="new-password"
          value={again}
          onChange={setAgain}
          error={tried ? differs : undefined}
        />
      </div>
      {change.error && !wrong && <Failure error={change.error} />}
      <p class="buttons">
        <button type="submit" class="button" disabled={change.busy}>
          {change.busy ? "changing …" : "Change the password"}
        </button>
        <span class="muted">Your sessions in other browsers end.</span>
      </p>
    </form>
  );
}
