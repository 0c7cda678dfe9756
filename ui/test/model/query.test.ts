// Terms are appended and taken away whole; what was typed by hand stays as it is.
import { describe, expect, it } from "vitest";
import { append, holds, ofTheTrace, remove, term, terms, toggle } from "../../src/model/query";

describe("terms", () => {
  it("end at spaces outside quotes and brackets", () => {
    expect(terms('kind:llm name="a b (c" any(kind:tool status:error) model:[a, b]')).toEqual([
      "kind:llm",
      'name="a b (c"',
      "any(kind:tool status:error)",
      "model:[a, b]",
    ]);
    expect(terms('a="x\\" y" b')).toEqual(['a="x\\" y"', "b"]);
    expect(terms("  ")).toEqual([]);
    expect(terms('open "quote never ends')).toEqual(["open", '"quote never ends']);
  });

  it("quote values that are not plain", () => {
    expect(term("user", "ann")).toBe("user=ann");
    expect(term("name", "POST /chat")).toBe('name="POST /chat"');
    expect(term("user", 'a"b\\c', true)).toBe('-user="a\\"b\\\\c"');
    expect(term("model", "")).toBe('model=""');
  });
});

describe("changing a filter", () => {
  it("appends once, and takes the opposite out", () => {
    expect(append("", "user=a")).toBe("user=a");
    expect(append("kind:llm", "user=a")).toBe("kind:llm user=a");
    expect(append("kind:llm user=a", "user=a")).toBe("kind:llm user=a");
    expect(append("kind:llm user=a", "-user=a")).toBe("kind:llm -user=a");
  });

  it("puts brackets around alternatives, so that the term belongs to all of them", () => {
    expect(append("a OR b", "user=a")).toBe("(a OR b) user=a");
    expect(remove("a OR b", "b")).toBe("a OR b");
  });

  it("takes out what it put in", () => {
    for (const text of ["", "kind:llm", 'x="a b" any(a b)']) {
      const there = toggle(text, "user=a");
      expect(holds(there, "user=a")).toBe(true);
      expect(toggle(there, "user=a")).toBe(text);
    }
  });
});

describe("the user of a trace", () => {
  it("is asked of its first span", () => {
    expect(ofTheTrace('kind:llm user:ann -session="a b"')).toBe('kind:llm root(user:ann) -root(session="a b")');
    expect(ofTheTrace("root(user:ann) latency>2s")).toBe("root(user:ann) latency>2s");
    expect(ofTheTrace("user:ann OR user:bo")).toBe("user:ann OR user:bo");
  });
});
