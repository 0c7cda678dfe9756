"""Records without what people and models said, by whatever dialect they name it."""

import json
from pathlib import Path

import msgspec
import pytest

from vestigo import normalize
from vestigo.record import Batch, Event, Log, Point, Span
from vestigo.server.content import WITHHELD, is_content, without_content

GOLDEN = sorted((Path(__file__).parent.parent / "normalize" / "golden").glob("*/*.json"))
NUMBERS = ("kind", "provider", "usage", "session_id", "user_id", "ttft_s", "tool_call_id", "dialect")


def texts(value):
    """What was said in messages: the texts that are sentences, not names."""
    if isinstance(value, str):
        return [value] if " " in value.strip() else []
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [text for item in value.values() for text in texts(item)] if isinstance(value, dict) else []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_dialects_messages_are_left(path):
    """No sentence of them is anywhere in the span, and what it cost, whose it was and what it is read as before."""
    golden = json.loads(path.read_text())
    span = msgspec.convert(golden["span"], Span)
    before = msgspec.json.encode(span)
    (bare,) = without_content(Batch([span])).spans
    left = json.dumps(msgspec.to_builtins(bare), ensure_ascii=False)
    assert [text for text in texts(golden["messages"]) if text in left.replace("\\\\", "\\")] == []
    form = json.loads(msgspec.json.encode(normalize.normalize(bare)))
    if path.parent.name in TELL_THEM_APART:
        assert {name: form.get(name) for name in NUMBERS} == {name: golden["normal"].get(name) for name in NUMBERS}
    assert msgspec.json.encode(span) == before


TELL_THEM_APART = {
    "gen_ai",
    "openinference",
    "openllmetry",
    "langfuse",
    "langsmith",
    "vercel",
    "mlflow",
    "anthropic_sdk",
}
"""Dialects that tell figures in attributes of their own; in others they stand in the messages and go with them."""


def test_what_was_taken_is_said():
    """`vestigo.content` where something is missing, and only there."""
    plain = Span("a" * 32, "b" * 16, "s", 1, attributes={"customer.tier": "gold", "n": 5, "ok": True})
    asked = Span("a" * 32, "c" * 16, "s", 1, attributes={"gen_ai.input.messages": [{"role": "user"}], "n": 5})
    told = Span("a" * 32, "d" * 16, "s", 1, events=[Event(1, "gen_ai.choice", {"message": "hi", "index": 0})])
    kept = without_content(Batch([plain, asked, told]))
    assert kept.spans[0] == plain
    assert kept.spans[1].attributes == {"n": 5, "vestigo.content": WITHHELD}
    assert kept.spans[2].events == [Event(1, "gen_ai.choice", {"index": 0})]
    assert kept.spans[2].attributes == {"vestigo.content": WITHHELD}


def test_logs_keep_what_the_program_says_and_not_what_people_say():
    """Short plain texts stay, bodies of events and long or structured ones go; scores keep their numbers."""
    logs = [
        Log(1, body="server started"),
        Log(1, body="x" * 257),
        Log(1, body={"role": "user"}),
        Log(1, body="what is my balance", event_name="gen_ai.user.message"),
        Log(1, event_name="gen_ai.evaluation.result", attributes={
            "gen_ai.evaluation.name": "helpful", "gen_ai.evaluation.score.value": 0.5,
        }),
    ]  # fmt: skip
    kept = without_content(Batch(logs=logs)).logs
    assert [log.body for log in kept] == ["server started", None, None, None, None]
    assert kept[0] == logs[0]
    assert kept[4].attributes["gen_ai.evaluation.score.value"] == 0.5
    assert without_content(Batch(points=[Point("x", 1)])).points == [Point("x", 1)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("app.userPrompt", "hi"), ("gen_ai.prompt.variable.name", "Ann"), ("x.llm_request", "{}"), ("odd", "y" * 300),
     ("odd", [{"deep": "y" * 300}]), ("tool_input", {"a": 1})],
)  # fmt: skip
def test_unknown_names_fail_closed(key, value):
    """A word for content in the name, or a long text, is enough."""
    assert is_content(key, value)
    assert not is_content("http.request.method", "POST")
    assert not is_content("gen_ai.usage.output_tokens", 5)
