"""The text that Prometheus reads: escaping, numbers, families, negotiation."""

import math

import pytest
from exposition_lines import read, value_of
from hypothesis import given
from hypothesis import strategies as st

from vestigo.server.exposition import Exposition, clean, wants_openmetrics, write_labels, write_number


@given(st.lists(st.text(max_size=30), unique_by=clean, max_size=5), st.booleans())
def test_any_text_as_a_label_comes_back_as_it_was_cleaned(texts, openmetrics):
    """Quotes, backslashes, newlines, controls and lone surrogates neither break a line nor make another."""
    out = Exposition(openmetrics)
    out.family("things_total", "counter", 'what "you"\nsee \\ here')
    for number, text in enumerate(texts):
        out.sample("things_total", write_labels({"name": clean(text)}), number)
    families = read(out.text().encode().decode(), openmetrics)
    for number, text in enumerate(texts):
        assert value_of(families, "things_total", name=clean(text)) == number


def test_a_hostile_name_stays_one_label():
    """The classic: a name that closes the quotes, ends the line and begins a sample of its own."""
    hostile = 'x"} 1\nvestigo_llm_cost_usd_total{model="gpt\\'
    out = Exposition()
    out.family("calls_total", "counter", "calls")
    out.sample("calls_total", write_labels({"model": clean(hostile)}), 1)
    families = read(out.text())
    assert list(families) == ["calls_total"]
    assert families["calls_total"][1] == {("calls_total", (("model", hostile),)): 1.0}


def test_text_is_cut_and_has_no_control_characters():
    """A label's value is at most 200 characters, of UTF-8, without NUL."""
    assert clean("a" * 1000) == "a" * 200
    assert clean("a\x00b\rc\ud800") == "a�b�c?"
    assert clean(["list"]) == "['list']"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (3, "3"),
        (0.25, "0.25"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value, text):
    """Whole numbers without a point, the rest as the shortest decimal, and the three names of what is no number."""
    assert write_number(value) == text


def test_buckets_add_up():
    """A histogram's buckets are cumulative, the last is +Inf and equals the count."""
    out = Exposition()
    out.family("wait_seconds", "histogram", "wait")
    out.histogram("wait_seconds", 'route="/"', ["0.1", "1.0"], [2, 3, 4], 12.5)
    assert out.lines[2:] == [
        'wait_seconds_bucket{route="/",le="0.1"} 2',
        'wait_seconds_bucket{route="/",le="1.0"} 5',
        'wait_seconds_bucket{route="/",le="+Inf"} 9',
        'wait_seconds_sum{route="/"} 12.5',
        'wait_seconds_count{route="/"} 9',
    ]
    out = Exposition()
    out.histogram("wait", "", ["1"], [0, 1], 2.0)
    assert out.lines == ['wait_bucket{le="1"} 0', 'wait_bucket{le="+Inf"} 1', "wait_sum 2", "wait_count 1"]


def test_a_counter_is_named_without_total_in_openmetrics():
    """TYPE names the family there, and the text ends with EOF."""
    out = Exposition(openmetrics=True)
    out.family("calls_total", "counter", "calls")
    out.sample("calls_total", "", 1)
    assert out.text() == "# HELP calls calls\n# TYPE calls counter\ncalls_total 1\n# EOF\n"


PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (PROMETHEUS_2_42, True),
        ("application/openmetrics-text; version=1.0.0; escaping=allow-utf-8;q=0.6,text/plain;q=0.5", True),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=high", False),
        ("", False),
        ("*/*", False),
        ("APPLICATION/OPENMETRICS-TEXT", True),
    ],
)
def test_openmetrics_is_given_to_who_asks_for_it(accept, wanted):
    """By the weights of the Accept header; everybody else gets the plain text."""
    assert wants_openmetrics(accept) is wanted
