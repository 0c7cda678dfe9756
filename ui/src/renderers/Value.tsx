// Any value, drawn by the renderer that suits it best; a switch shows it by any other that can. Raw JSON can always.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { jsonText, unwrapped } from "../model/json";
import { looksLikeMarkdown, MOST_MARKDOWN } from "../model/markdown";
import { readStack } from "../model/stack";
import { Copy } from "../widgets/parts";
import { JsonView } from "./JsonView";
import { Markdown } from "./Markdown";
import { Stack } from "./Stack";
import { Text } from "./Text";
import "./renderers.css";

export interface Renderer {
  readonly name: string;
  /** The highest wins; below 0 it cannot show the value. */
  priority(value: unknown): number;
  Render(props: { value: unknown; label: string }): VNode;
}

const RENDERERS: readonly Renderer[] = [
  {
    name: "stack",
    priority: (value) => (typeof value === "string" && value.length < 200_000 && readStack(value).length > 0 ? 30 : -1),
    Render: ({ value }) => <Stack text={value as string} />,
  },
  {
    name: "json",
    priority: (value) => (typeof unwrapped(value) === "object" && unwrapped(value) !== null ? 20 : -1),
    Render: ({ value, label }) => <Json value={value} label={label} />,
  },
  {
    name: "markdown",
    priority: (value) => {
      if (typeof value !== "string" || value.length > MOST_MARKDOWN) return -1;
      return looksLikeMarkdown(value) ? 10 : -1;
    },
    Render: ({ value }) => <Markdown text={value as string} />,
  },
  {
    name: "text",
    priority: (value) => (typeof value === "object" && value !== null ? -1 : 5),
    Render: ({ value }) => <Text text={typeof value === "string" ? value : String(value)} />,
  },
  {
    name: "raw",
    priority: () => 0,
    Render: ({ value }) => <Text text={jsonText(value)} class="mono" />,
  },
];

/** Those that can show a value, the best first. */
export function renderersFor(value: unknown): Renderer[] {
  return RENDERERS.map((renderer) => ({ renderer, priority: renderer.priority(value) }))
    .filter(({ priority }) => priority >= 0)
    .toSorted((one, two) => two.priority - one.priority)
    .map(({ renderer }) => renderer);
}

export function Value({ value, label, bare = false }: { value: unknown; label: string; bare?: boolean }): VNode {
  const choices = useMemo(() => renderersFor(value), [value]);
  const [name, setName] = useState("");
  const chosen = choices.find((renderer) => renderer.name === name) ?? choices[0];
  if (chosen === undefined) return <Text text="" />;
  const { Render } = chosen;
  // a plain short text needs no switch between two ways to show the same
  const plain = choices[0]?.name === "text";
  return (
    <div>
      {!(bare && plain) && (
        <div class="tools">
          {!plain &&
            choices.map((renderer) => (
              <button
                key={renderer.name}
                type="button"
                class="word"
                aria-pressed={renderer === chosen}
                onClick={() => setName(renderer.name)}
              >
                {renderer.name}
              </button>
            ))}
          <span class="spread" />
          <Copy text={() => (typeof value === "string" ? value : jsonText(value))} label={`copy ${label}`} />
        </div>
      )}
      <Render value={value} label={label} />
    </div>
  );
}

function Json({ value, label }: { value: unknown; label: string }): VNode {
  const read = useMemo(() => unwrapped(value), [value]);
  return <JsonView value={read} label={label} />;
}
