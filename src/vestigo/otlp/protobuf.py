"""OTLP protobuf -> records, with the messages of `opentelemetry.proto`, which is loaded when it is needed.

A request is split on its bytes into records and decoded in slices, so that one that cannot be read costs none of the
others, and no request becomes many times its size in memory. Writing is in `written.py` and `messages.py`.
The walk over a span is the server's hottest code: it looks at fields once, and at what is mostly absent last.
"""

import base64
import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1 import logs_pb2  # pyright: ignore[reportMissingTypeStubs]
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from vestigo.errors import IngestError
from vestigo.otlp.count import Budget, Child, check_protobuf, split
from vestigo.otlp.points import Wire, read_metric
from vestigo.otlp.terms import (
    KINDS,
    MAX_DEPTH,
    STATUSES,
    WEIGHT,
    Decoded,
    Signal,
    event_name,
    refuse_depth,
    refuse_id,
    refuse_records,
    severity,
    take_log_id,
    take_weight,
    time_of,
)
from vestigo.record import Event, Link, Log, Resource, Scope, Span, Value

_SLICE: Final = 1 << 18
"""Bytes that are decoded at once; a record that is longer is looked through before."""
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_MAX_TIME: Final = (1 << 63) - 1
_MESSAGES: Final[dict[Signal, tuple[Any, Any, str]]] = {
    "traces": (trace_pb2.ScopeSpans, trace_pb2.Span, "spans"),
    "logs": (logs_pb2.ScopeLogs, logs_pb2.LogRecord, "log_records"),
    "metrics": (metrics_pb2.ScopeMetrics, metrics_pb2.Metric, "metrics"),
}
Group: TypeAlias = tuple[bytes, list[tuple[bytes, list[Child]]]]
"""What is said of a resource and, below it, of each scope, as bytes, with the places of the scope's records."""


def decode(signal: Signal, data: bytes, max_records: int) -> Decoded:
    """Records that can be taken, and how many cannot. Raises IngestError for a body that is no such request."""
    if signal == "metrics":
        count(signal, data, max_records)  # the walk below sees metrics, each of which may have any number of points
    return _Reading(signal, data).read(_groups(data, max_records))


def count(signal: Signal, data: bytes, max_records: int) -> int:
    """How many records a request holds; of metrics their points. Raises IngestError as `decode` does."""
    groups = _groups(data, max_records)
    lists = [children for _, scopes in groups for _, children in scopes]
    if signal != "metrics":
        return sum(map(len, lists))
    points = 0
    for metric in chain.from_iterable(lists):
        points += _points(data, metric, max_records)
        if points > max_records:
            refuse_records(max_records)
    return points


class _Reading:
    """One request on its way into records."""

    def __init__(self, signal: Signal, data: bytes) -> None:
        self.found = Decoded()
        self._signal: Signal = signal
        self._data = data
        self._budget = Budget()
        self._slice, self._record, self._field = _MESSAGES[signal]
        self._wire = Wire(_data_of, _same, self._attributes, _value_of, _number, _given, self._budget.spend)

    def read(self, groups: list[Group]) -> Decoded:
        """All records of the request."""
        for head, scopes in groups:
            try:
                told = self._checked(head, "resource head")
                resource = Resource(self._attributes(told.resource.attributes), told.schema_url)
            except IngestError as error:
                self.found.reject(f"resource: {error}", sum(len(children) for _, children in scopes))
                continue
            for scope_head, children in scopes:
                self._read_scope(scope_head, children, resource)
        return self.found

    def _read_scope(self, head: bytes, children: list[Child], resource: Resource) -> None:
        try:
            told = self._checked(head, "scope head")
            name, version, attributes = told.scope.name, told.scope.version, told.scope.attributes
            scope = Scope(name, version, self._attributes(attributes), told.schema_url)
        except IngestError as error:
            self.found.reject(f"scope: {error}", len(children))
            return
        found = self.found
        for messages in map(self._messages, _slices(children)):
            if self._signal == "metrics":
                for metric in messages:
                    read_metric(metric, self._wire, resource, scope, found)
                continue
            read, kept = (self._span, found.spans) if self._signal == "traces" else (self._log, found.logs)
            for message in messages:
                try:
                    kept.append(read(message, resource, scope))  # pyright: ignore[reportArgumentType]  of one signal
                except IngestError as error:
                    self._reject(error)

    def _checked(self, head: bytes, shape: str) -> Any:
        """The message of a resource or scope; both have it in field 1 and the schema's URL in field 3."""
        if len(head) > _SLICE:
            check_protobuf(head, 0, len(head), shape, self._budget)
        try:
            return (trace_pb2.ResourceSpans if shape == "resource head" else trace_pb2.ScopeSpans).FromString(head)
        except DecodeError:
            raise IngestError("cannot be read; is it of another kind, or text that is not UTF-8?") from None

    def _messages(self, children: list[Child]) -> Iterable[Any]:
        """Some records as messages, without those that cannot be read."""
        first, last = children[0][1], children[-1][3]
        if last - first <= _SLICE:
            try:
                return getattr(self._slice.FromString(self._data[first:last]), self._field)
            except DecodeError:
                pass  # one by one, to find whose fault it is
        return (message for child in children if (message := self._message(child)) is not None)

    def _message(self, child: Child) -> Any:
        _, _, start, end = child
        try:
            if end - start > _SLICE:
                check_protobuf(self._data, start, end, self._signal, self._budget)
            return self._record.FromString(self._data[start:end])
        except DecodeError:
            self._reject("cannot be read; is it of another kind, or text that is not UTF-8?")
        except IngestError as error:
            self._reject(error)
        return None

    def _reject(self, why: object) -> None:
        found = self.found
        self.found.reject(f"record {len(found.spans) + len(found.logs) + found.rejected}: {why}")

    # --- spans and logs

    def _span(self, wire: Any, resource: Resource, scope: Scope) -> Span:
        trace_id, span_id, parent_id = wire.trace_id, wire.span_id, wire.parent_span_id
        if len(trace_id) != 16 or trace_id == _NO_TRACE:
            refuse_id(trace_id.hex(), 32, "traceId")
        if len(span_id) != 8 or span_id == _NO_SPAN:
            refuse_id(span_id.hex(), 16, "spanId")
        start_ns, end_ns, kind, status = wire.start_time_unix_nano, wire.end_time_unix_nano, wire.kind, wire.status
        if start_ns > _MAX_TIME or end_ns > _MAX_TIME:
            time_of(max(start_ns, end_ns), "startTimeUnixNano or endTimeUnixNano")
        attributes = self._attributes(wire.attributes)
        code, events, links = status.code, wire.events, wire.links
        return Span(
            trace_id.hex(),
            span_id.hex(),
            wire.name,
            start_ns,
            _optional_id(parent_id, 8, "parentSpanId") if parent_id else None,
            end_ns or None,
            KINDS[kind] if 0 <= kind < 6 else "INTERNAL",
            STATUSES[code] if 0 <= code < 3 else "UNSET",
            status.message,
            attributes,
            self._events(events) if events else [],
            self._links(links) if links else [],
            scope,
            resource,
            wire.trace_state,
            take_weight(attributes) if WEIGHT in attributes else 1.0,
        )

    def _events(self, events: Any) -> list[Event]:
        self._budget.spend(len(events))
        return [
            Event(time_of(event.time_unix_nano, "timeUnixNano"), event.name, self._attributes(event.attributes))
            for event in events
        ]

    def _links(self, links: Any) -> list[Link]:
        self._budget.spend(len(links))
        return [
            Link(
                _id(link.trace_id, 16, "traceId of a link"),
                _id(link.span_id, 8, "spanId of a link"),
                self._attributes(link.attributes),
                link.trace_state,
            )
            for link in links
        ]

    def _log(self, wire: Any, resource: Resource, scope: Scope) -> Log:
        attributes = self._attributes(wire.attributes)
        time_ns = wire.time_unix_nano or wire.observed_time_unix_nano
        return Log(
            time_of(time_ns, "timeUnixNano"),
            severity(wire.severity_number, wire.severity_text),
            self._value(wire.body, 0),
            event_name(wire.event_name, attributes),
            attributes,
            _optional_id(wire.trace_id, 16, "traceId"),
            _optional_id(wire.span_id, 8, "spanId"),
            scope,
            resource,
            take_weight(attributes),
            take_log_id(attributes),
        )

    # --- values

    def _attributes(self, pairs: Any, depth: int = 0) -> dict[str, Value]:
        self._budget.spend(len(pairs))
        found: dict[str, Value] = {}
        for pair in pairs:
            value = pair.value
            # most are text, and this is the quickest way to see it; asking which one it is takes as long as reading it
            found[pair.key] = value.string_value or self._value(value, depth)
        return found

    def _value(self, wire: Any, depth: int) -> Value:
        which = wire.WhichOneof("value")
        if which == "int_value":
            return wire.int_value
        if which == "double_value":
            return _double(wire.double_value)
        if which in _PLAIN:
            return getattr(wire, which)
        if which == "bytes_value":
            return f"base64:{base64.b64encode(wire.bytes_value).decode()}"
        if depth == MAX_DEPTH:
            refuse_depth()
        if which == "array_value":
            items = wire.array_value.values
            self._budget.spend(len(items) + 1)
            return [self._value(item, depth + 1) for item in items]
        if which == "kvlist_value":
            self._budget.spend(1)
            return self._attributes(wire.kvlist_value.values, depth + 1)
        return None


_PLAIN: Final = frozenset(("string_value", "bool_value"))


def _double(number: float) -> Value:
    """No record holds NaN and the infinities as numbers: they are text, spelled as in JSON."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _id(told: bytes, length: int, name: str) -> str:
    if len(told) != length or not any(told):
        refuse_id(told.hex(), length * 2, name)
    return told.hex()


def _optional_id(told: bytes, length: int, name: str) -> str | None:
    """None also for zeros only, which some emitters write for "none"."""
    return _id(told, length, name) if any(told) else None


# --- points


def _data_of(metric: Any) -> tuple[str, Any] | None:
    which = metric.WhichOneof("data")
    return None if which is None else (which, getattr(metric, which))


def _same(point: Any) -> Any:
    return point


def _value_of(point: Any) -> float | None:
    which = point.WhichOneof("value")
    return None if which is None else getattr(point, which)


def _number(told: int, name: str) -> int:
    return time_of(told, name)


def _given(point: Any, field: str) -> float | None:
    return getattr(point, field) if point.HasField(field) else None


# --- where things are


def _groups(data: bytes, max_records: int) -> list[Group]:
    """Where a request has its records. The field numbers are the same for all signals."""
    limit = 2 * max_records + 1_000
    groups: list[Group] = []
    records = 0
    for _, _, start, end in split(data, 0, len(data), 1, limit)[1]:
        head, scopes = split(data, start, end, 2, limit)
        found = [split(data, inner, after, 2, limit) for _, _, inner, after in scopes]
        records += len(scopes) + sum(len(children) for _, children in found)
        if records > limit:
            refuse_records(max_records)
        groups.append((head, found))
    if sum(len(children) for _, scopes in groups for _, children in scopes) > max_records:
        refuse_records(max_records)
    return groups


def _slices(children: list[Child]) -> Iterator[list[Child]]:
    """Records in runs that lie side by side and together are no longer than a slice, if they are several."""
    start = 0
    while start < len(children):
        stop, limit = start + 1, children[start][1] + _SLICE
        while stop < len(children) and children[stop][3] <= limit and children[stop][1] == children[stop - 1][3]:
            stop += 1
        yield children[start:stop]
        start = stop


def _points(data: bytes, metric: Child, max_records: int) -> int:
    """How many points a metric has, by its bytes."""
    points = 0
    for field in (5, 7, 9, 10, 11):
        for _, _, start, end in split(data, metric[2], metric[3], field, max_records + 100)[1]:
            points += len(split(data, start, end, 1, max_records + 100)[1])
    return points
