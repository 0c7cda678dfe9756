// The columns beside the bars, of which somebody chooses some: figures of a span, or of all in a group.
import { count, duration, usd } from "../model/format";
import { COUNTED, endOf, selfTime, startOf, type Trace, UNPRICED } from "../model/trace";

export interface SpanColumn {
  readonly id: string;
  readonly label: string;
  readonly px: number;
  /** Shown unless somebody chose otherwise. */
  readonly first?: boolean;
  /** Words, and not figures: at the left. */
  readonly words?: boolean;
  cell(trace: Trace, place: number, now: number): string;
}

const sure = (n: number): number => (n === n ? n : 0);

const span = (trace: Trace, place: number, told: (span: number) => string): string => {
  const node = trace.node[place]!;
  return node < 0 ? "" : told(node);
};

const figure =
  (of: "tokensIn" | "tokensOut" | "ttft", shown: (n: number) => string) =>
  (trace: Trace, place: number): string =>
    span(trace, place, (at) => (trace[of][at]! === trace[of][at]! ? shown(trace[of][at]!) : ""));

export const SPAN_COLUMNS: readonly SpanColumn[] = [
  {
    id: "model",
    label: "model",
    px: 120,
    words: true,
    cell: (trace, place) => span(trace, place, (at) => trace.models[trace.model[at]!] ?? ""),
  },
  {
    id: "start",
    label: "start",
    px: 66,
    cell: (trace, place) => duration(startOf(trace, place)),
  },
  {
    id: "duration",
    label: "duration",
    px: 66,
    cell: (trace, place, now) => duration(endOf(trace, place, now) - startOf(trace, place)),
  },
  {
    id: "self",
    label: "self",
    px: 66,
    cell: (trace, place, now) => span(trace, place, () => duration(selfTime(trace, place, now))),
  },
  { id: "ttft", label: "first token", px: 72, cell: figure("ttft", duration) },
  { id: "in", label: "in", px: 58, cell: figure("tokensIn", count) },
  { id: "out", label: "out", px: 58, cell: figure("tokensOut", count) },
  {
    id: "tokens",
    label: "tokens",
    px: 62,
    first: true,
    cell: (trace, place) => {
      const node = trace.node[place]!;
      if (node < 0) return trace.sums[~node]!.tokens > 0 ? count(trace.sums[~node]!.tokens) : "";
      const [used, made] = [trace.tokensIn[node]!, trace.tokensOut[node]!];
      if (used !== used && made !== made) return "";
      const told = count(sure(used) + sure(made));
      return trace.flags[node]! & COUNTED ? told : `(${told})`;
    },
  },
  {
    id: "cost",
    label: "cost",
    px: 62,
    first: true,
    cell: (trace, place) => {
      const node = trace.node[place]!;
      const usdOf = node < 0 ? trace.sums[~node]!.cost : trace.cost[node]!;
      if (usdOf === usdOf) return node < 0 || trace.flags[node]! & COUNTED ? usd(usdOf) : `(${usd(usdOf)})`;
      return node >= 0 && trace.flags[node]! & UNPRICED ? "?" : "";
    },
  },
];
