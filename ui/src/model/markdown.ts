// Markdown as a tree of our own, made of marked's tokens and never of HTML: markup in the text stays text, links keep
// only addresses that cannot run anything, pictures are names of addresses. What is drawn is what is allowed here.
import { lexer, type Token, type Tokens } from "marked";

export type Inline =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "code"; readonly text: string }
  | { readonly type: "strong" | "em" | "del"; readonly inner: readonly Inline[] }
  | { readonly type: "link"; readonly href: string | null; readonly told: string; readonly inner: readonly Inline[] }
  | { readonly type: "image"; readonly address: string; readonly alt: string }
  | { readonly type: "break" };

export interface Item {
  /** Of a task list; null for other items. */
  readonly done: boolean | null;
  readonly blocks: readonly Block[];
}

export type Block =
  | { readonly type: "paragraph"; readonly inner: readonly Inline[] }
  | { readonly type: "heading"; readonly depth: number; readonly inner: readonly Inline[] }
  | { readonly type: "code"; readonly language: string; readonly text: string }
  | { readonly type: "quote"; readonly blocks: readonly Block[] }
  | { readonly type: "list"; readonly ordered: boolean; readonly start: number; readonly items: readonly Item[] }
  | {
      readonly type: "table";
      readonly align: readonly (string | null)[];
      readonly head: readonly (readonly Inline[])[];
      readonly rows: readonly (readonly (readonly Inline[])[])[];
    }
  | { readonly type: "rule" };

/** Above this a text is shown as text: nobody writes it as prose, and hostile text makes parsers slow. */
export const MOST_MARKDOWN = 60_000;
const MOST_DEPTH = 24;

/** The tree of a text; one paragraph of plain text where it is too long, too deep or strange to be read. */
export function readMarkdown(text: string): Block[] {
  if (text.length > MOST_MARKDOWN || isStrange(text)) return [plain(text)];
  try {
    const blocks = blocksOf(lexer(text, { gfm: true, breaks: true }), 0);
    return blocks.length === 0 && text.trim() !== "" ? [plain(text)] : blocks;
  } catch {
    return [plain(text)];
  }
}

/** Whether a text has marks that read better drawn; else nothing is lost by showing it as it is. */
export function looksLikeMarkdown(text: string): boolean {
  const head = text.slice(0, 4_000);
  return /^ {0,3}(?:#{1,6} |[-*+] |\d{1,3}[.)] |> |```|~~~|\|.+\|)|\*\*\S|__\S|`[^`\n]+`|\[[^\]\n]+\]\([^)\n]+\)/m.test(
    head,
  );
}

/** Marks of emphasis in one paragraph, above which nobody wrote it by hand. */
const MOST_MARKS = 500;

/** What makes the reader take quadratic time: long runs of opening marks, deep nests, paragraphs full of emphasis. */
function isStrange(text: string): boolean {
  if (/(?:[[(*_`~<!>]\s?){40}/.test(text) || /^(?:[ \t]*[-*+>]){24}/m.test(text) || /^\s{200}/m.test(text)) return true;
  let marks = 0;
  let inCode = false;
  for (const line of text.split("\n")) {
    if (/^ {0,3}(?:```|~~~)/.test(line)) inCode = !inCode;
    if (inCode || line.trim() === "") marks = 0;
    else for (const sign of line) if (sign === "*" || sign === "_") marks += 1;
    if (marks > MOST_MARKS) return true;
  }
  return false;
}

const plain = (text: string): Block => ({ type: "paragraph", inner: [{ type: "text", text }] });

/** The address of a link that may be followed: http, https or mailto, absolute; else null. */
export function safeHref(href: string): string | null {
  // control characters and spaces are dropped by browsers, so that "java\nscript:" would run
  for (let at = 0; at < href.length; at += 1) {
    const code = href.charCodeAt(at);
    if (code <= 0x20 || (code >= 0x7f && code <= 0xa0)) return null;
  }
  if (!/^(?:https?:\/\/|mailto:)/i.test(href)) return null;
  try {
    const url = new URL(href);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function blocksOf(tokens: readonly Token[], depth: number): Block[] {
  const blocks: Block[] = [];
  for (const token of tokens) {
    const made = depth > MOST_DEPTH ? plain(token.raw) : blockOf(token, depth);
    if (made !== null) blocks.push(made);
  }
  return blocks;
}

function blockOf(token: Token, depth: number): Block | null {
  switch (token.type) {
    case "space":
    case "def":
    case "checkbox":
      return null;
    case "heading": {
      const heading = token as Tokens.Heading;
      return { type: "heading", depth: heading.depth, inner: inlinesOf(heading.tokens, depth + 1) };
    }
    case "code": {
      const code = token as Tokens.Code;
      return { type: "code", language: (code.lang ?? "").split(/\s/)[0] ?? "", text: code.text };
    }
    case "blockquote":
      return { type: "quote", blocks: blocksOf((token as Tokens.Blockquote).tokens, depth + 1) };
    case "hr":
      return { type: "rule" };
    case "list": {
      const list = token as Tokens.List;
      const items = list.items.map((item) => ({
        done: item.task ? item.checked === true : null,
        blocks: blocksOf(item.tokens, depth + 1),
      }));
      return { type: "list", ordered: list.ordered, start: Number(list.start) || 1, items };
    }
    case "table": {
      const table = token as Tokens.Table;
      const cells = (row: readonly Tokens.TableCell[]): Inline[][] => row.map((cell) => inlinesOf(cell.tokens, depth));
      return { type: "table", align: table.align, head: cells(table.header), rows: table.rows.map(cells) };
    }
    case "paragraph":
    case "text": {
      const inner = (token as Tokens.Paragraph).tokens;
      if (inner === undefined) return plain((token as Tokens.Text).text);
      return { type: "paragraph", inner: inlinesOf(inner, depth + 1) };
    }
    default:
      return plain(token.raw.replace(/\n+$/, ""));
  }
}

function inlinesOf(tokens: readonly Token[], depth: number): Inline[] {
  if (depth > MOST_DEPTH) return tokens.map((token) => ({ type: "text", text: token.raw }));
  const made: Inline[] = [];
  for (const token of tokens) {
    const inline = inlineOf(token, depth);
    const last = made.at(-1);
    if (inline.type === "text" && last?.type === "text")
      made[made.length - 1] = { ...last, text: last.text + inline.text };
    else made.push(inline);
  }
  return made;
}

function inlineOf(token: Token, depth: number): Inline {
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return { type: token.type, inner: inlinesOf(token.tokens ?? [], depth + 1) };
    case "codespan":
      return { type: "code", text: (token as Tokens.Codespan).text };
    case "br":
      return { type: "break" };
    case "link": {
      const { href, tokens } = token as Tokens.Link;
      return { type: "link", href: safeHref(href), told: href, inner: inlinesOf(tokens, depth + 1) };
    }
    case "image": {
      const { href, text } = token as Tokens.Image;
      return { type: "image", address: href, alt: text };
    }
    case "escape":
      return { type: "text", text: (token as Tokens.Escape).text };
    case "text":
      return { type: "text", text: unescaped((token as Tokens.Text).text) };
    case "html":
      return /^<br\s*\/?>$/i.test(token.raw.trim()) ? { type: "break" } : { type: "text", text: token.raw };
    default:
      return { type: "text", text: token.raw };
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
  "&nbsp;": "\u00a0",
};

/** The entities that models write in prose, as their signs. What comes of it is a text node. */
const unescaped = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot|#39|nbsp);/g, (name) => ENTITIES[name] ?? name);
