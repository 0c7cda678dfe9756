"""Connections to one file: one that writes, one a thread that reads, none shared across a fork."""

import os
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import apsw

from vestigo.diagnostics import trouble
from vestigo.errors import SettingsError, StorageError
from vestigo.matching import has_phrase, tokens
from vestigo.query import check_time, is_late
from vestigo.storage.sqlite.conditions import compare_function

_BUSY_MS: Final = 60_000
_left_by_parents: list[Any] = []
"""Connections that a forked child inherits. Closing them there would drop the parent's locks, so they stay open."""


def connect(path: str, *, read_only: bool = False) -> apsw.Connection:
    """A connection with our settings and functions. Raises SettingsError for a path that cannot be opened."""
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if read_only else apsw.SQLITE_OPEN_CREATE)
    try:
        db = apsw.Connection(path, flags=flags)
        db.set_busy_timeout(_BUSY_MS)
        db.pragma("journal_mode", "wal")
    except apsw.Error as error:
        raise SettingsError(f"cannot open {path}: {error}; give a path that this user may write") from None
    db.pragma("synchronous", "full")  # anything less loses acknowledged commits when the power goes
    db.pragma("secure_delete", True)  # erased text is overwritten, not only unlinked
    db.pragma("journal_size_limit", 64 * 1024 * 1024)
    db.pragma("cache_size", -(32 if read_only else 64) * 1024)
    db.pragma("mmap_size", 0 if read_only is False else 256 * 1024 * 1024)
    db.pragma("temp_store", "memory")
    db.create_scalar_function("vestigo_compare", compare_function, 3, deterministic=True)
    db.create_scalar_function("vestigo_phrase", _phrase, 2, deterministic=True)
    if read_only:
        db.pragma("query_only", True)
        db.set_progress_handler(is_late, _STEPS)
        db.authorizer = _authorize
    else:
        db.set_wal_hook(_LogLength())
    return db


class _LogLength:
    """After each commit: folds the write-ahead log into the file, and keeps readers from making it ever longer.

    A log begins anew only in a moment when no reader needs it, which under load may never come by itself. So above
    `_LONG` writers wait for that moment, and where a reader holds on they go on and tell of it.
    """

    def __init__(self) -> None:
        self._next = _LONG

    def __call__(self, db: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._next:
            self._next = max(_LONG, min(self._next, pages + _LONG))
            if pages >= _FOLD:
                with suppress(apsw.Error):  # the commit stands, whatever becomes of this
                    db.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
            return apsw.SQLITE_OK
        db.set_busy_timeout(_PATIENCE_MS)
        try:
            db.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_RESTART)
            self._next = _LONG
        except apsw.Error as error:
            self._next = pages + _LONG
            trouble("sqlite.log", f"the write-ahead log of {db.filename} has {pages} pages; end its readers: {error}")
        finally:
            db.set_busy_timeout(_BUSY_MS)
        return apsw.SQLITE_OK


_FOLD: Final = 1_000
"""Pages of the log from which it is folded into the file, as by SQLite itself; a longer one leaves less room on a full
disk."""
_LONG: Final = 8_000
"""Pages, some 32 MB, from which writers wait."""
_PATIENCE_MS: Final = 2_000


_STEPS: Final = 5_000
"""Steps of SQLite's machine between two looks at the time limit: well below a millisecond."""
_READS: Final = frozenset(
    {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_RECURSIVE, apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT}
)
_FUNCTIONS: Final = frozenset(
    {"count", "sum", "min", "max", "ifnull", "coalesce", "nullif", "lower", "hex", "abs", "ceil", "ln", "match"}
    | {"vestigo_compare", "vestigo_phrase"}
)
_PRAGMAS: Final = frozenset({"data_version", "integrity_check", "page_count", "page_size", "freelist_count"})


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """What a connection that reads may do: read, with the functions that our own statements use."""
    if action in _READS:
        return apsw.SQLITE_OK
    if action == apsw.SQLITE_FUNCTION and second in _FUNCTIONS:
        return apsw.SQLITE_OK
    if action == apsw.SQLITE_PRAGMA and first in _PRAGMAS:
        return apsw.SQLITE_OK
    return apsw.SQLITE_DENY


def _phrase(*arguments: Any) -> bool:
    text, words = arguments
    return has_phrase(str(text), tuple(tokens(str(words))))


def prepare_directory(path: str) -> str:
    """The absolute path of a file whose directory is there. Raises SettingsError."""
    target = Path(path).expanduser().absolute()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not target.exists():  # prompts are nobody else's to read; SQLite gives its log files the same mode
            os.close(os.open(target, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise SettingsError(f"cannot make the directory of {target}: {error.strerror}; give another path") from None
    if target.is_dir():
        raise SettingsError(f"{target} is a directory; give the path of a file, such as {target / 'vestigo.db'}")
    return str(target)


class Connections:
    """The connections of one storage in this process."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        """Held while writing."""
        self._pid = os.getpid()
        self._writer: apsw.Connection | None = None
        self._readers: dict[int, apsw.Connection] = {}
        self._closed = False
        _open.add(self)

    def writer(self) -> apsw.Connection:
        """The connection that writes; hold `lock` while using it."""
        self._check()
        if self._writer is None:
            self._writer = connect(self.path)
        return self._writer

    def reader(self) -> apsw.Connection:
        """This thread's connection for reading."""
        self._check()
        key = threading.get_ident()
        reader = self._readers.get(key)
        if reader is None:
            alive = {thread.ident for thread in threading.enumerate()}
            for old in [ident for ident in self._readers if ident not in alive]:
                self._readers.pop(old).close()
            reader = self._readers[key] = connect(self.path, read_only=True)
        return reader

    def _check(self) -> None:
        if self._closed:
            raise StorageError(f"{self.path} was closed; open the storage again")
        if self._pid != os.getpid():
            _left_by_parents.extend([self._writer, *self._readers.values()])
            self._pid, self._writer, self._readers = os.getpid(), None, {}
            self.lock = threading.RLock()

    @property
    def forked(self) -> bool:
        """Whether the connections belong to the process that forked this one."""
        return self._pid != os.getpid()

    def close(self) -> None:
        """Close all connections of this process; the last one of all folds the log into the file."""
        if self._pid == os.getpid() and not self._closed:
            self._closed = True
            for db in [*self._readers.values(), self._writer]:
                if db is not None:
                    db.close()


_open: "weakref.WeakSet[Connections]" = weakref.WeakSet()
_held: list[Any] = []


def _before_fork() -> None:
    """Wait for transactions to end: a child forked in the midst of one inherits SQLite's own locks, held for ever."""
    locks = [connections.lock for connections in list(_open)]
    _held.extend(lock for lock in locks if lock.acquire(timeout=5))


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    _held.clear()
    for connections in list(_open):
        connections.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


@contextmanager
def storage_errors(path: str) -> Generator[None]:
    """SQLite's errors as ours, with the remedy."""
    try:
        yield
    except apsw.InterruptError:
        check_time()
        raise StorageError(f"a question to {path} was interrupted; ask again") from None
    except apsw.FullError:
        raise StorageError(f"the disk is full, cannot write {path}; free some space") from None
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StorageError(f"{path} is damaged: {error}; restore it, or move it away to start anew") from None
    except apsw.BusyError:
        raise StorageError(f"{path} is locked by another process for over {_BUSY_MS // 1000} s") from None
    except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise StorageError(f"cannot read or write {path}: {error}; check the disk and its permissions") from None
