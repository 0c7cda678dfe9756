"""Other people's programs before our server: OpenTelemetry's exporters in JavaScript, and rotel as a relay."""

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from running import running, wait_until
from test_exporter_faults import free_port, process, when_listening

from vestigo import SQLiteTraceStorage
from vestigo.query import Query

pytestmark = pytest.mark.faults

JAVASCRIPT = Path(__file__).parent / "javascript"


@pytest.fixture(scope="session")
def javascript(tmp_path_factory):
    """A directory with the locked packages and the program that sends."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    place = tmp_path_factory.mktemp("javascript")
    for file in JAVASCRIPT.iterdir():
        shutil.copy(file, place)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=place, capture_output=True, text=True,
        timeout=180, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"npm could not install: {done.stderr.strip().splitlines()[-1:]}")
    return place


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("form", ["http", "proto"])
def test_javascript_spans_come_back_as_they_were_made(tmp_path, javascript, form, compression):
    """JSON (`-http`) and protobuf (`-proto`): ids, times, attributes, events, links and status of 1,200 spans."""
    with running(tmp_path) as server:
        done = subprocess.run(
            ["node", "send.mjs", form, server.url, compression, "600"], cwd=javascript, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        sent = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(sent) == 1_200
        with server.client() as client:
            assert client.get("/api/status").json()["counters"]["stored.spans"] == 1_200
        assert server.stop() == 0
    stored = spans_in(tmp_path)
    assert len(stored) == 1_200
    for one in sent:
        found = stored[one["span_id"]]
        assert (found.trace_id, found.parent_id, found.name) == (one["trace_id"], one["parent_id"], one["name"])
        assert (found.start_ns, found.end_ns) == (int(one["start_ns"]), int(one["end_ns"]))
        assert found.attributes == one["attributes"]
        assert [(event.name, event.time_ns, event.attributes) for event in found.events] == [
            (event["name"], int(event["time_ns"]), event["attributes"]) for event in one["events"]
        ]
        assert [(link.span_id, link.attributes) for link in found.links] == [
            (link["span_id"], link["attributes"]) for link in one["links"]
        ]
        assert (found.status, found.status_message, found.kind) == (one["status"], one["message"], one["kind"])
        assert found.resource.attributes == {"service.name": "js shop", "cores": [1, 2]}
        assert (found.scope.name, found.scope.version) == ("js scope", "3.1")
    assert {span.normal.kind for span in stored.values()} == {"span", "llm"}


def spans_in(data_dir):
    """By span id, from the storage of a server that has ended."""
    storage = SQLiteTraceStorage(data_dir / "vestigo.db")
    found = {span.span_id: span for span in storage.find_spans(Query(project="default", limit=100_000))}
    storage.close()
    return found


@pytest.mark.skipif(find_spec("rotel") is None, reason="rotel is not installed")
@pytest.mark.parametrize("on", ["http", "grpc"])
def test_rotel_relays_from_an_official_exporter(tmp_path, on):
    """SDK -> its exporter -> rotel -> Vestigo, by HTTP and by gRPC: 1,000 spans, each once and whole."""
    binary = Path(find_spec("rotel").origin).parent / "rotel-agent"
    http, grpc, own_grpc = free_port(), free_port(), free_port()
    with running(tmp_path / "server", "--grpc-port", str(own_grpc)) as server:
        to = server.url if on == "http" else f"http://127.0.0.1:{own_grpc}"
        command = [
            str(binary), "start", "--pid-file", str(tmp_path / "pid"), "--log-file", str(tmp_path / "log"),
            "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
            "--exporter", "otlp", "--otlp-exporter-protocol", on, "--otlp-exporter-endpoint", to,
        ]  # fmt: skip
        with process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            when_listening(http, child)
            exporter = (
                HttpExporter(f"http://127.0.0.1:{http}/v1/traces")
                if on == "http"
                else GrpcExporter(f"http://127.0.0.1:{grpc}", insecure=True)
            )
            provider = TracerProvider(resource=Resource({"service.name": "relayed"}))
            provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4_000))
            tracer = provider.get_tracer("scope", "1")
            made = {}
            for number in range(1_000):
                with tracer.start_as_current_span(f"s{number}", attributes={"n": number, "list": [1, 2]}) as span:
                    span.add_event("happened", {"at": 1.5})
                made[f"{span.get_span_context().span_id:016x}"] = number
            provider.shutdown()
            with server.client() as client:
                wait_until(lambda: client.get("/api/status").json()["counters"].get("stored.spans", 0) >= 1_000)
        assert server.stop() == 0
    stored = spans_in(tmp_path / "server")
    assert {span_id: span.attributes["n"] for span_id, span in stored.items()} == made
    one = next(iter(stored.values()))
    assert (one.service, one.scope.name, one.events[0].attributes) == ("relayed", "scope", {"at": 1.5})
