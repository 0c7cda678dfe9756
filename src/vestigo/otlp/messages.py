"""Records -> OTLP protobuf, with the messages of `opentelemetry.proto`, which is loaded when it is needed."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from vestigo.otlp.points import CUMULATIVE, DELTA, FIELDS, NO_VALUE, by_metric
from vestigo.otlp.terms import KINDS, STATUSES, grouped, own_attributes
from vestigo.record import Attributes, Log, Point, Resource, Scope, Span, Value

_KeyValue = common_pb2.KeyValue
_AnyValue = common_pb2.AnyValue


def encode_traces(spans: Iterable[Span]) -> bytes:
    """One `ExportTraceServiceRequest`; spans keep their order within their resource and scope."""
    return trace_pb2.TracesData(resource_spans=[
        trace_pb2.ResourceSpans(resource=_resource(resource), schema_url=resource.schema_url, scope_spans=[
            trace_pb2.ScopeSpans(scope=_scope(scope), schema_url=scope.schema_url, spans=map(_span, found))
            for scope, found in scopes
        ])
        for resource, scopes in grouped(spans)
    ]).SerializeToString()  # fmt: skip


def encode_logs(logs: Iterable[Log]) -> bytes:
    """One `ExportLogsServiceRequest`."""
    return logs_pb2.LogsData(resource_logs=[
        logs_pb2.ResourceLogs(resource=_resource(resource), schema_url=resource.schema_url, scope_logs=[
            logs_pb2.ScopeLogs(scope=_scope(scope), schema_url=scope.schema_url, log_records=map(_log, found))
            for scope, found in scopes
        ])
        for resource, scopes in grouped(logs)
    ]).SerializeToString()  # fmt: skip


def encode_metrics(points: Iterable[Point]) -> bytes:
    """One `ExportMetricsServiceRequest`."""
    return metrics_pb2.MetricsData(resource_metrics=[
        metrics_pb2.ResourceMetrics(resource=_resource(resource), schema_url=resource.schema_url, scope_metrics=[
            metrics_pb2.ScopeMetrics(scope=_scope(scope), schema_url=scope.schema_url, metrics=[
                _metric(first, alike) for first, alike in by_metric(found)
            ])
            for scope, found in scopes
        ])
        for resource, scopes in grouped(points)
    ]).SerializeToString()  # fmt: skip


def _resource(resource: Resource) -> resource_pb2.Resource:
    return resource_pb2.Resource(attributes=_pairs(resource.attributes))


def _scope(scope: Scope) -> common_pb2.InstrumentationScope:
    return common_pb2.InstrumentationScope(name=scope.name, version=scope.version, attributes=_pairs(scope.attributes))


def _span(span: Span) -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        trace_state=span.trace_state,
        parent_span_id=bytes.fromhex(span.parent_id or ""),
        name=span.name,
        kind=KINDS.index(span.kind, 1),  # pyright: ignore[reportArgumentType]  the enum's numbers
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns or 0,
        attributes=_pairs(span.attributes) + _pairs(own_attributes(span)),
        events=[
            trace_pb2.Span.Event(time_unix_nano=event.time_ns, name=event.name, attributes=_pairs(event.attributes))
            for event in span.events
        ],
        links=[
            trace_pb2.Span.Link(
                trace_id=bytes.fromhex(link.trace_id),
                span_id=bytes.fromhex(link.span_id),
                trace_state=link.trace_state,
                attributes=_pairs(link.attributes),
            )
            for link in span.links
        ],
        status=trace_pb2.Status(code=STATUSES.index(span.status), message=span.status_message),  # pyright: ignore[reportArgumentType]
    )


def _log(log: Log) -> logs_pb2.LogRecord:
    return logs_pb2.LogRecord(
        time_unix_nano=log.time_ns,
        severity_number=log.severity,  # pyright: ignore[reportArgumentType]  the enum's numbers
        body=_any(log.body),
        attributes=_pairs(log.attributes) + _pairs(own_attributes(log)),
        trace_id=bytes.fromhex(log.trace_id or ""),
        span_id=bytes.fromhex(log.span_id or ""),
        event_name=log.event_name,
    )


def _pairs(attributes: Attributes) -> list[common_pb2.KeyValue]:
    return [_KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: Value) -> common_pb2.AnyValue:
    if isinstance(value, str):
        return _AnyValue(string_value=value)
    if isinstance(value, bool):
        return _AnyValue(bool_value=value)
    if isinstance(value, int):
        return _AnyValue(int_value=value)
    if isinstance(value, float):
        return _AnyValue(double_value=value)
    if isinstance(value, list):
        return _AnyValue(array_value=common_pb2.ArrayValue(values=map(_any, value)))
    if isinstance(value, dict):
        return _AnyValue(kvlist_value=common_pb2.KeyValueList(values=_pairs(value)))
    return _AnyValue()


# --- points


def _metric(first: Point, points: list[Point]) -> metrics_pb2.Metric:
    metric = metrics_pb2.Metric(name=first.name, description=first.description, unit=first.unit)
    data = getattr(metric, FIELDS[first.kind])
    data.SetInParent()
    if first.kind not in {"gauge", "summary"}:
        data.aggregation_temporality = DELTA if first.delta else CUMULATIVE
    if first.kind == "sum":
        data.is_monotonic = first.monotonic
    for point in points:
        _fill(data.data_points.add(), point)
    return metric


def _fill(told: Any, point: Point) -> None:
    told.time_unix_nano, told.start_time_unix_nano = point.time_ns, point.start_ns
    told.attributes.extend(_pairs(point.attributes))
    if point.kind in {"gauge", "sum"}:
        if point.value is None:
            told.flags = NO_VALUE
        elif isinstance(point.value, int):
            told.as_int = point.value
        else:
            told.as_double = point.value
        return
    told.flags = NO_VALUE * (point.count is None)
    told.count = point.count or 0
    for name in ("sum",) if point.kind == "summary" else ("sum", "min", "max"):
        if (value := getattr(point, name)) is not None:
            setattr(told, name, value)
    if point.kind == "histogram":
        told.explicit_bounds.extend(point.bounds)
        told.bucket_counts.extend(point.buckets)
    elif point.kind == "exponential":
        told.scale, told.zero_count = point.scale, point.zero_count
        told.positive.offset, told.negative.offset = point.offset, point.negative_offset
        told.positive.bucket_counts.extend(point.buckets)
        told.negative.bucket_counts.extend(point.negative_buckets)
    else:
        for quantile, value in point.quantiles:
            told.quantile_values.add(quantile=quantile, value=value)
