"""Golden spans spoiled: whatever stands in the attributes of a dialect, reading gives a form or less of it."""

import json
import random
from typing import Any, get_args

import msgspec
import pytest
from golden import FOLDER

from vestigo.normalize import messages, normalize
from vestigo.normalize.events import spans_of
from vestigo.record import Kind, Log, Messages, Scope, Span, Usage

FILES = sorted(FOLDER.glob("*/*.json"))
STRANGE: list[Any] = [
    None, True, 0, -1, 2**63 - 1, 1e308, -0.0, "", " ", "null", "[]", "{}", "[", '{"a', '"', "\x00", "\ud800", "NaN",
    "1e999", [], {}, [None], [[]], [1, "a", {}], {"": None}, {"role": 5, "parts": 7},
    [{"role": None, "content": [3, None, {}]}],
    [{"type": [], "text": {}}], {"messages": {"a": 1}, "contents": 3, "choices": [None, {"message": 5}]}, "[" * 200,
    '{"messages":[{"role":{},"content":{}}],"tools":3}', '[{"parts":[{"functionCall":3},{"text":null},7]}]',
]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_spoiled_span_is_read_without_error(path: Any) -> None:
    """Each attribute in turn is replaced by strange values, left out, and cut; tokens stay counts, messages lists."""
    whole = json.loads(path.read_text())["span"]
    rng = random.Random(path.stem)
    for key, value in whole.get("attributes", {}).items():
        spoiled = [*STRANGE, str(value), [value], {"value": value}, json.dumps(value)]
        if isinstance(value, str):
            spoiled += [value[: rng.randrange(len(value) + 1)] for _ in range(5)]
        for strange in spoiled:
            check({**whole, "attributes": {**whole["attributes"], key: strange}})
    for event in whole.get("events", []):
        for key in event.get("attributes", {}):
            for strange in STRANGE:
                attributes = {**event["attributes"], key: strange}
                check({**whole, "events": [{**event, "attributes": attributes}]})


def check(made: dict[str, Any]) -> None:
    span = msgspec.convert(made, Span)
    form, said = normalize(span), messages(span)
    assert form.kind in get_args(Kind)
    assert form.usage_role in {"leaf", "rollup", "duplicate"}
    for name in ("provider", "request_model", "session_id", "user_id", "tool_name", "agent_name", "response_id"):
        assert getattr(form, name) is None or type(getattr(form, name)) is str
    for field in Usage.__struct_fields__:
        count = getattr(form.usage, field, None)
        assert count is None or (type(count) is int and count >= 0)
    for side in Messages.__struct_fields__:
        assert type(getattr(said, side)) is list


@pytest.mark.parametrize("event", ["api_request", "tool_result", "user_prompt", "api_response_body"])
def test_a_spoiled_event_is_read_without_error(event: str) -> None:
    """The same for log records that become spans: ids are hex, times are in order."""
    whole = {"session.id": "s", "prompt.id": "p", "event.name": event, "request_id": "r", "duration_ms": 5, "error": "",
             "success": "true", "model": "m", "body": "{}", "attempt": 1}  # fmt: skip
    for key in whole:
        for strange in [*STRANGE, float("nan"), float("inf"), -5.0]:
            log = Log(7, attributes={**whole, key: strange}, scope=Scope("com.anthropic.claude_code.events"))
            for span in spans_of(log):
                assert len(bytes.fromhex(span.trace_id)) == 16
                assert len(bytes.fromhex(span.span_id)) == 8
                assert span.end_ns is not None
                assert 0 <= span.start_ns <= span.end_ns
                check(msgspec.to_builtins(span))
                messages(span, [log])
