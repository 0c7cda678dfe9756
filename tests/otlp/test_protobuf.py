"""Reading protobuf: records are read the same whatever their size and wherever a slice of the request ends."""

import pytest

from vestigo import otlp
from vestigo.otlp import protobuf
from vestigo.record import Event, Scope, Span


def spans(number):
    return [
        Span("a" * 32, f"{n:016x}", f"work {n}", n, attributes={"text": "x" * (n * 37 % 500)}, events=[Event(n, "e")])
        for n in range(1, number + 1)
    ]


@pytest.mark.parametrize("size", [1, 50, 300, 1_000, 1 << 18])
def test_slices_change_nothing(size, monkeypatch):
    """From one record at a time, each looked through before, to the whole request at once."""
    given = spans(40)
    monkeypatch.setattr(protobuf, "_SLICE", size)
    found = otlp.decode("traces", "protobuf", otlp.encode("traces", "protobuf", given))
    assert (found.spans, found.reasons) == (given, [])


def test_a_long_record_is_read_among_short_ones():
    """A message of a megabyte is no bomb."""
    given = spans(5)
    given[2].attributes["gen_ai.input.messages"] = "long " * 300_000
    found = otlp.decode("traces", "protobuf", otlp.encode("traces", "protobuf", given))
    assert (found.spans, found.reasons) == (given, [])


def test_what_stands_twice_is_merged():
    """Requests laid end to end are one request, as protobuf has it; a scope may stand behind its records."""
    one = otlp.encode("traces", "protobuf", spans(2))
    assert otlp.decode("traces", "protobuf", one + one).spans == spans(2) * 2
    record = b"\x12\x1c\x0a\x10" + b"a" * 16 + b"\x12\x08" + b"b" * 8
    scope = b"\x0a\x05\x0a\x03lib"
    scoped = record + scope + record
    data = b"\x0a%c\x12%c%b" % (len(scoped) + 2, len(scoped), scoped)
    assert [span.scope for span in otlp.decode("traces", "protobuf", data).spans] == [Scope("lib")] * 2
