"""Genkit: actions with their input and output as JSON.

Source: Genkit, telemetry reference; its model request and response schemas (2026-10).
"""

from typing import Final

from vestigo.normalize.parts import exchange
from vestigo.normalize.providers import as_provider
from vestigo.normalize.reading import as_dict, as_text, as_texts, count
from vestigo.normalize.tables import inclusive, read_table, table
from vestigo.record import Kind, Messages, NormalForm, Span, Usage

_TYPE: Final = "genkit:type"
SCOPES: Final = ()
HEADS: Final = frozenset({_TYPE})

_KINDS: Final[dict[str, Kind]] = {
    "flow": "workflow", "flowStep": "chain", "model": "llm", "tool": "tool", "tool.v2": "tool", "agent": "agent",
    "embedder": "embedding", "retriever": "retrieval", "reranker": "rerank", "evaluator": "evaluator",
    "prompt": "prompt", "executable-prompt": "prompt", "util": "chain",
}  # fmt: skip

TABLE: Final = table(
    "genkit", {"kind": ("genkit:metadata:subtype", _TYPE), "session_id": ("genkit:sessionId",)}, _KINDS
)


def recognises(span: Span) -> bool:
    """True for an action or a step of a flow."""
    return _TYPE in span.attributes


def read(span: Span) -> NormalForm:
    """By table; a model's name is `plugin/model`, its usage stands in its output."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    name = as_text(attributes.get("genkit:name"))
    if form.kind == "tool":
        form.tool_name = name
    elif form.kind == "agent":
        form.agent_name = name
    elif form.kind in {"llm", "embedding", "rerank"} and name is not None:
        provider, _, model = name.rpartition("/")
        form.provider, form.request_model = as_provider(provider), model
    if form.kind == "llm":
        answer = as_dict(attributes.get("genkit:output"))
        form.finish_reasons = as_texts(answer.get("finishReason")) or []
        usage = as_dict(answer.get("usage"))
        if usage:
            form.usage = inclusive(
                Usage(
                    input=count(usage, "inputTokens"),
                    cache_read=count(usage, "cachedContentTokens"),
                    output=count(usage, "outputTokens"),
                    reasoning=count(usage, "thoughtsTokens"),
                )
            )
    return form


def messages(span: Span) -> Messages:
    """Input and output of the action."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    return exchange(form.kind, attributes.get("genkit:input"), attributes.get("genkit:output"),
                    attributes.get("genkit:name"))  # fmt: skip
