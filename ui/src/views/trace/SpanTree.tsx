// The left side of a trace: overview, search, waterfall and the keys that move in it. What is selected, zoomed, searched
// and folded stands in the address.
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { useKeys } from "../../keys";
import { criticalPath } from "../../model/critical";
import { count } from "../../model/format";
import {
  findRuns,
  foldBelow,
  foldTo,
  type Mode,
  NOTHING,
  positionAt,
  reveal,
  runAt,
  type Shape,
  toggle,
  visible,
} from "../../model/rows";
import { around, FOLLOW_SCREENS, type Stretch, whole, within, zoomed } from "../../model/timeline";
import { childrenOf, find, hasChildren, idAt, nextIn, type Tree } from "../../model/trace";
import { recall, remember } from "../../memory";
import { place, setParams } from "../../url";
import { Overview } from "./Overview";
import { Waterfall } from "./Waterfall";

const MOST_FOLDS = 30;

export function SpanTree(props: {
  traceId: string;
  tree: Tree;
  selected: string;
  onSelect(spanId: string, kind: string): void;
}): VNode {
  const { tree, traceId } = props;
  const { params } = place.value;
  const runs = useMemo(() => findRuns(tree), [tree]);
  const [shape, setShape] = useShape(tree);
  const search = useSearch(traceId, tree);
  const rows = useMemo(
    () => visible(tree, runs, { ...shape, matches: search.found, mode: search.mode }),
    [tree, runs, shape, search.found, search.mode],
  );
  const matches = useMemo(() => (search.found ? new Set(search.found) : null), [search.found]);
  const [fits, setFits] = useState(30);

  // --- the axis
  const stretch = stretchOf(tree, params["w"]);
  const long = rows.list.length > fits * FOLLOW_SCREENS;
  const wants = params["f"] ?? recall("trace.follow");
  const follow = stretch === null && (wants === "1" || (wants !== "0" && long));
  const shown = useSignal<Stretch>(whole(tree));
  const zoom = (to: Stretch | null): void => {
    const kept = to && within(tree, to);
    const all = kept === null || (kept.from <= 0 && kept.to >= tree.length);
    setParams({ w: all ? null : `${Math.round(kept.from)}-${Math.round(kept.to)}` }, "replace");
  };
  const isCritical = params["p"] === "1";
  const critical = useMemo(() => (isCritical ? criticalPath(tree) : null), [tree, isCritical]);

  // --- the selected row; a run that is selected as a whole has no span
  const [runRow, setRunRow] = useState(-1);
  const at = useMemo(() => (props.selected ? find(tree, props.selected) : -1), [tree, props.selected]);
  const selected = runRow >= 0 ? runRow : at >= 0 ? (rows.rowOf[at] ?? -1) : -1;
  const choose = (row: number): void => {
    const one = rows.list[row];
    if (one === undefined) return;
    setRunRow(one < -1 ? row : -1);
    if (one >= 0) pick(one);
  };
  const pick = (position: number): void => {
    const id = idAt(tree, position);
    if (id !== "") props.onSelect(id, tree.columns.kinds[tree.columns.kind[tree.order[position]!]!] ?? "span");
  };
  const goTo = (position: number): void => {
    if (position < 0) return;
    setRunRow(-1);
    if (rows.rowOf[position]! < 0) setShape(reveal(tree, runs, shape, position));
    pick(position);
  };
  // a link to a span that is folded away or inside a run shows it
  const revealed = useRef("");
  useEffect(() => {
    if (at < 0 || revealed.current === props.selected) return;
    revealed.current = props.selected;
    if (rows.rowOf[at]! < 0) setShape(reveal(tree, runs, shape, at));
  }, [at, props.selected]);

  const here = selected >= 0 ? positionAt(rows, selected) : -1;
  const run = selected >= 0 ? runAt(rows, selected) : undefined;
  const isOpened = run ? shape.opened.has(run.first) : here >= 0 && hasChildren(tree, here) && !shape.folded.has(here);
  const openRun = (opened: boolean): void => {
    if (!run) return;
    const next = new Set(shape.opened);
    if (opened) next.add(run.first);
    else next.delete(run.first);
    setShape({ ...shape, opened: next });
  };
  const onFold = (row: number, event: { altKey: boolean }): void => {
    const folding = runAt(rows, row);
    const position = positionAt(rows, row);
    if (folding) {
      const next = new Set(shape.opened);
      if (!next.delete(folding.first)) next.add(folding.first);
      setShape({ ...shape, opened: next });
    } else if (event.altKey) setShape(foldTo(tree, shape, tree.depth[position]! + 1));
    else if (hasChildren(tree, position)) setShape(toggle(shape, position));
  };
  const step = (by: number): void =>
    choose(
      Math.max(0, Math.min(rows.list.length - 1, selected < 0 ? (by > 0 ? 0 : rows.list.length - 1) : selected + by)),
    );
  const toFirst = (): void => {
    const below = here >= 0 ? childrenOf(tree, here)[0] : undefined;
    if (below !== undefined) goTo(below);
  };
  const from = Math.max(here, 0);
  useKeys("tree", {
    down: () => step(1),
    up: () => step(-1),
    first: () => choose(0),
    last: () => choose(rows.list.length - 1),
    pageDown: () => step(fits - 1),
    pageUp: () => step(1 - fits),
    fold: () => {
      if (run) openRun(false);
      else if (isOpened) setShape(toggle(shape, here));
      else if (here >= 0 && tree.parent[here]! >= 0) goTo(tree.parent[here]!);
    },
    unfold: () => {
      if (run) openRun(true);
      else if (isOpened) toFirst();
      else if (here >= 0 && hasChildren(tree, here)) setShape(toggle(shape, here));
    },
    foldAll: () => here >= 0 && setShape(foldBelow(tree, shape, here, true)),
    unfoldAll: () => here >= 0 && setShape(foldBelow(tree, shape, here, false)),
    depth: (event) => setShape(foldTo(tree, { ...shape, opened: new Set() }, Number(event.key) + 1)),
    nextError: () => goTo(nextIn(tree.errors, from)),
    previousError: () => goTo(nextIn(tree.errors, from, true)),
    nextCall: () => goTo(nextIn(tree.calls, from)),
    previousCall: () => goTo(nextIn(tree.calls, from, true)),
    ...(search.found
      ? {
          nextMatch: () => goTo(nextIn(search.found!, from)),
          previousMatch: () => goTo(nextIn(search.found!, from, true)),
        }
      : {}),
    zoom: () => {
      if (run) zoom(around(tree, run.from, run.to));
      else if (here >= 0) zoom(around(tree, tree.from[here]!, tree.to[here]!));
    },
    whole: () => zoom(null),
    zoomIn: () => zoom(zoomed(tree, shown.peek(), 0.5)),
    zoomOut: () => zoom(zoomed(tree, shown.peek(), 2)),
    ...(stretch ? { close: () => zoom(null) } : {}),
    follow: () => {
      remember("trace.follow", follow ? "0" : "1");
      setParams({ f: follow ? "0" : "1", w: null }, "replace");
    },
    critical: () => setParams({ p: isCritical ? null : "1" }, "replace"),
  });
  return (
    <div class="span-tree">
      <Overview tree={tree} shown={shown} onZoom={zoom} onWhole={() => zoom(null)} />
      <div class="tree-bar">
        <SearchBox search={search} />
        <span class="spread" />
        {stretch && (
          <button type="button" class="button" onClick={() => zoom(null)} title="the whole trace (0)">
            Whole trace
          </button>
        )}
        {rows.list.length > fits && (
          <button
            type="button"
            class="button"
            aria-pressed={follow}
            title="the axis fits the rows on screen (f)"
            onClick={() => {
              remember("trace.follow", follow ? "0" : "1");
              setParams({ f: follow ? "0" : "1", w: null }, "replace");
            }}
          >
            Follow
          </button>
        )}
        <button
          type="button"
          class="button"
          aria-pressed={isCritical}
          title="what the time of the whole hangs on (p)"
          onClick={() => setParams({ p: isCritical ? null : "1" }, "replace")}
        >
          Critical path
        </button>
      </div>
      <Waterfall
        tree={tree}
        rows={rows}
        folded={shape.folded}
        opened={shape.opened}
        selected={selected}
        stretch={stretch ?? (follow ? null : whole(tree))}
        shown={shown}
        critical={critical}
        matches={matches}
        onSelect={choose}
        onFold={onFold}
        onZoom={zoom}
        onWhole={() => zoom(null)}
        onHeight={setFits}
      />
      {rows.list.length === 0 && search.found && <p class="waiting">No span of this trace matches.</p>}
    </div>
  );
}

function stretchOf(tree: Tree, w: string | undefined): Stretch | null {
  const told = /^(\d{1,15})-(\d{1,15})$/.exec(w ?? "");
  if (!told || Number(told[1]) >= Number(told[2]) || Number(told[1]) >= tree.length) return null;
  return within(tree, { from: Number(told[1]), to: Number(told[2]) });
}

/** Folds by position, kept over a growing trace by span id, and in the address while they are few. */
function useShape(tree: Tree): [Shape, (shape: Shape) => void] {
  const ids = useRef<{ folded: readonly string[]; opened: readonly string[] }>({
    folded: (place.value.params["fold"] ?? "").split(",").filter(Boolean),
    opened: (place.value.params["open"] ?? "").split(",").filter(Boolean),
  });
  const [, redraw] = useState(0);
  const made = useMemo<{ shape: Shape }>(() => {
    const places = (known: readonly string[]): Set<number> =>
      new Set(known.map((id) => find(tree, id)).filter((at) => at >= 0));
    return { shape: { ...NOTHING, folded: places(ids.current.folded), opened: places(ids.current.opened) } };
  }, [tree]);
  const set = (shape: Shape): void => {
    made.shape = shape;
    const told = (places: ReadonlySet<number>): string[] => [...places].map((at) => idAt(tree, at)).filter(Boolean);
    ids.current = { folded: told(shape.folded), opened: told(shape.opened) };
    const few = (known: readonly string[]): string | null =>
      known.length > 0 && known.length <= MOST_FOLDS ? known.join(",") : null;
    setParams({ fold: few(ids.current.folded), open: few(ids.current.opened) }, "replace");
    redraw((n) => n + 1);
  };
  return [made.shape, set];
}

interface Search {
  text: string;
  mode: Mode;
  found: Int32Array | null;
  error: string;
  asking: boolean;
}

function useSearch(traceId: string, tree: Tree): Search {
  const { m: text = "", mm } = place.value.params;
  const told = useAnswer(
    text ? "/api/traces/{trace_id}/match" : null,
    { q: text },
    { pathParams: { trace_id: traceId }, keep: true },
  );
  const indices = text ? told.data?.indices : undefined;
  const found = useMemo(() => {
    if (!indices) return null;
    const at = indices.filter((index) => index < tree.columns.count).map((index) => tree.position[index]!);
    return Int32Array.from(at).sort();
  }, [indices, tree]);
  const mode: Mode = mm === "context" || mm === "matches" ? mm : "all";
  return { text, mode, found, error: text ? (told.error?.message ?? "") : "", asking: told.loading || told.stale };
}

function SearchBox({ search }: { search: Search }): VNode {
  const [text, setText] = useState(search.text);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(search.text), [search.text]);
  useKeys("everywhere", {
    filter: () => {
      input.current?.focus();
      input.current?.select();
    },
  });
  return (
    <form
      class="tree-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        setParams({ m: text.trim() }, "replace");
        document.getElementById("tree")?.focus();
      }}
    >
      <input
        ref={input}
        class="input mono"
        type="search"
        spellcheck={false}
        aria-label="find in this trace"
        placeholder="find in this trace: kind:llm refund"
        aria-invalid={search.error !== "" || undefined}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          event.preventDefault();
          setParams({ m: null, mm: null }, "replace");
          document.getElementById("tree")?.focus();
        }}
      />
      {search.error !== "" && <span class="error one-line">✕ {search.error}</span>}
      {search.found && (
        <>
          <span class="muted found" role="status">
            {search.asking ? "…" : `${count(search.found.length)} found`}
          </span>
          <select
            class="input"
            aria-label="what is shown of the others"
            value={search.mode}
            onChange={(event) => {
              const mode = event.currentTarget.value;
              setParams({ mm: mode === "all" ? null : mode }, "replace");
            }}
          >
            <option value="all">among all</option>
            <option value="context">with what is above</option>
            <option value="matches">alone</option>
          </select>
        </>
      )}
    </form>
  );
}
