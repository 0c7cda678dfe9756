// Two traces side by side: which they are, their sums, one tree of both, and what was said in a pair of spans. The
// address holds the traces, the pair that is open, and whether only differences are shown.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { type Answer, useAnswer } from "../../api/client";
import type { Columns } from "../../api/types";
import { useKeys } from "../../keys";
import { align, totalsOf } from "../../model/align";
import { place } from "../../url";
import { Empty, Failure, Waiting } from "../../widgets/parts";
import { Splitter } from "../../widgets/Splitter";
import { Chooser } from "./chooser";
import { Head } from "./head";
import { PairDetail } from "./pair";
import { Rows } from "./rows";
import { nameOf, swap } from "./sides";
import "./compare.css";

const ID = /^[0-9a-f]{32}$/i;

export function Compare(): VNode {
  const { a = "", b = "" } = place.value.params;
  const one = useSide(a);
  const two = useSide(b);
  useKeys("compare", { swap: () => swap() });
  if (one.data && two.data) return <Both a={one.data} b={two.data} />;
  return (
    <div class="compare-choose">
      <h1>Compare two traces</h1>
      <p class="muted">
        Spans are paired by kind and name, level by level; what one side has alone, what took longer and what was said
        differently shows at once. In the list of traces <kbd>x</kbd> selects, <kbd>c</kbd> compares the two.
      </p>
      <Side name="a" id={a} told={one} other={two.data} />
      <Side name="b" id={b} told={two} other={one.data} />
    </div>
  );
}

function useSide(id: string): Answer<Columns> {
  const pathParams = { trace_id: id.toLowerCase() };
  return useAnswer(ID.test(id) ? "/api/traces/{trace_id}/skeleton" : null, {}, { pathParams });
}

/** One side while not both are there: which trace it is, why it is missing, another one. */
function Side(props: { name: "a" | "b"; id: string; told: Answer<Columns>; other: Columns | undefined }): VNode {
  const { name, id, told, other } = props;
  const side = name.toUpperCase();
  return (
    <section aria-label={`trace ${side}`}>
      <h2>
        <span class={`side side-${name}`}>{side}</span> {told.data ? nameOf(told.data) : ""}
      </h2>
      {id !== "" && !ID.test(id) && (
        <p class="error" role="alert">
          ✕ {id.slice(0, 80)} is no trace id; one has 32 digits and letters a to f
        </p>
      )}
      {told.error && (
        <Failure
          error={
            told.error.status === 404
              ? {
                  ...told.error,
                  message: `there is no trace ${id} in this project; it may be deleted, or of another project`,
                }
              : told.error
          }
          {...(told.error.status === 404 ? {} : { onRetry: told.reload })}
        />
      )}
      {told.loading && ID.test(id) && <Waiting what={`reading ${id}`} />}
      {told.data && <p class="mono muted">{id}</p>}
      <Chooser side={name} beside={other} />
    </section>
  );
}

function Both({ a, b }: { a: Columns; b: Columns }): VNode {
  const { sa = "", sb = "" } = place.value.params;
  const aligned = useMemo(() => align(a, b), [a, b]);
  const sums = useMemo(() => [totalsOf(a), totalsOf(b)] as const, [a, b]);
  const open = sa !== "" || sb !== "";
  const inA = useMemo(() => (sa === "" ? -1 : a.span_id.indexOf(sa)), [a, sa]);
  const inB = useMemo(() => (sb === "" ? -1 : b.span_id.indexOf(sb)), [b, sb]);
  const rows = <Rows a={a} b={b} aligned={aligned} inA={inA} inB={inB} open={open} />;
  return (
    <div class="compare">
      <Head a={a} b={b} sums={sums} />
      {a.count === 0 && b.count === 0 ? (
        <Empty title="Neither trace has spans" small />
      ) : open ? (
        <Splitter
          name="compare"
          share={0.54}
          left={rows}
          right={<PairDetail key={`${sa} ${sb}`} a={a} b={b} inA={inA} inB={inB} sa={sa} sb={sb} />}
        />
      ) : (
        rows
      )}
    </div>
  );
}
