"""The files of a directory as one answer sees them: which traces there are, and each of them from all its files."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from vestigo.normalize.once import settle_trace
from vestigo.query import And, Compare, Filter, Query, read_cursor
from vestigo.record import Log, Point, Span, Trace, order_spans
from vestigo.storage.files.lines import Index, Key, Place, glance

T = TypeVar("T", Span, Log, Point)

_decode_span: Final = msgspec.json.Decoder(Span).decode
_decode_log: Final = msgspec.json.Decoder(Log).decode
_decode_point: Final = msgspec.json.Decoder(Point).decode


class View:
    """Open files with their indexes, which are brought up to date here. Lives as long as the descriptors."""

    def __init__(self, files: list[tuple[str, int, int]], indexes: dict[str, Index]) -> None:
        """Takes (name, descriptor, time of creation) and the indexes known so far, which it changes."""
        for name in indexes.keys() - {name for name, _, _ in files}:
            del indexes[name]
        self.files: list[tuple[Index, int]] = []
        for name, fd, _ in files:
            index = indexes.get(name)
            if index is None or not index.is_of(fd):
                index = indexes[name] = Index(name)
            index.refresh(fd)
            self.files.append((index, fd))

    def trace(self, key: Key) -> Trace:
        """All of one trace; of versions of a span the latest closed one, else the latest."""
        spans: dict[str, tuple[Span, bytes]] = {}
        for raw, span in self._records(key, _decode_span, lambda index: index.spans):
            known = spans.get(span.span_id)
            if known is None or _rank(span, raw) >= _rank(*known):
                spans[span.span_id] = (span, raw)
        kept = [span for span, _ in spans.values()]
        settle_trace(kept)
        return Trace(key[1], order_spans(kept), self._logs_of(key))

    def traces(self, query: Query, is_full: Callable[[int], bool] | None = None) -> Iterator[Trace]:
        """The traces with spans that may lie in the window, in the query's order by their outermost start.

        Stops when `is_full` says so, given the start that no later trace can surpass.
        """
        for bound_ns, key in self._candidates(query, lambda index: index.spans, paged=is_full is not None):
            if is_full is not None and is_full(bound_ns):
                return
            yield self.trace(key)

    def logs(self, query: Query, is_full: Callable[[int], bool]) -> Iterator[Log]:
        """The logs that may lie in the window, ordered and ended as `traces`."""
        for bound_ns, key in self._candidates(query, lambda index: index.logs, paged=True):
            if is_full(bound_ns):
                return
            yield from self._logs_of(key)

    def points(self, project: str) -> list[Point]:
        """The data points of a project; of versions of a point the latest."""
        points: dict[str, tuple[Point, int]] = {}
        for index, fd in self.files:
            place = index.points.get(project)
            for raw, point in () if place is None else _decoded(index, fd, place, _decode_point):
                written_ns = glance(raw).written_ns
                known = points.get(point.point_id)
                if known is None or written_ns >= known[1]:
                    points[point.point_id] = (point, written_ns)
        return [point for point, _ in points.values()]

    def loose_logs(self, project: str) -> list[Log]:
        """The logs without a trace, or of a trace that has no spans here."""
        spans = {key for index, _ in self.files for key in index.spans if key[0] == project}
        keys = {key for index, _ in self.files for key in index.logs if key[0] == project} - spans
        return [log for key in keys for log in self._logs_of(key)]

    def _logs_of(self, key: Key) -> list[Log]:
        """By time; of versions of a log the latest."""
        logs: dict[str, tuple[Log, bytes]] = {}
        for raw, log in self._records(key, _decode_log, lambda index: index.logs):
            known = logs.get(log.log_id)
            if known is None or glance(raw).written_ns >= glance(known[1]).written_ns:
                logs[log.log_id] = (log, raw)
        return sorted((log for log, _ in logs.values()), key=lambda log: (log.time_ns, log.log_id))

    def _records(
        self, key: Key, decode: Callable[[bytes], T], places: Callable[[Index], dict[Key, Place]]
    ) -> Iterator[tuple[bytes, T]]:
        for index, fd in self.files:
            place = places(index).get(key)
            if place is not None:
                yield from _decoded(index, fd, place, decode)

    def _candidates(
        self, query: Query, places: Callable[[Index], dict[Key, Place]], *, paged: bool
    ) -> list[tuple[int, Key]]:
        """(bound, key) of what has records that may lie in the window and, if paged, on the page."""
        only = _only_trace(query.filter)
        bounds: dict[Key, tuple[int, int]] = {}
        for index, _ in self.files:
            for key, place in places(index).items():
                if key[0] == query.project and (only is None or key[1] == only):
                    first_ns, last_ns = bounds.get(key, (place.first_ns, place.last_ns))
                    bounds[key] = (min(first_ns, place.first_ns), max(last_ns, place.last_ns))
        start_ns, end_ns = _narrowed(query) if paged else (query.start_ns, query.end_ns)
        found = [(bound, key) for key, bound in bounds.items() if bound[0] < end_ns and bound[1] >= start_ns]
        if query.order == "oldest":
            return sorted((first_ns, key) for (first_ns, _), key in found)
        if query.order == "newest":
            return sorted(((last_ns, key) for (_, last_ns), key in found), reverse=True)
        return [(0, key) for _, key in found]


def _decoded(index: Index, fd: int, place: Place, decode: Callable[[bytes], T]) -> Iterator[tuple[bytes, T]]:
    """The lines of a place with their records; those that cannot be read are noted and left out."""
    for at in range(0, len(place.lines), 2):
        offset, length = place.lines[at], place.lines[at + 1]
        raw = index.read(fd, offset, length)
        try:
            record = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            index.bad.add(offset)
            continue
        yield raw, record


def _narrowed(query: Query) -> tuple[int, int]:
    """The window without what the pages before have shown: the cursor tells the last start on them."""
    after = read_cursor(query)
    if after is None or query.order == "slowest":
        return query.start_ns, query.end_ns
    if query.order == "oldest":
        return max(query.start_ns, after[0]), query.end_ns
    return query.start_ns, min(query.end_ns, after[0] + 1)


def _only_trace(filter_: Filter | None) -> str | None:
    """The id of the one trace that the filter lets through; None if it may be several."""
    match filter_:
        case Compare("trace", "=", str(trace_id)):
            return trace_id
        case And(filters):
            return next((found for part in filters if (found := _only_trace(part)) is not None), None)
        case _:
            return None


def _rank(span: Span, raw: bytes) -> tuple[bool, int]:
    return (span.end_ns is not None, glance(raw).written_ns)
