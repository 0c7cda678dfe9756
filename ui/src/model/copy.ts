// A span or a trace as text to take along: Markdown for people, JSON for programs, Python that does it again. What a
// span says is hostile here too: it stands in string literals, fenced code and single lines, never as code or markup.
import type { SpanDetail, SpanRow, WholeTrace } from "../api/types";
import { count, milliseconds, moment, usd } from "./format";
import { jsonText, unwrapped } from "./json";
import { isAnswered, type Part, partText, type Turn, turnsOf } from "./messages";

export function spanJson(detail: SpanDetail): string {
  return jsonText(detail);
}

export function spanMarkdown(detail: SpanDetail): string {
  const { span } = detail;
  const lines = [`## ${line(span.name)}`, "", summary(span), ""];
  if (span.error_message) lines.push(`**Error:** ${line(span.error_message)}`, "");
  // results stand below their calls
  for (const turn of turnsOf(detail.messages).filter((one) => !isAnswered(one)))
    lines.push(`### ${turn.role}`, "", ...turn.parts.map(partMarkdown), "");
  for (const event of detail.events) {
    lines.push(`### event: ${line(event.name)}`, "", fenced(jsonText(event.attributes), "json"), "");
  }
  if (Object.keys(detail.attributes).length > 0) {
    const shown = Object.entries(detail.attributes).filter(([name]) => !MESSAGES.has(name));
    lines.push("### attributes", "", fenced(jsonText(Object.fromEntries(shown)), "json"), "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

/** A trace as a list that is indented as its spans are nested. Spans whose parent is not there stand at the left. */
export function traceMarkdown(whole: WholeTrace): string {
  const { trace, spans } = whole;
  const below = new Map<string, SpanRow[]>();
  const known = new Set(spans.map((span) => span.span_id));
  for (const span of spans) {
    const parent = span.parent_id !== null && known.has(span.parent_id) ? span.parent_id : "";
    const siblings = below.get(parent);
    if (siblings === undefined) below.set(parent, [span]);
    else siblings.push(span);
  }
  const lines = [`# ${line(trace?.name ?? spans[0]?.name ?? "trace")}`, ""];
  if (trace !== null) {
    const told = [
      `trace \`${trace.trace_id}\``,
      moment(trace.start_ns),
      milliseconds(trace.duration_ms),
      `${count(trace.spans)} spans`,
      `${count(trace.calls)} model calls`,
      `${count(trace.input_tokens + trace.output_tokens)} tokens`,
      usd(trace.cost_usd),
      trace.errors > 0 ? `${count(trace.errors)} errors` : "",
    ];
    lines.push(told.filter(Boolean).join(" · "), "");
    if (trace.error_message) lines.push(`**Error:** ${line(trace.error_message)}`, "");
  }
  // below the roots lie all spans once more: those that name each other as parents hang below nothing, and come last
  const waiting = [...(below.get("") ?? []), ...spans].map((span) => ({ span, depth: 0 })).toReversed();
  const seen = new Set<SpanRow>();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { span, depth } = next;
    if (seen.has(span)) continue;
    seen.add(span);
    const indent = "  ".repeat(Math.min(depth, 30));
    lines.push(`${indent}- ${span.status === "ERROR" ? "✕ " : ""}**${line(span.name)}** ${summary(span)}`);
    if (span.error_message) lines.push(`${indent}  - error: ${line(span.error_message)}`);
    if (span.input_preview) lines.push(`${indent}  - in: ${line(span.input_preview)}`);
    if (span.output_preview) lines.push(`${indent}  - out: ${line(span.output_preview)}`);
    for (const child of (below.get(span.span_id) ?? []).toReversed()) waiting.push({ span: child, depth: depth + 1 });
  }
  if (whole.cursor !== null) lines.push("", `(the first ${count(spans.length)} spans)`);
  return `${lines.join("\n")}\n`;
}

/** Python that makes a model call again by the openai client, or reads the span by the API where it is no call. */
export function spanSnippet(detail: SpanDetail, origin: string, project: string): string {
  const turns = turnsOf(detail.messages);
  const isCall = detail.normal.kind === "llm" && turns.some((turn) => turn.side === "input");
  return isCall ? callSnippet(detail, turns) : readSnippet(detail.span, origin, project);
}

function callSnippet(detail: SpanDetail, turns: readonly Turn[]): string {
  const { normal, span } = detail;
  const provider = normal.provider ?? "openai";
  const model = normal.request_model ?? normal.response_model ?? "gpt-4o-mini";
  const messages = turns.filter((turn) => turn.side === "input").flatMap(openaiMessages);
  const tools = detail.messages.tools.map(openaiTool).filter((tool) => tool !== null);
  const args: [string, unknown][] = [
    ["model", model],
    ["messages", messages],
  ];
  if (tools.length > 0) args.push(["tools", tools]);
  for (const [name, asked] of PARAMETERS) {
    const value = detail.attributes[`gen_ai.request.${name}`];
    if (value !== undefined && value !== null) args.push([asked, value]);
  }
  const lines = [`# ${line(span.name)}, span ${span.span_id} of trace ${span.trace_id}`];
  if (!provider.includes("openai"))
    lines.push(`# it was sent to ${line(provider)}: set base_url to an address that speaks OpenAI's API`);
  if (detail.cut.length > 0) lines.push("# long values were cut: what follows is not all that was sent");
  lines.push(
    "import openai",
    "",
    "client = openai.OpenAI()  # reads OPENAI_API_KEY",
    "answer = client.chat.completions.create(",
    ...args.map(([name, value]) => `    ${name}=${python(value, 1)},`),
    ")",
    "print(answer.choices[0].message)",
  );
  return `${lines.join("\n")}\n`;
}

function readSnippet(span: SpanRow, origin: string, project: string): string {
  const told = [`# ${line(span.name)}, by ${KEY}`];
  const path = `spans/${span.trace_id}/${span.span_id}`;
  return reading(told, "span", apiAddress(origin, path, project), ['print(span["span"]["name"], span["attributes"])']);
}

/** Python that reads a trace by the API. */
export function traceSnippet(traceId: string, origin: string, project: string): string {
  const told = [`# reads a trace from Vestigo, by ${KEY}`];
  return reading(told, "trace", apiAddress(origin, `traces/${encodeURIComponent(traceId)}`, project), [
    'for span in trace["spans"]:',
    '    print(span["start_ns"], span["kind"], span["name"], span["duration_ms"], span["status"])',
  ]);
}

const KEY = "a key with the scope read: Settings, or `vestigo key create me --scopes read`";

function apiAddress(origin: string, path: string, project: string): string {
  return `${origin.replace(/\/?$/, "/")}api/${path}?project=${encodeURIComponent(project)}`;
}

/** The address stands in a string literal: ids are text of somebody else. */
function reading(told: readonly string[], name: string, address: string, then: readonly string[]): string {
  return [
    ...told,
    "import json",
    "import os",
    "import urllib.request",
    "",
    `request = urllib.request.Request(${python(address, 0)})`,
    'request.add_header("Authorization", f"Bearer {os.environ[\'VESTIGO_API_KEY\']}")',
    "with urllib.request.urlopen(request) as response:",
    `    ${name} = json.load(response)`,
    ...then,
    "",
  ].join("\n");
}

const MESSAGES: ReadonlySet<string> = new Set([
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.system_instructions",
  "gen_ai.tool.definitions",
]);

const PARAMETERS = [
  ["temperature", "temperature"],
  ["top_p", "top_p"],
  ["max_tokens", "max_tokens"],
  ["seed", "seed"],
  ["stop_sequences", "stop"],
  ["frequency_penalty", "frequency_penalty"],
  ["presence_penalty", "presence_penalty"],
  ["choice.count", "n"],
] as const;

function openaiTool(tool: unknown): unknown {
  if (typeof tool !== "object" || tool === null || !("name" in tool)) return null;
  const { type: _type, ...rest } = tool as Record<string, unknown>;
  return { type: "function", function: rest };
}

/** A turn as messages of Chat Completions: results of tools are messages of their own there. */
function openaiMessages(turn: Turn): Record<string, unknown>[] {
  const made: Record<string, unknown>[] = [];
  const calls: unknown[] = [];
  const content: Record<string, unknown>[] = [];
  for (const part of turn.parts) {
    if (part.type === "result") made.push({ role: "tool", tool_call_id: part.id, content: partText(part) });
    else if (part.type === "call") {
      const args = typeof part.args === "string" ? part.args : jsonText(part.args ?? {}, 0);
      calls.push({ id: part.id, type: "function", function: { name: part.name, arguments: args } });
    } else if (part.type !== "reasoning") content.push(openaiContent(part));
  }
  if (content.length > 0 || calls.length > 0) {
    const only = content.every((item) => item["type"] === "text");
    const told = only ? content.map((item) => item["text"]).join("\n") : content;
    const role = turn.role === "other" ? turn.told : turn.role;
    made.unshift({
      role,
      content: content.length === 0 ? null : told,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    });
  }
  return made;
}

function openaiContent(part: Part): Record<string, unknown> {
  if (part.type === "media" && part.media.modality === "image" && part.media.where !== "file") {
    const { where, mimeType, content } = part.media;
    const url = where === "inline" ? `data:${mimeType || "image/png"};base64,${content}` : content;
    return { type: "image_url", image_url: { url } };
  }
  return { type: "text", text: partText(part) };
}

/** A value as a Python literal. JSON's string literals are Python's too. */
export function python(value: unknown, depth: number): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "None";
  if (typeof value === "string") return literal(value);
  if (depth > 40) return literal("(nested too deep)");
  const indent = "    ".repeat(depth + 1);
  const items = Array.isArray(value)
    ? value.map((item) => python(item, depth + 1))
    : Object.entries(value as object).map(([name, item]) => `${literal(name)}: ${python(item, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const flat = `${open}${items.join(", ")}${close}`;
  if (flat.length + indent.length <= 100 && !flat.includes("\n")) return flat;
  return `${open}\n${items.map((item) => `${indent}${item},\n`).join("")}${"    ".repeat(depth)}${close}`;
}

const literal = (text: string): string => JSON.stringify(text).replaceAll("\u007f", "\\u007f");

function partMarkdown(part: Part): string {
  switch (part.type) {
    case "text":
    case "refusal":
      return quotedBlock(part.text);
    case "reasoning":
      return `*reasoning*\n\n${quotedBlock(part.text)}`;
    case "call": {
      const result = part.result === null ? "" : `\n\nresult:\n\n${fenced(partText(part.result), "")}`;
      return `call \`${line(part.name)}\`\n\n${fenced(jsonText(unwrapped(part.args)), "json")}${result}`;
    }
    case "result":
      return part.paired ? "" : fenced(partText(part), "");
    case "media":
      return `(${line(part.media.modality)} ${line(part.media.mimeType)})`;
    case "unknown":
      return fenced(jsonText(part.value), "json");
  }
}

function summary(span: SpanRow): string {
  const tokens = (span.input_tokens ?? 0) + (span.output_tokens ?? 0);
  return [
    span.kind,
    span.model ?? "",
    milliseconds(span.duration_ms),
    tokens > 0 ? `${count(tokens)} tokens` : "",
    span.cost_usd === null ? "" : usd(span.cost_usd),
    span.status === "ERROR" ? "error" : "",
  ]
    .filter(Boolean)
    .map(line)
    .join(" · ");
}

/** On one line, so that a name can neither end a comment nor begin a heading. */
const line = (text: string): string => text.replaceAll(/\s+/g, " ").slice(0, 500);

const quotedBlock = (text: string): string => text.replaceAll(/^/gm, "> ");

/** Fenced by more backticks than the text has in a row. */
function fenced(text: string, language: string): string {
  const longest = (text.match(/`{3,}/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2);
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}
