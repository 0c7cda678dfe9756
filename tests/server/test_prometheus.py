"""`/metrics`, `/healthz` and `/readyz` as a scraper sees them, and the server's own figures."""

import json
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import anyio.to_thread
import pytest
from exposition_lines import read, value_of
from starlette.applications import Starlette
from starlette.routing import Route as StarletteRoute
from starlette.testclient import TestClient
from test_figures import cpu_s, make_span

from vestigo.diagnostics import Counters
from vestigo.errors import StorageError
from vestigo.record import Batch, Cost, Usage
from vestigo.server.figures import MAX_LABEL_SETS
from vestigo.server.prometheus import MAX_REQUEST_SETS, ROUTES, PrometheusMetrics, measure_bytes
from vestigo.server.routes import Call, Principal
from vestigo.settings import ServerSettings
from vestigo.storage import open_storage
from vestigo.version import VERSION


class SmallServer(SimpleNamespace):
    """What the handlers use of a server."""

    async def ask(self, question):
        return await anyio.to_thread.run_sync(question)


def make_server(storage=None):
    counters = Counters()
    metrics = PrometheusMetrics(counters)
    storage = storage or open_storage("memory://")
    return SmallServer(metrics=metrics, counters=counters, settings=ServerSettings(), storage=storage)


def make_client(server):
    def mount(route):
        async def answer(request):
            return await route.handler(Call(server, route, request, Principal("test"), "default"))

        return StarletteRoute(route.path, answer, methods=[route.method])

    return TestClient(Starlette(routes=[mount(route) for route in ROUTES]))


def scrape(server, accept=""):
    answer = make_client(server).get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    return read(answer.content.decode(), openmetrics="openmetrics" in answer.headers["content-type"])


def test_a_scrape_has_calls_and_health_in_both_formats():
    """The content type says which format it is, and both read the same."""
    server = make_server()
    server.metrics.observe([make_span(usage=Usage(input=5), cost=Cost(0.5, source="reported"))], "web")
    client = make_client(server)
    plain = client.get("/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    asked = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert asked.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    for found in (read(plain.text), read(asked.text, openmetrics=True)):
        assert value_of(found, "vestigo_llm_cost_usd_total", project="web", model="gpt-4o") == 0.5
        assert value_of(found, "vestigo_build_info", version=VERSION) == 1


def test_counters_of_the_server_become_families():
    """`received.spans` and the like by signal, reason and rule; what has no family of its own keeps its name."""
    server = make_server()
    for name, count in {
        "received.spans": 10, "stored.spans": 7, "rejected.spans.bad_id": 2, "rejected.logs": 1, "redacted.email": 4,
        "redacted.secret.aws": 1, "busy": 3, "failed.worker": 1,
    }.items():  # fmt: skip
        server.counters.add(name, count)
    found = scrape(server)
    assert value_of(found, "vestigo_received_records_total", signal="spans") == 10
    assert value_of(found, "vestigo_stored_records_total", signal="spans") == 7
    assert value_of(found, "vestigo_rejected_records_total", signal="spans", reason="bad_id") == 2
    assert value_of(found, "vestigo_rejected_records_total", signal="logs", reason="") == 1
    assert value_of(found, "vestigo_redactions_total", rule="email") == 4
    assert value_of(found, "vestigo_redactions_total", rule="secret.aws") == 1
    assert value_of(found, "vestigo_busy_answers_total") == 3
    assert value_of(found, "vestigo_events_total", event="failed.worker") == 1


def test_requests_are_counted_by_route_and_status():
    """And their duration by route; a path of no route is `other`."""
    server = make_server()
    server.metrics.observe_request("GET", "/api/traces/{trace_id}", 200, 0.02)
    server.metrics.observe_request("GET", "/api/traces/{trace_id}", 404, 0.2)
    server.metrics.observe_request("GET", "", 404, 20.0)
    found = scrape(server)
    route = "/api/traces/{trace_id}"
    assert value_of(found, "vestigo_http_requests_total", route=route, status="404") == 1
    assert value_of(found, "vestigo_http_requests_total", route="other", status="404") == 1
    assert value_of(found, "vestigo_http_request_duration_seconds_bucket", route=route, le="0.025") == 1
    assert value_of(found, "vestigo_http_request_duration_seconds_sum", route=route) == pytest.approx(0.22)
    assert value_of(found, "vestigo_http_request_duration_seconds_bucket", route="other", le="10.0") == 0


def test_rules_have_bounded_labels():
    """However many rules there are: 200 sets and `other`, nothing lost."""
    server = make_server()
    for number in range(1_000):
        server.counters.add(f"redacted.rule{number}")
    found = scrape(server)
    assert len(found["vestigo_redactions_total"][1]) == MAX_LABEL_SETS + 1
    assert value_of(found, "vestigo_redactions_total") == 1_000
    assert value_of(found, "vestigo_redactions_total", rule="other") == 1_000 - MAX_LABEL_SETS


def test_requests_have_bounded_labels():
    """Whatever a caller sends as a method is one; were there ever so many routes, they end in `other`; nothing lost."""
    server = make_server()
    for number in range(5_000):
        server.metrics.observe_request(f"M{number}", "", 405, 0.1)
    found = scrape(server)
    assert len(found["vestigo_http_requests_total"][1]) == 1
    assert value_of(found, "vestigo_http_requests_total", method="other", status="405") == 5_000
    for number in range(5_000):
        server.metrics.observe_request("GET", f"/r{number}", 200, 0.1)
    found = scrape(server)
    assert len(found["vestigo_http_requests_total"][1]) == MAX_REQUEST_SETS + 1
    assert value_of(found, "vestigo_http_requests_total") == 10_000
    assert value_of(found, "vestigo_http_request_duration_seconds_count") == 10_000
    assert value_of(found, "vestigo_metrics_overflows_total", of="requests") == 5_001 - MAX_REQUEST_SETS


def test_parts_show_figures_that_are_read_at_each_scrape():
    """A number, a number by labels, or nothing now; a reader that raises is counted and costs no other figure."""
    server = make_server()
    waiting = [7]
    watch = server.metrics.watch
    watch("vestigo_waiting_bytes", "gauge", "waiting", lambda: waiting[0])
    watch("vestigo_spool_bytes", "gauge", "spool", lambda: {("a",): 1, ("b\n",): 2.5}, ("receiver",))
    watch("vestigo_age_seconds", "gauge", "age", lambda: None)
    watch("vestigo_broken", "gauge", "broken", lambda: 1 / 0)
    watch("vestigo_sent", "counter", "sent", lambda: 3)
    assert value_of(scrape(server), "vestigo_waiting_bytes") == 7
    waiting[0] = 8
    found = scrape(server)
    assert value_of(found, "vestigo_waiting_bytes") == 8
    assert value_of(scrape(server, "application/openmetrics-text"), "vestigo_sent_total") == 3
    assert value_of(found, "vestigo_spool_bytes", receiver="b\n") == 2.5
    assert not {"vestigo_age_seconds", "vestigo_broken"} & set(found)
    assert value_of(found, "vestigo_metrics_failures_total", of="readers") == 2
    watch("vestigo_broken", "gauge", "mended", lambda: 1)
    assert value_of(scrape(server), "vestigo_broken") == 1


def test_the_live_tail_and_retention_tell_what_they_do():
    """How many listen, and what was deleted; the reserve on the disk is no count."""
    server = make_server()
    server.metrics.watch_live(SimpleNamespace(listeners=4))
    server.metrics.watch_retention(SimpleNamespace(figures=lambda: {"runs": 2, "traces": 30, "reserve_bytes": 9}))
    found = scrape(server)
    assert value_of(found, "vestigo_live_listeners") == 4
    assert value_of(found, "vestigo_retention_total", what="traces") == 30
    assert value_of(found, "vestigo_retention_total") == 32


def test_the_process_is_told_of():
    """Memory, CPU, open files and the start, as Prometheus' own libraries name them."""
    found = scrape(make_server())
    assert 0 <= time.time() - value_of(found, "process_start_time_seconds") < 60
    assert 0 < value_of(found, "process_cpu_seconds_total") <= time.process_time()
    if Path("/proc/self/statm").exists():
        assert (
            10**6 < value_of(found, "process_resident_memory_bytes") < value_of(found, "process_virtual_memory_bytes")
        )
        assert 3 <= value_of(found, "process_open_fds") < value_of(found, "process_max_fds")


def test_the_last_commit_is_told_once_there_was_one():
    """As a time, so that its age needs no scrape."""
    server = make_server()
    assert "vestigo_last_commit_timestamp_seconds" not in scrape(server)
    server.metrics.committed()
    assert 0 <= time.time() - value_of(scrape(server), "vestigo_last_commit_timestamp_seconds") < 60


@pytest.mark.parametrize("url", ["sqlite:///{}/one.db", "file:///{}/traces"])
def test_the_storage_tells_its_bytes(url, tmp_path):
    """Of the database with its log, or of the directory; a storage in memory has none."""
    storage = open_storage(url.format(tmp_path))
    server = make_server(storage)
    server.metrics.watch_storage(storage)
    before = value_of(scrape(server), "vestigo_storage_bytes")
    storage.write(Batch([make_span()]))
    after = value_of(scrape(server), "vestigo_storage_bytes")
    storage.close()
    assert after > before >= 0
    kept = make_server()
    kept.metrics.watch_storage(kept.storage)
    assert "vestigo_storage_bytes" not in scrape(kept)


def test_bytes_of_a_place_are_those_of_its_files(tmp_path):
    """Files at any depth; links are not followed; what is not there is 0."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 10)
    (tmp_path / "two").write_bytes(b"x" * 5)
    (tmp_path / "link").symlink_to(tmp_path / "two")
    assert measure_bytes(tmp_path) == 15
    (tmp_path / "db").write_bytes(b"x" * 3)
    (tmp_path / "db-wal").write_bytes(b"x" * 4)
    assert measure_bytes(tmp_path / "db") == 7
    assert measure_bytes(tmp_path / "none") == 0


def test_observing_never_raises():
    """Whatever a span is: ingest goes on."""
    server = make_server()
    server.metrics.observe([object()], "web")
    server.metrics.observe([make_span()], "web")
    assert value_of(scrape(server), "vestigo_llm_requests_total") == 1


def test_the_process_answers_without_its_storage():
    """/healthz asks nothing."""
    answer = make_client(SmallServer()).get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


class Flaky:
    """A storage whose answers fail at will."""

    def __init__(self):
        self.asked = 0
        self.fails = False

    def trace(self, project, trace_id):
        self.asked += 1
        if self.fails:
            raise StorageError("disk I/O error at /secret/place")


def test_readiness_asks_the_storage_at_most_once_a_second():
    """200 while it answers, 503 with Retry-After while not, without the reason; in between the last answer holds."""
    storage = Flaky()
    server = make_server(storage)
    client = make_client(server)
    assert [client.get("/readyz").status_code for _ in range(5)] == [200] * 5
    assert storage.asked == 1
    storage.fails = True
    server.metrics.ready_until_s = 0.0  # a second later
    refused = client.get("/readyz")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert "secret" not in refused.text
    assert client.get("/readyz").status_code == 503
    assert storage.asked == 2
    storage.fails = False
    server.metrics.ready_until_s = 0.0
    assert client.get("/readyz").status_code == 200


def test_health_is_public_and_metrics_need_the_right_to_read():
    """What stands in /metrics tells of every project, so the scope must be held for every one."""
    scopes = {route.path: (route.scope, route.project) for route in ROUTES}
    assert scopes == {"/metrics": ("read", False), "/healthz": ("public", False), "/readyz": ("public", False)}


def test_a_scrape_of_thousands_of_series_is_cheap():
    """Full families, some 10,000 lines: at most 50 ms of CPU, here as a share of counting 20,000 calls (some 50 ms)."""
    server = make_server()
    for number in range(300):
        span = make_span(response_model=f"m{number}", usage=Usage(input=1), ttft_s=0.1, error=f"E{number}")
        server.metrics.observe([span], "web")
    spans = [make_span(usage=Usage(input=1), ttft_s=0.1) for _ in range(20_000)]
    assert server.metrics.text().count("\n") > 8_000
    counting = cpu_s(lambda: make_server().metrics.observe(spans, "web"))
    assert cpu_s(server.metrics.text) < counting


def test_scrapes_while_calls_come_in_are_whole():
    """A histogram read between two additions has its count; none is torn."""
    server = make_server()
    done = threading.Event()

    def count():
        while not done.is_set():
            server.metrics.observe([make_span(0.02), make_span(3.0)], "web")
            server.metrics.observe_request("POST", "/v1/traces", 200, 0.01)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        for _ in range(10):
            found = read(server.metrics.text())
            assert value_of(found, "vestigo_build_info") == 1
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_promtool_finds_nothing_to_say():
    """Prometheus' own checker reads it and knows no better names."""
    server = make_server()
    hostile = 'x"} 1\nother_total{model="\\'
    server.metrics.observe([make_span(response_model=hostile, error="timeout", ttft_s=0.1)], "web")
    server.metrics.observe_request("GET", "/api/traces", 200, 0.1)
    server.metrics.committed()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=server.metrics.text(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


# --- the dashboard for Grafana

DASHBOARD = Path(__file__).parent.parent.parent / "docs" / "grafana" / "vestigo.json"
FORWARDED = {
    "vestigo_forwarded_records": "counter",
    "vestigo_forward_dropped_records": "counter",
    "vestigo_forward_waiting_bytes": "gauge",
}
"""What `Forwarder.watch` shows."""
GIVEN_BY_PROMETHEUS = {"instance", "job", "le"}


def make_busy_server():
    """One of which every figure is there."""
    server = make_server()
    for name in ("received.spans", "stored.spans", "rejected.spans.bad_id", "redacted.email", "busy", "failed.worker"):
        server.counters.add(name)
    server.metrics.observe([make_span(usage=Usage(input=1), ttft_s=0.1, error="timeout")], "web")
    server.metrics.observe_request("GET", "/api/traces", 200, 0.1)
    server.metrics.committed()
    server.metrics.watch("vestigo_storage_bytes", "gauge", "disk", lambda: 1)
    server.metrics.watch("vestigo_waiting_bytes", "gauge", "waiting", lambda: 1)
    server.metrics.watch_live(SimpleNamespace(listeners=1))
    server.metrics.watch_retention(SimpleNamespace(figures=lambda: {"traces": 1}))
    for name, kind in FORWARDED.items():
        server.metrics.watch(name, kind, "forwarded", lambda: {("http://collector:4318",): 1}, ("receiver",))
    return server


def queries_of(dashboard):
    """(text, where) of all queries: of panels, and of variables."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"], panel["title"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"], variable["name"]


def names_of(query):
    """(metrics, labels) that a query names."""
    values = re.sub(r'"[^"]*"', '""', query)
    metrics = set(re.findall(r"\b(?:vestigo|process)_\w+", values))
    listed = re.findall(r"\b(?:by|on|group_left|ignoring|without)\s*\(([^)]*)\)", values)
    labels = {word.strip() for words in listed for word in words.split(",") if word.strip()}
    labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", values))
    labels |= set(re.findall(r"label_values\(\w+,\s*(\w+)\)", values))
    return metrics, labels


def test_every_name_on_the_dashboard_is_in_a_scrape():
    """Each metric of its queries is shown by the server, and has the labels that they use."""
    found = scrape(make_busy_server())
    labels_of = {}
    for _, samples in found.values():
        for name, pairs in samples:
            labels_of.setdefault(name, set()).update(dict(pairs))
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = list(queries_of(dashboard))
    assert len(queries) >= 30
    for query, where in queries:
        metrics, labels = names_of(query)
        assert metrics, where
        assert metrics <= labels_of.keys(), (where, metrics - labels_of.keys())
        known = set.union(*(labels_of[metric] for metric in metrics))
        assert labels - GIVEN_BY_PROMETHEUS <= known, (where, labels - known)


def test_a_wrong_name_on_the_dashboard_would_be_noticed():
    """The reader of queries sees metrics, and labels in braces and lists."""
    query = 'sum by (le, modle) (rate(vestigo_llm_typo_bucket{project=~"$project",x="y"}[5m])) / on (a) process_b'
    assert names_of(query) == ({"vestigo_llm_typo_bucket", "process_b"}, {"le", "modle", "project", "x", "a"})


def test_the_dashboard_can_be_imported():
    """Panels do not overlap, every query asks the chosen source, legends name labels of their queries."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert {variable["name"] for variable in dashboard["templating"]["list"]} == {
        "datasource", "project", "service", "model",
    }  # fmt: skip
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    cells = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not own & cells, panel["title"]
        assert max(x for x, _ in own) < 24
        cells |= own
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert legend - {"instance", "version", "python"} <= names_of(target["expr"])[1], panel["title"]


def test_every_metric_is_on_its_page():
    """docs/prometheus.md has each family of a scrape, and none that there is not."""
    page = (DASHBOARD.parent.parent / "prometheus.md").read_text(encoding="utf-8")
    families = {name for name in scrape(make_busy_server()) if name.startswith("vestigo_")}
    assert set(re.findall(r"^\| `(vestigo_\w+)` ", page, re.MULTILINE)) == families
