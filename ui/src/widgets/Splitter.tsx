// Two panes side by side with a bar between them that is dragged, or moved by arrow keys; the width is remembered.
import type { ComponentChildren, VNode } from "preact";
import { useRef, useState } from "preact/hooks";
import { recall, remember } from "../memory";

/** `share` is the left pane's part of the width, from 0.2 to 0.85. */
export function Splitter(props: {
  name: string;
  share?: number;
  left: ComponentChildren;
  /** null shows the left pane alone, without making it anew. */
  right: ComponentChildren | null;
}): VNode {
  const key = `split.${props.name}`;
  const [share, setShare] = useState(() => Number(recall(key)) || props.share || 0.6);
  const own = useRef<HTMLDivElement>(null);
  const set = (value: number): void => {
    const kept = Math.max(0.2, Math.min(0.85, value));
    setShare(kept);
    remember(key, kept.toFixed(3));
  };
  return (
    <div class="panes" ref={own}>
      <div class="pane" style={{ flex: props.right === null ? "1 1 0" : `0 0 ${share * 100}%` }}>
        {props.left}
      </div>
      {props.right !== null && (
        <>
          {" "}
          <div
            class="splitter"
            role="separator"
            aria-orientation="vertical"
            aria-label="width of the panes"
            aria-valuemin={20}
            aria-valuemax={85}
            aria-valuenow={Math.round(share * 100)}
            tabIndex={0}
            onDblClick={() => set(props.share ?? 0.6)}
            onKeyDown={(event) => {
              if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
              event.preventDefault();
              event.stopPropagation();
              set(share + (event.key === "ArrowLeft" ? -0.02 : 0.02));
            }}
            onPointerDown={(event) => {
              event.preventDefault();
              const bar = event.currentTarget;
              bar.setPointerCapture(event.pointerId);
              const box = own.current!.getBoundingClientRect();
              const drag = (moved: PointerEvent): void => set((moved.clientX - box.left) / box.width);
              bar.addEventListener("pointermove", drag);
              bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", drag), { once: true });
            }}
          />
          <div class="pane" style={{ flex: "1 1 0" }}>
            {props.right}
          </div>
        </>
      )}
    </div>
  );
}
