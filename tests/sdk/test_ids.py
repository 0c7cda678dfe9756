"""Ids of our own: distinct whatever the program does to `random`, and right in form."""

import os
import random

from hypothesis import given
from hypothesis import strategies as st

from vestigo.sdk.ids import is_span_id, is_trace_id, new_span_id, new_trace_id, trace_id_from


def test_ids_are_distinct_although_the_program_seeds_random():
    """`random.seed(0)` before each id changes nothing."""
    found = set()
    for _ in range(1_000):
        random.seed(0)
        found |= {new_trace_id(), new_span_id()}
    assert len(found) == 2_000
    assert all(is_trace_id(one) or is_span_id(one) for one in found)


def test_forked_children_have_ids_of_their_own():
    """Four children and their parent make 500 distinct ids."""
    found = [new_span_id() for _ in range(100)]
    for _ in range(4):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            random.seed(0)
            os.write(theirs, "".join(new_span_id() for _ in range(100)).encode())
            os._exit(0)
        os.close(theirs)
        os.waitpid(child, 0)
        text = os.read(ours, 10_000).decode()
        os.close(ours)
        found += [text[at : at + 16] for at in range(0, len(text), 16)]
    assert len(set(found)) == 500


@given(st.text(max_size=60))
def test_any_text_gives_the_same_valid_trace_id(text):
    """Derived ids are valid, and the same each time; the text is kept where it was none."""
    trace_id, correlation = trace_id_from(text)
    assert is_trace_id(trace_id)
    assert trace_id_from(text) == (trace_id, correlation)
    assert correlation in {None, text}


def test_hex_and_uuids_are_trace_ids_as_they_stand():
    """In any case, with or without dashes and braces."""
    for text in ("A" * 32, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "{AAAAAAAA-AAAA-AAAA-AAAA-AAAAAAAAAAAA}"):
        assert trace_id_from(text) == ("a" * 32, None)
    assert trace_id_from("0" * 32)[1] == "0" * 32
