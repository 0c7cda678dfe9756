// Any value: the renderer that suits it best, and the others by a switch. JSON as a tree that keys work.
import { act } from "preact/test-utils";
import { expect, test } from "vitest";
import { JsonDiff, TextDiff } from "../../src/renderers/Diff";
import { JsonView } from "../../src/renderers/JsonView";
import { Stack } from "../../src/renderers/Stack";
import { Text } from "../../src/renderers/Text";
import { renderersFor, Value } from "../../src/renderers/Value";
import { button, click, show, words } from "./shown";

test.each([
  [{ a: [{ b: 1 }] }, "json raw"],
  [{ query: "keys", top_k: 4 }, "fields json raw"],
  ['{"a": {"b": 1}}', "json text raw"],
  ['Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1', "stack text raw"],
  ["**bold** text", "markdown text raw"],
  ["plain", "text raw"],
  [7, "text raw"],
  [null, "text raw"],
  [[], "json raw"],
])("%j is drawn by %s", (value, names) => {
  expect(
    renderersFor(value)
      .map((renderer) => renderer.name)
      .join(" "),
  ).toBe(names);
});

test("a switch shows a value another way", () => {
  const box = show(<Value value={{ query: "keys", top_k: 4 }} label="arguments" />);
  expect(words(box.querySelector("dl")!)).toBe("querykeystop_k4");
  click(button("json"));
  expect(box.querySelectorAll("[role=treeitem]")).toHaveLength(3);
  click(button("raw"));
  expect(words(box)).toContain('{ "query": "keys", "top_k": 4 }');
});

const press = (element: Element, key: string): void =>
  void act(() => void element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })));

test("a tree of JSON is worked by arrows, and tells the path of the chosen row", () => {
  const box = show(<JsonView value={{ a: { b: "x".repeat(200) }, c: 1 }} label="value" />);
  const tree = box.querySelector("[role=tree]")!;
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"]) press(tree, key);
  expect(words(box.querySelector(".json-path")!)).toBe(".a.b");
  expect(box.querySelector(".json-foot .text")?.textContent).toHaveLength(200);
  press(tree, "ArrowLeft");
  expect(box.querySelector("[aria-selected=true]")?.getAttribute("aria-expanded")).toBe("true");
  press(tree, "ArrowLeft");
  expect(box.querySelectorAll("[role=treeitem]")).toHaveLength(3);
  press(tree, "ArrowRight");
  expect(box.querySelectorAll("[role=treeitem]")).toHaveLength(4);
});

test("six megabytes of JSON are few elements, and a search opens the way to what it finds", () => {
  const large = Array.from({ length: 40_000 }, (_, at) => ({
    id: at,
    name: `name ${at}`,
    nested: { x: at, note: "words ".repeat(8) },
  }));
  const box = show(<JsonView value={large} label="value" />);
  expect(box.querySelectorAll("*").length).toBeLessThan(400);
  const find = box.querySelector<HTMLInputElement>("input")!;
  act(() => {
    find.value = "name 31234";
    find.dispatchEvent(new Event("input", { bubbles: true }));
  });
  expect(words(box.querySelector(".json-path")!)).toBe("[31234].name");
  expect(box.querySelectorAll("*").length).toBeLessThan(400);
});

test("a long text is cut at its lines, and shown whole on demand", () => {
  const text = Array.from({ length: 2_000 }, (_, at) => `line ${at}`).join("\n");
  const box = show(<Text text={text} />);
  expect(box.textContent).toContain("line 20");
  expect(box.textContent).not.toContain("line 100");
  click(button(/show all/));
  const chunks = [...box.querySelectorAll(".chunk")].map((chunk) => chunk.textContent);
  expect(chunks.join("\n")).toBe(text);
});

test("a text is never cut through a sign of two halves", () => {
  const box = show(<Text text={"😀".repeat(5_000)} limit={101} />);
  expect(box.querySelector(".text")?.firstChild?.textContent).toMatch(/^(?:😀)+…$/u);
});

test("library frames are folded, one's own have their code", () => {
  const box = show(
    <Stack
      text={
        'Traceback (most recent call last):\n  File "/app/a.py", line 7, in f\n    g()\n  File "/x/site-packages/httpx/b.py", line 1, in g\n    raise E\nE: no <b>answer</b>'
      }
    />,
  );
  expect(words(box)).toBe("E: no <b>answer</b>▸1 frame in httpx/app/a.py:7 fg()");
  click(button(/1 frame/));
  expect(words(box)).toContain("/x/site-packages/httpx/b.py:1");
});

test("differences of texts and of JSON", () => {
  const box = show(<TextDiff before="the quick fox" after="the slow fox" />);
  expect(box.querySelector("del")?.textContent).toBe("quick");
  expect(box.querySelector("ins")?.textContent).toBe("slow");
  expect(words(show(<JsonDiff before={{ a: 1, b: 2 }} after={{ a: 1, b: 3 }} />))).toBe(".b2 3");
  expect(words(show(<JsonDiff before={1} after={1} />))).toBe("the same value");
});
