"""Records <-> OTLP JSON.

Reads what the field writes: 64-bit integers as text or numbers, ids in either case, enums by number or name, nulls,
unknown fields ignored. Not carried: the normal form, which the receiver makes for itself; a time of 0, which means
"not told" in OTLP; and a key that stands twice in one list, whose last value counts.
A request is decoded down to its records and each record by itself, so that one that cannot be read costs none of the
others. Source: opentelemetry-proto 1.11.0, docs/specification.md.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

from vestigo.errors import IngestError
from vestigo.otlp.count import check_json
from vestigo.otlp.jsonpoints import count_points, metrics_of, read_points
from vestigo.otlp.jsonwire import (
    EventWire,
    LinkWire,
    LogWire,
    Request,
    ResourceRecords,
    ScopeRecords,
    SpanWire,
    StatusWire,
    any_of,
    pairs_of,
    read_attributes,
    read_enum,
    read_id,
    read_optional_id,
    read_request,
    read_resource,
    read_scope,
    read_time,
    read_value,
    resource_wire,
    scope_wire,
)
from vestigo.otlp.terms import (
    KINDS,
    STATUSES,
    TOO_DEEP,
    WEIGHT,
    Decoded,
    Signal,
    event_name,
    grouped,
    own_attributes,
    refuse_records,
    severity,
    take_log_id,
    take_weight,
)
from vestigo.record import Event, Link, Log, Point, Resource, Scope, Span

_KIND_NAMES: Final = {f"SPAN_KIND_{name}": number for number, name in enumerate(("UNSPECIFIED", *KINDS[1:]))}
_STATUS_NAMES: Final = {f"STATUS_CODE_{name}": number for number, name in enumerate(STATUSES)}
_SEVERITY_NAMES: Final = {
    f"SEVERITY_NUMBER_{name}{step + 1 if step else ''}": 4 * at + step + 1
    for at, name in enumerate(("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))
    for step in range(4)
}
_decode_span: Final = msgspec.json.Decoder(SpanWire).decode
_decode_log: Final = msgspec.json.Decoder(LogWire).decode
_encode: Final = msgspec.json.Encoder().encode


def encode_traces(spans: Iterable[Span]) -> bytes:
    """One `ExportTraceServiceRequest`; spans keep their order within their resource and scope."""
    return _encode(
        Request(resource_spans=[
            ResourceRecords(resource_wire(resource), scope_spans=[
                ScopeRecords(scope_wire(scope), spans=_texts(map(_span, found)), schema_url=scope.schema_url)
                for scope, found in scopes
            ], schema_url=resource.schema_url)
            for resource, scopes in grouped(spans)
        ])
    )  # fmt: skip


def encode_logs(logs: Iterable[Log]) -> bytes:
    """One `ExportLogsServiceRequest`."""
    return _encode(
        Request(resource_logs=[
            ResourceRecords(resource_wire(resource), scope_logs=[
                ScopeRecords(scope_wire(scope), log_records=_texts(map(_log, found)), schema_url=scope.schema_url)
                for scope, found in scopes
            ], schema_url=resource.schema_url)
            for resource, scopes in grouped(logs)
        ])
    )  # fmt: skip


def encode_metrics(points: Iterable[Point]) -> bytes:
    """One `ExportMetricsServiceRequest`."""
    return _encode(
        Request(resource_metrics=[
            ResourceRecords(resource_wire(resource), scope_metrics=[
                ScopeRecords(scope_wire(scope), metrics=_texts(metrics_of(found)), schema_url=scope.schema_url)
                for scope, found in scopes
            ], schema_url=resource.schema_url)
            for resource, scopes in grouped(points)
        ])
    )  # fmt: skip


def decode(signal: Signal, data: bytes, max_records: int) -> Decoded:
    """Records that can be taken, and how many cannot. Raises IngestError for a body that is no such request."""
    check_json(data)
    request = read_request(data)
    _count(signal, request, max_records)
    return read(signal, request)


def count(signal: Signal, data: bytes, max_records: int) -> int:
    """How many records a request holds; of metrics their points. Raises IngestError as `decode` does."""
    check_json(data)
    return _count(signal, read_request(data), max_records)


def _count(signal: Signal, request: Request, max_records: int) -> int:
    _refuse_others(signal, request)
    lists = [texts for _, scopes in _groups(signal, request) for _, texts in scopes]
    records = sum(map(len, lists))
    if signal == "metrics" and records <= max_records:
        records = sum(count_points(text) for texts in lists for text in texts)
    if records > max_records:
        refuse_records(max_records)
    return records


def _refuse_others(signal: Signal, request: Request) -> None:
    """Records of another signal would be left out without a word."""
    groups = {"traces": request.resource_spans, "logs": request.resource_logs, "metrics": request.resource_metrics}
    for other, records in groups.items():
        if records and other != signal:
            raise IngestError(f"these are {other}, not {signal}; send them to /v1/{other}")


def read(signal: Signal, request: Request) -> Decoded:
    """The records of a request."""
    found = Decoded()
    for group, scopes in _groups(signal, request):
        try:
            resource = read_resource(group)
        except IngestError as error:
            found.reject(f"resource: {error}", sum(len(texts) for _, texts in scopes))
            continue
        for scoped, texts in scopes:
            try:
                scope = read_scope(scoped)
            except IngestError as error:
                found.reject(f"scope: {error}", len(texts))
                continue
            _read_texts(signal, texts, resource, scope, found)
    return found


def _groups(signal: Signal, request: Request) -> Iterator[tuple[ResourceRecords, list[tuple[ScopeRecords, list[Raw]]]]]:
    match signal:
        case "traces":
            for group in request.resource_spans or ():
                yield group, [(scoped, scoped.spans or []) for scoped in group.scope_spans or ()]
        case "logs":
            for group in request.resource_logs or ():
                yield group, [(scoped, scoped.log_records or []) for scoped in group.scope_logs or ()]
        case "metrics":
            for group in request.resource_metrics or ():
                yield group, [(scoped, scoped.metrics or []) for scoped in group.scope_metrics or ()]


def _read_texts(signal: Signal, texts: list[Raw], resource: Resource, scope: Scope, found: Decoded) -> None:
    if signal == "metrics":
        for text in texts:
            read_points(text, resource, scope, found)
        return
    read: Callable[[Raw, Resource, Scope], Any] = _read_span if signal == "traces" else _read_log
    kept: list[Any] = found.spans if signal == "traces" else found.logs
    for text in texts:
        try:
            kept.append(read(text, resource, scope))
        except (IngestError, msgspec.MsgspecError, UnicodeError) as error:
            found.reject(f"record {len(kept) + found.rejected}: {error}")
        except RecursionError:
            found.reject(f"record {len(kept) + found.rejected}: {TOO_DEEP}")


# --- writing


def _texts(records: Iterable[object]) -> list[Raw]:
    return [Raw(_encode(record)) for record in records]


def _span(span: Span) -> SpanWire:
    return SpanWire(
        span.trace_id, span.span_id, span.trace_state, span.parent_id or "", span.name, KINDS.index(span.kind, 1),
        str(span.start_ns), 0 if span.end_ns is None else str(span.end_ns),
        pairs_of(span.attributes) + pairs_of(own_attributes(span)),
        [EventWire(str(event.time_ns), event.name, pairs_of(event.attributes)) for event in span.events],
        [LinkWire(link.trace_id, link.span_id, link.trace_state, pairs_of(link.attributes)) for link in span.links],
        StatusWire(STATUSES.index(span.status), span.status_message),
    )  # fmt: skip


def _log(log: Log) -> LogWire:
    return LogWire(
        time_unix_nano=str(log.time_ns), severity_number=log.severity, body=any_of(log.body),
        attributes=pairs_of(log.attributes) + pairs_of(own_attributes(log)),
        trace_id=log.trace_id or "", span_id=log.span_id or "", event_name=log.event_name,
    )  # fmt: skip


# --- reading


def _read_span(text: Raw, resource: Resource, scope: Scope) -> Span:
    wire = _decode_span(text)
    attributes = read_attributes(wire.attributes)
    status = wire.status
    kind = wire.kind if isinstance(wire.kind, int) else read_enum(wire.kind, _KIND_NAMES)
    code = 0 if status is None else read_enum(status.code, _STATUS_NAMES)
    return Span(
        read_id(wire.trace_id, 32, "traceId"),
        read_id(wire.span_id, 16, "spanId"),
        wire.name or "",
        read_time(wire.start_time_unix_nano, "startTimeUnixNano"),
        read_optional_id(wire.parent_span_id, 16, "parentSpanId"),
        read_time(wire.end_time_unix_nano, "endTimeUnixNano") or None,
        KINDS[kind] if 0 <= kind < len(KINDS) else "INTERNAL",
        STATUSES[code] if 0 <= code < len(STATUSES) else "UNSET",
        (status.message or "") if status else "",
        attributes,
        [_read_event(event) for event in wire.events or ()],
        [_read_link(link) for link in wire.links or ()],
        scope,
        resource,
        wire.trace_state or "",
        take_weight(attributes) if WEIGHT in attributes else 1.0,
    )


def _read_event(wire: EventWire) -> Event:
    return Event(read_time(wire.time_unix_nano, "timeUnixNano"), wire.name or "", read_attributes(wire.attributes))


def _read_link(wire: LinkWire) -> Link:
    return Link(
        read_id(wire.trace_id, 32, "traceId of a link"),
        read_id(wire.span_id, 16, "spanId of a link"),
        read_attributes(wire.attributes),
        wire.trace_state or "",
    )


def _read_log(text: Raw, resource: Resource, scope: Scope) -> Log:
    wire = _decode_log(text)
    attributes = read_attributes(wire.attributes)
    time_ns = read_time(wire.time_unix_nano, "timeUnixNano")
    return Log(
        time_ns or read_time(wire.observed_time_unix_nano, "observedTimeUnixNano"),
        severity(read_enum(wire.severity_number, _SEVERITY_NAMES), wire.severity_text),
        read_value(wire.body),
        event_name(wire.event_name, attributes),
        attributes,
        read_optional_id(wire.trace_id, 32, "traceId"),
        read_optional_id(wire.span_id, 16, "spanId"),
        scope,
        resource,
        take_weight(attributes),
        take_log_id(attributes),
    )
