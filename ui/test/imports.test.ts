// The rooms of the page: who may import whom, and what no file may hold.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = resolve(__dirname, "../src");

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) ? [path] : [];
  });
}

const room = (path: string): string => {
  const parts = relative(SOURCE, path).split("/");
  return parts.length > 1 ? parts[0]! : "frame";
};

const MAY: Readonly<Record<string, readonly string[]>> = {
  model: ["model"],
  api: ["api", "model", "frame"],
  frame: ["model", "frame"],
  widgets: ["widgets", "model", "api", "frame"],
  renderers: ["renderers", "widgets", "model", "api", "frame"],
  views: ["views", "renderers", "widgets", "model", "api", "frame"],
  shell: ["shell", "widgets", "model", "api", "frame", "views"],
};
const SLACK = 40;

const all = files(SOURCE);

describe.each(all.map((path) => [relative(SOURCE, path), path] as const))("%s", (name, path) => {
  const text = readFileSync(path, "utf8");
  const imports = [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map((found) => found[1]!);

  it("imports from its own room or from lower ones", () => {
    if (name === "main.tsx") return;
    for (const one of imports) {
      const target = room(resolve(dirname(path), one));
      // types of the API are known everywhere: they are erased
      const erased = new RegExp(`import type [^;]*"${one.replaceAll(".", "\\.")}"`).test(text);
      if (erased && one.endsWith("api/types")) continue;
      expect(MAY[room(path)], `${name} imports ${one}`).toContain(target);
    }
  });

  it("knows no other view than its own", () => {
    if (room(path) !== "views") return;
    const own = relative(SOURCE, path).split("/")[1];
    for (const one of imports) {
      const target = relative(SOURCE, resolve(dirname(path), one)).split("/");
      if (target[0] === "views") expect([own, "trace"], `${name} imports ${one}`).toContain(target[1]);
    }
  });

  it("puts no text in as HTML and has no way around the types", () => {
    expect(text).not.toMatch(/dangerouslySetInnerHTML|\.innerHTML|outerHTML|insertAdjacentHTML|document\.write/);
    expect(text).not.toMatch(/\beval\(|new Function\(/);
    expect(text).not.toMatch(/@ts-ignore|@ts-nocheck|: any\b|as any\b|<any>/);
    expect(text).not.toMatch(/^export default/m);
    expect(text).not.toMatch(/^\s*(?:export )?(?:abstract )?class /m);
  });

  it("is short enough to read, and says what it is", () => {
    if (name === "api/types.ts") return;
    expect(text.split("\n").length).toBeLessThanOrEqual(400 + SLACK);
    expect(text.startsWith("//") || text.startsWith("/*"), "begins with what it is").toBe(true);
  });
});
