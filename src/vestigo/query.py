"""Questions: the filter tree, what a question asks for, what it gets, and how long it may take.

`filtertext.py` reads text into a tree; what a tree means stands in `matching.py`: every storage must answer as that
does, and `testing.check_storage` holds it to that. Rules that storages tend to get wrong:

- a comparison with a missing field is false, and `Not` is plain negation;
- booleans are not numbers; a comparison across types is false, `!=` across types is true;
- order is (start, trace id, span id), so that pages neither skip nor repeat;
- on a list of traces a term speaks of the trace: `latency` is the trace's duration, `cost` and `tokens` its sums,
  `name` its root's, and fields with one value per span (`model`, `kind`, ...) hold if they hold for any span.
"""

import base64
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args

import msgspec
import re2  # pyright: ignore[reportMissingTypeStubs]
from msgspec import Struct

from vestigo.errors import QueryError, QueryTimeout
from vestigo.record import Log, Point, Span, Status

T = TypeVar("T")

Op: TypeAlias = Literal["=", "!=", ">", ">=", "<", "<=", "contains", "~", "exists"]
Scalar: TypeAlias = str | int | float | bool
FieldKind: TypeAlias = Literal["word", "text", "number"]
"""word: `:` means equal; text: `:` means contains; number: compared by size."""

ALL_TIME: Final = (0, (1 << 63) - 1)


class Compare(Struct, frozen=True, tag="compare"):
    """A field of the record against a value. Text of `contains` is found in any case; `~` is an RE2 pattern."""

    field: str
    op: Op
    value: Scalar = ""


class OneOf(Struct, frozen=True, tag="one_of"):
    """A field that equals any of the values."""

    field: str
    values: tuple[Scalar, ...]


class Text(Struct, frozen=True, tag="text"):
    """Words that follow each other in the name, in one message, or in a log's body."""

    words: str


class Not(Struct, frozen=True, tag="not"):
    filter: "Filter"


class And(Struct, frozen=True, tag="and"):
    filters: "tuple[Filter, ...]"


class Or(Struct, frozen=True, tag="or"):
    filters: "tuple[Filter, ...]"


class Within(Struct, frozen=True, tag="within"):
    """`any`, `none`, `root`: a span of the same trace; `parent`, `child`: of this span (of the root, for a trace)."""

    scope: Literal["any", "none", "root", "parent", "child"]
    filter: "Filter"


Filter: TypeAlias = Compare | OneOf | Text | Not | And | Or | Within

FIELDS: Final[dict[str, FieldKind]] = {
    "kind": "word", "name": "text", "model": "word", "provider": "word", "status": "word", "error": "text",
    "latency": "number", "ttft": "number", "tokens": "number", "tokens.in": "number", "tokens.out": "number",
    "tokens.cached": "number", "tokens.reasoning": "number", "cost": "number", "session": "word", "user": "word",
    "tag": "word", "env": "word", "release": "word", "service": "word", "level": "number", "input": "text",
    "output": "text", "trace": "word", "span": "word", "tool": "word", "agent": "word", "prompt": "word", "has": "word",
    "operation": "word",
}  # fmt: skip
"""Field names, the same in every storage. `latency` and `ttft` are seconds, `cost` USD, `level` 1 to 24."""

PREFIXES: Final = ("attr.", "resource.", "score.")
LOG_FIELDS: Final = frozenset(
    {"name", "level", "service", "env", "release", "trace", "span", "error", "user", "session"}
)
HAS: Final = ("error", "cost", "session", "user", "input", "output", "score", "open", "tool")


Order: TypeAlias = Literal["newest", "oldest", "slowest"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)


class Query(Struct, frozen=True, kw_only=True):
    """Records of one project whose start lies in [start_ns, end_ns), newest first unless said otherwise."""

    project: str
    start_ns: int = ALL_TIME[0]
    end_ns: int = ALL_TIME[1]
    filter: Filter | None = None
    order: Order = "newest"
    limit: int = 100
    cursor: str | None = None
    """From the page before; belongs to one order."""


class Page(Struct, Generic[T]):
    """Some records and how to go on: `cursor` is None on the last page."""

    items: list[T]
    cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class TraceSummary(Struct, kw_only=True):
    """A trace in a list. Sums are over leaf calls only, so that nothing counts twice."""

    trace_id: str
    name: str = ""
    service: str = ""
    start_ns: int = 0
    end_ns: int | None = None
    """The latest end so far; None while the root is open."""
    status: Status = "UNSET"
    error_message: str | None = None
    spans: int = 0
    errors: int = 0
    open_spans: int = 0
    calls: int = 0
    """Calls of models."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    """None where no call has a known cost."""
    unpriced_calls: int = 0
    session_id: str | None = None
    user_id: str | None = None
    models: list[str] = []
    weight: float = 1.0

    @property
    def duration_ms(self) -> float | None:
        return None if self.end_ns is None else (self.end_ns - self.start_ns) / 1e6

    @property
    def start_time(self) -> float:
        """Seconds since 1970, UTC."""
        return self.start_ns / 1e9


GroupField: TypeAlias = Literal["session", "user"]


class TraceGroup(Struct, kw_only=True):
    """The traces of one session or one user. Counts and sums are multiplied by the traces' weights."""

    key: str
    traces: float = 0.0
    failed: float = 0.0
    """Traces with an error."""
    spans: float = 0.0
    errors: float = 0.0
    calls: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    cost_usd: float | None = None
    """None where no call has a known cost."""
    unpriced_calls: float = 0.0
    first_ns: int = 0
    """Start of the first trace, and of the last one."""
    last_ns: int = 0


Measure: TypeAlias = Literal[
    "count", "errors", "tokens.in", "tokens.out", "tokens.cached", "tokens.reasoning", "cost", "unpriced",
    "latency.sum", "latency.p50", "latency.p95", "latency.p99", "ttft.p50", "ttft.p95", "ttft.p99",
]  # fmt: skip


class Grouping(Struct, frozen=True, kw_only=True):
    """How spans are added up: by fields, by time, or both. Percentiles are right within 1 %."""

    by: tuple[str, ...] = ()
    """At most four fields of kind `word`, or `name`."""
    step_ns: int | None = None
    """Width of a bucket of time, counted from 1970; None for the whole window."""
    measures: tuple[Measure, ...] = ("count", "errors", "tokens.in", "tokens.out", "cost", "latency.p50", "latency.p95")


class Row(Struct):
    """One group: counts and sums are multiplied by the spans' weights; None where there is nothing to say."""

    keys: tuple[str | None, ...]
    time_ns: int | None
    values: dict[str, float | None]


# --- the meaning of a filter


@lru_cache(maxsize=256)
def pattern(text: str) -> Any:
    """A compiled RE2 pattern. Raises QueryError."""
    try:
        return re2.compile(text, _PATTERN_OPTIONS)
    except (re2.error, UnicodeEncodeError) as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise QueryError(f"cannot read the pattern {text!r}: {why}") from None


_PATTERN_OPTIONS: Final = re2.Options()
_PATTERN_OPTIONS.log_errors = False  # it would write the user's mistakes to standard error


# --- words


# --- fields


def check_field(field: str, *, logs: bool = False) -> FieldKind:
    """The kind of a field. Raises QueryError with the nearest name for an unknown one."""
    if field.startswith(PREFIXES) and field not in PREFIXES:
        return "text" if not field.startswith("score.") else "number"
    kind = FIELDS.get(field)
    if kind is None:
        raise QueryError(unknown_field(field))
    if logs and field not in LOG_FIELDS:
        raise QueryError(f"logs have no field {field!r}; they have: {', '.join(sorted(LOG_FIELDS))}, attr.KEY")
    return kind


def unknown_field(field: str) -> str:
    """The message for a field that does not exist, with the nearest that does."""
    import difflib  # noqa: PLC0415  costs 5 ms and is needed for mistakes only

    near = difflib.get_close_matches(field, [*FIELDS, *(prefix + "KEY" for prefix in PREFIXES)], 1, 0.5)
    remedy = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(FIELDS)}, attr.KEY"
    return f"unknown field {field!r}; {remedy}"


# --- summaries, order, cursors


SortKey: TypeAlias = tuple[int, int, str, str]


def span_sort_key(span: Span, order: str) -> SortKey:
    """(duration or start, start, trace id, span id); an open span counts as the shortest."""
    first = span.start_ns if order != "slowest" else -1 if span.duration_ns is None else span.duration_ns
    return (first, span.start_ns, span.trace_id, span.span_id)


def summary_sort_key(summary: TraceSummary, order: str) -> SortKey:
    """As for spans; the span id is empty."""
    duration = -1 if summary.end_ns is None else summary.end_ns - summary.start_ns
    return (duration if order == "slowest" else summary.start_ns, summary.start_ns, summary.trace_id, "")


def log_sort_key(log: Log, order: str) -> SortKey:  # noqa: ARG001  the others' signature
    """(time, time, trace id, log id); logs have no duration."""
    return (log.time_ns, log.time_ns, log.trace_id or "", log.log_id)


def point_sort_key(point: Point, order: str) -> SortKey:  # noqa: ARG001  the others' signature
    """(time, time, empty, point id)."""
    return (point.time_ns, point.time_ns, "", point.point_id)


def group_sort_key(group: TraceGroup, order: str) -> SortKey:  # noqa: ARG001  the others' signature
    """(last start, last start, key, empty)."""
    return (group.last_ns, group.last_ns, group.key, "")


def make_cursor(order: str, key: SortKey) -> str:
    """Where the next page starts, as text for a URL."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((order, *key))).decode().rstrip("=")


def read_cursor(query: Query) -> SortKey | None:
    """The key after which the page starts. Raises QueryError for one that is not ours or of another order."""
    if query.cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4))
        order, *key = msgspec.msgpack.decode(data, type=tuple[str, int, int, str, str])
    except (ValueError, msgspec.DecodeError):
        raise QueryError(f"cannot read the cursor {query.cursor[:40]!r}; take it from the page before") from None
    if order != query.order:
        raise QueryError(f"the cursor belongs to order {order!r}; ask with it, or start again without the cursor")
    return tuple(key)  # type: ignore[return-value]


MAX_DEPTH: Final = 200
"""Levels of a filter tree; a deeper one would end Python's stack."""


def check_filter(filter_: Filter | None, *, logs: bool = False) -> Filter | None:
    """The filter itself. Raises QueryError for unknown fields and patterns that cannot be read, whatever is stored."""
    level: list[Filter] = [] if filter_ is None else [filter_]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise QueryError(f"the filter is more than {MAX_DEPTH} levels deep")
        level = [part for above in level for part in _checked_parts(above, logs)]
    return filter_


def _checked_parts(filter_: Filter, logs: bool) -> tuple[Filter, ...]:
    match filter_:
        case And(filters) | Or(filters):
            return filters
        case Not(part):
            return (part,)
        case Within(scope, part):
            if logs:
                raise QueryError(f"logs have no {scope}(...); ask for spans or traces")
            return (part,)
        case Compare(field, op, value):
            check_field(field, logs=logs)
            if op not in get_args(Op):
                raise QueryError(f"unknown comparison {op!r}; there are: {', '.join(get_args(Op))}")
            if op == "~" and isinstance(value, str):
                pattern(value)
            return ()
        case OneOf(field):
            check_field(field, logs=logs)
            return ()
        case Text():
            return ()


def check_groups(query: Query, field: str) -> Query:
    """The query itself. Raises QueryError for what sessions and users cannot be asked for."""
    check_query(query)
    if field not in get_args(GroupField):
        raise QueryError(f"cannot list {field!r}; there are: {', '.join(get_args(GroupField))}")
    if query.order == "slowest":
        raise QueryError("sessions and users have no order 'slowest'; there are: newest, oldest")
    return query


def check_query(query: Query, *, logs: bool = False) -> Query:
    """The query itself. Raises QueryError for a limit, window, order or filter that makes no sense."""
    if not 0 < query.limit <= 100_000:
        raise QueryError(f"limit {query.limit} makes no sense; give 1 to 100000")
    if query.start_ns > query.end_ns:
        raise QueryError(f"the window ends ({query.end_ns}) before it starts ({query.start_ns})")
    if not query.project:
        raise QueryError("no project is named; give one such as 'default'")
    if query.order not in ORDERS:
        raise QueryError(f"unknown order {query.order!r}; there are: {', '.join(ORDERS)}")
    check_filter(query.filter, logs=logs)
    return query


def page_of(items: Iterable[T], query: Query, key_of: Callable[[T, str], SortKey]) -> Page[T]:
    """One page out of all matching items, in the order that the query asks for."""
    rising = query.order == "oldest"
    after = read_cursor(query)
    keyed = sorted(((key_of(item, query.order), item) for item in items), key=lambda pair: pair[0], reverse=not rising)
    if after is not None:
        keyed = [pair for pair in keyed if (pair[0] > after if rising else pair[0] < after)]
    page = keyed[: query.limit]
    more = len(keyed) > query.limit
    return Page([item for _, item in page], make_cursor(query.order, page[-1][0]) if more else None)


# --- how long a question may take

_limit = threading.local()


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """What this thread asks a storage in the block raises QueryTimeout after so long. The sooner of two counts."""
    outer = getattr(_limit, "end_s", None)
    end = time.monotonic() + seconds
    _limit.seconds, _limit.end_s = seconds, end if outer is None else min(end, outer)
    try:
        yield
    finally:
        _limit.end_s = outer


def is_late() -> bool:
    """Whether this thread's question has taken longer than it may."""
    end = getattr(_limit, "end_s", None)
    return end is not None and time.monotonic() > end


def check_time() -> None:
    """Called in every loop over records. Raises QueryTimeout."""
    if is_late():
        raise QueryTimeout(
            f"the question took more than {_limit.seconds:g} s; narrow the window, or filter by a field such as "
            "model, user or session"
        )
