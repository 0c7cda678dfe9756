// Sends spans by the exporter that argv names ("http" or "proto"), and prints what it sent as one JSON object a line.
import { context, trace, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [form, url, compression, count] = process.argv.slice(2);
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${form}`);
const exporter = new OTLPTraceExporter({ url: `${url}/v1/traces`, compression });
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "js shop", cores: [1, 2] }),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 10_000, scheduledDelayMillis: 50 })],
});
const tracer = provider.getTracer("js scope", "3.1");
const told = [];
const ns = ([s, n]) => (BigInt(s) * 1_000_000_000n + BigInt(n)).toString();

for (let number = 0; number < Number(count); number++) {
  const root = tracer.startSpan(`root ${number}`, { kind: SpanKind.SERVER, attributes: { number, share: 0.25, ok: true } });
  const inside = trace.setSpan(context.active(), root);
  const inner = tracer.startSpan("chat m", {
    kind: SpanKind.CLIENT,
    attributes: { "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", text: "grüße 🎉", list: ["a", "b"] },
    links: [{ context: root.spanContext(), attributes: { why: "batch" } }],
  }, inside);
  inner.addEvent("happened", { at: 1.5 });
  inner.setStatus({ code: SpanStatusCode.ERROR, message: "no answer" });
  inner.end();
  root.end();
  told.push(root, inner);
}
await provider.forceFlush();
await provider.shutdown();
for (const span of told) {
  console.log(JSON.stringify({
    trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId,
    parent_id: span.parentSpanContext?.spanId ?? null, name: span.name, attributes: span.attributes,
    start_ns: ns(span.startTime), end_ns: ns(span.endTime),
    events: span.events.map((one) => ({ name: one.name, time_ns: ns(one.time), attributes: one.attributes })),
    links: span.links.map((one) => ({ span_id: one.context.spanId, attributes: one.attributes })),
    status: SpanStatusCode[span.status.code], message: span.status.message ?? "", kind: SpanKind[span.kind],
  }));
}
