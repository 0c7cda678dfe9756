// Markdown drawn from our own tree: elements and text nodes, never HTML. Links open elsewhere without telling from
// where; pictures of other places are named and not loaded.
import type { ComponentChildren, VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Block, type Inline, readMarkdown } from "../model/markdown";
import { copyText } from "../widgets/parts";
import { Code } from "./Code";
import "./renderers.css";

/** Blocks, table cells and list items shown at first. */
const PORTION = 60;

export function Markdown({ text }: { text: string }): VNode {
  const blocks = useMemo(() => readMarkdown(text), [text]);
  const [portion, setPortion] = useState(PORTION);
  const shown = useMemo(() => headOfBlocks(blocks, portion), [blocks, portion]);
  return (
    <div class="md">
      {shown.map(drawBlock)}
      {shown.length < blocks.length && (
        <div>
          <button type="button" class="link more" onClick={() => setPortion(portion * 4)}>
            show more of it
          </button>
        </div>
      )}
    </div>
  );
}

/** As many blocks as have a number of parts in all; at least one. */
function headOfBlocks(blocks: readonly Block[], portion: number): readonly Block[] {
  let left = portion;
  for (let at = 0; at < blocks.length; at += 1) {
    left -= weightOf(blocks[at] as Block);
    if (left < 0 && at > 0) return blocks.slice(0, at);
  }
  return blocks;
}

function weightOf(block: Block): number {
  switch (block.type) {
    case "table":
      return Math.min(120, block.rows.length * block.head.length);
    case "list":
      return block.items.reduce((sum, item) => sum + 1 + item.blocks.reduce((all, one) => all + weightOf(one), 0), 0);
    case "quote":
      return block.blocks.reduce((sum, one) => sum + weightOf(one), 1);
    case "paragraph":
    case "heading":
      return 1 + Math.floor(block.inner.length / 4);
    default:
      return 1;
  }
}

function drawBlock(block: Block, at: number): VNode {
  switch (block.type) {
    case "paragraph":
      return <p key={at}>{block.inner.map(drawInline)}</p>;
    case "heading":
      // headings of an answer are no headings of the page, whose order they would break
      return (
        <p key={at} class={`h h${block.depth}`}>
          {block.inner.map(drawInline)}
        </p>
      );
    case "code":
      return <Code key={at} text={block.text} language={block.language} />;
    case "quote":
      return <blockquote key={at}>{block.blocks.map(drawBlock)}</blockquote>;
    case "rule":
      return <hr key={at} />;
    case "list":
      return <List key={at} block={block} />;
    case "table":
      return <Table key={at} block={block} />;
  }
}

function List({ block }: { block: Extract<Block, { type: "list" }> }): VNode {
  const [all, setAll] = useState(false);
  const shown = all ? block.items : block.items.slice(0, 60);
  const items = shown.map((item, at) => (
    <li key={at} class={item.done === null ? undefined : "task"}>
      <div class="item">
        {item.done !== null && <span class="sr-only">{item.done ? "done" : "open"}</span>}
        {item.blocks.map((inner, place) =>
          place === 0 && item.done !== null ? (
            <div key={place}>
              <span aria-hidden="true">{item.done ? "☑ " : "☐ "}</span>
              {inner.type === "paragraph" ? inner.inner.map(drawInline) : drawBlock(inner, 0)}
            </div>
          ) : (
            drawBlock(inner, place)
          ),
        )}
      </div>
    </li>
  ));
  if (shown.length < block.items.length) {
    items.push(
      <li key="more">
        <button type="button" class="link more" onClick={() => setAll(true)}>
          show all {block.items.length} items
        </button>
      </li>,
    );
  }
  return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ block }: { block: Extract<Block, { type: "table" }> }): VNode {
  const [all, setAll] = useState(false);
  const rows = all ? block.rows : block.rows.slice(0, Math.max(4, Math.floor(120 / Math.max(1, block.head.length))));
  const side = (at: number): string | undefined => {
    const told = block.align[at];
    return told === "right" || told === "center" ? told : undefined;
  };
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="table">
      <table>
        <thead>
          <tr>
            {block.head.map((cell, at) => (
              <th key={at} class={side(at)} scope="col">
                {cell.map(drawInline)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, place) => (
            <tr key={place}>
              {row.map((cell, at) => (
                <td key={at} class={side(at)}>
                  {cell.map(drawInline)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length < block.rows.length && (
        <button type="button" class="link more" onClick={() => setAll(true)}>
          show all {block.rows.length} rows
        </button>
      )}
    </div>
  );
}

function drawInline(inline: Inline, at: number): ComponentChildren {
  switch (inline.type) {
    case "text":
      return inline.text;
    case "code":
      return <code key={at}>{inline.text}</code>;
    case "strong":
      return <strong key={at}>{inline.inner.map(drawInline)}</strong>;
    case "em":
      return <em key={at}>{inline.inner.map(drawInline)}</em>;
    case "del":
      return <del key={at}>{inline.inner.map(drawInline)}</del>;
    case "break":
      return <br key={at} />;
    case "link":
      return inline.href === null ? (
        <span key={at} title={`no link that is followed: ${inline.told.slice(0, 200)}`}>
          {inline.inner.map(drawInline)}
        </span>
      ) : (
        <a key={at} href={inline.href} target="_blank" rel="noopener noreferrer nofollow" title={inline.href}>
          {inline.inner.map(drawInline)}
        </a>
      );
    case "image":
      return <Outside key={at} address={inline.address} alt={inline.alt} />;
  }
}

/** A picture somewhere else: loading it would tell that place who reads this, and when. So it is named. */
export function Outside({ address, alt, what = "picture" }: { address: string; alt: string; what?: string }): VNode {
  const short = address.length > 80 ? `${address.slice(0, 79)}…` : address;
  return (
    <button
      type="button"
      class="bare outside"
      title={`not loaded: ${address.slice(0, 500)}\nclick to copy the address`}
      onClick={() => void copyText(address, "address copied")}
    >
      {what} {alt !== "" && `“${alt.slice(0, 100)}” `}at {short}
    </button>
  );
}
