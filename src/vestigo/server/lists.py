"""Lists: traces, spans, logs, points of metrics, sessions, end users; each a page of rows and the way to the next."""

from typing import Final

from starlette.responses import Response

from vestigo.query import GroupField, Page, TraceSummary
from vestigo.record import Span
from vestigo.server.answers import (
    GroupPage,
    LogPage,
    PointPage,
    SpanPage,
    TracePage,
    answer,
    group_row,
    log_row,
    point_row,
    span_row,
    trace_row,
)
from vestigo.server.questions import Listing, query_of
from vestigo.server.routes import Call, Route
from vestigo.storage.skeleton import read_telling_spans


async def traces(call: Call) -> Response:
    """Rows with the beginning of what was said, which is read for the rows of the page only."""
    query, storage = query_of(call.project, call.query), call.server.storage

    def ask() -> tuple[Page[TraceSummary], dict[str, Span]]:
        page = storage.find_traces(query)
        return page, read_telling_spans(storage, call.project, [trace.trace_id for trace in page])

    page, telling = await call.ask(ask)
    return await answer(call, TracePage([trace_row(trace, telling.get(trace.trace_id)) for trace in page], page.cursor))


async def spans(call: Call) -> Response:
    query, storage = query_of(call.project, call.query), call.server.storage

    def ask() -> SpanPage:
        page = storage.find_spans(query)
        return SpanPage([span_row(span) for span in page], page.cursor)

    return await answer(call, await call.ask(ask))


async def logs(call: Call) -> Response:
    query, storage = query_of(call.project, call.query), call.server.storage

    def ask() -> LogPage:
        page = storage.find_logs(query)
        return LogPage([log_row(log) for log in page], page.cursor)

    return await answer(call, await call.ask(ask))


async def points(call: Call) -> Response:
    query, storage = query_of(call.project, call.query), call.server.storage

    def ask() -> PointPage:
        page = storage.find_points(query)
        return PointPage([point_row(point) for point in page], page.cursor)

    return await answer(call, await call.ask(ask))


async def sessions(call: Call) -> Response:
    return await _groups(call, "session")


async def users(call: Call) -> Response:
    return await _groups(call, "user")


async def _groups(call: Call, field: GroupField) -> Response:
    query = query_of(call.project, call.query)
    page = await call.ask(lambda: call.server.storage.find_groups(query, field))
    return await answer(call, GroupPage([group_row(group) for group in page], page.cursor))


ROUTES: Final = (
    Route(
        method="GET", path="/api/traces", scope="read", handler=traces, tag="traces", query=Listing, answer=TracePage,
        summary="Traces that match, with the beginning of what was said.", audit="traces.list",
    ),
    Route(
        method="GET", path="/api/spans", scope="read", handler=spans, tag="spans", query=Listing, answer=SpanPage,
        summary="Spans that match.", audit="spans.list",
    ),
    Route(
        method="GET", path="/api/logs", scope="read", handler=logs, tag="logs", query=Listing, answer=LogPage,
        summary="Logs that match.", audit="logs.list",
    ),
    Route(
        method="GET", path="/api/points", scope="read", handler=points, tag="metrics", query=Listing, answer=PointPage,
        summary="Data points of metrics that match.", audit="points.list",
    ),
    Route(
        method="GET", path="/api/sessions", scope="read", handler=sessions, tag="sessions", query=Listing,
        answer=GroupPage, summary="Sessions of the traces that match, the one with the last trace first.",
        audit="sessions.list",
    ),
    Route(
        method="GET", path="/api/endusers", scope="read", handler=users, tag="sessions", query=Listing,
        answer=GroupPage, summary="End users of the traces that match, the one with the last trace first.",
        audit="endusers.list",
    ),
)  # fmt: skip
