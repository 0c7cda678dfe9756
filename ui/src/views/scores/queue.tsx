// Not built yet.
import type { VNode } from "preact";

export function Queue(): VNode {
  return <p class="waiting">This page is being built.</p>;
}
