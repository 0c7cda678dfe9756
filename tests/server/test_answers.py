"""Cutting large values, making previews, packing answers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import served

from vestigo.record import Batch, Span
from vestigo.server.answers import FIELD_BYTES, PREVIEW, cut, previews, takes_gzip

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


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True), ("gzip, deflate, br", True), ("br;q=1.0, gzip;q=0.8", True), ("*", True), ("", False),
        ("br", False), ("gzip;q=0", False), ("gzip; q=0.0", False), ("x-gzip", False), ("identity", False),
    ],
)  # fmt: skip
def test_gzip_is_for_those_who_take_it(accepted, takes):
    """As RFC 9110 has it, as far as gzip goes."""
    assert takes_gzip(accepted) is takes


@pytest.mark.parametrize("count", [20, 5_000])
def test_a_long_answer_is_compressed(tmp_path, count):
    """For those who take it; the same content for the others, and short answers as they are."""
    with served("memory", tmp_path) as (server, client):
        server.storage.write(Batch([Span("a" * 32, f"{n:016x}", "x", n, end_ns=n + 1) for n in range(count)]))
        path = f"/api/traces/{'a' * 32}/skeleton"
        packed = client.get(path, headers={"accept-encoding": "gzip"})
        plain = client.get(path, headers={"accept-encoding": "identity"})
        assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert "content-encoding" not in plain.headers
        assert packed.json() == plain.json()
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
        assert "content-encoding" not in client.get("/api/projects").headers
