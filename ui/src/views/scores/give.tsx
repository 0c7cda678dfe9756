// Where a project has no scores yet: the three ways to give some.
import type { VNode } from "preact";
import { useAnswer } from "../../api/client";
import { link, place, root } from "../../url";
import { CodeBox, Empty } from "../../widgets/parts";

export function GiveScores(): VNode {
  const { project, params } = place.value;
  const newest = useAnswer("/api/traces", { limit: 1 });
  const trace = newest.data?.items[0]?.trace_id ?? "TRACE_ID";
  const address = location.origin + root.replace(/\/$/, "");
  return (
    <Empty title={`No scores in ${project} yet`}>
      <p>
        A score says how good a trace or a span was: a number, yes or no, or a label, with a comment if you like. People
        give them here, programs where they run.
      </p>
      <h3>By hand, with keys</h3>
      <p>
        <a class="button first" href={link({ view: "queue", params: { q: params["q"] ?? null }, keep: ["t"] })}>
          Label traces one after the other
        </a>
      </p>
      <h3>From the program that is traced, or from any other</h3>
      <CodeBox
        text={`import vestigo

vestigo.configure(service="judge", project=${JSON.stringify(project)}, storage=${JSON.stringify(address)})
vestigo.score(${JSON.stringify(trace)}, "helpful", 0.8, comment="found the order")
vestigo.score(${JSON.stringify(trace)}, "tone", "friendly")
vestigo.score(${JSON.stringify(trace)}, "grounded", True)
vestigo.shutdown()`}
      />
      <h3>From anything that speaks HTTP</h3>
      <CodeBox
        text={`curl -s ${address}/api/scores?project=${encodeURIComponent(project)} \\
  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
  -d '{"trace_id": "${trace}", "name": "helpful", "value": 0.8}'`}
      />
      <p class="muted">
        <code>$KEY</code> is a key with the scope write:{" "}
        <code>vestigo key create judge --scopes write --projects {project}</code>. Then{" "}
        <code>score.helpful&lt;0.5</code> finds what went badly, in every filter of traces.
      </p>
    </Empty>
  );
}
