// A conversation as it is drawn: the system prompt on a line, calls with their results, history folded, few elements.
import { expect, test, vi } from "vitest";
import { turnsOf } from "../../src/model/messages";
import { Chat } from "../../src/renderers/Chat";
import { button, click, show, words } from "./shown";

const said = (role: string, ...parts: unknown[]): unknown => ({ role, parts });
const text = (content: string): unknown => ({ type: "text", content });
const call = { type: "tool_call", id: "c1", name: "search_docs", arguments: { query: "keys", top_k: 4 } };
const result = { type: "tool_call_response", id: "c1", response: { documents: [{ id: "kb-1" }] } };

const CONVERSATION = turnsOf({
  system: [text("You are careful.\nVery careful.")],
  input: [
    said("user", text("How?")),
    said("assistant", { type: "reasoning", content: "hm hm" }, call),
    said("tool", result),
  ],
  output: [said("assistant", text("Like **this**."))],
});

test("the system prompt is a line until it is opened; results stand below their calls", () => {
  const box = show(<Chat turns={CONVERSATION} />);
  const turns = [...box.querySelectorAll(".turn")].map(words);
  expect(turns).toHaveLength(4);
  expect(turns[0]).toContain("You are careful. Very careful.");
  expect(turns[2]).toContain('search_docs(query="keys", top_k=4)');
  expect(turns[2]).toContain('documents: [{id: "kb-1"}]');
  expect(box.querySelector("strong")?.textContent).toBe("this");
  click(box.querySelector<HTMLElement>(".turn-system .opener")!);
  expect(box.querySelector(".turn-system .text")?.textContent).toContain("careful.\nVery");
});

test("raw shows the message as it was told, text shows marks as they are", () => {
  const box = show(<Chat turns={CONVERSATION} />);
  click(button("text"));
  expect(words(box)).toContain("Like **this**.");
  click(button("raw", 2));
  expect(box.querySelector(".json")).not.toBeNull();
});

test("a beginning that an earlier call had is folded, and opens", () => {
  const box = show(<Chat turns={CONVERSATION} shared={3} sharedWith={<a href="/x">call 3</a>} />);
  expect(words(box.querySelector(".history")!)).toBe("▸2 earlier messagescall 3");
  expect(words(box)).not.toContain("How?");
  click(button(/earlier messages/));
  expect(words(box)).toContain("How?");
});

test("the way to a tool's span", () => {
  const open = vi.fn();
  show(<Chat turns={CONVERSATION} onOpenTool={open} />);
  click(button("span →"));
  expect(open).toHaveBeenCalledWith(expect.objectContaining({ id: "c1", name: "search_docs" }));
});

test("of ten thousand messages a window is drawn, which moves", () => {
  const input = Array.from({ length: 10_000 }, (_, at) => said(at % 2 ? "assistant" : "user", text(`message ${at}`)));
  const box = show(<Chat turns={turnsOf({ system: [], input, output: [] })} />);
  expect(box.querySelectorAll("*").length).toBeLessThan(1_000);
  expect(words(box)).toContain("message 9999");
  click(button(/show earlier/));
  expect(words(box)).not.toContain("message 9999");
  expect(box.querySelectorAll("*").length).toBeLessThan(1_000);
  click(button(/to the end/));
  expect(words(box)).toContain("message 9999");
});

test("nothing that was said is left out, whatever its form", () => {
  const box = show(
    <Chat
      turns={turnsOf({
        system: [],
        input: [said("critic", { type: "hologram", depth: 3 }, 7), said("user"), said("user", text(""))],
        output: [said("assistant", { type: "refusal", content: "I will not" })],
      })}
    />,
  );
  for (const told of ["critic", "hologram", "depth", "7", "(nothing)", "(empty)", "refused", "I will not"])
    expect(words(box)).toContain(told);
});
