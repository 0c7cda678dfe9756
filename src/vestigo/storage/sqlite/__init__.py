"""Records in one SQLite file: durable, indexed, shared by several processes. The default.

Writes are grouped: what several threads hand over while one commits goes into the next transaction together, and each
of them is answered after that commit has reached the disk. Readers never wait for writers (WAL).
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vestigo.errors import StorageError
from vestigo.query import (
    Filter,
    GroupField,
    Grouping,
    Page,
    Query,
    Row,
    TraceGroup,
    TraceSummary,
    check_field,
    check_query,
)
from vestigo.record import Batch, Log, Point, Span, Trace
from vestigo.storage import Capabilities, Feeder, feed, query_traces, settle, store_trace
from vestigo.storage.erasure import Erasure, erasure_of
from vestigo.storage.skeleton import Skeleton
from vestigo.storage.sqlite import outline
from vestigo.storage.sqlite.changes import changes
from vestigo.storage.sqlite.connection import Connections, prepare_directory, storage_errors
from vestigo.storage.sqlite.eraser import Eraser, Steps, start_of_newest
from vestigo.storage.sqlite.reader import Reader
from vestigo.storage.sqlite.schema import migrate
from vestigo.storage.sqlite.verify import troubles
from vestigo.storage.sqlite.writer import Writer

T = TypeVar("T")


class _Waiting:
    """A batch on its way into a transaction."""

    __slots__ = ("batch", "done", "error")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.done = threading.Event()
        self.error: BaseException | None = None


class SQLiteTraceStorage:
    """Keeps everything until it is deleted. Raises SettingsError for a path that cannot be used."""

    capabilities = Capabilities(durable=True, shared=True, indexed=True)

    def __init__(self, db_path: str | os.PathLike[str], *, project: str = "default") -> None:
        self.path = prepare_directory(os.fspath(db_path))
        self.feeders: list[Feeder] = []
        self._project = project
        self._connections = Connections(self.path)
        self._waiting: deque[_Waiting] = deque()
        self._writer: Writer | None = None
        self._readers: dict[int, Reader] = {}
        with storage_errors(self.path), self._connections.lock:
            migrate(self._connections.writer(), self.path)

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
        if not len(batch):
            return
        settle(batch)
        self._heal_after_fork()
        mine = _Waiting(batch)
        self._waiting.append(mine)
        with self._connections.lock:
            if not mine.done.is_set():
                self._write_waiting()
        if mine.error is not None:
            raise mine.error

    def trace(self, project: str, trace_id: str) -> Trace | None:
        return self._read(lambda reader: reader.trace(project, trace_id))

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        return self._read(lambda reader: reader.find_traces(query))

    def find_spans(self, query: Query) -> Page[Span]:
        return self._read(lambda reader: reader.find_spans(query))

    def find_logs(self, query: Query) -> Page[Log]:
        return self._read(lambda reader: reader.find_logs(query))

    def find_points(self, query: Query) -> Page[Point]:
        return self._read(lambda reader: reader.find_points(query))

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        return self._read(lambda reader: reader.aggregate(query, grouping))

    def find_groups(self, query: Query, field: GroupField) -> Page[TraceGroup]:
        return self._read(lambda reader: reader.find_groups(query, field))

    def changes(self, project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
        return self._read(lambda reader: changes(reader, project, mark))

    def projects(self) -> list[str]:
        return self._read(lambda reader: reader.projects())

    def values(self, field: str, query: Query) -> list[str]:
        check_field(field)
        return self._read(lambda reader: reader.values(field, check_query(query)))

    def delete(self, query: Query) -> int:
        return self.erase(query).traces

    def erase(self, query: Query, *, thorough: bool = True) -> Erasure:
        check_query(query)
        feed(self.feeders)
        report = erasure_of(query, time.time_ns())
        before = self.used_bytes()
        steps = Steps(self.path, self._transaction, self._read)
        with storage_errors(self.path):
            eraser = Eraser(steps, query, report)
            eraser.erase()
            if thorough:
                eraser.sweep()
            else:
                eraser.make_room()
        report.bytes_freed = max(0, before - self.used_bytes())
        report.finished_ns = time.time_ns()
        return report

    def close(self) -> None:
        """Close this process's connections. Safe to call twice."""
        with self._connections.lock:
            self._writer = None
            self._readers.clear()
            self._connections.close()

    # --- what columns answer without records, see storage/skeleton.py

    def skeleton(self, project: str, trace_id: str) -> Skeleton | None:
        """A trace in columns."""
        return self._read(lambda reader: outline.skeleton(reader, project, trace_id))

    def matching_ids(self, project: str, trace_id: str, filter_: Filter | None) -> list[str]:
        """Ids of a trace's spans that match."""
        return self._read(lambda reader: outline.matching_ids(reader, project, trace_id, filter_))

    def telling_spans(self, project: str, trace_ids: list[str]) -> dict[str, Span]:
        """For each trace the span that tells what it was about."""
        return self._read(lambda reader: outline.telling_spans(reader, project, trace_ids))

    @property
    def dictionary(self) -> tuple[int, bytes]:
        """Number and content of the dictionary that drafts are compressed with; 0 as long as there is none."""
        writer = self._writer
        return (0, b"") if writer is None else writer.codec.settled

    # --- upkeep

    def verify(self) -> list[str]:
        """What is wrong with the file: nothing for a sound one. Reads all of it."""
        return self._read(troubles)

    def figures(self) -> dict[str, int]:
        """Rows and bytes, for `vestigo doctor`."""
        with storage_errors(self.path):
            db = self._reader().db
            tables = {"traces": "trace", "spans": "span", "logs": "log", "bodies": "body"}
            rows = {name: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for name, table in tables.items()}
        files = (Path(self.path), Path(self.path + "-wal"))
        return {**rows, "bytes": sum(file.stat().st_size for file in files if file.exists())}

    def start_of_newest(self, project: str, keep: float) -> int:
        """For retention: the start of the oldest of the newest traces that stay, as `storage.policies` says it."""
        return self._read(lambda reader: start_of_newest(reader, project, keep))

    def used_bytes(self) -> int:
        """What the records take; the rest of the file is free for the next ones."""
        with storage_errors(self.path):
            db = self._reader().db
            return db.pragma("page_size") * (db.pragma("page_count") - db.pragma("freelist_count"))

    # --- inside

    def _read(self, question: Callable[[Reader], T]) -> T:
        feed(self.feeders)
        with storage_errors(self.path):
            reader = self._reader()
            reader.db.execute("BEGIN")  # one state of the file for all statements of an answer
            try:
                return question(reader)
            except (msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
                raise StorageError(f"{self.path} is damaged: {error}; run `vestigo verify`") from error
            finally:
                reader.db.execute("ROLLBACK")

    def _reader(self) -> Reader:
        self._heal_after_fork()
        db = self._connections.reader()
        reader = self._readers.get(threading.get_ident())
        if reader is None or reader.db is not db:
            reader = self._readers[threading.get_ident()] = Reader(db)
        return reader

    def _heal_after_fork(self) -> None:
        if self._connections.forked:
            self._waiting = deque()
            self._writer = None
            self._readers = {}
            self._connections.writer()

    def _write_waiting(self) -> None:
        """Write all waiting batches in one transaction; if that fails, each in its own, to find whose fault it is."""
        group: list[_Waiting] = []
        while self._waiting:
            group.append(self._waiting.popleft())
        try:
            self._transaction(lambda writer: [writer.write(waiting.batch) for waiting in group])
        except BaseException as error:
            if len(group) == 1:
                group[0].error = error
            else:
                for waiting in group:
                    self._write_alone(waiting)
        for waiting in group:
            waiting.done.set()

    def _write_alone(self, waiting: _Waiting) -> None:
        try:
            self._transaction(lambda writer: writer.write(waiting.batch))
        except BaseException as error:
            waiting.error = error

    def _transaction(self, work: Callable[[Writer], object]) -> None:
        """Do work and commit it; on any failure nothing of it is kept."""
        with storage_errors(self.path), self._connections.lock:
            db = self._connections.writer()
            if self._writer is None:
                self._writer = Writer(db)
            writer = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                writer.begin()
                work(writer)
                writer.finish()
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                writer.forget()
                raise


__all__ = ["SQLiteTraceStorage"]
