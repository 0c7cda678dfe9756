import { expect, test } from "vitest";
import { documentsOf, queryOf, scoreRange } from "../../src/model/documents";

test("OpenTelemetry's list, as JSON text or structured", () => {
  const list = [
    { id: "kb-1", score: 0.91 },
    { id: 7, score: "0.5", content: "text", source: "wiki" },
  ];
  for (const told of [list, JSON.stringify(list)]) {
    expect(documentsOf({ "gen_ai.retrieval.documents": told })).toEqual([
      { id: "kb-1", score: 0.91, content: "", rest: {} },
      { id: "7", score: 0.5, content: "text", rest: { source: "wiki" } },
    ]);
  }
});

test("OpenInference's numbered attributes, in the order of their numbers", () => {
  const attributes = {
    "retrieval.documents.10.document.content": "k",
    "retrieval.documents.2.document.content": "c",
    "retrieval.documents.2.document.score": 0.4,
    "retrieval.documents.2.document.id": "c",
  };
  expect(documentsOf(attributes).map((document) => document.content)).toEqual(["c", "k"]);
});

test("a retriever's answer that is a list of documents, and one that is not", () => {
  expect(documentsOf({ "output.value": '[{"page_content": "a", "metadata": {"x": 1}}]' })).toEqual([
    { id: "", score: null, content: "a", rest: { metadata: { x: 1 } } },
  ]);
  expect(documentsOf({ "output.value": '[{"role": "user", "content": "a"}]' })).toEqual([]);
  expect(documentsOf({ "output.value": "[1, 2]" })).toEqual([]);
});

test("what was looked for, and the range of scores", () => {
  expect(queryOf({ "gen_ai.retrieval.query.text": "keys" })).toBe("keys");
  expect(queryOf({ "input.value": '{"query": "keys"}' })).toBe("keys");
  expect(queryOf({})).toBe("");
  expect(scoreRange(documentsOf({ "gen_ai.retrieval.documents": [{ score: 0.2 }, { score: 12 }] }))).toEqual([0, 12]);
  expect(scoreRange([])).toBeNull();
});
