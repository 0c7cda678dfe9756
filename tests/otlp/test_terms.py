"""What both forms share: counting what is rejected, and taking out what travels as attributes."""

import pytest

from vestigo.otlp.terms import Decoded, event_name, own_attributes, severity, take_log_id, take_weight
from vestigo.record import Log


def test_rejected_records_are_counted_whole_and_told_in_part():
    """A reason may stand for many records; twenty reasons are kept."""
    found = Decoded()
    for number in range(30):
        found.reject(f"reason {number}", 2)
    assert (found.rejected, len(found.reasons), found.reasons[-1]) == (60, 20, "reason 19")
    assert Decoded().reasons == []


@pytest.mark.parametrize(
    ("weight", "taken"),
    [(2, 2.0), (0.5, 0.5), (True, 1.0), (0, 1.0), (-1, 1.0), ("9", 1.0), (float("inf"), 1.0), (None, 1.0)],
)
def test_a_weight_is_taken_out_if_it_makes_sense(weight, taken):
    """And it is gone from the attributes either way."""
    attributes = {"vestigo.weight": weight, "k": 1}
    assert take_weight(attributes) == taken
    assert attributes == {"k": 1}


def test_own_attributes_are_taken_back():
    """Weight and id of a log; an id that is none is dropped."""
    own = own_attributes(Log(1, weight=3.0, log_id="a" * 32))
    assert (take_weight(own), take_log_id(own), own) == (3.0, "a" * 32, {})
    assert take_log_id({"vestigo.log_id": "A" * 32}) == take_log_id({"vestigo.log_id": 5}) == ""
    assert own_attributes(Log(1)) == {}


def test_older_spellings_of_logs_are_understood():
    """The event's name as an attribute, the level as a name."""
    assert event_name("", {"event.name": "old"}) == "old"
    assert event_name("new", {"event.name": "old"}) == "new"
    assert event_name(None, {"event.name": 5}) == ""
    assert [severity(0, "Error"), severity(None, None), severity(30, "x"), severity(-3, None)] == [17, 9, 24, 1]
