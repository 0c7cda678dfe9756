// Markdown as elements: never markup of the text, never an address that runs or loads.
import { expect, test } from "vitest";
import { Markdown } from "../../src/renderers/Markdown";
import { Media } from "../../src/renderers/Media";
import { show, words } from "./shown";

const HOSTILE = [
  "<script>alert(1)</script>",
  '<img src=x onerror="alert(1)">',
  "<svg/onload=alert(1)>",
  "[x](javascript:alert(1))",
  "[x](data:text/html,<script>)",
  "![x](https://evil.example/p.png)",
  "![x](javascript:alert(1))",
  "<a href='javascript:alert(1)'>x</a>",
  "<iframe src=//evil.example>",
  "<style>*{display:none}</style>",
  "[x]: javascript:alert(1)\n\n[x]",
  "<javascript:alert(1)>",
  "`<b>`",
  "```html\n<script>alert(1)</script>\n```",
  '[x](https://a.b "onmouseover=alert(1)")',
  "|<img src=x>|\n|-|\n|<script>|",
  "# <script>alert(1)</script>",
  "- <img src=x onerror=alert(1)>",
  "[<img src=x>](https://a.b)",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
  "[x](vbscript:x)",
  "<base href=//evil.example>",
  "<form action=//evil.example>",
];

test.each(HOSTILE)("%s is text", (text) => {
  const box = show(<Markdown text={text} />);
  expect(
    box.querySelector("script, img, svg:not(.icon), iframe, style, base, form, object, embed, link, meta"),
  ).toBeNull();
  for (const element of box.querySelectorAll("*")) {
    for (const name of element.getAttributeNames()) expect(name.startsWith("on")).toBe(false);
  }
  for (const anchor of box.querySelectorAll("a")) {
    expect(anchor.getAttribute("href")).toMatch(/^https?:|^mailto:/);
    expect(anchor.rel).toContain("noopener");
    expect(anchor.rel).toContain("noreferrer");
  }
});

test("lists, tables, code, headings", () => {
  const box = show(<Markdown text={"## T\n1. a\n2. b\n\n|x|y|\n|-|-:|\n|1|2|\n\n```js\nconst a = 1\n```"} />);
  expect(box.querySelectorAll("ol > li")).toHaveLength(2);
  expect(box.querySelector("td.right")?.textContent).toBe("2");
  expect(box.querySelector(".c-word")?.textContent).toBe("const");
  expect(box.querySelector("h1, h2, h3")).toBeNull();
});

test("of a long text some is drawn, and more on demand", () => {
  const box = show(<Markdown text={Array.from({ length: 500 }, (_, at) => `paragraph **${at}**`).join("\n\n")} />);
  expect(box.querySelectorAll("*").length).toBeLessThan(300);
  expect(words(box)).toContain("show more");
});

test("a picture is drawn if it is one, everything else is named", () => {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const draw = (mimeType: string, content: string, where: "inline" | "address" | "file" = "inline"): HTMLElement =>
    show(<Media key={mimeType + content} media={{ modality: "image", mimeType, where, content }} />);
  expect(draw("image/png", png).querySelector("img")?.getAttribute("src")).toBe(`data:image/png;base64,${png}`);
  expect(draw("image/svg+xml", btoa("<svg onload=alert(1)>")).querySelector("img")).toBeNull();
  const address = draw("image/png", "https://evil.example/x.png", "address");
  expect(address.querySelector("img")).toBeNull();
  expect(words(address)).toBe("image at https://evil.example/x.png");
  expect(words(draw("", "file-7", "file"))).toContain("file-7");
});
