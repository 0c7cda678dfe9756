"""What both wire forms of OTLP share: the numbers of its enums, our own attributes, and what a decoding comes to.

What OTLP has no word for travels as attributes: `vestigo.weight` for a sampled record, `vestigo.log_id` for a log's id.
"""

import math
import re
from collections.abc import Iterable
from typing import Final, Literal, NoReturn, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from vestigo.errors import IngestError
from vestigo.record import Attributes, Log, Point, Resource, Scope, Span, SpanKind, Status, Value

Signal: TypeAlias = Literal["traces", "logs", "metrics"]
Form: TypeAlias = Literal["protobuf", "json"]

KINDS: Final[tuple[SpanKind, ...]] = ("INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES: Final[tuple[Status, ...]] = ("UNSET", "OK", "ERROR")
WEIGHT: Final = "vestigo.weight"
LOG_ID: Final = "vestigo.log_id"
MAX_DEPTH: Final = 64
"""Levels of lists and maps inside each other in one value."""
TOO_DEEP: Final = f"values inside each other are too deep; send at most {MAX_DEPTH} levels"
MAX_VALUES: Final = 500_000
"""Attributes, list items, events and links of one request: with 16 MiB, one for every 33 bytes."""

_LOG_ID_FORM: Final = re.compile("[0-9a-f]{32}").fullmatch
_MAX_REASONS: Final = 20
_MAX_TIME: Final = (1 << 63) - 1
_SEVERITIES: Final = {
    "trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "critical": 21, "fatal": 21,
}  # fmt: skip
R = TypeVar("R", Span, Log, Point)


class Decoded(Struct):
    """The records of a request that can be taken, and how many cannot."""

    spans: list[Span] = []
    logs: list[Log] = []
    points: list[Point] = []
    rejected: int = 0
    reasons: list[str] = []
    """What was wrong with the first twenty of them."""

    def reject(self, why: object, records: int = 1) -> None:
        """Count records that are not taken."""
        self.rejected += records
        if len(self.reasons) < _MAX_REASONS:
            self.reasons.append(str(why))


def refuse_depth() -> NoReturn:
    """For values nested beyond `MAX_DEPTH`."""
    raise IngestError(TOO_DEEP) from None


def refuse_records(max_records: int) -> NoReturn:
    """For a request of more records than one may have."""
    raise IngestError(f"more than {max_records} records in one request; send smaller ones")


def refuse_values() -> NoReturn:
    """For a request of more values than one may have."""
    raise IngestError(f"more than {MAX_VALUES} attributes and values in one request; send smaller ones")


def refuse_id(told: str, length: int, name: str) -> NoReturn:
    """For an id that is none. A missing one mostly means that another kind of record was sent."""
    if not told:
        raise IngestError(f"{name} is missing; does this request belong to another path, such as /v1/logs?")
    raise IngestError(f"{name} {told[:40]!r} is not {length} hex digits, or all zero")


def time_of(number: int, name: str) -> int:
    """A time as records hold it. Raises IngestError beyond 63 bits and before 1970."""
    if 0 <= number <= _MAX_TIME:
        return number
    if number < 0:
        raise IngestError(f"{name} {number} is before 1970; send nanoseconds since then")
    raise IngestError(f"{name} {str(number)[:40]} does not fit 64 bits")


def take_weight(attributes: Attributes) -> float:
    """The weight, taken out of a record's attributes; 1 where it makes no sense."""
    weight = attributes.pop(WEIGHT, 1.0)
    fits = isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight < math.inf
    return float(weight) if fits else 1.0  # pyright: ignore[reportArgumentType]  it is a number


def take_log_id(attributes: Attributes) -> str:
    """A log's id, taken out of its attributes; empty where there is none."""
    log_id = attributes.pop(LOG_ID, "")
    return log_id if isinstance(log_id, str) and _LOG_ID_FORM(log_id) else ""


def event_name(told: str | None, attributes: Attributes) -> str:
    """Older emitters know no EventName field, and write an attribute."""
    name = told or attributes.get("event.name", "")
    return name if isinstance(name, str) else ""


def severity(number: int | None, text: str | None) -> int:
    """1 to 24, from the number or else from the level's name; 9 (info) where neither is told."""
    if number:
        return min(max(number, 1), 24)
    return _SEVERITIES.get((text or "").lower(), 9)


def own_attributes(record: Span | Log) -> dict[str, Value]:
    """The attributes that carry what OTLP has no word for."""
    own: dict[str, Value] = {} if record.weight == 1 else {WEIGHT: record.weight}
    if isinstance(record, Log) and record.log_id:
        own[LOG_ID] = record.log_id
    return own


def grouped(records: Iterable[R]) -> list[tuple[Resource, list[tuple[Scope, list[R]]]]]:
    """Records by resource and scope, in the order of the first of each."""
    groups: dict[bytes, tuple[Resource, dict[bytes, tuple[Scope, list[R]]]]] = {}
    encode = msgspec.msgpack.encode
    for record in records:
        _, scopes = groups.setdefault(encode(record.resource), (record.resource, {}))
        scopes.setdefault(encode(record.scope), (record.scope, []))[1].append(record)
    return [(resource, list(scopes.values())) for resource, scopes in groups.values()]
