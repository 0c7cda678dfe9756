// Code in colours, with a button that copies it.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { bytes } from "../model/format";
import { colour } from "../model/highlight";
import { Copy } from "../widgets/parts";
import { headOf } from "./Text";
import "./renderers.css";

/** Characters shown at first: some hundred coloured pieces. */
const LIMIT = 3_000;

export function Code({ text, language = "" }: { text: string; language?: string }): VNode {
  const [all, setAll] = useState(false);
  const cut = !all && text.length > LIMIT * 1.2;
  const shown = cut ? headOf(text, LIMIT) : text;
  // all of a long code is shown without colours: a text node instead of thousands of elements
  const tokens = useMemo(() => colour(shown, shown.length > LIMIT * 4 ? "" : language), [shown, language]);
  return (
    <div class="box code-box">
      <pre tabIndex={0}>
        <code>
          {tokens.map((token, at) =>
            token.colour === "plain" ? (
              token.text
            ) : (
              <span key={at} class={`c-${token.colour}`}>
                {token.text}
              </span>
            ),
          )}
        </code>
      </pre>
      <span class="tools">
        <Copy text={text} label="copy the code" />
      </span>
      {cut && (
        <button type="button" class="link more" onClick={() => setAll(true)}>
          show all {bytes(text.length)}
        </button>
      )}
    </div>
  );
}
