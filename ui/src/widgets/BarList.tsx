// The largest of something as bars behind their names, each a link.
import type { VNode } from "preact";
import "./chart.css";

export interface BarRow {
  label: string;
  value: number;
  told: string;
  href: string;
}

export function BarList(props: {
  title: string;
  rows: readonly BarRow[];
  nothing: string;
  /** What is left out, beside the title. */
  note?: string;
}): VNode {
  const { title, rows, nothing, note } = props;
  const most = rows.reduce((max, row) => Math.max(max, row.value), 0);
  return (
    <section class="bar-panel">
      <h2>
        {title} {note && <small class="muted">{note}</small>}
      </h2>
      {rows.length === 0 && <p class="muted">{nothing}</p>}
      <ul class="bar-list">
        {rows.map((row) => (
          <li key={row.label}>
            <a href={row.href}>
              <span class="length" style={{ width: `${most > 0 ? (row.value / most) * 100 : 0}%` }} />
              <span class="one-line" title={row.label}>
                {row.label}
              </span>
              <span class="spread" />
              <span class="num">{row.told}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
