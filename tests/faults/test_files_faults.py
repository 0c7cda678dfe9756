"""The file storage under kills, full disks, forks and several processes: whatever was acknowledged is there, once."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from vestigo.errors import StorageError
from vestigo.query import Query
from vestigo.record import Batch, Span
from vestigo.storage.files import FileTraceStorage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytestmark = pytest.mark.faults

WRITER = """
import os, sys, time
from vestigo.errors import StorageError
from vestigo.record import Batch, Span
from vestigo.storage.files import FileTraceStorage

path, size_mb, first, count, batch = sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:6])
storage = FileTraceStorage(path, size_mb, 100_000)
for start in range(first, first + count, batch):
    spans = [
        Span(f"{n // 7:032x}", f"{n:016x}", "work", n * 1000, end_ns=n * 1000 + 1, attributes={"text": "x" * (n % 700)})
        for n in range(start, min(start + batch, first + count))
    ]
    try:
        storage.write(Batch(spans))
    except StorageError as error:
        os.write(2, f"{error}\\n".encode())
        time.sleep(0.02)
        continue
    os.write(1, b"".join(b"%d\\n" % int(span.span_id, 16) for span in spans))
"""


def start_writer(path: Path, size_mb: float, first: int, count: int, batch: int = 10) -> subprocess.Popen:
    arguments = [str(path), str(size_mb), str(first), str(count), str(batch)]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def first_acknowledged(process: subprocess.Popen) -> int:
    """The first number that the writer prints, read byte by byte: what a buffer took too, nobody would see again."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(process.stdout.fileno(), 1)
    return int(line)


def acknowledged(process: subprocess.Popen) -> set[int]:
    """What the writer printed in whole lines; waits for its end."""
    out, _ = process.communicate(timeout=120)
    return {int(line) for line in out.splitlines(keepends=True) if line.endswith("\n")}


def stored(path: Path) -> Counter[int]:
    """How often each span is found, page by page."""
    storage = FileTraceStorage(path)
    found: Counter[int] = Counter()
    query = Query(project="default", limit=5000)
    while True:
        page = storage.find_spans(query)
        found.update(int(span.span_id, 16) for span in page)
        if page.cursor is None:
            return found
        query = Query(project="default", limit=5000, cursor=page.cursor)


def lines(path: Path) -> Counter[int]:
    """How often each span stands in the files, read without our code."""
    found: Counter[int] = Counter()
    for file in path.glob("vestigo-*.jsonl*"):
        with zstd.open(file) if file.suffix == ".zst" else file.open("rb") as text:
            for line in text.read().splitlines():
                with contextlib.suppress(ValueError, KeyError):
                    found[int(json.loads(line)["span_id"], 16)] += 1
    return found


def test_four_processes_write_while_others_read_and_files_rotate(tmp_path):
    """8,000 spans into files of 100 kB: each acknowledged one is there once, and no reader ever sees one go."""
    foreign = {"notes.txt": b"mine", "vestigo-20200101-1-0123abcd.jsonl": b'{"record":"span"}\n'}
    for name, data in foreign.items():
        (tmp_path / name).write_bytes(data)
    writers = [start_writer(tmp_path, 0.1, first, 2000) for first in (10_000, 20_000, 30_000, 40_000)]
    reader = FileTraceStorage(tmp_path)
    query = Query(project="default", limit=100_000)
    seen: set[str] = set()
    while any(writer.poll() is None for writer in writers):
        now = [span.span_id for span in reader.find_spans(query)]
        assert len(now) == len(set(now))
        assert seen <= set(now)
        assert reader.skipped_lines == 0
        seen = set(now)
        time.sleep(0.05)
    acks = set().union(*(acknowledged(writer) for writer in writers))
    assert len(acks) == 8000
    assert stored(tmp_path) == lines(tmp_path) == Counter(acks)
    assert len(list(tmp_path.glob("*.zst"))) > 8
    assert not list(tmp_path.glob("*.tmp"))
    assert {name: (tmp_path / name).read_bytes() for name in foreign} == foreign
    assert reader.foreign == 2


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path):
    """20 writers are killed at random moments, two at a time, while files rotate."""
    moments = random.Random(7)
    acks: set[int] = set()
    for kill in range(10):
        pair = [start_writer(tmp_path, 0.05, (kill * 2 + at + 1) * 100_000, 90_000, 7) for at in range(2)]
        acks |= {first_acknowledged(writer) for writer in pair}  # both have begun to write
        time.sleep(moments.uniform(0.0, 0.12))
        for writer in pair:
            writer.send_signal(signal.SIGKILL)
            acks |= acknowledged(writer)
    found = stored(tmp_path)
    assert len(acks) > 100
    assert set(found) >= acks
    assert set(found.values()) == {1}
    assert set(lines(tmp_path).values()) == {1}
    storage = FileTraceStorage(tmp_path)
    storage.write(Batch([Span("f" * 32, "f" * 16, "after", 1)]))
    assert not list(tmp_path.glob("*.tmp"))
    assert storage.skipped_lines <= 20


def test_every_cut_of_a_file_reads_as_its_whole_lines(tmp_path):
    """A kill may leave any beginning of a file: all whole lines are found, and one more at most is counted."""
    storage = FileTraceStorage(tmp_path / "whole")
    for number in range(1, 4):
        storage.write(Batch([Span(f"{number:032x}", f"{number:016x}", "a", number, end_ns=number + 1)]))
    storage.close()
    file = next((tmp_path / "whole").glob("vestigo-*"))
    data = file.read_bytes()
    header = data.index(b"\n") + 1
    for length in range(header, len(data) + 1, 3):
        path = tmp_path / "cut"
        path.mkdir()
        (path / file.name).write_bytes(data[:length])
        cut = FileTraceStorage(path)
        want = data[header:length].count(b"\n")
        assert len(cut.find_spans(Query(project="default"))) == want
        assert cut.skipped_lines == (0 if data[:length].endswith(b"\n") else 1)
        cut.write(Batch([Span("f" * 32, "f" * 16, "after", 1)]))
        whole = want + (data[length : length + 1] == b"\n")  # a line that lacked nothing but its end
        assert len(cut.find_spans(Query(project="default"))) == whole + 1
        shutil.rmtree(path)


def test_erasure_while_others_write(tmp_path):
    """Deletions from under two writers take what they should, and nothing that was acknowledged besides."""
    eraser = FileTraceStorage(tmp_path, 0.1, 100_000)
    victims = [Span(f"{number:032x}", f"{number:016x}", "victim", number) for number in range(1, 41)]
    eraser.write(Batch(victims, [], "to erase"))
    writers = [start_writer(tmp_path, 0.1, first, 1500) for first in (10_000, 20_000)]
    deleted = 0
    for number in range(40):
        eraser.write(Batch([Span("e" * 32, f"{number + 100:016x}", "more", number)], [], "to erase"))
        deleted += eraser.delete(Query(project="to erase", start_ns=number + 1, end_ns=number + 2))
        time.sleep(0.01)
    acks = set().union(*(acknowledged(writer) for writer in writers))
    deleted += eraser.delete(Query(project="to erase"))
    assert deleted >= 40
    assert len(acks) == 3000
    assert stored(tmp_path) == Counter(acks)
    assert not list(eraser.find_spans(Query(project="to erase")))


def test_a_file_size_limit_refuses_writes_and_nothing_else(tmp_path):
    """RLIMIT_FSIZE as a full disk: what was acknowledged is there, what was refused is not."""
    pytest.importorskip("resource", reason="limits of a process are a thing of Unix")
    limited = WRITER.replace(
        "import os, sys, time",
        "import os, resource, sys, time; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000,) * 2)",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", limited, str(tmp_path), "100", "1000", "150", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, errors = process.communicate(timeout=60)
    acks = {int(line) for line in out.split()}
    assert 0 < len(acks) < 150
    assert errors.count("free some space") > 0
    assert stored(tmp_path) == Counter(acks)
    assert FileTraceStorage(tmp_path).skipped_lines == 0


@contextlib.contextmanager
def small_disk(path: Path, size: str):
    """A file system in memory of some size; skips where we may not mount one."""
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=False)
    if done.returncode:
        pytest.skip("this system does not let us mount a small file system")
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount"), "-l", str(path)], check=True)


def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path):
    """On a disk of 1 MB: the acknowledged are there while it is full and after; reading and deleting work."""
    with small_disk(tmp_path / "disk", "1m"):
        path = tmp_path / "disk"
        ballast = path / "ballast"
        ballast.write_bytes(b"0" * 700_000)
        writer = start_writer(path, 100, 1000, 3000, 10)
        assert "no space left" in writer.stderr.readline()
        full = stored(path)
        assert full
        ballast.unlink()
        acks = acknowledged(writer)
        assert max(acks) > max(full)
        assert stored(path) == Counter(acks)
        storage = FileTraceStorage(path)
        assert storage.skipped_lines == 0
        with pytest.raises(StorageError, match="no space left"):
            storage.delete(Query(project="default", end_ns=1_100_000))
        assert stored(path) == Counter(acks)
        assert storage.delete(Query(project="default")) > 0
        storage.write(Batch([Span("f" * 32, "f" * 16, "after", 1)]))
        assert set(stored(path)) == {int("f" * 16, 16)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forks_under_load(tmp_path):
    """30 forks while threads write and read: children and parent go on, and everything is there once."""
    storage = FileTraceStorage(tmp_path, 0.05, 100_000)
    stop = threading.Event()
    written: set[int] = set()

    def one(number: int) -> None:
        storage.write(Batch([Span(f"{number:032x}", f"{number:016x}", "x" * 200, number, end_ns=number + 1)]))

    def load(first: int) -> None:
        number = first
        while not stop.is_set():
            one(number)
            written.add(number)
            storage.find_traces(Query(project="default", limit=3))
            number += 1

    threads = [threading.Thread(target=load, args=(first,)) for first in (10_000_000, 20_000_000)]
    for thread in threads:
        thread.start()
    children = []
    for child in range(30):
        pid = os.fork()
        if pid == 0:
            try:
                signal.alarm(30)  # a child that hangs dies, and fails the test
                one(child + 1)
                os._exit(0 if storage.get(f"{child + 1:032x}") is not None else 1)
            finally:
                os._exit(2)
        children.append(pid)
        written.add(child + 1)
        time.sleep(0.01)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 30
    assert stored(tmp_path) == Counter(written)
