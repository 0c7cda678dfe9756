"""What a route is, and what its handler is called with. The one table of all routes is made in `server/__init__.py`.

A route declares who may call it, what it takes and what it gives; the gate (`gate.py`) checks that before the handler
runs, the description at `/openapi.json` is made from it, and a test calls each route without its scope. A path that
stands in no route is refused.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from vestigo.server import Server

T = TypeVar("T")

Scope: TypeAlias = Literal["public", "ingest", "read", "write", "admin"]
"""Who may call: anybody; those who may send records; ask; score and annotate; delete, set and manage."""

EVERY_PROJECT = "*"


class Principal(Struct, frozen=True):
    """Who calls, and what they may do where."""

    name: str
    """For the audit log: `key:7f3a`, `user:ann@example.org`, `local` (the one-time link), `anonymous`."""
    grants: dict[str, frozenset[str]] = {}
    """Project, or `*` for every one -> scopes."""

    def may(self, scope: Scope, project: str) -> bool:
        if scope == "public":
            return True
        return scope in self.grants.get(project, frozenset()) or scope in self.grants.get(EVERY_PROJECT, frozenset())

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects that are named in the grants; `*` is none of them."""
        return tuple(sorted(set(self.grants) - {EVERY_PROJECT}))


class Call:
    """One request that has passed the gate."""

    __slots__ = ("body", "principal", "project", "query", "request", "route", "server")

    def __init__(self, server: "Server", route: "Route", request: Request, principal: Principal, project: str) -> None:
        self.server = server
        self.route = route
        self.request = request
        self.principal = principal
        self.project = project
        """The project that the route acts on: `?project=`, `X-Vestigo-Project`, or the only one of the principal."""
        self.query: Any = None
        """An instance of `route.query`."""
        self.body: Any = None
        """An instance of `route.body`."""

    async def ask(self, question: Callable[[], T]) -> T:
        """Run a blocking question to the storage in the bounded pool, within the time limit of the settings."""
        return await self.server.ask(question)


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


class Route(Struct, frozen=True, kw_only=True):
    """One entry of the route table."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """As Starlette writes it: `/api/traces/{trace_id}`."""
    scope: Scope
    handler: Handler
    summary: str
    """One line for `/openapi.json` and the reference."""
    tag: str
    """The group it stands in there: `traces`, `keys`, ..."""
    project: bool = True
    """Whether it acts on one project; else the scope must be held for every project."""
    query: type[Struct] | None = None
    """What the query string is converted to; a parameter that the struct does not have is refused."""
    body: Any = None
    """Type of the JSON body, for `msgspec.json.decode`."""
    answer: Any = None
    """Type of the JSON answer; None for others."""
    audit: str = ""
    """Name of the action in the audit log, such as `trace.read`; empty for what is not logged there."""


class Failure(Exception):  # noqa: N818  an answer, not a fault of ours
    """An answer other than success: raised by handlers and the gate, written by the gate in the request's type."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        position: int | None = None,
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        """A word for programs: `not_found`, `bad_query`, `too_large`, `busy`."""
        self.message = message
        self.position = position
        self.retry_after_s = retry_after_s
        self.headers = headers or {}


__all__ = ["EVERY_PROJECT", "Call", "Failure", "Handler", "Principal", "Route", "Scope"]
