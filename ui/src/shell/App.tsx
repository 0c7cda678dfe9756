// The frame of every page: the rail of places, the bar with project, filter, time and live, and the view between.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, ComponentType, VNode } from "preact";
import { useEffect, useErrorBoundary, useState } from "preact/hooks";
import { loggedOut } from "../api/client";
import { learn, me, projects, trouble } from "../api/session";
import { useKeys } from "../keys";
import { recall, remember } from "../memory";
import { go, lastingLink, link, place, setParams, type View } from "../url";
import { FilterBox } from "../widgets/FilterBox";
import { Menu } from "../widgets/Menu";
import { copyText, Empty, Failure, Toast, Waiting } from "../widgets/parts";
import { TimeRange } from "../widgets/TimeRange";
import { KeySheet } from "./KeySheet";
import { Palette } from "./Palette";
import { Rail } from "./Rail";
import { VIEWS } from "./views";

const FILTERED: ReadonlySet<View> = new Set(["traces", "sessions", "logs", "dash", "errors", "scores"]);
const LIVE: ReadonlySet<View> = new Set(["traces", "logs", "dash"]);
const HINTS: Partial<Record<View, string>> = {
  traces: "kind:llm latency>2s -status:error",
  sessions: "user:u7 cost>$0.05",
  logs: "level>=warning message text",
  dash: "service:shop env:prod",
  errors: "kind:tool",
  scores: "score.helpful<0.5 service:judge",
};

export function App(): VNode {
  const now = place.value;
  const sheet = useSignal(false);
  const palette = useSignal(false);
  const project = now.project;
  useEffect(() => {
    if (project !== "") remember("project", project);
    else if (now.view !== "login" && projects.value.length > 0) {
      const known = projects.value;
      const last = recall("project");
      go(
        link({ project: known.find((name) => name === last) ?? known[0]!, id: now.id, keep: Object.keys(now.params) }),
        "replace",
      );
    }
  }, [project, now.view, projects.value]);
  useEffect(() => {
    document.title = [VIEWS[now.view].title, project, "Vestigo"].filter(Boolean).join(" · ");
  }, [now.view, project]);
  const to =
    (view: View, params: Record<string, string> = {}) =>
    (): void =>
      go(link({ view, params, keep: ["t", "q"] }));
  useKeys("everywhere", {
    sheet: () => (sheet.value = true),
    palette: () => (palette.value = true),
    traces: to("traces"),
    live: to("traces", { live: "1" }),
    sessions: to("sessions"),
    logs: to("logs"),
    dash: to("dash"),
    errors: to("errors"),
    scores: to("scores"),
    settings: to("settings"),
    copyLink: () => void copyText(lastingLink(), "link copied"),
    ...(LIVE.has(now.view) ? { toggleLive: () => setParams({ live: now.params["live"] ? null : "1" }) } : {}),
  });

  if (me.value === undefined)
    return trouble.value ? (
      <main class="main">
        <Failure error={{ status: 0, code: "unreachable", message: trouble.value }} onRetry={() => void learn()} />
      </main>
    ) : (
      <main class="main">
        <Waiting what="asking the server" />
      </main>
    );
  if (loggedOut.value || now.view === "login") return <Lazy view="login" />;
  return (
    <div class="page">
      <a class="skip" href="#main">
        to the content
      </a>
      <Rail onKeys={() => (sheet.value = true)} onPalette={() => (palette.value = true)} />
      <header class="bar">
        <ProjectMenu />
        {FILTERED.has(now.view) ? <FilterBox hint={HINTS[now.view] ?? ""} /> : <Back />}
        <span class="spread" />
        {(FILTERED.has(now.view) || now.view === "queue") && <TimeRange />}
        {LIVE.has(now.view) && (
          <button
            type="button"
            class="button"
            aria-pressed={now.params["live"] === "1"}
            title="show what arrives (l)"
            onClick={() => setParams({ live: now.params["live"] ? null : "1" })}
          >
            <span class={`dot${now.params["live"] ? " on" : ""}`} aria-hidden="true" />
            live
          </button>
        )}
      </header>
      <main class="main" id="main" tabIndex={-1}>
        <h1 class="sr-only">{VIEWS[now.view].title}</h1>
        {project === "" && now.view !== "settings" ? (
          <NoProject />
        ) : (
          <Lazy key={`${project}/${now.view}`} view={now.view} />
        )}
      </main>
      {sheet.value && <KeySheet onClose={() => (sheet.value = false)} />}
      {palette.value && <Palette onClose={() => (palette.value = false)} />}
      <Toast />
    </div>
  );
}

/** On pages without a filter: the way back to the list, as it was. */
function Back(): VNode | null {
  const { view, params } = place.value;
  const list: View | null =
    view === "trace" || view === "compare"
      ? "traces"
      : view === "session"
        ? "sessions"
        : view === "queue"
          ? "scores"
          : null;
  if (list === null) return <b>{VIEWS[view].title}</b>;
  return (
    <nav aria-label="the way back" class="one-line">
      <a href={link({ view: list, keep: ["q", "t", "order"] })}>‹ {VIEWS[list].title}</a>
      {params["q"] && <code class="muted"> {params["q"]}</code>}
    </nav>
  );
}

function ProjectMenu(): VNode {
  const now = place.value;
  return (
    <Menu
      name={`${now.project || "project"} (project)`}
      label={
        <>
          <b class="one-line">{now.project || "project"}</b> <span aria-hidden="true">▾</span>
        </>
      }
      items={projects.value.map((name) => ({
        label: name,
        on: name === now.project,
        href: link({
          project: name,
          view: now.view === "trace" ? "traces" : now.view === "session" ? "sessions" : now.view,
        }),
      }))}
    />
  );
}

function NoProject(): VNode {
  return (
    <Empty title="No project to look at">
      <p>
        You are logged in as {me.value?.name}, and have no role in any project. Somebody with the scope admin can give
        you one: <code>vestigo user role NAME PROJECT:viewer</code>.
      </p>
    </Empty>
  );
}

// --- views that are loaded when they are first shown

const loaded = new Map<View, ComponentType>();
for (const [view, { shown }] of Object.entries(VIEWS)) if (shown) loaded.set(view as View, shown);

function Lazy({ view }: { view: View }): VNode {
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState("");
  const Shown = loaded.get(view);
  useEffect(() => {
    if (loaded.has(view)) return;
    let gone = false;
    VIEWS[view].load().then(
      (component) => {
        loaded.set(view, component);
        if (!gone) redraw((n) => n + 1);
      },
      (error: unknown) => !gone && setFailed(String(error)),
    );
    return () => {
      gone = true;
    };
  }, [view]);
  if (failed)
    return (
      <Failure
        error={{ status: 0, code: "unreachable", message: `this page could not be loaded: ${failed}` }}
        onRetry={() => location.reload()}
      />
    );
  if (!Shown) return <Waiting />;
  return (
    <Guard key={view}>
      <Shown />
    </Guard>
  );
}

/** A view that throws takes nothing else with it, and says what happened. */
function Guard({ children }: { children: ComponentChildren }): VNode {
  const [error, reset] = useErrorBoundary() as [unknown, () => void];
  const now = place.value;
  useEffect(() => {
    if (error !== undefined) reset(); // another trace may be fine
  }, [now]);
  if (error === undefined) return <>{children}</>;
  return <Failure error={{ status: 0, code: "page", message: `this page failed: ${String(error)}` }} onRetry={reset} />;
}
