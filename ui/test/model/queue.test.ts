import { describe, expect, test } from "vitest";
import type { Columns } from "../../src/api/types";
import { turnsOf } from "../../src/model/messages";
import {
  choicesOf,
  contextLine,
  conversationOf,
  mistakeIn,
  queueFilter,
  readAs,
  shuffled,
  stepLine,
  tellingSpans,
} from "../../src/model/queue";

const drawn = (labels: string): string =>
  choicesOf(labels)
    .map(({ key, label, value }) => `${key}:${label}=${JSON.stringify(value)}`)
    .join(" ");

describe("what may be answered", () => {
  test("labels, yes or no, and numbers each have a key", () => {
    expect(drawn("good, bad ,unsure,good")).toBe('1:good="good" 2:bad="bad" 3:unsure="unsure"');
    expect(drawn("yes/no")).toBe("1:yes=true 2:no=false");
    expect(drawn("1-5")).toBe("1:1=1 2:2=2 3:3=3 4:4=4 5:5=5");
    expect(drawn("0-2")).toBe("1:0=0 2:1=1 3:2=2");
    expect(drawn("3-5")).toBe("3:3=3 4:4=4 5:5=5");
    expect(choicesOf("a,b,c,d,e,f,g,h,i,j")).toHaveLength(9);
  });

  test("what cannot begin is said with the remedy", () => {
    expect(mistakeIn("helpful", "good,bad")).toBe("");
    expect(mistakeIn("helpful", "yes/no")).toBe("");
    expect(mistakeIn(" ", "good,bad")).toContain("name");
    expect(mistakeIn("helpful", "good")).toContain("two labels");
    expect(mistakeIn("helpful", "5-1")).toContain("lower number first");
    expect(mistakeIn("helpful", "a,b,c,d,e,f,g,h,i,j")).toContain("10 labels");
  });

  test("a stored score reads as the choice that gave it", () => {
    expect(readAs(choicesOf("yes/no"), 1, null)).toBe("yes");
    expect(readAs(choicesOf("good,bad"), null, "bad")).toBe("bad");
    expect(readAs(choicesOf("good,bad"), 0.33333, null)).toBe("0.333");
    expect(readAs(choicesOf("1-5"), null, "4")).toBe("4");
    expect(readAs(choicesOf("1-5"), null, null)).toBe("");
  });
});

describe("which traces", () => {
  test("those that match and have no such score, alternatives in brackets", () => {
    expect(queueFilter("", "helpful", false)).toBe("-score.helpful:*");
    expect(queueFilter("name:chat", "helpful", false)).toBe("name:chat -score.helpful:*");
    expect(queueFilter("a OR b", "helpful", false)).toBe("(a OR b) -score.helpful:*");
    expect(queueFilter("a", 'my "score"', false)).toBe('a -score."my \\"score\\"":*');
    expect(queueFilter(" a ", "helpful", true)).toBe("a");
  });

  test("an order by seed is the same each time, another for another seed, and keeps every item", () => {
    const ids = Array.from({ length: 200 }, (_, at) => `trace-${at}`);
    const same = (id: string): string => id;
    expect(shuffled(ids, same, "7")).toEqual(shuffled(ids.toReversed(), same, "7"));
    expect(shuffled(ids, same, "7")).not.toEqual(shuffled(ids, same, "8"));
    expect(shuffled(ids, same, "7").toSorted()).toEqual(ids.toSorted());
    expect(shuffled(ids, same, "7")).not.toEqual(ids);
  });
});

const columns = (rows: readonly (readonly [parent: number, kind: string, start: number])[]): Columns => {
  const kinds = [...new Set(rows.map(([, kind]) => kind))];
  const none = rows.map(() => null);
  return {
    trace_id: "t",
    start_ns: "0",
    count: rows.length,
    names: ["x"],
    kinds,
    models: [],
    span_id: rows.map((_, at) => `s${at}`),
    parent: rows.map(([parent]) => parent),
    name: rows.map(() => 0),
    kind: rows.map(([, kind]) => kinds.indexOf(kind)),
    model: none,
    start_us: rows.map(([, , start]) => start),
    duration_us: rows.map(() => 1),
    flags: rows.map(() => 0),
    tokens_in: none,
    tokens_out: none,
    cost_usd: none,
    ttft_us: none,
  };
};

describe("which spans tell of it", () => {
  test("the last call among those nearest to the root", () => {
    const found = tellingSpans(
      columns([
        [-1, "agent", 0],
        [0, "llm", 1],
        [0, "agent", 2],
        [2, "llm", 9],
        [0, "llm", 5],
        [0, "tool", 7],
      ]),
    );
    expect(found).toEqual({ root: 0, call: 4 });
  });

  test("a trace without calls, without spans, and with a ring of parents", () => {
    expect(tellingSpans(columns([[-1, "tool", 0]]))).toEqual({ root: 0, call: -1 });
    expect(tellingSpans(columns([]))).toEqual({ root: -1, call: -1 });
    const ring = tellingSpans(
      columns([
        [1, "llm", 0],
        [0, "llm", 1],
      ]),
    );
    expect(ring.call).toBeGreaterThanOrEqual(0);
  });
});

const message = (role: string, ...parts: unknown[]): unknown => ({
  role,
  parts: parts.map((part) => (typeof part === "string" ? { type: "text", content: part } : part)),
});

describe("what is shown", () => {
  const turns = turnsOf({
    system: [],
    input: [
      message("system", "Be kind."),
      message("user", "Hello"),
      message("assistant", "Hello!"),
      message("user", "Where is my order?"),
      message("assistant", { type: "tool_call", id: "c1", name: "look_up", arguments: { order: 4711 } }),
      message("tool", { type: "tool_call_response", id: "c1", response: { state: "sent" } }),
    ],
    output: [message("assistant", "It was sent.")],
  });

  test("context, question, steps and answer", () => {
    const found = conversationOf(turns);
    expect(found.context.map((turn) => turn.role)).toEqual(["system", "user", "assistant"]);
    expect(found.question.map((turn) => turn.parts[0])).toEqual([{ type: "text", text: "Where is my order?" }]);
    expect(found.steps.map(stepLine)).toEqual([{ call: 'look_up({"order":4711})', result: expect.anything() }]);
    expect(stepLine(found.steps[0]!).result).toContain("sent");
    expect(found.answer.map((turn) => turn.parts[0])).toEqual([{ type: "text", text: "It was sent." }]);
    expect(contextLine(found.context)).toBe("instructions and 2 earlier messages");
  });

  test("results of tools told as a user's message are no question", () => {
    const found = conversationOf(
      turnsOf({
        system: [],
        input: [
          message("user", "Add it up"),
          message("assistant", { type: "tool_call", id: "c", name: "sum", arguments: [1] }),
          message("user", { type: "tool_call_response", id: "c", response: 3 }),
        ],
        output: [message("assistant", "3")],
      }),
    );
    expect(found.question).toHaveLength(1);
    expect(found.steps.map((step) => step.name)).toEqual(["sum"]);
  });

  test("nothing said", () => {
    expect(conversationOf([])).toEqual({ context: [], question: [], steps: [], answer: [] });
    expect(contextLine([])).toBe("");
  });
});
