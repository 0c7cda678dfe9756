"""A session as one conversation: for each trace, oldest first, what was said to it and what it answered.

What a call was told repeats what was said before; taking that out is the reader's work.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo.normalize import messages
from vestigo.query import And, Compare, Query, TraceSummary, make_cursor, summary_sort_key
from vestigo.record import Span
from vestigo.server.answers import CutField, TraceRow, answer, cut_field, cut_values, trace_row
from vestigo.server.questions import Cursor
from vestigo.server.routes import Call, Route
from vestigo.server.tracepage import Said
from vestigo.storage import Storage
from vestigo.storage.skeleton import read_telling_spans

_LOGS: Final = 1_000
_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Above this an answer ends early, with a cursor: each turn may repeat all those before it."""


class TurnsOf(Struct, kw_only=True):
    session: Annotated[str, Meta(min_length=1, description="Id of the session.")]
    limit: Annotated[int, Meta(ge=1, le=100, description="Most turns of an answer.")] = 20
    cursor: Cursor = None


class Turn(Struct, kw_only=True):
    """One trace of a conversation."""

    trace: TraceRow
    span_id: str | None
    """The span whose messages these are: the root if it has some, else the first call that has; null without any."""
    kind: str
    messages: Said
    answer_span_id: str | None
    """The last call of a model, where that is another span: what it answered is what the trace came to."""
    answer: list[Any]
    cut: list[CutField]
    """What is larger than 256 kB is cut; the link leads to all of it."""


class TurnPage(Struct):
    items: list[Turn]
    cursor: str | None


async def turns(call: Call) -> Response:
    asked: TurnsOf = call.query
    storage = call.server.storage
    query = Query(
        project=call.project, filter=Compare("session", "=", asked.session), order="oldest", limit=asked.limit,
        cursor=asked.cursor or None,
    )  # fmt: skip

    def ask() -> bytes:
        page = storage.find_traces(query)
        telling = read_telling_spans(storage, call.project, [trace.trace_id for trace in page])
        items, size = list[Turn](), 0
        for trace in page:
            turn = _turn(storage, call.project, trace, telling.get(trace.trace_id))
            size += len(msgspec.json.encode(turn))
            if items and size > _ANSWER_BYTES:
                return msgspec.json.encode(TurnPage(items, _after(page.items[len(items) - 1])))
            items.append(turn)
        return msgspec.json.encode(TurnPage(items, page.cursor))

    return await answer(call, await call.ask(ask))


def _after(trace: TraceSummary) -> str:
    return make_cursor("oldest", summary_sort_key(trace, "oldest"))


def _turn(storage: Storage, project: str, trace: TraceSummary, telling: Span | None) -> Turn:
    last = _last_call(storage, project, trace.trace_id)
    if telling is None:
        telling = last  # its messages may stand in logs beside it
    cuts: list[CutField] = []
    said = Said(input=[], output=[], system=[], tools=[])
    if telling is not None:
        said = _said(storage, project, telling, cuts)
    answered: list[Any] = []
    if last is not None and telling is not None and last.span_id != telling.span_id and not _tells_all(telling, said):
        answered = _said(storage, project, last, cuts, "output").output
    return Turn(
        trace=trace_row(trace, telling), span_id=telling.span_id if telling else None,
        kind=telling.normal.kind if telling and telling.normal else "span", messages=said,
        answer_span_id=last.span_id if last and answered else None, answer=answered, cut=cuts,
    )  # fmt: skip


def _tells_all(telling: Span, said: Said) -> bool:
    """Whether a span speaks for its whole trace: the root does, if it tells its answer."""
    return telling.parent_id is None and bool(said.output)


def _last_call(storage: Storage, project: str, trace_id: str) -> Span | None:
    only = And((Compare("trace", "=", trace_id), Compare("kind", "=", "llm")))
    return next(iter(storage.find_spans(Query(project=project, filter=only, limit=1))), None)


def _said(storage: Storage, project: str, span: Span, cuts: list[CutField], *fields: str) -> Said:
    """The messages of a span, of some fields only if they are named; the cut ones are told."""
    only = And((Compare("trace", "=", span.trace_id), Compare("span", "=", span.span_id)))
    logs = storage.find_logs(Query(project=project, filter=only, order="oldest", limit=_LOGS)).items
    told = msgspec.structs.asdict(messages(span, logs))
    shown, sizes = cut_values({name: value for name, value in told.items() if name in (fields or told)})
    cuts += [cut_field(span, f"messages.{name}", size) for name, size in sizes.items()]
    return Said(**{name: shown.get(name, []) for name in Said.__struct_fields__})


ROUTES: Final = (
    Route(
        method="GET", path="/api/turns", scope="read", handler=turns, tag="sessions", query=TurnsOf, answer=TurnPage,
        summary="The conversation of a session over its traces, the oldest first.", audit="session.read",
    ),
)  # fmt: skip
