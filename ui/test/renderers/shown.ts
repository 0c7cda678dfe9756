// Draws something into a page of its own for a test, and finds controls by what they say.
import { render, type VNode } from "preact";
import { act } from "preact/test-utils";
import { afterEach } from "vitest";

let box: HTMLElement | undefined;

afterEach(() => {
  if (box === undefined) return;
  const held = box;
  act(() => render(null, held));
  held.remove();
  box = undefined;
});

export function show(what: VNode): HTMLElement {
  if (box === undefined) {
    box = document.createElement("div");
    document.body.append(box);
  }
  const held = box;
  act(() => render(what, held));
  return held;
}

/** A button by its words or its label; throws if there is none. */
export function button(name: string | RegExp, at = 0): HTMLButtonElement {
  const said = (one: HTMLButtonElement): string => `${one.getAttribute("aria-label") ?? ""} ${one.textContent ?? ""}`;
  const wanted = (one: HTMLButtonElement): boolean =>
    typeof name === "string"
      ? said(one)
          .split(/\s{2,}|^ | $/)
          .includes(name) || one.textContent?.trim() === name
      : name.test(said(one));
  const found = [...document.querySelectorAll("button")].filter(wanted)[at];
  if (found === undefined)
    throw new Error(
      `no button ${String(name)} among ${[...document.querySelectorAll("button")].map(said).join(" | ")}`,
    );
  return found;
}

export function click(element: HTMLElement): void {
  act(() => element.click());
}

export const words = (element: Element): string => (element.textContent ?? "").replaceAll(/\s+/g, " ").trim();
