"""Logfire and Pydantic AI: current and older names, agents as rollups, rows that only announce."""

import json

import msgspec
from golden import FOLDER

from vestigo.normalize.logfire import open_span
from vestigo.record import Batch, Span
from vestigo.storage.memory import InMemoryTraceStorage


def test_an_announced_span_is_that_span_still_open() -> None:
    """The row becomes the span that it announces, which the real end replaces whatever comes first."""
    announced = msgspec.convert(json.loads((FOLDER / "pydantic_ai" / "pending.json").read_text())["span"], Span)
    open_span(announced)
    assert (announced.span_id, announced.parent_id, announced.end_ns) == ("00f067aa0ba902b7", "00f067aa0ba902b8", None)
    ended = Span(
        announced.trace_id, announced.span_id, "chat gpt-5-mini", announced.start_ns, end_ns=announced.start_ns + 9
    )
    for order in ((announced, ended), (ended, announced)):
        storage = InMemoryTraceStorage()
        for span in order:
            storage.write(Batch([span]))
        trace = storage.get(announced.trace_id)
        assert trace is not None
        assert [span.end_ns for span in trace.spans] == [ended.end_ns]


def test_a_root_is_announced_with_a_parent_of_zeros() -> None:
    """Logfire writes zeros where there is no parent; other spans stay as they are."""
    pending = {"logfire.span_type": "pending_span", "logfire.pending_parent_id": "0" * 16}
    root = Span("a" * 32, "c" * 16, "work", 1, parent_id="b" * 16, attributes=pending)
    open_span(root)
    assert (root.span_id, root.parent_id) == ("b" * 16, None)
    plain = Span("a" * 32, "c" * 16, "work", 1, parent_id="b" * 16, end_ns=2, attributes={"logfire.span_type": "span"})
    open_span(plain)
    assert (plain.span_id, plain.end_ns) == ("c" * 16, 2)
