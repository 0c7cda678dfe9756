"""Erasing traces so that nothing of them is left, in steps so short that writers get their turn.

First the rows go: spans, logs, bodies that nobody else has, shares of sums. What that may have left without a use
(names, labels, dictionary content, index entries) is noted in `leftover` within the same transactions, and `sweep`
takes it away afterwards, also after a crash.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.matching import log_matches
from vestigo.query import Query, check_time, make_cursor
from vestigo.record import Log
from vestigo.storage.erasure import Erasure, count_copies
from vestigo.storage.sqlite.bodies import decode_rest
from vestigo.storage.sqlite.conditions import indexed_key
from vestigo.storage.sqlite.connection import connect
from vestigo.storage.sqlite.dictionaries import Suspects, clean_dictionaries
from vestigo.storage.sqlite.points import Place, Row, delete_points, points_to_delete
from vestigo.storage.sqlite.reader import Reader
from vestigo.storage.sqlite.unused import delete_unused, forget
from vestigo.storage.sqlite.writer import Writer

STEP_S: Final = 0.03
"""What a transaction aims at: half of the longest that a writer should wait."""
_LARGEST: Final = 5_000  # rows in one step
_PAGE: Final = 1_000  # traces that are looked for at a time
_PASSES: Final = 3  # over what arrives while we erase
_PROBES: Final = 128  # ids, and as many messages, that are looked for afterwards
_LABELS: Final = ("model", "provider", "session", "user", "tool", "agent", "prompt", "operation")
_SPAN: Final = f"SELECT id, record, name, origin, {', '.join(_LABELS)} FROM span WHERE trace = ? LIMIT ?"


class Steps(Struct, frozen=True):
    """What a storage lends to an erasure: its transactions and its reads."""

    path: str
    transaction: Callable[[Callable[[Writer], object]], None]
    read: Callable[[Callable[[Reader], Any]], Any]


class Eraser:
    """One erasure in one file."""

    def __init__(self, steps: Steps, query: Query, report: Erasure) -> None:
        self._steps = steps
        self._query = query
        self._report = report
        self._size = 50
        self._traces: deque[bytes] = deque()
        self._noted: set[tuple[str, Any]] = set()
        self._keys: dict[str, int] = {}
        self._suspects: Suspects | None = None
        self._probed = {bytes: 0, int: 0}
        self._probes: dict[bytes, bytes | int] = {}  # what is looked for -> id of the trace, or hash of the body

    # --- rows

    def erase(self) -> None:
        """Delete the rows of what matches; what arrives meanwhile is looked for again."""
        self.make_room()
        self._finish_interrupted()
        for _ in range(_PASSES):
            found = self._erase_traces()
            found += self._erase_loose_logs() + self._erase_points()
            if not found:
                return
        self._report.arrived = len(self._steps.read(lambda reader: matching_traces(reader, self._query, 1_000))[0])

    def make_room(self) -> None:
        """Empty the write-ahead log, if nobody needs it now: on a full disk deletions have to fit into it."""
        db = connect(self._steps.path)
        try:
            db.set_busy_timeout(50)
            with suppress(apsw.FullError):
                truncate_log(db, 0)
        finally:
            db.close()

    def _erase_traces(self) -> int:
        query: Query | None = msgspec.structs.replace(self._query, order="oldest", cursor=None)
        before = self._report.traces
        while query is not None:
            asked = query
            found, cursor = self._steps.read(lambda reader, asked=asked: matching_traces(reader, asked, _PAGE))
            self._traces.extend(found)
            while self._traces:
                self.step(self._delete_some)
            query = None if cursor is None else msgspec.structs.replace(asked, cursor=cursor)
        return self._report.traces - before

    def _finish_interrupted(self) -> None:
        """Traces that an erasure before us had begun."""
        sql = "SELECT trace.trace_id FROM leftover JOIN trace ON trace.id = leftover.id WHERE leftover.kind = 'trace'"
        self._traces.extend(row[0] for row in self._steps.read(lambda reader: reader.db.execute(sql).fetchall()))
        while self._traces:
            self.step(self._delete_some)

    def step(self, work: Callable[[Writer, int], object]) -> None:
        """One transaction of about `STEP_S`, then as long a pause for those who write."""
        check_time()
        began = time.monotonic()
        self._steps.transaction(lambda writer: work(writer, self._size))
        took = time.monotonic() - began
        self._report.steps += 1
        self._report.longest_step_s = max(self._report.longest_step_s, took)
        self._size = max(10, min(_LARGEST, int(self._size * min(2.0, STEP_S / max(took, 1e-6)))))
        time.sleep(min(took, STEP_S))

    def _delete_some(self, writer: Writer, rows: int) -> None:
        if self._suspects is None:
            self._suspects = Suspects(writer.db)
        project = writer.project_id(self._query.project)
        notes: set[tuple[str, Any]] = set()
        while self._traces and rows > 0:
            rows = self._delete_trace(writer, project, self._traces[0], rows, notes)
            if rows > 0:
                self._traces.popleft()
        notes |= {("text", text) for text in self._suspects.take()}
        fresh = [note for note in notes if note not in self._noted]
        writer.db.executemany("INSERT OR IGNORE INTO leftover VALUES(?, ?)", fresh)
        self._noted.update(note for note in fresh if note[0] != "trace")
        forget(writer)

    def _delete_trace(
        self, writer: Writer, project: int, trace_id: bytes, rows: int, notes: set[tuple[str, Any]]
    ) -> int:
        """Delete at most so many rows of a trace; how many may still be deleted, 0 if it is not finished."""
        db, report = writer.db, self._report
        found = db.execute("SELECT id FROM trace WHERE project = ? AND trace_id = ?", (project, trace_id)).fetchone()
        if found is None:
            return rows  # another process was first
        trace = found[0]
        rows -= self._delete_spans(writer, trace, rows, notes)
        if rows > 0:
            rows -= self._delete_bodies(writer, trace, rows, notes)
        if rows > 0:
            rows -= self._delete_trace_logs(writer, project, trace_id, rows)
        if rows <= 0:
            notes.add(("trace", trace))
            return 0
        db.execute("DELETE FROM trace WHERE id = ?", (trace,))
        db.execute("DELETE FROM leftover WHERE kind = 'trace' AND id = ?", (trace,))
        notes.discard(("trace", trace))
        report.traces += 1
        self._probe(trace_id, trace_id)
        return max(1, rows - 1)

    def _delete_spans(self, writer: Writer, trace: int, rows: int, notes: set[tuple[str, Any]]) -> int:
        spent = 0
        for number, record, name, origin, *labels in writer.db.execute(_SPAN, (trace, rows)).fetchall():
            if spent >= rows:
                break
            content = writer.codec.decompress(record)
            self._suspect(content)
            writer.take_back(number)
            notes |= {("name", name), ("origin", origin)}
            notes |= {("term", label) for label in labels if label is not None}
            notes |= {("term", self._term(writer, key)) for key in decode_rest(content).attributes if indexed_key(key)}
            self._report.spans += 1
            spent += _cost(content)
        return spent

    def _delete_trace_logs(self, writer: Writer, project: int, trace_id: bytes, rows: int) -> int:
        sql = "SELECT id, record FROM log WHERE project = ? AND trace_id = ? LIMIT ?"
        spent = 0
        for number, record in writer.db.execute(sql, (project, trace_id, rows)).fetchall():
            if spent >= rows:
                break
            content = writer.codec.decompress(record)
            self._suspect(content)
            writer.db.execute("DELETE FROM log WHERE id = ?", (number,))
            self._report.logs += 1
            spent += _cost(content)
        return spent

    def _term(self, writer: Writer, text: str) -> int:
        """The number of an attribute's key; it stays until the sweep."""
        if text not in self._keys:
            row = writer.db.execute("SELECT id FROM term WHERE text = ?", (text,)).fetchone()
            self._keys[text] = 0 if row is None else row[0]
        return self._keys[text]

    def _delete_bodies(self, writer: Writer, trace: int, rows: int, notes: set[tuple[str, Any]]) -> int:
        db = writer.db
        bodies = [row[0] for row in db.execute("SELECT body FROM mention WHERE trace = ? LIMIT ?", (trace, rows))]
        spent = 0
        for body in bodies:
            if spent >= rows:
                break
            spent += 1
            db.execute("DELETE FROM mention WHERE body = ? AND trace = ?", (body, trace))
            if db.execute("SELECT 1 FROM mention WHERE body = ? LIMIT 1", (body,)).fetchone() is None:
                spent += self._delete_body(writer, body, notes)
        return spent

    def _delete_body(self, writer: Writer, body: int, notes: set[tuple[str, Any]]) -> int:
        """What it cost."""
        db = writer.db
        row = db.execute("SELECT hash, content FROM body WHERE id = ?", (body,)).fetchone()
        if row is None:
            return 0
        content = writer.codec.decompress(row[1]) if row[1] else b""
        if content:
            self._suspect(content)
            self._probe(bytes(row[1][:64]), row[0])
        db.execute("DELETE FROM body WHERE id = ?", (body,))
        self._report.bodies += 1
        if db.execute("SELECT 1 FROM words WHERE rowid = ?", (body,)).fetchone() is not None:
            db.execute("DELETE FROM words WHERE rowid = ?", (body,))
            self._report.words += 1
            notes.add(("words", 0))
        return _cost(content)

    def _suspect(self, content: bytes) -> None:
        if self._suspects is not None:
            self._suspects.look(content)

    def _probe(self, what: bytes, told: bytes | int) -> None:
        kind = type(told)
        if self._probed[kind] < _PROBES and len(set(what)) >= 8:  # an id such as 00..07 stands in any file
            self._probes[what] = told
            self._probed[kind] += 1

    # --- logs without a trace, or of one without spans

    def _erase_loose_logs(self) -> int:
        """Logs of no trace, or of one that has no spans here; a filter that logs cannot answer spares them."""
        before = self._report.logs
        last: tuple[int, int] | None = (-(1 << 63), 0)
        while last is not None:
            asked = last
            last, numbers = self._steps.read(lambda reader, asked=asked: _loose_logs(reader, self._query, asked))
            for at in range(0, len(numbers), 500):
                chunk = numbers[at : at + 500]
                self.step(lambda writer, _, chunk=chunk: self._delete_logs(writer, chunk))
        return self._report.logs - before

    def _delete_logs(self, writer: Writer, numbers: list[tuple[int, bytes]]) -> None:
        if self._suspects is None:
            self._suspects = Suspects(writer.db)
        for number, log_id in numbers:
            row = writer.db.execute("SELECT record FROM log WHERE id = ? AND log_id = ?", (number, log_id)).fetchone()
            if row is not None:
                self._suspect(writer.codec.decompress(row[0]))
                writer.db.execute("DELETE FROM log WHERE id = ?", (number,))
                self._report.logs += 1
        found = [("text", text) for text in self._suspects.take()]
        writer.db.executemany("INSERT OR IGNORE INTO leftover VALUES(?, ?)", found)

    # --- points of metrics

    def _erase_points(self) -> int:
        before = self._report.points
        last: Place | None = (-(1 << 63), 0)
        while last is not None:
            asked = last
            last, rows = self._steps.read(
                lambda reader, asked=asked: points_to_delete(
                    reader.db, reader._project(self._query.project), self._query, asked
                )
            )
            for at in range(0, len(rows), 500):
                chunk = rows[at : at + 500]
                self.step(lambda writer, _, chunk=chunk: self._delete_points(writer, chunk))
        return self._report.points - before

    def _delete_points(self, writer: Writer, rows: list[Row]) -> None:
        self._report.points += delete_points(writer.db, rows)

    # --- what is left

    def sweep(self, *, wait_s: float = 10.0, probe: bool = True) -> None:
        """Take away what nothing refers to any more, in every file, and look for what was erased."""
        db = connect(self._steps.path)
        try:
            db.set_busy_timeout(50)
            self._report.names += delete_unused(db, self)
            clean_dictionaries(db, self)
            self._merge_words(db)
            if not truncate_log(db, wait_s):
                self._report.troubles.append(
                    "a reader holds the write-ahead log, which still has old pages; they go with the next erasure or"
                    " when the storage is closed"
                )
        finally:
            db.close()
        if probe:
            self._look_for_copies()

    def _merge_words(self, db: Any) -> None:
        """Write the word index anew without the words of what was deleted, a few pages at a time."""
        if db.execute("SELECT 1 FROM leftover WHERE kind = 'words'").fetchone() is None:
            return
        state = {"changes": 2, "sign": -1, "pages": 16}

        def merge(writer: Writer, _: int) -> None:
            before, began = writer.db.total_changes(), time.monotonic()
            writer.db.execute("INSERT INTO words(words, rank) VALUES('merge', ?)", (state["sign"] * state["pages"],))
            state["changes"], state["sign"] = writer.db.total_changes() - before, 1
            took = max(time.monotonic() - began, 1e-6)
            state["pages"] = max(4, min(500, int(state["pages"] * min(2.0, STEP_S / took))))

        while state["changes"] >= 2:  # SQLite's sign that there is nothing more to merge
            self.step(merge)
        self.step(lambda writer, _: writer.db.execute("DELETE FROM leftover WHERE kind = 'words'"))

    def _look_for_copies(self) -> None:
        db = connect(self._steps.path, read_only=True)
        try:
            again = [what for what, told in self._probes.items() if _is_there(db, told)]
        finally:
            db.close()
        probes = [what for what in self._probes if what not in again]
        path = Path(self._steps.path)
        files = sorted(file for file in path.parent.glob(path.name + "*") if not file.name.endswith("-shm"))
        self._report.copies = count_copies(files, probes)
        self._report.probes = len(probes)


def _cost(content: bytes) -> int:
    """Of deleting a record, in rows: long ones take longer."""
    return 1 + len(content) // 2048


def matching_traces(reader: Reader, query: Query, limit: int) -> tuple[list[bytes], str | None]:
    """Ids of traces that match, and where to go on; without a record being read where the filter is exact."""
    condition = reader._condition(query, "trace")
    if condition is None:
        return [], None
    place, order, after = reader._ordered(query, "trace", ("trace.trace_id",))
    sql = (
        f"SELECT trace_id, start_ns FROM trace WHERE {reader._window(query, 'trace')} AND {place}"
        f" AND {condition.sql} ORDER BY {order}"
    )
    rows = reader.db.execute(sql, (*after, *condition.parameters))
    exact = condition.exact
    found = list(islice((row for row in rows if exact or reader._trace_matches(query, row[0].hex())), limit))
    if len(found) < limit:
        return [row[0] for row in found], None
    start = found[-1][1]
    return [row[0] for row in found], make_cursor(query.order, (start, start, found[-1][0].hex(), ""))


def start_of_newest(reader: Reader, project: str, keep: float) -> int:
    """The start of the oldest of the newest traces that stay: so many, or this share if it is below 1; 0 if all do."""
    number = reader._project(project)
    (traces,) = reader.db.execute("SELECT count(*) FROM trace WHERE project = ?", (number,)).fetchone()
    stay = int(traces * keep) if keep < 1 else int(keep)
    if stay >= traces:
        return 0
    sql = "SELECT start_ns FROM trace WHERE project = ? ORDER BY start_ns DESC LIMIT 1 OFFSET ?"
    (start,) = reader.db.execute(sql, (number, max(0, stay - 1))).fetchone()
    return start if stay else start + 1


def _loose_logs(
    reader: Reader, query: Query, after: tuple[int, int]
) -> tuple[tuple[int, int] | None, list[tuple[int, bytes]]]:
    """(time and row to go on after, None at the end; row and id of the logs that match) among the next logs."""
    sql = (
        "SELECT time_ns, id, log_id, record FROM log WHERE project = ? AND time_ns >= ? AND time_ns < ?"
        " AND (time_ns, id) > (?, ?) AND (trace_id IS NULL OR NOT EXISTS (SELECT 1 FROM trace"
        " WHERE trace.project = log.project AND trace.trace_id = log.trace_id)) ORDER BY time_ns, id LIMIT ?"
    )
    project = reader._project(query.project)
    window = (max(query.start_ns, after[0]), query.end_ns)
    rows = reader.db.execute(sql, (project, *window, *after, _PAGE)).fetchall()
    try:
        found = [(row[1], row[2]) for row in rows if query.filter is None or _log_matches(reader, query, row[3])]
    except QueryError:
        return None, []
    return ((rows[-1][0], rows[-1][1]) if len(rows) == _PAGE else None), found


def _log_matches(reader: Reader, query: Query, record: bytes) -> bool:
    return log_matches(query.filter, msgspec.msgpack.decode(reader.codec.decompress(record), type=Log))


def truncate_log(db: Any, wait_s: float) -> bool:
    """Fold the write-ahead log into the file and empty it; False if readers kept us from it for so long.

    The connection has a short timeout of its own, since writers wait while SQLite waits for readers here.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            return True
        except apsw.BusyError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)


def _is_there(db: Any, told: bytes | int) -> bool:
    """Whether a trace or a message that was erased has come again, or another project has it."""
    table, column = ("trace", "trace_id") if isinstance(told, bytes) else ("body", "hash")
    found = db.execute(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (told,)).fetchone() is not None
    if found or table == "body":
        return found
    return db.execute("SELECT 1 FROM log WHERE trace_id = ? LIMIT 1", (told,)).fetchone() is not None


__all__ = ["Eraser", "Steps", "matching_traces", "start_of_newest", "truncate_log"]
