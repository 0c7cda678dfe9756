"""Mastra: the GenAI conventions plus the type of each of its spans.

A generation tells the usage of the steps below it. Source: Mastra's span types, as LangWatch reads them (2026-10).
"""

from typing import Final

from vestigo.normalize import genai
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span

SCOPES: Final = ("@mastra/",)
HEADS: Final = frozenset({"mastra"})

_TYPE: Final = "mastra.span.type"
_KINDS: Final[dict[str, Kind]] = {
    "agent_run": "agent", "workflow_run": "workflow", "workflow_step": "chain", "workflow_conditional": "chain",
    "workflow_conditional_eval": "chain", "workflow_parallel": "chain", "workflow_loop": "chain",
    "workflow_sleep": "chain", "workflow_wait_event": "chain", "model_generation": "llm", "model_step": "chain",
    "model_chunk": "span", "tool_call": "tool", "mcp_tool_call": "tool", "generic": "span", "processor_run": "chain",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended("mastra", {"kind": (_TYPE,)}, _KINDS)


def recognises(span: Span) -> bool:
    """True for a span with Mastra's type."""
    return _TYPE in span.attributes


def read(span: Span) -> NormalForm:
    """By table; what a chunk says is said by its generation too."""
    form = read_table(span, TABLE)
    if form.kind == "span" and form.usage is not None:
        form.usage_role = "duplicate"
    return form


def messages(span: Span) -> Messages:
    """The conventions' messages."""
    return genai.messages(span)
