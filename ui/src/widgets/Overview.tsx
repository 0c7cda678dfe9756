// The whole trace in a strip: painted once for a trace, a theme and a width; what is shown below it is the part between
// two dimmed ones. A drag zooms, a double click shows the whole.
import { effect, type ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ERROR_CODE, type Overview as Picture, overviewOf } from "../model/overview";
import type { Window } from "../model/timeline";
import type { Trace } from "../model/trace";
import { dragAcross } from "./drag";
import { useLook } from "./look";

const LANE_PX = 6;

export function Overview(props: {
  trace: Trace;
  whole: Window;
  /** How far open spans reach. */
  now: number;
  /** In words, for those who do not see it. */
  told: string;
  shown: ReadonlySignal<Window>;
  onZoom(window: Window): void;
  onWhole(): void;
}): VNode {
  const { trace, whole, shown } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const before = useRef<HTMLDivElement>(null);
  const after = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const look = useLook();
  useLayoutEffect(() => {
    const box = canvas.current!.parentElement!;
    const measure = (): void => setWidth(box.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const length = whole.to - whole.from;
  // a trace that runs is painted again when it has grown by a pixel or so, and not at each tick
  const painted = useRef({ trace, whole, now: props.now });
  const grown = length / (painted.current.whole.to - painted.current.whole.from || 1);
  if (painted.current.trace !== trace || grown > 1.01 || grown < 0.99)
    painted.current = { trace, whole, now: props.now };
  const key = painted.current;
  const picture = useMemo(
    () => (width > 0 ? overviewOf(key.trace, key.whole, width, key.now) : undefined),
    [key, width],
  );
  const height = (picture?.lanes ?? 1) * LANE_PX + 6;
  useLayoutEffect(() => {
    if (picture) paint(canvas.current!, picture, trace.kinds, width, height);
  }, [picture, look, height]);
  // the dimmed parts follow what is shown without drawing this component again
  useLayoutEffect(
    () =>
      effect(() => {
        const { from, to } = shown.value;
        const share = (us: number): number => Math.max(0, Math.min(1, us / length));
        const left = share(from - whole.from);
        const right = share(whole.to - to);
        const edge = (element: HTMLDivElement, part: number): void => {
          element.style.width = `${part * 100}%`;
          element.hidden = part < 0.0005;
        };
        edge(before.current!, left);
        edge(after.current!, right);
      }),
    [whole, shown],
  );
  return (
    <div
      class="overview"
      style={{ height: `${height}px` }}
      onDblClick={props.onWhole}
      onPointerDown={(event) =>
        dragAcross(event, (from, to) =>
          props.onZoom({ from: whole.from + from * length, to: whole.from + to * length }),
        )
      }
      title="drag to zoom, double-click for the whole trace"
    >
      <canvas ref={canvas} role="img" aria-label={props.told} />
      <div ref={before} class="dimmed left" />
      <div ref={after} class="dimmed right" />
    </div>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  picture: Picture,
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
  const { boxes } = picture;
  for (let at = 0; at < boxes.length; at += 4) {
    const left = boxes[at + 1]!;
    const wide = boxes[at + 2]! - left;
    const code = boxes[at + 3]!;
    brush.fillStyle = code === ERROR_CODE ? failed : (colours[code] ?? failed);
    const top = 3 + boxes[at]! * LANE_PX;
    brush.fillRect(left, top, wide, LANE_PX - 1);
  }
}
