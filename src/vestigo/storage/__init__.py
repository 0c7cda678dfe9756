"""Where records are kept and asked for: the protocol, and the way from a URL to a storage.

A storage is an exporter that can also answer. All of them give the same answers (`query.py` says what a filter means,
`testing.check_storage` holds them to it); they differ in how long they keep records and how much they bear.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Protocol, get_args, runtime_checkable
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from vestigo.errors import SettingsError
from vestigo.filtertext import parse_filter
from vestigo.normalize import normalize
from vestigo.prices import Prices
from vestigo.query import (
    And,
    Compare,
    Filter,
    GroupField,
    Grouping,
    Page,
    Query,
    Row,
    Text,
    TraceGroup,
    TraceSummary,
    time_limit,
)
from vestigo.record import Batch, Log, Point, Span, Status, Trace, point_id
from vestigo.storage.erasure import Erasure

__all__ = [
    "SCHEMES",
    "Capabilities",
    "Feeder",
    "Storage",
    "feed",
    "open_storage",
    "query_traces",
    "settle",
    "store_trace",
    "time_limit",
]

Feeder = Callable[[], None]
"""Called before each read: a pipeline in this process writes what it still holds."""


class Capabilities(Struct, frozen=True):
    """What a storage can do; the zero value is the least capable."""

    durable: bool = False
    """Written records survive the loss of power."""
    shared: bool = False
    """Several processes may write at once."""
    indexed: bool = False
    """Filters do not read every record."""


@runtime_checkable
class Storage(Protocol):
    """Keeps records and answers questions about them. All methods may be called from any thread."""

    capabilities: Capabilities
    feeders: list[Feeder]

    def write(self, batch: Batch) -> None:
        """Return when the records are safe.

        Idempotent: a span is known by (project, trace id, span id), a log and a point by its id. Of two versions the
        later one wins, but an open span never replaces a closed one. Takes no ownership; fills in `span.normal`,
        `log.log_id` and `point.point_id` where they are missing. Raises StorageError, and then has kept nothing of the
        batch.
        """
        ...

    def trace(self, project: str, trace_id: str) -> Trace | None:
        """Spans by start with the root first, logs by time; None if nothing is known of it."""
        ...

    def find_traces(self, query: Query) -> Page[TraceSummary]: ...

    def find_spans(self, query: Query) -> Page[Span]: ...

    def find_logs(self, query: Query) -> Page[Log]: ...

    def find_points(self, query: Query) -> Page[Point]:
        """Data points of metrics, by the fields that logs have; `name` is the metric's."""
        ...

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        """One row for each group, by time and then keys; groups without spans are left out."""
        ...

    def find_groups(self, query: Query, field: GroupField) -> Page[TraceGroup]:
        """The sessions or users of the traces that match, the one with the last trace first; order as in the query."""
        ...

    def changes(self, project: str, mark: str | None) -> tuple[list[Span], list[Log], str]:
        """Records as they are now that any process has written since the mark, in order of writing, and the next mark.

        None stands for now and finds nothing. A record that did not change may come again; one that has been deleted
        does not come. Where there is much, a call finds the first part of it. Raises QueryError for a foreign mark.
        """
        ...

    def projects(self) -> list[str]:
        """The projects that have records, by name; perhaps some that had."""
        ...

    def values(self, field: str, query: Query) -> list[str]:
        """The distinct texts of a span field, most frequent first, at most `query.limit`."""
        ...

    def delete(self, query: Query) -> int:
        """Delete the traces that `find_traces` would find, without limit, and their logs; how many there were.

        Also deletes logs without a trace, or of a trace without spans, and data points, whose time and fields match.
        Returns when it is done.
        """
        ...

    def erase(self, query: Query, *, thorough: bool = True) -> Erasure:
        """As `delete`, with a report. Others may write and read meanwhile, except in files.

        Without `thorough` what is left in indexes and dictionaries of what was deleted goes with the next thorough one.
        """
        ...

    def close(self) -> None: ...


def open_storage(url: str, **options: Any) -> Storage:
    """Open `memory://`, `file:///dir` or `sqlite:///path.db`. Raises SettingsError for any other URL.

    `sqlite:///x.db` is relative to the working directory, `sqlite:////var/x.db` is absolute, as is `file:////var/x`.
    """
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        raise SettingsError(
            f"storage {url!r} is a server, which programs only write to; ask it by its page or its /api"
        )
    opener = SCHEMES.get(parts.scheme)
    if parts.query or parts.fragment:
        raise SettingsError(f"storage {url!r} has a '?' or '#' part, which means nothing here; leave it out")
    if opener is None or "://" not in url:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise SettingsError(f"unknown storage {url!r}; give one of {known}")
    return opener(_path(url), options)


def _path(url: str) -> str:
    """The path of a storage URL: after `scheme:///`, so that a fourth slash makes it absolute."""
    return unquote(url.split("://", 1)[1].removeprefix("/"))


def _open_memory(path: str, options: dict[str, Any]) -> Storage:
    from vestigo.storage.memory import InMemoryTraceStorage  # noqa: PLC0415  each scheme loads what it needs only

    if path:
        raise SettingsError(f"memory:// takes no path, and {path!r} was given; did you mean sqlite:///{path}?")
    return InMemoryTraceStorage(**options)


def _open_file(path: str, options: dict[str, Any]) -> Storage:
    from vestigo.storage.files import FileTraceStorage  # noqa: PLC0415

    if not path:
        raise SettingsError("file:// names no directory; give one such as file:///traces")
    return FileTraceStorage(path, **options)


def _open_sqlite(path: str, options: dict[str, Any]) -> Storage:
    from vestigo.storage.sqlite import SQLiteTraceStorage  # noqa: PLC0415

    if not path:
        raise SettingsError("sqlite:// names no file; give one such as sqlite:///traces.db")
    return SQLiteTraceStorage(path, **options)


SCHEMES: dict[str, Callable[[str, dict[str, Any]], Storage]] = {
    "memory": _open_memory,
    "file": _open_file,
    "sqlite": _open_sqlite,
}
"""Every scheme; the tests fail if one of them has no run of the contract."""


# --- what all storages share


def feed(feeders: list[Feeder]) -> None:
    """Let the pipelines of this process write before a read."""
    for feeder in feeders:
        feeder()


def settle(batch: Batch, prices: Prices | None = None) -> Batch:
    """Fill in the normal form of spans that come without, with the cost where it can be known, and missing ids.

    A log without an id gets one from its content, so that writing it twice stores it once.
    """
    for span in batch.spans:
        if span.normal is None:
            span.normal = normalize(span)
            if span.normal.usage is not None and prices is not None:
                span.normal.cost = prices.price(span.normal, span.start_ns)
    for log in batch.logs:
        if not log.log_id:
            log.log_id = hashlib.blake2b(msgspec.msgpack.encode(log), digest_size=16).hexdigest()
    for point in batch.points:
        if not point.point_id:
            point.point_id = point_id(point)
    return batch


def store_trace(storage: Storage, trace: Trace, project: str) -> None:
    """`storage.store(trace)`: write a trace that the program holds. Raises StorageError."""
    if not isinstance(trace, Trace):
        raise SettingsError(f"store() takes a Trace, not {type(trace).__name__}; get one from storage.get(trace_id)")
    storage.write(settle(Batch(trace.spans, trace.logs, project), Prices()))


def query_traces(storage: Storage, project: str, arguments: dict[str, Any]) -> list[Trace]:
    """`storage.query(...)`: whole traces, newest first, by the plain arguments that programs give.

    `start_time` and `end_time` are seconds since 1970 or datetimes; `status`, `name`, `model`, `service`, `user`,
    `session` are texts; `min_duration_ms` a number; `attributes` a dict; `words` text in messages; `filter` a filter
    as text or tree. Raises SettingsError for an argument that makes no sense, QueryError for a filter that does not.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    filters: list[Filter] = []
    for key in ("name", "model", "service", "user", "session", "status"):
        if key in given:
            value = str(given.pop(key))
            if key == "status" and value.upper() not in get_args(Status):
                raise SettingsError(f"status={value!r} is none; give one of {', '.join(get_args(Status))}")
            filters.append(Compare(key, "=", value.lower() if key == "status" else value))
    if "min_duration_ms" in given:
        filters.append(Compare("latency", ">=", _number("min_duration_ms", given.pop("min_duration_ms")) / 1e3))
    attributes = given.pop("attributes", {})
    if not isinstance(attributes, dict):
        raise SettingsError(f"attributes={attributes!r} is no dict; give the values that attributes must have")
    for key, value in attributes.items():
        filters.append(Compare(f"attr.{key}", "=", value))
    if "words" in given:
        filters.append(Text(str(given.pop("words"))))
    if "filter" in given:
        asked = given.pop("filter")
        filters += [tree] if (tree := parse_filter(asked) if isinstance(asked, str) else asked) is not None else []
    query = Query(
        project=project,
        start_ns=_nanoseconds(given.pop("start_time", None), 0),
        end_ns=_nanoseconds(given.pop("end_time", None), Query(project=project).end_ns),
        filter=And(tuple(filters)) if filters else None,
        order=given.pop("order", "newest"),
        limit=int(_number("limit", given.pop("limit", 100))),
    )
    if given:
        raise SettingsError(f"query() has no argument {next(iter(given))!r}; it has {', '.join(_ARGUMENTS)}")
    found = (storage.trace(project, summary.trace_id) for summary in storage.find_traces(query))
    return [trace for trace in found if trace is not None]


_ARGUMENTS = (
    "start_time", "end_time", "status", "min_duration_ms", "limit", "name", "model", "service", "user", "session",
    "attributes", "words", "filter", "order",
)  # fmt: skip


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{name}={value!r} is no number")
    return value


def _nanoseconds(time: Any, default: int) -> int:
    if time is None:
        return default
    seconds = time.timestamp() if hasattr(time, "timestamp") else time
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise SettingsError(f"time {time!r} is neither seconds since 1970 nor a datetime")
    return int(seconds * 1e9)
