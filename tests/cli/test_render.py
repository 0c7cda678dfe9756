"""Numbers and text for people: short, aligned, harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.cli import render
from vestigo.record import Log, Span, Trace


@pytest.mark.parametrize(
    ("nanoseconds", "told"),
    [(None, "…"), (900, "1 us"), (430_000_000, "430 ms"), (2_314_000_000, "2.31 s"), (200_000_000_000, "3 m 20 s")],
)
def test_durations_are_told_in_the_unit_that_fits(nanoseconds, told):
    """Microseconds to minutes."""
    assert render.duration(nanoseconds) == told


@pytest.mark.parametrize(
    ("usd", "told"), [(None, ""), (0.0, "$0.0000"), (0.0031, "$0.0031"), (2.5, "$2.50"), (2e-6, "$2.0e-06")]
)
def test_dollars_keep_what_counts(usd, told):
    """Cents above a dollar, four places below, never 0 for something."""
    assert render.dollars(usd) == told


@given(st.text(), st.integers(2, 40))
def test_plain_text_is_harmless_and_fits(text, width):
    """No control character, no line break, never wider than asked."""
    told = render.plain(text, width)
    assert render.wide(told) <= width
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in told)


def test_wide_letters_count_twice():
    """East Asian letters take two columns, combining marks none."""
    assert render.wide("返金ab") == 6
    assert render.wide("e\u0301") == 1


def test_a_tree_survives_cycles_orphans_and_depth():
    """Every span is drawn once, however its parents are tangled, at any depth."""
    deep = [
        Span("a" * 32, f"{n:016x}", f"s{n}", n, None if n == 1 else f"{n - 1:016x}", n + 1) for n in range(1, 1_500)
    ]
    tangled = [
        Span("a" * 32, "f" * 16, "orphan", 9, "e" * 16, 10),
        Span("a" * 32, "c" * 16, "own parent", 11, "c" * 16, 12),
    ]
    trace = Trace("a" * 32, [*deep, *tangled])
    told = "\n".join(render.tree_lines(trace))
    assert all(told.count(f" {span.name} ") == 1 for span in trace.spans)


def test_what_was_said_may_stand_in_the_logs():
    """A call without content shows that of the log records that belong to it."""
    span = Span("a" * 32, "b" * 16, "chat", 1, end_ns=2, attributes={"gen_ai.operation.name": "chat"})
    told = Log(2, event_name="gen_ai.choice", body={"message": {"content": "Rain."}}, trace_id="a" * 32)
    lines = [list(render.tree_lines(Trace("a" * 32, [span], [told]), said=True))]
    told.span_id = "b" * 16
    lines.append(list(render.tree_lines(Trace("a" * 32, [span], [told]), said=True)))
    assert [any("assistant: Rain." in line for line in shown) for shown in lines] == [False, True]
