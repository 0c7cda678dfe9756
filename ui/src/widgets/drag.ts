// A drag across an axis of time: marks what it covers and tells its two ends as shares of the element's width.

const LEAST_PX = 4;

/** A click does nothing. Call it on pointerdown. */
export function dragAcross(
  event: PointerEvent & { currentTarget: HTMLElement },
  done: (from: number, to: number) => void,
): void {
  if (event.button !== 0) return;
  const element = event.currentTarget;
  const box = element.getBoundingClientRect();
  const first = Math.max(box.left, Math.min(box.right, event.clientX));
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
  const end = (): void => {
    element.removeEventListener("pointermove", move);
    mark.remove();
    if (Math.abs(last - first) < LEAST_PX) return;
    const share = (x: number): number => (x - box.left) / box.width;
    done(share(Math.min(first, last)), share(Math.max(first, last)));
  };
  element.addEventListener("pointermove", move);
  element.addEventListener("lostpointercapture", end, { once: true });
}
