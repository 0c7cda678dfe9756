"""OpenLLMetry's spans."""

from vestigo.normalize import messages, normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_entities_repeat_what_their_calls_used():
    """Workflows, tasks and agents are rollups, tools are not."""
    roles = {kind: normalize(span({"traceloop.span.kind": kind})).usage_role for kind in ("workflow", "task", "tool")}
    assert roles == {"workflow": "rollup", "task": "rollup", "tool": "leaf"}


def test_a_prompts_name_is_no_message():
    """`gen_ai.prompt.name` shares its beginning with the flat keys of old messages."""
    told = {"llm.request.type": "chat", "gen_ai.prompt.name": "greeting", "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "hi"}  # fmt: skip
    assert [said["parts"] for said in messages(span(told)).input] == [[{"type": "text", "content": "hi"}]]


def test_a_span_of_a_workflow_that_is_a_call_keeps_its_kind():
    """Calls inside a workflow have the workflow's name, and are calls."""
    told = {"traceloop.workflow.name": "joke", "gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}
    assert (normalize(span(told)).dialect, normalize(span(told)).kind) == ("openllmetry", "llm")
