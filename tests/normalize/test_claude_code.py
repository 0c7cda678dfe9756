"""Claude Code's own spans; those made of its logs are in test_events.py."""

import pytest

from vestigo.normalize import messages, normalize
from vestigo.record import Messages, Scope, Span, Usage, Value

SCOPE = Scope("com.anthropic.claude_code.tracing")


def span(name: str, scope: Scope = SCOPE, **told: Value) -> Span:
    attributes: dict[str, Value] = {"session.id": "s", **told}
    return Span("a" * 32, "b" * 16, name, 1, attributes=attributes, scope=scope)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("claude_code.interaction", "agent"),
        ("claude_code.llm_request", "llm"),
        ("claude_code.tool", "tool"),
        ("claude_code.tool.execution", "span"),
        ("claude_code.tool.blocked_on_user", "span"),
        ("claude_code.hook", "span"),
    ],
)
def test_the_name_tells_the_kind(name: str, kind: str) -> None:
    """What goes on inside of a tool is no tool of its own, and only calls of the model have usage."""
    form = normalize(span(name, input_tokens=1, output_tokens=2))
    assert (form.dialect, form.kind) == ("claude_code", kind)
    assert form.usage == (Usage(input=1, output=2) if kind == "llm" else None)


def test_a_bare_type_counts_only_under_its_scope() -> None:
    """Other programs have tools too."""
    assert normalize(span("x", **{"span.type": "tool"})).dialect == "claude_code"
    assert normalize(span("x", Scope("shop"), **{"span.type": "tool"})).dialect == ""
    assert normalize(span("x", Scope("shop"), **{"span.type": "claude_code.tool"})).dialect == "claude_code"


def test_cached_tokens_stand_beside_the_input() -> None:
    """Also where they are fewer than it."""
    form = normalize(span("claude_code.llm_request", input_tokens=100, cache_read_tokens=40, cache_creation_tokens="5"))
    assert form.usage == Usage(input=145, cache_read=40, cache_write=5)


def test_content_that_is_kept_back_is_no_message() -> None:
    """`<REDACTED>` is not what somebody said."""
    for name in ("interaction", "llm_request", "tool"):
        kept_back = span(f"claude_code.{name}", user_prompt="<REDACTED>", new_context="<REDACTED>",
                         tool_input="<REDACTED>", system_prompt_preview="<REDACTED>")  # fmt: skip
        assert messages(kept_back) == Messages()
