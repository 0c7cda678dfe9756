// Taking the trace or the span along, and where to go from here.
import type { VNode } from "preact";
import { get } from "../../api/client";
import type { SpanDetail, WholeTrace } from "../../api/types";
import { spanJson, spanMarkdown, spanSnippet, traceMarkdown, traceSnippet } from "../../model/copy";
import { quoted } from "../../model/query";
import { go, lastingLink, link, place, root, setParams } from "../../url";
import { Menu } from "../../widgets/Menu";
import { copyText, toast } from "../../widgets/parts";

export function TakeMenu(props: {
  traceId: string;
  spanId: string;
  rootId: string;
  name: string;
  startNs: string;
}): VNode {
  const { traceId, spanId } = props;
  const { project } = place.value;
  const origin = location.origin + root;
  const withTrace = (told: (whole: WholeTrace) => string, what: string): void =>
    tried(async () =>
      copyText(
        told(await get("/api/traces/{trace_id}", { limit: 1_000 }, { pathParams: { trace_id: traceId } })),
        what,
      ),
    );
  const withSpan = (told: (detail: SpanDetail) => string, what: string): void =>
    tried(async () =>
      copyText(
        told(await get("/api/spans/{trace_id}/{span_id}", {}, { pathParams: { trace_id: traceId, span_id: spanId } })),
        what,
      ),
    );
  return (
    <Menu
      label={
        <>
          Actions <span aria-hidden="true">▾</span>
        </>
      }
      items={[
        { label: "give the trace a score", act: () => setParams({ span: props.rootId, tab: "scores" }, "replace") },
        { label: "compare with the run before", act: () => tried(() => compareWithLast(props)) },
        { label: "compare with another trace …", href: link({ view: "compare", params: { a: traceId } }) },
        { label: "copy link", hint: "Y", act: () => void copyText(lastingLink(), "link copied") },
        { label: "copy trace as Markdown", act: () => withTrace(traceMarkdown, "trace copied as Markdown") },
        {
          label: "copy trace as JSON",
          act: () => withTrace((whole) => JSON.stringify(whole, null, 1), "trace copied as JSON"),
        },
        {
          label: "copy Python that reads the trace",
          act: () => void copyText(traceSnippet(traceId, origin, project), "program copied"),
        },
        { label: "copy span as Markdown", act: () => withSpan(spanMarkdown, "span copied as Markdown") },
        { label: "copy span as JSON", hint: "y", act: () => withSpan(spanJson, "span copied as JSON") },
        {
          label: "copy span as Python that runs",
          act: () => withSpan((detail) => spanSnippet(detail, origin, project), "program copied"),
        },
      ]}
    />
  );
}

function tried(act: () => Promise<void>): void {
  act().catch((error: unknown) => toast((error as { message?: string }).message ?? String(error)));
}

/** The trace before this one whose root has the same name. */
async function compareWithLast({ traceId, name, startNs }: Parameters<typeof TakeMenu>[0]): Promise<void> {
  const page = await get("/api/traces", { q: `root(name=${quoted(name)})`, end: startNs, order: "newest", limit: 1 });
  const last = page.items.find((row) => row.trace_id !== traceId);
  if (last) go(link({ view: "compare", params: { a: last.trace_id, b: traceId } }));
  else toast(`no earlier trace is called ${name.slice(0, 60)}`);
}
