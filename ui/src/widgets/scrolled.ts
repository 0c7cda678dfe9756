// Which rows of a tall list are on screen, and where they stand. Very tall lists are scaled: browsers lose count above
// some millions of pixels. Pure.

const MOST_PX = 12_000_000;

export interface Scrolled {
  /** Height of the element that scrolls, in pixels. */
  readonly sizerPx: number;
  /** Pixels of the list for one of the scroll bar. */
  readonly scale: number;
  /** Where the screen begins, in pixels of the list. */
  readonly at: number;
  /** The rows to draw, those on screen and some beside them: from `first` to before `last`. */
  readonly first: number;
  readonly last: number;
  /** Where the first of them stands in the sizer. */
  readonly offsetPx: number;
}

export function scrolled(count: number, rowPx: number, top: number, height: number, spare: number): Scrolled {
  const total = count * rowPx;
  const sizerPx = Math.min(total, MOST_PX);
  const scale = total > height && sizerPx > height ? (total - height) / (sizerPx - height) : 1;
  const at = Math.max(0, Math.min(top * scale, total - height));
  const first = Math.max(0, Math.floor(at / rowPx) - spare);
  const last = Math.min(count, Math.ceil((at + height) / rowPx) + spare);
  return { sizerPx, scale, at, first, last, offsetPx: first * rowPx - at + at / scale };
}
