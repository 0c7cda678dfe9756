"""Gemini CLI's own spans; those made of its logs are in test_events.py."""

import pytest

from vestigo.normalize import messages, normalize
from vestigo.record import Scope, Span, Value

MARK = "...[TRUNCATED: original length 12000]"
WHOLE = '[{"role":"user","parts":[{"text":"list the files"}]},{"role":"model","parts":[{"text":"There are many"}]}]'


def span(**told: Value) -> Span:
    attributes = {f"gen_ai.{key.replace('__', '.')}": value for key, value in told.items()}
    return Span("a" * 32, "b" * 16, "llm_call", 1, attributes=attributes, scope=Scope("gemini-cli"))


@pytest.mark.parametrize("cut", range(60, len(WHOLE), 7))
def test_cut_messages_read_as_far_as_they_go(cut: int) -> None:
    """Wherever Gemini CLI cut the JSON, the first message is whole and nothing is invented."""
    told = messages(span(operation__name="llm_call", input__messages=WHOLE[:cut] + MARK)).input
    assert told[0] == {"role": "user", "parts": [{"type": "text", "content": "list the files"}]}
    assert "TRUNCATED" not in str(told)


def test_its_own_words_for_operations_are_known() -> None:
    """Agents and schedules are rollups."""
    told = {word: normalize(span(operation__name=word, usage__input_tokens=5)) for word in
            ("llm_call", "tool_call", "agent_call", "user_prompt", "system_prompt", "schedule_tool_calls")}  # fmt: skip
    assert {word: (form.kind, form.usage_role) for word, form in told.items()} == {
        "llm_call": ("llm", "leaf"), "tool_call": ("tool", "leaf"), "agent_call": ("agent", "rollup"),
        "user_prompt": ("agent", "rollup"), "system_prompt": ("span", "leaf"),
        "schedule_tool_calls": ("chain", "rollup"),
    }  # fmt: skip
