"""What is wrong with a file: whether SQLite finds it whole, and whether what it keeps twice says the same twice.

Records have checksums; columns have none, but sums and summaries are made of them, so those are worked out again.
"""

from collections.abc import Iterator
from math import isclose
from typing import Any, Final
from zlib import crc32

import msgspec

from vestigo.errors import StorageError
from vestigo.matching import summarize
from vestigo.query import And, Compare, Grouping, Query, Row
from vestigo.record import Log
from vestigo.storage.sqlite.bodies import decode_rest
from vestigo.storage.sqlite.conditions import UNINDEXED, indexed_key, indexed_value
from vestigo.storage.sqlite.reader import Reader

_SAID: Final = 20
"""Troubles of one sort that are told."""
_SUMS: Final = Grouping(
    by=("model", "provider", "kind", "status"),
    measures=("count", "errors", "tokens.in", "tokens.out", "tokens.cached", "tokens.reasoning", "cost", "unpriced",
              "latency.sum"),
)  # fmt: skip
_COUNTS: Final = {
    "{} mentions of message bodies that are not there":
        "SELECT count(*) FROM mention WHERE body NOT IN (SELECT id FROM body)",
    "{} spans of traces that are not there": "SELECT count(*) FROM span WHERE trace NOT IN (SELECT id FROM trace)",
    "{} spans whose project is not their trace's":
        "SELECT count(*) FROM span JOIN trace ON trace.id = span.trace WHERE span.project != trace.project",
}  # fmt: skip


def troubles(reader: Reader) -> list[str]:
    """Nothing for a sound file. Reads all of it, in the state of the running transaction."""
    found = [str(row[0]) for row in reader.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    for told, sql in _COUNTS.items():
        (count,) = reader.db.execute(sql).fetchone()
        found += [told.format(count)] if count else []
    for check in (_bodies, _logs, _attributes, _traces, _sums):
        try:
            found += check(reader)
        except StorageError as error:
            found.append(str(error))
    return found


def _bodies(reader: Reader) -> list[str]:
    """Each can be read."""
    for (content,) in reader.db.execute("SELECT content FROM body"):
        if content:
            reader.codec.decompress(content)
    return []


def _logs(reader: Reader) -> list[str]:
    """Columns say what the record says."""
    wrong = 0
    for time_ns, severity, trace_id, log_id, record in reader.db.execute(
        "SELECT time_ns, severity, trace_id, log_id, record FROM log"
    ):
        log = msgspec.msgpack.decode(reader.codec.decompress(record), type=Log)
        known = None if log.trace_id is None else bytes.fromhex(log.trace_id)
        same = (log.time_ns, log.severity, known) == (time_ns, severity, trace_id)
        wrong += not same or (log.log_id.encode("utf-8", "replace") != log_id and bool(log.log_id))
    return [f"{wrong} logs whose columns differ from their records"] if wrong else []


def _attributes(reader: Reader) -> list[str]:
    """The index has what the spans have: as many entries, with the same sum of checksums."""
    terms = dict(reader.db.execute("SELECT id, text FROM term"))
    stored = [0, 0]
    for project, key, value, span in reader.db.execute("SELECT project, key, value, span FROM attribute"):
        _count(stored, (project, terms.get(key), value, span))
    wanted = [0, 0]
    for project, span, record in reader.db.execute("SELECT project, id, record FROM span"):
        for key, value in decode_rest(reader.codec.decompress(record)).attributes.items():
            if indexed_key(key) and value is not None:
                short = indexed_value(value)
                _count(wanted, (project, key, UNINDEXED if short is None else short, span))
    return (
        []
        if stored == wanted
        else [f"the index of attributes has {stored[0]} entries, not those {wanted[0]} of the spans"]
    )


def _count(into: list[int], entry: tuple[Any, ...]) -> None:
    project, key, value, span = entry
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        value = int(value)  # SQLite tells 1.0 and 1 apart, its index does not
    into[0] += 1
    into[1] += crc32(repr((project, key, value, span)).encode("utf-8", "surrogatepass"))


def _traces(reader: Reader) -> list[str]:
    """The row of a trace says what its spans say."""
    wrong: list[str] = []
    for query in _projects(reader):
        asked = query
        while True:
            page = reader.find_traces(asked)
            for summary in page:
                trace = reader.trace(query.project, summary.trace_id)
                if trace is None or not _same(summary, summarize(trace)):
                    wrong.append(summary.trace_id)
            if page.cursor is None:
                break
            asked = msgspec.structs.replace(asked, cursor=page.cursor)
    return [f"trace {trace_id} is not what its spans make it" for trace_id in wrong[:_SAID]]


def _sums(reader: Reader) -> list[str]:
    """Sums by hour and day are those of the spans."""
    wrong: list[str] = []
    for query in _projects(reader):
        counted = msgspec.structs.replace(query, filter=And((Compare("name", "exists"),)))
        for step_ns in (None, 3_600 * 10**9):
            grouping = msgspec.structs.replace(_SUMS, step_ns=step_ns)
            quick, slow = reader.aggregate(query, grouping), reader.aggregate(counted, grouping)
            if not _same_rows(quick, slow):
                wrong.append(f"the sums of project {query.project!r} are not those of its spans")
                break
    return wrong


def _projects(reader: Reader) -> Iterator[Query]:
    for (name,) in reader.db.execute("SELECT name FROM project").fetchall():
        yield Query(project=name, limit=500)


def _same(one: Any, other: Any) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__]
    return all(
        a == b or (isinstance(a, float) and isinstance(b, float) and isclose(a, b, rel_tol=1e-9)) for a, b in pairs
    )


def _same_rows(one: list[Row], other: list[Row]) -> bool:
    if [(row.keys, row.time_ns) for row in one] != [(row.keys, row.time_ns) for row in other]:
        return False
    for row, counterpart in zip(one, other, strict=True):
        for name, value in row.values.items():
            known = counterpart.values[name]
            if value != known and not isclose(value or 0.0, known or 0.0, rel_tol=1e-9, abs_tol=1e-9):
                return False
    return True
