// A conversation: turns with a rule at the left in the colour of the role. The system prompt is one line until it is
// opened, what an earlier call already had is folded, and of a long chat only a window is made of elements.
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { bytes, count } from "../model/format";
import { jsonText } from "../model/json";
import { looksLikeMarkdown, MOST_MARKDOWN } from "../model/markdown";
import { type Call, isAnswered, type Part, type Turn, turnText, windowStart } from "../model/messages";
import { Copy } from "../widgets/parts";
import { JsonView } from "./JsonView";
import { Markdown } from "./Markdown";
import { Media } from "./Media";
import { Text } from "./Text";
import { ToolCall, ToolResult } from "./ToolCall";
import { Value } from "./Value";
import "./renderers.css";

/** Elements of turns on a page at once, about. */
const BUDGET = 750;

export interface ChatProps {
  turns: readonly Turn[];
  /** How many turns at the beginning an earlier call already had. */
  shared?: number;
  /** Which call that is, with a link to it. */
  sharedWith?: VNode;
  /** Tokens of the answer, where one turn is the answer. */
  outputTokens?: number | null;
  onOpenTool?: (call: Call) => void;
  budget?: number;
}

export function Chat(props: ChatProps): VNode {
  const { turns, shared = 0 } = props;
  // results that are shown below their calls are not shown again
  const parts = useMemo(() => {
    const shown = turns.map((turn, at) => ({ turn, old: at < shared })).filter(({ turn }) => !isAnswered(turn));
    let head = 0;
    while (head < shown.length && shown[head]?.turn.role === "system") head += 1;
    return {
      system: shown.slice(0, head).map(({ turn }) => turn),
      old: shown.slice(head).flatMap(({ turn, old }) => (old ? [turn] : [])),
      fresh: shown.slice(head).flatMap(({ turn, old }) => (old ? [] : [turn])),
    };
  }, [turns, shared]);
  const [open, setOpen] = useState(false);
  const draw = (turn: Turn): VNode => (
    <TurnView
      turn={turn}
      tokens={turn.side === "output" ? props.outputTokens : undefined}
      {...(props.onOpenTool ? { onOpenTool: props.onOpenTool } : {})}
    />
  );
  const budget = props.budget ?? BUDGET;
  return (
    <div class="chat">
      {parts.system.slice(0, 20).map((turn, at) => (
        <System key={at} turn={turn} />
      ))}
      {parts.old.length > 0 && (
        <>
          <div class="history">
            <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
              <span class="sign" aria-hidden="true">
                {open ? "▾" : "▸"}
              </span>
              {count(parts.old.length)} earlier {parts.old.length === 1 ? "message" : "messages"}
            </button>
            {props.sharedWith}
          </div>
          {open && <Window turns={parts.old} draw={draw} budget={budget / 2} />}
        </>
      )}
      <Window turns={parts.fresh} draw={draw} budget={open ? budget / 2 : budget} />
    </div>
  );
}

/** The end of a list of turns, and buttons that move the window. */
function Window(props: { turns: readonly Turn[]; draw(turn: Turn): VNode; budget: number }): VNode {
  const { turns, budget } = props;
  const [end, setEnd] = useState(turns.length);
  useEffect(() => setEnd(turns.length), [turns.length]);
  const to = Math.min(end, turns.length);
  const from = windowStart(turns, to, budget);
  const size = Math.max(1, to - from);
  return (
    <>
      {from > 0 && (
        <button type="button" class="link more" onClick={() => setEnd(Math.max(1, from + 1))}>
          show earlier ({count(from)} more)
        </button>
      )}
      {turns.slice(from, to).map((turn, at) => (
        <div key={from + at}>{props.draw(turn)}</div>
      ))}
      {to < turns.length && (
        <span>
          <button type="button" class="link more" onClick={() => setEnd(Math.min(turns.length, to + size))}>
            show later ({count(turns.length - to)} more)
          </button>{" "}
          ·{" "}
          <button type="button" class="link more" onClick={() => setEnd(turns.length)}>
            to the end
          </button>
        </span>
      )}
    </>
  );
}

function System({ turn }: { turn: Turn }): VNode {
  const [open, setOpen] = useState(false);
  const text = useMemo(() => turnText(turn), [turn]);
  if (open) {
    return (
      <div>
        <TurnView turn={turn} onFold={() => setOpen(false)} />
      </div>
    );
  }
  return (
    <article class="turn turn-system" aria-label="system">
      <div class="turn-head">
        <b>system</b>
        <span class="muted">{sizeOf(turn)}</span>
      </div>
      <button type="button" class="opener" aria-expanded={false} onClick={() => setOpen(true)}>
        <span class="sign" aria-hidden="true">
          ▸
        </span>
        <span class="one-line">{text.slice(0, 300).replaceAll(/\s+/g, " ") || "(empty)"}</span>
      </button>
    </article>
  );
}

export function TurnView(props: {
  turn: Turn;
  tokens?: number | null | undefined;
  onOpenTool?: (call: Call) => void;
  onFold?: () => void;
}): VNode {
  const { turn } = props;
  const [way, setWay] = useState<"drawn" | "text" | "raw">("drawn");
  const marked = turn.parts.some((part) => part.type === "text" && looksLikeMarkdown(part.text));
  const role = turn.role === "other" ? turn.told : turn.role;
  const calls = turn.parts.filter((part) => part.type === "call").length;
  const note = [
    turn.name,
    calls > 0 ? (calls === 1 ? "tool call" : `${calls} tool calls`) : "",
    props.tokens ? `${count(props.tokens)} tokens` : sizeOf(turn),
    turn.finish !== "" && !["stop", "tool_calls", "tool_call", "end_turn"].includes(turn.finish) ? turn.finish : "",
  ];
  const switchTo = (wanted: "text" | "raw"): void => setWay(way === wanted ? "drawn" : wanted);
  return (
    <article class={`turn turn-${turn.role}`} aria-label={role}>
      <div class="turn-head">
        <b>{role}</b>
        <span class="muted one-line">{note.filter(Boolean).join(" · ")}</span>
        <span class="tools">
          {props.onFold !== undefined && (
            <button type="button" class="word" onClick={props.onFold}>
              fold
            </button>
          )}
          {marked && (
            <button type="button" class="word" aria-pressed={way === "text"} onClick={() => switchTo("text")}>
              text
            </button>
          )}
          <button type="button" class="word" aria-pressed={way === "raw"} onClick={() => switchTo("raw")}>
            raw
          </button>
          <Copy text={() => (way === "raw" ? jsonText(turn.raw) : turnText(turn))} label={`copy what ${role} said`} />
        </span>
      </div>
      <div class="turn-body">
        {way === "raw" ? (
          <JsonView value={turn.raw} label="message" />
        ) : (
          <Parts
            parts={turn.parts}
            drawn={way === "drawn"}
            {...(props.onOpenTool ? { onOpenTool: props.onOpenTool } : {})}
          />
        )}
      </div>
    </article>
  );
}

const PARTS = 30;

function Parts(props: { parts: readonly Part[]; drawn: boolean; onOpenTool?: (call: Call) => void }): VNode {
  const [all, setAll] = useState(PARTS);
  if (props.parts.length === 0) return <p class="muted">(nothing)</p>;
  return (
    <>
      {props.parts.slice(0, all).map((part, at) => (
        <PartView
          key={at}
          part={part}
          drawn={props.drawn}
          {...(props.onOpenTool ? { onOpenTool: props.onOpenTool } : {})}
        />
      ))}
      {props.parts.length > all && (
        <button type="button" class="link more" onClick={() => setAll(all + PARTS)}>
          show more of {count(props.parts.length)} parts
        </button>
      )}
    </>
  );
}

function PartView({
  part,
  drawn,
  onOpenTool,
}: {
  part: Part;
  drawn: boolean;
  onOpenTool?: (call: Call) => void;
}): VNode {
  switch (part.type) {
    case "text":
      return <Words text={part.text} drawn={drawn} />;
    case "refusal":
      return (
        <div>
          <b>refused</b>
          <Words text={part.text} drawn={drawn} />
        </div>
      );
    case "reasoning":
      return <Folded name="reasoning" text={part.text} />;
    case "call":
      return <ToolCall call={part} {...(onOpenTool ? { onOpen: onOpenTool } : {})} />;
    case "result":
      return part.paired ? (
        <p class="muted">result of {part.name || "a tool"}: shown below its call</p>
      ) : (
        <div class="box">
          <ToolResult result={part} name={part.name || "a tool"} />
        </div>
      );
    case "media":
      return <Media media={part.media} />;
    case "unknown":
      return (
        <div>
          {part.name !== "" && <span class="muted">{part.name}</span>}
          <Value value={part.value} label={part.name || "part"} bare />
        </div>
      );
  }
}

/** A text as Markdown where it has marks and is wanted so, JSON as rows, else as it is. */
function Words({ text, drawn }: { text: string; drawn: boolean }): VNode {
  if (text === "") return <p class="muted">(empty)</p>;
  if (!drawn) return <Text text={text} />;
  if (/^\s*[{[]/.test(text)) return <Value value={text} label="text" bare />;
  return looksLikeMarkdown(text) ? <LongMarkdown text={text} /> : <Text text={text} />;
}

/** Markdown up to a length; above it the text is shown as it is, since a cut could split a mark. */
function LongMarkdown({ text }: { text: string }): VNode {
  return text.length <= MOST_MARKDOWN ? <Markdown text={text} /> : <Text text={text} />;
}

function Folded({ name, text }: { name: string; text: string }): VNode {
  const [open, setOpen] = useState(false);
  return (
    <div>
      <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="sign" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <i>{name}</i>
        <span>{bytes(text.length)}</span>
        {!open && <span class="one-line">{text.slice(0, 200).replaceAll(/\s+/g, " ")}</span>}
      </button>
      {open && <Words text={text} drawn />}
    </div>
  );
}

/** A size that people can weigh: about four characters are a token in most languages of models. */
function sizeOf(turn: Turn): string {
  if (turn.parts.every((part) => part.type === "media")) return "";
  if (turn.chars < 4) return "";
  return `~${count(Math.max(1, Math.round(turn.chars / 4)))} tokens`;
}
