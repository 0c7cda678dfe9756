"""What the query string of `/api` says: its parameters as structs, and the way from them to a `Query`.

The filter text is read here, on the server, and nowhere else. Times are nanoseconds since 1970 as decimal digits, or a
distance from now.
"""

import re
import time
from typing import Annotated, Final

from msgspec import Meta, Struct

from vestigo.errors import QueryError
from vestigo.filtertext import parse_filter
from vestigo.query import ALL_TIME, Order, Query
from vestigo.server.routes import Failure

MAX_ROWS: Final = 1_000
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")

Text = Annotated[str, Meta(description="Filter text, such as `kind:llm latency>2s`; empty matches everything.")]
Time = Annotated[
    str,
    Meta(
        description="Nanoseconds since 1970 as digits, or a distance from now such as `24h`; empty is without bound.",
        extra_json_schema={"pattern": "^([0-9]{1,18}|[0-9]{1,6}[smhdw])?$"},
    ),
]
Limit = Annotated[int, Meta(ge=1, le=MAX_ROWS, description="Most rows of an answer.")]
Cursor = Annotated[str | None, Meta(description="From the answer before, to go on after its last row.")]
Names = Annotated[str, Meta(description="Names by comma.")]


class NoParameters(Struct):
    """Of a route that takes none: then any is refused."""


class Window(Struct, kw_only=True):
    """Which records: a filter and a time."""

    q: Text = ""
    start: Time = ""
    end: Time = ""


class Listing(Window, kw_only=True):
    """A page of records."""

    order: Order = "newest"
    limit: Limit = 100
    cursor: Cursor = None


def query_of(project: str, asked: Window) -> Query:
    """The question, checked. Raises QueryError with the position of a mistake in the filter."""
    now_ns = time.time_ns()
    query = Query(
        project=project,
        start_ns=moment("start", asked.start, ALL_TIME[0], now_ns),
        end_ns=moment("end", asked.end, ALL_TIME[1], now_ns),
        filter=parse_filter(asked.q),
    )
    if not isinstance(asked, Listing):
        return query
    return Query(
        project=project, start_ns=query.start_ns, end_ns=query.end_ns, filter=query.filter, order=asked.order,
        limit=asked.limit, cursor=asked.cursor or None,
    )  # fmt: skip


def moment(name: str, text: str, default: int, now_ns: int) -> int:
    """Nanoseconds since 1970. Raises QueryError for a text that is no time."""
    if not text:
        return default
    ago = _AGO.fullmatch(text)
    if ago:
        return max(0, now_ns - int(ago[1]) * _UNITS[ago[2]] * 1_000_000_000)
    if _DIGITS.fullmatch(text) and int(text) <= ALL_TIME[1]:
        return int(text)
    raise QueryError(f"{name}={text[:40]!r} is no time; give nanoseconds since 1970, or a distance such as 24h")


def width_ns(text: str) -> int | None:
    """The width of a bucket of time, at least 1; None for an empty text. Raises QueryError."""
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    width = int(ago[1]) * _UNITS[ago[2]] * 1_000_000_000 if ago else int(text) if _DIGITS.fullmatch(text) else 0
    if width > 0:
        return width
    raise QueryError(f"step={text[:40]!r} is no width of time; give one such as 5m, 1h or 1d")


def names_of(text: str, what: str, most: int) -> tuple[str, ...]:
    """Names by comma, each once. Raises QueryError for too many."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > most:
        raise QueryError(f"{len(names)} {what} are too many; give at most {most}")
    return names


_IDS: Final = {"trace_id": re.compile(r"[0-9a-f]{32}"), "span_id": re.compile(r"[0-9a-f]{16}")}


def id_of(name: str, text: str) -> str:
    """A trace or span id that somebody sent. Raises Failure for anything else."""
    if not _IDS[name].fullmatch(text):
        digits = 32 if name == "trace_id" else 16
        raise Failure(400, "bad_id", f"{name} is {digits} lower-case hex digits, not {text[:40]!r}")
    return text
