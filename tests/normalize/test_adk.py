"""Google's Agent Development Kit, in both of its schemas."""

import json

from vestigo.normalize import messages, normalize
from vestigo.record import Messages, Scope, Span, Usage, Value


def span(name: str, **told: Value) -> Span:
    attributes = {f"gcp.vertex.agent.{key}": value for key, value in told.items()}
    return Span("a" * 32, "b" * 16, name, 1, attributes=attributes, scope=Scope("gcp.vertex.agent"))


def test_the_usage_inside_the_answer_is_believed() -> None:
    """An older version writes the total into the output tokens; thoughts are output, prompts of tools are input."""
    told = {"prompt_token_count": 90, "candidates_token_count": 12, "thoughts_token_count": 30,
            "tool_use_prompt_token_count": 8, "total_token_count": 140}  # fmt: skip
    call = span("call_llm", llm_response=json.dumps({"usage_metadata": told}))
    call.attributes["gen_ai.usage.output_tokens"] = 140
    assert normalize(call).usage == Usage(input=98, output=42, reasoning=30)


def test_content_that_is_kept_back_is_no_message() -> None:
    """`{}` stands where content is switched off."""
    kept_back = span("call_llm", llm_request="{}", llm_response="{}", tool_call_args="{}", tool_response="{}")
    assert messages(kept_back) == Messages()


def test_its_own_name_is_no_provider() -> None:
    """`gcp.vertex.agent` says who records; a model of another maker is not sold by Google."""
    for model, provider in (("gemini-3-flash", "gcp.gemini"), ("anthropic/claude-sonnet-5", None)):
        call = span("call_llm")
        call.attributes |= {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": model}
        assert normalize(call).provider == provider


def test_older_spans_tell_their_kind_by_name() -> None:
    """Agents and invocations are rollups; a span of another name is no call."""
    told = [(form.kind, form.usage_role) for form in map(normalize, map(span, (
        "invocation", "agent_run [weather]", "call_llm", "execute_tool weather", "something")))]  # fmt: skip
    assert told == [("workflow", "rollup"), ("agent", "rollup"), ("llm", "leaf"), ("tool", "leaf"), ("span", "leaf")]
