// One span beside the waterfall: what it is and cost, and tabs with what was said, all of it raw, its attributes,
// events and scores. The tab stands in the address and is remembered for each kind of span.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { getHref, useAnswer } from "../../api/client";
import type { SpanDetail } from "../../api/types";
import { useKeys } from "../../keys";
import { recall, remember } from "../../memory";
import { spanJson } from "../../model/copy";
import { JsonView } from "../../renderers/JsonView";
import { place, setParams } from "../../url";
import { copyText, Failure, toast } from "../../widgets/parts";
import { Tabs } from "../../widgets/Tabs";
import { DetailAttributes } from "./DetailAttributes";
import { DetailChat } from "./DetailChat";
import { DetailEvents, eventCount } from "./DetailEvents";
import { DetailHead } from "./DetailHead";
import { DetailScores, scoresOf } from "./DetailScores";
import "./detail.css";

const TABS = ["chat", "raw", "attributes", "events", "scores"] as const;
type TabName = (typeof TABS)[number];

const isTab = (name: string | null | undefined): name is TabName => TABS.includes(name as TabName);
const tabOf = (kind: string): TabName => {
  const kept = recall(`tab.${kind}`);
  return isTab(kept) ? kept : "chat";
};

/** How long the old span stays, dimmed, while the new one is on its way. */
const DIM_MS = 100;
const OPEN_MS = 2_500;
/** Choices closer together than this are a run. */
const RUN_MS = 180;
const CALM_MS = 80;

export function Detail({ traceId, spanId, kind = "span" }: { traceId: string; spanId: string; kind?: string }): VNode {
  const [everyMs, setEveryMs] = useState<number | undefined>(undefined);
  const answer = useAnswer(
    "/api/spans/{trace_id}/{span_id}",
    {},
    { pathParams: useCalm(traceId, spanId), keep: true, ...(everyMs ? { everyMs } : {}) },
  );
  const { data, error } = answer;
  const old = data !== undefined && (data.span.span_id !== spanId || data.span.trace_id !== traceId);
  const late = useLate(`${traceId} ${spanId}`);
  const open = data !== undefined && !old && data.span.end_ns === null;
  useEffect(() => setEveryMs(open ? OPEN_MS : undefined), [open]);
  if (error !== undefined && (data === undefined || old)) return <Failure error={error} onRetry={answer.reload} />;
  if (data === undefined || (old && late)) return <Bones />;
  return (
    <Shown
      key={`${data.span.trace_id} ${data.span.span_id}`}
      detail={data}
      dim={old}
      kind={old ? data.span.kind : kind}
      reload={answer.reload}
    />
  );
}

function Shown(props: { detail: SpanDetail; dim: boolean; kind: string; reload(): void }): VNode {
  const { detail: told, dim } = props;
  const [whole, setWhole] = useState<Readonly<Record<string, unknown>>>({});
  const detail = Object.keys(whole).length === 0 ? told : withWhole(told, whole);
  const { kind } = detail.span;
  const asked = place.value.params["tab"];
  const [kept] = useState(() => tabOf(kind));
  const tab = isTab(asked) ? asked : kept;
  const [wantsForm, setWantsForm] = useState(0);
  const choose = (name: string): void => {
    remember(`tab.${kind}`, name);
    setParams({ tab: name }, "replace");
  };
  const move = (by: number): void => choose(TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length] ?? "chat");
  useKeys("detail", {
    nextTab: () => move(1),
    previousTab: () => move(-1),
    annotate: () => {
      choose("scores");
      setWantsForm((n) => n + 1);
    },
    copy: () => void copyText(spanJson(detail), "span copied as JSON"),
  });
  const load = async (field: string): Promise<void> => {
    const cut = told.cut.find((one) => one.field === field);
    if (cut === undefined) return;
    try {
      const value = await getHref(cut.href);
      // reading megabytes and drawing them are two tasks, so that a key pressed between them is not held up by both
      await new Promise((done) => setTimeout(done));
      setWhole((now) => ({ ...now, [field]: value }));
    } catch (failure) {
      toast((failure as { message?: string }).message ?? String(failure));
    }
  };
  const events = eventCount(detail);
  const scores = scoresOf(detail).length;
  return (
    <section class={`detail${dim ? " dim" : ""}`} aria-label={`span ${detail.span.name}`} aria-busy={dim}>
      <DetailHead detail={detail} />
      <Tabs
        label="what is shown of the span"
        panel="detail-panel"
        chosen={tab}
        onChoose={choose}
        tabs={[
          { id: "chat", label: "Chat" },
          { id: "raw", label: "Raw" },
          { id: "attributes", label: "Attributes" },
          { id: "events", label: "Events", ...(events > 0 ? { count: events } : {}) },
          { id: "scores", label: "Scores", ...(scores > 0 ? { count: scores } : {}) },
        ]}
      />
      <div id="detail-panel" class="detail-body" role="tabpanel" aria-label={tab} tabIndex={0}>
        {tab === "chat" && <DetailChat detail={detail} load={load} />}
        {tab === "raw" && <JsonView value={detail} label="span" tallest={34} />}
        {tab === "attributes" && <DetailAttributes detail={detail} load={load} />}
        {tab === "events" && <DetailEvents detail={detail} load={load} />}
        {tab === "scores" && <DetailScores detail={detail} wantsForm={wantsForm} reload={props.reload} />}
      </div>
    </section>
  );
}

/** The detail with fields that were cut in full, as they were fetched. */
function withWhole(detail: SpanDetail, whole: Readonly<Record<string, unknown>>): SpanDetail {
  let { attributes, messages, events, links } = detail;
  for (const [field, value] of Object.entries(whole)) {
    const at = field.indexOf(".");
    const [group, name] = at < 0 ? [field, ""] : [field.slice(0, at), field.slice(at + 1)];
    if (group === "attributes") attributes = { ...attributes, [name]: value };
    else if (group === "messages" && Array.isArray(value)) messages = { ...messages, [name]: value };
    else if (group === "events" && Array.isArray(value)) events = value as SpanDetail["events"];
    else if (group === "links" && Array.isArray(value)) links = value as SpanDetail["links"];
  }
  const cut = detail.cut.filter((one) => !Object.hasOwn(whole, one.field));
  return { ...detail, attributes, messages, events, links, cut };
}

/**
 * The span to ask for: at once when one is chosen, and the last one when a held key runs through many. Else each would
 * be asked of the server and given up again, thirty times a second.
 */
function useCalm(traceId: string, spanId: string): { trace_id: string; span_id: string } {
  const [calm, setCalm] = useState({ trace_id: traceId, span_id: spanId });
  const changedMs = useRef(-RUN_MS);
  useEffect(() => {
    const nowMs = performance.now();
    const runs = nowMs - changedMs.current < RUN_MS;
    changedMs.current = nowMs;
    const settle = (): void => setCalm({ trace_id: traceId, span_id: spanId });
    if (!runs) return settle();
    const timer = setTimeout(settle, CALM_MS);
    return () => clearTimeout(timer);
  }, [traceId, spanId]);
  return calm;
}

/** Whether DIM_MS have passed since the key last changed. */
function useLate(key: string): boolean {
  const [passed, setPassed] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setPassed(key), DIM_MS);
    return () => clearTimeout(timer);
  }, [key]);
  return passed === key;
}

function Bones(): VNode {
  return (
    <div class="bones" role="status" aria-label="reading the span">
      {[55, 80, 100, 92, 60, 96, 70].map((width, at) => (
        <span key={at} style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
