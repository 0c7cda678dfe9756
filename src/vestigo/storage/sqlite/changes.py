"""What any process has written since a mark, for the live tail.

Row numbers rise with each write, and a span that is written again gets a new row. Only the numbers above the highest
one that is left are given out again, so a mark holds checksums of the newest rows: from the highest that still stands
as it was, everything above is new.
"""

import base64
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.record import Log, Span

if TYPE_CHECKING:
    from vestigo.storage.sqlite.reader import Reader

_NEWEST: Final = 16
"""Rows that a mark knows. If all of them were deleted or written again, some rows are found twice, and none is missed
unless more rows than these were deleted from the end."""
_PART: Final = 2_000
"""Rows that one call reads of each table."""
_SUM: Final = {
    "span": "SELECT id, span_id, duration_ns, status, record FROM span",
    "log": "SELECT id, log_id, severity, 0, record FROM log",
}


class _Mark(Struct, array_like=True, frozen=True):
    """Checksums of the newest rows of each table by number, the highest first."""

    span: dict[int, int]
    log: dict[int, int]


def changes(reader: "Reader", project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
    """As in the protocol."""
    known = None if mark is None else _read(mark)
    number = reader._project(project)
    spans, span_sums = _spans(reader, number, known)
    logs, log_sums = _logs(reader, number, known)
    return spans, logs, _write(_Mark(span_sums, log_sums))


def _spans(reader: "Reader", project: int | None, mark: _Mark | None) -> tuple[list[Span], dict[int, int]]:
    if mark is None:
        return [], _newest(reader.db, "span")
    since = _since(reader.db, "span", mark.span)
    where = "span.id > ? AND +span.project = ? ORDER BY span.id LIMIT ?"
    # by number, whatever the planner thinks of other indexes
    numbers = [row[0] for row in reader.db.execute(f"SELECT id FROM span WHERE {where}", (since, project or 0, _PART))]
    if not numbers:
        return [], _newest(reader.db, "span")
    sums = _newest(reader.db, "span", numbers[-1] if len(numbers) == _PART else None)
    fresh = [at for at in numbers if mark.span.get(at) is None or mark.span[at] != sums.get(at)]
    return reader.spans_of_rows(fresh), sums


def _logs(reader: "Reader", project: int | None, mark: _Mark | None) -> tuple[list[Log], dict[int, int]]:
    if mark is None:
        return [], _newest(reader.db, "log")
    since = _since(reader.db, "log", mark.log)
    sql = "SELECT id, record FROM log WHERE id > ? AND +project = ? ORDER BY id LIMIT ?"
    rows = reader.db.execute(sql, (since, project or 0, _PART)).fetchall()
    sums = _newest(reader.db, "log", rows[-1][0] if len(rows) == _PART else None)
    fresh = [row for row in rows if mark.log.get(row[0]) is None or mark.log[row[0]] != sums.get(row[0])]
    return [reader._log(record) for _, record in fresh], sums


def _since(db: Any, table: str, known: dict[int, int]) -> int:
    """The highest row of the mark that still stands as it was; all rows where the mark knows none."""
    for number, told in known.items():
        rows = db.execute(f"{_SUM[table]} WHERE id = ?", (number,)).fetchall()
        if rows and _checksum(rows[0]) == told:
            return number
    return min(known, default=1) - 1


def _newest(db: Any, table: str, last: int | None = None) -> dict[int, int]:
    """Checksums of the newest rows, up to a number."""
    where = "" if last is None else f"WHERE id <= {last} "
    rows = db.execute(f"{_SUM[table]} {where}ORDER BY id DESC LIMIT {_NEWEST}")
    return {row[0]: _checksum(row) for row in rows}


def _checksum(row: tuple[Any, ...]) -> int:
    """Of what a row says, in 32 bits."""
    return zlib.crc32(row[4], zlib.crc32(msgspec.msgpack.encode(row[1:4])))


def _write(mark: _Mark) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(mark)).decode().rstrip("=")


def _read(mark: str) -> _Mark:
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)), type=_Mark)
    except (ValueError, msgspec.MsgspecError):
        raise QueryError(f"cannot read the mark {mark[:40]!r}; take it from the answer before") from None
