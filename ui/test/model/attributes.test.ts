import { expect, test } from "vitest";
import { attributeTerm, groupAttributes } from "../../src/model/attributes";

test("groups by the first word, gen_ai first, lonely ones together, the resource at the end", () => {
  const groups = groupAttributes(
    { "http.route": "/", "http.method": "GET", "gen_ai.request.model": "m", step: 1, "user.id": "u" },
    { "service.name": "shop" },
    { name: "vestigo", version: "" },
  );
  expect(groups.map(({ name, rows }) => `${name}: ${rows.map((row) => row.key).join(" ")}`)).toEqual([
    "gen_ai: gen_ai.request.model",
    "http: http.method http.route",
    "other: step user.id",
    "resource: service.name",
    "scope: name",
  ]);
});

test("names of JavaScript's own objects are names like others", () => {
  const hostile = JSON.parse('{"__proto__.a": 1, "__proto__.b": 2, "constructor": 3}') as Record<string, unknown>;
  expect(groupAttributes(hostile, {}, {}).map((group) => group.name)).toEqual(["__proto__", "other"]);
});

test.each([
  ["customer.tier", "gold", "attr.customer.tier=gold"],
  ["a key", "two words", 'attr."a key"="two words"'],
  ['k"\\', 'v"\\', 'attr."k\\"\\\\"="v\\"\\\\"'],
  ["n", 5, "attr.n=5"],
  ["n", "5", 'attr.n="5"'],
  ["t", true, "attr.t=true"],
  ["t", "true", 'attr.t="true"'],
  ["x", "-status:error OR kind:llm)", 'attr.x="-status:error OR kind:llm)"'],
])("%s with %j is found by %s", (key, value, term) => {
  expect(attributeTerm({ key, value, field: "attr" })).toBe(term);
});

test("what a filter knows by a shorter name", () => {
  expect(attributeTerm({ key: "user.id", value: "ann b", field: "attr" })).toBe('user="ann b"');
  expect(attributeTerm({ key: "user.id", value: 7, field: "attr" })).toBe("attr.user.id=7");
  expect(attributeTerm({ key: "user.id", value: "x", field: "resource" })).toBe("resource.user.id=x");
});

test("what has no term", () => {
  for (const value of [null, "", "x".repeat(400), ["a"], { a: 1 }])
    expect(attributeTerm({ key: "k", value, field: "attr" })).toBeNull();
  expect(attributeTerm({ key: "k", value: "v", field: "" })).toBeNull();
  expect(attributeTerm({ key: "service.name", value: "shop", field: "resource" })).toBe("service=shop");
});
