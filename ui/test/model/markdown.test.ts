import { describe, expect, test } from "vitest";
import { timesLonger } from "../floor";
import { type Block, type Inline, looksLikeMarkdown, readMarkdown, safeHref } from "../../src/model/markdown";

const inline = (made: Inline): string => {
  switch (made.type) {
    case "text":
      return made.text;
    case "code":
      return `\`${made.text}\``;
    case "break":
      return "⏎";
    case "image":
      return `<img ${made.address}|${made.alt}>`;
    case "link":
      return `<a ${made.href}>${made.inner.map(inline).join("")}</a>`;
    default:
      return `<${made.type}>${made.inner.map(inline).join("")}</${made.type}>`;
  }
};
const block = (made: Block): string => {
  switch (made.type) {
    case "paragraph":
      return `p(${made.inner.map(inline).join("")})`;
    case "heading":
      return `h${made.depth}(${made.inner.map(inline).join("")})`;
    case "code":
      return `code:${made.language}(${made.text})`;
    case "quote":
      return `quote(${made.blocks.map(block).join("")})`;
    case "list":
      return `${made.ordered ? `ol${made.start}` : "ul"}(${made.items
        .map((item) => `${item.done === null ? "" : item.done ? "☑" : "☐"}${item.blocks.map(block).join("")}`)
        .join(";")})`;
    case "table":
      return `table(${[made.head, ...made.rows].map((row) => row.map((cell) => cell.map(inline).join("")).join("|")).join("/")})`;
    case "rule":
      return "hr";
  }
};
const drawn = (text: string): string => readMarkdown(text).map(block).join(" ");

describe("markdown", () => {
  test("what models write", () => {
    expect(drawn("# T\n\nThe key **can** be *rotated*:\n\n1. Create `a`\n2. Deploy\n")).toBe(
      "h1(T) p(The key <strong>can</strong> be <em>rotated</em>:) ol1(p(Create `a`);p(Deploy))",
    );
    expect(drawn("```python\nx = 1\n```\n> q\n\n---\n- [x] done\n- [ ] open")).toBe(
      "code:python(x = 1) quote(p(q)) hr ul(☑p(done);☐p(open))",
    );
    expect(drawn("|a|b|\n|-|-:|\n|1|**2**|")).toBe("table(a|b/1|<strong>2</strong>)");
    expect(drawn("a\nb &amp; c &lt;d&gt;")).toBe("p(a⏎b & c <d>)");
  });

  test("markup is text", () => {
    expect(drawn("<script>alert(1)</script>")).toBe("p(<script>alert(1)</script>)");
    expect(drawn('a <img src=x onerror="alert(1)"> b')).toBe('p(a <img src=x onerror="alert(1)"> b)');
    expect(drawn("a<br>b")).toBe("p(a⏎b)");
  });

  test("links keep addresses that cannot run, pictures are named and not made", () => {
    expect(drawn("[x](https://a.b/c?d=1) [y](javascript:alert(1)) [z](data:text/html,x)")).toBe(
      "p(<a https://a.b/c?d=1>x</a> <a null>y</a> <a null>z</a>)",
    );
    expect(drawn("![alt](https://evil.example/x.png)")).toBe("p(<img https://evil.example/x.png|alt>)");
    expect(drawn("[r][1]\n\n[1]: vbscript:x")).toBe("p(<a null>r</a>)");
    expect(drawn("<javascript:alert(1)>")).not.toContain("<a javascript");
  });
});

test.each([
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  " javascript:alert(1)",
  "java\nscript:alert(1)",
  "\u0001javascript:x",
  "data:text/html,x",
  "vbscript:x",
  "file:///etc/passwd",
  "//evil.example",
  "/relative",
  "blob:https://a/b",
  "https://",
  "ht\ttps://a",
  "view-source:https://a",
])("%j is no address to follow", (href) => {
  expect(safeHref(href)).toBeNull();
});

test("what may be followed", () => {
  expect(safeHref("https://a.b/c")).toBe("https://a.b/c");
  expect(safeHref("HTTP://a.b")).toBe("http://a.b/");
  expect(safeHref("mailto:a@b.c")).toBe("mailto:a@b.c");
});

test("texts that make readers slow or deep come back as text, soon", () => {
  for (const hostile of [
    "[".repeat(50_000),
    "*a ".repeat(18_000),
    "> ".repeat(20_000),
    "- ".repeat(20_000),
    "`".repeat(50_000),
    "![".repeat(20_000),
    "_".repeat(50_000),
    "<".repeat(50_000),
    "a*".repeat(20_000),
    "[a](".repeat(12_000),
    "~~a".repeat(15_000),
    "x\n".repeat(25_000),
    "|a".repeat(20_000) + "\n" + "|-".repeat(20_000),
    "&".repeat(50_000),
    "#".repeat(50_000),
    "\\".repeat(50_000),
    "a".repeat(1_000_000),
    Array.from({ length: 200 }, (_, at) => `${" ".repeat(at * 2)}- x`).join("\n"),
    "1. ".repeat(15_000),
    "https://a".repeat(6_000),
    "a@b.".repeat(12_000),
    "[a]: b\n".repeat(8_000),
    "<a ".repeat(15_000),
    "<!--".repeat(12_000),
    " ".repeat(50_000) + "x",
    "***a".repeat(12_000),
  ]) {
    expect(readMarkdown(hostile).length).toBeGreaterThan(0);
    const harmless = "Some *words* in a `row`, with [a link](https://example.org).\n\n".repeat(hostile.length / 60 + 1);
    const times = timesLonger(
      () => readMarkdown(hostile),
      () => readMarkdown(harmless),
    );
    expect(times, hostile.slice(0, 8)).toBeLessThan(100);
  }
});

test("long code and lists with many marks are read, a paragraph full of them is not", () => {
  const code = "```python\n" + "a_b_c = d_e * f_g\n".repeat(300) + "```";
  expect(readMarkdown(`**x**\n\n${code}`).map((made) => made.type)).toEqual(["paragraph", "code"]);
  expect(readMarkdown("a_".repeat(20_000))).toHaveLength(1);
});

test("plain prose is not taken for markdown", () => {
  expect(looksLikeMarkdown("Hello there, how are you?")).toBe(false);
  expect(looksLikeMarkdown("2 * 3 * 4")).toBe(false);
  expect(looksLikeMarkdown("a\n- b")).toBe(true);
  expect(looksLikeMarkdown("the **bold**")).toBe(true);
});

test("a line that is almost a deep nest of lists is read at once", () => {
  // if each space may stand before a mark or behind one, each further mark takes four times as long
  const nest = (marks: number) => (): unknown => readMarkdown(`${"-   ".repeat(marks)}x`);
  expect(timesLonger(nest(13), nest(2))).toBeLessThan(200);
});
