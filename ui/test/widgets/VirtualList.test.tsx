// A list of a million rows is as cheap as one of a hundred: only rows on screen are made, by scroll and by key.
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { press } from "../../src/keys";
import { rowId, VirtualList } from "../../src/widgets/VirtualList";

let box: HTMLElement;
beforeEach(() => {
  box = document.createElement("div");
  document.body.append(box);
});
afterEach(() => {
  act(() => render(null, box));
  box.remove();
});

const key = (name: string): boolean => press(new KeyboardEvent("keydown", { key: name }), performance.now());

describe("a virtual list", () => {
  it("makes the rows on screen and a few beside them, whatever their number", () => {
    const made = vi.fn((i: number) => (
      <div key={i} id={rowId("rows", i)}>
        {i}
      </div>
    ));
    act(() => render(<VirtualList label="rows" count={1_000_000} rowHeight={24} render={made} />, box));
    expect(made.mock.calls.length).toBeLessThan(120);
    const scroller = box.querySelector<HTMLElement>(".scroller")!;
    made.mockClear();
    act(() => {
      scroller.scrollTop = 2_400_000;
      scroller.dispatchEvent(new Event("scroll"));
    });
    expect(made.mock.calls.length).toBeGreaterThan(20);
    expect(made.mock.calls.length).toBeLessThan(120);
    const shown = made.mock.calls.map(([i]) => i);
    expect(Math.min(...shown)).toBeGreaterThan(90_000);
  });

  it("moves by keys, tells the selected row, and stops at both ends", () => {
    let selected = -1;
    const show = (): void =>
      void act(() =>
        render(
          <VirtualList
            label="my rows"
            count={3}
            rowHeight={24}
            selected={selected}
            onSelect={(i) => {
              selected = i;
              show();
            }}
            render={(i) => <div key={i} id={rowId("my rows", i)} />}
          />,
          box,
        ),
      );
    show();
    for (const [name, then] of [
      ["j", 0],
      ["j", 1],
      ["End", 2],
      ["ArrowDown", 2],
      ["k", 1],
      ["Home", 0],
      ["k", 0],
    ] as const) {
      key(name);
      expect(selected, name).toBe(then);
    }
    expect(box.querySelector("[aria-activedescendant]")?.getAttribute("aria-activedescendant")).toBe("my-rows-row-0");
  });

  it("asks for more at its end, once for each length", () => {
    const more = vi.fn();
    const show = (count: number): void =>
      void act(() =>
        render(
          <VirtualList label="rows" count={count} rowHeight={24} onEnd={more} render={(i) => <div key={i} />} />,
          box,
        ),
      );
    show(10);
    show(10);
    expect(more).toHaveBeenCalledTimes(1);
    show(20);
    expect(more).toHaveBeenCalledTimes(2);
  });
});
