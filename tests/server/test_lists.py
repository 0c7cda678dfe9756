"""Lists by the API: rows, previews, pages, the same from every storage."""

import pytest
from served import BOT, CALL, OPEN, ROOT, SHOP, STORAGES, T0, TOOL, S, served

from vestigo.record import Batch, Span


@pytest.fixture(params=STORAGES)
def client(request, tmp_path):
    with served(request.param, tmp_path) as (_, client):
        yield client


def get(client, path, **params):
    answer = client.get(f"/api/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_traces_come_newest_first_with_what_was_said(client):
    """Sums over leaf calls, times as text, the question and the answer as previews."""
    bot, shop = get(client, "traces")["items"]
    assert (bot["trace_id"], bot["end_ns"], bot["open_spans"]) == (BOT, None, 1)
    assert (shop["trace_id"], shop["name"], shop["service"]) == (SHOP, "POST /chat", "shop")
    assert (shop["start_ns"], shop["end_ns"], shop["duration_ms"]) == (str(T0), str(T0 + 10 * S), 10_000)
    assert (shop["spans"], shop["calls"], shop["errors"], shop["status"]) == (3, 1, 1, "ERROR")
    assert (shop["input_tokens"], shop["output_tokens"], shop["cost_usd"]) == (1_000, 100, 0.25)
    assert (shop["session_id"], shop["user_id"], shop["models"]) == ("s1", "ann", ["gpt-4o"])
    assert shop["input_preview"] == "where is my refund?"
    assert shop["output_preview"] == "it is on its way"
    assert bot["input_preview"] == ""


def test_a_preview_is_short_and_on_one_line(client):
    """160 characters at most, whatever was said."""
    long = {"role": "user", "parts": [{"type": "text", "content": "a\n\n b" + "c" * 100_000}]}
    span = Span("d4" * 16, "06" * 8, "long", T0, end_ns=T0 + 1, attributes={
        "gen_ai.operation.name": "chat", "gen_ai.input.messages": [long],
    })  # fmt: skip
    client.app._server.storage.write(Batch([span]))
    (row,) = get(client, "traces", q="name:long")["items"]
    assert row["input_preview"] == "a b" + "c" * 157


def test_spans_have_their_columns(client):
    """Filtered by the same text as everywhere."""
    (row,) = get(client, "spans", q="kind:llm cost>=$0.2")["items"]
    assert (row["span_id"], row["parent_id"], row["model"], row["provider"]) == (CALL, ROOT, "gpt-4o", "openai")
    assert (row["ttft_ms"], row["input_tokens"], row["counted"]) == (500, 1_000, True)
    assert [row["span_id"] for row in get(client, "spans", order="slowest")["items"]] == [ROOT, CALL, TOOL, OPEN]


def test_logs_have_level_body_and_place(client):
    """Times as text; an integer beyond 53 bits in an attribute stays as it was recorded."""
    score, loose, slow = get(client, "logs", order="newest")["items"]
    assert (loose["body"], loose["trace_id"], score["event_name"]) == ("loose", None, "gen_ai.evaluation.result")
    (row,) = get(client, "logs", q="level>=error")["items"]
    assert row == {
        "log_id": "l1" * 16, "time_ns": str(T0 + 2 * S), "severity": 17, "event_name": "slow.call",
        "body": {"message": "slow"}, "attributes": {"n": 2**60}, "trace_id": SHOP, "span_id": CALL, "service": "",
        "scope_name": "", "cut": False,
    }  # fmt: skip
    assert slow == row


def test_points_of_metrics_have_what_their_kind_has(client):
    """A number, or the buckets of a distribution; times as text."""
    latency, depth = get(client, "points")["items"]
    assert (depth["name"], depth["kind"], depth["value"], depth["time_ns"]) == ("queue.depth", "gauge", 7, str(T0 + S))
    assert (latency["kind"], latency["count"], latency["buckets"]) == ("histogram", 3, [1, 2])
    assert latency["service"] == "shop"
    assert [row["name"] for row in get(client, "points", q="name:queue")["items"]] == ["queue.depth"]


def test_sessions_and_end_users_have_the_sums_of_their_traces(client):
    """The one with the last trace first."""
    (session,) = get(client, "sessions")["items"]
    assert session == {
        "key": "s1", "traces": 1, "failed": 1, "spans": 3, "errors": 1, "calls": 1, "input_tokens": 1_000,
        "output_tokens": 100, "cost_usd": 0.25, "unpriced_calls": 0, "first_ns": str(T0), "last_ns": str(T0),
    }  # fmt: skip
    assert [row["key"] for row in get(client, "endusers")["items"]] == ["bob", "ann"]
    assert [row["key"] for row in get(client, "endusers", order="oldest")["items"]] == ["ann", "bob"]
    assert client.get("/api/endusers", params={"order": "slowest"}).status_code == 400


@pytest.mark.parametrize("path", ["traces", "spans", "logs", "endusers"])
def test_pages_neither_skip_nor_repeat(client, path):
    """Following cursors gives the rows of one long page."""
    whole = get(client, path)["items"]
    cursor, paged = None, []
    while True:
        page = get(client, path, limit=1, **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert paged == whole
    assert len(whole) >= 2


def test_a_window_has_a_start_and_an_end(client):
    """Nanoseconds or a distance from now; the end does not belong to it."""
    assert [row["trace_id"] for row in get(client, "traces", end=str(T0 + S))["items"]] == [SHOP]
    assert [row["trace_id"] for row in get(client, "traces", start=str(T0 + 1))["items"]] == [BOT]
    assert get(client, "traces", start="1m")["items"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"start": "yesterday"}, {"start": "9" * 19}, {"end": "-5"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "x"},
        {"order": "best"}, {"cursor": "abc"}, {"q": "("}, {"unknown": "1"}, {"start": "20", "end": "10"},
    ],
    ids=str,
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(client, params):
    """400 with a message, never an answer to another question."""
    refused = client.get("/api/traces", params=params)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"]
