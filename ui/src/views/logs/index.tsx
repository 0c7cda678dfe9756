// Not built yet.
import type { VNode } from "preact";

export function Logs(): VNode {
  return <p class="waiting">This page is being built.</p>;
}
