"""The structs of OTLP JSON and its values, with which `jsonform.py` reads and writes records, `jsonpoints.py` points.

Field names are those of the protobuf messages, so that code for both forms can read either.
"""

import base64
import binascii
import math
import re
from typing import Final

import msgspec
from msgspec import Raw, Struct

from vestigo.errors import IngestError
from vestigo.otlp.terms import MAX_DEPTH, refuse_depth, refuse_id, time_of
from vestigo.record import Attributes, Resource, Scope, Value

Number = str | int | None
Double = float | str | None
Enum = int | str | None
"""A number by the specification; a name from those who use protobuf's own JSON."""


class Wire(Struct, rename="camel", omit_defaults=True, gc=False):
    pass


class ArrayValue(Wire):
    values: list["AnyValue"] | None = []


class KeyValue(Wire):
    key: str = ""
    value: "AnyValue | None" = None


Pairs = list[KeyValue] | None
"""None is what the null of a sender means: the default."""


class KeyValues(Wire):
    values: Pairs = []


class AnyValue(Wire):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: Double = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValues | None = None
    bytes_value: str | None = None


class ResourceWire(Wire):
    attributes: Pairs = []


class ScopeWire(Wire):
    name: str | None = ""
    version: str | None = ""
    attributes: Pairs = []


class EventWire(Wire):
    time_unix_nano: Number = 0
    name: str | None = ""
    attributes: Pairs = []


class LinkWire(Wire):
    trace_id: str | None = ""
    span_id: str | None = ""
    trace_state: str | None = ""
    attributes: Pairs = []


class StatusWire(Wire):
    code: Enum = 0
    message: str | None = ""


class SpanWire(Wire):
    trace_id: str | None = ""
    span_id: str | None = ""
    trace_state: str | None = ""
    parent_span_id: str | None = ""
    name: str | None = ""
    kind: Enum = 0
    start_time_unix_nano: Number = 0
    end_time_unix_nano: Number = 0
    attributes: Pairs = []
    events: list[EventWire] | None = []
    links: list[LinkWire] | None = []
    status: StatusWire | None = None


class LogWire(Wire):
    time_unix_nano: Number = 0
    observed_time_unix_nano: Number = 0
    severity_number: Enum = 0
    severity_text: str | None = ""
    body: AnyValue | None = None
    attributes: Pairs = []
    trace_id: str | None = ""
    span_id: str | None = ""
    event_name: str | None = ""


class ScopeRecords(Wire):
    """The records stay text, to be decoded one by one."""

    scope: ScopeWire | None = None
    spans: list[Raw] | None = []
    log_records: list[Raw] | None = []
    metrics: list[Raw] | None = []
    schema_url: str | None = ""


class ResourceRecords(Wire):
    resource: ResourceWire | None = None
    scope_spans: list[ScopeRecords] | None = []
    scope_logs: list[ScopeRecords] | None = []
    scope_metrics: list[ScopeRecords] | None = []
    schema_url: str | None = ""


class Request(Wire):
    resource_spans: list[ResourceRecords] | None = []
    resource_logs: list[ResourceRecords] | None = []
    resource_metrics: list[ResourceRecords] | None = []


_request: Final = msgspec.json.Decoder(Request)


def read_request(data: bytes | str) -> Request:
    """A request with its records as text. Raises IngestError for what is none."""
    try:
        return _request.decode(data)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise IngestError(f"cannot read OTLP JSON: {error}") from None
    except RecursionError:
        refuse_depth()


# --- writing


def resource_wire(resource: Resource) -> ResourceWire:
    return ResourceWire(pairs_of(resource.attributes))


def scope_wire(scope: Scope) -> ScopeWire:
    return ScopeWire(scope.name, scope.version, pairs_of(scope.attributes))


def pairs_of(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key, any_of(value)) for key, value in attributes.items()]


def any_of(value: Value) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue([any_of(item) for item in value]))
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValues(pairs_of(value)))
    return AnyValue()


# --- reading


def read_resource(group: ResourceRecords) -> Resource:
    attributes = read_attributes(group.resource.attributes) if group.resource else {}
    return Resource(attributes, group.schema_url or "")


def read_scope(scoped: ScopeRecords) -> Scope:
    scope = scoped.scope or ScopeWire()
    return Scope(scope.name or "", scope.version or "", read_attributes(scope.attributes), scoped.schema_url or "")


def read_attributes(pairs: Pairs, depth: int = 0) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in pairs or ():
        value = pair.value
        if value is not None and (text := value.string_value) is not None:  # most are text
            found[pair.key] = text
        else:
            found[pair.key] = read_value(value, depth)
    return found


def read_value(wire: AnyValue | None, depth: int = 0) -> Value:
    if wire is None:
        return None
    if wire.string_value is not None:
        return wire.string_value
    if wire.bool_value is not None:
        return wire.bool_value
    if wire.int_value is not None:
        return read_int(wire.int_value, "intValue")
    if wire.double_value is not None:
        return _double(wire.double_value)
    if wire.bytes_value is not None:
        return _bytes(wire.bytes_value)
    if depth == MAX_DEPTH:
        refuse_depth()
    if wire.array_value is not None:
        return [read_value(item, depth + 1) for item in wire.array_value.values or ()]
    return None if wire.kvlist_value is None else read_attributes(wire.kvlist_value.values, depth + 1)


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
    except (binascii.Error, ValueError):
        raise IngestError(f"bytesValue {wire[:40]!r} is not base64") from None
    return f"base64:{plain}{'=' * (-len(plain) % 4)}"


_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def read_int(wire: Number, name: str) -> int:
    if wire is None:
        return 0
    try:
        number = int(wire)
    except ValueError:
        raise IngestError(f"{name} {str(wire)[:40]!r} is no integer; send 64-bit integers as decimal text") from None
    if not -(1 << 63) <= number < 1 << 63:
        raise IngestError(f"{name} {str(wire)[:40]} does not fit 64 bits")
    return number


def read_time(wire: Number, name: str) -> int:
    return time_of(read_int(wire, name), name)


def read_id(wire: str | None, length: int, name: str) -> str:
    text = wire or ""
    if not _HEX[length](text) or not text.strip("0"):
        refuse_id(text, length, name)
    return text.lower()


_HEX: Final = {length: re.compile(f"[0-9a-fA-F]{{{length}}}").fullmatch for length in (16, 32)}


def read_optional_id(wire: str | None, length: int, name: str) -> str | None:
    """None also for zeros only, which some emitters write for "none"."""
    return read_id(wire, length, name) if wire and wire.strip("0") else None


def read_enum(wire: Enum, names: dict[str, int]) -> int:
    """Its number; 0 for what is not known."""
    if isinstance(wire, int):
        return wire
    return 0 if wire is None else names.get(wire, int(wire) if wire.isdecimal() and len(wire) < 9 else 0)
