"""Records: what a trace says of itself, whatever is missing."""

import msgspec

from vestigo.record import Batch, Log, NormalForm, Span, Trace, order_spans


def span(number, parent=None, start=None, end=10, **more):
    return Span("a" * 32, f"{number:016x}", f"s{number}", start or number, parent and f"{parent:016x}", end, **more)


def test_spans_are_ordered_by_start_with_the_root_first():
    """The root is the first without a parent, or else the first whose parent is not there."""
    late_root, child = span(1, start=9), span(2, parent=1, start=3)
    assert [one.name for one in order_spans([child, late_root])] == ["s1", "s2"]
    assert [one.name for one in order_spans([span(3, parent=2), span(2, parent=7)])] == ["s2", "s3"]
    assert order_spans([]) == []


def test_a_trace_tells_its_times_status_and_metadata():
    """From the earliest start to the latest end; ERROR if any span failed; what `trace()` was given."""
    root = span(1, end=100, attributes={"metadata.tier": "gold", "x": 1})
    failed = span(2, parent=1, end=200, status="ERROR", status_message="boom")
    trace = Trace("a" * 32, [root, failed])
    assert (trace.duration_ns, trace.status, trace.error_message) == (199, "ERROR", "boom")
    assert trace.metadata == {"tier": "gold"}
    assert trace.root_span_id == root.span_id
    assert (trace.start_time, trace.end_time) == (1e-9, 200e-9)


def test_an_open_trace_has_no_end():
    """None, not 0, while the root runs."""
    trace = Trace("a" * 32, [span(1, end=None), span(2, parent=1)])
    assert (trace.duration_ms, trace.end_time, trace.status) == (None, None, "UNSET")
    assert Trace("a" * 32).root is None
    assert Trace("a" * 32).metadata == {}


def test_records_survive_json():
    """Encoding and decoding gives the same record."""
    one = span(1, normal=NormalForm(kind="llm"), attributes={"a": [1, {"b": None}]})
    assert msgspec.json.decode(msgspec.json.encode(one), type=Span) == one
    log = Log(5, 17, {"x": 1}, "event", {"k": True})
    assert msgspec.json.decode(msgspec.json.encode(log), type=Log) == log
    assert len(Batch([one], [log])) == 2
