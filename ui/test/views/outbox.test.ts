// Answers on their way: sent once, kept where they fail, sent again where that helps, the newest of one trace alone.
import { beforeEach, expect, test, vi } from "vitest";
import { me } from "../../src/api/session";
import { answerOf, drop, put, savedHere, sendAgain, unsaved } from "../../src/views/scores/outbox";

interface Asked {
  body: { trace_id: string; value: unknown };
  project: string | null;
  answer(status: number): Promise<void>;
}

let asked: Asked[] = [];
const settle = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

beforeEach(() => {
  for (const one of unsaved.value) drop(one);
  asked = [];
  vi.stubGlobal(
    "fetch",
    (url: string, init: RequestInit) =>
      new Promise((resolve, reject) => {
        asked.push({
          body: JSON.parse(init.body as string) as Asked["body"],
          project: new URL(url, "http://h").searchParams.get("project"),
          answer: async (status) => {
            if (status === 0) reject(new TypeError("no connection"));
            else
              resolve(
                new Response(status === 200 ? '{"score_id":"1"}' : '{"error":{"code":"x","message":"no"}}', { status }),
              );
            await settle();
          },
        });
      }),
  );
});

const give = (trace_id: string, value: string, project = "shop"): void =>
  put(project, { trace_id, name: "verdict", value }, value);

test("an answer is sent once, to its own project, and then known as saved", async () => {
  give("t1", "good", "other");
  expect(asked.map(({ body, project }) => [body.trace_id, body.value, project])).toEqual([["t1", "good", "other"]]);
  expect(answerOf("other", "t1", "verdict")?.state).toBe("sending");
  await asked[0]!.answer(200);
  expect(answerOf("other", "t1", "verdict")?.state).toBe("saved");
  expect([...savedHere("other", "verdict")]).toEqual(["t1"]);
  expect(unsaved.value).toHaveLength(0);
});

test("an answer that fails is kept and told, and sent again when asked", async () => {
  give("t2", "bad");
  await asked[0]!.answer(0);
  expect(unsaved.value.map(({ score, error }) => [score.trace_id, error?.code])).toEqual([["t2", "unreachable"]]);
  sendAgain();
  await asked[1]!.answer(200);
  expect(unsaved.value).toHaveLength(0);
  expect(asked[1]!.body).toMatchObject({ trace_id: "t2", value: "bad" });
});

test("a connection that is back sends what it can mend, not what was refused", async () => {
  give("t3", "good");
  await asked[0]!.answer(503);
  give("t4", "good");
  await asked[1]!.answer(403);
  window.dispatchEvent(new Event("online"));
  await settle();
  expect(asked.slice(2).map(({ body }) => body.trace_id)).toEqual(["t3"]);
  await asked[2]!.answer(200);
  expect(unsaved.value.map(({ score }) => score.trace_id)).toEqual(["t4"]);
});

test("an answer changed while it is sent is sent anew afterwards, and alone counts", async () => {
  give("t5", "good");
  give("t5", "bad");
  expect(asked).toHaveLength(1);
  await asked[0]!.answer(200);
  expect(asked.map(({ body }) => body.value)).toEqual(["good", "bad"]);
  await asked[1]!.answer(200);
  expect(answerOf("shop", "t5", "verdict")).toMatchObject({ label: "bad", state: "saved" });
});

test("leaving the page asks first while something is on its way", async () => {
  const leave = (): boolean => {
    const event = new Event("beforeunload", { cancelable: true });
    window.dispatchEvent(event);
    return event.defaultPrevented;
  };
  expect(leave()).toBe(false);
  give("t6", "good");
  expect(leave()).toBe(true);
  await asked[0]!.answer(200);
  expect(leave()).toBe(false);
});

test("answers of somebody else are not sent in the name of who logs in after them", async () => {
  const ann = { name: "user:ann", grants: {}, oidc: false, version: "", default_project: "" };
  me.value = ann;
  give("t9", "good");
  await asked[0]!.answer(401);
  expect(unsaved.value.length).toBe(1);
  me.value = { ...ann, name: "anonymous" };
  me.value = ann;
  expect(unsaved.value.length).toBe(1);
  me.value = { ...ann, name: "user:bob" };
  expect(unsaved.value).toEqual([]);
  sendAgain();
  expect(asked.length).toBe(1);
});
