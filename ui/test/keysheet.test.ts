// docs/keys.md is made from the key map: `npx vitest run -u test/keysheet.test.ts` writes it.
import { expect, it } from "vitest";
import { KEYS, type KeyPlace, shown } from "../src/keys";
import { WHERE } from "../src/shell/KeySheet";

it("is written down key by key", async () => {
  const lines = [
    "# Keys of the page",
    "",
    "Made from `ui/src/keys.ts`; the same is under `?` on [the page](page.md). No key acts while a text field has the focus.",
  ];
  for (const [where, title] of Object.entries(WHERE) as [KeyPlace, string][]) {
    const keys = Object.values(KEYS).filter((key) => key.where === where);
    if (keys.length === 0) continue;
    lines.push("", `## ${title}`, "", "| key | what it does |", "|---|---|");
    for (const key of keys) {
      const names =
        key.keys.length > 4
          ? `\`${key.keys[0]}\` … \`${key.keys.at(-1)}\``
          : key.keys.map((one) => `\`${shown(one)}\``).join(" ");
      lines.push(`| ${names} | ${key.what} |`);
    }
  }
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("../../docs/keys.md");
});
