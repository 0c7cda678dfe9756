"""Routes of logging in by OpenID Connect: authorization code with PKCE, state and nonce, always.

What the login needs meanwhile lies in a cookie of the browser that began it, so that no other browser can end it.
`issuer.py` speaks with the issuer.
"""

import hmac
import html
import time
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from starlette.responses import HTMLResponse, RedirectResponse, Response

from vestigo.server import guard
from vestigo.server.audit import Entry
from vestigo.server.grants import ROLES, parse_roles
from vestigo.server.login import address, own_path, sign_in
from vestigo.server.passwords import network_of
from vestigo.server.routes import Call, Failure, Route
from vestigo.settings import ServerSettings

if TYPE_CHECKING:
    from vestigo.server.issuer import Attempt, Identity

_ALLOWED_S: Final = 600.0
_LEAD_ON: Final = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={}"><title>Vestigo</title>'
)


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    next: str = "/"
    """Path of ours to go on at."""


async def start(call: Call) -> Response:
    """Send the browser to the issuer."""
    settings = _settings(call)
    from vestigo.server import issuer  # noqa: PLC0415  Authlib is loaded where it is used

    url, attempt = await issuer.begin(settings, _redirect_uri(call), own_path(call.query.next))
    response = RedirectResponse(url, 303)
    response.set_cookie(
        guard.cookie_name(settings, "oidc"), msgspec.json.encode(attempt).hex(), max_age=int(_ALLOWED_S),
        secure=guard.cookie_is_secure(settings), httponly=True,
        samesite="lax",  # strict would keep it back when the issuer sends the browser here
    )  # fmt: skip
    return response


async def callback(call: Call) -> Response:
    """Take the code that the issuer sent by the browser, and log in whom it stands for."""
    settings = _settings(call)
    from vestigo.server import issuer  # noqa: PLC0415

    failures, network = call.server.accounts.address_failures, network_of(address(call))
    wait_s = failures.wait_s(network)
    if wait_s > 0:
        raise Failure(429, "too_many_attempts", f"too many failed logins; wait {wait_s:.0f} s", retry_after_s=wait_s)
    failures.fail(network)  # counted before it is known
    attempt = _attempt(call, settings, issuer.Attempt)
    code = _code(call, settings, attempt)
    user = await _user(call, settings, await issuer.identify(settings, _redirect_uri(call), attempt, code))
    failures.forgive(network)
    # A page that leads on, and no redirect: that would still count as coming from the issuer, without our cookie.
    location = html.escape(f"{settings.root_path.rstrip('/')}{own_path(attempt.next)}")
    grants = {project: ROLES[role] for project, role in parse_roles(settings.oidc_grants).items()}
    response = await sign_in(call, user, "oidc", HTMLResponse(_LEAD_ON.format(location)), grants or None)
    response.delete_cookie(
        guard.cookie_name(settings, "oidc"), secure=guard.cookie_is_secure(settings), httponly=True, samesite="lax"
    )
    return response


def _settings(call: Call) -> ServerSettings:
    settings = call.server.settings
    if not settings.oidc_issuer:
        raise Failure(404, "not_found", "no OpenID Connect issuer is set up here; see oidc_issuer")
    return settings


def _attempt(call: Call, settings: ServerSettings, kind: "type[Attempt]") -> "Attempt":
    """What this browser began, unless that was too long ago."""
    try:
        kept = bytes.fromhex(call.request.cookies.get(guard.cookie_name(settings, "oidc"), ""))
        attempt = msgspec.json.decode(kept, type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise Failure(403, "bad_state", "this browser began no login, or has sent no cookie; log in again") from None
    if not 0 <= time.time() - attempt.began_s < _ALLOWED_S:
        raise Failure(403, "bad_state", "the login took too long; log in again")
    return attempt


def _code(call: Call, settings: ServerSettings, attempt: "Attempt") -> str:
    """The code of the issuer's answer. Sources: RFC 6749, section 4.1.2; `iss`: RFC 9207."""
    given = call.request.query_params
    if not hmac.compare_digest(given.get("state", "").encode(), attempt.state.encode()) or not attempt.state:
        raise Failure(403, "bad_state", "the answer belongs to another login; log in again")
    if given.get("iss", settings.oidc_issuer) != settings.oidc_issuer:
        raise Failure(403, "bad_issuer", "the answer comes from another issuer")
    if "error" in given or not given.get("code"):
        raise Failure(403, "refused", "the issuer did not let you in")
    return given["code"]


async def _user(call: Call, settings: ServerSettings, identity: "Identity") -> str:
    """The user behind an identity: by issuer and subject, and the first time by a verified email."""
    accounts = call.server.accounts
    user = await call.server.ask_accounts(
        lambda: accounts.user_of_identity(
            settings.oidc_issuer, identity.subject, identity.email, create=bool(parse_roles(settings.oidc_grants))
        )
    )
    if user is None:
        entry = Entry(principal="anonymous", action="login", outcome="no_account", address=address(call))
        await call.server.ask_accounts(lambda: call.server.audit.append(entry))
        raise Failure(403, "no_account", "the issuer knows you, but you have no account here; ask who runs this server")
    return user


def _redirect_uri(call: Call) -> str:
    """Our own callback, by the name that the request came by, which the gate has found on its list."""
    settings = call.server.settings
    return f"{guard.own_origin(call.request.headers, settings)}{settings.root_path.rstrip('/')}/auth/oidc/callback"


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path="/auth/oidc/start", scope="public", handler=start, summary="Log in by OpenID Connect",
        tag="login", project=False, query=Start,
    ),
    Route(
        method="GET", path="/auth/oidc/callback", scope="public", handler=callback,
        summary="Where the issuer sends the browser back", tag="login", project=False,
    ),
)  # fmt: skip

__all__ = ["ROUTES"]
