// One tree of both traces: name, a bar for each side on the same scale, and the difference. Only rows on screen are
// elements; nothing is recomputed for all rows while one scrolls or moves.
import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Columns } from "../../api/types";
import { useKeys } from "../../keys";
import {
  type Aligned,
  DIFFERS,
  durationDiffers,
  lengthOf,
  nextDifference,
  visibleRows,
  windowOf,
} from "../../model/align";
import { count, duration, plural, usd } from "../../model/format";
import { place, setParams } from "../../url";
import { Kind, toast } from "../../widgets/parts";
import { rowId, VirtualList } from "../../widgets/VirtualList";
import { Change } from "./change";

const LABEL = "spans of both traces";
const ROW = 24;

interface RowsProps {
  a: Columns;
  b: Columns;
  aligned: Aligned;
  /** The pair that is open; -1 for none. */
  inA: number;
  inB: number;
  open: boolean;
}

export function Rows({ a, b, aligned, inA, inB, open }: RowsProps): VNode {
  const { params } = place.value;
  const only = params["only"] === "1";
  const follow = params["follow"] ? params["follow"] === "1" : aligned.count > 600;
  const [folded, setFolded] = useState<ReadonlySet<number>>(new Set());
  useEffect(() => setFolded(new Set()), [aligned]);
  const rows = useMemo(() => visibleRows(aligned, folded, only), [aligned, folded, only]);
  const placeOf = useMemo(() => {
    const places = new Int32Array(aligned.count).fill(-1);
    rows.forEach((row, at) => (places[row] = at));
    return places;
  }, [rows]);
  const opened = useMemo(() => {
    if (!open) return -1;
    const side = inA >= 0 ? aligned.inA : aligned.inB;
    return side.indexOf(inA >= 0 ? inA : inB);
  }, [aligned, open, inA, inB]);
  const [moved, setMoved] = useState(-1);
  const selected = opened >= 0 ? opened : moved;
  const long = useMemo(() => Math.max(lengthOf(a), lengthOf(b), 1), [a, b]);
  // the bars alone listen to what the axis shows: following a scroll draws no row anew
  const range = useRef<readonly [number, number]>([0, 40]);
  const shown = useSignal<readonly [number, number]>([0, long]);
  const scale = (): void => {
    const [from, to] = follow ? windowOf(aligned, a, b, rows, ...range.current) : [0, long];
    if (shown.value[0] !== from || shown.value[1] !== to) shown.value = [from, to];
  };
  useLayoutEffect(scale, [aligned, rows, follow, long]);

  const show = (row: number, how: "push" | "replace" = "replace"): void => {
    setMoved(row);
    setParams({ sa: a.span_id[aligned.inA[row]!] ?? null, sb: b.span_id[aligned.inB[row]!] ?? null }, how);
  };
  const select = (row: number): void => (open ? show(row) : setMoved(row));
  const fold = (row: number, to: boolean): void => {
    const next = new Set(folded);
    if (to) next.add(row);
    else next.delete(row);
    setFolded(next);
  };
  const hasBelow = (row: number): boolean => aligned.end[row]! > row + 1;
  const step = (by: 1 | -1): void => {
    const next = nextDifference(aligned, selected < 0 ? -1 : selected, by);
    if (next < 0) return toast(by > 0 ? "no further difference" : "no difference before");
    const unfolded = new Set(folded);
    for (let up = aligned.parent[next]!; up >= 0; up = aligned.parent[up]!) unfolded.delete(up);
    if (unfolded.size !== folded.size) setFolded(unfolded);
    select(next);
  };
  useKeys("compare", {
    nextDifference: () => step(1),
    previousDifference: () => step(-1),
    onlyDifferences: () => setParams({ only: only ? null : "1" }, "replace"),
    follow: () => setParams({ follow: follow ? "0" : "1" }, "replace"),
    ...(open ? { close: () => setParams({ sa: null, sb: null }, "replace") } : {}),
    ...(selected >= 0
      ? {
          unfold: () => {
            if (hasBelow(selected) && folded.has(selected)) fold(selected, false);
            else if (hasBelow(selected) && placeOf[selected + 1]! >= 0) select(selected + 1);
          },
          fold: () => {
            if (hasBelow(selected) && !folded.has(selected)) fold(selected, true);
            else if (aligned.parent[selected]! >= 0) select(aligned.parent[selected]!);
          },
        }
      : {}),
  });

  const alone = useMemo(() => {
    let [onlyA, onlyB] = [0, 0];
    for (let row = 0; row < aligned.count; row += 1) {
      if (aligned.inB[row]! < 0) onlyA += 1;
      else if (aligned.inA[row]! < 0) onlyB += 1;
    }
    return [onlyA, onlyB] as const;
  }, [aligned]);
  return (
    <div class="compare-tree">
      <div class="compare-tools">
        <button
          type="button"
          class="button"
          aria-pressed={only}
          title="hide what is equal (o). Spans differ where one side lacks them, or status, model, tokens or, by a quarter, the duration are others. What was said is not compared here."
          onClick={() => setParams({ only: only ? null : "1" }, "replace")}
        >
          only differences
        </button>
        <span class="muted" role="status">
          {plural(aligned.differing.length, "span differs", "spans differ")}
          {alone[0] > 0 && ` · ${count(alone[0])} only in A`}
          {alone[1] > 0 && ` · ${count(alone[1])} only in B`}
        </span>
        <span class="spread" />
        <button
          type="button"
          class="button"
          aria-pressed={follow}
          title="the axis fits the rows on screen (f)"
          onClick={() => setParams({ follow: follow ? "0" : "1" }, "replace")}
        >
          follow
        </button>
        <button
          type="button"
          class="button"
          onClick={() => setFolded(folded.size > 0 ? new Set() : new Set(foldable(aligned)))}
        >
          {folded.size > 0 ? "unfold all" : "fold all"}
        </button>
      </div>
      <div class="compare-row compare-columns" aria-hidden="true">
        <span>span</span>
        <Axis shown={shown} side="A" />
        <Axis shown={shown} side="B" />
        <span class="num">Δ duration</span>
        <span class="num tokens">Δ tokens</span>
        <span class="num cost">Δ cost</span>
      </div>
      {rows.length === 0 ? (
        <p class="waiting">
          No differences: the same spans, the same status, models and tokens, and about the same durations. What was
          said may still differ; open a pair to compare it.
        </p>
      ) : (
        <VirtualList
          label={LABEL}
          role="tree"
          class="compare-list"
          count={rows.length}
          rowHeight={ROW}
          selected={selected < 0 ? -1 : placeOf[selected]!}
          onSelect={(at) => select(rows[at]!)}
          onOpen={(at) => show(rows[at]!, open ? "replace" : "push")}
          onRange={(first, last) => {
            range.current = [first, last];
            if (follow) scale();
          }}
          render={(at) => {
            const row = rows[at]!;
            return (
              <Row
                key={row}
                {...{ a, b, aligned, row, at, long, shown }}
                selected={row === selected}
                folded={folded.has(row)}
                onFold={() => fold(row, !folded.has(row))}
                onOpen={() => show(row, open ? "replace" : "push")}
              />
            );
          }}
        />
      )}
      <p class="foot" aria-hidden="true">
        <span>
          <kbd>j</kbd> <kbd>k</kbd> move
        </span>
        <span>
          <kbd>←</kbd> <kbd>→</kbd> fold
        </span>
        <span>
          <kbd>Enter</kbd> what was said
        </span>
        <span>
          <kbd>d</kbd> <kbd>D</kbd> next, previous difference
        </span>
        <span>
          <kbd>o</kbd> only differences
        </span>
        <span>
          <kbd>w</kbd> swap
        </span>
      </p>
    </div>
  );
}

function foldable(aligned: Aligned): number[] {
  const found: number[] = [];
  for (let row = 0; row < aligned.count; row += 1)
    if (aligned.end[row]! > row + 1 && aligned.parent[row]! >= 0) found.push(row);
  return found;
}

type Window = ReadonlySignal<readonly [fromUs: number, toUs: number]>;

function Axis({ shown, side }: { shown: Window; side: string }): VNode {
  const [from, to] = shown.value;
  return (
    <span class="compare-axis">
      <span class={`side side-${side.toLowerCase()}`}>{side}</span>
      <span class="from">{duration(from)}</span>
      <span>{duration(to)}</span>
    </span>
  );
}

interface RowProps {
  a: Columns;
  b: Columns;
  aligned: Aligned;
  row: number;
  at: number;
  long: number;
  shown: Window;
  selected: boolean;
  folded: boolean;
  onFold(): void;
  onOpen(): void;
}

const nameIn = (columns: Columns, at: number): string => columns.names[columns.name[at] ?? -1] || "(no name)";

function Row(props: RowProps): VNode {
  const { a, b, aligned, row } = props;
  const inA = aligned.inA[row]!;
  const inB = aligned.inB[row]!;
  const columns = inA >= 0 ? a : b;
  const at = inA >= 0 ? inA : inB;
  const below = aligned.end[row]! > row + 1;
  const failed = (side: Columns, place: number): boolean => place >= 0 && (side.flags[place]! & 1) === 1;
  const [failedA, failedB] = [failed(a, inA), failed(b, inB)];
  const name = nameIn(columns, at);
  const other = inA >= 0 && inB >= 0 ? nameIn(b, inB) : name;
  const [durationA, durationB] = [inA < 0 ? null : a.duration_us[inA], inB < 0 ? null : b.duration_us[inB]];
  const alone = inA < 0 ? "only in B" : inB < 0 ? "only in A" : "";
  const failure = failedA && failedB ? "both" : failedA ? "A" : failedB ? "B" : "";
  return (
    <div
      id={rowId(LABEL, props.at)}
      class={`compare-row${alone ? " alone" : ""}`}
      role="treeitem"
      aria-level={aligned.depth[row]! + 1}
      aria-expanded={below ? !props.folded : undefined}
      aria-selected={props.selected}
      style={{ height: `${ROW}px` }}
      onClick={(event) => {
        if (!(event.target as Element).closest(".fold-sign")) props.onOpen();
      }}
    >
      <span class="compare-name" style={{ paddingLeft: `${Math.min(aligned.depth[row]!, 24) * 12}px` }}>
        <span class="fold-sign" aria-hidden="true" onClick={() => below && props.onFold()}>
          {below ? (props.folded ? "▸" : "▾") : ""}
        </span>
        <Kind kind={columns.kinds[columns.kind[at] ?? -1] ?? "span"} failed={failedA || failedB} />
        <span class="one-line" title={other === name ? name : `${name} → ${other}`}>
          {name}
          {other !== name && <span class="muted"> → {other}</span>}
        </span>
        {failure && !alone && (
          <span class="error compare-mark" title={`failed in ${failure}`}>
            ✕ in {failure}
          </span>
        )}
        {alone && <span class="compare-mark">{alone}</span>}
        {props.folded && (aligned.differs[row]! & DIFFERS.below) !== 0 && (
          <span class="muted compare-mark">differences below</span>
        )}
      </span>
      <Bar columns={a} at={inA} shown={props.shown} failed={failedA} missing="not in A" />
      <Bar columns={b} at={inB} shown={props.shown} failed={failedB} missing="not in B" />
      <span class="num">
        {alone ? (
          <span class="muted">–</span>
        ) : (
          <Change
            a={durationA}
            b={durationB}
            of="duration"
            small={!durationDiffers(durationA ?? null, durationB ?? null, props.long)}
          />
        )}
      </span>
      <span class="num tokens">
        <Tokens {...{ a, b, inA, inB }} />
      </span>
      <span class="num cost">
        <Cost {...{ a, b, inA, inB }} />
      </span>
    </div>
  );
}

/** A figure that one side alone has. */
function Alone({ side, told }: { side: string; told: string }): VNode | null {
  if (told === "") return null;
  return (
    <span class="muted" title={`${told} in ${side} alone`}>
      {side} {told}
    </span>
  );
}

type Sides = Pick<RowProps, "a" | "b"> & { inA: number; inB: number };

function tokensIn(columns: Columns, at: number): number | null {
  const [sent, got] = [columns.tokens_in[at] ?? null, columns.tokens_out[at] ?? null];
  return sent === null && got === null ? null : (sent ?? 0) + (got ?? 0);
}

function Tokens({ a, b, inA, inB }: Sides): VNode {
  const [one, two] = [tokensIn(a, inA), tokensIn(b, inB)];
  if (inA >= 0 && inB >= 0 && one !== null && two !== null) return <Change a={one} b={two} of="tokens" />;
  return <Alone side={inA >= 0 ? "A" : "B"} told={one === null && two === null ? "" : count(one ?? two)} />;
}

function Cost({ a, b, inA, inB }: Sides): VNode {
  const [one, two] = [a.cost_usd[inA] ?? null, b.cost_usd[inB] ?? null];
  if (inA >= 0 && inB >= 0 && one !== null && two !== null)
    return Math.abs(one - two) < 5e-5 ? <Change a={0} b={0} of="cost" /> : <Change a={one} b={two} of="cost" />;
  return <Alone side={inA >= 0 ? "A" : "B"} told={one === null && two === null ? "" : usd(one ?? two)} />;
}

function Bar(props: { columns: Columns; at: number; shown: Window; failed: boolean; missing: string }): VNode {
  const { columns, at } = props;
  if (at < 0) return <span class="compare-bar missing" role="img" aria-label={props.missing} />;
  const [from, to] = props.shown.value;
  const share = (us: number): number => Math.max(-1, Math.min(101, ((us - from) / Math.max(to - from, 1)) * 100));
  const start = columns.start_us[at] ?? 0;
  const lasted = columns.duration_us[at] ?? null;
  const left = share(start);
  const right = lasted === null ? 101 : share(start + lasted);
  const kind = columns.kinds[columns.kind[at] ?? -1] ?? "span";
  const shade = props.failed ? "error" : /^[a-z_]+$/.test(kind) ? kind : "other";
  // beside the bar where there is more room, in it where there is little
  const inside = Math.max(left, 100 - right) < 30;
  const before = !inside && 100 - right < left;
  return (
    <span class={`compare-bar${lasted === null ? " running" : ""}`}>
      <span class={`span-bar kind-${shade}`} style={{ left: `${left}%`, width: `max(2px, ${right - left}%)` }} />
      <span
        class={`told${inside ? " inside" : ""}`}
        style={{
          left: before ? "auto" : `calc(${inside ? Math.max(0, left) : right}% + 5px)`,
          right: before ? `calc(${100 - left}% + 5px)` : "auto",
        }}
      >
        {props.failed && "✕ "}
        {lasted === null ? "running" : duration(lasted)}
      </span>
    </span>
  );
}
