// API keys, roles and passwords as forms: what is wrong with them, what they may do in words, and the lines by which a
// program uses a key. Pure.
import type { KeyShown } from "../api/types";

export const SCOPES: readonly (readonly [string, string])[] = [
  ["ingest", "send records"],
  ["read", "ask: traces, logs, figures, live"],
  ["write", "write scores"],
  ["admin", "delete, set retention, give keys and roles"],
];
export const ROLES: readonly (readonly [string, string])[] = [
  ["viewer", "read"],
  ["member", "read, write scores, send records"],
  ["admin", "everything"],
];
export const PASSWORD_LEAST = 12;
const DAY_S = 86_400;
export const EXPIRIES: readonly (readonly [string, number | null])[] = [
  ["in 30 days", 30 * DAY_S],
  ["in 90 days", 90 * DAY_S],
  ["in a year", 365 * DAY_S],
  ["never", null],
];

/** Names by comma, each once. */
export function namesIn(text: string): string[] {
  return [...new Set(text.split(",").map((name) => name.trim()))].filter((name) => name !== "");
}

export interface KeyForm {
  name: string;
  scopes: readonly string[];
  projects: string;
}

export function keyErrors(form: KeyForm): Partial<Record<keyof KeyForm, string>> {
  const errors: Partial<Record<keyof KeyForm, string>> = {};
  if (form.name.trim() === "") errors.name = "say what it is for, such as ci or checkout-service";
  if (form.scopes.length === 0) errors.scopes = "choose at least one";
  const projects = namesIn(form.projects);
  if (projects.length === 0) errors.projects = "name a project, or * for every one";
  else if (projects.includes("*") && projects.length > 1) errors.projects = "* is every project: leave the others out";
  return errors;
}

export type KeyState = "works" | "revoked" | "expired";

export function stateOf(key: KeyShown, nowMs: number): KeyState {
  if (key.revoked_ns !== null) return "revoked";
  return key.expires_ns !== null && ms(key.expires_ns) <= nowMs ? "expired" : "works";
}

/** How long a key was to live when it was made, in seconds; null for ever. Its successor lives as long. */
export function lifetimeS(key: KeyShown): number | null {
  return key.expires_ns === null ? null : Math.round((ms(key.expires_ns) - ms(key.created_ns)) / 1e3);
}

function ms(ns: string): number {
  return Number(ns.slice(0, -6));
}

/** Lines for a shell with which an OpenTelemetry program, or one with Vestigo, sends by this key. */
export function senderLines(server: string, token: string, project: string): { otel: string; vestigo: string } {
  // values of OTEL_EXPORTER_OTLP_HEADERS are percent-encoded, so a blank is %20
  const headers = `Authorization=Bearer%20${token}${project ? `,X-Vestigo-Project=${encodeURIComponent(project)}` : ""}`;
  return {
    otel: [
      `export OTEL_EXPORTER_OTLP_ENDPOINT="${server}"`,
      `export OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"`,
      `export OTEL_EXPORTER_OTLP_HEADERS="${headers}"`,
    ].join("\n"),
    vestigo: [
      `export VESTIGO_STORAGE="${server}"`,
      `export VESTIGO_API_KEY="${token}"`,
      ...(project ? [`export VESTIGO_PROJECT="${project}"`] : []),
    ].join("\n"),
  };
}

const USER = /^[a-z0-9][a-z0-9._@+-]{0,199}$/;

export function userError(name: string): string | undefined {
  const lower = name.trim().toLowerCase();
  if (lower === "") return "give a name, such as ann@example.org";
  if (!USER.test(lower) || lower === "local" || lower === "anonymous")
    return "a name has letters, digits and ._@+-, such as ann@example.org";
  return undefined;
}

export function passwordError(password: string, again?: string): string | undefined {
  if (password.length < PASSWORD_LEAST) return `at least ${PASSWORD_LEAST} characters`;
  if (again !== undefined && again !== password) return "the two are not the same";
  return undefined;
}

/** A password that nobody chose: 20 letters and digits that are not mixed up, some 116 bits. */
export function newPassword(random: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): string {
  const signs = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  let told = "";
  while (told.length < 20)
    for (const byte of random(new Uint8Array(32)))
      if (byte < signs.length * 4 && told.length < 20) told += signs[byte % signs.length]; // even: 224 of 256
  return told;
}
