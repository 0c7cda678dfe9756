"""The order of recognition: the first dialect that knows a span reads it."""

import json
import sys

import msgspec
from golden import FOLDER
from hypothesis import given, settings
from hypothesis import strategies as st

from vestigo import normalize
from vestigo.normalize.tables import table
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


NO_TABLE = table("", {}, {})
NAMES = sorted({name for dialect in normalize.DIALECTS for name in getattr(dialect, "TABLE", NO_TABLE).slots} | {
    name for path in FOLDER.glob("*/*.json") for name in json.loads(path.read_text())["span"].get("attributes", ())
})  # fmt: skip
SCOPES = sorted({scope for dialect in normalize.DIALECTS for scope in dialect.SCOPES} | {""})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.sampled_from(["", "{", "[{", '{"messages": [{"role": "us', '"', "{'cache_read': 1", "2026-09-21T14:13:20"])
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["role", "content", "parts", "type", "usage", "input", "output", "meta", "message", "name"]),
        inner, max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
WRITTEN = VALUES | VALUES.map(json.dumps)


@given(st.dictionaries(st.sampled_from(NAMES), WRITTEN, max_size=9), st.sampled_from(SCOPES))
@settings(max_examples=300)
def test_no_span_of_any_dialect_breaks_reading(attributes, scope):
    """Attributes of all dialects with anything in them: no error, counts and money from 0, messages with roles."""
    span = Span("a" * 32, "b" * 16, "work", 1, attributes=attributes, scope=Scope(scope))
    form, said = normalize.normalize(span), normalize.messages(span)
    normalize.documents(span)
    msgspec.convert(msgspec.to_builtins(form), NormalForm)
    assert msgspec.json.decode(msgspec.json.encode(said), type=Messages) == said
    counts = msgspec.to_builtins(form.usage).values() if form.usage else ()
    assert all(count >= 0 for count in counts)
    assert form.cost is None or form.cost.total_usd is None or form.cost.total_usd >= 0
