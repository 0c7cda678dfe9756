// The left side of a trace: overview, search, waterfall and the keys that move in it. What is selected, zoomed, searched
// and folded stands in the address, which follows the hand by a moment.
import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { criticalPath } from "../../model/critical";
import { count, duration } from "../../model/format";
import { canFold, nextOf, rankOf, revealing, shownFor, visibleRows, withFold, withLevel } from "../../model/rows";
import { clamped, isWhole, wholeWindow, type Window, windowOfText, windowText } from "../../model/timeline";
import { placeOfSpan, spanIdAt, type Trace } from "../../model/trace";
import { recall, remember } from "../../memory";
import { place, setParams } from "../../url";
import { Menu } from "../../widgets/Menu";
import { Overview } from "../../widgets/Overview";
import { SPAN_COLUMNS } from "../../widgets/spancolumns";
import { Waterfall } from "../../widgets/Waterfall";
import { useFolds, useOpenFolds } from "./folds";
import { useLater } from "./later";
import { SearchBox, useSearch } from "./search";
import type { Source } from "./source";
import { useTreeKeys } from "./treekeys";

/** Follow is on from the start where a trace is longer than this many screens. */
const FOLLOW_SCREENS = 40;
const FIRST_COLUMNS = SPAN_COLUMNS.filter((column) => column.first).map((column) => column.id);

export function SpanTree({ source, trace }: { source: Source; trace: Trace }): VNode {
  const { params } = place.value;
  const { now } = source;
  const later = useLater(trace.id);
  const search = useSearch(trace);
  // matches are told by their places in the server's skeleton: of a trace that grows, read it together with them
  useEffect(() => {
    if (search.text !== "" && source.state === "running") source.reload();
  }, [search.text]);
  const own = useFolds(trace, params["fold"] ?? "", later);
  const context = useOpenFolds(trace, search.matches && `${search.text} ${search.mode}`);
  const { matches, mode } = search;
  const folding = matches && mode === "context" ? context : own;
  const { folds } = folding;
  const rows = useMemo(() => visibleRows(trace, folds, matches ?? undefined, mode), [trace, folds, matches, mode]);
  const [fits, setFits] = useState(30);

  // --- the time that is shown
  const whole = useMemo(() => wholeWindow(trace, now), [trace, now]);
  const [zoom, setZoom] = useState<Window | null>(() => windowOfText(params["w"], whole) ?? null);
  useEffect(() => {
    if (!later.own("w", params["w"])) setZoom(windowOfText(params["w"], whole) ?? null);
  }, [params["w"]]);
  const [followed, setFollowed] = useState<string | null>(params["f"] ?? recall("trace.follow"));
  useEffect(() => {
    if (params["f"] && !later.own("f", params["f"])) setFollowed(params["f"]);
  }, [params["f"]]);
  const long = rows.place.length > fits * FOLLOW_SCREENS;
  const follow = zoom === null && (followed === "1" || (followed !== "0" && long));
  const shown = useSignal<Window>(whole);
  const zoomTo = (to: Window | null): void => {
    const kept = to && clamped(to, whole);
    const next = kept && !isWhole(kept, whole) ? kept : null;
    // out of what followed one comes to the whole, not to the rows again
    if (next === null && follow) return showWhole();
    setZoom(next);
    later.write({ w: next && windowText(next) });
  };
  const showWhole = (): void => {
    setFollowed("0");
    setZoom(null);
    later.write({ w: null, f: long ? "0" : null });
  };
  const toggleFollow = (): void => {
    const on = follow ? "0" : "1";
    remember("trace.follow", on);
    setFollowed(on);
    setZoom(null);
    later.write({ f: on, w: null });
  };
  const isCritical = params["p"] === "1";
  const critical = useMemo(() => (isCritical ? criticalPath(trace, now) : null), [trace, isCritical, now]);

  // --- the selected row: at once here, a moment later in the address and the detail
  const [selected, setSelected] = useState(() => Math.max(0, placeOfSpan(trace, params["span"] ?? "")));
  const before = useRef(trace);
  let at = selected;
  if (before.current !== trace) {
    at = carried(before.current, selected, trace);
    before.current = trace;
    if (at !== selected) setSelected(at);
  }
  const row = rows.rowOf[at] ?? -1;
  const show = (next: number): void => {
    if (next < 0) return;
    setSelected(next);
    if (trace.node[next]! >= 0) later.write({ span: spanIdAt(trace, next) });
  };
  const goTo = (next: number): void => {
    if (next < 0) return;
    if (rows.rowOf[next]! < 0 && !rows.flat) folding.set(revealing(trace, folds, next));
    show(next);
  };
  useEffect(() => {
    const asked = params["span"];
    if (!asked || later.own("span", asked)) return;
    const found = placeOfSpan(trace, asked);
    if (found < 0) return;
    if (rows.rowOf[found]! < 0 && !rows.flat) folding.set(revealing(trace, folds, found));
    setSelected(found);
  }, [params["span"]]);

  const setFolds = (next: typeof folds, levels?: number): void => {
    folding.set(next, levels);
    // what is selected may have gone into a fold: then the fold is selected
    const left = visibleRows(trace, next, matches ?? undefined, mode);
    const seen = shownFor(trace, left, at);
    if (seen >= 0 && seen !== at) show(seen);
  };
  const onFold = (folded: number, level: boolean): void => {
    const one = rows.place[folded];
    if (one === undefined || rows.flat || !canFold(trace, one)) return;
    const close = folds[one] === 0;
    setFolds(level ? withLevel(trace, folds, trace.depth[one]!, close) : withFold(folds, one, close));
  };
  const stepMatch = (by: 1 | -1): void => {
    if (matches) goTo(nextOf(matches.places, at, by));
  };
  useTreeKeys({
    trace,
    rows,
    folds,
    at,
    row,
    fits,
    now,
    whole,
    shown,
    isZoomed: zoom !== null,
    show,
    goTo,
    setFolds,
    zoomTo,
    showWhole,
    toggleFollow,
    stepMatch: matches ? stepMatch : undefined,
    toggleCritical: () => setParams({ p: isCritical ? null : "1" }, "replace"),
  });

  const [chosen, setChosen] = useState<readonly string[]>(() => recall("trace.columns")?.split(",") ?? FIRST_COLUMNS);
  const columns = useMemo(() => SPAN_COLUMNS.filter((column) => chosen.includes(column.id)), [chosen]);
  const toggleColumn = (id: string): void => {
    const next = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id];
    setChosen(next);
    remember("trace.columns", next.join(","));
  };
  const told = useMemo(() => inWords(trace), [trace]);
  const nth = matches && matches.marks[at] === 1 ? rankOf(matches.places, at) : 0;
  return (
    <div class="span-tree">
      <Overview trace={trace} whole={whole} now={now} told={told} shown={shown} onZoom={zoomTo} onWhole={showWhole} />
      <div class="tree-bar">
        <SearchBox search={search} nth={nth} onStep={stepMatch} />
        <span class="spread" />
        {zoom && (
          <button type="button" class="button" onClick={showWhole} title="the whole trace (0)">
            Whole trace
          </button>
        )}
        {rows.place.length > fits && (
          <button
            type="button"
            class="button"
            aria-pressed={follow}
            title="the axis fits the rows on screen (f)"
            onClick={toggleFollow}
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
        <Menu
          label="Columns"
          items={SPAN_COLUMNS.map((column) => ({
            label: column.label,
            on: chosen.includes(column.id),
            act: () => toggleColumn(column.id),
          }))}
        />
      </div>
      {critical && <p class="path-note muted one-line">{pathInWords(trace, critical)}</p>}
      <Waterfall
        trace={trace}
        rows={rows}
        folds={folds}
        selected={row}
        window={zoom ?? (follow ? null : whole)}
        whole={whole}
        shown={shown}
        now={now}
        critical={critical}
        matches={matches}
        columns={columns}
        onSelect={(one) => show(rows.place[one] ?? -1)}
        onFold={onFold}
        onZoom={zoomTo}
        onWhole={showWhole}
        onHeight={setFits}
      />
      {rows.place.length === 0 && matches && (
        <p class="waiting">No span of this trace matches. Esc in the search box shows all of them again.</p>
      )}
    </div>
  );
}

/** The same span or group in the trace after it has grown. */
function carried(before: Trace, at: number, trace: Trace): number {
  const found = placeOfSpan(trace, spanIdAt(before, at));
  if (found < 0) return 0;
  const above = trace.up[found]!;
  return before.node[at]! < 0 && above >= 0 && trace.node[above]! < 0 ? above : found;
}

function inWords(trace: Trace): string {
  const counts = Array.from(trace.kinds, () => 0);
  for (const kind of trace.kind) counts[kind]! += 1;
  const parts = trace.kinds
    .map((kind, at) => [kind, counts[at]!] as const)
    .sort((a, b) => b[1] - a[1])
    .map(([kind, many]) => `${count(many)} ${kind}`);
  const { totals } = trace;
  const length = duration(totals.to - totals.from);
  return `overview: ${length}, ${count(totals.spans)} spans: ${parts.join(", ")}; ${count(totals.errors)} failed`;
}

function pathInWords(trace: Trace, path: NonNullable<ReturnType<typeof criticalPath>>): string {
  const kinds = [...path.byKind].sort((a, b) => b[1] - a[1]);
  const all = kinds.reduce((sum, [, us]) => sum + us, 0);
  const told = kinds
    .slice(0, 4)
    .map(([kind, us]) => `${trace.kinds[kind] ?? "span"} ${duration(us)} (${Math.round((us / (all || 1)) * 100)} %)`);
  return `Critical path: ${count(path.spans)} of ${count(trace.count)} spans; ${told.join(", ")}`;
}
