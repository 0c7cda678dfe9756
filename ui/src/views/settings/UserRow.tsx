// One user of the list, with what can be changed: roles, the password, and whether there is such a user at all.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { send } from "../../api/client";
import { me } from "../../api/session";
import type { UserShown } from "../../api/types";
import { newPassword, passwordError, ROLES } from "../../model/access";
import { ago, moment } from "../../model/format";
import { place } from "../../url";
import { Dialog } from "../../widgets/Dialog";
import { Copy, Failure, toast } from "../../widgets/parts";
import { Confirm, Field, TextField, useChange, type Change } from "./parts";

export function UserRow({ user, reload }: { user: UserShown; reload(): void }): VNode {
  const [asked, ask] = useState<"" | "role" | "password" | "remove">("");
  const change = useChange();
  const close = (): void => {
    ask("");
    change.clear();
  };
  const done = (text: string) => (right: boolean) => {
    if (!right) return;
    toast(text);
    close();
    reload();
  };
  const setRole = (project: string, role: string): void =>
    void change
      .run(() => send("PUT", "/api/roles", { user: user.name, role, project }))
      .then(done(role ? `${user.name} is ${role} in ${project}` : `${user.name} has no role in ${project}`));
  const path = `/api/users/${encodeURIComponent(user.name)}`;
  const roles = Object.entries(user.roles);
  return (
    <tr>
      <td>
        <b>{user.name}</b>
        {me.value?.name === `user:${user.name}` && <span class="muted"> (you)</span>}
      </td>
      <td>
        {roles.length === 0 && <span class="muted">none</span>}
        {roles.map(([project, role]) => (
          <span key={project} class="chip">
            <span class="mono">{project === "*" ? "every project" : project}</span> {role}
          </span>
        ))}
      </td>
      <td>
        {[user.password ? "password" : "", user.linked ? "the issuer" : ""].filter(Boolean).join(", ") ||
          "the issuer, not yet"}
      </td>
      <td title={moment(user.created_ns)}>{ago(user.created_ns)}</td>
      <td class="doing">
        <button type="button" class="link" onClick={() => ask("role")}>
          Roles<span class="sr-only"> of {user.name}</span>
        </button>{" "}
        <button type="button" class="link" onClick={() => ask("password")}>
          Password<span class="sr-only"> of {user.name}</span>
        </button>{" "}
        <button type="button" class="link error" onClick={() => ask("remove")}>
          Remove<span class="sr-only"> {user.name}</span>
        </button>
        {asked === "role" && <RoleDialog user={user} change={change} onSet={setRole} onClose={close} />}
        {asked === "password" && (
          <PasswordDialog
            user={user.name}
            change={change}
            onClose={close}
            onSet={(password) =>
              void change
                .run(() => send("PUT", `${path}/password`, { password }))
                .then(done(`password of ${user.name} is set; the sessions ended`))
            }
          />
        )}
        {asked === "remove" && (
          <Confirm
            title={`Remove ${user.name}`}
            name={user.name}
            act="Remove the user"
            change={change}
            onClose={close}
            onAct={() => void change.run(() => send("DELETE", path)).then(done(`${user.name} is removed`))}
          >
            <p>
              The sessions end at once. Keys that {user.name} made go on working: see the tab Keys. What was scored and
              written down stays.
            </p>
          </Confirm>
        )}
      </td>
    </tr>
  );
}

function RoleDialog(props: {
  user: UserShown;
  change: Change;
  onSet(project: string, role: string): void;
  onClose(): void;
}): VNode {
  const { user, change } = props;
  const [project, setProject] = useState(place.value.project || "*");
  const [role, setRole] = useState(user.roles[project] ?? "viewer");
  return (
    <Dialog title={`Roles of ${user.name}`} onClose={props.onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!change.busy && project.trim() !== "") props.onSet(project.trim(), role);
        }}
      >
        <p class="muted">
          {Object.entries(user.roles)
            .map(([name, held]) => `${name === "*" ? "every project" : name}: ${held}`)
            .join(" · ") || "No role yet."}
        </p>
        <div class="fields">
          <TextField label="Project" mono value={project} onChange={setProject} hint="* is every one" />
          <RoleField value={role} onChange={setRole} none="none: take it away" />
        </div>
        {change.error && <Failure error={change.error} />}
        <p class="buttons">
          <button type="submit" class="button first" disabled={change.busy || project.trim() === ""}>
            {role === "" ? "Take the role away" : "Give the role"}
          </button>
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}

function PasswordDialog(props: {
  user: string;
  change: Change;
  onSet(password: string): void;
  onClose(): void;
}): VNode {
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const bad = passwordError(password);
  return (
    <Dialog title={`Password of ${props.user}`} onClose={props.onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (!bad && !props.change.busy) props.onSet(password);
        }}
      >
        <TextField
          label="New password"
          mono
          autocomplete="new-password"
          value={password}
          onChange={setPassword}
          error={tried ? bad : undefined}
          side={<MadePassword onMade={setPassword} />}
          hint="at least 12 characters"
        />
        {props.change.error && <Failure error={props.change.error} />}
        <p class="muted">The sessions of {props.user} end. The password is not shown again.</p>
        <p class="buttons">
          <button type="submit" class="button first" disabled={props.change.busy}>
            Set the password
          </button>
          {password !== "" && <Copy text={password} label="copy the password" />}
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}

export function RoleField(props: {
  value: string;
  onChange(role: string): void;
  none?: string;
  label?: string;
}): VNode {
  return (
    <Field
      label={props.label ?? "Role"}
      hint={ROLES.find(([role]) => role === props.value)?.[1] ?? ""}
      control={(ids) => (
        <select
          {...ids}
          class="input"
          value={props.value}
          onChange={(event) => props.onChange(event.currentTarget.value)}
        >
          {props.none !== undefined && <option value="">{props.none}</option>}
          {ROLES.map(([role]) => (
            <option key={role} value={role}>
              {role}
            </option>
          ))}
        </select>
      )}
    />
  );
}

export function MadePassword({ onMade }: { onMade(password: string): void }): VNode {
  return (
    <button type="button" class="link" onClick={() => onMade(newPassword((bytes) => crypto.getRandomValues(bytes)))}>
      make one
    </button>
  );
}
