"""The gate: who passes, to what, and what every answer has."""

import pytest
from served import ORIGIN, served
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from vestigo.errors import QueryError, QueryTimeout, StorageError, UnsupportedQuery
from vestigo.server.audit import AuditQuery
from vestigo.server.gate import ANONYMOUS, Gate, admit, failure_of
from vestigo.server.guard import SECURITY_HEADERS
from vestigo.server.routes import Failure, Principal, Route


@pytest.fixture
def app(tmp_path):
    with served("memory", tmp_path) as made:
        yield made


def key(server, scopes, project="default"):
    return {"Authorization": f"Bearer {server.accounts.create_key('k', {project: scopes}, 'test')}"}


def test_unknown_paths_and_methods_are_refused(app):
    """404 and 405 with what is allowed; both as JSON with a code."""
    _, client = app
    assert client.get("/nothing").json()["error"]["code"] == "not_found"
    answer = client.delete("/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.get("/v1/traces").status_code == 405


def test_head_asks_only_where_a_handler_does_nothing_but_tell(app):
    """A previewer of links must not use up the one-time link, nor hold a stream."""
    server, client = app
    assert client.head("/healthz").status_code == 200
    link = server.accounts.one_time_link()
    client.head(f"/login?token={link}")
    assert server.accounts.redeem(link, 1.0)
    assert client.head("/api/live").status_code == 405


def test_a_scope_is_needed_and_told(app):
    """401 for nobody, 403 for somebody with another scope or project, 200 for who may."""
    server, client = app
    nobody = TestClient(client.app, base_url=ORIGIN)
    refused = nobody.get("/api/traces")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.get("/api/traces", headers=key(server, ["ingest"])).status_code == 403
    assert nobody.get("/api/traces", headers=key(server, ["read"], "other")).status_code == 200  # its own project
    other = nobody.get("/api/traces?project=default", headers=key(server, ["read"], "other"))
    assert "scope 'read' in project default" in other.json()["error"]["message"]
    assert nobody.get("/api/traces", headers=key(server, ["read"])).status_code == 200


@pytest.mark.parametrize("header", ["Bearer vst_" + "0" * 12 + "_" + "0" * 64, "Bearer x", "Basic YTpi", "Bearer"])
def test_a_wrong_key_is_refused_also_where_none_is_needed(app, header):
    """A sender with a mistyped key must not write into the default project."""
    _, client = app
    nobody = TestClient(client.app, base_url=ORIGIN)
    json = {"Content-Type": "application/json"}
    assert nobody.post("/v1/traces", content=b"{}", headers={**json, "Authorization": header}).status_code == 401
    assert nobody.post("/v1/traces", content=b"{}", headers=json).status_code == 200  # loopback, without a key


def test_sending_needs_a_key_where_it_is_not_open(tmp_path):
    """`open_ingest` off: 401 as a Status in the request's form."""
    with served("memory", tmp_path, open_ingest=False) as (_, client):
        nobody = TestClient(client.app, base_url=ORIGIN)
        answer = nobody.post("/v1/logs", content=b"{}", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (401, 16)


def test_parameters_are_checked(app):
    """Unknown, repeated and wrong ones are 400 and named."""
    _, client = app
    for query, word in (("colour=red", "colour"), ("limit=1&limit=2", "limit"), ("limit=many", "limit")):
        answer = client.get(f"/api/traces?{query}")
        assert answer.status_code == 400
        assert word in answer.json()["error"]["message"]
    assert client.get("/api/traces?project=../etc").json()["error"]["code"] == "bad_project"


def test_bodies_are_json_of_a_bounded_size(app):
    """415 for another type, 413 above a megabyte, 400 for what cannot be read."""
    _, client = app
    assert client.post("/api/scores", content=b"a=1").status_code == 415
    json = {"Content-Type": "application/json"}
    assert client.post("/api/scores", content=b"[", headers=json).status_code == 400
    assert client.post("/api/scores", content=b" " * 1_100_000, headers=json).status_code == 413


def test_every_answer_has_the_security_headers(app):
    """Also errors and refusals, and those before a route is found."""
    server, client = app
    foreign = client.get("/", headers={"Host": "evil.example"})
    assert foreign.status_code == 403
    for answer in (client.get("/"), client.get("/nothing"), client.get("/api/traces"), foreign):
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == dict(SECURITY_HEADERS)
    assert server.metrics.text().count("vestigo_http_requests_total{") >= 2


def test_what_is_read_and_refused_stands_in_the_audit_log(app):
    """Who, what, where, and how it ended."""
    server, client = app
    assert client.get("/api/status").status_code == 200
    TestClient(client.app, base_url=ORIGIN).get("/api/status")
    server._clerks.submit(lambda: None).result(10)  # what was handed over before is done by then
    server.audit.flush()
    told = {(entry.action, entry.outcome) for entry in server.audit.entries(AuditQuery())}
    assert {("status.read", "ok"), ("status.read", "refused")} <= told


def test_an_unexpected_error_tells_nothing_of_our_inside(app):
    """500 with a plain sentence; the exception's text stays in the server."""
    server, client = app

    async def broken(_):
        raise ValueError("secret inside")

    route = Route(method="GET", path="/broken", scope="public", handler=broken, summary="", tag="", project=False)
    answer = TestClient(Gate(server, (route,)), base_url=ORIGIN).get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert server.counters.get("failed.request") == 1
    assert client.get("/healthz").status_code == 200


def test_a_path_prefix_is_taken_off(tmp_path):
    """Behind a proxy that leaves the prefix on, and behind one that takes it off."""
    with served("memory", tmp_path, root_path="/vestigo") as (_, client):
        assert client.get("/vestigo/healthz").status_code == 200
        assert client.get("/vestigo").status_code == client.get("/healthz").status_code == 200
        assert client.get("/vestigonaut").status_code == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QueryError("bad", 3), 400), (UnsupportedQuery("no"), 501), (QueryTimeout("slow"), 504),
        (StorageError("full"), 503), (ValueError("x"), 500),
    ],
)  # fmt: skip
def test_errors_have_their_status(error, status):
    """Ours as errors.py says; all others are 500."""
    assert failure_of(error).status == status


def test_the_project_of_a_call():
    """What is named, else the only one of the principal, else the default one."""

    async def nothing(_):
        return JSONResponse({})

    route = Route(method="GET", path="/x", scope="read", handler=nothing, summary="", tag="")
    shop, everywhere = Principal("a", {"shop": frozenset({"read"})}), Principal("b", {"*": frozenset({"read"})})
    assert admit(shop, route, "", "default") == "shop"
    assert admit(everywhere, route, "", "default") == "default"
    assert admit(everywhere, route, "bot", "default") == "bot"
    for principal, named in ((shop, "bot"), (ANONYMOUS, "")):
        with pytest.raises(Failure):
            admit(principal, route, named, "default")
