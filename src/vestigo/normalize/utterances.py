"""What was said, where it stands in events: of a span, in log records, and in lists of events that are one attribute.

gen_ai has told messages in three forms: one event for each message (`gen_ai.user.message`, `gen_ai.choice`), one for
each side (`gen_ai.content.prompt`), one for the call (`gen_ai.client.inference.operation.details`). Coding agents have
log events of their own. Source: semantic-conventions v1.27 to v1.36, semantic-conventions-genai (2026-10).
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from vestigo import semconv
from vestigo.normalize.events import event_name
from vestigo.normalize.parts import conversation, from_message
from vestigo.normalize.reading import as_list, first, parsed
from vestigo.record import Event, Log, Messages, Value

Said = dict[str, Any]
_Add = Callable[[Said, Messages], None]

_DETAILS: Final = "gen_ai.client.inference.operation.details"
_REDACTED: Final = ("<REDACTED>", "[REDACTED]")


def of_events(events: Iterable[Event]) -> Messages:
    """The messages that a span's events tell, in the order of the events."""
    found = Messages()
    for event in events:
        add = _EVENTS.get(event.name)
        if add is not None:
            add(event.attributes, found)
    return found


def of_logs(logs: Iterable[Log]) -> Messages:
    """The messages that log records tell, which all belong to one span; by time."""
    found = Messages()
    for log in sorted(logs, key=lambda log: (log.time_ns, log.log_id)):
        add = _EVENTS.get(event_name(log))
        if add is not None:
            body: Any = parsed(log.body)
            said = body if isinstance(body, dict) else {"content": body} if body is not None else {}
            add({**said, **log.attributes}, found)
    return found


def of_dicts(events: Iterable[Value], found: Messages) -> Messages:
    """The messages of events that are objects with `event.name`, added to those that are found."""
    for event in events:
        if isinstance(event, dict):
            add = _EVENTS.get(str(event.get("event.name")))
            if add is not None:
                add(event, found)
    return found


def _message(role: str) -> _Add:
    def add(said: Said, found: Messages) -> None:
        item = {key: said[key] for key in ("content", "tool_calls", "name", "finish_reason") if said.get(key)}
        if role == "tool":
            item["tool_call_id"] = said.get("id")
        if len(item) > (role == "tool") or role == "tool":
            found.input.append(from_message({"role": said.get("role") or role, "content": None, **item}, role))

    return add


def _choice(said: Said, found: Messages) -> None:
    told = parsed(said.get("message"))
    if told is None:
        told = {key: said[key] for key in ("content", "tool_calls") if said.get(key)}
    if not told:
        return
    item = told if isinstance(told, dict) else {"content": told}
    made = from_message({"role": "assistant", "content": None, **item}, "assistant")
    if isinstance(said.get("finish_reason"), str):
        made.setdefault("finish_reason", said["finish_reason"])
    found.output.append(made)


def _details(said: Said, found: Messages) -> None:
    found.input += conversation(said.get(semconv.INPUT_MESSAGES))
    found.output += conversation(said.get(semconv.OUTPUT_MESSAGES), "assistant")
    found.system += as_list(said.get(semconv.SYSTEM_INSTRUCTIONS))
    found.tools += as_list(said.get(semconv.TOOL_DEFINITIONS))


def _spoken(role: str, *names: str) -> _Add:
    """The whole of one side, in the first of these attributes."""

    def add(said: Said, found: Messages) -> None:
        told = first(said, *names)
        if told is None or told in _REDACTED:
            return
        side = found.input if role == "user" else found.output
        if not side:  # a body tells more than a text beside it, and comes first
            side += conversation(told, role)

    return add


def _body(role: str) -> _Add:
    """A whole request or answer of Anthropic's API, perhaps cut; it replaces the texts that tell the same."""

    def add(said: Said, found: Messages) -> None:
        body = parsed(said.get("body"))
        if not isinstance(body, dict):
            return
        if role == "user":
            found.input = conversation(body)
            found.tools = as_list(body.get("tools"))
        else:
            found.output = conversation({"role": "assistant", "content": body.get("content")}, role)

    return add


_EVENTS: Final[dict[str, _Add]] = {
    **{f"gen_ai.{role}.message": _message(role) for role in ("system", "user", "assistant", "tool")},
    "gen_ai.choice": _choice,
    "gen_ai.content.prompt": _spoken("user", "gen_ai.prompt", "content"),
    "gen_ai.content.completion": _spoken("assistant", "gen_ai.completion", "content"),
    _DETAILS: _details,
    "claude_code.user_prompt": _spoken("user", "prompt", "prompt_text"),
    "claude_code.assistant_response": _spoken("assistant", "response"),
    "claude_code.api_request_body": _body("user"),
    "claude_code.api_response_body": _body("assistant"),
    "codex.user_prompt": _spoken("user", "prompt"),
    "gemini_cli.user_prompt": _spoken("user", "prompt"),
    "gemini_cli.api_request": _spoken("user", "request_text"),
    "gemini_cli.api_response": _spoken("assistant", "response_text"),
}
