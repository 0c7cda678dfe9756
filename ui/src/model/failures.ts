// Failures that are alike, as the list of errors has them: the filter that finds them again. Pure.
import type { ErrorGroup } from "../api/types";
import { append, quoted } from "./query";

const LEAST = 4;

/** The longest piece of a form of messages that all of them have. */
export function commonPiece(form: string): string {
  const pieces = form
    .split("…")
    .map((piece) => piece.trim().replace(/^["'(:,\s]+|["'(:,\s]+$/g, ""))
    .sort((a, b) => b.length - a.length);
  return pieces[0] ?? "";
}

/** The filter text for the spans of a group; wider than the group where its messages share little. */
export function filterFor(group: Pick<ErrorGroup, "span_name" | "message">, q: string): string {
  let text = append(append(q, "status:error"), `name=${quoted(group.span_name)}`);
  const piece = commonPiece(group.message);
  if (piece.length >= LEAST) text = append(text, `error:"${piece.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
  return text;
}
