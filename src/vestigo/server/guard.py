"""Whom a request may come from, before anybody asks who it is: Host, Origin, headers, cookies, and whether to start.

Pure functions of headers and settings; the gate calls `check_request` first for every request, and `check_cookie` for
those that a session speaks for. Everything is a list of what is allowed; what stands on none is refused.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from vestigo.errors import SettingsError
from vestigo.server.grants import parse_roles
from vestigo.server.routes import Failure
from vestigo.settings import ServerSettings

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer, whatever its type and status."""

OTLP_PATHS: Final = frozenset({"/v1/traces", "/v1/logs", "/v1/metrics"})
"""The only paths that pages of other origins may send to."""
_PAGES: Final = frozenset({"/", "/docs", "/login", "/settings", "/auth/oidc/callback"})
_PROJECTS: Final = "/p/"  # pages of projects stand below it, and nothing else does
PAGE_HEADER: Final = "X-Vestigo"
"""No form and no simple request of another site can send it."""

_OWN_PATHS: Final = frozenset({"p", "api", "v1", "assets", "auth", "docs", "login", "settings", "metrics"})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
_KEPT_PATHS: Final = ("/v1/",)  # answers that hold nothing
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::([0-9]{1,5}))?")
_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_CORS_HEADERS: Final = (
    "authorization", "baggage", "content-encoding", "content-type", "traceparent", "tracestate", "x-vestigo-project",
)  # fmt: skip


def refuse_to_start(settings: ServerSettings) -> str | None:
    """Why a server with these settings would be unsafe, with the remedy; None if it may start."""
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        return "TLS needs both tls_certificate and tls_key; give the other one too"
    if not is_loopback(settings.host) and not settings.tls_certificate and not settings.behind_proxy:
        return (
            f"host {settings.host!r} can be reached from other machines, and keys would cross the network in clear;"
            " give tls_certificate and tls_key, or behind_proxy where a proxy ends TLS, or host 127.0.0.1"
        )
    first = settings.root_path.strip("/").partition("/")[0]
    if first in _OWN_PATHS:
        return (
            f"root_path={settings.root_path!r} begins as paths of the server itself do; give another such as '/vestigo'"
        )
    for host in settings.allowed_hosts:
        if not _HOST.fullmatch(host.lower()):
            return f"allowed_hosts has {host!r}; give exact names such as 'vestigo.example.org' or 'vestigo:4318'"
    for origin in settings.allowed_origins:
        if not _is_origin(origin):
            return f"allowed_origins has {origin!r}; give exact origins such as 'https://app.example.org'"
    return _refuse_oidc(settings)


def _refuse_oidc(settings: ServerSettings) -> str | None:
    try:
        parse_roles(settings.oidc_grants)
    except SettingsError as error:
        return f"oidc_grants={settings.oidc_grants!r}: {error}"
    if not settings.oidc_issuer:
        return None
    if not settings.oidc_client_id:
        return "oidc_issuer is set without oidc_client_id; give the id that the issuer knows this server by"
    if not is_trusted_url(settings.oidc_issuer):
        return f"oidc_issuer={settings.oidc_issuer!r} is no https:// address; keys of others could be slipped in"
    return None


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach what listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_trusted_url(url: str) -> bool:
    """Whether it is https, or http to this machine, and names nothing but a place."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def ingest_is_open(settings: ServerSettings) -> bool:
    """Whether records are taken without a key: only where nobody but this machine can send them."""
    return settings.open_ingest and is_loopback(settings.host) and not settings.behind_proxy


# --- each request


def check_request(method: str, path: str, headers: Headers, settings: ServerSettings) -> None:
    """Refuse what comes by a name that is not ours, or from a page of another origin. Raises Failure."""
    check_host(headers.getlist("host"), settings)
    check_origin(method, path, headers, settings)


def check_host(hosts: list[str], settings: ServerSettings) -> None:
    """Refuse names that are not on the list: a page of another site can point its own name at this address."""
    match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if match is not None:
        allowed = {
            *_LOOPBACK_NAMES,
            _in_brackets(settings.host.lower()),
            *(one.lower() for one in settings.allowed_hosts),
        }
        if match[1] in allowed or match[0] in allowed:
            return
    raise Failure(403, "host_not_allowed", "this Host is not allowed; add its name to allowed_hosts if it is yours")


def check_origin(method: str, path: str, headers: Headers, settings: ServerSettings) -> None:
    """Refuse pages of other origins, but for the OTLP paths and those that the settings name."""
    origins = headers.getlist("origin")
    own = origins == [own_origin(headers, settings)]
    invited = len(origins) == 1 and path in OTLP_PATHS and origins[0] in settings.allowed_origins
    if origins and not own and not invited:
        raise Failure(403, "origin_not_allowed", "pages of this origin may not ask here; see allowed_origins")
    site = headers.get("sec-fetch-site", "none")
    followed = method in _SAFE_METHODS and is_page(path) and headers.get("sec-fetch-mode") == "navigate"
    if site not in _OWN_SITES and not invited and not followed:
        raise Failure(403, "origin_not_allowed", "pages of other sites may not ask here")


def is_page(path: str) -> bool:
    """Whether a link on another site may lead there: to pages, none of which does anything by a cookie."""
    return path in _PAGES or path.startswith(_PROJECTS)


def check_cookie(method: str, headers: Headers, settings: ServerSettings) -> None:
    """Refuse what a session's cookie speaks for, unless our own page sent it: CSRF. Raises Failure."""
    origins = headers.getlist("origin")
    own = origins == [own_origin(headers, settings)]
    if origins and not own:
        raise Failure(403, "origin_not_allowed", "sessions are for our own page only")
    if method not in _SAFE_METHODS and not (own and headers.getlist(PAGE_HEADER) == ["1"]):
        raise Failure(403, "forgery", f"a change by session needs the header {PAGE_HEADER}: 1 and our own Origin")


def check_login(headers: Headers) -> None:
    """Refuse a login that another site's page could have sent for somebody. Raises Failure."""
    if headers.getlist(PAGE_HEADER) != ["1"]:
        raise Failure(403, "forgery", f"a login needs the header {PAGE_HEADER}: 1")


def own_origin(headers: Headers, settings: ServerSettings) -> str:
    """The origin of our own page, by the name that the request came by; check that name first."""
    return f"{scheme_of(headers, settings)}://{headers.get('host', '').lower()}"


def scheme_of(headers: Headers, settings: ServerSettings) -> str:
    """http or https, as the browser sees it."""
    if settings.behind_proxy:
        told = headers.get("x-forwarded-proto", "https").rpartition(",")[2].strip().lower()
        return "http" if told == "http" else "https"
    return "https" if settings.tls_certificate else "http"


def address_of(peer: str, headers: Headers, settings: ServerSettings) -> str:
    """Where a request comes from: the peer, or what the proxy in front says, which is the last of its list."""
    if not settings.behind_proxy:
        return peer
    told = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return peer


# --- each answer


def security_headers(path: str) -> dict[str, str]:
    """Headers of the answer at a path; nothing that an account was needed for stays in a cache."""
    kept = path.startswith(_KEPT_PATHS)
    return {**SECURITY_HEADERS} if kept else {**SECURITY_HEADERS, "Cache-Control": "no-store"}


def cors_headers(path: str, headers: Headers, settings: ServerSettings) -> dict[str, str]:
    """What lets a page of an allowed origin read the answer; never with credentials, never `*`."""
    if path not in OTLP_PATHS or not settings.allowed_origins:
        return {}
    origins = headers.getlist("origin")
    if len(origins) != 1 or origins[0] not in settings.allowed_origins:
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origins[0], "Access-Control-Expose-Headers": "Retry-After", "Vary": "Origin"}


def preflight(path: str, headers: Headers, settings: ServerSettings) -> dict[str, str]:
    """Headers of the answer (204) to an OPTIONS request. Raises Failure: only POST to the OTLP paths is allowed."""
    allowed = cors_headers(path, headers, settings)
    wanted = {name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")} - {""}
    if (
        "Access-Control-Allow-Origin" not in allowed
        or headers.get("access-control-request-method") != "POST"
        or not wanted.issubset(_CORS_HEADERS)
    ):
        raise Failure(403, "origin_not_allowed", "pages of other origins may not ask this here; see allowed_origins")
    return {
        **allowed,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": ", ".join(_CORS_HEADERS),
        "Access-Control-Max-Age": "600",
    }


# --- cookies


def cookie_is_secure(settings: ServerSettings) -> bool:
    """Whether browsers may send our cookies by TLS only: everywhere but on a loopback address without it."""
    return bool(settings.tls_certificate) or settings.behind_proxy or not is_loopback(settings.host)


def cookie_name(settings: ServerSettings, what: str = "session") -> str:
    """`__Host-` makes browsers hold the cookie to this host, path / and TLS."""
    return f"__Host-vestigo_{what}" if cookie_is_secure(settings) else f"vestigo_{what}"


def _in_brackets(host: str) -> str:
    """An address as it stands in a Host header; '' for the addresses that stand for all."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if address.is_unspecified:
        return ""
    return f"[{address}]" if address.version == 6 else str(address)


def _is_origin(text: str) -> bool:
    scheme, _, host = text.partition("://")
    return scheme in {"http", "https"} and text == text.lower() and _HOST.fullmatch(host) is not None


__all__ = [
    "OTLP_PATHS", "SECURITY_HEADERS", "address_of", "check_cookie", "check_host", "check_login",
    "check_origin", "check_request", "cookie_is_secure", "cookie_name", "cors_headers", "ingest_is_open", "is_loopback",
    "is_page", "is_trusted_url", "own_origin", "preflight", "refuse_to_start", "scheme_of", "security_headers",
]  # fmt: skip
