"""OpenTelemetry's GenAI conventions, current and older names: the dialect that we speak ourselves.

Source: open-telemetry/semantic-conventions-genai (main, 2026-10); older names from semantic-conventions v1.27-v1.36.
"""

from typing import Final

from vestigo import semconv
from vestigo.normalize.parts import conversation, located, message, text_part, tool_call, tool_response
from vestigo.normalize.reading import as_list, first, parsed
from vestigo.normalize.tables import KINDS, read_table, table
from vestigo.normalize.utterances import of_events
from vestigo.record import Attributes, Kind, Messages, NormalForm, Span, Value

SCOPES: Final = ("opentelemetry.util.genai",)
HEADS: Final = frozenset({"gen_ai", "vestigo"})

OPERATIONS: Final[dict[str, Kind]] = {
    "chat": "llm", "generate_content": "llm", "text_completion": "llm", "completion": "llm", "generate": "llm",
    "response": "llm", "embeddings": "embedding", "retrieval": "retrieval", "fetch_response": "fetch",
    "create_memory_store": "memory", "search_memory": "memory", "create_memory": "memory", "update_memory": "memory",
    "upsert_memory": "memory", "delete_memory": "memory", "delete_memory_store": "memory",
    "create_agent": "agent", "invoke_agent": "agent", "execute_tool": "tool", "invoke_workflow": "workflow",
    "plan": "chain",
    "rerank": "rerank", "agent_step": "chain",
    "chat.completions": "llm", "chat.streaming_completions": "llm", "text.completions": "llm",
    "text.streaming_completions": "llm", "text_completions": "llm", "framework": "chain",
}  # fmt: skip
"""Besides the conventions': `rerank` and `agent_step` of the Vercel AI SDK 7, `framework` of Spring AI, and those with
`completions` of Semantic Kernel.
"""

_OWN: Final[dict[str, Kind]] = {kind: kind for kind in KINDS}

TABLE: Final = table(
    "gen_ai",
    {
        "kind": (semconv.SPAN_TYPE, semconv.OPERATION),
        "provider": (semconv.PROVIDER, "gen_ai.system"),
        "request_model": (semconv.REQUEST_MODEL,),
        "response_model": (semconv.RESPONSE_MODEL,),
        "response_id": (semconv.RESPONSE_ID,),
        "ttft_s": (semconv.TTFT_S, "gen_ai.client.operation.time_to_first_chunk"),
        "finish_reasons": (semconv.FINISH_REASONS, "gen_ai.response.finish_reason"),
        "input": (semconv.INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
        "cache_read": (
            semconv.CACHE_READ_TOKENS,
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_cached_tokens",
        ),
        "cache_write": (
            semconv.CACHE_WRITE_TOKENS,
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
        ),
        "output": (semconv.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"),
        "reasoning": (semconv.REASONING_TOKENS, "gen_ai.usage.reasoning_tokens"),
        "audio_input": (semconv.AUDIO_INPUT_TOKENS, "gen_ai.usage.input_audio_tokens"),
        "audio_output": (semconv.AUDIO_OUTPUT_TOKENS, "gen_ai.usage.output_audio_tokens"),
        "image_input": (semconv.IMAGE_INPUT_TOKENS,),
        "image_output": (semconv.IMAGE_OUTPUT_TOKENS,),
    },
    {**_OWN, **OPERATIONS},
)

_KEPT_ELSEWHERE: Final = (
    (semconv.INPUT_MESSAGES + "_ref", "input", "user"),
    (semconv.OUTPUT_MESSAGES + "_ref", "output", "assistant"),
)
"""Addresses of messages that a hook has stored elsewhere. Source: opentelemetry-util-genai 1.3b0."""
_CONTENT: Final = semconv.CONTENT_ATTRIBUTES | {
    "gen_ai.memory.query.text", "gen_ai.memory.records", *(name for name, _, _ in _KEPT_ELSEWHERE),
}  # fmt: skip


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
    """Messages as they stand in the attributes, structured or as JSON text, or else in the span's events."""
    attributes = span.attributes
    if not attributes.keys() & _CONTENT:
        return of_events(span.events) if span.events else Messages()
    found = Messages(
        input=_said(first(attributes, semconv.INPUT_MESSAGES, "gen_ai.prompt"), "user"),
        output=_said(first(attributes, semconv.OUTPUT_MESSAGES, "gen_ai.completion"), "assistant"),
        system=as_list(attributes.get(semconv.SYSTEM_INSTRUCTIONS)),
        tools=as_list(attributes.get(semconv.TOOL_DEFINITIONS)),
    )
    _of_tool(attributes, found)
    if span.events and not (found.input and found.output):
        told = of_events(span.events)
        found.input, found.output = found.input or told.input, found.output or told.output
    for name, side, role in _KEPT_ELSEWHERE:
        if name in attributes and not getattr(found, side):
            setattr(found, side, [message(role, [located(attributes[name])])])
    return found


def _said(value: Value, role: str) -> list[Value]:
    """Messages as they are where they have today's form: the same objects, which a storage keeps once."""
    if isinstance(value, str) and ('"result"' in value or 'result\\"' in value):
        return conversation(parsed(value), role)  # the older name of a tool's response
    said = as_list(value)
    if all(isinstance(item, dict) and "parts" in item for item in said):
        return said
    return conversation(value, role)


def _of_tool(attributes: Attributes, found: Messages) -> None:
    """Arguments and result of a tool, or question and answer of a retrieval or a memory, as messages."""
    call_id = attributes.get(semconv.TOOL_CALL_ID)
    arguments = first(attributes, semconv.TOOL_ARGUMENTS, "input.value")
    result = first(attributes, semconv.TOOL_RESULT, "output.value")
    query = first(attributes, semconv.RETRIEVAL_QUERY, "gen_ai.memory.query.text")
    documents = first(attributes, semconv.RETRIEVAL_DOCUMENTS, "gen_ai.memory.records")
    if not found.input and arguments is not None:
        found.input = [message("assistant", [tool_call(attributes.get(semconv.TOOL_NAME), arguments, call_id)])]
    elif not found.input and query is not None:
        found.input = [message("user", [text_part(query)])]
    if not found.output and result is not None:
        found.output = [message("tool", [tool_response(result, call_id)])]
    elif not found.output and documents is not None:
        found.output = [message("tool", [tool_response(parsed(documents))])]
