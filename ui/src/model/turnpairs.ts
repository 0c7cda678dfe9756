// What two calls were told and what they answered, side by side: equal turns paired, changed ones next to each other.
import { alignBy, diffText } from "./diff";
import { isAnswered, type Turn, turnText, turnHash } from "./messages";

export type TurnPair =
  | { readonly sort: "same"; readonly turns: readonly Turn[] }
  | { readonly sort: "changed"; readonly a: Turn; readonly b: Turn }
  | { readonly sort: "a" | "b"; readonly turn: Turn };

/** Equal turns are gathered; between them, turns of one role are taken for the same turn that changed. */
export function pairTurns(a: readonly Turn[], b: readonly Turn[]): TurnPair[] {
  const pairs: TurnPair[] = [];
  let same: Turn[] = [];
  let gone: Turn[] = [];
  let came: Turn[] = [];
  const flush = (): void => {
    pairs.push(...changedTurns(gone, came));
    gone = [];
    came = [];
  };
  const flushSame = (): void => {
    if (same.length > 0) pairs.push({ sort: "same", turns: same });
    same = [];
  };
  const left = a.filter((turn) => !isAnswered(turn));
  const right = b.filter((turn) => !isAnswered(turn));
  for (const pair of alignBy(left, right, (turn) => `${turn.side} ${turnHash(turn)} ${turnText(turn)}`)) {
    if (pair.a !== null && pair.b !== null) {
      flush();
      same.push(left[pair.a]!);
      continue;
    }
    flushSame();
    if (pair.a !== null) gone.push(left[pair.a]!);
    else if (pair.b !== null) came.push(right[pair.b]!);
  }
  flush();
  flushSame();
  return pairs;
}

function changedTurns(gone: readonly Turn[], came: readonly Turn[]): TurnPair[] {
  const pairs: TurnPair[] = [];
  let from = 0;
  for (const turn of gone) {
    const at = came.findIndex((other, n) => n >= from && other.role === turn.role && other.side === turn.side);
    if (at < 0) {
      pairs.push({ sort: "a", turn });
      continue;
    }
    for (const other of came.slice(from, at)) pairs.push({ sort: "b", turn: other });
    pairs.push({ sort: "changed", a: turn, b: came[at]! });
    from = at + 1;
  }
  for (const other of came.slice(from)) pairs.push({ sort: "b", turn: other });
  return pairs;
}

/** Whether two texts have enough in common that their differences say more than the texts themselves. */
export function alike(before: string, after: string): boolean {
  const letters = (text: string): number => text.replaceAll(/\s+/g, "").length;
  const same = diffText(before, after).reduce((sum, one) => sum + (one.sort === "same" ? letters(one.text) : 0), 0);
  return same >= 0.3 * Math.max(letters(before), letters(after));
}
