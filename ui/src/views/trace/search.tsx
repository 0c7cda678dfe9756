// The search inside a trace: the same filter text as everywhere, answered by the server with the spans that match.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useAnswer } from "../../api/client";
import { useKeys } from "../../keys";
import { count } from "../../model/format";
import { type Matches, matchesOf, type SearchMode } from "../../model/rows";
import type { Trace } from "../../model/trace";
import { place, setParams } from "../../url";

export interface Search {
  text: string;
  mode: SearchMode;
  matches: Matches | null;
  error: string;
  asking: boolean;
}

export function useSearch(trace: Trace): Search {
  const { m: text = "", mm } = place.value.params;
  const told = useAnswer(
    text ? "/api/traces/{trace_id}/match" : null,
    { q: text },
    { pathParams: { trace_id: trace.id }, keep: true },
  );
  const indices = text ? told.data?.indices : undefined;
  const matches = useMemo(() => (indices ? matchesOf(trace, indices) : null), [indices, trace]);
  const mode: SearchMode = mm === "context" || mm === "matches" ? mm : "all";
  return { text, mode, matches, error: text ? (told.error?.message ?? "") : "", asking: told.loading || told.stale };
}

const toTree = (): void => document.getElementById("tree")?.focus();

/** `nth` is where the selected span stands among the matches, from 1; 0 if it is none of them. */
export function SearchBox(props: { search: Search; nth: number; onStep(by: 1 | -1): void }): VNode {
  const { search } = props;
  const [text, setText] = useState(search.text);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(search.text), [search.text]);
  useKeys("everywhere", {
    filter: () => {
      input.current?.focus();
      input.current?.select();
    },
  });
  const found = search.matches?.places.length ?? 0;
  return (
    <form
      class="tree-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const asked = text.trim();
        if (asked === search.text && found > 0) props.onStep(1);
        setParams({ m: asked, ...(asked === "" ? { mm: null } : {}) }, "replace");
        if (asked !== search.text) toTree();
      }}
    >
      <input
        ref={input}
        class="input mono"
        type="search"
        spellcheck={false}
        autocomplete="off"
        aria-label="find in this trace"
        placeholder="find in this trace: kind:tool refund"
        aria-invalid={search.error !== "" || undefined}
        value={text}
        onInput={(event) => {
          const typed = event.currentTarget.value;
          setText(typed);
          if (typed === "" && search.text !== "") setParams({ m: null, mm: null }, "replace");
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          event.preventDefault();
          setText("");
          setParams({ m: null, mm: null }, "replace");
          toTree();
        }}
      />
      {search.error !== "" && (
        <span class="error one-line" role="alert" title={search.error}>
          ✕ {search.error}
        </span>
      )}
      {search.matches && (
        <>
          <span class="muted found" role="status">
            {search.asking ? "…" : props.nth > 0 ? `${count(props.nth)} of ${count(found)}` : `${count(found)} found`}
          </span>
          {found > 1 && (
            <span class="steps">
              <button
                type="button"
                class="icon-button"
                aria-label="previous match (N)"
                title="previous match (N)"
                onClick={() => props.onStep(-1)}
              >
                ‹
              </button>
              <button
                type="button"
                class="icon-button"
                aria-label="next match (n)"
                title="next match (n)"
                onClick={() => props.onStep(1)}
              >
                ›
              </button>
            </span>
          )}
          <select
            class="input"
            aria-label="what is shown of the other spans"
            value={search.mode}
            onChange={(event) => {
              const mode = event.currentTarget.value;
              setParams({ mm: mode === "all" ? null : mode }, "replace");
            }}
          >
            <option value="all">among all</option>
            <option value="context">in context</option>
            <option value="matches">matches only</option>
          </select>
        </>
      )}
    </form>
  );
}
