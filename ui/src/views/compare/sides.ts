// What every part of the comparison asks of its two sides.
import type { Columns } from "../../api/types";
import { place, setParams } from "../../url";

/** The name of a trace's root. */
export function nameOf(columns: Columns): string {
  const root = columns.parent.findIndex((parent) => parent < 0);
  return columns.names[columns.name[Math.max(0, root)] ?? -1] || "(no name)";
}

export function swap(): void {
  const { a, b, sa, sb } = place.value.params;
  setParams({ a: b ?? null, b: a ?? null, sa: sb ?? null, sb: sa ?? null });
}
