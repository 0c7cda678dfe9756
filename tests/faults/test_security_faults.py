"""The server under attack: every route without its scope, every name and origin by every method, 10,000 forged logs."""

import asyncio
import importlib
import pkgutil
import random
import re
import sys
from pathlib import Path

import apsw
import msgspec
import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

import vestigo.server
from vestigo import semconv
from vestigo.server import ROUTES, Server, chain, create_app, guard
from vestigo.server.audit import AuditQuery
from vestigo.server.chain import SCHEMA, Entry, check_chain, head_of, insert
from vestigo.server.gate import Gate
from vestigo.server.grants import SCOPES
from vestigo.server.web import PLACES
from vestigo.settings import ServerSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))
import served

pytestmark = pytest.mark.faults

ORIGIN = "http://127.0.0.1:4318"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND")
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/login"),
    ("POST", "/api/login"),
    ("POST", "/api/logout"),
    ("POST", "/api/password"),
    ("GET", "/api/me"),
    ("GET", "/api/projects"),
    ("GET", "/auth/oidc/start"),
    ("GET", "/auth/oidc/callback"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
    ("GET", "/assets/{name}"),
    ("GET", "/settings"),
    ("GET", "/p/{project}"),
    ("GET", "/p/{project}/traces/{trace_id}"),
    ("GET", "/p/{project}/sessions/{session_id:path}"),
    *(("GET", f"/p/{{project}}/{name}") for name in PLACES),
    ("GET", "/docs"),
    ("GET", "/docs/page.js"),
    ("GET", "/docs/page.css"),
}
"""What anybody may ask. A route that is public and does not stand here fails the test, so that somebody looks at it."""
LOGIN = next(route for route in ROUTES if route.path == "/login")


def named(route):
    return f"{route.method} {route.path}"


def place_of(route, project="shop"):
    """An address of the route, with ids of the right form."""
    path = re.sub(r"\{trace_id\}", "0af7651916cd43dd8448eb211c80319c", route.path)
    path = re.sub(r"\{span_id\}", "b7ad6b7169203331", path)
    return f"{re.sub(r'{[^}]*}', 'x', path)}?project={project}"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that takes nothing without a key."""
    folder = str(tmp_path_factory.mktemp("server"))
    server = Server(ServerSettings(data_dir=folder, grpc_port=-2, open_ingest=False))
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="module")
def client(server):
    return TestClient(create_app(server), base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def keys(server):
    """Keys that may everything, ended ones among them, by what is wrong with them."""
    accounts = server.accounts
    everything = {"*": SCOPES}
    revoked = accounts.create_key("revoked", everything, "test")
    accounts.revoke_key(revoked.split("_")[1])
    expired = accounts.create_key("expired", everything, "test")
    accounts.expire_key(expired.split("_")[1], -1)
    right = accounts.create_key("right", everything, "test")
    unknown = f"vst_{'0' * 12}_{right.split('_')[2]}"
    return {"right": right, "revoked": revoked, "expired": expired, "unknown": unknown, "garbage": "x", "empty": ""}


# --- E4: each route without its scope


@pytest.mark.parametrize("route", [one for one in ROUTES if one.scope != "public"], ids=named)
def test_a_route_is_refused_without_its_scope(server, client, keys, route):
    """401 for no key and ended ones, 403 for another project and for every scope but the right one."""
    place = place_of(route)

    def ask(headers):
        return client.request(route.method, place, headers=headers).status_code

    assert ask({}) == 401
    for wrong in ("revoked", "expired", "unknown", "garbage", "empty"):
        assert ask(bearer(keys[wrong])) == 401, wrong
    assert ask({"Authorization": f"Basic {keys['right']}"}) == 401
    assert ask({"Authorization": keys["right"]}) == 401
    assert ask({"Cookie": f"vestigo_session={keys['right']}; __Host-vestigo_session=x"}) == 401
    assert client.request(route.method, f"{place}&key={keys['right']}&token={keys['right']}").status_code == 401
    elsewhere = server.accounts.create_key("elsewhere", {"other": SCOPES, "shopping": SCOPES, "Shop": SCOPES}, "test")
    assert ask(bearer(elsewhere)) == 403
    others = server.accounts.create_key("others", {"*": [one for one in SCOPES if one != route.scope]}, "test")
    assert ask(bearer(others)) == 403
    if not route.project:  # of every project, so that all of one is not enough
        one = server.accounts.create_key("one", {"shop": SCOPES}, "test")
        assert ask(bearer(one)) == 403


@pytest.mark.parametrize("route", [one for one in ROUTES if one.scope != "public"], ids=named)
def test_no_handler_runs_without_the_scope_and_each_runs_with_it(server, keys, route):
    """The same refusals with a spy in the handler's place, and its one scope alone lets in."""
    called = []

    async def spy(call):
        called.append(call.project)
        return Response()

    spied = msgspec.structs.replace(route, handler=spy, query=None, body=None)
    client = TestClient(Gate(server, [spied]), base_url=ORIGIN)
    for token in (keys["revoked"], keys["expired"], keys["garbage"]):
        client.request(route.method, place_of(route), headers=bearer(token))
    client.request(route.method, place_of(route))
    assert called == []
    project = "shop" if route.project else "*"
    alone = server.accounts.create_key("alone", {project: [route.scope]}, "test")
    assert client.request(route.method, place_of(route), headers=bearer(alone)).status_code == 200
    assert len(called) == 1
    server.accounts.revoke_key(alone.split("_")[1])
    assert client.request(route.method, place_of(route), headers=bearer(alone)).status_code == 401
    assert len(called) == 1
    if route.project:
        assert called == ["shop"]
        own = server.accounts.create_key("own", {"shop": [route.scope]}, "test")
        assert client.request(route.method, place_of(route, "other"), headers=bearer(own)).status_code == 403
        header = {**bearer(own), "X-Vestigo-Project": "other"}
        assert client.request(route.method, place_of(route).partition("?")[0], headers=header).status_code == 403
        assert called == ["shop"]


def test_what_is_public_is_listed():
    """No route becomes public by accident."""
    assert {(route.method, route.path) for route in ROUTES if route.scope == "public"} <= PUBLIC


def test_every_part_is_in_the_table():
    """A module's routes that somebody forgot to put in would be tested by nobody."""
    table = {(route.method, route.path) for route in ROUTES}
    assert len(table) == len(ROUTES)
    for module in pkgutil.iter_modules(vestigo.server.__path__):
        part = importlib.import_module(f"vestigo.server.{module.name}")
        for route in getattr(part, "ROUTES", ()):
            assert (route.method, route.path) in table, f"{module.name}: {named(route)}"


def test_what_stands_in_no_route_is_refused(client, keys):
    """Other paths, other methods, paths that look like others; also with a key that may everything."""
    known = {(route.method, route.path) for route in ROUTES}
    paths = (
        "/api /api/ /api/keys/ //api/keys /api//keys /API/keys /api/keys/%2e%2e/users /static/x /api/keys%2f"
        " /%61pi/keysx /.env /admin /v1/traces/ /v1/x /auth /docs/%2e%2e/login"
    )
    for path in paths.split():
        for method in METHODS:
            status = client.request(method, path, headers=bearer(keys["right"])).status_code
            assert status in {401, 404, 405}, (method, path)
    for path in {route.path for route in ROUTES if "{" not in route.path}:
        for method in METHODS:
            if method != "HEAD" and (method, path) not in known:
                assert client.request(method, path, headers=bearer(keys["right"])).status_code == 405, (method, path)


FURTHER = {
    "/api/facets": "&fields=service,model,user",
    "/api/values": "&field=user",
    "/api/complete": "&q=user:&at=5",
    "/api/spans/{trace_id}/{span_id}": f"&field={semconv.INPUT_MESSAGES}",
    "/api/traces/{trace_id}/match": "&q=kind:llm",
    "/api/series": "&by=model",
    "/api/turns": "&session=s1",
}
"""What some routes have to be asked besides, so that they would tell something."""
SAID = re.compile(
    r"refund|slow\.call|nightly|gpt-4o|helpful|execute_tool|TimeoutError|10\.0\.0\.7|queue\.depth|\bann\b|\bbob\b|\bs1\b"
)
"""What only the records of the other project say."""


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_no_route_tells_of_another_project(tmp_path, kind):
    """One who may everything in his own project asks every route for ids of another: nothing of it comes."""
    with served.served(kind, tmp_path, open_ingest=False) as (server, client):
        own = bearer(server.accounts.create_key("own", {"other": SCOPES}, "test"))
        told = set()
        for route in ROUTES:
            if route.method != "GET" or not route.project or route.path == "/api/live":
                continue
            for trace_id, span_id in ((served.SHOP, served.CALL), (served.BOT, served.OPEN)):
                path = route.path.replace("{trace_id}", trace_id).replace("{span_id}", span_id)
                more = FURTHER.get(route.path, "")
                refused = client.get(f"{path}?project=other{more}", headers=own)
                assert not SAID.search(refused.text), (route.path, refused.text)
                assert client.get(f"{path}?project=default{more}", headers=own).status_code == 403
                if SAID.search(client.get(f"{path}?project=default{more}").text):
                    told.add(route.path)
        assert len(told) >= 14, f"this test would see nothing: {told}"


def test_nothing_of_another_project_can_be_changed(tmp_path):
    """Deletions, erasures and scores for ids of another project leave it as it was."""
    with served.served("sqlite", tmp_path, open_ingest=False) as (server, client):
        own = bearer(server.accounts.create_key("own", {"other": SCOPES}, "test"))
        before = client.get("/api/traces").json(), client.get(f"/api/traces/{served.SHOP}").json()
        score = {"trace_id": served.SHOP, "span_id": served.CALL, "name": "mine", "value": 1}
        asked = [
            ("DELETE", "/api/traces?project=other&everything=yes", None),
            ("POST", "/api/erase?project=other", {"user": "ann"}),
            ("POST", "/api/erase?project=other", {"trace": served.SHOP}),
            ("POST", "/api/scores?project=other", score),
            ("PUT", "/api/retention?project=other", {"days": 1.0}),
        ]
        taken = [client.request(method, place, json=body, headers=own).status_code for method, place, body in asked]
        assert max(taken) < 500
        assert taken[:3] == [200, 200, 200]
        assert (client.get("/api/traces").json(), client.get(f"/api/traces/{served.SHOP}").json()) == before
        assert "mine" not in client.get("/api/scores").text


# --- E5: names, origins, methods, cookies, headers


def test_no_foreign_name_or_page_gets_an_answer(client, keys):
    """Every path by every method, for a key that may everything: rebound names, other origins, other sites."""
    attacks = [
        ({"Host": "evil.example"}, "host_not_allowed"),
        ({"Host": "127.0.0.1.evil.example:4318"}, "host_not_allowed"),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, "host_not_allowed"),
        ({"Origin": "http://evil.example"}, "origin_not_allowed"),
        ({"Origin": "null"}, "origin_not_allowed"),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, "origin_not_allowed"),
        ({"Sec-Fetch-Site": "cross-site"}, "origin_not_allowed"),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, "origin_not_allowed"),
    ]
    places = sorted({place_of(route) for route in ROUTES} | {"/", "/nowhere"})
    for place in places:
        for method in (*METHODS, "OPTIONS"):
            for headers, code in attacks:
                answer = client.request(method, place, headers={**bearer(keys["right"]), **headers})
                assert answer.status_code == 403, (method, place, headers)
                assert "access-control-allow-origin" not in answer.headers
                if method != "HEAD" and "application/json" in answer.headers.get("content-type", ""):
                    told = answer.json()
                    assert told.get("error", {}).get("code", code) in {code, "origin_not_allowed"}


def test_every_answer_has_the_headers(client, keys):
    """Good, bad and unknown alike: the policy to the letter, nothing sniffed, framed, kept or shared."""
    asked = [(route.method, place_of(route)) for route in ROUTES if route.path != "/api/live"]
    pages = {place_of(route) for route in ROUTES if route.tag == "page"} | {place_of(LOGIN)}
    asked += [("GET", "/nowhere"), ("BREW", "/api/keys"), ("OPTIONS", "/v1/traces")]
    for method, place in asked:
        for headers in ({}, bearer(keys["right"]), {"Host": "evil.example"}, bearer("x")):
            if method in {"POST", "PUT", "DELETE"} and headers == bearer(keys["right"]):
                continue  # this is about headers, not about doing things
            answer = client.request(method, place, headers=headers)
            for name, value in guard.SECURITY_HEADERS.items():
                assert answer.headers[name] == value, (method, place, name)
            if not place.startswith("/v1/"):
                page = place in pages and answer.is_success  # the page itself tells nobody's secrets
                assert answer.headers["Cache-Control"] == ("no-cache" if page else "no-store")
            assert "access-control-allow-origin" not in answer.headers
            assert "server" not in answer.headers
            assert "Traceback" not in answer.text


def test_cookies_are_out_of_reach(server, client):
    """Every cookie that is ever set is HttpOnly, and the session's is never sent by another site."""
    server.accounts.add_user("ann", "seven grey herons", {"shop": "viewer"})
    page = {"Origin": ORIGIN, "X-Vestigo": "1"}
    answers = [
        client.get(f"/login?token={server.accounts.one_time_link()}"),
        client.post("/api/login", json={"user": "ann", "password": "seven grey herons"}, headers=page),
        client.post("/api/logout", headers=page),
    ]
    cookies = [cookie for answer in answers for cookie in answer.headers.get_list("set-cookie")]
    assert len(cookies) == 3
    for cookie in cookies:
        assert cookie.startswith("vestigo_session=")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    client.cookies.clear()


@pytest.mark.parametrize("route", [one for one in ROUTES if one.scope != "public"], ids=named)
def test_a_session_does_nothing_for_another_page(server, client, route):
    """A change by cookie without our Origin and header is refused, on every route; the same with them is not."""
    cookie = server.accounts.redeem(server.accounts.one_time_link(), 1)
    session = {"Cookie": f"vestigo_session={cookie}"}
    if route.method == "GET":
        return
    for headers in ({}, {"Origin": ORIGIN}, {"X-Vestigo": "1"}, {"X-Vestigo": "1", "Sec-Fetch-Site": "same-origin"}):
        assert client.request(route.method, place_of(route), headers={**session, **headers}).status_code == 403
    own = client.request(route.method, place_of(route), headers={**session, "Origin": ORIGIN, "X-Vestigo": "1"})
    assert own.status_code not in {401, 403}


def test_refusals_are_in_the_audit_log_without_keys(server, client, keys):
    """Who was refused what; no key and no secret of one stands in any file of the directory."""
    client.get("/api/audit", headers=bearer(keys["revoked"]))
    limited = server.accounts.create_key("limited", {"shop": ["read"]}, "test")
    client.get("/api/audit", headers=bearer(limited))
    name = f"key:{limited.split('_')[1]}"
    found = []
    for _ in range(200):
        found = server.audit.entries(AuditQuery(principal=name, limit=10))
        if found:
            break
        server.audit.flush()
    assert [entry.outcome for entry in found] == ["refused"]
    secrets = [token.split("_")[2] for token in (*keys.values(), limited) if token.startswith("vst_")]
    everything = b"".join(path.read_bytes() for path in Path(server.data_dir).rglob("*") if path.is_file())
    assert [secret for secret in secrets if secret.encode() in everything] == []


def test_no_secret_of_the_settings_is_in_any_answer(tmp_path):
    """Who may everything is told the settings in force, and not what is secret in them."""
    secrets = {"oidc_client_secret": "SECRET-OF-OIDC", "redact_hash_key": "SECRET-OF-HASHES"}
    settings = ServerSettings(
        data_dir=str(tmp_path), grpc_port=-2, oidc_issuer="http://127.0.0.1:9", oidc_client_id="v",
        forward=("http://127.0.0.1:9",), forward_headers={"authorization": "SECRET-OF-HEADER"},
        **secrets,
    )  # fmt: skip
    server = Server(settings)
    client = TestClient(create_app(server), base_url=ORIGIN, raise_server_exceptions=False)
    token = server.accounts.create_key("right", {"*": SCOPES}, "test")
    for route in ROUTES:
        if route.method == "GET" and route.path not in {"/api/live", "/auth/oidc/start"}:
            answer = client.get(place_of(route, "default"), headers=bearer(token))
            assert "SECRET-OF" not in answer.text + str(answer.headers), route.path
    asyncio.run(server.stop())


def test_a_flood_of_strangers_does_not_fill_the_audit_log(server):
    """From one address so many refusals are recorded, and the others are counted."""
    client = TestClient(create_app(server), base_url=ORIGIN, client=("198.51.100.7", 1))
    for _ in range(300):
        assert client.get("/api/audit").status_code == 401
    assert server.counters.get("dropped.refusals") >= 200
    server._clerks.submit(int).result()
    server._clerks.submit(int).result()
    entries = server.audit.entries(AuditQuery(principal="anonymous", limit=1_000))
    assert 1 <= len([entry for entry in entries if entry.address == "198.51.100.7"]) <= 62


# --- F4: the audit log


MUTATIONS = 10_000
DAY_NS = 86_400 * 1_000_000_000


def forged(db, rng):
    """Change the log in one of the ways that whoever can write it may try."""
    top = head_of(db)[0]
    one, other = rng.sample(range(1, top + 1), 2)
    way = rng.randrange(12)
    if way == 0:
        column = rng.choice(["time_ns", "principal", "action", "project", "outcome", "address", "object", "detail"])
        _change_text(db, rng, column, one)
    elif way == 1:
        _flip_blob(db, rng, "entry", rng.choice(["hash", "object_salt", "detail_salt"]), one)
    elif way == 2:
        db.execute("DELETE FROM entry WHERE sequence = ?", (one,))
    elif way == 3:
        db.execute("DELETE FROM entry WHERE sequence BETWEEN ? AND ?", (min(one, other), max(one, other)))
    elif way == 4:
        db.execute("DELETE FROM entry WHERE sequence >= ?", (one,))
    elif way == 5:
        _swap(db, one, other, "*")
    elif way == 6:
        _swap(db, one, other, rng.choice(["time_ns", "object", "detail", "hash", "object_salt", "principal"]))
    elif way == 7:
        _insert_copy(db, rng, one, other)
    elif way == 8:
        db.execute("UPDATE entry SET object = NULL, detail = NULL WHERE sequence = ?", (one,))
        if rng.random() < 0.5:
            _forge_tombstone(db, one)
    elif way == 9:
        _change_text(db, rng, "object", one)
        _chain_anew(db, one)
    elif way == 10:
        db.execute("DELETE FROM entry WHERE sequence >= ?", (one,))
        _chain_anew(db, one)
        insert(db, [Entry(principal="a", action="b", time_ns=1_700_000_000_000_000_000) for _ in range(top)])
    else:
        statement = rng.choice(
            [
                "DELETE FROM day WHERE sequence = (SELECT max(sequence) FROM day)",
                "UPDATE day SET day = '2000-01-01' WHERE sequence = (SELECT min(sequence) FROM day)",
                f"INSERT OR IGNORE INTO day SELECT {one}, '2023-11-14', hash FROM entry WHERE sequence = {one}",
                f"UPDATE OR REPLACE day SET sequence = {one} WHERE sequence = (SELECT max(sequence) FROM day)",
                "UPDATE day SET hash = (SELECT hash FROM entry WHERE sequence = 1)",
            ]
        )
        db.execute(statement)


def _change_text(db, rng, column, sequence):
    value = db.execute(f"SELECT {column} FROM entry WHERE sequence = ?", (sequence,)).get
    if isinstance(value, int):
        value += rng.choice([-1, 1, 1 << rng.randrange(40)])
    else:
        value = value or ""
        at = rng.randrange(len(value) + 1)
        value = value[:at] + rng.choice('abcxyz0189"{}[],: é') + value[at + rng.randrange(2) :]
    db.execute(f"UPDATE entry SET {column} = ? WHERE sequence = ?", (value, sequence))


def _flip_blob(db, rng, table, column, sequence):
    value = bytearray(db.execute(f"SELECT {column} FROM {table} WHERE sequence = ?", (sequence,)).get)
    value[rng.randrange(len(value))] ^= 1 << rng.randrange(8)
    db.execute(f"UPDATE {table} SET {column} = ? WHERE sequence = ?", (bytes(value), sequence))


def _swap(db, one, other, column):
    names = [name for name in chain.COLUMNS.split(", ") if name != "sequence"] if column == "*" else [column]
    rows = {
        key: db.execute(f"SELECT {', '.join(names)} FROM entry WHERE sequence = ?", (key,)).fetchall()[0]
        for key in (one, other)
    }
    for key, values in ((one, rows[other]), (other, rows[one])):
        db.execute(f"UPDATE entry SET {', '.join(f'{name} = ?' for name in names)} WHERE sequence = ?", (*values, key))


def _insert_copy(db, rng, one, other):
    """A copy of an entry at the end, or in between with those behind it moved on."""
    row = db.execute(f"SELECT {chain.COLUMNS} FROM entry WHERE sequence = ?", (one,)).fetchall()[0]
    at = head_of(db)[0] + 1 if rng.random() < 0.3 else other
    db.execute("UPDATE entry SET sequence = -sequence - 1 WHERE sequence >= ?", (at,))
    db.execute("UPDATE entry SET sequence = -sequence WHERE sequence < 0")
    db.execute(f"INSERT INTO entry({chain.COLUMNS}) VALUES({', '.join('?' * 12)})", (at, *row[1:]))


def _forge_tombstone(db, sequence):
    """The commitments in the place of the salts, as an erasure leaves them; the hash stays right."""
    db.execute("DELETE FROM entry WHERE sequence = ?", (sequence,))
    row = db.execute(f"SELECT {chain.COLUMNS} FROM kept WHERE sequence = ?", (sequence,)).fetchall()[0]
    erased = [*row]
    erased[7], erased[8] = None, chain._commitment(row[7], row[8])
    erased[9], erased[10] = None, chain._commitment(row[9], row[10])
    db.execute(f"INSERT INTO entry({chain.COLUMNS}) VALUES({', '.join('?' * 12)})", erased)


def _chain_anew(db, start):
    """Make every hash from an entry on right again, and the heads of the days."""
    previous = db.execute("SELECT hash FROM entry WHERE sequence = ?", (start - 1,)).get or chain.START
    for row in db.execute(
        f"SELECT {chain.COLUMNS} FROM entry WHERE sequence >= ? ORDER BY sequence", (start,)
    ).fetchall():
        previous = chain._digest(previous, row)
        db.execute("UPDATE entry SET hash = ? WHERE sequence = ?", (previous, row[0]))
    db.execute("UPDATE day SET hash = (SELECT hash FROM entry WHERE entry.sequence = day.sequence) WHERE sequence IN"
               " (SELECT sequence FROM entry)")  # fmt: skip
    db.execute("DELETE FROM day WHERE sequence >= (SELECT ifnull(max(sequence), 0) FROM entry)")


def small_log():
    """Forty entries over four days, two of them erased as it should be."""
    db = apsw.Connection(":memory:")
    db.execute(SCHEMA)
    start = 1_700_000_000_000_000_000
    for number in range(38):
        more = {"detail": {"filter": f"user:u{number}"}, "time_ns": start + number * DAY_NS // 12}
        insert(db, [Entry(principal=f"key:{number % 5}", action="read", project="shop", object=f"t{number}", **more)])
    gone = sorted(chain.erase(db, "u17") + chain.erase(db, "u21"))
    told = {"sequences": next(chain.chunks(gone))}
    insert(db, [Entry(principal="a", action="audit.erase", detail=told, time_ns=head_of(db)[2])])
    insert(db, [Entry(principal="key:1", action="read", object="last", time_ns=head_of(db)[2] + 1)])
    db.execute("CREATE TEMP TABLE kept AS SELECT * FROM entry")
    return db


def content(db):
    return (
        db.execute(f"SELECT {chain.COLUMNS} FROM entry ORDER BY sequence").fetchall(),
        db.execute("SELECT * FROM day ORDER BY sequence").fetchall(),
    )


def test_ten_thousand_forgeries_are_all_found():
    """Changed, removed, cut, swapped, inserted, erased and chained anew: each one that changes anything is found."""
    db, rng = small_log(), random.Random(20_261_124)
    sequence, digest, _ = head_of(db)
    anchors = [("audit.head", sequence, digest.hex())]
    before = content(db)
    assert check_chain(db, anchors) == []
    missed, tried = [], 0
    while tried < MUTATIONS:
        state = rng.getstate()
        db.execute("BEGIN")
        forged(db, rng)
        after = content(db)
        if after != before:
            tried += 1
            if not check_chain(db, anchors):
                missed.append(state[1][-1])
        db.execute("ROLLBACK")
    assert missed == []
    assert content(db) == before
    db.close()


def test_a_flipped_bit_of_the_file_is_found_or_changes_nothing(tmp_path):
    """500 bits anywhere in the file: an error, a trouble, or every entry still as it was."""
    source = small_log()
    sequence, digest, _ = head_of(source)
    path = tmp_path / "audit.db"
    disk = apsw.Connection(str(path))
    with disk.backup("main", source, "main") as backup:
        backup.step()
    disk.close()
    wanted, sound, rng = content(source), path.read_bytes(), random.Random(7)
    found = 0
    for _ in range(500):
        damaged = bytearray(sound)
        damaged[rng.randrange(len(sound))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        db = apsw.Connection(str(path))
        try:
            troubles = check_chain(db, [("audit.head", sequence, digest.hex())])
            assert troubles or content(db) == wanted
            found += bool(troubles)
        except (apsw.Error, UnicodeDecodeError):
            found += 1
        finally:
            db.close()
    assert found > 100
    source.close()
