// A row of little bars: how something went, without an axis.
import type { VNode } from "preact";
import { count } from "../model/format";
import "./chart.css";

const WIDTH = 110;
const HEIGHT = 18;

export function Sparkline({ values, label }: { values: readonly number[]; label: string }): VNode {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length);
  const path = values
    .map((value, at) => {
      if (value <= 0) return "";
      const tall = Math.max(1.5, (value / most) * HEIGHT);
      return `M${(at * step).toFixed(1)} ${HEIGHT}V${(HEIGHT - tall).toFixed(1)}h${(step - 1).toFixed(1)}V${HEIGHT}Z`;
    })
    .join("");
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={`${label}: at most ${count(most)}`}
    >
      <path d={path} />
    </svg>
  );
}
