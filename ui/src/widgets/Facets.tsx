// The most frequent values of fields beside a list. A click puts a term into the filter or takes it out, Alt-click
// leaves the value out. A field is asked for when its heading is opened.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { useAnswer } from "../api/client";
import type { Facet } from "../api/types";
import { recall, remember } from "../memory";
import { short } from "../model/format";
import { append, holds, remove, term } from "../model/query";
import { place, setParams, timeWindow } from "../url";

export interface FacetField {
  field: string;
  label: string;
  open?: boolean;
}

/** Put a value into the filter, take it out if it is there, or leave it out. */
export function filterBy(field: string, value: string, not: boolean): void {
  const q = place.value.params["q"] ?? "";
  const one = term(field, value, not);
  setParams({ q: holds(q, one) ? remove(q, one) : append(q, one), cursor: null });
}

export function Facets({ name, fields }: { name: string; fields: readonly FacetField[] }): VNode {
  const key = `facets.${name}`;
  const kept = recall(key);
  const [open, setOpen] = useState<ReadonlySet<string>>(
    () => new Set(kept === null ? fields.filter((one) => one.open).map((one) => one.field) : kept.split(",")),
  );
  const { q, t } = place.value.params;
  const asked = fields.filter((one) => open.has(one.field)).map((one) => one.field);
  const told = useAnswer(
    asked.length > 0 ? "/api/facets" : null,
    { ...(q ? { q } : {}), ...timeWindow(t), fields: asked.join(","), limit: 12 },
    { keep: true },
  );
  const toggle = (field: string): void => {
    const next = new Set(open);
    if (!next.delete(field)) next.add(field);
    setOpen(next);
    remember(key, [...next].join(","));
  };
  return (
    <aside class={`facets${told.stale ? " stale" : ""}`} aria-label="values to filter by">
      {fields.map(({ field, label }) => (
        <section key={field}>
          <h2>
            <button type="button" class="bare" aria-expanded={open.has(field)} onClick={() => toggle(field)}>
              <span aria-hidden="true">{open.has(field) ? "▾" : "▸"}</span> {label}
            </button>
          </h2>
          {open.has(field) && told.error?.code !== "bad_query" && (
            <Values facet={told.data?.facets.find((one) => one.field === field)} q={q ?? ""} />
          )}
        </section>
      ))}
      {told.error && told.error.code !== "bad_query" && <p class="error">✕ {told.error.message}</p>}
    </aside>
  );
}

function Values({ facet, q }: { facet: Facet | undefined; q: string }): VNode {
  if (!facet) return <p class="muted">…</p>;
  if (facet.values.length === 0) return <p class="muted">none</p>;
  return (
    <ul>
      {facet.values.map(({ value, count }) => {
        const on = holds(q, term(facet.field, value));
        const not = holds(q, term(facet.field, value, true));
        return (
          <li key={value}>
            <button
              type="button"
              class={`bare value${not ? " not" : ""}`}
              aria-pressed={on || not}
              title={`${value} (Alt-click leaves it out)`}
              onClick={(event) => filterBy(facet.field, value, event.altKey || not)}
            >
              <span class="one-line">{value}</span>
              <span class="spread" />
              {count !== null && <span class="muted">{short(count)}</span>}
            </button>
          </li>
        );
      })}
      {facet.more && <li class="muted">and more: type {facet.field}: above</li>}
    </ul>
  );
}
