"""A session as one conversation: its traces, the oldest first, with what was said and answered."""

import pytest
from served import CALL, ROOT, SHOP, STORAGES, T0, S, served, text

from vestigo import semconv
from vestigo.record import Batch, Log, Span
from vestigo.server import turns


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


def ask(client, **params):
    answer = client.get("/api/turns", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def call(trace, span, start, parent, said, answered, **more):
    attributes = {
        "session.id": "s1", semconv.OPERATION: "chat", semconv.INPUT_MESSAGES: said, semconv.OUTPUT_MESSAGES: answered,
        **more,
    }  # fmt: skip
    return Span(
        trace * 16, span * 8, "chat", T0 + start * S, parent and parent * 8, T0 + (start + 1) * S, attributes=attributes
    )


def agent_run(trace, start, *, root_says=None):
    """A trace of an agent: a call that wants a tool, and one that answers."""
    said = [text("user", "and my order?")]
    wish = {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "find", "arguments": {}}]}
    result = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "sent"}]}
    root = Span(
        trace * 16, "e1" * 8, "agent", T0 + start * S, end_ns=T0 + (start + 5) * S, attributes={"session.id": "s1"}
    )
    if root_says:
        root.attributes |= {semconv.INPUT_MESSAGES: said, semconv.OUTPUT_MESSAGES: [text("assistant", root_says)]}
        root.attributes[semconv.OPERATION] = "invoke_agent"
    first = call(trace, "e2", start + 1, "e1", said, [wish])
    second = call(trace, "e3", start + 3, "e1", [*said, wish, result], [text("assistant", "it was sent")])
    return [root, first, second]


def test_a_session_reads_as_one_conversation(both):
    """Each trace once, by time, with the messages of the span that tells and its id; other sessions are not in it."""
    server, client = both
    server.storage.write(Batch([*agent_run("c3", 100), *agent_run("c4", 200, root_says="on its way")]))
    page = ask(client, session="s1")
    assert page["cursor"] is None
    first, second, third = page["items"]
    assert [turn["trace"]["trace_id"] for turn in page["items"]] == [SHOP, "c3" * 16, "c4" * 16]
    assert (first["span_id"], first["kind"]) == (CALL, "llm")
    assert first["messages"]["input"][1] == text("user", "where is my refund?")
    assert first["messages"]["output"] == [text("assistant", "it is on its way")]
    assert (first["answer_span_id"], first["answer"], first["cut"]) == (None, [], [])
    assert first["trace"]["input_preview"] == "where is my refund?"
    assert second["span_id"] == "e2" * 8
    assert second["answer_span_id"] == "e3" * 8
    assert second["answer"] == [text("assistant", "it was sent")]
    assert (third["span_id"], third["answer_span_id"]) == ("e1" * 8, None)
    assert third["messages"]["output"] == [text("assistant", "on its way")]
    assert ask(client, session="nobody") == {"items": [], "cursor": None}
    assert client.get("/api/turns").status_code == 400


def test_a_conversation_is_read_a_page_at_a_time(both, monkeypatch):
    """By number, and by size, since each turn may repeat all those before it."""
    server, client = both
    server.storage.write(Batch([span for n in range(3, 8) for span in agent_run(f"c{n}", n * 100)]))
    whole = ask(client, session="s1")["items"]
    assert len(whole) == 6
    for limits in ({"limit": 1}, {"limit": 4}, {}):
        if not limits:
            monkeypatch.setattr(turns, "_ANSWER_BYTES", 3_000)
        found, cursor, pages = [], "", 0
        while cursor is not None:
            page = ask(client, session="s1", cursor=cursor, **limits)
            found, cursor, pages = found + page["items"], page["cursor"], pages + 1
            assert page["items"]
        assert found == whole
        assert pages > 1


def test_a_trace_without_messages_is_a_turn_too(both):
    """Nothing was said that we know of; of messages in logs beside a call all is told."""
    server, client = both
    quiet = Span("c5" * 16, "f1" * 8, "job", T0 + 300 * S, attributes={"session.id": "s2"})
    asked = call("c6", "f2", 400, None, [], [])
    asked.attributes["session.id"] = "s2"
    for name in (semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES):
        del asked.attributes[name]
    details = Log(
        T0 + 401 * S, event_name="gen_ai.client.inference.operation.details",
        attributes={semconv.INPUT_MESSAGES: [text("user", "from a log")]}, trace_id="c6" * 16, span_id="f2" * 8,
    )  # fmt: skip
    server.storage.write(Batch([quiet, asked], [details]))
    first, second = ask(client, session="s2")["items"]
    assert (first["span_id"], first["messages"]) == (None, {"input": [], "output": [], "system": [], "tools": []})
    assert second["span_id"] == "f2" * 8
    assert second["messages"]["input"] == [text("user", "from a log")]


def test_what_is_large_is_cut_and_can_be_had(both):
    """With its size and a link to all of it."""
    server, client = both
    server.storage.write(
        Batch([call("c7", "f3", 500, None, [text("user", "x" * 300_000)], [], **{"session.id": "s3"})])
    )
    turn = ask(client, session="s3")["items"][0]
    assert [(one["field"], one["size_bytes"] > 300_000) for one in turn["cut"]] == [("messages.input", True)]
    assert len(turn["messages"]["input"][0]["parts"][0]["content"]) < 300_000
    whole = client.get(turn["cut"][0]["href"]).json()
    assert len(whole[0]["parts"][0]["content"]) == 300_000


def test_the_spans_of_a_turn_can_be_asked_for(both):
    """The id leads to the span."""
    _, client = both
    turn = ask(client, session="s1")["items"][0]
    assert turn["span_id"] != ROOT
    assert client.get(f"/api/spans/{SHOP}/{turn['span_id']}").status_code == 200
