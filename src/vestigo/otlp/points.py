"""Data points of metrics out of either wire form: what the two have in common, which is nearly all of it.

Exemplars are left out: the spans they point to are here themselves.
Source: opentelemetry-proto 1.11.0, metrics/v1/metrics.proto.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from vestigo.errors import IngestError
from vestigo.otlp.terms import Decoded
from vestigo.record import Attributes, Point, PointKind, Resource, Scope, point_id

DATA: Final[dict[str, PointKind]] = {
    "gauge": "gauge", "sum": "sum", "histogram": "histogram", "exponential_histogram": "exponential",
    "summary": "summary",
}  # fmt: skip
"""The fields of a metric, one of which holds its points."""
FIELDS: Final[dict[PointKind, str]] = {kind: field for field, kind in DATA.items()}
DELTA: Final = 1
CUMULATIVE: Final = 2
NO_VALUE: Final = 1
"""The flag of a point that says that nothing was recorded."""


class Wire(Struct, frozen=True):
    """How one form tells what the forms tell differently. All of them raise IngestError."""

    data: Callable[[Any], tuple[str, Any] | None]
    """The field of a metric that is set."""
    point: Callable[[Any], Any]
    attributes: Callable[[Any], Attributes]
    value: Callable[[Any], float | None]
    number: Callable[[Any, str], int]
    """A count or time of 64 bits, and its name."""
    given: Callable[[Any, str], float | None]
    """A field that may be left out."""
    spend: Callable[[int], None]
    """Told how long a list is before it is read."""


def by_metric(points: Iterable[Point]) -> list[tuple[Point, list[Point]]]:
    """The points of each metric, and the first of them, which says what the metric is."""
    metrics: dict[tuple[object, ...], tuple[Point, list[Point]]] = {}
    for point in points:
        key = (point.name, point.kind, point.unit, point.description, point.delta, point.monotonic)
        metrics.setdefault(key, (point, []))[1].append(point)
    return list(metrics.values())


def read_metric(metric: Any, wire: Wire, resource: Resource, scope: Scope, found: Decoded) -> None:
    """Add a metric's points to what was found."""
    told = wire.data(metric)
    if told is None:
        return
    kind, data = DATA[told[0]], told[1]
    for each in data.data_points or ():
        try:
            point = _read_point(metric, kind, data, wire.point(each), wire)
            point.resource, point.scope = resource, scope
            point.point_id = point_id(point)
            found.points.append(point)
        except IngestError as error:
            found.reject(f"metric {metric.name[:80]!r}: {error}")


def _read_point(metric: Any, kind: PointKind, data: Any, told: Any, wire: Wire) -> Point:
    point = Point(
        name=metric.name,
        time_ns=wire.number(told.time_unix_nano, "timeUnixNano"),
        kind=kind,
        start_ns=wire.number(told.start_time_unix_nano, "startTimeUnixNano"),
        unit=metric.unit or "",
        description=metric.description or "",
        attributes=wire.attributes(told.attributes),
        delta=getattr(data, "aggregation_temporality", 0) in _DELTAS,
        monotonic=bool(getattr(data, "is_monotonic", False)),
    )
    if not point.time_ns or not point.name:
        raise IngestError("a point has no timeUnixNano" if point.name else "its name is missing")
    if (told.flags or 0) & NO_VALUE:
        return point
    if kind in {"gauge", "sum"}:
        point.value = _finite(wire.value(told))
    else:
        point.count = wire.number(told.count, "count")
        _DISTRIBUTIONS[kind](point, told, wire)
    return point


_DELTAS: Final = frozenset((DELTA, str(DELTA), "AGGREGATION_TEMPORALITY_DELTA"))


def _histogram(point: Point, told: Any, wire: Wire) -> None:
    _range(point, told, wire)
    wire.spend(len(told.explicit_bounds or ()))
    bounds: list[float | None] = [_finite(bound) for bound in told.explicit_bounds or ()]
    point.buckets = _counts(told.bucket_counts, wire)
    point.bounds = [bound for bound in bounds if bound is not None]
    if len(point.bounds) != len(bounds):
        raise IngestError("explicitBounds are not all finite")
    if len(point.buckets) != len(point.bounds) + 1 and (point.buckets or point.bounds):
        raise IngestError(f"{len(point.buckets)} bucketCounts do not fit {len(point.bounds)} explicitBounds")


def _exponential(point: Point, told: Any, wire: Wire) -> None:
    _range(point, told, wire)
    point.scale = told.scale or 0
    point.zero_count = wire.number(told.zero_count, "zeroCount")
    if told.positive:
        point.offset, point.buckets = told.positive.offset or 0, _counts(told.positive.bucket_counts, wire)
    if told.negative:
        point.negative_offset = told.negative.offset or 0
        point.negative_buckets = _counts(told.negative.bucket_counts, wire)


def _summary(point: Point, told: Any, wire: Wire) -> None:
    point.sum = _finite(told.sum)
    wire.spend(len(told.quantile_values or ()))
    pairs = ((_finite(each.quantile), _finite(each.value)) for each in told.quantile_values or ())
    # the quantiles of nothing are NaN
    point.quantiles = [(quantile, value) for quantile, value in pairs if quantile is not None and value is not None]


_DISTRIBUTIONS: Final = {"histogram": _histogram, "exponential": _exponential, "summary": _summary}


def _range(point: Point, told: Any, wire: Wire) -> None:
    point.sum, point.min, point.max = (_finite(wire.given(told, name)) for name in ("sum", "min", "max"))


def _counts(told: Sequence[Any] | None, wire: Wire) -> list[int]:
    wire.spend(len(told or ()))
    return [wire.number(count, "bucketCounts") for count in told or ()]


def _finite(number: Any) -> Any:
    """The number; None for NaN and the infinities, which say that there is none."""
    if number is None or isinstance(number, int):
        return number
    try:
        found = float(number)
    except ValueError:
        raise IngestError(f"{str(number)[:40]!r} is no number") from None
    return found if math.isfinite(found) else None
