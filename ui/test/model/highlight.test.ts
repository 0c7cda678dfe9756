import { expect, test } from "vitest";
import { colour, isKnown, MOST_COLOURED } from "../../src/model/highlight";

const drawn = (code: string, language: string): string =>
  colour(code, language)
    .map((token) => (token.colour === "plain" ? token.text : `‹${token.colour[0]}:${token.text}›`))
    .join("");

test.each([
  ["python", 'def f(x):  # why\n  return f"a{x}" + 1.5e3', "def f(x):  # why"],
  ["ts", "const a = `x` // c\n/* open", "const"],
  ["sql", "SELECT 'it' FROM t -- all", "SELECT"],
])("the pieces of %s are the text again", (language, code) => {
  expect(
    colour(code, language)
      .map((token) => token.text)
      .join(""),
  ).toBe(code);
});

test("words, strings, numbers, comments and names of calls are told apart", () => {
  expect(drawn("for x in f(1): # all\n  y = 'a'", "py")).toBe(
    "‹w:for› x ‹w:in› ‹n:f›(‹n:1›): ‹c:# all›\n  y = ‹t:'a'›",
  );
  expect(drawn('{"a": true, "b": [-1.5]}', "json")).toBe('{‹n:"a"›: ‹w:true›, ‹n:"b"›: [-‹n:1.5›]}');
  expect(drawn("select a from t -- x", "sql")).toBe("‹w:select› a ‹w:from› t ‹c:-- x›");
  expect(drawn("echo $HOME#1 # c", "bash")).toBe("‹w:echo› $HOME#‹n:1› ‹c:# c›");
});

test("a language that is not known is plain, whatever its name", () => {
  expect(drawn("x = 1", "brainfuck")).toBe("x = 1");
  expect(drawn("x = 1", "constructor")).toBe("x = 1");
  expect(isKnown("Python")).toBe(true);
  expect(isKnown("__proto__")).toBe(false);
});

test("a megabyte is coloured at its beginning only, and quotes that never close end at once", () => {
  const long = "x = 1\n".repeat(200_000);
  const tokens = colour(long, "python");
  expect(tokens.at(-1)?.text.length).toBeGreaterThanOrEqual(long.length - MOST_COLOURED);
  for (const sign of ['"', "'", "`", '"""', "/*", "#", "\\"]) {
    const hostile = sign.repeat(100_000);
    for (const language of ["python", "js", "json", "sql", "sh"]) {
      expect(
        colour(hostile, language)
          .map((token) => token.text)
          .join(""),
      ).toBe(hostile);
    }
  }
});
