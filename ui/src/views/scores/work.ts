// What an annotation queue works through, read from the server: the traces, the conversation of each (read ahead, so
// that nobody waits), and how many somebody has labelled today.
import { useEffect, useMemo, useState } from "preact/hooks";
import { type ApiError, get, isApiError } from "../../api/client";
import type { Columns, ScoreRow, SpanDetail, TraceRow } from "../../api/types";
import { turnsOf } from "../../model/messages";
import { conversationOf, type Conversation, shuffled, tellingSpans } from "../../model/queue";

export interface Item {
  readonly id: string;
  /** Missing for one that the address names and the list does not have. */
  readonly row?: TraceRow;
}

export interface Work {
  readonly items: readonly Item[];
  /** Whether the list goes on beyond what was read. */
  readonly more: boolean;
  readonly loading: boolean;
  readonly error: ApiError | undefined;
  reload(): void;
}

const FIRST = 60;
const PORTION = 500;
/** As many traces as are read ahead and put in a random order; the rest is read as it is reached. */
const MOST = 2_000;

export interface Asked {
  readonly project: string;
  readonly q: string;
  readonly start: string;
  readonly end: string;
  readonly order: "newest" | "oldest" | "random";
  readonly seed: string;
}

interface Read {
  key: string;
  rows: readonly TraceRow[];
  cursor: string | null;
  done: boolean;
  error: ApiError | undefined;
}

/** The traces to label. The list stays as it was when it was read: what is labelled does not vanish while one works. */
export function useWork(asked: Asked | null, reached: number): Work {
  const [again, setAgain] = useState(0);
  const key = asked === null ? "" : JSON.stringify([asked, again]);
  const [read, setRead] = useState<Read>({ key: "", rows: [], cursor: null, done: false, error: undefined });
  const far = read.rows.length >= MOST && reached > read.rows.length - 50;
  useEffect(() => {
    if (asked === null) return;
    const asking = new AbortController();
    void readOn(asked, key, read.key === key ? read : null, asking.signal, setRead);
    return () => asking.abort();
  }, [key, far]);
  const fresh = read.key === key;
  const { order, seed } = asked ?? { order: "newest", seed: "" };
  const items = useMemo(() => {
    if (!fresh || (order === "random" && !read.done)) return [];
    const rows = order === "random" ? shuffled(read.rows, (row) => row.trace_id, seed) : read.rows;
    return rows.map((row): Item => ({ id: row.trace_id, row }));
  }, [fresh, read, order, seed]);
  return {
    items,
    more: fresh && read.cursor !== null,
    loading: !fresh || (!read.done && items.length === 0 && !read.error),
    error: fresh ? read.error : undefined,
    reload: () => setAgain(again + 1),
  };
}

async function readOn(
  asked: Asked,
  key: string,
  before: Read | null,
  signal: AbortSignal,
  tell: (read: Read) => void,
): Promise<void> {
  let rows = before?.rows ?? [];
  let cursor = before?.cursor ?? null;
  const end = rows.length >= MOST ? rows.length + PORTION : MOST;
  try {
    do {
      const page = await get(
        "/api/traces",
        {
          q: asked.q,
          start: asked.start,
          end: asked.end,
          order: asked.order === "oldest" ? "oldest" : "newest",
          limit: rows.length === 0 && asked.order !== "random" ? FIRST : PORTION,
          ...(cursor === null ? {} : { cursor }),
        },
        { signal, project: asked.project },
      );
      rows = [...rows, ...page.items];
      cursor = page.cursor;
      tell({ key, rows, cursor, done: cursor === null || rows.length >= end, error: undefined });
    } while (cursor !== null && rows.length < end);
  } catch (failure) {
    if (signal.aborted) return;
    tell({ key, rows, cursor, done: true, error: errorOf(failure) });
  }
}

export function errorOf(failure: unknown): ApiError {
  return isApiError(failure) ? failure : { status: 0, code: "failed", message: String(failure) };
}

// --- the conversation of one trace

export interface Shown {
  readonly trace: TraceRow | null;
  readonly conversation: Conversation;
  /** Scores of the queue's name that it has, the newest first. */
  readonly scores: readonly ScoreRow[];
  /** Fields that were cut because they are large. */
  readonly cut: boolean;
}

interface Entry {
  readonly asked: Promise<void>;
  value?: Shown;
  error?: ApiError;
}

const KEPT = 24;
const entries = new Map<string, Entry>();
const keyOf = (project: string, item: Item, name: string): string => `${project}\n${item.id}\n${name}`;

/** Read a trace's conversation once; reading the next one ahead is the same call. */
export function readAhead(project: string, item: Item, name: string): Entry {
  const key = keyOf(project, item, name);
  const known = entries.get(key);
  if (known) return known;
  const entry: Entry = {
    asked: read(project, item, name).then(
      (value) => void (entry.value = value),
      (failure: unknown) => {
        entry.error = errorOf(failure);
        entries.delete(key); // so that it is asked again
      },
    ),
  };
  entries.set(key, entry);
  for (const old of entries.keys()) {
    if (entries.size <= KEPT) break;
    entries.delete(old);
  }
  return entry;
}

/** The conversation of a trace, at once where it was read ahead. */
export function useShown(project: string, item: Item | undefined, name: string): Partial<Entry> & { retry(): void } {
  const [, redraw] = useState(0);
  const [held, hold] = useState<{ key: string; entry: Entry } | undefined>();
  const key = item ? keyOf(project, item, name) : "";
  const entry = held?.key === key ? held.entry : entries.get(key);
  useEffect(() => {
    if (!item) return;
    let gone = false;
    const own = readAhead(project, item, name);
    hold({ key, entry: own });
    void own.asked.then(() => !gone && redraw((n) => n + 1));
    return () => {
      gone = true;
    };
  }, [key]);
  return {
    ...entry,
    retry: () => {
      if (!item) return;
      const own = readAhead(project, item, name);
      hold({ key, entry: own });
      void own.asked.then(() => redraw((n) => n + 1));
    },
  };
}

async function read(project: string, item: Item, name: string): Promise<Shown> {
  const pathParams = { trace_id: item.id };
  const [columns, scores, whole] = await Promise.all([
    get("/api/traces/{trace_id}/skeleton", {}, { project, pathParams }),
    get("/api/scores", { trace_id: item.id, name, limit: 50 }, { project }),
    item.row ? undefined : get("/api/traces/{trace_id}", { limit: 1 }, { project, pathParams }),
  ]);
  const details = await readTelling(project, columns);
  return {
    trace: item.row ?? whole?.trace ?? null,
    conversation: bestOf(details.map((detail) => conversationOf(turnsOf(detail.messages)))),
    scores: scores.items,
    cut: details.some((detail) => detail.cut.some((field) => field.field.startsWith("messages."))),
  };
}

async function readTelling(project: string, columns: Columns): Promise<SpanDetail[]> {
  const { root, call } = tellingSpans(columns);
  const ids = [...new Set([root, call])].flatMap((at) => columns.span_id[at] ?? []);
  return Promise.all(
    ids.map((span_id) =>
      get("/api/spans/{trace_id}/{span_id}", {}, { project, pathParams: { trace_id: columns.trace_id, span_id } }),
    ),
  );
}

/** What the root says it was asked and answered, with the steps of the call; else all of the call's. */
function bestOf(found: readonly Conversation[]): Conversation {
  const [root, call] = found;
  if (!root) return conversationOf([]);
  if (!call) return root;
  if (root.question.length === 0 && root.answer.length === 0) return call;
  return {
    context: call.context,
    question: root.question.length > 0 ? root.question : call.question,
    steps: call.steps,
    answer: root.answer.length > 0 ? root.answer : call.answer,
  };
}

/** Traces that somebody gave a score of this name since midnight. */
export function useToday(project: string, name: string, author: string): ReadonlySet<string> {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    setIds(new Set());
    if (name === "" || author === "") return;
    const asking = new AbortController();
    const midnight = new Date().setHours(0, 0, 0, 0);
    const q = `attr.vestigo.author="${author.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
    get("/api/scores", { q, name, start: `${midnight}000000`, limit: 1_000 }, { project, signal: asking.signal }).then(
      (page) => setIds(new Set(page.items.flatMap((row) => row.trace_id ?? []))),
      () => undefined, // the count is missing then, and nothing else
    );
    return () => asking.abort();
  }, [project, name, author]);
  return ids;
}
