// A dialog above the page, by the browser's own <dialog>: focus stays inside, Esc closes, focus goes back.
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose(): void;
  children: ComponentChildren;
}): VNode {
  const own = useRef<HTMLDialogElement>(null);
  // before anything is painted: letters typed right after the key that opens it belong into it
  useLayoutEffect(() => {
    const element = own.current;
    if (element && !element.open) element.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={own}
      aria-label={title}
      onClose={onClose}
      onKeyDown={(event) => event.stopPropagation()}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      <div class="dialog-head">
        <h2>{title}</h2>
        <span class="spread" />
        <button type="button" class="icon-button" aria-label="close" onClick={onClose}>
          ✕
        </button>
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}
