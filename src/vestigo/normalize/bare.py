"""The last resort: a span of no dialect that names a model is a call of it."""

from typing import Final

from vestigo.normalize.parts import exchange
from vestigo.normalize.tables import read_table, table
from vestigo.record import Messages, NormalForm, Span

SCOPES: Final = ()
HEADS: Final = frozenset({"model"})

TABLE: Final = table("bare", {"request_model": ("model",)}, {})


def recognises(span: Span) -> bool:
    """True for an attribute `model` with text."""
    told = span.attributes.get("model")
    return isinstance(told, str) and told != ""


def read(span: Span) -> NormalForm:
    """Kind `llm` and the model; tokens have no name that all use."""
    form = read_table(span, TABLE)
    form.kind = "llm"
    return form


def messages(span: Span) -> Messages:
    """`input.value` and `output.value`, where there are any."""
    return exchange("llm", span.attributes.get("input.value"), span.attributes.get("output.value"))
