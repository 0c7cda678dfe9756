// Work is measured against other work of the same run: a machine that is slow or busy is so for both.

/** How many times longer one piece of work takes than another, the best of three each; at least a millisecond counts. */
export function timesLonger(work: () => void, floor: () => void): number {
  const best = (one: () => void): number =>
    Math.min(
      ...Array.from({ length: 3 }, () => {
        const from = performance.now();
        one();
        return performance.now() - from;
      }),
    );
  return best(work) / Math.max(1, best(floor));
}
