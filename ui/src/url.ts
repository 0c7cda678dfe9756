// The only holder of view state: the address. Reads it into a `Place`, makes links, and changes it by the history.
import { computed, signal, type ReadonlySignal } from "@preact/signals";

export type View =
  | "traces"
  | "trace"
  | "sessions"
  | "session"
  | "logs"
  | "dash"
  | "errors"
  | "scores"
  | "queue"
  | "compare"
  | "settings"
  | "login";

/** Where one is. `project` is empty until it is known; `id` is a trace or a session. */
export interface Place {
  view: View;
  project: string;
  id: string;
  params: Readonly<Record<string, string>>;
}

interface Target {
  view?: View;
  project?: string;
  id?: string;
  params?: Readonly<Record<string, string | null | undefined>>;
  keep?: readonly string[];
}

const LISTS = ["traces", "sessions", "logs", "dash", "errors", "scores", "queue", "compare", "settings"] as const;
const WITH_ID: Readonly<Partial<Record<View, string>>> = { trace: "traces", session: "sessions" };

/** Version of the parameters. Addresses with an older one are brought up to date by `upgrade`. */
export const VERSION = 1;

/** What stands before the page's own paths, with a final slash: whatever a proxy put there. */
export const root: string = rootOf(import.meta.url, document.baseURI);

/** The scripts lie in `ROOT/assets/`; while developing they are served from elsewhere, and the root is `/`. */
export function rootOf(script: string, page: string): string {
  const path = new URL(script, page).pathname;
  const at = path.lastIndexOf("/assets/");
  return at < 0 ? "/" : path.slice(0, at + 1);
}

export function parse(path: string, search: string): Place {
  const params: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(search)) if (value !== "") params[name] = value;
  const parts = path.split("/").filter((part) => part !== "");
  const place: Place = { view: "traces", project: "", id: "", params: upgrade(params) };
  if (parts[0] === "p") {
    const [, project, view, ...rest] = parts.map(decoded);
    place.project = project ?? "";
    place.id = rest.join("/");
    const list = LISTS.find((name) => name === view);
    if (list) place.view = list;
    if (place.id !== "" && list === "traces") place.view = "trace";
    if (place.id !== "" && list === "sessions") place.view = "session";
  } else if (parts[0] === "login" || parts[0] === "settings") place.view = parts[0];
  return place;
}

/** Parameters of any earlier version as those of today. There has been one version so far. */
export function upgrade(params: Record<string, string>): Record<string, string> {
  const { v: _version, ...rest } = params;
  return rest;
}

export function format(to: Place): string {
  const parts: string[] = [];
  if (to.project !== "" && to.view !== "login") {
    parts.push("p", encodeURIComponent(to.project), WITH_ID[to.view] ?? to.view);
    if (to.id !== "") parts.push(encodeURIComponent(to.id));
  } else if (to.view === "login" || to.view === "settings") parts.push(to.view);
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(to.params)) if (value !== "") search.set(name, value);
  // a colon, a comma and the like may stand in a query string as they are: addresses stay readable
  const query = search.toString().replace(/%(3A|2C|40|2F|24|5B|5D|28|29|3E|3C|3D)/g, (code) => {
    const sign = decodeURIComponent(code);
    return sign === "=" || sign === "<" || sign === ">" ? code : sign;
  });
  return root + parts.join("/") + (query === "" ? "" : `?${query}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray percent sign
  }
}

function read(): Place {
  return parse("/" + location.pathname.slice(root.length), location.search);
}

const current = signal<Place>(read());
export const place: ReadonlySignal<Place> = computed(() => current.value);
addEventListener("popstate", () => (current.value = read()));

/** An address. Parameters replace those of the present place, but for the names in `keep`. */
export function link(to: Target): string {
  const now = current.value;
  const params: Record<string, string> = {};
  for (const name of to.keep ?? ["t"]) if (now.params[name]) params[name] = now.params[name];
  for (const [name, value] of Object.entries(to.params ?? {})) {
    if (value) params[name] = value;
    else delete params[name];
  }
  const view = to.view ?? now.view;
  return format({ view, project: to.project ?? now.project, id: to.id ?? "", params });
}

export function go(href: string, how: "push" | "replace" = "push"): void {
  const target = new URL(href, location.href);
  if (target.origin !== location.origin) return;
  if (target.href !== location.href) {
    if (how === "push") history.pushState(null, "", target.href);
    else history.replaceState(null, "", target.href);
  }
  current.value = read();
}

/** Change parameters of the present place; null or "" removes one. */
export function setParams(
  change: Readonly<Record<string, string | null | undefined>>,
  how: "push" | "replace" = "push",
): void {
  const now = current.value;
  const params: Record<string, string> = { ...now.params };
  for (const [name, value] of Object.entries(change)) {
    if (value) params[name] = value;
    else delete params[name];
  }
  go(format({ ...now, params }), how);
}

/** Clicks on links to our own pages go by the history; those with a modifier are the browser's. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = (event.target as Element | null)?.closest?.("a");
    if (!anchor || anchor.target !== "" || anchor.hasAttribute("download")) return;
    const url = new URL(anchor.href, location.href);
    const path = "/" + url.pathname.slice(root.length);
    if (url.origin !== location.origin || !url.pathname.startsWith(root)) return;
    if (!/^\/(p\/|settings$|login$|$)/.test(path)) return;
    event.preventDefault();
    if (url.pathname !== location.pathname) scrollTo(0, 0);
    go(anchor.href);
  });
}

// --- time

const AGO = /^\d{1,6}[smhdw]$/;
const SPAN = /^(\d{1,14})-(\d{1,14})$/;
export const DEFAULT_TIME = "24h";

/** `t` of the address as the API's window. Unknown texts are the default, so that an old link still shows something. */
export function timeWindow(t: string | undefined): { start: string; end: string } {
  if (t === "all") return { start: "", end: "" };
  const fixed = SPAN.exec(t ?? "");
  if (fixed) return { start: `${fixed[1]}000000`, end: `${fixed[2]}000000` };
  return { start: t && AGO.test(t) ? t : DEFAULT_TIME, end: "" };
}

/** The same in milliseconds since 1970; [0, now] for all of time. */
export function timeBounds(t: string | undefined, nowMs: number = Date.now()): readonly [number, number] {
  const { start, end } = timeWindow(t);
  if (start === "") return [0, nowMs];
  if (!AGO.test(start)) return [Number(start.slice(0, -6)), Number(end.slice(0, -6))];
  const unit = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[start.slice(-1) as "s"];
  return [nowMs - Number(start.slice(0, -1)) * unit, nowMs];
}

/** The present address with its relative time made absolute: what is copied shows the same tomorrow. */
export function lastingLink(): string {
  const now = current.value;
  const [from, to] = timeBounds(now.params["t"]);
  const t = now.params["t"] === "all" ? "all" : `${Math.floor(from)}-${Math.ceil(to)}`;
  const params: Record<string, string> = { ...now.params, t, v: String(VERSION) };
  delete params["live"];
  return new URL(format({ ...now, params }), location.href).href;
}
