// Where a span stands among the spans of its trace, by the skeleton's columns: which model call it is, which call came
// before it, which span is the tool that it asked for, and what is directly below it.
import type { Columns } from "../api/types";

export interface Neighbours {
  /** 1 for the first model call of the trace; 0 if the span is none. */
  readonly call: number;
  /** Earlier model calls that may have the same history, the likeliest first, with their numbers. */
  readonly before: readonly { readonly spanId: string; readonly call: number }[];
}

const LLM = "llm";

/** Columns are in order of start, so the calls are numbered as they began. */
export function neighbours(columns: Columns, spanId: string): Neighbours {
  const at = columns.span_id.indexOf(spanId);
  const kind = columns.kinds.indexOf(LLM);
  if (at < 0 || kind < 0 || columns.kind[at] !== kind) return { call: 0, before: [] };
  const earlier: { at: number; call: number }[] = [];
  for (let place = 0; place < at; place += 1) {
    if (columns.kind[place] === kind) earlier.push({ at: place, call: earlier.length + 1 });
  }
  // an agent's calls are mostly siblings; where others run beside it, the call just before is somebody else's
  const siblings = earlier.filter((one) => columns.parent[one.at] === columns.parent[at]);
  const likely = [siblings.at(-1), earlier.at(-1)].filter((one) => one !== undefined);
  return {
    call: earlier.length + 1,
    before: [...new Set(likely)].map((one) => ({ spanId: columns.span_id[one.at] ?? "", call: one.call })),
  };
}

/** The span of a tool that a call at `spanId` asked for: the `nth` one of its name that starts later; else null. */
export function toolSpanAfter(columns: Columns, spanId: string, tool: string, nth = 0): string | null {
  const at = columns.span_id.indexOf(spanId);
  if (tool === "") return null;
  const kind = columns.kinds.indexOf("tool");
  let left = nth;
  for (let place = Math.max(0, at); place < columns.count; place += 1) {
    if (columns.kind[place] !== kind || kind < 0) continue;
    const name = columns.names[columns.name[place] ?? -1] ?? "";
    if (name !== tool && !name.endsWith(` ${tool}`) && !name.endsWith(`.${tool}`)) continue;
    if (left === 0) return columns.span_id[place] ?? null;
    left -= 1;
  }
  return null;
}

export interface Below {
  readonly name: string;
  readonly kind: string;
  readonly spans: number;
  readonly failed: number;
  /** Still running. */
  readonly open: number;
  readonly duration_us: number;
  /** The first of them. */
  readonly spanId: string;
}

/** Spans directly below one, those of one name and kind together, in order of their first start. */
export function below(columns: Columns, spanId: string): Below[] {
  const at = columns.span_id.indexOf(spanId);
  if (at < 0) return [];
  const groups = new Map<string, Below>();
  for (let place = 0; place < columns.count; place += 1) {
    if (columns.parent[place] !== at) continue;
    const key = `${columns.name[place]} ${columns.kind[place]}`;
    const held = groups.get(key);
    const failed = ((columns.flags[place] ?? 0) & 1) === 1 ? 1 : 0;
    const lasted = columns.duration_us[place] ?? null;
    groups.set(key, {
      name: columns.names[columns.name[place] ?? -1] ?? "",
      kind: columns.kinds[columns.kind[place] ?? -1] ?? "span",
      spans: (held?.spans ?? 0) + 1,
      failed: (held?.failed ?? 0) + failed,
      open: (held?.open ?? 0) + (lasted === null ? 1 : 0),
      duration_us: (held?.duration_us ?? 0) + (lasted ?? 0),
      spanId: held?.spanId ?? columns.span_id[place] ?? "",
    });
  }
  return [...groups.values()];
}
