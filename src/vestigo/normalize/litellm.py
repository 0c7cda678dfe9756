"""LiteLLM's own OpenTelemetry logger: `litellm_request`, and below it `raw_gen_ai_request`, which repeats the call.

It comes before OpenLLMetry, whose `llm.request.type` it writes too. Source: litellm 1.109,
`integrations/opentelemetry.py` (2026-11).
"""

from typing import Final

from vestigo.normalize import genai
from vestigo.normalize.parts import from_message
from vestigo.normalize.reading import as_text
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span

SCOPES: Final = ("litellm",)
HEADS: Final = frozenset[str]()

_RAW: Final = "raw_gen_ai_request"
_KINDS: Final[dict[str, Kind]] = {
    "completion": "llm", "acompletion": "llm", "responses": "llm", "aresponses": "llm", "anthropic_messages": "llm",
    "text_completion": "llm", "atext_completion": "llm", "embedding": "embedding", "aembedding": "embedding",
    "rerank": "rerank", "arerank": "rerank",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended(
    "litellm",
    {
        "kind": ("llm.request.type",),
        "total_usd": ("gen_ai.cost.total_cost",),
        "input_usd": ("gen_ai.cost.input_cost",),
        "output_usd": ("gen_ai.cost.output_cost",),
        "user_id": ("llm.user",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for what its tracer makes."""
    return span.scope.name.startswith(SCOPES)


def read(span: Span) -> NormalForm:
    """By table. The raw request is a duplicate of its parent, with the parameters as `llm.PROVIDER.NAME`."""
    form = read_table(span, TABLE)
    if form.kind == "span" and form.request_model:
        form.kind = "llm"
    if span.name == _RAW:
        form.kind, form.usage_role = "llm", "duplicate"
        for name, value in span.attributes.items():
            if name.startswith("llm.") and name.endswith(".model"):
                form.request_model = form.request_model or as_text(value)
    return form


def messages(span: Span) -> Messages:
    """The conventions' messages; calls and the ids of results stand beside their parts."""
    found = genai.messages(span)
    found.input = [from_message(item) for item in found.input]
    found.output = [from_message(item, "assistant") for item in found.output]
    return found
