"""Requests that wait on the disk until a server has answered for them.

Each process appends to segments of its own, `<time>-<pid>-<random>.spool`, and holds a lock on them for as long as it
lives; what a dead process left is taken over by the next one that looks. A segment begins with a mark and the offset up
to which all is done; then come frames, each with its lengths and a checksum, so that a torn one is noticed. What was
appended survives the kill of the process at once, and the loss of power with `sync`, or else when the system has
written it by itself (some 30 s). Above the limit the oldest segment goes, and its records are counted.
"""

import os
import secrets
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from vestigo.diagnostics import counters, trouble
from vestigo.disk import open_file, read_at, sync_directory, sync_file, take_lock, write_all
from vestigo.otlp import Form, Signal

_MARK: Final = b"VSPOOL1\n"
_DONE: Final = struct.Struct("<Q")
_HEADER_BYTES: Final = len(_MARK) + _DONE.size
_FRAME_MARK: Final = b"\x89VSF"
_FRAME: Final = struct.Struct("<4sIII")  # mark, bytes of the head, bytes of the body, CRC32 of lengths, head and body
_HEAD_BYTES: Final = 1 << 16
_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_SUFFIX: Final = ".spool"


class Frame(Struct, frozen=True, array_like=True):
    """One request as it will be sent."""

    signal: Signal
    form: Form
    gzip: bool
    records: int
    project: str
    open: bool
    """Holds spans that have not ended; they come again, and are not counted."""
    body: bytes = b""

    @property
    def counted(self) -> int:
        """The records that the law speaks of."""
        return 0 if self.open else self.records


class Files:
    """What a spool asks of the file system; tests put one in its place that fails, or is killed in the midst."""

    def open(self, path: Path, flags: int) -> int:
        return open_file(path, flags | getattr(os, "O_NOFOLLOW", 0))

    def close(self, fd: int) -> None:
        os.close(fd)

    def write(self, fd: int, data: bytes, offset: int) -> None:
        os.lseek(fd, offset, os.SEEK_SET)
        write_all(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        sync_file(fd)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


class Segment:
    """An open, locked file."""

    __slots__ = ("counted", "done", "fd", "own", "path", "records", "size")

    def __init__(self, path: Path, fd: int, *, own: bool) -> None:
        self.path = path
        self.fd = fd
        self.own = own
        """Whether this process appended what is in it."""
        self.done = _HEADER_BYTES
        """Frames before this offset are settled."""
        self.size = _HEADER_BYTES
        self.records = 0
        """In the frames that wait, and below it those of them that the law speaks of."""
        self.counted = 0


class Waiting(Struct, frozen=True):
    """The oldest frame, and where it ends."""

    frame: Frame
    segment: Segment
    end: int


class Spool:
    """The spool of one endpoint and project. All methods may be called from any thread."""

    def __init__(self, directory: Path, limit_bytes: int, *, sync: bool = False, files: Files | None = None) -> None:
        self.directory = directory
        self._limit = limit_bytes
        self._segment_bytes = min(_SEGMENT_BYTES, limit_bytes // 8)  # so that the oldest is a part of it only
        self._sync = sync
        self._files = files or Files()
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._segments: list[Segment] = []
        """Held by this process, oldest first."""
        self._active: Segment | None = None
        self._left = 0  # own records that stayed when this was closed
        self.dropped: Counter[str] = Counter()
        """Records of this process that the law speaks of and that left unsent, by reason."""

    def after_fork_in_child(self) -> None:
        """Let go of the parent's files: closed here, they stay locked by the parent alone."""
        for segment in self._segments:
            with suppress(OSError):
                self._files.close(segment.fd)
        self._forget()

    # --- figures

    @property
    def spooled(self) -> int:
        """Records of this process that wait here."""
        with self._lock:
            return self._left + sum(segment.counted for segment in self._segments if segment.own)

    @property
    def waiting_bytes(self) -> int:
        """Of all frames that this process would send, its own and those it took over."""
        with self._lock:
            return sum(segment.size - segment.done for segment in self._segments)

    @property
    def empty(self) -> bool:
        with self._lock:
            return all(segment.done >= segment.size for segment in self._segments)

    def left_behind(self) -> bool:
        """Whether the directory has files that are not held by this spool; perhaps another living process's."""
        with suppress(OSError):
            return bool(set(self._paths()) - {segment.path for segment in self._segments})
        return False

    # --- writing

    def append(self, frames: list[Frame]) -> None:
        """Take all of the frames or none of them. Raises OSError where the disk does not take them.

        What does not fit under the limit at all is counted as dropped.
        """
        needed = sum(_FRAME.size + len(_head(frame)) + len(frame.body) for frame in frames)
        with self._lock:
            if not self._make_room(needed):
                records, counted = sum(one.records for one in frames), sum(one.counted for one in frames)
                self._count("dropped.spool_full", records, counted)
                return
            segment = self._writable(needed)
            begin = segment.size
            try:
                self._write(segment, frames)
            except OSError:
                with suppress(OSError):
                    self._files.truncate(segment.fd, begin)
                self._active = None  # what may stand behind the last whole frame is in nobody's way there
                if segment.done >= segment.size:
                    self._remove(segment)
                raise

    def _write(self, segment: Segment, frames: list[Frame]) -> None:
        data = b"".join(map(_packed, frames))
        self._files.write(segment.fd, data, segment.size)
        if self._sync:
            self._files.sync(segment.fd)
        segment.size += len(data)
        segment.records += sum(frame.records for frame in frames)
        segment.counted += sum(frame.counted for frame in frames)

    def _make_room(self, needed: int) -> bool:
        """Drop our oldest segments until so many bytes fit; False where they cannot."""
        if needed + _HEADER_BYTES > self._limit:
            return False
        while self._disk_bytes() + needed + _HEADER_BYTES > self._limit:
            oldest = next((segment for segment in self._segments if segment.records), None)
            if oldest is None:
                return False
            self._drop(oldest, "dropped.spool_full")
        return True

    def _disk_bytes(self) -> int:
        total = 0
        for path in self._paths():
            with suppress(FileNotFoundError):  # another process has sent it meanwhile
                total += path.stat().st_size
        return total

    def _paths(self) -> list[Path]:
        """Every segment of the directory, of whatever process, oldest first."""
        try:
            return sorted(path for path in self.directory.iterdir() if path.suffix == _SUFFIX)
        except FileNotFoundError:
            return []

    def _writable(self, needed: int) -> Segment:
        active = self._active
        if active is None or (active.size > _HEADER_BYTES and active.size + needed > self._segment_bytes):
            active = self._active = self._new_segment()
            self._segments.append(active)
        return active

    def _new_segment(self, *, own: bool = True) -> Segment:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            name = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
            path = self.directory / name
            fd = self._files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                if take_lock(fd, wait=False) and os.fstat(fd).st_nlink:  # else another process took it for a dead one's
                    self._files.write(fd, _MARK + _DONE.pack(_HEADER_BYTES), 0)
                    if self._sync:
                        sync_directory(self.directory)
                    return Segment(path, fd, own=own)
            except OSError:
                self._files.close(fd)
                with suppress(OSError):
                    self._files.remove(path)
                raise
            self._files.close(fd)

    # --- reading

    def next(self) -> Waiting | None:
        """The oldest frame that waits; the same again until it is settled."""
        with self._lock:
            for segment in self._segments.copy():
                with suppress(OSError):  # a disk that does not read: what is lost is counted below
                    found = next(_frames(segment), None)
                    if found is not None:
                        end, frame = found
                        return Waiting(frame, segment, end)
                if segment is not self._active:
                    self._drop(segment, "dropped.spool_damaged")
                elif segment.records:
                    self._active = None
                    self._drop(segment, "dropped.spool_damaged")
            return None

    def settle(self, waiting: Waiting) -> bool:
        """The frame has been sent or given up; False where it had left the spool before."""
        segment = waiting.segment
        with self._lock:
            if segment not in self._segments or segment.done >= waiting.end:
                return False
            segment.done = waiting.end
            segment.records -= waiting.frame.records
            segment.counted -= waiting.frame.counted
            if segment.done >= segment.size:
                self._lose(segment, "dropped.spool_damaged")  # frames between that could not be read
            try:
                self._mark_done(segment)
            except OSError as error:  # sent again by the next process, which the server bears
                trouble("failed.spool", f"could not mark what was sent: {error.strerror}")
            return True

    def _mark_done(self, segment: Segment) -> None:
        if segment.done < segment.size:
            self._files.write(segment.fd, _DONE.pack(segment.done), len(_MARK))
        elif segment is self._active:
            self._files.truncate(segment.fd, _HEADER_BYTES)
            segment.done = segment.size = _HEADER_BYTES
            self._files.write(segment.fd, _DONE.pack(segment.done), len(_MARK))
        else:
            self._remove(segment)

    def adopt(self) -> int:
        """Take over the segments that no living process holds; how many records wait in them."""
        with self._lock:
            held = {segment.path for segment in self._segments}
            found: list[Segment] = []
            for path in self._paths():
                if path in held:
                    continue
                try:
                    segment = self._take(path)
                except OSError as error:
                    trouble("failed.spool", f"cannot read what a former process left: {error.strerror}")
                    continue
                if segment is not None:
                    found.append(segment)
            self._segments[:0] = found
            return sum(segment.records for segment in found)

    def _take(self, path: Path) -> Segment | None:
        """Open and lock a segment; None where another process has it, or nothing waits in it."""
        try:
            fd = self._files.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        if not take_lock(fd, wait=False):
            self._files.close(fd)
            return None
        segment = Segment(path, fd, own=False)
        try:
            segment.size = max(os.fstat(fd).st_size, _HEADER_BYTES)
            header = read_at(fd, _HEADER_BYTES, 0)
            if not header.startswith(_MARK) and not _MARK.startswith(header):
                self._files.close(fd)  # of a later version, which knows what to do with it
                return None
            if len(header) == _HEADER_BYTES:
                (done,) = _DONE.unpack(header[len(_MARK) :])
                segment.done = done if _HEADER_BYTES <= done <= segment.size else _HEADER_BYTES
            for _, frame in _frames(segment):
                segment.records += frame.records
                segment.counted += frame.counted
        except OSError:
            self._files.close(fd)
            raise
        if not segment.records:
            self._remove(segment)
            return None
        return segment

    # --- the end of frames

    def erase(self, keep: Callable[[Frame], Frame | None] | None = None) -> int:
        """Rewrite the segments that this process holds; how many records are gone from them.

        `keep` gives what is to stay of a frame, or None; without it nothing stays. Of what was sent, no copy stays
        either. Raises OSError, and then the old segments are still there.
        """
        with self._lock:
            return sum(self._rewrite(segment, keep) for segment in self._segments.copy())

    def _rewrite(self, segment: Segment, keep: Callable[[Frame], Frame | None] | None) -> int:
        before = segment.counted
        kept = [left for _, frame in _frames(segment) if keep is not None and (left := keep(frame)) is not None]
        erased = segment.records - sum(frame.records for frame in kept)
        if kept:
            fresh = self._new_segment(own=segment.own)
            self._segments.insert(self._segments.index(segment), fresh)
            try:
                self._write(fresh, kept)
            except OSError:
                self._remove(fresh)
                raise
            before -= fresh.counted
        if segment.own:
            self.dropped["dropped.erased"] += before
        segment.records = segment.counted = 0
        self._remove(segment)
        return erased

    def _drop(self, segment: Segment, name: str) -> None:
        self._lose(segment, name)
        with suppress(OSError):
            self._remove(segment)

    def _lose(self, segment: Segment, name: str) -> None:
        """Count what waits in a segment as dropped."""
        if segment.records:
            self._count(name, segment.records, segment.counted if segment.own else 0)
        segment.records = segment.counted = 0

    def _count(self, name: str, records: int, counted: int) -> None:
        if counted:
            self.dropped[name] += counted
        counters.add(name, records)
        trouble(name, f"{records} records are dropped: {name.removeprefix('dropped.').replace('_', ' ')}")

    def _remove(self, segment: Segment) -> None:
        if segment is self._active:
            self._active = None
        if segment in self._segments:
            self._segments.remove(segment)
        with suppress(OSError):
            self._files.write(segment.fd, _DONE.pack(segment.size), len(_MARK))  # should the file outlive this
        if sys.platform == "win32":  # an open file cannot be removed there
            self._files.close(segment.fd)
            self._files.remove(segment.path)
            return
        try:
            self._files.remove(segment.path)
        finally:
            self._files.close(segment.fd)

    def close(self) -> None:
        """Let go of every segment; what waits stays for the next process."""
        with self._lock:
            for segment in self._segments.copy():
                if segment.done >= segment.size:
                    with suppress(OSError):
                        self._remove(segment)
                else:
                    self._left += segment.counted if segment.own else 0
                    self._files.close(segment.fd)
            self._segments.clear()
            self._active = None


def erase(directory: Path, keep: Callable[[Frame], Frame | None] | None = None) -> tuple[int, list[Path]]:
    """Erase from every spool below a directory: how many records, and the files that living processes hold.

    `keep` as in `Spool.erase`. A process that holds a file sends it or must end first.
    """
    erased = 0
    held: list[Path] = []
    for place in sorted({path.parent for path in directory.rglob(f"*{_SUFFIX}")}):
        spool = Spool(place, 0)
        spool.adopt()
        erased += spool.erase(keep)
        ours = {segment.path for segment in spool._segments}
        spool.close()
        held += [path for path in spool._paths() if path not in ours]
    return erased, held


# --- the format


def _head(frame: Frame) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(frame, body=b""))


def _packed(frame: Frame) -> bytes:
    head = _head(frame)
    return _FRAME.pack(_FRAME_MARK, len(head), len(frame.body), _checksum(head, frame.body)) + head + frame.body


def _checksum(head: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(head, (len(head) << 15 ^ len(body)) & 0xFFFFFFFF))


def _frames(segment: Segment) -> Iterator[tuple[int, Frame]]:
    """(end, frame) of every whole frame that waits in a segment; what is torn or damaged is stepped over."""
    at = segment.done
    while at < segment.size:
        found = _frame_at(segment, at)
        if found is None:
            counters.add("failed.spool_frame")
            at = _next_mark(segment, at + 1)
        else:
            at = found[0]
            yield found


def _frame_at(segment: Segment, at: int) -> tuple[int, Frame] | None:
    lengths = read_at(segment.fd, _FRAME.size, at)
    if len(lengths) < _FRAME.size:
        return None
    mark, head_bytes, body_bytes, checksum = _FRAME.unpack(lengths)
    end = at + _FRAME.size + head_bytes + body_bytes
    if mark != _FRAME_MARK or head_bytes > _HEAD_BYTES or end > segment.size:
        return None
    data = read_at(segment.fd, head_bytes + body_bytes, at + _FRAME.size)
    head, body = data[:head_bytes], data[head_bytes:]
    if len(data) < head_bytes + body_bytes or _checksum(head, body) != checksum:
        return None
    try:
        return end, msgspec.structs.replace(msgspec.msgpack.decode(head, type=Frame), body=body)
    except msgspec.MsgspecError:
        return None


def _next_mark(segment: Segment, at: int) -> int:
    """Where the next frame may begin, or the end of the segment."""
    rest = read_at(segment.fd, segment.size - at, at)
    found = rest.find(_FRAME_MARK)
    return segment.size if found < 0 else at + found


__all__ = ["Files", "Frame", "Spool", "Waiting", "erase"]
