// The skeleton of the trace on the page, held once for the waterfall and for the detail beside it: it has megabytes
// where the trace has a hundred thousand spans, and must not be read again for each span that one looks at.
import { computed, signal } from "@preact/signals";
import { useAnswer } from "../../api/client";
import type { Columns } from "../../api/types";
import { columnsOf, type Trace } from "../../model/trace";
import { place } from "../../url";

const held = signal<{ project: string; trace: Trace; columns: Columns | undefined } | undefined>(undefined);
/** Made from the trace once it has grown beyond what was read, and only if somebody asks. */
const columns = computed(() => held.value && (held.value.columns ?? columnsOf(held.value.trace)));

export function holdSkeleton(project: string, trace: Trace | undefined, read?: Columns): void {
  held.value = trace && { project, trace, columns: read };
}

/** Of the trace on the page, or read now where a span is looked at elsewhere. */
export function useSkeleton(traceId: string, wanted: boolean): Columns | undefined {
  const own = held.value;
  const isHere = own?.project === place.value.project && own.trace.id === traceId;
  const here = isHere && wanted ? columns.value : undefined;
  const path = wanted && !isHere ? "/api/traces/{trace_id}/skeleton" : null;
  const asked = useAnswer(path, {}, { pathParams: { trace_id: traceId } }).data;
  return wanted ? (here ?? asked) : undefined;
}
