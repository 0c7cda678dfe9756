// Attributes in groups by the first word of their names, and the filter terms that find spans with the same value.
import { quoted } from "./query";

export interface Attribute {
  readonly key: string;
  readonly value: unknown;
  /** `attr` or `resource`: how a filter names it. Empty for what no filter knows. */
  readonly field: "attr" | "resource" | "";
}

export interface AttributeGroup {
  readonly name: string;
  readonly rows: readonly Attribute[];
}

type Attributes = Readonly<Record<string, unknown>>;

const FIRST = ["gen_ai", "llm", "input", "output"];

/** Groups with `gen_ai` first, then by name, words of their own as `other`, and who recorded it at the end. */
export function groupAttributes(attributes: Attributes, resource: Attributes, scope: Attributes): AttributeGroup[] {
  const groups = new Map<string, Attribute[]>();
  for (const key of Object.keys(attributes)) {
    const head = key.split(".")[0] ?? "";
    const name = head === key || head === "" ? "other" : head;
    const rows = groups.get(name);
    const row: Attribute = { key, value: attributes[key], field: "attr" };
    if (rows === undefined) groups.set(name, [row]);
    else rows.push(row);
  }
  for (const [name, rows] of groups) {
    if (rows.length > 1 || name === "other" || FIRST.includes(name)) continue;
    groups.delete(name);
    groups.set("other", [...(groups.get("other") ?? []), ...rows]);
  }
  const rank = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : name === "other" ? 90 : 50);
  const made = [...groups]
    .toSorted(([one], [two]) => rank(one) - rank(two) || (one < two ? -1 : 1))
    .map(([name, rows]) => ({ name, rows: rows.toSorted((one, two) => (one.key < two.key ? -1 : 1)) }));
  for (const [name, held, field] of [
    ["resource", resource, "resource"],
    ["scope", scope, ""],
  ] as const) {
    const rows = Object.keys(held)
      .filter((key) => held[key] !== "")
      .toSorted()
      .map((key): Attribute => ({ key, value: held[key], field }));
    if (rows.length > 0) made.push({ name, rows });
  }
  return made;
}

const LONGEST = 300;

/** Attributes that a filter knows by a shorter name, by which the storage finds them without reading each span. */
const SHORT: Readonly<Record<string, string>> = {
  "attr.user.id": "user",
  "attr.session.id": "session",
  "attr.gen_ai.conversation.id": "session",
  "attr.gen_ai.tool.name": "tool",
  "attr.gen_ai.agent.name": "agent",
  "attr.gen_ai.operation.name": "operation",
  "resource.service.name": "service",
  "resource.service.version": "release",
  "resource.deployment.environment.name": "env",
};

/** The term that finds the same value, or null for what is no plain short value. */
export function attributeTerm(attribute: Attribute): string | null {
  const { key, value, field } = attribute;
  if (field === "") return null;
  const name = /^[\w./@%$-]+$/.test(key) ? key : `"${key.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  if (typeof value === "number" || typeof value === "boolean") return `${field}.${name}=${value}`;
  if (typeof value !== "string" || value === "" || value.length > LONGEST) return null;
  const known = `${field}.${key}`;
  if (Object.hasOwn(SHORT, known)) return `${SHORT[known]}=${quoted(value)}`;
  // a number or truth without quotes would mean that value and not its text
  const literal = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/.test(value) || value === "true" || value === "false";
  return `${field}.${name}=${literal ? `"${value}"` : quoted(value)}`;
}
