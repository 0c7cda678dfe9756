"""The live tail: server-sent events with what any process writes, in batches.

One poller per project asks the storage for changes while somebody listens, and shares them; without listeners nothing
runs. A listener that is slow loses events, is told how many, and never holds more than a bounded number.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response, StreamingResponse

from vestigo import diagnostics
from vestigo.filtertext import parse_filter
from vestigo.matching import TraceView, log_matches, needs_trace, span_matches
from vestigo.query import And, Filter, OneOf, Query, check_filter
from vestigo.record import Log, Span, Trace
from vestigo.server.answers import LogRow, SpanRow, TraceRow, log_row, span_row, trace_row
from vestigo.server.questions import Text, id_of
from vestigo.server.routes import Call, Failure, Route
from vestigo.storage import Storage
from vestigo.storage.skeleton import read_telling_spans

if TYPE_CHECKING:
    from vestigo.server import Server

INTERVAL_S: Final = 0.25
HEARTBEAT_S: Final = 15.0
MAX_WAITING: Final = 16
"""Changes that a listener may leave unread."""
MAX_LISTENERS: Final = 200
MAX_ROWS: Final = 500
"""Rows of an event; further ones are counted as left out."""
_RETRY_MS: Final = 2_000


class Listening(Struct, kw_only=True):
    q: Text = ""
    of: Literal["traces", "spans", "logs"] = "traces"
    trace_id: Annotated[str, Meta(description="Only of this trace.")] = ""


class Batch(Struct, kw_only=True, omit_defaults=True):
    """The data of a `batch` event: what is new or has changed and matches, as lists show it."""

    traces: list[TraceRow] = []
    spans: list[SpanRow] = []
    """New, open and finished ones; `end_ns` tells which."""
    logs: list[LogRow] = []
    left_out: int = 0
    """Records that were not looked at because there were too many: ask the list."""


class Lost(Struct):
    """The data of a `lost` event: changes that came faster than they were read. Ask the list again."""

    changes: int


class Change(Struct):
    """What one poll found, and where the next one begins."""

    spans: list[Span]
    logs: list[Log]
    mark: str


class Listener:
    """One open stream: changes wait here until they are sent."""

    def __init__(self) -> None:
        self.waiting: deque[Change] = deque()
        self.lost = 0
        self.woken = asyncio.Event()
        self.ended = False

    def offer(self, change: Change) -> None:
        """Called by the poller; the oldest goes where too many wait."""
        if len(self.waiting) >= MAX_WAITING:
            self.waiting.popleft()
            self.lost += 1
        self.waiting.append(change)
        self.woken.set()


class Live:
    """The pollers of one server, by project."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._listeners: dict[str, list[Listener]] = {}
        self._pollers: dict[str, asyncio.Task[None]] = {}
        self._begun: dict[str, asyncio.Event] = {}
        self._marks: dict[str, str] = {}
        """Up to where each poller has come."""

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return sum(map(len, self._listeners.values()))

    @contextlib.asynccontextmanager
    async def listen(self, project: str) -> AsyncGenerator[Listener]:
        """A listener for as long as the block; the first one of a project starts its poller, the last one ends it."""
        if self.listeners >= MAX_LISTENERS:
            raise Failure(503, "busy", f"{MAX_LISTENERS} live tails are open; close some", retry_after_s=10.0)
        listener = Listener()
        self._listeners.setdefault(project, []).append(listener)
        if project not in self._pollers:
            self._begun[project] = asyncio.Event()
            self._pollers[project] = asyncio.create_task(self._poll(project))
        try:
            await self._begun[project].wait()  # from here on nothing is missed
            yield listener
        finally:
            self._listeners[project].remove(listener)
            if not self._listeners[project]:
                del self._listeners[project]
                self._pollers.pop(project).cancel()

    async def stop(self) -> None:
        """End all streams."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.ended = True
                listener.woken.set()
        pollers = list(self._pollers.values())
        for poller in pollers:
            poller.cancel()
        await asyncio.gather(*pollers, return_exceptions=True)

    def mark(self, project: str) -> str:
        """Up to where the listeners of a project have been told."""
        return self._marks[project]

    async def changes(self, project: str, mark: str | None) -> Change:
        """What was written since a mark. Raises QueryError for a foreign one."""
        return await self._server.ask(lambda: Change(*self._server.storage.changes(project, mark)))

    async def _poll(self, project: str) -> None:
        mark = None
        while True:
            try:
                change = await self.changes(project, mark)
                self._marks[project] = mark = change.mark
                self._begun[project].set()
                if change.spans or change.logs:
                    for listener in self._listeners.get(project, ()):
                        listener.offer(change)
            except Exception:
                self._server.counters.add("failed.live")
                diagnostics.trouble("live", "the live tail cannot read the storage", exc_info=True)
            await asyncio.sleep(INTERVAL_S)


async def live(call: Call) -> Response:
    asked: Listening = call.query
    filter_ = check_filter(parse_filter(asked.q), logs=asked.of == "logs")
    if asked.trace_id:
        only = OneOf("trace", (id_of("trace_id", asked.trace_id),))
        filter_ = only if filter_ is None else And((only, filter_))
    live_, last = call.server.live, call.request.headers.get("last-event-id", "")
    if last:
        await live_.changes(call.project, last)  # a mark that is not ours is told before the stream begins
    rows = Rows(call.server.storage, call.project, asked.of, filter_)
    stream = events(call, live_, rows, last)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def events(call: Call, live_: Live, rows: "Rows", last: str) -> AsyncIterator[bytes]:
    """The text of a stream: what was missed since the mark `last`, then what comes, or a comment while nothing does."""
    async with live_.listen(call.project) as listener:
        mark = last or live_.mark(call.project)
        yield b"retry: %d\n" % _RETRY_MS + _event("ready", mark, Batch())
        for _ in range(MAX_WAITING if last else 0):
            change = await live_.changes(call.project, mark)
            mark = change.mark
            if not change.spans and not change.logs:
                break
            yield _event("batch", mark, await call.ask(lambda change=change: rows.of(change)))
        while not listener.ended:
            try:
                await asyncio.wait_for(listener.woken.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield b": nothing new\n\n"
                continue
            listener.woken.clear()
            if listener.lost:
                lost, listener.lost = listener.lost, 0
                call.server.counters.add("dropped.live", lost)
                yield _event("lost", "", Lost(lost))
            while listener.waiting:
                change = listener.waiting.popleft()
                batch = await call.ask(lambda change=change: rows.of(change))
                if batch != Batch():
                    yield _event("batch", change.mark, batch)


def _event(name: str, mark: str, told: Struct) -> bytes:
    place = f"id: {mark}\n" if mark else ""
    return f"{place}event: {name}\ndata: ".encode() + msgspec.json.encode(told) + b"\n\n"


class Rows:
    """What of a change a stream shows."""

    def __init__(self, storage: Storage, project: str, of: str, filter_: Filter | None) -> None:
        self._storage = storage
        self._project = project
        self._of = of
        self._filter = filter_

    def of(self, change: Change) -> Batch:
        """Blocks; the filter means the same as in the list."""
        match self._of:
            case "traces":
                ids = list(dict.fromkeys(r.trace_id for r in (*change.spans, *change.logs) if r.trace_id))
                return Batch(traces=self._traces(ids[-MAX_ROWS:]), left_out=max(0, len(ids) - MAX_ROWS))
            case "spans":
                shown = [span_row(span) for span in change.spans[-MAX_ROWS:] if self._matches(span)]
                return Batch(spans=shown, left_out=max(0, len(change.spans) - MAX_ROWS))
            case _:
                logs = [log_row(log) for log in change.logs[-MAX_ROWS:] if log_matches(self._filter, log)]
                return Batch(logs=logs, left_out=max(0, len(change.logs) - MAX_ROWS))

    def _traces(self, ids: list[str]) -> list[TraceRow]:
        if not ids:
            return []
        only = OneOf("trace", tuple(ids))
        whole = only if self._filter is None else And((only, self._filter))
        found = self._storage.find_traces(Query(project=self._project, filter=whole, limit=MAX_ROWS)).items
        telling = read_telling_spans(self._storage, self._project, [trace.trace_id for trace in found])
        return [trace_row(trace, telling.get(trace.trace_id)) for trace in found]

    def _matches(self, span: Span) -> bool:
        whole = self._storage.trace(self._project, span.trace_id) if needs_trace(self._filter) else None
        return span_matches(self._filter, span, TraceView(whole or Trace(span.trace_id, [span])))


ROUTES: Final = (
    Route(
        method="GET", path="/api/live", scope="read", handler=live, tag="live", query=Listening,
        summary="Server-sent events with what is written, four times a second.", audit="live.open",
    ),
)  # fmt: skip
