"""A span of no dialect that names a model."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_any_other_dialect_comes_first():
    """Only what nobody else reads is taken for a call because of its `model`."""
    assert normalize(span({"model": "gpt-4o"})).dialect == "bare"
    assert normalize(span({"model": "gpt-4o", "gen_ai.operation.name": "execute_tool"})).kind == "tool"


def test_a_model_that_is_no_text_is_no_model():
    """Numbers, lists and empty text make no call."""
    for told in ("", 3, ["gpt-4o"], None):
        assert normalize(span({"model": told})).kind == "span"
