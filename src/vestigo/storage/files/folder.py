"""The directory of a file storage: whose files are whose, which one this process appends to, when they are rotated.

Each process appends to a file of its own, `vestigo-DAY-PID-RANDOM.jsonl`, and holds a lock on it for as long. With a
file that nobody holds, the next process to write goes on if it is of today and less than half full, else it packs it.
`.vestigo.lock` is held shared for the moment of an append or a listing, and alone for whatever makes a record move to
another file; so a listing never misses a record, and a file that was replaced is noticed before the next append.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from vestigo.diagnostics import trouble
from vestigo.disk import (
    open_file,
    read_at,
    release_lock,
    sync_directory,
    sync_file,
    take_lock,
    write_all,
)
from vestigo.errors import SettingsError, StorageError
from vestigo.storage.files.lines import PACKED, VERSION, blocks, header_line, pack, read_header

_LOCK: Final = ".vestigo.lock"
_OURS: Final = re.compile(r"vestigo-(\d{8})-\d+-[0-9a-f]{8}\.jsonl(\.zst)?")
_TEMPORARY: Final = re.compile(_OURS.pattern + r"\.[0-9a-f]{8}\.tmp")


class Folder:
    """A directory with files of ours, and perhaps of others, which are never touched."""

    def __init__(self, path: Path) -> None:
        """Make the directory if it is missing. Raises SettingsError if it cannot be used."""
        self.path = path
        self._locks: set[int] = set()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.locked():
                self.names()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"cannot keep traces in {str(path)!r}: {reason(error)}; give a directory that this user may write"
            ) from error

    @contextmanager
    def locked(self, *, alone: bool = False) -> Generator[None]:
        """Hold the directory's lock. Not reentrant."""
        path = self.file(_LOCK)
        try:
            fd = open_file(path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody removed the directory under us
            fd = open_file(path, os.O_RDWR | os.O_CREAT)
        self._locks.add(fd)
        try:
            take_lock(fd, shared=not alone)
            yield
        finally:
            self._locks.discard(fd)
            release_lock(fd)  # closing is not enough while a child of a fork has it open too
            os.close(fd)

    def leave_parent(self) -> None:
        """In the child of a fork: close what threads of the parent have locked, or it stays locked when they end."""
        for fd in self._locks:
            os.close(fd)
        self._locks.clear()

    def file(self, name: str) -> Path:
        return self.path / name

    def names(self) -> tuple[list[str], list[str]]:
        """The regular files named as ours are, and all other names but the lock's."""
        ours: list[str] = []
        others: list[str] = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name != _LOCK:
                    named = _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                    (ours if named else others).append(entry.name)
        return sorted(ours), sorted(others)

    def open_ours(self, until: ExitStack) -> list[tuple[str, int, int]]:
        """(name, descriptor, time of creation) of the files that we wrote, by name. Needs the lock, at least shared.

        A plain file whose packed form is there is left out: a crash came between packing and removing it.
        """
        names, _ = self.names()
        found: list[tuple[str, int, int]] = []
        for name in names:
            if name + PACKED in names and self._is_ours(name + PACKED):
                continue
            fd = open_file(self.file(name), os.O_RDONLY)
            until.callback(os.close, fd)
            header = read_header(fd, packed=name.endswith(PACKED))
            if header is not None:
                found.append((name, fd, header.created_ns))
        return found

    def foreign(self) -> int:
        """How many entries of the directory are not ours."""
        with self.locked():
            ours, others = self.names()
            strange = [name for name in (*ours, *others) if not self._is_ours(name)]
        return len(strange)

    def is_held(self, fd: int) -> bool:
        """Whether a process appends to this file."""
        return not take_lock(fd, shared=True, wait=False)

    def in_place(self, name: str, fd: int) -> bool:
        """Whether the open file is still the one of that name."""
        try:
            found = self.file(name).lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(fd))

    @contextmanager
    def replacement(self, name: str) -> Generator[tuple[int, Path]]:
        """A new file (descriptor, path) to be renamed to that name; removed at the end if it was not."""
        path = self.file(f"{name}.{secrets.token_hex(4)}.tmp")
        fd = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            take_lock(fd)  # so that `tidy` knows it is in use
            yield fd, path
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)

    # --- upkeep

    def tidy(self, max_file_bytes: int, max_files: int) -> int:
        """Pack finished files, remove what crashes left behind, and the oldest files above `max_files`.

        Returns how many of the oldest were removed. What fails is told, and tried again by the next.
        """
        with _told(self.path):
            for name in self.names()[0]:
                if not name.endswith(PACKED):
                    with _told(self.path):  # on a full disk nothing can be packed, but old files can still go
                        self._pack_if_finished(name, max_file_bytes)
            with self.locked(alone=True):
                self.clear()
                return self._remove_oldest(max_files)
        return 0

    def clear(self, *, held_too: bool = False) -> None:
        """Remove plain files that are packed already, and abandoned temporary files. Needs the lock alone."""
        ours, others = self.names()
        for name in ours:
            if name + PACKED in ours and self._is_ours(name) and self._is_ours(name + PACKED):
                self.file(name).unlink()
        for name in others:
            path = self.file(name)
            # an empty one is what a power cut makes of a file that was not yet on the disk
            if _TEMPORARY.fullmatch(name) and (self._is_ours(name) or _is_empty(path)):
                with ExitStack() as until:
                    fd = open_file(path, os.O_RDONLY)
                    until.callback(os.close, fd)
                    if held_too or not self.is_held(fd):
                        path.unlink()

    def _is_ours(self, name: str) -> bool:
        """Whether a name is one that we give, and its file begins as ours do."""
        match = _OURS.fullmatch(name) or _TEMPORARY.fullmatch(name)
        path = self.file(name)
        if not match or path.is_symlink() or not path.is_file():
            return False
        with ExitStack() as until, suppress(OSError):
            fd = open_file(path, os.O_RDONLY)
            until.callback(os.close, fd)
            return read_header(fd, packed=match[2] is not None) is not None
        return False

    def _pack_if_finished(self, name: str, max_file_bytes: int) -> None:
        with ExitStack() as until, suppress(FileNotFoundError):
            fd = open_file(self.file(name), os.O_RDONLY)
            until.callback(os.close, fd)
            finished = day_of(name) != today() or os.fstat(fd).st_size * 2 >= max_file_bytes
            if finished and take_lock(fd, wait=False) and read_header(fd, packed=False) is not None:
                self._pack(name, fd)

    def _pack(self, name: str, fd: int) -> None:
        """Put a packed file in the place of a finished one, whose lock we hold."""
        packed = name + PACKED
        with self.replacement(packed) as (out, path):
            copy_lines(blocks(fd, packed=False), out, packed=True)
            sync_file(out)
            with self.locked(alone=True):
                # an erasure may have rewritten the file or removed ours; then all of this was for nothing
                taken = os.path.lexists(self.file(packed))
                if self.in_place(name, fd) and path.exists() and not taken:
                    path.rename(self.file(packed))
                    sync_directory(self.path)
                    self.file(name).unlink()

    def _remove_oldest(self, max_files: int) -> int:
        """Remove the oldest files that nobody appends to, as many as there are above `max_files`."""
        with ExitStack() as until:
            by_age = sorted(self.open_ours(until), key=lambda entry: (entry[2], entry[0]))
            idle = [name for name, fd, _ in by_age if not self.is_held(fd)]
            excess = idle[: max(0, len(by_age) - max_files)]
            for name in excess:
                self.file(name).unlink()
        return len(excess)


class Appender:
    """The file that this process appends to. Not safe from several threads."""

    def __init__(self, folder: Folder, max_file_bytes: int) -> None:
        self._folder = folder
        self._max_file_bytes = max_file_bytes
        self._fd: int | None = None
        self._name = ""
        self._size = 0
        self.began = False
        """Whether a file was begun or taken over since this was last set to False."""

    def append(self, lines: bytes) -> None:
        """Return when the lines are on the disk. Raises StorageError, and then keeps none of them."""
        try:
            with self._folder.locked():
                fd = self._file_for(len(lines))
                self._or_take_back(lambda: write_all(fd, lines))
            # outside the lock: an erasure that rewrites the file meanwhile has read the lines and puts them on the disk
            self._or_take_back(lambda: sync_file(fd))
            self._size += len(lines)
        except OSError as error:
            raise StorageError(
                f"cannot write to {self._folder.path}: {reason(error)}; free some space or give another base_path"
            ) from error

    def __del__(self) -> None:
        self.close()  # a descriptor would stay open, and the file locked

    def close(self) -> None:
        """Let go of the file; whoever writes next goes on with it or packs it."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _file_for(self, length: int) -> int:
        fd = self._fd
        if fd is not None:
            full = self._size + length > self._max_file_bytes
            if not full and day_of(self._name) == today() and self._folder.in_place(self._name, fd):
                return fd
            self.close()
        return self._take_over(length) or self._begin()

    def _take_over(self, length: int) -> int | None:
        """Go on with a file of today that its process left less than half full."""
        names, _ = self._folder.names()
        for name in names:
            if name.endswith(PACKED) or day_of(name) != today() or name + PACKED in names:
                continue
            with suppress(OSError):
                fd = open_file(self._folder.file(name), os.O_RDWR | os.O_APPEND)
                if self._can_go_on(fd, length):
                    return self._hold(name, fd)
                os.close(fd)
        return None

    def _can_go_on(self, fd: int, length: int) -> bool:
        size = os.fstat(fd).st_size
        if size * 2 >= self._max_file_bytes or size + length > self._max_file_bytes or not take_lock(fd, wait=False):
            return False
        header = read_header(fd, packed=False)
        if header is None or header.version != VERSION:
            return False
        if read_at(fd, 1, size - 1) != b"\n":
            write_all(fd, b"\n")  # its process died within a line, which readers skip and count
        return True

    def _begin(self) -> int:
        name = f"vestigo-{today()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        path = self._folder.file(name)
        fd = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            take_lock(fd)
            write_all(fd, header_line(time.time_ns()))
            sync_directory(self._folder.path)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        return self._hold(name, fd)

    def _hold(self, name: str, fd: int) -> int:
        self._name, self._size, self._fd = name, os.fstat(fd).st_size, fd
        self.began = True
        return fd

    def _or_take_back(self, step: Callable[[], None]) -> None:
        """Do a step of an append; if it fails, cut off what was appended and let go of the file."""
        try:
            step()
        except OSError:
            if self._fd is not None:
                with suppress(OSError):
                    os.ftruncate(self._fd, self._size)
            self.close()
            raise


def copy_lines(parts: Iterator[bytes], out: int, *, packed: bool) -> None:
    """Write the text of a file anew; in a packed one the header gets a frame of its own, by which it is known."""
    first = True
    for part in parts:
        text = part
        if packed and first:
            cut = text.find(b"\n") + 1
            write_all(out, pack(text[:cut]))
            text = text[cut:]
            first = False
        if text:
            write_all(out, pack(text) if packed else text)


def today() -> str:
    """The day as it stands in names, UTC."""
    return time.strftime("%Y%m%d", time.gmtime())


def day_of(name: str) -> str:
    """The day in the name of one of our files."""
    return name.split("-", 2)[1]


def reason(error: BaseException) -> str:
    """Why the operating system refused."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _is_empty(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Tell of what fails in upkeep, and go on: no record is at stake."""
    try:
        yield
    except (OSError, StorageError) as error:
        trouble("files.tidy", f"cannot tidy {path}: {reason(error)}")
