// One key does one thing in one place, nothing while one types, and the last mounted view is asked first.
import { afterEach, describe, expect, it, vi } from "vitest";
import { render, type VNode, h } from "preact";
import { act } from "preact/test-utils";
import { type Actions, KEYS, type KeyPlace, press, useKeys } from "../src/keys";

const mounted: HTMLElement[] = [];

function mount(where: KeyPlace, actions: Actions): HTMLElement {
  const box = document.createElement("div");
  document.body.append(box);
  const Own = (): VNode | null => {
    useKeys(where, actions);
    return null;
  };
  act(() => render(h(Own, null), box));
  mounted.push(box);
  return box;
}

const key = (name: string, target: Element = document.body, more: KeyboardEventInit = {}): boolean => {
  const event = new KeyboardEvent("keydown", { key: name, ...more });
  Object.defineProperty(event, "target", { value: target });
  return press(event, performance.now());
};

afterEach(() => {
  for (const box of mounted.splice(0)) {
    act(() => render(null, box));
    box.remove();
  }
});

describe("keys", () => {
  it("are unique among actions that are there together", () => {
    const together: KeyPlace[][] = [
      ["everywhere", "list"],
      ["everywhere", "tree", "detail"],
      ["everywhere", "queue"],
    ];
    for (const places of together) {
      const seen = new Map<string, string>();
      for (const [id, own] of Object.entries(KEYS))
        if (places.includes(own.where))
          for (const one of own.keys) {
            expect(seen.get(one) ?? id, `${one} in ${places.join("+")}`).toBe(id);
            seen.set(one, id);
          }
    }
  });

  it("ask the view that was mounted last, then those below it", () => {
    const below = vi.fn();
    const above = vi.fn();
    mount("everywhere", { close: below, filter: below });
    const box = mount("list", { close: above });
    key("Escape");
    expect([above, below].map((one) => one.mock.calls.length)).toEqual([1, 0]);
    key("/");
    expect(below).toHaveBeenCalledTimes(1);
    act(() => render(null, box));
    key("Escape");
    expect(below).toHaveBeenCalledTimes(2);
  });

  it("do nothing while somebody types, but for Escape", () => {
    const did = vi.fn();
    mount("list", { down: did, close: did });
    const input = document.createElement("input");
    expect(key("j", input)).toBe(false);
    expect(key("Escape", input)).toBe(true);
    expect(did).toHaveBeenCalledTimes(1);
  });

  it("leave Enter and Space to a focused button", () => {
    const did = vi.fn();
    mount("list", { open: did, peek: did });
    const button = document.createElement("button");
    expect([key("Enter", button), key(" ", button)]).toEqual([false, false]);
    expect([key("Enter"), key(" ")]).toEqual([true, true]);
  });

  it("may be two in a row", () => {
    const went = vi.fn();
    mount("everywhere", { dash: went });
    expect([key("g"), key("d"), key("d")]).toEqual([true, true, false]);
    expect(went).toHaveBeenCalledTimes(1);
  });
});
