// What was said to a model and by it: OpenTelemetry's message parts as turns of a chat. Calls of tools find their
// results, a beginning that an earlier call already had is recognised, and what has no known form is kept as it is.
import { jsonText } from "./json";

export interface MessageLists {
  readonly input: readonly unknown[];
  readonly output: readonly unknown[];
  readonly system: readonly unknown[];
}

export type Role = "system" | "user" | "assistant" | "tool" | "other";

export interface Media {
  readonly modality: string;
  readonly mimeType: string;
  readonly where: "inline" | "address" | "file";
  /** Base64 text, an address that is never loaded, or the id of a stored file. */
  readonly content: string;
}

export interface Call {
  readonly type: "call";
  readonly id: string;
  readonly name: string;
  readonly args: unknown;
  readonly result: Result | null;
}

export interface Result {
  readonly type: "result";
  readonly id: string;
  /** The tool's, from the message or from the call that it answers; empty if neither tells. */
  readonly name: string;
  readonly value: unknown;
  /** Shown below its call, so not again where it stands. */
  readonly paired: boolean;
}

export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "refusal"; readonly text: string }
  | { readonly type: "media"; readonly media: Media }
  | { readonly type: "unknown"; readonly name: string; readonly value: unknown }
  | Call
  | Result;

export interface Turn {
  readonly role: Role;
  /** The role as it was told, for roles that are none of ours. */
  readonly told: string;
  /** Of a person or agent, where it is told. */
  readonly name: string;
  readonly parts: readonly Part[];
  readonly side: "input" | "output";
  readonly finish: string;
  /** About how much there is to read. */
  readonly chars: number;
  /** The message as it was told. */
  readonly raw: unknown;
}

const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  ai: "assistant",
  model: "assistant",
  tool: "tool",
  function: "tool",
};

/** The turns of a call in order: system instructions, what was sent, what came back. Results stand with their calls. */
export function turnsOf(said: MessageLists): Turn[] {
  const turns: Turn[] = [];
  if (said.system.length > 0) turns.push(...systemTurns(said.system));
  for (const message of said.input) turns.push(turnOf(message, "input", "user"));
  for (const message of said.output) turns.push(turnOf(message, "output", "assistant"));
  return paired(turns);
}

/** Messages alone, as one side of a conversation. */
export function turnsOfList(messages: readonly unknown[], side: Turn["side"]): Turn[] {
  return messages.map((message) => turnOf(message, side, side === "input" ? "user" : "assistant"));
}

function systemTurns(system: readonly unknown[]): Turn[] {
  // parts of the instructions, or, from some dialects, whole messages
  if (system.some((item) => isRecord(item) && Array.isArray(item["parts"]))) {
    return system.map((item) => turnOf(item, "input", "system"));
  }
  return [turnOf({ role: "system", parts: system }, "input", "system")];
}

export function turnOf(message: unknown, side: Turn["side"], role: Role): Turn {
  const held: Record<string, unknown> = isRecord(message) ? message : { parts: [message] };
  const told = text(held["role"]) || role;
  const parts = Array.isArray(held["parts"]) ? held["parts"].map(partOf) : partsOfContent(held);
  return {
    role: (Object.hasOwn(ROLES, told.toLowerCase()) ? ROLES[told.toLowerCase()] : undefined) ?? "other",
    told,
    name: text(held["name"]),
    parts,
    side,
    finish: text(held["finish_reason"]),
    chars: parts.reduce((sum, part) => sum + charsOf(part), 0),
    raw: message,
  };
}

/** A message without parts: its content if that is text or a list, and all of it if it is anything else. */
function partsOfContent(held: Record<string, unknown>): Part[] {
  const { role: _role, content, name: _name, finish_reason: _finish, ...rest } = held;
  const parts: Part[] = [];
  if (Array.isArray(content)) parts.push(...content.map(partOf));
  else if (content !== undefined && content !== null && content !== "") parts.push(partOf(content));
  if (Object.keys(rest).length > 0) parts.push({ type: "unknown", name: "", value: rest });
  return parts;
}

export function partOf(part: unknown): Part {
  if (typeof part === "string") return { type: "text", text: part };
  if (!isRecord(part)) return { type: "unknown", name: "", value: part };
  const type = text(part["type"]);
  const content = part["content"] ?? part["text"];
  switch (type) {
    case "text":
    case "reasoning":
    case "refusal":
      if (typeof content === "string") return { type, text: content };
      return { type: "unknown", name: type, value: content ?? part };
    case "tool_call":
      return call(part, part["arguments"]);
    case "server_tool_call":
      return call(part, part["server_tool_call"]);
    case "tool_call_response":
      return result(part, part["response"] ?? part["result"]);
    case "server_tool_call_response":
      return result(part, part["server_tool_call_response"]);
    case "blob":
      return media(part, "inline", part["content"]);
    case "uri":
      return media(part, "address", part["uri"]);
    case "file":
      return media(part, "file", part["file_id"]);
    default:
      return { type: "unknown", name: text(part["generic_type"]) || type, value: part };
  }
}

function call(part: Record<string, unknown>, args: unknown): Part {
  return { type: "call", id: text(part["id"]), name: text(part["name"]), args: read(args), result: null };
}

function result(part: Record<string, unknown>, value: unknown): Part {
  return { type: "result", id: text(part["id"]), name: text(part["name"]), value: read(value), paired: false };
}

function media(part: Record<string, unknown>, where: Media["where"], content: unknown): Part {
  if (typeof content !== "string") return { type: "unknown", name: text(part["type"]), value: part };
  const mimeType = text(part["mime_type"]);
  const modality = text(part["modality"]) || mimeType.split("/")[0] || "file";
  return { type: "media", media: { modality, mimeType, where, content } };
}

/** JSON text as what it holds, so that arguments look the same however a provider tells them. */
function read(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[{[]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** Results joined to the calls before them: by id, and by order where nothing has an id. */
function paired(turns: readonly Turn[]): Turn[] {
  const open = new Map<string, { turn: number; part: number; name: string }[]>();
  const results = new Map<string, Result>();
  const renamed = new Map<string, Result>();
  turns.forEach((turn, turnAt) => {
    turn.parts.forEach((part, partAt) => {
      if (part.type === "call") {
        const waiting = open.get(part.id) ?? [];
        waiting.push({ turn: turnAt, part: partAt, name: part.name });
        open.set(part.id, waiting);
      } else if (part.type === "result") {
        const place = open.get(part.id)?.shift();
        if (place === undefined) return;
        const made: Result = { ...part, name: part.name || place.name, paired: true };
        results.set(`${place.turn} ${place.part}`, made);
        renamed.set(`${turnAt} ${partAt}`, made);
      }
    });
  });
  if (results.size === 0) return [...turns];
  return turns.map((turn, turnAt) => ({
    ...turn,
    parts: turn.parts.map((part, partAt) => {
      if (part.type === "call") return { ...part, result: results.get(`${turnAt} ${partAt}`) ?? null };
      return part.type === "result" ? (renamed.get(`${turnAt} ${partAt}`) ?? part) : part;
    }),
  }));
}

/** Whether everything in a turn is shown below the calls it answers. */
export function isAnswered(turn: Turn): boolean {
  return turn.parts.length > 0 && turn.parts.every((part) => part.type === "result" && part.paired);
}

const hashes = new WeakMap<Turn, string>();

/** Of role and content: equal messages have equal ones. Worked out when it is asked for, since most never are. */
export function turnHash(turn: Turn): string {
  const known = hashes.get(turn);
  if (known !== undefined) return known;
  const held: Record<string, unknown> = isRecord(turn.raw) ? turn.raw : { parts: [turn.raw] };
  const made = hashOf([turn.told, held["parts"] ?? held["content"] ?? held]);
  hashes.set(turn, made);
  return made;
}

/** How many turns at the beginning an earlier call already had, in what it was told or what it answered. */
export function sharedTurns(turns: readonly Turn[], before: readonly Turn[]): number {
  let at = 0;
  while (at < turns.length && at < before.length) {
    const turn = turns[at];
    const other = before[at];
    if (turn === undefined || other === undefined || turn.side === "output" || turnHash(turn) !== turnHash(other))
      break;
    at += 1;
  }
  return at;
}

/** What a turn costs in elements, about: pages stay below a number of them by showing a window of a long chat. */
export function elementsOf(turn: Turn): number {
  return turn.parts.reduce(
    (sum, part) => sum + (part.type === "text" ? 4 + Math.min(part.text.length, 4_000) / 40 : 22),
    14,
  );
}

/** Where a window of turns that ends before `end` begins, so that it has at most `budget` elements; at least one turn. */
export function windowStart(turns: readonly Turn[], end: number, budget: number): number {
  let left = budget;
  let at = end;
  while (at > 0) {
    const turn = turns[at - 1];
    left -= turn === undefined ? 0 : elementsOf(turn);
    if (left < 0 && at < end) break;
    at -= 1;
  }
  return at;
}

/** What a call adds to the calls before it, whose turns are in `seen`, and remembers it there. */
export function newTurns(turns: readonly Turn[], seen: Set<string>): Turn[] {
  const newest = turns.findLastIndex((turn) => turn.side === "input");
  const known = turns.map((turn) => seen.has(turnHash(turn)));
  for (const turn of turns) seen.add(turnHash(turn));
  if (newest === 0 && turns[0]?.role === "system" && known[0]) return turns.slice(1);
  // All up to the last message that is known is history, with what came between, such as results of tools that went to
  // a call which is not shown. Never the newest message, since "yes" may be said twice; and nothing new that a person said.
  const from = known.lastIndexOf(true, newest - 1) + 1;
  if (newest <= 0 || from === 0) return [...turns];
  return turns.filter((turn, at) => at >= from || (turn.role === "user" && !known[at]));
}

/** A text of all that a turn says, for previews, copies and searches. */
export function turnText(turn: Turn): string {
  return turn.parts.map(partText).filter(Boolean).join("\n\n");
}

export function partText(part: Part): string {
  switch (part.type) {
    case "text":
    case "reasoning":
    case "refusal":
      return part.text;
    case "call":
      return `${part.name}(${typeof part.args === "string" ? part.args : jsonText(part.args ?? {}, 0)})`;
    case "result":
      return typeof part.value === "string" ? part.value : jsonText(part.value);
    case "media":
      return `[${part.media.modality} ${part.media.mimeType}]`;
    case "unknown":
      return jsonText(part.value);
  }
}

function charsOf(part: Part): number {
  if (part.type === "text" || part.type === "reasoning" || part.type === "refusal") return part.text.length;
  if (part.type === "media") return part.media.where === "inline" ? part.media.content.length : 0;
  const value = part.type === "call" ? part.args : part.value;
  return charsOfValue(value);
}

/** About the characters of a value's JSON; of a large one only the beginning is counted. */
function charsOfValue(value: unknown): number {
  let chars = 0;
  const waiting: unknown[] = [value];
  for (let steps = 0; steps < 5_000; steps += 1) {
    if (waiting.length === 0) break;
    const held = waiting.pop();
    if (typeof held === "string") chars += held.length + 2;
    else if (typeof held !== "object" || held === null) chars += 4;
    else {
      const items = Array.isArray(held) ? held.slice(0, 5_000) : Object.entries(held).slice(0, 5_000).flat();
      for (const item of items) waiting.push(item);
    }
  }
  return chars;
}

/** Images that browsers draw without running anything. SVG is not among them: it is a document. */
const IMAGES: Readonly<Record<string, string>> = {
  "image/png": "iVBORw0KGgo",
  "image/jpeg": "/9j/",
  "image/jpg": "/9j/",
  "image/gif": "R0lGOD",
  "image/webp": "UklGR",
};
const MOST_IMAGE = 8_000_000;
const MOST_PIXELS = 50_000_000;

/** A `data:` address for an inline picture that may be drawn, else null. The content must be what its type says. */
export function pictureOf(media: Media): string | null {
  if (media.where !== "inline" || media.content.length > MOST_IMAGE) return null;
  const content = media.content.replaceAll(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(content)) return null;
  const told = Object.hasOwn(IMAGES, media.mimeType.toLowerCase()) ? media.mimeType.toLowerCase() : "";
  const found = Object.keys(IMAGES).find((type) => content.startsWith(IMAGES[type] ?? "?"));
  if (found === undefined || (told !== "" && IMAGES[told] !== IMAGES[found])) return null;
  if (told === "" && media.mimeType !== "" && media.mimeType !== "image/*") return null;
  if (found === "image/png" && pngPixels(content) > MOST_PIXELS) return null;
  return `data:${found};base64,${content}`;
}

/** Width times height of a PNG: some kilobytes can be gigabytes once drawn. */
function pngPixels(content: string): number {
  const head = atob(content.slice(0, 32));
  const word = (at: number): number =>
    [0, 1, 2, 3].reduce((sum, byte) => sum * 256 + (head.charCodeAt(at + byte) || 0), 0);
  return word(16) * word(20);
}

/** 64 bits of a value's content, as text. Not for secrets: it tells equal from not equal among one trace's messages. */
export function hashOf(value: unknown): string {
  let written: string;
  try {
    written = canonical(value, 0);
  } catch {
    written = "deep";
  }
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < written.length; at += 1) {
    const code = written.charCodeAt(at);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return `${(b >>> 0).toString(36)}${(a >>> 0).toString(36)}${written.length.toString(36)}`;
}

/** JSON with names in order, and arguments that are JSON text read first, since providers tell them either way. */
function canonical(value: unknown, depth: number): string {
  if (depth > 200) return "deep";
  // a long text is told alike each time, and reading it as JSON to make sure would take longer than showing it
  const held = typeof value === "string" && value.length > 20_000 ? value : read(value);
  if (Array.isArray(held)) return `[${held.map((item) => canonical(item, depth + 1)).join()}]`;
  if (!isRecord(held)) return JSON.stringify(held) ?? "null";
  const names = Object.keys(held).filter((name) => held[name] !== null && held[name] !== undefined);
  return `{${names
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(held[name], depth + 1)}`)
    .join()}}`;
}

const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
