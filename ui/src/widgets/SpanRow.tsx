// One row of the waterfall: name, bar and figures. What has not changed since the row was last drawn is the same virtual
// node again, which Preact leaves alone: scrolling draws new rows only, following draws bars only.
import type { ComponentChildren, VNode } from "preact";
import { type Cover, coveredParts } from "../model/cover";
import type { CriticalPath } from "../model/critical";
import { count, duration } from "../model/format";
import { canFold, type Folds, type Matches, type Rows } from "../model/rows";
import type { Window } from "../model/timeline";
import { endOf, FAILED, type GroupSum, isOpen, spanAt, startOf, type Trace } from "../model/trace";
import type { SpanColumn } from "./spancolumns";

/** What a row is drawn from. */
export interface Look {
  trace: Trace;
  rows: Rows;
  folds: Folds;
  selected: number;
  window: Window;
  now: number;
  critical: CriticalPath | null;
  matches: Matches | null;
  columns: readonly SpanColumn[];
  barPx: number;
  shift: number;
  levels: number;
}

export interface Drawn {
  readonly row: VNode;
  readonly name: VNode;
  readonly figures: ComponentChildren;
  readonly deps: readonly unknown[];
}

/** Depends on the row's own things only up to this many of `deps`; the rest is what the bar depends on besides. */
const STILL = 9;
const NAME_MOST = 300;
const PARTS = 32;

export function drawRow(look: Look, row: number, place: number, before: Drawn | undefined): Drawn {
  const { trace, rows, folds, window } = look;
  const open = isOpen(trace, place);
  const mark = look.matches ? look.matches.marks[place]! : 0;
  const selected = row === look.selected;
  const deps = [
    trace,
    folds[place],
    mark,
    look.columns,
    look.shift,
    look.levels,
    rows.flat,
    open ? look.now : 0,
    look.critical,
    row,
    selected,
    window.from,
    window.to,
    look.barPx,
    rows.place.length,
  ];
  if (before && same(before.deps, deps, deps.length)) return before;
  const still = before && same(before.deps, deps, STILL) ? before : undefined;
  const name = still?.name ?? nameCell(look, place, mark);
  const figures =
    still?.figures ??
    look.columns.map((column) => {
      const told = column.cell(trace, place, look.now);
      return (
        <div key={column.id} class={column.words ? "one-line muted" : "num muted"}>
          {told}
        </div>
      );
    });
  const node = trace.node[place]!;
  const failed = node >= 0 && (trace.flags[node]! & FAILED) !== 0;
  const dim = look.critical !== null && look.critical.on[spanPlace(trace, place)] === 0 && node >= 0;
  return {
    deps,
    name,
    figures,
    row: (
      <div
        key={place}
        id={`span-row-${row}`}
        class={`span-row kind-${failed ? "error" : kindOf(trace, place)}${selected ? " selected" : ""}${dim ? " off-path" : ""}`}
        role="treeitem"
        aria-level={rows.flat ? 1 : trace.depth[place]! + 1}
        aria-posinset={rows.flat ? row + 1 : trace.nth[place]}
        aria-setsize={rows.flat ? rows.place.length : trace.of[place]}
        aria-expanded={canFold(trace, place) && !rows.flat ? folds[place] === 0 : undefined}
        aria-selected={selected}
        data-row={row}
      >
        {name}
        {bar(look, place, open)}
        {figures}
      </div>
    ),
  };
}

function same(a: readonly unknown[], b: readonly unknown[], to: number): boolean {
  for (let at = 0; at < to; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

const spanPlace = (trace: Trace, place: number): number => trace.placeOf[spanAt(trace, place)] ?? place;

export function kindOf(trace: Trace, place: number): string {
  const kind = isLost(trace, place) ? "other" : (trace.kinds[trace.kind[spanAt(trace, place)]!] ?? "other");
  return /^[a-z_]+$/.test(kind) ? kind : "other";
}

const isLost = (trace: Trace, place: number): boolean => {
  const node = trace.node[place]!;
  return node < 0 && trace.groups[~node]!.sort === "lost";
};

const sumOf = (trace: Trace, place: number): GroupSum | undefined => {
  const node = trace.node[place]!;
  return node < 0 ? trace.sums[~node] : undefined;
};

export function nameOf(trace: Trace, place: number): string {
  if (isLost(trace, place)) return "parent not received";
  return trace.names[trace.name[spanAt(trace, place)]!] || "(no name)";
}

function nameCell(look: Look, place: number, mark: number): VNode {
  const { trace, rows, folds } = look;
  const node = trace.node[place]!;
  const group = node < 0 ? trace.groups[~node] : undefined;
  const errors = sumOf(trace, place)?.errors ?? 0;
  const failed = errors > 0 || (node >= 0 && (trace.flags[node]! & FAILED) !== 0);
  const foldable = canFold(trace, place) && !rows.flat;
  const folded = folds[place] === 1;
  const depth = rows.flat ? 0 : Math.max(0, trace.depth[place]! - look.shift);
  const level = Math.min(depth, look.levels);
  const name = nameOf(trace, place);
  const kind = kindOf(trace, place);
  return (
    <div
      key="name"
      class={`span-name${group ? " group" : ""}${mark === 1 ? " match" : ""}`}
      style={{ paddingLeft: `${4 + level * 14}px`, backgroundSize: `${11 + level * 14}px 100%` }}
    >
      <span class={`fold${foldable ? "" : " none"}`} aria-hidden="true">
        {foldable ? (folded ? "▸" : "▾") : ""}
      </span>
      <span class={`kind kind-${failed && !group ? "error" : kind}`} role="img" aria-label={kind} title={kind} />
      <span class="one-line" title={name.length > 24 ? name.slice(0, 600) : undefined}>
        <bdi>{name.length > NAME_MOST ? name.slice(0, NAME_MOST) : name}</bdi>
      </span>
      {group && (
        <span class="times" title={group.sort === "lost" ? "they name a parent that is not there" : undefined}>
          × {count(group.members.length)}
        </span>
      )}
      {failed && (
        <span class="error" title={errors > 0 ? `${count(errors)} failed` : "failed"}>
          ✕<span class="sr-only">failed</span>
          {errors > 0 && ` ${count(errors)}`}
        </span>
      )}
      {foldable && folded && !group && <span class="muted below">+{count(trace.end[place]! - place - 1)}</span>}
    </div>
  );
}

/** Parts of a cover as a picture: `behind` where they are, `before` where they are not. */
function stripes(
  cover: Cover,
  place: number,
  from: number,
  to: number,
  px: number,
  colours: readonly [inside: string, outside: string],
): string | undefined {
  const parts = coveredParts(cover, place, from, to, Math.max(1, Math.min(PARTS, px / 3)));
  if (parts.length === 0) return undefined;
  const share = (us: number): string => `${(((us - from) / (to - from)) * 100).toFixed(2)}%`;
  const stops: string[] = [];
  let at = "0%";
  for (const [begins, ends] of parts) {
    const [left, right] = [share(begins), share(ends)];
    stops.push(`${colours[1]} ${at} ${left}`, `${colours[0]} ${left} ${right}`);
    at = right;
  }
  stops.push(`${colours[1]} ${at} 100%`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

const SELF = ["var(--below)", "var(--kind, var(--other))"] as const;
const MEMBERS = ["var(--kind, var(--other))", "var(--below)"] as const;
const PATH = ["var(--text)", "transparent"] as const;

function bar(look: Look, place: number, open: boolean): VNode {
  const { trace, window, barPx } = look;
  const from = startOf(trace, place);
  const to = endOf(trace, place, look.now);
  const length = window.to - window.from;
  const sum = sumOf(trace, place);
  const label =
    sum && !isLost(trace, place)
      ? `${duration(sum.total)} · p95 ${duration(sum.p95)}`
      : `${duration(to - from)}${open ? " …" : ""}`;
  if (from > window.to || to < window.from) {
    const after = from > window.to;
    return (
      <div key="bar" class={`span-bar out${after ? " after" : ""}`}>
        {after ? `${label} ›` : `‹ ${label}`}
      </div>
    );
  }
  const [seenFrom, seenTo] = [Math.max(from, window.from), Math.min(to, window.to)];
  const left = ((seenFrom - window.from) / length) * 100;
  const width = ((seenTo - seenFrom) / length) * 100;
  const px = Math.max(2, (width / 100) * barPx);
  const labelShare = ((label.length * 6.4 + 14) / barPx) * 100;
  const right = Math.max(left + width, left + (2 / barPx) * 100);
  const side = right + labelShare < 100 ? "right" : left > labelShare ? "left" : "inside";
  const nested = px > 3 && trace.cover.first[place + 1]! > trace.cover.first[place]!;
  const parts = nested ? stripes(trace.cover, place, seenFrom, seenTo, px, sum ? MEMBERS : SELF) : undefined;
  const onPath = look.critical && px > 1 ? stripes(look.critical.parts, place, seenFrom, seenTo, px, PATH) : undefined;
  const node = trace.node[place]!;
  const ttft = node >= 0 ? trace.ttft[node]! : NaN;
  const notch = ttft > 0 && px > 8 ? ((from + ttft - seenFrom) / (seenTo - seenFrom)) * 100 : NaN;
  const cut = `${from < window.from ? " cut-left" : ""}${to > window.to ? " cut-right" : ""}`;
  return (
    <div key="bar" class="span-bar">
      <div
        class={`stroke${open ? " open" : ""}${cut}`}
        style={{ left: `${left}%`, width: `max(2px, ${width}%)`, backgroundImage: parts && !open ? parts : undefined }}
      >
        {notch > 0 && notch < 100 && <b class="notch" style={{ left: `${notch}%` }} />}
        {side === "inside" && <span class="inside">{label}</span>}
        {onPath && <u style={{ backgroundImage: onPath }} />}
      </div>
      {side === "right" && (
        <span class="beside" style={{ left: `calc(${right}% + 5px)` }}>
          {label}
        </span>
      )}
      {side === "left" && (
        <span class="beside" style={{ right: `calc(${100 - left}% + 5px)` }}>
          {label}
        </span>
      )}
    </div>
  );
}
