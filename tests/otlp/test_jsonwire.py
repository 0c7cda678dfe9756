"""The structs of OTLP JSON: enums, numbers and ids in every spelling, values as deep as they may be."""

import pytest

from vestigo.errors import IngestError
from vestigo.otlp.jsonwire import any_of, read_enum, read_id, read_int, read_optional_id, read_request, read_value


@pytest.mark.parametrize(
    ("wire", "number"), [(3, 3), ("KIND_A", 7), ("5", 5), ("KIND_B", 0), ("", 0), (None, 0), ("9" * 5_000, 0), ("²", 0)]
)
def test_enums_are_numbers_or_names(wire, number):
    """What is not known is 0, as protobuf has it."""
    assert read_enum(wire, {"KIND_A": 7}) == number


def test_ids_are_lower_case_whatever_was_sent():
    """And exactly as long as they must be; zeros mean none where an id may be missing."""
    assert read_id("AB" * 8, 16, "spanId") == "ab" * 8
    assert read_optional_id("0" * 16, 16, "spanId") is read_optional_id(None, 16, "spanId") is None
    for wrong in ("ab" * 7, "ab" * 9, "ab" * 8 + "\n", "0" * 16, "gg" * 8, None):
        with pytest.raises(IngestError, match="spanId"):
            read_id(wrong, 16, "spanId")


def test_integers_fit_64_bits():
    """As text or number."""
    assert [read_int(wire, "n") for wire in ("-5", 7, None, str(2**63 - 1))] == [-5, 7, 0, 2**63 - 1]
    for wrong in (2**63, "x", "", "9" * 10_000):
        with pytest.raises(IngestError, match="n "):
            read_int(wrong, "n")


def test_values_may_be_64_levels_deep():
    """One more is refused."""
    value = "leaf"
    for _ in range(64):
        value = [value]
    assert read_value(any_of(value)) == value
    with pytest.raises(IngestError, match="too deep"):
        read_value(any_of({"k": value}))


def test_a_body_that_is_no_request_is_refused():
    """Another shape, no JSON, no UTF-8, no end."""
    for wrong in (
        b"[]",
        b"",
        b"{",
        b'{"resourceSpans":1}',
        b'{"resourceSpans":[{"schemaUrl":"\xff"}]}',
        b"[" * 100_000,
    ):
        with pytest.raises(IngestError):
            read_request(wrong)
