// Erasing: what was counted belongs to the name that stands there.
import { act } from "preact/test-utils";
import { afterEach, expect, test, vi } from "vitest";
import { Erase } from "../../src/views/settings/Erase";
import { show, words } from "../renderers/shown";

afterEach(() => vi.unstubAllGlobals());

test("a count that comes after another name was typed is not shown", async () => {
  const counts: ((traces: number) => void)[] = [];
  vi.stubGlobal("fetch", (url: string) =>
    url.includes("/api/erase")
      ? new Promise((resolve) =>
          counts.push((traces) => resolve(new Response(JSON.stringify({ traces, spans: traces, troubles: [] })))),
        )
      : new Promise(() => undefined),
  );
  const box = show(<Erase />);
  const input = box.querySelector<HTMLInputElement>("input")!;
  const type = (text: string): void =>
    void act(() => {
      input.value = text;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
  const count = (): void =>
    void act(
      () => void box.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })),
    );
  const come = (at: number, traces: number): Promise<void> =>
    act(async () => {
      counts[at]!(traces);
      await new Promise((done) => setTimeout(done, 5));
    });
  type("u7");
  count();
  type("u8");
  await come(0, 77);
  expect(words(box)).not.toContain("77");
  count();
  await come(1, 88);
  expect(words(box)).toContain("88");
});
