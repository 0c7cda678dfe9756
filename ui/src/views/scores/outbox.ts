// Scores on their way to the server. Answers are never lost silently: what could not be saved stays here while the page
// is open, whatever view is shown, is sent again by itself where that can help, and leaving the page asks first.
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { type ApiError, isApiError, loggedOut, send } from "../../api/client";
import { me } from "../../api/session";
import type { NewScore, Scored } from "../../api/types";

export interface Sent {
  readonly project: string;
  readonly score: NewScore;
  /** How the value reads. */
  readonly label: string;
  readonly state: "waiting" | "sending" | "saved" | "failed";
  readonly error?: ApiError;
}

const AGAIN_MS = 5_000;

/** The newest answer for each trace and name. */
const sent = signal<ReadonlyMap<string, Sent>>(new Map());

const keyOf = (project: string, traceId: string, name: string): string => `${project}\n${traceId}\n${name}`;

export function answerOf(project: string, traceId: string, name: string): Sent | undefined {
  return sent.value.get(keyOf(project, traceId, name));
}

export const unsaved: ReadonlySignal<readonly Sent[]> = computed(() =>
  [...sent.value.values()].filter((one) => one.state === "failed"),
);
const onTheirWay = computed(() => [...sent.value.values()].some((one) => one.state !== "saved"));

/** How many traces of a project got a score of this name since the page was opened. */
export function savedHere(project: string, name: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const one of sent.value.values())
    if (one.state === "saved" && one.project === project && one.score.name === name) found.add(one.score.trace_id);
  return found;
}

/** Errors that are the question's own: the same would be answered again. */
const hopeless = (error: ApiError): boolean => error.status >= 400 && error.status < 500 && error.status !== 429;

/** Send an answer; it replaces one for the same trace and name that is still on its way. */
export function put(project: string, score: NewScore, label: string): void {
  const key = keyOf(project, score.trace_id, score.name);
  const before = sent.value.get(key);
  keep(key, { project, score, label, state: "waiting" });
  if (before?.state !== "sending") void post(key);
}

export function sendAgain(): void {
  for (const [key, one] of sent.value) if (one.state === "failed") void post(key);
}

/** Give up answers that cannot be saved. */
export function drop(one: Sent): void {
  const next = new Map(sent.value);
  next.delete(keyOf(one.project, one.score.trace_id, one.score.name));
  sent.value = next;
}

function keep(key: string, one: Sent): void {
  sent.value = new Map(sent.value).set(key, one);
}

async function post(key: string): Promise<void> {
  const one = sent.value.get(key);
  if (!one) return;
  const { error: _error, ...rest } = one;
  const going: Sent = { ...rest, state: "sending" };
  keep(key, going);
  let after: Sent = { ...going, state: "saved" };
  try {
    await send<Scored>("POST", "/api/scores", one.score, { project: one.project });
  } catch (error) {
    const told = isApiError(error) ? error : { status: 0, code: "failed", message: String(error) };
    after = { ...going, state: "failed", error: told };
  }
  // meanwhile another answer may have been given, which is sent now
  const now = sent.value.get(key);
  if (now === going) keep(key, after);
  else if (now) void post(key);
}

/** Send again what a moment, a connection or a login may have mended. */
function sendAgainWhereItHelps(): void {
  for (const [key, one] of sent.peek()) {
    const { error, state } = one;
    const login = error?.status === 401 && !loggedOut.peek();
    if (state === "failed" && error && (login || !hopeless(error))) void post(key);
  }
}

const mendable = computed(() => unsaved.value.some(({ error }) => error && (error.status === 401 || !hopeless(error))));
let timer: ReturnType<typeof setInterval> | undefined;
effect(() => {
  clearInterval(timer);
  timer = mendable.value ? setInterval(sendAgainWhereItHelps, AGAIN_MS) : undefined;
});
// what somebody else gave is not sent in the name of who logs in after them
let giver = "";
effect(() => {
  const name = me.value?.name ?? "anonymous";
  if (name === "anonymous") return;
  if (giver !== "" && giver !== name) sent.value = new Map();
  giver = name;
});
addEventListener("online", sendAgainWhereItHelps);
addEventListener("beforeunload", (event) => {
  if (onTheirWay.value) event.preventDefault();
});
