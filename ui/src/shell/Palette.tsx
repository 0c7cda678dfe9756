// Going anywhere by typing: pages, projects, views that were saved, or the id of a trace.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { projects } from "../api/session";
import { recall, remember } from "../memory";
import { go, link, place, root, type View } from "../url";
import { Dialog } from "../widgets/Dialog";
import { toast } from "../widgets/parts";
import { VIEWS } from "./views";

interface Item {
  label: string;
  kind: string;
  act(): void;
  forget?(): void;
}

interface Saved {
  name: string;
  /** Below the page's root, so that it holds behind another prefix. */
  path: string;
}

const PAGES: readonly View[] = ["traces", "sessions", "logs", "dash", "errors", "scores", "queue", "settings"];

/** As many as are shown, and chosen among. */
const MOST = 14;

function savedViews(): Saved[] {
  try {
    const told: unknown = JSON.parse(recall("views") ?? "[]");
    return Array.isArray(told)
      ? told.filter((one) => typeof one?.name === "string" && typeof one?.path === "string")
      : [];
  } catch {
    return [];
  }
}

export function Palette({ onClose }: { onClose(): void }): VNode {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [saved, setSaved] = useState(savedViews);
  const now = place.value;
  const keep = (views: Saved[]): void => {
    setSaved(views);
    remember("views", JSON.stringify(views));
  };
  const itemsOf = (typed: string): Item[] => {
    const wanted = typed.trim().toLowerCase();
    const id = /^(?:[0-9a-f]{32})$/.exec(wanted.replaceAll("-", ""))?.[0];
    const items: Item[] = [];
    if (id) items.push({ label: `trace ${id}`, kind: "trace", act: () => go(link({ view: "trace", id })) });
    for (const view of saved)
      items.push({
        label: view.name,
        kind: "saved view",
        act: () => go(root + view.path),
        forget: () => keep(saved.filter((one) => one !== view)),
      });
    for (const view of PAGES)
      items.push({ label: VIEWS[view].title, kind: "page", act: () => go(link({ view, keep: ["t", "q"] })) });
    for (const name of projects.value)
      if (name !== now.project)
        items.push({ label: name, kind: "project", act: () => go(link({ view: "traces", project: name })) });
    const found = items.filter((item) => item.kind === "trace" || item.label.toLowerCase().includes(wanted));
    if (wanted !== "" && !id) {
      const name = typed.trim();
      found.push({
        label: `filter traces: ${name}`,
        kind: "filter",
        act: () => go(link({ view: "traces", params: { q: name } })),
      });
      found.push({
        label: `save this view as “${name}”`,
        kind: "save",
        act: () => {
          const path = (location.pathname + location.search).slice(root.length);
          keep([...saved.filter((one) => one.name !== name), { name, path }]);
          toast("view saved; Ctrl K finds it");
        },
      });
    }
    return found.slice(0, MOST);
  };
  const found = itemsOf(text);
  const chosen = Math.min(at, found.length - 1);
  const act = (item: Item | undefined): void => {
    if (!item) return;
    onClose();
    item.act();
  };
  return (
    <Dialog title="Go to …" onClose={onClose}>
      <input
        class="input"
        style={{ width: "100%" }}
        autofocus
        role="combobox"
        aria-expanded={true}
        aria-controls="palette-list"
        aria-activedescendant={chosen >= 0 ? `palette-${chosen}` : undefined}
        aria-label="page, project, saved view or trace id"
        placeholder="a page, a project, a saved view, a trace id, or a name to save this view under"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, found.length - 1));
          else if (event.key === "ArrowUp") setAt(Math.max(0, chosen - 1));
          else if (event.key === "Enter") {
            // what is typed counts, not what was last drawn
            const now = itemsOf(event.currentTarget.value);
            act(now[Math.min(at, now.length - 1)]);
          } else return;
          event.preventDefault();
        }}
      />
      <ul id="palette-list" class="menu-list" role="listbox" aria-label="places">
        {found.map((item, i) => (
          <li
            key={`${item.kind}${item.label}`}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === chosen}
            onClick={() => act(item)}
          >
            <span class="one-line">{item.label}</span>
            <span class="spread" />
            <span class="muted">{item.kind}</span>
          </li>
        ))}
      </ul>
      {found[chosen]?.forget && (
        <button type="button" class="link" onClick={() => found[chosen]?.forget?.()}>
          forget the saved view “{found[chosen]!.label}”
        </button>
      )}
    </Dialog>
  );
}
