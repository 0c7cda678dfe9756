"""Routes by which a person comes in and goes out: the one-time link, a password, logging out, who one is.

They record themselves in the audit log, since the gate does not know yet who calls. OpenID Connect is in `oidc.py`.
"""

import asyncio
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from vestigo.errors import SettingsError
from vestigo.server import guard, web
from vestigo.server.audit import Entry
from vestigo.server.grants import LOCAL, SCOPES
from vestigo.server.passwords import LONGEST, network_of
from vestigo.server.routes import Call, Failure, Principal, Route
from vestigo.version import VERSION

if TYPE_CHECKING:
    from vestigo.server.grants import Grants

T = TypeVar("T")

_OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_places: Final = threading.BoundedSemaphore(8)  # passwords that may wait to be checked; each takes its time and memory


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    user: str
    password: str


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    password: str
    """The one until now."""
    new: str


class Me(Struct, frozen=True):
    """Who calls, and what the page may offer."""

    name: str
    """`user:ann@example.org`, `key:7f3a`, `local`, or `anonymous`."""
    grants: dict[str, tuple[str, ...]]
    """Project, or `*` for every one -> scopes."""
    oidc: bool
    """Whether `/auth/oidc/start` leads to a login."""
    version: str
    default_project: str
    """The project to begin with; empty for whoever may read none."""


async def login(call: Call) -> Response:
    """Check a password and open a session. As slow and as silent for a user that there is not."""
    guard.check_login(call.request.headers)
    body: Login = call.body
    user = body.user.lower()[:200]
    await _guess(call, user, body.password, "login")
    return await sign_in(call, user, "password", Response(status_code=204))


async def link(call: Call) -> Response:
    """Open the session of a one-time link, and lead to the page; without a link, the page that asks for a password."""
    token = call.request.query_params.get("token", "")
    if not token:
        return await web.show(call)
    if call.request.method == "HEAD":
        return Response()  # a preview of the link does not use it up
    accounts, settings = call.server.accounts, call.server.settings
    cookie = await call.server.ask_accounts(lambda: accounts.redeem(token, settings.session_hours))
    if cookie is None:
        await call.server.ask_accounts(
            lambda: call.server.audit.append(_entry(call, "anonymous", "login", LOCAL, "bad_link"))
        )
        raise Failure(
            403, "bad_link", "this link was used or is older than ten minutes; `vestigo link` prints a new one"
        )
    try:
        await call.server.ask_accounts(
            lambda: call.server.audit.append(_entry(call, LOCAL, "login", LOCAL, detail={"how": "link"}))
        )
    except BaseException:
        await call.server.ask_accounts(lambda: accounts.end_session(cookie))
        raise
    # relative, so that it stays below the prefix of a proxy that nobody told us of
    return _with_cookie(call, cookie, RedirectResponse(f".{own_path(call.request.query_params.get('next', '/'))}", 303))


async def logout(call: Call) -> Response:
    """End the session of this browser."""
    settings = call.server.settings
    guard.check_cookie("POST", call.request.headers, settings)
    cookie = call.request.cookies.get(guard.cookie_name(settings), "")
    if await call.server.ask_accounts(lambda: call.server.accounts.end_session(cookie)):
        await call.server.ask_accounts(lambda: call.server.audit.append(_entry(call, call.principal.name, "logout")))
    response = Response(status_code=204)
    response.delete_cookie(
        guard.cookie_name(settings), secure=guard.cookie_is_secure(settings), httponly=True, samesite="strict"
    )
    return response


async def me(call: Call) -> Response:
    """Who the key or session speaks for; `anonymous` without one."""
    grants = {
        project: tuple(scope for scope in SCOPES if scope in scopes)
        for project, scopes in sorted(call.principal.grants.items())
    }
    project = default_project(call.principal, call.server.settings.project)
    return answer(Me(call.principal.name, grants, bool(call.server.settings.oidc_issuer), VERSION, project))


def default_project(principal: Principal, usual: str) -> str:
    """The server's own project if it may be read, else the first one that may; empty without any."""
    if principal.may("read", usual):
        return usual
    return next((name for name in principal.projects if principal.may("read", name)), "")


async def password(call: Call) -> Response:
    """Change one's own password; every session ends, and this browser gets a new one."""
    kind, _, user = call.principal.name.partition(":")
    if kind != "user":
        raise Failure(403, "forbidden", "only a user who is logged in has a password to change")
    body: NewPassword = call.body
    await _guess(call, user, body.password, "user.password")
    accounts = call.server.accounts
    await recorded(call, "user.password", user, {}, lambda: accounts.set_password(user, body.new))
    return await sign_in(call, user, "password", Response(status_code=204))


async def sign_in(call: Call, user: str, how: str, response: Response, grants: "Grants | None" = None) -> Response:
    """Record that a user came in, open a session, and put its cookie on the answer."""
    settings, accounts = call.server.settings, call.server.accounts
    await call.server.ask_accounts(
        lambda: call.server.audit.append(_entry(call, f"user:{user}", "login", user, detail={"how": how}))
    )
    before = call.request.cookies.get(guard.cookie_name(settings))
    if before:
        await call.server.ask_accounts(lambda: accounts.end_session(before))
    cookie = await call.server.ask_accounts(lambda: accounts.open_session(user, settings.session_hours, grants))
    return _with_cookie(call, cookie, response)


async def recorded(call: Call, action: str, what: str, detail: dict[str, object], change: Callable[[], T]) -> T:
    """Make a change that stands in the audit log first: one that is not recorded is not made.

    Raises Failure for what makes no sense, recorded too.
    """

    def run() -> T:
        entry = _entry(call, call.principal.name, action, what, detail=detail)
        call.server.audit.append(entry)
        try:
            return change()
        except SettingsError as error:
            call.server.audit.append(msgspec.structs.replace(entry, outcome="bad_request"))
            raise Failure(400, "bad_request", str(error)) from None
        except BaseException:
            call.server.audit.append(msgspec.structs.replace(entry, outcome="failed"))
            raise

    return await call.server.ask_accounts(run)


def own_path(text: str) -> str:
    """A path of ours to lead a browser to; `/` for what might lead elsewhere."""
    return text if _OWN_PATH.fullmatch(text) else "/"


def answer(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def _guess(call: Call, user: str, password: str, action: str) -> None:
    """Raise Failure unless it is the user's password; failures are counted, recorded and soon have to wait."""
    accounts = call.server.accounts
    network = network_of(address(call))
    wait_s = max(accounts.user_failures.wait_s(user), accounts.address_failures.wait_s(network))
    if wait_s > 0:
        call.server.counters.add("refused.login")
        raise Failure(429, "too_many_attempts", f"too many failed logins; wait {wait_s:.0f} s", retry_after_s=wait_s)
    if len(password) > LONGEST:
        raise Failure(400, "bad_request", f"no password is longer than {LONGEST} bytes")
    if not _places.acquire(blocking=False):
        raise Failure(503, "busy", "too many logins at once; try again in a moment", retry_after_s=2.0)
    accounts.user_failures.fail(user)  # counted before it is known, so that guesses side by side all count
    accounts.address_failures.fail(network)
    try:
        right = await asyncio.to_thread(accounts.right_password, user, password)
    finally:
        _places.release()
    if right:
        accounts.user_failures.forgive(user)
        accounts.address_failures.forgive(network)
        return
    known = await call.server.ask_accounts(lambda: accounts.has_user(user))
    what = user if known else ""  # people type passwords into the field of the name
    await call.server.ask_accounts(
        lambda: call.server.audit.append(_entry(call, call.principal.name, action, what, "wrong_password"))
    )
    raise Failure(401, "wrong_password", "user or password is wrong")


def _entry(
    call: Call, who: str, action: str, what: str = "", outcome: str = "ok", detail: dict[str, object] | None = None
) -> Entry:
    project = call.project if call.route.project else ""
    return Entry(
        principal=who, action=action, project=project, object=what, outcome=outcome, detail=detail or {},
        address=address(call),
    )  # fmt: skip


def address(call: Call) -> str:
    """Where the caller comes from."""
    client = call.request.client
    return guard.address_of(client.host if client else "", call.request.headers, call.server.settings)


def _with_cookie(call: Call, cookie: str, response: Response) -> Response:
    settings = call.server.settings
    response.set_cookie(
        guard.cookie_name(settings), cookie, max_age=int(settings.session_hours * 3_600),
        secure=guard.cookie_is_secure(settings), httponly=True, samesite="strict",
    )  # fmt: skip
    return response


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST", path="/api/login", scope="public", handler=login, summary="Log in with a password",
        tag="login", project=False, body=Login,
    ),
    Route(
        method="GET", path="/login", scope="public", handler=link, tag="login", project=False,
        summary="The page's login; with `?token=`, log in with a one-time link and go on at `next`",
    ),
    Route(
        method="POST", path="/api/logout", scope="public", handler=logout, summary="End the session",
        tag="login", project=False,
    ),
    Route(
        method="GET", path="/api/me", scope="public", handler=me, summary="Who the key or session speaks for",
        tag="login", project=False, answer=Me,
    ),
    Route(
        method="POST", path="/api/password", scope="public", handler=password, summary="Change one's own password",
        tag="login", project=False, body=NewPassword,
    ),
)  # fmt: skip

__all__ = ["ROUTES", "address", "answer", "own_path", "recorded", "sign_in"]
