// Attributes in groups. A click on a value finds spans that have it too, Alt-click those that have not; long and
// structured values open below their line.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { CutField, SpanDetail } from "../../api/types";
import { type Attribute, attributeTerm, groupAttributes } from "../../model/attributes";
import { bytes, count } from "../../model/format";
import { jsonText, oneLine, unwrapped } from "../../model/json";
import { append } from "../../model/query";
import { Value } from "../../renderers/Value";
import { go, link, place } from "../../url";
import { Copy } from "../../widgets/parts";

const PORTION = 90;
const SHORT = 160;

export function DetailAttributes({ detail, load }: { detail: SpanDetail; load(field: string): Promise<void> }): VNode {
  const [wanted, setWanted] = useState("");
  const [portion, setPortion] = useState(PORTION);
  const groups = useMemo(() => {
    const scope = { name: detail.scope_name, version: detail.scope_version, trace_state: detail.trace_state };
    const own = groupAttributes(detail.attributes, detail.resource, scope);
    const ids = {
      trace_id: detail.span.trace_id,
      span_id: detail.span.span_id,
      parent_id: detail.span.parent_id ?? "",
    };
    const rows = Object.entries(ids).filter(([, value]) => value !== "");
    return [...own, { name: "ids", rows: rows.map(([key, value]): Attribute => ({ key, value, field: "" })) }];
  }, [detail]);
  const text = wanted.trim().toLowerCase();
  const cuts = new Map(detail.cut.map((cut) => [cut.field, cut]));
  let left = portion;
  const all = groups.reduce((sum, group) => sum + group.rows.length, 0);
  const shown = groups.map((group) => {
    const rows = group.rows.filter((row) => text === "" || matches(row, text)).slice(0, Math.max(0, left));
    left -= rows.length;
    return { ...group, rows };
  });
  return (
    <>
      <div class="attributes-bar">
        {all > 15 && (
          <input
            class="input"
            type="search"
            placeholder={`find in ${count(all)} attributes`}
            aria-label="find in the attributes"
            value={wanted}
            onInput={(event) => setWanted(event.currentTarget.value)}
          />
        )}
        <span class="muted">a click on a value finds spans that have it, Alt-click those without</span>
      </div>
      {shown.map(
        (group) =>
          group.rows.length > 0 && (
            <div key={group.name} class="part-of">
              <h3>{group.name}</h3>
              {group.rows.map((row) => (
                <Row
                  key={row.key}
                  row={row}
                  name={row.key.startsWith(`${group.name}.`) ? row.key.slice(group.name.length + 1) : row.key}
                  cut={cuts.get(`attributes.${row.key}`)}
                  load={load}
                />
              ))}
            </div>
          ),
      )}
      {left <= 0 && all > portion && (
        <button type="button" class="link more" onClick={() => setPortion(portion + 4 * PORTION)}>
          show more of {count(all)} attributes
        </button>
      )}
      {text !== "" && shown.every((group) => group.rows.length === 0) && <p class="muted">nothing holds “{wanted}”</p>}
      {detail.links.length > 0 && (
        <div class="part-of">
          <h3>links</h3>
          {detail.links.slice(0, 50).map((one, at) => (
            <div key={at} class="attr-row">
              <a class="mono" href={link({ view: "trace", id: one.trace_id, params: { span: one.span_id } })}>
                {one.span_id}
              </a>
              <span class="attr-value mono">
                in {one.trace_id} {Object.keys(one.attributes).length > 0 && oneLine(one.attributes)}
              </span>
              <span />
            </div>
          ))}
        </div>
      )}
    </>
  );
}

function matches(row: Attribute, text: string): boolean {
  if (row.key.toLowerCase().includes(text)) return true;
  const told = typeof row.value === "string" ? row.value : oneLine(row.value, 2_000);
  return told.slice(0, 20_000).toLowerCase().includes(text);
}

function Row(props: {
  row: Attribute;
  name: string;
  cut: CutField | undefined;
  load(field: string): Promise<void>;
}): VNode {
  const { row, cut } = props;
  const [open, setOpen] = useState(false);
  const term = attributeTerm(row);
  const held = typeof row.value === "string" && row.value.length > 20_000 ? row.value : unwrapped(row.value);
  const structured = typeof held === "object" && held !== null;
  const text = structured ? oneLine(held, SHORT) : String(row.value);
  const long = structured || text.length > SHORT || text.includes("\n");
  const list = (not: boolean): string => {
    const now = place.value.params;
    const q = append(now["q"] ?? "", `${not ? "-" : ""}${term ?? ""}`);
    return link({ view: "traces", params: { q, of: "spans" }, keep: ["t", "order"] });
  };
  return (
    <div class="attr-row">
      <span class="key" title={row.key}>
        {props.name}
      </span>
      {long ? (
        <button type="button" class="opener" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span class="sr-only">{row.key}</span>
          <span class="sign" aria-hidden="true">
            {open ? "▾" : "▸"}
          </span>
          <span class="one-line mono">{open ? "fold" : text.slice(0, SHORT).replaceAll(/\s+/g, " ")}</span>
        </button>
      ) : term === null ? (
        <span class="attr-value mono">{text === "" ? "(empty)" : text}</span>
      ) : (
        <a
          class="attr-value mono"
          href={list(false)}
          title={`${term}\nAlt-click: -${term}`}
          onClick={(event) => {
            if (!event.altKey) return;
            event.preventDefault();
            go(list(true));
          }}
        >
          {text}
        </a>
      )}
      <Copy text={() => (typeof row.value === "string" ? row.value : jsonText(row.value))} label={`copy ${row.key}`} />
      {cut !== undefined && (
        <span class="whole muted">
          cut at 256 kB of {bytes(cut.size_bytes)}{" "}
          <button type="button" class="link" onClick={() => void props.load(cut.field)}>
            read all of it
          </button>
        </span>
      )}
      {open && (
        <div class="whole">
          <Value value={row.value} label={row.key} />
        </div>
      )}
    </div>
  );
}
