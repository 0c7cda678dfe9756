import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { SpanDetail, SpanRow, WholeTrace } from "../../src/api/types";
import { python, spanJson, spanMarkdown, spanSnippet, traceMarkdown } from "../../src/model/copy";

const NASTY = 'x\n# heading\n"""\'\'\'`````\nimport os; os.system("rm")\\';

function row(more: Partial<SpanRow> = {}): SpanRow {
  return {
    trace_id: "t".repeat(32),
    span_id: "s1",
    parent_id: null,
    name: "chat gpt-4o",
    kind: "llm",
    span_kind: "CLIENT",
    start_ns: "0",
    end_ns: "1",
    duration_ms: 1_000,
    status: "UNSET",
    error_message: null,
    service: "",
    provider: "openai",
    model: "gpt-4o",
    input_tokens: 10,
    output_tokens: 5,
    cost_usd: 0.01,
    ttft_ms: null,
    session_id: null,
    user_id: null,
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
  const call = { type: "tool_call", id: "c1", name: "find", arguments: { id: 4711, deep: [true, null, "é"] } };
  return {
    span: row(),
    attributes: { "gen_ai.request.temperature": 0.2, "gen_ai.request.stop_sequences": ["x"], other: NASTY },
    resource: {},
    scope_name: "",
    scope_version: "",
    trace_state: "",
    status_message: "",
    events: [],
    links: [],
    normal: { kind: "llm", provider: "openai", request_model: "gpt-4o" },
    messages: {
      system: [{ type: "text", content: "Be kind." }],
      input: [
        {
          role: "user",
          parts: [
            { type: "text", content: NASTY },
            { type: "uri", modality: "image", uri: "https://x/y.png" },
          ],
        },
        { role: "assistant", parts: [{ type: "reasoning", content: "hm" }, call] },
        { role: "tool", parts: [{ type: "tool_call_response", id: "c1", response: { state: "sent" } }] },
      ],
      output: [{ role: "assistant", parts: [{ type: "text", content: "Sent.\n\n```\ncode\n```" }] }],
      tools: [{ type: "function", name: "find", parameters: { type: "object" } }],
    },
    logs: [],
    more_logs: false,
    cut: [],
    ...more,
  };
}

/** What Python makes of a program: its calls by name with their literal arguments; it is parsed and never run. */
function parsed(program: string): Record<string, unknown> {
  const reader = `
import ast, json, sys
found = {}
for node in ast.walk(ast.parse(sys.stdin.read())):
    if isinstance(node, ast.Call) and node.keywords and isinstance(node.func, ast.Attribute):
        found[node.func.attr] = {one.arg: ast.literal_eval(one.value) for one in node.keywords}
print(json.dumps(found))`;
  return JSON.parse(execFileSync("python3", ["-c", reader], { input: program, encoding: "utf8" })) as Record<
    string,
    unknown
  >;
}

test("the snippet is Python that sends the same, whatever the texts hold", () => {
  const program = spanSnippet(detail({ span: row({ name: NASTY }) }), "http://h/", "shop");
  const sent = parsed(program)["create"] as { messages: { role: string; content: unknown }[] };
  expect(sent).toMatchObject({
    model: "gpt-4o",
    temperature: 0.2,
    stop: ["x"],
    tools: [{ type: "function", function: { name: "find", parameters: { type: "object" } } }],
  });
  expect(sent.messages).toEqual([
    { role: "system", content: "Be kind." },
    {
      role: "user",
      content: [
        { type: "text", text: NASTY },
        { type: "image_url", image_url: { url: "https://x/y.png" } },
      ],
    },
    {
      role: "assistant",
      content: null,
      tool_calls: [
        { id: "c1", type: "function", function: { name: "find", arguments: '{"id":4711,"deep":[true,null,"é"]}' } },
      ],
    },
    { role: "tool", tool_call_id: "c1", content: '{\n  "state": "sent"\n}' },
  ]);
  expect(program.split("\n").filter((line) => line.startsWith("import"))).toEqual(["import openai"]);
});

test("a span that is no call is read by the API", () => {
  const program = spanSnippet(detail({ normal: { kind: "tool" }, span: row({ name: NASTY }) }), "http://h/x/", 'a"b');
  expect(program).toContain('"http://h/x/api/spans/' + "t".repeat(32) + '/s1?project=a%22b"');
  expect(() => parsed(program)).not.toThrow();
});

test("Python's literals", () => {
  expect(python({ a: [true, null, 1.5, "x"] }, 0)).toBe('{"a": [True, None, 1.5, "x"]}');
  expect(python(Number.NaN, 0)).toBe("None");
  let deep: unknown = 1;
  for (let at = 0; at < 5_000; at += 1) deep = [deep];
  expect(python(deep, 0)).toContain("nested too deep");
});

test("Markdown of a span: texts are quoted, code is fenced by more marks than it has", () => {
  const text = spanMarkdown(detail({ span: row({ status: "ERROR", error_message: "no\nanswer" }) }));
  expect(text).toContain("**Error:** no answer");
  expect(text).toContain("> # heading");
  expect(text.split("\n").filter((line) => line.startsWith("#"))).toEqual([
    "## chat gpt-4o",
    "### system",
    "### user",
    "### assistant",
    "### assistant",
    "### attributes",
  ]);
  expect(text).toContain("``````json");
});

test("Markdown of a trace is its tree; spans without their parent are at the left; cycles end", () => {
  const spans = [
    row({ span_id: "a", name: "root" }),
    row({ span_id: "b", parent_id: "a", name: NASTY, status: "ERROR", error_message: "x" }),
    row({ span_id: "c", parent_id: "gone" }),
    row({ span_id: "d", parent_id: "e" }),
    row({ span_id: "e", parent_id: "d" }),
  ];
  const text = traceMarkdown({ trace: null, spans, cursor: "more", logs: [], more_logs: false } as WholeTrace);
  expect(text.split("\n").map((line) => line.slice(0, 20))).toEqual([
    "# root",
    "",
    "- **root** llm · gpt",
    "  - ✕ **x # heading ",
    "    - error: x",
    "- **chat gpt-4o** ll",
    "- **chat gpt-4o** ll",
    "  - **chat gpt-4o** ",
    "",
    "(the first 5 spans)",
    "",
  ]);
});

test("JSON of a span is all of it", () => {
  expect(JSON.parse(spanJson(detail()))).toEqual(detail());
});
