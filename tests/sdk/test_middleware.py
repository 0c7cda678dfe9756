"""Requests: one trace each, whoever calls and however they end; the response is the application's own."""

import asyncio
import io
import random
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.errors import SettingsError
from vestigo.record import Batch, Span
from vestigo.sdk import middleware
from vestigo.sdk.middleware import ASGIMiddleware, WSGIMiddleware
from vestigo.sdk.propagation import baggage, inject, set_baggage
from vestigo.sdk.tracer import Tracer, current_context, current_span

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Kept:
    """An exporter that keeps what it is given, in memory."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    def write(self, batch: Batch) -> None:
        self.all += [span for span in batch.spans if span.end_ns is not None]

    def close(self) -> None: ...


class Recorder:
    """A tracer and what it has recorded."""

    def __init__(self, **more: Any) -> None:
        self.kept = Kept()
        self.tracer = Tracer("web", self.kept, open_after_s=60.0, **more)

    def spans(self) -> list[Span]:
        assert self.tracer.flush()
        return self.kept.all

    def server_span(self) -> Span:
        [span] = [span for span in self.spans() if span.kind == "SERVER"]
        return span


@pytest.fixture
def web() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.tracer.close()
    assert current_context() is None
    assert baggage() == {}


# --- ASGI


def http(path: str = "/chat", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": path, "headers": list(headers), **more}


class Client:
    """Calls an ASGI application as a server does, and keeps what it sends."""

    def __init__(self, *incoming: dict[str, Any]) -> None:
        self.incoming = list(incoming) or [{"type": "http.request", "body": b"", "more_body": False}]
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        return self.incoming.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self.sent[0]["headers"]


async def respond(send: Any, status: int = 200, headers: Any = None, parts: Iterable[bytes] = (b"ok",)) -> None:
    start = {"type": "http.response.start", "status": status}
    await send(start if headers is None else {**start, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def ask(web: Recorder, app: Any, scope: dict[str, Any], client: Client | None = None) -> Client:
    client = client or Client()
    await ASGIMiddleware(app, web.tracer)(scope, client.receive, client.send)
    return client


async def test_a_request_is_a_server_span_in_the_callers_trace(web: Recorder):
    """With method, path and status, and the application's spans below it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        with web.tracer.span("work"):
            assert baggage() == {"user": "u7"}
            await respond(send, 201, [(b"a", b"b")])

    headers = [(b"Traceparent", PARENT.encode()), (b"baggage", b"user=u7")]
    client = await ask(web, app, http(headers=headers))
    span = web.server_span()
    assert (span.name, span.trace_id, span.parent_id, span.status) == ("POST /chat", TRACE, SPAN, "UNSET")
    assert span.attributes == {
        "http.request.method": "POST",
        "url.path": "/chat",
        "http.response.status_code": 201,
    }
    [work] = [one for one in web.spans() if one.name == "work"]
    assert work.parent_id == span.span_id
    assert client.sent == [
        {"type": "http.response.start", "status": 201, "headers": [(b"a", b"b"), (b"x-trace-id", TRACE.encode())]},
        {"type": "http.response.body", "body": b"ok", "more_body": True},
        {"type": "http.response.body"},
    ]


async def test_a_request_without_headers_begins_a_trace_and_answers_with_its_id(web: Recorder):
    """Also where the application sends no headers of its own."""
    client = await ask(web, lambda _, __, send: respond(send), http())
    span = web.server_span()
    assert span.parent_id is None
    assert client.headers == [(b"x-trace-id", span.trace_id.encode())]


async def test_the_callers_own_id_is_kept_and_the_answer_is_the_trace_id(web: Recorder):
    """`order-4711` finds the trace, and the answer names it."""
    client = await ask(web, lambda _, __, send: respond(send), http(headers=[(b"X-Trace-ID", b"order-4711")]))
    span = web.server_span()
    assert span.attributes[semconv.CORRELATION_ID] == "order-4711"
    assert client.headers == [(b"x-trace-id", span.trace_id.encode())]


async def test_an_id_header_of_the_application_is_left_alone(web: Recorder):
    """It is not sent twice."""
    client = await ask(web, lambda _, __, send: respond(send, headers=((b"X-Trace-Id", b"mine"),)), http())
    assert client.headers == [(b"X-Trace-Id", b"mine")]


@pytest.mark.parametrize(
    ("root", "inner", "route", "name"),
    [
        ("", "", SimpleNamespace(path="/users/{id}"), "POST /users/{id}"),
        ("/proxy", "/proxy/api", SimpleNamespace(path="/users/{id}"), "POST /api/users/{id}"),
        ("", "", None, "POST /users/7"),
        ("", "", SimpleNamespace(path=7), "POST /users/7"),
    ],
)
async def test_the_span_is_named_for_the_route_where_the_framework_tells_it(
    web: Recorder, root: str, inner: str, route: Any, name: str
):
    """One name for all users, with what the route's application is mounted at."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["root_path"] = inner
        if route is not None:
            scope["route"] = route
        await respond(send)

    await ask(web, app, http("/users/7", root_path=root))
    span = web.server_span()
    assert (span.name, span.attributes["url.path"]) == (name, "/users/7")
    assert span.attributes.get("http.route") == (name[5:] if "{" in name else None)


async def test_an_exception_is_recorded_and_raised_unchanged(web: Recorder):
    """The very same object, before any response."""
    error = ValueError("no such model")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(ValueError, match="no such model") as caught:
        await ask(web, app, http())
    assert caught.value is error
    span = web.server_span()
    assert (span.status, span.status_message) == ("ERROR", "no such model")
    assert span.attributes[semconv.ERROR_TYPE] == "ValueError"
    assert span.events[0].attributes[semconv.EXCEPTION_TYPE] == "ValueError"


async def test_a_5xx_is_an_error_and_what_is_raised_after_it_is_kept(web: Recorder):
    """Frameworks answer 500 first and raise what failed afterwards."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 500)
        if scope["path"] == "/raise":
            raise RuntimeError("database away")

    await ask(web, app, http("/quiet"))
    span = web.server_span()
    assert (span.status, span.status_message, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "HTTP 500", "500")
    with pytest.raises(RuntimeError):
        await ask(web, app, http("/raise"))
    span = web.spans()[-1]
    assert (span.status_message, span.attributes[semconv.ERROR_TYPE]) == ("database away", "RuntimeError")
    assert span.attributes["http.response.status_code"] == 500


async def test_a_4xx_is_no_error(web: Recorder):
    """The caller was wrong, not the server."""
    await ask(web, lambda _, __, send: respond(send, 404), http())
    assert web.server_span().status == "UNSET"


async def test_the_span_of_a_stream_ends_with_its_last_part(web: Recorder):
    """Not before, and not after what the application does in the background; its spans still find their parent."""
    seen: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            seen.append(len(web.spans()))
        await send({"type": "http.response.body", "body": b"x", "more_body": False})
        seen.append(len(web.spans()))
        with web.tracer.span("background"):
            pass
        raise RuntimeError("in the background")

    with pytest.raises(RuntimeError):
        await ask(web, app, http())
    assert seen == [0, 0, 0, 1]
    server, background = web.spans()
    assert background.parent_id == server.span_id
    assert (server.status, server.events) == ("UNSET", [])


@pytest.mark.parametrize(
    ("last", "abandoned"), [(False, True), (True, None)], ids=["in the middle", "after the last part"]
)
async def test_a_client_that_disconnects_ends_the_span(web: Recorder, last: bool, abandoned: bool | None):
    """It was abandoned if something was still to be sent."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": not last})
        assert (await receive())["type"] == "http.disconnect"
        assert len(web.spans()) == 1

    await ask(web, app, http(), Client({"type": "http.disconnect"}))
    assert web.server_span().attributes.get(semconv.ABANDONED) is abandoned


async def test_a_request_that_is_cancelled_is_an_error(web: Recorder):
    """And is cancelled all the same."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(ask(web, app, http()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "CancelledError" in str(web.server_span().attributes[semconv.ERROR_TYPE])


async def test_a_request_that_is_closed_in_the_middle_is_abandoned(web: Recorder):
    """As a server does that stops without waiting."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    client = Client()
    running = ASGIMiddleware(app, web.tracer)(http(), client.receive, client.send)
    running.send(None)
    running.close()
    span = web.server_span()
    assert (span.status, span.attributes[semconv.ABANDONED]) == ("UNSET", True)


async def test_fifty_requests_at_once_keep_their_own_parents(web: Recorder):
    """Interleaved at every await, each with the caller's trace or its own."""
    pauses = random.Random(3)

    async def step(name: str, depth: int) -> None:
        with web.tracer.span(name):
            await asyncio.sleep(pauses.random() / 200)
            if depth:
                await asyncio.gather(step(name, depth - 1), step(name, depth - 1))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await step(scope["path"], 2)
        assert inject()["X-Trace-ID"] == current_span().trace_id  # type: ignore[union-attr]
        await send({"type": "http.response.body"})

    def scope(number: int) -> dict[str, Any]:
        headers = [(b"traceparent", f"00-{number:032x}-{SPAN}-01".encode())] if number % 2 else []
        return http(f"/{number}", headers)

    clients = await asyncio.gather(*(ask(web, app, scope(number)) for number in range(50)))
    by_id = {span.span_id: span for span in web.spans()}
    assert len(by_id) == 50 * 8
    roots = {span.attributes["url.path"]: span for span in by_id.values() if span.kind == "SERVER"}
    for span in by_id.values():
        if span.kind != "SERVER":
            top = span
            while top.kind != "SERVER":
                top = by_id[str(top.parent_id)]
            assert top is roots[span.name]
            assert span.trace_id == top.trace_id
    for number, client in enumerate(clients):
        assert client.headers == [(b"x-trace-id", roots[f"/{number}"].trace_id.encode())]
        assert (roots[f"/{number}"].trace_id == f"{number:032x}") == bool(number % 2)


@pytest.mark.parametrize(
    ("messages", "status", "http_status", "header"),
    [
        ([{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1000}], "UNSET", 101, True),
        ([{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1011}], "ERROR", 101, True),
        ([{"type": "websocket.close"}], "UNSET", 403, False),
        (
            [
                {"type": "websocket.http.response.start", "status": 500},
                {"type": "websocket.http.response.body", "body": b"", "more_body": False},
            ],
            "ERROR",
            500,
            True,
        ),
    ],
)
async def test_a_websocket_connection_is_one_span(
    web: Recorder, messages: list[dict[str, Any]], status: str, http_status: int, header: bool
):
    """From its start to its end, whatever is said in between."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        for message in messages:
            with web.tracer.span("turn"):
                await send(message)

    scope = {"type": "websocket", "path": "/live", "headers": [(b"traceparent", PARENT.encode())]}
    client = await ask(web, app, scope, Client({"type": "websocket.connect"}))
    span = web.server_span()
    assert (span.name, span.trace_id, span.status) == ("WEBSOCKET /live", TRACE, status)
    assert span.attributes["http.response.status_code"] == http_status
    assert {one.parent_id for one in web.spans() if one.name == "turn"} == {span.span_id}
    assert ("headers" in client.sent[0]) == header
    assert web.spans()[-1] is span


async def test_lifespan_passes_untouched(web: Recorder):
    """The same objects, and no span."""
    seen: list[Any] = []

    async def app(*given: Any) -> None:
        seen.extend(given)

    scope: dict[str, Any] = {"type": "lifespan"}
    client = Client()
    await ASGIMiddleware(app, web.tracer)(scope, client.receive, client.send)
    assert seen == [scope, client.receive, client.send]
    assert seen[0] is scope
    assert scope == {"type": "lifespan"}
    assert web.spans() == []


async def test_middleware_within_middleware_records_a_request_once(web: Recorder):
    """And a second request of the same scope is recorded again."""
    app = ASGIMiddleware(lambda _, __, send: respond(send), web.tracer)
    scope = http()
    await ask(web, app, scope)
    assert len(web.spans()) == 1
    await ask(web, app, scope)
    assert len(web.spans()) == 2
    assert scope == http()


async def test_a_request_that_sampling_left_out_is_answered_with_its_id(web: Recorder):
    """Nothing of it is recorded, also not after the response."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with web.tracer.span("work"):
            await respond(send)
        with web.tracer.span("background"):
            pass

    client = await ask(web, app, http(headers=[(b"traceparent", PARENT[:-1].encode() + b"0")]))
    assert client.headers == [(b"x-trace-id", TRACE.encode())]
    assert web.spans() == []
    none = Recorder(sample_rate=0.0)
    await ask(none, app, http())
    assert none.spans() == web.spans() == []
    none.tracer.close()


async def test_what_the_application_leaves_open_does_not_reach_the_next_request(web: Recorder):
    """A span that is never ended stays in its own trace."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        web.tracer.start_span("forgotten")
        set_baggage("secret", "1").__enter__()
        await respond(send)

    first = await ask(web, app, http(headers=[(b"baggage", b"a=1")]))
    assert current_context() is None
    assert baggage() == {}
    second = await ask(web, app, http())
    assert first.headers != second.headers
    assert all(span.links == [] for span in web.spans())


async def test_a_message_that_makes_no_sense_goes_to_the_server_as_it_is(web: Recorder):
    """It is the server's business to refuse it."""
    client = await ask(web, lambda _, __, send: send({"type": "http.response.start", "status": "?"}), http())
    assert client.sent == [{"type": "http.response.start", "status": "?"}]
    assert web.server_span().attributes.get("http.response.status_code") is None


# --- both


async def test_without_a_tracer_requests_pass_and_the_default_one_is_asked_each_time(
    web: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """Middleware is made before the program is configured."""
    monkeypatch.setattr(middleware, "default_tracer", None)
    before = counters.get("dropped.no_tracer")
    app = ASGIMiddleware(lambda _, __, send: respond(send))
    client = Client()
    await app(http(), client.receive, client.send)
    assert "headers" not in client.sent[0]
    assert counters.get("dropped.no_tracer") == before + 1
    monkeypatch.setattr(middleware, "default_tracer", lambda: web.tracer)
    await app(http(), client.receive, client.send)
    assert web.server_span().name == "POST /chat"


async def test_a_tracer_that_cannot_be_had_costs_the_trace_and_not_the_request():
    """The failure is counted."""

    def broken() -> Tracer:
        raise RuntimeError("not yet")

    before = counters.get("failed.request")
    client = Client()
    await ASGIMiddleware(lambda _, __, send: respond(send), broken)(http(), client.receive, client.send)
    assert client.sent[0]["status"] == 200
    assert b"".join(WSGIMiddleware(hello, broken)(environ(), Answer())) == b"hello"
    assert counters.get("failed.request") == before + 2


async def test_a_tracer_that_is_off_changes_nothing():
    """No header, no span."""
    off = Recorder(disabled=True)
    client = await ask(off, lambda _, __, send: respond(send), http())
    assert "headers" not in client.sent[0]
    off.tracer.close()


@pytest.mark.parametrize("kind", [ASGIMiddleware, WSGIMiddleware])
@pytest.mark.parametrize(("app", "tracer"), [(None, None), ("app", None), (print, 3), (print, "svc")])
def test_an_application_or_tracer_that_is_none_is_told_at_once(kind: Any, app: Any, tracer: Any):
    """When the middleware is made, with the value and the remedy."""
    with pytest.raises(SettingsError, match="give"):
        kind(app, tracer)


@given(st.lists(st.tuples(st.sampled_from([b"traceparent", b"tracestate", b"baggage", b"x-trace-id"]), st.binary())))
def test_no_header_breaks_a_request(headers: list[tuple[bytes, bytes]]):
    """Random bytes are answered like any other request, with a valid id."""
    web = Recorder()
    client = asyncio.run(ask(web, lambda _, __, send: respond(send), http(headers=headers)))
    [(name, value)] = client.headers
    assert (name, len(value)) == (b"x-trace-id", 32)
    assert int(value, 16) > 0
    web.tracer.close()


# --- WSGI


def environ(path: str = "/chat", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "", **more}
    setup_testing_defaults(made)
    return made


class Answer:
    """A start_response that keeps what it is given."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status, self.headers = status, headers
        return lambda _: None


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def call(web: Recorder, app: Any, given: dict[str, Any] | None = None) -> tuple[bytes, Answer]:
    """As a server does, with the standard library's checks inside and outside."""
    answer = Answer()
    body = validator(WSGIMiddleware(validator(app), web.tracer))(environ() if given is None else given, answer)
    try:
        return b"".join(body), answer
    finally:
        body.close()  # type: ignore[attr-defined]


def test_a_wsgi_request_is_a_server_span_in_the_callers_trace(web: Recorder):
    """With method, path and status; the standard library's validator has nothing against it."""
    headers = {"HTTP_TRACEPARENT": PARENT, "HTTP_BAGGAGE": "user=u7", "SCRIPT_NAME": "/api"}

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        assert baggage() == {"user": "u7"}
        with web.tracer.span("work"):
            return hello(environ, start_response)

    text, answer = call(web, app, environ("/caf\xc3\xa9", **headers))
    assert (text, answer.status) == (b"hello", "200 OK")
    assert answer.headers == [("Content-Type", "text/plain"), ("X-Trace-ID", TRACE)]
    span = web.server_span()
    assert (span.name, span.trace_id, span.parent_id) == ("GET /api/café", TRACE, SPAN)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": "/api/café",
        "http.response.status_code": 200,
    }
    assert web.spans()[0].parent_id == span.span_id


def test_a_body_that_is_complete_is_given_to_the_server_itself(web: Recorder):
    """So that it still tells the length, or sends the file as only it can."""
    parts = [b"a", b"b"]
    assert WSGIMiddleware(lambda *_: parts, web.tracer)(environ(), Answer()) is parts
    file = FileWrapper(io.BytesIO(b"x"))
    given = environ(**{"wsgi.file_wrapper": FileWrapper})
    assert WSGIMiddleware(lambda *_: file, web.tracer)(given, Answer()) is file
    assert len(web.spans()) == 2


class Sized:
    """A body of one part that says so."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"only"])


def test_a_body_that_knows_its_length_still_tells_it(web: Recorder):
    """Servers make a Content-Length of it."""
    body = WSGIMiddleware(lambda *_: Sized(), web.tracer)(environ(), Answer())
    assert len(body) == 1  # type: ignore[arg-type]
    assert list(body) == [b"only"]
    body.close()  # type: ignore[attr-defined]
    assert not hasattr(WSGIMiddleware(lambda *_: iter([b"x"]), web.tracer)(environ(), Answer()), "__len__")
    assert len(web.spans()) == 1


def test_the_span_of_a_wsgi_stream_ends_with_its_last_part(web: Recorder):
    """Each step sees the spans of the step before, and nothing is current in between."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        with set_baggage("step", "1"), web.tracer.span("stream") as stream:
            for _ in range(3):
                with web.tracer.span("step") as step:
                    assert step.parent_id == stream.span_id
                    assert baggage() == {"step": "1"}
                    yield b"x"

    answer = Answer()
    body = validator(WSGIMiddleware(validator(app), web.tracer))(environ(), answer)
    parts = 0
    for _ in body:
        parts += 1
        assert current_context() is None
        assert baggage() == {}
        assert not any(span.kind == "SERVER" for span in web.spans())
    body.close()  # type: ignore[attr-defined]
    assert parts == 3
    span = web.server_span()
    assert answer.headers[-1] == ("X-Trace-ID", span.trace_id)
    [stream] = [one for one in web.spans() if one.name == "stream"]
    assert stream.parent_id == span.span_id
    assert semconv.ABANDONED not in span.attributes


def test_two_streams_in_one_thread_do_not_mix(web: Recorder):
    """A server may take turns between them."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for _ in range(3):
            with web.tracer.span(environ["PATH_INFO"]):
                yield b"x"

    wrapped = WSGIMiddleware(app, web.tracer)
    bodies = [iter(wrapped(environ(f"/{number}"), Answer())) for number in range(2)]
    for _ in range(4):
        for body in bodies:
            next(body, None)
    spans = web.spans()
    roots = {span.name[4:]: span for span in spans if span.kind == "SERVER"}
    steps = [span for span in spans if span.kind != "SERVER"]
    assert (len(roots), len(steps)) == (2, 6)
    assert all(span.parent_id == roots[span.name].span_id for span in steps)


def test_a_stream_that_is_closed_early_is_abandoned(web: Recorder):
    """The body's own close is called, with the span current."""
    closed: list[Any] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b"])

        def close(self) -> None:
            closed.append(current_span())

    body: Any = WSGIMiddleware(lambda *_: Body(), web.tracer)(environ(), Answer())
    assert next(body) == b"a"
    body.close()
    span = web.server_span()
    assert span.attributes[semconv.ABANDONED] is True
    assert [one.span_id for one in closed] == [span.span_id]


def test_an_exception_in_a_wsgi_application_is_recorded_and_raised_unchanged(web: Recorder):
    """In the call, in the body, and in its close."""
    error = ValueError("no")

    def fails(*_: Any) -> Iterable[bytes]:
        raise error

    def fails_later(*_: Any) -> Iterator[bytes]:
        yield b"x"
        raise error

    class FailsAtLast:
        def __iter__(self) -> Iterator[bytes]:
            return iter([])

        def close(self) -> None:
            raise error

    with pytest.raises(ValueError) as caught:
        WSGIMiddleware(fails, web.tracer)(environ(), Answer())
    assert caught.value is error
    with pytest.raises(ValueError) as caught:
        list(WSGIMiddleware(fails_later, web.tracer)(environ(), Answer()))
    assert caught.value is error
    body: Any = WSGIMiddleware(lambda *_: FailsAtLast(), web.tracer)(environ(), Answer())
    with pytest.raises(ValueError) as caught:
        body.close()
    assert caught.value is error
    assert [(span.status, span.status_message) for span in web.spans()] == [("ERROR", "no")] * 3
    assert len(web.spans()[0].events) == 1


def test_an_error_that_the_application_answers_by_itself_is_recorded(web: Recorder):
    """`exc_info` tells it."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            raise KeyError("model")
        except KeyError as error:
            start_response("500 Oops", [("Content-Type", "text/plain")], (KeyError, error, error.__traceback__))
        return [b"sorry"]

    text, answer = call(web, app)
    assert (text, answer.status) == (b"sorry", "500 Oops")
    span = web.server_span()
    assert (span.status, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "KeyError")


def test_a_wsgi_status_of_5xx_is_an_error_and_an_id_of_the_applications_own_stays(web: Recorder):
    """One header of that name."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("503 Busy", [("x-trace-id", "mine"), ("Content-Type", "text/plain")])
        return [b""]

    _, answer = call(web, app)
    assert answer.headers == [("x-trace-id", "mine"), ("Content-Type", "text/plain")]
    assert (web.server_span().status, web.server_span().status_message) == ("ERROR", "HTTP 503")


def test_a_wsgi_route_names_the_span_where_the_framework_tells_it(web: Recorder):
    """Flask keeps it in the request, and forgets that at the end."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        environ["werkzeug.request"] = SimpleNamespace(url_rule=SimpleNamespace(rule="/users/<id>"))
        try:
            return hello(environ, start_response)
        finally:
            environ["werkzeug.request"] = None

    call(web, app, environ("/users/7"))
    assert web.server_span().name == "GET /users/<id>"


def test_wsgi_middleware_within_middleware_records_a_request_once(web: Recorder):
    """The outer one."""
    text, answer = call(web, WSGIMiddleware(hello, web.tracer))
    assert text == b"hello"
    assert [name for name, _ in answer.headers] == ["Content-Type", "X-Trace-ID"]
    assert len(web.spans()) == 1
