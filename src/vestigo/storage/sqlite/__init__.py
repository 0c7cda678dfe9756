"""Records in one SQLite file: durable, indexed, shared by several processes. The default.

Writes are grouped: what several threads hand over while one commits goes into the next transaction together, and each
of them is answered after that commit has reached the disk. Readers never wait for writers (WAL).
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import msgspec

from vestigo.errors import StorageError
from vestigo.query import ALL_TIME, Grouping, Page, Query, Row, TraceSummary, check_field, check_query
from vestigo.record import Batch, Log, Span, Trace
from vestigo.storage import Capabilities, Feeder, feed, query_traces, settle, store_trace
from vestigo.storage.sqlite.connection import Connections, prepare_directory, storage_errors
from vestigo.storage.sqlite.eraser import delete_loose_logs, delete_traces
from vestigo.storage.sqlite.reader import Reader
from vestigo.storage.sqlite.schema import migrate
from vestigo.storage.sqlite.writer import Writer

T = TypeVar("T")
_DELETE_CHUNK: Final = 200  # traces in one transaction, so that writers get their turn


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

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        return self._read(lambda reader: reader.aggregate(query, grouping))

    def values(self, field: str, query: Query) -> list[str]:
        check_field(field)
        return self._read(lambda reader: reader.values(field, check_query(query)))

    def delete(self, query: Query) -> int:
        check_query(query)
        deleted = 0
        everything = msgspec.structs.replace(query, limit=_DELETE_CHUNK, cursor=None)
        while found := [summary.trace_id for summary in self.find_traces(everything)]:
            self._transaction(lambda writer, ids=found: delete_traces(writer, query.project, ids))
            deleted += len(found)
        self._transaction(lambda writer: delete_loose_logs(writer, query))
        with storage_errors(self.path), self._connections.lock:
            self._connections.writer().execute("INSERT INTO words(words) VALUES('optimize')")
            self._connections.writer().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)  # old pages lie in the log
        return deleted

    def close(self) -> None:
        """Close this process's connections. Safe to call twice."""
        with self._connections.lock:
            self._writer = None
            self._readers.clear()
            self._connections.close()

    # --- upkeep

    def verify(self) -> list[str]:
        """What is wrong with the file: nothing for a sound one. Reads all of it."""
        with storage_errors(self.path):
            reader = self._reader()
            told = [str(row[0]) for row in reader.db.execute("PRAGMA integrity_check")]
            troubles = [line for line in told if line != "ok"]
            missing = reader.db.execute(
                "SELECT count(*) FROM mention WHERE body NOT IN (SELECT id FROM body)"
            ).fetchone()
            if missing[0]:
                troubles.append(f"{missing[0]} mentions of message bodies that are not there")
            try:
                for project in [row[0] for row in reader.db.execute("SELECT name FROM project")]:
                    everything = Query(project=project, start_ns=ALL_TIME[0], limit=500)
                    while True:
                        page = reader.find_spans(everything)
                        if page.cursor is None:
                            break
                        everything = msgspec.structs.replace(everything, cursor=page.cursor)
            except StorageError as error:
                troubles.append(str(error))
        return troubles

    def figures(self) -> dict[str, int]:
        """Rows and bytes, for `vestigo doctor`."""
        with storage_errors(self.path):
            db = self._reader().db
            tables = {"traces": "trace", "spans": "span", "logs": "log", "bodies": "body"}
            rows = {name: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for name, table in tables.items()}
        files = (Path(self.path), Path(self.path + "-wal"))
        return {**rows, "bytes": sum(file.stat().st_size for file in files if file.exists())}

    # --- inside

    def _read(self, question: Callable[[Reader], T]) -> T:
        feed(self.feeders)
        with storage_errors(self.path):
            reader = self._reader()
            reader.db.execute("BEGIN")  # one state of the file for all statements of an answer
            try:
                return question(reader)
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
