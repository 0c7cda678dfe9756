"""One file of records as lines: how a batch becomes lines, and which lines of a file belong to which trace.

A file begins with a header line, `{"record":"vestigo",...}`, by which we know our own. Each further line is one JSON
object: a span, log or point as in `record.py`, led by `record`, `project` and `written_ns`. A rotated file is the same
text in zstd frames: one with the header, then one for each MiB or so, so that a line is found without reading all of
it. Any tool reads both (`zstdcat`, `jq`, `grep`). What is no such line is skipped and counted.
"""

import os
import sys
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct

from vestigo.disk import read_at
from vestigo.errors import SchemaError, StorageError
from vestigo.record import Batch

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

VERSION: Final = 1
PACKED: Final = ".zst"
BLOCK: Final = 1 << 20
_MARK: Final = 200  # enough of a line to hold its stamp and ids
_OPTIONS: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}


class Header(Struct, tag_field="record", tag="vestigo"):
    """The first line of each of our files."""

    version: int
    created_ns: int
    pid: int


class Glance(Struct):
    """What of a line says where it belongs; the rest is not decoded."""

    record: Literal["span", "log", "point"]
    project: str
    written_ns: int
    trace_id: str | None = None
    span_id: str | None = None
    start_ns: int | None = None
    time_ns: int | None = None
    log_id: str = ""
    point_id: str = ""


_header_decoder: Final = msgspec.json.Decoder(Header)
glance: Final = msgspec.json.Decoder(Glance).decode


def header_line(created_ns: int) -> bytes:
    """The first line of a new file."""
    return msgspec.json.encode(Header(VERSION, created_ns, os.getpid())) + b"\n"


def encode_batch(batch: Batch, written_ns: int) -> bytes:
    """The lines of a batch. Raises StorageError for what JSON cannot hold."""
    project = msgspec.json.encode(batch.project)
    lines: list[bytes] = []
    try:
        for kind, records in ((b"span", batch.spans), (b"log", batch.logs), (b"point", batch.points)):
            lead = b'{"record":"%b","project":%b,"written_ns":%d,' % (kind, project, written_ns)
            for record in records:
                lines += (lead, msgspec.json.encode(record)[1:], b"\n")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StorageError(f"cannot write a record that JSON cannot hold: {error}; leave that value out") from error
    return b"".join(lines)


def pack(block: bytes) -> bytes:
    """A zstd frame that knows its size and checksum."""
    return zstd.compress(block, options=_OPTIONS)


def read_header(fd: int, *, packed: bool) -> Header | None:
    """What the first line says; None for a file that is not ours."""
    start = read_at(fd, 4096, 0)
    try:
        if packed:
            start = zstd.ZstdDecompressor().decompress(start, max_length=4096)
        line, end, _ = start.partition(b"\n")
        return _header_decoder.decode(line) if end else None
    except (msgspec.DecodeError, UnicodeDecodeError, zstd.ZstdError):
        return None


def blocks(fd: int, *, packed: bool, start: int = 0) -> Iterator[bytes]:
    """The text of a file from an offset on, in blocks of whole lines; the last may lack its end.

    For a packed file `start` must be 0. Raises ZstdError where a frame is damaged.
    """
    if packed:
        yield from (text for _, _, text in _frames(fd))
        return
    rest = b""
    while chunk := read_at(fd, max(BLOCK, len(rest)), start):
        start += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
    if rest:
        yield rest


def _frames(fd: int) -> Iterator[tuple[int, int, bytes]]:
    """Offset, length and text of each zstd frame. Raises ZstdError where one is damaged or cut off."""
    offset = position = 0
    waiting = b""
    while True:
        frame = zstd.ZstdDecompressor()
        parts: list[bytes] = []
        while not frame.eof:
            if not waiting:
                waiting = read_at(fd, 1 << 17, position)
                position += len(waiting)
                if not waiting:
                    if position > offset:
                        raise zstd.ZstdError("the last frame is cut off")
                    return
            parts.append(frame.decompress(waiting))
            waiting = frame.unused_data
        end = position - len(waiting)
        yield offset, end - offset, b"".join(parts)
        offset = end


class Place:
    """The lines of one trace in one file, and the bounds of their starts."""

    __slots__ = ("first_ns", "last_ns", "lines")

    def __init__(self, time_ns: int) -> None:
        self.first_ns = time_ns
        self.last_ns = time_ns
        self.lines = array("q")
        """Offset, length, offset, length, ..."""

    def add(self, time_ns: int, offset: int, length: int) -> None:
        self.first_ns = min(self.first_ns, time_ns)
        self.last_ns = max(self.last_ns, time_ns)
        self.lines.append(offset)
        self.lines.append(length)


Key = tuple[str, str]
"""(project, trace id), or (project, LOOSE + log id) for a log without a trace."""

LOOSE: Final = "~"


class Index:
    """Which lines of one file belong to which trace. Some 16 bytes a line and 400 a trace, no text.

    Grows with the file: `refresh` reads what is new. Not safe from several threads.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.packed = name.endswith(PACKED)
        self.spans: dict[Key, Place] = {}
        self.logs: dict[Key, Place] = {}
        self.points: dict[str, Place] = {}
        """By project."""
        self.bad: set[int] = set()
        """Offsets of lines that cannot be read."""
        self.tail = False
        """Whether the file ends in the middle of a line."""
        self.damaged = False
        """Whether a packed file is damaged from some place on."""
        self._size = 0
        self._mark: tuple[int, bytes] = (0, b"")
        self._stat: tuple[int, int, int] = (0, 0, 0)
        self._frames: list[tuple[int, int, int]] = []  # offset in the text, in the file, length in the file
        self._unpacked: dict[int, bytes] = {}

    def is_of(self, fd: int) -> bool:
        """Whether what was read so far is still how the file begins; else it was rewritten or cut."""
        if self.packed:
            return self._stat == _identity(fd)
        offset, mark = self._mark
        return os.fstat(fd).st_size >= self._size and read_at(fd, len(mark), offset) == mark

    def refresh(self, fd: int) -> None:
        """Read what is new in the file. Raises SchemaError for a file of a newer version."""
        if self.packed:
            if not self._size:
                self._read_packed(fd)
            return
        if not self._size:
            self._check(read_header(fd, packed=False))
        self.tail = False
        for block in blocks(fd, packed=False, start=self._size):
            self._add(block)

    def read(self, fd: int, offset: int, length: int) -> bytes:
        """The text of a line; empty or cut if the file is damaged or was shortened."""
        if not self.packed:
            return read_at(fd, length, offset)
        at = bisect_right(self._frames, (offset, sys.maxsize, 0)) - 1
        start, position, size = self._frames[at]
        text = self._unpacked.get(at)
        if text is None:
            try:
                text = zstd.decompress(read_at(fd, size, position))
            except zstd.ZstdError:
                text = b""
            while len(self._unpacked) > 3:
                del self._unpacked[next(iter(self._unpacked))]
            self._unpacked[at] = text
        return text[offset - start : offset - start + length]

    def forget_text(self) -> None:
        """Drop the blocks that are kept unpacked between reads."""
        self._unpacked.clear()

    def end(self) -> tuple[int, int, int, int]:
        """Where the text ends, and offset, length and checksum of the last line, by which the place is known again."""
        offset, mark = self._mark
        return self._size, offset, len(mark), zlib.crc32(mark)

    def stands(self, fd: int, end: tuple[int, int, int, int]) -> bool:
        """Whether the text up to that end is still as it was, in the packed file too."""
        size, offset, length, told = end
        return size <= self._size and (not length or zlib.crc32(self.read(fd, offset, length)) == told)

    @property
    def skipped(self) -> int:
        """Lines that cannot be read, the cut-off last one included; whatever is lost by damage counts as one."""
        return len(self.bad) + self.tail + self.damaged

    def _read_packed(self, fd: int) -> None:
        self._stat = _identity(fd)
        self._check(read_header(fd, packed=True))
        try:
            for offset, length, text in _frames(fd):
                self._frames.append((self._size, offset, length))
                self._add(text)
        except zstd.ZstdError:
            self.damaged = True  # what follows a damaged frame has no known beginning

    def _check(self, header: Header | None) -> None:
        if header is not None and header.version > VERSION:
            raise SchemaError(f"{self.name} is of version {header.version}; install a newer vestigo to read it")

    def _add(self, block: bytes) -> None:
        """Enter the lines of a block that begins where the last one ended."""
        base, start = self._size, 0
        view = memoryview(block)
        while (end := block.find(b"\n", start)) >= 0:
            if base + start and end > start:
                self._enter(view[start:end], base + start)
            self._mark = (base + start, block[start : min(end, start + _MARK)])
            start = end + 1
        self.tail = start < len(block)
        self._size = base + start

    def _enter(self, line: "memoryview[int]", offset: int) -> None:
        try:
            seen = glance(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.bad.add(offset)
            return
        is_span = seen.record == "span"
        time_ns = seen.start_ns if is_span else seen.time_ns
        if time_ns is None or (is_span and not (seen.trace_id and seen.span_id)):
            self.bad.add(offset)
            return
        project = sys.intern(seen.project)
        if seen.record == "point":
            place = self.points.setdefault(project, Place(time_ns))
        else:
            places = self.spans if is_span else self.logs
            key = (project, seen.trace_id or LOOSE + seen.log_id)
            place = places.get(key)
            if place is None:
                place = places[key] = Place(time_ns)
        place.add(time_ns, offset, len(line))


def _identity(fd: int) -> tuple[int, int, int]:
    found = os.fstat(fd)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def split_lines(text: bytes) -> list[bytes]:
    """Lines with their ends; only a line feed ends a line."""
    lines = text.split(b"\n")
    last = lines.pop()
    ended = [line + b"\n" for line in lines]
    return [*ended, last] if last else ended
