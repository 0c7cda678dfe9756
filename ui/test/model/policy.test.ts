import { expect, test } from "vitest";
import { cutoffMs, dueFilter, formOf, meaningOf, readPolicy, samePolicy } from "../../src/model/policy";

test("a policy comes back from its form", () => {
  const policy = { days: 30, traces: 100_000, hold: "session:s7" };
  expect(readPolicy(formOf(policy))).toEqual({ policy, errors: {} });
  expect(formOf({ days: 0, traces: 0, hold: "" })).toEqual({ days: "", traces: "", hold: "" });
  expect(readPolicy({ days: "0.5", traces: "1,000 000", hold: " * " }).policy).toEqual({
    days: 0.5,
    traces: 1_000_000,
    hold: "*",
  });
});

test("what makes no sense is told at its field", () => {
  expect(Object.keys(readPolicy({ days: "soon", traces: "1.5", hold: "" }).errors)).toEqual(["days", "traces"]);
  expect(readPolicy({ days: "-1", traces: "", hold: "" }).errors.days).toContain("empty keeps everything");
  expect(readPolicy({ days: "100000", traces: "", hold: "" }).errors.days).toContain("less than 100,000");
  expect(readPolicy({ days: "", traces: "99999999999999999999", hold: "" }).errors.traces).toContain("counted");
});

test("policies are compared by what they say", () => {
  expect(samePolicy({ days: 0, traces: 0, hold: "" }, {})).toBe(true);
  expect(samePolicy({ days: 0, traces: 0, hold: "" }, { hold: "*" })).toBe(false);
});

test("what age takes away, and what a hold keeps of it", () => {
  expect(cutoffMs({ days: 2 }, 200_000_000)).toBe(27_200_000);
  expect(cutoffMs({ traces: 5 }, 1)).toBeUndefined();
  expect(dueFilter({})).toBe("");
  expect(dueFilter({ hold: "session:s7 OR tag:x" })).toBe("-(session:s7 OR tag:x)");
  expect(dueFilter({ hold: "*" })).toBeUndefined();
});

test("a policy in words", () => {
  expect(meaningOf({}, 300)).toEqual(["Nothing is deleted by itself."]);
  expect(meaningOf({ days: 1, traces: 2_000, hold: "user:u7" }, 300)).toEqual([
    "Traces, logs and data points that began more than 1 day ago are deleted, at most 5 minutes later.",
    "Above 2,000 traces of this project the oldest are deleted.",
    "What the hold finds stays, whatever its age, and cannot be erased by anybody.",
  ]);
  expect(meaningOf({ days: 0.5 }, 300)[0]).toContain("more than 12.0 h ago");
  expect(meaningOf({ days: 1, hold: "*" }, 300)[0]).toContain("on hold");
});
