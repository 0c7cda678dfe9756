"""Records in this process only: for tests, notebooks and as the oracle that other storages are compared with."""

import threading
from typing import Any

import msgspec

from vestigo.errors import SettingsError
from vestigo.matching import summarize
from vestigo.normalize.once import settle_trace
from vestigo.query import (
    Grouping,
    Page,
    Query,
    Row,
    TraceSummary,
    check_field,
    check_query,
    log_sort_key,
    page_of,
    span_sort_key,
    summary_sort_key,
)
from vestigo.record import Batch, Log, Span, Trace, order_spans
from vestigo.storage import Capabilities, Feeder, feed, query_traces, settle, store_trace
from vestigo.storage.scan import (
    add_up,
    distinct_values,
    matches_loosely,
    matching_logs,
    matching_spans,
    matching_traces,
)

_LOGS_PER_TRACE = 100_000
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
        self._project = project
        self._max_traces = max_traces
        self._lock = threading.RLock()
        self._spans: dict[tuple[str, str], dict[str, Span]] = {}
        self._logs: dict[tuple[str, str], dict[str, Log]] = {}

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
            for log in batch.logs:
                logs = self._logs.setdefault((batch.project, log.trace_id or _NO_TRACE), {})
                logs[log.log_id] = _copied(log)
                if len(logs) > _LOGS_PER_TRACE:
                    del logs[next(iter(logs))]
                    self.evicted_logs += 1
            self._evict()

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

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        check_query(query)
        return add_up(self._all_traces(query.project), query, grouping)

    def values(self, field: str, query: Query) -> list[str]:
        check_field(field)
        check_query(query)
        return distinct_values(self._all_traces(query.project), field, query)

    def delete(self, query: Query) -> int:
        check_query(query)
        feed(self.feeders)
        with self._lock:
            found = [trace.trace_id for trace in matching_traces(self._all_traces(query.project), query)]
            for trace_id in found:
                self._spans.pop((query.project, trace_id), None)
                self._logs.pop((query.project, trace_id), None)
            loose = self._logs.get((query.project, _NO_TRACE), {})
            for log_id in [log_id for log_id, log in loose.items() if matches_loosely(query, log)]:
                del loose[log_id]
        return len(found)

    def close(self) -> None:
        """Nothing to do: the records live as long as this object."""

    def _evict(self) -> None:
        """Make room: the oldest traces with their logs, then logs whose traces never came or have gone."""
        while len(self._spans) > self._max_traces:
            oldest = next(iter(self._spans))
            del self._spans[oldest]
            self.evicted_logs += len(self._logs.pop(oldest, ()))
            self.evicted += 1
        while len(self._logs) > 2 * self._max_traces:
            lost = next((key for key in self._logs if key not in self._spans and key[1] != _NO_TRACE), None)
            if lost is None:
                break
            self.evicted_logs += len(self._logs.pop(lost))

    # --- reading

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


def _copied(record: Any) -> Any:
    """A record that shares no container with ours."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=type(record))
