import { expect, test } from "vitest";
import type { LogRow } from "../../src/api/types";
import {
  after,
  attributesOf,
  exceptionOf,
  extrasOf,
  levelIn,
  levelName,
  levelOf,
  lineOf,
  logParam,
  merged,
  rateOf,
  readLogParam,
  shifted,
  termOf,
  textOf,
  withLevel,
} from "../../src/model/logs";

const row = (log_id: string, time: number, given: Partial<LogRow> = {}): LogRow => ({
  log_id,
  time_ns: `17955383745${String(time).padStart(8, "0")}`,
  severity: 9,
  event_name: "",
  body: "said",
  attributes: {},
  trace_id: null,
  span_id: null,
  service: "shop",
  scope_name: "",
  cut: false,
  ...given,
});
const ids = (rows: readonly LogRow[]): string => rows.map((one) => one.log_id).join("");

test("severity numbers have OpenTelemetry's names", () => {
  expect([0, 1, 5, 9, 10, 13, 17, 20, 21, 24, 30].map(levelName)).toEqual(
    "– TRACE DEBUG INFO INFO2 WARN ERROR ERROR4 FATAL FATAL4 FATAL".split(" "),
  );
  expect([0, 4, 12, 16].map(levelOf)).toEqual(["none", "trace", "info", "warning"]);
});

test("a line is the message, what failed, or the attributes", () => {
  expect(lineOf(row("a", 1, { body: "two\n  lines" }))).toBe("two lines");
  expect(lineOf(row("a", 1, { body: { message: "slow", n: 1 } }))).toBe("slow");
  expect(lineOf(row("a", 1, { body: { n: 1 } }))).toBe('{"n":1}');
  const failed = { "exception.type": "ValueError", "exception.message": "no", "code.line.number": 3 };
  expect(lineOf(row("a", 1, { body: null, attributes: failed }))).toBe("ValueError: no");
  expect(lineOf(row("a", 1, { body: null, attributes: { order: 4, tags: ["x"], "code.line.number": 3 } }))).toBe(
    'order=4 tags=["x"]',
  );
  expect(lineOf(row("a", 1, { body: "x".repeat(10_000) })).length).toBeLessThan(500);
});

test("extras leave out where the record was made", () => {
  expect(extrasOf(row("a", 1, { attributes: { items: 3, "code.file.path": "a.py", gone: null } }))).toBe("items=3");
});

test("text of a body", () => {
  expect([null, undefined, "a", { message: "b" }, { message: 1 }, [1], false].map(textOf)).toEqual([
    "",
    "",
    "a",
    "b",
    '{"message":1}',
    "[1]",
    "false",
  ]);
});

test("an exception is told by its attributes, and its stack is not told twice", () => {
  const attributes = {
    "exception.type": "E",
    "exception.message": "m",
    "exception.stacktrace": "Traceback",
    z: 1,
    a: 2,
  };
  const failed = row("a", 1, { attributes });
  expect(exceptionOf(failed)).toEqual({ type: "E", message: "m", stack: "Traceback" });
  expect(attributesOf(failed).map(([name]) => name)).toEqual(["a", "exception.message", "exception.type", "z"]);
  expect(exceptionOf(row("a", 1))).toBeUndefined();
});

test("terms are made of what the filter language can say", () => {
  expect(termOf("attr.order", 4711)).toBe("attr.order=4711");
  expect(termOf("attr.note", 'a "b"', true)).toBe('-attr.note="a \\"b\\""');
  expect(termOf("attr.ok", true)).toBe("attr.ok=true");
  expect(termOf("attr.list", [1])).toBeUndefined();
  expect(termOf("attr.gone", null)).toBeUndefined();
  expect(termOf("attr.a b", "x")).toBeUndefined();
  expect(termOf("attr.x=y", "x")).toBeUndefined();
  expect(termOf("attr.stack", "a\nb")).toBeUndefined();
});

test("the least level is read from a text and changed in it", () => {
  expect(levelIn("a service=x")).toBeUndefined();
  expect(levelIn("level>=warning a")).toBe("warning");
  expect(levelIn("level:error")).toBe("");
  expect(levelIn("level>=info -level:error")).toBe("");
  expect(withLevel("a level>=info b", "error")).toBe("a b level>=error");
  expect(withLevel("-level:debug a", undefined)).toBe("a");
  expect(withLevel("a OR b", "error")).toBe("(a OR b) level>=error");
});

test("the open record is found again by its time", () => {
  const one = row("ab12", 7);
  expect(readLogParam(logParam(one))).toEqual({ timeNs: one.time_ns, logId: "ab12" });
  expect(readLogParam("nonsense")).toBeUndefined();
  expect(readLogParam(undefined)).toBeUndefined();
  expect(after("1795538374599999999")).toBe("1795538374600000000");
  expect(shifted("1795538374599999999", -30_000)).toBe(1795538344599);
});

test("arrivals are put in by time, once, and the oldest go", () => {
  const rows = [row("c", 30), row("a", 10)];
  expect(ids(merged(rows, [row("b", 20), row("d", 40), row("c", 30), row("d", 40)]))).toBe("dcba");
  expect(merged(rows, [row("c", 30)])).toBe(rows);
  expect(ids(merged(rows, [row("d", 40)], 2))).toBe("dc");
  expect(ids(merged([], [row("a", 1), row("b", 2)]))).toBe("ba");
});

test("the rate counts ten seconds", () => {
  expect(
    rateOf(
      [
        [0, 100],
        [5_000, 20],
        [9_000, 30],
      ],
      12_000,
    ),
  ).toBe(5);
});
