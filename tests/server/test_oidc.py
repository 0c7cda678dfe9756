"""Logging in by OpenID Connect: the real dance with a provider on this machine, and every way of cheating in it."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from starlette.testclient import TestClient

from vestigo.server import Server, issuer, login, oidc
from vestigo.server.audit import AuditQuery
from vestigo.server.gate import Gate
from vestigo.settings import ServerSettings

sys.path.insert(0, str(Path(__file__).parent))
from identity_provider import CLIENT, SECRET, IdentityProvider

ORIGIN = "http://127.0.0.1:4318"
FROM_ISSUER = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def one_provider():
    provider = IdentityProvider()
    yield provider
    provider.close()


@pytest.fixture
def provider(one_provider):
    issuer._discovered.clear()
    one_provider.claims, one_provider.document, one_provider.sign = {}, {}, one_provider.sign_rightly
    one_provider.user = {"sub": "248289761001", "email": "ann@example.org", "email_verified": True}
    one_provider.requests.clear()
    return one_provider


@pytest.fixture
def start(tmp_path, provider):
    """Makes a server whose issuer is the provider, and a browser."""
    servers = []

    def start(**settings):
        given = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET, **settings}
        server = Server(ServerSettings(data_dir=str(tmp_path), grpc_port=-2, storage="memory://", **given))
        servers.append(server)
        return server, browser(server)

    yield start
    for server in servers:
        asyncio.run(server.stop())


def browser(server):
    return TestClient(Gate(server, (*login.ROUTES, *oidc.ROUTES)), base_url=ORIGIN, follow_redirects=False)


def begin(client, **query):
    """Go to the issuer; the address there."""
    answer = client.get("/auth/oidc/start", params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def finish(client, url):
    """Come back from the issuer."""
    return client.get(url.removeprefix(ORIGIN), headers=FROM_ISSUER)


def dance(client, provider, **query):
    return finish(client, provider.authorize(begin(client, **query)))


def changed(url, **query):
    """The address with other parameters; None takes one away."""
    parts = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    kept = {name: value for name, value in given.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


# --- the dance


def test_a_user_with_a_verified_email_comes_in(start, provider):
    """The account that an admin has added is linked, and its roles hold."""
    server, client = start()
    server.accounts.add_user("ann@example.org", None, {"shop": "member"})
    answer = dance(client, provider)
    assert answer.status_code == 200
    assert 'content="0; url=/"' in answer.text
    cookies = answer.headers.get_list("set-cookie")
    (session,) = [cookie for cookie in cookies if cookie.startswith("vestigo_session=")]
    assert "; HttpOnly" in session
    assert "; SameSite=strict" in session
    assert any(cookie.startswith('vestigo_oidc=""') for cookie in cookies)
    who = client.get("/api/me").json()
    assert (who["name"], who["oidc"], who["default_project"]) == ("user:ann@example.org", True, "shop")
    assert who["grants"] == {"shop": ["ingest", "read", "write"]}
    (entry,) = server.audit.entries(AuditQuery(action="login"))
    assert (entry.principal, entry.detail, entry.outcome) == ("user:ann@example.org", {"how": "oidc"}, "ok")
    assert server.accounts.users()[0].linked


def test_requests_go_to_the_issuer_only_and_seldom(start, provider):
    """Its document once, then a token and the keys for each login."""
    server, client = start()
    server.accounts.add_user("ann@example.org", None, {})
    dance(client, provider)
    dance(client, provider)
    once = ["/realm/token", "/realm/keys"]
    assert provider.requests == ["/realm/.well-known/openid-configuration", *once, *once]


def test_a_linked_user_is_known_by_the_subject(start, provider):
    """Also with another email, or none."""
    server, client = start()
    server.accounts.add_user("ann@example.org", None, {})
    dance(client, provider)
    provider.user = {"sub": provider.user["sub"], "email": "new@example.org", "email_verified": False}
    assert dance(browser(server), provider).status_code == 200
    assert [user.name for user in server.accounts.users()] == ["ann@example.org"]


def test_users_of_the_issuer_have_what_the_settings_grant(start, provider):
    """With oidc_grants an unknown user gets an account; further roles come on top; removed means removed."""
    server, client = start(oidc_grants="shop:viewer")
    assert dance(client, provider).status_code == 200
    assert client.get("/api/me").json()["grants"] == {"shop": ["read"]}
    server.accounts.set_role("ann@example.org", "lab", "member")
    assert set(client.get("/api/me").json()["grants"]) == {"lab", "shop"}
    server.accounts.remove_user("ann@example.org")
    assert client.get("/api/me").json()["name"] == "anonymous"
    assert dance(browser(server), provider).json()["error"]["code"] == "no_account"


def test_a_client_without_a_secret_is_public(start, provider):
    """PKCE alone; the provider of this test wants a secret and refuses, and that is told as such."""
    _, client = start(oidc_client_secret="")
    assert dance(client, provider).json()["error"]["code"] == "bad_token"


# --- who has no account


@pytest.mark.parametrize(
    "user",
    [
        {"sub": "1"},
        {"sub": "1", "email": "ann@example.org"},
        {"sub": "1", "email": "ann@example.org", "email_verified": False},
        {"sub": "1", "email": "ann@example.org", "email_verified": "true"},
        {"sub": "1", "email": ["ann@example.org"], "email_verified": True},
        {"sub": "1", "email": "bob@example.org", "email_verified": True},
    ],
)
def test_without_a_verified_email_nobody_gets_an_account_of_that_name(start, provider, user):
    """And the refusal is in the log, without the email."""
    server, client = start()
    server.accounts.add_user("ann@example.org", "seven grey herons", {"*": "admin"})
    provider.user = user
    answer = dance(client, provider)
    assert answer.json()["error"]["code"] == "no_account"
    assert "vestigo_session" not in client.cookies
    assert not server.accounts.users()[0].linked
    (entry,) = server.audit.entries(AuditQuery(action="login"))
    assert (entry.outcome, entry.object) == ("no_account", "")


def test_a_second_subject_with_the_same_email_does_not_take_the_account(start, provider):
    """Linked is linked."""
    server, client = start(oidc_grants="shop:viewer")
    server.accounts.add_user("ann@example.org", None, {"*": "admin"})
    dance(client, provider)
    provider.user = {**provider.user, "sub": "another"}
    assert dance(browser(server), provider).json()["error"]["code"] == "no_account"


# --- cheating


def test_an_answer_without_the_browser_that_asked_is_refused(start, provider):
    """A victim's browser that is led to the attacker's answer has no cookie of it, or one of another login."""
    server, client = start(oidc_grants="shop:viewer")
    back = provider.authorize(begin(client))
    victim = browser(server)
    assert finish(victim, back).json()["error"]["code"] == "bad_state"
    begin(victim)
    assert finish(victim, back).json()["error"]["code"] == "bad_state"
    assert "vestigo_session" not in victim.cookies


@pytest.mark.parametrize("state", [None, "", "x", "é"])
def test_an_answer_with_another_state_is_refused(start, provider, state):
    """Missing, empty, other; no token is asked for."""
    _, client = start(oidc_grants="shop:viewer")
    back = changed(provider.authorize(begin(client)), state=state)
    assert finish(client, back).json()["error"]["code"] == "bad_state"
    assert "/realm/token" not in provider.requests


@pytest.mark.parametrize("kept", ["", "zz", "00", "7b7d", "é", "22"])
def test_a_broken_cookie_is_no_login(start, provider, kept):
    """Whatever it holds."""
    _, client = start(oidc_grants="shop:viewer")
    back = provider.authorize(begin(client))
    cookie = f"vestigo_oidc={kept}".encode()
    answer = client.get(back.removeprefix(ORIGIN), headers=[(b"cookie", cookie)])
    assert answer.json()["error"]["code"] == "bad_state"


def test_an_answer_is_used_once(start, provider):
    """The same address again is refused: the cookie is gone, and with it the code is spent at the provider."""
    _, client = start(oidc_grants="shop:viewer")
    url = begin(client)
    kept = client.cookies["vestigo_oidc"]
    back = provider.authorize(url)
    assert finish(client, back).status_code == 200
    assert finish(client, back).json()["error"]["code"] == "bad_state"
    client.cookies.set("vestigo_oidc", kept)
    assert finish(client, back).json()["error"]["code"] == "bad_token"


def test_a_login_that_took_too_long_is_refused(start, provider, monkeypatch):
    """After ten minutes."""
    _, client = start(oidc_grants="shop:viewer")
    back = provider.authorize(begin(client))
    now = oidc.time.time()
    monkeypatch.setattr(oidc.time, "time", lambda: now + 601)
    assert finish(client, back).json()["error"]["code"] == "bad_state"


def test_a_stolen_code_is_worth_nothing_without_its_verifier(start, provider):
    """Put into another login of the thief's own, the provider refuses it."""
    server, client = start(oidc_grants="shop:viewer")
    stolen = parse_qs(urlsplit(provider.authorize(begin(client))).query)["code"][0]
    thief = browser(server)
    own = provider.authorize(begin(thief))
    assert finish(thief, changed(own, code=stolen)).json()["error"]["code"] == "bad_token"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"code": None}, "refused"), ({"error": "access_denied"}, "refused"), ({"iss": "https://evil"}, "bad_issuer")],
)
def test_an_answer_without_a_code_is_a_refusal(start, provider, change, code):
    """Denied, or from another issuer than the one that was asked."""
    _, client = start(oidc_grants="shop:viewer")
    back = provider.authorize(begin(client))
    assert finish(client, changed(back, **change)).json()["error"]["code"] == code
    assert "/realm/token" not in provider.requests


@pytest.mark.parametrize(
    "way",
    ["sign_with_another_key", "sign_with_our_secret", "sign_with_its_public_key", "sign_not_at_all", "sign_and_change"],
)
def test_a_token_that_the_issuer_did_not_sign_is_refused(start, provider, way):
    """Another key, a secret that we know too, the public key as a secret, none, and claims changed afterwards."""
    _, client = start(oidc_grants="shop:viewer")
    provider.sign = getattr(provider, way)
    assert dance(client, provider).json()["error"]["code"] == "bad_token"
    assert "vestigo_session" not in client.cookies


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": "another", "azp": CLIENT},
        {"aud": None},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": 1_000},
        {"exp": None},
        {"iat": None},
        {"iat": 99_999_999_999},
        {"nonce": "of another login"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"at_hash": "wrong"},
    ],
)
def test_a_token_that_is_not_for_this_login_is_refused(start, provider, claims):
    """Another issuer, audience, time or nonce; nobody in it; another access token."""
    _, client = start(oidc_grants="shop:viewer")
    provider.claims = claims
    assert dance(client, provider).json()["error"]["code"] == "bad_token"
    assert "vestigo_session" not in client.cookies


def test_failed_answers_have_to_wait(start, provider):
    """Guessing at the callback is counted by address, and a login that works takes nothing."""
    server, client = start(oidc_grants="shop:viewer")
    for _ in range(30):
        finish(client, "/auth/oidc/callback?state=x&code=y")
    assert finish(client, "/auth/oidc/callback?state=x&code=y").status_code == 429
    assert "/realm/token" not in provider.requests
    server.accounts.address_failures._free_s.clear()
    dance(client, provider)
    assert server.accounts.address_failures.wait_s("testclient") == 0


# --- where it leads


@pytest.mark.parametrize(
    ("given", "led"),
    [
        ("/traces?filter=kind:llm", "/traces?filter=kind:llm"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil", "/"),
        ("", "/"),
        ("/\t/evil.example", "/"),
        ("/a b", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
    ],
)
def test_the_way_on_is_ours(given, led):
    """A path of ours, and `/` for everything that a browser might read as another place."""
    assert login.own_path(given) == led


def test_the_page_that_leads_on_is_escaped(start, provider):
    """Quotes and angle brackets in the path stay text; the prefix of a proxy is put before it."""
    _, client = start(oidc_grants="shop:viewer", root_path="/v")
    url = begin(client, next='/x?"><script>')
    assert parse_qs(urlsplit(url).query)["redirect_uri"] == [f"{ORIGIN}/v/auth/oidc/callback"]
    back = provider.authorize(url).replace("/v/auth", "/auth")
    answer = finish(client, back)
    assert 'url=/v/x?&quot;&gt;&lt;script&gt;"' in answer.text
    assert "<script>" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_without_an_issuer_there_is_no_such_login(start):
    """404, and the page is told."""
    _, client = start(oidc_issuer="")
    assert client.get("/auth/oidc/start").status_code == 404
    assert client.get("/auth/oidc/callback").status_code == 404
    assert client.get("/api/me").json()["oidc"] is False
