"""LiteLLM's spans."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_the_raw_request_does_not_count():
    """It repeats its parent's call, whatever numbers it may have."""
    told = {"llm.openai.model": "gpt-4o", "gen_ai.usage.input_tokens": 9}
    form = normalize(span(told, "raw_gen_ai_request", "litellm"))
    assert (form.usage_role, form.request_model) == ("duplicate", "gpt-4o")


def test_it_is_told_from_openllmetry_by_its_scope():
    """Both write `llm.request.type`; only LiteLLM knows the cost."""
    told = {"llm.request.type": "aembedding", "gen_ai.request.model": "m", "gen_ai.cost.total_cost": 0.5}
    form = normalize(span(told, "litellm_request", "litellm"))
    assert (form.dialect, form.kind, form.cost.total_usd) == ("litellm", "embedding", 0.5)
    assert normalize(span({"llm.request.type": "chat"})).dialect == "openllmetry"
