"""The Vercel AI SDK up to 6: `ai.*` attributes. What the SDK 7 writes are the GenAI conventions, read in `genai.py`.

A call makes an outer span (`ai.streamText`) that repeats what its inner ones (`ai.streamText.doStream`) used.
Source: ai-sdk.dev, AI SDK core, telemetry; vercel/ai packages/otel (2026-11).
"""

from typing import Any, Final

from vestigo.normalize import genai
from vestigo.normalize.parts import (
    as_json,
    conversation,
    exchange,
    message,
    parts_of,
    reasoning,
    text_part,
    tool_definition,
)
from vestigo.normalize.reading import as_dict, as_list, as_text, count, first
from vestigo.normalize.tables import inclusive, read_table
from vestigo.record import Attributes, Kind, Messages, NormalForm, Span, Usage, Value

SCOPES: Final = ("ai",)
HEADS: Final = frozenset({"ai", "operation"})

_METADATA: Final = "ai.telemetry.metadata."
_INNER: Final[dict[str, Kind]] = {
    "doGenerate": "llm", "doStream": "llm", "doEmbed": "embedding", "doRerank": "rerank",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended(
    "vercel",
    {
        "provider": ("gen_ai.system", "ai.model.provider"),
        "request_model": ("gen_ai.request.model", "ai.model.id"),
        "response_model": ("gen_ai.response.model", "ai.response.model"),
        "response_id": ("gen_ai.response.id", "ai.response.id"),
        "finish_reasons": ("gen_ai.response.finish_reasons", "ai.response.finishReason", "ai.finishReason"),
        "ttft_ms": ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
        "input": (
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "ai.usage.tokens",
        ),
        "cache_read": ("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
        "cache_write": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
        "output": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
        "reasoning": ("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
        "session_id": (_METADATA + "sessionId",),
        "user_id": (_METADATA + "userId",),
        "agent_name": ("ai.telemetry.functionId",),
        "tool_name": ("ai.toolCall.name",),
        "tool_call_id": ("ai.toolCall.id",),
    },
)


def recognises(span: Span) -> bool:
    """True for a span that says its operation as the SDK does."""
    return _operation(span.attributes) != ""


def read(span: Span) -> NormalForm:
    """By table; the operation tells the kind, and outer spans are rollups."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    form.kind = _kind(_operation(attributes))
    form.usage_role = "rollup" if form.kind == "chain" else "leaf"
    if form.usage is not None and form.usage.cache_read is None:
        _read_provider_metadata(form.usage, as_dict(attributes.get("ai.response.providerMetadata")))
    prompt = as_dict(attributes.get(_METADATA + "langfusePrompt"))
    form.prompt_name = form.prompt_name or as_text(prompt.get("name"))
    form.prompt_version = form.prompt_version or as_text(prompt.get("version"))
    return form


def _operation(attributes: Attributes) -> str:
    """`ai.streamText.doStream`; a function id may stand behind it."""
    for name in ("ai.operationId", "operation.name"):
        told = attributes.get(name)
        if isinstance(told, str) and told.startswith("ai."):
            return told.partition(" ")[0]
    return ""


def _kind(operation: str) -> Kind:
    if operation == "ai.toolCall":
        return "tool"
    return _INNER.get(operation.rpartition(".")[2], "chain")


def _read_provider_metadata(usage: Usage, metadata: dict[str, Any]) -> None:
    """Cached tokens where the SDK (4 and before) has no attribute for them."""
    openai, anthropic = as_dict(metadata.get("openai")), as_dict(metadata.get("anthropic"))
    bedrock = as_dict(as_dict(metadata.get("bedrock")).get("usage"))
    told = {**as_dict(anthropic.get("usage")), **anthropic, **bedrock, **openai}
    usage.cache_read = count(
        told, "cachedPromptTokens", "cache_read_input_tokens", "cacheReadInputTokens", "cacheReadInputTokenCount"
    )
    if usage.cache_write is None:
        usage.cache_write = count(told, "cache_creation_input_tokens", "cacheCreationInputTokens",
                                  "cacheWriteInputTokens", "cacheWriteInputTokenCount")  # fmt: skip
    if usage.reasoning is None:
        usage.reasoning = count(told, "reasoningTokens")
    inclusive(usage)


def messages(span: Span) -> Messages:
    """Prompt and response of a call, arguments and result of a tool call, the values of an embedding."""
    attributes = span.attributes
    if _kind(_operation(attributes)) == "tool":
        asked, answered = first(attributes, "ai.toolCall.args"), first(attributes, "ai.toolCall.result")
        name, call_id = attributes.get("ai.toolCall.name"), attributes.get("ai.toolCall.id")
        return exchange("tool", asked, answered, name, call_id)
    asked = first(attributes, "ai.prompt.messages", "ai.prompt")
    values = first(attributes, "ai.value", "ai.values")
    found = Messages(
        input=_prompt(asked) if asked is not None else [
            message("user", [text_part(as_text(value) or as_json(value))]) for value in as_list(values)
        ],
        tools=[tool_definition(tool) for tool in as_list(attributes.get("ai.prompt.tools"))],
    )  # fmt: skip
    answer = _answer(attributes)
    if answer:
        found.output = [message("assistant", answer)]
    return found


def _prompt(asked: Value) -> list[Value]:
    """Messages, or `{"system", "prompt" or "messages"}` as the program gave them."""
    body = as_dict(asked)
    if body.get("prompt") and not body.get("messages"):
        return conversation({"system": body.get("system"), "messages": conversation(body["prompt"])})
    return conversation(asked)


def _answer(attributes: Attributes) -> list[Any]:
    parts: list[Any] = []
    thought = first(attributes, "ai.response.reasoning")
    said = first(attributes, "ai.response.text", "ai.result.text", "ai.response.object", "ai.result.object")
    calls = first(attributes, "ai.response.toolCalls", "ai.result.toolCalls")
    if thought is not None:
        parts.append(reasoning(thought))
    if said is not None:
        parts.append(text_part(said))
    for call in as_list(calls):
        parts += parts_of({"type": "tool-call", **as_dict(call)})
    for held in as_list(attributes.get("ai.response.files")):
        parts += parts_of({"type": "file", **as_dict(held)})
    return parts
