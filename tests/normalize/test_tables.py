"""The engine that dialects share."""

import pytest

from vestigo.normalize.tables import inclusive, read_table, reported, table
from vestigo.record import Cost, NormalForm, Span, Usage

KINDS = {"LLM": "llm", "AGENT": "agent"}
NAMES = {
    "kind": ("x.kind", "x.type"), "request_model": ("x.model", "x.old_model"), "ttft_s": ("x.ttft_s",),
    "ttft_ms": ("x.ttft_ms",), "input": ("x.in",), "cache_read": ("x.cached",), "output": ("x.out",),
    "input_usd": ("x.cost.in",), "output_usd": ("x.cost.out",),
}  # fmt: skip


def read(attributes, exclusive=False):
    return read_table(
        Span("a" * 32, "b" * 16, "s", 1, attributes=attributes), table("x", NAMES, KINDS, exclusive=exclusive)
    )


def test_each_field_comes_from_its_best_attribute():
    """Whatever the order of the attributes, the first name of a field that holds something wins."""
    for attributes in ({"x.model": "new", "x.old_model": "old"}, {"x.old_model": "old", "x.model": "new"}):
        assert read(attributes).request_model == "new"
    assert read({"x.model": None, "x.old_model": "old"}).request_model == "old"


def test_the_kind_is_mapped_without_regard_to_case():
    """A kind that the dialect does not know gives way to the next attribute, and else is `span`."""
    assert read({"x.kind": "llm"}).kind == "llm"
    assert read({"x.kind": "banana", "x.type": '"LLM"'}).kind == "llm"
    assert read({"x.kind": "banana"}).kind == "span"


def test_agents_are_rollups():
    """The usage of an agent repeats that of its calls."""
    assert (read({"x.kind": "AGENT"}).usage_role, read({"x.kind": "LLM"}).usage_role) == ("rollup", "leaf")


def test_usage_is_inclusive():
    """Cached tokens are added where the dialect tells them apart, or where the numbers say so."""
    told = {"x.in": 10, "x.cached": 4, "x.out": "3"}
    assert read(told).usage == Usage(input=10, cache_read=4, output=3)
    assert read(told, exclusive=True).usage == Usage(input=14, cache_read=4, output=3)
    assert inclusive(Usage(input=1, cache_read=4)).input == 5
    assert inclusive(Usage(cache_read=4), exclusive=True) == Usage(cache_read=4)
    assert read({}).usage is None


def test_time_to_first_token_is_seconds():
    """Milliseconds and seconds fill one field."""
    assert (read({"x.ttft_ms": 250}).ttft_s, read({"x.ttft_s": 0.5}).ttft_s) == (0.25, 0.5)


def test_a_cost_is_the_sum_of_its_parts():
    """Where only the parts are told, the total is theirs; one part alone is no total."""
    assert read({"x.cost.in": 0.1, "x.cost.out": 0.2}).cost == reported(None, 0.1, 0.2)
    assert reported(0.5) == Cost(total_usd=0.5, source="reported")
    assert reported(None, 0.1) is None


def test_what_any_span_may_say_is_in_every_table():
    """Session, user and a reported cost are read for every dialect."""
    assert read({"session.id": "s", "gen_ai.usage.cost": 0.5}) == NormalForm(
        dialect="x", session_id="s", cost=reported(0.5)
    )


def test_an_extended_table_prefers_its_own_names():
    """A dialect that builds on another adds names before, and kinds beside, the other's."""
    more = table("x", NAMES, KINDS).extended("y", {"request_model": ("y.model",)}, {"TASK": "chain"})
    span = Span("a" * 32, "b" * 16, "s", 1, attributes={"x.model": "x", "y.model": "y", "x.kind": "TASK"})
    form = read_table(span, more)
    assert (form.dialect, form.request_model, form.kind) == ("y", "y", "chain")


def test_an_unknown_field_is_refused():
    """A table that names no field of the normal form is a mistake in the program."""
    with pytest.raises(ValueError, match="no field 'modle'"):
        table("x", {"modle": ("x.model",)}, {})
