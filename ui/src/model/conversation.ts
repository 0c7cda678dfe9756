// A session as one conversation: for each of its traces what was newly said, its bill, and the sum.
import type { ScoreRow, Turn as Exchange } from "../api/types";
import { type Call, newTurns, type Part, type Result, type Turn, turnsOf } from "./messages";

export interface Round {
  readonly exchange: Exchange;
  /** What this trace adds to what was said before. */
  readonly turns: readonly Turn[];
  /** How many messages of earlier traces it was told again. */
  readonly repeated: number;
}

/** Rounds of the traces of a session, the oldest first. */
export function roundsOf(exchanges: readonly Exchange[]): Round[] {
  const seen = new Set<string>();
  const told = exchanges.map(({ messages, answer }) =>
    turnsOf({ ...messages, output: [...messages.output, ...answer] }),
  );
  const results = resultsOf(told);
  return exchanges.map((exchange, at) => {
    const all = told[at] ?? [];
    const turns = newTurns(all, seen).map((turn) => answered(turn, results));
    return { exchange, turns, repeated: all.length - turns.length };
  });
}

/** Results of tools by the id of their call: what a trace's last call was told, the next trace tells as history. */
function resultsOf(told: readonly (readonly Turn[])[]): Map<string, Result> {
  const found = new Map<string, Result>();
  for (const turns of told) {
    for (const turn of turns) {
      for (const part of turn.parts) if (part.type === "result" && part.id !== "") found.set(part.id, part);
    }
  }
  return found;
}

/** A turn whose calls have their results, where any trace tells them. */
function answered(turn: Turn, results: ReadonlyMap<string, Result>): Turn {
  const lacks = (part: Part): part is Call => part.type === "call" && part.result === null && results.has(part.id);
  if (!turn.parts.some(lacks)) return turn;
  const parts = turn.parts.map((part) => (lacks(part) ? { ...part, result: results.get(part.id) ?? null } : part));
  return { ...turn, parts };
}

export interface Bill {
  readonly traces: number;
  readonly failed: number;
  readonly calls: number;
  readonly tokens: number;
  readonly costUsd: number | null;
  readonly unpriced: number;
  readonly busyMs: number;
}

/** What the traces came to together; the time is that of the traces, without the pauses between them. */
export function billOf(exchanges: readonly Exchange[]): Bill {
  const bill = { traces: exchanges.length, failed: 0, calls: 0, tokens: 0, unpriced: 0, busyMs: 0 };
  let cost: number | null = null;
  for (const { trace } of exchanges) {
    if (trace.status === "ERROR") bill.failed += 1;
    bill.calls += trace.calls;
    bill.tokens += trace.input_tokens + trace.output_tokens;
    bill.unpriced += trace.unpriced_calls;
    bill.busyMs += trace.duration_ms ?? 0;
    if (trace.cost_usd !== null) cost = (cost ?? 0) + trace.cost_usd;
  }
  return { ...bill, costUsd: cost };
}

export function scoresByTrace(scores: readonly ScoreRow[]): Map<string, ScoreRow[]> {
  const found = new Map<string, ScoreRow[]>();
  for (const score of scores) {
    if (score.trace_id === null) continue;
    const held = found.get(score.trace_id);
    if (held === undefined) found.set(score.trace_id, [score]);
    else held.push(score);
  }
  return found;
}
