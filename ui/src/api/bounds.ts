// The window of time that a page looks at, in milliseconds, where "all of time" begins with what there is.
import { toMs } from "../model/format";
import { timeBounds } from "../url";
import { useAnswer } from "./client";

const DAY_MS = 86_400_000;

/** Undefined until it is known; all of time begins with the oldest trace, and is a day where there is none. */
export function useBounds(t: string | undefined): readonly [number, number] | undefined {
  const all = t === "all";
  const oldest = useAnswer(all ? "/api/traces" : null, { order: "oldest", limit: 1 });
  const bounds = timeBounds(t);
  if (!all) return bounds;
  if (oldest.loading) return undefined;
  const first = oldest.data?.items[0];
  return [first ? toMs(first.start_ns) : bounds[1] - DAY_MS, bounds[1]];
}
