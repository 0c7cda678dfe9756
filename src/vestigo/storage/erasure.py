"""What an erasure took, and whether any of it is left: the answer of `Storage.erase`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import re2  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.filtertext import filter_text
from vestigo.query import Query

_CHUNK: Final = 1 << 20


class Erasure(Struct, kw_only=True):
    """One erasure, for the person who asked for it and for the audit log. Holds nothing of what was erased."""

    project: str
    filter: str = ""
    start_ns: int = 0
    end_ns: int = 0
    """The window, as in the query."""
    started_ns: int = 0
    finished_ns: int = 0
    traces: int = 0
    spans: int = 0
    logs: int = 0
    points: int = 0
    bodies: int = 0
    """Messages and other long values that nobody else had."""
    words: int = 0
    """Entries of the word index."""
    names: int = 0
    """Names, user ids, session ids and other labels that nobody else had."""
    bytes_freed: int = 0
    """Freed for what is written next; a SQLite file does not shrink."""
    steps: int = 0
    """Transactions that it took."""
    longest_step_s: float = 0.0
    """The longest that one of them held up writers."""
    probes: int = 0
    """Ids and messages that were looked for afterwards, byte by byte, in each file."""
    copies: dict[str, int] = {}
    """What was found of them, by file name: 0 where nothing is left."""
    arrived: int = 0
    """Traces that match again because they were written meanwhile."""
    troubles: list[str] = []
    """What keeps it from being complete, with the remedy."""

    @property
    def clean(self) -> bool:
        """Whether nothing is left of it, as far as was looked."""
        return not (self.arrived or self.troubles or any(self.copies.values()))

    def add(self, other: "Erasure") -> None:
        """Add up the counts of another one."""
        for name in ("traces", "spans", "logs", "points", "bodies", "words", "names", "bytes_freed", "steps"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def erasure_of(query: Query, now_ns: int) -> Erasure:
    """An erasure that begins."""
    try:
        told = filter_text(query.filter)
    except QueryError:  # a tree that the language has no words for
        told = str(query.filter)
    return Erasure(project=query.project, filter=told, start_ns=query.start_ns, end_ns=query.end_ns, started_ns=now_ns)


def count_copies(files: Iterable[Path], probes: list[bytes]) -> dict[str, int]:
    """How often any of the probes stands in each file; a file that has gone meanwhile has none. Reads all of them."""
    found = {path.name: 0 for path in files}
    if not probes:
        return found
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    pattern = re2.compile(b"|".join(map(_escaped, probes)), options)
    overlap = max(map(len, probes)) - 1
    for path in files:
        found[path.name] = sum(len(pattern.findall(text)) for text in _overlapping(path, overlap))
    return found


def _escaped(probe: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in probe)


def _overlapping(path: Path, overlap: int) -> Iterator[bytes]:
    rest = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield rest + chunk
                rest = chunk[-overlap:] if overlap else b""
    except FileNotFoundError:
        return


__all__ = ["Erasure", "count_copies", "erasure_of"]
