"""GitHub Copilot CLI: its root repeats its calls, its cost is no money."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(operation: str, scope: str = "", **told: float) -> Span:
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.usage.input_tokens": 700,
        **{f"github.copilot.{key}": value for key, value in told.items()},
    }
    return Span("a" * 32, "b" * 16, operation, 1, attributes=attributes, scope=Scope(scope))


def test_premium_requests_are_no_dollars() -> None:
    """`github.copilot.cost` counts requests of a subscription, so the cost stays to be computed."""
    form = normalize(span("chat", cost=1))
    assert (form.dialect, form.kind, form.usage_role, form.cost) == ("copilot", "llm", "leaf", None)


def test_the_root_does_not_count() -> None:
    """It repeats exactly what the calls below it used. Either scope is known."""
    for scope in ("github.copilot", "@github/copilot"):
        form = normalize(span("invoke_agent", scope))
        assert (form.dialect, form.usage_role) == ("copilot", "rollup")
