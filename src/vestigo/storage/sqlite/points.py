"""Data points of metrics in SQLite: rows of their own, of no trace, found by time and by the metric's name."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from vestigo.errors import QueryError, StorageError
from vestigo.matching import point_matches
from vestigo.query import And, Compare, Filter, Page, Query, check_query, make_cursor, point_sort_key, read_cursor
from vestigo.record import Point

_PAGE: Final = 1_000  # rows that an erasure looks at in one read
_WRITE: Final = (
    "INSERT INTO point(project, point_id, time_ns, name, record) VALUES(?, ?, ?, ?, ?) ON CONFLICT(project, point_id)"
    " DO UPDATE SET time_ns = excluded.time_ns, name = excluded.name, record = excluded.record"
)
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Point).decode

Place = tuple[int, int]
"""Time and row of a point."""
Row = tuple[int, bytes]
"""Row and id of a point: the row of one that is gone may be another's by now."""


def write_points(db: Any, points: Iterable[Point], project: int) -> None:
    """Add points within the running transaction; a later version replaces an earlier one."""
    rows = [(project, _id(point), point.time_ns, point.name, _encode(point)) for point in points]
    if rows:
        db.executemany(_WRITE, rows)


def find_points(db: Any, project: int | None, query: Query) -> Page[Point]:
    """One page; `project` is the number of the query's, None for one that has no records."""
    check_query(query, logs=True)
    after = read_cursor(query)
    if project is None:
        return Page([])
    rising = query.order == "oldest"
    place: tuple[Any, ...] = () if after is None else (after[0], bytes.fromhex(after[3]))
    items = list(islice(_matching(db, project, query, place, rising=rising), query.limit + 1))
    if len(items) <= query.limit:
        return Page(items)
    items.pop()
    return Page(items, make_cursor(query.order, point_sort_key(items[-1], query.order)))


def _matching(db: Any, project: int, query: Query, after: tuple[Any, ...], *, rising: bool) -> Iterator[Point]:
    direction, sign = ("ASC", ">") if rising else ("DESC", "<")
    name = _only_name(query.filter)
    sql = (
        "SELECT record FROM point WHERE project = ? AND time_ns >= ? AND time_ns < ?"
        f"{'' if name is None else ' AND name = ?'}{f' AND (time_ns, point_id) {sign} (?, ?)' if after else ''}"
        f" ORDER BY time_ns {direction}, point_id {direction}"
    )
    named = () if name is None else (name,)
    for (record,) in db.execute(sql, (project, query.start_ns, query.end_ns, *named, *after)):
        point = _decode(record)
        if point_matches(query.filter, point):
            yield point


def _only_name(filter_: Filter | None) -> str | None:
    """The name of the one metric that the filter lets through; None if it may be several."""
    match filter_:
        case Compare("name", "=", str(name)):
            return name
        case And(filters):
            return next((found for part in filters if (found := _only_name(part)) is not None), None)
        case _:
            return None


def points_to_delete(db: Any, project: int | None, query: Query, after: Place) -> tuple[Place | None, list[Row]]:
    """(where to go on, None at the end; those that match) among the next ones; a filter that they cannot answer spares.

    Order and limit of the query do not matter.
    """
    sql = (
        "SELECT time_ns, id, point_id, record FROM point WHERE project = ? AND time_ns >= ? AND time_ns < ?"
        " AND (time_ns, id) > (?, ?) ORDER BY time_ns, id LIMIT ?"
    )
    window = (max(query.start_ns, after[0]), query.end_ns)
    rows = db.execute(sql, (project, *window, *after, _PAGE)).fetchall()
    try:
        found = [(row[1], row[2]) for row in rows if point_matches(query.filter, _decode(row[3]))]
    except QueryError:
        return None, []
    return ((rows[-1][0], rows[-1][1]) if len(rows) == _PAGE else None), found


def delete_points(db: Any, rows: list[Row]) -> int:
    """Delete points within the running transaction; how many of them were still there."""
    before = db.total_changes()
    db.executemany("DELETE FROM point WHERE id = ? AND point_id = ?", rows)
    return db.total_changes() - before


def _id(point: Point) -> bytes:
    try:
        data = bytes.fromhex(point.point_id)
    except (ValueError, TypeError):
        data = b""
    if len(data) != 16 or data.hex() != point.point_id:
        raise StorageError(f"point id {point.point_id!r:.80} is not 32 lower-case hex digits")
    return data


__all__ = ["Place", "Row", "delete_points", "find_points", "points_to_delete", "write_points"]
