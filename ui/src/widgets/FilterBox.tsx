// The filter text of the page: one line with suggestions from the server and the place of a mistake under it. The text
// is read by the server alone; here it is only typed, completed and sent.
import type { VNode } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { get } from "../api/client";
import type { Completion } from "../api/types";
import { useKeys } from "../keys";
import { short } from "../model/format";
import { place, setParams, timeWindow } from "../url";

const WAIT_MS = 120;
const MOST = 12;

export function FilterBox({ hint = "kind:llm latency>2s -status:error" }: { hint?: string }): VNode {
  const q = place.value.params["q"] ?? "";
  const t = place.value.params["t"];
  const [text, setText] = useState(q);
  const [told, setTold] = useState<Completion | undefined>();
  const [chosen, setChosen] = useState(-1);
  const [open, setOpen] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  const asking = useRef<AbortController>(undefined);
  const given = useRef(false); // up, by Esc: leaving the box does not send it
  useEffect(() => setText(q), [q]);
  useKeys("everywhere", {
    filter: () => {
      input.current?.focus();
      input.current?.select();
    },
  });

  const ask = (value: string, at: number): void => {
    asking.current?.abort();
    const own = new AbortController();
    asking.current = own;
    setTimeout(() => {
      if (own.signal.aborted) return;
      get("/api/complete", { q: value, at, ...timeWindow(t) }, { signal: own.signal }).then(
        (answer) => {
          if (own.signal.aborted) return;
          setTold(answer);
          setChosen(-1);
          setOpen(document.activeElement === input.current);
        },
        () => undefined, // without suggestions one can still type
      );
    }, WAIT_MS);
  };
  const submit = (value: string): void => {
    asking.current?.abort();
    setOpen(false);
    setParams({ q: value.trim(), cursor: null });
  };
  const take = (at: number): void => {
    const item = told?.items[at];
    if (!item || !told) return;
    const whole = item.kind === "value" || item.text.endsWith(":*");
    const put = item.text + (whole ? " " : item.then);
    const next = text.slice(0, told.start) + put + text.slice(told.end);
    const caret = told.start + put.length;
    setText(next);
    setChosen(-1);
    ask(next, caret);
    // at once, not with the next drawing: who types on must find the caret where it belongs
    const element = input.current!;
    element.value = next;
    element.focus();
    element.setSelectionRange(caret, caret);
  };

  const items = open ? (told?.items.slice(0, MOST) ?? []) : [];
  // while a term is being typed the text is rarely whole: what may come next says more than what is missing
  const mistake = text.trim() === "" || items.length > 0 ? undefined : told?.error;
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        submit(input.current!.value); // what is typed counts, not what was last drawn
      }}
    >
      <input
        ref={input}
        class="input mono"
        type="text"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        placeholder={hint}
        aria-label="filter"
        role="combobox"
        aria-expanded={items.length > 0}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={chosen >= 0 ? `${list}-${chosen}` : undefined}
        aria-invalid={mistake ? true : undefined}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(-1); // suggestions are for the text before
          ask(event.currentTarget.value, event.currentTarget.selectionStart ?? event.currentTarget.value.length);
        }}
        onFocus={(event) => ask(event.currentTarget.value, event.currentTarget.value.length)}
        onBlur={() => {
          setOpen(false);
          if (text.trim() !== q && !mistake && !given.current) submit(text);
          given.current = false;
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown" && items.length > 0) setChosen((chosen + 1) % items.length);
          else if (event.key === "ArrowUp" && items.length > 0) setChosen(chosen < 0 ? items.length - 1 : chosen - 1);
          else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(chosen);
          else if (event.key === "Escape" && items.length > 0) setOpen(false);
          else if (event.key === "Escape") {
            setText(q);
            given.current = true;
            input.current?.blur();
          } else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      {text !== "" && (
        <button type="button" class="icon-button clear" aria-label="clear the filter" onClick={() => submit("")}>
          ✕
        </button>
      )}
      {(items.length > 0 || (open && mistake)) && (
        <div class="menu suggestions" onMouseDown={(event) => event.preventDefault()}>
          {mistake && (
            <p class="mistake error">
              ✕ {mistake.message}
              {mistake.position !== null && ` (at character ${mistake.position + 1})`}
            </p>
          )}
          <ul role="listbox" id={list} aria-label="suggestions">
            {items.map((item, at) => (
              <li
                key={`${item.kind}${item.text}`}
                id={`${list}-${at}`}
                role="option"
                aria-selected={at === chosen}
                onClick={() => take(at)}
              >
                <code class="one-line">{item.text}</code>
                <span class="spread" />
                <span class="muted">{item.count != null ? short(item.count) : item.kind}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </form>
  );
}
