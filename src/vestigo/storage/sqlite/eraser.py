"""Deleting traces so that nothing of them is left: rows, index entries, shares of sums, bodies that nobody else has."""

import msgspec

from vestigo.errors import QueryError
from vestigo.matching import log_matches
from vestigo.query import Query
from vestigo.record import Log
from vestigo.storage.sqlite.writer import Writer

_TERM_COLUMNS = ("model", "provider", "session", "user", "tool", "agent", "prompt", "operation")


def delete_traces(writer: Writer, project_name: str, trace_ids: list[str]) -> None:
    """Delete traces, their spans and their logs, within the running transaction."""
    db = writer.db
    project = writer.project_id(project_name)
    for trace_id in trace_ids:
        key = (project, bytes.fromhex(trace_id))
        row = db.execute("SELECT id FROM trace WHERE project = ? AND trace_id = ?", key).fetchone()
        db.execute("DELETE FROM log WHERE project = ? AND trace_id = ?", key)
        if row is not None:
            _delete_trace(writer, project, row[0])
    db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
    writer.finish()
    _delete_unused(writer)
    writer.forget()


def delete_loose_logs(writer: Writer, query: Query) -> None:
    """Delete logs without a trace that match; a filter that logs cannot answer spares them."""
    db = writer.db
    sql = "SELECT id, record FROM log WHERE project = ? AND trace_id IS NULL AND time_ns >= ? AND time_ns < ?"
    window = (writer.project_id(query.project), query.start_ns, query.end_ns)
    for number, record in db.execute(sql, window).fetchall():
        log = msgspec.msgpack.decode(writer.codec.decompress(record), type=Log)
        try:
            matching = log_matches(query.filter, log)
        except QueryError:
            return
        if matching:
            db.execute("DELETE FROM log WHERE id = ?", (number,))


def _delete_trace(writer: Writer, project: int, trace: int) -> None:
    db = writer.db
    for (span,) in db.execute("SELECT id FROM span WHERE trace = ?", (trace,)).fetchall():
        writer.take_back(span, project)
    bodies = [row[0] for row in db.execute("SELECT body FROM mention WHERE trace = ?", (trace,)).fetchall()]
    db.execute("DELETE FROM mention WHERE trace = ?", (trace,))
    for body in bodies:
        if db.execute("SELECT 1 FROM mention WHERE body = ? LIMIT 1", (body,)).fetchone() is None:
            db.execute("DELETE FROM body WHERE id = ?", (body,))
            db.execute("DELETE FROM words WHERE rowid = ?", (body,))
    db.execute("DELETE FROM trace WHERE id = ?", (trace,))


def _delete_unused(writer: Writer) -> None:
    """Names, user and session ids, and attribute values that no record has any more are personal data too."""
    db = writer.db
    db.execute("DELETE FROM name WHERE id NOT IN (SELECT name FROM span)")
    used = " UNION ".join(f"SELECT {column} FROM span WHERE {column} IS NOT NULL" for column in _TERM_COLUMNS)
    rolled = "SELECT model FROM rollup UNION SELECT provider FROM rollup"
    db.execute(f"DELETE FROM term WHERE id NOT IN ({used} UNION {rolled} UNION SELECT key FROM attribute)")
