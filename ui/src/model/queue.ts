// The annotation queue without a page: what an answer may be, which traces it is about, in which order, and what of a
// trace is shown to whoever answers. Pure.
import type { Columns } from "../api/types";
import { append } from "./query";
import { type Call, isAnswered, partText, type Turn } from "./messages";

export interface Choice {
  /** The key that gives it. */
  readonly key: string;
  readonly label: string;
  readonly value: string | number | boolean;
}

export const YES_NO = "yes/no";
const RANGE = /^(\d)-(\d)$/;
const MOST = 9;

/** What the address says may be answered: `good,bad,unsure`, `yes/no`, or numbers such as `1-5`. */
export function choicesOf(labels: string): Choice[] {
  const told = labels.trim();
  const made = (label: string, value: Choice["value"], at: number): Choice => ({ key: String(at + 1), label, value });
  if (told === YES_NO) return [made("yes", true, 0), made("no", false, 1)];
  const range = RANGE.exec(told);
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    const numbers = Array.from({ length: Math.max(0, high - low + 1) }, (_, at) => low + at);
    // a number above 0 is its own key
    return numbers.slice(0, MOST).map((n, at) => ({ key: String(low > 0 ? n : at + 1), label: String(n), value: n }));
  }
  const names = told.split(",").map((name) => name.trim());
  return [...new Set(names.filter((name) => name !== ""))].slice(0, MOST).map((name, at) => made(name, name, at));
}

/** Why a queue cannot begin with these; empty if it can. */
export function mistakeIn(name: string, labels: string): string {
  if (name.trim() === "") return "give the score a name, such as helpful";
  if (name.length > 200) return "a name has at most 200 characters";
  const told = labels.trim();
  const range = RANGE.exec(told);
  if (range && Number(range[2]) <= Number(range[1])) return `${told} is no range; write the lower number first`;
  const given = told.split(",").filter((label) => label.trim() !== "").length;
  if (!range && told !== YES_NO && given > MOST) return `${given} labels are more than the keys 1 to ${MOST}`;
  if (choicesOf(labels).length < 2) return "give at least two labels, by comma";
  return choicesOf(labels).some(({ label }) => label.length > 200) ? "a label has at most 200 characters" : "";
}

/** How a stored score reads among the choices: 1 is yes where yes and no are asked for. */
export function readAs(choices: readonly Choice[], value: number | null, label: string | null): string {
  const found = choices.find((choice) =>
    typeof choice.value === "string" ? choice.value === label : label === null && Number(choice.value) === value,
  );
  return found?.label ?? label ?? (value === null ? "" : String(Math.round(value * 1_000) / 1_000));
}

const PLAIN_KEY = /^[\w./@%$-]+$/;

/** A score's field in a filter text. */
export function scoreField(name: string): string {
  return PLAIN_KEY.test(name) ? `score.${name}` : `score."${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** The filter of the traces to work through: those that match and, unless all are asked for, have no such score. */
export function queueFilter(q: string, name: string, all: boolean): string {
  return all ? q.trim() : append(q, `-${scoreField(name)}:*`);
}

/** Ids in an order that depends on them and the seed alone, so that a link shows the same to everybody. */
export function shuffled<T>(items: readonly T[], idOf: (item: T) => string, seed: string): T[] {
  return items
    .map((item) => ({ item, at: mixed(`${seed} ${idOf(item)}`) }))
    .toSorted((one, two) => one.at - two.at)
    .map(({ item }) => item);
}

/** 32 bits of a text, well spread. Source: FNV-1a with the finish of MurmurHash3. */
function mixed(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// --- which spans tell what was said

/** The root, and the call that knows most of the conversation: the last one among those nearest to the root. */
export function tellingSpans(columns: Columns): { root: number; call: number } {
  const { parent, kinds, kind, start_us: start } = columns;
  const depths = depthsOf(parent);
  let root = -1;
  let call = -1;
  for (let at = 0; at < parent.length; at += 1) {
    if (depths[at] === 0 && (root < 0 || (start[at] ?? 0) < (start[root] ?? 0))) root = at;
    if (kinds[kind[at] ?? -1] !== "llm") continue;
    const nearer = call < 0 ? 1 : (depths[call] ?? 0) - (depths[at] ?? 0);
    if (nearer > 0 || (nearer === 0 && (start[at] ?? 0) >= (start[call] ?? 0))) call = at;
  }
  return { root, call };
}

/** How far each span is from the top. A ring of parents ends somewhere. */
function depthsOf(parent: readonly number[]): Int32Array {
  const depths = new Int32Array(parent.length).fill(-1);
  for (let at = 0; at < parent.length; at += 1) {
    const path: number[] = [];
    let up = at;
    while (up >= 0 && depths[up] === -1) {
      depths[up] = -2; // on the path
      path.push(up);
      up = parent[up] ?? -1;
    }
    let depth = up >= 0 ? Math.max(0, depths[up] ?? 0) : -1;
    for (const one of path.toReversed()) depths[one] = depth += 1;
  }
  return depths;
}

// --- what is shown of it

export interface Conversation {
  /** Instructions and earlier turns, folded at first. */
  readonly context: readonly Turn[];
  readonly question: readonly Turn[];
  /** Calls of tools between question and answer, each with its result. */
  readonly steps: readonly Call[];
  readonly answer: readonly Turn[];
}

/** The last question of a person and what came of it. */
export function conversationOf(turns: readonly Turn[]): Conversation {
  const asked = turns.findLastIndex((turn) => turn.side === "input" && turn.role === "user" && !isAnswered(turn));
  const said = (turn: Turn): boolean =>
    turn.parts.some((part) => part.type !== "call" && part.type !== "result" && part.type !== "reasoning");
  const after = turns.slice(asked + 1);
  const answer = after.filter((turn) => turn.side === "output" && said(turn));
  const steps = after
    .filter((turn) => !answer.includes(turn))
    .flatMap((turn) => turn.parts.filter((part): part is Call => part.type === "call"));
  if (asked < 0) return { context: turns.filter((turn) => turn.side === "input"), question: [], steps, answer };
  return { context: turns.slice(0, asked), question: turns.slice(asked, asked + 1), steps, answer };
}

/** A text on one line, cut. */
export function oneLine(text: string, most: number): string {
  const flat = text
    .slice(0, most * 4)
    .replaceAll(/\s+/g, " ")
    .trim();
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat;
}

/** A call of a tool as a line: `look_up_order({"order":4711})`, and what came back. */
export function stepLine(step: Call): { call: string; result: string } {
  const result = step.result === null ? "" : oneLine(partText({ ...step.result, paired: false }), 160);
  return { call: oneLine(partText(step), 160), result };
}

/** What a fold of the context says of what is in it. */
export function contextLine(turns: readonly Turn[]): string {
  const system = turns.some((turn) => turn.role === "system");
  const rest = turns.filter((turn) => turn.role !== "system" && !isAnswered(turn)).length;
  const earlier = rest === 0 ? "" : rest === 1 ? "1 earlier message" : `${rest} earlier messages`;
  return [system ? "instructions" : "", earlier].filter(Boolean).join(" and ");
}
