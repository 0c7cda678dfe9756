// Any value, drawn by the renderer that suits it best; a switch shows it by any other that can. Raw JSON can always.
import type { ComponentChildren, VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { jsonText, oneLine, unwrapped } from "../model/json";
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
  /** `tools` are the other ways to show it, for those that have a bar of their own. */
  Render(props: { value: unknown; label: string; tools?: ComponentChildren }): VNode;
  readonly hasBar?: boolean;
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
    Render: ({ value, label, tools }) => <Json value={value} label={label} tools={tools} />,
    hasBar: true,
  },
  {
    name: "fields",
    priority: (value) => (fieldsOf(value).length > 0 ? 25 : -1),
    Render: ({ value }) => <Fields fields={fieldsOf(value)} />,
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
  const ways = plain
    ? []
    : choices.map((renderer) => (
        <button
          key={renderer.name}
          type="button"
          class="word"
          aria-pressed={renderer === chosen}
          onClick={() => setName(renderer.name)}
        >
          {renderer.name}
        </button>
      ));
  if (chosen.hasBar) return <Render value={value} label={label} tools={ways} />;
  if (bare && plain) return <Render value={value} label={label} />;
  return (
    <div class="with-tools">
      <div class="main-part">
        <Render value={value} label={label} />
      </div>
      <div class="tools">
        {ways}
        <Copy text={() => (typeof value === "string" ? value : jsonText(value))} label={`copy ${label}`} />
      </div>
    </div>
  );
}

function Json({ value, label, tools }: { value: unknown; label: string; tools: ComponentChildren }): VNode {
  const read = useMemo(() => unwrapped(value), [value]);
  return <JsonView value={read} label={label} tools={tools} />;
}

type Field = readonly [string, string];
const MOST_FIELDS = 12;

/** Names and values of an object that is flat and small, such as the arguments of most tools; else nothing. */
function fieldsOf(value: unknown): readonly Field[] {
  if (typeof value === "string" && value.length > 4_000) return [];
  const held = unwrapped(value);
  if (typeof held !== "object" || held === null || Array.isArray(held)) return [];
  const entries = Object.entries(held);
  if (entries.length > MOST_FIELDS) return [];
  const plain = entries.every(([key, one]) => key.length < 60 && isPlain(one));
  return plain ? entries.map(([key, one]) => [key, typeof one === "string" ? one : oneLine(one)] as const) : [];
}

function isPlain(value: unknown): boolean {
  if (typeof value === "string") return value.length < 400;
  if (!Array.isArray(value)) return typeof value !== "object" || value === null;
  return value.length < 9 && value.every((one) => typeof one !== "object" && String(one).length < 30);
}

function Fields({ fields }: { fields: readonly Field[] }): VNode {
  return (
    <dl class="flat-fields">
      {fields.map(([key, told]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd class="text">{told}</dd>
        </div>
      ))}
    </dl>
  );
}
