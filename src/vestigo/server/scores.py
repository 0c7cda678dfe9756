"""Scores and feedback: evaluation events as OpenTelemetry has them, of a span or a trace, by people and programs."""

import math
import secrets
import time
from typing import Annotated, Any, Final, Protocol, cast

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo import semconv
from vestigo.matching import log_score
from vestigo.query import And, Compare, Query
from vestigo.record import Batch, Log, Scope
from vestigo.server.answers import answer
from vestigo.server.questions import Listing, Window, id_of, query_of
from vestigo.server.routes import Call, Failure, Route
from vestigo.storage import settle
from vestigo.version import VERSION

_IS_SCORE: Final = Compare("name", "=", semconv.EVALUATION_EVENT)


class NewScore(Struct, kw_only=True, forbid_unknown_fields=True):
    """A number, a yes or no (1 or 0), or a label, of a trace or one of its spans."""

    trace_id: str
    span_id: str | None = None
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    value: float | bool | Annotated[str, Meta(min_length=1, max_length=1_000)]
    comment: Annotated[str, Meta(max_length=10_000)] = ""


class Scored(Struct):
    score_id: str


class ScoresOf(Listing, kw_only=True):
    name: Annotated[str, Meta(description="Only scores of this name.")] = ""
    trace_id: str = ""


class ScoreRow(Struct, kw_only=True):
    score_id: str
    time_ns: str
    name: str
    value: float | None
    label: str | None
    comment: str
    trace_id: str | None
    span_id: str | None
    author: str
    """Who gave it by `/api/scores`; empty where a program did."""


class ScorePage(Struct):
    items: list[ScoreRow]
    cursor: str | None


class _Redacts(Protocol):
    def log(self, log: Log) -> bool: ...


async def write(call: Call) -> Response:
    """Answers when the score is safe. The record is redacted first, as every other one."""
    given: NewScore = call.body
    log = Log(
        time_ns=time.time_ns(),
        event_name=semconv.EVALUATION_EVENT,
        attributes=_attributes(given, call.principal.name),
        trace_id=id_of("trace_id", given.trace_id),
        span_id=None if given.span_id is None else id_of("span_id", given.span_id),
        scope=Scope("vestigo", VERSION),
        log_id=secrets.token_hex(16),
    )
    server = call.server

    def store() -> None:
        if server.redactor is not None:
            cast("_Redacts", server.redactor).log(log)
        batch = settle(Batch(logs=[log], project=call.project))
        server.storage.write(batch)
        server.accepted(batch)

    await call.ask(store)
    return await answer(call, Scored(log.log_id))


def _attributes(given: NewScore, author: str) -> dict[str, Any]:
    said: dict[str, Any] = {semconv.EVALUATION_NAME: given.name, semconv.AUTHOR: author}
    if isinstance(given.value, str):
        said[semconv.EVALUATION_LABEL] = given.value
    elif math.isfinite(given.value):
        said[semconv.EVALUATION_SCORE] = float(given.value)
    else:
        raise Failure(400, "bad_request", f"value={given.value} is no finite number")
    if given.comment:
        said[semconv.EVALUATION_EXPLANATION] = given.comment
    return said


async def scores(call: Call) -> Response:
    """Scores are logs, so the filter has the fields of logs."""
    asked: ScoresOf = call.query
    question = scores_query(call.project, asked, asked.name, asked.trace_id)
    page = await call.ask(lambda: call.server.storage.find_logs(question))
    return await answer(call, ScorePage([score_row(log) for log in page], page.cursor))


def scores_query(project: str, asked: Window, name: str = "", trace_id: str = "") -> Query:
    """The question for evaluation events, of a name and a trace if those are given. Raises QueryError, Failure."""
    query = query_of(project, asked)
    parts = [_IS_SCORE]
    if name:
        parts.append(Compare(f"attr.{semconv.EVALUATION_NAME}", "=", name))
    if trace_id:
        parts.append(Compare("trace", "=", id_of("trace_id", trace_id)))
    whole = And((*parts, query.filter) if query.filter is not None else tuple(parts))
    return msgspec.structs.replace(query, filter=whole)


def score_row(log: Log) -> ScoreRow:
    name, value = log_score(log) or ("", None)
    number = None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    return ScoreRow(
        score_id=log.log_id, time_ns=str(log.time_ns), name=name, value=number,
        label=value if isinstance(value, str) else None,
        comment=str(log.attributes.get(semconv.EVALUATION_EXPLANATION, "")), trace_id=log.trace_id,
        span_id=log.span_id, author=str(log.attributes.get(semconv.AUTHOR, "")),
    )  # fmt: skip


ROUTES: Final = (
    Route(
        method="GET", path="/api/scores", scope="read", handler=scores, tag="scores", query=ScoresOf, answer=ScorePage,
        summary="Scores that match; the filter has the fields of logs.", audit="scores.list",
    ),
    Route(
        method="POST", path="/api/scores", scope="write", handler=write, tag="scores", body=NewScore, answer=Scored,
        summary="Give a trace or a span a score.", audit="score.write",
    ),
)  # fmt: skip
