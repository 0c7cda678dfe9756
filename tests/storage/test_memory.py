"""The storage in memory: what it lets go of, that it shares nothing, and many threads at once."""

import threading
from typing import Any

import pytest

from vestigo.errors import QueryError, SettingsError
from vestigo.query import Compare, Query
from vestigo.record import Batch, Log, Span, Trace
from vestigo.storage import open_storage
from vestigo.storage.memory import InMemoryTraceStorage


def span(number: int, **more: Any) -> Span:
    return Span(f"{number:032x}", f"{number:016x}", f"span {number}", number, end_ns=number + 1, **more)


def log(number: int, trace: int | None) -> Log:
    return Log(number, body="said", trace_id=None if trace is None else f"{trace:032x}", log_id=f"{number:032x}")


def kept(storage: InMemoryTraceStorage, project: str = "default") -> list[str]:
    return [summary.name for summary in storage.find_traces(Query(project=project, order="oldest"))]


def test_the_oldest_to_arrive_makes_room_and_is_counted() -> None:
    """At most `max_traces` are kept, whatever their start; their logs go with them."""
    storage = InMemoryTraceStorage(max_traces=2)
    for number in (5, 9, 1):
        storage.write(Batch([span(number)], [log(number, number)]))
    assert kept(storage) == ["span 1", "span 9"]
    assert (storage.evicted, storage.evicted_logs) == (1, 1)
    assert storage.get(f"{5:032x}") is None
    assert len(storage.find_logs(Query(project="default"))) == 2


def test_another_span_of_a_known_trace_makes_no_room() -> None:
    """Traces are counted, not spans."""
    storage = InMemoryTraceStorage(max_traces=1)
    storage.write(Batch([span(1), Span(f"{1:032x}", "a" * 16, "more", 2)]))
    assert storage.evicted == 0
    found = storage.get(f"{1:032x}")
    assert found is not None
    assert len(found.spans) == 2


def test_projects_share_the_room() -> None:
    """The limit is for all projects together."""
    storage = InMemoryTraceStorage(max_traces=1)
    storage.write(Batch([span(1)], project="a"))
    storage.write(Batch([span(1)], project="b"))
    assert (kept(storage, "a"), kept(storage, "b")) == ([], ["span 1"])


def test_logs_of_traces_that_never_come_do_not_grow_without_end() -> None:
    """They go before logs without a trace and logs of traces that are here, and are counted."""
    storage = InMemoryTraceStorage(max_traces=2)
    storage.write(Batch([], [log(1, None)]))
    storage.write(Batch([span(2)], [log(2, 2)]))
    for number in range(10, 20):
        storage.write(Batch([], [log(number, number)]))
    left = {found.time_ns for found in storage.find_logs(Query(project="default"))}
    assert left == {1, 2, 18, 19}
    assert storage.evicted_logs == 8


def test_loose_logs_of_many_projects_stay() -> None:
    """What is neither of a lost trace nor beyond its own limit is not evicted."""
    storage = InMemoryTraceStorage(max_traces=1)
    for project in "abcde":
        storage.write(Batch([], [log(1, None)], project))
    assert all(len(storage.find_logs(Query(project=project))) == 1 for project in "abcde")


def test_one_trace_keeps_its_newest_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace, or the logs without one, cannot fill the memory; what is left out is counted."""
    monkeypatch.setattr("vestigo.storage.memory._LOGS_PER_TRACE", 3)
    storage = InMemoryTraceStorage()
    storage.write(Batch([], [log(number, None) for number in range(5)]))
    assert [found.time_ns for found in storage.find_logs(Query(project="default", order="oldest"))] == [2, 3, 4]
    assert storage.evicted_logs == 2


def test_logs_without_an_id_are_known_by_their_content() -> None:
    """What is written again is there once; what differs is another log."""
    storage = InMemoryTraceStorage()
    for _ in range(2):
        storage.write(Batch([], [Log(1, body="a"), Log(1, body="b")]))
    assert len(storage.find_logs(Query(project="default"))) == 2


def test_nothing_that_is_handed_over_or_out_is_shared() -> None:
    """Changing a record before or after changes nothing in the storage."""
    storage = InMemoryTraceStorage()
    given = span(1, attributes={"list": [1], "deep": {"a": [2]}})
    said = log(2, 1)
    said.body = {"words": ["a"]}
    storage.write(Batch([given], [said]))
    given.attributes["list"].append("mine")  # type: ignore[union-attr]
    said.body["words"].append("mine")

    def answers() -> list[Any]:
        trace = storage.get(given.trace_id)
        assert trace is not None
        query = Query(project="default")
        return [trace.spans[0], trace.logs[0], storage.find_spans(query).items[0], storage.find_logs(query).items[0]]

    for _ in range(2):
        for record in answers():
            if isinstance(record, Span):
                assert record.attributes == {"list": [1], "deep": {"a": [2]}}
                record.attributes["deep"]["a"].append("mine")  # type: ignore[index, call-overload, union-attr]
            else:
                assert record.body == {"words": ["a"]}
                record.body["words"].append("mine")


def test_many_threads_write_and_read_at_once() -> None:
    """Nothing is lost and no read fails while others write."""
    storage = InMemoryTraceStorage()
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 50):
                storage.write(Batch([span(number)], [log(number, number)]))
                storage.find_traces(Query(project="default", limit=2))
                storage.values("name", Query(project="default", limit=2))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(1 + 50 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(kept(storage)) == 100  # the default limit of a query
    assert len(storage.find_spans(Query(project="default", limit=1000))) == 200


def test_a_trace_is_stored_and_asked_for_by_plain_arguments() -> None:
    """`store`, `get` and `query` are for programs that hold traces; they use the storage's project."""
    storage = InMemoryTraceStorage(project="mine")
    trace = Trace(f"{7:032x}", [span(7, status="ERROR", attributes={"tier": "gold"})], [log(1, 7)])
    storage.store(trace)
    assert storage.get(trace.trace_id) == trace
    assert [found.trace_id for found in storage.query(status="ERROR", attributes={"tier": "gold"})] == [trace.trace_id]
    assert storage.query(name="other") == []
    assert kept(storage, "default") == []
    with pytest.raises(SettingsError, match="store\\(\\) takes a Trace"):
        storage.store(span(1))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="query\\(\\) has no argument 'colour'"):
        storage.query(colour="red")


def test_deleting_takes_loose_logs_that_fit_and_spares_those_that_cannot_answer() -> None:
    """A filter by name, which logs have, deletes; one by model, which they do not have, does not."""
    storage = InMemoryTraceStorage()
    storage.write(Batch([], [Log(1, event_name="a", log_id="1"), Log(2, event_name="b", log_id="2")]))
    assert storage.delete(Query(project="default", filter=Compare("model", "=", "m"))) == 0
    assert len(storage.find_logs(Query(project="default"))) == 2
    storage.delete(Query(project="default", filter=Compare("name", "=", "a")))
    assert [found.event_name for found in storage.find_logs(Query(project="default"))] == ["b"]
    with pytest.raises(QueryError):
        storage.delete(Query(project="default", filter=Compare("modle", "=", "m")))


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "10"])
def test_a_limit_that_makes_no_sense_is_refused(limit: Any) -> None:
    """`max_traces` is a whole number above 0; the message has the value."""
    with pytest.raises(SettingsError, match="max_traces="):
        InMemoryTraceStorage(limit)


def test_the_url_of_memory_has_no_path() -> None:
    """memory://x is most likely a mistake, and the message says for what."""
    assert isinstance(open_storage("memory://"), InMemoryTraceStorage)
    with pytest.raises(SettingsError, match="did you mean sqlite:///x"):
        open_storage("memory:///x")
    open_storage("memory://", max_traces=3).close()
