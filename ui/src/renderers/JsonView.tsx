// A JSON value as a tree of rows, of which only those on screen are elements. Arrows move and fold; the chosen row
// tells its path and, if it is long, all of its text.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { bytes, count } from "../model/format";
import {
  findText,
  isContainer,
  type JsonRow,
  jsonText,
  openAll,
  parentIndex,
  pathOf,
  type Place,
  reveal,
  rowsOf,
  toggle,
} from "../model/json";
import { Copy } from "../widgets/parts";
import { rowId, VirtualList } from "../widgets/VirtualList";
import { Text } from "./Text";
import "./renderers.css";

const ROW = 20;
const TALLEST = 22;
const SEARCHED = 20;

let made = 0;

export interface JsonViewProps {
  value: unknown;
  label: string;
  /** Rows on screen at most. */
  tallest?: number;
  /** Other ways to show the value, in the bar above it. */
  tools?: ComponentChildren;
}

export function JsonView({ value, label, tallest = TALLEST, tools }: JsonViewProps): VNode {
  const [held, setHeld] = useState<{ value: unknown; rows: readonly JsonRow[] }>(() => ({
    value,
    rows: rowsOf(value),
  }));
  const [chosen, setChosen] = useState(-1);
  const fresh = useMemo(() => (held.value === value ? held.rows : rowsOf(value)), [value]);
  const rows = held.value === value ? held.rows : fresh;
  const setRows = (shown: readonly JsonRow[]): void => setHeld({ value, rows: shown });
  // names of rows are ids in the page, and one page shows many values
  const name = useMemo(() => `${label} ${(made += 1)}`, [label]);
  useEffect(() => setChosen(-1), [value]);
  const row = rows[chosen];
  const flip = (at: number): void => {
    setChosen(at);
    setRows(toggle(rows, at));
  };
  const keys = (event: KeyboardEvent): void => {
    if ((event.target as Element).closest("input, button, .json-foot")) return;
    const last = rows.length - 1;
    const page = tallest - 2;
    const open = row !== undefined && isContainer(row) && row.open;
    const next: Record<string, (() => void) | undefined> = {
      ArrowDown: () => setChosen(Math.min(last, chosen + 1)),
      ArrowUp: () => setChosen(Math.max(0, chosen - 1)),
      PageDown: () => setChosen(Math.min(last, chosen + page)),
      PageUp: () => setChosen(Math.max(0, chosen - page)),
      Home: () => setChosen(0),
      End: () => setChosen(last),
      ArrowRight: () => (open ? setChosen(Math.min(last, chosen + 1)) : row && flip(chosen)),
      ArrowLeft: () => (open ? flip(chosen) : setChosen(Math.max(0, parentIndex(rows, chosen)))),
      Enter: () => row && flip(chosen),
    };
    const act = event.altKey || event.ctrlKey || event.metaKey ? undefined : next[event.key];
    if (act === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return (
    <div class="json" onKeyDown={keys}>
      <Bar
        value={value}
        rows={rows}
        tools={tools}
        onRows={(shown, at) => {
          setRows(shown);
          setChosen(at);
        }}
      />
      <div class="json-rows" style={{ height: `${Math.min(rows.length, tallest) * ROW}px` }}>
        <VirtualList
          label={name}
          role="tree"
          count={rows.length}
          rowHeight={ROW}
          selected={chosen}
          keys={false}
          onSelect={setChosen}
          render={(at) => drawRow(rows[at] as JsonRow, at, name, at === chosen, setChosen, flip)}
        />
      </div>
      {row !== undefined && <Foot row={row} />}
    </div>
  );
}

function drawRow(
  row: JsonRow,
  at: number,
  name: string,
  chosen: boolean,
  choose: (at: number) => void,
  flip: (at: number) => void,
): VNode {
  const folds = isContainer(row) && row.size > 0;
  return (
    <div
      key={at}
      id={rowId(name, at)}
      class="json-row"
      role="treeitem"
      aria-level={row.depth + 1}
      aria-expanded={folds ? row.open : undefined}
      aria-selected={chosen}
      style={{ paddingLeft: `${8 + Math.min(row.depth, 40) * 14}px` }}
      onClick={() => (folds ? flip(at) : choose(at))}
    >
      <span class="json-sign" aria-hidden="true">
        {folds ? (row.open ? "▾" : "▸") : ""}
      </span>
      {row.key !== null && <span class={typeof row.key === "number" ? "muted" : "json-key"}>{row.key}</span>}
      <span class={`json-value json-${row.sort}`}>{valueText(row)}</span>
    </div>
  );
}

function valueText(row: JsonRow): string {
  switch (row.sort) {
    case "object":
      return `{${row.size}}`;
    case "array":
      return `[${row.size}]`;
    case "string": {
      const text = row.value as string;
      return text.length > 300
        ? `${JSON.stringify(text.slice(0, 300)).slice(0, -1)}… ${bytes(text.length)}`
        : JSON.stringify(text);
    }
    default:
      return String(row.value);
  }
}

function Bar(props: {
  value: unknown;
  rows: readonly JsonRow[];
  tools: ComponentChildren;
  onRows(rows: readonly JsonRow[], chosen: number): void;
}): VNode {
  const { value, rows } = props;
  const [text, setText] = useState("");
  const [found, setFound] = useState<readonly Place[]>([]);
  const [at, setAt] = useState(0);
  const show = (places: readonly Place[], place: number): void => {
    setAt(place);
    const wanted = places[place];
    if (wanted === undefined) return;
    const there = reveal(rows, wanted);
    props.onRows(there.rows, there.index);
  };
  const folded = rows.some((row) => isContainer(row) && row.size > 0 && !row.open);
  return (
    <div class="json-bar">
      <span class="muted">{sizeText(rows[0])}</span>
      {(rows.length > SEARCHED || folded) && (
        <input
          class="input"
          type="search"
          placeholder="find"
          aria-label="find in the value"
          value={text}
          onInput={(event) => {
            const wanted = event.currentTarget.value;
            const places = findText(value, wanted);
            setText(wanted);
            setFound(places);
            if (wanted.length > 1) show(places, 0);
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || found.length === 0) return;
            event.preventDefault();
            show(found, (at + (event.shiftKey ? found.length - 1 : 1)) % found.length);
          }}
        />
      )}
      {text !== "" && (
        <span class="muted" role="status">
          {found.length === 0 ? "nothing" : `${at + 1} of ${count(found.length)}${found.length === 1_000 ? "+" : ""}`}
        </span>
      )}
      <span class="tools">
        {folded && (
          <button type="button" class="word" onClick={() => props.onRows(openAll(rows, 0), 0)}>
            open all
          </button>
        )}
        {rows.length > SEARCHED && (
          <button type="button" class="word" onClick={() => props.onRows(rowsOf(value, 1), 0)}>
            fold
          </button>
        )}
        {props.tools}
        <Copy text={() => jsonText(value)} label="copy as JSON" />
      </span>
    </div>
  );
}

function sizeText(root: JsonRow | undefined): string {
  if (root === undefined) return "";
  if (root.sort === "object") return `${count(root.size)} ${root.size === 1 ? "entry" : "entries"}`;
  return root.sort === "array" ? `${count(root.size)} ${root.size === 1 ? "item" : "items"}` : root.sort;
}

function Foot({ row }: { row: JsonRow }): VNode {
  const path = pathOf(row);
  return (
    <div class="json-foot">
      <div class="json-path">
        <code class="one-line">{path || "(all)"}</code>
        {path !== "" && <Copy text={path} label="copy the path" />}
        <span class="spread" />
        <Copy text={() => (typeof row.value === "string" ? row.value : jsonText(row.value))} label="copy the value" />
      </div>
      {row.sort === "string" && row.size > 50 && <Text text={row.value as string} />}
    </div>
  );
}
