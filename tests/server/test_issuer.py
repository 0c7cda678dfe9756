"""The issuer: its document is read seldom and believed only where it is as safe as the issuer's own address."""

import subprocess
import sys
from pathlib import Path

import pytest

from vestigo.server import issuer
from vestigo.server.routes import Failure
from vestigo.settings import ServerSettings

sys.path.insert(0, str(Path(__file__).parent))
from identity_provider import CLIENT, SECRET, IdentityProvider


@pytest.fixture
def provider():
    issuer._discovered.clear()
    provider = IdentityProvider()
    yield provider
    provider.close()


def settings_of(provider, **more):
    return ServerSettings(
        **{"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, **more}
    )


async def test_the_document_is_read_once_an_hour(provider, monkeypatch):
    """And again when the hour is over."""
    first = await issuer.discover(settings_of(provider))
    assert first.token_endpoint == f"{provider.issuer}/token"
    assert await issuer.discover(settings_of(provider)) is first
    assert len(provider.requests) == 1
    now = issuer.time.monotonic()
    monkeypatch.setattr(issuer.time, "monotonic", lambda: now + 3_601)
    assert await issuer.discover(settings_of(provider)) == first
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://127.0.0.1/token"},
        {"token_endpoint": "http://198.51.100.1/token"},
        {"token_endpoint": "http://user:word@127.0.0.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
)
async def test_a_document_that_cannot_be_trusted_is_refused(provider, document):
    """Of another issuer, or with addresses that are not as safe as the issuer's own; nothing is kept of it."""
    provider.document = document
    with pytest.raises(Failure) as refused:
        await issuer.discover(settings_of(provider))
    assert (refused.value.status, refused.value.code) == (502, "issuer")
    assert issuer._discovered == {}


@pytest.mark.parametrize("answer", [(302, {}), (500, {}), (200, b"[]"), (200, b"<html>"), (200, b"0" * 2_000_000)])
async def test_nonsense_is_told_of(provider, answer, monkeypatch):
    """Redirects are not followed, endless answers not read."""
    monkeypatch.setattr(provider, "answer", lambda *_: answer)
    with pytest.raises(Failure, match="cannot be used"):
        await issuer.discover(settings_of(provider))


async def test_an_issuer_that_is_away_is_told_of(provider):
    """No traceback, and when to try again."""
    with pytest.raises(Failure) as refused:
        await issuer.discover(settings_of(provider, oidc_issuer="http://127.0.0.1:9"))
    assert refused.value.retry_after_s


async def test_each_login_has_its_own_secrets(provider):
    """State, nonce and verifier are new each time, and the verifier does not go by the browser's address."""
    (url, one), (_, two) = [await issuer.begin(settings_of(provider), "http://127.0.0.1/x", "/") for _ in range(2)]
    assert not {one.state, one.nonce, one.verifier} & {two.state, two.nonce, two.verifier}
    assert one.state in url
    assert one.nonce in url
    assert one.verifier not in url
    assert SECRET not in url


def test_a_server_without_such_logins_does_not_load_authlib():
    """It takes its time and memory only when somebody logs in by it."""
    program = "import sys, vestigo.server.oidc; print({'authlib', 'httpx', 'httpx2', 'joserfc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
