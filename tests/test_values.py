"""Any Python value becomes JSON values, within bounds, and nothing ever raises."""

import dataclasses
import datetime as dt
import math
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.values import pack, tidy, unpack


class Hostile:
    def __init__(self, name):
        self.name = name

    def __getattribute__(self, name):
        if name == "__class__" or name.startswith("__"):
            return object.__getattribute__(self, name)
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    def __str__(self):
        raise RuntimeError("no")


def kept(value):
    """What a reader gets, and that it is JSON."""
    found = unpack(pack(value))
    msgspec.json.encode(found)
    return found


def test_plain_containers_come_back_equal():
    """Lists, dicts, text, numbers, booleans and None."""
    value = {"a": [1, 2.5, "x", True, None, {"b": []}], "ü": "返金"}
    assert kept(value) == value
    assert kept((1, 2)) == [1, 2]
    assert sorted(kept({1, 2})) == [1, 2]


def test_a_copy_is_taken_at_once():
    """What the program does to its list afterwards is not seen."""
    history = [{"role": "user"}]
    packed = pack(history)
    history.append("later")
    history[0]["role"] = "changed"
    assert unpack(packed) == [{"role": "user"}]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([math.nan, math.inf, -math.inf], ["NaN", "Infinity", "-Infinity"]),
        ([b"\x00\xff"], ["base64:AP8="]),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ([2**70], [str(2**70)]),
        ([dt.datetime(2026, 1, 2, tzinfo=dt.UTC)], ["2026-01-02T00:00:00+00:00"]),
    ],
)
def test_what_json_cannot_say_becomes_a_visible_marker(value, told):
    """Never null, never an error."""
    assert kept(value) == told


def test_lone_surrogates_become_replacement_characters():
    """What follows them stays."""
    (found,) = kept(["\ud800x"])
    assert found.endswith("x")
    assert set(found[:-1]) == {"\ufffd"}


def test_a_huge_integer_is_told_by_its_size():
    """10**400 has no place in JSON's 64 bits."""
    assert "bits" in str(kept([10**4_000])[0])


def test_objects_are_read_by_their_own_dump_or_their_text():
    """Dataclasses, msgspec structs, models with model_dump, anything else as str()."""

    @dataclasses.dataclass
    class Point:
        x: int

    class Model:
        def model_dump(self):
            return {"a": 1}

    assert kept([Point(1)]) == [{"x": 1}]
    assert kept(Model()) == {"a": 1}
    assert "Fraction" in kept([__import__("fractions").Fraction])[0]


def test_hostile_objects_become_markers_that_name_their_class():
    """Whatever a dunder raises, the value says whose it was."""
    assert "Hostile" in str(kept([Hostile("x")]))
    assert "Hostile" in str(kept(Hostile("x")))


def test_cycles_and_depth_end_in_a_marker():
    """A list in itself, 5,000 lists in each other."""
    cycle = []
    cycle.append(cycle)
    deep = []
    for _ in range(5_000):
        deep = [deep]
    assert "deeper" in str(kept(cycle))
    assert "deeper" in str(kept(deep))


def test_a_million_items_are_cut_in_little_time():
    """Bounded items and time: 50 ms with three times the slack for a busy machine."""
    began = time.perf_counter()
    found = kept(list(range(1_000_000)))
    assert time.perf_counter() - began < 0.15
    assert "left out" in str(found[-1])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_comes_is_kept_as_json(value):
    """Never raises, and the result can be written; a hostile neighbour changes nothing."""
    assert kept([value, Hostile("x")])[0] == kept([value])[0]


@given(VALUES)
def test_tidying_twice_changes_nothing(value):
    """What has been tidied is JSON already."""
    once = kept([value])
    assert tidy(msgspec.json.decode(msgspec.json.encode(once))) == msgspec.json.decode(msgspec.json.encode(once))
