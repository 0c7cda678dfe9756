// What differs: two texts word by word, two JSON values path by path.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { diffJson, diffText, type Piece } from "../model/diff";
import { oneLine, writtenPath } from "../model/json";
import "./renderers.css";

const PORTION = 200;
const AROUND = 300;

export function TextDiff({ before, after }: { before: string; after: string }): VNode {
  const pieces = useMemo(() => diffText(before, after), [before, after]);
  const [portion, setPortion] = useState(PORTION);
  if (pieces.every((piece) => piece.sort === "same")) return <p class="muted">the same text</p>;
  return (
    <div class="diff">
      {pieces.slice(0, portion).map((piece, at) => drawPiece(piece, at))}
      {pieces.length > portion && (
        <button type="button" class="link more" onClick={() => setPortion(portion * 4)}>
          show more differences
        </button>
      )}
    </div>
  );
}

function drawPiece(piece: Piece, at: number): VNode | string {
  if (piece.sort === "gone") return <del key={at}>{piece.text}</del>;
  if (piece.sort === "new") return <ins key={at}>{piece.text}</ins>;
  const { text } = piece;
  if (text.length <= AROUND * 2.5) return text;
  return (
    <span key={at}>
      {text.slice(0, AROUND)}
      <span class="muted"> … {text.length - 2 * AROUND} equal characters … </span>
      {text.slice(-AROUND)}
    </span>
  );
}

export function JsonDiff({ before, after }: { before: unknown; after: unknown }): VNode {
  const changes = useMemo(() => diffJson(before, after), [before, after]);
  const [portion, setPortion] = useState(PORTION);
  if (changes.length === 0) return <p class="muted">the same value</p>;
  return (
    <div class="changes mono">
      {changes.slice(0, portion).flatMap((change, at) => [
        <span key={`k${at}`} class="one-line" title={writtenPath(change.keys)}>
          {writtenPath(change.keys) || "(all)"}
        </span>,
        <span key={`v${at}`} class="diff">
          {change.sort !== "new" && <del>{oneLine(change.before, 400)}</del>}{" "}
          {change.sort !== "gone" && <ins>{oneLine(change.after, 400)}</ins>}
        </span>,
      ])}
      {changes.length > portion && (
        <button type="button" class="link more" onClick={() => setPortion(portion * 4)}>
          show more of {changes.length} differences
        </button>
      )}
    </div>
  );
}
