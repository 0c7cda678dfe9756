// The detail of a span over answers of a server that is not there: its head, tabs, whole fields, scores, and waiting.
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { forget } from "../../src/api/client";
import { me } from "../../src/api/session";
import type { SpanDetail, SpanRow } from "../../src/api/types";
import { press } from "../../src/keys";
import { go, place } from "../../src/url";
import { Detail } from "../../src/views/trace/Detail";
import { button, click, show, words } from "../renderers/shown";

const TRACE = "a".repeat(32);

function row(more: Partial<SpanRow> = {}): SpanRow {
  return {
    trace_id: TRACE,
    span_id: "1".repeat(16),
    parent_id: "0".repeat(16),
    name: "chat gpt-4o",
    kind: "llm",
    span_kind: "CLIENT",
    start_ns: "1700000000000000000",
    end_ns: "1700000001000000000",
    duration_ms: 1_000,
    status: "UNSET",
    error_message: null,
    service: "shop",
    provider: "openai",
    model: "gpt-4o",
    input_tokens: 1_057,
    output_tokens: 214,
    cost_usd: 0.0033,
    ttft_ms: 400,
    session_id: "chat-1",
    user_id: "u7",
    tool: null,
    agent: null,
    counted: true,
    weight: 1,
    input_preview: "",
    output_preview: "",
    ...more,
  };
}

function detail(more: Partial<SpanDetail> = {}): SpanDetail {
  return {
    span: row(),
    attributes: { "gen_ai.request.model": "gpt-4o", step: 3 },
    resource: { "service.name": "shop" },
    scope_name: "",
    scope_version: "",
    trace_state: "",
    status_message: "",
    events: [],
    links: [],
    normal: {
      kind: "llm",
      usage: { input: 1_057, cache_read: 512, output: 214, reasoning: 96 },
      cost: { total_usd: 0.0033, source: "computed", price_id: "t" },
      ttft_s: 0.4,
    },
    messages: {
      system: [],
      input: [{ role: "user", parts: [{ type: "text", content: "How?" }] }],
      output: [{ role: "assistant", parts: [{ type: "text", content: "So." }] }],
      tools: [],
    },
    logs: [],
    more_logs: false,
    cut: [],
    ...more,
  };
}

let answers: Record<string, unknown> = {};
let sent: { url: string; body: unknown }[] = [];
/** Answers that a test holds back. */
let held: (() => void)[] = [];
let hold = "";

beforeEach(() => {
  answers = {};
  sent = [];
  held = [];
  hold = "";
  localStorage.clear();
  go("/p/shop/traces/" + TRACE, "replace");
  me.value = { name: "ann", grants: { shop: ["read", "write"] } } as unknown as NonNullable<typeof me.value>;
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    if (init.method === "POST") sent.push({ url, body: JSON.parse(String(init.body)) });
    const path = url.split("?")[0] ?? "";
    if (hold !== "" && path.includes(hold)) await new Promise<void>((done) => held.push(done));
    const known = Object.keys(answers).find((name) => url.startsWith(name));
    const body = known === undefined ? { error: { code: "not_found", message: `no ${path}` } } : answers[known];
    return new Response(JSON.stringify(body), { status: known === undefined ? 404 : 200 });
  });
});

afterEach(() => {
  // before the real fetch is back: what is still shown is asked again
  forget();
  show(<p />);
  vi.unstubAllGlobals();
});

const settle = (ms = 0): Promise<void> => act(() => new Promise((done) => setTimeout(done, ms)));
const spanPath = (id: string): string => `/api/spans/${TRACE}/${id}`;

/** Each test has spans of its own, since answers are kept. */
let number = 0;
async function draw(more: Partial<SpanDetail> = {}): Promise<{ box: HTMLElement; told: SpanDetail }> {
  number += 1;
  const made = detail(more);
  const told = { ...made, span: { ...made.span, span_id: number.toString(16).padStart(16, "0") } };
  answers[spanPath(told.span.span_id)] = told;
  const box = show(<Detail traceId={TRACE} spanId={told.span.span_id} kind={told.span.kind} />);
  await settle(100);
  await settle();
  return { box, told };
}

const tab = (): string => words(document.querySelector("[role=tab][aria-selected=true]")!);
const key = (name: string): void =>
  void act(() => void press(new KeyboardEvent("keydown", { key: name }), performance.now()));

test("the head tells kind, model, time, tokens with their parts, and cost", async () => {
  const { box } = await draw();
  const head = words(box.querySelector(".detail-head")!);
  for (const told of [
    "chat gpt-4o",
    "llm",
    "openai",
    "1.00 s",
    "1,057 in (512 cached)",
    "214 out (96 reasoning)",
    "$0.0033",
    "400 ms",
    "session chat-1",
    "user u7",
  ]) {
    expect(head).toContain(told);
  }
});

test("a failed span tells why above everything else, and not by colour alone", async () => {
  const { box } = await draw({
    span: row({ status: "ERROR" }),
    status_message: "no answer",
    attributes: { "error.type": "TimeoutError" },
  });
  expect(words(box.querySelector(".detail-error")!)).toBe("✕ TimeoutError: no answer");
});

test("tokens that nobody can price, and those that are counted elsewhere, say so", async () => {
  const { box } = await draw({
    span: row({ counted: false }),
    normal: { kind: "llm", usage: { input: 1, output: 1 }, cost: { total_usd: null, source: "unknown" } },
  });
  expect(words(box)).toContain("unpriced");
  expect(words(box)).toContain("(not counted)");
});

test("tabs by keys stand in the address and are remembered for the kind", async () => {
  await draw();
  expect(tab()).toBe("Chat");
  key("]");
  expect(tab()).toBe("Raw");
  key("]");
  expect(tab()).toBe("Attributes");
  expect(place.value.params["tab"]).toBe("attributes");
  act(() => go("/p/shop/traces/" + TRACE, "replace"));
  await draw();
  expect(tab()).toBe("Attributes");
  await draw({ span: row({ kind: "tool", name: "find" }) });
  expect(tab()).toBe("Chat");
});

test("a click on a value filters the spans by it, with Alt it leaves them out", async () => {
  act(() => go("/p/shop/traces/" + TRACE + "?tab=attributes&q=kind:llm", "replace"));
  const { box } = await draw();
  const value = [...box.querySelectorAll<HTMLAnchorElement>(".attr-row a")].find((one) => words(one) === "gpt-4o")!;
  expect(new URL(value.href).searchParams.get("q")).toBe("kind:llm attr.gen_ai.request.model=gpt-4o");
  act(() => void value.dispatchEvent(new MouseEvent("click", { altKey: true, bubbles: true, cancelable: true })));
  expect(place.value.view).toBe("traces");
  expect(place.value.params["q"]).toBe("kind:llm -attr.gen_ai.request.model=gpt-4o");
});

test("what was cut is told with its size, and read whole on demand", async () => {
  const id = (number + 1).toString(16).padStart(16, "0");
  const href = `${spanPath(id)}?field=messages.input`;
  const { box } = await draw({ cut: [{ field: "messages.input", size_bytes: 5_000_000, href }] });
  expect(words(box.querySelector(".cut-note")!)).toContain("input is 5.00 MB");
  answers = { [href]: [{ role: "user", parts: [{ type: "text", content: "all of the question" }] }], ...answers };
  click(button("show all"));
  await settle();
  await settle(5);
  expect(words(box)).toContain("all of the question");
  expect(box.querySelector(".cut-note")).toBeNull();
});

test("a score is given by keys and told to the server", async () => {
  answers["/api/scores"] = { score_id: "s" };
  const { box, told } = await draw();
  key("a");
  expect(tab()).toBe("Scores");
  const fill = (field: HTMLInputElement | HTMLTextAreaElement, text: string): void =>
    void act(() => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  const [name, value] = [...box.querySelectorAll<HTMLInputElement>("form input.input")];
  expect(document.activeElement).toBe(name);
  fill(name!, "helpful");
  fill(value!, "0,5");
  fill(box.querySelector("textarea")!, "slow");
  await act(
    async () => void box.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })),
  );
  await settle();
  expect(sent.map((one) => one.body)).toEqual([
    { trace_id: TRACE, span_id: told.span.span_id, name: "helpful", value: 0.5, comment: "slow" },
  ]);
});

test("who may not write is told so, and has no form", async () => {
  me.value = { name: "bob", grants: { shop: ["read"] } } as unknown as NonNullable<typeof me.value>;
  const { box } = await draw();
  key("a");
  expect(box.querySelector("form")).toBeNull();
  expect(words(box)).toContain("scope write");
});

test("the old span is dimmed for a moment, and then makes room for bones", async () => {
  const { box } = await draw();
  const next = "f".repeat(16);
  answers[spanPath(next)] = { ...detail(), span: row({ span_id: next, name: "the next one" }) };
  hold = next;
  show(<Detail traceId={TRACE} spanId={next} kind="llm" />);
  expect(box.querySelector(".detail.dim")).not.toBeNull();
  await settle(150);
  expect(box.querySelector(".bones")).not.toBeNull();
  hold = "";
  for (const resume of held) resume();
  await settle();
  await settle();
  expect(words(box.querySelector("h2")!)).toBe("the next one");
});

test("a span that is not there says so, with a way to try again", async () => {
  const box = show(<Detail traceId={TRACE} spanId={"e".repeat(16)} />);
  await settle();
  await settle();
  expect(box.querySelector("[role=alert]")).not.toBeNull();
  button("Try again");
});

test("a call without messages tells how to record them; a span without anything says that", async () => {
  const none = { system: [], input: [], output: [], tools: [] };
  expect(words((await draw({ messages: none })).box)).toContain("What was said was not recorded");
  const empty = await draw({
    messages: none,
    attributes: {},
    span: row({ kind: "span", name: "", model: null }),
    normal: { kind: "span" },
  });
  expect(words(empty.box)).toContain("Nothing was said in this span");
  expect(words(empty.box)).toContain("(no name)");
});

test("a list whose objects cannot be made text is shown as it is", async () => {
  const none = { system: [], input: [], output: [], tools: [] };
  const odd = await draw({ messages: none, attributes: { odd: [{ toString: 1 }] }, normal: { kind: "span" } });
  expect(words(odd.box)).toMatch(/odd.*\[\{toString: 1\}\]/);
});

test("a tool shows its arguments and result, a retrieval its query and documents with their scores", async () => {
  const tool = await draw({
    span: row({ kind: "tool", name: "find" }),
    normal: { kind: "tool" },
    messages: {
      system: [],
      tools: [],
      input: [
        { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "find", arguments: { number: 4711 } }] },
      ],
      output: [{ role: "tool", parts: [{ type: "tool_call_response", id: "c1", response: { state: "sent" } }] }],
    },
  });
  expect(words(tool.box)).toMatch(/arguments · c1.*number4711.*result.*statesent/);
  const found = await draw({
    span: row({ kind: "retrieval", name: "search" }),
    normal: { kind: "retrieval" },
    attributes: {
      "gen_ai.retrieval.query.text": "keys",
      "gen_ai.retrieval.documents": [{ id: "kb-1", score: 0.9, content: "text" }],
    },
  });
  expect(words(found.box)).toMatch(/query.*keys.*1 document.*0.9.*kb-1.*text/);
});
