"""The chain of the audit log: how an entry is hashed, appended, erased and checked, in the database of `audit.py`.

An entry's hash is SHA-256 of the hash before it and of its canonical bytes: a JSON list of its plain columns and of the
commitments to object and detail, HMAC-SHA256 of each under a random salt. To erase a value is to put its commitment in
the place of the salt.
"""

import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from vestigo import diagnostics

ERASED: Final = "audit.erase"
START: Final = bytes(32)
"""What the first entry follows."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS entry(
  sequence INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, principal TEXT NOT NULL, action TEXT NOT NULL,
  project TEXT NOT NULL, outcome TEXT NOT NULL, address TEXT NOT NULL,
  object TEXT, object_salt BLOB NOT NULL, detail TEXT, detail_salt BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS entry_time ON entry(time_ns);
CREATE TABLE IF NOT EXISTS day(sequence INTEGER PRIMARY KEY, day TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
"""
COLUMNS: Final = (
    "sequence, time_ns, principal, action, project, outcome, address, object, object_salt, detail, detail_salt, hash"
)
_MOST_TROUBLES: Final = 100
_DETAIL_BYTES: Final = 4_096


class Entry(Struct, frozen=True, kw_only=True):
    """One access or change."""

    principal: str
    action: str
    """Such as `trace.read` or `key.create`."""
    project: str = ""
    object: str = ""
    """What it was done to: an id, a name."""
    outcome: str = "ok"
    """`ok`, or the code of the failure, such as `forbidden`."""
    detail: dict[str, Any] = {}
    """Small; never what people or models said, and never a secret."""
    address: str = ""
    time_ns: int = 0
    """0 is now."""


def check_chain(db: apsw.Connection, anchors: Iterable[tuple[str, int, str]] = ()) -> list[str]:
    """What is wrong with the log in a database, given heads (place, sequence, hash) that it has to hold."""
    troubles: list[str] = []
    heads = {sequence: (day, digest) for sequence, day, digest in db.execute("SELECT sequence, day, hash FROM day")}
    wanted: dict[int, list[tuple[str, str]]] = {}
    for place, sequence, digest in anchors:
        wanted.setdefault(sequence, []).append((place, digest))
    tombstones: list[int] = []
    told: list[tuple[int, int]] = []
    last, previous, day = 0, START, ""
    for row in db.execute(f"SELECT {COLUMNS} FROM entry ORDER BY sequence"):  # noqa: S608  our own names
        if day and day != _day(row[1]) and heads.pop(last, None) != (day, previous):
            troubles.append(f"the head of {day} is not entry {last}, which was the last one of that day")
        troubles += _check_anchors(wanted.pop(last, []), last, previous)
        troubles += _check_row(row, last, previous)
        if row[7] is None or row[9] is None:
            tombstones.append(row[0])
        if row[3] == ERASED:
            told += _told(row[9])
        last, previous, day = row[0], row[-1], _day(row[1])
        if len(troubles) > _MOST_TROUBLES:
            return [*troubles[:_MOST_TROUBLES], "and more; the rest was not looked at"]
    troubles += _check_anchors(wanted.pop(last, []), last, previous)
    untold = (number for number in tombstones if not any(first <= number <= end for first, end in told))
    troubles += [f"entry {number} was erased, and no entry tells of it" for number in islice(untold, 10)]
    troubles += [
        f"the head of {of_day} names entry {number}, which ends no day" for number, (of_day, _) in heads.items()
    ]
    for sequence, places in wanted.items():
        troubles += [f"{place} names entry {sequence}, and the log ends at {last}: it was cut" for place, _ in places]
    return troubles


def _check_row(row: Any, last: int, previous: bytes) -> Iterator[str]:
    if row[0] != last + 1:
        yield f"entry {last + 1} is missing: entry {row[0]} follows {last}"
    if row[-1] != _digest(previous, row):
        yield f"entry {row[0]} was changed, or what stands before it"


def _check_anchors(places: Iterable[tuple[str, str]], sequence: int, digest: bytes) -> Iterator[str]:
    for place, wanted in places:
        if wanted != digest.hex():
            yield f"{place} has another hash for entry {sequence}: the log was written anew"


def holds(db: apsw.Connection, head: tuple[int, str]) -> bool:
    """Whether the log has this head."""
    sequence, digest = head
    found = START if sequence == 0 else db.execute("SELECT hash FROM entry WHERE sequence = ?", (sequence,)).get
    return isinstance(found, bytes) and found.hex() == digest


def head_of(db: apsw.Connection) -> tuple[int, bytes, int]:
    """Sequence, hash and time of the newest entry; (0, START, 0) for none."""
    rows: list[Any] = db.execute("SELECT sequence, hash, time_ns FROM entry ORDER BY sequence DESC LIMIT 1").fetchall()
    return rows[0] if rows else (0, START, 0)


def insert(db: apsw.Connection, entries: Sequence[Entry]) -> None:
    """Append in the running transaction, which has read the head."""
    sequence, previous, before_ns = head_of(db)
    for entry in entries:
        if sequence and _day(before_ns) != _day(entry.time_ns):
            db.execute("INSERT OR IGNORE INTO day VALUES(?, ?, ?)", (sequence, _day(before_ns), previous))
            diagnostics.logger.info("audit head of %s: %d:%s", _day(before_ns), sequence, previous.hex())
        sequence, before_ns = sequence + 1, entry.time_ns
        row = (
            sequence, entry.time_ns, _text(entry.principal), _text(entry.action), _text(entry.project),
            _text(entry.outcome), _text(entry.address), _text(entry.object), secrets.token_bytes(32),
            _detail(entry.detail), secrets.token_bytes(32),
        )  # fmt: skip
        previous = _digest(previous, row)
        db.execute(f"INSERT INTO entry({COLUMNS}) VALUES({', '.join('?' * 12)})", (*row, previous))


def _digest(previous: bytes, row: Any) -> bytes:
    """The hash of an entry: of the one before it, its plain columns, and the commitments to object and detail."""
    commitments = [_commitment(row[7], row[8]).hex(), _commitment(row[9], row[10]).hex()]
    return sha256(previous + msgspec.json.encode([*row[:7], *commitments])).digest()


def _commitment(value: str | None, salt: bytes) -> bytes:
    """Of a value with its salt; where the value was erased, the commitment stands in the place of the salt."""
    return salt if value is None else hmac.digest(salt, value.encode(), "sha256")


def erase(db: apsw.Connection, word: str) -> list[int]:
    """Erase entries with this word; their sequences."""
    inside_json = msgspec.json.encode(word).decode()[1:-1]
    rows: list[Any] = db.execute(
        "SELECT sequence, object, object_salt, detail, detail_salt FROM entry WHERE object IS NOT NULL AND action != ?"
        " AND (instr(object, ?) OR instr(detail, ?))",
        (ERASED, word, inside_json),
    ).fetchall()
    for sequence, object_, object_salt, detail, detail_salt in rows:
        db.execute(
            "UPDATE entry SET object = NULL, object_salt = ?, detail = NULL, detail_salt = ? WHERE sequence = ?",
            (_commitment(object_, object_salt), _commitment(detail, detail_salt), sequence),
        )
    return [row[0] for row in rows]


def chunks(numbers: Sequence[int]) -> Iterator[list[list[int]]]:
    """The numbers as [first, last] ranges, some hundred in a piece; one empty piece for none."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    yield ranges[:100]
    for start in range(100, len(ranges), 100):
        yield ranges[start : start + 100]


def _told(detail: str | None) -> list[tuple[int, int]]:
    """The ranges that an entry of erasure tells of; none if it was tampered with."""
    try:
        return msgspec.json.decode(detail or "{}", type=_Told).sequences
    except msgspec.MsgspecError:
        return []


class _Told(Struct):
    sequences: list[tuple[int, int]] = []


def _day(time_ns: int) -> str:
    try:
        return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(time_ns)  # of a row that was tampered with


def _text(value: str) -> str:
    return value[:500].encode("utf-8", "replace").decode()


def _detail(detail: dict[str, Any]) -> str:
    try:
        encoded = msgspec.json.encode(detail)
    except (TypeError, ValueError):
        return '{"left_out":"no JSON"}'
    return encoded.decode() if len(encoded) <= _DETAIL_BYTES else '{"left_out":"too large"}'


__all__ = [
    "COLUMNS",
    "ERASED",
    "SCHEMA",
    "START",
    "Entry",
    "check_chain",
    "chunks",
    "erase",
    "head_of",
    "holds",
    "insert",
]
