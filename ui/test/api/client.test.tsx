// Asking the server: addresses, errors in words, answers kept and shown while new ones come, questions given up.
import { type ComponentChild, render, type VNode } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { address, type Answer, forget, get, isApiError, loggedOut, send, useAnswer } from "../../src/api/client";
import type { TracePage } from "../../src/api/types";

interface Asked {
  url: string;
  init: RequestInit;
  answer(body: unknown, status?: number): Promise<void>;
  fail(): Promise<void>;
}

let asked: Asked[] = [];
const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
  await act(() => new Promise((done) => setTimeout(done, 0)));
};

beforeEach(() => {
  asked = [];
  loggedOut.value = false;
  vi.stubGlobal(
    "fetch",
    (url: string, init: RequestInit) =>
      new Promise((resolve, reject) => {
        init.signal?.addEventListener("abort", () => reject(new DOMException("gone", "AbortError")));
        asked.push({
          url,
          init,
          answer: async (body, status = 200) => {
            resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
            await settle();
          },
          fail: async () => {
            reject(new TypeError("refused"));
            await settle();
          },
        });
      }),
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
  forget();
});

const page = (name: string): TracePage => ({ items: [{ name }] as unknown as TracePage["items"], cursor: null });

describe("addresses", () => {
  it("leave empty parameters out, and quote ids", () => {
    expect(address("/api/traces", { q: "a b", limit: 5, cursor: "" })).toBe("/api/traces?q=a+b&limit=5");
    expect(
      address("/api/spans/{trace_id}/{span_id}", {}, { pathParams: { trace_id: "a/b", span_id: "c" }, project: "p" }),
    ).toBe("/api/spans/a%2Fb/c?project=p");
  });
});

describe("errors", () => {
  it("are the server's words, with the place of a mistake", async () => {
    const told = get("/api/traces", { q: "modle:x" }).catch((error: unknown) => error);
    await asked[0]!.answer({ error: { code: "bad_query", message: "unknown field 'modle'", position: 0 } }, 400);
    expect(await told).toEqual({ status: 400, code: "bad_query", message: "unknown field 'modle'", position: 0 });
    expect(loggedOut.value).toBe(false);
  });

  it("tell a server that cannot be reached from one that refuses, and survive a proxy's page", async () => {
    const gone = get("/api/traces", {}).catch((error: unknown) => error);
    await asked[0]!.fail();
    expect(await gone).toMatchObject({ status: 0, code: "unreachable" });
    const odd = get("/api/traces", {}).catch((error: unknown) => error);
    await asked[1]!.answer("<html>", 502);
    expect(await odd).toMatchObject({ status: 502 });
    expect(isApiError(await odd)).toBe(true);
  });

  it("lead to the login when nobody is logged in", async () => {
    const told = get("/api/traces", {}).catch(() => undefined);
    await asked[0]!.answer({ error: { code: "unauthenticated", message: "log in" } }, 401);
    await told;
    expect(loggedOut.value).toBe(true);
  });
});

describe("changes", () => {
  it("carry the header that no form can send", async () => {
    const done = send("POST", "/api/scores", { name: "helpful" });
    await asked[0]!.answer(null, 204);
    await done;
    expect(asked[0]!.init.headers).toMatchObject({ "X-Vestigo": "1", "Content-Type": "application/json" });
  });
});

describe("answers that are kept", () => {
  let box: HTMLElement;
  let seen: Answer<TracePage>;
  const Reader = (props: { q: string; keep?: boolean }): VNode | null => {
    seen = useAnswer("/api/traces", { q: props.q }, { keep: props.keep ?? false });
    return null;
  };
  const show = (node: ComponentChild): void => void act(() => render(node, box));
  beforeEach(() => (box = document.createElement("div")));
  afterEach(() => show(null));

  it("are asked for once by several readers", async () => {
    show(
      <>
        <Reader q="once" />
        <Reader q="once" />
      </>,
    );
    expect(asked.length).toBe(1);
    await asked[0]!.answer(page("a"));
    expect(seen.data).toEqual(page("a"));
    expect(seen.loading).toBe(false);
  });

  it("show the answer before, marked stale, while the next one comes", async () => {
    show(<Reader q="first" keep />);
    await asked[0]!.answer(page("a"));
    show(<Reader q="second" keep />);
    expect([seen.data, seen.stale]).toEqual([page("a"), true]);
    await asked[1]!.answer(page("b"));
    expect([seen.data, seen.stale]).toEqual([page("b"), false]);
  });

  it("give up a question that nobody waits for any more", async () => {
    show(<Reader q="slow" />);
    show(<Reader q="other" />);
    expect(asked[0]!.init.signal?.aborted).toBe(true);
    await asked[1]!.answer(page("b"));
    expect(seen.data).toEqual(page("b"));
    // and it is asked anew by the next who wants it
    show(<Reader q="slow" />);
    await settle();
    expect(asked.length).toBe(3);
  });

  it("can be asked for again after an error", async () => {
    show(<Reader q="broken" />);
    await asked[0]!.answer({ error: { code: "storage", message: "disk" } }, 503);
    expect(seen.error?.code).toBe("storage");
    act(() => seen.reload());
    await asked[1]!.answer(page("fine"));
    expect([seen.error, seen.data]).toEqual([undefined, page("fine")]);
  });
});
