"""Foreign span -> one normal form. One file per dialect; here is the order in which they are recognised.

A dialect is a module with `recognises(span)`, `read(span) -> NormalForm` and `messages(span) -> Messages`. The first
that recognises a span reads it; attributes win over scope names, since embedders re-export spans. So that a span is
not shown to every dialect, each says how its spans may look: `SCOPES` are beginnings of scope names, `HEADS` are first
words of attribute names (`ai` of `ai.model.id`). It is asked only about spans that have one of either.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from vestigo.normalize import (
    adk,
    anthropic_sdk,
    bare,
    claude_code,
    codex,
    copilot,
    gemini_cli,
    genai,
    genkit,
    haystack,
    langfuse,
    langsmith,
    litellm,
    livekit,
    logfire,
    mastra,
    mcp,
    mlflow,
    openinference,
    openllmetry,
    spring_ai,
    vercel,
)
from vestigo.normalize.documents import documents
from vestigo.normalize.tables import read_table, table
from vestigo.normalize.utterances import of_logs
from vestigo.record import Log, Messages, NormalForm, Span


class Dialect(Protocol):
    """How one family of instrumentation says what a span is."""

    @property
    def SCOPES(self) -> tuple[str, ...]: ...  # noqa: N802  constants of a module
    @property
    def HEADS(self) -> frozenset[str]: ...  # noqa: N802
    @staticmethod
    def recognises(span: Span) -> bool: ...
    @staticmethod
    def read(span: Span) -> NormalForm: ...
    @staticmethod
    def messages(span: Span) -> Messages: ...


DIALECTS: tuple[Dialect, ...] = (
    langfuse,
    mlflow,
    logfire,
    claude_code,
    codex,
    gemini_cli,
    copilot,
    adk,
    vercel,
    langsmith,
    openinference,
    litellm,
    openllmetry,
    anthropic_sdk,
    haystack,
    livekit,
    genkit,
    mastra,
    spring_ai,
    genai,
    mcp,
    bare,
)
"""In the order of recognition."""

_PLAIN: Final = table("", {}, {})


def normalize(span: Span) -> NormalForm:
    """What a span is, in one form; kind `span` where no dialect knows it. Reads attributes only, in any state."""
    dialect = dialect_of(span)
    return read_table(span, _PLAIN) if dialect is None else dialect.read(span)


def messages(span: Span, logs: Iterable[Log] = ()) -> Messages:
    """The text of the span's call as OpenTelemetry's message parts; empty where there is none.

    What the span does not tell is taken from those of the logs that belong to it.
    """
    dialect = dialect_of(span)
    try:
        found = Messages() if dialect is None else dialect.messages(span)
        if logs and not (found.input and found.output):
            told = of_logs(log for log in logs if log.span_id == span.span_id and log.trace_id == span.trace_id)
            for side in Messages.__struct_fields__:
                if not getattr(found, side):
                    setattr(found, side, getattr(told, side))
    except RecursionError:  # JSON nested hundreds deep is nobody's conversation
        return Messages()
    return found


def dialect_of(span: Span) -> Dialect | None:
    """The first dialect that recognises the span."""
    heads = {name.partition(".")[0] for name in span.attributes}
    for dialect in _candidates(span.scope.name, frozenset(_heads() & heads)):
        if dialect.recognises(span):
            return dialect
    return None


@lru_cache(maxsize=1)
def _heads() -> frozenset[str]:
    return frozenset().union(*(dialect.HEADS for dialect in DIALECTS))


@lru_cache(maxsize=1024)
def _candidates(scope: str, heads: frozenset[str]) -> tuple[Dialect, ...]:
    """Dialects in order that may know a span of this scope with these first words."""
    return tuple(
        dialect for dialect in DIALECTS if not heads.isdisjoint(dialect.HEADS) or scope.startswith(dialect.SCOPES)
    )


__all__ = ["DIALECTS", "Dialect", "dialect_of", "documents", "messages", "normalize"]
