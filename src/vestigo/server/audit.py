"""Who read and changed what, in a log that shows when it was tampered with: `audit.db`.

Each entry holds the SHA-256 of the one before it and of its own canonical bytes. What may name a person, the object and
the detail, stands in those bytes as a salted commitment, so that it can be erased and the chain still holds; an erasure
is an entry itself. The newest hash is also kept in `audit.head` and in accounts.db, so that a cut tail is found, and
the last one of each day in a table and in the server's own log. Whoever may write all of these files can still make a
new chain: only a head that was kept elsewhere, such as that log on another machine, shows it.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw
import msgspec
from msgspec import Struct

from vestigo import diagnostics
from vestigo.disk import open_file, take_lock, write_all
from vestigo.errors import SchemaError, StorageError
from vestigo.server.chain import (
    COLUMNS,
    ERASED,
    SCHEMA,
    START,
    Entry,
    check_chain,
    chunks,
    erase,
    head_of,
    holds,
    insert,
)
from vestigo.storage.sqlite.connection import Connections, prepare_directory, storage_errors

if TYPE_CHECKING:
    from vestigo.server.accounts import Accounts

_MOST_WAITING: Final = 10_000
_GATHER_S: Final = 0.1
_PATIENCE_S: Final = 10.0
_VERSION: Final = 1


class Recorded(Struct, frozen=True, kw_only=True):
    """One entry as it stands in the log."""

    sequence: int
    time_ns: int
    principal: str
    action: str
    project: str
    outcome: str
    address: str
    object: str | None
    """None when it was erased, and so for the detail."""
    detail: dict[str, Any] | None
    hash: str


class AuditQuery(Struct, frozen=True, kw_only=True):
    """Which entries, the newest first; '' and 0 ask for nothing."""

    principal: str = ""
    action: str = ""
    project: str = ""
    object: str = ""
    start_ns: int = 0
    end_ns: int = 0
    before: int = 0
    """Entries before this sequence: the last one of the page before."""
    limit: int = 100


class Audit:
    """The log of one data directory. Safe from any thread, and several processes may append."""

    def __init__(self, path: Path, accounts: "Accounts | None" = None) -> None:
        self.path = prepare_directory(str(path))
        Path(self.path).chmod(0o600)
        self.head_path = Path(self.path).with_suffix(".head")
        self._accounts = accounts
        self._connections = Connections(self.path)
        self._waiting: deque[Entry] = deque()
        self._change = threading.Condition()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._prepare()

    def append(self, entry: Entry) -> None:
        """Record one entry; it is on the disk when this returns. For changes, before they are made."""
        self._write_all((entry,))

    def note(self, entry: Entry) -> None:
        """Record one entry within a moment, for reads. Waits while too many wait, and then raises StorageError."""
        with self._change:
            room = self._change.wait_for(lambda: len(self._waiting) < _MOST_WAITING or self._closed, _PATIENCE_S)
            if self._closed or not room:
                raise StorageError(f"{self.path} cannot be written; without it nothing is answered: free some space")
            self._waiting.append(_now(entry))
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_for_ever, name="vestigo-audit", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def flush(self) -> None:
        """Put everything noted on the disk."""
        self._write_all(())

    def close(self) -> None:
        """Flush and close; safe to call twice."""
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
        try:
            self.flush()
        finally:
            self._connections.close()

    def entries(self, query: AuditQuery) -> list[Recorded]:
        """Entries that fit, the newest first."""
        self.flush()
        conditions, values = ["1"], list[Any]()
        for name in ("principal", "action", "project", "object"):
            if getattr(query, name):
                conditions.append(f"{name} = ?")
                values.append(getattr(query, name))
        for wanted, condition in (
            (query.start_ns, "time_ns >= ?"),
            (query.end_ns, "time_ns < ?"),
            (query.before, "sequence < ?"),
        ):
            if wanted:
                conditions.append(condition)
                values.append(wanted)
        statement = f"SELECT {COLUMNS} FROM entry WHERE {' AND '.join(conditions)} ORDER BY sequence DESC LIMIT ?"  # noqa: S608
        with storage_errors(self.path):
            rows = self._connections.reader().execute(statement, (*values, max(0, query.limit))).fetchall()
        return [_recorded(row) for row in rows]

    def erase(self, words: Iterable[str], *, by: str) -> int:
        """Take object and detail out of every entry that has one of these words in them; how many entries that were.

        Who did what when stays. The erasure is recorded, by numbers only; no copy is left in the files.
        """
        self.flush()
        wanted = [word for word in words if word]
        with self._writing, storage_errors(self.path), self._connections.lock:
            with self._transaction() as db:
                gone = sorted({number for word in wanted for number in erase(db, word)})
                for chunk in chunks(gone):
                    insert(db, [_now(Entry(principal=by, action=ERASED, detail={"sequences": chunk}))])
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._move_anchors(db)
        return len(gone)

    def head(self) -> tuple[int, str]:
        """Sequence and hash of the newest entry, to be kept elsewhere; (0, 64 zeros) for an empty log."""
        self.flush()
        with storage_errors(self.path):
            sequence, digest, _ = head_of(self._connections.reader())
        return sequence, digest.hex()

    def verify(self, kept: Sequence[tuple[int, str]] = ()) -> list[str]:
        """Read everything; what is wrong with it. `kept` are heads that were kept elsewhere."""
        self.flush()
        anchors = [("a head that was kept elsewhere", *head) for head in kept]
        troubles: list[str] = []
        stored = self._read_head()
        if stored is None:
            troubles.append(f"{self.head_path.name} is missing or unreadable, so that a cut tail cannot be found")
        else:
            anchors.append((self.head_path.name, *stored))
        noted = self._accounts.anchor() if self._accounts is not None else None
        if noted is not None:
            anchors.append(("accounts.db", *noted))
        try:
            with storage_errors(self.path):
                db = self._connections.reader()
                db.execute("BEGIN")  # one state of the file, newer than the heads
                try:
                    troubles += check_chain(db, anchors)
                finally:
                    db.execute("COMMIT")
        except StorageError as error:
            troubles.append(str(error))
        return troubles

    # --- writing

    def _prepare(self) -> None:
        with storage_errors(self.path), self._connections.lock:
            db = self._connections.writer()
            db.execute("BEGIN IMMEDIATE")
            newer = db.pragma("user_version") > _VERSION
            if not newer:
                db.execute(SCHEMA)
                db.pragma("user_version", _VERSION)
            db.execute("COMMIT")
            if newer:
                raise SchemaError(f"{self.path} was written by a newer version; update this program")
            if head_of(db)[0] == 0 and not (self.head_path.exists() and self.head_path.stat().st_size):
                fd = open_file(self.head_path, os.O_RDWR | os.O_CREAT)
                os.close(fd)
                self._write_head(0, START.hex())

    def _write_all(self, last: Sequence[Entry]) -> None:
        """Write what was noted, then these, in one transaction. On an error what was noted waits again."""
        with self._writing:
            with self._change:
                noted = list(self._waiting)
                self._waiting.clear()
            if not noted and not last:
                return
            try:
                with storage_errors(self.path), self._connections.lock:
                    with self._transaction() as db:
                        insert(db, [*noted, *map(_now, last)])
                    self._move_anchors(db)
            except BaseException:
                with self._change:
                    self._waiting.extendleft(reversed(noted))
                raise
            finally:
                with self._change:
                    self._change.notify_all()

    @contextmanager
    def _transaction(self) -> Generator[apsw.Connection]:
        db = self._connections.writer()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk has ended it already
                db.execute("ROLLBACK")
            raise

    def _flush_for_ever(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                self._change.wait_for(lambda: self._closed or len(self._waiting) >= _MOST_WAITING // 2, _GATHER_S)
            try:
                self.flush()
            except StorageError as error:
                diagnostics.counters.add("failed.audit")
                diagnostics.trouble("audit", f"audit log: {error}")
                with self._change:
                    self._change.wait_for(lambda: self._closed, 1.0)

    # --- the head in other places

    def _move_anchors(self, db: apsw.Connection) -> None:
        """Tell the other places of the newest entry; one that does not fit the log stays, so that `verify` finds it.

        An error here is told and no more: the entries are on the disk, and an older head is right too.
        """
        sequence, digest, _ = head_of(db)
        try:
            stored = self._read_head()
            if stored is not None and stored[0] < sequence and holds(db, stored):
                self._write_head(sequence, digest.hex())
            if self._accounts is not None:
                noted = self._accounts.anchor()
                if noted is None or (noted[0] < sequence and holds(db, noted)):
                    self._accounts.set_anchor(sequence, digest.hex())
        except (OSError, StorageError) as error:
            diagnostics.trouble("audit.head", f"the head of the audit log cannot be kept: {type(error).__name__}")

    def _read_head(self) -> tuple[int, str] | None:
        try:
            fd = open_file(self.head_path, os.O_RDONLY)
        except OSError:
            return None
        try:
            take_lock(fd, shared=True)
            words = os.read(fd, 200).decode("ascii", "replace").split()
        finally:
            os.close(fd)
        return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdecimal() else None

    def _write_head(self, sequence: int, digest: str) -> None:
        """Always as many bytes, in place, so that there is no moment without a head."""
        fd = open_file(self.head_path, os.O_RDWR)
        try:
            take_lock(fd)
            before = os.read(fd, 200).split()
            if not before or int(before[0]) < sequence or sequence == 0:
                os.lseek(fd, 0, os.SEEK_SET)
                write_all(fd, f"{sequence:020d} {digest}\n".encode())
        finally:
            os.close(fd)


def _recorded(row: Any) -> Recorded:
    return Recorded(
        sequence=row[0], time_ns=row[1], principal=row[2], action=row[3], project=row[4], outcome=row[5],
        address=row[6], object=row[7], detail=None if row[9] is None else msgspec.json.decode(row[9]),
        hash=row[-1].hex(),
    )  # fmt: skip


def _now(entry: Entry) -> Entry:
    return entry if entry.time_ns else msgspec.structs.replace(entry, time_ns=time.time_ns())


__all__ = ["Audit", "AuditQuery", "Entry", "Recorded"]
