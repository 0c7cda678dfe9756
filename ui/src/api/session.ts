// Who looks, which projects there are, and coming in and going out.
import { signal, type Signal } from "@preact/signals";
import { forget, get, loggedOut, send } from "./client";
import { root } from "../url";
import type { Me } from "./types";

export const me: Signal<Me | undefined> = signal(undefined);
export const projects: Signal<readonly string[]> = signal([]);
const ANONYMOUS = "anonymous";

/** Why the page could not learn who looks. */
export const trouble: Signal<string> = signal("");

/** Learn who looks and what they may see. */
export async function learn(): Promise<void> {
  try {
    const [who, known] = await Promise.all([
      get("/api/me", {}, { project: "" }),
      get("/api/projects", {}, { project: "" }),
    ]);
    me.value = who;
    projects.value = known.projects;
    loggedOut.value = who.name === ANONYMOUS;
    trouble.value = "";
  } catch (error) {
    trouble.value = (error as { message?: string }).message ?? String(error);
  }
}

export async function logIn(user: string, password: string): Promise<void> {
  const before = me.value?.name ?? ANONYMOUS;
  await send("POST", "/api/login", { user, password });
  const who = await get("/api/me", {}, { project: "" });
  // what the page holds of somebody else goes with the page
  if (before !== ANONYMOUS && who.name !== before) return location.reload();
  forget();
  await learn();
}

/** Ends the session, and the page with everything that it holds. Throws an ApiError if the session goes on. */
export async function logOut(): Promise<void> {
  await send("POST", "/api/logout");
  loggedOut.value = true; // a browser may bring this page back as it was
  location.replace(root);
}

/** Whether who looks may do that in the project. */
export function may(scope: string, project: string): boolean {
  const grants = me.value?.grants ?? {};
  return Boolean(grants[project]?.includes(scope) || grants["*"]?.includes(scope));
}
