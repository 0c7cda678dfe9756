import { describe, expect, test } from "vitest";
import {
  hashOf,
  isAnswered,
  type MessageLists,
  newTurns,
  partText,
  pictureOf,
  sharedTurns,
  type Turn,
  turnsOf,
  turnText,
} from "../../src/model/messages";

const lists = (given: Partial<MessageLists>): MessageLists => ({ input: [], output: [], system: [], ...given });
const said = (role: string, ...parts: unknown[]): unknown => ({ role, parts });
const text = (content: string): unknown => ({ type: "text", content });

/** A conversation drawn as lines: `user: hello`, `assistant: call find(id=1) → sent`. */
function drawn(turns: readonly Turn[]): string[] {
  return turns.map((turn) => {
    const parts = turn.parts.map((part) => {
      switch (part.type) {
        case "call":
          return `call ${partText(part)}${part.result === null ? "" : ` → ${partText(part.result)}`}`;
        case "result":
          return `${part.paired ? "paired" : "result"} ${part.name || "?"}: ${partText(part)}`;
        case "text":
          return part.text;
        case "media":
          return `${part.media.modality} ${part.media.where}`;
        default:
          return `${part.type} ${partText(part)}`;
      }
    });
    return `${turn.role}: ${parts.join(" + ")}`;
  });
}

describe("turns", () => {
  test("system instructions, question, call with its result, answer", () => {
    const turns = turnsOf(
      lists({
        system: [text("Be kind.")],
        input: [
          said("user", text("Where is 4711?")),
          said("assistant", { type: "tool_call", id: "c1", name: "find", arguments: '{"id": 4711}' }),
          said("tool", { type: "tool_call_response", id: "c1", response: { state: "sent" } }),
        ],
        output: [{ role: "assistant", parts: [text("It is sent.")], finish_reason: "stop" }],
      }),
    );
    expect(drawn(turns)).toEqual([
      "system: Be kind.",
      "user: Where is 4711?",
      'assistant: call find({"id":4711}) → {\n  "state": "sent"\n}',
      'tool: paired find: {\n  "state": "sent"\n}',
      "assistant: It is sent.",
    ]);
    expect(isAnswered(turns[3]!)).toBe(true);
    expect(turns[4]).toMatchObject({ side: "output", finish: "stop" });
  });

  test("two calls at once find their results in any order; without ids they go by order", () => {
    const call = (name: string, id?: string): unknown => ({
      type: "tool_call",
      name,
      arguments: {},
      ...(id ? { id } : {}),
    });
    const result = (response: string, id?: string): unknown => ({
      type: "tool_call_response",
      response,
      ...(id ? { id } : {}),
    });
    expect(
      drawn(
        turnsOf(
          lists({
            input: [
              said("assistant", call("a", "1"), call("b", "2")),
              said("tool", result("B", "2")),
              said("tool", result("A", "1")),
            ],
          }),
        ),
      ),
    ).toEqual(["assistant: call a({}) → A + call b({}) → B", "tool: paired b: B", "tool: paired a: A"]);
    expect(
      drawn(
        turnsOf(
          lists({
            input: [said("assistant", call("a"), call("b")), said("tool", result("A")), said("tool", result("B"))],
          }),
        ),
      ),
    ).toEqual(["assistant: call a({}) → A + call b({}) → B", "tool: paired a: A", "tool: paired b: B"]);
    const lonely = turnsOf(lists({ input: [said("tool", result("A", "9"))] }));
    expect(drawn(lonely)).toEqual(["tool: result ?: A"]);
    expect(isAnswered(lonely[0]!)).toBe(false);
  });

  test("nothing is dropped: parts, messages and roles of no known form are kept as they are", () => {
    const turns = turnsOf(
      lists({
        input: [
          said("critic", { type: "hologram", x: 1 }, 7, null, { type: "text", content: { odd: true } }),
          "bare text",
          { role: "user", content: "old form", tool_call_id: "c1" },
          { strange: true },
          null,
          42,
        ],
      }),
    );
    expect(turns.map((turn) => turn.role)).toEqual(["other", "user", "user", "user", "user", "user"]);
    const all = turns.map(turnText).join("\n").replaceAll(/\s+/g, "");
    for (const kept of [
      '"hologram"',
      "7",
      "null",
      '"odd":true',
      "baretext",
      "oldform",
      '"tool_call_id":"c1"',
      '"strange":true',
      "42",
    ]) {
      expect(all).toContain(kept);
    }
    expect(turns[0]?.told).toBe("critic");
  });

  test("parts of OpenTelemetry, older spellings among them", () => {
    expect(
      drawn(
        turnsOf(
          lists({
            input: [
              said("human", { type: "reasoning", content: "hm" }, { type: "refusal", content: "no" }),
              said(
                "user",
                { type: "blob", modality: "image", mime_type: "image/png", content: "AA" },
                { type: "uri", modality: "image", uri: "https://x" },
                { type: "file", modality: "document", file_id: "f1" },
              ),
              said("assistant", { type: "server_tool_call", name: "web", server_tool_call: { type: "search", q: 1 } }),
              said("function", { type: "tool_call_response", result: "old" }),
            ],
          }),
        ),
      ),
    ).toEqual([
      "user: reasoning hm + refusal no",
      "user: image inline + image address + document file",
      'assistant: call web({"type":"search","q":1}) → old',
      "tool: paired web: old",
    ]);
  });

  test("names of JavaScript's own objects are roles and types like others", () => {
    const turns = turnsOf(
      lists({ input: [said("constructor", { type: "__proto__", id: "toString" }), said("__proto__", text("x"))] }),
    );
    expect(turns.map((turn) => turn.role)).toEqual(["other", "other"]);
  });

  test("10,000 messages with calls are read without quadratic work", () => {
    const input = Array.from({ length: 10_000 }, (_, at) =>
      at % 2
        ? said("tool", { type: "tool_call_response", id: `c${at - 1}`, response: "r" })
        : said("assistant", { type: "tool_call", id: `c${at}`, name: "f", arguments: {} }),
    );
    expect(turnsOf(lists({ input })).filter(isAnswered)).toHaveLength(5_000);
  });
});

describe("history", () => {
  const question = said("user", text("a"));
  const answer = said("assistant", text("b"));

  test("the beginning that an earlier call was told or answered is counted", () => {
    const before = turnsOf(lists({ input: [question], output: [{ ...(answer as object), finish_reason: "stop" }] }));
    const now = turnsOf(
      lists({ input: [question, answer, said("user", text("c"))], output: [said("assistant", text("d"))] }),
    );
    expect(sharedTurns(now, before)).toBe(2);
    expect(sharedTurns(before, now)).toBe(1);
    expect(sharedTurns(turnsOf(lists({ input: [said("user", text("z"))] })), before)).toBe(0);
  });

  test("a conversation is what each call adds", () => {
    const seen = new Set<string>();
    const first = turnsOf(lists({ input: [question], output: [answer] }));
    const second = turnsOf(lists({ input: [question, answer, question], output: [answer] }));
    expect(drawn(newTurns(first, seen))).toEqual(["user: a", "assistant: b"]);
    // the same question again: said before, and yet what was asked this time is shown
    expect(drawn(newTurns(second, seen)).at(-1)).toBe("assistant: b");
  });

  test("history is known although results of tools came between, and what a person newly said is kept", () => {
    const seen = new Set<string>();
    const call = said("assistant", text("I look it up"));
    const found = said("assistant", text("found"));
    newTurns(turnsOf(lists({ input: [question], output: [call, found] })), seen);
    const history = [question, call, said("tool", text("a result")), found];
    const next = [...history, said("user", text("and now?"))];
    expect(drawn(newTurns(turnsOf(lists({ input: next, output: [answer] })), seen))).toEqual([
      "user: and now?",
      "assistant: b",
    ]);
    const aside = [question, said("user", text("an aside")), found, said("user", text("go on"))];
    expect(drawn(newTurns(turnsOf(lists({ input: aside })), seen))).toEqual(["user: an aside", "user: go on"]);
  });

  test("equal content has an equal hash however its names are ordered or its JSON is told", () => {
    expect(hashOf({ a: 1, b: '{"c": 2}' })).toBe(hashOf({ b: { c: 2 }, a: 1, none: null }));
    expect(hashOf({ a: 1 })).not.toBe(hashOf({ a: 2 }));
    expect(hashOf("ab")).not.toBe(hashOf("ba"));
    let deep: unknown = 1;
    for (let at = 0; at < 50_000; at += 1) deep = [deep];
    expect(hashOf(deep)).toBe(hashOf(deep));
  });
});

describe("pictures", () => {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const inline = (mimeType: string, content: string): ReturnType<typeof pictureOf> =>
    pictureOf({ modality: "image", mimeType, where: "inline", content });

  test("a picture that is what its type says", () => {
    expect(inline("image/png", png)).toBe(`data:image/png;base64,${png}`);
    expect(inline("", png)).toContain("data:image/png");
  });

  test("everything else is not drawn", () => {
    expect(inline("image/svg+xml", "PHN2Zz48L3N2Zz4=")).toBeNull();
    expect(inline("image/png", "PHN2Zz48L3N2Zz4=")).toBeNull();
    expect(inline("text/html", png)).toBeNull();
    expect(inline("image/png", `${png}" onerror="x`)).toBeNull();
    expect(inline("image/png", "iVBORw0KGgo".padEnd(9_000_000, "A"))).toBeNull();
    expect(inline("image/png", "iVBORw0KGgoAAAANSUhEUn////9/////CAYAAAAfFcSJ")).toBeNull();
    expect(pictureOf({ modality: "image", mimeType: "image/png", where: "address", content: "https://x" })).toBeNull();
  });
});
