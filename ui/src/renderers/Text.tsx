// Plain text of any length: its beginning first, all of it on demand, in pieces that the browser lays out only when
// they are scrolled to.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { bytes } from "../model/format";
import "./renderers.css";

const CHUNK = 8_000;
const LINES = 36;

/** `limit` is how many characters are shown at first. */
export function Text({
  text,
  limit = 4_000,
  class: name = "",
}: {
  text: string;
  limit?: number;
  class?: string;
}): VNode {
  const [all, setAll] = useState(false);
  const fits = Math.min(limit, endOfLine(text, LINES));
  const cut = !all && text.length > fits * 1.2;
  const shown = cut ? headOf(text, fits) : text;
  const chunks = useMemo(() => chunksOf(shown), [shown]);
  return (
    <div class={`text ${name}`}>
      {chunks.length === 1
        ? shown
        : chunks.map((chunk, at) => (
            <div key={at} class="chunk">
              {chunk}
            </div>
          ))}
      {cut && (
        <div>
          <button type="button" class="link more" onClick={() => setAll(true)}>
            show all {bytes(text.length)}
          </button>
        </div>
      )}
    </div>
  );
}

/** The beginning of a text, ended at a line or word and never inside a sign of two halves. */
export function headOf(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const line = text.lastIndexOf("\n", limit);
  const word = text.lastIndexOf(" ", limit);
  const end = line > limit * 0.6 ? line : word > limit * 0.8 ? word : limit;
  const code = text.charCodeAt(end - 1);
  return `${text.slice(0, code >= 0xd800 && code < 0xdc00 ? end - 1 : end)}…`;
}

/** Where the line of a number ends; the end of the text if it has no more lines. */
function endOfLine(text: string, lines: number): number {
  let at = -1;
  for (let line = 0; line < lines; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at < 0) return text.length;
  }
  return at;
}

/** Pieces of a long text, cut at its lines. */
function chunksOf(text: string): string[] {
  const chunks: string[] = [];
  let from = 0;
  while (text.length - from > CHUNK * 1.5) {
    const line = text.lastIndexOf("\n", from + CHUNK);
    const space = text.lastIndexOf(" ", from + CHUNK);
    const end = line > from ? line + 1 : space > from ? space + 1 : from + CHUNK;
    chunks.push(text.slice(from, line > from ? line : end));
    from = end;
  }
  chunks.push(text.slice(from));
  return chunks;
}
