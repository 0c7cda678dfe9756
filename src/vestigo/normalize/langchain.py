"""What LangChain's models answer, as its tracers record it: the provider's response id, model and reason to stop.

A call through LangChain is often recorded twice, by its tracer and by an instrumentation of the client below. The
provider's id, which stands deep in the answer, tells that both are one (`once.py`).
Source: langchain-core, `LLMResult` and `AIMessage.response_metadata` of langchain-openai and langchain-anthropic
(2026-10).
"""

from typing import Any

from vestigo.normalize.reading import as_dict, as_text, as_texts, first
from vestigo.record import NormalForm, Value


def read_answer(form: NormalForm, told: Value) -> None:
    """Fill in what the form lacks, from `{"generations": [[{"message": ...}]], "llm_output": ...}` or a message."""
    answer = as_dict(told)
    if not answer:
        return
    generation = _inner(answer.get("generations")) or answer
    held = as_dict(generation.get("message")) or generation
    metadata = as_dict(as_dict(held.get("kwargs") or held).get("response_metadata"))
    overall = as_dict(answer.get("llm_output"))
    stopped = {**as_dict(generation.get("generation_info")), **metadata}
    form.response_id = form.response_id or as_text(first(metadata, "id") or overall.get("id"))
    model = first(metadata, "model_name", "model") or first(overall, "model_name", "model")
    form.response_model = form.response_model or as_text(model)
    form.finish_reasons = form.finish_reasons or as_texts(first(stopped, "finish_reason", "stop_reason")) or []


def _inner(generations: Any) -> dict[str, Any]:
    """The first generation: they stand in lists of lists, one for each prompt."""
    while isinstance(generations, list):
        generations = generations[0] if generations else None
    return as_dict(generations)
