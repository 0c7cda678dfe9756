"""Records as JSON lines in a directory: small-scale, durable, shared by several processes, readable by any tool.

Each process appends to a file of its own; files are rotated by day and size, packed with zstd once nobody appends to
them, and the oldest are removed above `max_files`. What we did not write is never changed. Reading goes through an
index of offsets by trace in memory, which follows the files as they grow; filters decode each trace of the window.
"""

import math
import os
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from vestigo.errors import SettingsError, StorageError
from vestigo.matching import summarize
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
    point_sort_key,
    span_sort_key,
    summary_sort_key,
)
from vestigo.record import Batch, Log, Point, Span, Trace
from vestigo.storage import Capabilities, Feeder, feed, query_traces, settle, store_trace
from vestigo.storage.erasure import Erasure, erasure_of
from vestigo.storage.files.changes import changes
from vestigo.storage.files.eraser import Eraser
from vestigo.storage.files.folder import Appender, Folder, reason
from vestigo.storage.files.lines import LOOSE, Index, encode_batch
from vestigo.storage.files.view import View
from vestigo.storage.grouping import check_grouping, group_traces
from vestigo.storage.scan import (
    Best,
    add_up,
    distinct_values,
    matches_loosely,
    matching_logs,
    matching_points,
    matching_spans,
    matching_traces,
    points_to_delete,
)  # fmt: skip

_MIB: Final = 1 << 20


class FileTraceStorage:
    """Keeps the newest `max_files` files, each of some `max_file_size_mb` MiB before it is packed.

    Files that running processes append to count, but are never removed. Of versions of a span written by different
    processes, the later by their clocks wins. Raises SettingsError for a directory that cannot be used.
    """

    capabilities = Capabilities(durable=True, shared=True)

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        max_file_size_mb: float = 100,
        max_files: int = 10,
        *,
        project: str = "default",
    ) -> None:
        self.feeders: list[Feeder] = []
        self.removed_files = 0
        """Oldest files that this process removed because there were more than `max_files`."""
        self._project = project
        self._max_file_bytes = _file_bytes(max_file_size_mb)
        self._max_files = _check_max_files(max_files)
        self._folder = Folder(_check_path(base_path))
        self.path = self._folder.path
        self._stamp = 0
        self._closed = False
        self._begin_process()
        _storages.add(self)

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

    @property
    def skipped_lines(self) -> int:
        """Lines in our files that cannot be read now: half-written last lines of killed processes, damage."""
        with self._view() as view:
            growing = sum(index.tail and self._folder.is_held(fd) for index, fd in view.files)
            return sum(index.skipped for index, _ in view.files) - growing

    @property
    def foreign(self) -> int:
        """Entries of the directory that are not ours."""
        with self._storage_errors():
            return self._folder.foreign()

    # --- the protocol

    def write(self, batch: Batch) -> None:
        if not len(batch):
            return
        settle(batch)
        with self._write_lock:
            if self._closed:
                raise StorageError(f"the storage in {self.path} is closed; open it again")
            self._stamp = max(time.time_ns(), self._stamp + 1)
            self._appender.append(encode_batch(batch, self._stamp))
            if self._appender.began:
                self._appender.began = False
                self.removed_files += self._folder.tidy(self._max_file_bytes, self._max_files)

    def trace(self, project: str, trace_id: str) -> Trace | None:
        with self._view() as view:
            trace = view.trace((project, trace_id))
        return trace if (trace.spans or trace.logs) and not trace_id.startswith(LOOSE) else None

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        check_query(query)
        best: Best[TraceSummary] = Best(query)
        with self._view() as view:
            for trace in view.traces(query, best.is_full):
                for found in matching_traces([trace], query):
                    summary = summarize(found)
                    best.offer(summary_sort_key(summary, query.order), summary)
        return best.page()

    def find_spans(self, query: Query) -> Page[Span]:
        check_query(query)
        best: Best[Span] = Best(query)
        with self._view() as view:
            for span in matching_spans(view.traces(query, best.is_full), query):
                best.offer(span_sort_key(span, query.order), span)
        return best.page()

    def find_logs(self, query: Query) -> Page[Log]:
        check_query(query, logs=True)
        best: Best[Log] = Best(query)
        with self._view() as view:
            for log in matching_logs(view.logs(query, best.is_full), query):
                best.offer(log_sort_key(log, query.order), log)
        return best.page()

    def find_points(self, query: Query) -> Page[Point]:
        check_query(query, logs=True)
        best: Best[Point] = Best(query)
        with self._view() as view:
            for point in matching_points(view.points(query.project), query):
                best.offer(point_sort_key(point, query.order), point)
        return best.page()

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        check_query(query)
        check_grouping(grouping)
        with self._view() as view:
            return add_up(view.traces(query), query, grouping)

    def find_groups(self, query: Query, field: GroupField) -> Page[TraceGroup]:
        check_groups(query, field)
        with self._view() as view:
            matching = matching_traces(view.traces(query), query)
            return group_traces((summarize(trace) for trace in matching), field, query)

    def changes(self, project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
        with self._view() as view:
            return changes(view, project, mark)

    def projects(self) -> list[str]:
        with self._view() as view:
            points = {project for index, _ in view.files for project in index.points}
            return sorted({key[0] for index, _ in view.files for key in (*index.spans, *index.logs)} | points)

    def values(self, field: str, query: Query) -> list[str]:
        check_field(field)
        check_query(query)
        with self._view() as view:
            return distinct_values(view.traces(query), field, query)

    def delete(self, query: Query) -> int:
        return self.erase(query).traces

    def erase(self, query: Query, *, thorough: bool = True) -> Erasure:  # noqa: ARG002  nothing is left behind here
        """As in the protocol. Files that hold what is deleted are written anew; nobody can write meanwhile.

        Raises StorageError where there is no room for that; then some of it may be left, but nothing else is lost.
        """
        check_query(query)
        feed(self.feeders)
        with self._write_lock, self._reading(alone=True) as view:
            report = erasure_of(query, time.time_ns())
            self._folder.clear(held_too=True)
            self._appender.close()  # its file may be replaced
            found: set[str] = set()
            for trace in matching_traces(view.traces(query), query):
                found.add(trace.trace_id)
                report.spans += len(trace.spans)
                report.logs += len(trace.logs)
            loose = [log for log in view.loose_logs(query.project) if matches_loosely(query, log)]
            report.traces = len(found)
            report.logs += len(loose)
            points = points_to_delete(view.points(query.project), query)
            report.points = len(points)
            Eraser(query.project, found, loose, points).erase(self._folder, view, report)
            self._indexes.clear()  # they know the beginnings of some lines
        report.probes = len(found) + len(loose)
        report.finished_ns = time.time_ns()
        return report

    def close(self) -> None:
        """Let go of the file that this process appends to. Safe to call twice; reading goes on working."""
        with self._write_lock:
            self._closed = True
            self._appender.close()

    # --- inside

    def _begin_process(self) -> None:
        """What each process has of its own: locks, the file that it appends to, and what it knows of the files."""
        self._write_lock = threading.RLock()
        self._read_lock = threading.RLock()
        self._appender = Appender(self._folder, self._max_file_bytes)
        self._indexes: dict[str, Index] = {}

    def _leave_parent(self) -> None:
        """In the child of a fork: the parent's file and locks are not ours."""
        self._appender.close()
        self._folder.leave_parent()
        self._begin_process()

    @contextmanager
    def _view(self) -> Generator[View]:
        feed(self.feeders)
        with self._reading() as view:
            yield view

    @contextmanager
    def _reading(self, *, alone: bool = False) -> Generator[View]:
        """All files as they are now; `alone` keeps every process from changing them until the end."""
        with self._read_lock, self._storage_errors(), ExitStack() as until:
            with ExitStack() as listing:
                (until if alone else listing).enter_context(self._folder.locked(alone=alone))
                files = self._folder.open_ours(until)
            try:
                yield View(files, self._indexes)
            finally:
                for index in self._indexes.values():
                    index.forget_text()

    @contextmanager
    def _storage_errors(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot use the traces in {self.path}: {reason(error)}; see its rights and space"
            ) from error


_storages: Final[weakref.WeakSet[FileTraceStorage]] = weakref.WeakSet()


def _after_fork() -> None:
    for storage in list(_storages):
        storage._leave_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _check_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise SettingsError(f"base_path={path!r} is not a directory; give one such as 'traces'")
    return Path(path).expanduser().absolute()


def _file_bytes(size_mb: float) -> int:
    if isinstance(size_mb, bool) or not isinstance(size_mb, int | float) or not 0 < size_mb < math.inf:
        raise SettingsError(f"max_file_size_mb={size_mb!r} makes no sense; give a number above 0")
    return int(size_mb * _MIB)


def _check_max_files(max_files: int) -> int:
    if isinstance(max_files, bool) or not isinstance(max_files, int) or max_files < 1:
        raise SettingsError(f"max_files={max_files!r} makes no sense; give a whole number above 0")
    return max_files


__all__ = ["FileTraceStorage"]
