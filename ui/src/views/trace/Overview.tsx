// The whole trace in a strip above the waterfall: painted once for a trace, a theme and a width; what is shown below is
// the part between two dimmed ones. A drag zooms, a double click shows the whole.
import { effect, type ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { boxes, told } from "../../model/overview";
import type { Stretch } from "../../model/timeline";
import type { Tree } from "../../model/trace";

const LANE_PX = 6;
const LEAST_DRAG_PX = 4;

export function Overview(props: {
  tree: Tree;
  shown: ReadonlySignal<Stretch>;
  onZoom(stretch: Stretch): void;
  onWhole(): void;
}): VNode {
  const { tree, shown } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const before = useRef<HTMLDivElement>(null);
  const after = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [look, setLook] = useState(0);
  useLayoutEffect(() => {
    const box = canvas.current!.parentElement!;
    const measure = (): void => setWidth(box.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const again = (): void => setLook((n) => n + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", again);
    const chosen = new MutationObserver(again);
    chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", again);
      chosen.disconnect();
    };
  }, []);
  const picture = useMemo(() => (width > 0 ? boxes(tree, width) : undefined), [tree, width]);
  const height = (picture?.lanes ?? 1) * LANE_PX + 6;
  useLayoutEffect(() => {
    if (picture) paint(canvas.current!, picture, tree.columns.kinds, width, height);
  }, [picture, look, height]);
  // the two dimmed parts follow the stretch without drawing this component again
  useLayoutEffect(
    () =>
      effect(() => {
        const { from, to } = shown.value;
        before.current!.style.width = `${(from / tree.length) * 100}%`;
        after.current!.style.width = `${Math.max(0, 1 - to / tree.length) * 100}%`;
      }),
    [tree, shown],
  );
  const words = useMemo(() => told(tree), [tree]);
  return (
    <div
      class="overview"
      style={{ height: `${height}px` }}
      onDblClick={props.onWhole}
      onPointerDown={(event) => drag(event, tree.length, props.onZoom)}
      title="drag to zoom, double-click for the whole trace"
    >
      <canvas ref={canvas} role="img" aria-label={`overview: ${words}`} />
      <div ref={before} class="dimmed left" />
      <div ref={after} class="dimmed right" />
    </div>
  );
}

/** A drag over an element that shows `length` microseconds from `start` on; a click does nothing. */
export function drag(
  event: PointerEvent & { currentTarget: HTMLElement },
  length: number,
  onZoom: (stretch: Stretch) => void,
  start = 0,
): void {
  if (event.button !== 0) return;
  const element = event.currentTarget;
  const box = element.getBoundingClientRect();
  const first = event.clientX;
  const mark = document.createElement("div");
  mark.className = "drag-mark";
  element.append(mark);
  element.setPointerCapture(event.pointerId);
  let last = first;
  const move = (moved: PointerEvent): void => {
    last = Math.max(box.left, Math.min(box.right, moved.clientX));
    mark.style.left = `${Math.min(first, last) - box.left}px`;
    mark.style.width = `${Math.abs(last - first)}px`;
  };
  const done = (): void => {
    element.removeEventListener("pointermove", move);
    mark.remove();
    if (Math.abs(last - first) < LEAST_DRAG_PX) return;
    const moment = (x: number): number => start + ((x - box.left) / box.width) * length;
    onZoom({ from: moment(Math.min(first, last)), to: moment(Math.max(first, last)) });
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("lostpointercapture", done, { once: true });
}

function paint(
  canvas: HTMLCanvasElement,
  picture: { boxes: readonly { lane: number; x: number; width: number; kind: number }[] },
  kinds: readonly string[],
  width: number,
  height: number,
): void {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const brush = canvas.getContext("2d");
  if (!brush) return;
  brush.scale(scale, scale);
  const sample = document.createElement("span");
  canvas.parentElement!.append(sample);
  const colour = (name: string): string => {
    sample.className = `kind kind-${name}`;
    return getComputedStyle(sample).backgroundColor;
  };
  const failed = colour("error");
  const colours = kinds.map((kind) => colour(/^[a-z_]+$/.test(kind) ? kind : "other"));
  sample.remove();
  for (const one of picture.boxes) {
    brush.fillStyle = one.kind < 0 ? failed : (colours[one.kind] ?? failed);
    brush.fillRect(one.x, 3 + one.lane * LANE_PX, one.width, LANE_PX - 1);
  }
}
