"""Retention and erasure of a server: by a clock of its own, on a full disk, and through its routes."""

import hashlib
import json

import pytest
from starlette.testclient import TestClient

from vestigo import SQLiteTraceStorage
from vestigo.errors import StorageError
from vestigo.query import Query
from vestigo.record import Batch, Span
from vestigo.server import Server
from vestigo.server.gate import Gate
from vestigo.server.retention import ROUTES
from vestigo.settings import ServerSettings

DAY_NS = 86_400 * 10**9
NOW_NS = 20_000 * DAY_NS


def span(number, user="bob", start=None):
    start = NOW_NS - number * DAY_NS if start is None else start
    trace_id = hashlib.md5(b"%d" % number).hexdigest()
    return Span(trace_id, f"{number:016x}", "chat", start, end_ns=start + 5, attributes={"user.id": user})


@pytest.fixture
def server(tmp_path):
    made = Server(ServerSettings(data_dir=str(tmp_path), retention_days=5, port=0, grpc_port=-2, ingest_workers=0))
    yield made
    made._stop()


@pytest.fixture
def client(server):
    token = server.accounts.create_key("admin", {"*": {"admin", "read"}}, "test")
    with_key = TestClient(Gate(server, ROUTES), base_url="http://localhost:4318")
    with_key.headers["authorization"] = f"Bearer {token}"
    return with_key


def users(server, project="default"):
    return sorted(trace.user_id for trace in server.storage.find_traces(Query(project=project)))


def test_every_project_is_kept_as_its_policy_says(server):
    """By a clock that is given; the default is that of the settings."""
    for project in ("default", "short", "held"):
        server.storage.write(Batch([span(n) for n in range(1, 9)], [], project))
    server.retention.policies.set("short", server.retention.policies.default.__class__(days=2))
    server.retention.policies.set("held", server.retention.policies.default.__class__(days=2, hold="*"))
    reports = server.retention.run_once(NOW_NS)
    assert {report.project: report.traces for report in reports} == {"default": 3, "short": 6}
    assert server.retention.run_once(NOW_NS) == []
    assert [report.traces for report in server.retention.run_once(NOW_NS + DAY_NS)] == [1, 1]
    assert server.retention.figures()["traces"] == 11
    assert len(users(server, "held")) == 8


def test_bytes_above_the_limit_take_the_oldest(tmp_path):
    """Run by run until what is used fits; the newest stay."""
    server = Server(
        ServerSettings(data_dir=str(tmp_path), retention_bytes=300_000, port=0, grpc_port=-2, ingest_workers=0)
    )
    for first in range(0, 1_200, 400):
        server.storage.write(Batch([span(n, user=f"user {n}", start=n * DAY_NS) for n in range(first, first + 400)]))
    assert server.storage.used_bytes() > 400_000
    for run in range(9):
        server.retention.run_once(NOW_NS + run)
    assert server.storage.used_bytes() <= 300_000
    left = server.storage.find_traces(Query(project="default", limit=10_000))
    assert 50 < len(left) < 1_100
    assert left.items[0].start_ns == 1_199 * DAY_NS
    server._stop()


def test_a_full_disk_gives_up_the_reserve(server, monkeypatch):
    """The deletion is tried again with the room of the reserve, which is made again afterwards."""
    server.retention._make_reserve()
    reserve = server.data_dir / "reserve"
    assert reserve.stat().st_size == server.retention.figures()["reserve_bytes"] > 10_000_000
    server.storage.write(Batch([span(n) for n in range(1, 9)]))
    erase, seen = SQLiteTraceStorage.erase, []

    def full(self, query, *, thorough=True):
        seen.append(reserve.exists())
        if reserve.exists():
            raise StorageError("the disk is full, cannot write x; free some space")
        return erase(self, query, thorough=thorough)

    monkeypatch.setattr(SQLiteTraceStorage, "erase", full)
    assert [report.traces for report in server.retention.run_once(NOW_NS)] == [3]
    assert seen[:2] == [True, False]
    assert reserve.exists()


def test_the_thread_runs_when_it_is_woken(server):
    """And ends with the server."""
    import threading

    server.storage.write(Batch([span(1, start=DAY_NS)]))
    ran = threading.Event()
    once = server.retention.run_once
    server.retention.run_once = lambda now_ns: (once(now_ns), ran.set())
    server.retention.start()
    server.retention.wake()
    assert ran.wait(20)
    server.retention.stop()
    assert not server.retention._thread.is_alive()
    assert users(server) == []


def test_a_user_is_erased_with_a_report(server, client):
    """What went, that nothing is left, and a record that does not name who it was."""
    server.storage.write(Batch([span(n, "ann@example.org" if n % 2 else "bob") for n in range(1, 9)]))
    asked = {"user": "ann@example.org", "dry_run": True}
    told = client.post("/api/erase", json=asked).json()
    assert (told["dry_run"], told["traces"]) == (True, 4)
    told = client.post("/api/erase", json={"user": "ann@example.org"}).json()
    assert (told["traces"], told["clean"], told["filter"]) == (4, True, "user:ann@example.org")
    assert set(told["copies"].values()) == {0}
    assert told["started_ns"].isdigit()
    assert users(server) == ["bob"] * 4
    (past,) = client.get("/api/erasures").json()["items"]
    assert past["filter"] == ""
    assert past["filter_sha256"] == hashlib.sha256(b"user:ann@example.org").hexdigest()
    assert past["by"].startswith("key:")
    kept = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())
    assert b"ann@example.org" not in kept


@pytest.mark.parametrize("body", [{}, {"q": ""}, {"q": "modle:x"}, {"user": "x", "start": "yesterday"}, {"who": "x"}])
def test_an_erasure_of_everything_by_mistake_is_refused(server, client, body):
    """400 with what to give, and nothing is deleted."""
    server.storage.write(Batch([span(1)]))
    answer = client.post("/api/erase", json=body)
    assert answer.status_code == 400, answer.text
    assert users(server) == ["bob"]


def test_a_policy_is_set_and_holds(server, client):
    """Read back with the default beside it; a hold on everything answers 409, one on a user spares them."""
    server.storage.write(Batch([span(1, "ann"), span(2, "bob")]))
    assert client.get("/api/retention").json()["own"] is False
    told = client.put("/api/retention", json={"days": 30, "hold": "user:ann"}).json()
    assert told["own"] is True
    assert told["policy"] == {"days": 30.0, "traces": 0, "hold": "user:ann"}
    assert told["default"]["days"] == 5.0
    client.post("/api/erase", json={"q": "name:chat"}).raise_for_status()
    assert users(server) == ["ann"]
    client.put("/api/retention", json={"hold": "*"}).raise_for_status()
    assert client.post("/api/erase", json={"user": "ann"}).status_code == 409
    assert client.put("/api/retention", json={"days": -1}).status_code == 400
    assert client.put("/api/retention", json={"hold": "modle:x"}).status_code == 400
    assert json.loads((server.data_dir / "retention.json").read_text())["default"]["hold"] == "*"


def test_every_route_needs_an_admin(server):
    """A key that reads may not."""
    token = server.accounts.create_key("reader", {"*": {"read", "write"}}, "test")
    client = TestClient(
        Gate(server, ROUTES), base_url="http://localhost:4318", headers={"authorization": f"Bearer {token}"}
    )
    for route in ROUTES:
        assert client.request(route.method, route.path, json={}).status_code == 403
