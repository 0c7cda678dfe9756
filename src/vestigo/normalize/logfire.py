"""Logfire and Pydantic AI: gen_ai's names, older ones of their own, and rows that only announce a span.

Source: pydantic/logfire (e484a6b5), pydantic-ai 2.68.0 with instrumentation formats 1 to 6.
"""

from typing import Any, Final

from vestigo import semconv
from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.parts import conversation, message, text_part, tool_call, tool_response
from vestigo.normalize.reading import as_dict, as_list, first, parsed, text
from vestigo.normalize.tables import read_table
from vestigo.normalize.utterances import of_dicts
from vestigo.record import Messages, NormalForm, Span

SCOPES: Final = ("logfire", "pydantic-ai")
HEADS: Final = frozenset({"logfire", "pydantic_ai"})

ANNOUNCED: Final = "logfire.pending_parent_id"
"""Attribute of a row that announces a span: the parent of that span."""
_PENDING: Final = "pending_span"
_AGENT_USAGE: Final = "gen_ai.aggregated_usage."

TABLE: Final = GENAI.extended(
    "logfire",
    {
        "total_usd": ("operation.cost",),
        "ttft_s": ("gen_ai.client.operation.time_to_first_chunk",),
        "agent_name": ("agent_name",),
        "request_model": ("model_name",),
        "input": (_AGENT_USAGE + "input_tokens",),
        "cache_read": (_AGENT_USAGE + "cache_read.input_tokens", "gen_ai.usage.details.cache_read_tokens"),
        "cache_write": (_AGENT_USAGE + "cache_creation.input_tokens", "gen_ai.usage.details.cache_write_tokens"),
        "output": (_AGENT_USAGE + "output_tokens",),
        "reasoning": ("gen_ai.usage.details.reasoning_tokens",),
    },
)


def recognises(span: Span) -> bool:
    """True for attributes `logfire.*` or `pydantic_ai.*`, and under their scopes."""
    return span.scope.name.startswith(SCOPES) or any(
        name.startswith(("logfire.", "pydantic_ai.")) for name in span.attributes
    )


def read(span: Span) -> NormalForm:
    """The normal form by table. A row that announces a span, and one without usage of its own, counts nothing."""
    told = span.attributes
    form = read_table(span, TABLE)
    form.dialect = "pydantic_ai" if span.scope.name.startswith("pydantic-ai") else "logfire"
    if is_pending(span):
        form.kind, form.usage, form.cost = "span", None, None
        return form
    if form.kind == "span" and semconv.OPERATION not in told:
        if form.agent_name and (span.name == "agent run" or "all_messages_events" in told):
            form.kind, form.usage_role = "agent", "rollup"
        elif form.tool_name and ("tool_arguments" in told or "tool_response" in told):
            form.kind = "tool"
        elif form.request_model:
            form.kind = "llm"
    return form


def is_pending(span: Span) -> bool:
    """Whether a row only announces a span: its parent is that span, whose own parent it names in an attribute."""
    return span.attributes.get("logfire.span_type") == _PENDING


def open_span(span: Span) -> None:
    """Make of a row that announces a span that span itself, still open, which its end will replace."""
    parent = text(span.attributes, ANNOUNCED)
    if span.parent_id is None or not is_pending(span):
        return
    span.span_id = span.parent_id
    span.parent_id = parent if parent and parent.strip("0") else None
    span.end_ns = None


def messages(span: Span) -> Messages:
    """Current messages, or those of older formats: events as JSON, or the provider's request and answer."""
    told = span.attributes
    found = Messages(
        input=conversation(first(told, semconv.INPUT_MESSAGES, "pydantic_ai.all_messages")),
        output=conversation(told.get(semconv.OUTPUT_MESSAGES), "assistant"),
        system=as_list(told.get(semconv.SYSTEM_INSTRUCTIONS)),
        tools=as_list(told.get(semconv.TOOL_DEFINITIONS)),
    )
    if not found.input and not found.output:
        found = _older(span, found)
    if not found.output and (final := first(told, "final_result")) is not None:
        found.output = [message("assistant", [text_part(final)])]
    _of_tool(span, found)
    return found


def _older(span: Span, found: Messages) -> Messages:
    told = span.attributes
    events = first(told, "events", "all_messages_events")
    if events is not None:
        return of_dicts(as_list(events), found)
    request, answer = as_dict(told.get("request_data")), as_dict(told.get("response_data"))
    if request:
        found.input = conversation(request)
        found.tools = found.tools or as_list(request.get("tools"))
    said: Any = answer.get("message") or answer.get("combined_chunk_content") or answer.get("text")
    if said:
        found.output = conversation(said, "assistant")
    return found


def _of_tool(span: Span, found: Messages) -> None:
    told = span.attributes
    arguments = first(told, semconv.TOOL_ARGUMENTS, "tool_arguments")
    result = first(told, semconv.TOOL_RESULT, "tool_response")
    call_id = told.get(semconv.TOOL_CALL_ID)
    if not found.input and arguments is not None:
        found.input = [message("assistant", [tool_call(told.get(semconv.TOOL_NAME), arguments, call_id)])]
    if not found.output and result is not None:
        found.output = [message("tool", [tool_response(parsed(result), call_id)])]
