"""What any process has written since a mark, for the live tail: the lines behind the places where the files ended.

A file that an erasure has written anew does not stand as it did; of its lines those count whose stamp is newer.
"""

import base64
import time

import msgspec
from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.record import Log, Span
from vestigo.storage.files.lines import PACKED, Index, Key, glance
from vestigo.storage.files.view import View


class _Mark(Struct, array_like=True, frozen=True):
    """The end of each file by its name, packed or not, and the newest stamp before the mark."""

    ends: dict[str, tuple[int, int, int, int]]
    written_ns: int


def changes(view: View, project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
    """As in the protocol."""
    ends = {_plain(index.name): index.end() for index, _ in view.files}
    if mark is None:
        return [], [], _write(_Mark(ends, time.time_ns()))
    known = _read(mark)
    touched: dict[tuple[Key, str], int] = {}
    newest = known.written_ns
    for index, fd in view.files:
        for key, raw in _new_lines(index, fd, known):
            seen = glance(raw)
            newest = max(newest, seen.written_ns)
            name = seen.span_id if seen.record == "span" else seen.log_id
            if key[0] == project and name:
                touched[key, name] = max(touched.get((key, name), 0), seen.written_ns)
    spans, logs = _records(view, touched)
    return spans, logs, _write(_Mark(ends, newest))


def _new_lines(index: Index, fd: int, mark: _Mark) -> list[tuple[Key, bytes]]:
    """Lines behind the end that the mark knows; of a file that changed below it, those with a newer stamp."""
    end = mark.ends.get(_plain(index.name))
    if end == index.end() or index.damaged:
        return []
    start = end[0] if end is not None and index.stands(fd, end) else 0
    found: list[tuple[Key, bytes]] = []
    for key, place in (*index.spans.items(), *index.logs.items()):
        for at in range(0, len(place.lines), 2):
            if place.lines[at] >= start:
                raw = index.read(fd, place.lines[at], place.lines[at + 1])
                if start or end is None or glance(raw).written_ns > mark.written_ns:
                    found.append((key, raw))
    return found


def _records(view: View, touched: dict[tuple[Key, str], int]) -> tuple[list[Span], list[Log]]:
    """The touched records as they are now, in the order of their last lines."""
    spans: list[tuple[int, Span]] = []
    logs: list[tuple[int, Log]] = []
    for key in {key for key, _ in touched}:
        trace = view.trace(key)
        spans += [(touched[key, span.span_id], span) for span in trace.spans if (key, span.span_id) in touched]
        logs += [(touched[key, log.log_id], log) for log in trace.logs if (key, log.log_id) in touched]
    return [span for _, span in sorted(spans, key=_when)], [log for _, log in sorted(logs, key=_when)]


def _when(pair: tuple[int, Span | Log]) -> int:
    return pair[0]


def _plain(name: str) -> str:
    return name.removesuffix(PACKED)


def _write(mark: _Mark) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(mark)).decode().rstrip("=")


def _read(mark: str) -> _Mark:
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)), type=_Mark)
    except (ValueError, msgspec.MsgspecError):
        raise QueryError(f"cannot read the mark {mark[:40]!r}; take it from the answer before") from None
