"""The server under load: LLM spans of 3 kB over OTLP/HTTP from other processes, to durable and visible.

Each request is 512 spans in protobuf, with messages as JSON text, as OpenTelemetry's exporters send them: conversations
of five calls, each sending its history again. Printed are spans a second from the first byte sent until a question
counts all of them, CPU microseconds a span of the server with its children and of the senders, and then, at a steady
rate with questions asked meanwhile, the quantiles of the answers' times. `--phoenix PYTHON` puts the same load on Arize
Phoenix, installed in that interpreter's environment, in the same run.

    python bench/server.py [--short] [--spans 60000] [--senders 1 4] [--phoenix /path/to/venv/bin/python]
"""

import argparse
import bisect
import http.client
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from vestigo import otlp
from vestigo.record import Resource, Scope, Span

BATCH = 512
CALLS = 5
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro")
TICK = os.sysconf("SC_CLK_TCK")


# --- the load


class Talk:
    """Texts over a vocabulary of 4,000 words, used as often as words of a language are."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgk"
        words = ["".join(self.rng.choices(letters, k=self.rng.randint(2, 9))) for _ in range(4_000)]
        self.words = words
        self.steps = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(words))))

    def text(self, length):
        total, picked, size = self.steps[-1], [], 0
        while size < length:
            word = self.words[bisect.bisect(self.steps, self.rng.random() * total)]
            picked.append(word)
            size += len(word) + 1
        return " ".join(picked)


def message(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def spans(count, seed):
    """LLM spans of conversations; ids, users and texts differ by seed, times are now."""
    talk = Talk(seed)
    rng = talk.rng
    resource = Resource({
        "service.name": "shop", "service.version": "1.4.2", "deployment.environment.name": "production",
        "host.name": "web-1", "telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry",
    })  # fmt: skip
    scope = Scope("opentelemetry.instrumentation.genai.openai", "1.3b0")
    system = message("system", talk.text(360))
    for number in range(-(-count // CALLS)):
        trace_id, user = f"{rng.getrandbits(128):032x}", f"user-{rng.randrange(5_000)}"
        start = time.time_ns()
        history = [system]
        parent = None
        model = rng.choice(MODELS)
        for turn in range(CALLS):
            history.append(message("user", talk.text(220)))
            answer = message("assistant", talk.text(320))
            span_id = f"{rng.getrandbits(64):016x}"
            attributes = {
                "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
                "gen_ai.response.model": model, "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(120):030x}",
                "gen_ai.request.temperature": 0.2, "gen_ai.request.max_tokens": 1024,
                "gen_ai.usage.input_tokens": 300 + 160 * turn, "gen_ai.usage.output_tokens": 110,
                "gen_ai.usage.cache_read.input_tokens": 128 * turn, "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.conversation.id": f"conversation-{seed}-{number}", "user.id": user, "customer.tier": "gold",
                "server.address": "api.openai.com", "server.port": 443,
                "gen_ai.input.messages": json.dumps(history, separators=(",", ":")),
                "gen_ai.output.messages": json.dumps([answer], separators=(",", ":")),
            }  # fmt: skip
            at = start + turn * 1_000_000
            yield Span(
                trace_id, span_id, f"chat {model}", at, parent, at + int(rng.lognormvariate(20, 0.7)), "CLIENT",
                attributes=attributes, resource=resource, scope=scope,
            )  # fmt: skip
            parent = parent or span_id
            history.append(answer)


def requests(count, seed, batch=BATCH):
    source = spans(count, seed)
    while taken := list(itertools.islice(source, batch)):
        yield otlp.encode("traces", "protobuf", taken), len(taken)


# --- sending


def post(connection, path, body):
    connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
    response = connection.getresponse()
    response.read()
    return response.status


def send_all(port, path, bodies, ready, go, results):
    """One sender: everything as fast as the answers come; a busy answer is sent again."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    ready.release()
    go.wait()
    cpu = time.process_time()
    accepted = again = 0
    for body, count in bodies:
        while (status := post(connection, path, body)) in {429, 503}:
            again += 1
            time.sleep(0.05)
        if status != 200:
            raise SystemExit(f"answered {status}")
        accepted += count
    results.put((accepted, again, time.process_time() - cpu))


def flood(port, path, count, senders, seed, visible=None):
    """(spans/s, senders' CPU seconds, accepted, sent again); with `visible`, until so many more spans are counted."""
    before = 0 if visible is None else visible()
    context = multiprocessing.get_context("fork")
    ready, go, results = context.Semaphore(0), context.Event(), context.Queue()
    shares = [list(requests(count // senders, seed * 100 + number)) for number in range(senders)]
    workers = [context.Process(target=send_all, args=(port, path, share, ready, go, results)) for share in shares]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    began = time.perf_counter()
    go.set()
    told = [results.get(timeout=600) for _ in workers]
    taken = time.perf_counter() - began
    for worker in workers:
        worker.join()
    accepted = sum(one[0] for one in told)
    if visible is not None:
        wanted = before + accepted
        while visible() < wanted and time.perf_counter() - began < 600:
            time.sleep(0.1)
        taken = time.perf_counter() - began
    return accepted / taken, sum(one[2] for one in told), accepted, sum(one[1] for one in told)


def steady(port, path, rate, seconds, seed, ask, senders=4):
    """Times of the answers and of four questions a second meanwhile, in ms, at `rate` spans a second by the hundred.

    The requests are due at even times, in turn from each sender; waiting for the one before counts.
    """
    bodies = [body for body, _ in requests(int(rate * seconds), seed, 100)]
    ending = threading.Event()
    times, asked = [], []

    def question():
        for turn in itertools.count():
            if ending.wait(0.25):
                return
            began = time.perf_counter()
            ask(turn)
            asked.append((time.perf_counter() - began) * 1e3)

    def send(number, began):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for place in range(number, len(bodies), senders):
            due = began + place * 100 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            while post(connection, path, bodies[place]) in {429, 503}:
                time.sleep(0.05)
            times.append((time.perf_counter() - due) * 1e3)

    began = time.perf_counter() + 0.1
    threads = [threading.Thread(target=send, args=(number, began)) for number in range(senders)]
    asking = threading.Thread(target=question)
    for thread in (*threads, asking):
        thread.start()
    for thread in threads:
        thread.join()
    ending.set()
    asking.join()
    return times, asked


# --- servers


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def cpu_seconds(pid):
    """Of a process and of the children that live, from /proc."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            own, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        if own.startswith(f"{pid} ") or fields[1] == str(pid):
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_mb(pid):
    found = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(found[0].split()[1]) / 1024


def wait_for(port, path, process, timeout=120):
    began = time.perf_counter()
    while time.perf_counter() - began < timeout:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
            return time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the server did not start")


class Vestigo:
    name = "vestigo"

    def __init__(self, directory):
        self.port, self.directory = free_port(), directory
        command = [sys.executable, "-m", "vestigo", "serve", "--data-dir", directory, "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--set", "grpc_port=-2"], stderr=subprocess.DEVNULL)
        self.started_s = wait_for(self.port, "/healthz", self.process)
        key = [sys.executable, "-m", "vestigo", "key", "create", "bench", "--data-dir", directory, "--scopes", "read"]
        told = subprocess.run(key, capture_output=True, text=True, check=True).stdout
        self.key = next(word for word in told.split() if word.startswith("vst_"))

    def get(self, path):
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {self.key}"}
        )
        return json.load(urllib.request.urlopen(wanted, timeout=60))

    def ask(self, turn):
        paths = (
            "traces?limit=50", "traces?limit=50&q=user:user-7", "series?measures=count,cost&by=model",
            "spans?limit=50&q=kind:llm",
        )  # fmt: skip
        self.get(f"/api/{paths[turn % len(paths)]}")

    def visible(self):
        """Spans that a question counts."""
        groups = self.get("/api/series?measures=count")["groups"]
        return round(sum(count or 0 for group in groups for count in group["values"]["count"]))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Phoenix:
    name = "phoenix"

    def __init__(self, python, directory):
        self.port = free_port()
        environment = {
            **os.environ, "PHOENIX_WORKING_DIR": directory, "PHOENIX_PORT": str(self.port), "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_GRPC_PORT": str(free_port()), "PHOENIX_TELEMETRY_ENABLED": "false",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [python, "-m", "phoenix.server.main", "serve"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.started_s = wait_for(self.port, "/healthz", self.process)

    def visible(self):
        query = json.dumps({"query": "{projects{edges{node{recordCount}}}}"}).encode()
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", query, {"Content-Type": "application/json"}
        )
        told = json.load(urllib.request.urlopen(wanted, timeout=60))
        return sum(edge["node"]["recordCount"] for edge in told["data"]["projects"]["edges"])

    def ask(self, _):
        path = "/v1/projects/default/spans?limit=50"
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60).read()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def quantile(times, q):
    return sorted(times)[min(len(times) - 1, int(q * len(times)))]


def measure(make, count, senders, rate, seconds):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        server = make(directory)
        try:
            print(
                f"\n{server.name}: first answer after {server.started_s:.2f} s, {memory_mb(server.process.pid):.0f} MB"
            )
            for number, many in enumerate(senders):
                flood(server.port, "/v1/traces", BATCH * 4, many, 90 + number, server.visible)
                before = cpu_seconds(server.process.pid)
                speed, own, accepted, again = flood(server.port, "/v1/traces", count, many, number + 1, server.visible)
                each = (cpu_seconds(server.process.pid) - before) / accepted * 1e6
                print(
                    f"  {many} sender{'s' * (many > 1)}: {speed:>8,.0f} spans/s, {accepted:,} accepted, {again} times"
                    f" busy; CPU a span: server {each:.0f} us, senders {own / accepted * 1e6:.0f} us"
                )
            times, asked = steady(server.port, "/v1/traces", rate, seconds, 50, server.ask)
            print(
                f"  {rate:,} spans/s for {seconds} s: answers p50 {statistics.median(times):.0f},"
                f" p99 {quantile(times, 0.99):.0f}, worst {max(times):.0f} ms;"
                f" questions p50 {statistics.median(asked):.0f}, worst {max(asked):.0f} ms;"
                f" {memory_mb(server.process.pid):.0f} MB"
            )
        finally:
            server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few seconds, as CI runs it")
    parser.add_argument("--spans", type=int, default=60_000)
    parser.add_argument("--senders", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--phoenix", metavar="PYTHON", help="an interpreter that has arize-phoenix")
    given = parser.parse_args()
    sample, many = next(requests(BATCH, 7))
    print(f"{len(sample) / many:,.0f} bytes a span on the wire, {many} spans a request")
    count, seconds = (4_096, 3) if given.short else (given.spans, given.seconds)
    measure(Vestigo, count, given.senders, 500 if given.short else given.rate, seconds)
    if given.phoenix:
        small = min(count, 5_000)  # it is slower, and some minutes are enough to say by how much
        measure(lambda place: Phoenix(given.phoenix, place), small, given.senders, 200, min(seconds, 10))


if __name__ == "__main__":
    main()
