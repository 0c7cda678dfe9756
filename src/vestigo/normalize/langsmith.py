"""LangSmith's SDK in its OpenTelemetry mode: runs as spans, whose inputs and outputs are JSON in `gen_ai.*`.

Only `langsmith.span.kind` tells what a run is: the operation name says `embeddings` of a retriever and `chat` of a
prompt. Source: langsmith 0.15.0, `_internal/otel/_otel_exporter.py` (2026-11).
"""

from typing import Final

from vestigo.normalize import genai
from vestigo.normalize.langchain import read_answer
from vestigo.normalize.parts import exchange
from vestigo.normalize.reading import as_count, as_dict
from vestigo.normalize.tables import inclusive, read_table
from vestigo.record import Kind, Messages, NormalForm, Span, Usage, Value

SCOPES: Final = ("langsmith",)
HEADS: Final = frozenset({"langsmith"})

_KIND: Final = "langsmith.span.kind"
_METADATA: Final = "langsmith.metadata."
_KINDS: Final[dict[str, Kind]] = {
    "llm": "llm", "chain": "chain", "tool": "tool", "retriever": "retrieval", "embedding": "embedding",
    "prompt": "prompt", "parser": "chain",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended(
    "langsmith",
    {
        "kind": (_KIND,),
        "provider": (_METADATA + "ls_provider",),
        "session_id": (_METADATA + "session_id", _METADATA + "thread_id", _METADATA + "conversation_id"),
        "user_id": (_METADATA + "user_id",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for a run."""
    return _KIND in span.attributes or span.scope.name == "langsmith"


def read(span: Span) -> NormalForm:
    """By table; what a run is called is the name of the tool, and the details of tokens are written in Python."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    if form.provider == "langchain":  # the exporter's word for a model that it does not know
        form.provider = None
    if form.kind == "tool":
        form.tool_name = form.tool_name or span.name
    if form.kind == "llm":
        read_answer(form, attributes.get("gen_ai.completion"))
    if form.usage is not None:
        _read_details(form.usage, attributes.get("gen_ai.usage.input_token_details"),
                      attributes.get("gen_ai.usage.output_token_details"))  # fmt: skip
    return form


def _read_details(usage: Usage, asked: Value, answered: Value) -> None:
    """LangChain's details: `{'cache_read': 64, 'audio': 0}`."""
    inputs, outputs = _literal(asked), _literal(answered)
    usage.cache_read = _count(inputs, "cache_read", usage.cache_read)
    usage.cache_write = _count(inputs, "cache_creation", usage.cache_write)
    usage.audio_input = _count(inputs, "audio", usage.audio_input)
    usage.reasoning = _count(outputs, "reasoning", usage.reasoning)
    usage.audio_output = _count(outputs, "audio", usage.audio_output)
    inclusive(usage)


def _count(details: dict[str, Value], name: str, told: int | None) -> int | None:
    return told if told is not None else as_count(details.get(name))


def _literal(written: Value) -> dict[str, Value]:
    """A dict of counts, whose repr differs from JSON in its quotes and in `None`."""
    if isinstance(written, str):
        written = written.replace("'", '"').replace("None", "null")
    return as_dict(written)


def messages(span: Span) -> Messages:
    """Inputs and outputs of the run."""
    attributes = span.attributes
    kind = read_table(span, TABLE).kind
    name = span.name if kind == "tool" else None
    return exchange(kind, attributes.get("gen_ai.prompt"), attributes.get("gen_ai.completion"), name)
