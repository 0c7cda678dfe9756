"""The exporters that others use, as clients: what an OpenTelemetry SDK sends through them is what is read back."""

import base64
import time

import grpc
import pytest
from opentelemetry import trace as api
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.common.http import Compression
from opentelemetry.exporter.otlp.json.http import _log_exporter as json_logs
from opentelemetry.exporter.otlp.json.http import metric_exporter as json_metrics
from opentelemetry.exporter.otlp.json.http import trace_exporter as json_traces
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from running import listening

from vestigo.query import Query

WAYS = [
    ("http", Compression.NONE), ("http", Compression.GZIP), ("http", Compression.DEFLATE),
    ("json", Compression.NONE), ("json", Compression.GZIP), ("json", Compression.DEFLATE),
    ("grpc", False), ("grpc", True),
]  # fmt: skip
KINDS = {
    "traces": {
        "http": http_traces.OTLPSpanExporter, "json": json_traces.OTLPSpanExporter,
        "grpc": grpc_traces.OTLPSpanExporter,
    },
    "logs": {"http": http_logs.OTLPLogExporter, "json": json_logs.OTLPLogExporter, "grpc": grpc_logs.OTLPLogExporter},
    "metrics": {
        "http": http_metrics.OTLPMetricExporter, "json": json_metrics.OTLPMetricExporter,
        "grpc": grpc_metrics.OTLPMetricExporter,
    },
}  # fmt: skip
RESOURCE = Resource(
    {"service.name": "shop", "host": {"cores": [1, 2], "gpu": None}, "deployment.environment.name": "test"}
)
VALUES = {
    "text": "grüße 🎉 \x00 end", "empty": "", "whole": 2**62 + 1, "negative": -(2**63), "share": 0.1, "switch": True,
    "texts": ["a", "b"], "numbers": [1, 2, 3], "bytes": b"\x00\xff\x80",
    "nested": {"list": [1, "two", {"three": [True, 0.5]}], "nothing": None, "empty": {}},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """(server, HTTP port, gRPC port)."""
    with listening(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{getattr(way[1], 'name', 'gzip' if way[1] else 'none')}")
def way(server, request):
    """(exporter of a signal, what is stored by it): each in a project of its own."""
    (kept, port, rpc), (form, compression) = server, request.param
    project = f"p{time.monotonic_ns()}"
    headers = {"x-vestigo-project": project}

    def exporter(signal, **more):
        make = KINDS[signal][form]
        if form == "grpc":
            packed = grpc.Compression.Gzip if compression else grpc.Compression.NoCompression
            return make(f"http://127.0.0.1:{rpc}", insecure=True, headers=headers, compression=packed, **more)
        return make(f"http://127.0.0.1:{port}/v1/{signal}", headers=headers, compression=compression, **more)

    return exporter, kept.storage, Query(project=project, limit=10_000)


def plain(value):
    """A value of the SDK as Vestigo keeps it."""
    match value:
        case bytes():
            return "base64:" + base64.b64encode(value).decode()
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case _ if hasattr(value, "items"):
            return {name: plain(one) for name, one in value.items()}
        case _:
            return value


def test_a_span_comes_back_as_it_was_made(way):
    """Ids, times, kind, status, attributes of all types, events, links, trace state, scope and resource."""
    exporter, storage, query = way
    told = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(told))
    provider.add_span_processor(SimpleSpanProcessor(exporter("traces")))
    tracer = provider.get_tracer("scope", "1.2", attributes={"scope.key": "v"})
    other = SpanContext(2**127 + 5, 2**63 + 7, True, TraceFlags(1), TraceState([("vendor", "x"), ("b", "2")]))
    parent = api.set_span_in_context(api.NonRecordingSpan(other))
    with tracer.start_as_current_span(
        "outer ü", parent, SpanKind.SERVER, VALUES, [Link(other, {"why": "batch"})]
    ) as outer:
        outer.add_event("happened", VALUES, timestamp=1_790_000_000_123_456_789)
        with pytest.raises(ZeroDivisionError), tracer.start_as_current_span("inner", kind=SpanKind.CLIENT):
            1 / 0  # the SDK records it
        outer.set_status(Status(StatusCode.OK))
    provider.shutdown()
    stored = {span.name: span for span in storage.find_spans(query)}
    assert set(stored) == {"outer ü", "inner"}
    for sent in told.get_finished_spans():
        found = stored[sent.name]
        assert (int(found.trace_id, 16), int(found.span_id, 16)) == (sent.context.trace_id, sent.context.span_id)
        assert int(found.parent_id, 16) == sent.parent.span_id
        assert (found.start_ns, found.end_ns) == (sent.start_time, sent.end_time)
        assert (found.kind, found.status) == (sent.kind.name, sent.status.status_code.name)
        assert found.status_message == (sent.status.description or "")
        assert found.attributes == plain(sent.attributes)
        assert [(one.time_ns, one.name, one.attributes) for one in found.events] == [
            (one.timestamp, one.name, plain(one.attributes)) for one in sent.events
        ]
        assert [(int(one.trace_id, 16), int(one.span_id, 16), one.attributes) for one in found.links] == [
            (one.context.trace_id, one.context.span_id, plain(one.attributes)) for one in sent.links
        ]
        assert found.trace_state == sent.context.trace_state.to_header()
        assert (found.scope.name, found.scope.version, found.scope.attributes) == ("scope", "1.2", {"scope.key": "v"})
        assert found.resource.attributes == plain(RESOURCE.attributes)


def test_a_log_comes_back_as_it_was_made(way):
    """Time, severity, event name, nested body, attributes, and the span that it belongs to."""
    exporter, storage, query = way
    told = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(told))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter("logs")))
    logger = provider.get_logger("scope", "1.2")
    context = api.set_span_in_context(api.NonRecordingSpan(SpanContext(5, 7, False, TraceFlags(1))))
    for number, (severity, body) in enumerate([(SeverityNumber.WARN, "text"), (SeverityNumber.FATAL4, VALUES)]):
        record = LogRecord(
            timestamp=1_790_000_000_000_000_001 + number, severity_number=severity, body=body, attributes=VALUES,
            event_name=f"event {number}", context=context,
        )  # fmt: skip
        logger.emit(record)
    provider.shutdown()
    stored = {log.event_name: log for log in storage.find_logs(query)}
    assert set(stored) == {"event 0", "event 1"}
    for one in told.get_finished_logs():
        sent, found = one.log_record, stored[one.log_record.event_name]
        assert (found.time_ns, found.severity) == (sent.timestamp, sent.severity_number.value)
        assert found.body == plain(sent.body)
        assert found.attributes == plain(sent.attributes)
        assert (int(found.trace_id, 16), int(found.span_id, 16)) == (5, 7)
        assert (found.scope.name, found.scope.version) == ("scope", "1.2")
        assert found.resource.attributes == plain(RESOURCE.attributes)


def test_points_come_back_as_they_were_measured(way):
    """Counters, gauges and histograms with their values, buckets, units and attributes."""
    exporter, storage, query = way
    reader = PeriodicExportingMetricReader(exporter("metrics"), 10**9)
    provider = MeterProvider([reader], resource=RESOURCE)
    meter = provider.get_meter("scope", "1.2")
    meter.create_counter("calls", "1", "Calls made").add(2**40, {"model": "m"})
    meter.create_gauge("depth").set(-0.25)
    histogram = meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0])
    for value in (0.5, 1.5, 1.75, 9.0):
        histogram.record(value)
    provider.shutdown()
    stored = {point.name: point for point in storage.find_points(query)}
    assert set(stored) == {"calls", "depth", "latency"}
    calls, depth, latency = stored["calls"], stored["depth"], stored["latency"]
    assert (calls.value, calls.unit, calls.description, calls.attributes) == (2**40, "1", "Calls made", {"model": "m"})
    assert depth.value == -0.25
    assert (latency.bounds, latency.buckets, latency.count, latency.sum) == ([1.0, 2.0], [1, 2, 1], 4, 12.75)
    assert (latency.min, latency.max, latency.unit) == (0.5, 9.0, "s")
    assert all(point.resource.attributes == plain(RESOURCE.attributes) for point in stored.values())


def test_batches_of_a_busy_program_arrive_whole(way):
    """2,000 spans through a BatchSpanProcessor: each one once."""
    exporter, storage, query = way
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(exporter("traces"), max_queue_size=4_000))
    tracer = provider.get_tracer("scope")
    made = []
    for number in range(2_000):
        with tracer.start_as_current_span(f"s{number}") as span:
            made.append(f"{span.get_span_context().span_id:016x}")
    provider.shutdown()
    assert sorted(span.span_id for span in storage.find_spans(query)) == sorted(made)
