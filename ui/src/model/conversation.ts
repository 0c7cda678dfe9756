// A session as one conversation: for each of its traces what was newly said, its bill, and the sum.
import type { ScoreRow, Turn as Exchange } from "../api/types";
import { newTurns, type Turn, turnsOf } from "./messages";

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
  return exchanges.map((exchange) => {
    const { messages, answer } = exchange;
    const all = turnsOf({ ...messages, output: [...messages.output, ...answer] });
    const turns = newTurns(all, seen);
    return { exchange, turns, repeated: all.length - turns.length };
  });
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
