"""Tolerant readers: numbers as text, JSON in text, cut JSON, lists as flat keys."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.normalize import reading

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "text", "number", "count"),
    [
        ("gpt-4o", "gpt-4o", None, None),
        ('"LLM"', "LLM", None, None),
        ("", None, None, None),
        (12, "12", 12.0, 12),
        ("12", "12", 12.0, 12),
        (1.5, "1.5", 1.5, 1),
        (-3, "-3", -3.0, None),
        (True, None, None, None),
        ("NaN", "NaN", None, None),
        ("1e999", "1e999", None, None),
        (["a"], None, None, None),
        (None, None, None, None),
    ],
)
def test_a_value_is_read_as_what_is_wanted_or_as_nothing(value, text, number, count):
    """Text, number and count of what emitters write, JSON-quoted text included."""
    assert (reading.as_text(value), reading.as_number(value), reading.as_count(value)) == (text, number, count)


def test_the_first_name_that_says_something_counts():
    """Names are tried in order; those that hold nothing of the type are passed over."""
    attributes = {"a": "", "b": "x", "c": "7"}
    assert reading.text(attributes, "missing", "a", "b", "c") == "x"
    assert reading.number(attributes, "b", "c") == 7.0
    assert reading.count(attributes, "b", "c") == 7
    assert reading.first(attributes, "a", "b") == "x"


def test_milliseconds_and_money():
    """Milliseconds become seconds; money below 0 is none."""
    assert reading.as_seconds("250") == 0.25
    assert (reading.as_usd("0.5"), reading.as_usd(-1)) == (0.5, None)


@pytest.mark.parametrize("value", ["stop", '["stop"]', ["stop"], '"[\\"stop\\"]"'])
def test_texts_come_as_list_or_alone(value):
    """One text, a list and JSON of either give the same texts."""
    assert reading.as_texts(value) == ["stop"]


@given(JSON, st.integers(0, 2))
def test_json_is_read_however_often_it_was_encoded(value, times):
    """A structure comes back from text, and from text in text."""
    if not isinstance(value, list | dict):
        return
    written = value
    for _ in range(times):
        written = json.dumps(written)
    assert reading.parsed(written) == value


@given(JSON, st.integers(0, 200))
def test_cut_json_gives_what_was_complete(value, kept):
    """However JSON text is cut: no error, and either its own kind of container or the text."""
    written = json.dumps(value)[:kept]
    read = reading.parsed(written)
    if read is not None and isinstance(value, list | dict) and read != written:
        assert type(read) is type(value)


@pytest.mark.parametrize(
    ("cut", "read"),
    [
        ('{"role": "user", "content": "hel', {"role": "user", "content": "hel"}),
        ('[{"a": 1}, {"b": [1, 2', [{"a": 1}, {"b": [1, 2]}]),
        ('{"a": 1, "b', {"a": 1}),
        ('{"a": "x\\"', {"a": 'x"'}),
        ('{"a": "x, {y', {"a": "x, {y"}),
        ('{"a": 1, "b": tr', {"a": 1}),
        ('{"a": 1, "b": {"c', {"a": 1}),
        ('{"a": [1, 2], "b":', {"a": [1, 2]}),
        ('[{"a": [1, 2]}, {"b": [3], "c', [{"a": [1, 2]}, {"b": [3]}]),
        ('{"a', '{"a'),
        ("{not json", "{not json"),
        ("[x] done", "[x] done"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_examples_of_cut_json(cut, read):
    """The last text as far as it goes; an item cut amid a key or a word is left out; other text stays text."""
    assert reading.parsed(cut) == read


def test_flat_keys_are_a_list_again():
    """Indexes order the list, also with holes and above 9; keys deeper down become objects and lists."""
    attributes = {
        "m.10.message.role": "user", "m.2.message.role": "system", "m.2.message.calls.0.id": "c1",
        "m.2.message.calls.1.id": "c2", "mm.0.x": 1,
    }  # fmt: skip
    assert reading.indexed(attributes, "m") == [
        {"message": {"role": "system", "calls": [{"id": "c1"}, {"id": "c2"}]}},
        {"message": {"role": "user"}},
    ]
    assert reading.indexed({"p.0": "a", "p.1": "b"}, "p") == ["a", "b"]
    assert reading.indexed({"p.name": "a"}, "p") == []
    assert reading.indexed({"p.name": "a", "p.0": "b"}, "p") == ["b"]


@given(st.dictionaries(st.text(alphabet="p.01a", max_size=9), JSON, max_size=12))
def test_any_flat_keys_are_read_without_error(attributes):
    """Keys that contradict each other (`p.0` and `p.0.a`) and odd dots raise nothing."""
    assert isinstance(reading.indexed(attributes, "p"), list)


def test_long_text_that_only_looks_like_json_costs_little():
    """What a sender may put into one attribute does not hold up the others."""
    hostile = "[" + "," * 4_000_000
    begun = time.process_time()
    assert reading.parsed(hostile) is hostile
    assert time.process_time() - begun < 1
