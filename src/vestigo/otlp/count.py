"""How much a request holds, found on its bytes before any object is built: the guard against bombs.

Protobuf is walked message by message down to single records, and inside only of records so large that their objects
could fill the memory. JSON is counted by its punctuation, which bounds the number of its values.
Source: protobuf.dev/programming-guides/encoding, 2026-09.
"""

from typing import Final, NoReturn

from vestigo.errors import IngestError
from vestigo.otlp.terms import MAX_DEPTH, MAX_VALUES, refuse_depth, refuse_values

Child = tuple[int, int, int, int]
"""A message inside another: its field, and where its tag, its content and its end are."""

_MAX_MARKS: Final = 4 * MAX_VALUES  # an attribute in JSON takes two braces and one or two commas
_OTHERS: Final = bytes(set(range(256)) - set(b'",[{'))
_STEP: Final = 64 * 1024


def check_json(data: bytes) -> None:
    """Raise IngestError for more values than a request may hold. What stands within strings does not count."""
    if data.count(b",") + data.count(b"{") + data.count(b"[") > _MAX_MARKS and _marks(data) > _MAX_MARKS:
        refuse_values()


def _marks(data: bytes) -> int:
    """How many commas and opening brackets of JSON stand outside of strings. Takes no more memory than the text."""
    quoted = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHERS).replace(b'""', b"")
    marks, inside = 0, 0
    for at in range(0, len(quoted), _STEP):  # all strings of 16 MiB at once would be a list of 400 MB
        parts = quoted[at : at + _STEP].split(b'"')
        marks += sum(map(len, parts[inside::2]))
        inside ^= (len(parts) - 1) & 1
    return marks


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to ten bytes, and where it ends. Raises IndexError at the end of the data."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise IngestError("cannot read OTLP protobuf: a number of more than ten bytes")


class Budget:
    """What one request may still hold."""

    __slots__ = ("fields", "values")

    def __init__(self) -> None:
        self.values = MAX_VALUES
        self.fields = 2 * MAX_VALUES
        """Of protobuf, in records so large that they are walked one by one; an attribute takes four."""

    def spend(self, values: int) -> None:
        """Raise IngestError where that is too much."""
        self.values -= values
        if self.values < 0:
            refuse_values()


def check_protobuf(data: bytes, start: int, end: int, shape: str, budget: Budget) -> None:
    """Raise IngestError if a message holds more messages and numbers than the budget has left, or is none."""
    waiting = [(start, end, shape)]
    try:
        while waiting:
            at, end, shape = waiting.pop()
            while at < end:
                field, content, after = _field(data, at)
                if after > end:
                    _refuse()
                inner = _SHAPES[shape].get(field) if content else None
                budget.fields -= after - content if inner == "packed" else 1
                if budget.fields < 0:
                    refuse_values()
                at = after
                if inner is not None and inner != "packed":
                    waiting.append((after, end, shape))
                    at, end, shape = content, after, inner
            if len(waiting) > 2 * MAX_DEPTH:
                refuse_depth()
    except IndexError:
        _refuse()


_SHAPES: Final[dict[str, dict[int, str]]] = {
    "resource head": {1: "resource"}, "scope head": {1: "scope"},
    "resource": {1: "pair", 3: "entity"}, "entity": {}, "scope": {3: "pair"},
    "traces": {9: "pair", 11: "event", 13: "link"}, "event": {3: "pair"}, "link": {4: "pair"},
    "logs": {5: "value", 6: "pair"},
    "pair": {2: "value"}, "value": {5: "list", 6: "map"}, "list": {1: "value"}, "map": {1: "pair"},
    "metrics": {5: "numbers", 7: "numbers", 9: "histograms", 10: "exponentials", 11: "summaries", 12: "pair"},
    "numbers": {1: "number"}, "histograms": {1: "histogram"}, "exponentials": {1: "exponential"},
    "summaries": {1: "summary"}, "number": {7: "pair", 5: "exemplar"}, "exemplar": {7: "pair"},
    "histogram": {9: "pair", 8: "exemplar"}, "exponential": {1: "pair", 8: "buckets", 9: "buckets", 11: "exemplar"},
    "buckets": {2: "packed"}, "summary": {7: "pair", 6: "quantile"}, "quantile": {},
}  # fmt: skip
"""Which fields of a message hold messages of which shape; a record's shape is its signal."""


def split(data: bytes, start: int, end: int, field: int, limit: int) -> tuple[bytes, list[Child]]:
    """The bytes of a message without one of its fields, and where the messages of that field lie.

    Raises IngestError for what is no protobuf, and for more than `limit` fields.
    """
    rest, found = _fields(data, start, end, frozenset((field,)), limit)
    return b"".join(rest), found


def _fields(data: bytes, start: int, end: int, wanted: frozenset[int], limit: int) -> tuple[list[bytes], list[Child]]:
    rest: list[bytes] = []
    found: list[Child] = []
    at = start
    try:
        while at < end:
            begin = at
            tag = data[at]
            at += 1
            if tag > 127:
                tag, at = varint(data, begin)
            if tag & 7 == 2:
                size = data[at]
                at += 1
                if size > 127:
                    size, at = varint(data, at - 1)
                content = at
                at += size
                if at <= end and tag >> 3 in wanted:
                    found.append((tag >> 3, begin, content, at))
                else:
                    rest.append(data[begin:at])
            else:
                at = _after(data, at, tag & 7)
                rest.append(data[begin:at])
            limit -= 1
            if limit < 0:
                refuse_values()
    except IndexError:
        _refuse()
    if at != end:
        _refuse()
    return rest, found


def _field(data: bytes, at: int) -> tuple[int, int, int]:
    """The number of the field at a place, where its message begins (0 for what is none), and where it ends."""
    tag, at = varint(data, at)
    if tag & 7 != 2:
        return tag >> 3, 0, _after(data, at, tag & 7)
    size, at = varint(data, at)
    return tag >> 3, at, at + size


def _after(data: bytes, at: int, wire_type: int) -> int:
    """Where a field ends whose length is not told."""
    if wire_type == 0:
        return varint(data, at)[1]
    if wire_type not in {1, 5}:
        _refuse()
    return at + (8 if wire_type == 1 else 4)


def _refuse() -> NoReturn:
    raise IngestError("cannot read OTLP protobuf: the message is cut short or of another kind")
