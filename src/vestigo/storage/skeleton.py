"""A trace without what was said in it, in columns: what the page draws 100,000 spans from.

A storage that keeps columns answers `skeleton`, `matching_ids` and `telling_spans` by itself; for the others the
functions here read whole traces.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol, runtime_checkable

from msgspec import Struct

from vestigo.matching import TraceView, is_leaf, is_unpriced, span_matches
from vestigo.normalize import messages
from vestigo.query import Filter, check_filter, check_time
from vestigo.record import Span, Trace
from vestigo.storage import Storage

ERROR: Final = 1
OPEN: Final = 2
LEAF: Final = 4
"""Its tokens and cost count in sums."""
UNPRICED: Final = 8
NO_PARENT: Final = -1
LOST_PARENT: Final = -2
"""A parent is named that was not received."""


class Skeleton(Struct, kw_only=True):
    """One entry per span in each column, by (start, span id). Times are microseconds from the trace's start."""

    trace_id: str
    start_ns: int = 0
    names: list[str] = []
    """What `name` counts in; likewise `kinds` and `models`."""
    kinds: list[str] = []
    models: list[str] = []
    span_id: list[str] = []
    parent: list[int] = []
    """Where the parent stands in the columns; -1 for none, -2 for one that was not received."""
    name: list[int] = []
    kind: list[int] = []
    model: list[int | None] = []
    start_us: list[int] = []
    duration_us: list[int | None] = []
    """None while a span is open."""
    flags: list[int] = []
    """1 failed, 2 open, 4 its tokens and cost count in sums, 8 used tokens that nobody knows the price of."""
    tokens_in: list[int | None] = []
    tokens_out: list[int | None] = []
    cost_usd: list[float | None] = []
    ttft_us: list[int | None] = []


SkeletonRow = tuple[
    str, str | None, Any, Any, Any, int, int | None, int, int | None, int | None, float | None, float | None
]
"""Span id, parent id, name, kind, model (as text or number), start, duration, flags, tokens, cost, ttft in seconds."""


@runtime_checkable
class Columnar(Protocol):
    """What a storage with columns adds."""

    def skeleton(self, project: str, trace_id: str) -> Skeleton | None: ...

    def matching_ids(self, project: str, trace_id: str, filter_: Filter | None) -> list[str]:
        """Ids of the trace's spans that match, in any order."""
        ...

    def telling_spans(self, project: str, trace_ids: list[str]) -> dict[str, Span]:
        """For each trace the span that tells what it was about, see `telling_span`."""
        ...


def read_skeleton(storage: Storage, project: str, trace_id: str) -> Skeleton | None:
    """The skeleton of a trace; None if nothing is known of it."""
    if isinstance(storage, Columnar):
        return storage.skeleton(project, trace_id)
    trace = storage.trace(project, trace_id)
    return None if trace is None else build(trace_id, map(_row, sorted(trace.spans, key=_place)))


def matching_places(storage: Storage, project: str, trace_id: str, filter_: Filter | None) -> list[int] | None:
    """Where the matching spans stand in the skeleton's columns; None if nothing is known of the trace."""
    check_filter(filter_)
    if isinstance(storage, Columnar):
        skeleton = storage.skeleton(project, trace_id)
        if skeleton is None:
            return None
        matching = set(storage.matching_ids(project, trace_id, filter_))
        return [at for at, span_id in enumerate(skeleton.span_id) if span_id in matching]
    trace = storage.trace(project, trace_id)
    if trace is None:
        return None
    view = TraceView(trace)
    spans = enumerate(sorted(trace.spans, key=_place))
    return [at for at, span in spans if span_matches(filter_, span, view)]


def read_telling_spans(storage: Storage, project: str, trace_ids: list[str]) -> dict[str, Span]:
    """For each trace the span that tells what it was about."""
    if isinstance(storage, Columnar):
        return storage.telling_spans(project, trace_ids)
    traces = (storage.trace(project, trace_id) for trace_id in trace_ids)
    found = {trace.trace_id: telling_span(trace) for trace in traces if trace is not None}
    return {trace_id: span for trace_id, span in found.items() if span is not None}


def telling_span(trace: Trace) -> Span | None:
    """The root if it has messages, else the first span that has; else None."""
    for span in (*trace.spans[:1], *sorted(trace.spans[1:], key=_place)):
        check_time()
        said = messages(span)
        if said.input or said.output or said.system:
            return span
    return None


def build(trace_id: str, rows: Iterable[SkeletonRow]) -> Skeleton:
    """A skeleton from rows by (start, span id). Names, kinds and models stand as the rows have them, by first use."""
    columns = list(zip(*rows, strict=True))
    if not columns:
        return Skeleton(trace_id=trace_id)
    ids: Any = columns[0]
    places = {span_id: at for at, span_id in enumerate(ids)}
    start_ns = columns[5][0]
    names, name = _coded(columns[2])
    kinds, kind = _coded(columns[3])
    models, model = _coded(columns[4])
    return Skeleton(
        trace_id=trace_id, start_ns=start_ns, names=names, kinds=kinds, models=models, span_id=list(ids),
        parent=[NO_PARENT if parent is None else places.get(parent, LOST_PARENT) for parent in columns[1]],
        name=name, kind=kind, model=model, start_us=[(start - start_ns) // 1_000 for start in columns[5]],
        duration_us=[None if ns is None else ns // 1_000 for ns in columns[6]], flags=list(columns[7]),
        tokens_in=list(columns[8]), tokens_out=list(columns[9]), cost_usd=list(columns[10]),
        ttft_us=[None if seconds is None else round(seconds * 1e6) for seconds in columns[11]],
    )  # fmt: skip


def _coded(column: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
    """The distinct values by first use, and the column as places among them; None stays None."""
    places = {value: at for at, value in enumerate(value for value in dict.fromkeys(column) if value is not None)}
    return list(places), [places.get(value) for value in column]


def _place(span: Span) -> tuple[int, str]:
    return (span.start_ns, span.span_id)


def _row(span: Span) -> SkeletonRow:
    normal = span.normal
    usage = normal.usage if normal else None
    cost = normal.cost if normal else None
    flags = (
        ERROR * (span.status == "ERROR")
        | OPEN * (span.end_ns is None)
        | LEAF * is_leaf(span)
        | UNPRICED * is_unpriced(usage, cost)
    )
    return (
        span.span_id, span.parent_id, span.name, normal.kind if normal else "span", normal.model if normal else None,
        span.start_ns, span.duration_ns, flags, usage.input if usage else None, usage.output if usage else None,
        cost.total_usd if cost else None, normal.ttft_s if normal else None,
    )  # fmt: skip
