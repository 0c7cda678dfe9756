"""Status, projects and deletion, and what holds for every route of `/api`."""

import asyncio

import httpx
import pytest
from served import BOT, SHOP, STORAGES, T0, S, served
from starlette.testclient import TestClient

from vestigo.record import Batch, Span
from vestigo.server import Server, api
from vestigo.server.api import shown_settings
from vestigo.settings import ServerSettings


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


def test_a_deletion_takes_what_matches_and_tells_what_it_took(both):
    """Traces with their logs; the answer counts them, and the rest stays."""
    server, client = both
    answer = client.delete("/api/traces", params={"q": "service:shop"}).json()
    assert answer["traces"] == 1
    assert answer["complete"]
    assert answer["report"]["spans"] == 3
    assert isinstance(answer["report"]["started_ns"], str)
    assert server.storage.trace("default", SHOP) is None
    assert server.storage.trace("default", BOT) is not None


def test_a_deletion_without_filter_and_window_is_refused(both):
    """As the command refuses; saying so deletes everything."""
    _, client = both
    refused = client.delete("/api/traces")
    assert refused.status_code == 400
    assert "everything=yes" in refused.json()["error"]["message"]
    assert client.delete("/api/traces", params={"end": str(T0 + S)}).json()["traces"] == 1
    assert client.delete("/api/traces", params={"everything": "yes"}).json()["traces"] == 1
    assert client.get("/api/traces").json()["items"] == []


def test_a_caller_sees_the_projects_that_it_may_read(both):
    """Those that have records or stand in its grants; without a key none."""
    server, client = both
    server.storage.write(Batch([Span("c3" * 16, "05" * 8, "x", T0)], [], "other"))
    assert client.get("/api/projects").json() == {"projects": ["default", "other"]}
    token = server.accounts.create_key("one", {"other": ["read"], "new": ["read"], "sent": ["ingest"]}, "test")
    one = client.get("/api/projects", headers={"Authorization": f"Bearer {token}"})
    assert one.json() == {"projects": ["new", "other"]}
    stranger = TestClient(client.app, base_url=str(client.base_url))
    assert stranger.get("/api/projects").json() == {"projects": []}


def test_status_tells_what_is_in_force_and_no_secret(tmp_path):
    """Settings, figures, counters, redaction rules; of a secret only that it is set."""
    secrets = {"redact_hash_key": "hush", "oidc_client_secret": "hush", "forward_headers": {"x": "hush"}}
    addresses = {"forward": ("http://me:hush@example.org/v1?key=hush",)}
    told = {row.name: row.value for row in shown_settings(ServerSettings(**secrets, **addresses))}
    assert "hush" not in str(told)
    assert told["redact_hash_key"] == "(set)"
    assert told["forward"] == "http://example.org/v1?..."
    with served("sqlite", tmp_path) as (server, client):
        server.counters.add("rejected.spans", 3)
        status = client.get("/api/status").json()
        assert status["storage"]["spans"] == 4
        assert status["storage"]["disk_free_bytes"] > 0
        assert status["counters"]["rejected.spans"] == 3
        assert {"name": "key", "kind": "key names", "on": True} in status["redaction"]
        assert {row["name"] for row in status["settings"]} == set(ServerSettings.__struct_fields__)


@pytest.mark.parametrize("route", api.ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_keeps_to_its_project_and_scope(route, both_projects):
    """Without a key 401; with a key for another project 403; nothing of the project is told."""
    server, client = both_projects
    path = route.path.format(trace_id=SHOP, span_id="02" * 8)
    body = {"trace_id": SHOP, "name": "x", "value": 1} if route.body is not None else None
    stranger = TestClient(client.app, base_url=str(client.base_url))
    if route.scope == "public":
        return
    assert stranger.request(route.method, path, json=body).status_code == 401
    token = server.accounts.create_key("other", {"other": ["read", "write", "admin"]}, "test")
    headers = {"Authorization": f"Bearer {token}"}
    refused = stranger.request(route.method, path, params={"project": "default"}, headers=headers, json=body)
    assert refused.status_code == 403
    for scope in {"read", "write", "admin", "ingest"} - {route.scope}:
        token = server.accounts.create_key("less", {"*": [scope]}, "test")
        less = stranger.request(route.method, path, headers={"Authorization": f"Bearer {token}"}, json=body)
        assert less.status_code == 403, scope


@pytest.fixture
def both_projects(tmp_path):
    with served("memory", tmp_path) as pair:
        yield pair


@pytest.mark.parametrize("path", ["traces", "spans", "logs", "sessions", "endusers", "series", "facets", "errors"])
def test_a_question_of_one_project_finds_nothing_of_another(path, both):
    """The project is part of every question."""
    _, client = both
    mine = client.get(f"/api/{path}").text
    theirs = client.get(f"/api/{path}", params={"project": "other"}).text
    assert any(word in mine for word in ("shop", "s1", "ann", "gpt-4o", "loose", "TimeoutError", '"count":[4.0]'))
    assert not any(word in theirs for word in ("shop", "s1", "ann", "gpt-4o", "loose", "TimeoutError", '"count":[4.0]'))


@pytest.mark.parametrize("path", ["traces", "spans", "series", "facets", "errors", "sessions"])
def test_a_mistake_in_a_filter_is_told_with_its_place(path, both):
    """400 with the position in the text and the nearest name."""
    _, client = both
    refused = client.get(f"/api/{path}", params={"q": "kind:llm modle:x"})
    assert refused.status_code == 400
    assert refused.json()["error"] == {
        "code": "bad_query", "message": "unknown field 'modle'; did you mean 'model'?", "position": 9,
    }  # fmt: skip


def test_a_question_that_takes_too_long_ends(tmp_path):
    """504 with the remedy; the connection is whole afterwards."""
    with served("sqlite", tmp_path, query_timeout_s=1e-9) as (server, client):
        assert isinstance(server, Server)
        late = client.get("/api/spans", params={"q": "input~refund"})
        assert (late.status_code, late.json()["error"]["code"]) == (504, "query_timeout")
        assert "narrow the window" in late.json()["error"]["message"]


@pytest.fixture
def patient(tmp_path):
    with served("sqlite", tmp_path, query_timeout_s=1.0) as pair:
        yield pair


async def test_a_long_question_holds_nobody_else_up(patient):
    """While one regex goes over all messages until its time is up, other questions are answered."""
    server, client = patient
    said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": [{"role": "user", "content": "x" * 2_000}]}
    for batch in range(4):
        spans = [Span(f"{batch:032x}", f"{n:016x}", "x", T0 + n, end_ns=T0, attributes=said) for n in range(2_000)]
        server.storage.write(Batch(spans))
    transport = httpx.ASGITransport(app=client.app)
    headers = {"authorization": client.headers["authorization"]}
    async with httpx.AsyncClient(transport=transport, base_url=str(client.base_url), headers=headers) as asker:
        slow = asyncio.create_task(asker.get("/api/spans", params={"q": "input~never.*there"}))
        others = 0
        while not slow.done():
            assert (await asker.get("/api/traces", params={"limit": 3})).status_code == 200
            others += 1
        assert (await slow).status_code in {200, 504}
        assert others >= 3
