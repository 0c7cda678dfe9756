"""Spring AI: the GenAI conventions for models, and spans of its own for chat clients, advisors and tools.

Source: Spring AI reference, observability (2026-10).
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize import genai
from vestigo.normalize.parts import exchange
from vestigo.normalize.reading import first
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span

SCOPES: Final = ()
HEADS: Final = frozenset({"spring"})

_KIND: Final = "spring.ai.kind"
_KINDS: Final[dict[str, Kind]] = {
    "chat_client": "chain", "advisor": "chain", "tool_call": "tool", "vector_store": "retrieval",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended(
    "spring_ai",
    {
        "kind": (_KIND,),
        "session_id": ("spring.ai.chat.client.conversation.id",),
        "tool_name": ("spring.ai.tool.definition.name",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for a span of one of its kinds."""
    return _KIND in span.attributes


def read(span: Span) -> NormalForm:
    """By table; `spring_ai` is no provider of models."""
    form = read_table(span, TABLE)
    if form.provider == "spring_ai":
        form.provider = None
    return form


def messages(span: Span) -> Messages:
    """Arguments and result of a tool, prompt and completion of a chat client."""
    attributes = span.attributes
    asked = first(attributes, "spring.ai.tool.call.arguments", "gen_ai.prompt")
    answered = first(attributes, "spring.ai.tool.call.result", "gen_ai.completion")
    if asked is None and answered is None:
        return genai.messages(span)
    form = read_table(span, TABLE)
    return exchange(form.kind, asked, answered, form.tool_name, attributes.get(semconv.TOOL_CALL_ID))
