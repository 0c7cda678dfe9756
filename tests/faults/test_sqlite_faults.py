"""SQLite under fire: killed writers, killed system calls, eight writers at once."""

import os
import shutil
import subprocess
import sys

import pytest

from vestigo import SQLiteTraceStorage
from vestigo.query import Compare, Grouping, Query

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name == "nt", reason="needs signals")]

WRITER = """
import os, sys
from vestigo import SQLiteTraceStorage
from vestigo.record import Batch, Span
storage = SQLiteTraceStorage(sys.argv[1])
base, size = int(sys.argv[2]) * 1_000_000, 20
for batch in range(int(sys.argv[3])):
    spans = []
    for n in range(size):
        number = base + batch * size + n + 1
        text = [{"role": "user", "parts": [{"type": "text", "content": f"message {number} of batch {batch}"}]}]
        spans.append(Span(f"{base + batch + 1:032x}", f"{number:016x}", "work", number, end_ns=number + 5,
                          attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
                                      "gen_ai.input.messages": text}))
    storage.write(Batch(spans))
    os.write(1, b"%d\\n" % (base + batch + 1))
"""
EVERYTHING = Query(project="default", limit=100_000)


def check(path, acknowledged):
    """Every acknowledged batch is whole, no batch is partial, sums and words agree with the spans."""
    storage = SQLiteTraceStorage(path)
    counts = {int(trace.trace_id, 16): trace.spans for trace in storage.find_traces(EVERYTHING)}
    assert acknowledged <= set(counts)
    assert set(counts.values()) <= {20}
    assert storage.verify() == []
    everything = Query(project="default")
    (quick,) = storage.aggregate(everything, Grouping(measures=("count",))) or [None]
    recount = Query(project="default", filter=Compare("name", "exists"))
    (slow,) = storage.aggregate(recount, Grouping(measures=("count",))) or [None]
    assert quick.values == slow.values
    storage.close()
    return len(counts)


def run(program, *arguments, before=(), timeout=120):
    """What a program of its own prints; it must end well."""
    command = [*before, sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout


def numbers(out):
    """Of the batches that were acknowledged in whole lines."""
    return {int(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")}


KILLER = (
    """
import random, signal, time
def forked(work):
    child = os.fork()  # costs a hundredth of a new interpreter
    if child == 0:
        work()
        os._exit(0)
    return child
"""
    + WRITER.partition("storage =")[0]
    + """
def write(number, seconds=1_000):
    storage = SQLiteTraceStorage(sys.argv[1])
    until, batch = time.monotonic() + seconds, -1
    while time.monotonic() < until:
        batch += 1
        first = number * 1_000_000 + batch * 20
        spans = [Span(f"{number * 1_000_000 + batch + 1:032x}", f"{first + n + 1:016x}", "work", n + 1, end_ns=n + 5,
                      attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
                                  "gen_ai.input.messages": [{"role": "user", "content": f"message {first + n}"}]})
                 for n in range(20)]
        storage.write(Batch(spans))
        os.write(1, b"%d\\n" % (number * 1_000_000 + batch + 1))
rng = random.Random(7)
for number in range(int(sys.argv[2])):
    child = forked(lambda: write(number))
    time.sleep(rng.uniform(0.0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""
)


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    """150 SIGKILLs at random moments of the same file."""
    path = tmp_path / "x.db"
    acknowledged = numbers(run(KILLER, path, 150))
    assert len(acknowledged) > 150
    assert check(path, acknowledged) >= len(acknowledged)


AT_EACH_CALL = (
    KILLER.partition("rng =")[0]
    + """
SHIFT = 400
null = os.open("/dev/null", os.O_WRONLY)
for point in range(*map(int, sys.argv[2:5])):
    def work():
        for _ in range(SHIFT - point):  # strace counts for each process: its call SHIFT is the point of ours
            os.pwrite(null, b"x", 0)
        try:
            write(point)
        except Exception as error:
            os.write(2, f"{type(error).__name__}: {error}\\n".encode())
    os.waitpid(forked(work), 0)
"""
)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("fault", "points"), [("signal=SIGKILL", (1, 151, 2)), ("error=ENOSPC", (1, 145, 12)), ("error=EIO", (2, 146, 12))]
)
def test_a_failing_system_call_loses_nothing_that_was_acknowledged(tmp_path, fault, points):
    """Killed, or told that the disk is full or broken, at one write after the other of the same file."""
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("strace may not trace here")
    path = tmp_path / "x.db"
    SQLiteTraceStorage(path).close()
    when = "400" if "signal" in fault else "400+"
    strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", f"inject=pwrite64:{fault}:when={when}"]
    command = [*strace, sys.executable, "-c", AT_EACH_CALL, str(path), *map(str, points)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    acknowledged = numbers(done.stdout)
    told = done.stderr.decode().splitlines()
    assert len(told) == (0 if "signal" in fault else len(range(*points))), told
    assert all(line.startswith(("StorageError: ", "SettingsError: cannot open")) for line in told), told
    assert len({number // 1_000_000 for number in acknowledged}) >= len(range(*points)) // 3
    assert check(path, acknowledged) >= len(acknowledged)


EIGHT = (
    KILLER.partition("rng =")[0]
    + """
import apsw
SQLiteTraceStorage(sys.argv[1]).close()
children = [forked(lambda number=number: write(number, 10)) for number in range(8)]
reader, largest = apsw.Connection(sys.argv[1]), 0
until = time.monotonic() + 10
while time.monotonic() < until:  # it holds one state of the file for half a second, so that the log cannot begin anew
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM span").fetchall()
    time.sleep(0.5)
    reader.execute("ROLLBACK")
    largest = max(largest, os.stat(sys.argv[1] + "-wal").st_size)
ended = [os.waitpid(child, 0)[1] for child in children]
print(f"largest {largest}", file=sys.stderr)
assert ended == [0] * 8, ended
assert largest <= 64 * 1024 * 1024, largest
"""
)


def test_eight_processes_write_at_once(tmp_path):
    """Ten seconds beside a reader: no lock error reaches a writer, everything is there once, the log stays small."""
    path = tmp_path / "x.db"
    acknowledged = numbers(run(EIGHT, path))
    writers = {number // 1_000_000 for number in acknowledged}
    assert writers == set(range(8))
    assert check(path, acknowledged) == len(acknowledged)
