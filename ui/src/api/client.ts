// Asking the server: typed GETs with a cache that shows the old answer while the new one is on its way, changes by
// session, and the live tail. Knows the project from the address; knows nothing of views.
import { signal, type Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { place, root } from "../url";
import type { AnswerOf, GetPath, LiveBatch, QueryOf } from "./types";

/** Why a question was not answered. Status 0: the server could not be reached. */
export interface ApiError {
  status: number;
  code: string;
  message: string;
  /** Of a filter: where the mistake is, in characters. */
  position?: number;
}

export interface Answer<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  /** The data belongs to the question before, or a newer answer is on its way. */
  stale: boolean;
  reload(): void;
}

interface Options {
  pathParams?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** Of another project than that of the address. */
  project?: string;
}

/** Whether somebody has to log in; set by the first answer that says so, taken back by a login. */
export const loggedOut: Signal<boolean> = signal(false);

export function isApiError(error: unknown): error is ApiError {
  return typeof error === "object" && error !== null && "status" in error && "code" in error;
}

/** The address of a question. Parameters that are empty are left out. */
export function address(
  path: string,
  params: Readonly<Record<string, string | number | null | undefined>>,
  options: Options = {},
): string {
  const told = path.replace(/\{(\w+)(?::\w+)?\}/g, (_, name: string) =>
    encodeURIComponent(options.pathParams?.[name] ?? ""),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  const project = options.project ?? place.value.project;
  if (project !== "" && !search.has("project")) search.set("project", project);
  const query = search.toString();
  return root + told.replace(/^\//, "") + (query === "" ? "" : `?${query}`);
}

/** Ask once. Throws an ApiError; an abort throws the browser's AbortError. */
export async function get<P extends GetPath>(path: P, params: QueryOf<P>, options: Options = {}): Promise<AnswerOf<P>> {
  return (await read(address(path, params, options), options.signal)) as AnswerOf<P>;
}

/** Ask an address that an answer gave, such as the whole of a field that was cut. */
export async function getHref(href: string, signal?: AbortSignal): Promise<unknown> {
  const [path, query] = href.split("?") as [string, string | undefined];
  return read(address(path, Object.fromEntries(new URLSearchParams(query ?? ""))), signal);
}

async function read(url: string, signal: AbortSignal | undefined): Promise<unknown> {
  return answered(await reached(url, { signal: signal ?? null, headers: { Accept: "application/json" } }));
}

/** Change something. Needs a session with the right scope. Throws an ApiError. */
export async function send<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  params: Readonly<Record<string, string>> = {},
): Promise<T> {
  const headers: Record<string, string> = { "X-Vestigo": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await reached(address(path, params), {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  return (await answered(response)) as T;
}

async function reached(url: string, how: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...how, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw { status: 0, code: "unreachable", message: "the server cannot be reached" } satisfies ApiError;
  }
}

async function answered(response: Response): Promise<unknown> {
  if (response.ok) return response.status === 204 ? undefined : await response.json();
  const error: ApiError = {
    status: response.status,
    code: "failed",
    message: `the server answered ${response.status}`,
  };
  try {
    const told = ((await response.json()) as { error?: Partial<ApiError> }).error;
    Object.assign(error, told, { status: response.status });
  } catch {
    // a proxy's page instead of our answer: the status is all there is
  }
  if (error.status === 401 && error.code === "unauthenticated") loggedOut.value = true;
  throw error;
}

// --- answers that are kept

interface Entry {
  data: unknown;
  error: ApiError | undefined;
  atMs: number;
  asking: AbortController | undefined;
  readonly readers: Set<() => void>;
}

const KEPT = 60;
const FRESH_MS = 2_000;
const entries = new Map<string, Entry>();

function entryOf(url: string): Entry {
  let entry = entries.get(url);
  if (!entry) {
    entry = { data: undefined, error: undefined, atMs: 0, asking: undefined, readers: new Set() };
    for (const [old, one] of entries) {
      if (entries.size < KEPT) break;
      if (one.readers.size === 0) entries.delete(old);
    }
  } else entries.delete(url); // to the end: the oldest go first
  entries.set(url, entry);
  return entry;
}

/** `anew` gives up an answer that is on its way: it may be older than what made somebody ask. */
function ask(url: string, entry: Entry, how: "if old" | "again" | "anew"): void {
  if (how === "anew") entry.asking?.abort();
  else if (entry.asking || (how === "if old" && entry.atMs > 0 && Date.now() - entry.atMs < FRESH_MS)) return;
  const asking = new AbortController();
  entry.asking = asking;
  const tell = (): void => {
    entry.asking = undefined;
    entry.atMs = Date.now();
    for (const reader of entry.readers) reader();
  };
  read(url, asking.signal).then(
    (data) => {
      if (asking.signal.aborted) return;
      entry.data = data;
      entry.error = undefined;
      tell();
    },
    (error: unknown) => {
      if (asking.signal.aborted) return;
      entry.error = isApiError(error) ? error : { status: 0, code: "failed", message: String(error) };
      tell();
    },
  );
}

/** Forget every answer: after a login, or a change that many of them show. What is shown is asked anew. */
export function forget(): void {
  for (const [url, entry] of entries) {
    if (entry.readers.size === 0) entries.delete(url);
    else ask(url, entry, "anew");
  }
}

/**
 * An answer for the time that a component is there. A null path asks nothing. `keep` shows the answer to the question
 * before, marked stale, until the new one is there. A question that nobody waits for any more is given up.
 */
export function useAnswer<P extends GetPath>(
  path: P | null,
  params: QueryOf<P>,
  options: { pathParams?: Readonly<Record<string, string>>; keep?: boolean; everyMs?: number; project?: string } = {},
): Answer<AnswerOf<P>> {
  const url = path === null ? null : address(path, params, options);
  const [, redraw] = useState(0);
  const before = useRef<unknown>(undefined);
  const entry = url === null ? undefined : entryOf(url);
  useEffect(() => {
    if (url === null) return;
    const own = entryOf(url);
    const reader = (): void => redraw((n) => n + 1);
    own.readers.add(reader);
    ask(url, own, "if old");
    const timer = options.everyMs ? setInterval(() => ask(url, own, "again"), options.everyMs) : undefined;
    return () => {
      clearInterval(timer);
      own.readers.delete(reader);
      if (own.readers.size === 0 && own.asking) {
        own.asking.abort();
        own.asking = undefined;
      }
    };
  }, [url, options.everyMs]);
  if (entry?.data !== undefined) before.current = entry.data;
  const data = entry?.data ?? (options.keep ? before.current : undefined);
  return {
    data: data as AnswerOf<P> | undefined,
    error: entry?.error,
    loading: url !== null && entry?.data === undefined && entry?.error === undefined,
    stale: data !== undefined && (entry?.data === undefined || entry.asking !== undefined),
    reload: () => {
      if (url !== null) ask(url, entryOf(url), "anew");
      redraw((n) => n + 1);
    },
  };
}

// --- the live tail

interface LiveListener {
  ready?(): void;
  batch(data: LiveBatch): void;
  /** The reader was too slow, and so many batches are gone: ask the list again. */
  lost?(changes: number): void;
  state?(state: "connecting" | "open" | "closed"): void;
}

const AGAIN_MS = 5_000;

/** What is written, as it is written. Connects again by itself; the returned function ends it. */
export function openLive(
  params: { of: "traces" | "spans" | "logs"; q?: string; trace_id?: string },
  on: LiveListener,
): () => void {
  const url = address("/api/live", params);
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const connect = (): void => {
    on.state?.("connecting");
    source = new EventSource(url);
    source.addEventListener("ready", () => {
      on.state?.("open");
      on.ready?.();
    });
    source.addEventListener("batch", (event) => on.batch(JSON.parse(event.data as string) as LiveBatch));
    source.addEventListener("lost", (event) =>
      on.lost?.((JSON.parse(event.data as string) as { changes: number }).changes),
    );
    source.addEventListener("error", () => {
      // the browser connects again by itself, unless the server answered with an error
      if (source?.readyState !== EventSource.CLOSED) return on.state?.("connecting");
      on.state?.("closed");
      timer = setTimeout(connect, AGAIN_MS);
      // an EventSource does not tell why: perhaps the session has ended
      get("/api/me", {}, { project: "" }).then(
        (who) => who.name === "anonymous" && (loggedOut.value = true),
        () => undefined,
      );
    });
  };
  connect();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
