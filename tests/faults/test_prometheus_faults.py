"""A real Prometheus scrapes `/metrics` of a served application and answers questions about what it found."""

import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route as StarletteRoute

from vestigo.diagnostics import Counters
from vestigo.record import Cost, NormalForm, Resource, Span, Usage
from vestigo.server.prometheus import ROUTES, PrometheusMetrics
from vestigo.server.routes import Call, Principal

PROMETHEUS = shutil.which("prometheus")
DASHBOARD = Path(__file__).parent.parent.parent / "docs" / "grafana" / "vestigo.json"

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus here"),
]

COUNTED = ("received.spans", "stored.spans", "rejected.spans.bad_id", "redacted.email", "busy")
HOSTILE = 'x"} 1\nvestigo_llm_cost_usd_total{model="gpt\\'

CONFIGURATION = """
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: vestigo
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def ask(port, path, **query):
    """The `data` of an answer of Prometheus, None while it does not answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}?{urlencode(query)}", timeout=5) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def wait_for(question, limit_s=60.0):
    """The first answer that is something."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = question()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"no answer within {limit_s} s")


@pytest.fixture
def served():
    """(metrics, port) of a small application on a real port, whose calls take 0.5 s and cost 0.25 USD each."""
    counters = Counters()
    metrics = PrometheusMetrics(counters)
    metrics.watch("vestigo_storage_bytes", "gauge", "disk", lambda: 1)
    for name in ("waiting_bytes", "live_listeners", "forward_waiting_bytes"):
        metrics.watch(f"vestigo_{name}", "gauge", "of other parts", lambda: 1)
    for name in ("forwarded_records", "forward_dropped_records", "retention"):
        metrics.watch(f"vestigo_{name}", "counter", "of other parts", lambda: 1)
    server = SimpleNamespace(metrics=metrics)

    def mount(route):
        async def answer(request):
            return await route.handler(Call(server, route, request, Principal("test"), "default"))

        return StarletteRoute(route.path, answer, methods=[route.method])

    port = free_port()
    app = Starlette(routes=[mount(route) for route in ROUTES])
    web = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    done = threading.Event()

    def call():
        while not done.wait(0.02):
            metrics.observe([make_span("gpt-4o"), make_span(HOSTILE)], "web")
            metrics.observe_request("POST", "/v1/traces", 200, 0.01)
            for name in COUNTED:
                counters.add(name)

    threads = [threading.Thread(target=web.run), threading.Thread(target=call)]
    for thread in threads:
        thread.start()
    yield metrics, port
    done.set()
    web.should_exit = True
    for thread in threads:
        thread.join()


ids = itertools.count(1)


def make_span(model):
    normal = NormalForm(
        kind="llm", provider="openai", response_model=model, usage=Usage(input=500, output=40),
        cost=Cost(0.25, source="computed"), ttft_s=0.2,
    )  # fmt: skip
    return Span(
        "0" * 32, f"{next(ids):016x}", "chat", 0, end_ns=500_000_000, normal=normal,
        resource=Resource({"service.name": "shop"}),
        attributes={"gen_ai.operation.name": "chat"}, status="ERROR",
    )  # fmt: skip


@pytest.fixture
def prometheus(served, tmp_path):
    """The port of a Prometheus that scrapes it."""
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION % served[1], encoding="utf-8")
    port = free_port()
    process = subprocess.Popen(
        [
            PROMETHEUS, f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ],
    )  # fmt: skip
    yield port
    process.terminate()
    process.wait(30)


def test_prometheus_scrapes_us_and_answers(served, prometheus):
    """It finds the target healthy, a quantile within the right bucket, and a cost that fits the number of calls."""
    targets = wait_for(
        lambda: [
            one
            for one in (ask(prometheus, "/api/v1/targets") or {"activeTargets": []})["activeTargets"]
            if one["health"] != "unknown"
        ]
    )
    assert [(one["health"], one["lastError"]) for one in targets] == [("up", "")]
    quantile = "histogram_quantile(0.95, sum by (le) (rate(vestigo_llm_duration_seconds_bucket[1m])))"
    found = wait_for(lambda: ask(prometheus, "/api/v1/query", query=quantile)["result"])
    assert 0.32 < float(found[0]["value"][1]) <= 0.64
    cost = "sum by (model) (vestigo_llm_cost_usd_total) / sum by (model) (vestigo_llm_requests_total)"
    found = ask(prometheus, "/api/v1/query", query=cost)["result"]
    assert {one["metric"]["model"]: float(one["value"][1]) for one in found} == {"gpt-4o": 0.25, HOSTILE: 0.25}
    samples = ask(prometheus, "/api/v1/query", query="vestigo_llm_requests_total")["result"]
    assert {one["metric"]["service"] for one in samples} == {"shop"}


def test_prometheus_answers_every_query_of_the_dashboard(served, prometheus):
    """None is an error, and none is without an answer."""
    wait_for(
        lambda: (ask(prometheus, "/api/v1/query", query="rate(vestigo_llm_requests_total[1m])") or {}).get("result")
    )
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(queries) > 30
    silent = []
    for query in queries:
        filled = re.sub(r'"\$(project|service|model)"', '".*"', re.sub(r"\$__(rate_interval|range)", "1m", query))
        answer = ask(prometheus, "/api/v1/query", query=filled)
        assert answer is not None, f"not understood: {query}"
        silent += [] if answer["result"] else [query]
    assert silent == []
