"""Scores added up: spread, sources, time, and where sources differ; the same from every storage."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import BOT, CALL, OPEN, SHOP, STORAGES, T0, S, served

from vestigo import semconv
from vestigo.record import Batch, Log, Resource
from vestigo.server import tally
from vestigo.server.tally import bins


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


def score(name, value, at, *, trace=SHOP, span=None, author="", service="judge", comment=""):
    said = {semconv.EVALUATION_NAME: name, semconv.EVALUATION_EXPLANATION: comment}
    said |= {semconv.EVALUATION_LABEL: value} if isinstance(value, str) else {semconv.EVALUATION_SCORE: value}
    if author:
        said["vestigo.author"] = author
    resource = Resource({"service.name": service})
    return Log(T0 + at * S, 9, None, semconv.EVALUATION_EVENT, said, trace, span, resource=resource)


def ask(client, **params):
    answer = client.get("/api/scores/summary", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def store(server, *logs):
    server.storage.write(Batch(logs=list(logs)))


def test_scores_are_added_up_by_name(both):
    """Count, mean, least, greatest, tenths, labels, and who gave them; the most frequent name first."""
    server, client = both
    values = [0.0, 0.05, 0.5, 0.95, 1.0]
    store(server, *(score("tone", value, n, trace=f"{n:032x}") for n, value in enumerate(values, 1)))
    store(server, score("tone", "rude", 6, trace="f1" * 16, author="user:ann@example.org"))
    store(server, score("tone", "kind", 7, trace="f2" * 16, author="local"))
    store(server, score("tone", "kind", 8, trace="f3" * 16, author="key:7f3a"))
    told = ask(client)
    assert (told["scores_read"], told["replaced"], told["complete"], told["disagreeing"]) == (9, 0, True, 0)
    assert [name["name"] for name in told["names"]] == ["tone", "helpful"]
    tone, helpful = told["names"]
    assert (tone["count"], tone["numbers"], tone["by_people"], tone["by_programs"]) == (8, 5, 2, 6)
    assert (tone["mean"], tone["min"], tone["max"]) == (pytest.approx(0.5), 0, 1)
    assert tone["bins"] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert tone["labels"] == [{"value": "kind", "count": 2}, {"value": "rude", "count": 1}]
    assert tone["sources"][0] == {"value": "judge", "count": 5}
    assert {one["value"] for one in tone["sources"][1:]} == {"user:ann@example.org", "local", "key:7f3a"}
    assert (helpful["mean"], helpful["bins"], helpful["counts"]) == (0.5, [1] + [0] * 9, [])
    assert [name["name"] for name in ask(client, name="helpful")["names"]] == ["helpful"]
    assert ask(client, end=str(T0))["names"] == []
    assert ask(client, q="service:judge")["scores_read"] == 8


def test_scores_over_time(both):
    """Buckets from the first to the last, the same for every name; without numbers there is no mean."""
    server, client = both
    store(server, score("tone", 0.2, 1), score("tone", 0.4, 9, span=CALL), score("tone", 1, 65, trace=BOT))
    store(server, score("mood", "good", 125))
    told = ask(client, step="1m")
    assert told["step_ns"] == str(60 * S)
    first = int(told["times_ns"][0])
    assert first <= T0 + S < first + 60 * S
    assert [int(time) - first for time in told["times_ns"]] == [n * 60 * S for n in range(len(told["times_ns"]))]
    lines = {name["name"]: name for name in told["names"]}
    assert sum(lines["tone"]["counts"]) == 3
    assert [mean for mean in lines["tone"]["means"] if mean is not None] == [pytest.approx(0.3), 1]
    assert set(lines["mood"]["means"]) == {None}
    assert sum(lines["mood"]["counts"]) == 1
    store(server, score("tone", 1, 1_000_000, trace=BOT))
    assert client.get("/api/scores/summary", params={"step": "1s"}).status_code == 400


def test_where_sources_differ(both):
    """A target with different values of one name; of one source the newest counts, since that is a correction."""
    server, client = both
    store(
        server,
        score("right", 1, 10, span=CALL, comment="fine"), score("right", 0, 11, span=CALL, author="user:ann"),
        score("right", 1, 12, span=CALL, author="user:bob"), score("right", 0, 13, span=CALL, author="user:bob"),
        score("right", 1, 14), score("right", 1, 15, author="user:ann"),
        score("right", 0, 16, trace=BOT, author="user:ann"), score("right", 1, 17, trace=BOT, author="user:ann"),
        score("right", "no", 18, trace=BOT, span=OPEN),
        score("right", "yes", 19, trace=BOT, span=OPEN, service="other"),
    )  # fmt: skip
    told = ask(client, name="right")
    assert (told["scores_read"], told["replaced"]) == (10, 2)
    assert told["names"][0]["count"] == 8
    assert told["disagreeing"] == 2
    labels, numbers = told["disagreements"]
    assert (labels["name"], labels["trace_id"], labels["span_id"]) == ("right", BOT, OPEN)
    assert [(one["source"], one["label"]) for one in labels["given"]] == [("other", "yes"), ("judge", "no")]
    assert (numbers["trace_id"], numbers["span_id"]) == (SHOP, CALL)
    assert [(one["source"], one["value"], one["by_people"], one["comment"]) for one in numbers["given"]] == [
        ("user:bob", 0, True, ""), ("user:ann", 0, True, ""), ("judge", 1, False, "fine"),
    ]  # fmt: skip


def test_what_is_read_is_bounded(both, monkeypatch):
    """The newest, and the answer says that there are more."""
    server, client = both
    store(server, *(score("tone", 0.5, n, trace=f"{n:032x}") for n in range(1, 2_500)))
    assert ask(client)["complete"] is True
    monkeypatch.setattr(tally, "_MOST", 1_500)
    told = ask(client)
    assert (told["scores_read"], told["complete"]) == (2_000, False)
    monkeypatch.setattr(tally, "_READING_S", -1.0)
    assert (ask(client)["scores_read"], ask(client)["complete"]) == (1_000, False)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_every_number_lies_in_one_bin(numbers):
    """However large, small or close together they are."""
    found = bins(numbers)
    assert sum(found) == len(numbers)
    assert len(found) == (10 if numbers else 0)


def test_numbers_that_are_none_are_counted_and_not_averaged(both):
    """A program may send what it likes."""
    server, client = both
    store(server, score("odd", math.nan, 1), score("odd", math.inf, 2, trace=BOT), score("odd", 2.0, 3, span=CALL))
    odd = next(name for name in ask(client, step="1h")["names"] if name["name"] == "odd")
    assert (odd["numbers"], odd["mean"], odd["bins"]) == (1, 2.0, [1] + [0] * 9)
