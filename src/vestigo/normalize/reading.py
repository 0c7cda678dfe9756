"""Tolerant readers of foreign attributes: whatever stands there, they give a value of the wanted type or None.

Emitters write numbers as text, JSON in text, JSON in JSON, JSON that is cut at a limit, and lists as flat keys
(`a.0.b`). Nothing here knows a dialect.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from vestigo.record import Attributes, Value

_MAX_COUNT: Final = 1 << 62
_MAX_DEPTH: Final = 64
_MAX_MENDED: Final = 1 << 20
"""Characters; emitters cut at less, and longer text that is no JSON is not worth the time."""
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{},]', re.DOTALL)
_OPENERS: Final = {"[": "]", "{": "}"}

_decode = msgspec.json.Decoder().decode
T = TypeVar("T")


def as_text(value: Value) -> str | None:
    """Text that is not empty; numbers count as their text, JSON-quoted text is unquoted."""
    if type(value) is str:
        if value[:1] == '"':
            quoted = parsed(value)
            return quoted if type(quoted) is str and quoted else value
        return value or None
    return str(value) if type(value) is int or type(value) is float else None


def as_number(value: Value) -> float | None:
    """A finite number, or text that says one; booleans are none."""
    if type(value) is str:
        try:
            value = float(value.strip('"'))
        except ValueError:
            return None
    if type(value) is not int and type(value) is not float:
        return None
    return float(value) if math.isfinite(value) else None


def as_count(value: Value) -> int | None:
    """A whole number from 0, such as tokens."""
    if type(value) is int:
        return value if 0 <= value < _MAX_COUNT else None
    number = as_number(value)
    return int(number) if number is not None and 0 <= number < _MAX_COUNT else None


def as_usd(value: Value) -> float | None:
    """A sum of money from 0."""
    number = as_number(value)
    return number if number is not None and number >= 0 else None


def as_seconds(value: Value) -> float | None:
    """Milliseconds as seconds."""
    number = as_number(value)
    return None if number is None else number / 1e3


def as_texts(value: Value) -> list[str] | None:
    """Texts of a list, of JSON text that is one, or one text alone; None where there is none."""
    value = parsed(value)
    if isinstance(value, list):
        return [str(item) for item in value if item is not None] or None
    return [value] if isinstance(value, str) and value else None


def as_list(value: Value) -> list[Value]:
    """A list, also where it stands as JSON text; anything else is its one item, null is none."""
    value = parsed(value)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def as_dict(value: Value) -> dict[str, Value]:
    """An object, also where it stands as JSON text; anything else is empty."""
    value = parsed(value)
    return value if isinstance(value, dict) else {}


def text(attributes: Attributes, *names: str) -> str | None:
    """The first of these attributes that has a text; numbers count as their text."""
    return _first(attributes, names, as_text)


def number(attributes: Attributes, *names: str) -> float | None:
    """The first of these attributes that is a number, or text that says one."""
    return _first(attributes, names, as_number)


def count(attributes: Mapping[str, Value], *names: str) -> int | None:
    """The first of these that is a whole number from 0."""
    return _first(attributes, names, as_count)


def first(attributes: Attributes, *names: str) -> Value:
    """The first of these attributes that is there and neither null nor empty text; None where none is."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "":
            return value
    return None


def _first(attributes: Mapping[str, Value], names: tuple[str, ...], read: Callable[[Value], T | None]) -> T | None:
    for name in names:
        value = read(attributes.get(name))
        if value is not None:
            return value
    return None


def parsed(value: Value) -> Any:
    """JSON inside text, even twice encoded or cut at the end; anything else as it is.

    Of cut JSON comes back what was complete, with the last text as far as it goes.
    """
    for _ in range(3):
        if type(value) is not str or value[:1] not in {"[", "{", '"', " ", "\n"}:
            return value
        try:
            value = _decode(value)
        except (ValueError, RecursionError):  # DecodeError and UnicodeEncodeError are ValueErrors
            return _mended(value)
    return value


def _mended(text: str) -> Value:
    """The value of JSON text that was cut; the text itself where it is no JSON.

    Closes what is open at the end. If that is no JSON either, the end was amid a key or a number: then the last item
    is left out.
    """
    if text[:1] not in _OPENERS or len(text) > _MAX_MENDED:
        return text
    open_ends: list[str] = []
    comma = depth = 0  # of the last comma, and how much was open there
    tail = ""
    for found in _STRUCTURE.finditer(text):
        mark = found[0]
        if mark in _OPENERS:
            open_ends.append(_OPENERS[mark])
            if len(open_ends) > _MAX_DEPTH:
                return text
        elif mark == ",":
            comma, depth = found.start(), len(open_ends)
        elif mark in {"]", "}"}:
            if not open_ends or open_ends.pop() != mark:
                return text
        elif len(mark) == 1 or mark[-1] != '"' or _ends_escaped(mark):
            tail = '"'
    ends = "".join(reversed(open_ends))
    if not ends:
        return text
    for attempt in (text + tail + ends, text[:comma] + "".join(reversed(open_ends[:depth]))):
        try:
            return _decode(attempt)
        except (ValueError, RecursionError):
            continue
    return text


def _ends_escaped(quoted: str) -> bool:
    """Whether the last quote of this text is part of it, as in `"a\\"`: an odd number of backslashes before it."""
    body = quoted[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def indexed(attributes: Attributes, prefix: str) -> list[Any]:
    """The list that flat keys below a prefix describe: `p.0.b.c`, `p.1.b.c` give `[{"b": {"c": ..}}, ..]`.

    In the order of the indexes, whatever is missing between them; other keys below the prefix are left out. Keys that
    are all indexes make lists at any depth. A value whose key also has keys below it is left out.
    """
    start = prefix + "."
    tree: dict[str, Any] = {}
    for key in [key for key in attributes if key.startswith(start)]:
        value = attributes[key]
        *branches, leaf = key[len(start) :].split(".", _MAX_DEPTH)
        if not (branches[0] if branches else leaf).isdecimal():
            continue
        node = tree
        for branch in branches:
            below = node.get(branch)
            if type(below) is not _Branch:
                below = node[branch] = _Branch()
            node = below
        if type(node.get(leaf)) is not _Branch:
            node[leaf] = value
    grown = _grown(tree)
    return grown if isinstance(grown, list) else []


class _Branch(dict[str, Any]):
    """An inner node, told from a value that is an object itself."""


def _grown(node: dict[str, Any]) -> Any:
    for key, value in node.items():
        if type(value) is _Branch:
            node[key] = _grown(value)
    if next(iter(node), "").isdecimal() and all(key.isdecimal() and len(key) < 10 for key in node):
        return [node[key] for key in sorted(node, key=int)]
    return dict(node)


__all__ = [
    "as_count", "as_dict", "as_list", "as_number", "as_seconds", "as_text", "as_texts", "as_usd",
    "count", "first", "indexed", "number", "parsed", "text",
]  # fmt: skip
