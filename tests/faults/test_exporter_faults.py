"""What stands between a program and a server: kills, forks, networks that fail at any byte, servers that hang."""

import os
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "sdk"))

from sink import sink

from vestigo import SQLiteTraceStorage, Tracer
from vestigo.query import Query
from vestigo.record import Batch, Span
from vestigo.sdk.exporters import OTLPExporter, SpoolingExporter
from vestigo.sdk.spool import Spool

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals")]

TRACE = "0af7651916cd43dd8448eb211c80319c"


def run(program, *arguments, **more):
    command = [sys.executable, "-X", "faulthandler", "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def law(tracer):
    figures = tracer.pipeline.stats()
    dropped = sum(count for name, count in figures.items() if name.startswith("dropped."))
    assert figures["recorded"] == sum(figures[name] for name in ("stored", "queued", "held", "spooled")) + dropped
    return figures


def waiting(directory):
    """Records in spools that no living process holds."""
    total = 0
    for place in {path.parent for path in Path(directory).rglob("*.spool")}:
        spool = Spool(place, 0)
        total += spool.adopt()
        spool.close()
    return total


# --- B1: killed


KILLED = """
import sys, time
from vestigo import Tracer
tracer = Tracer("killed", sys.argv[1], data_dir=sys.argv[2])
while True:
    ids = []
    for n in range(20):
        with tracer.span("work", {"n": n}) as span:
            ids.append(span.span_id)
    tracer.flush(0.05)
    while tracer.pipeline.stats()["queued"]:
        time.sleep(0.001)
    print(*ids, flush=True)
"""


def test_what_was_spooled_survives_a_killed_program(tmp_path):
    """60 SIGKILLs at random moments, with a server that is well, away, hung or loses answers: nothing is lost."""
    rng = random.Random(1)
    printed = set()
    with sink() as server:
        for _ in range(60):
            server.mode = rng.choice(["ok", "ok", 503, "hang", "answer lost", "reset"])
            command = [sys.executable, "-c", KILLED, server.url, str(tmp_path)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            child.stdout.readline()
            time.sleep(rng.uniform(0.01, 0.3))
            child.kill()
            told = child.communicate()[0]
            printed |= {one for line in told.splitlines(keepends=True) if line.endswith("\n") for one in line.split()}
        server.mode = "ok"
        server.release.set()
        last = Tracer("last", server.url, data_dir=str(tmp_path))
        server.wait(lambda: printed <= server.distinct)
        assert last.flush(30)
        last.close()
        assert len(printed) > 1_000
        assert waiting(tmp_path) == 0


# --- B2, B3: children


FORKS = """
import os, sys
from vestigo import Tracer
tracer = Tracer("forks", sys.argv[1], data_dir=sys.argv[2])
for round in range(100):
    for n in range(5):
        with tracer.span(f"parent {round} {n}"): pass
    child = os.fork()
    if child == 0:
        for n in range(3):
            with tracer.span(f"child {round} {n}"): pass
        tracer.close(30)
        os._exit(0)
    os.waitpid(child, 0)
tracer.close(60)
"""


def test_a_hundred_forks_under_load_send_each_span_once(tmp_path):
    """Of parent and children, and nothing hangs."""
    with sink() as server:
        done = run(FORKS, server.url, tmp_path)
        assert done.returncode == 0, done.stderr
        assert sorted(span.name for span in server.spans) == sorted(
            [f"parent {r} {n}" for r in range(100) for n in range(5)]
            + [f"child {r} {n}" for r in range(100) for n in range(3)]
        )
    assert waiting(tmp_path) == 0


POOL = """
import multiprocessing, os, sys
from vestigo import Tracer

def work(n):
    tracer = Tracer("pool", sys.argv[1], data_dir=sys.argv[2])
    for m in range(10):
        with tracer.span(f"{n} {m}"): pass
    if n % 2:
        tracer.flush()
        os._exit(0)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[3])
    children = [context.Process(target=work, args=(n,)) for n in range(8)]
    for child in children: child.start()
    for child in children: child.join(60)
    assert [child.exitcode for child in children] == [0] * 8
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_send_what_they_recorded(tmp_path, method):
    """Those that end, and those that flush and end by `os._exit`."""
    (tmp_path / "pool.py").write_text(POOL, encoding="utf-8")
    with sink() as server:
        command = [sys.executable, str(tmp_path / "pool.py"), server.url, str(tmp_path), method]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert sorted(span.name for span in server.spans) == sorted(f"{n} {m}" for n in range(8) for m in range(10))


# --- B4: the end


EXIT = """
import sys, time, logging
logging.basicConfig(level="WARNING")
from vestigo import Tracer
tracer = Tracer("exit", sys.argv[1], data_dir=sys.argv[2])
for n in range(100):
    with tracer.span("s"): pass
print(time.time(), flush=True)
"""


@contextmanager
def black_hole():
    """A port that takes no connection and refuses none."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        held = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            held.append(one)
        yield f"http://127.0.0.1:{address[1]}"
        for one in held:
            one.close()


@contextmanager
def server_that_is(mode):
    if mode == "dead":
        yield f"http://127.0.0.1:{free_port()}"
    elif mode == "no such name":
        yield "http://nowhere.invalid:4318"
    elif mode == "black hole":
        with black_hole() as url:
            yield url
    else:
        with sink(mode) as server:
            yield server.url


@pytest.mark.parametrize(
    "mode", ["dead", "hang", "drip", ("retry in", 429, 60), 503, "reset", "black hole", "no such name"]
)
def test_the_end_of_the_program_takes_two_seconds_at_most(tmp_path, mode):
    """Whatever the server does; at most one line is told, and the rest is in the spool."""
    with server_that_is(mode) as url:
        done = run(EXIT, url, tmp_path)
        ended = time.time()
    assert done.returncode == 0
    assert ended - float(done.stdout) < 2 + 1.5  # and what the interpreter itself takes to end on a busy machine
    assert len(done.stderr.splitlines()) <= 1, done.stderr
    assert waiting(tmp_path) == 100


# --- B5: limits


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from vestigo import Tracer
tracer = Tracer("limited", sys.argv[1], data_dir=sys.argv[2])
with tracer.span("before"): pass
tracer.flush()
if sys.argv[3] != "read only":
    resource.setrlimit(getattr(resource, sys.argv[3]), (int(sys.argv[4]), int(sys.argv[4])))
total = 0
for n in range(500):
    with tracer.span("s", {"text": str(n) * 500}): total += n
tracer.flush(20)
tracer.close(2)
stats = tracer.pipeline.stats()
dropped = sum(v for k, v in stats.items() if k.startswith("dropped."))
assert stats["recorded"] == 501 == stats["stored"] + stats.get("spooled", 0) + dropped, stats
print(total, stats["stored"], tracer.pipeline.exporter.counters.get("degraded"), flush=True)
"""


@pytest.mark.parametrize(
    ("limit", "value"), [("RLIMIT_NOFILE", 4), ("RLIMIT_FSIZE", 300), ("RLIMIT_AS", 1 << 30), ("read only", 0)]
)
def test_a_limit_of_the_machine_never_reaches_the_program(tmp_path, limit, value):
    """No file handles, no room for files, no memory, no directory: its own result is right, and the law holds."""
    place = tmp_path
    if limit == "read only":
        place = tmp_path / "file"
        place.write_text("not a directory", encoding="utf-8")
    with sink() as server:
        done = run(LIMITED, server.url, place, limit, value)
    assert done.returncode == 0, done.stderr
    total, stored, degraded = map(int, done.stdout.split())
    assert total == sum(range(500))
    if limit in {"RLIMIT_FSIZE", "read only"}:
        assert stored == 501
        assert degraded > 0


# --- C1: the network


def spans(begin, count=20):
    return [
        Span(TRACE, f"{n + 1:016x}", f"s{n}", 1, end_ns=2, attributes={"x": "y" * 50})
        for n in range(begin, begin + count)
    ]


def test_a_request_that_is_cut_at_any_byte_comes_again(tmp_path):
    """The connection reset at 50 places of the request, on new and on kept connections: each span is there."""
    with sink() as server:
        exporter = SpoolingExporter(OTLPExporter(server.url, compression="none", form="json"), Spool(tmp_path, 10**9))
        length = len(next(exporter.exporter.frames(Batch(spans(0)))).body)
        for step in range(50):
            server.script.append(("reset after", length * step // 50))
            exporter.write(Batch(spans(step * 20)))
            server.wait(lambda step=step: len(server.distinct) == (step + 1) * 20)
            if step % 10 == 9:
                endpoint = exporter.exporter.endpoint
                with endpoint._lock:  # the last answer may still be read
                    endpoint._drop()  # the next one is cut on a connection of its own
        assert exporter.drain(20)
        assert exporter.undelivered() == {"spooled": 0}
        assert len(server.distinct) == 1_000
        exporter.close()


def test_an_answer_that_is_cut_at_any_byte_is_no_answer(tmp_path):
    """The request comes again until one answer is whole; the server has each span, some twice."""
    with sink() as server:
        exporter = OTLPExporter(server.url)
        for cut in range(72):
            server.script = [("cut answer", cut), "ok"]
            outcome = exporter.send(next(exporter.frames(Batch(spans(cut * 20)))))
            assert outcome.retry_s is not None or not server.script, cut
        assert len(server.distinct) == 72 * 20
        exporter.close()


def test_answers_that_are_lost_eight_times_over_restarts_double_nothing(tmp_path):
    """Eight processes send the same; the ninth is heard, and no further one sends."""
    with sink("answer lost") as server:
        for _ in range(8):
            before = len(server.requests)
            tracer = Tracer("t", server.url, data_dir=str(tmp_path))
            if not before:
                with tracer.span("only"):
                    pass
            server.wait(lambda before=before: len(server.requests) > before)
            tracer.close(0.2)
        server.mode = "ok"
        before = len(server.requests)
        tracer = Tracer("t", server.url, data_dir=str(tmp_path))
        server.wait(lambda: len(server.requests) > before)
        assert tracer.flush(10)
        tracer.close()
        assert len(server.distinct) == 1
        assert len(server.ids) >= 9
    assert waiting(tmp_path) == 0


# --- C2: the server's word


@pytest.mark.parametrize(("told", "delay", "low", "high"), [("in", 2, 2, 2.4), ("at", 3, 1.9, 3.6)])
@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_is_as_the_server_says(tmp_path, told, delay, low, high, status):
    """In seconds or until a date, within a fifth (and the second that a date is exact to)."""
    with sink(script=[(f"retry {told}", status, delay)]) as server:
        tracer = Tracer("t", server.url, data_dir=str(tmp_path))
        with tracer.span("s"):
            pass
        tracer.flush(0.1)
        server.wait(lambda: server.ids)
        first, second = (moment for moment, *_ in server.requests)
        assert low <= second - first <= high + 0.3  # a busy machine wakes late
        tracer.close()


# --- C3: an outage


OUTAGE = """
import resource, sys, time
from vestigo import Tracer
tracer = Tracer("outage", sys.argv[1], data_dir=sys.argv[2])
def rss():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) // 1024
for n in range(200):
    with tracer.span("warm", {"text": "x" * 1_000}): pass
tracer.flush(1)
before, most, made, begun = rss(), 0, 200, time.monotonic()
text = "y" * 1_000
while made < 8_200:
    for n in range(50):
        with tracer.span("s", {"text": text, "n": n}): made += 1
    most = max(most, rss())
    time.sleep(max(0, begun + (made - 200) / 1_000 - time.monotonic()))
print("made", flush=True)
while not tracer.flush(30): time.sleep(0.05)
stats = tracer.pipeline.stats()
assert stats["recorded"] == stats["stored"] == made, stats
print(most - before, flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the process's memory there")
def test_an_outage_loses_nothing_and_takes_no_memory(tmp_path):
    """Eight seconds at 1,000 spans a second without a server: all arrive afterwards, in bounded memory and time."""
    port = free_port()
    command = [sys.executable, "-c", OUTAGE, f"http://127.0.0.1:{port}", str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "made\n"
    begun = time.monotonic()
    with sink(port=port) as server:
        grown = int(child.stdout.readline())
        assert child.wait(30) == 0
        assert time.monotonic() - begun < 15 + 15  # the longest pause between attempts, and draining
        assert len(server.ids) == len(server.distinct) == 8_200
        assert grown <= 64
    child.stdout.close()


# --- real servers


@contextmanager
def process(command, environ=None, **more):
    child = subprocess.Popen(command, env={**os.environ, **(environ or {})}, **more)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def when_listening(port, child):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert child.poll() is None
            time.sleep(0.05)
    raise AssertionError("does not listen")


@pytest.mark.skipif(find_spec("rotel") is None, reason="rotel is not installed")
@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_rotel_takes_what_we_send_and_sends_it_on(tmp_path, form):
    """An OTLP server of others: spans with all that they have, and logs, through it into a sink."""
    binary = Path(find_spec("rotel").origin).parent / "rotel-agent"
    http, grpc = free_port(), free_port()
    with sink() as server:
        command = [
            str(binary), "start", "--pid-file", str(tmp_path / "pid"), "--log-file", str(tmp_path / "log"),
            "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
            "--exporter", "otlp", "--otlp-exporter-protocol", "http", "--otlp-exporter-endpoint", server.url,
        ]  # fmt: skip
        with process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            when_listening(http, child)
            tracer = Tracer("rotel", f"http://127.0.0.1:{http}", data_dir=str(tmp_path), export_form=form)
            value = [1, "two", {"three": [True, 0.5]}]  # rotel refuses JSON with an empty value in it
            with tracer.trace("root", attributes={"list": value}) as trace:
                tracer.event("happened", {"at": 1.5})
                for n in range(600):
                    with tracer.span(f"s{n}"):
                        pass
            assert tracer.flush(30)
            assert law(tracer)["stored"] == 601
            server.wait(lambda: len(server.distinct) == 601, 60)
            root = next(span for span in server.spans if span.name == "root")
            assert root.trace_id == trace.trace_id
            assert root.attributes["list"] == value
            assert root.events[0].attributes == {"at": 1.5}
            assert root.service == "rotel"
            tracer.close()


def test_our_server_has_each_span_once_whatever_comes_between(tmp_path):
    """Killed and started again while a program sends; what was open is shown, and nothing is doubled."""
    port = free_port()
    command = [
        sys.executable, "-m", "vestigo.cli", "serve", "--port", str(port), "--grpc-port", "-2",
        "--data-dir", str(tmp_path / "server"),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    made = []
    tracer = Tracer("app", url, data_dir=str(tmp_path / "app"), project="default")
    for _ in range(3):
        with process(command, stderr=subprocess.DEVNULL) as child:
            when_listening(port, child)
            for n in range(400):
                with tracer.span(f"s{n}") as span:
                    made.append(span.span_id)
                if n == 200:
                    tracer.flush(0.05)
            child.kill()
    with process(command, stderr=subprocess.DEVNULL) as child:
        when_listening(port, child)
        deadline = time.monotonic() + 60
        while not tracer.flush(30):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running = tracer.start_span("running")
        assert tracer.flush(30)
        assert law(tracer)["stored"] == 1_200
        child.terminate()
        child.wait(20)
    storage = SQLiteTraceStorage(tmp_path / "server" / "vestigo.db")
    stored = storage.find_spans(Query(project="default", limit=10_000))
    assert sorted(span.span_id for span in stored if span.end_ns) == sorted(made)
    assert [span.name for span in stored if not span.end_ns] == ["running"]
    storage.close()
    tracer.end_span(running)
    tracer.close(0.1)
