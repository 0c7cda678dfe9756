"""Claude Code: its own spans, and those that `events.py` makes of its log events.

Attributes have bare names, and the input is counted without cached tokens. Content is `<REDACTED>` unless the user
asked for it. Source: code.claude.com/docs/en/monitoring-usage (2026-11).
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize.parts import conversation, message, text_part, tool_call, tool_response
from vestigo.normalize.reading import first, text
from vestigo.normalize.tables import read_table, table
from vestigo.record import Kind, Messages, NormalForm, Span, Value

SCOPES: Final = ("com.anthropic.claude_code",)
HEADS: Final = frozenset({"span", "event"})

_PREFIX: Final = "claude_code."
_KINDS: Final[dict[str, Kind]] = {
    "interaction": "agent", "llm_request": "llm", "tool": "tool",
    "user_prompt": "agent", "api_request": "llm", "api_error": "llm", "tool_result": "tool",
}  # fmt: skip
_REDACTED: Final = "<REDACTED>"
_RESULTS: Final = frozenset({"output", "content", "result", "tool_output", "tool_result"})

TABLE: Final = table(
    "claude_code",
    {
        "request_model": ("model",),
        "input": ("input_tokens",),
        "cache_read": ("cache_read_tokens",),
        "cache_write": ("cache_creation_tokens",),
        "output": ("output_tokens",),
        "total_usd": ("cost_usd",),
        "ttft_ms": ("ttft_ms",),
        "response_id": (semconv.RESPONSE_ID, "request_id"),
        "finish_reasons": (semconv.FINISH_REASONS, "stop_reason"),
        "tool_name": ("tool_name",),
        "tool_call_id": ("tool_use_id",),
    },
    {},
    exclusive=True,
)


def recognises(span: Span) -> bool:
    """True for `claude_code.*` by span name or type; newer builds leave the prefix out and keep the scope."""
    return (
        span.name.startswith(_PREFIX)
        or str(span.attributes.get("span.type")).startswith(_PREFIX)
        or (span.scope.name.startswith(SCOPES) and _type(span) in _KINDS)
    )


def read(span: Span) -> NormalForm:
    """The normal form by table; the kind is the type of the span, or the event that it was made of."""
    form = read_table(span, TABLE)
    form.kind = _KINDS.get(_type(span), "span")
    if form.kind == "llm":
        form.provider = "anthropic"
    else:
        form.usage = form.cost = None
    if form.kind == "agent":
        form.usage_role = "rollup"
    return form


def messages(span: Span) -> Messages:
    """What the user asked for to be told: prompt, new context and output of a model, input and output of a tool."""
    told = span.attributes
    found = Messages()
    match _KINDS.get(_type(span)):
        case "agent":
            found.input = _said(told.get("user_prompt"), told.get("prompt"))
        case "llm":
            found.input = _said(told.get("new_context"))
            found.output = conversation(_open(told.get("response.model_output")), "assistant")
            system = text(told, "user_system_prompt", "system_prompt_preview")
            found.system = [text_part(system)] if system and system != _REDACTED else []
        case "tool":
            _of_tool(span, found)
        case _:
            pass
    return found


def _of_tool(span: Span, found: Messages) -> None:
    told = span.attributes
    call_id = told.get("tool_use_id")
    arguments = _open(first(told, "tool_input", "tool_parameters"))
    result: Value = None
    for event in span.events:
        if event.name == "tool.output":  # its attributes hold both bodies; which names they have is not documented
            bodies = [(name, _open(value)) for name, value in event.attributes.items()]
            arguments = next((value for name, value in bodies if "input" in name and value is not None), arguments)
            result = next((value for name, value in bodies if name in _RESULTS and value is not None), result)
    if arguments is not None:
        found.input = [message("assistant", [tool_call(told.get("tool_name"), arguments, call_id)])]
    if result is not None:
        found.output = [message("tool", [tool_response(result, call_id)])]


def _said(*values: Value) -> list[Value]:
    value = next((value for value in values if _open(value)), None)
    return [message("user", [text_part(value)])] if value is not None else []


def _open(value: Value) -> Value:
    """The value, None where it was kept back."""
    return None if value in (_REDACTED, "") else value


def _type(span: Span) -> str:
    told = span.attributes.get("span.type")
    return (told if isinstance(told, str) else span.name).removeprefix(_PREFIX)
