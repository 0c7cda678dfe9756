"""Whom requests may come from: every rule is a list of what is allowed, for every method."""

import itertools

import pytest
from starlette.datastructures import Headers

from vestigo.server import guard
from vestigo.server.routes import Failure
from vestigo.settings import ServerSettings

LOOPBACK = ServerSettings()
PROXIED = ServerSettings(behind_proxy=True, allowed_hosts=("vestigo.example.org",))
OPEN = ServerSettings(allowed_origins=("https://app.example.org",))
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


def headers(**more):
    """Headers of a request by the usual name; underscores stand for dashes, None takes one away."""
    given = {"host": "127.0.0.1:4318", **{name.replace("_", "-"): value for name, value in more.items()}}
    return Headers({name: value for name, value in given.items() if value is not None})


def code(call, *arguments):
    try:
        call(*arguments)
    except Failure as failure:
        return failure.code if failure.status == 403 else str(failure.status)
    return "ok"


# --- whether to start


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_a_loopback_address_needs_nothing(host):
    """These are reached from this machine only."""
    assert guard.refuse_to_start(ServerSettings(host=host)) is None
    assert guard.ingest_is_open(ServerSettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7", "10.0.0.1", "example.org", "127.0.0.1.example.org"])
def test_any_other_address_needs_tls_or_a_proxy(host):
    """And takes no record without a key."""
    settings = ServerSettings(host=host)
    assert "can be reached from other machines" in guard.refuse_to_start(settings)
    assert not guard.ingest_is_open(settings)
    for safe in ({"tls_certificate": "c.pem", "tls_key": "k.pem"}, {"behind_proxy": True}):
        assert guard.refuse_to_start(ServerSettings(host=host, **safe)) is None
        assert not guard.ingest_is_open(ServerSettings(host=host, **safe))


def test_a_proxy_closes_ingest_on_loopback_too():
    """Who comes by a proxy comes from this machine, as it seems."""
    assert not guard.ingest_is_open(ServerSettings(behind_proxy=True))
    assert not guard.ingest_is_open(ServerSettings(open_ingest=False))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tls_certificate": "c.pem"}, "tls_key"),
        ({"tls_key": "k.pem"}, "tls_certificate"),
        ({"allowed_hosts": ("*",)}, "exact names"),
        ({"allowed_hosts": ("*.example.org",)}, "exact names"),
        ({"allowed_hosts": ("https://example.org",)}, "exact names"),
        ({"allowed_origins": ("*",)}, "exact origins"),
        ({"allowed_origins": ("null",)}, "exact origins"),
        ({"allowed_origins": ("app.example.org",)}, "exact origins"),
        ({"allowed_origins": ("https://app.example.org/",)}, "exact origins"),
        ({"allowed_origins": ("https://*.example.org",)}, "exact origins"),
        ({"oidc_issuer": "https://id.example.org"}, "oidc_client_id"),
        ({"oidc_issuer": "http://id.example.org", "oidc_client_id": "v"}, "https://"),
        ({"oidc_issuer": "https://id.example.org?x=1", "oidc_client_id": "v"}, "https://"),
        ({"oidc_issuer": "file:///etc/passwd", "oidc_client_id": "v"}, "https://"),
        ({"oidc_grants": "shop:root"}, "unknown role"),
        ({"root_path": "/p"}, "/vestigo"),
        ({"root_path": "/api/x"}, "/vestigo"),
    ],
)
def test_settings_that_make_no_safe_server_are_refused(settings, told):
    """With the remedy."""
    assert told in guard.refuse_to_start(ServerSettings(**settings))


def test_an_issuer_on_this_machine_may_be_plain():
    """http to loopback crosses no network."""
    settings = ServerSettings(oidc_issuer="http://127.0.0.1:9/realm", oidc_client_id="v", oidc_grants="*:viewer")
    assert guard.refuse_to_start(settings) is None


# --- Host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:4318", "localhost:9", "[::1]:4318", "LocalHost"])
def test_loopback_names_are_ours(host):
    """With any port, since only the name can be forged by DNS."""
    for settings in (LOOPBACK, PROXIED, ServerSettings(host="0.0.0.0", behind_proxy=True)):
        assert code(guard.check_host, [host], settings) == "ok"


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "127.0.0.1.evil.example", "evil.example:4318", "127.0.0.1@evil.example", "127.0.0.1:4318:1",
        "127.0.0.1 evil.example", "127.0.0.1,evil.example", "0.0.0.0:4318", "2130706433", "0x7f.1", "localhost.",
        "http://127.0.0.1", "127.0.0.1/", "127.0.0.1:", "127.0.0.1:x", "[::1", "::1", "\u217c\u043ecalhost", "*",
    ],
)  # fmt: skip
def test_other_names_are_refused(host):
    """Names that DNS may point here, other spellings, and nonsense."""
    assert code(guard.check_host, [host], LOOPBACK) == "host_not_allowed"


def test_one_name_is_needed():
    """None and two are refused, also when both are ours."""
    assert code(guard.check_host, [], LOOPBACK) == "host_not_allowed"
    assert code(guard.check_host, ["localhost", "localhost"], LOOPBACK) == "host_not_allowed"


def test_names_of_the_settings_are_ours():
    """`host` and `allowed_hosts`, with any port or with the one that is named."""
    settings = ServerSettings(host="192.0.2.7", allowed_hosts=("Vestigo.example.org", "v:8443"), behind_proxy=True)
    for host in ("192.0.2.7:4318", "vestigo.example.org", "VESTIGO.example.org:443", "v:8443"):
        assert code(guard.check_host, [host], settings) == "ok"
    for host in ("v", "v:1", "a.vestigo.example.org", "example.org"):
        assert code(guard.check_host, [host], settings) == "host_not_allowed"
    assert code(guard.check_host, ["[fd00::1]:4318"], ServerSettings(host="FD00::0:1")) == "ok"
    assert code(guard.check_host, ["[::]:4318"], ServerSettings(host="::")) == "host_not_allowed"


# --- Origin


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/", "/api/traces", "/v1/traces", "/metrics", "/api/login", "/nowhere"])
def test_a_page_of_another_origin_may_nothing(method, path):
    """Whatever the method and the path, and also with another scheme, port or name of this machine."""
    for origin in ("https://evil.example", "null", "", "http://localhost:4318", "https://127.0.0.1:4318",
                   "http://127.0.0.1:4319", "http://127.0.0.1", "HTTP://127.0.0.1:4318"):  # fmt: skip
        asked = headers(origin=origin)
        assert code(guard.check_request, method, path, asked, LOOPBACK) == "origin_not_allowed"
    for site in ("cross-site", "same-site", "", "else"):
        asked = headers(sec_fetch_site=site)
        assert code(guard.check_request, method, path, asked, LOOPBACK) == "origin_not_allowed"


@pytest.mark.parametrize("method", METHODS)
def test_our_own_page_and_programs_may(method):
    """The same origin, and no Origin at all."""
    for asked in (
        headers(origin="http://127.0.0.1:4318", sec_fetch_site="same-origin"),
        headers(sec_fetch_site="same-origin"),
        headers(sec_fetch_site="none"),
        headers(),
    ):
        assert code(guard.check_request, method, "/api/traces", asked, LOOPBACK) == "ok"


def test_a_foreign_name_is_refused_before_all_else():
    """A rebound name is refused though Origin and Host agree, with every method."""
    for method in METHODS:
        asked = headers(host="evil.example", origin="http://evil.example", sec_fetch_site="same-origin")
        assert code(guard.check_request, method, "/api/traces", asked, LOOPBACK) == "host_not_allowed"


def test_a_link_may_lead_to_a_page_and_nowhere_else():
    """Following one is a GET that says `navigate`; the API, frames of forms and posts are no pages."""
    link = headers(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document")
    for path in ("/", "/login", "/auth/oidc/callback"):
        assert code(guard.check_request, "GET", path, link, LOOPBACK) == "ok"
        assert code(guard.check_request, "POST", path, link, LOOPBACK) == "origin_not_allowed"
    assert code(guard.check_request, "GET", "/api/me", link, LOOPBACK) == "origin_not_allowed"
    image = headers(sec_fetch_site="cross-site", sec_fetch_mode="no-cors")
    assert code(guard.check_request, "GET", "/", image, LOOPBACK) == "origin_not_allowed"


def test_behind_a_proxy_our_origin_is_what_the_browser_sees():
    """https unless the proxy says http; without a proxy nobody is asked."""
    asked = {"host": "vestigo.example.org", "origin": "https://vestigo.example.org"}
    assert code(guard.check_request, "POST", "/api/keys", headers(**asked), PROXIED) == "ok"
    plain = headers(**asked, x_forwarded_proto="http")
    assert code(guard.check_request, "POST", "/api/keys", plain, PROXIED) == "origin_not_allowed"
    assert guard.scheme_of(headers(x_forwarded_proto="https"), LOOPBACK) == "http"
    assert guard.scheme_of(headers(x_forwarded_proto="http, https"), PROXIED) == "https"
    assert guard.scheme_of(headers(), ServerSettings(tls_certificate="c", tls_key="k")) == "https"


# --- CORS


def test_an_invited_origin_may_send_records_only():
    """It passes on the three OTLP paths, and reads the answer there; nowhere else."""
    asked = headers(origin="https://app.example.org", sec_fetch_site="cross-site")
    for path in sorted(guard.OTLP_PATHS):
        assert code(guard.check_request, "POST", path, asked, OPEN) == "ok"
        allowed = guard.cors_headers(path, asked, OPEN)
        assert allowed["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert allowed["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in allowed
    for path in ("/api/traces", "/", "/v1/traces/", "/v1/other", "/metrics"):
        assert code(guard.check_request, "POST", path, asked, OPEN) == "origin_not_allowed"
        assert guard.cors_headers(path, asked, OPEN) == {}


def test_origins_that_look_like_an_invited_one_are_not():
    """Other scheme, port, suffix, prefix, case; two of them; and none where nobody is invited."""
    for origin in ("http://app.example.org", "https://app.example.org:8443", "https://app.example.org.evil.example",
                   "https://evilapp.example.org", "https://APP.example.org", "https://app.example.org/"):  # fmt: skip
        asked = headers(origin=origin)
        assert code(guard.check_request, "POST", "/v1/traces", asked, OPEN) == "origin_not_allowed"
        assert "Access-Control-Allow-Origin" not in guard.cors_headers("/v1/traces", asked, OPEN)
    both = Headers(raw=[(b"host", b"localhost"), *[(b"origin", b"https://app.example.org")] * 2])
    assert code(guard.check_request, "POST", "/v1/traces", both, OPEN) == "origin_not_allowed"
    assert guard.cors_headers("/v1/traces", both, OPEN) == {"Vary": "Origin"}
    assert guard.cors_headers("/v1/traces", headers(origin="https://app.example.org"), LOOPBACK) == {}


def test_a_preflight_is_answered_for_posts_of_known_headers():
    """Everything else is refused, whoever asks."""
    asked = {"origin": "https://app.example.org", "access_control_request_method": "POST"}
    names = "Content-Type,authorization, content-encoding"
    answer = guard.preflight("/v1/logs", headers(**asked, access_control_request_headers=names), OPEN)
    assert answer["Access-Control-Allow-Methods"] == "POST"
    assert "content-encoding" in answer["Access-Control-Allow-Headers"]
    assert not {"Access-Control-Allow-Credentials"} & set(answer)
    for path, more, settings in (
        ("/api/traces", {}, OPEN),
        ("/v1/logs", {"access_control_request_method": "DELETE"}, OPEN),
        ("/v1/logs", {"access_control_request_method": None}, OPEN),
        ("/v1/logs", {"access_control_request_headers": "x-vestigo"}, OPEN),
        ("/v1/logs", {"access_control_request_headers": "cookie"}, OPEN),
        ("/v1/logs", {"origin": "https://evil.example"}, OPEN),
        ("/v1/logs", {"origin": None}, OPEN),
        ("/v1/logs", {}, LOOPBACK),
    ):
        assert code(guard.preflight, path, headers(**{**asked, **more}), settings) == "origin_not_allowed"


# --- sessions


@pytest.mark.parametrize("method", METHODS)
def test_a_session_changes_things_for_our_own_page_only(method):
    """Every method but GET and HEAD needs both our Origin and the header; neither alone will do."""
    own, mark = {"origin": "http://127.0.0.1:4318"}, {"x_vestigo": "1"}
    safe = method in {"GET", "HEAD"}
    assert code(guard.check_cookie, method, headers(**own, **mark), LOOPBACK) == "ok"
    for asked in (headers(), headers(**own), headers(**mark), headers(**own, x_vestigo="2")):
        assert code(guard.check_cookie, method, asked, LOOPBACK) == ("ok" if safe else "forgery")
    for origin in ("https://app.example.org", "null", "http://localhost:4318"):
        asked = headers(origin=origin, **mark)
        assert code(guard.check_cookie, method, asked, OPEN) == "origin_not_allowed"


def test_a_login_needs_the_header():
    """So that no form of another site logs somebody in as somebody else."""
    assert code(guard.check_login, headers(x_vestigo="1")) == "ok"
    for wrong in (headers(), headers(x_vestigo=""), headers(x_vestigo="1, 1")):
        assert code(guard.check_login, wrong) == "forgery"


def test_cookies_are_held_to_tls_everywhere_but_on_plain_loopback():
    """With the prefix that makes browsers hold them to the host."""
    assert guard.cookie_name(LOOPBACK) == "vestigo_session"
    for settings in (
        PROXIED,
        ServerSettings(tls_certificate="c", tls_key="k"),
        ServerSettings(host="0.0.0.0", behind_proxy=True),
        ServerSettings(host="192.0.2.7"),
    ):
        assert guard.cookie_is_secure(settings)
        assert guard.cookie_name(settings) == "__Host-vestigo_session"


# --- answers


def test_the_headers_of_an_answer_allow_nothing_of_others():
    """The content security policy is this one, to the letter; nothing is sniffed, referred to, framed or shared."""
    assert guard.SECURITY_HEADERS["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'"
    )
    for path in ("/", "/api/me", "/v1/traces", "/assets/x.js", "/nowhere"):
        answer = guard.security_headers(path)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cross-Origin-Opener-Policy"] == answer["Cross-Origin-Resource-Policy"] == "same-origin"
    for path in ("/", "/api/me", "/login", "/auth/oidc/callback", "/metrics", "/nowhere"):
        assert guard.security_headers(path)["Cache-Control"] == "no-store"
    assert "Cache-Control" not in guard.security_headers("/v1/traces")
    guard.security_headers("/").clear()
    assert guard.security_headers("/")


def test_an_address_is_the_peers_unless_our_proxy_tells_it():
    """Of a list the proxy's own word is the last one; nonsense and senders without a proxy are not believed."""
    for told in ("198.51.100.1", "203.0.113.9, 198.51.100.1", "evil, 198.51.100.1"):
        assert guard.address_of("127.0.0.1", headers(x_forwarded_for=told), PROXIED) == "198.51.100.1"
        assert guard.address_of("127.0.0.1", headers(x_forwarded_for=told), LOOPBACK) == "127.0.0.1"
    for told in ("", "evil", "198.51.100.1,", "198.51.100.1:99"):
        assert guard.address_of("127.0.0.1", headers(x_forwarded_for=told), PROXIED) == "127.0.0.1"
    twice = Headers(raw=[(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"198.51.100.1")])
    assert guard.address_of("127.0.0.1", twice, PROXIED) == "198.51.100.1"


def test_all_combinations_are_refused_unless_two_rules_allow_them():
    """Host by Origin by method, exhaustively: only our own name with our own origin, or none, passes."""
    hosts = ("127.0.0.1:4318", "localhost:4318", "evil.example", "")
    origins = (None, "http://127.0.0.1:4318", "http://localhost:4318", "http://evil.example", "null")
    passed = {
        (host, origin)
        for host, origin, method in itertools.product(hosts, origins, METHODS)
        if code(guard.check_request, method, "/api/keys", headers(host=host, origin=origin), LOOPBACK) == "ok"
    }
    assert passed == {
        ("127.0.0.1:4318", None),
        ("127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("localhost:4318", None),
        ("localhost:4318", "http://localhost:4318"),
    }
