"""LiveKit's spans."""

from vestigo.normalize import messages, normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_a_node_around_a_call_does_not_count():
    """The model's call below tells the tokens."""
    assert normalize(span({"lk.chat_ctx": '{"items": []}'})).usage_role == "rollup"


def test_speech_is_a_span():
    """Synthesis, turns and detection are no calls of a language model."""
    assert normalize(span({"lk.tts.label": "x", "gen_ai.request.model": "sonic"})).kind == "span"


def test_names_with_and_without_the_mark_of_personal_content_are_read():
    """`lk.pii.response.text` was `lk.response.text`."""
    for name in ("lk.pii.response.text", "lk.response.text"):
        assert messages(span({name: "hello"})).output[0]["parts"] == [{"type": "text", "content": "hello"}]
