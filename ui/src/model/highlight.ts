// Code as coloured pieces: one tokenizer for the languages that models answer in. It knows strings, numbers, comments
// and words, not grammar; what it does not know is plain. The pieces put together are the text again.

export type Colour = "plain" | "text" | "number" | "comment" | "word" | "name";

export interface Token {
  readonly colour: Colour;
  readonly text: string;
}

const WORDS = {
  python:
    "and as assert async await break case class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield self",
  script:
    "abstract as async await break case catch class const continue debugger default delete do else enum export extends false finally for from function if implements import in instanceof interface let new null of private protected public readonly return static super switch this throw true try type typeof undefined var void while yield",
  json: "true false null",
  sql: "add all alter and as asc begin between by case cast create cross current delete desc distinct drop else end exists false from full group having if in index inner insert into is join key left like limit not null offset on or order outer over partition primary references returning right select set table then true union unique update using values view when where with",
  shell:
    "case do done elif else esac export fi for function if in local return set then unset until while echo cd curl pip sudo",
} as const;

type Language = keyof typeof WORDS;

const NAMES: Readonly<Record<string, Language>> = {
  py: "python",
  python: "python",
  python3: "python",
  pycon: "python",
  js: "script",
  jsx: "script",
  javascript: "script",
  ts: "script",
  tsx: "script",
  typescript: "script",
  mjs: "script",
  json: "json",
  json5: "json",
  jsonc: "json",
  jsonl: "json",
  sql: "sql",
  sqlite: "sql",
  postgres: "sql",
  postgresql: "sql",
  mysql: "sql",
  sh: "shell",
  bash: "shell",
  shell: "shell",
  zsh: "shell",
  console: "shell",
};

const NUMBER = String.raw`(?<number>\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b)`;
const WORD = String.raw`(?<word>[A-Za-z_$][\w$]*)`;
const QUOTED = String.raw`"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?`;

const SHAPES: Readonly<Record<Language, RegExp>> = {
  python: shape(String.raw`#[^\n]*`, String.raw`[rbfuRBFU]{0,2}(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|${QUOTED})`),
  script: shape(String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)`, String.raw`${QUOTED}|${"`"}(?:[^${"`"}\\]|\\.)*${"`"}?`),
  json: shape(String.raw`\/\/[^\n]*`, String.raw`"(?:[^"\\\n]|\\.)*"?`),
  sql: shape(String.raw`--[^\n]*|\/\*[^]*?(?:\*\/|$)`, QUOTED),
  shell: shape(String.raw`(?<![\w$])#[^\n]*`, String.raw`"(?:[^"\\]|\\.)*"?|'[^']*'?`),
};

function shape(comment: string, text: string): RegExp {
  return new RegExp(`(?<comment>${comment})|(?<text>${text})|${NUMBER}|${WORD}`, "g");
}

const KNOWN = new Map<Language, ReadonlySet<string>>(
  Object.entries(WORDS).map(([language, words]) => [language as Language, new Set(words.split(" "))]),
);

/** Characters that are coloured; what comes after is plain, so that a megabyte of code stays one text node. */
export const MOST_COLOURED = 50_000;

export function isKnown(language: string): boolean {
  return Object.hasOwn(NAMES, language.toLowerCase());
}

/** Pieces of a code in a language by any of its usual names; one plain piece for a language that is not known. */
export function colour(code: string, language: string): Token[] {
  const name = language.toLowerCase();
  const known = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
  if (known === undefined || code === "") return code === "" ? [] : [{ colour: "plain", text: code }];
  const words = KNOWN.get(known) ?? new Set<string>();
  const tokens: Token[] = [];
  const head = code.slice(0, MOST_COLOURED);
  let plain = 0;
  const add = (from: number, to: number, made: Colour): void => {
    if (plain < from) tokens.push({ colour: "plain", text: head.slice(plain, from) });
    tokens.push({ colour: made, text: head.slice(from, to) });
    plain = to;
  };
  for (const found of head.matchAll(SHAPES[known])) {
    const to = found.index + found[0].length;
    const groups = found.groups ?? {};
    if (groups["comment"] !== undefined) add(found.index, to, "comment");
    else if (groups["number"] !== undefined) add(found.index, to, "number");
    else if (groups["text"] !== undefined) add(found.index, to, isKey(known, head, to) ? "name" : "text");
    else if (words.has(known === "sql" ? found[0].toLowerCase() : found[0])) add(found.index, to, "word");
    else if (head[to] === "(" && known !== "sql") add(found.index, to, "name");
  }
  if (plain < code.length) tokens.push({ colour: "plain", text: code.slice(plain) });
  return tokens;
}

const isKey = (language: Language, code: string, to: number): boolean =>
  language === "json" && /^\s{0,8}:/.test(code.slice(to, to + 9));
