// A session as one conversation over answers of a server that is not there: rounds, bills, scores, and further pages.
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { forget } from "../../src/api/client";
import { press } from "../../src/keys";
import { go, place } from "../../src/url";
import { Session } from "../../src/views/sessions/session";
import { show, words } from "../renderers/shown";

const said = (role: string, content: string): unknown => ({ role, parts: [{ type: "text", content }] });

function exchange(at: number, input: unknown[], answer: string, more: object = {}): unknown {
  const trace = {
    trace_id: `t${at}`,
    name: "POST /chat",
    service: "",
    start_ns: `${1_700_000_000 + at * 300}000000000`,
    end_ns: `${1_700_000_001 + at * 300}000000000`,
    duration_ms: 1_000,
    status: "OK",
    error_message: null,
    spans: 2,
    errors: 0,
    open_spans: 0,
    calls: 1,
    input_tokens: 100,
    output_tokens: 20,
    cached_tokens: 0,
    reasoning_tokens: 0,
    cost_usd: 0.01,
    unpriced_calls: 0,
    session_id: "s",
    user_id: "u7",
    models: [],
    weight: 1,
    ...more,
  };
  return {
    trace,
    span_id: "a",
    kind: "llm",
    messages: { system: [], input, output: [said("assistant", answer)], tools: [] },
    answer_span_id: null,
    answer: [],
    cut: [],
  };
}

const FIRST = [said("user", "Where is it?")];
const SECOND = [...FIRST, said("assistant", "On its way."), said("user", "When?")];

let asked: string[] = [];
let watched: { seen(now: boolean): void }[] = [];
let answers: Record<string, unknown> = {};

beforeEach(() => {
  asked = [];
  watched = [];
  answers = {
    "/api/turns": {
      items: [
        exchange(0, FIRST, "On its way."),
        exchange(1, SECOND, "Tomorrow.", { status: "ERROR", errors: 1, error_message: "slow" }),
      ],
      cursor: null,
    },
    "/api/scores": {
      items: [
        {
          score_id: "1",
          time_ns: "0",
          name: "helpful",
          value: 0.6000000000000001,
          label: null,
          comment: "ok",
          trace_id: "t1",
          span_id: null,
          author: "user:ann",
        },
      ],
      cursor: null,
    },
    "/api/sessions": {
      items: [
        {
          key: "s",
          traces: 2,
          failed: 1,
          spans: 4,
          errors: 1,
          calls: 2,
          input_tokens: 200,
          output_tokens: 40,
          cost_usd: 0.02,
          unpriced_calls: 0,
          first_ns: "0",
          last_ns: "0",
        },
      ],
      cursor: null,
    },
  };
  go("/p/shop/sessions/s%201", "replace");
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    const known = Object.keys(answers).find((name) => url.startsWith(name));
    return new Response(JSON.stringify(known === undefined ? {} : answers[known]), {
      status: known === undefined ? 404 : 200,
    });
  });
  vi.stubGlobal(
    "IntersectionObserver",
    // what is watched is taken to be on the screen at once
    function watch(this: unknown, told: (entries: { isIntersecting: boolean }[]) => void) {
      watched.push({ seen: (now) => told([{ isIntersecting: now }]) });
      return {
        observe: () => void Promise.resolve().then(() => told([{ isIntersecting: true }])),
        disconnect: () => undefined,
      };
    },
  );
  Element.prototype.scrollIntoView = () => undefined;
});

afterEach(() => {
  forget();
  show(<p />);
  vi.unstubAllGlobals();
});

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 6; turn += 1) await act(() => new Promise((done) => setTimeout(done, 0)));
};

test("each round has what is new in it, its bill, its error, its scores and the way into the trace", async () => {
  const box = show(<Session />);
  await settle();
  const rounds = [...box.querySelectorAll(".round")].map(words);
  expect(rounds).toHaveLength(2);
  expect(rounds[0]).toMatch(/POST \/chat.*1\.00 s.*1 call.*120 tokens.*\$0\.0100.*Where is it\?.*On its way\./);
  expect(rounds[1]).toContain("2 earlier messages told again");
  expect(rounds[1]).not.toContain("Where is it?");
  expect(rounds[1]).toMatch(/✕ slow.*When\?.*Tomorrow\..*helpful 0\.6$/);
  expect(words(box)).toContain("4.98 min later");
  expect(box.querySelector<HTMLAnchorElement>(".round-head a")?.href).toContain("/p/shop/traces/t0?span=a");
});

test("the sums stand on top", async () => {
  const box = show(<Session />);
  await settle();
  expect(words(box.querySelector(".head")!)).toMatch(
    /Sessions \/ s 1.*user u7.*turns 2.*model calls 2.*tokens 240.*cost \$0\.0200.*busy 2\.00 s.*failed ✕ 1/,
  );
});

test("keys move between rounds and open the trace", async () => {
  const box = show(<Session />);
  await settle();
  const key = (name: string): void =>
    void act(() => void press(new KeyboardEvent("keydown", { key: name }), performance.now()));
  key("j");
  key("j");
  expect([...box.querySelectorAll(".round")].map((round) => round.classList.contains("selected"))).toEqual([
    false,
    true,
  ]);
  key("Enter");
  expect(place.value).toMatchObject({ view: "trace", id: "t1" });
});

test("further pages are read as the end comes near, and what is far away is not made of elements", async () => {
  const page = answers["/api/turns"] as { items: unknown[] };
  answers = {
    "/api/turns?session=s+1&limit=20&cursor=c": {
      items: [exchange(2, [said("user", "third")], "third answer")],
      cursor: null,
    },
    ...answers,
  };
  answers["/api/turns"] = { items: page.items, cursor: "c" };
  const box = show(<Session />);
  await settle();
  expect(words(box)).toContain("third answer");
  expect(asked.filter((url) => url.startsWith("/api/turns"))).toHaveLength(2);
  expect(asked.filter((url) => url.startsWith("/api/scores"))).toHaveLength(2);
  const before = box.querySelectorAll("*").length;
  act(() => {
    for (const one of watched) one.seen(false);
  });
  expect(box.querySelectorAll("*").length).toBeLessThan(before / 2);
});

test("a session that is not kept says so", async () => {
  answers["/api/turns"] = { items: [], cursor: null };
  const box = show(<Session />);
  await settle();
  expect(words(box)).toContain("No trace of this session is kept");
});
