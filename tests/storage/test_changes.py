"""What was written since a mark: nothing is missed, whoever wrote, deleted or packed meanwhile."""

import base64

import msgspec
import pytest

from vestigo import FileTraceStorage, InMemoryTraceStorage, SQLiteTraceStorage
from vestigo.errors import QueryError
from vestigo.query import Compare, Query
from vestigo.record import Batch, Log, Span


def span(number, end=None, trace="a"):
    return Span(trace * 32, f"{number:016x}", f"n{number}", number, end_ns=end)


@pytest.fixture(params=["memory", "file", "sqlite"])
def storage(request, tmp_path):
    made = {
        "memory": InMemoryTraceStorage,
        "file": lambda: FileTraceStorage(tmp_path / "traces"),
        "sqlite": lambda: SQLiteTraceStorage(tmp_path / "x.db"),
    }[request.param]()
    yield made
    made.close()


def ids(answer):
    return [span.name for span in answer[0]]


def test_changes_come_in_the_order_of_writing(storage):
    """None is now and finds nothing; then what was written, once."""
    storage.write(Batch([span(1)]))
    nothing = storage.changes("default", None)
    assert nothing[:2] == ([], [])
    storage.write(Batch([span(3)]))
    storage.write(Batch([span(2)], [Log(1, log_id="l")]))
    found = storage.changes("default", nothing[2])
    assert ids(found) == ["n3", "n2"]
    assert [log.log_id for log in found[1]] == ["l"]
    assert storage.changes("default", found[2])[:2] == ([], [])


def test_another_project_is_another_matter(storage):
    """Its records do not come, and hold nothing up."""
    mark = storage.changes("default", None)[2]
    storage.write(Batch([span(1)], [Log(1, log_id="l")], "other"))
    assert storage.changes("default", mark)[:2] == ([], [])
    assert ids(storage.changes("other", mark)) == ["n1"]


def test_a_span_that_ends_comes_again(storage):
    """Also the one that was written last, whose row number is free for a moment."""
    storage.write(Batch([span(1), span(2)]))
    mark = storage.changes("default", None)[2]
    storage.write(Batch([span(2, end=9)]))
    found = storage.changes("default", mark)
    assert [(span.name, span.end_ns) for span in found[0]] == [("n2", 9)]


def test_what_is_written_after_a_deletion_is_not_missed(storage):
    """Though the deleted were the newest and their places are taken again."""
    storage.write(Batch([span(number, trace="b" if number > 3 else "a") for number in range(1, 9)]))
    mark = storage.changes("default", None)[2]
    storage.delete(Query(project="default", filter=Compare("trace", "=", "b" * 32)))
    storage.write(Batch([span(20), span(21)]))
    found = ids(storage.changes("default", mark))
    assert {"n20", "n21"} <= set(found)
    assert not {"n4", "n8"} & set(found)


def test_a_mark_that_is_not_ours_is_refused(storage):
    """With the remedy."""
    for mark in (
        "",
        "x",
        "-1",
        "1e9",
        "ü",
        base64.urlsafe_b64encode(msgspec.msgpack.encode([1, 2])).decode(),
        "9" * 40,
    ):
        with pytest.raises(QueryError, match="cannot read the mark"):
            storage.changes("default", mark)


def test_much_comes_in_parts(tmp_path):
    """A call reads a bounded number of rows; following the marks gives all, each once."""
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    mark = storage.changes("default", None)[2]
    storage.write(Batch([span(number) for number in range(1, 4_501)], [Log(n, log_id=str(n)) for n in range(2_500)]))
    names, logs, calls = [], [], 0
    while True:
        spans, found, mark = storage.changes("default", mark)
        if not spans and not found:
            break
        names += [span.name for span in spans]
        logs += [log.log_id for log in found]
        calls += 1
    assert sorted(names) == sorted(f"n{number}" for number in range(1, 4_501))
    assert sorted(logs, key=int) == [str(number) for number in range(2_500)]
    assert calls == 3
    storage.close()


def test_rows_that_take_old_numbers_are_not_missed(tmp_path):
    """SQLite gives numbers of deleted newest rows out again, to any process; the mark knows rows by what they say."""
    one, two = SQLiteTraceStorage(tmp_path / "x.db"), SQLiteTraceStorage(tmp_path / "x.db")
    one.write(Batch([span(1), *(span(number, trace="b") for number in range(2, 5))]))
    mark = one.changes("default", None)[2]
    one.delete(Query(project="default", filter=Compare("trace", "=", "b" * 32)))
    two.write(Batch([span(10), span(11), span(12)]))
    assert ids(one.changes("default", mark)) == ["n10", "n11", "n12"]
    one.close()
    two.close()


def test_files_that_are_packed_or_written_anew_keep_their_place(tmp_path):
    """Nothing comes again because a file was packed; after an erasure what is newer comes."""
    storage = FileTraceStorage(tmp_path / "traces", max_file_size_mb=0.001, max_files=50)
    storage.write(Batch([span(1)]))
    mark = storage.changes("default", None)[2]
    for number in range(2, 12):
        storage.write(Batch([span(number)]))
    assert list((tmp_path / "traces").glob("*.zst"))
    found = storage.changes("default", mark)
    assert sorted(ids(found)) == sorted(f"n{number}" for number in range(2, 12))
    other = FileTraceStorage(tmp_path / "traces")
    other.write(Batch([span(30, trace="c")]))
    mark = storage.changes("default", found[2])[2]
    storage.delete(Query(project="default", filter=Compare("trace", "=", "a" * 32)))
    storage.write(Batch([span(40, trace="d")]))
    assert ids(storage.changes("default", mark)) == ["n40"]
    storage.close()
    other.close()
