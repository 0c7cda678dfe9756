"""The gate: every request passes it, and nothing is answered that it did not let through.

In order: the Host and Origin rules, the route, who calls, what they may do in which project, what they ask for, the
audit log; then the handler; then the answer's headers and the figures. What stands in no route is refused.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import compile_path

from vestigo import otlp
from vestigo.diagnostics import trouble
from vestigo.errors import QueryError, QueryTimeout, StorageError, UnsupportedQuery, VestigoError
from vestigo.sdk.endpoint import TAKES_HEADER
from vestigo.server import guard
from vestigo.server.chain import Entry
from vestigo.server.routes import EVERY_PROJECT, Call, Failure, Principal, Route
from vestigo.settings import PROJECT_NAME

if TYPE_CHECKING:
    from vestigo.server import Server

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

ANONYMOUS: Final = Principal("anonymous")
_SENDER: Final = Principal("local-sender", {EVERY_PROJECT: frozenset({"ingest"})})
"""Whoever sends records from this machine without a key, where the settings let them."""
_HEADS: Final = frozenset({"page", "health", "reference"})
"""Tags of routes that HEAD may ask too: those whose handlers do nothing but tell."""
_BODY_BYTES: Final = 1024 * 1024
_GRPC_CODES: Final = {
    400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 14, 501: 12, 503: 14,
}  # fmt: skip
"""google.rpc.Code of an HTTP status, for answers to OTLP senders."""


class _Entry(Struct, frozen=True):
    """A route with its compiled path."""

    pattern: re.Pattern[str]
    convertors: dict[str, Any]
    route: Route


class Gate:
    """An ASGI application around a route table."""

    def __init__(self, server: "Server", routes: Iterable[Route]) -> None:
        self._server = server
        self._table: dict[str, list[_Entry]] = {}
        for route in routes:
            pattern, _, convertors = compile_path(route.path)
            self._table.setdefault(route.method, []).append(_Entry(pattern, convertors, route))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            scope = {**scope, "path": self._below_root(scope["path"])}
            await self._answer(Request(scope, receive), scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _below_root(self, path: str) -> str:
        """The path below the prefix, which a proxy may have taken off or left on."""
        root = self._server.settings.root_path
        while root and (path == root or path.startswith(root + "/")):
            path = path[len(root) :] or "/"
        return path

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._server.start()
        except Exception as error:
            await self._server.stop()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._server.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, request: Request, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        passed = _Passed()
        try:
            response = await self._pass(request, passed)
        except ClientDisconnect:
            return
        except Exception as error:
            response = self._refusal(request, error)
        self._finish(request, response, passed)
        path = passed.route.path if passed.route else ""
        await response(scope, receive, send)
        self._server.metrics.observe_request(request.method, path, response.status_code, time.perf_counter() - began)

    async def _pass(self, request: Request, passed: "_Passed") -> Response:
        settings, headers, path = self._server.settings, request.headers, request.scope["path"]
        guard.check_host(headers.getlist("host"), settings)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=guard.preflight(path, headers, settings))
        guard.check_origin(request.method, path, headers, settings)
        route, parameters = self._find(request.method, path)
        passed.route = route
        request.scope["path_params"] = parameters
        if "authorization" in headers or "cookie" in headers:
            principal = await self._server.ask_accounts(lambda: self.principal(request.method, headers, route))
        else:
            principal = self.principal(request.method, headers, route)
        passed.principal = principal
        project = admit(principal, route, _named_project(request), self._server.settings.project)
        passed.project = project if route.project else ""
        call = Call(self._server, route, request, principal, project)
        if route.query is not None:
            call.query = _query(request, route.query)
        if route.body is not None:
            call.body = await _body(request, route.body)
        await self._audit(request, passed)
        return await route.handler(call)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, Any]]:
        wanted = "GET" if method == "HEAD" else method
        for entry in self._table.get(wanted, ()):
            match = entry.pattern.fullmatch(path)
            if match and (method != "HEAD" or entry.route.tag in _HEADS or path == "/login"):
                found = {name: entry.convertors[name].convert(text) for name, text in match.groupdict().items()}
                return entry.route, found
        others = [
            known for known, entries in self._table.items() if any(entry.pattern.fullmatch(path) for entry in entries)
        ]
        if others:
            allowed = ", ".join(sorted(others))
            raise Failure(405, "method", f"{method} is not known here; use {allowed}", headers={"Allow": allowed})
        raise Failure(404, "not_found", "there is nothing at this path; /docs lists what there is")

    # --- who

    def principal(self, method: str, headers: Headers, route: Route) -> Principal:
        """Who calls: by key, by session, or nobody. Blocks. Raises Failure 401 for a key that is not valid."""
        accounts = self._server.accounts
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme:
            found = accounts.principal_of_key(token.strip()) if scheme.lower() == "bearer" else None
            if found is None:
                raise _unauthenticated("this key is not valid, or not any more")
            return found
        cookie = _cookie(headers, guard.cookie_name(self._server.settings))
        if cookie:
            found = accounts.principal_of_session(cookie)
            if found is not None:
                guard.check_cookie(method, headers, self._server.settings)
                return found
        if route.scope == "ingest" and guard.ingest_is_open(self._server.settings):
            return _SENDER
        return ANONYMOUS

    # --- after

    async def _audit(self, request: Request, passed: "_Passed") -> None:
        """Record the access before it happens: a change is on the disk by then, a read within a moment."""
        route = passed.route
        if route is None or not route.audit:
            return
        entry, audit = self._entry(request, passed, "ok"), self._server.audit
        record = audit.note if route.method == "GET" else audit.append
        await self._server.ask_accounts(lambda: record(entry))

    def _entry(self, request: Request, passed: "_Passed", outcome: str) -> Entry:
        route = passed.route
        parameters = request.scope.get("path_params") or {}
        peer = request.client.host if request.client else ""
        return Entry(
            principal=passed.principal.name,
            action=route.audit if route else "",
            project=passed.project,
            object="/".join(str(value) for value in parameters.values())[:200],
            outcome=outcome,
            address=guard.address_of(peer, request.headers, self._server.settings),
        )

    def _finish(self, request: Request, response: Response, passed: "_Passed") -> None:
        path = request.scope["path"]
        for name, value in guard.security_headers(path).items():
            response.headers.setdefault(name, value)
        for name, value in guard.cors_headers(path, request.headers, self._server.settings).items():
            response.headers.setdefault(name, value)
        if path in guard.OTLP_PATHS:
            response.headers[TAKES_HEADER] = "open"  # our exporters show us spans that have not ended
        if response.status_code in {401, 403} and passed.route is not None and passed.route.scope != "ingest":
            entry = self._entry(request, passed, "refused")
            if not entry.action:
                entry = msgspec.structs.replace(entry, action=f"{passed.route.method} {passed.route.path}")
            self._server.note_refusal(entry)

    def _refusal(self, request: Request, error: Exception) -> Response:
        """An error as an answer, in the form that the caller speaks. Says nothing of our inside."""
        failure = error if isinstance(error, Failure) else failure_of(error)
        if failure.status == 500:
            self._server.counters.add("failed.request")
            trouble("failed.request", f"a request failed: {type(error).__name__}", exc_info=True)
        headers = dict(failure.headers)
        if failure.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(failure.retry_after_s)))
        if request.scope["path"] in guard.OTLP_PATHS:
            form = "json" if "json" in request.headers.get("content-type", "") else "protobuf"
            content = otlp.status(form, _GRPC_CODES.get(failure.status, 13), failure.message)
            kind = "application/json" if form == "json" else "application/x-protobuf"
            return Response(content, failure.status, headers, kind)
        told: dict[str, Any] = {"code": failure.code, "message": failure.message}
        if failure.position is not None:
            told["position"] = failure.position
        return Response(msgspec.json.encode({"error": told}), failure.status, headers, "application/json")


class _Passed:
    """How far a request has come."""

    __slots__ = ("principal", "project", "route")

    def __init__(self) -> None:
        self.route: Route | None = None
        self.principal = ANONYMOUS
        self.project = ""


def admit(principal: Principal, route: Route, named: str, default: str) -> str:
    """The project that a call acts on. Raises Failure where the principal may not do so there.

    `named` is what the request names; without it, it is the only project that the principal has, or the default one.
    """
    own = principal.projects
    project = named or (own[0] if len(own) == 1 and EVERY_PROJECT not in principal.grants else default)
    if not PROJECT_NAME.fullmatch(project):
        raise Failure(400, "bad_project", "a project is named by letters, digits, '.', '_' and '-', at most 100")
    if principal.may(route.scope, project if route.project else EVERY_PROJECT):
        return project
    if principal is ANONYMOUS:
        raise _unauthenticated("log in, or send a key as 'Authorization: Bearer vst_...'")
    where = f"in project {project}" if route.project else "for every project"
    raise Failure(403, "forbidden", f"this needs the scope {route.scope!r} {where}")


def failure_of(error: Exception) -> Failure:
    """Errors of storages and questions as answers; 500 for what nobody expected."""
    match error:
        case QueryTimeout():
            return Failure(504, "query_timeout", str(error))
        case UnsupportedQuery():
            return Failure(501, "unsupported", str(error), position=error.position)
        case QueryError():
            return Failure(400, "bad_query", str(error), position=error.position)
        case StorageError():
            return Failure(503, "storage", str(error), retry_after_s=5.0)
        case VestigoError():
            return Failure(400, "bad_request", str(error))
        case _:
            return Failure(500, "internal", "something went wrong here; the server's log says where")


def _unauthenticated(message: str) -> Failure:
    return Failure(401, "unauthenticated", message, headers={"WWW-Authenticate": "Bearer"})


def _named_project(request: Request) -> str:
    return request.query_params.get("project") or request.headers.get("x-vestigo-project", "")


def _cookie(headers: Mapping[str, str], name: str) -> str:
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _query(request: Request, kind: type[Struct]) -> Struct:
    """The query string as the route's struct. Raises Failure for what it does not have."""
    fields = set(kind.__struct_encode_fields__)
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name == "project":
            continue
        if name not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise Failure(400, "bad_request", f"unknown parameter {name[:40]!r}; there are: {known}")
        if name in given:
            raise Failure(400, "bad_request", f"parameter {name!r} is given twice")
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Failure(400, "bad_request", str(error)) from None


async def _body(request: Request, kind: Any) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Failure(415, "content_type", "send the body as application/json")
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _BODY_BYTES:
            raise Failure(413, "too_large", f"the body is larger than {_BODY_BYTES} bytes")
        parts.append(chunk)
    try:
        return msgspec.json.decode(b"".join(parts), type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Failure(400, "bad_request", f"cannot read the body: {error}") from None


__all__ = ["ANONYMOUS", "Gate", "admit", "failure_of"]
