"""Spans and logs -> OTLP protobuf, byte by byte: in less than half the time of building messages, without a library.

Defaults are left out, as proto3 does, so that the bytes are those of the official classes.
Source: protobuf.dev/programming-guides/encoding, 2026-09; field numbers of opentelemetry-proto 1.11.0.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from struct import Struct
from typing import Final, TypeVar

from vestigo.otlp.terms import KINDS, STATUSES, grouped, own_attributes
from vestigo.record import Attributes, Log, Scope, Span, Value

R = TypeVar("R", Span, Log)

_double: Final = Struct("<Bd").pack
_fixed: Final = Struct("<BQ").pack
_STATUS: Final = {"UNSET": b"", **{name: bytes((0x18, number)) for number, name in enumerate(STATUSES) if number}}


def encode_traces(spans: Iterable[Span]) -> bytes:
    """One `ExportTraceServiceRequest`; spans keep their order within their resource and scope."""
    return _request(spans, _span)


def encode_logs(logs: Iterable[Log]) -> bytes:
    """One `ExportLogsServiceRequest`."""
    return _request(logs, _log)


def _request(records: Iterable[R], write: Callable[[R], bytes]) -> bytes:
    """The field numbers of requests, resources and scopes are the same for all signals."""
    groups: list[bytes] = []
    for resource, scopes in grouped(records):
        parts = [_always(0x0A, b"".join(_pairs(0x0A, resource.attributes)))]
        for scope, found in scopes:
            inner = [_always(0x0A, _scope(scope)), *(_always(0x12, write(record)) for record in found)]
            inner.append(_text(0x1A, scope.schema_url))
            parts.append(_always(0x12, b"".join(inner)))
        parts.append(_text(0x1A, resource.schema_url))
        groups.append(_always(0x0A, b"".join(parts)))
    return b"".join(groups)


def _scope(scope: Scope) -> bytes:
    return b"".join((_text(0x0A, scope.name), _text(0x12, scope.version), *_pairs(0x1A, scope.attributes)))


def _span(span: Span) -> bytes:
    parts = [
        _field(0x0A, bytes.fromhex(span.trace_id)), _field(0x12, bytes.fromhex(span.span_id)),
        _text(0x1A, span.trace_state), _field(0x22, bytes.fromhex(span.parent_id or "")), _text(0x2A, span.name),
        bytes((0x30, KINDS.index(span.kind, 1))), _time(0x39, span.start_ns), _time(0x41, span.end_ns or 0),
        *_pairs(0x4A, span.attributes), *_pairs(0x4A, own_attributes(span)),
    ]  # fmt: skip
    for event in span.events:
        told = (_time(0x09, event.time_ns), _text(0x12, event.name), *_pairs(0x1A, event.attributes))
        parts.append(_always(0x5A, b"".join(told)))
    for link in span.links:
        ids = _field(0x0A, bytes.fromhex(link.trace_id)), _field(0x12, bytes.fromhex(link.span_id))
        parts.append(_always(0x6A, b"".join((*ids, _text(0x1A, link.trace_state), *_pairs(0x22, link.attributes)))))
    parts.append(_field(0x7A, _text(0x12, span.status_message) + _STATUS[span.status]))
    return b"".join(parts)


def _log(log: Log) -> bytes:
    return b"".join((
        _time(0x09, log.time_ns), b"\x10" + _varint(log.severity), _always(0x2A, _any(log.body)),
        *_pairs(0x32, log.attributes), *_pairs(0x32, own_attributes(log)),
        _field(0x4A, bytes.fromhex(log.trace_id or "")), _field(0x52, bytes.fromhex(log.span_id or "")),
        _text(0x62, log.event_name),
    ))  # fmt: skip


def _pairs(tag: int, attributes: Attributes) -> list[bytes]:
    """Each attribute as a field of that tag."""
    found: list[bytes] = []
    for key, value in attributes.items():
        told = _any(value)
        found.append(_always(tag, b"%b\x12%b%b" % (_key(key), _size(len(told)), told)))
    return found


@lru_cache(maxsize=4_096)
def _key(key: str) -> bytes:
    return _text(0x0A, key)


def _any(value: Value) -> bytes:
    """An `AnyValue`; what is set is written even if it is 0 or empty. Raises ValueError beyond 64 bits."""
    if isinstance(value, str):
        return _always(0x0A, value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise ValueError(f"{str(value)[:40]} does not fit 64 bits")
        return b"\x18" + _varint(value & (1 << 64) - 1)
    if isinstance(value, float):
        return _double(0x21, value)
    if isinstance(value, list):
        return _always(0x2A, b"".join(_always(0x0A, _any(item)) for item in value))
    if isinstance(value, dict):
        return _always(0x32, b"".join(_pairs(0x0A, value)))
    return b""


def _time(tag: int, number: int) -> bytes:
    if not 0 <= number < 1 << 64:
        raise ValueError(f"time {str(number)[:40]} does not fit 64 bits")
    return _fixed(tag, number) if number else b""


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _field(tag: int, content: bytes) -> bytes:
    return _always(tag, content) if content else b""


def _always(tag: int, content: bytes) -> bytes:
    return b"%c%b%b" % (tag, _size(len(content)), content)


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


_SIZES: Final = [_varint(number) for number in range(1 << 12)]


def _size(number: int) -> bytes:
    return _SIZES[number] if number < len(_SIZES) else _varint(number)
