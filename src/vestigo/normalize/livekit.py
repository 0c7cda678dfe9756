"""LiveKit Agents: `lk.*` beside the GenAI conventions. Content has `pii` in its names since 2026.

Source: livekit-agents, `telemetry/trace_types.py` (2026-10).
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize import genai
from vestigo.normalize.parts import exchange
from vestigo.normalize.reading import as_dict, first
from vestigo.normalize.tables import read_table
from vestigo.record import Messages, NormalForm, Span, Value

SCOPES: Final = ("livekit",)
HEADS: Final = frozenset({"lk"})

TABLE: Final = genai.TABLE.extended(
    "livekit",
    {
        "ttft_s": ("lk.response.ttft",),
        "agent_name": ("lk.agent_name",),
        "tool_name": ("lk.function_tool.name",),
        "tool_call_id": ("lk.function_tool.id",),
    },
)


def recognises(span: Span) -> bool:
    """True for a span with attributes of LiveKit's."""
    return any(name.startswith("lk.") for name in span.attributes)


def read(span: Span) -> NormalForm:
    """By table; a span without an operation is a tool's, a node around a model call, or none of a model's."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    if form.kind == "span" and semconv.OPERATION not in attributes:
        if form.tool_name is not None:
            form.kind = "tool"
        elif form.request_model is not None and form.usage is not None:
            form.kind = "llm"
        elif first(attributes, "lk.pii.chat_ctx", "lk.chat_ctx") is not None:
            form.kind, form.usage_role = "chain", "rollup"
    return form


def messages(span: Span) -> Messages:
    """The conventions' messages, else a tool's arguments and output, else the chat context and the response."""
    attributes = span.attributes
    found = genai.messages(span)
    if found.input or found.output:
        return found
    tool = first(attributes, "lk.function_tool.name")
    if tool is not None:
        asked = first(attributes, "lk.pii.function_tool.arguments", "lk.function_tool.arguments")
        answered = first(attributes, "lk.pii.function_tool.output", "lk.function_tool.output")
        return exchange("tool", asked, answered, tool, attributes.get("lk.function_tool.id"))
    asked = first(attributes, "lk.pii.chat_ctx", "lk.chat_ctx", "lk.pii.user_input", "lk.user_input")
    answered = first(attributes, "lk.pii.response.text", "lk.response.text")
    return exchange("llm", _items(asked), answered)


def _items(context: Value) -> Value:
    """A chat context is `{"items": [...]}`; only its messages are said by somebody."""
    items = as_dict(context).get("items")
    if not isinstance(items, list):
        return context
    return [item for item in items if isinstance(item, dict) and item.get("type", "message") == "message"]
