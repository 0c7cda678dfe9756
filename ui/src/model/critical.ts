// The critical path of a trace: walking back from the end, always along the child that finished last. To make the whole
// quicker, one of these stretches has to become shorter. The way is the one Jaeger and Grafana show.
import { childrenOf, type Tree } from "./trace";

/** Position -> stretches of its own time on the path, in microseconds from the start of the trace. */
export type Critical = ReadonlyMap<number, readonly (readonly [number, number])[]>;

/** From the root that ends last. */
export function criticalPath(tree: Tree): Critical {
  const found = new Map<number, (readonly [number, number])[]>();
  let root = -1;
  for (let at = 0; at < tree.count; at = tree.end[at]!) if (root < 0 || tree.to[at]! > tree.to[root]!) root = at;
  if (root < 0) return found;
  const note = (at: number, from: number, to: number): void => {
    if (to <= from) return;
    const parts = found.get(at);
    if (parts) parts.push([from, to]);
    else found.set(at, [[from, to]]);
  };
  const stack: { at: number; end: number }[] = [{ at: root, end: tree.to[root]! }];
  for (let one = stack.pop(); one; one = stack.pop()) {
    const { at } = one;
    let cursor = one.end;
    const byEnd = childrenOf(tree, at).sort((a, b) => tree.to[b]! - tree.to[a]!);
    for (const child of byEnd) {
      // a child may outlive its parent; what it does then holds nobody up
      const end = Math.min(tree.to[child]!, tree.to[at]!);
      const start = Math.max(tree.from[child]!, tree.from[at]!);
      if (end > cursor || start >= cursor || end <= start) continue;
      note(at, end, cursor);
      stack.push({ at: child, end });
      cursor = start;
    }
    note(at, tree.from[at]!, cursor);
    if (!found.has(at)) found.set(at, []); // on the way, with no time of its own
  }
  return found;
}
