// What a retrieval found, in order of rank: a bar for each score, the beginning of the content, all else on demand.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type Document, scoreRange } from "../model/documents";
import { oneLine } from "../model/json";
import { Copy } from "../widgets/parts";
import { JsonView } from "./JsonView";
import { Text } from "./Text";
import "./renderers.css";

const PORTION = 20;

export function Documents({ documents }: { documents: readonly Document[] }): VNode {
  const [portion, setPortion] = useState(PORTION);
  const range = scoreRange(documents);
  return (
    <div class="documents">
      {documents.slice(0, portion).map((document, at) => (
        <One key={at} document={document} place={at + 1} range={range} />
      ))}
      {documents.length > portion && (
        <button type="button" class="link more" onClick={() => setPortion(portion + PORTION)}>
          show {Math.min(PORTION, documents.length - portion)} more of {documents.length}
        </button>
      )}
    </div>
  );
}

function One(props: { document: Document; place: number; range: readonly [number, number] | null }): VNode {
  const { document, place, range } = props;
  const [open, setOpen] = useState(false);
  const rest = Object.keys(document.rest).length > 0;
  const share = range === null || document.score === null ? 0 : Math.max(0, document.score / range[1]);
  return (
    <div class="document">
      <span class="place">{place}</span>
      <div>
        <div class="row-line">
          {document.score !== null && (
            <>
              <span class="score-bar" aria-hidden="true">
                <span style={{ width: `${Math.min(100, share * 100).toFixed(1)}%` }} />
              </span>
              <span title="score">{Number(document.score.toPrecision(4))}</span>
            </>
          )}
          <b class="one-line">{document.id || titleOf(document)}</b>
          <span class="tools">
            {rest && (
              <button type="button" class="word" aria-pressed={open} onClick={() => setOpen(!open)}>
                more
              </button>
            )}
            <Copy text={document.content || document.id} label={`copy document ${place}`} />
          </span>
        </div>
        {document.content !== "" && <Text text={document.content} limit={400} />}
        {rest && !open && <div class="muted one-line mono">{oneLine(briefOf(document.rest), 160).slice(1, -1)}</div>}
        {open && <JsonView value={document.rest} label={`document ${place}`} />}
      </div>
    </div>
  );
}

/** What is told beside the content; of metadata alone what is in them. */
function briefOf(rest: Document["rest"]): unknown {
  const names = Object.keys(rest);
  const metadata = rest["metadata"];
  return names.length === 1 && typeof metadata === "object" && metadata !== null ? metadata : rest;
}

function titleOf(document: Document): string {
  const metadata = document.rest["metadata"];
  const held =
    typeof metadata === "object" && metadata !== null ? (metadata as Record<string, unknown>) : document.rest;
  const told = held["title"] ?? held["source"] ?? held["url"] ?? held["path"];
  return typeof told === "string" ? told : "";
}
