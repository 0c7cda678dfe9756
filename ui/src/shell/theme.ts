// Light, dark, or as the system has it.
import { signal, type Signal } from "@preact/signals";
import { recall, remember } from "../memory";

export type Theme = "system" | "light" | "dark";

const kept = recall("theme");
export const theme: Signal<Theme> = signal(kept === "light" || kept === "dark" ? kept : "system");

export function setTheme(next: Theme): void {
  theme.value = next;
  remember("theme", next);
}
