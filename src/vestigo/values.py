"""Any Python value -> a bounded copy made of JSON values. Half in the caller's thread, half in the worker's.

`pack` runs in the caller's thread: scalars stay as they are, anything else becomes msgpack bytes at once, since the
program may change its list a moment later (every chat loop appends to its history). `tidy` runs in the worker: it
unpacks, and replaces what JSON cannot say by a marker that a reader can see. Neither ever raises.
"""

import base64
import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from typing import Any, Final

import msgspec

from vestigo.record import Value

MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 10_000
_FAST_ITEMS: Final = 2_000  # more take the counting way
_MAX_FOREIGN_TEXT: Final = 10_000  # characters of a str() or repr() that we keep
_INT64: Final = 1 << 63

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_CONTAINERS: Final = frozenset({list, dict, tuple, set, frozenset})
_TEXT: Final = frozenset({str})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(strict=False).decode


def pack(value: object) -> bytes:
    """Copy a container or a foreign object into msgpack bytes, at most MAX_ITEMS items and MAX_DEPTH deep.

    Never raises an Exception: what cannot be read becomes `<cannot read CLASS: ERROR>`. A cycle ends as a
    `<deeper than N>` marker. Other BaseExceptions pass, since a signal handler may raise them here.
    """
    try:
        if _is_plain(value):
            return _encode(value)
    except Exception:  # noqa: S110  a huge integer, a surrogate, a change by another thread: the careful way copes
        pass
    try:
        return _encode(_Copier().copy(value, 0))
    except Exception as error:
        return _encode(f"<cannot read {type(value).__name__}: {type(error).__name__}>")


def _is_plain(value: Any) -> bool:
    """True for few and not too deeply nested built-in values, which the C encoder copies without running foreign code.

    Level by level, so that lists which share and share again (a billion items from ten lists) are found in time.
    """
    if type(value) not in _CONTAINERS:
        return False
    left = _FAST_ITEMS
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for container in level:
            left -= len(container)
            if left < 0:
                return False
            items = container
            if type(container) is dict:
                if not _TEXT.issuperset(map(type, container)):
                    return False
                items = container.values()
            below += [item for item in items if type(item) not in _SCALARS]
        if not below:
            return True
        if not _CONTAINERS.issuperset(map(type, below)):
            return False
        level = below
    return False


def unpack(packed: bytes) -> Value:
    """What `pack` packed, tidied. Never raises."""
    try:
        return tidy(_decode(packed))
    except Exception as error:
        return f"<cannot read packed value: {type(error).__name__}>"


def tidy(value: Any) -> Value:
    """Make JSON values of what msgpack or a program gave: finite floats, 64-bit integers, text without surrogates.

    Lists and dicts are changed in place; they must be ours. NaN and infinities become text, bytes become
    `base64:...`, longer integers their decimal text if it is short, else `<int of N bits>`.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else clean_text(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return _tidy_int(value)
    if kind is float:
        return value if math.isfinite(value) else _float_name(value)
    if kind is list:
        for index, item in enumerate(value):
            value[index] = tidy(item)
        return value
    if kind is dict:
        if all(type(key) is str and key.isascii() for key in value):
            for key, item in value.items():
                value[key] = tidy(item)
            return value
        return {key_text(key): tidy(item) for key, item in value.items()}
    return _tidy_foreign(value)


def key_text(key: object) -> str:
    """A dict key as text: JSON has no other keys."""
    if isinstance(key, str):
        return clean_text(str.__str__(key))
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return _safe_text(key)


def clean_text(text: str) -> str:
    """Text that UTF-8 can say: lone surrogates become U+FFFD. The same object if it is clean already."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def describe_error(error: BaseException) -> str:
    """`str(error)`, or a marker where that raises; at most 10,000 characters."""
    return _safe_text(error)


def _tidy_int(value: int) -> Value:
    if -_INT64 <= value < _INT64:
        return value
    bits = value.bit_length()
    return str(value) if bits <= 1024 else f"<int of {bits} bits>"


def _float_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _tidy_foreign(value: object) -> Value:
    if isinstance(value, bytes | bytearray | memoryview):
        return "base64:" + base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return _safe_text(value)


def _safe_text(value: object) -> str:
    try:
        text = str(value)
        if type(text) is not str:  # a subclass may override what we call next
            text = str.__str__(text)
    except Exception as error:
        return f"<{type(value).__name__}: str() raised {type(error).__name__}>"
    if len(text) > _MAX_FOREIGN_TEXT:
        text = text[:_MAX_FOREIGN_TEXT] + "…"
    return clean_text(text)


class _Copier:
    """One careful copy with a budget of items, which runs the program's own code where it must and trusts nothing."""

    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def copy(self, value: Any, depth: int) -> Any:
        self._left -= 1
        kind = type(value)
        if kind is str:
            return clean_text(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return _tidy_int(value)
        if depth >= MAX_DEPTH:
            return f"<deeper than {MAX_DEPTH}>"
        try:
            return self._container(value, depth)
        except RecursionError:
            return f"<{kind.__name__}: nested too deep>"
        except Exception as error:
            return f"<{kind.__name__}: reading raised {type(error).__name__}>"

    def _container(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if issubclass(kind, dict):
            return self._pairs(dict.items(value), dict.__len__(value), depth)
        for base in (list, tuple, set, frozenset):
            if issubclass(kind, base):  # the base's own methods: a subclass may do anything in its
                return self._items(base.__iter__(value), base.__len__(value), depth)
        if issubclass(kind, bytes | bytearray | memoryview):
            return bytes(value)
        plain = _foreign(value)
        return plain if type(plain) is str else self.copy(plain, depth + 1)

    def _pairs(self, pairs: Iterable[tuple[Any, Any]], length: int, depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for key, item in list(islice(pairs, max(self._left, 0))):  # another thread may change it meanwhile
            if self._left <= 0:
                break
            copied[key_text(key)] = self.copy(item, depth + 1)
        if len(copied) < length and self._left <= 0:
            copied["<more>"] = f"<{length - len(copied)} of {length} items left out>"
        return copied

    def _items(self, items: Iterable[Any], length: int, depth: int) -> list[Any]:
        copied: list[Any] = []
        for item in list(islice(items, max(self._left, 0))):
            if self._left <= 0:
                break
            copied.append(self.copy(item, depth + 1))
        if len(copied) < length:
            copied.append(f"<{length - len(copied)} of {length} items left out>")
        return copied


def _foreign(value: Any) -> Any:
    """A program's own object as plain data: a model's dump, the fields of a dataclass, a number, a mapping's items,
    else its text. Runs little of the object's own code; it may raise whatever that raises.
    """
    dump = _own_method(value, "model_dump") or _own_method(value, "to_dict")
    if dump is not None:
        plain = dump(value)
        return plain if type(plain) in _CONTAINERS or type(plain) is str else _safe_text(value)
    for plain_type, read in _READERS:
        if issubclass(type(value), plain_type):
            return read(value)
    names = _field_names(type(value))
    if names is not None:
        return {name: getattr(value, name, None) for name in names}
    return _first_items(value) if isinstance(value, Mapping) else _safe_text(value)


def _field_names(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass, a msgspec Struct or an attrs class."""
    fields = kind.__dict__.get("__dataclass_fields__") or getattr(kind, "__dataclass_fields__", None)
    if isinstance(fields, dict):
        return tuple(fields)
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else getattr(kind, "__attrs_attrs__", None)
    return None if not names else tuple(getattr(name, "name", name) for name in names)


_READERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (Enum, lambda value: value.value),
    (int, int.__int__),
    (float, float.__float__),
    (str, lambda value: clean_text(str.__str__(value))),
    (dt.datetime | dt.date | dt.time, lambda value: value.isoformat()),
    (Integral, int),  # numpy's numbers are registered as these
    (Real, float),
)


def _first_items(mapping: "Mapping[Any, Any]") -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    for key in mapping:
        items[key_text(key)] = mapping[key]
        if len(items) >= MAX_ITEMS:
            break
    return items


def _own_method(value: object, name: str) -> Callable[[Any], Any] | None:
    """A method of the class itself: `__getattr__` of proxies and mocks answers to every name."""
    for parent in type(value).__mro__:
        found = parent.__dict__.get(name)
        if found is not None:
            return found if callable(found) else None
    return None
