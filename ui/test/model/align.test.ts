import { describe, expect, test } from "vitest";
import type { Columns } from "../../src/api/types";
import { align, type Aligned, DIFFERS, nextDifference, totalsOf, visibleRows, windowOf } from "../../src/model/align";
import { turnsOfList } from "../../src/model/messages";
import { alike, pairTurns } from "../../src/model/turnpairs";

/** A trace from a text tree: indent, kind, name, and optionally `@start+duration`, `✕`, `tokens=n`, `model=x`. */
function trace(text: string): Columns {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const indent = (line: string): number => line.search(/\S/);
  const least = Math.min(...lines.map(indent));
  const names: string[] = [];
  const kinds: string[] = [];
  const models: string[] = [];
  const place = (list: string[], item: string): number => {
    if (!list.includes(item)) list.push(item);
    return list.indexOf(item);
  };
  const above: number[] = [];
  const rows = lines.map((line, at) => {
    const depth = (indent(line) - least) / 2;
    above[depth] = at;
    const [kind, name, ...rest] = line.trim().split(" ");
    const told = rest.join(" ");
    const time = /@(\d+)\+(\d+)/.exec(told);
    const model = /model=(\S+)/.exec(told)?.[1];
    return {
      parent: depth === 0 ? -1 : above[depth - 1]!,
      kind: place(kinds, kind!),
      name: place(names, name!.replaceAll("_", " ")),
      model: model === undefined ? null : place(models, model),
      start: Number(time?.[1] ?? at) * 1e6,
      duration: Number(time?.[2] ?? 1) * 1e6,
      flags: (told.includes("✕") ? 1 : 0) | (kind === "llm" ? 4 : 0) | (told.includes("open") ? 2 : 0),
      tokens: Number(/tokens=(\d+)/.exec(told)?.[1] ?? 0) || null,
    };
  });
  return {
    trace_id: "t",
    start_ns: "0",
    count: rows.length,
    names,
    kinds,
    models,
    span_id: rows.map((_, at) => `s${at}`),
    parent: rows.map((row) => row.parent),
    name: rows.map((row) => row.name),
    kind: rows.map((row) => row.kind),
    model: rows.map((row) => row.model),
    start_us: rows.map((row) => row.start),
    duration_us: rows.map((row) => row.duration),
    flags: rows.map((row) => row.flags),
    tokens_in: rows.map((row) => row.tokens),
    tokens_out: rows.map(() => null),
    cost_usd: rows.map((row) => (row.tokens === null ? null : row.tokens / 1000)),
    ttft_us: rows.map(() => null),
  };
}

const nameOf = (columns: Columns, at: number): string => (at < 0 ? "–" : columns.names[columns.name[at]!]!);

function drawn(a: Columns, b: Columns): string[] {
  const aligned = align(a, b);
  return Array.from({ length: aligned.count }, (_, row) => {
    const [one, two] = [nameOf(a, aligned.inA[row]!), nameOf(b, aligned.inB[row]!)];
    return `${"  ".repeat(aligned.depth[row]!)}${one === two ? one : `${one} | ${two}`}`;
  });
}

describe("two traces as one tree", () => {
  test("spans of one name are paired, what one side has more stands alone", () => {
    const a = trace(`
      agent run
        llm chat
        tool search
        llm chat
        tool mail
        llm chat`);
    const b = trace(`
      agent run
        llm chat
        tool search
        tool search
        llm chat
        llm chat`);
    expect(drawn(a, b)).toEqual(["run", "  chat", "  search", "  – | search", "  chat", "  mail | –", "  chat"]);
  });

  test("below a span that is alone everything is alone", () => {
    const a = trace(`
      agent run
        agent plan
          llm chat`);
    const b = trace("agent run");
    expect(drawn(a, b)).toEqual(["run", "  plan | –", "    chat | –"]);
  });

  test("another model is the same step, another tool is not", () => {
    const a = trace(`
      agent run
        llm chat_gpt-4o model=gpt-4o
        tool search
        llm chat_gpt-4o model=gpt-4o
        tool mail`);
    const b = trace(`
      agent run
        llm chat_claude model=claude
        tool search
        llm ask_claude model=claude
        tool sum`);
    expect(drawn(a, b)).toEqual([
      "run",
      "  chat gpt-4o | chat claude",
      "  search",
      "  chat gpt-4o | ask claude",
      "  mail | –",
      "  – | sum",
    ]);
  });

  test("two roots are the same whatever they are called; several are paired by name", () => {
    expect(drawn(trace("agent one"), trace("agent two"))).toEqual(["one | two"]);
    expect(drawn(trace("agent one\nagent two"), trace("agent two"))).toEqual(["one | –", "two"]);
  });

  test("thousands of siblings are paired by order, and every span stands once", () => {
    const many = (n: number, name: string): Columns =>
      trace(["agent run", ...Array.from({ length: n }, (_, at) => `  tool ${name}${at % 3}`)].join("\n"));
    const [a, b] = [many(4_000, "x"), many(3_998, "x")];
    const aligned = align(a, b);
    expect(aligned.count).toBe(4_001);
    const each = (places: Int32Array): number[] => [...places].filter((at) => at >= 0).toSorted((x, y) => x - y);
    expect(each(aligned.inA)).toEqual(Array.from({ length: 4_001 }, (_, at) => at));
    expect(each(aligned.inB)).toEqual(Array.from({ length: 3_999 }, (_, at) => at));
  });

  test("every span of random trees stands once, below its parent's row", () => {
    let seed = 1;
    const next = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const make = (): Columns => {
      let text = "agent run";
      let depth = 0;
      for (let n = 0; n < 60; n += 1) {
        depth = Math.max(1, Math.min(depth + 1, Math.floor(next() * 6)));
        text += `\n${"  ".repeat(depth)}tool ${"abcd"[Math.floor(next() * 4)]}`;
      }
      return trace(text);
    };
    for (let round = 0; round < 60; round += 1) {
      const [a, b] = [make(), make()];
      const aligned = align(a, b);
      for (const [columns, places] of [
        [a, aligned.inA],
        [b, aligned.inB],
      ] as const) {
        const rowOf = new Map([...places].map((at, row) => [at, row]));
        expect([...places].filter((at) => at >= 0)).toHaveLength(columns.count);
        for (let at = 0; at < columns.count; at += 1) {
          const row = rowOf.get(at)!;
          const parent = columns.parent[at]!;
          expect(aligned.parent[row]).toBe(parent < 0 ? -1 : rowOf.get(parent));
        }
      }
    }
  });

  test("a ring of parents and a chain of 30,000 end", () => {
    const ring = { ...trace("agent a\nagent b"), parent: [1, 0] };
    expect(align(ring, ring).count).toBe(2);
    const hanging = { ...trace("agent a\nagent b\nagent c"), parent: [1, 2, 1] };
    expect(align(hanging, hanging).count).toBe(3);
    const self = { ...trace("agent a"), parent: [0] };
    expect(align(self, self).count).toBe(1);
    const n = 30_000;
    const rows = <T>(of: (at: number) => T): T[] => Array.from({ length: n }, (_, at) => of(at));
    const flat = trace("tool a");
    const chain: Columns = {
      ...flat,
      count: n,
      span_id: rows((at) => `s${at}`),
      parent: rows((at) => at - 1),
      name: rows(() => 0),
      kind: rows(() => 0),
      model: rows(() => null),
      start_us: rows((at) => at),
      duration_us: rows(() => 1),
      flags: rows(() => 0),
      tokens_in: rows(() => null),
      tokens_out: rows(() => null),
      cost_usd: rows(() => null),
      ttft_us: rows(() => null),
    };
    const aligned = align(chain, chain);
    expect(aligned.count).toBe(n);
    expect(aligned.end[0]).toBe(n);
  });
});

describe("what differs", () => {
  const a = trace(`
    agent run @0+10
      llm chat @0+4 tokens=100 model=x
      tool search @4+1
      tool mail @5+1`);
  const b = trace(`
    agent run @0+12
      llm chat @0+4 tokens=120 model=y
      tool search @4+3 ✕
      tool mail @7+1`);
  const aligned: Aligned = align(a, b);

  test("status, model, tokens, duration; and above them that something below does", () => {
    expect([...aligned.differs]).toEqual([
      DIFFERS.below,
      DIFFERS.tokens | DIFFERS.name,
      DIFFERS.status | DIFFERS.duration,
      0,
    ]);
    expect(aligned.differing).toEqual([1, 2]);
  });

  test("only differences, folds, and the way from one difference to the next", () => {
    expect([...visibleRows(aligned, new Set(), false)]).toEqual([0, 1, 2, 3]);
    expect([...visibleRows(aligned, new Set(), true)]).toEqual([0, 1, 2]);
    expect([...visibleRows(aligned, new Set([0]), false)]).toEqual([0]);
    expect(nextDifference(aligned, -1, 1)).toBe(1);
    expect(nextDifference(aligned, 1, 1)).toBe(2);
    expect(nextDifference(aligned, 2, 1)).toBe(-1);
    expect(nextDifference(aligned, 2, -1)).toBe(1);
    expect(nextDifference(aligned, 1, -1)).toBe(-1);
  });

  test("sums of both", () => {
    expect(totalsOf(a)).toMatchObject({ durationUs: 10e6, spans: 4, calls: 1, tokens: 100, errors: 0, models: ["x"] });
    expect(totalsOf(b)).toMatchObject({ durationUs: 12e6, tokens: 120, costUsd: 0.12, errors: 1 });
    expect(totalsOf(trace("tool a")).costUsd).toBeNull();
  });

  test("the time that rows on screen fill leaves out what reaches beyond the screen", () => {
    const rows = visibleRows(aligned, new Set(), false);
    const [from, to] = windowOf(aligned, a, b, rows, 0, 3);
    expect([Math.round(from / 1e6), Math.round(to / 1e6)]).toEqual([0, 7]);
    expect(windowOf(aligned, a, b, rows, 0, 4)[1]).toBeGreaterThan(12e6);
  });
});

describe("turns side by side", () => {
  const told = (...texts: string[]) =>
    turnsOfList(
      texts.map((text) => ({ role: text.slice(0, 1) === "u" ? "user" : "assistant", content: text })),
      "input",
    );
  test("equal turns are gathered, changed ones of a role paired, the rest alone", () => {
    const pairs = pairTurns(
      told("u hello", "a hi", "u where", "a here"),
      told("u hello", "a hi", "u when", "a now", "u so"),
    );
    expect(pairs.map((pair) => pair.sort)).toEqual(["same", "changed", "changed", "b"]);
    expect(pairTurns([], told("u x")).map((pair) => pair.sort)).toEqual(["b"]);
    expect(pairTurns(told("u x"), []).map((pair) => pair.sort)).toEqual(["a"]);
  });

  test("texts with little in common are shown whole", () => {
    expect(alike("the order was sent on Monday", "the parcel was sent on Friday")).toBe(true);
    expect(alike('look_up({"order":4711})', "It left our warehouse this morning.")).toBe(false);
    expect(alike("", "")).toBe(true);
  });
});
