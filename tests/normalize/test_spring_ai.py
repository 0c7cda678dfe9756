"""Spring AI's spans."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_the_framework_is_no_provider():
    """Chat clients and advisors say `spring_ai` where models say whose they are."""
    told = {"spring.ai.kind": "advisor", "gen_ai.system": "spring_ai", "gen_ai.operation.name": "framework"}
    form = normalize(span(told))
    assert (form.kind, form.usage_role, form.provider) == ("chain", "rollup", None)


def test_its_models_speak_the_conventions():
    """A model's span has none of Spring's names."""
    form = normalize(
        span({"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}, scope="org.springframework.boot")
    )
    assert (form.dialect, form.kind) == ("gen_ai", "llm")
