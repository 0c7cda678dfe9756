"""Cutting large values and making previews."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vestigo.record import Span
from vestigo.server.answers import FIELD_BYTES, PREVIEW, cut, previews

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_a_small_value_comes_as_it_is(value):
    """The same object, without a size."""
    shown, size = cut(value)
    assert shown is value
    assert size is None


@given(JSON, st.text(min_size=1).map(lambda text: text * (FIELD_BYTES // len(text.encode("utf-8", "replace")) + 1)))
def test_a_large_value_keeps_its_shape_and_fits(value, long):
    """What is shown is about what a field may take, and of the same type."""
    long = long.encode("utf-8", "replace").decode()
    whole = {"first": value, "long": [long, "a", {"b": long}], "last": value}
    shown, size = cut(whole)
    assert size == len(msgspec.json.encode(whole)) > FIELD_BYTES
    assert shown["first"] == value
    assert long.startswith(shown["long"][0])
    assert isinstance(shown["long"], list)
    assert len(msgspec.json.encode(shown)) < 7 * FIELD_BYTES  # a sign may take six bytes in JSON


def test_a_preview_is_of_the_last_thing_that_the_user_said():
    """A tool's result after it is not what the user said."""

    def text(role, content):
        return {"role": role, "parts": [{"type": "text", "content": content}]}

    said = [
        text("system", "s"),
        text("user", "one"),
        text("assistant", "two"),
        text("user", "three"),
        text("tool", "42"),
    ]
    span = Span("a" * 32, "b" * 16, "x", 0, attributes={
        "gen_ai.operation.name": "chat", "gen_ai.input.messages": said,
        "gen_ai.output.messages": [text("assistant", "y" * 999)],
    })  # fmt: skip
    assert previews(span) == ("three", "y" * PREVIEW)
    assert previews(Span("a" * 32, "b" * 16, "x", 0)) == ("", "")
