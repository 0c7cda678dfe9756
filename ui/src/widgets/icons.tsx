// The page's pictures, each drawn in a square of 16 with lines of one width. Words always stand beside or behind them.
import type { VNode } from "preact";

const PATHS = {
  traces: "M2 3.5h12M4 8h8M6.5 12.5h6",
  sessions: "M2.5 3h11v7.5h-6L4.5 13v-2.5h-2z",
  logs: "M3 2.5h10v11H3zM5.5 5.5h5M5.5 8h5M5.5 10.5h3",
  dash: "M2.5 13.5v-5M6.5 13.5v-10M10.5 13.5v-7M14 13.5H2",
  errors: "M8 2l6.3 11.5H1.7zM8 6.5v3M8 11.5v.2",
  scores: "M8 2l1.9 3.9 4.3.6-3.1 3 .7 4.2L8 11.7l-3.8 2 .7-4.2-3.1-3 4.3-.6z",
  settings: "M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.8v3.4M5 9.8v3.4",
  theme: "M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2v11.6",
  keys: "M2 4.5h12v7H2zM4.5 7h.2M7 7h.2M9.5 7h.2M12 7h-.2M5 9.5h6",
  out: "M6.5 2.5h-4v11h4M6.5 8h7M11 5.5L13.5 8 11 10.5",
  fold: "M10 3.5L5.5 8l4.5 4.5",
  facets: "M2.5 3h11v10h-11zM6.5 3v10M4 5.500h1M4 8h1M4 10.500h1",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM10.200 10.200l3.300 3.300",
  docs: "M3 3.5c2-1 3.5-1 5 0v9.5c-1.500-1-3-1-5 0zM13 3.5c-2-1-3.500-1-5 0v9.500c1.500-1 3-1 5 0z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
