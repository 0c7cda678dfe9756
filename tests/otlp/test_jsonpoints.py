"""Points in JSON: the text of a metric is counted and read point by point."""

import json

import pytest
from msgspec import Raw

from vestigo.otlp.jsonpoints import count_points, metrics_of, read_points
from vestigo.otlp.terms import Decoded
from vestigo.record import Point, Resource, Scope


@pytest.mark.parametrize(
    ("metric", "points"),
    [({"sum": {"dataPoints": [{}, {}]}}, 2), ({"sum": {}}, 0), ({}, 0), ([], 1), ({"sum": {"dataPoints": 5}}, 1)],
)
def test_points_are_counted_by_their_text(metric, points):
    """One that cannot be read counts as one, as it is rejected."""
    assert count_points(Raw(json.dumps(metric).encode())) == points


def test_nulls_mean_not_told():
    """In every field of a point."""
    fields = ("startTimeUnixNano", "attributes", "asInt", "count", "sum", "bucketCounts", "explicitBounds", "flags")
    told = {"timeUnixNano": 5, **dict.fromkeys(fields)}
    metric = {"name": "n", "unit": None, "description": None, "histogram": {"dataPoints": [told], "isMonotonic": None}}
    found = Decoded()
    read_points(Raw(json.dumps(metric).encode()), Resource(), Scope(), found)
    (point,) = found.points
    assert (point.count, point.sum, point.buckets, point.attributes) == (0, None, [], {})


def test_metrics_are_told_apart_by_what_they_mean():
    """Name, kind, unit, description and temporality."""
    points = [Point("n", 1), Point("n", 2), Point("n", 1, unit="s"), Point("n", 1, kind="sum"), Point("m", 1)]
    assert [metric.name for metric in metrics_of(points)] == ["n", "n", "n", "m"]
