"""What was said in events and log records, and how it fills in what a span does not tell."""

import json
from typing import Any

import pytest

from vestigo.normalize import messages
from vestigo.normalize.events import spans_of
from vestigo.normalize.utterances import of_dicts, of_events, of_logs
from vestigo.record import Event, Log, Messages, Scope, Span, Value

TRACE, SPAN = "a" * 32, "b" * 16
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def text(role: str, content: str) -> Value:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def log(name: str, time_ns: int = 1, **told: Any) -> Log:
    return Log(time_ns, event_name=name, trace_id=TRACE, span_id=SPAN, **told)


def chat(**attributes: Value) -> Span:
    return Span(TRACE, SPAN, "chat m", 1, attributes={**CHAT, **attributes})


@pytest.mark.parametrize(
    "logs",
    [
        [log("gen_ai.user.message", body={"content": "hello"}),
         log("gen_ai.choice", 2, body={"index": 0, "finish_reason": "stop", "message": {"content": "Hi."}})],
        [log("gen_ai.user.message", attributes={"content": "hello", "gen_ai.system": "openai"}),
         log("gen_ai.choice", 2, body=json.dumps({"message": {"role": "assistant", "content": "Hi."},
                                                  "finish_reason": "stop"}))],
        [log("gen_ai.choice", 2, body={"message": "Hi.", "finish_reason": "stop"}),
         log("gen_ai.user.message", body="hello")],
    ],
    ids=["bodies", "attributes and text", "shuffled"],
)  # fmt: skip
def test_old_log_records_are_messages(logs: list[Log]) -> None:
    """One record for each message, told in the body or in attributes, in the order of time."""
    found = of_logs(logs)
    assert found.input == [text("user", "hello")]
    assert found.output == [{**text("assistant", "Hi."), "finish_reason": "stop"}]  # type: ignore[dict-item]


def test_the_details_event_tells_a_whole_call() -> None:
    """Structured messages, instructions and tools in one record."""
    details = {"gen_ai.input.messages": [text("user", "hello")], "gen_ai.output.messages": [text("assistant", "Hi.")],
               "gen_ai.system_instructions": [{"type": "text", "content": "Be short."}],
               "gen_ai.tool.definitions": [{"type": "function", "name": "f"}]}  # fmt: skip
    told = messages(chat(), [log("gen_ai.client.inference.operation.details", attributes=details)])
    assert told == Messages(
        input=[text("user", "hello")],
        output=[text("assistant", "Hi.")],
        system=[{"type": "text", "content": "Be short."}],
        tools=[{"type": "function", "name": "f"}],
    )


def test_the_span_is_believed_before_the_logs() -> None:
    """Logs fill in only the side that the span does not tell, and only those of the same span."""
    span = chat(**{"gen_ai.input.messages": [text("user", "from the span")]})
    mine = [log("gen_ai.user.message", body={"content": "no"}), log("gen_ai.choice", 2, body={"message": "Hi."})]
    told = messages(span, mine)
    assert told.input == [text("user", "from the span")]
    assert told.output == [text("assistant", "Hi.")]
    for other in mine:
        other.span_id = "c" * 16
    assert messages(span, mine).output == []
    assert messages(span).output == []


def test_a_tools_call_and_answer_keep_their_id() -> None:
    """Calls stand in the assistant's message, answers name the call."""
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    found = of_events([
        Event(1, "gen_ai.assistant.message", {"tool_calls": json.dumps(calls)}),
        Event(2, "gen_ai.tool.message", {"id": "c1", "content": "rain"}),
        Event(3, "something.else", {"content": "no"}),
        Event(4, "gen_ai.user.message", {}),
    ])  # fmt: skip
    assert found.input == [
        {"role": "assistant", "parts": [{"type": "tool_call", "arguments": "{}", "id": "c1", "name": "f"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": "rain", "id": "c1"}]},
    ]


def test_events_may_stand_in_an_attribute() -> None:
    """Objects that name their event; anything else among them is left out."""
    events: list[Value] = [{"event.name": "gen_ai.user.message", "content": "hello"}, "no", {"content": "no"}]
    assert of_dicts(events, Messages()).input == [text("user", "hello")]


def claude(event: str, sequence: int, **told: Any) -> Log:
    attributes = {"event.name": event, "session.id": "s", "prompt.id": "p", "event.sequence": sequence, **told}
    return Log(sequence, attributes=attributes, scope=Scope("com.anthropic.claude_code.events"))


def test_claude_codes_bodies_are_the_messages_of_their_call() -> None:
    """A call known from logs has its text from the records of the same request, a cut body as far as it goes."""
    request = {"model": "m", "system": "Be short.", "messages": [{"role": "user", "content": "list the files"}]}
    answer = (
        '{"content":[{"type":"text","text":"Sure."},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"l'
    )
    logs = [
        claude("api_request", 3, request_id="r1", model="m", input_tokens=1, output_tokens=1, duration_ms=5),
        claude("assistant_response", 4, request_id="r1", response="Sure."),
        claude("api_response_body", 5, request_id="r1", body=answer, body_truncated="true"),
        claude("api_request_body", 1, request_id="r1", body=json.dumps(request)),
    ]
    spans = [span for log in logs for span in spans_of(log)]
    assert len(spans) == 1
    told = messages(spans[0], logs)
    assert told.input == [text("system", "Be short."), text("user", "list the files")]
    assert told.output == [
        {"role": "assistant", "parts": [
            {"type": "text", "content": "Sure."},
            {"type": "tool_call", "arguments": {"command": "l"}, "id": "t1", "name": "Bash"},
        ]}
    ]  # fmt: skip


def test_what_is_kept_back_is_no_message() -> None:
    """`<REDACTED>` is not what somebody said."""
    told = of_logs([claude("user_prompt", 1, prompt="<REDACTED>"), claude("assistant_response", 2, response="")])
    assert told == Messages()
    assert of_logs([claude("user_prompt", 1, prompt="list")]).input == [text("user", "list")]


@pytest.mark.parametrize("body", [None, 5, True, [1, {"a": []}], {"content": {"deep": [None]}}, "{", "\x00", b""])
@pytest.mark.parametrize(
    "name", ["gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", "gen_ai.tool.message"]
)
def test_nothing_raises_on_strange_bodies(name: str, body: Any) -> None:
    """Whatever stands in a record, there are messages or none."""
    of_logs([log(name, body=body), log(name, attributes={"message": body, "content": body, "tool_calls": body})])
