// The tree of a trace in order of drawing: depth first, children by start, without recursion. Spans whose parent was
// not received stand under a group, and so do many siblings of one name.
import type { Spans } from "./trace";

export interface Group {
  readonly sort: "lost" | "many";
  /** Indexes of its spans, by start. */
  readonly members: Int32Array;
}

export interface Shape {
  /** How many places there are: spans and groups. */
  readonly places: number;
  /** By place: the span, or `~` the group. */
  readonly node: Int32Array;
  readonly depth: Int32Array;
  /** The place of the parent; -1 at the top. */
  readonly up: Int32Array;
  /** The place behind the last one below it. */
  readonly end: Int32Array;
  /** From 1, among its siblings, and how many they are. */
  readonly nth: Int32Array;
  readonly of: Int32Array;
  /** By span. */
  readonly placeOf: Int32Array;
  readonly groups: readonly Group[];
  /** Children of span i are `list[from[i]] … list[from[i + 1] - 1]`, by start; then come those of the top, then the lost. */
  readonly from: Int32Array;
  readonly list: Int32Array;
}

/** More siblings of one name than this are one row. */
export const MANY = 20;

/** Parents without rings: a span of each is taken as one whose parent was not received. */
export function soundParents(told: Int32Array): Int32Array {
  const parents = told.slice();
  const seen = new Int32Array(parents.length);
  for (let at = 0; at < parents.length; at += 1) {
    let now = at;
    while (now >= 0 && seen[now] === 0) {
      seen[now] = at + 1;
      const above = parents[now]!;
      if (above >= parents.length || (above >= 0 && seen[above] === at + 1)) {
        parents[now] = -2;
        break;
      }
      now = above;
    }
  }
  return parents;
}

interface Level {
  readonly list: Int32Array;
  at: number;
  readonly begin: number;
  readonly end: number;
  readonly place: number;
}

export function shapeOf(spans: Spans): Shape {
  const { count } = spans;
  const { from, list } = childrenOf(spans);
  const groups: Group[] = [];
  const most = count + 1 + Math.ceil(count / MANY);
  const [node, depth, up, end] = [int(most), int(most), int(most), int(most)];
  const [nth, of, placeOf] = [int(most), int(most), int(count)];
  const levels: Level[] = [];
  const enter = (entries: Int32Array, begin: number, behind: number, place: number): void => {
    levels.push({ list: entries, at: begin, begin, end: behind, place });
  };
  const enterChildren = (bucket: number, place: number): void => {
    const begin = from[bucket]!;
    const behind = from[bucket + 1]!;
    const grouped = behind - begin > MANY ? groupAlike(spans, from, list.subarray(begin, behind), groups) : undefined;
    if (grouped) enter(grouped, 0, grouped.length, place);
    else enter(list, begin, behind, place);
  };
  const lost = list.subarray(from[count + 1]!, from[count + 2]!);
  const top = list.subarray(from[count]!, from[count + 1]!);
  if (lost.length > 0) {
    groups.push({ sort: "lost", members: lost });
    const entries = groupAlike(spans, from, top, groups) ?? top;
    const all = int(entries.length + 1);
    all.set(entries);
    all[entries.length] = ~0;
    enter(all, 0, all.length, -1);
  } else enterChildren(count, -1);
  let places = 0;
  while (levels.length > 0) {
    const level = levels[levels.length - 1]!;
    if (level.at === level.end) {
      if (level.place >= 0) end[level.place] = places;
      levels.pop();
      continue;
    }
    const entry = level.list[level.at]!;
    const place = places;
    level.at += 1;
    places += 1;
    node[place] = entry;
    up[place] = level.place;
    depth[place] = level.place < 0 ? 0 : depth[level.place]! + 1;
    nth[place] = level.at - level.begin;
    of[place] = level.end - level.begin;
    end[place] = places;
    if (entry >= 0) {
      placeOf[entry] = place;
      if (from[entry + 1]! > from[entry]!) enterChildren(entry, place);
    } else {
      const group = groups[~entry]!;
      if (group.sort === "lost") enterChildren(count + 1, place);
      else enter(group.members, 0, group.members.length, place);
    }
  }
  const cut = (column: Int32Array): Int32Array => column.slice(0, places);
  return {
    places,
    node: cut(node),
    depth: cut(depth),
    up: cut(up),
    end: cut(end),
    nth: cut(nth),
    of: cut(of),
    placeOf,
    groups,
    from,
    list,
  };
}

const int = (length: number): Int32Array => new Int32Array(length);

/** Children of each span by start, in one list; those of the top and the lost ones in two buckets behind. */
function childrenOf(spans: Spans): { from: Int32Array; list: Int32Array } {
  const { count, parent, start } = spans;
  const bucket = (span: number): number =>
    parent[span]! >= 0 ? parent[span]! : parent[span] === -2 ? count + 1 : count;
  const from = int(count + 3);
  for (let span = 0; span < count; span += 1) from[bucket(span) + 1]! += 1;
  for (let at = 0; at < count + 2; at += 1) from[at + 1]! += from[at]!;
  let sorted = true;
  for (let span = 1; span < count && sorted; span += 1) sorted = start[span - 1]! <= start[span]!;
  const order = sorted ? undefined : Int32Array.from({ length: count }, (_, at) => at);
  order?.sort((a, b) => start[a]! - start[b]! || a - b);
  const next = from.slice();
  const list = int(count);
  for (let at = 0; at < count; at += 1) {
    const span = order ? order[at]! : at;
    list[next[bucket(span)]!++] = span;
  }
  return { from, list };
}

/**
 * Siblings with those of one kind and name together as groups, each where its first one was; undefined if there is no
 * group. Among model calls and spans with children only those one after the other are taken together: between an
 * agent's turns stand the tools that they asked for, and that order is what one reads.
 */
function groupAlike(spans: Spans, from: Int32Array, siblings: Int32Array, groups: Group[]): Int32Array | undefined {
  if (siblings.length <= MANY) return undefined;
  const llm = spans.kinds.indexOf("llm");
  const key = (span: number): number => spans.name[span]! * spans.kinds.length + spans.kind[span]!;
  const inTurns = siblings.some((span) => spans.kind[span] === llm || from[span + 1]! > from[span]!);
  const runs = new Map<number, number[]>(); // by key, or by the run's first place
  const runOf = int(siblings.length);
  let run = 0;
  for (let at = 0; at < siblings.length; at += 1) {
    if (at > 0 && key(siblings[at]!) !== key(siblings[at - 1]!)) run = at;
    const id = inTurns ? run : key(siblings[at]!);
    runOf[at] = id;
    const members = runs.get(id);
    if (members) members.push(siblings[at]!);
    else runs.set(id, [siblings[at]!]);
  }
  const entries: number[] = [];
  const made = new Set<number>();
  for (let at = 0; at < siblings.length; at += 1) {
    const members = runs.get(runOf[at]!)!;
    if (members.length <= MANY) entries.push(siblings[at]!);
    else if (!made.has(runOf[at]!)) {
      made.add(runOf[at]!);
      groups.push({ sort: "many", members: Int32Array.from(members) });
      entries.push(~(groups.length - 1));
    }
  }
  return made.size === 0 ? undefined : Int32Array.from(entries);
}
