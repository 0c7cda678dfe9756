"""Files of older versions: brought up to date once, also when killed at each statement; newer ones are refused."""

import hashlib
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from vestigo import SQLiteTraceStorage
from vestigo.errors import SchemaError
from vestigo.query import Query
from vestigo.storage.sqlite.schema import VERSION

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name == "nt", reason="needs signals")]

FIXTURES = {1: "277cadf55e41db4b2e3269099aa962635ef71459c923a98bad276652173c2efa"}
"""What the version that wrote `schema<N>.db.xz` answered of it; each released version gets a line and a file."""

KILLED = """
import os, signal, sys
from vestigo.storage.sqlite import connection, schema
connect, left = connection.connect, int(sys.argv[2])

def traced(path, **options):
    db = connect(path, **options)

    def count(cursor, sql, bindings):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    db.exec_trace = count
    return db

connection.connect = traced
from vestigo import SQLiteTraceStorage
SQLiteTraceStorage(sys.argv[1]).close()
"""


def fixture(version, place):
    packed = Path(__file__).parent / f"schema{version}.db.xz"
    path = place / f"{version}.db"
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def digest(storage):
    """Of everything that the fixtures hold, as any version answers it."""
    told = []
    for project in ("default", "shop"):
        query = Query(project=project, limit=10_000)
        told.append([
            [span.trace_id, span.span_id, span.parent_id, span.name, span.kind, span.start_ns, span.end_ns, span.status,
             span.status_message, span.attributes, [[one.time_ns, one.name, one.attributes] for one in span.events],
             span.resource.attributes]
            for span in storage.find_spans(query)
        ])  # fmt: skip
        told.append([[log.trace_id, log.log_id, log.time_ns, log.body] for log in storage.find_logs(query)])
        told.append([
            [one.trace_id, one.name, one.start_ns, one.end_ns, one.status, one.spans, one.calls, one.input_tokens,
             one.output_tokens, one.cost_usd, one.user_id]
            for one in storage.find_traces(query)
        ])  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def is_whole(path, version):
    storage = SQLiteTraceStorage(path)
    assert digest(storage) == FIXTURES[version]
    assert storage.verify() == []
    storage.close()
    return apsw.Connection(str(path)).pragma("user_version") == VERSION


def test_every_older_version_has_a_fixture():
    """A version that was released can be opened for ever."""
    assert set(FIXTURES) == set(range(1, VERSION))


@pytest.mark.parametrize("version", FIXTURES)
def test_an_older_file_answers_as_before(tmp_path, version):
    """The same spans, logs and summaries, after the upgrade and after opening again."""
    path = fixture(version, tmp_path)
    assert is_whole(path, version)
    assert is_whole(path, version)


@pytest.mark.parametrize("version", FIXTURES)
def test_an_upgrade_that_is_killed_is_done_by_the_next(tmp_path, version):
    """At each of its statements: then the file is of one version or the other, never between."""
    killed = 0
    for statement in range(1, 200):
        path = fixture(version, tmp_path)
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(statement)], timeout=60, check=False)
        assert done.returncode in {0, -9}
        if done.returncode == 0:
            break
        killed += 1
        assert apsw.Connection(str(path)).pragma("user_version") in {version, VERSION}
        assert is_whole(path, version)
        for file in tmp_path.iterdir():
            file.unlink()
    assert killed >= 10


@pytest.mark.parametrize("version", FIXTURES)
def test_starters_at_once_upgrade_once(tmp_path, version):
    """Six processes open the old file together: all succeed, and it is whole."""
    path = fixture(version, tmp_path)
    program = f"from vestigo import SQLiteTraceStorage as S; S({str(path)!r}).close()"
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(6)]
    assert [child.wait(60) for child in children] == [0] * 6
    assert is_whole(path, version)


def test_a_newer_file_is_refused_by_name(tmp_path):
    """With both versions and the remedy, and not a byte changed."""
    path = fixture(1, tmp_path)
    SQLiteTraceStorage(path).close()
    db = apsw.Connection(str(path))
    db.pragma("user_version", VERSION + 1)
    db.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=rf"schema {VERSION + 1} .* knows {VERSION}; use a newer Vestigo"):
        SQLiteTraceStorage(path)
    assert path.read_bytes() == before
