// The tree that is drawn: every span once, below its parent, by start; figures; what arrives live.
import { describe, expect, it } from "vitest";
import type { Columns } from "../../src/api/types";
import {
  columnsOf,
  endOf,
  isOpen,
  placeOfSpan,
  selfTime,
  spanIdAt,
  startOf,
  traceOf,
  withSpans,
} from "../../src/model/trace";
import { columns, drawn, id, random, shown, spanRow, text } from "./drawn";

const NS = 1_000n;
const ns = (us: number): string => String(1_000_000_000_000n + BigInt(us) * NS);

describe("the order of a trace", () => {
  it("is depth first, children by start, whatever the order in which they came", () => {
    const trace = drawn(
      `
      root 0-100
        second 50-90
        first 10-40
          inner 12-20
    `.replaceAll(/^ {6}/gm, ""),
    );
    expect(shown(trace)).toBe(
      text(`
      root
        first
          inner
        second`),
    );
    expect([...trace.end]).toEqual([4, 3, 3, 4]);
    expect([...trace.up]).toEqual([-1, 0, 1, 0]);
    expect([...trace.nth]).toEqual([1, 1, 1, 2]);
    expect([...trace.of]).toEqual([1, 2, 1, 2]);
  });

  it("puts spans whose parent was not received under a row that says so", () => {
    const trace = drawn("root 0-100\n  child 1-2\nlate 5-9 lost\n  below 6-7\nother 7-8 lost");
    expect(shown(trace)).toBe(text("root\n  child\n(lost)\n  late\n    below\n  other"));
    expect(trace.totals.lost).toBe(2);
    expect([startOf(trace, 2), endOf(trace, 2, 0)]).toEqual([5, 9]);
    expect(spanIdAt(trace, 2)).toBe(spanIdAt(trace, 3));
  });

  it("makes one row of more than 20 siblings of a name, and keeps what is below them", () => {
    const many = Array.from({ length: 21 }, (_, at) => `  embed ${at * 10}-${at * 10 + 5} embedding`).join("\n");
    const trace = drawn(`root 0-500\n${many}\n    inner 201-202\n  end 300-400`);
    expect(shown(trace).split("\n").slice(0, 4)).toEqual(["root", "  embed × 21", "    embed", "    embed"]);
    expect(shown(trace).split("\n").slice(-3)).toEqual(["    embed", "      inner", "  end"]);
    expect(trace.sums[0]).toMatchObject({ from: 0, to: 205, total: 105, p95: 5, errors: 0 });
    const few = Array.from({ length: 20 }, () => "  embed 1-5").join("\n");
    expect(drawn(`root 0-500\n${few}`).groups).toEqual([]);
  });

  it("keeps the turns of an agent apart", () => {
    const turns = Array.from(
      { length: 25 },
      (_, at) => `  chat ${at * 10}-${at * 10 + 4} llm\n  search ${at * 10 + 5}-${at * 10 + 9} tool`,
    );
    expect(drawn(`agent 0-500\n${turns.join("\n")}`).groups).toEqual([]);
    const steps = Array.from(
      { length: 25 },
      (_, at) => `  read ${at * 10}-${at * 10 + 4}\n  write ${at * 10 + 5}-${at * 10 + 9}`,
    );
    expect(drawn(`job 0-500\n${steps.join("\n")}`).groups.map((group) => group.members.length)).toEqual([25, 25]);
    const agents = turns.map((turn) => turn.replace(" llm", "").replace(/(\d+)-\d+/, "$1-$1\n    inner $1-$1"));
    expect(drawn(`agent 0-500\n${agents.join("\n")}`).groups).toEqual([]);
  });

  it("does not recurse: 100,000 deep, and 100,000 side by side", () => {
    const count = 100_000;
    const base = columns([]);
    const same = (value: number): number[] => Array.from({ length: count }, () => value);
    const deep: Columns = {
      ...base,
      count,
      names: ["a"],
      kinds: ["span"],
      span_id: Array.from({ length: count }, (_, at) => id(at)),
      parent: Array.from({ length: count }, (_, at) => at - 1),
      name: same(0),
      kind: same(0),
      model: same(0),
      start_us: Array.from({ length: count }, (_, at) => at),
      duration_us: same(1_000_000),
      flags: same(0),
      tokens_in: same(0),
      tokens_out: same(0),
      cost_usd: same(0),
      ttft_us: same(0),
    };
    const trace = traceOf(deep);
    expect(trace.depth[count - 1]).toBe(count - 1);
    expect(trace.end[0]).toBe(count);
    const wide = traceOf({ ...deep, parent: same(-1) });
    expect(wide.places).toBe(count + 1);
    expect(wide.groups).toHaveLength(1);
  });

  it("breaks rings: each span stands somewhere", () => {
    const ring = { ...columns([]), ...drawnColumns(), parent: [1, 2, 0, 3, -1] };
    const trace = traceOf(ring);
    expect(new Set(trace.node.filter((node) => node >= 0)).size).toBe(5);
    expect(trace.groups.map((group) => group.sort)).toEqual(["lost"]);
  });

  it.each([1, 2, 3, 4, 5, 6])("holds for any tree (%i)", (seed) => {
    const told = random(400, seed);
    const trace = traceOf(told);
    const seen = new Set<number>();
    for (let place = 0; place < trace.places; place += 1) {
      const node = trace.node[place]!;
      const up = trace.up[place]!;
      expect(trace.depth[place]).toBe(up < 0 ? 0 : trace.depth[up]! + 1);
      if (up >= 0) expect(trace.end[place]!).toBeLessThanOrEqual(trace.end[up]!);
      expect(trace.end[place]!).toBeGreaterThan(place);
      const next = trace.end[place]!;
      if (next < trace.places && trace.up[next] === up) expect(trace.nth[next]).toBe(trace.nth[place]! + 1);
      if (node < 0) continue;
      seen.add(node);
      expect(trace.placeOf[node]).toBe(place);
      let above = up;
      while (above >= 0 && trace.node[above]! < 0 && trace.groups[~trace.node[above]!]!.sort === "many")
        above = trace.up[above]!;
      if (told.parent[node]! >= 0) expect(trace.node[above]).toBe(told.parent[node]);
      expect(selfTime(trace, place, 1e6)).toBeCloseTo(plainSelfTime(told, node, 1e6), 3);
    }
    expect(seen.size).toBe(400);
  });
});

function drawnColumns(): Partial<Columns> {
  const {
    trace_id: _id,
    parent: _parent,
    ...rest
  } = columns(
    Array.from({ length: 5 }, (_, at) => ({
      name: "a",
      kind: "span",
      depth: 0,
      start: at,
      end: at + 1,
      failed: false,
      lost: false,
      tokens: null,
      parent: -1,
    })),
  );
  return rest;
}

/** Self time by counting: sorted ends of children, no merging. */
function plainSelfTime(told: Columns, span: number, now: number): number {
  const from = told.start_us[span]!;
  const end = (at: number): number =>
    told.duration_us[at] === null ? now : told.start_us[at]! + told.duration_us[at]!;
  const edges = told.parent
    .flatMap((parent, at) =>
      parent === span
        ? [
            [Math.max(from, told.start_us[at]!), 1],
            [Math.min(end(span), end(at)), -1],
          ]
        : [],
    )
    .filter((_, at, all) => (at % 2 === 0 ? all[at]![0]! < all[at + 1]![0]! : all[at - 1]![0]! < all[at]![0]!))
    .sort((a, b) => a[0]! - b[0]! || b[1]! - a[1]!);
  let [running, since, covered] = [0, 0, 0];
  for (const [at, by] of edges as [number, number][]) {
    if (running > 0) covered += at - since;
    running += by;
    since = at;
  }
  return end(span) - from - covered;
}

describe("figures of a trace", () => {
  it("count tokens and cost of spans that count, and what failed or is open", () => {
    const trace = drawn("root 0-100\n  chat 10-20 llm 700t\n  chat 30-40 llm ! 300t\n  tool 50- tool");
    expect(trace.totals).toMatchObject({
      spans: 4,
      calls: 2,
      tokens: 1_000,
      costUsd: 0.001,
      errors: 1,
      open: 1,
      from: 0,
      to: 100,
    });
    expect([...trace.errors]).toEqual([2]);
    expect([...trace.calls]).toEqual([1, 2]);
  });

  it("have self time: what no child ran in, overlaps once, what reaches beyond cut", () => {
    const trace = drawn("root 0-100\n  a 10-40\n  b 30-60\n  c 90-300");
    expect(selfTime(trace, 0, 0)).toBe(40);
    expect(selfTime(trace, 1, 0)).toBe(30);
  });

  it("grow with now while a span is open", () => {
    const trace = drawn("root 0-\n  a 10-40\n  b 50-");
    expect([endOf(trace, 0, 80), selfTime(trace, 0, 80), isOpen(trace, 2)]).toEqual([80, 20, true]);
    expect(endOf(trace, 2, 20)).toBe(50);
  });

  it("know an empty trace", () => {
    const trace = traceOf(columns([]));
    expect([trace.places, trace.totals.spans, trace.totals.costUsd]).toEqual([0, 0, null]);
  });
});

describe("spans that arrive", () => {
  it("end, and leave the tree as it is", () => {
    const trace = drawn("root 0-\n  a 10-");
    const told = spanRow(trace, {
      span_id: id(1),
      parent_id: id(0),
      name: "a",
      start_ns: ns(10),
      end_ns: ns(25),
      status: "ERROR",
    });
    const after = withSpans(trace, [told]);
    expect(after.node).toBe(trace.node);
    expect([endOf(after, 1, 999), after.totals.open, after.totals.errors]).toEqual([25, 1, 1]);
    expect(trace.totals.open).toBe(2);
  });

  it("are new, and stand where they began", () => {
    const trace = drawn("root 0-\n  a 10-20\n  b 50-60");
    const after = withSpans(trace, [
      spanRow(trace, { span_id: "feed", parent_id: id(0), name: "c", start_ns: ns(30) }),
      spanRow(trace, { span_id: "beef", parent_id: "feed", name: "d", start_ns: ns(31), end_ns: ns(32), kind: "llm" }),
    ]);
    expect(shown(after)).toBe(text("root\n  a\n  c\n    d\n  b"));
    expect(placeOfSpan(after, "beef")).toBe(3);
    expect(after.kinds[after.kind[4]!]).toBe("llm");
  });

  it("do not open again what has ended, and come twice without harm", () => {
    const trace = drawn("root 0-100");
    const open = spanRow(trace, { span_id: id(0), name: "root", start_ns: ns(0) });
    expect(endOf(withSpans(trace, [open, open]), 0, 500)).toBe(100);
  });

  it("can be told as the server tells a trace", () => {
    const told = random(300, 8);
    expect(columnsOf(traceOf(told))).toEqual(told);
    const trace = drawn("root 0-\n  a 50-60");
    const after = withSpans(trace, [spanRow(trace, { span_id: "feed", parent_id: id(0), start_ns: ns(20) })]);
    expect(columnsOf(after)).toMatchObject({
      span_id: [id(0), "feed", id(1)],
      parent: [-1, 0, 0],
      start_us: [0, 20, 50],
    });
  });

  it("of another trace are left out; those without their parent are lost", () => {
    const trace = drawn("root 0-100");
    const other = { ...spanRow(trace, { span_id: "feed" }), trace_id: "x" };
    const lost = spanRow(trace, { span_id: "beef", parent_id: "dead", start_ns: ns(5) });
    const after = withSpans(trace, [other, lost]);
    expect(shown(after)).toBe(text("root\n(lost)\n  new"));
    expect(after.totals.lost).toBe(1);
  });
});
