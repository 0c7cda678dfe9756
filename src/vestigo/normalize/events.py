"""Coding agents that send logs and no traces: their log events as spans, and the events put into those traces.

Claude Code, Codex and Gemini CLI tell each call of a model and of a tool as one log record, written when it has ended.
A span made from it keeps the record's attributes, so that the dialect of that tool reads it. A trace is one prompt of a
session; the record of the prompt is its root. Ids follow from the record, so that sending it again stores it once.
Source: code.claude.com/docs/en/monitoring-usage; openai/codex codex-rs/otel; google-gemini/gemini-cli
packages/core/src/telemetry (all 2026-11).
"""

import hashlib
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from vestigo.normalize.reading import as_number, as_text, text
from vestigo.record import Attributes, Log, Span

Place: TypeAlias = Literal["root", "child", "beside"]
"""Root of its trace, a span below it, or no span: a record that tells more of one."""


class _Kind(Struct, frozen=True):
    tool: str
    place: Place
    session: str
    prompt: str = ""
    """Attribute that tells prompts of a session apart; without one a trace is the whole session."""
    about: str = ""
    """Of a record beside: the event whose span, with the same request id, it tells more of."""
    needs: str = ""
    """An attribute without which the record tells of no call."""


def _kinds(tool: str, session: str, prompt: str, places: dict[str, Place]) -> dict[str, _Kind]:
    return {f"{tool}.{event}": _Kind(tool, place, session, prompt) for event, place in places.items()}


_CLAUDE: Final[dict[str, Place]] = {
    "user_prompt": "root", "api_request": "child", "api_error": "child", "tool_result": "child",
    "api_refusal": "beside", "tool_decision": "beside", "assistant_response": "beside", "compaction": "beside",
    "api_request_body": "beside", "api_response_body": "beside",
}  # fmt: skip
_EVENTS: Final[dict[str, _Kind]] = {
    **_kinds("claude_code", "session.id", "prompt.id", _CLAUDE),
    **_kinds("gemini_cli", "session.id", "prompt_id", {
        "user_prompt": "root", "api_response": "child", "api_error": "child", "tool_call": "child",
        "api_request": "beside",
    }),
    **_kinds("codex", "conversation.id", "", {
        "conversation_starts": "root", "user_prompt": "child", "tool_result": "child", "tool_decision": "beside",
    }),
    "codex.sse_event": _Kind("codex", "child", "conversation.id", needs="input_token_count"),
}  # fmt: skip
_ALIASES: Final = {event: f"claude_code.{event}" for event in _CLAUDE}
"""Claude Code's `event.name` comes without its prefix; the scope or the body says whose it is."""
_BODIES: Final = {"claude_code.api_request_body", "claude_code.api_response_body", "claude_code.assistant_response"}
_CALL: Final = "claude_code.api_request"
_FAILED: Final = ("false", "False")


def spans_of(log: Log) -> list[Span]:
    """The span that a log record of a coding agent tells of; none for any other record, at the cost of a look-up.

    Only for records without ids of their own: those belong to spans that come by themselves. Gives the record the trace
    id, and where it can the span id, of what it tells of, so that it is found there.
    """
    name = event_name(log)
    kind = _EVENTS.get(name)
    if kind is None or log.trace_id or log.span_id:
        return []
    told = log.attributes
    if kind.needs and kind.needs not in told:
        return []
    session = text(told, kind.session)
    if session is None:
        return []
    prompt = text(told, kind.prompt) or ""
    trace_id = _hash(16, kind.tool, session, prompt)
    root_id = _hash(8, trace_id, "root")
    log.trace_id = trace_id
    if kind.place == "beside":
        request = text(told, "request_id") if name in _BODIES else None
        log.span_id = _hash(8, trace_id, _CALL, request) if request else None
        return []
    span = _span(log, name, trace_id)
    if kind.place == "root":
        span.span_id, span.parent_id = root_id, None
    else:
        span.span_id, span.parent_id = _hash(8, trace_id, name, _own_id(log)), root_id
    log.span_id = span.span_id
    return [span]


def event_name(log: Log) -> str:
    """The full name of a log's event: `claude_code.api_request`. Empty where it has none.

    The attribute comes first: bridges of logging libraries write a place in a source file into the record's own field.
    """
    name = log.attributes.get("event.name") or log.event_name
    if type(name) is not str:
        return ""
    alias = _ALIASES.get(name)
    if alias is None or not (log.scope.name.startswith("com.anthropic.claude_code") or log.body == alias):
        return name
    return alias


def _span(log: Log, name: str, trace_id: str) -> Span:
    told: Attributes = msgspec.to_builtins(log.attributes)  # containers of its own
    duration_ms = min(max(as_number(told.get("duration_ms")) or 0.0, 0.0), log.time_ns / 1e6)
    start_ns = max(0, log.time_ns - round(duration_ms * 1e6))
    span = Span(trace_id, "", name, start_ns, end_ns=max(start_ns, log.time_ns), attributes=told)
    span.kind = "CLIENT" if "model" in told else "INTERNAL"
    span.scope, span.resource, span.weight = log.scope, log.resource, log.weight
    error = as_text(told.get("error.message")) or as_text(told.get("error"))
    if error or name.endswith("api_error") or str(told.get("success")) in _FAILED:
        span.status, span.status_message = "ERROR", error or ""
    return span


def _own_id(log: Log) -> str:
    """What tells a record from the others of its name in its trace: the request, the tool's call, or its content."""
    told = log.attributes
    own = text(told, "request_id", "tool_use_id", "call_id")
    if own is not None and "attempt" not in told:
        return own
    return _hash(16, str(log.time_ns), repr(told))


def _hash(size: int, *parts: str) -> str:
    """An id that is the same for the same parts."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=size).hexdigest()
