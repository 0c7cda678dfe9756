// Where a menu opens: under its button, and above it where the window ends.
import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";
import { Menu } from "../../src/widgets/Menu";

function topOf(buttonTop: number): string {
  const root = document.body.appendChild(document.createElement("div"));
  act(() => render(<Menu label="ann" items={[{ label: "log out" }]} />, root));
  const button = root.querySelector("button")!;
  const menu = root.querySelector<HTMLElement>("[role=menu]")!;
  button.getBoundingClientRect = () => new DOMRect(10, buttonTop, 100, 24);
  Object.defineProperty(menu, "offsetHeight", { value: 140 });
  act(() => void menu.dispatchEvent(Object.assign(new Event("toggle"), { newState: "open" })));
  act(() => render(null, root));
  return menu.style.top;
}

it("opens under its button, or above it at the foot of the window", () => {
  expect(topOf(100)).toBe("128px");
  expect(topOf(innerHeight - 30)).toBe(`${innerHeight - 30 - 4 - 140}px`);
});
