// What is painted on a canvas has to be painted again when the theme changes, by the system or by choice.
import { useEffect, useState } from "preact/hooks";

/** A number that changes when the theme does. */
export function useLook(): number {
  const [look, setLook] = useState(0);
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
  return look;
}
