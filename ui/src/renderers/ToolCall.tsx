// A call of a tool as code has it, `search(query="…", top_k=4)`, its result below it, both opened on demand.
import type { ComponentChildren, VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { bytes } from "../model/format";
import { jsonText, oneLine } from "../model/json";
import type { Call, Result } from "../model/messages";
import { Copy } from "../widgets/parts";
import { Value } from "./Value";
import "./renderers.css";

/** Characters of arguments that are shown on the line of the call. */
const LINE = 220;

/** `onOpen` goes to the span of the tool, where there may be one. */
export function ToolCall({ call, onOpen }: { call: Call; onOpen?: (call: Call) => void }): VNode {
  const args = useMemo(() => argsOf(call.args), [call.args]);
  const [open, setOpen] = useState(false);
  const name = call.name || "(tool without a name)";
  return (
    <div class="box">
      <div class="box-head">
        <div class="call-line spread">
          <span class="call-name">{name}</span>(
          {args.map(([key, value], at) => (
            <span key={at}>
              {at > 0 && ", "}
              {key !== "" && <span class="call-key">{key}</span>}
              {key !== "" && "="}
              {value}
            </span>
          ))}
          )
        </div>
        <span class="tools">
          <button type="button" class="word" aria-pressed={open} onClick={() => setOpen(!open)}>
            arguments
          </button>
          {onOpen !== undefined && (
            <button type="button" class="word" title="go to the span of this tool" onClick={() => onOpen(call)}>
              span →
            </button>
          )}
          <Copy text={() => `${name}(${jsonText(call.args)})`} label={`copy the call of ${name}`} />
        </span>
      </div>
      {open && (
        <div class="box-body">
          <Value value={call.args ?? {}} label={`arguments of ${name}`} />
        </div>
      )}
      {call.result !== null && <ToolResult result={call.result} name={name} />}
    </div>
  );
}

export function ToolResult({ result, name }: { result: Result; name: string }): VNode {
  const { value } = result;
  const size = typeof value === "string" ? value.length : 0;
  const short = typeof value === "string" && size <= LINE && !value.includes("\n");
  const [open, setOpen] = useState(false);
  return (
    <div class="result">
      <div class="row-line">
        {short ? (
          <span class="spread text">{value === "" ? "(empty)" : value}</span>
        ) : (
          <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
            <span class="sign" aria-hidden="true">
              {open ? "▾" : "▸"}
            </span>
            <span class="one-line mono">{open ? "result" : preview(value)}</span>
            {size > 2_000 && <span>{bytes(size)}</span>}
          </button>
        )}
        <span class="tools">
          <Copy
            text={() => (typeof value === "string" ? value : jsonText(value))}
            label={`copy the result of ${name}`}
          />
        </span>
      </div>
      {open && (
        <div class="open">
          <Value value={value} label={`result of ${name}`} bare />
        </div>
      )}
    </div>
  );
}

function preview(value: unknown): string {
  if (typeof value === "string") return value.slice(0, 240).replaceAll(/\s+/g, " ");
  if (value === null || value === undefined) return "null";
  return oneLine(value, 240);
}

/** Names with short values; one nameless entry for arguments that are no object. */
function argsOf(args: unknown): [string, ComponentChildren][] {
  if (args === null || args === undefined) return [];
  if (typeof args !== "object" || Array.isArray(args)) return [["", oneLine(args, LINE)]];
  const made: [string, ComponentChildren][] = [];
  let room = LINE;
  for (const [key, value] of Object.entries(args)) {
    if (room <= 0) {
      made.push(["", "…"]);
      break;
    }
    const text = oneLine(value, Math.min(room, 90));
    room -= key.length + text.length + 3;
    made.push([key.slice(0, 60), text]);
  }
  return made;
}
