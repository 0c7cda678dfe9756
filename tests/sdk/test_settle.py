"""What the caller packed becomes JSON values; snapshots of open spans share nothing with them."""

from vestigo.record import Event, Span
from vestigo.sdk.settle import cut, settle_span, snapshot
from vestigo.values import pack


def test_packed_values_are_unpacked_everywhere():
    """In attributes and events."""
    span = Span(
        "a" * 32, "b" * 16, "s", 1, attributes={"x": pack([1])}, events=[Event(2, "e", {"y": pack({"z": b"\x00"})})]
    )
    settle_span(span)
    assert span.attributes == {"x": [1]}
    assert span.events[0].attributes == {"y": {"z": "base64:AA=="}}


def test_a_snapshot_shares_nothing_with_the_open_span():
    """What the program sets afterwards is not in it."""
    span = Span("a" * 32, "b" * 16, "s", 1, attributes={"x": 1}, events=[Event(2, "e", {})])
    taken = snapshot(span)
    span.attributes["y"] = 2
    span.events[0].attributes["z"] = 3
    span.end_ns = 9
    assert (taken.attributes, taken.events[0].attributes, taken.end_ns) == ({"x": 1}, {}, None)


def test_cutting_never_goes_through_a_character():
    """The kept part is valid, and short text is the same object."""
    assert cut("short", 100) == "short"
    long = cut("ü" * 100, 51)
    assert long.startswith("ü" * 25 + "…")
    assert "200 bytes" in long
