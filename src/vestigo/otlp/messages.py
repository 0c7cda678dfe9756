"""Data points of metrics -> OTLP protobuf, with the messages of `opentelemetry.proto`; spans and logs: `written.py`."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from vestigo.otlp.points import CUMULATIVE, DELTA, FIELDS, NO_VALUE, by_metric
from vestigo.otlp.terms import grouped
from vestigo.record import Attributes, Point, Resource, Scope, Value

_KeyValue = common_pb2.KeyValue
_AnyValue = common_pb2.AnyValue


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
