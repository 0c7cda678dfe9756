// What the list says when it is empty: the way to the first trace, or why nothing matches.
import type { VNode } from "preact";
import { useAnswer } from "../api/client";
import { ofTheTrace } from "../model/query";
import { place, root, setParams } from "../url";
import { CodeBox, Empty, Waiting } from "./parts";
import { timeName, WiderTime } from "./TimeRange";

export function NothingFound({ what }: { what: string }): VNode {
  const { params, project } = place.value;
  const any = useAnswer("/api/traces", { limit: 1 });
  if (any.loading) return <Waiting />;
  if ((any.data?.items.length ?? 0) === 0) return <FirstSteps project={project} />;
  const q = params["q"];
  // programs often tell the user of the first span of a trace alone
  const lifted = q && what !== "traces" ? ofTheTrace(q) : q;
  return (
    <Empty title={`No ${what} here`}>
      <p>
        Nothing {q ? "matches this filter" : "was recorded"} in the time that is shown ({timeName(params["t"])}), but
        this project has traces.
      </p>
      <p class="stats">
        {lifted !== q && (
          <button type="button" class="button" onClick={() => setParams({ q: lifted ?? null })}>
            Look for {lifted}
          </button>
        )}
        <WiderTime />
        {q && (
          <button type="button" class="button" onClick={() => setParams({ q: null })}>
            Clear the filter
          </button>
        )}
      </p>
    </Empty>
  );
}

export function FirstSteps({ project }: { project: string }): VNode {
  const address = location.origin + root.replace(/\/$/, "");
  return (
    <Empty title={`Send the first trace to ${project}`}>
      <p>This page shows what your program does as soon as it sends something. Python, one line more:</p>
      <CodeBox
        text={`import vestigo

vestigo.configure(service="my-chatbot", project=${JSON.stringify(project)}, storage=${JSON.stringify(address)})
vestigo.instrument("openai")   # each call of the client is a span now`}
      />
      <p>Any OpenTelemetry program, in any language:</p>
      <CodeBox
        text={`export OTEL_EXPORTER_OTLP_ENDPOINT=${address}
export OTEL_EXPORTER_OTLP_HEADERS=x-vestigo-project=${project}`}
      />
      <p class="muted">
        A server that others can reach wants a key too: <code>vestigo key create my-chatbot --projects {project}</code>{" "}
        prints one. Or try it with a sample application:
      </p>
      <CodeBox text="vestigo demo" />
      <p class="muted">
        With <b>live</b> on (key <kbd>l</kbd>) traces show up here as they arrive.
      </p>
    </Empty>
  );
}
