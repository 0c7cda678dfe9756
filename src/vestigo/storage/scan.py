"""Answers from traces that are read one after the other: for storages without indexes of their own."""

from bisect import insort
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Generic, TypeVar

from vestigo.errors import QueryError
from vestigo.matching import TraceView, log_matches, point_matches, span_matches, span_values, trace_matches
from vestigo.query import Grouping, Page, Query, Row, SortKey, check_time, make_cursor, read_cursor
from vestigo.record import Log, Point, Span, Trace
from vestigo.storage.grouping import Groups, count_values

T = TypeVar("T")


def in_window(time_ns: int, query: Query) -> bool:
    """Whether a start or time lies in [start_ns, end_ns)."""
    return query.start_ns <= time_ns < query.end_ns


def matching_traces(traces: Iterable[Trace], query: Query) -> Iterator[Trace]:
    """The traces with spans that are what the query asks for."""
    for trace in traces:
        check_time()
        if (
            trace.spans
            and in_window(min(span.start_ns for span in trace.spans), query)
            and trace_matches(query.filter, trace)
        ):
            yield trace


def matching_spans(traces: Iterable[Trace], query: Query) -> Iterator[Span]:
    """The spans that are what the query asks for, out of whole traces."""
    for trace in traces:
        check_time()
        view = TraceView(trace)
        for span in trace.spans:
            if in_window(span.start_ns, query) and span_matches(query.filter, span, view):
                yield span


def matching_logs(logs: Iterable[Log], query: Query) -> Iterator[Log]:
    """The logs that are what the query asks for."""
    return (log for log in logs if in_window(log.time_ns, query) and log_matches(query.filter, log))


def matches_loosely(query: Query, log: Log) -> bool:
    """Whether a log whose trace has no spans goes with a deletion; a filter that logs cannot answer spares it."""
    try:
        return in_window(log.time_ns, query) and log_matches(query.filter, log)
    except QueryError:
        return False


def matching_points(points: Iterable[Point], query: Query) -> Iterator[Point]:
    """The data points that are what the query asks for."""
    return (point for point in points if in_window(point.time_ns, query) and point_matches(query.filter, point))


def points_to_delete(points: Iterable[Point], query: Query) -> list[Point]:
    """The data points that go with a deletion; a filter that they cannot answer spares them."""
    try:
        return list(matching_points(points, query))
    except QueryError:
        return []


def add_up(traces: Iterable[Trace], query: Query, grouping: Grouping) -> list[Row]:
    """What `aggregate` answers."""
    groups = Groups(grouping)
    for span in matching_spans(traces, query):
        groups.add(span)
    return groups.rows()


def distinct_values(traces: Iterable[Trace], field: str, query: Query) -> list[str]:
    """What `values` answers."""
    found = (
        value
        for span in matching_spans(traces, query)
        for value in span_values(span, field, TraceView(Trace(span.trace_id, [span])))
    )
    return count_values(found, query.limit)


class Best(Generic[T]):
    """One page out of items that come in any order: holds no more than the page, and knows when it is full.

    Gives the same page as `query.page_of`.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._rising = query.order == "oldest"
        self._after = read_cursor(query)
        self._found: list[tuple[SortKey, T]] = []  # by key; rising

    def offer(self, key: SortKey, item: T) -> None:
        """Keep the item if it can be on the page."""
        after = self._after
        if after is not None and (key <= after if self._rising else key >= after):
            return
        insort(self._found, (key, item), key=itemgetter(0))
        if len(self._found) > self._query.limit + 1:
            self._found.pop(-1 if self._rising else 0)

    def is_full(self, bound_ns: int) -> bool:
        """Whether the page is settled if whatever comes starts at `bound_ns` or further on in the order."""
        if self._query.order == "slowest" or len(self._found) <= self._query.limit:
            return False
        return self._found[-1][0][0] < bound_ns if self._rising else self._found[0][0][0] > bound_ns

    def page(self) -> Page[T]:
        """The page of what was offered."""
        ordered = self._found if self._rising else self._found[::-1]
        page = ordered[: self._query.limit]
        more = len(ordered) > self._query.limit
        return Page([item for _, item in page], make_cursor(self._query.order, page[-1][0]) if more else None)
