"""`vestigo serve` as a user runs it: what it prints, what it refuses, how it ends, what it costs while idle."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from running import TYPES, children_of, running

from vestigo import SQLiteTraceStorage, otlp
from vestigo.query import Query
from vestigo.record import Span

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs signals")


def span(number):
    return Span(f"{number + 1:032x}", f"{number + 1:016x}", "work", 10**18, end_ns=10**18 + 1)


def send(client, spans, form="json"):
    body = otlp.encode("traces", form, spans)
    return client.post("/v1/traces", content=body, headers={"Content-Type": TYPES[form]})


def serve(*flags, environ=None):
    """(exit code, what it printed) of a start that is refused."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("VESTIGO_")}
    done = subprocess.run(
        [sys.executable, "-m", "vestigo.cli", "serve", *map(str, flags)], capture_output=True, text=True, timeout=60,
        check=False, env={**bare, **(environ or {})},
    )  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_it_tells_where_it_is_and_how_to_log_in(tmp_path):
    """The address answers, the storage is named, and the link logs in once and leads to the page."""
    with running(tmp_path) as server:
        assert re.search(r"listens on http://127\.0\.0\.1:\d+\n", server.told)
        assert f"storage   sqlite:///{tmp_path / 'vestigo.db'}" in server.told
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT={server.url}" in server.told
        with server.client() as client:
            assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
            del client.headers["authorization"]
            link = re.search(r"open      (\S+)", server.told)[1]
            assert client.get("/api/status").status_code == 401
            first = client.get(link)
            assert first.status_code in {302, 303}
            assert client.get("/api/status").status_code == 200
            client.cookies.clear()
            again = client.get(link)
            assert client.get("/api/status").status_code == 401, again
        assert server.stop() == 0
    assert (tmp_path.stat().st_mode & 0o077) == 0 or os.getuid() == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_keeps_what_was_accepted(tmp_path, how):
    """While senders send, it ends within its time and with 0; each span that was answered is stored, none in part."""
    answered, began = [], threading.Event()

    def sender(number):
        with server.client() as client:
            for batch in range(10_000):
                numbers = range(number * 10**6 + batch * 10, number * 10**6 + batch * 10 + 10)
                try:
                    if send(client, [span(n) for n in numbers]).status_code != 200:
                        return
                except OSError:
                    return
                except Exception as error:
                    if "Error" in type(error).__name__:  # httpx: the connection ended
                        return
                    raise
                answered.extend(numbers)
                if len(answered) > 100:
                    began.set()

    with running(tmp_path, "--set", "exit_timeout_s=5") as server:
        senders = [threading.Thread(target=sender, args=(number,)) for number in range(3)]
        for one in senders:
            one.start()
        assert began.wait(60)
        asked = time.monotonic()
        code = server.stop(how)
        took = time.monotonic() - asked
        for one in senders:
            one.join()
    assert code == {signal.SIGTERM: 0, signal.SIGINT: 130}[how]
    assert took < 5 + 5
    assert "Traceback" not in server.told, server.told
    storage = SQLiteTraceStorage(tmp_path / "vestigo.db")
    stored = {int(one.span_id, 16) - 1 for one in storage.find_spans(Query(project="default", limit=100_000))}
    storage.close()
    assert set(answered) <= stored
    assert len(stored) % 10 == 0


def test_a_port_in_use_is_told(tmp_path):
    """With the address and what to do, and exit code 2."""
    with running(tmp_path) as server:
        code, told = serve("--data-dir", tmp_path / "other", "--port", server.port)
    assert code == 2
    assert told.startswith(f"vestigo: cannot listen on 127.0.0.1:{server.port}: ")
    assert "give --port" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--set", "max_bdy_bytes=5"], ["max_bdy_bytes", "max_body_bytes"]),
        (["--set", "max_body_bytes"], ["has no '='"]),
        (["--set", "max_body_bytes=many"], ["max_body_bytes", "no number"]),
        (["--set", "redact=nothing"], ["redact", "secrets, personal, off"]),
        (["--host", "0.0.0.0"], ["'0.0.0.0'", "tls_certificate", "behind_proxy"]),
        (["--host", "192.0.2.7"], ["'192.0.2.7'", "tls_certificate"]),
        (["--tls-certificate", "x.pem"], ["tls_key"]),
        (["--storage", "nonsense://x"], ["nonsense"]),
        (["--forward", "ftp://x"], ["ftp://x"]),
        (["--config", "/nowhere/vestigo.toml"], ["/nowhere/vestigo.toml"]),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_the_remedy(tmp_path, flags, words):
    """One line, exit code 2, and nothing listens."""
    code, told = serve("--data-dir", tmp_path / "data", "--port", "0", "--grpc-port=-2", *flags)
    assert code == 2, told
    assert told.startswith("vestigo: ")
    assert len(told.splitlines()) == 1, told
    for word in words:
        assert word in told


def test_settings_come_from_flags_then_variables_then_the_file(tmp_path):
    """Each before the next, as /api/status shows; a wrong name in the file is told with the nearest."""
    file = tmp_path / "vestigo.toml"
    file.write_text("max_records = 7\nquery_threads = 3\nproject = 'filed'\n", encoding="utf-8")
    environ = {"VESTIGO_QUERY_THREADS": "2", "VESTIGO_PROJECT": "varied"}
    with running(tmp_path, "--set", "project=flagged", environ=environ) as server, server.client() as client:
        told = client.get("/api/status").json()["settings"]
        shown = {row["name"]: row["value"] for row in told}
        assert (shown["max_records"], shown["query_threads"], shown["project"]) == ("7", "2", "flagged")
        assert send(client, [span(n) for n in range(8)]).status_code == 400
    file.write_text("max_recrds = 7\n", encoding="utf-8")
    code, told = serve("--data-dir", tmp_path)
    assert (code, told) == (2, f"vestigo: {file}: unknown setting 'max_recrds'; did you mean 'max_records'?\n")


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def rss_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads a process's cost there")
def test_an_idle_server_costs_almost_nothing(tmp_path):
    """One process of at most 150 MB, started for little more than its modules cost; two idle seconds take no CPU."""
    bare = "import os, vestigo.server, uvicorn; print(sum(os.times()[:2]))"
    imports = float(subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, check=True).stdout)
    with running(tmp_path) as server, server.client() as client:
        assert client.get("/healthz").status_code == 200
        pid, second = server.process.pid, os.sysconf("SC_CLK_TCK")
        started = cpu_ticks(pid) / second
        assert rss_mb(pid) <= 150
        assert children_of(pid) == []
        before = cpu_ticks(pid)
        time.sleep(2)  # what is measured is that nothing happens
        assert cpu_ticks(pid) - before <= 0.04 * second
    assert started < imports * 2 + 0.3
