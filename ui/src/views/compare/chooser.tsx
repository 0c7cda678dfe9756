// Another trace for one side: by its id, or the one before or after of the same name.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { get, isApiError } from "../../api/client";
import type { Columns } from "../../api/types";
import { term } from "../../model/query";
import { link, setParams } from "../../url";
import { nameOf } from "./sides";

/** `beside` is the trace that its neighbours in time are looked for, which is mostly that of the other side. */
export function Chooser(props: { side: "a" | "b"; beside: Columns | undefined; onChosen?(): void }): VNode {
  const { side, beside } = props;
  const [text, setText] = useState("");
  const [told, tell] = useState("");
  const choose = (id: string): void => {
    setParams({ [side]: id, sa: null, sb: null });
    setText("");
    tell("");
    props.onChosen?.();
  };
  const neighbour = async (by: "before" | "after"): Promise<void> => {
    if (!beside) return;
    const name = nameOf(beside);
    const start = BigInt(beside.start_ns);
    tell("looking …");
    try {
      const page = await get("/api/traces", {
        q: name === "(no name)" ? "" : term("name", name),
        limit: 2,
        ...(by === "before"
          ? { end: String(start), order: "newest" as const }
          : { start: String(start + 1n), order: "oldest" as const }),
      });
      const found = page.items.find((trace) => trace.trace_id !== beside.trace_id);
      if (found) choose(found.trace_id);
      else tell(`there is no trace ${name} ${by} that one`);
    } catch (error) {
      tell(isApiError(error) ? `✕ ${error.message}` : `✕ ${String(error)}`);
    }
  };
  return (
    <form
      class="compare-chooser"
      onSubmit={(event) => {
        event.preventDefault();
        const id = /[0-9a-f]{32}/i.exec(text)?.[0];
        if (id) choose(id.toLowerCase());
        else tell("✕ a trace id has 32 digits and letters a to f");
      }}
    >
      <input
        class="input mono"
        value={text}
        spellcheck={false}
        autocomplete="off"
        aria-label={`trace id for ${side.toUpperCase()}`}
        placeholder="paste a trace id, or an address that has one"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" class="button" disabled={text.trim() === ""}>
        Compare
      </button>
      {beside && (
        <>
          <button type="button" class="button" onClick={() => void neighbour("before")}>
            The one before of this name
          </button>
          <button type="button" class="button" onClick={() => void neighbour("after")}>
            The one after
          </button>
        </>
      )}
      <a href={link({ view: "traces" })}>choose in the list</a>
      <span class={told.startsWith("✕") ? "error" : "muted"} role="status">
        {told}
      </span>
    </form>
  );
}
