"""A disk that is full, files that are damaged, and one trace that is huge."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from vestigo import SettingsError, SQLiteTraceStorage, StorageError
from vestigo.query import Compare, Grouping, Query, Text
from vestigo.record import Batch, Cost, Log, NormalForm, Span, Usage
from vestigo.storage.policies import Policy, due

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name == "nt", reason="needs signals")]
EVERYTHING = Query(project="default", limit=100_000)


# --- a full disk

FULL = """
import os, random, sys, time
from vestigo.errors import StorageError
from vestigo.query import Query
from vestigo.record import Batch, Span
from vestigo.server import Server
from vestigo.settings import ServerSettings
from vestigo.storage.policies import Policy

rng = random.Random(5)
server = Server(ServerSettings(data_dir=sys.argv[1], port=0, grpc_port=-2, ingest_workers=0))
storage, retention = server.storage, server.retention
retention._make_reserve()
assert retention.figures()["reserve_bytes"] > 1_000_000, retention.figures()
everything = Query(project="default", limit=100_000)
stored = 0

def fill():
    global stored
    while True:
        spans = [Span(f"{stored + n + 1:032x}", f"{stored + n + 1:016x}", "work", stored + n, end_ns=stored + n + 5,
                      attributes={"text": rng.randbytes(6_000).hex(" ", 3)}) for n in range(20)]
        try:
            storage.write(Batch(spans))
        except StorageError as error:
            assert "full" in str(error), error
            return
        stored += 20

fill()
assert stored > 300, stored
assert len(storage.find_traces(everything)) == stored
assert len(storage.trace("default", f"{1:032x}").spans) == 1
for round in range(3):
    kept = len(storage.find_traces(everything)) // 2
    retention.policies.path = server.data_dir / "retention.json"
    retention.policies.default = Policy(traces=kept)
    reports = retention.run_once(time.time_ns())
    assert sum(report.traces for report in reports) > 0, reports
    left = storage.find_traces(everything)
    assert len(left) == kept, (len(left), kept)
    before = stored
    fill()
    assert stored - before >= 40, f"round {round}: only {stored - before} spans found room"
    assert len(storage.find_traces(everything)) == kept + stored - before
assert storage.verify() == []
print(stored)
server._stop()
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare here")
def test_a_full_disk_is_told_survived_and_emptied_by_retention(tmp_path):
    """A disk of 32 MB: writes fail with StorageError, reads work, retention deletes, and writing goes on by itself."""
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)], check=False).returncode:
        pytest.skip("no disk of one's own may be mounted here")
    command = f"mount -t tmpfs -o size=32m none {tmp_path} && exec {sys.executable} - {tmp_path}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], input=FULL.encode(), capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]


# --- damage


def call(number, trace, parent=None):
    said = [
        {"role": "user", "parts": [{"type": "text", "content": f"question {number % 23} about order {number * 7}"}]}
    ]
    return Span(
        trace, f"{number:016x}", f"chat {number % 5}", number * 10**9, parent, end_ns=number * 10**9 + number * 10**6,
        status="ERROR" if number % 11 == 0 else "OK", status_message="no answer" if number % 11 == 0 else "",
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m{number % 3}", "mine": number % 7,
                    "gen_ai.input.messages": said, "user.id": f"user {number % 4}"},
        normal=NormalForm("llm", "gen_ai", request_model=f"m{number % 3}", user_id=f"user {number % 4}",
                          usage=Usage(number, output=5), cost=Cost(number / 8, source="computed")),
    )  # fmt: skip


def answers(storage):
    """What a file says, by every way of asking."""
    measures = ("count", "errors", "tokens.in", "cost", "latency.p50")
    told = [
        storage.find_spans(EVERYTHING).items,
        storage.find_traces(EVERYTHING).items,
        storage.find_logs(EVERYTHING).items,
        storage.aggregate(EVERYTHING, Grouping(by=("model",), measures=measures)),
        storage.values("user", EVERYTHING),
    ]
    for filter_ in (
        Compare("model", "=", "m1"), Compare("attr.mine", "=", 3), Compare("status", "=", "error"), Text("order 14"),
        Compare("user", "=", "user 2"), Compare("latency", ">", 0.05),
    ):  # fmt: skip
        query = Query(project="default", filter=filter_, limit=1_000)
        told += [[span.span_id for span in storage.find_spans(query)]]
    return told


def damaged(data, log, rng):
    """Damage a file, or its log if it has one; what was done."""
    kinds = ("flip", "flip", "flips", "zero", "truncate", *(("drop log", "cut log", "flip log") if log else ()))
    kind = rng.choice(kinds)
    if kind in {"flip", "flips"}:
        for _ in range(1 if kind == "flip" else 30):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zero":
        page = rng.randrange(len(data) // 4096) * 4096
        data[page : page + 4096] = bytes(4096)
    elif kind == "truncate":
        del data[rng.randrange(len(data)) :]
    elif kind == "drop log":
        log.clear()
    elif kind == "cut log":
        del log[rng.randrange(len(log)) :]
    else:
        log[rng.randrange(len(log))] ^= 1 << rng.randrange(8)
    return kind


def made(path):
    """(file, log) while the last batches stand in the log only, and when it is closed; what it answered meanwhile."""
    storage = SQLiteTraceStorage(path)
    spans = [call(n, f"{n // 3 + 1:032x}", f"{n - 1:016x}" if n % 3 else None) for n in range(3, 160)]
    logs = [Log(n * 10**9, body=f"log {n}", trace_id=f"{n // 3 + 1:032x}", log_id=f"{n:032x}") for n in range(3, 40)]
    storage.write(Batch(spans[:130], logs))
    storage.close()
    storage = SQLiteTraceStorage(path)
    states = [answers(storage)]
    for at in range(130, 157, 9):
        storage.write(Batch(spans[at : at + 9]))
        states.append(answers(storage))
    running = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    storage.close()
    return running, (path.read_bytes(), b""), states


def test_damage_is_named_or_harmless(tmp_path):
    """300 damaged files: an error, a right answer, or one that `verify` names; never silently wrong.

    A log that is lost takes its batches along, so any state that the file once had is right.
    """
    running, closed, states = made(tmp_path / "x.db")
    rng = random.Random(11)
    seen = {"error": 0, "right": 0, "named": 0, "parent": 0}
    for number in range(300):
        data, log = map(bytearray, rng.choice((running, closed, closed)))
        kind = damaged(data, log, rng)
        path = tmp_path / f"d{number}.db"
        path.write_bytes(data)
        if log:
            Path(f"{path}-wal").write_bytes(log)
        outcome = judged(path, states)
        assert outcome in seen, f"damage {number} ({kind}) gave a wrong answer, and verify names nothing"
        seen[outcome] += 1
        for file in tmp_path.glob(f"d{number}.db*"):
            file.unlink()
    assert min(seen["error"], seen["right"]) >= 50, seen
    assert seen["named"] >= 1, seen
    assert seen["parent"] <= 3, seen  # a flipped parent id stands nowhere else; some 1 % of a file are such ids


def judged(path, states):
    try:
        storage = SQLiteTraceStorage(path)
    except (StorageError, SettingsError):
        return "error"
    try:
        told = answers(storage)
        if told in states:
            return "right"
        if storage.verify():
            return "named"
        return "parent" if without_parents(told) in map(without_parents, states) else "silent"
    except StorageError:
        return "error"
    finally:
        storage.close()


def without_parents(told):
    return [[msgspec.structs.replace(span, parent_id=None) for span in told[0]], *told[1:]]


# --- one huge trace


def test_a_trace_of_100000_spans_is_written_and_opened(tmp_path):
    """Five times the spans cost five times the time, about; 10,000 children and 1,000 levels need no recursion."""
    cost = {}
    for size in (20_000, 100_000):
        storage = SQLiteTraceStorage(tmp_path / f"{size}.db")
        began = time.process_time()
        for first in range(0, size, 10_000):
            storage.write(Batch([huge(n) for n in range(first, first + 10_000)]))
        written = time.process_time()
        trace = storage.get("a" * 32)
        opened = time.process_time()
        assert len(trace.spans) == size
        assert trace.spans[0].span_id == f"{1:016x}"
        assert storage.find_traces(EVERYTHING).items[0].spans == size
        cost[size] = (written - began, opened - written)
        if size == 20_000:
            report = storage.erase(EVERYTHING)
            assert (report.traces, report.spans) == (1, size)
            assert report.steps > 5
        storage.close()
    write, read = (cost[100_000][at] / cost[20_000][at] for at in (0, 1))
    assert read < 15, cost
    assert write < 15, cost


def huge(number):
    """The root, a chain of 1,000 below it, then children of the root."""
    parent = None if number == 0 else number if number < 1_000 else 1
    return Span(
        "a" * 32, f"{number + 1:016x}", "step", 1_000 + number, None if parent is None else f"{parent:016x}",
        end_ns=2_000_000, attributes={"n": number},
    )  # fmt: skip


def test_retention_by_age_is_quick_in_a_large_file(tmp_path):
    """It reads no record of what stays: the steps of SQLite grow with what goes, not with the file."""
    steps = []
    for size in (1_000, 8_000):
        storage = SQLiteTraceStorage(tmp_path / f"{size}.db")
        for first in range(0, size, 1_000):
            storage.write(Batch([call(n, f"{n + 1:032x}") for n in range(first + 1, first + 1_001)]))
        counted = []
        with storage._connections.lock:
            storage._connections.writer().set_progress_handler(lambda counted=counted: bool(counted.append(1)), 100)
        (query,) = due(storage, "default", Policy(traces=size - 100), 0)
        assert storage.erase(query, thorough=False).traces == 100
        steps.append(len(counted))
        storage.close()
    assert steps[1] < steps[0] * 3, steps
