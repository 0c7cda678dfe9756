import { expect, test } from "vitest";
import { figureName, isSize, restOf, ruleGroups, settingOf, storageKind } from "../../src/model/status";

const settings = (storage: string) => [
  { name: "storage", value: storage },
  { name: "data_dir", value: "/srv/vestigo/" },
];

test("a storage is told by its kind and place", () => {
  expect(storageKind(settings(""))).toBe("SQLite, /srv/vestigo/vestigo.db");
  expect(storageKind(settings("sqlite:////srv/traces.db"))).toBe("SQLite, /srv/traces.db");
  expect(storageKind(settings("file:///data"))).toBe("files, data");
  expect(storageKind(settings("memory://"))).toBe("memory");
  expect(storageKind(settings("odd"))).toBe("odd");
  expect(settingOf(settings("x"), "nothing")).toBe("");
});

test("figures without a place of their own are told by name", () => {
  expect(restOf({ bytes: 1, disk_free_bytes: 2 }, ["bytes"])).toEqual([["disk_free_bytes", 2]]);
  expect([figureName("disk_free_bytes"), isSize("disk_free_bytes"), isSize("spans")]).toEqual([
    "disk free",
    true,
    false,
  ]);
});

test("rules stand by their kind, with how many are on", () => {
  const rule = (name: string, kind: string, on: boolean) => ({ name, kind, on });
  expect(
    ruleGroups([rule("jwt", "secret", true), rule("email", "personal", false), rule("aws", "secret", false)]).map(
      ({ kind, rules, on }) => [kind, rules.length, on],
    ),
  ).toEqual([
    ["secret", 2, 1],
    ["personal", 1, 0],
  ]);
});
