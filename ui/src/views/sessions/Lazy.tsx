// Something of unknown height that is made of elements only while it is near the screen; else its height stays.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export function Lazy(props: { estimate: number; children(): ComponentChildren; class?: string; id?: string }): VNode {
  const own = useRef<HTMLDivElement>(null);
  const height = useRef(props.estimate);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = own.current;
    if (element === null) return;
    const observer = new IntersectionObserver(
      (seen) => {
        const now = seen.at(-1)?.isIntersecting === true;
        if (!now && element.childElementCount > 0) height.current = element.offsetHeight;
        setNear(now);
      },
      { rootMargin: "700px 0px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={own}
      id={props.id}
      class={props.class}
      style={near ? { minHeight: "0" } : { minHeight: `${height.current}px` }}
    >
      {near && props.children()}
    </div>
  );
}
