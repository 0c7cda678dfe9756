"""The whole server killed under load, and several servers on one storage: what was answered is there once and whole."""

import json
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from running import TYPES, Running, children_of, running, wait_until

from vestigo import SQLiteTraceStorage, otlp
from vestigo.query import Compare, Grouping, Query
from vestigo.record import Span

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs signals and /proc"),
]

SIZE = 20
EVERYTHING = Query(project="default", limit=100_000)


def batch(number, padding=0):
    """The body of a request with one trace of 20 spans, whose ids follow from its number."""
    trace_id = f"{number + 1:032x}"
    said = [{"role": "user", "parts": [{"type": "text", "content": f"message of batch {number} " + "x" * padding}]}]
    spans = [
        Span(
            trace_id, f"{number * SIZE + n + 1:016x}", "chat", 10**18 + number, end_ns=10**18 + number + 5,
            attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.input.messages": said},
        )
        for n in range(SIZE)
    ]  # fmt: skip
    return otlp.encode("traces", "protobuf", spans)


def post(client, body, signal_="traces", form="protobuf"):
    return client.post(f"/v1/{signal_}", content=body, headers={"Content-Type": TYPES[form]})


class Load:
    """Senders that send one batch after the other until the server is gone."""

    def __init__(self, server, numbers, padding):
        self.server, self.numbers, self.padding = server, numbers, padding
        self.answered, self.unanswered = set(), set()
        self.threads = [threading.Thread(target=self._send) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        with self.server.client() as client:
            while True:
                number = next(self.numbers)
                body = batch(number, self.padding)
                try:
                    status = post(client, body).status_code
                except httpx.HTTPError:
                    self.unanswered.add(number)
                    return
                assert status in {200, 503}, status
                (self.answered if status == 200 else self.unanswered).add(number)

    def join(self):
        for thread in self.threads:
            thread.join(60)


def killed(place, kills, seed, padding):
    """A server killed so often at random moments under load; (batches answered, all batches, seconds of each start)."""
    server = Running(place)
    try:
        return _killed(server, kills, random.Random(seed), padding)
    finally:
        if server.process and server.process.poll() is None:
            server.stop(signal.SIGKILL)


def _killed(server, kills, rng, padding):
    numbers = iter(range(10**9))
    answered, everything, open_, starts = set(), set(), set(), []
    for round_ in range(kills + 1):
        began = time.monotonic()
        server.start()
        with server.client() as client:
            assert client.get("/readyz").status_code == 200
            starts.append(time.monotonic() - began)
            for number in sorted(open_):  # as every sender does
                before = spans_of(client, number)
                assert before in {0, SIZE}, f"batch {number} is there in part: {before}"
                assert post(client, batch(number, padding)).status_code == 200
                assert spans_of(client, number) == SIZE
            answered |= open_
            for number in rng.sample(sorted(answered), min(2, len(answered))):
                assert spans_of(client, number) == SIZE
        if round_ == kills:
            break
        load = Load(server, numbers, padding)
        time.sleep(rng.uniform(0.01, 0.3))
        children = children_of(server.process.pid)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        load.join()
        answered |= load.answered
        open_ = load.unanswered
        everything |= load.answered | load.unanswered
        wait_until(lambda children=children: not any(Path(f"/proc/{child}/exe").exists() for child in children))
    assert server.stop() == 0
    return answered, everything, starts


def spans_of(client, number):
    """How many spans of a batch's trace the server shows."""
    answer = client.get(f"/api/traces/{number + 1:032x}")
    if answer.status_code == 404:
        return 0
    return len(answer.json()["spans"])


def check(path):
    """{batch: spans}; sums and words agree with the spans, and the file is sound."""
    storage = SQLiteTraceStorage(path)
    assert storage.verify() == []
    counts = {int(trace.trace_id, 16) - 1: trace.spans for trace in storage.find_traces(EVERYTHING)}
    everything = Query(project="default")
    (quick,) = storage.aggregate(everything, Grouping(measures=("count",)))
    recount = Query(project="default", filter=Compare("name", "exists"))
    (slow,) = storage.aggregate(recount, Grouping(measures=("count",)))
    assert quick.values == slow.values
    storage.close()
    return counts


def test_a_killed_server_loses_nothing_that_it_answered(tmp_path):
    """2 x 16 SIGKILLs under load, with small batches and with such as children prepare.

    Whole batches only; a resend of what was not answered changes nothing that is there; no child is left; a start after
    a kill takes no more than a few of the first.
    """
    with ThreadPoolExecutor(2) as pool:
        small = pool.submit(killed, tmp_path / "a", 16, 1, 0)
        large = pool.submit(killed, tmp_path / "b", 16, 2, 6_000)
    for name, done in (("a", small), ("b", large)):
        answered, everything, starts = done.result()
        assert len(answered) > 32
        counts = check(tmp_path / name / "vestigo.db")
        assert answered <= set(counts) <= everything
        assert set(counts.values()) == {SIZE}
        assert sorted(starts)[len(starts) // 2] < 3 * starts[0] + 1


# --- D7: several servers on one storage


def test_two_servers_write_to_one_storage(tmp_path):
    """No sender is told of a lock, each span is stored once, both show all, and one's live tail tells of the other."""
    path = tmp_path / "shared.db"
    storage = ("--storage", f"sqlite:///{path}")
    with running(tmp_path / "a", *storage) as a, running(tmp_path / "b", *storage) as b:
        ends = threading.Event()
        statuses, senders = [], []

        def send(server, first):
            with server.client() as client:
                for number in range(first, first + 10_000):
                    if ends.is_set():
                        return
                    statuses.append((number, post(client, batch(number, 6_000 * (number % 2))).status_code))

        for index, server in enumerate((a, b, a, b)):
            senders.append(threading.Thread(target=send, args=(server, index * 10_000)))
            senders[-1].start()
        with b.client() as client:  # questions are answered meanwhile
            for _ in range(40):
                assert client.get("/api/traces").status_code == 200
        wait_until(lambda: len(statuses) > 200)
        ends.set()
        for sender in senders:
            sender.join(60)
        assert {status for _, status in statuses} == {200}
        for server in (a, b):
            with server.client() as client:
                assert [spans_of(client, number) for number, _ in statuses[-4:]] == [SIZE] * 4
        assert heard_of_the_other(a, b)
        assert (a.stop(), b.stop()) == (0, 0)
        assert "locked" not in a.told + b.told
    counts = check(path)
    assert {number for number, _ in statuses} <= set(counts)
    assert {counts[number] for number, _ in statuses} == {SIZE}


def heard_of_the_other(writer, listener):
    """Whether a span that is sent to one server comes out of the live tail of the other."""
    seen, sent = threading.Event(), set()

    def send():
        with writer.client() as client:
            for number in range(500_000, 500_200):
                sent.add(f"{number + 1:032x}")
                assert post(client, batch(number)).status_code == 200
                if seen.wait(0.2):
                    return

    sender = threading.Thread(target=send)
    with listener.client() as client, client.stream("GET", "/api/live", params={"of": "spans"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        sender.start()
        for line in stream.iter_lines():
            if line.startswith("data:") and sent & {span["trace_id"] for span in json.loads(line[5:]).get("spans", [])}:
                seen.set()
                break
    sender.join(60)
    return seen.is_set()
