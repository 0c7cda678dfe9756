"""Scores by the API: written, read, and found by the filter."""

import math

import pytest
from served import CALL, SHOP, STORAGES, served


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


def test_a_score_is_written_and_found(both):
    """It is stored before the answer, says who gave it, and `score.NAME` finds its trace."""
    server, client = both
    given = {"trace_id": SHOP, "span_id": CALL, "name": "tone", "value": 0.75, "comment": "nice"}
    made = client.post("/api/scores", json=given)
    assert made.status_code == 200
    (row,) = client.get("/api/scores", params={"name": "tone"}).json()["items"]
    assert row["score_id"] == made.json()["score_id"]
    assert (row["value"], row["label"], row["comment"], row["span_id"]) == (0.75, None, "nice", CALL)
    assert row["author"].startswith("key:")
    assert server.counters.get("stored.logs") == 1
    found = client.get("/api/traces", params={"q": "score.tone>0.7"}).json()["items"]
    assert [trace["trace_id"] for trace in found] == [SHOP]


def test_scores_are_numbers_yes_or_no_and_labels(both):
    """A yes is 1; a label is text; programs' own scores are listed too."""
    _, client = both
    for value in (True, "good", 3):
        assert client.post("/api/scores", json={"trace_id": SHOP, "name": "x", "value": value}).status_code == 200
    rows = client.get("/api/scores", params={"trace_id": SHOP}).json()["items"]
    assert {(row["name"], row["value"], row["label"]) for row in rows} == {
        ("x", 1.0, None), ("x", None, "good"), ("x", 3.0, None), ("helpful", 0.5, None),
    }  # fmt: skip


def test_a_secret_in_a_comment_is_not_stored(both):
    """Scores are redacted before the first write, as every record."""
    _, client = both
    secret = "sk-proj-" + "Ab1" * 16
    made = client.post("/api/scores", json={"trace_id": SHOP, "name": "x", "value": 1, "comment": f"key {secret}"})
    assert made.status_code == 200
    assert secret not in client.get("/api/scores").text
    assert "REDACTED" in client.get("/api/scores", params={"name": "x"}).json()["items"][0]["comment"]


@pytest.mark.parametrize(
    "body",
    [
        {"trace_id": "x", "name": "n", "value": 1}, {"trace_id": SHOP, "name": "", "value": 1},
        {"trace_id": SHOP, "name": "n"}, {"trace_id": SHOP, "name": "n", "value": None},
        {"trace_id": SHOP, "span_id": "1", "name": "n", "value": 1},
        {"trace_id": SHOP, "name": "n", "value": 1, "more": 1},
        {"trace_id": SHOP, "name": "n", "value": [1]}, [], "text",
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_score_is_refused(both, body):
    """400, and nothing is stored."""
    _, client = both
    assert client.post("/api/scores", json=body).status_code == 400
    assert len(client.get("/api/scores").json()["items"]) == 1


def test_an_infinite_score_is_refused(both):
    """JSON has no infinity, but a number may be too large."""
    _, client = both
    body = f'{{"trace_id": "{SHOP}", "name": "n", "value": 1e999}}'
    answer = client.post("/api/scores", content=body, headers={"content-type": "application/json"})
    assert math.isinf(float("1e999"))
    assert answer.status_code == 400
