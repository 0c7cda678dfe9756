"""Records <-> OTLP JSON, as `ExportTraceServiceRequest` and `ExportLogsServiceRequest`.

Reads what the field writes: 64-bit integers as text or numbers, ids in either case, nulls, unknown fields ignored. What
OTLP has no word for travels as attributes: `vestigo.weight` for a sampled record, `vestigo.log_id` for a log's id. Not
carried: the normal form, which the receiver makes for itself; attributes that have those two names; a time of 0, which
means "not told" in OTLP; and a key that stands twice in one list, whose last value counts.
The wire structs are JSON's. `encode_*` and `decode_*` are all that callers know, so another wire form fits beside.
Source: opentelemetry-proto 1.11.0, docs/specification.md.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable
from typing import Final, NoReturn, TypeVar

import msgspec
from msgspec import Struct

from vestigo.errors import IngestError
from vestigo.record import Attributes, Event, Link, Log, Resource, Scope, Span, SpanKind, Status, Value

_KINDS: Final[tuple[SpanKind, ...]] = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_STATUSES: Final[tuple[Status, ...]] = ("UNSET", "OK", "ERROR")
_WEIGHT: Final = "vestigo.weight"
_LOG_ID: Final = "vestigo.log_id"
_LOG_ID_FORM: Final = re.compile("[0-9a-f]{32}").fullmatch
_SEVERITIES: Final = {
    "trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "critical": 21, "fatal": 21,
}  # fmt: skip
_Number = str | int | None
R = TypeVar("R", Span, Log)


class _Wire(Struct, rename="camel", omit_defaults=True):
    pass


class _ArrayValue(_Wire):
    values: list["_AnyValue"] | None = []


class _KeyValue(_Wire):
    key: str = ""
    value: "_AnyValue | None" = None


_Pairs = list[_KeyValue] | None
"""None is what the null of a sender means: the default."""


class _KeyValues(_Wire):
    values: _Pairs = []


class _AnyValue(_Wire):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Number = None
    double_value: float | str | None = None
    array_value: _ArrayValue | None = None
    kvlist_value: _KeyValues | None = None
    bytes_value: str | None = None


class _Resource(_Wire):
    attributes: _Pairs = []


class _Scope(_Wire):
    name: str = ""
    version: str | None = ""
    attributes: _Pairs = []


class _Event(_Wire):
    time_unix_nano: _Number = 0
    name: str = ""
    attributes: _Pairs = []


class _Link(_Wire):
    trace_id: str = ""
    span_id: str = ""
    trace_state: str | None = ""
    attributes: _Pairs = []


class _Status(_Wire):
    code: int = 0
    message: str | None = ""


class _Span(_Wire):
    trace_id: str = ""
    span_id: str = ""
    trace_state: str | None = ""
    parent_span_id: str | None = ""
    name: str = ""
    kind: int = 0
    start_time_unix_nano: _Number = 0
    end_time_unix_nano: _Number = 0
    attributes: _Pairs = []
    events: list[_Event] | None = []
    links: list[_Link] | None = []
    status: _Status | None = None


class _LogRecord(_Wire):
    time_unix_nano: _Number = 0
    observed_time_unix_nano: _Number = 0
    severity_number: int | None = 0
    severity_text: str | None = ""
    body: _AnyValue | None = None
    attributes: _Pairs = []
    trace_id: str | None = ""
    span_id: str | None = ""
    event_name: str | None = ""


class _ScopeRecords(_Wire):
    scope: _Scope | None = None
    spans: list[_Span] | None = []
    log_records: list[_LogRecord] | None = []
    schema_url: str | None = ""


class _ResourceRecords(_Wire):
    resource: _Resource | None = None
    scope_spans: list[_ScopeRecords] | None = []
    scope_logs: list[_ScopeRecords] | None = []
    schema_url: str | None = ""


class _Request(_Wire):
    resource_spans: list[_ResourceRecords] | None = []
    resource_logs: list[_ResourceRecords] | None = []


_decoder = msgspec.json.Decoder(_Request)


def encode_traces(spans: Iterable[Span]) -> bytes:
    """One `ExportTraceServiceRequest`; spans keep their order within their resource and scope."""
    groups = _grouped(spans)
    return msgspec.json.encode(
        _Request(resource_spans=[
            _ResourceRecords(_resource(resource), scope_spans=[
                _ScopeRecords(_scope(scope), spans=[_span(span) for span in found], schema_url=scope.schema_url)
                for scope, found in scopes
            ], schema_url=resource.schema_url)
            for resource, scopes in groups
        ])
    )  # fmt: skip


def encode_logs(logs: Iterable[Log]) -> bytes:
    """One `ExportLogsServiceRequest`."""
    groups = _grouped(logs)
    return msgspec.json.encode(
        _Request(resource_logs=[
            _ResourceRecords(_resource(resource), scope_logs=[
                _ScopeRecords(_scope(scope), log_records=[_log(log) for log in found], schema_url=scope.schema_url)
                for scope, found in scopes
            ], schema_url=resource.schema_url)
            for resource, scopes in groups
        ])
    )  # fmt: skip


def decode_traces(data: bytes | str) -> list[Span]:
    """The spans of a request. Raises IngestError naming what cannot be read."""
    spans: list[Span] = []
    try:
        for group in _read(data).resource_spans or ():
            resource = _read_resource(group)
            for scoped in group.scope_spans or ():
                scope = _read_scope(scoped)
                spans.extend(_read_span(wire, resource, scope) for wire in scoped.spans or ())
    except RecursionError:
        _refuse_depth()
    return spans


def decode_logs(data: bytes | str) -> list[Log]:
    """The logs of a request. Raises IngestError naming what cannot be read."""
    logs: list[Log] = []
    try:
        for group in _read(data).resource_logs or ():
            resource = _read_resource(group)
            for scoped in group.scope_logs or ():
                scope = _read_scope(scoped)
                logs.extend(_read_log(wire, resource, scope) for wire in scoped.log_records or ())
    except RecursionError:
        _refuse_depth()
    return logs


def _refuse_depth() -> NoReturn:
    raise IngestError("values inside each other are too deep; send at most some 100 levels") from None


# --- writing


def _grouped(records: Iterable[R]) -> list[tuple[Resource, list[tuple[Scope, list[R]]]]]:
    groups: dict[bytes, tuple[Resource, dict[bytes, tuple[Scope, list[R]]]]] = {}
    encode = msgspec.msgpack.encode
    for record in records:
        _, scopes = groups.setdefault(encode(record.resource), (record.resource, {}))
        scopes.setdefault(encode(record.scope), (record.scope, []))[1].append(record)
    return [(resource, list(scopes.values())) for resource, scopes in groups.values()]


def _resource(resource: Resource) -> _Resource:
    return _Resource(_pairs(resource.attributes))


def _scope(scope: Scope) -> _Scope:
    return _Scope(scope.name, scope.version, _pairs(scope.attributes))


def _span(span: Span) -> _Span:
    attributes = _pairs(span.attributes)
    if span.weight != 1:
        attributes.append(_KeyValue(_WEIGHT, _any(span.weight)))
    return _Span(
        span.trace_id, span.span_id, span.trace_state, span.parent_id or "", span.name, _KINDS.index(span.kind, 1),
        str(span.start_ns), 0 if span.end_ns is None else str(span.end_ns), attributes,
        [_Event(str(event.time_ns), event.name, _pairs(event.attributes)) for event in span.events],
        [_Link(link.trace_id, link.span_id, link.trace_state, _pairs(link.attributes)) for link in span.links],
        _Status(_STATUSES.index(span.status), span.status_message),
    )  # fmt: skip


def _log(log: Log) -> _LogRecord:
    attributes = _pairs(log.attributes)
    if log.weight != 1:
        attributes.append(_KeyValue(_WEIGHT, _any(log.weight)))
    if log.log_id:
        attributes.append(_KeyValue(_LOG_ID, _any(log.log_id)))
    return _LogRecord(
        time_unix_nano=str(log.time_ns), severity_number=log.severity, body=_any(log.body), attributes=attributes,
        trace_id=log.trace_id or "", span_id=log.span_id or "", event_name=log.event_name,
    )  # fmt: skip


def _pairs(attributes: Attributes) -> list[_KeyValue]:
    return [_KeyValue(key, _any(value)) for key, value in attributes.items()]


def _any(value: Value) -> _AnyValue:
    if isinstance(value, str):
        return _AnyValue(string_value=value)
    if isinstance(value, bool):
        return _AnyValue(bool_value=value)
    if isinstance(value, int):
        return _AnyValue(int_value=str(value))
    if isinstance(value, float):
        return _AnyValue(double_value=value)
    if isinstance(value, list):
        return _AnyValue(array_value=_ArrayValue([_any(item) for item in value]))
    if isinstance(value, dict):
        return _AnyValue(kvlist_value=_KeyValues(_pairs(value)))
    return _AnyValue()


# --- reading


def _read(data: bytes | str) -> _Request:
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise IngestError(f"cannot read OTLP JSON: {error}") from None


def _read_resource(group: _ResourceRecords) -> Resource:
    attributes = _attributes(group.resource.attributes) if group.resource else {}
    return Resource(attributes, group.schema_url or "")


def _read_scope(scoped: _ScopeRecords) -> Scope:
    scope = scoped.scope or _Scope()
    return Scope(scope.name or "", scope.version or "", _attributes(scope.attributes), scoped.schema_url or "")


def _read_span(wire: _Span, resource: Resource, scope: Scope) -> Span:
    attributes = _attributes(wire.attributes)
    weight = _weight(attributes)
    status = wire.status or _Status()
    return Span(
        trace_id=_id(wire.trace_id, 32, "traceId"),
        span_id=_id(wire.span_id, 16, "spanId"),
        name=wire.name,
        start_ns=_time(wire.start_time_unix_nano, "startTimeUnixNano"),
        parent_id=_optional_id(wire.parent_span_id, 16, "parentSpanId"),
        end_ns=_time(wire.end_time_unix_nano, "endTimeUnixNano") or None,
        kind=_KINDS[wire.kind] if 0 <= wire.kind < len(_KINDS) else "INTERNAL",
        status=_STATUSES[status.code] if 0 <= status.code < len(_STATUSES) else "UNSET",
        status_message=status.message or "",
        attributes=attributes,
        events=[_read_event(event) for event in wire.events or ()],
        links=[_read_link(link) for link in wire.links or ()],
        scope=scope,
        resource=resource,
        trace_state=wire.trace_state or "",
        weight=weight,
    )


def _read_event(wire: _Event) -> Event:
    return Event(_time(wire.time_unix_nano, "timeUnixNano"), wire.name, _attributes(wire.attributes))


def _read_link(wire: _Link) -> Link:
    return Link(
        _id(wire.trace_id, 32, "traceId of a link"),
        _id(wire.span_id, 16, "spanId of a link"),
        _attributes(wire.attributes),
        wire.trace_state or "",
    )


def _read_log(wire: _LogRecord, resource: Resource, scope: Scope) -> Log:
    attributes = _attributes(wire.attributes)
    weight, log_id = _weight(attributes), attributes.pop(_LOG_ID, "")
    name = wire.event_name or attributes.get("event.name", "")  # older emitters know no EventName field
    time_ns = _time(wire.time_unix_nano, "timeUnixNano") or _time(wire.observed_time_unix_nano, "observedTimeUnixNano")
    return Log(
        time_ns, _severity(wire), _value(wire.body), name if isinstance(name, str) else "", attributes,
        _optional_id(wire.trace_id, 32, "traceId"), _optional_id(wire.span_id, 16, "spanId"), scope, resource,
        weight, log_id if isinstance(log_id, str) and _LOG_ID_FORM(log_id) else "",
    )  # fmt: skip


def _severity(wire: _LogRecord) -> int:
    """1 to 24, from the number or else from the level's name; 9 (info) where neither is told."""
    if wire.severity_number:
        return min(max(wire.severity_number, 1), 24)
    return _SEVERITIES.get((wire.severity_text or "").lower(), 9)


def _weight(attributes: dict[str, Value]) -> float:
    weight = attributes.pop(_WEIGHT, 1.0)
    fits = isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight < math.inf
    return float(weight) if fits else 1.0  # pyright: ignore[reportArgumentType]  it is a number


def _attributes(pairs: _Pairs) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs or ()}


def _value(wire: _AnyValue | None) -> Value:
    if wire is None:
        return None
    if wire.string_value is not None:
        return wire.string_value
    if wire.bool_value is not None:
        return wire.bool_value
    if wire.int_value is not None:
        return _int(wire.int_value, "intValue")
    if wire.double_value is not None:
        return _double(wire.double_value)
    if wire.array_value is not None:
        return [_value(item) for item in wire.array_value.values or ()]
    if wire.kvlist_value is not None:
        return _attributes(wire.kvlist_value.values)
    return None if wire.bytes_value is None else _bytes(wire.bytes_value)


def _double(wire: float | str) -> Value:
    """Text is how JSON says NaN and the infinities, which no record holds as numbers: they stay text."""
    try:
        number = float(wire)
    except ValueError:
        raise IngestError(f"doubleValue {str(wire)[:40]!r} is no number") from None
    return number if math.isfinite(number) else str(wire)


def _bytes(wire: str) -> str:
    """`base64:` and the bytes in the standard alphabet; the URL alphabet and missing padding are understood too."""
    plain = wire.translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise IngestError(f"bytesValue {wire[:40]!r} is not base64") from None
    return f"base64:{plain}{'=' * (-len(plain) % 4)}"


_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def _int(wire: _Number, name: str) -> int:
    if wire is None:
        return 0
    try:
        number = int(wire)
    except ValueError:
        raise IngestError(f"{name} {wire[:40]!r} is no integer; send 64-bit integers as decimal text") from None  # pyright: ignore[reportIndexIssue]  only text fails
    if not -(1 << 63) <= number < 1 << 63:
        raise IngestError(f"{name} {str(wire)[:40]} does not fit 64 bits")
    return number


def _time(wire: _Number, name: str) -> int:
    number = _int(wire, name)
    if number < 0:
        raise IngestError(f"{name} {number} is before 1970; send nanoseconds since then")
    return number


def _id(wire: str | None, length: int, name: str) -> str:
    text = (wire or "").lower()
    if len(text) != length or text.strip("0123456789abcdef") or not text.strip("0"):
        raise IngestError(f"{name} {(wire or '')[:40]!r} is not {length} hex digits, or all zero")
    return text


def _optional_id(wire: str | None, length: int, name: str) -> str | None:
    """None also for zeros only, which some emitters write for "none"."""
    return _id(wire, length, name) if wire and wire.strip("0") else None
