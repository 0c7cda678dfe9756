"""Haystack's own tracer: a span for each run of a pipeline and of a component.

What a component does is told by its class (`OpenAIChatGenerator`), its content only where content tracing is on.
Source: haystack-ai 2, `tracing` and its tests (2026-10).
"""

from typing import Any, Final

from vestigo.normalize.parts import exchange
from vestigo.normalize.reading import as_count, as_dict, as_list, as_text, as_texts, first
from vestigo.normalize.tables import ROLLUPS, inclusive, read_table, table
from vestigo.record import Kind, Messages, NormalForm, Span, Usage

SCOPES: Final = ("haystack",)
HEADS: Final = frozenset({"haystack"})

_COMPONENT: Final = "haystack.component."
_PIPELINE: Final = "haystack.pipeline."
_ENDINGS: Final[tuple[tuple[str, Kind], ...]] = (
    ("PromptBuilder", "prompt"), ("Generator", "llm"), ("Embedder", "embedding"), ("Retriever", "retrieval"),
    ("Ranker", "rerank"), ("ToolInvoker", "tool"), ("Agent", "agent"), ("Evaluator", "evaluator"),
)  # fmt: skip

TABLE: Final = table("haystack", {}, {})


def recognises(span: Span) -> bool:
    """True for a run of a pipeline or a component."""
    return any(name.startswith((_COMPONENT, _PIPELINE)) for name in span.attributes)


def read(span: Span) -> NormalForm:
    """By the component's class; a generator's model and usage stand with its replies."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    form.kind = _kind(as_text(attributes.get(_COMPONENT + "type")))
    if form.kind in ROLLUPS:
        form.usage_role = "rollup"
    if form.kind == "agent":
        form.agent_name = as_text(attributes.get(_COMPONENT + "name"))
    if form.kind == "llm":
        _read_replies(form, as_dict(attributes.get(_COMPONENT + "output")))
    return form


def _kind(component: str | None) -> Kind:
    if component is None:
        return "workflow"
    for ending, kind in _ENDINGS:
        if component.endswith(ending):
            return kind
    return "chain"


def _read_replies(form: NormalForm, output: dict[str, Any]) -> None:
    """Of chat generators each reply has a `meta`, of others they stand in a list of their own."""
    replies = [as_dict(reply) for reply in as_list(output.get("replies"))]
    metas = [as_dict(meta) for meta in as_list(output.get("meta"))] or [
        as_dict(first(reply, "meta", "_meta")) for reply in replies
    ]
    form.finish_reasons = as_texts([meta.get("finish_reason") for meta in metas]) or []
    for meta in metas[:1]:
        form.response_model = as_text(meta.get("model"))
        usage = as_dict(meta.get("usage"))
        if usage:
            details = as_dict(usage.get("prompt_tokens_details"))
            form.usage = inclusive(
                Usage(
                    input=as_count(usage.get("prompt_tokens")),
                    cache_read=as_count(details.get("cached_tokens")),
                    output=as_count(usage.get("completion_tokens")),
                )
            )


def messages(span: Span) -> Messages:
    """What the component or pipeline was given and gave."""
    attributes = span.attributes
    kind = _kind(as_text(attributes.get(_COMPONENT + "type")))
    asked = first(attributes, _COMPONENT + "input", _PIPELINE + "input_data")
    answered = first(attributes, _COMPONENT + "output", _PIPELINE + "output_data")
    return exchange(kind, asked, answered, attributes.get(_COMPONENT + "name"))
