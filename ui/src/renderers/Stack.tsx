// A stack trace: the error, one's own frames with their code, runs of library frames folded to a line each.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Frame, groupFrames, type Raised, readStack } from "../model/stack";
import { Text } from "./Text";
import "./renderers.css";

export function Stack({ text }: { text: string }): VNode {
  const raised = useMemo(() => readStack(text), [text]);
  if (raised.length === 0) return <Text text={text} class="mono" />;
  return (
    <div class="stack">
      {raised.slice(0, 10).map((error, at) => (
        <RaisedError key={at} error={error} />
      ))}
    </div>
  );
}

function RaisedError({ error }: { error: Raised }): VNode {
  const groups = groupFrames(error.frames);
  const [all, setAll] = useState(false);
  const shown = all ? groups : groups.slice(0, 20);
  return (
    <>
      <p class="raised">
        {error.link !== "" && <span class="muted">{error.link} </span>}
        {error.type}
        {error.message !== "" && `${error.type === "" ? "" : ": "}${error.message.slice(0, 2_000)}`}
      </p>
      {shown.map((group, at) =>
        group.sort === "own" ? (
          <Line key={at} frame={group.frame} />
        ) : (
          <Folded key={at} frames={group.frames} libraries={group.libraries} />
        ),
      )}
      {shown.length < groups.length && (
        <button type="button" class="link" onClick={() => setAll(true)}>
          show all {error.frames.length} frames
        </button>
      )}
    </>
  );
}

function Folded({ frames, libraries }: { frames: readonly Frame[]; libraries: string }): VNode {
  const [open, setOpen] = useState(false);
  return (
    <div>
      <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span class="sign" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        {frames.length} {frames.length === 1 ? "frame" : "frames"} in {libraries}
      </button>
      {open && frames.slice(0, 100).map((frame, at) => <Line key={at} frame={frame} />)}
    </div>
  );
}

function Line({ frame }: { frame: Frame }): VNode {
  return (
    <div class={`frame${frame.own ? " own" : ""}`}>
      <span class="muted">
        {frame.file}
        {frame.line !== null && `:${frame.line}`}
      </span>{" "}
      {frame.name}
      {frame.code !== "" && <code>{frame.code}</code>}
    </div>
  );
}
