"""Records in this process only: for tests, notebooks and as the oracle that other storages are compared with."""

import threading
import time
from typing import Any

import msgspec

from vestigo.errors import QueryError, SettingsError
from vestigo.matching import summarize
from vestigo.normalize.once import settle_trace
from vestigo.query import (
    GroupField,
    Grouping,
    Page,
    Query,
    Row,
    TraceGroup,
    TraceSummary,
    check_field,
    check_groups,
    check_query,
    log_sort_key,
    page_of,
    point_sort_key,
    span_sort_key,
    summary_sort_key,
)
from vestigo.record import Batch, Log, Point, Span, Trace, order_spans
from vestigo.storage import Capabilities, Feeder, feed, query_traces, settle, store_trace
from vestigo.storage.erasure import Erasure, erasure_of
from vestigo.storage.grouping import group_traces
from vestigo.storage.scan import (
    add_up,
    distinct_values,
    matches_loosely,
    matching_logs,
    matching_points,
    matching_spans,
    matching_traces,
    points_to_delete,
)

_LOGS_PER_TRACE = 100_000
_POINTS = 100_000  # of a project
_LOG = "log "  # tells log ids from span ids
_NO_TRACE = ""  # logs without a trace live in a trace of their own, which is never listed


class InMemoryTraceStorage:
    """Keeps the newest `max_traces` traces of all projects; the oldest to arrive is evicted first."""

    capabilities = Capabilities()

    def __init__(self, max_traces: int = 10_000, *, project: str = "default") -> None:
        if isinstance(max_traces, bool) or not isinstance(max_traces, int) or max_traces < 1:
            raise SettingsError(f"max_traces={max_traces!r} makes no sense; give a whole number above 0")
        self.feeders: list[Feeder] = []
        self.evicted = 0
        """Traces that made room for newer ones."""
        self.evicted_logs = 0
        """Logs that made room: those of evicted traces, of traces that never came, and the oldest of very many."""
        self.evicted_points = 0
        """Data points of metrics that made room for newer ones of their project."""
        self._project = project
        self._max_traces = max_traces
        self._lock = threading.RLock()
        self._spans: dict[tuple[str, str], dict[str, Span]] = {}
        self._logs: dict[tuple[str, str], dict[str, Log]] = {}
        self._points: dict[str, dict[str, Point]] = {}
        self._writes = 0
        self._written: dict[tuple[str, str], dict[str, int]] = {}
        """Number of the last write of each record, by trace; both dicts are in the order of writing."""

    # --- what a user types

    def store(self, trace: Trace) -> None:
        """Keep a trace that the program holds."""
        store_trace(self, trace, self._project)

    def get(self, trace_id: str) -> Trace | None:
        """A trace by its id, or None."""
        return self.trace(self._project, trace_id)

    def query(self, **arguments: Any) -> list[Trace]:
        """Traces, newest first; see `storage.query_traces` for the arguments."""
        return query_traces(self, self._project, arguments)

    # --- the protocol

    def write(self, batch: Batch) -> None:
        settle(batch)
        with self._lock:
            for span in batch.spans:
                spans = self._spans.setdefault((batch.project, span.trace_id), {})
                known = spans.get(span.span_id)
                if known is None or span.end_ns is not None or known.end_ns is None:
                    spans[span.span_id] = _copied(span)
                    self._note((batch.project, span.trace_id), span.span_id)
            for log in batch.logs:
                logs = self._logs.setdefault((batch.project, log.trace_id or _NO_TRACE), {})
                logs[log.log_id] = _copied(log)
                self._note((batch.project, log.trace_id or _NO_TRACE), _LOG + log.log_id)
                if len(logs) > _LOGS_PER_TRACE:
                    oldest = next(iter(logs))
                    del logs[oldest], self._written[batch.project, log.trace_id or _NO_TRACE][_LOG + oldest]
                    self.evicted_logs += 1
            if batch.points:
                self._write_points(batch.points, self._points.setdefault(batch.project, {}))
            self._evict()

    def _write_points(self, points: list[Point], kept: dict[str, Point]) -> None:
        for point in points:
            kept[point.point_id] = _copied(point)
            if len(kept) > _POINTS:
                del kept[next(iter(kept))]
                self.evicted_points += 1

    def trace(self, project: str, trace_id: str) -> Trace | None:
        feed(self.feeders)
        with self._lock:
            trace = self._trace((project, trace_id))
        return _copied(trace) if trace.spans or trace.logs else None

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        check_query(query)
        return page_of(
            [summarize(trace) for trace in matching_traces(self._all_traces(query.project), query)],
            query,
            summary_sort_key,
        )

    def find_spans(self, query: Query) -> Page[Span]:
        check_query(query)
        page = page_of(matching_spans(self._all_traces(query.project), query), query, span_sort_key)
        return Page([_copied(span) for span in page.items], page.cursor)

    def find_logs(self, query: Query) -> Page[Log]:
        check_query(query, logs=True)
        page = page_of(matching_logs(self._all_logs(query.project), query), query, log_sort_key)
        return Page([_copied(log) for log in page.items], page.cursor)

    def find_points(self, query: Query) -> Page[Point]:
        check_query(query, logs=True)
        feed(self.feeders)
        with self._lock:
            page = page_of(matching_points(self._points.get(query.project, {}).values(), query), query, point_sort_key)
        return Page([_copied(point) for point in page.items], page.cursor)

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        check_query(query)
        return add_up(self._all_traces(query.project), query, grouping)

    def find_groups(self, query: Query, field: GroupField) -> Page[TraceGroup]:
        check_groups(query, field)
        matching = matching_traces(self._all_traces(query.project), query)
        return group_traces((summarize(trace) for trace in matching), field, query)

    def changes(self, project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
        feed(self.feeders)
        with self._lock:
            found = [] if mark is None else self._since(project, _number(mark))
            spans = [record for _, record in found if isinstance(record, Span)]
            logs = [record for _, record in found if isinstance(record, Log)]
            return _copied(spans, list[Span]), _copied(logs, list[Log]), str(self._writes)

    def projects(self) -> list[str]:
        feed(self.feeders)
        with self._lock:
            return sorted({key[0] for key in (*self._spans, *self._logs)})

    def values(self, field: str, query: Query) -> list[str]:
        check_field(field)
        check_query(query)
        return distinct_values(self._all_traces(query.project), field, query)

    def delete(self, query: Query) -> int:
        return self.erase(query).traces

    def erase(self, query: Query, *, thorough: bool = True) -> Erasure:  # noqa: ARG002  nothing is left behind here
        check_query(query)
        feed(self.feeders)
        report = erasure_of(query, time.time_ns())
        with self._lock:
            found = [trace.trace_id for trace in matching_traces(self._all_traces(query.project), query)]
            for key in [(query.project, trace_id) for trace_id in found]:
                report.spans += len(self._spans.pop(key, ()))
                report.logs += len(self._logs.pop(key, ()))
                self._written.pop(key, None)
            for key in [key for key in self._logs if key[0] == query.project and key not in self._spans]:
                logs = self._logs[key]
                for log_id in [log_id for log_id, log in logs.items() if matches_loosely(query, log)]:
                    del logs[log_id], self._written[key][_LOG + log_id]
                    report.logs += 1
                if not logs:
                    del self._logs[key]
            points = self._points.get(query.project, {})
            for point in points_to_delete(points.values(), query):
                del points[point.point_id]
                report.points += 1
        report.traces = len(found)
        report.finished_ns = time.time_ns()
        return report

    def close(self) -> None:
        """Nothing to do: the records live as long as this object."""

    def _evict(self) -> None:
        """Make room: the oldest traces with their logs, then logs whose traces never came or have gone."""
        while len(self._spans) > self._max_traces:
            oldest = next(iter(self._spans))
            del self._spans[oldest]
            self.evicted_logs += len(self._logs.pop(oldest, ()))
            self._written.pop(oldest, None)
            self.evicted += 1
        while len(self._logs) > 2 * self._max_traces:
            lost = next((key for key in self._logs if key not in self._spans and key[1] != _NO_TRACE), None)
            if lost is None:
                break
            self.evicted_logs += len(self._logs.pop(lost))
            self._written.pop(lost, None)

    def _note(self, key: tuple[str, str], record: str) -> None:
        """Put a record at the end of the order of writing."""
        self._writes += 1
        numbers = self._written.pop(key, {})
        numbers.pop(record, None)
        numbers[record] = self._writes
        self._written[key] = numbers

    # --- reading

    def _since(self, project: str, number: int) -> list[tuple[int, Span | Log]]:
        """Records that were written after the write of that number, in order."""
        found: list[tuple[int, Span | Log]] = []
        for key in reversed(self._written):
            numbers = self._written[key]
            if numbers and next(reversed(numbers.values())) <= number:
                break
            if key[0] == project:
                trace = self._trace(key)
                records = {span.span_id: span for span in trace.spans} | {_LOG + log.log_id: log for log in trace.logs}
                found += [(at, records[name]) for name, at in numbers.items() if at > number]
        return sorted(found, key=lambda pair: pair[0])

    def _trace(self, key: tuple[str, str]) -> Trace:
        spans = order_spans(list(self._spans.get(key, {}).values()))
        settle_trace(spans)
        logs = sorted(self._logs.get(key, {}).values(), key=lambda log: (log.time_ns, log.log_id))
        return Trace(key[1], spans, logs)

    def _all_traces(self, project: str) -> list[Trace]:
        feed(self.feeders)
        with self._lock:
            return [self._trace(key) for key in self._spans if key[0] == project]

    def _all_logs(self, project: str) -> list[Log]:
        feed(self.feeders)
        with self._lock:
            return [log for key, found in self._logs.items() if key[0] == project for log in found.values()]


def _number(mark: str) -> int:
    if not (mark.isascii() and mark.isdigit() and len(mark) < 20):
        raise QueryError(f"cannot read the mark {mark[:40]!r}; take it from the answer before")
    return int(mark)


def _copied(record: Any, of: Any = None) -> Any:
    """A record that shares no container with ours."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=of or type(record))
