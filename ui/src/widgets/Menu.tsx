// A button with a menu under it, by the browser's popover: a click beside it or Esc closes it, arrows move in it.
import type { ComponentChildren, VNode } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface Item {
  label: ComponentChildren;
  /** Shown at the right, such as a key. */
  hint?: string;
  act?(): void;
  href?: string;
  /** Of a choice: whether it is on. */
  on?: boolean;
}

export function Menu(props: {
  label: ComponentChildren;
  /** For screen readers where the label is a picture. */
  name?: string;
  items: readonly Item[];
  class?: string;
  children?: ComponentChildren;
}): VNode {
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const close = (): void => menu.current?.hidePopover?.();
  const placeIt = (): void => {
    const element = menu.current;
    const at = button.current?.getBoundingClientRect();
    if (!element || !at) return;
    const below = at.bottom + 4;
    const fits = below + element.offsetHeight <= innerHeight - 8;
    element.style.top = `${fits ? below : Math.max(8, at.top - 4 - element.offsetHeight)}px`;
    element.style.left = `${Math.max(8, Math.min(at.left, innerWidth - element.offsetWidth - 8))}px`;
  };
  // its width is known only once the items are there
  useLayoutEffect(() => {
    if (open) placeIt();
  }, [open]);
  const move = (by: number): void => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + by + items.length) % items.length]?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class={props.class ?? "button"}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={props.name}
        title={props.name}
        onClick={() => menu.current?.togglePopover?.()}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          event.stopPropagation();
          menu.current?.showPopover?.();
        }}
      >
        {props.label}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        class="menu"
        role="menu"
        aria-label={props.name ?? (typeof props.label === "string" ? props.label : "menu")}
        onToggle={(event) => {
          const opened = (event as unknown as { newState: string }).newState === "open";
          setOpen(opened);
          if (!opened) return;
          placeIt();
          const items = menu.current;
          (
            items?.querySelector<HTMLElement>("[aria-checked=true]") ??
            items?.querySelector<HTMLElement>("[role^=menuitem]")
          )?.focus();
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            move(event.key === "ArrowDown" ? 1 : -1);
          } else if (event.key === "Escape" || event.key === "Tab") {
            close();
            button.current?.focus();
          }
        }}
      >
        {open && (
          <>
            {props.items.map((item, at) => {
              const told = (
                <>
                  {item.on !== undefined && <span aria-hidden="true">{item.on ? "✓" : "\u2003"}</span>}
                  <span class="one-line">{item.label}</span>
                  <span class="spread" />
                  {item.hint && <span class="muted">{item.hint}</span>}
                </>
              );
              return item.href !== undefined ? (
                <a key={at} role="menuitem" href={item.href} tabIndex={-1} onClick={close}>
                  {told}
                </a>
              ) : (
                <button
                  key={at}
                  type="button"
                  role={item.on === undefined ? "menuitem" : "menuitemradio"}
                  aria-checked={item.on}
                  tabIndex={-1}
                  onClick={() => {
                    close();
                    item.act?.();
                  }}
                >
                  {told}
                </button>
              );
            })}
            {props.children}
          </>
        )}
      </div>
    </>
  );
}
