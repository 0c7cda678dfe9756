"""The OpenID Connect issuer of the settings: where to send a browser, and what its signed answer says of the user.

Requests go to the issuer and to the addresses that its discovery document names, never to one from a request, and
follow no redirect. Authlib builds and checks what is sent, joserfc checks signatures; `oidc.py` loads this module when
somebody logs in, since both take their time and memory.
"""

import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from vestigo import diagnostics
from vestigo.server.guard import is_trusted_url
from vestigo.server.routes import Failure
from vestigo.settings import ServerSettings

_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by keys that only the issuer has; no `none`, and no HS*, which our own secret would make."""
_KEPT_S: Final = 3_600.0
_LEEWAY_S: Final = 60
_TIMEOUT_S: Final = 10.0
_MOST_BYTES: Final = 1024 * 1024

_discovered: dict[str, tuple[float, "Provider"]] = {}
"""Issuer -> when its document was read, and what it says."""


class Provider(Struct, frozen=True):
    """What we need of the discovery document. Source: OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Attempt(Struct, frozen=True):
    """A login under way, kept by the browser that began it."""

    state: str
    nonce: str
    verifier: str
    next: str
    began_s: float


class Identity(Struct, frozen=True):
    """Whom the issuer vouches for."""

    subject: str
    email: str
    """One that the issuer has verified, or ''."""


async def begin(settings: ServerSettings, redirect_uri: str, path: str) -> tuple[str, Attempt]:
    """Where to send the browser, and what it has to keep meanwhile. Raises Failure."""
    provider = await discover(settings)
    attempt = Attempt(generate_token(43), generate_token(43), generate_token(64), path, time.time())
    async with _client(settings, provider, redirect_uri) as client:
        url, _ = client.create_authorization_url(
            provider.authorization_endpoint, state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce
        )
    return str(url), attempt


async def identify(settings: ServerSettings, redirect_uri: str, attempt: Attempt, code: str) -> Identity:
    """Exchange the code for a token that the issuer signed, for us, for this login, just now. Raises Failure."""
    provider = await discover(settings)
    try:
        async with _client(settings, provider, redirect_uri) as client:
            token = await client.fetch_token(
                provider.token_endpoint, grant_type="authorization_code", code=code, code_verifier=attempt.verifier,
                redirect_uri=redirect_uri,
            )  # fmt: skip
            keys = KeySet.import_key_set(await _fetch(client, provider.jwks_uri))
        signed = jwt.decode(str(token.get("id_token", "")), keys, algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            signed.claims,
            signed.header,
            {
                "iss": {"essential": True, "value": settings.oidc_issuer},
                "aud": {"essential": True, "value": settings.oidc_client_id},
            },
            {"nonce": attempt.nonce, "client_id": settings.oidc_client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=_LEEWAY_S)
    except httpx2.HTTPError as error:
        raise _unreachable(type(error).__name__) from None
    except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        diagnostics.trouble("oidc.token", f"the issuer's token was refused: {type(error).__name__}")
        raise Failure(403, "bad_token", "the issuer's answer cannot be trusted; the server's log says why") from None
    return _identity(claims)


def _identity(claims: dict[str, Any]) -> Identity:
    subject, email = claims["sub"], claims.get("email")
    if not isinstance(subject, str) or not subject:
        raise Failure(403, "bad_token", "the issuer's answer names nobody")
    return Identity(subject, email if isinstance(email, str) and claims.get("email_verified") is True else "")


async def discover(settings: ServerSettings) -> Provider:
    """The issuer's addresses, read at most once an hour. Raises Failure."""
    issuer = settings.oidc_issuer
    read_s, provider = _discovered.get(issuer, (-_KEPT_S, None))
    if provider is not None and time.monotonic() - read_s < _KEPT_S:
        return provider
    client: Any = AsyncOAuth2Client(**_transport())
    async with client:
        document = await _fetch(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    try:
        provider = msgspec.convert(document, Provider)
    except msgspec.ValidationError:
        raise _unreachable("its discovery document lacks what it has to say") from None
    if provider.issuer != issuer:
        raise _unreachable("its discovery document is of another issuer")
    for url in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
        if not is_trusted_url(url.partition("?")[0]) or urlsplit(url).scheme != urlsplit(issuer).scheme:
            raise _unreachable("its discovery document names an address without https")
    _discovered[issuer] = (time.monotonic(), provider)
    return provider


async def _fetch(client: Any, url: str) -> Any:
    """The JSON object at an address of the issuer."""
    body = bytearray()
    try:
        async with client.stream("GET", url, withhold_token=True) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise _unreachable("its answer is endless")
        document = msgspec.json.decode(bytes(body)) if response.status_code == 200 else None
    except msgspec.MsgspecError:
        raise _unreachable("its answer is no JSON") from None
    except httpx2.HTTPError as error:
        raise _unreachable(type(error).__name__) from None
    if not isinstance(document, dict):
        raise _unreachable(f"its answer is {response.status_code} and no JSON object")
    return document


def _unreachable(why: str) -> Failure:
    diagnostics.trouble("oidc", f"the OpenID Connect issuer cannot be used: {why}")
    return Failure(502, "issuer", f"the issuer cannot be used: {why}", retry_after_s=10.0)


def _client(settings: ServerSettings, provider: Provider, redirect_uri: str) -> Any:
    methods = provider.token_endpoint_auth_methods_supported
    secret_method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
    return AsyncOAuth2Client(
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret or None,
        token_endpoint_auth_method=secret_method if settings.oidc_client_secret else "none",
        scope="openid email",
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        **_transport(),
    )


def _transport() -> dict[str, Any]:
    """No redirects, nothing from the environment; certificates as this machine trusts them."""
    return {
        "timeout": _TIMEOUT_S,
        "follow_redirects": False,
        "trust_env": False,
        "verify": ssl.create_default_context(),
    }


__all__ = ["Attempt", "Identity", "Provider", "begin", "discover", "identify"]
