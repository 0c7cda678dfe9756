"""SQLite: durable, shared, indexed; erased means gone; damage is named."""

import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from vestigo import SettingsError, SQLiteTraceStorage, StorageError, Tracer
from vestigo.errors import SchemaError
from vestigo.query import And, Compare, Grouping, Not, Query, Text
from vestigo.record import Batch, Cost, Log, NormalForm, Span, Usage
from vestigo.storage.sqlite.bodies import Recent, pack_ids, unpack_ids
from vestigo.testing import check_storage

EVERYTHING = Query(project="default", limit=10_000)


def span(number, trace="a" * 32, **more):
    given = {"parent_id": None, "end_ns": 2_000 + number, "attributes": {"n": number}, **more}
    return Span(trace, f"{number:016x}", f"span {number}", 1_000 + number, **given)


def call(number, text, trace="a" * 32, **more):
    said = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.input.messages": said}
    normal = NormalForm(
        "llm", "gen_ai", request_model="m", usage=Usage(10, output=5), cost=Cost(0.5, source="computed")
    )
    return span(number, trace, attributes=attributes, normal=normal, **more)


@pytest.fixture
def storage(tmp_path):
    made = SQLiteTraceStorage(tmp_path / "x.db")
    yield made
    made.close()


def bytes_of(path):
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


def test_it_answers_as_memory_does_also_after_reopening(tmp_path):
    """The contract, with other seeds than the common run."""
    paths = iter(range(1_000))
    check_storage(lambda: SQLiteTraceStorage(tmp_path / f"{next(paths)}.db"), rounds=4, seed=99)


def test_a_file_of_another_program_is_left_alone(tmp_path):
    """Refused by name, and not a byte changed."""
    path = tmp_path / "theirs.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs(x)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"theirs\.db"):
        SQLiteTraceStorage(path)
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    db.close()
    assert len(path.read_bytes()) == len(before)


def test_a_newer_file_is_refused(tmp_path):
    """With both versions and the remedy."""
    path = tmp_path / "new.db"
    SQLiteTraceStorage(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SchemaError, match="schema 99"):
        SQLiteTraceStorage(path)


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "f" / "x.db"])
def test_a_path_that_cannot_be_used_is_told(tmp_path, make):
    """A directory, or a file where a directory should be."""
    (tmp_path / "f").write_text("x")
    with pytest.raises(SettingsError, match="give"):
        SQLiteTraceStorage(make(tmp_path))


def test_what_is_no_database_is_told(tmp_path):
    """By its path."""
    (tmp_path / "x.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises((SettingsError, StorageError), match=r"x\.db"):
        SQLiteTraceStorage(tmp_path / "x.db")


def test_processes_may_open_a_new_file_at_once(tmp_path):
    """One makes the tables, the others find them."""
    program = f"from vestigo import SQLiteTraceStorage as S; S({str(tmp_path / 'x.db')!r}).close()"
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(6)]
    assert [child.wait(60) for child in children] == [0] * 6


def test_threads_that_write_at_once_share_commits(storage):
    """Every write is answered after its commit, and there are fewer commits than writes."""
    commits = []
    with storage._connections.lock:
        storage._connections.writer().set_commit_hook(lambda: bool(commits.append(1)))
        threads = [threading.Thread(target=storage.write, args=(Batch([span(n)]),)) for n in range(40)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert len(storage.find_spans(EVERYTHING)) == 40
    assert len(commits) < 40


def test_a_bad_batch_does_not_spoil_those_beside_it(storage):
    """Its writer gets the error, the others their commit."""
    errors = []

    def write(number):
        try:
            storage.write(Batch([span(number, trace="not hex" if number == 3 else "a" * 32)]))
        except StorageError as error:
            errors.append(str(error))

    with storage._connections.lock:
        threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 8)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert len(storage.find_spans(EVERYTHING)) == 6
    assert len(errors) == 1
    assert "not hex" in errors[0]


def test_nothing_is_kept_of_a_batch_that_fails(storage):
    """And the look-up tables forget what was rolled back."""
    for _ in range(3):
        with pytest.raises(StorageError):
            storage.write(Batch([call(1, "rolled back " * 50), span(2, trace="zz")]))
    storage.write(Batch([call(1, "rolled back " * 50)]))
    (found,) = storage.find_spans(EVERYTHING).items
    assert found.attributes["gen_ai.input.messages"][0]["parts"][0]["content"] == "rolled back " * 50
    assert storage.verify() == []


def test_deleting_leaves_nothing_in_any_file(storage):
    """Messages, names, users, attribute values, logs: 0 copies; what is left is found as before."""
    secret = "Xylophon"
    gone = call(1, f"{secret} in a message", trace="b" * 32)
    gone.name = f"name {secret}"
    gone.attributes |= {"mine": f"{secret} value", "user.id": f"user {secret}", "long": f"{secret} " * 100}
    gone.normal.user_id = f"user {secret}"
    stays = call(2, "something else entirely", trace="c" * 32)
    logs = [Log(5, body=f"{secret} said", trace_id="b" * 32, log_id="1" * 32), Log(6, body="stays", log_id="2" * 32)]
    storage.write(Batch([gone, stays], logs))
    assert secret.lower().encode() in bytes_of(Path(storage.path)).lower()
    assert storage.delete(Query(project="default", filter=Compare("trace", "=", "b" * 32))) == 1
    assert secret.lower().encode() not in bytes_of(Path(storage.path)).lower()
    assert [trace.trace_id for trace in storage.find_traces(EVERYTHING)] == ["c" * 32]
    assert len(storage.find_traces(Query(project="default", filter=Text("something else")))) == 1
    assert [log.body for log in storage.find_logs(EVERYTHING)] == ["stays"]
    assert storage.verify() == []


def test_deletion_in_another_process_is_noticed(tmp_path):
    """Numbers that this process remembers may be gone."""
    one, other = SQLiteTraceStorage(tmp_path / "x.db"), SQLiteTraceStorage(tmp_path / "x.db")
    one.write(Batch([call(1, "hello there " * 40)]))
    assert other.delete(EVERYTHING) == 1
    one.write(Batch([call(2, "hello there " * 40)]))
    (found,) = other.find_spans(EVERYTHING).items
    assert found.normal.model == "m"
    assert found.attributes["gen_ai.input.messages"][0]["parts"][0]["content"] == "hello there " * 40
    assert other.verify() == []
    one.close()
    other.close()


def test_rollups_equal_a_recount(storage):
    """After replacing and deleting, over hours and days, with weights."""
    rng = random.Random(3)
    hour = 3_600_000_000_000
    for _ in range(3):
        spans = []
        for number in range(1, 300):
            one = call(number, "x", trace=f"{number % 30:032x}", weight=rng.choice([1.0, 4.0]))
            one.start_ns = rng.randrange(60) * hour + number
            one.end_ns = one.start_ns + rng.randrange(10**10)
            one.normal.request_model = rng.choice(["a", "b"])
            spans.append(one)
        storage.write(Batch(spans))
    storage.delete(Query(project="default", filter=Compare("trace", "=", f"{7:032x}")))
    measures = ("count", "tokens.in", "cost", "latency.sum", "latency.p50", "latency.p99")
    for step in (None, hour, 24 * hour):
        for window in ((0, 60 * hour), (hour // 2, 50 * hour + 7)):
            asked = Query(project="default", start_ns=window[0], end_ns=window[1])
            grouping = Grouping(by=("model",), step_ns=step, measures=measures)
            quick = storage.aggregate(asked, grouping)
            one_by_one = storage.aggregate(msgspec.structs.replace(asked, filter=Compare("name", "exists")), grouping)
            assert [(row.keys, row.time_ns) for row in quick] == [(row.keys, row.time_ns) for row in one_by_one]
            for row, recount in zip(quick, one_by_one, strict=True):
                for name in measures:
                    assert row.values[name] == pytest.approx(recount.values[name], rel=0.021 if ".p" in name else 1e-9)


def test_lists_and_charts_read_no_messages(storage):
    """An authorizer sees which columns are read: never a body, never a record."""
    storage.write(Batch([call(n, f"text {n}") for n in range(1, 20)]))
    read = set()
    reader = storage._reader()
    import apsw

    def watch(action, table, column, *_):
        if action == apsw.SQLITE_READ:
            read.add((table, column))
        return apsw.SQLITE_OK

    reader.db.authorizer = watch
    storage.find_traces(Query(project="default", filter=And((Compare("model", "=", "m"), Compare("cost", ">", 0.1)))))
    storage.find_traces(Query(project="default", filter=Not(Compare("score.helpful", "exists"))))
    storage.aggregate(EVERYTHING, Grouping(by=("model",)))
    storage.values("model", EVERYTHING)
    reader.db.authorizer = None
    assert ("trace", "start_ns") in read
    assert ("log", "score") in read
    assert not {("body", "content"), ("span", "record"), ("log", "record")} & read


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT id FROM trace WHERE project = 1 ORDER BY start_ns DESC LIMIT 10", "trace_start"),
        ("SELECT id FROM span WHERE project = 1 AND model = 5 ORDER BY start_ns DESC LIMIT 10", "span_model"),
        ("SELECT id FROM span WHERE project = 1 AND user = 5 ORDER BY start_ns DESC LIMIT 10", "span_user"),
        ("SELECT span FROM attribute WHERE project = 1 AND key = 2 AND value = 'x'", "PRIMARY KEY"),
    ],
)
def test_the_main_questions_use_an_index(storage, sql, index):
    """As SQLite explains it."""
    plan = " ".join(row[3] for row in storage._reader().db.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan


def test_damage_is_named_or_harmless(tmp_path):
    """Flipped bytes give an error that names the file, or right answers."""
    rng = random.Random(5)
    path = tmp_path / "x.db"
    storage = SQLiteTraceStorage(path)
    storage.write(Batch([call(n, f"text {n} " * 30, trace=f"{n:032x}") for n in range(1, 400)]))
    storage.close()
    whole = path.read_bytes()
    noticed = 0
    for number in range(15):
        damaged = tmp_path / f"d{number}.db"
        data = bytearray(whole)
        for _ in range(40):
            data[rng.randrange(4_096, len(data))] ^= 1 << rng.randrange(8)
        damaged.write_bytes(data)
        try:
            opened = SQLiteTraceStorage(damaged)
        except (StorageError, SettingsError):
            noticed += 1
            continue
        try:
            noticed += bool(opened.verify())
        except StorageError:
            noticed += 1
        opened.close()
    assert noticed >= 10


def test_a_full_disk_is_told_and_survived(tmp_path):
    """Writing fails with the remedy, reading goes on, and room makes it work again."""
    program = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from vestigo import SQLiteTraceStorage
from vestigo.errors import StorageError
from vestigo.query import Query
from vestigo.record import Batch, Span
storage = SQLiteTraceStorage({str(tmp_path / "x.db")!r})
def span(n): return Span("a" * 32, f"{{n:016x}}", "s", n, attributes={{"t": str(n) * 200}})
def spans(first): return Batch([span(n) for n in range(first, first + 500)])
storage.write(spans(1))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
written, failed = 500, 0
for n in range(20):
    try:
        storage.write(spans(1_000 * (n + 1)))
        written += 500
    except StorageError as error:
        failed += 1
        assert "x.db" in str(error), error
assert failed, "no write failed"
assert len(storage.find_spans(Query(project="default", limit=100_000))) == written
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
storage.write(spans(90_000))
assert len(storage.find_spans(Query(project="default", limit=100_000))) == written + 500
assert storage.verify() == []
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ids", [[], [1], [5, 6, 7, 3], [10**12, 1, 10**15], list(range(100))])
def test_numbers_of_bodies_are_packed_small(ids):
    """Differences in variable length: a history takes a byte each."""
    assert unpack_ids(pack_ids(ids)) == ids
    assert len(pack_ids(list(range(5, 105)))) == 100


def test_one_trace_of_many_spans_is_written_and_read(storage):
    """20,000 spans in one trace, in batches; pages neither skip nor repeat."""
    for first in range(0, 20_000, 2_000):
        storage.write(Batch([span(n, parent_id=None if n == 0 else f"{0:016x}") for n in range(first, first + 2_000)]))
    trace = storage.get("a" * 32)
    assert len(trace.spans) == 20_000
    assert storage.find_traces(EVERYTHING).items[0].spans == 20_000
    page, seen = storage.find_spans(Query(project="default", limit=6_000)), []
    while True:
        seen += [one.span_id for one in page]
        if page.cursor is None:
            break
        page = storage.find_spans(Query(project="default", limit=6_000, cursor=page.cursor))
    assert len(seen) == len(set(seen)) == 20_000


def test_a_tracer_and_its_forked_child_share_the_storage(tmp_path):
    """The child opens connections of its own; both write and read."""
    program = f"""
import os
from vestigo import SQLiteTraceStorage, Tracer
from vestigo.query import Query
storage = SQLiteTraceStorage({str(tmp_path / "x.db")!r})
tracer = Tracer("t", storage)
with tracer.span("before"): pass
tracer.flush(); storage.query()
child = os.fork()
with tracer.span("child" if child == 0 else "parent"): pass
assert len(storage.query()) >= 2
if child == 0:
    tracer.close(); os._exit(0)
assert os.waitpid(child, 0)[1] == 0
tracer.close()
assert sorted(t.root.name for t in storage.query()) == ["before", "child", "parent"]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_transaction_may_begin_more_traces_than_are_remembered(storage, monkeypatch):
    """A trace is begun once, however many others begin before its next span."""
    writer_module = sys.modules["vestigo.storage.sqlite.writer"]
    monkeypatch.setattr(writer_module, "Recent", lambda limit: Recent(min(limit, 8)))
    spans = [span(number, f"{trace:032x}") for number in (1, 2) for trace in range(1, 40)]
    storage.write(Batch(spans))
    found = storage.find_traces(EVERYTHING).items
    assert [trace.spans for trace in found] == [2] * 39
    assert storage.verify() == []


@pytest.mark.parametrize("value", ["1e999", "9" * 5_000, "[" * 5_000 + "]" * 5_000, "[" * 960 + "]" * 960])
def test_messages_that_cannot_be_decoded_are_kept_as_they_are(storage, value):
    """One such text costs no other record of its batch, and its words are found."""
    text = f'[{{"role":"user","parts":[{{"type":"text","content":"needle"}}],"more":{value}}}]'
    odd = span(1, attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": text})
    odd.normal = NormalForm("llm", "gen_ai")
    storage.write(Batch([odd, span(2)]))
    first, second = storage.trace("default", "a" * 32).spans
    assert first.attributes["gen_ai.input.messages"] == text
    assert second.attributes == {"n": 2}
    assert storage.verify() == []


def test_a_closed_storage_says_so(tmp_path):
    """StorageError, not a crash; the pipeline counts it."""
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    tracer = Tracer("t", storage)
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        storage.get("a" * 32)
    with tracer.span("x"):
        pass
    tracer.close(0.5)
