"""Spans that Anthropic's own client makes: gen_ai's names, with the reason to stop and the cache's lifetimes beside.

Where an instrumentation of the client makes a span as well, both have one response id and count once (`once.py`).
Source: anthropic 2.13.0, anthropic/_tracing.py and anthropic/lib/_tracing.
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.genai import messages as genai_messages
from vestigo.normalize.parts import message, tool_response
from vestigo.normalize.reading import parsed
from vestigo.normalize.tables import read_table
from vestigo.record import Messages, NormalForm, Span

SCOPES: Final = ("com.anthropic.sdk",)
HEADS: Final[frozenset[str]] = frozenset()

_RESULT: Final = "anthropic.tool_result.content"

TABLE: Final = GENAI.extended(
    "anthropic_sdk",
    {
        "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
        "finish_reasons": ("anthropic.message.stop_reason",),
    },
)


def recognises(span: Span) -> bool:
    """True under the scopes of the client and of its relatives for Bedrock and Vertex."""
    return span.scope.name.startswith(SCOPES)


def read(span: Span) -> NormalForm:
    """The normal form by table; what names no operation, such as counting tokens, is no call of a model."""
    form = read_table(span, TABLE)
    if form.session_id is None:
        session = span.attributes.get("anthropic.session.id")
        form.session_id = session if isinstance(session, str) else None
    return form


def messages(span: Span) -> Messages:
    """gen_ai's messages, and the result of a tool in Anthropic's form."""
    found = genai_messages(span)
    result = parsed(span.attributes.get(_RESULT))
    if result is not None and not found.output:
        found.output = [message("tool", [tool_response(result, span.attributes.get(semconv.TOOL_CALL_ID))])]
    return found
