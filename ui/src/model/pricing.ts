// Prices as a person reads them, and what to write where nobody knows one. Pure.
import type { ModelPrice, PriceRow } from "../api/types";

/** The usual rate of a sort of token, without a condition on the size of the call; undefined without one. */
export function rateFor(price: PriceRow, unit: string): number | undefined {
  return price.rates.find((rate) => rate.unit === unit && rate.above < 0)?.usd_per_million;
}

/** Further rates: other sorts of tokens, and those of larger calls. */
export function furtherRates(price: PriceRow, shown: readonly string[]): string[] {
  return price.rates
    .filter((rate) => !shown.includes(rate.unit) || rate.above >= 0)
    .map(
      (rate) =>
        `${rate.unit.replaceAll("_", " ")} ${perMillion(rate.usd_per_million)}` +
        (rate.above >= 0 ? ` above ${rate.above.toLocaleString("en-US")} input tokens` : ""),
    );
}

/** USD per million tokens, as price lists write it. */
export function perMillion(x: number | undefined): string {
  if (x === undefined) return "–";
  return `$${x.toFixed(x !== 0 && Math.abs(x) < 0.1 ? 4 : 2)}`;
}

/** Where a price comes from: the entry of the table, or of one's own file. */
export function sourceOf(priceId: string): string {
  if (priceId.startsWith("override:")) return `your own, for ${priceId.slice(9)}`;
  const slash = priceId.indexOf("/");
  return slash < 0 ? priceId : priceId.slice(slash + 1).replace(/@.*$/, "");
}

/** An entry of the file of one's own prices for these models, to be filled in. */
export function remedyFor(models: readonly ModelPrice[]): string {
  const text = (value: string): string => JSON.stringify(value);
  const entries = models
    .filter((one) => one.model)
    .map((one) =>
      [
        "[[price]]",
        `model = ${text(one.model!)}`,
        ...(one.provider ? [`provider = ${text(one.provider)}`] : []),
        "input = 0.00     # USD per million tokens",
        "output = 0.00",
      ].join("\n"),
    );
  return `# prices.toml; then: vestigo serve --set prices=prices.toml\n${entries.join("\n\n")}\n`;
}
