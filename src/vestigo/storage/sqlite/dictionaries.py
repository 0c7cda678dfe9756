"""Compression dictionaries hold pieces of the records they were trained on; erased ones are cut out of them.

While records are erased, `Suspects` notes which pieces of the dictionaries they had. Pieces that recent records have
too may stay. For the others a copy of the dictionary without them takes its place, and all frames that were written
with the old one are written anew, a few at a time.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from vestigo.storage.sqlite.bodies import Codec
from vestigo.storage.sqlite.unused import forget

if TYPE_CHECKING:
    from vestigo.storage.sqlite.eraser import Eraser
    from vestigo.storage.sqlite.writer import Writer

COMPRESSED: Final = (("body", "content", "body"), ("span", "record", "span"), ("log", "record", "span"))
"""Table, column and class of dictionary of everything that is compressed."""
_LETTER: Final = rb"[0-9A-Za-z_\x80-\xff]"
_WORD: Final = re.compile(_LETTER + rb"+")
_PAIR: Final = re.compile(rb"(?<!%b)(?=(%b+[^0-9A-Za-z_\x80-\xff]{1,3}%b+))" % ((_LETTER,) * 3))
"""Two words with at most three bytes between them; those of a row overlap."""
_PIECE: Final = 6  # bytes: a longer word is known by its parts, since a dictionary cuts words
_SHORTEST: Final = 4
_RECENT: Final = 2_000  # records of each table that show what is in use
_SEEN: Final = 200_000
_PAGE: Final = 20_000  # frames that are looked up at a time
_START: Final = bytes.fromhex("010000000400000008000000")  # ends a dictionary's tables (RFC 8878, section 5)


def pieces(content: bytes) -> Iterator[bytes]:
    """What a text is known by: its words or parts of them, and pairs of words that stand together."""
    for word in _WORD.findall(content):
        yield from _parts(word)
    yield from _PAIR.findall(content)


def _parts(word: bytes) -> Iterator[bytes]:
    if len(word) <= _PIECE:
        if len(word) >= _SHORTEST:
            yield word
        return
    for at in range(len(word) - _PIECE + 1):
        yield word[at : at + _PIECE]


class Suspects:
    """Pieces of a file's dictionaries that some records have."""

    def __init__(self, db: Any) -> None:
        self._known = {
            piece
            for (body,) in db.execute("SELECT body FROM dictionary").fetchall()
            for piece in pieces(_content(bytes(body)))
        }
        self.found: set[bytes] = set()
        self._taken: set[bytes] = set()
        self._seen: set[bytes] = set()

    def take(self) -> set[bytes]:
        """What was found since the last call."""
        fresh = self.found - self._taken
        self._taken |= fresh
        return fresh

    def look(self, content: bytes) -> None:
        """Note the pieces that a record's bytes have."""
        known = self._known
        if not known:
            return
        words = set(_WORD.findall(content)) - self._seen
        self._seen |= words
        self.found |= known & words
        for word in words:
            if len(word) > _PIECE:
                self.found.update(known.intersection(_parts(word)))
        self.found |= known.intersection(_PAIR.findall(content))
        if len(self._seen) > _SEEN:
            self._seen.clear()


def clean_dictionaries(db: Any, eraser: "Eraser") -> None:
    """Cut out of the dictionaries what only erased records had."""
    suspects = {bytes(row[0]) for row in db.execute("SELECT id FROM leftover WHERE kind = 'text'")}
    if not suspects:
        return
    gone = suspects - _in_use(db)
    for number, kind, body in db.execute("SELECT id, class, body FROM dictionary").fetchall():
        clean = _without(bytes(body), gone)
        if clean != bytes(body):
            _replace(db, eraser, number, kind, clean)
    eraser.step(lambda writer, _: writer.db.execute("DELETE FROM leftover WHERE kind = 'text'"))


def _in_use(db: Any) -> set[bytes]:
    """The pieces that recent records have."""
    recent, codec = Suspects(db), Codec(db)
    for table, column, _ in COMPRESSED:
        for (data,) in db.execute(f"SELECT {column} FROM {table} ORDER BY id DESC LIMIT ?", (_RECENT,)).fetchall():
            if data:
                recent.look(codec.decompress(data))
    return recent.found


def _content(dictionary: bytes) -> bytes:
    """The text of a dictionary, behind its tables."""
    at = dictionary.find(_START)
    return dictionary[at + len(_START) :] if at > 0 else b""


def _without(dictionary: bytes, gone: set[bytes]) -> bytes:
    """The dictionary with zeros where its text has these pieces."""
    content = _content(dictionary)
    clean = bytearray(content)
    for piece in gone:
        at = content.find(piece)
        while at >= 0:
            clean[at : at + len(piece)] = bytes(len(piece))
            at = content.find(piece, at + 1)
    return dictionary[: len(dictionary) - len(content)] + bytes(clean)


def _replace(db: Any, eraser: "Eraser", number: int, kind: str, clean: bytes) -> None:
    """Put a dictionary in the place of another: from the first step on everybody writes with the new one."""

    def begin(writer: "Writer", _: int) -> None:
        (new,) = writer.db.execute("SELECT max(id) + 1 FROM dictionary").fetchone()  # the highest is written with
        told = clean[:4] + new.to_bytes(4, "little") + clean[8:]
        writer.db.execute("INSERT INTO dictionary VALUES(?, ?, ?)", (new, kind, told))
        forget(writer)

    def end(writer: "Writer", _: int) -> None:
        writer.db.execute("DELETE FROM dictionary WHERE id = ?", (number,))
        forget(writer)

    eraser.step(begin)
    for table, column, of in COMPRESSED:
        if of == kind:
            _write_anew(db, eraser, (table, column, kind), number.to_bytes(4, "little"))
    eraser.step(end)


def _write_anew(db: Any, eraser: "Eraser", place: tuple[str, str, str], mark: bytes) -> None:
    """Compress anew every frame of a column that names a dictionary: four bytes behind five or six others."""
    table, column, kind = place
    named = f"instr(substr({column}, 6, 5), ?) > 0"
    numbers: list[int] = []

    def work(writer: "Writer", size: int) -> None:
        chunk = [numbers.pop() for _ in range(min(size, len(numbers)))]
        for number in chunk:
            sql = f"SELECT {column} FROM {table} WHERE id = ? AND {named}"
            row = writer.db.execute(sql, (number, mark)).fetchone()
            if row is not None:
                data = writer.codec.compress(kind, writer.codec.decompress(row[0]))
                writer.db.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (data, number))

    last = 0
    while True:
        sql = f"SELECT id FROM {table} WHERE id > ? AND {named} ORDER BY id LIMIT ?"
        numbers += [row[0] for row in db.execute(sql, (last, mark, _PAGE)).fetchall()]
        if not numbers:
            return
        last = numbers[-1]
        while numbers:
            eraser.step(work)
