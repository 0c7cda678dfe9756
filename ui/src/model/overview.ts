// The whole trace as rectangles in at most twelve lanes, one for each depth; neighbours of one kind are merged for each
// pixel. Made once for a trace and a width, never while one scrolls. Pure: the canvas is the widget's.
import { FAILED, type Trace } from "./trace";
import { endOf } from "./trace";
import type { Window } from "./timeline";

export const MOST_LANES = 12;

export interface Overview {
  readonly lanes: number;
  /** Four numbers each: lane, left and right in pixels, and the index of the kind, or ERROR_CODE. */
  readonly boxes: Int32Array;
}

export const ERROR_CODE = 255;

export function overviewOf(trace: Trace, whole: Window, widthPx: number, now: number): Overview {
  const width = Math.max(1, Math.floor(widthPx));
  const level = levels(trace);
  let deepest = 0;
  for (const depth of level) if (depth > deepest) deepest = depth;
  const lanes = Math.min(MOST_LANES, deepest + 1);
  const lane = (depth: number): number => (deepest < MOST_LANES ? depth : Math.floor((depth * lanes) / (deepest + 1)));
  const pixels = new Uint8Array(lanes * width);
  const scale = width / (whole.to - whole.from);
  const paint = (place: number, code: number): void => {
    const node = trace.node[place]!;
    const left = Math.max(0, Math.min(width - 1, Math.floor((trace.start[node]! - whole.from) * scale)));
    const right = Math.max(left + 1, Math.min(width, Math.round((endOf(trace, place, now) - whole.from) * scale)));
    const row = lane(level[place]!) * width;
    if (right - left === 1) pixels[row + left] = code;
    else pixels.fill(code, row + left, row + right);
  };
  for (let place = 0; place < trace.places; place += 1) {
    const node = trace.node[place]!;
    if (node >= 0 && !(trace.flags[node]! & FAILED)) paint(place, Math.min(254, trace.kind[node]! + 1));
  }
  // errors last: they are what one looks for, and a pixel has room for one
  for (const place of trace.errors) paint(place, ERROR_CODE);
  return { lanes, boxes: boxesOf(pixels, lanes, width) };
}

/** How deep each place is among spans; groups are no level of their own. */
function levels(trace: Trace): Int32Array {
  const level = new Int32Array(trace.places);
  for (let place = 0; place < trace.places; place += 1) {
    const above = trace.up[place]!;
    level[place] = above < 0 ? 0 : level[above]! + (trace.node[above]! < 0 ? 0 : 1);
  }
  return level;
}

function boxesOf(pixels: Uint8Array, lanes: number, width: number): Int32Array {
  const boxes: number[] = [];
  for (let lane = 0; lane < lanes; lane += 1) {
    const row = lane * width;
    for (let x = 0; x < width;) {
      const code = pixels[row + x]!;
      const left = x;
      while (x < width && pixels[row + x] === code) x += 1;
      if (code !== 0) boxes.push(lane, left, x, code === ERROR_CODE ? ERROR_CODE : code - 1);
    }
  }
  return Int32Array.from(boxes);
}
