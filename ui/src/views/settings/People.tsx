// Who may look: oneself, users and their roles, and whether an OpenID Connect issuer lets people in.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { send, useAnswer, type ApiError } from "../../api/client";
import { me } from "../../api/session";
import { passwordError, userError } from "../../model/access";
import { settingOf } from "../../model/status";
import { place } from "../../url";
import { Copy, Failure, toast, Waiting } from "../../widgets/parts";
import { allowed, Confirm, Denied, Failed, Part, TextField, useChange, useShown } from "./parts";
import { MadePassword, RoleField, UserRow } from "./UserRow";
import { You } from "./You";

export function People(): VNode {
  const every = allowed("admin", true);
  const { project } = place.value;
  return (
    <>
      <You />
      {every ? (
        <Everybody />
      ) : project !== "" && allowed("admin", false) ? (
        <OfProject />
      ) : (
        <Denied scope="admin" every={project === ""} what="who else may look" />
      )}
      <ComingIn />
    </>
  );
}

// --- everybody, for who administers every project

function Everybody(): VNode {
  const answer = useAnswer("/api/users", {}, { keep: true });
  const [search, setSearch] = useState("");
  const words = search.trim().toLowerCase();
  const found = (answer.data?.users ?? []).filter((user) =>
    `${user.name} ${Object.keys(user.roles).join(" ")}`.toLowerCase().includes(words),
  );
  const { shown, rest } = useShown(found, 30);
  if (answer.error)
    return <Failed error={answer.error} scope="admin" every what="who else may look" retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return (
    <>
      <AddUser reload={answer.reload} />
      <Part
        title="Users"
        side={
          <input
            class="input"
            type="search"
            aria-label="search the users"
            placeholder="search the users"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        }
      >
        {shown.length === 0 ? (
          <p class="muted">
            {answer.data.users.length === 0
              ? "No user yet: only who has a one-time link (vestigo link) comes in."
              : "No user is like that."}
          </p>
        ) : (
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">name</th>
                <th scope="col">roles</th>
                <th scope="col">comes in by</th>
                <th scope="col">added</th>
                <th scope="col">
                  <span class="sr-only">change</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((user) => (
                <UserRow key={user.name} user={user} reload={answer.reload} />
              ))}
            </tbody>
          </table>
        )}
        {rest}
      </Part>
    </>
  );
}

function AddUser({ reload }: { reload(): void }): VNode {
  const project = place.value.project;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [where, setWhere] = useState(project || "*");
  const [role, setRole] = useState("viewer");
  const [tried, setTried] = useState(false);
  const change = useChange();
  const bad = { name: userError(name), password: password === "" ? undefined : passwordError(password) };
  const said = atField(change.error);
  const add = async (): Promise<void> => {
    setTried(true);
    if (bad.name || bad.password) return;
    const roles = role === "" || where.trim() === "" ? {} : { [where.trim()]: role };
    const body = { name: name.trim(), password: password === "" ? null : password, roles };
    if (!(await change.run(() => send("POST", "/api/users", body)))) return;
    toast(`${name.trim()} is added`);
    setName("");
    setPassword("");
    setTried(false);
    reload();
  };
  return (
    <Part title="Add a user">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!change.busy) void add();
        }}
      >
        <div class="fields">
          <TextField
            label="Name"
            value={name}
            onChange={setName}
            placeholder="ann@example.org"
            error={(tried ? bad.name : undefined) ?? said.name}
            hint={me.value?.oidc ? "as the issuer’s e-mail address, to come in by it" : "such as an e-mail address"}
          />
          <TextField
            label="Password"
            autocomplete="new-password"
            mono
            value={password}
            onChange={setPassword}
            error={(tried ? bad.password : undefined) ?? said.password}
            side={<MadePassword onMade={setPassword} />}
            hint={`at least 12 characters${me.value?.oidc ? "; empty: by the issuer only" : ""}`}
          />
          <TextField
            label="Project"
            mono
            value={where}
            onChange={setWhere}
            error={said.project}
            hint="* is every one"
          />
          <RoleField value={role} onChange={setRole} none="none yet" />
        </div>
        {change.error && Object.keys(said).length === 0 && <Failure error={change.error} />}
        <p class="buttons">
          <button type="submit" class="button first" disabled={change.busy}>
            {change.busy ? "adding …" : "Add the user"}
          </button>
          {password !== "" && (
            <span class="muted">
              Give them the password yourself: it is not shown again. <Copy text={password} label="copy the password" />
            </span>
          )}
        </p>
      </form>
    </Part>
  );
}

/** At which field what the server says belongs. */
function atField(error: ApiError | undefined): { name?: string; password?: string; project?: string } {
  if (error?.status !== 400) return {};
  for (const field of ["password", "project"] as const)
    if (error.message.includes(field)) return { [field]: error.message };
  return /user|name/.test(error.message) ? { name: error.message } : {};
}

// --- one project, for who administers only that

function OfProject(): VNode {
  const { project } = place.value;
  const answer = useAnswer("/api/roles", {}, { keep: true });
  const [user, setUser] = useState("");
  const [role, setRole] = useState("viewer");
  const [leaving, setLeaving] = useState("");
  const change = useChange();
  const give = async (name: string, given: string): Promise<void> => {
    if (!(await change.run(() => send("PUT", "/api/roles", { user: name, role: given })))) return;
    toast(given ? `${name} is ${given} of ${project}` : `${name} has no role in ${project}`);
    setUser("");
    setLeaving("");
    answer.reload();
  };
  const { shown, rest } = useShown(answer.data?.roles ?? [], 40);
  return (
    <Part
      title={`Roles in ${project}`}
      note="Users themselves are added by somebody who administers every project; you give those that there are roles in this one."
    >
      {answer.error && (
        <Failed error={answer.error} scope="admin" every={false} what="the roles" retry={answer.reload} />
      )}
      <table class="plain narrow">
        <thead>
          <tr>
            <th scope="col">user</th>
            <th scope="col">role</th>
            <th scope="col">
              <span class="sr-only">change</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <tr key={one.user}>
              <td>{one.user}</td>
              <td>{one.role}</td>
              <td class="doing">
                {me.value?.name !== `user:${one.user}` && (
                  <button type="button" class="link error" onClick={() => setLeaving(one.user)}>
                    Take away<span class="sr-only"> the role of {one.user}</span>
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {leaving !== "" && (
        <Confirm
          title={`Take ${leaving} out of ${project}`}
          name={leaving}
          act="Take the role away"
          change={change}
          onClose={() => {
            setLeaving("");
            change.clear();
          }}
          onAct={() => void give(leaving, "")}
        >
          <p>At once {leaving} sees nothing of this project any more. The user itself stays.</p>
        </Confirm>
      )}
      {rest}
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (user.trim() !== "" && !change.busy) void give(user.trim(), role);
        }}
      >
        <div class="fields">
          <TextField
            label="User"
            value={user}
            onChange={setUser}
            placeholder="ann@example.org"
            error={change.error?.status === 404 ? change.error.message : undefined}
          />
          <RoleField value={role} onChange={setRole} />
        </div>
        {change.error && change.error.status !== 404 && <Failure error={change.error} />}
        <p class="buttons">
          <button type="submit" class="button first" disabled={change.busy || user.trim() === ""}>
            Give the role
          </button>
        </p>
      </form>
    </Part>
  );
}

// --- how people come in

function ComingIn(): VNode {
  const status = useAnswer(allowed("read", true) ? "/api/status" : null, {}, { keep: true }).data;
  const hours = status ? settingOf(status.settings, "session_hours") : "";
  const issuer = status ? settingOf(status.settings, "oidc_issuer") : "";
  const grants = status ? settingOf(status.settings, "oidc_grants") : "";
  return (
    <Part title="Sessions and login">
      <ul class="lines">
        <li>
          A session lasts {hours ? `${Number(hours)} hours` : "as long as session_hours says"}; it ends at once when its
          user is removed or gets another password, and when one logs out.
        </li>
        <li>
          {me.value?.oidc ? (
            <>
              <span class="fine">✓</span> People also come in by OpenID Connect
              {issuer && (
                <>
                  {" "}
                  from <code>{issuer}</code>
                </>
              )}
              .{" "}
              {status &&
                (grants ? (
                  <>
                    Without further roles they have <code>{grants}</code>.
                  </>
                ) : (
                  "Only those who are added here."
                ))}
            </>
          ) : (
            <>
              OpenID Connect is off; <code>oidc_issuer</code>, <code>oidc_client_id</code> and{" "}
              <code>oidc_client_secret</code> turn it on.
            </>
          )}
        </li>
        <li>
          Who may write the data directory comes in by <code>vestigo link</code>, and may do everything.
        </li>
      </ul>
    </Part>
  );
}
