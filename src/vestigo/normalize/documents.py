"""Documents that a span retrieved or ranked, of any dialect: what the page shows beside the query."""

from typing import Any, Final

from vestigo import semconv
from vestigo.normalize.reading import as_dict, as_list, as_number, as_text, indexed, parsed
from vestigo.record import Attributes, Span, Value

_FLAT: Final = ("retrieval.documents", "reranker.output_documents", "reranker.input_documents")
_OUTPUTS: Final = (
    "output.value", "langfuse.observation.output", "traceloop.entity.output", "gen_ai.completion",
    "haystack.component.output", "genkit:output", "mlflow.spanOutputs",
)  # fmt: skip
"""Where dialects without names for documents have a retriever's answer."""


def documents(span: Span) -> list[dict[str, Value]]:
    """In order of rank: `{"id", "score", "content", "metadata"}`, each only where it is told; other keys are kept."""
    attributes = span.attributes
    told = as_list(attributes.get(semconv.RETRIEVAL_DOCUMENTS))
    for prefix in _FLAT:
        told = told or indexed(attributes, prefix) or as_list(attributes.get(prefix))
    ranked = told or _ranked(attributes) or _answered(attributes)
    return [_document(item) for item in ranked]


def _ranked(attributes: Attributes) -> list[Any]:
    """The Vercel AI SDK's ranking: indexes into the documents, best first."""
    given = as_list(attributes.get("ai.documents"))
    ranking = [as_dict(place) for place in as_list(attributes.get("ai.ranking"))]
    made: list[Any] = []
    for place in ranking:
        index = place.get("index", place.get("originalIndex"))
        if isinstance(index, int) and 0 <= index < len(given):
            content = parsed(given[index])
            score = place.get("relevanceScore", place.get("score"))
            made.append({**(content if isinstance(content, dict) else {"content": content}), "score": score})
    return made or given


def _answered(attributes: Attributes) -> list[Any]:
    """A list of documents in an output, or below `documents` or `output` of it."""
    for name in _OUTPUTS:
        told = parsed(attributes.get(name))
        if isinstance(told, dict):
            told = next((told[key] for key in ("documents", "output", "result") if isinstance(told.get(key), list)), [])
        if isinstance(told, list) and told and all(_is_document(item) for item in told):
            return told
    return []


def _is_document(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and not item.keys().isdisjoint({"page_content", "pageContent", "content", "text"})
        and ("role" not in item)
    )


_NAMES: Final[dict[str, str]] = {
    "document_id": "id", "page_content": "content", "pageContent": "content", "text": "content", "meta": "metadata",
}  # fmt: skip


def _document(item: Any) -> dict[str, Value]:
    told = parsed(item)
    if not isinstance(told, dict):
        return {"content": as_text(told) or told}
    inner = told.get("document")
    held: dict[str, Any] = inner if isinstance(inner, dict) else told
    made: dict[str, Value] = {}
    for name, value in held.items():
        known = _NAMES.get(name, name)
        if value is not None and (known == name or known not in held):
            made[known] = parsed(value) if known == "metadata" else value
    score = as_number(made.get("score"))
    if score is not None:
        made["score"] = score
    return made
