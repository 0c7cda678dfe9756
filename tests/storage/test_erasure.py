"""Erasing, with a report: all storages count alike, and in SQLite 0 copies are left in any file."""

import hashlib
import random
import threading
from pathlib import Path

import apsw
import pytest

from vestigo import FileTraceStorage, InMemoryTraceStorage, SQLiteTraceStorage, diagnostics
from vestigo.filtertext import parse_filter
from vestigo.query import Compare, Query, Text
from vestigo.record import Batch, Log, NormalForm, Resource, Span
from vestigo.storage.erasure import Erasure, count_copies
from vestigo.storage.sqlite import connection, eraser

EVERYTHING = Query(project="default", limit=100_000)
ANN = Query(project="default", filter=Compare("user", "=", "ann@example.org"))


def id_of(number):
    return hashlib.md5(b"%d" % number).hexdigest()


def call(number, user, text, trace=None):
    said = [{"role": "user", "parts": [{"type": "text", "content": text}]}]
    return Span(
        trace or id_of(number), f"{number + 1:016x}", f"chat for {user}", number * 1000, end_ns=number * 1000 + 5,
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.input.messages": said,
                    "user.id": user, f"key of {user}": f"value of {user}", "long": f"{text} " * 20},
        normal=NormalForm("llm", "gen_ai", request_model="m", user_id=user),
        resource=Resource({"service.name": "shop", "host.owner": user}),
    )  # fmt: skip


def text_of(rng, words, length):
    return " ".join(rng.choices(words, k=length))


def crowd(count, secret="", first=1):
    """Calls of several users, each tenth by Ann, whose texts have her words and nobody else's."""
    rng = random.Random(3)
    common = [f"word{n}" for n in range(300)]
    batch = Batch()
    for number in range(first, first + count):
        ann = number % 10 == 0
        text = text_of(rng, common, 25) + (f" {secret} number {rng.randrange(5)} of her own" if ann else "")
        batch.spans.append(call(number, "ann@example.org" if ann else f"user{number % 7}", text))
        batch.logs.append(
            Log(
                number * 1000,
                body=f"{text} {'Drehleierspieler' if ann else 'nobody'}",
                trace_id=id_of(number),
                log_id=id_of(number),
            )
        )
    return batch


def bytes_of(storage):
    path = Path(storage.path)
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*")).lower()


@pytest.fixture
def storage(tmp_path):
    made = SQLiteTraceStorage(tmp_path / "x.db")
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["memory", "file", "sqlite"])
def test_a_report_counts_what_went(tmp_path, kind):
    """Traces, spans and logs of the filter, with its text and its window; nothing else goes."""
    made = {"memory": InMemoryTraceStorage, "file": lambda: FileTraceStorage(tmp_path / "d"),
            "sqlite": lambda: SQLiteTraceStorage(tmp_path / "x.db")}  # fmt: skip
    storage = made[kind]()
    storage.write(crowd(40))
    orphan = Log(
        7, body="of no trace here", trace_id="f" * 32, attributes={"user.id": "ann@example.org"}, log_id="e" * 32
    )
    storage.write(Batch([], [orphan, Log(8, body="stays", log_id="d" * 32)]))
    report = storage.erase(Query(project="default", end_ns=35_000, filter=parse_filter("user:ann@example.org")))
    assert isinstance(report, Erasure)
    assert (report.traces, report.spans, report.logs) == (3, 3, 4)
    assert report.filter == "user:ann@example.org"
    assert report.end_ns == 35_000
    assert 0 < report.started_ns <= report.finished_ns
    assert report.clean
    assert len(storage.find_traces(EVERYTHING)) == 37
    assert len(storage.find_logs(EVERYTHING)) == 38
    storage.close()


def test_nothing_of_a_person_is_left_in_any_file(storage):
    """Messages, long texts, names, keys, values, logs, resources, the word index and the compression dictionaries."""
    secret = "Xylophonistin"
    storage.write(crowd(1_200, secret))
    assert storage._reader().db.execute("SELECT count(*) FROM dictionary").fetchone()[0] >= 2
    assert bytes_of(storage).count(secret.lower().encode()) > 0
    report = storage.erase(ANN)
    assert report.clean, report
    assert report.traces == report.spans == 120
    assert report.bodies >= 240
    assert report.words == 120
    assert report.names >= 3
    assert report.bytes_freed > 0
    assert report.probes > 100
    assert set(report.copies.values()) == {0}
    told = bytes_of(storage)
    for gone in (
        secret,
        "xylopho",
        "phonistin",
        "of her own",
        "drehleier",
        "ann@example.org",
        "chat for ann",
        "key of ann",
    ):
        assert told.count(gone.lower().encode()) == 0, gone
    assert storage.verify() == []
    found = storage.find_spans(EVERYTHING)
    assert len(found) == 1_080
    assert found.items[0].attributes["long"].startswith("word")
    said = found.items[0].attributes["gen_ai.input.messages"][0]["parts"][0]["content"]
    assert storage.find_traces(Query(project="default", filter=Text(said))).items[0].trace_id == found.items[0].trace_id
    assert storage.find_traces(Query(project="default", filter=Text(secret))).items == []
    assert storage._reader().db.execute("SELECT count(*) FROM leftover").fetchone() == (0,)


def test_texts_of_logs_leave_the_dictionaries(storage):
    """A dictionary that was trained on logs has pieces of them; those of a trace that goes are cut out."""
    rng = random.Random(8)
    batch = crowd(400)
    for log, span in zip(batch.logs, batch.spans, strict=True):
        ann = span.attributes["user.id"] == "ann@example.org"
        log.body = f"Drehleierspieler {rng.randrange(9)} was here" if ann else f"nobody {rng.randrange(9)} was here"
    storage.write(Batch([], batch.logs))
    storage.write(Batch(batch.spans))
    dictionaries = "SELECT body FROM dictionary"
    assert any(b"Drehleier" in row[0] for row in storage._reader().db.execute(dictionaries))
    assert storage.erase(ANN).clean
    assert b"drehleier" not in bytes_of(storage)
    assert storage.verify() == []


def test_dictionaries_keep_what_others_say_too(storage):
    """Only the erased person's pieces are cut out, so that records stay as small."""
    storage.write(crowd(600, "Xylophonistin"))
    before = dict(storage._reader().db.execute("SELECT class, body FROM dictionary").fetchall())
    storage.erase(ANN)
    after = dict(storage._reader().db.execute("SELECT class, body FROM dictionary").fetchall())
    for kind, body in before.items():
        assert len(after[kind]) == len(body)
        assert after[kind].count(b"word") >= body.count(b"word") * 0.8
        assert after[kind].count(b"Xyloph") == 0


def test_what_is_written_meanwhile_is_stored_and_answered_in_turn(storage):
    """A writer gets its turn between the steps, and its records are all there."""
    storage.write(crowd(400))
    done = threading.Event()
    written = []

    def write():
        while not done.is_set():
            number = 10_000 + len(written) * 2 + 1
            storage.write(Batch([call(number, "bob", f"{number} bottles")]))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = storage.erase(Query(project="default", end_ns=5_000_000, filter=Compare("name", "!=", "chat for bob")))
    finally:
        done.set()
        writer.join()
    assert report.traces == 400
    assert report.steps >= 4
    assert len(written) >= report.steps // 4
    assert len(storage.find_traces(EVERYTHING)) == len(written)
    assert storage.verify() == []


def test_a_reader_that_holds_the_log_is_told_and_the_next_erasure_ends_it(storage, monkeypatch):
    """The report says that old pages are left; without the reader they go."""
    monkeypatch.setattr(eraser.Eraser.sweep, "__kwdefaults__", {"wait_s": 0.2, "probe": True})
    storage.write(crowd(50, "Xylophonistin"))
    reader = apsw.Connection(storage.path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM span").fetchall()
    report = storage.erase(ANN)
    assert report.traces == 5
    assert not report.clean
    assert "reader" in report.troubles[0]
    reader.execute("ROLLBACK")
    reader.close()
    assert storage.erase(ANN).clean
    assert b"xylophonistin" not in bytes_of(storage)


def test_an_erasure_that_was_cut_off_is_finished_by_the_next(storage, monkeypatch):
    """A trace of which half is gone, and what was left of names and words, go with any later erasure."""
    spans = [call(number, "ann@example.org", f"Xylophonistin {number}", trace="a" * 32) for number in range(1, 400)]
    storage.write(Batch(spans))
    step = eraser.Eraser.step

    def cut(self, work):
        if self._report.steps == 1:
            raise KeyboardInterrupt
        step(self, work)

    monkeypatch.setattr(eraser.Eraser, "step", cut)
    with pytest.raises(KeyboardInterrupt):
        storage.erase(ANN)
    monkeypatch.setattr(eraser.Eraser, "step", step)
    assert 0 < len(storage.find_spans(EVERYTHING)) < 399
    report = storage.erase(Query(project="default", filter=Compare("user", "=", "nobody")))
    assert report.traces == 1
    assert b"xylophonistin" not in bytes_of(storage)
    assert b"ann@example.org" not in bytes_of(storage)
    assert storage.verify() == []


def test_a_trace_costs_the_same_in_a_large_file(tmp_path):
    """SQLite's own steps of deleting ten traces do not grow with the file."""
    steps = []
    for size in (300, 3_000):
        storage = SQLiteTraceStorage(tmp_path / f"{size}.db")
        storage.write(crowd(size))
        counted = []
        with storage._connections.lock:
            db = storage._connections.writer()
            db.set_progress_handler(lambda counted=counted: bool(counted.append(1)), 100)
        storage.erase(Query(project="default", end_ns=11_000), thorough=False)
        steps.append(len(counted))
        assert len(storage.find_traces(EVERYTHING)) == size - 10
        storage.close()
    assert steps[1] < steps[0] * 3


def test_names_that_others_use_stay(storage):
    """A label of another project, or one that is a tool elsewhere, is still there afterwards."""
    mine = call(1, "search", "mine")
    theirs = Span("b" * 32, "b" * 16, "chat for search", 5, normal=NormalForm("tool", "gen_ai", tool_name="search"))
    storage.write(Batch([mine]))
    storage.write(Batch([theirs], [], "other"))
    assert storage.erase(Query(project="default", filter=Compare("user", "=", "search"))).clean
    (left,) = storage.find_spans(Query(project="other", filter=Compare("tool", "=", "search"))).items
    assert left.name == "chat for search"
    assert storage.values("tool", Query(project="other")) == ["search"]


def test_copies_are_counted_across_blocks(tmp_path):
    """A probe that lies over the border of two reads is found once, and a file that is gone has none."""
    probe = bytes(range(100, 124))
    (tmp_path / "a").write_bytes(b"x" * ((1 << 20) - 5) + probe + b"y" + probe)
    files = [tmp_path / "a", tmp_path / "gone"]
    assert count_copies(files, [probe, b"not in there at all"]) == {"a": 2, "gone": 0}
    assert count_copies(files, []) == {"a": 0, "gone": 0}


def test_the_log_begins_anew_although_readers_come_and_go(storage, monkeypatch, caplog):
    """Above a length writers wait for a moment without readers; one that holds on is told of, and nothing fails."""
    monkeypatch.setattr(connection, "_LONG", 200)
    monkeypatch.setattr(connection, "_PATIENCE_MS", 20)
    monkeypatch.setattr(diagnostics, "_last_told", {})
    with storage._connections.lock:
        storage._connections.writer().set_wal_hook(connection._LogLength())
    log = Path(f"{storage.path}-wal")
    reader = apsw.Connection(storage.path)
    for first in range(1, 1_000, 200):  # a reader that has let go each time
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM span").fetchall()
        storage.write(crowd(200, first=first))
        reader.execute("ROLLBACK")
        storage.write(crowd(1, first=first))
    assert log.stat().st_size < 8_000_000
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM span").fetchall()
    for first in range(1_001, 2_000, 200):
        storage.write(crowd(200, first=first))
    assert "end its readers" in caplog.text
    reader.close()
    assert len(storage.find_traces(EVERYTHING)) == 2_000
