// A list that is read a page at a time, as far as somebody scrolls.
import { useEffect, useRef, useState } from "preact/hooks";
import { address, type ApiError, get, isApiError } from "./client";
import type { AnswerOf, GetPath, QueryOf } from "./types";

type Paged = {
  [P in GetPath]: AnswerOf<P> extends { items: readonly unknown[]; cursor: string | null } ? P : never;
}[GetPath];
type Item<P extends Paged> = AnswerOf<P>["items"][number];

export interface Pages<T> {
  items: readonly T[];
  /** Whether there are further pages. */
  more: boolean;
  loading: boolean;
  /** The items belong to the question before. */
  stale: boolean;
  error: ApiError | undefined;
  next(): void;
  reload(): void;
}

interface State<T> {
  url: string;
  items: readonly T[];
  cursor: string | null;
  error: ApiError | undefined;
  loading: boolean;
}

/** The pages of a list. When the question changes, the old rows stay, marked stale, until the first new page is there. */
export function usePages<P extends Paged>(path: P | null, params: QueryOf<P>): Pages<Item<P>> {
  const url = path === null ? "" : address(path, params);
  const [state, setState] = useState<State<Item<P>>>({
    url: "",
    items: [],
    cursor: null,
    error: undefined,
    loading: true,
  });
  const asking = useRef<AbortController>(undefined);
  const ask = (cursor: string | null, before: readonly Item<P>[]): void => {
    if (path === null) return;
    asking.current?.abort();
    const own = new AbortController();
    asking.current = own;
    setState((now) => ({ ...now, loading: true, error: undefined }));
    get(path, { ...params, ...(cursor ? { cursor } : {}) }, { signal: own.signal }).then(
      (page) => {
        const told = page as { items: readonly Item<P>[]; cursor: string | null };
        if (!own.signal.aborted)
          setState({ url, items: [...before, ...told.items], cursor: told.cursor, error: undefined, loading: false });
      },
      (failure: unknown) => {
        if (own.signal.aborted) return;
        const error = isApiError(failure) ? failure : { status: 0, code: "failed", message: String(failure) };
        setState((now) => ({ ...now, url: cursor ? now.url : url, items: before, error, loading: false }));
      },
    );
  };
  useEffect(() => {
    ask(null, []);
    return () => asking.current?.abort();
  }, [url]);
  const fresh = state.url === url;
  return {
    items: state.items,
    more: fresh && state.cursor !== null,
    loading: state.loading || !fresh,
    stale: !fresh && state.items.length > 0,
    error: fresh || !state.loading ? state.error : undefined,
    next: () => {
      if (fresh && state.cursor !== null && !state.loading) ask(state.cursor, state.items);
    },
    reload: () => ask(null, []),
  };
}
