"""Logs over time by level, and the bounded way to read many logs for one answer."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo.errors import QueryError
from vestigo.query import ALL_TIME, Query
from vestigo.record import Log
from vestigo.server.answers import answer
from vestigo.server.charts import MAX_BUCKETS
from vestigo.server.questions import MAX_ROWS, Window, query_of, width_ns
from vestigo.server.routes import Call, Route
from vestigo.storage import Storage

T = TypeVar("T")

LEVELS: Final = ("trace", "debug", "info", "warning", "error", "fatal")
_MOST: Final = 20_000
"""Logs that are read for one answer."""
_READING_S: Final = 3.0
_BUCKETS: Final = 60
"""How many there are at most where no width is asked for."""
_S: Final = 1_000_000_000
_WIDTHS_NS: Final = tuple(
    seconds * _S for seconds in (1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800)
)


class HistogramOf(Window, kw_only=True):
    step: Annotated[
        str, Meta(description="Width of a bucket of time, such as `5m` or `1d`; empty takes one that suits the window.")
    ] = ""


class LevelCounts(Struct, kw_only=True):
    level: str
    """trace, debug, info, warning, error, fatal."""
    counts: list[int]
    """In each bucket of time."""


class Histogram(Struct, kw_only=True):
    step_ns: str
    times_ns: list[str]
    """Starts of the buckets, all of them from the first to the last that has logs."""
    levels: list[LevelCounts]
    """The levels that there are, the lowest first."""
    logs_read: int
    complete: bool
    """Whether all logs of the window were read; else only the newest, back to `read_from_ns`."""
    read_from_ns: str


async def histogram(call: Call) -> Response:
    asked: HistogramOf = call.query
    query, step_ns = query_of(call.project, asked), width_ns(asked.step)
    limit_s = min(_READING_S, call.server.settings.query_timeout_s / 2)

    def ask() -> Histogram:
        found, complete = read_logs(call.server.storage, query, _MOST, limit_s, lambda log: (log.time_ns, log.severity))
        return histogram_of(found, suiting_width(query, found) if step_ns is None else step_ns, complete)

    return await answer(call, await call.ask(ask))


def read_logs(
    storage: Storage, query: Query, most: int, limit_s: float, take: Callable[[Log], T]
) -> tuple[list[T], bool]:
    """Of logs that match, the newest first, as many as can be had in time; and whether those are all.

    `take` says what of each is held: logs may be large, and these are many.
    """
    found: list[T] = []
    end_s = time.monotonic() + limit_s
    query = msgspec.structs.replace(query, order="newest", limit=MAX_ROWS)
    while True:
        page = storage.find_logs(query)
        found += map(take, page)
        if page.cursor is None or len(found) >= most or time.monotonic() > end_s:
            return found, page.cursor is None
        query = msgspec.structs.replace(query, cursor=page.cursor)


def suiting_width(query: Query, found: list[tuple[int, int]]) -> int:
    """A round width that makes at most 60 buckets of the window, or of what was found where that is open."""
    times = [time_ns for time_ns, _ in found] or [0]
    start = query.start_ns if query.start_ns > ALL_TIME[0] else min(times)
    end = query.end_ns if query.end_ns < ALL_TIME[1] else max(times)
    wanted = max(end - start, 1) / _BUCKETS
    return next((width for width in _WIDTHS_NS if width >= wanted), -(-int(wanted) // _WIDTHS_NS[-1]) * _WIDTHS_NS[-1])


def histogram_of(found: list[tuple[int, int]], step_ns: int, complete: bool) -> Histogram:
    """Pairs are times and severities. Raises QueryError for too many buckets."""
    counts = Counter((time_ns // step_ns, level_of(severity)) for time_ns, severity in found)
    places = [place for place, _ in counts]
    first, last = min(places, default=0), max(places, default=-1)
    if last - first >= MAX_BUCKETS:
        raise QueryError(f"{last - first + 1} buckets of time are too many; narrow the window, or give a wider step")
    there = {level for _, level in counts}
    return Histogram(
        step_ns=str(step_ns), times_ns=[str(place * step_ns) for place in range(first, last + 1)],
        levels=[
            LevelCounts(level=name, counts=[counts[place, level] for place in range(first, last + 1)])
            for level, name in enumerate(LEVELS)
            if level in there
        ],
        logs_read=len(found), complete=complete, read_from_ns=str(min((time_ns for time_ns, _ in found), default=0)),
    )  # fmt: skip


def level_of(severity: int) -> int:
    """The place of a severity number's level in `LEVELS`; numbers beyond 1 to 24 count as the nearest."""
    return min(max(severity - 1, 0) // 4, len(LEVELS) - 1)


ROUTES: Final = (
    Route(
        method="GET", path="/api/logs/histogram", scope="read", handler=histogram, tag="logs", query=HistogramOf,
        answer=Histogram, summary="Logs over time by level.", audit="logs.list",
    ),
)  # fmt: skip
