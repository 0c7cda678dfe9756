"""Giving and taking access: keys, users and roles by project, each change recorded before it is made."""

import asyncio

import pytest
from starlette.testclient import TestClient

from vestigo.server import Server, access, login
from vestigo.server.audit import AuditQuery
from vestigo.server.gate import Gate
from vestigo.settings import ServerSettings

GOOD = "seven grey herons"
ORIGIN = "http://127.0.0.1:4318"


@pytest.fixture
def server(tmp_path):
    server = Server(ServerSettings(data_dir=str(tmp_path), grpc_port=-2, storage="memory://"))
    yield server
    asyncio.run(server.stop())


@pytest.fixture
def client(server):
    return TestClient(Gate(server, (*login.ROUTES, *access.ROUTES)), base_url=ORIGIN)


@pytest.fixture
def admin(server):
    """Headers of a key that may administer every project."""
    return bearer(server.accounts.create_key("root", {"*": ["admin"]}, "test"))


@pytest.fixture
def shop(server):
    """Headers of a key that may administer the project `shop`."""
    return bearer(server.accounts.create_key("shop admin", {"shop": ["admin"]}, "test"))


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def told(server, action):
    entries = server.audit.entries(AuditQuery(action=action, limit=1_000))
    return [(entry.principal.partition(":")[0], entry.object, entry.outcome, entry.detail) for entry in entries[::-1]]


# --- keys


def test_a_key_is_made_used_listed_and_revoked(server, client, admin):
    """Its token is told once; after the revocation it is refused at once, and the list says so."""
    made = client.post(
        "/api/keys", json={"name": "ci", "projects": ["*"], "scopes": ["admin"], "expires_in_s": 60}, headers=admin
    )
    assert made.status_code == 201
    key_id, token = made.json()["id"], made.json()["token"]
    listed = client.get("/api/keys", headers=bearer(token))
    assert token.split("_")[2] not in listed.text
    (mine,) = [key for key in listed.json()["keys"] if key["id"] == key_id]
    assert (mine["name"], mine["grants"]) == ("ci", {"*": ["admin"]})
    assert int(mine["expires_ns"]) - int(mine["created_ns"]) == pytest.approx(60e9, abs=2e9)
    assert mine["revoked_ns"] is None
    assert client.delete(f"/api/keys/{key_id}", headers=admin).status_code == 204
    assert client.get("/api/keys", headers=bearer(token)).status_code == 401
    assert client.delete(f"/api/keys/{key_id}", headers=admin).status_code == 404
    (mine,) = [key for key in client.get("/api/keys", headers=admin).json()["keys"] if key["id"] == key_id]
    assert mine["revoked_ns"] is not None
    assert told(server, "key.create") == [
        ("key", key_id, "ok", {"name": "ci", "grants": {"*": ["admin"]}, "replaces": ""})
    ]
    assert told(server, "key.revoke") == [("key", key_id, "ok", {"name": "ci"})]


def test_a_key_is_replaced_with_an_overlap(server, client, admin):
    """The new one has the old one's name and grants; the old one works until the overlap is over."""
    old = server.accounts.create_key("ci", {"shop": ["ingest"]}, "test")
    old_id = old.split("_")[1]
    made = client.post("/api/keys", json={"replaces": old_id, "overlap_s": 3_600}, headers=admin).json()
    assert server.accounts.principal_of_key(made["token"]).grants == {"shop": frozenset({"ingest"})}
    assert server.accounts.key(made["id"]).name == "ci"
    assert server.accounts.principal_of_key(old)
    left = server.accounts.key(old_id).expires_s - server.accounts.now()
    assert left == pytest.approx(3_600, abs=5)
    client.post("/api/keys", json={"replaces": old_id, "overlap_s": 0}, headers=admin)
    assert server.accounts.principal_of_key(old) is None


def test_an_admin_of_a_project_sees_and_gives_nothing_of_others(server, client, shop):
    """No key of another project, of several or of every one is listed, replaced, revoked or made."""
    ids = {
        name: server.accounts.create_key(name, grants, "test").split("_")[1]
        for name, grants in {
            "other": {"other": ["read"]},
            "both": {"shop": ["read"], "other": ["read"]},
            "all": {"*": ["read"]},
            "own": {"shop": ["read"]},
        }.items()
    }
    listed = client.get("/api/keys?project=shop", headers=shop)
    assert {key["name"] for key in listed.json()["keys"]} == {"own", "shop admin"}
    assert "other" not in listed.text
    for name in ("other", "both", "all"):
        assert client.delete(f"/api/keys/{ids[name]}?project=shop", headers=shop).status_code == 404
        replaced = client.post("/api/keys?project=shop", json={"replaces": ids[name]}, headers=shop)
        assert replaced.status_code == 404
    for projects in (["other"], ["*"], ["shop", "other"]):
        body = {"name": "x", "scopes": ["read"], "projects": projects}
        assert client.post("/api/keys?project=shop", json=body, headers=shop).status_code == 403
    assert len(server.accounts.all_keys()) == 5
    assert all(key.revoked_s is None for key in server.accounts.all_keys())
    assert client.delete(f"/api/keys/{ids['own']}?project=shop", headers=shop).status_code == 204
    made = client.post("/api/keys", json={"name": "x", "scopes": ["read"]}, headers=shop).json()
    assert server.accounts.key(made["id"]).grants == {"shop": ("read",)}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["public"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": ["read"], "expires_in_s": 0},
        {"name": "x", "scopes": ["read"], "expires_in_s": -1},
        {"name": "x", "scopes": ["read"], "projects": [""]},
        {"name": "x", "scopes": ["read"], "admin": True},
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(server, client, admin, body):
    """No scope, an unknown one, no name, expired from the start, an unknown field."""
    answer = client.post("/api/keys", json=body, headers=admin)
    assert answer.status_code == 400
    assert len(server.accounts.all_keys()) == 1


# --- users and roles


def test_a_user_is_added_listed_and_removed(server, client, admin):
    """With roles; a removed user's session ends at once; the log has each change, and no password."""
    added = client.post(
        "/api/users", json={"name": "Ann", "password": GOOD, "roles": {"shop": "viewer"}}, headers=admin
    )
    assert added.status_code == 204
    (user,) = client.get("/api/users", headers=admin).json()["users"]
    assert (user["name"], user["roles"], user["password"], user["linked"]) == ("ann", {"shop": "viewer"}, True, False)
    assert set(user) == {"name", "roles", "password", "linked", "created_ns"}
    cookie = server.accounts.open_session("ann", 1)
    assert client.delete("/api/users/ann", headers=admin).status_code == 204
    assert server.accounts.principal_of_session(cookie) is None
    assert client.delete("/api/users/ann", headers=admin).status_code == 404
    assert told(server, "user.add") == [("key", "ann", "ok", {"roles": {"shop": "viewer"}, "password": True})]
    assert told(server, "user.remove") == [("key", "ann", "ok", {})]


def test_a_password_is_set_by_an_admin(server, client, admin):
    """The user's sessions end; nobody's password cannot be set, a weak one neither."""
    server.accounts.add_user("ann", None, {})
    cookie = server.accounts.open_session("ann", 1)
    assert client.put("/api/users/ann/password", json={"password": "short"}, headers=admin).status_code == 400
    assert server.accounts.principal_of_session(cookie)
    assert client.put("/api/users/ann/password", json={"password": GOOD}, headers=admin).status_code == 204
    assert server.accounts.principal_of_session(cookie) is None
    assert server.accounts.right_password("ann", GOOD)
    assert client.put("/api/users/bob/password", json={"password": GOOD}, headers=admin).status_code == 404
    assert [outcome for _, _, outcome, _ in told(server, "user.password")] == ["ok", "bad_request", "ok"]


def test_roles_are_given_by_the_admins_of_a_project(server, client, shop, admin):
    """In their own project only; every project is for those who may administer every one."""
    server.accounts.add_user("ann", None, {"other": "admin"})

    def give(headers, **body):
        return client.put("/api/roles?project=shop", json={"user": "ann", **body}, headers=headers).status_code

    assert give(shop, role="member") == 204
    assert client.get("/api/roles", headers=shop).json()["roles"] == [
        {"user": "ann", "role": "member", "project": "shop"}
    ]
    assert give(shop, role="viewer", project="other") == 403
    assert give(shop, role="admin", project="*") == 403
    assert give(shop, role="root") == 400
    assert give(shop, user="bob", role="viewer") == 404
    assert give(admin, role="viewer", project="*") == 204
    assert give(shop, role="") == 204
    assert server.accounts.users()[0].roles == {"other": "admin", "*": "viewer"}
    assert client.get("/api/roles", headers=shop).json()["roles"] == []
    assert client.get("/api/roles?project=other", headers=shop).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"name": "local"},
        {"name": "a b"},
        {"name": "ann", "password": "short"},
        {"name": "ann", "roles": {"shop": "root"}},
        {"name": "ann", "roles": ["admin"]},
    ],
)
def test_a_user_who_makes_no_sense_is_not_added(server, client, admin, body):
    """A reserved name, a weak password, an unknown role."""
    assert client.post("/api/users", json=body, headers=admin).status_code == 400
    assert server.accounts.users() == []


def test_what_is_for_every_project_is_not_for_the_admin_of_one(client, shop):
    """Users and the audit log."""
    for method, path in (("GET", "/api/users"), ("POST", "/api/users"), ("GET", "/api/audit"),
                         ("DELETE", "/api/users/ann"), ("PUT", "/api/users/ann/password")):  # fmt: skip
        assert client.request(method, path, headers=shop).status_code == 403
        assert client.request(method, path).status_code == 401


def test_a_change_by_session_needs_our_page(server, client):
    """An admin's cookie alone makes no key, whatever the method."""
    client.get(f"/login?token={server.accounts.one_time_link()}", follow_redirects=False)
    body = {"name": "x", "scopes": ["read"], "projects": ["*"]}
    assert client.get("/api/keys").status_code == 200
    assert client.post("/api/keys", json=body).json()["error"]["code"] == "forgery"
    assert client.delete("/api/keys/0").json()["error"]["code"] == "forgery"
    page = {"Origin": ORIGIN, "X-Vestigo": "1"}
    assert client.post("/api/keys", json=body, headers=page).status_code == 201


# --- the audit log


def test_the_log_is_read_page_by_page(server, client, admin):
    """The newest first, 64-bit times as text, with the head to keep elsewhere; reading is recorded too."""
    for number in range(5):
        body = {"name": f"key {number}", "scopes": ["read"], "projects": ["shop"]}
        client.post("/api/keys", json=body, headers=admin)
    page = client.get("/api/audit?action=key.create&limit=3", headers=admin).json()
    assert [entry["detail"]["name"] for entry in page["entries"]] == ["key 4", "key 3", "key 2"]
    assert page["entries"][0]["time_ns"].isdecimal()
    rest = f"/api/audit?action=key.create&before={page['entries'][-1]['sequence']}"
    assert len(client.get(rest, headers=admin).json()["entries"]) == 2
    sequence, _, digest = page["head"].partition(":")
    assert server.audit.verify([(int(sequence), digest)]) == []
    assert len(client.get("/api/audit?action=audit.read", headers=admin).json()["entries"]) >= 2
    assert client.get("/api/audit?limit=x", headers=admin).status_code == 400


def test_a_change_that_cannot_be_recorded_is_not_made(server, client, admin, monkeypatch):
    """With the log unwritable no key is made, and the answer says to come again."""
    from vestigo.errors import StorageError

    def full(_entry):
        raise StorageError("the disk is full")

    monkeypatch.setattr(server.audit, "append", full)
    body = {"name": "x", "scopes": ["read"], "projects": ["shop"]}
    answer = client.post("/api/keys", json=body, headers=admin)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert len(server.accounts.all_keys()) == 1
    assert server.audit.entries(AuditQuery(action="key.create")) == []


def test_a_change_that_fails_is_recorded_as_failed(server, client, admin, monkeypatch):
    """Two entries: what was begun, and that it failed."""
    from vestigo.errors import StorageError

    server.accounts.add_user("ann", None, {})

    def broken(_name):
        raise StorageError("the disk is full")

    monkeypatch.setattr(server.accounts, "remove_user", broken)
    assert client.delete("/api/users/ann", headers=admin).status_code == 503
    assert [outcome for _, _, outcome, _ in told(server, "user.remove")] == ["ok", "failed"]
