// A difference as a person reads it: sign, size and a word, in the colour of better or worse.
import type { VNode } from "preact";
import { count, duration, usd } from "../../model/format";

export type Measure = "duration" | "count" | "tokens" | "cost" | "errors";

const WORDS: Readonly<Record<Measure, readonly [more: string, less: string]>> = {
  duration: ["slower", "faster"],
  count: ["more", "fewer"],
  tokens: ["more", "fewer"],
  cost: ["dearer", "cheaper"],
  errors: ["more", "fewer"],
};

/** B against A. `neutral` where more is not worse; `share` tells the per cent too; `small` are not worth a colour. */
export function Change(props: {
  a: number | null | undefined;
  b: number | null | undefined;
  of: Measure;
  neutral?: boolean;
  share?: boolean;
  small?: boolean;
}): VNode {
  const { a, b, of } = props;
  if (a === null || a === undefined || b === null || b === undefined)
    return <span class="muted">{a === b || (a ?? b) === null ? "–" : of === "duration" ? "open" : "–"}</span>;
  const by = b - a;
  if (by === 0) return <span class="muted">{of === "errors" ? "same" : "="}</span>;
  const size = Math.abs(by);
  const told = of === "duration" ? duration(size) : of === "cost" ? usd(size) : count(size);
  const word = WORDS[of][by > 0 ? 0 : 1];
  const way = props.neutral || props.small ? "muted" : by > 0 ? "worse" : "better";
  const share = a > 0 ? Math.round((size / a) * 100) : null;
  return (
    <span class={way}>
      {by > 0 ? "+" : "−"}
      {told} {word}
      {props.share && share !== null && share > 0 && (
        <span class="muted share">
          {" "}
          {by > 0 ? "+" : "−"}
          {share > 999 ? ">999" : share} %
        </span>
      )}
    </span>
  );
}
