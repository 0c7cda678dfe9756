// ‹ 12 of 240 ›: the way to the next trace of the list that the address describes, which is read a page at a time, as far
// as the trace on the page stands in it.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../../api/client";
import type { TracePage } from "../../api/types";
import { useKeys } from "../../keys";
import { count } from "../../model/format";
import { go, link, place, timeWindow } from "../../url";

const PAGE = 200;
/** Further down the list nobody walks by one. */
const MOST = 1_000;
const KEPT_MS = 300_000;

interface List {
  ids: string[];
  /** null at its end. */
  cursor: string | null;
  readonly atMs: number;
}

const lists = new Map<string, List>();

/** Reads on until the trace and the one after it are known. */
async function listWith(traceId: string, key: string, signal: AbortSignal): Promise<List> {
  const { q, t, order } = place.peek().params;
  let list = lists.get(key);
  const stale = list && Date.now() - list.atMs > KEPT_MS;
  if (!list || (stale && !list.ids.includes(traceId))) list = { ids: [], cursor: "", atMs: Date.now() };
  const known = (): boolean => {
    const at = list!.ids.indexOf(traceId);
    return at >= 0 && at + 1 < list!.ids.length;
  };
  while (!known() && list.cursor !== null && list.ids.length < MOST) {
    const page: TracePage = await get(
      "/api/traces",
      {
        ...(q ? { q } : {}),
        ...timeWindow(t),
        order: order === "oldest" || order === "slowest" ? order : "newest",
        limit: PAGE,
        ...(list.cursor ? { cursor: list.cursor } : {}),
      },
      { signal },
    );
    list = { ids: [...list.ids, ...page.items.map((row) => row.trace_id)], cursor: page.cursor, atMs: list.atMs };
  }
  lists.clear();
  lists.set(key, list);
  return list;
}

export function Neighbours({ traceId }: { traceId: string }): VNode | null {
  const { project, params } = place.value;
  const key = [project, params["q"], params["t"], params["order"]].join("\n");
  const [told, setTold] = useState<{ key: string; list: List }>();
  useEffect(() => {
    const asking = new AbortController();
    listWith(traceId, key, asking.signal).then(
      (list) => setTold({ key, list }),
      () => undefined, // then there are no neighbours to show
    );
    return () => asking.abort();
  }, [traceId, key]);
  const list = told?.key === key ? told.list : undefined;
  const at = list?.ids.indexOf(traceId) ?? -1;
  const to = (id: string | undefined): string | undefined =>
    id && link({ view: "trace", id, keep: ["q", "t", "order", "f", "p", "m", "mm"] });
  const before = at > 0 ? to(list?.ids[at - 1]) : undefined;
  const after = at >= 0 ? to(list?.ids[at + 1]) : undefined;
  useKeys("tree", {
    ...(after ? { nextTrace: () => go(after) } : {}),
    ...(before ? { previousTrace: () => go(before) } : {}),
  });
  if (!list || at < 0) return null;
  return (
    <nav class="neighbours" aria-label="traces of the list">
      <Arrow href={before} name="previous trace (K)" sign="‹" />
      <span class="muted">
        {count(at + 1)} of {count(list.ids.length)}
        {list.cursor === null ? "" : "+"}
      </span>
      <Arrow href={after} name="next trace (J)" sign="›" />
    </nav>
  );
}

function Arrow({ href, name, sign }: { href: string | undefined; name: string; sign: string }): VNode {
  return href ? (
    <a class="icon-button" href={href} aria-label={name} title={name}>
      {sign}
    </a>
  ) : (
    <span class="icon-button muted" aria-hidden="true">
      {sign}
    </span>
  );
}
