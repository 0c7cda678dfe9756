// The tree of a trace by its keys: selection at once, folds, errors, zoom, what a screen reader hears; and that moving
// and scrolling in a hundred thousand spans count and draw only what is on the screen.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { press } from "../../../src/keys";
import * as rowsModel from "../../../src/model/rows";
import { type Trace, traceOf } from "../../../src/model/trace";
import { go, link, place } from "../../../src/url";
import { SpanTree } from "../../../src/views/trace/SpanTree";
import type { Source } from "../../../src/views/trace/source";
import { drawn, random } from "../../model/drawn";

vi.mock("../../../src/model/rows", { spy: true });

const RUN = `
root 0-100000
  plan 1000-40000 agent
    chat 2000-10000 llm 700t
    search 11000-20000 tool !
  write 41000-90000 agent
    chat 42000-80000 llm 300t`;

let box: HTMLElement;
let trace: Trace;

function source(): Source {
  return {
    trace,
    row: undefined,
    logs: [],
    moreLogs: false,
    error: undefined,
    state: "ended",
    now: trace.totals.to,
    reload: () => undefined,
  };
}

function show(drawing: Trace, params: Record<string, string> = {}): void {
  trace = drawing;
  go(link({ project: "p", view: "trace", id: trace.id, params, keep: [] }), "replace");
  act(() => render(<SpanTree source={source()} trace={trace} />, box));
}

const key = (...names: string[]): void => {
  for (const name of names) {
    const shift = name.startsWith("Shift+");
    act(
      () =>
        void press(
          new KeyboardEvent("keydown", { key: name.replace("Shift+", ""), shiftKey: shift }),
          performance.now(),
        ),
    );
  }
};
const items = (): HTMLElement[] => [...box.querySelectorAll<HTMLElement>("[role=treeitem]")];
const names = (): string[] => items().map((row) => row.querySelector("bdi")!.textContent!);
const selected = (): string | null | undefined => {
  const id = box.querySelector("[role=tree]")!.getAttribute("aria-activedescendant");
  const chosen = items().filter((row) => row.getAttribute("aria-selected") === "true");
  expect(chosen.map((row) => row.id)).toEqual(id ? [id] : []);
  return chosen[0]?.querySelector("bdi")!.textContent;
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("matchMedia", () => ({ addEventListener: () => undefined, removeEventListener: () => undefined }));
  localStorage.clear();
  box = document.createElement("div");
  document.body.append(box);
});
afterEach(() => {
  act(() => render(null, box));
  box.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.clearAllMocks();
});

describe("the tree of a trace", () => {
  it("moves at once and tells the address a moment later", () => {
    show(drawn(RUN));
    expect(selected()).toBe("root");
    key("j", "j");
    expect(selected()).toBe("chat");
    expect(place.value.params["span"]).toBeUndefined();
    act(() => void vi.advanceTimersByTime(200));
    expect(place.value.params["span"]).toBe(trace.spanId[2]);
    expect(selected()).toBe("chat");
    key("End");
    expect(selected()).toBe("chat");
    key("Home", "k");
    expect(selected()).toBe("root");
  });

  it("does not take a selection back that was overtaken", () => {
    show(drawn(RUN));
    key("j");
    act(() => void vi.advanceTimersByTime(1)); // the first change is written at once
    key("j", "j", "j");
    act(() => void vi.advanceTimersByTime(300));
    expect(selected()).toBe("write");
    expect(place.value.params["span"]).toBe(trace.spanId[4]);
  });

  it("follows a link to a span, opens what hides it, and goes back", () => {
    show(drawn(RUN), { fold: "d1" });
    expect(names()).toEqual(["root"]);
    act(() => go(link({ view: "trace", id: trace.id, params: { span: trace.spanId[3]!, fold: "d1" } })));
    expect(selected()).toBe("search");
    act(() => go(link({ view: "trace", id: trace.id, params: { span: trace.spanId[1]!, fold: "d1" } })));
    expect(selected()).toBe("plan");
  });

  it("folds, goes to the parent, and unfolds", () => {
    show(drawn(RUN));
    key("j", "ArrowLeft");
    expect(names()).toEqual(["root", "plan", "write", "chat"]);
    expect(items()[1]!.getAttribute("aria-expanded")).toBe("false");
    key("ArrowLeft");
    expect(selected()).toBe("root");
    key("j", "ArrowRight", "ArrowRight");
    expect([names().length, selected()]).toEqual([6, "chat"]);
    key("1");
    expect([names(), selected()]).toEqual([["root"], "root"]);
    key("Shift+ArrowRight");
    expect(names()).toHaveLength(6);
    key("2");
    act(() => void vi.advanceTimersByTime(300));
    expect(place.value.params["fold"]).toBe("d2");
  });

  it("goes to errors and model calls, also where they are folded", () => {
    show(drawn(RUN), { fold: "d2" });
    key("e");
    expect(selected()).toBe("search");
    key("m");
    expect(selected()).toBe("chat");
    key("M");
    expect([selected(), items().indexOf(box.querySelector("[aria-selected=true]")!)]).toEqual(["chat", 2]);
  });

  it("zooms to the span and back to the whole", () => {
    show(drawn(RUN));
    key("j", "z");
    act(() => void vi.advanceTimersByTime(300));
    expect(place.value.params["w"]).toBe("220-40780");
    expect(box.textContent).toContain("Whole trace");
    key("Escape");
    act(() => void vi.advanceTimersByTime(300));
    expect(place.value.params["w"]).toBeUndefined();
    expect(box.textContent).not.toContain("Whole trace");
  });

  it("tells level, place and set of each row, and that a span failed in words", () => {
    show(drawn(RUN));
    const told = items().map((row) =>
      ["level", "posinset", "setsize"].map((name) => row.getAttribute(`aria-${name}`)).join(" "),
    );
    expect(told).toEqual(["1 1 1", "2 1 2", "3 1 2", "3 2 2", "2 2 2", "3 1 1"]);
    expect(items()[3]!.textContent).toContain("failed");
    expect(items()[2]!.textContent).toContain("700");
  });

  it("keeps many alike spans in one row, which opens", () => {
    const many = Array.from({ length: 40 }, (_, at) => `  embed ${at * 100}-${at * 100 + 80} embedding`).join("\n");
    show(drawn(`root 0-5000\n${many}`));
    expect(names()).toEqual(["root", "embed"]);
    expect(items()[1]!.textContent).toContain("× 40");
    expect(items()[1]!.textContent).toContain("3.20 ms · p95 80 µs");
    key("j", "ArrowRight");
    expect(names().length).toBeGreaterThan(20);
  });

  it("shows names as text, and no more of them than fits", () => {
    show(drawn(`<img/src=x> 0-100\n  ${"N".repeat(10_000)} 1-50`));
    expect(box.querySelector("img")).toBeNull();
    expect(names()[1]).toHaveLength(300);
  });
});

describe("a hundred thousand spans", () => {
  it("are not gone through by moving or scrolling", () => {
    const large = traceOf({ ...random(100_000, 4) });
    show(large, { f: "1" });
    const first = items().length;
    expect(first).toBeLessThan(60);
    vi.clearAllMocks();
    key("j", "k", "j");
    const scroller = box.querySelector<HTMLElement>("[role=tree]")!;
    act(() => {
      scroller.scrollTop = 48_000;
      scroller.dispatchEvent(new Event("scroll"));
    });
    for (const walk of ["visibleRows", "firstFolds", "foldsOf", "foldsText", "carriedFolds", "matchesOf"] as const)
      expect(rowsModel[walk], walk).not.toHaveBeenCalled();
    expect(items().length).toBeLessThan(60);
    expect(items()[0]!.id).not.toBe("span-row-0");
  });

  it("keep the elements of rows that stay on the screen", () => {
    show(traceOf({ ...random(5_000, 4) }), { f: "0" });
    const before = new Set(items());
    const scroller = box.querySelector<HTMLElement>("[role=tree]")!;
    act(() => {
      scroller.scrollTop = 48;
      scroller.dispatchEvent(new Event("scroll"));
    });
    expect(items().filter((row) => before.has(row)).length).toBeGreaterThan(20);
  });
});
