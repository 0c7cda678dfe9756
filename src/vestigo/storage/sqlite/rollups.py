"""Sums by hour and by day kept at write time, from which dashboards are read.

One row for an hour or a day, origin (service, environment, release), kind, model, provider and status. A question that
groups and filters by these adds up days, then the hours at both ends; the rest of its window is counted span by span.
"""

from typing import Final

import apsw
import msgspec
from msgspec import Struct

from vestigo.query import And, Compare, Filter, Grouping, Not, OneOf, Or, Query
from vestigo.sketch import Sketch
from vestigo.storage.grouping import Figures, Group, Sums

HOUR_NS: Final = 3_600_000_000_000
DAY: Final = 24  # hours
DIMENSIONS: Final = frozenset({"kind", "model", "provider", "status", "service", "env", "release"})
_NOTHING: Final = 1e-9


class RollupKey(Struct, frozen=True, array_like=True):
    """Which row a span is counted in; a missing model or provider is 0."""

    project: int
    hour: int
    origin: int
    kind: int
    model: int
    provider: int
    status: int


class Rollups:
    """Changes to be made to the rollup rows within one transaction."""

    def __init__(self) -> None:
        self._changes: dict[RollupKey, Group] = {}
        self._new: dict[RollupKey, list[Figures]] = {}

    def add(self, key: RollupKey, figures: Figures, sign: int = 1) -> None:
        """Count a span, or take it back with sign -1."""
        if sign == 1:
            self._new.setdefault(key, []).append(figures)
        else:
            self._changes.setdefault(key, Group()).add(figures, sign)

    def write(self, db: apsw.Connection) -> None:
        """Merge the changes into the rows; a row that counts nothing any more goes."""
        for key, many in self._new.items():
            self._changes.setdefault(key, Group()).add_many(many)
        self._new.clear()
        days: dict[RollupKey, Group] = {}
        for key, change in self._changes.items():
            day = msgspec.structs.replace(key, hour=key.hour // DAY * DAY)
            days.setdefault(day, Group()).merge(change)
        for width, changes in ((1, self._changes), (DAY, days)):
            for key, change in changes.items():
                _write_row(db, (width, *msgspec.structs.astuple(key)), change)
        self._changes.clear()


def _write_row(db: apsw.Connection, key: tuple[int, ...], change: Group) -> None:
    where = "width=? AND project=? AND hour=? AND origin=? AND kind=? AND model=? AND provider=? AND status=?"
    row = db.execute(f"SELECT id, sums, latency, ttft FROM rollup WHERE {where}", key).fetchone()
    if row is None:
        group = change
    else:
        group = read_group(*row[1:])
        group.merge(change)
    if abs(group.sums.count) < _NOTHING:
        if row is not None:
            db.execute("DELETE FROM rollup WHERE id = ?", (row[0],))
        return
    parts = (msgspec.msgpack.encode(group.sums), group.latency.to_bytes(), group.ttft.to_bytes())
    if row is None:
        columns = "width, project, hour, origin, kind, model, provider, status, sums, latency, ttft"
        db.execute(f"INSERT INTO rollup({columns}) VALUES({','.join('?' * 11)})", (*key, *parts))
    else:
        db.execute("UPDATE rollup SET sums = ?, latency = ?, ttft = ? WHERE id = ?", (*parts, row[0]))


def read_group(sums: bytes, latency: bytes, ttft: bytes, measures: tuple[str, ...] = ("latency.", "ttft.")) -> Group:
    """A rollup row's figures; sketches only where a measure asks for them, since they take most of the time."""
    return Group(
        msgspec.msgpack.decode(sums, type=Sums),
        Sketch.from_bytes(latency) if any(name.startswith("latency.") for name in measures) else None,
        Sketch.from_bytes(ttft) if any(name.startswith("ttft.") for name in measures) else None,
    )


def spans_of_hours(first: int, last: int, grouping: Grouping) -> list[tuple[int, int, int]]:
    """(width, first hour, last hour exclusive) of the rows to add up: days where the step allows, hours at the ends."""
    if grouping.step_ns is not None and grouping.step_ns % (DAY * HOUR_NS):
        return [(1, first, last)]
    first_day, last_day = -(-first // DAY) * DAY, last // DAY * DAY
    if first_day >= last_day:
        return [(1, first, last)]
    return [(1, first, first_day), (DAY, first_day, last_day), (1, last_day, last)]


def whole_hours(query: Query, grouping: Grouping) -> tuple[int, int] | None:
    """The first and the last hour (exclusive) of the window that rollups can answer for; None where they cannot."""
    if grouping.step_ns is not None and grouping.step_ns % HOUR_NS:
        return None
    if not set(grouping.by) <= DIMENSIONS or not only_dimensions(query.filter):
        return None
    first, last = -(-query.start_ns // HOUR_NS), query.end_ns // HOUR_NS
    return (first, last) if first < last else None


def only_dimensions(filter_: Filter | None) -> bool:
    """Whether a filter speaks of what rollup rows are kept by, and of nothing else."""
    match filter_:
        case None:
            return True
        case And(filters) | Or(filters):
            return all(only_dimensions(part) for part in filters)
        case Not(part):
            return only_dimensions(part)
        case Compare(field, _, _) | OneOf(field, _):
            return field in DIMENSIONS
        case _:
            return False
