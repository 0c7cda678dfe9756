// Terms of the filter that a click on a score puts in or takes out.
import { append, holds, remove } from "../../model/query";
import { place, setParams } from "../../url";

/** Put a whole term into the filter, or take it out if it is there. */
export function toggleTerm(one: string, not = false): void {
  const q = place.value.params["q"] ?? "";
  const told = !not ? one : one.startsWith("-") ? one.slice(1) : `-${one}`;
  setParams({ q: holds(q, told) ? remove(q, told) : append(q, told) });
}
