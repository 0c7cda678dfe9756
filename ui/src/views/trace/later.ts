// Changes of the address that follow what the hand does: a held key or a wheel moves the page at once, the address a
// moment after, since browsers stop a page that writes it some hundred times in a few seconds.
import { useEffect, useRef } from "preact/hooks";
import { place, setParams } from "../../url";

type Change = Readonly<Record<string, string | null>>;

const QUIET_MS = 140;
/** After so long without a change the next one is written as soon as the page has been drawn. */
const IDLE_MS = 300;

export interface Later {
  write(change: Change): void;
  /**
   * Whether a value of the address is one that was written here, and not one that came by a link or by the way back.
   * Ask once for each change: what was asked is known from then on.
   */
  own(name: string, value: string | undefined): boolean;
}

export function useLater(id: string): Later {
  const kept = useRef({ waiting: {} as Record<string, string | null>, sent: {} as Record<string, string>, last: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    kept.current = { waiting: {}, sent: {}, last: 0 };
    return () => clearTimeout(timer.current);
  }, [id]);
  return {
    write(change) {
      const now = kept.current;
      Object.assign(now.waiting, change);
      clearTimeout(timer.current);
      const quiet = performance.now() - now.last > IDLE_MS ? 0 : QUIET_MS;
      now.last = performance.now();
      timer.current = setTimeout(() => {
        const told = now.waiting;
        now.waiting = {};
        if (place.peek().id !== id) return;
        for (const [name, value] of Object.entries(told)) now.sent[name] = value ?? "";
        setParams(told, "replace");
      }, quiet);
    },
    own(name, value) {
      const told = value ?? "";
      const { sent } = kept.current;
      const own = sent[name] === told;
      sent[name] = told;
      return own;
    },
  };
}
