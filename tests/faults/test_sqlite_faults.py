"""SQLite under fire: killed writers, killed system calls, eight writers at once."""

import os
import random
import shutil
import subprocess
import sys
import time

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


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    """60 SIGKILLs at random moments of the same file."""
    rng = random.Random(7)
    path = tmp_path / "x.db"
    acknowledged = set()
    for number in range(60):
        command = [sys.executable, "-c", WRITER, str(path), str(number), "100000"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        child.stdout.readline() if number % 2 else None
        time.sleep(rng.uniform(0.0, 0.2))
        child.kill()
        told = child.communicate()[0]
        acknowledged |= {int(line) for line in told.splitlines(keepends=True) if line.endswith(b"\n")}
    assert check(path, acknowledged) > 60


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("fault", ["signal=SIGKILL", "error=ENOSPC", "error=EIO"])
def test_a_failing_system_call_loses_nothing_that_was_acknowledged(tmp_path, fault):
    """Killed, or told that the disk is full or broken, at one write after the other."""
    probe = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("strace may not trace here")
    for when in (1, 3, 6, 10, 15, 25, 40, 60):
        path = tmp_path / f"{fault[-4:]}{when}.db"
        SQLiteTraceStorage(path).close()
        inject = f"inject=pwrite64:{fault}:when={when}" + ("" if "signal" in fault else "+")
        command = [
            "strace",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=pwrite64",
            "-e",
            inject,
            sys.executable,
            "-c",
            WRITER,
        ]
        done = subprocess.run([*command, str(path), "1", "12"], capture_output=True, timeout=120, check=False)
        acknowledged = {int(line) for line in done.stdout.splitlines()}
        storage = SQLiteTraceStorage(path)
        counts = {int(trace.trace_id, 16): trace.spans for trace in storage.find_traces(EVERYTHING)}
        assert acknowledged <= set(counts)
        assert set(counts.values()) <= {20}
        assert storage.verify() == []
        storage.close()


def test_eight_processes_write_at_once(tmp_path):
    """No lock error reaches a writer, everything is there once, and the log stays small."""
    path = tmp_path / "x.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number), "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in range(8)
    ]
    told = [child.communicate(timeout=180) for child in children]
    assert [child.returncode for child in children] == [0] * 8, [error for _, error in told]
    acknowledged = {int(line) for out, _ in told for line in out.splitlines()}
    assert check(path, acknowledged) == 8 * 60
    log = tmp_path / "x.db-wal"
    assert not log.exists() or log.stat().st_size <= 64 * 1024 * 1024
