"""The order of recognition: the first dialect that knows a span reads it."""

import sys

from vestigo import normalize
from vestigo.record import Messages, NormalForm, Scope, Span


class Loud:
    """A dialect for tests: knows spans that shout."""

    SCOPES = ("megaphone",)
    HEADS = frozenset({"gen_ai"})

    @staticmethod
    def recognises(span):
        return span.name.isupper()

    @staticmethod
    def read(span):
        return NormalForm(kind="chain", dialect="loud", agent_name=span.name)

    @staticmethod
    def messages(span):
        return Messages(output=[{"role": "assistant", "parts": [{"type": "text", "content": span.name}]}])


def listen(monkeypatch):
    monkeypatch.setattr(normalize, "DIALECTS", (Loud, *normalize.DIALECTS))
    for remembered in (normalize._heads, normalize._candidates):
        monkeypatch.setattr(normalize, remembered.__name__, remembered.__wrapped__)


def test_the_first_dialect_that_recognises_a_span_reads_it(monkeypatch):
    """A dialect before the others takes its spans, and leaves the others to those behind it."""
    listen(monkeypatch)
    loud = Span("a" * 32, "b" * 16, "HELLO", 1, attributes={"gen_ai.operation.name": "chat"})
    quiet = Span("a" * 32, "b" * 16, "hello", 1, attributes={"gen_ai.operation.name": "chat"})
    assert normalize.normalize(loud).dialect == "loud"
    assert normalize.messages(loud).output
    assert normalize.normalize(quiet).dialect == "gen_ai"
    assert not normalize.messages(quiet).output


def test_a_dialect_is_asked_only_about_spans_that_may_be_its_own(monkeypatch):
    """Without one of its first words or scopes a dialect never sees the span; the scope's beginning is enough."""
    listen(monkeypatch)
    without = Span("a" * 32, "b" * 16, "HELLO", 1, attributes={"http.route": "/"})
    scoped = Span("a" * 32, "b" * 16, "HELLO", 1, scope=Scope("megaphone.v2"))
    assert normalize.normalize(without).dialect == ""
    assert normalize.normalize(scoped).dialect == "loud"


def test_recognition_costs_few_calls():
    """A span of no dialect and one of ours do not run through all dialects: counted in Python calls."""
    plain = Span("a" * 32, "b" * 16, "GET /", 1, attributes={"http.route": "/", "server.address": "h"})
    ours = Span("a" * 32, "b" * 16, "chat", 1, attributes={"gen_ai.operation.name": "chat", "server.address": "h"})
    for span in (plain, ours):
        normalize.normalize(span)  # remembers the candidates
    assert calls(plain) <= 6
    assert calls(ours) <= 14


def calls(span):
    """How many Python functions run while the span is normalised."""
    counted = 0

    def count(_frame, event, _argument):
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        normalize.normalize(span)
    finally:
        sys.setprofile(None)
    return counted
