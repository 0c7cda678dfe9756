import { expect, test } from "vitest";
import type { KeyShown } from "../../src/api/types";
import {
  keyErrors,
  lifetimeS,
  namesIn,
  newPassword,
  passwordError,
  senderLines,
  stateOf,
  userError,
} from "../../src/model/access";

const key: KeyShown = {
  id: "2cc56ed4e28d",
  name: "ci",
  grants: { shop: ["ingest"] },
  created_ns: "1000000000000",
  created_by: "local",
  expires_ns: null,
  revoked_ns: null,
  used_ns: null,
};

test("names by comma", () => {
  expect(namesIn(" shop, lab ,,shop")).toEqual(["shop", "lab"]);
});

test("what a key lacks is told at its field", () => {
  expect(keyErrors({ name: "ci", scopes: ["ingest"], projects: "shop" })).toEqual({});
  expect(Object.keys(keyErrors({ name: " ", scopes: [], projects: "" }))).toEqual(["name", "scopes", "projects"]);
  expect(keyErrors({ name: "ci", scopes: ["read"], projects: "*, shop" }).projects).toContain("leave the others out");
});

test("a key works until it is revoked or over", () => {
  expect(stateOf(key, 0)).toBe("works");
  expect(stateOf({ ...key, revoked_ns: "1000000000000" }, 0)).toBe("revoked");
  expect(stateOf({ ...key, expires_ns: "2000000000" }, 1_999)).toBe("works");
  expect(stateOf({ ...key, expires_ns: "2000000000" }, 2_000)).toBe("expired");
});

test("a successor lives as long as the key was to live", () => {
  expect(lifetimeS(key)).toBeNull();
  expect(lifetimeS({ ...key, expires_ns: "1060000000000" })).toBe(60);
});

test("lines for senders hold the key as the variable wants it", () => {
  const { otel, vestigo } = senderLines("http://h:4318", "vst_a_b", "shop");
  expect(otel).toContain('OTLP_ENDPOINT="http://h:4318"');
  expect(otel).toContain('HEADERS="Authorization=Bearer%20vst_a_b,X-Vestigo-Project=shop"');
  expect(vestigo).toContain('VESTIGO_API_KEY="vst_a_b"');
  expect(senderLines("http://h:4318", "vst_a_b", "").otel).not.toContain("Project");
});

test("names and passwords are checked as the server does", () => {
  expect(["ann@example.org", "Ann", "a b", "", "local"].map((name) => userError(name) === undefined)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect(passwordError("short")).toContain("12");
  expect(passwordError("long enough here", "other")).toContain("same");
  expect(passwordError("long enough here", "long enough here")).toBeUndefined();
});

test("a made password has twenty signs of even weight", () => {
  let at = 0;
  const told = newPassword((bytes) => bytes.map(() => at++ % 256));
  expect(told).toMatch(/^[a-zA-Z2-9]{20}$/);
  expect(newPassword((bytes) => bytes.fill(0))).toBe("a".repeat(20));
});
