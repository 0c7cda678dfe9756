// The server at a glance: what it is, what it stores, what came in, what was dropped and why, and every setting in
// force.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { me } from "../../api/session";
import type { Status } from "../../api/types";
import { ago, bytes, count, moment, seconds } from "../../model/format";
import { figureName, isSize, restOf, storageKind } from "../../model/status";
import { root } from "../../url";
import { Copy, Stat, Waiting } from "../../widgets/parts";
import { allowed, Denied, Failed, Part } from "./parts";

const WHAT = "the state of the server";
const EVERY_MS = 60_000; // each look stands in the audit log

export function Overview(): VNode {
  const may = allowed("read", true);
  const answer = useAnswer(may ? "/api/status" : null, {}, { keep: true, everyMs: EVERY_MS });
  if (!may)
    return (
      <>
        <ServerPart version={me.value?.version ?? ""} />
        <Denied scope="read" every what={WHAT} />
      </>
    );
  if (answer.error) return <Failed error={answer.error} scope="read" every what={WHAT} retry={answer.reload} />;
  if (!answer.data) return <Waiting />;
  return <Shown status={answer.data} />;
}

function Shown({ status }: { status: Status }): VNode {
  const storage = status.storage;
  return (
    <>
      <ServerPart version={status.version} startedS={status.started_s} nowS={status.now_s} />
      <Part title="Storage">
        <div class="stats">
          <Stat label="kind" value={storageKind(status.settings)} />
          {storage["bytes"] !== undefined && <Stat label="size" value={bytes(storage["bytes"])} />}
          {["traces", "spans", "logs", "bodies"].map(
            (name) =>
              storage[name] !== undefined && (
                <Stat
                  key={name}
                  label={name === "bodies" ? "messages" : name}
                  value={count(storage[name])}
                  title={name === "bodies" ? "messages are stored once, however many calls repeat them" : ""}
                />
              ),
          )}
          {restOf(storage, ["bytes", "traces", "spans", "logs", "bodies"]).map(([name, value]) => (
            <Stat key={name} label={figureName(name)} value={isSize(name) ? bytes(value) : count(value)} />
          ))}
        </div>
        {Object.keys(storage).length === 0 && <p class="muted">This storage tells no figures.</p>}
      </Part>
      <Ingest status={status} />
      <Troubles status={status} />
      <InForce status={status} />
    </>
  );
}

function ServerPart({ version, startedS, nowS }: { version: string; startedS?: number; nowS?: number }): VNode {
  const address = new URL(root, location.href).href;
  return (
    <Part title="Server">
      <div class="stats">
        <Stat label="version" value={version} />
        {startedS !== undefined && nowS !== undefined && (
          <Stat label="up for" value={seconds(nowS - startedS)} title={moment(nsOf(startedS))} />
        )}
        <span class="stat">
          address <b class="mono">{address}</b> <Copy text={address} label="copy the address" />
        </span>
      </div>
    </Part>
  );
}

function nsOf(s: number): string {
  return `${Math.round(s * 1e3)}000000`;
}

function Ingest({ status }: { status: Status }): VNode {
  const kinds = ["spans", "logs", "points"].map((kind) => ({
    kind: kind === "points" ? "data points" : kind,
    received: status.counters[`received.${kind}`] ?? 0,
    stored: status.counters[`stored.${kind}`] ?? 0,
    rejected:
      (status.counters[`rejected.${kind}.malformed`] ?? 0) + (status.counters[`rejected.${kind}.unreadable`] ?? 0),
  }));
  const hidden = Object.entries(status.counters)
    .filter(([name, n]) => name.startsWith("redacted.") && n > 0)
    .reduce((sum, [, n]) => sum + n, 0);
  return (
    <Part title="What came in since the start">
      <table class="plain narrow">
        <thead>
          <tr>
            <th scope="col">records</th>
            <th scope="col" class="num">
              received
            </th>
            <th scope="col" class="num">
              stored
            </th>
            <th scope="col" class="num">
              rejected
            </th>
          </tr>
        </thead>
        <tbody>
          {kinds.map((row) => (
            <tr key={row.kind}>
              <td>{row.kind}</td>
              <td class="num">{count(row.received)}</td>
              <td class="num">{count(row.stored)}</td>
              <td class={`num${row.rejected > 0 ? " error" : ""}`}>
                {row.rejected > 0 && "✕ "}
                {count(row.rejected)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && <p class="muted">{count(hidden)} secrets were hidden in them before they were written.</p>}
    </Part>
  );
}

function Troubles({ status }: { status: Status }): VNode {
  return (
    <Part title="What was dropped, and why">
      {status.troubles.length === 0 ? (
        <p>
          <span class="fine" aria-hidden="true">
            ✓
          </span>{" "}
          Nothing was dropped, rejected or failed since the start, {ago(nsOf(status.started_s))}.
        </p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th scope="col" class="num">
                how many
              </th>
              <th scope="col">what happened</th>
              <th scope="col">what to do</th>
              <th scope="col">counter</th>
            </tr>
          </thead>
          <tbody>
            {status.troubles.slice(0, 60).map((trouble) => (
              <tr key={trouble.name}>
                <td class="num">
                  <b>{count(trouble.count)}</b>
                </td>
                <td>{trouble.meaning}</td>
                <td>{trouble.remedy}</td>
                <td class="mono muted">{trouble.name}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Part>
  );
}

function InForce({ status }: { status: Status }): VNode {
  const [search, setSearch] = useState("");
  const words = search.toLowerCase().trim();
  const shown = status.settings.filter((row) => `${row.name} ${row.value}`.toLowerCase().includes(words));
  return (
    <Part
      title="Settings in force"
      note={
        <>
          From flags, then variables, then the TOML file, then the defaults; <code>vestigo doctor</code> tells which.
          They change with a restart: <code>vestigo serve --set NAME=VALUE</code>. Of secrets it is only told that they
          are set.
        </>
      }
      side={
        <input
          class="input"
          type="search"
          aria-label="search the settings"
          placeholder="search the settings"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      }
    >
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">setting</th>
            <th scope="col">value</th>
            <th scope="col">variable</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row.name}>
              <td class="mono">{row.name}</td>
              <td class="mono breaks">
                {row.value === "" ? <span class="muted">(empty)</span> : row.value}
                {isSize(row.name) && Number(row.value) > 0 && <span class="muted"> {bytes(Number(row.value))}</span>}
              </td>
              <td class="mono muted">VESTIGO_{row.name.toUpperCase()}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="muted">No setting has “{search}” in its name or value.</p>}
    </Part>
  );
}
