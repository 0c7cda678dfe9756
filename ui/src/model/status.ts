// What a server tells of itself, read for people: its storage, the settings by name, its redaction. Pure.
import type { RuleRow, SettingRow } from "../api/types";

export function settingOf(settings: readonly SettingRow[], name: string): string {
  return settings.find((row) => row.name === name)?.value ?? "";
}

/** `SQLite, /srv/vestigo/vestigo.db`: the kind and the place of a storage. */
export function storageKind(settings: readonly SettingRow[]): string {
  const url = settingOf(settings, "storage");
  if (url === "") return `SQLite, ${settingOf(settings, "data_dir").replace(/\/$/, "")}/vestigo.db`;
  const [, scheme, rest] = /^([\w+]+):\/*(.*)$/.exec(url) ?? ["", url, ""];
  const names: Readonly<Record<string, string>> = { sqlite: "SQLite", file: "files", memory: "memory" };
  const kind = names[scheme ?? ""] ?? scheme ?? "";
  const slash = url.startsWith(`${scheme}:////`) ? "/" : "";
  return rest ? `${kind}, ${slash}${rest}` : kind;
}

export function isSize(name: string): boolean {
  return name === "bytes" || name.endsWith("_bytes");
}

/** `disk_free_bytes` as `disk free`. */
export function figureName(name: string): string {
  return name.replace(/_bytes$/, "").replaceAll("_", " ");
}

/** Figures beyond those that have a place of their own, by name. */
export function restOf(figures: Readonly<Record<string, number>>, known: readonly string[]): [string, number][] {
  return Object.entries(figures).filter(([name]) => !known.includes(name));
}

/** Rules of one kind, those in force first. */
export interface RuleGroup {
  kind: string;
  rules: readonly RuleRow[];
  on: number;
}

export function ruleGroups(rules: readonly RuleRow[]): RuleGroup[] {
  const groups = new Map<string, RuleRow[]>();
  for (const rule of rules) groups.set(rule.kind, [...(groups.get(rule.kind) ?? []), rule]);
  return [...groups].map(([kind, own]) => ({ kind, rules: own, on: own.filter((rule) => rule.on).length }));
}
