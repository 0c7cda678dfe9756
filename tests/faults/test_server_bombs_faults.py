"""Requests made to hurt, against a server of its own process: refused in the form they came in, in bounded memory."""

import gzip
import re
import socket
import sys
import threading
import time
import zlib
from pathlib import Path

import httpx
import pytest
from backports import zstd
from google.rpc.status_pb2 import Status

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from running import TYPES, children_of, running, wait_until

from vestigo import otlp
from vestigo.record import Log, Span

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak of memory there"),
]

MIB = 1024 * 1024
GROWTH_MIB = 256
DRIBBLERS = 20
PROTOBUF, JSON = {"Content-Type": TYPES["protobuf"]}, {"Content-Type": TYPES["json"]}


def packed(compressor, mib, block=bytes(MIB)):
    """So many MiB of zeros, compressed without ever being there whole."""
    return b"".join([*(compressor.compress(block) for _ in range(mib)), compressor.flush()])


def gzipped(mib):
    return packed(zlib.compressobj(9, wbits=31), mib)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, body):
    """A protobuf field that holds bytes or a message."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def in_span(*fields):
    """A request with one span of these fields."""
    whole = field(1, b"\1" * 16) + field(2, b"\2" * 8) + field(5, b"s") + b"".join(fields)
    return field(1, field(2, field(2, whole)))


def deep(levels):
    """An attribute whose value is a list in a list in a list."""
    value = b"\x08\x01"
    for _ in range(levels):
        value = field(5, field(1, value))
    return in_span(field(9, field(1, b"k") + field(2, value)))


def json_span(attributes="[]", **more):
    told = {"traceId": '"' + "1" * 32 + '"', "spanId": '"' + "2" * 16 + '"', "name": '"s"', **more}
    fields = ",".join(f'"{name}":{value}' for name, value in told.items())
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields},"attributes":{attributes}}}]}}]}}]}}'.encode()


def json_many(item, mib=16):
    """16 MiB of one item at each place that has a list."""
    items = ",".join([item] * (mib * MIB // (len(item) + 1) - 64))
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{items}]}}]}}]}}'.encode()


ONE = otlp.encode("traces", "protobuf", [Span("1" * 32, "2" * 16, "s", 10**18, end_ns=10**18 + 1)])
EMPTY = b"\x12\x00"  # as the spans of a scope
REJECTED = {200, 400}  # the request as a whole, or its only record
BOMBS = {
    "gzip of 1 GiB": (PROTOBUF | {"Content-Encoding": "gzip"}, lambda: gzipped(1_024), {413}),
    "deflate of 512 MiB": (JSON | {"Content-Encoding": "deflate"}, lambda: packed(zlib.compressobj(9), 512), {413}),
    "zstd of 4 GiB": (PROTOBUF | {"Content-Encoding": "zstd"}, lambda: packed(zstd.ZstdCompressor(), 4_096), {413}),
    "zstd with a large window": (
        PROTOBUF | {"Content-Encoding": "zstd"},
        lambda: packed(zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27}), 512), {413},
    ),
    "4,000 frames of gzip": (JSON | {"Content-Encoding": "gzip"}, lambda: gzip.compress(bytes(MIB)) * 4_000, {413}),
    "empty frames of gzip": (JSON | {"Content-Encoding": "gzip"}, lambda: gzip.compress(b"") * 700_000, {400}),
    "gzip in gzip": (PROTOBUF | {"Content-Encoding": "gzip"}, lambda: gzip.compress(gzipped(256)), {400}),
    "gzip, gzip": (PROTOBUF | {"Content-Encoding": "gzip, gzip"}, lambda: gzip.compress(gzipped(256)), {415}),
    "16 MiB of empty resources": (PROTOBUF, lambda: b"\x0a\x00" * (8 * MIB - 1), {400}),
    "16 MiB of empty spans": (PROTOBUF, lambda: field(1, field(2, EMPTY * (8 * MIB - 16))), {400}),
    "16 MiB of empty attributes": (PROTOBUF, lambda: in_span(b"\x4a\x00" * (8 * MIB - 64)), REJECTED),
    "16 MiB of empty spans in JSON": (JSON, lambda: json_many("{}"), {400}),
    "16 MiB of lists in JSON": (JSON, lambda: json_span("[" + ",".join(["[]"] * (5 * MIB)) + "]"), {400}),
    "16 MiB of attributes in JSON": (
        JSON, lambda: json_span("[" + ",".join(['{"key":"k","value":{}}'] * 700_000) + "]"), REJECTED,
    ),
    "a value 4,000 deep": (PROTOBUF, lambda: deep(4_000), REJECTED),
    "a value 200,000 deep in JSON": (
        JSON,
        lambda: json_span('[{"key":"k","value":' + '{"arrayValue":{"values":[' * 200_000 + "]}}" * 200_000 + "}]"),
        REJECTED,
    ),
    "brackets": (JSON, lambda: b"[" * (16 * MIB), {400}),
    "an integer of 10 million digits": (
        JSON, lambda: json_span('[{"key":"k","value":{"intValue":"' + "9" * 10_000_000 + '"}}]'), REJECTED,
    ),
    "a bare number of 10 million digits": (
        JSON, lambda: json_span('[{"key":"k","value":{"doubleValue":' + "9" * 10_000_000 + "}}]"), REJECTED,
    ),
    "a time of 1 million digits": (JSON, lambda: json_span(startTimeUnixNano='"' + "9" * 1_000_000 + '"'), REJECTED),
    "a length beyond the end": (PROTOBUF, lambda: b"\x0a\xff\xff\xff\xff\x07", {400}),
    "17 MiB": (PROTOBUF, lambda: bytes(17 * MIB), {413}),
    "said to be gzip": (PROTOBUF | {"Content-Encoding": "gzip"}, lambda: ONE, {400}),
    "said to be brotli": (PROTOBUF | {"Content-Encoding": "br"}, lambda: ONE, {415}),
    "half of a gzip": (PROTOBUF | {"Content-Encoding": "gzip"}, lambda: gzip.compress(ONE)[:-9], {400}),
    "half of a message": (PROTOBUF, lambda: ONE[:-1], {400}),
    "half of a JSON": (JSON, lambda: json_span()[:-1], {400}),
    "no UTF-8": (JSON, lambda: b'{"resourceSpans": "\xff\xfe"}', {400}),
    "a list": (JSON, lambda: b"[]", {400}),
    "text": ({"Content-Type": "text/plain"}, lambda: b"hello", {415}),
    "a form": ({"Content-Type": "multipart/form-data; boundary=x"}, lambda: b"--x--", {415}),
    "protobuf that is JSON": (PROTOBUF, json_span, {400}),
    "JSON that is protobuf": (JSON, lambda: ONE, {400}),
}  # fmt: skip


def figure(pid, name):
    """In MiB, of /proc/PID/status."""
    try:
        return int(re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1]) / 1024
    except (FileNotFoundError, ProcessLookupError, TypeError):  # it has ended
        return 0.0


class Memory:
    """Of a server with its children: how far it grew over what it had."""

    def __init__(self, pid):
        self.pid = pid
        for one in self._all():
            Path(f"/proc/{one}/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self.before = sum(figure(one, "VmRSS") for one in self._all())

    def _all(self):
        return [self.pid, *children_of(self.pid)]

    def grown(self):
        return sum(figure(one, "VmHWM") for one in self._all()) - self.before


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A warm server, with children at work, on which connections dribble all the time."""
    with running(tmp_path_factory.mktemp("bombs")) as server:
        spans = [Span("3" * 32, f"{n + 1:016x}", "warm", 10**18, attributes={"t": "x" * 2_000}) for n in range(200)]
        body = otlp.encode("traces", "protobuf", spans)

        def warm():
            httpx.post(f"{server.url}/v1/traces", content=body, headers=PROTOBUF, timeout=60).raise_for_status()

        def has_children():
            threads = [threading.Thread(target=warm) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return len(children_of(server.process.pid)) > 1

        wait_until(has_children)
        server.dribblers = [Dribbler(server.port) for _ in range(DRIBBLERS)]
        server.growth = {}
        yield server
        for one in server.dribblers:
            one.end()


class Dribbler(threading.Thread):
    """A sender whose body comes a byte at a time."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        head = f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self.socket.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode())
        self.began = time.monotonic()
        self.answer, self.ended_s = b"", 0.0
        self.start()

    def run(self):
        self.socket.settimeout(0.25)
        while not self.answer and time.monotonic() - self.began < 60:
            try:
                self.socket.sendall(b" ")
                self.answer = self.socket.recv(10_000)
            except TimeoutError:
                continue
            except OSError as error:
                self.answer = str(error).encode()
        self.ended_s = time.monotonic() - self.began

    def end(self):
        self.socket.close()
        self.join(10)


class Others:
    """A sender and a reader who have nothing to do with it."""

    def __init__(self, server):
        self.statuses, self.slowest_s, self.ends = [], 0.0, threading.Event()
        self.thread = threading.Thread(target=self._work, args=(server,))
        self.thread.start()

    def _work(self, server):
        with server.client() as client:
            while not self.ends.is_set() or not self.statuses:
                began = time.monotonic()
                self.statuses.append(client.post("/v1/traces", content=ONE, headers=PROTOBUF).status_code)
                self.statuses.append(client.get("/api/traces").status_code)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def end(self):
        self.ends.set()
        self.thread.join(60)


def check_status(answer, headers):
    """It is a google.rpc.Status in the form of the request, and says something."""
    if headers.get("Content-Type") == TYPES["json"]:
        assert answer.headers["content-type"] == TYPES["json"]
        told = answer.json()
        assert set(told) <= {"code", "message", "details"}
        code, message = told["code"], told["message"]
    else:
        assert answer.headers["content-type"] == TYPES["protobuf"]
        told = Status.FromString(answer.content)
        code, message = told.code, told.message
    assert code > 0
    assert 5 < len(message) < 1_000


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(server, name):
    """With a 4xx and a Status; the server and its children grow by at most 256 MiB, and others are served meanwhile."""
    headers, make, statuses = BOMBS[name]
    body = make()
    memory, others = Memory(server.process.pid), Others(server)
    try:
        answer = httpx.post(f"{server.url}/v1/traces", content=body, headers=headers, timeout=60)
    finally:
        others.end()
    assert answer.status_code in statuses, answer.text[:300]
    if answer.status_code == 200:
        form = "json" if headers == JSON else "protobuf"
        rejected, why = otlp.read_answer("traces", form, answer.content)
        assert (rejected, bool(why)) == (1, True) or "number" in name  # a double may be as large as it is
    else:
        check_status(answer, headers)
    assert memory.grown() <= GROWTH_MIB
    assert set(others.statuses) == {200}
    assert others.slowest_s < 10


def test_eight_bombs_at_once_are_refused(server):
    """At the same time, and within the same bound."""
    body = gzipped(512)
    memory, others, answers = Memory(server.process.pid), Others(server), []

    def throw():
        headers = PROTOBUF | {"Content-Encoding": "gzip"}
        answers.append(httpx.post(f"{server.url}/v1/traces", content=body, headers=headers, timeout=60).status_code)

    throwers = [threading.Thread(target=throw) for _ in range(8)]
    for one in throwers:
        one.start()
    for one in throwers:
        one.join()
    others.end()
    assert answers == [413] * 8
    assert memory.grown() <= GROWTH_MIB
    assert set(others.statuses) == {200}


def test_chunks_without_end_are_refused(server):
    """After 16 MiB comes the answer, and the connection ends."""
    memory = Memory(server.process.pid)
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent = 0
        try:
            while sent < 1_024:
                sock.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                sent += 1
        except OSError:
            pass
        try:
            answer = sock.recv(10_000)
        except OSError:  # it came, and what we sent on has overtaken it
            answer = b""
    assert sent < 1_024
    assert answer.startswith(b"HTTP/1.1 413 ") or not answer
    assert memory.grown() <= GROWTH_MIB


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_only_post_is_taken(server, method):
    """Other methods are 405, with what is allowed."""
    answer = httpx.request(method, f"{server.url}/v1/traces", timeout=60)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_logs_among_traces_are_told(server, form):
    """A request of another signal is not stored as if it were spans, and is not answered as if it were."""
    body = otlp.encode("logs", form, [Log(10**18, body="hello", log_id="1" * 32)])
    answer = httpx.post(f"{server.url}/v1/traces", content=body, headers={"Content-Type": TYPES[form]}, timeout=60)
    if answer.status_code == 200:
        rejected, why = otlp.read_answer("traces", form, answer.content)
        assert rejected == 1
        assert why
    else:
        assert answer.status_code == 400


@pytest.mark.parametrize("form", ["protobuf", "json"])
@pytest.mark.parametrize("at", range(6))
def test_a_bad_span_is_rejected_alone_wherever_it_stands(server, form, at):
    """Its neighbours are stored, and the answer says how many were not and why."""
    trace_id = f"{100 + at + 10 * (form == 'json'):032x}"
    spans = [Span(trace_id, f"{n + 1:016x}", "s", 10**18, end_ns=10**18 + 1) for n in range(6)]
    spans[at].span_id = "0" * 16
    body = otlp.encode("traces", form, spans)
    answer = httpx.post(f"{server.url}/v1/traces", content=body, headers={"Content-Type": TYPES[form]}, timeout=60)
    assert answer.status_code == 200
    rejected, why = otlp.read_answer("traces", form, answer.content)
    assert rejected == 1
    assert "span" in why.lower()
    with server.client() as client:
        stored = client.get(f"/api/traces/{trace_id}").json()["spans"]
    assert {span["span_id"] for span in stored} == {f"{n + 1:016x}" for n in range(6) if n != at}


def test_a_body_that_dribbles_is_ended(server):
    """After 30 s it is answered with 408; they held up nobody above."""
    wait_until(lambda: all(one.ended_s for one in server.dribblers), 60)
    for one in server.dribblers:
        assert one.answer.startswith(b"HTTP/1.1 408 "), one.answer
        assert one.ended_s < 50


def test_the_server_is_well_afterwards(server):
    """It waits for nothing any more, has failed at nothing, and ends cleanly."""
    with server.client() as client:
        counters = client.get("/api/status").json()["counters"]
        assert counters.get("failed.request", 0) == 0
        wait_until(lambda: "vestigo_waiting_bytes 0" in client.get("/metrics").text)
    assert "Traceback" not in server.told
