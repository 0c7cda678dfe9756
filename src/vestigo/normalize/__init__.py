"""Foreign span -> one normal form. One file per dialect; here is the order in which they are recognised.

A dialect is a module with `recognises(span)`, `read(span) -> NormalForm` and `messages(span) -> Messages`. The first
that recognises a span reads it; attributes win over scope names, since embedders re-export spans.
"""

from typing import Protocol

from vestigo.normalize import genai
from vestigo.record import Messages, NormalForm, Span


class Dialect(Protocol):
    """How one family of instrumentation says what a span is."""

    @staticmethod
    def recognises(span: Span) -> bool: ...
    @staticmethod
    def read(span: Span) -> NormalForm: ...
    @staticmethod
    def messages(span: Span) -> Messages: ...


DIALECTS: tuple[Dialect, ...] = (genai,)
"""In the order of recognition."""


def normalize(span: Span) -> NormalForm:
    """What a span is, in one form; kind `span` where no dialect knows it. Reads attributes only, in any state."""
    for dialect in DIALECTS:
        if dialect.recognises(span):
            return dialect.read(span)
    return genai.common(span, NormalForm())


def messages(span: Span) -> Messages:
    """The text of the span's call as OpenTelemetry's message parts; empty where there is none."""
    for dialect in DIALECTS:
        if dialect.recognises(span):
            return dialect.messages(span)
    return Messages()
