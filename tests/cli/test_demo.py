"""The sample application: recorded by the real tracer, found again by the commands it names."""

import os
import re
import signal
import socket
import subprocess
import sys

from vestigo import SQLiteTraceStorage
from vestigo.query import Query
from vestigo.storage.skeleton import telling_span


def test_the_demo_records_what_it_says(run, tmp_path):
    """Twelve traces with calls, tools, a failure with a retry, scores, sent to a server; its commands work."""
    url = f"sqlite:////{tmp_path / 'demo.db'}"
    code, out, _ = run("demo", "--once", storage=url)
    assert code == 0
    assert re.search(r"listens on http://127.0.0.1:\d+\n", out)
    assert re.search(r"open +http://127.0.0.1:\d+/login\?token=", out)
    trace_id = re.search(r"vestigo show .* ([0-9a-f]{32})", out)[1]
    assert "retrieve policies" in run("show", trace_id[:12], storage=url)[1]
    assert len(run("query", "any(kind:tool status:error)", storage=url)[1].splitlines()) > 1
    storage = SQLiteTraceStorage(tmp_path / "demo.db")
    traces = storage.find_traces(Query(project="default"))
    assert len(traces) == 12
    assert all(trace.calls == 2 and trace.cost_usd and not trace.unpriced_calls for trace in traces)
    assert any(trace.errors for trace in traces)
    assert all(telling_span(storage.trace("default", trace.trace_id)).parent_id is None for trace in traces)
    calls = [span for span in storage.find_spans(Query(project="default")) if span.normal.model]
    assert len(calls) == 24
    assert all(span.normal.user_id for span in calls)
    assert len(storage.find_logs(Query(project="default"))) == 12
    storage.close()


def test_a_demo_that_is_told_to_end_leaves_no_server(tmp_path):
    """SIGTERM, as a supervisor sends it: nothing listens any more once the demo has ended."""
    environ = {**os.environ, "VESTIGO_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "vestigo", "demo", "--port", "0"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ)
    with demo.stdout:
        told = ""
        for line in demo.stdout:
            told += line
            if "Ctrl-C" in line:
                break
        port = int(re.search(r"listens on http://127.0.0.1:(\d+)\n", told)[1])
        socket.create_connection(("127.0.0.1", port), 5).close()
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 128 + signal.SIGTERM
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
