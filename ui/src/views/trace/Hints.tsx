// The foot of a trace: the keys that one reaches for, from the one key map.
import type { VNode } from "preact";
import { type ActionId, KEYS, shown } from "../../keys";

const HINTS: readonly (readonly [string, ...ActionId[]])[] = [
  ["move", "down", "up"],
  ["fold", "fold", "unfold"],
  ["next error", "nextError"],
  ["next model call", "nextCall"],
  ["zoom to span", "zoom"],
  ["whole", "whole"],
  ["follow", "follow"],
  ["critical path", "critical"],
  ["find", "filter"],
  ["detail", "switchPane"],
  ["all keys", "sheet"],
];

export function Hints(): VNode {
  return (
    <footer class="foot trace-foot" aria-label="keys">
      {HINTS.map(([what, ...actions]) => (
        <span key={what}>
          {actions.map((action) => (
            <kbd key={action}>{shown(KEYS[action].keys[0])}</kbd>
          ))}{" "}
          {what}
        </span>
      ))}
    </footer>
  );
}
