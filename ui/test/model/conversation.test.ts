import { expect, test } from "vitest";
import type { ScoreRow, Turn as Exchange } from "../../src/api/types";
import { billOf, roundsOf, scoresByTrace } from "../../src/model/conversation";
import { turnText } from "../../src/model/messages";

const said = (role: string, content: string): unknown => ({ role, parts: [{ type: "text", content }] });

function exchange(input: unknown[], answer: unknown[], more: object = {}): Exchange {
  const trace = {
    trace_id: "t",
    status: "OK",
    calls: 1,
    input_tokens: 10,
    output_tokens: 2,
    cost_usd: 0.5,
    unpriced_calls: 0,
    duration_ms: 100,
    ...more,
  };
  return {
    trace,
    span_id: "s",
    kind: "llm",
    messages: { input, output: [], system: [], tools: [] },
    answer_span_id: null,
    answer,
    cut: [],
  } as unknown as Exchange;
}

test("a round shows what its trace adds, also where the same was said before", () => {
  const system = said("system", "be kind");
  const rounds = roundsOf([
    exchange([system, said("user", "yes")], [said("assistant", "fine")]),
    exchange(
      [system, said("user", "yes"), said("assistant", "fine"), said("user", "yes")],
      [said("assistant", "good")],
    ),
    exchange([system, said("user", "no")], [said("assistant", "bye")]),
  ]);
  expect(rounds.map((round) => round.turns.map(turnText))).toEqual([
    ["be kind", "yes", "fine"],
    ["yes", "good"],
    ["no", "bye"],
  ]);
  expect(rounds.map((round) => round.repeated)).toEqual([0, 3, 1]);
});

test("a call finds its result in the history that a later trace tells", () => {
  const call = { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "find", arguments: {} }] };
  const result = { role: "tool", parts: [{ type: "tool_call_response", id: "c1", response: "sent" }] };
  const first = said("user", "where");
  const rounds = roundsOf([
    exchange([first], [call, said("assistant", "it is sent")]),
    exchange(
      [first, call, result, said("assistant", "it is sent"), said("user", "thanks")],
      [said("assistant", "bye")],
    ),
  ]);
  expect(rounds[0]?.turns[1]?.parts[0]).toMatchObject({ type: "call", result: { value: "sent" } });
  expect(rounds[1]?.turns.map(turnText)).toEqual(["thanks", "bye"]);
});

test("the bill adds up, and keeps an unknown price unknown", () => {
  const bill = billOf([exchange([], []), exchange([], [], { status: "ERROR", cost_usd: null, unpriced_calls: 1 })]);
  expect(bill).toEqual({ traces: 2, failed: 1, calls: 2, tokens: 24, unpriced: 1, busyMs: 200, costUsd: 0.5 });
  expect(billOf([exchange([], [], { cost_usd: null })]).costUsd).toBeNull();
});

test("scores by trace; those without one belong to no round", () => {
  const score = (id: string, trace_id: string | null): ScoreRow => ({ score_id: id, trace_id }) as ScoreRow;
  expect(
    [...scoresByTrace([score("1", "a"), score("2", null), score("3", "a")])].map(([id, held]) => [id, held.length]),
  ).toEqual([["a", 2]]);
});
