// How long records are kept: what somebody typed as a policy, what is wrong with it, and what it means in words. Pure.
import type { Policy, PolicyGiven } from "../api/types";
import { count, duration, plural } from "./format";

/** A policy as it is typed; an empty or 0 limit keeps everything. */
export interface PolicyForm {
  days: string;
  traces: string;
  hold: string;
}

export type PolicyErrors = Partial<Record<keyof PolicyForm, string>>;

const MOST_DAYS = 100_000;
const DAY_MS = 86_400_000;
export const EVERYTHING = "*";

export function formOf(policy: Policy): PolicyForm {
  return {
    days: policy.days === 0 ? "" : String(policy.days),
    traces: policy.traces === 0 ? "" : String(policy.traces),
    hold: policy.hold,
  };
}

/** The policy that was typed, or what is wrong at which field. */
export function readPolicy(form: PolicyForm): { policy?: Required<PolicyGiven>; errors: PolicyErrors } {
  const errors: PolicyErrors = {};
  const days = numberIn(form.days);
  const traces = numberIn(form.traces);
  if (Number.isNaN(days) || days < 0) errors.days = "give a number of days, such as 30 or 0.5; empty keeps everything";
  else if (days >= MOST_DAYS) errors.days = `give less than ${count(MOST_DAYS)} days; empty keeps everything`;
  if (Number.isNaN(traces) || traces < 0 || !Number.isInteger(traces))
    errors.traces = "give a whole number of traces, such as 100000; empty keeps everything";
  else if (!Number.isSafeInteger(traces)) errors.traces = "that is more than can be counted; empty keeps everything";
  if (Object.keys(errors).length > 0) return { errors };
  return { policy: { days, traces, hold: form.hold.trim() }, errors };
}

function numberIn(text: string): number {
  const plain = text.trim().replace(/[,_\s]/g, "");
  return plain === "" ? 0 : /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : NaN;
}

export function samePolicy(a: Policy, b: PolicyGiven): boolean {
  return a.days === (b.days ?? 0) && a.traces === (b.traces ?? 0) && a.hold === (b.hold ?? "");
}

/** Before which moment records are deleted, in milliseconds since 1970; undefined where age deletes nothing. */
export function cutoffMs(policy: PolicyGiven, nowMs: number): number | undefined {
  return policy.days ? nowMs - policy.days * DAY_MS : undefined;
}

/** What of it would go by age, as a filter text: what is held stays. undefined where nothing can go. */
export function dueFilter(policy: PolicyGiven): string | undefined {
  const hold = policy.hold ?? "";
  if (hold === EVERYTHING) return undefined;
  return hold === "" ? "" : `-(${hold})`;
}

/** What a policy does, in sentences. */
export function meaningOf(policy: PolicyGiven, intervalS: number): string[] {
  const told: string[] = [];
  const { days = 0, traces = 0, hold = "" } = policy;
  if (hold === EVERYTHING)
    return ["The whole project is on hold: nobody deletes anything of it, neither age nor people."];
  if (days === 0 && traces === 0) told.push("Nothing is deleted by itself.");
  if (days > 0)
    told.push(
      `Traces, logs and data points that began more than ${daysTold(days)} ago are deleted, ` +
        `at most ${plural(Math.max(1, Math.round(intervalS / 60)), "minute")} later.`,
    );
  if (traces > 0) told.push(`Above ${plural(traces, "trace")} of this project the oldest are deleted.`);
  if (hold !== "") told.push("What the hold finds stays, whatever its age, and cannot be erased by anybody.");
  return told;
}

function daysTold(days: number): string {
  return Number.isInteger(days) ? plural(days, "day") : duration(days * DAY_MS * 1e3);
}
