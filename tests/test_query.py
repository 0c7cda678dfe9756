"""Questions: what is refused, how a page goes on, how long one may take. What filters mean: `test_matching.py`."""

import threading
import time

import msgspec
import pytest

from vestigo import FileTraceStorage, InMemoryTraceStorage, SQLiteTraceStorage
from vestigo.errors import QueryError, QueryTimeout
from vestigo.query import (
    Compare,
    Grouping,
    Query,
    check_query,
    check_time,
    is_late,
    make_cursor,
    page_of,
    read_cursor,
    time_limit,
)
from vestigo.record import Batch, Log, Span


def key_of(item, order):
    return (item, item, "a", "b")


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_follow_each_other(order):
    """All items once, in order, the last page without a cursor."""
    cursor, seen, pages = None, [], 0
    while True:
        asked = Query(project="default", order=order, limit=3, cursor=cursor)
        page = page_of([5, 1, 4, 2, 3, 7, 6], asked, key_of)
        seen += page.items
        pages += 1
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=order == "newest")
    assert (len(seen), pages) == (7, 3)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 10**6}, {"start_ns": 5, "end_ns": 1}, {"project": ""}])
def test_a_question_that_makes_no_sense_is_refused(wrong):
    """With QueryError, before any storage is asked."""
    with pytest.raises(QueryError):
        check_query(Query(**{"project": "default", **wrong}))


def test_a_cursor_is_read_back_and_no_other_is_taken():
    """Its key, or a QueryError for text that is none or belongs to another order."""
    cursor = make_cursor("newest", (5, 5, "a" * 32, "b" * 16))
    assert read_cursor(Query(project="default", cursor=cursor)) == (5, 5, "a" * 32, "b" * 16)
    for asked in (Query(project="default", cursor="nonsense"), Query(project="default", cursor=cursor, order="oldest")):
        with pytest.raises(QueryError):
            read_cursor(asked)
    assert check_query(Query(project="default", filter=Compare("name", "exists"))).limit == 100


# --- how long a question may take


def test_a_time_limit_ends_with_its_block_and_the_sooner_counts():
    """Without one nothing is late; an inner one cannot make more time; another thread has its own."""
    check_time()
    with time_limit(60):
        assert not is_late()
        with time_limit(0):
            time.sleep(0.001)
            assert is_late()
            with time_limit(60):
                assert is_late()
            elsewhere = []
            thread = threading.Thread(target=lambda: elsewhere.append(is_late()))
            thread.start()
            thread.join()
            assert elsewhere == [False]
            with pytest.raises(QueryTimeout, match="narrow the window"):
                check_time()
        assert not is_late()
    assert not is_late()


QUESTIONS = {
    "regex": lambda s, q: s.find_spans(msgspec.structs.replace(q, filter=Compare("input", "~", "never.*there"))),
    "traces": lambda s, q: s.find_traces(msgspec.structs.replace(q, filter=Compare("output", "~", "never.*there"))),
    "sums": lambda s, q: s.aggregate(q, Grouping(by=("name", "session"), step_ns=10**9, measures=("count",))),
    "logs": lambda s, q: s.find_logs(msgspec.structs.replace(q, filter=Compare("name", "~", "never.*there"))),
    "groups": lambda s, q: s.find_groups(msgspec.structs.replace(q, filter=Compare("name", "~", "x.*n")), "user"),
}


@pytest.fixture(scope="module", params=["memory", "file", "sqlite"])
def storage(request, tmp_path_factory):
    """Some thousand spans and logs."""
    place = tmp_path_factory.mktemp("late")
    made = {
        "memory": InMemoryTraceStorage,
        "file": lambda: FileTraceStorage(place / "traces"),
        "sqlite": lambda: SQLiteTraceStorage(place / "x.db"),
    }[request.param]()
    spans = [Span(f"{n // 4:032x}", f"{n:016x}", f"x{n}", n, end_ns=n + 1) for n in range(4_000)]
    made.write(Batch(spans, [Log(n, body="x", event_name=f"e{n}", log_id=str(n)) for n in range(4_000)]))
    yield made
    made.close()


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_that_takes_too_long_ends_and_the_next_is_answered(storage, name):
    """QueryTimeout, soon after the limit; the storage is whole afterwards."""
    query = Query(project="default", limit=5)
    with pytest.raises(QueryTimeout), time_limit(0.000_5):
        QUESTIONS[name](storage, query)
    with time_limit(60):
        QUESTIONS[name](storage, query)
        assert len(storage.find_spans(query)) == 5
