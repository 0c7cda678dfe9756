// The places of the page at its left edge, and at its foot what belongs to who looks.
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { logOut, me } from "../api/session";
import { recall, remember } from "../memory";
import { link, place, root, type View } from "../url";
import { Icon, type IconName } from "../widgets/icons";
import { Menu } from "../widgets/Menu";
import { toast } from "../widgets/parts";
import { setTheme, theme } from "./theme";

const PLACES: readonly (readonly [View, string, IconName])[] = [
  ["traces", "Traces", "traces"],
  ["sessions", "Sessions", "sessions"],
  ["logs", "Logs", "logs"],
  ["dash", "Dashboards", "dash"],
  ["errors", "Errors", "errors"],
  ["scores", "Scores", "scores"],
  ["settings", "Settings", "settings"],
];

const UNDER: Partial<Record<View, View>> = { trace: "traces", compare: "traces", session: "sessions", queue: "scores" };

export function Rail({ onKeys, onPalette }: { onKeys(): void; onPalette(): void }): VNode {
  const narrow = useSignal(recall("rail") === "narrow" || (recall("rail") === null && innerWidth < 1100));
  const now = place.value;
  const here = UNDER[now.view] ?? now.view;
  return (
    <nav class={`rail${narrow.value ? " narrow" : ""}`} aria-label="places">
      <a class="brand" href={link({ view: "traces" })} title="Vestigo">
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M2 3.5h12M4.500 8h7M6.500 12.500h3" />
        </svg>
        <span class="word">Vestigo</span>
        <span class="sr-only">{narrow.value ? "Vestigo" : ""}</span>
      </a>
      {PLACES.map(([view, name, icon]) => (
        <a
          key={view}
          href={link({ view, keep: view === "settings" ? [] : ["t", "q"] })}
          aria-current={here === view ? "page" : undefined}
          aria-label={name}
          title={narrow.value ? name : undefined}
        >
          <Icon name={icon} />
          <span class="word">{name}</span>
        </a>
      ))}
      <span class="spread" />
      <button type="button" class="bare item" onClick={onPalette} title="go to … (Ctrl K)" aria-label="go to …">
        <Icon name="search" />
        <span class="word">Go to …</span>
      </button>
      <button type="button" class="bare item" onClick={onKeys} title="keys (?)" aria-label="keys">
        <Icon name="keys" />
        <span class="word">Keys</span>
      </button>
      <a href={`${root}docs`} target="_blank" rel="noopener" title="the API" aria-label="API">
        <Icon name="docs" />
        <span class="word">API</span>
      </a>
      <Menu
        class="bare item"
        name={`${me.value?.name.replace(/^\w+:/, "") ?? ""} (account and look)`}
        label={
          <>
            <Icon name="theme" />
            <span class="word one-line">{me.value?.name.replace(/^\w+:/, "") ?? ""}</span>
          </>
        }
        items={[
          { label: "as the system has it", on: theme.value === "system", act: () => setTheme("system") },
          { label: "light", on: theme.value === "light", act: () => setTheme("light") },
          { label: "dark", on: theme.value === "dark", act: () => setTheme("dark") },
          {
            label: narrow.value ? "wide rail" : "narrow rail",
            act: () => {
              narrow.value = !narrow.value;
              remember("rail", narrow.value ? "narrow" : "wide");
            },
          },
          {
            label: "log out",
            act: () => void logOut().catch(() => toast("not logged out: the server cannot be reached")),
          },
        ]}
      />
    </nav>
  );
}
