"""Data points of metrics <-> OTLP JSON."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

from vestigo.errors import IngestError
from vestigo.otlp import jsonwire as wire
from vestigo.otlp.points import CUMULATIVE, DATA, DELTA, FIELDS, NO_VALUE, Wire, by_metric, read_metric
from vestigo.otlp.terms import Decoded, refuse_depth
from vestigo.record import Attributes, Point, Resource, Scope


class Buckets(wire.Wire):
    offset: int | None = 0
    bucket_counts: list[wire.Number] | None = []


class Quantile(wire.Wire):
    quantile: wire.Double = 0.0
    value: wire.Double = 0.0


class PointWire(wire.Wire):
    """Any kind of point; each uses some of the fields."""

    attributes: wire.Pairs = []
    start_time_unix_nano: wire.Number = 0
    time_unix_nano: wire.Number = 0
    as_double: wire.Double = None
    as_int: wire.Number = None
    count: wire.Number = 0
    sum: wire.Double = None
    min: wire.Double = None
    max: wire.Double = None
    bucket_counts: list[wire.Number] | None = []
    explicit_bounds: list[wire.Double] | None = []
    scale: int | None = 0
    zero_count: wire.Number = 0
    positive: Buckets | None = None
    negative: Buckets | None = None
    quantile_values: list[Quantile] | None = []
    flags: int | None = 0


class Data(wire.Wire):
    data_points: list[Raw] | None = []
    aggregation_temporality: wire.Enum = 0
    is_monotonic: bool | None = False


class Metric(wire.Wire):
    name: str | None = ""
    description: str | None = ""
    unit: str | None = ""
    gauge: Data | None = None
    sum: Data | None = None
    histogram: Data | None = None
    exponential_histogram: Data | None = None
    summary: Data | None = None


_decode_metric: Final = msgspec.json.Decoder(Metric).decode
_decode_point: Final = msgspec.json.Decoder(PointWire).decode


def count_points(text: Raw) -> int:
    """How many points a metric has; one that cannot be read counts as one."""
    try:
        told = _data_of(_decode_metric(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return 1
    return len(told[1].data_points or ()) if told else 0


def read_points(text: Raw, resource: Resource, scope: Scope, found: Decoded) -> None:
    """Add a metric's points to what was found."""
    try:
        metric = _decode_metric(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        found.reject(f"metric: {error}")
        return
    metric.name = metric.name or ""
    read_metric(metric, _WIRE, resource, scope, found)


def metrics_of(points: Iterable[Point]) -> Iterator[Metric]:
    """Points as metrics, in the order of the first of each."""
    for first, alike in by_metric(points):
        temporality = (DELTA if first.delta else CUMULATIVE) if first.kind not in {"gauge", "summary"} else 0
        texts = [Raw(msgspec.json.encode(_point(point))) for point in alike]
        metric = Metric(first.name, first.description, first.unit)
        setattr(metric, FIELDS[first.kind], Data(texts, temporality, first.monotonic))
        yield metric


def _point(point: Point) -> PointWire:
    told = PointWire(
        wire.pairs_of(point.attributes), str(point.start_ns), str(point.time_ns),
        sum=point.sum, min=point.min, max=point.max, flags=NO_VALUE * (point.value is None and point.count is None),
        count=0 if point.count is None else str(point.count), bucket_counts=_texts(point.buckets),
        explicit_bounds=list(point.bounds),
        quantile_values=[Quantile(quantile, value) for quantile, value in point.quantiles],
    )  # fmt: skip
    if isinstance(point.value, int):
        told.as_int = str(point.value)
    else:
        told.as_double = point.value
    if point.kind == "exponential":
        told.bucket_counts = []
        told.scale, told.zero_count = point.scale, str(point.zero_count)
        told.positive = Buckets(point.offset, _texts(point.buckets))
        told.negative = Buckets(point.negative_offset, _texts(point.negative_buckets))
    return told


def _texts(counts: list[int]) -> list[wire.Number]:
    return [str(count) for count in counts]


# --- how JSON tells what the two forms tell differently


def _data_of(metric: Metric) -> tuple[str, Data] | None:
    return next(((field, data) for field in DATA if (data := getattr(metric, field)) is not None), None)


def _read_point(text: Raw) -> PointWire:
    try:
        return _decode_point(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise IngestError(str(error)) from None
    except RecursionError:
        refuse_depth()


def _attributes(pairs: wire.Pairs) -> Attributes:
    return wire.read_attributes(pairs)


def _value_of(point: PointWire) -> Any:
    return point.as_double if point.as_int is None else wire.read_int(point.as_int, "asInt")


def _given(point: PointWire, field: str) -> Any:
    return getattr(point, field)


def _free(values: int) -> None:
    """The text was counted as a whole."""


_WIRE: Final = Wire(_data_of, _read_point, _attributes, _value_of, wire.read_time, _given, _free)
