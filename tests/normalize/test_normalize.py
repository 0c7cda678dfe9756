"""The order of recognition: the first dialect that knows a span reads it."""

from vestigo import normalize
from vestigo.record import Messages, NormalForm, Span


class Loud:
    """A dialect for tests: knows spans that shout."""

    @staticmethod
    def recognises(span):
        return span.name.isupper()

    @staticmethod
    def read(span):
        return NormalForm(kind="chain", dialect="loud", agent_name=span.name)

    @staticmethod
    def messages(span):
        return Messages(output=[{"role": "assistant", "parts": [{"type": "text", "content": span.name}]}])


def test_the_first_dialect_that_recognises_a_span_reads_it(monkeypatch):
    """A dialect before the others takes its spans, and leaves the others to those behind it."""
    monkeypatch.setattr(normalize, "DIALECTS", (Loud, *normalize.DIALECTS))
    loud = Span("a" * 32, "b" * 16, "HELLO", 1, attributes={"gen_ai.operation.name": "chat"})
    quiet = Span("a" * 32, "b" * 16, "hello", 1, attributes={"gen_ai.operation.name": "chat"})
    assert normalize.normalize(loud).dialect == "loud"
    assert normalize.messages(loud).output
    assert normalize.normalize(quiet).dialect == "gen_ai"
    assert not normalize.messages(quiet).output
