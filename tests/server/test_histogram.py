"""Logs over time by level; the same from every storage."""

import tracemalloc

import pytest
from served import STORAGES, T0, S, served

from vestigo import SQLiteTraceStorage
from vestigo.errors import QueryError
from vestigo.query import Query
from vestigo.record import Batch, Log
from vestigo.server import histogram
from vestigo.server.histogram import histogram_of, level_of, read_logs, suiting_width

MINUTE = 60 * S


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


def ask(client, **params):
    answer = client.get("/api/logs/histogram", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_logs_are_counted_by_level_over_time(both):
    """Every bucket from the first to the last, the levels that there are, by the filter of logs."""
    server, client = both
    start = T0 // MINUTE * MINUTE + 10 * MINUTE
    severities = [1, 8, 9, 9, 13, 17, 20, 24]
    server.storage.write(Batch(logs=[Log(start + n * MINUTE, level, f"log {n}") for n, level in enumerate(severities)]))
    told = ask(client, start=str(start), step="1m")
    assert (told["step_ns"], told["logs_read"], told["complete"]) == (str(MINUTE), 8, True)
    assert told["times_ns"] == [str(start + n * MINUTE) for n in range(8)]
    assert {line["level"]: line["counts"] for line in told["levels"]} == {
        "trace": [1, 0, 0, 0, 0, 0, 0, 0], "debug": [0, 1, 0, 0, 0, 0, 0, 0], "info": [0, 0, 1, 1, 0, 0, 0, 0],
        "warning": [0, 0, 0, 0, 1, 0, 0, 0], "error": [0, 0, 0, 0, 0, 1, 1, 0], "fatal": [0, 0, 0, 0, 0, 0, 0, 1],
    }  # fmt: skip
    assert [line["level"] for line in told["levels"]] == list(histogram.LEVELS)
    errors = ask(client, start=str(start), step="1m", q="level:error")
    assert errors["levels"] == [{"level": "error", "counts": [1, 1]}]
    assert errors["read_from_ns"] == str(start + 5 * MINUTE)
    nothing = ask(client, start=str(start + 9 * MINUTE))
    assert (nothing["times_ns"], nothing["levels"], nothing["complete"]) == ([], [], True)
    assert client.get("/api/logs/histogram", params={"step": "nonsense"}).status_code == 400
    assert client.get("/api/logs/histogram", params={"step": "0s"}).status_code == 400


def test_what_is_read_is_bounded(both, monkeypatch):
    """The newest, and the answer says how far back it goes."""
    server, client = both
    server.storage.write(Batch(logs=[Log(T0 + n * S, 9, f"log {n}") for n in range(100, 2_600)]))
    assert ask(client, q="level:info", start=str(T0 + 100 * S))["logs_read"] == 2_500
    monkeypatch.setattr(histogram, "_MOST", 1_500)
    told = ask(client)
    assert (told["logs_read"], told["complete"]) == (2_000, False)
    assert told["read_from_ns"] == str(T0 + 600 * S)
    assert sum(told["levels"][0]["counts"]) == 2_000


def test_a_width_suits_the_window():
    """A round one, for at most sixty buckets; of what was found where the window is open."""
    day = 86_400 * S
    assert suiting_width(Query(project="p", start_ns=T0, end_ns=T0 + 3_600 * S), []) == MINUTE
    assert suiting_width(Query(project="p", start_ns=T0, end_ns=T0 + day), []) == 1_800 * S
    assert suiting_width(Query(project="p"), [(T0, 9), (T0 + 30 * S, 9)]) == S
    assert suiting_width(Query(project="p"), []) == S
    assert suiting_width(Query(project="p"), [(0, 9), (T0, 9)]) % (7 * day) == 0
    assert (
        len(histogram_of([(0, 9), (T0, 9)], suiting_width(Query(project="p"), [(0, 9), (T0, 9)]), True).times_ns) <= 61
    )


def test_too_many_buckets_are_refused():
    """With the remedy."""
    with pytest.raises(QueryError, match="give a wider step"):
        histogram_of([(0, 9), (T0, 9)], S, True)


@pytest.mark.parametrize(
    ("severity", "level"), [(-5, 0), (0, 0), (1, 0), (4, 0), (5, 1), (9, 2), (16, 3), (17, 4), (21, 5), (99, 5)]
)
def test_every_severity_has_a_level(severity, level):
    """Four numbers each, as OpenTelemetry has them."""
    assert level_of(severity) == level


def test_large_logs_are_not_held(tmp_path, monkeypatch):
    """A page of them at a time, whatever their number."""
    monkeypatch.setattr(histogram, "MAX_ROWS", 10)
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    storage.write(Batch(logs=[Log(T0 + n, body=f"{n}" * 50_000, log_id=f"{n:032x}") for n in range(200)]))
    tracemalloc.start()
    try:
        found, complete = read_logs(storage, Query(project="default"), 1_000, 30.0, lambda log: log.time_ns)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        storage.close()
    assert (len(found), complete) == (200, True)
    assert peak < 8_000_000
