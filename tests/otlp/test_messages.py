"""Points as protobuf messages: what the official classes read of them."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from vestigo.otlp.messages import encode_metrics
from vestigo.record import Point, Resource, Scope


def metric_of(*points):
    told = ExportMetricsServiceRequest.FromString(encode_metrics(points))
    (scoped,) = told.resource_metrics[0].scope_metrics
    (metric,) = scoped.metrics
    return metric


def test_sums_say_how_they_count():
    """Temporality and direction are the metric's; equal ones are written together."""
    points = [Point("n", at, kind="sum", value=at, delta=True, monotonic=True, unit="1") for at in (1, 2)]
    metric = metric_of(*points)
    assert (metric.unit, metric.sum.aggregation_temporality, metric.sum.is_monotonic) == ("1", 1, True)
    assert [point.as_int for point in metric.sum.data_points] == [1, 2]


def test_what_was_not_recorded_is_flagged():
    """No value is not 0; a range that is not told is not there."""
    (point,) = metric_of(Point("n", 1)).gauge.data_points
    assert (point.flags, point.WhichOneof("value")) == (1, None)
    (point,) = metric_of(Point("n", 1, kind="histogram", count=1, max=2.0)).histogram.data_points
    assert (point.flags, point.HasField("min"), point.HasField("sum"), point.max) == (0, False, False, 2.0)


def test_resource_and_scope_are_written():
    """Once for the points that share them."""
    point = Point("n", 1, value=1, resource=Resource({"host": "a"}, "r"), scope=Scope("s", "1", {"k": [1]}, "u"))
    (group,) = ExportMetricsServiceRequest.FromString(encode_metrics([point, point])).resource_metrics
    assert (group.resource.attributes[0].value.string_value, group.schema_url) == ("a", "r")
    (scoped,) = group.scope_metrics
    assert (scoped.scope.name, scoped.scope.version, scoped.schema_url) == ("s", "1", "u")
    assert scoped.scope.attributes[0].value.array_value.values[0].int_value == 1
