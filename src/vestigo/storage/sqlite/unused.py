"""Names, labels and resources that no record has any more: personal data too, so they go after an erasure.

Whether they are in use is looked up by index, and for columns without one in one pass over the spans, outside of any
transaction. Spans that were written since are looked at again in the transaction that deletes.
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from vestigo.storage.sqlite.eraser import Eraser
    from vestigo.storage.sqlite.writer import Writer

_KINDS: Final = ("name", "term", "origin")
_BLANK: Final = "UPDATE origin SET body = 'gone ' || id, service = x'', env = NULL, release = NULL WHERE id = ?"
"""The last number would be given again, and readers remember what it stood for; so that row stays, without content."""
_INDEXED: Final = {"name": ("name",), "term": ("model", "session", "user"), "origin": ()}
"""Columns of `span` that have an index which begins with the project."""
_SCANNED: Final = {"name": (), "term": ("provider", "tool", "agent", "prompt", "operation"), "origin": ("origin",)}
_ROLLED: Final = {"name": (), "term": ("model", "provider"), "origin": ("origin",)}
_CHUNK: Final = 100
_TRIES: Final = 3


def delete_unused(db: Any, eraser: "Eraser") -> int:
    """Delete what `leftover` names and nothing uses; how many there were."""
    deleted = 0
    for kind in _KINDS:
        for _ in range(_TRIES):  # again where another process deletes at the same time
            look = _Look(db, kind)
            for at in range(0, len(look.asked), _CHUNK):
                eraser.step(lambda writer, _, look=look, at=at: look.delete(writer, look.asked[at : at + _CHUNK]))
            deleted += look.deleted
            if look.is_done:
                break
    return deleted


class _Look:
    """What is unused of one kind, in one state of the file."""

    def __init__(self, db: Any, kind: str) -> None:
        self._kind = kind
        self.deleted = 0
        self.is_done = True
        db.execute("BEGIN")
        try:
            self.asked = [row[0] for row in db.execute("SELECT id FROM leftover WHERE kind = ?", (kind,))]
            self._generation = _generation(db)
            (self._newest,) = db.execute("SELECT ifnull(max(id), 0) FROM span").fetchone()
            maybe = [number for number in self.asked if not _is_indexed(db, kind, number)]
            self._unused = _not_scanned(db, kind, maybe)
        finally:
            db.execute("ROLLBACK")

    def delete(self, writer: "Writer", chunk: list[int]) -> None:
        """Delete the unused ones of a chunk, unless others have deleted since: then row numbers may mean new rows."""
        db = writer.db
        if _generation(db) != self._generation:
            self.is_done = False
            return
        columns = ", ".join((*_INDEXED[self._kind], *_SCANNED[self._kind]))
        fresh = db.execute(f"SELECT {columns} FROM span WHERE id > ?", (self._newest,)).fetchall()
        going = self._unused.intersection(chunk).difference(number for row in fresh for number in row)
        for number in chunk:
            if number in going and not _is_indexed(db, self._kind, number):
                db.execute(_BLANK if self._kind == "origin" else f"DELETE FROM {self._kind} WHERE id = ?", (number,))
                self.deleted += 1
            db.execute("DELETE FROM leftover WHERE kind = ? AND id = ?", (self._kind, number))
        if self._kind == "origin":
            db.execute("DELETE FROM origin WHERE service = x'' AND id < (SELECT max(id) FROM origin)")
        forget(writer)
        self._generation += 1


def _generation(db: Any) -> int:
    (number,) = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    return number


def _is_indexed(db: Any, kind: str, number: int) -> bool:
    """Whether a span has it in a column with an index, or an attribute or a sum has it."""
    for column in _INDEXED[kind]:
        sql = f"SELECT 1 FROM project CROSS JOIN span WHERE span.project = project.id AND span.{column} = ? LIMIT 1"
        if db.execute(sql, (number,)).fetchone() is not None:
            return True
    if kind != "term":
        return False
    sql = "SELECT 1 FROM project CROSS JOIN attribute AS a WHERE a.project = project.id AND a.key = ? LIMIT 1"
    return db.execute(sql, (number,)).fetchone() is not None


def _not_scanned(db: Any, kind: str, numbers: list[int]) -> set[int]:
    """Those that stand in no column without an index; the newest spans are asked first, since they have most."""
    left = set(numbers)
    for column in _ROLLED[kind]:
        left -= {row[0] for row in db.execute(f"SELECT DISTINCT {column} FROM rollup WHERE width = 24")}
    for newest in (True, False):
        for column in _SCANNED[kind]:
            if left:
                rows = f"(SELECT {column} FROM span ORDER BY id DESC LIMIT 5000)" if newest else "span"
                sql = f"SELECT DISTINCT {column} FROM {rows} WHERE {column} IN (SELECT value FROM json_each(?))"
                left -= {row[0] for row in db.execute(sql, (msgspec.json.encode(sorted(left)).decode(),))}
    return left


def forget(writer: "Writer") -> None:
    """Let every process forget the numbers that are gone; call last in a transaction that deletes some."""
    writer.db.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
    writer.finish()
    writer.forget()
