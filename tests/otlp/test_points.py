"""Points of metrics: each kind as senders write it, and what makes no sense is rejected by itself."""

import json

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from vestigo import otlp
from vestigo.record import Point, Resource, Scope, point_id

AT = {"timeUnixNano": "7", "startTimeUnixNano": 3}


def request(*metrics):
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scoped = {"scope": {"name": "meter"}, "metrics": list(metrics)}
    return json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [scoped]}]}).encode()


def read(*metrics):
    return otlp.decode("metrics", "json", request(*metrics))


def only(metric):
    found = read(metric)
    assert (len(found.points), found.reasons) == (1, [])
    (point,) = found.points
    assert (point.resource, point.scope) == (Resource({"service.name": "shop"}), Scope("meter"))
    assert point.point_id == point_id(point) != ""
    return point


def test_a_gauge_is_read():
    """With its unit, description, attributes, and a value of either type."""
    told = {**AT, "asDouble": 0.5, "attributes": [{"key": "k", "value": {"boolValue": True}}]}
    point = only({"name": "load", "unit": "1", "description": "how busy", "gauge": {"dataPoints": [told]}})
    assert (point.name, point.kind, point.unit, point.description) == ("load", "gauge", "1", "how busy")
    assert (point.time_ns, point.start_ns, point.value, point.attributes) == (7, 3, 0.5, {"k": True})
    assert only({"name": "load", "gauge": {"dataPoints": [{**AT, "asInt": str(2**60 + 1)}]}}).value == 2**60 + 1


@pytest.mark.parametrize(
    ("temporality", "delta"),
    [(1, True), (2, False), (0, False), ("AGGREGATION_TEMPORALITY_DELTA", True), ("1", True), (None, False)],
)
def test_a_sum_tells_since_when_it_counts(temporality, delta):
    """Delta or cumulative, by number or name; monotonic or not."""
    data = {"aggregationTemporality": temporality, "isMonotonic": True, "dataPoints": [{**AT, "asInt": 4}]}
    point = only({"name": "calls", "sum": data})
    assert (point.kind, point.value, point.delta, point.monotonic) == ("sum", 4, delta, True)


def test_a_histogram_is_read():
    """Counts as text, bounds, and the range where it is told."""
    told = {**AT, "count": "3", "sum": 1.5, "max": 1, "bucketCounts": ["1", 2, "0"], "explicitBounds": [0.1, 1]}
    point = only({"name": "latency", "histogram": {"aggregationTemporality": 1, "dataPoints": [told]}})
    assert (point.kind, point.count, point.sum, point.min, point.max, point.delta) == (
        "histogram",
        3,
        1.5,
        None,
        1,
        True,
    )
    assert (point.bounds, point.buckets) == ([0.1, 1.0], [1, 2, 0])


def test_an_exponential_histogram_is_read():
    """Scale, zeros and both sides."""
    told = {
        **AT, "count": 9, "scale": -2, "zeroCount": "4", "positive": {"offset": 3, "bucketCounts": ["2", "1"]},
        "negative": {"offset": -1, "bucketCounts": [2]},
    }  # fmt: skip
    point = only({"name": "latency", "exponentialHistogram": {"dataPoints": [told]}})
    assert (point.kind, point.count, point.scale, point.zero_count) == ("exponential", 9, -2, 4)
    assert (point.offset, point.buckets, point.negative_offset, point.negative_buckets) == (3, [2, 1], -1, [2])


def test_a_summary_is_read():
    """Its quantiles without those of nothing, which are NaN."""
    told = {
        **AT, "count": "2", "sum": 3.5,
        "quantileValues": [{"quantile": 0.5, "value": 1.5}, {"quantile": 0.9, "value": "NaN"}, {"value": 1}],
    }  # fmt: skip
    point = only({"name": "latency", "summary": {"dataPoints": [told]}})
    assert (point.kind, point.count, point.sum) == ("summary", 2, 3.5)
    assert point.quantiles == [(0.5, 1.5), (0.0, 1.0)]


@pytest.mark.parametrize("value", ["NaN", "Infinity", None])
def test_a_value_that_is_no_number_is_none(value):
    """As a point whose flag says that nothing was recorded."""
    assert only({"name": "x", "gauge": {"dataPoints": [{**AT, "asDouble": value}]}}).value is None
    assert only({"name": "x", "gauge": {"dataPoints": [{**AT, "asDouble": 1, "flags": 1}]}}).value is None


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"asInt": 1}, "timeUnixNano"),
        ({**AT, "asInt": "many"}, "'many'"),
        ({**AT, "asDouble": "much"}, "'much'"),
        ({**AT, "asDouble": {}}, "asDouble"),
        ({**AT, "count": -1}, "count"),
        ({**AT, "bucketCounts": [1, 2], "explicitBounds": [1, 2]}, "2 bucketCounts do not fit 2"),
        ({**AT, "bucketCounts": [1, 2], "explicitBounds": ["NaN"]}, "not all finite"),
    ],
)
def test_one_bad_point_costs_none_of_the_others(told, why):
    """Wherever it stands among the points of its metric."""
    kind = "histogram" if "count" in told or "bucketCounts" in told else "gauge"
    good = {**AT, "count": 1} if kind == "histogram" else {**AT, "asInt": 1}
    for at in range(3):
        points = [good] * 2
        points.insert(at, told)
        found = read({"name": "x", kind: {"dataPoints": points}}, {"name": "y", "gauge": {"dataPoints": [good]}})
        assert (len(found.points), found.rejected) == (3, 1)
        assert found.reasons[0].startswith("metric 'x': ")
        assert why in found.reasons[0]


def test_metrics_that_cannot_be_read_are_counted():
    """One without a name loses its points, one that is none counts as one, one without points is nothing."""
    found = read({"gauge": {"dataPoints": [AT, AT]}}, [], {"name": "x", "gauge": {}}, {"name": "x"})
    assert (found.points, found.rejected) == ([], 3)
    assert "name is missing" in found.reasons[0]


def test_counting_sees_points_and_not_metrics():
    """In both forms."""
    points = [Point("x", n, value=1) for n in range(1, 4)] + [Point("y", 1, kind="summary", count=0, sum=0.0)]
    for form in ("json", "protobuf"):
        data = otlp.encode("metrics", form, points)
        assert otlp.count("metrics", form, data) == 4


def test_both_forms_write_points_of_a_metric_together():
    """Equal names of another kind or temporality are metrics of their own."""
    points = [Point("x", 1, value=1), Point("x", 1, kind="sum", value=1, delta=True), Point("x", 2, value=2)]
    told = ExportMetricsServiceRequest.FromString(otlp.encode("metrics", "protobuf", points))
    (scoped,) = told.resource_metrics[0].scope_metrics
    assert [len(metric.gauge.data_points) for metric in scoped.metrics] == [2, 0]
    (scoped,) = json.loads(otlp.encode("metrics", "json", points))["resourceMetrics"][0]["scopeMetrics"]
    assert [len(metric.get("gauge", {}).get("dataPoints", ())) for metric in scoped["metrics"]] == [2, 0]
    assert scoped["metrics"][0] == {
        "name": "x",
        "gauge": {"dataPoints": [
            {"startTimeUnixNano": "0", "timeUnixNano": "1", "asInt": "1"},
            {"startTimeUnixNano": "0", "timeUnixNano": "2", "asInt": "2"},
        ]},
    }  # fmt: skip


def test_the_id_of_a_point_is_that_of_its_series_and_time():
    """The order of attributes does not matter; whatever tells series apart does."""
    point = Point("x", 1, attributes={"a": 1, "b": 2})
    assert point_id(point) == point_id(Point("x", 1, attributes={"b": 2, "a": 1}, value=9, unit="s"))
    others = [
        Point("y", 1, attributes=point.attributes), Point("x", 2, attributes=point.attributes),
        Point("x", 1, attributes={"a": 1}), Point("x", 1, kind="sum", attributes=point.attributes),
        Point("x", 1, attributes=point.attributes, resource=Resource({"host": "a"})),
        Point("x", 1, attributes=point.attributes, scope=Scope("s")),
    ]  # fmt: skip
    assert len({point_id(one) for one in [point, *others]}) == 7
