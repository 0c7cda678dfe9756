"""OpenTelemetry's GenAI conventions, current and older names: the dialect that we speak ourselves.

Source: open-telemetry/semantic-conventions-genai (main, 2026-10); older names from semantic-conventions v1.27-v1.36.
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize.parts import tool_call, tool_response
from vestigo.normalize.reading import as_list, first
from vestigo.normalize.tables import KINDS, read_table, table
from vestigo.record import Kind, Messages, NormalForm, Span

SCOPES: Final = ("opentelemetry.util.genai",)
HEADS: Final = frozenset({"gen_ai", "vestigo"})

OPERATIONS: Final[dict[str, Kind]] = {
    "chat": "llm", "generate_content": "llm", "text_completion": "llm", "completion": "llm", "generate": "llm",
    "response": "llm", "embeddings": "embedding", "retrieval": "retrieval", "fetch_response": "fetch",
    "create_memory_store": "memory", "search_memory": "memory", "create_memory": "memory", "update_memory": "memory",
    "upsert_memory": "memory", "delete_memory": "memory", "delete_memory_store": "memory",
    "create_agent": "agent", "invoke_agent": "agent", "execute_tool": "tool", "invoke_workflow": "workflow",
    "plan": "chain",
}  # fmt: skip
_OWN: Final[dict[str, Kind]] = {kind: kind for kind in KINDS}

TABLE: Final = table(
    "gen_ai",
    {
        "kind": (semconv.SPAN_TYPE, semconv.OPERATION),
        "provider": (semconv.PROVIDER, "gen_ai.system"),
        "request_model": (semconv.REQUEST_MODEL,),
        "response_model": (semconv.RESPONSE_MODEL,),
        "response_id": (semconv.RESPONSE_ID,),
        "ttft_s": (semconv.TTFT_S,),
        "finish_reasons": (semconv.FINISH_REASONS,),
        "input": (semconv.INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
        "cache_read": (semconv.CACHE_READ_TOKENS, "gen_ai.usage.cache_read_input_tokens"),
        "cache_write": (
            semconv.CACHE_WRITE_TOKENS,
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
        ),
        "output": (semconv.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"),
        "reasoning": (semconv.REASONING_TOKENS, "gen_ai.usage.reasoning_tokens"),
        "audio_input": (semconv.AUDIO_INPUT_TOKENS,),
        "audio_output": (semconv.AUDIO_OUTPUT_TOKENS,),
        "image_input": (semconv.IMAGE_INPUT_TOKENS,),
        "image_output": (semconv.IMAGE_OUTPUT_TOKENS,),
    },
    {**_OWN, **OPERATIONS},
)


def recognises(span: Span) -> bool:
    """True for a span that says its operation, provider, model or kind in these conventions."""
    attributes = span.attributes
    return (
        semconv.OPERATION in attributes
        or semconv.SPAN_TYPE in attributes
        or semconv.PROVIDER in attributes
        or "gen_ai.system" in attributes
        or semconv.REQUEST_MODEL in attributes
    )


def read(span: Span) -> NormalForm:
    """The normal form by table."""
    form = read_table(span, TABLE)
    if form.kind == "span" and form.request_model and semconv.OPERATION not in span.attributes:
        form.kind = "llm"
    if form.kind == "fetch":
        form.usage = None  # fetching a stored response uses no tokens of its own
    return form


def messages(span: Span) -> Messages:
    """Messages as they stand in the attributes: structured, or JSON text."""
    attributes = span.attributes
    if not attributes.keys() & semconv.CONTENT_ATTRIBUTES:
        return Messages()
    found = Messages(
        input=as_list(attributes.get(semconv.INPUT_MESSAGES)),
        output=as_list(attributes.get(semconv.OUTPUT_MESSAGES)),
        system=as_list(attributes.get(semconv.SYSTEM_INSTRUCTIONS)),
        tools=as_list(attributes.get(semconv.TOOL_DEFINITIONS)),
    )
    call_id = attributes.get(semconv.TOOL_CALL_ID)
    arguments = first(attributes, semconv.TOOL_ARGUMENTS, "input.value")
    result = first(attributes, semconv.TOOL_RESULT, "output.value")
    if not found.input and arguments is not None:
        call = tool_call(attributes.get(semconv.TOOL_NAME), arguments, call_id)
        found.input = [{"role": "assistant", "parts": [call]}]
    if not found.output and result is not None:
        found.output = [{"role": "tool", "parts": [tool_response(result, call_id)]}]
    return found
