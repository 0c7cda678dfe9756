"""Log records of coding agents as spans: the same ids each time, a trace for each prompt, ordinary logs for nothing."""

import sys
from typing import Any

import msgspec
import pytest

from vestigo.normalize import normalize
from vestigo.normalize.events import event_name, spans_of
from vestigo.record import Log, Resource, Scope, Span, Usage

SECOND = 10**9
CLAUDE = Scope("com.anthropic.claude_code.events", "2.1.214")
COMMON = {"session.id": "s-1", "prompt.id": "p-1", "user.id": "u-1", "terminal.type": "xterm"}


def claude(event: str, sequence: int, **told: Any) -> Log:
    attributes = {**COMMON, "event.name": event, "event.timestamp": "2026-11-24T10:00:00Z", "event.sequence": sequence}
    return Log(
        100 * SECOND + sequence,
        body=f"claude_code.{event}",
        attributes={**attributes, **told},
        scope=CLAUDE,
        resource=Resource({"service.name": "claude-code"}),
    )


def api_request(sequence: int = 2, **told: Any) -> Log:
    """Numbers come as numbers or as text, by the version of Claude Code."""
    return claude("api_request", sequence, **{
        "model": "claude-sonnet-5", "cost_usd": "0.0123", "duration_ms": "2500", "input_tokens": 20,
        "output_tokens": 12, "cache_read_tokens": 300, "cache_creation_tokens": 50, "request_id": "req_1",
        "query_source": "repl_main_thread",
    } | told)  # fmt: skip


def tool_result(**told: Any) -> Log:
    return claude("tool_result", 3, **{
        "tool_name": "Bash", "tool_use_id": "toolu_1", "success": "true", "duration_ms": 40,
        "tool_input": '{"command":"ls"}',
    } | told)  # fmt: skip


def one(log: Log) -> Span:
    (span,) = spans_of(log)
    return span


def test_a_call_is_a_span_that_ended_when_it_was_told() -> None:
    """Start is the record's time less the duration; the attributes stay as they came, in containers of its own."""
    log = api_request()
    before = dict(log.attributes)
    span = one(log)
    assert (span.name, span.kind, span.service) == ("claude_code.api_request", "CLIENT", "claude-code")
    assert span.end_ns == log.time_ns
    assert span.duration_ms == 2500
    assert span.attributes == before
    assert span.attributes is not log.attributes


def test_a_prompt_is_a_trace_with_its_prompt_as_root() -> None:
    """Session and prompt make the trace; calls and tools hang below the prompt, also when they come before it."""
    call, tool, prompt = one(api_request()), one(tool_result()), one(claude("user_prompt", 1, prompt="hi"))
    assert {call.trace_id, tool.trace_id} == {prompt.trace_id}
    assert (call.parent_id, tool.parent_id, prompt.parent_id) == (prompt.span_id, prompt.span_id, None)
    assert one(api_request(**{"prompt.id": "p-2"})).trace_id != prompt.trace_id
    assert one(api_request(**{"session.id": "s-2"})).trace_id != prompt.trace_id


def test_a_record_that_is_sent_again_gives_the_same_span() -> None:
    """Ids follow from the record, and two calls, or two attempts at one, are two spans."""
    assert one(api_request()) == one(api_request())
    assert one(api_request(request_id="req_2")).span_id != one(api_request()).span_id
    first, second = (claude("api_error", 2, request_id="req_1", attempt=attempt, error="busy") for attempt in (1, 2))
    assert one(first).span_id != one(second).span_id


def test_the_record_gets_the_ids_of_its_span() -> None:
    """So that the page shows it there. What is no span of its own still belongs to the trace, a body to its call."""
    log = api_request()
    span = one(log)
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
    body = claude("api_response_body", 4, body="{}", request_id="req_1")
    decision = claude("tool_decision", 5, tool_name="Bash", decision="accept")
    assert (spans_of(body), spans_of(decision)) == ([], [])
    assert (body.trace_id, body.span_id) == (span.trace_id, span.span_id)
    assert (decision.trace_id, decision.span_id) == (span.trace_id, None)


def test_records_of_a_trace_are_left_alone() -> None:
    """With tracing on, the spans come by themselves: the record already has their ids."""
    log = api_request()
    log.trace_id, log.span_id = "a" * 32, "b" * 16
    assert spans_of(log) == []
    assert (log.trace_id, log.span_id) == ("a" * 32, "b" * 16)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (claude("api_error", 2, error="overloaded", status_code="529"), "overloaded"),
        (tool_result(success="false", error="exit 1"), "exit 1"),
        (tool_result(success=False), ""),
    ],
)
def test_failures_are_errors(log: Log, message: str) -> None:
    """An error of the API or of a tool is the span's status."""
    span = one(log)
    assert (span.status, span.status_message) == ("ERROR", message)
    assert one(tool_result()).status == "UNSET"


def codex(event: str, **told: Any) -> Log:
    """Codex' records come through a bridge that writes a source line into the event's name."""
    attributes = {"event.name": f"codex.{event}", "conversation.id": "c-1", "model": "gpt-5.4", "slug": "gpt-5.4"}
    return Log(50 * SECOND, event_name="event codex-rs/otel/src/x.rs:12", attributes=attributes | told)


def test_codex_tells_tokens_once_for_each_answer() -> None:
    """Of the events of a stream only the one with the counts is a call; the conversation is the trace."""
    counts = {"event.kind": "response.completed", "input_token_count": "900", "output_token_count": "70",
              "cached_token_count": 800, "reasoning_token_count": 30, "tool_token_count": "970"}  # fmt: skip
    assert spans_of(codex("sse_event", **{"event.kind": "response.completed", "duration_ms": "10"})) == []
    span, root = one(codex("sse_event", **counts)), one(codex("conversation_starts"))
    assert span.parent_id == root.span_id
    form = normalize(span)
    assert (form.dialect, form.kind, form.model, form.session_id) == ("codex", "llm", "gpt-5.4", "c-1")
    assert form.usage == Usage(input=900, cache_read=800, output=70, reasoning=30)


def test_gemini_cli_tells_calls_and_tools() -> None:
    """Thoughts are output and tool prompts input, which Gemini counts apart."""
    told = {"session.id": "s", "prompt_id": "p", "event.name": "gemini_cli.api_response", "model": "gemini-3-pro",
            "duration_ms": 1000, "input_token_count": 100, "output_token_count": 20, "thoughts_token_count": 5,
            "cached_content_token_count": 60, "tool_token_count": 7, "total_token_count": 132}  # fmt: skip
    span = one(Log(9 * SECOND, attributes=told, scope=Scope("gemini-cli")))
    form = normalize(span)
    assert (form.dialect, form.kind, form.model, form.session_id) == ("gemini_cli", "llm", "gemini-3-pro", "s")
    assert form.usage == Usage(input=107, cache_read=60, output=25, reasoning=5)
    tool = {"session.id": "s", "prompt_id": "p", "event.name": "gemini_cli.tool_call", "function_name": "ls",
            "function_args": "{}", "success": True, "duration_ms": 3}  # fmt: skip
    assert (normalize(one(Log(9 * SECOND, attributes=tool))).tool_name) == "ls"


def test_claude_code_usage_is_made_inclusive_and_its_cost_is_reported() -> None:
    """Claude Code counts cached tokens apart and knows the price."""
    form = normalize(one(api_request()))
    assert (form.dialect, form.kind, form.provider, form.model) == (
        "claude_code",
        "llm",
        "anthropic",
        "claude-sonnet-5",
    )
    assert form.usage == Usage(input=370, cache_read=300, cache_write=50, output=12)
    assert form.cost is not None
    assert (form.cost.total_usd, form.cost.source) == (0.0123, "reported")
    assert (form.session_id, form.user_id) == ("s-1", "u-1")


@pytest.mark.parametrize(
    "log",
    [
        Log(1, body="hello", attributes={"a": 1}),
        Log(1, event_name="gen_ai.evaluation.result", attributes={"gen_ai.evaluation.name": "x"}),
        Log(1, event_name="api_request", attributes={"session.id": "s", "model": "m"}),
        Log(1, attributes={"event.name": ["api_request"], "session.id": "s"}),
        Log(1, attributes={"event.name": "codex.sse_event", "conversation.id": "c"}),
        Log(1, attributes={"event.name": "claude_code.api_request"}),
    ],
)
def test_other_records_stay_as_they_are(log: Log) -> None:
    """A record of another program, even of the same event name, or without a session, is a log and nothing else."""
    before = msgspec.msgpack.encode(log)
    assert spans_of(log) == []
    assert msgspec.msgpack.encode(log) == before


def test_an_ordinary_record_costs_two_calls() -> None:
    """Counted in Python functions, so that a busy log stream pays nothing."""
    log = Log(1, body="GET / 200", attributes={"http.route": "/"})
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        spans_of(log)
    finally:
        sys.setprofile(None)
    assert counted <= 2


def test_an_event_is_named_in_full() -> None:
    """The attribute wins over the record's field, and Claude Code's bare names get their prefix."""
    assert event_name(api_request()) == "claude_code.api_request"
    assert event_name(codex("sse_event")) == "codex.sse_event"
    assert event_name(Log(1, event_name="gen_ai.choice")) == "gen_ai.choice"
    assert event_name(Log(1)) == ""
