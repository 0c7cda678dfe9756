import { expect, test } from "vitest";
import type { ModelPrice, PriceRow } from "../../src/api/types";
import { furtherRates, perMillion, rateFor, remedyFor, sourceOf } from "../../src/model/pricing";

const price: PriceRow = {
  price_id: "genai-prices-0.0.30/openai/gpt-4o@2026-01-01",
  rates: [
    { unit: "input", usd_per_million: 2.5, above: -1 },
    { unit: "input", usd_per_million: 5, above: 200_000 },
    { unit: "output", usd_per_million: 10, above: -1 },
    { unit: "cache_read", usd_per_million: 0.0125, above: -1 },
  ],
  request_usd: 0,
  reason: "",
};

test("the usual rate is the one without a condition", () => {
  expect(rateFor(price, "input")).toBe(2.5);
  expect(rateFor(price, "reasoning")).toBeUndefined();
  expect(furtherRates(price, ["input", "output"])).toEqual([
    "input $5.00 above 200,000 input tokens",
    "cache read $0.0125",
  ]);
  expect([undefined, 0, 2.5, 0.05].map(perMillion)).toEqual(["–", "$0.00", "$2.50", "$0.0500"]);
});

test("where a price comes from", () => {
  expect(sourceOf("override:gpt-4o*")).toBe("your own, for gpt-4o*");
  expect(sourceOf(price.price_id)).toBe("openai/gpt-4o");
});

test("a missing price gets an entry to fill in, whatever the name is", () => {
  const missing: ModelPrice = {
    provider: "ollama",
    model: 'llama "3"',
    calls: 2,
    cost_usd: null,
    unpriced_calls: 2,
    price: { price_id: "", rates: [], request_usd: 0, reason: "unknown" },
  };
  const text = remedyFor([missing, { ...missing, model: null }]);
  expect(text).toContain('model = "llama \\"3\\""\nprovider = "ollama"\ninput = 0.00');
  expect(text.match(/\[\[price\]\]/g)).toHaveLength(1);
});
