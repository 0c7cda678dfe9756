"""Mastra's spans."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_a_generation_counts_and_its_steps_do_not():
    """All three tell tokens of one call."""
    roles = {}
    for kind in ("model_generation", "model_step", "model_chunk"):
        form = normalize(span({"mastra.span.type": kind, "gen_ai.usage.input_tokens": 9}))
        roles[kind] = form.usage_role
    assert roles == {"model_generation": "leaf", "model_step": "rollup", "model_chunk": "duplicate"}
