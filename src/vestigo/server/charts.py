"""Figures over time and by field, the values of fields with their counts, and errors that are alike."""

import re
import time
from typing import Annotated, Any, Final, TypeAlias, cast, get_args

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo import semconv
from vestigo.errors import QueryError
from vestigo.query import ALL_TIME, And, Compare, Grouping, Measure, OneOf, Query, Row, check_field, check_time
from vestigo.record import Span
from vestigo.server.answers import answer
from vestigo.server.questions import MAX_ROWS, Limit, Names, Window, names_of, query_of, width_ns
from vestigo.server.routes import Call, Route
from vestigo.storage import Storage
from vestigo.storage.grouping import MAX_FIELDS, check_grouping

MAX_BUCKETS: Final = 5_000
_MAX_FIELDS: Final = 12
_RATES: Final[dict[str, tuple[Measure, Measure]]] = {"error_rate": ("errors", "count")}
_ERRORS: Final = 5_000
ERROR_BUCKETS: Final = 24
"""Parts of the window in which errors are counted."""
_LISTED: Final = frozenset({"tag", "has"})


class SeriesOf(Window, kw_only=True):
    measures: Names = "count,errors"
    by: Names = ""
    step: Annotated[str, Meta(description="Width of a bucket of time, such as `5m` or `1d`; empty for no buckets.")] = (
        ""
    )
    groups: Annotated[int, Meta(ge=1, le=500, description="Most groups, those with the most spans first.")] = 50


class FacetsOf(Window, kw_only=True):
    fields: Names = "kind,model,status,user"
    limit: Annotated[int, Meta(ge=1, le=100, description="Most values of a field.")] = 10


class ValuesOf(Window, kw_only=True):
    field: str
    prefix: str = ""
    limit: Limit = 50


class ErrorsOf(Window, kw_only=True):
    limit: Limit = 100


class SeriesGroup(Struct, kw_only=True):
    keys: list[str | None]
    values: dict[str, list[float | None]]
    """By measure: one figure for each time, or one in all."""


class Series(Struct, kw_only=True):
    by: list[str]
    step_ns: str | None
    times_ns: list[str]
    """Starts of the buckets, all of them from the first to the last that has spans."""
    groups: list[SeriesGroup]
    left_out: int
    """Groups beyond those that were asked for."""


class FieldValue(Struct):
    value: str
    count: float | None
    """Spans, multiplied by their weights; None where only the order is known."""


class Facet(Struct, kw_only=True):
    field: str
    values: list[FieldValue]
    more: bool
    """Whether there are further values."""
    missing: float | None
    """Spans without the field."""


class Facets(Struct):
    facets: list[Facet]


class FieldValues(Struct):
    values: list[str]


class ErrorGroup(Struct, kw_only=True):
    """Failed spans of one name whose errors have one type and one form."""

    error_type: str
    message: str
    """With `…` in the place of what differs: numbers, ids, quoted text, addresses."""
    span_name: str
    count: float
    first_ns: str
    last_ns: str
    trace_id: str
    """The newest one."""
    span_id: str
    example: str
    users: int
    """Different end users whose spans or traces failed so; at least, where there are more than 1,000 traces."""
    buckets: list[float]
    """How many there were over time, in equal parts of the window."""


class Errors(Struct, kw_only=True):
    groups: list[ErrorGroup]
    spans_read: int
    complete: bool
    """Whether all failed spans were read; else only the newest."""
    start_ns: str
    """What the buckets share among them: the window, or where it is open the time from the first to the last."""
    end_ns: str


# --- series


async def series(call: Call) -> Response:
    asked: SeriesOf = call.query
    query = query_of(call.project, asked)
    wanted = names_of(asked.measures, "measures", len(get_args(Measure)) + len(_RATES))
    by, step_ns = names_of(asked.by, "fields", MAX_FIELDS), width_ns(asked.step)
    grouping = check_grouping(Grouping(by=by, step_ns=step_ns, measures=_stored(wanted)))
    rows = await call.ask(lambda: call.server.storage.aggregate(query, grouping))
    return await answer(call, series_of(rows, wanted, by, step_ns, asked.groups))


def _stored(wanted: tuple[str, ...]) -> tuple[Measure, ...]:
    """What a storage has to add up; `count` always, since groups are ordered by it."""
    parts = [part for name in wanted for part in _RATES.get(name, (name,))]
    return cast("tuple[Measure, ...]", tuple(dict.fromkeys(["count", *parts])))


def series_of(rows: list[Row], wanted: tuple[str, ...], by: tuple[str, ...], step_ns: int | None, most: int) -> Series:
    """Rows as one line per group and measure. Raises QueryError for too many buckets."""
    times = _times(rows, step_ns)
    places = {time: at for at, time in enumerate(times)}
    groups: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.keys, []).append(row)
    ordered = sorted(groups.items(), key=lambda group: -sum(row.values["count"] or 0 for row in group[1]))
    found: list[SeriesGroup] = []
    for keys, own in ordered[:most]:
        lines: dict[str, list[float | None]] = {name: [_nothing(name)] * max(len(times), 1) for name in wanted}
        for row in own:
            for name in wanted:
                lines[name][0 if row.time_ns is None else places[row.time_ns]] = _figure(row, name)
        found.append(SeriesGroup(keys=list(keys), values=lines))
    return Series(
        by=list(by), step_ns=None if step_ns is None else str(step_ns), times_ns=[str(time) for time in times],
        groups=found, left_out=max(0, len(ordered) - most),
    )  # fmt: skip


def _times(rows: list[Row], step_ns: int | None) -> list[int]:
    times = [row.time_ns for row in rows if row.time_ns is not None]
    if not times or step_ns is None:
        return []
    buckets = (max(times) - min(times)) // step_ns + 1
    if buckets > MAX_BUCKETS:
        raise QueryError(f"{buckets} buckets of time are too many; narrow the window, or give a wider step")
    return list(range(min(times), max(times) + 1, step_ns))


def _figure(row: Row, name: str) -> float | None:
    if name not in _RATES:
        return row.values[name]
    part, whole = (row.values[measure] or 0.0 for measure in _RATES[name])
    return part / whole if whole else None


def _nothing(name: str) -> float | None:
    """What a bucket without spans says: 0 for what is added up, nothing for the rest."""
    return None if name in _RATES or name == "cost" or name.rpartition(".")[2] in {"p50", "p95", "p99"} else 0.0


# --- values


async def facets(call: Call) -> Response:
    asked: FacetsOf = call.query
    query = query_of(call.project, asked)
    fields = names_of(asked.fields, "fields", _MAX_FIELDS)
    for field in fields:
        check_field(field)
        if field not in _LISTED:
            check_grouping(Grouping(by=(field,)))
    storage = call.server.storage
    return await answer(
        call, Facets(await call.ask(lambda: [facet(storage, query, field, asked.limit) for field in fields]))
    )


def facet(storage: Storage, query: Query, field: str, limit: int) -> Facet:
    """The most frequent values of a field."""
    if field in _LISTED:
        values = storage.values(field, msgspec.structs.replace(query, limit=limit + 1))
        known = [FieldValue(value, None) for value in values[:limit]]
        return Facet(field=field, values=known, more=len(values) > limit, missing=None)
    counts = counted(storage, query, field)
    missing = counts.pop(None, 0.0)
    ordered = sorted(((key or "", count) for key, count in counts.items()), key=lambda pair: (-pair[1], pair[0]))
    known = [FieldValue(value, count) for value, count in ordered[:limit]]
    return Facet(field=field, values=known, more=len(ordered) > limit, missing=missing)


def counted(storage: Storage, query: Query, field: str) -> dict[str | None, float]:
    """How many spans have each value of a field."""
    rows = storage.aggregate(query, Grouping(by=(field,), measures=("count",)))
    return {row.keys[0]: row.values["count"] or 0.0 for row in rows}


async def values(call: Call) -> Response:
    asked: ValuesOf = call.query
    check_field(asked.field)
    query = query_of(call.project, asked)
    many = 10_000 if asked.prefix else asked.limit
    found = await call.ask(lambda: call.server.storage.values(asked.field, msgspec.structs.replace(query, limit=many)))
    prefix = asked.prefix.casefold()
    return await answer(
        call, FieldValues([value for value in found if value.casefold().startswith(prefix)][: asked.limit])
    )


# --- errors


_TEMPLATE: Final = re.compile(
    r"https?://\S+|\"[^\"]{1,200}\"|'[^']{1,200}'|\b[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*\b|\d+(?:[.,:]\d+)*"
)


async def errors(call: Call) -> Response:
    asked: ErrorsOf = call.query
    query, storage = query_of(call.project, asked), call.server.storage
    failed = Compare("status", "=", "error")
    whole = failed if query.filter is None else And((failed, query.filter))
    query = msgspec.structs.replace(query, filter=whole, limit=_ERRORS)

    def ask() -> Errors:
        page = storage.find_spans(query)
        window = _window(query, page.items)
        found = sorted(_alike(page.items, window).items(), key=lambda one: -one[1].count)[: asked.limit]
        _add_users(storage, call.project, [alike for _, alike in found])
        return Errors(
            groups=[_group(key, alike) for key, alike in found], spans_read=len(page), complete=page.cursor is None,
            start_ns=str(window[0]), end_ns=str(window[1]),
        )  # fmt: skip

    return await answer(call, await call.ask(ask))


class _Alike(Struct):
    """Failed spans that are alike, as far as they were read."""

    newest: Span
    first_ns: int = 0
    count: float = 0.0
    buckets: list[float] = []
    users: set[str] = set()
    traces: set[str] = set()
    """Those of spans that name no user; another span of the trace may."""


_Key: TypeAlias = tuple[str, str, str]


def _window(query: Query, spans: list[Span]) -> tuple[int, int]:
    """What the buckets share; spans are the newest first."""
    first, last = (spans[-1].start_ns, spans[0].start_ns + 1) if spans else (0, 1)
    start = query.start_ns if query.start_ns > ALL_TIME[0] else first
    if query.end_ns < ALL_TIME[1]:
        return start, max(query.end_ns, start + 1)
    return start, max(last, start + 1) if query.start_ns == ALL_TIME[0] else max(time.time_ns(), last, start + 1)


def _alike(spans: list[Span], window: tuple[int, int]) -> dict[_Key, _Alike]:
    """Failed spans, the newest first, by what is alike."""
    found: dict[_Key, _Alike] = {}
    start, width = window[0], window[1] - window[0]
    for span in spans:
        check_time()
        kind, message = error_of(span)
        key = (kind, template(message), span.name)
        alike = found.get(key)
        if alike is None:
            alike = found[key] = _Alike(span, buckets=[0.0] * ERROR_BUCKETS)
        alike.count += span.weight
        alike.first_ns = span.start_ns
        alike.buckets[min(max((span.start_ns - start) * ERROR_BUCKETS // width, 0), ERROR_BUCKETS - 1)] += span.weight
        if span.normal is not None and span.normal.user_id is not None:
            alike.users.add(span.normal.user_id)
        else:
            alike.traces.add(span.trace_id)
    return found


def _add_users(storage: Storage, project: str, groups: list[_Alike]) -> None:
    """Add the users that only other spans of the traces name, for as many traces as one question may be about."""
    ids = list(dict.fromkeys(trace_id for group in groups for trace_id in sorted(group.traces)))[:MAX_ROWS]
    if not ids:
        return
    traces = storage.find_traces(Query(project=project, filter=OneOf("trace", tuple(ids)), limit=len(ids)))
    users = {trace.trace_id: trace.user_id for trace in traces if trace.user_id is not None}
    for group in groups:
        group.users |= {users[trace_id] for trace_id in group.traces if trace_id in users}


def _group(key: _Key, alike: _Alike) -> ErrorGroup:
    newest = alike.newest
    return ErrorGroup(
        error_type=key[0], message=key[1], span_name=key[2], count=alike.count, first_ns=str(alike.first_ns),
        last_ns=str(newest.start_ns), trace_id=newest.trace_id, span_id=newest.span_id,
        example=error_of(newest)[1][:1_000], users=len(alike.users), buckets=alike.buckets,
    )  # fmt: skip


def error_of(span: Span) -> tuple[str, str]:
    """Type and message of a span's error: of its last exception, else of its status."""
    for event in reversed(span.events):
        if semconv.EXCEPTION_TYPE in event.attributes or semconv.EXCEPTION_MESSAGE in event.attributes:
            told: dict[str, Any] = event.attributes
            message = told.get(semconv.EXCEPTION_MESSAGE) or span.status_message
            return str(told.get(semconv.EXCEPTION_TYPE, "")), str(message)
    return str(span.attributes.get(semconv.ERROR_TYPE, "")), span.status_message


def template(message: str) -> str:
    """The form of a message: what differs from one to the next is `…`."""
    return _TEMPLATE.sub("…", message[:500]).strip()


ROUTES: Final = (
    Route(
        method="GET", path="/api/series", scope="read", handler=series, tag="figures", query=SeriesOf, answer=Series,
        summary="Counts, sums and percentiles of spans over time and by field.", audit="figures.read",
    ),
    Route(
        method="GET", path="/api/facets", scope="read", handler=facets, tag="figures", query=FacetsOf, answer=Facets,
        summary="The most frequent values of several fields.", audit="figures.read",
    ),
    Route(
        method="GET", path="/api/values", scope="read", handler=values, tag="figures", query=ValuesOf,
        answer=FieldValues, summary="The values of one field, the most frequent first.", audit="figures.read",
    ),
    Route(
        method="GET", path="/api/errors", scope="read", handler=errors, tag="figures", query=ErrorsOf, answer=Errors,
        summary="Failed spans by type, form of the message, and name.", audit="errors.list",
    ),
)  # fmt: skip
