"""One trace per request: ASGI and WSGI middleware that join the caller's trace and answer with its id.

The request, the response and what the application raises stay as they are, but for one `X-Trace-ID` header. Which span
is current is put back after each step of the application, so that a thread or task that serves the next request starts
clean, and a body made by a generator finds at each step what it left at the last.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sized
from types import TracebackType
from typing import Any, TypeAlias, cast

from vestigo import semconv
from vestigo.diagnostics import counters, guard, trouble
from vestigo.errors import SettingsError
from vestigo.sdk.propagation import extract, own_baggage
from vestigo.sdk.tracer import AnySpan, Tracer, _current, attach, current_context

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
WSGIApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
TracerSource: TypeAlias = Tracer | Callable[[], Tracer] | None

default_tracer: Callable[[], Tracer] | None = None
"""Where middleware without a tracer of its own finds one, at each request. Set by the package."""

_ID_HEADER = "X-Trace-ID"
_SERVING = "vestigo.serving"  # in the scope or environ of a request that has its span
_RESPONSE_STARTS = {"http.response.start", "websocket.http.response.start"}
_RESPONSE_BODIES = {
    "http.response.body", "http.response.pathsend", "http.response.zerocopysend", "websocket.http.response.body",
}  # fmt: skip
_INTERNAL_ERROR = 1011  # RFC 6455, 7.4.1


class ASGIMiddleware:
    """Records each request and each websocket connection as a SERVER span; lifespan passes untouched.

    The span of a request ends when the last part of the body was sent or the client disconnected; after a status of
    5xx when the application returns, since it may still raise what failed.
    """

    def __init__(self, app: ASGIApp, tracer: TracerSource = None) -> None:
        _check(app, tracer)
        self.app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = None
        if scope.get("type") in {"http", "websocket"} and _SERVING not in scope:
            with guard("request"):
                request = _start_asgi(self._tracer, scope)
        if request is None:
            await self.app(scope, receive, send)
            return
        scope[_SERVING] = True
        channel = _Channel(request, receive, send)
        try:
            with request:
                await self.app(scope, channel.receive, channel.send)
        finally:
            scope.pop(_SERVING, None)
            request.end()


class WSGIMiddleware:
    """Records each request as a SERVER span, which ends when the body is exhausted or closed."""

    def __init__(self, app: WSGIApp, tracer: TracerSource = None) -> None:
        _check(app, tracer)
        self.app = app
        self._tracer = tracer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = None
        if _SERVING not in environ:
            with guard("request"):
                request = _start_wsgi(self._tracer, environ)
        if request is None:
            return self.app(environ, start_response)
        environ[_SERVING] = True
        try:
            with request:
                body = self.app(environ, _answering(request, start_response))
        except BaseException:
            request.end()
            raise
        finally:
            environ.pop(_SERVING, None)
        if isinstance(body, list | tuple) or _is_file(body, environ):  # complete; the server knows better what to do
            request.end()
            return body
        parts = _Body(body, request)
        return _SizedBody(parts, cast("list[bytes]", body)) if hasattr(body, "__len__") else parts


class _Request:
    """The span of one request. A `with` block is one step of the application, in which the span is current."""

    def __init__(self, span: AnySpan, route: Callable[[], str | None]) -> None:
        self.span = span
        self._find_route = route
        self._route: str | None = None
        self.status: int | None = None
        self.done = False
        self.trace_id = span.trace_id
        self._inside: tuple[Any, Mapping[str, str]] = (span, {})

    def __enter__(self) -> None:
        self._outside = (_current.get(), own_baggage.get())
        _current.set(self._inside[0])
        own_baggage.set(self._inside[1])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._inside = (_current.get(), own_baggage.get())
        _current.set(self._outside[0])
        own_baggage.set(self._outside[1])
        if error is not None and not isinstance(error, StopIteration):
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        if self.done:
            return
        if isinstance(error, GeneratorExit):
            self.span.attribute(semconv.ABANDONED, True)
        else:
            self.span.exception(error)

    def answered(self, status: int) -> None:
        """Note how the response begins, and the route, which Flask forgets before the request has ended."""
        self.status = status
        self._route = self._find_route()

    def end(self, *, abandoned: bool = False) -> None:
        """End the span with what is known of the response; once."""
        if self.done:
            return
        self.done = True
        if not self.span.recording:
            return
        with guard("request"):
            self._describe(abandoned=abandoned)
        self.span.end()

    def _describe(self, *, abandoned: bool) -> None:
        span = self.span
        route = self._route or self._find_route()
        if route:
            span.attribute("http.route", route)
            span.name = f"{span.name.partition(' ')[0]} {route}"
        if self.status is not None:
            span.attribute("http.response.status_code", self.status)
            if self.status >= 500 and span.status != "ERROR":
                span.attribute(semconv.ERROR_TYPE, str(self.status))
                span.set_status("ERROR", f"HTTP {self.status}")
        if abandoned:
            span.attribute(semconv.ABANDONED, True)


class _Channel:
    """What an ASGI application receives and sends, passed on and listened to."""

    def __init__(self, request: _Request, receive: Receive, send: Send) -> None:
        self._request = request
        self._receive = receive
        self._send = send
        self._sent = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message.get("type") == "http.disconnect":
            self._request.end(abandoned=not self._sent)
        return message

    async def send(self, message: Message) -> None:
        with guard("response"):
            message = self._look(message)
        await self._send(message)
        if self._sent and (self._request.status is None or self._request.status < 500):
            self._request.end()

    def _look(self, message: Message) -> Message:
        """Note what the message tells, and give it with our header where it can hold one."""
        kind = message["type"]
        if kind in _RESPONSE_STARTS:
            self._request.answered(int(message["status"]))
            return self._with_id(message)
        if kind == "websocket.accept":
            self._request.status = 101
            return self._with_id(message)
        if kind in _RESPONSE_BODIES:
            self._sent = not message.get("more_body", False)
        elif kind == "websocket.close":
            if message.get("code") == _INTERNAL_ERROR and not self._request.done:
                self._request.span.set_status("ERROR", str(message.get("reason") or "internal error"))
            if self._request.status is None:
                self._request.status = 403  # closed before it was accepted: what servers then answer
        return message

    def _with_id(self, message: Message) -> Message:
        headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
        name = _ID_HEADER.lower().encode()
        if not any(bytes(key).lower() == name for key, _ in headers):
            headers.append((name, self._request.trace_id.encode()))
        return {**message, "headers": headers}


def _answering(request: _Request, start_response: Callable[..., Any]) -> Callable[..., Any]:
    """The server's `start_response`, listened to, and with our header."""

    def answer(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        with guard("response"):
            if exc_info and exc_info[0]:
                request.fail(exc_info[0][1])
            request.answered(int(status[:3]))
            if not any(name.lower() == _ID_HEADER.lower() for name, _ in headers):
                headers = [*headers, (_ID_HEADER, request.trace_id)]
        return start_response(status, headers, *exc_info)

    return answer


class _Body:
    """A response body, each step of which runs with the request's span as the current one."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body = body
        self._request = request
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            with self._request:
                if self._parts is None:
                    self._parts = iter(self._body)
                return next(self._parts)
        except BaseException:  # StopIteration is the usual one
            self._request.end()
            raise

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                with self._request:
                    close()
        finally:
            self._request.end(abandoned=True)


class _SizedBody:
    """A body whose length servers may ask for, to tell the size of a response of one part."""

    def __init__(self, parts: _Body, body: Sized) -> None:
        self._parts = parts
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def __len__(self) -> int:
        return len(self._body)

    def close(self) -> None:
        self._parts.close()


def _start_asgi(source: TracerSource, scope: Scope) -> _Request | None:
    root = str(scope.get("root_path", ""))

    def route() -> str | None:
        template = getattr(scope.get("route"), "path", None)  # Starlette, FastAPI
        mounted = str(scope.get("root_path", "")).removeprefix(root)  # where the application of that route is mounted
        return mounted + template if isinstance(template, str) else None

    method = "WEBSOCKET" if scope["type"] == "websocket" else str(scope["method"])
    return _start(source, scope.get("headers"), method, str(scope["path"]), route)


def _start_wsgi(source: TracerSource, environ: dict[str, Any]) -> _Request | None:
    def route() -> str | None:
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None)  # Flask
        template = getattr(rule, "rule", None)
        return template if isinstance(template, str) else None

    named = {
        name: environ[key]
        for name in ("traceparent", "tracestate", "baggage", "x-trace-id")
        if (key := f"HTTP_{name.upper().replace('-', '_')}") in environ
    }
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    path = path.encode("latin-1", "replace").decode("utf-8", "replace")  # PEP 3333: bytes dressed as latin-1
    return _start(source, named, str(environ["REQUEST_METHOD"]), path, route)


def _start(
    source: TracerSource, headers: Any, method: str, path: str, route: Callable[[], str | None]
) -> _Request | None:
    """A request whose span is not current yet; None where nothing is to be recorded."""
    tracer = _tracer(source)
    if tracer is None or tracer.settings.disabled:
        return None
    attributes = {"url.path": path}
    if method != "WEBSOCKET":
        attributes["http.request.method"] = method
    remote = extract(headers)
    name = f"{method} {path}"
    with attach(current_context() if remote is None else remote):
        return _Request(tracer.trace(name, attributes=attributes, kind="SERVER"), route)


def _tracer(source: TracerSource) -> Tracer | None:
    if isinstance(source, Tracer):
        return source
    source = source or default_tracer
    if source is None:
        counters.add("dropped.no_tracer")
        trouble("dropped.no_tracer", "requests are not traced: call vestigo.configure(), or give middleware a tracer")
        return None
    return source()


def _check(app: object, tracer: object) -> None:
    if not callable(app):
        raise SettingsError(f"app={app!r} is no application; give what the server would call")
    if tracer is not None and not isinstance(tracer, Tracer) and not callable(tracer):
        raise SettingsError(f"tracer={tracer!r} is no Tracer; give one, or a function that gives one, or None")


def _is_file(body: object, environ: Mapping[str, Any]) -> bool:
    """True for what the server itself can send without reading, which it knows by the type."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


__all__ = ["ASGIMiddleware", "WSGIMiddleware"]
