"""Coming in and going out: by link, by password; cookies, guesses, and what the audit log tells of them."""

import asyncio
import threading

import pytest
from starlette.testclient import TestClient

from vestigo.server import Server, login
from vestigo.server.audit import AuditQuery
from vestigo.server.gate import Gate
from vestigo.settings import ServerSettings
from vestigo.version import VERSION

GOOD, OTHER = "seven grey herons", "nine green herons"
ORIGIN = "http://127.0.0.1:4318"
PAGE = {"Origin": ORIGIN, "X-Vestigo": "1", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def start(tmp_path):
    """Makes a server with settings, and a client of it."""
    servers = []

    def start(**settings):
        server = Server(ServerSettings(data_dir=str(tmp_path), grpc_port=-2, storage="memory://", **settings))
        servers.append(server)
        return server, TestClient(Gate(server, login.ROUTES), base_url=ORIGIN, follow_redirects=False)

    yield start
    for server in servers:
        asyncio.run(server.stop())


@pytest.fixture
def running(start):
    return start()


def log_in(client, user="ann", password=GOOD, **headers):
    return client.post("/api/login", json={"user": user, "password": password}, headers={**PAGE, **headers})


def told(server):
    """(principal, action, object, outcome) of the audit log, the oldest first."""
    entries = server.audit.entries(AuditQuery(limit=1_000))
    return [(entry.principal, entry.action, entry.object, entry.outcome) for entry in reversed(entries)]


# --- the link


def test_a_link_leads_to_the_page_with_a_session(running):
    """The cookie is for this host, out of reach of scripts and of other sites; the link works once."""
    server, client = running
    token = server.accounts.one_time_link()
    assert client.head(f"/login?token={token}").status_code == 200
    answer = client.get(f"/login?token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("vestigo_session=")
    assert "; HttpOnly" in cookie
    assert "; SameSite=strict" in cookie
    assert "; Path=/" in cookie
    assert "; Max-Age=43200" in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    assert client.get("/api/me").json() == {
        "name": "local", "grants": {"*": ["ingest", "read", "write", "admin"]}, "oidc": False, "version": VERSION,
        "default_project": "default",
    }  # fmt: skip
    again = client.get(f"/login?token={token}")
    assert again.status_code == 403
    assert "vestigo link" in again.json()["error"]["message"]
    assert told(server)[:2] == [("local", "login", "local", "ok"), ("anonymous", "login", "local", "bad_link")]


def test_off_plain_loopback_cookies_are_secure(start):
    """With TLS ended by a proxy, the cookie has the prefix and the flag; the page may have a prefix of its path."""
    server, client = start(behind_proxy=True, root_path="/vestigo")
    answer = client.get(f"/login?token={server.accounts.one_time_link()}")
    assert answer.headers["location"] == "./"  # below whatever prefix the browser sees
    assert answer.headers["set-cookie"].startswith("__Host-vestigo_session=")
    assert "; Secure" in answer.headers["set-cookie"]


# --- passwords


def test_a_password_opens_a_session_and_logging_out_ends_it(running):
    """Also for whoever kept the cookie."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {"shop": "member"})
    assert client.get("/api/me").json() == {
        "name": "anonymous", "grants": {}, "oidc": False, "version": VERSION, "default_project": "",
    }  # fmt: skip
    answer = log_in(client, "Ann")
    assert answer.status_code == 204
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/api/me").json()["name"] == "user:ann"
    assert client.get("/api/me").json()["grants"] == {"shop": ["ingest", "read", "write"]}
    assert client.get("/api/me").json()["default_project"] == "shop"
    kept = client.cookies["vestigo_session"]
    assert client.post("/api/logout", headers=PAGE).status_code == 204
    assert client.get("/api/me").json()["name"] == "anonymous"
    assert client.get("/api/me", headers={"Cookie": f"vestigo_session={kept}"}).json()["name"] == "anonymous"
    assert told(server) == [("user:ann", "login", "ann", "ok"), ("user:ann", "logout", "", "ok")]


def test_a_login_gives_a_new_session_and_ends_the_one_before(running):
    """So that nobody can wait in a session that was slipped in."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    log_in(client)
    first = client.cookies["vestigo_session"]
    log_in(client)
    assert client.cookies["vestigo_session"] != first
    assert server.accounts.principal_of_session(first) is None


def test_wrong_passwords_and_unknown_users_get_one_answer(running):
    """The same bytes; the log names a user only if there is one, since passwords get into that field."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    answers = [log_in(client, "ann", OTHER), log_in(client, GOOD, OTHER), log_in(client, "ann", "")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert "set-cookie" not in answers[0].headers
    server.audit.flush()
    refused = [entry for entry in told(server) if entry[3] == "wrong_password"]
    assert [entry[2] for entry in refused] == ["ann", "", "ann"]


def test_a_login_of_another_site_is_refused(running):
    """Without the header that no form can send, or with another origin, also with the right password."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    assert log_in(client, **{"X-Vestigo": "0"}).json()["error"]["code"] == "forgery"
    assert log_in(client, Origin="https://evil.example").json()["error"]["code"] == "origin_not_allowed"
    assert log_in(client, Host="evil.example").json()["error"]["code"] == "host_not_allowed"
    assert "vestigo_session" not in client.cookies


def test_logging_out_by_another_site_is_refused(running):
    """A session stays when the header is missing."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    log_in(client)
    assert client.post("/api/logout").json()["error"]["code"] == "forgery"
    assert client.get("/api/me").json()["name"] == "user:ann"


def test_guessing_has_to_wait(running):
    """After so many failures of a user the answer is 429 with Retry-After, without a look at the password."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    server.accounts.add_user("bob", OTHER, {})
    for _ in range(10):
        server.accounts.user_failures.fail("ann")
    answer = log_in(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert server.counters.get("refused.login") == 1
    assert log_in(client, "bob", OTHER).status_code == 204
    for _ in range(30):
        server.accounts.address_failures.fail("testclient")
    assert log_in(client, "bob", OTHER).status_code == 429


def test_failures_count_and_success_does_not(running):
    """Three wrong ones leave seven; a right one takes nothing."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    for password in (OTHER, OTHER, GOOD, OTHER):
        log_in(client, "ann", password)
    for _ in range(7):
        assert server.accounts.user_failures.wait_s("ann") == 0
        server.accounts.user_failures.fail("ann")
    assert server.accounts.user_failures.wait_s("ann") > 0


def test_a_flood_of_logins_is_turned_away(running):
    """Passwords wait in few places; the others get 503 with Retry-After at once."""
    _, client = running
    held = [login._places.acquire(blocking=False) for _ in range(8)]
    assert all(held)
    try:
        answer = log_in(client)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert "retry-after" in answer.headers
    finally:
        for _ in held:
            login._places.release()
    assert log_in(client).status_code == 401
    assert log_in(client, "ann", "x" * 2_000).status_code == 400


@pytest.mark.parametrize(
    "body", ["{}", '{"user":"a"}', '{"user":1,"password":"x"}', '{"user":"a","password":"b","c":1}']
)
def test_a_login_is_two_texts(running, body):
    """Anything else is 400."""
    answer = running[1].post("/api/login", content=body, headers={**PAGE, "Content-Type": "application/json"})
    assert answer.status_code == 400


def test_one_changes_ones_own_password_with_the_old_one(running):
    """Other sessions end, this browser goes on with a new one; without the old password nothing changes."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    log_in(client)
    elsewhere = server.accounts.open_session("ann", 1)
    wrong = client.post("/api/password", json={"password": OTHER, "new": OTHER}, headers=PAGE)
    assert wrong.status_code == 401
    weak = client.post("/api/password", json={"password": GOOD, "new": "short"}, headers=PAGE)
    assert weak.status_code == 400
    assert server.accounts.principal_of_session(elsewhere)
    right = client.post("/api/password", json={"password": GOOD, "new": OTHER}, headers=PAGE)
    assert right.status_code == 204
    assert server.accounts.principal_of_session(elsewhere) is None
    assert client.get("/api/me").json()["name"] == "user:ann"
    assert server.accounts.right_password("ann", OTHER)
    outcomes = [entry[3] for entry in told(server) if entry[1] == "user.password"]
    assert outcomes == ["wrong_password", "ok", "bad_request", "ok"]


def test_only_users_have_a_password_to_change(running):
    """Not the link's session, and not nobody."""
    server, client = running
    body = {"password": GOOD, "new": OTHER}
    assert client.post("/api/password", json=body, headers=PAGE).status_code == 403
    client.get(f"/login?token={server.accounts.one_time_link()}")
    assert client.post("/api/password", json=body, headers=PAGE).status_code == 403


def test_no_secret_is_in_the_audit_log(running, tmp_path):
    """Neither passwords nor cookies nor tokens, right or wrong."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    token = server.accounts.one_time_link()
    client.get(f"/login?token={token}")
    log_in(client, "ann", OTHER)
    log_in(client)
    client.post("/api/password", json={"password": GOOD, "new": OTHER}, headers=PAGE)
    cookie = client.cookies["vestigo_session"]
    server.audit.flush()
    everything = b"".join(path.read_bytes() for path in tmp_path.glob("audit.*"))
    assert b"ann" in everything
    assert [secret for secret in (GOOD, OTHER, token, cookie) if secret.encode() in everything] == []


def test_a_login_that_cannot_be_recorded_does_not_happen(running, monkeypatch):
    """With the audit log unwritable there is no session, by password or by link."""
    from vestigo.errors import StorageError

    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    token = server.accounts.one_time_link()

    def full(_entry):
        raise StorageError("the disk is full")

    monkeypatch.setattr(server.audit, "append", full)
    assert log_in(client).status_code == 503
    assert client.get(f"/login?token={token}").status_code == 503
    assert "vestigo_session" not in client.cookies
    rows = server.accounts._rows("SELECT count(*) FROM session")
    assert rows == [(0,)]


def test_guesses_side_by_side_all_count(running):
    """Eight at once leave as many places in the bucket as eight one after the other."""
    server, client = running
    server.accounts.add_user("ann", GOOD, {})
    threads = [threading.Thread(target=log_in, args=(client, "ann", OTHER)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(6):
        assert server.accounts.user_failures.wait_s("ann") == 0
        server.accounts.user_failures.fail("ann")
    assert server.accounts.user_failures.wait_s("ann") > 0
