// The skeleton of the trace on the page, held once for the waterfall and for the detail beside it: it has megabytes
// where the trace has a hundred thousand spans, and must not be read again for each span that one looks at.
import { signal } from "@preact/signals";
import { useAnswer } from "../../api/client";
import type { Columns } from "../../api/types";
import { place } from "../../url";

const held = signal<{ project: string; columns: Columns } | undefined>(undefined);

export function holdSkeleton(project: string, columns: Columns | undefined): void {
  held.value = columns && { project, columns };
}

/** Of the trace on the page, or read now where a span is looked at elsewhere. */
export function useSkeleton(traceId: string, wanted: boolean): Columns | undefined {
  const own = held.value;
  const here = own?.project === place.value.project && own.columns.trace_id === traceId ? own.columns : undefined;
  const path = wanted && !here ? "/api/traces/{trace_id}/skeleton" : null;
  const asked = useAnswer(path, {}, { pathParams: { trace_id: traceId } }).data;
  return wanted ? (here ?? asked) : undefined;
}
