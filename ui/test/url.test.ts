// The address holds the view: what is formatted is parsed back, below any prefix, and odd addresses show something.
import { describe, expect, it } from "vitest";
import { format, type Place, parse, rootOf, timeBounds, timeWindow } from "../src/url";

const place = (change: Partial<Place>): Place => ({ view: "traces", project: "shop", id: "", params: {}, ...change });

describe("addresses", () => {
  it.each<Place>([
    place({}),
    place({ params: { q: 'kind:llm latency>2s model:[a,b] name:"x y"', t: "7d", order: "slowest" } }),
    place({ view: "trace", id: "4aefe7041f1f4d6b8b3c1d2e3f405162", params: { span: "9f2c", w: "12-14" } }),
    place({ view: "session", id: "a/b c?d#e%f" }),
    place({ view: "compare", params: { a: "1", b: "2" } }),
    place({ view: "settings", params: { tab: "keys" } }),
    place({ view: "queue", params: { labels: "good,bad" } }),
    place({ project: "a.b-c_d" }),
  ])("come back as they were: %o", (one) => {
    const url = new URL(format(one), "http://host");
    expect(parse(url.pathname, url.search)).toEqual(one);
  });

  it("leave empty parameters out and keep common signs readable", () => {
    expect(format(place({ params: { q: "model:[a,b]", t: "" } }))).toBe("/p/shop/traces?q=model:[a,b]");
  });

  it("survive what is no address of ours", () => {
    expect(parse("/p/shop/nothing-such", "").view).toBe("traces");
    expect(parse("/p/%E0%A4%A/traces", "").project).toBe("%E0%A4%A");
    expect(parse("/login", "").view).toBe("login");
    expect(parse("/settings", "")).toEqual(place({ view: "settings", project: "" }));
    expect(parse("/", "?q=a").params).toEqual({ q: "a" });
  });

  it("lie below whatever a proxy put before them", () => {
    expect(rootOf("https://host/deep/er/assets/index-1.js", "https://host/deep/er/p/x")).toBe("/deep/er/");
    expect(rootOf("https://host/assets/index-1.js", "https://host/")).toBe("/");
    expect(rootOf("http://localhost:5173/src/url.ts", "http://localhost:5173/")).toBe("/");
  });
});

describe("time", () => {
  it("is relative, fixed or all, and the last day for what cannot be read", () => {
    expect(timeWindow("7d")).toEqual({ start: "7d", end: "" });
    expect(timeWindow("1000-2000")).toEqual({ start: "1000000000", end: "2000000000" });
    expect(timeWindow("all")).toEqual({ start: "", end: "" });
    expect(timeWindow(undefined)).toEqual({ start: "24h", end: "" });
    expect(timeWindow("<script>")).toEqual({ start: "24h", end: "" });
  });

  it("has bounds in milliseconds", () => {
    expect(timeBounds("1h", 10_000_000)).toEqual([6_400_000, 10_000_000]);
    expect(timeBounds("1000-2000", 5)).toEqual([1000, 2000]);
    expect(timeBounds("all", 5)).toEqual([0, 5]);
  });
});
