// The rows of the logs page: pages one after the other, what arrives live, held while somebody reads, and no gap after
// a lost connection.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { forget } from "../../src/api/client";
import type { LogRow } from "../../src/api/types";
import { KEPT_LIVE, useFeed, type Feed } from "../../src/views/logs/feed";

const row = (id: number): LogRow => ({
  log_id: `l${id}`,
  time_ns: String(1_795_538_374_000_000_000n + BigInt(id)),
  severity: 9,
  event_name: "",
  body: `said ${id}`,
  attributes: {},
  trace_id: null,
  span_id: null,
  service: "",
  scope_name: "",
  cut: false,
});
const rows = (from: number, to: number): LogRow[] => Array.from({ length: from - to + 1 }, (_, at) => row(from - at)); // newest first

let asked: { url: URL; answer(body: unknown, status?: number): Promise<void> }[] = [];
let streams: { url: string; closed: boolean; tell(event: string, data?: unknown): void }[] = [];
let feed: Feed;
let held = false;
let box: HTMLElement;

const settle = async (): Promise<void> => {
  await act(() => new Promise((done) => setTimeout(done, 0)));
};

function Probe(props: { q?: string; live?: boolean; oldest?: boolean }): null {
  const { q = "", live = false, oldest = false } = props;
  feed = useFeed({ project: "shop", q, t: "all", oldest, live, isHeld: () => held });
  return null;
}
const show = async (props: Parameters<typeof Probe>[0] = {}): Promise<void> => {
  act(() => render(<Probe {...props} />, box));
  await settle();
};
const ids = (): string => feed.rows.map((one) => one.log_id).join(" ");

beforeEach(() => {
  asked = [];
  streams = [];
  held = false;
  box = document.createElement("div");
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("gone", "AbortError")));
      asked.push({
        url: new URL(url, "http://h"),
        answer: async (body, status = 200) => {
          resolve(new Response(JSON.stringify(body), { status }));
          await settle();
        },
      });
    });
  });
  const Source = function (this: unknown, url: string) {
    const heard = new Map<string, (event: { data: string }) => void>();
    const own = {
      url,
      closed: false,
      tell: (event: string, data?: unknown) => act(() => heard.get(event)?.({ data: JSON.stringify(data) })),
    };
    streams.push(own);
    return {
      readyState: 1,
      addEventListener: (name: string, act: (event: { data: string }) => void) => heard.set(name, act),
      close: () => (own.closed = true),
    };
  };
  vi.stubGlobal("EventSource", Source);
});
afterEach(async () => {
  act(() => render(null, box));
  await settle();
  vi.unstubAllGlobals();
  forget();
});

describe("pages", () => {
  it("follow one another to the end of the window", async () => {
    await show();
    expect(asked[0]!.url.searchParams.get("order")).toBe("newest");
    await asked[0]!.answer({ items: rows(5, 4), cursor: "c1" });
    expect([ids(), feed.end]).toEqual(["l5 l4", "more"]);
    act(() => feed.more());
    act(() => feed.more()); // asked once, however often the list reaches its end
    expect(asked).toHaveLength(2);
    expect(asked[1]!.url.searchParams.get("cursor")).toBe("c1");
    await asked[1]!.answer({ items: rows(3, 1), cursor: null });
    expect([ids(), feed.end]).toEqual(["l5 l4 l3 l2 l1", "end"]);
    act(() => feed.more());
    expect(asked).toHaveLength(2);
  });

  it("of another question take the place of the rows, which stay until then", async () => {
    await show();
    await asked[0]!.answer({ items: rows(2, 1), cursor: null });
    await show({ q: "level>=error" });
    expect([ids(), feed.stale]).toEqual(["l2 l1", true]);
    await asked[1]!.answer({ items: rows(1, 1), cursor: null });
    expect([ids(), feed.stale]).toEqual(["l1", false]);
  });

  it("that are refused tell why, and nothing of the question before stays", async () => {
    await show();
    await asked[0]!.answer({ items: rows(2, 1), cursor: null });
    await show({ q: "modle:x" });
    await asked[1]!.answer({ error: { code: "bad_query", message: "unknown field", position: 0 } }, 400);
    expect([ids(), feed.error?.code]).toEqual(["", "bad_query"]);
  });
});

describe("the live tail", () => {
  it("puts arrivals at the top, and holds them while somebody reads", async () => {
    await show({ live: true });
    await asked[0]!.answer({ items: rows(2, 1), cursor: null });
    streams[0]!.tell("batch", { logs: [row(3), row(4)] });
    expect([ids(), feed.waiting]).toEqual(["l4 l3 l2 l1", 0]);
    held = true;
    streams[0]!.tell("batch", { logs: [row(5)] });
    streams[0]!.tell("batch", { logs: [row(6)], left_out: 7 });
    expect([ids(), feed.waiting, feed.leftOut]).toEqual(["l4 l3 l2 l1", 2, 7]);
    act(() => feed.release());
    expect([ids(), feed.waiting]).toEqual(["l6 l5 l4 l3 l2 l1", 0]);
    expect(feed.perSecond).toBeCloseTo(0.4);
  });

  it("asks again for what was written before it began, and after a loss, without repeats", async () => {
    await show({ live: true });
    streams[0]!.tell("ready", {}); // while the first page is still on its way
    expect(asked).toHaveLength(1);
    await asked[0]!.answer({ items: rows(2, 1), cursor: null });
    expect(asked).toHaveLength(2);
    await asked[1]!.answer({ items: rows(3, 1), cursor: null });
    expect(ids()).toBe("l3 l2 l1");
    streams[0]!.tell("lost", { changes: 4 });
    await asked[2]!.answer({ items: rows(5, 2), cursor: null });
    expect([ids(), feed.lost]).toEqual(["l5 l4 l3 l2 l1", 4]);
  });

  it("keeps so many rows and no more, and says that the oldest went", async () => {
    await show({ live: true });
    await asked[0]!.answer({ items: rows(2, 1), cursor: "c1" });
    streams[0]!.tell("batch", { logs: rows(KEPT_LIVE + 10, 3) });
    expect([feed.rows.length, feed.end, feed.rows[0]!.log_id]).toEqual([KEPT_LIVE, "let-go", `l${KEPT_LIVE + 10}`]);
    act(() => feed.more());
    expect(asked).toHaveLength(1);
  });

  it("ends with the page, and with live", async () => {
    await show({ live: true });
    await show({ live: false });
    expect(streams[0]!.closed).toBe(true);
  });
});
