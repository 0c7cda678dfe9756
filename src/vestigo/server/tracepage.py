"""One trace: its spans a page at a time, its skeleton in columns, its matching spans, and one span with all it says."""

from bisect import bisect_right
from itertools import accumulate
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo.filtertext import parse_filter
from vestigo.normalize import messages
from vestigo.query import And, Compare, Query
from vestigo.record import Log, NormalForm, Span
from vestigo.server.answers import (
    FIELD_BYTES,
    CutField,
    LogRow,
    SpanRow,
    TraceRow,
    answer,
    cut,
    cut_field,
    cut_values,
    log_row,
    span_row,
    trace_row,
)
from vestigo.server.questions import Cursor, Limit, NoParameters, Text, id_of
from vestigo.server.routes import Call, Failure, Route
from vestigo.storage.skeleton import matching_places, read_skeleton, read_telling_spans

T = TypeVar("T")

_LOGS: Final = 1_000


class TraceParts(Struct, kw_only=True):
    limit: Limit = 1_000
    cursor: Cursor = None


class Match(Struct, kw_only=True):
    q: Text = ""


FieldName = Annotated[str, Meta(description="One field alone, whole: `attributes.KEY`, `messages.input`, `events`.")]


class OneSpan(Struct, kw_only=True):
    field: FieldName = ""


class WholeTrace(Struct, kw_only=True):
    """A trace with its spans by start, a page at a time, and its first logs by time."""

    trace: TraceRow | None
    """None where only logs are known of it."""
    spans: list[SpanRow]
    cursor: str | None
    logs: list[LogRow]
    more_logs: bool


class Columns(Struct, kw_only=True):
    """As `storage.skeleton.Skeleton`: one entry per span in each column, by (start, span id)."""

    trace_id: str
    start_ns: str
    count: int
    names: list[str]
    kinds: list[str]
    models: list[str]
    span_id: list[str]
    parent: list[int]
    """Where the parent stands in the columns; -1 for none, -2 for one that was not received."""
    name: list[int]
    kind: list[int]
    model: list[int | None]
    start_us: list[int]
    duration_us: list[int | None]
    """None while a span is open."""
    flags: list[int]
    """1 failed, 2 open, 4 its tokens and cost count in sums, 8 used tokens that nobody knows the price of."""
    tokens_in: list[int | None]
    tokens_out: list[int | None]
    cost_usd: list[float | None]
    ttft_us: list[int | None]


class Matching(Struct):
    """Where the matching spans stand in the skeleton's columns."""

    indices: list[int]


class EventRow(Struct, kw_only=True):
    time_ns: str
    name: str
    attributes: dict[str, Any]


class LinkRow(Struct, kw_only=True):
    trace_id: str
    span_id: str
    attributes: dict[str, Any]


class Said(Struct, kw_only=True):
    """The text of a call as OpenTelemetry's message parts."""

    input: list[Any]
    output: list[Any]
    system: list[Any]
    tools: list[Any]


class SpanDetail(Struct, kw_only=True):
    """A span with all it says; what is larger than 256 kB is cut and named in `cut`."""

    span: SpanRow
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope_name: str
    scope_version: str
    trace_state: str
    status_message: str
    events: list[EventRow]
    links: list[LinkRow]
    normal: NormalForm
    messages: Said
    logs: list[LogRow]
    """Logs and scores of the span."""
    more_logs: bool
    cut: list[CutField]


async def trace(call: Call) -> Response:
    trace_id, storage = _trace_id(call), call.server.storage
    asked: TraceParts = call.query
    only = Compare("trace", "=", trace_id)
    spans_query = Query(
        project=call.project, filter=only, order="oldest", limit=asked.limit, cursor=asked.cursor or None
    )
    logs_query = Query(project=call.project, filter=only, order="oldest", limit=_LOGS)

    def ask() -> WholeTrace:
        summary = next(iter(storage.find_traces(Query(project=call.project, filter=only, limit=1))), None)
        spans = storage.find_spans(spans_query)
        logs = storage.find_logs(logs_query)
        telling = read_telling_spans(storage, call.project, [trace_id]) if summary else {}
        return WholeTrace(
            trace=None if summary is None else trace_row(summary, telling.get(trace_id)),
            spans=[span_row(span) for span in spans], cursor=spans.cursor, logs=[log_row(log) for log in logs],
            more_logs=logs.cursor is not None,
        )  # fmt: skip

    found = await call.ask(ask)
    if found.trace is None and not found.logs:
        raise _unknown("trace", trace_id)
    return await answer(call, found)


async def skeleton(call: Call) -> Response:
    trace_id, storage = _trace_id(call), call.server.storage

    def ask() -> bytes | None:
        found = read_skeleton(storage, call.project, trace_id)
        if found is None:
            return None
        columns = {name: getattr(found, name) for name in found.__struct_fields__}
        columns |= {"start_ns": str(found.start_ns), "count": len(found.span_id)}
        return msgspec.json.encode(Columns(**columns))

    found = await call.ask(ask)
    if found is None:
        raise _unknown("trace", trace_id)
    return await answer(call, found)


async def match(call: Call) -> Response:
    trace_id, filter_ = _trace_id(call), parse_filter(call.query.q)
    found = await call.ask(lambda: matching_places(call.server.storage, call.project, trace_id, filter_))
    if found is None:
        raise _unknown("trace", trace_id)
    return await answer(call, Matching(found))


async def span(call: Call) -> Response:
    trace_id = _trace_id(call)
    span_id = id_of("span_id", call.request.path_params["span_id"])
    storage = call.server.storage
    only = And((Compare("trace", "=", trace_id), Compare("span", "=", span_id)))

    def ask() -> bytes | None:
        spans = storage.find_spans(Query(project=call.project, filter=only, limit=1))
        if not spans.items:
            return None
        logs = storage.find_logs(Query(project=call.project, filter=only, order="oldest", limit=_LOGS))
        if call.query.field:
            return msgspec.json.encode(whole_field(spans.items[0], call.query.field, logs.items))
        return msgspec.json.encode(detail(spans.items[0], logs.items, logs.cursor is not None))

    found = await call.ask(ask)
    if found is None:
        raise _unknown("span", span_id)
    return await answer(call, found)


def detail(span: Span, logs: list[Log], more_logs: bool) -> SpanDetail:
    """A span with all it says, large fields cut."""
    sizes: dict[str, int] = {}
    attributes = _cut(span.attributes, "attributes.", sizes)
    said = _cut(msgspec.structs.asdict(messages(span, logs)), "messages.", sizes)
    events, links = _fitting(_events(span), "events", sizes), _fitting(_links(span), "links", sizes)
    return SpanDetail(
        span=span_row(span), attributes=attributes, resource=cut_values(span.resource.attributes)[0],
        scope_name=span.scope.name, scope_version=span.scope.version, trace_state=span.trace_state,
        status_message=span.status_message, events=events,
        links=links, normal=span.normal or NormalForm(), messages=Said(**said),
        logs=[log_row(log) for log in logs], more_logs=more_logs,
        cut=[cut_field(span, name, size) for name, size in sizes.items()],
    )  # fmt: skip


def whole_field(span: Span, field: str, logs: list[Log]) -> Any:
    """The value of one field. Raises Failure for one that the span does not have."""
    group, _, name = field.partition(".")
    there = {
        "attributes": lambda: span.attributes[name],
        "messages": lambda: msgspec.structs.asdict(messages(span, logs))[name],
        "events": lambda: _events(span),
        "links": lambda: _links(span),
    }.get(group)
    try:
        if there is not None:
            return there()
    except KeyError:
        pass
    raise Failure(404, "not_found", f"the span has no field {field[:80]!r}; give one such as messages.input")


def _cut(values: dict[str, Any], prefix: str, sizes: dict[str, int]) -> dict[str, Any]:
    shown, found = cut_values(values)
    sizes.update({prefix + name: size for name, size in found.items()})
    return shown


def _fitting(rows: list[T], name: str, sizes: dict[str, int]) -> list[T]:
    """The first rows, as many as a field may take."""
    ends = list(accumulate(len(msgspec.json.encode(row)) for row in rows))
    if not ends or ends[-1] <= FIELD_BYTES:
        return rows
    sizes[name] = ends[-1]
    return rows[: bisect_right(ends, FIELD_BYTES)]


def _events(span: Span) -> list[EventRow]:
    return [EventRow(time_ns=str(e.time_ns), name=e.name, attributes=cut_values(e.attributes)[0]) for e in span.events]


def _links(span: Span) -> list[LinkRow]:
    return [LinkRow(trace_id=x.trace_id, span_id=x.span_id, attributes=cut(x.attributes)[0]) for x in span.links]


def _trace_id(call: Call) -> str:
    return id_of("trace_id", call.request.path_params["trace_id"])


def _unknown(what: str, name: str) -> Failure:
    return Failure(404, "not_found", f"there is no {what} {name} in this project")


ROUTES: Final = (
    Route(
        method="GET", path="/api/traces/{trace_id}", scope="read", handler=trace, tag="traces", query=TraceParts,
        answer=WholeTrace, summary="One trace: its spans a page at a time, its logs.", audit="trace.read",
    ),
    Route(
        method="GET", path="/api/traces/{trace_id}/skeleton", scope="read", handler=skeleton, tag="traces",
        query=NoParameters, answer=Columns, summary="One trace in columns, without what was said.",
        audit="trace.skeleton",
    ),
    Route(
        method="GET", path="/api/traces/{trace_id}/match", scope="read", handler=match, tag="traces", query=Match,
        answer=Matching, summary="Where the matching spans stand in the skeleton.", audit="trace.match",
    ),
    Route(
        method="GET", path="/api/spans/{trace_id}/{span_id}", scope="read", handler=span, tag="spans", query=OneSpan,
        answer=SpanDetail, summary="One span: attributes, events, messages, logs, scores; or one field, whole.",
        audit="span.read",
    ),
)  # fmt: skip
