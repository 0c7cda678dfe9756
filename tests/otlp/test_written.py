"""Protobuf written byte by byte: without a library, and what does not fit is refused."""

import subprocess
import sys

import pytest

from vestigo import otlp
from vestigo.record import Event, Log, Span

WITHOUT = """
import sys
sys.modules["google"] = sys.modules["opentelemetry"] = None
from vestigo import otlp
from vestigo.record import Log, Point, Span
assert otlp.encode("traces", "protobuf", [Span("a" * 32, "b" * 16, "x", 1)])
assert otlp.encode("logs", "protobuf", [Log(1, body="x")])
assert otlp.decode("traces", "json", otlp.encode("traces", "json", [Span("a" * 32, "b" * 16, "x", 1)])).spans
assert otlp.decode("metrics", "json", otlp.encode("metrics", "json", [Point("x", 1, value=1)])).points
for work in (lambda: otlp.decode("traces", "protobuf", b""), lambda: otlp.encode("metrics", "protobuf", [])):
    try:
        work()
    except ImportError:
        continue
    raise SystemExit("took protobuf from somewhere")
"""


def test_no_library_is_needed_to_send():
    """JSON both ways and writing spans and logs in protobuf work without it; reading protobuf raises ImportError."""
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=60)


@pytest.mark.parametrize(
    "span",
    [
        Span("a" * 32, "b" * 16, "x", -1),
        Span("a" * 32, "b" * 16, "x", 1, end_ns=2**64),
        Span("a" * 32, "b" * 16, "x", 1, attributes={"n": 2**63}),
        Span("a" * 32, "b" * 16, "x", 1, events=[Event(1, "e", {"n": [{"m": -(2**63) - 1}]})]),
        Span("a" * 32, "b" * 16, "\ud800", 1),
        Span("zz", "b" * 16, "x", 1),
    ],
)
def test_what_does_not_fit_is_refused(span):
    """ValueError, as the official classes raise, and never bytes that mean something else."""
    with pytest.raises(ValueError):
        otlp.encode("traces", "protobuf", [span])


def test_sizes_of_every_length_are_written():
    """Texts around the places where their size takes one more byte."""
    for length in (0, 1, 127, 128, 4_095, 4_096, 16_383, 16_384, 2_097_152):
        log = Log(1, body="x" * length, attributes={"k": "y" * length})
        (back,) = otlp.decode("logs", "protobuf", otlp.encode("logs", "protobuf", [log])).logs
        assert back == log
