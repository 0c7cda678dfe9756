"""The forms of secrets, one by one: what each check lets through and what it does not."""

# ruff: noqa: E501  tables are read by line

import pytest
import re2
from labelled import luhn

from vestigo.detectors import DETECTORS, Form, Gate, compile_detector, compile_pattern, expand, passes_luhn


def found(name, text):
    data = text.encode()
    forms = [compile_detector(detector) for detector in DETECTORS if detector.name == name]
    return [data[start:end].decode() for form in forms for start, end in form.find(data)]


def test_luhn_accepts_exactly_one_check_digit():
    """ISO/IEC 7812-1: of ten last digits one is right."""
    for body in ("411111111111111", "37828224631000", "9", "0"):
        assert [digit for digit in "0123456789" if passes_luhn(body + digit)] == [luhn(body)[-1]]


@pytest.mark.parametrize(
    ("name", "text", "hidden"),
    [
        ("card", "4111111111111111", ["4111111111111111"]),
        ("card", "2024 4111 1111 1111 1111 12/27", ["4111 1111 1111 1111"]),
        ("card", "3782 822463 10005", ["3782 822463 10005"]),
        ("card", '{"note": "4111111111111111", "n": 1}', ["4111111111111111"]),
        ("card", '{"n": 4111111111111111}', []),
        ("card", "0.4111111111111111 x4111111111111111 4111111111111111.5 4111111111111111-2 44111111111111111", []),
        ("card", "4111111111111112 0000000000000000 9411111111111111", []),
        ("iban", "GB82WEST12345698765432 GB82 WEST 1234 5698 7654 32 PLEASE", ["GB82WEST12345698765432", "GB82 WEST 1234 5698 7654 32"]),
        ("iban", "GB83WEST12345698765432 ZZ82WEST12345698765432 GB82WEST123456987654321", []),
        ("ssn", "123-45-6789", ["123-45-6789"]),
        ("ssn", "000-45-6789 666-45-6789 923-45-6789 123-00-6789 123-45-0000 1123-45-6789 123-45-67890", []),
        ("ip", "at 10.1.2.3:80, http://8.8.4.4/x fe80::1ff:fe23:1", ["10.1.2.3", "8.8.4.4", "fe80::1ff:fe23:1"]),
        ("ip", "127.0.0.1 0.0.0.0 255.255.0.0 999.1.1.1 version 1.2.3.4 v1.2.3.4 1.2.3.4.5 std::string a::b 15:00:00 ::1", []),
        ("ip", "2001:db8:0:0:0:0:2:1 and 2001:db8::2:", ["2001:db8:0:0:0:0:2:1", "2001:db8::2"]),
        ("email", "'a@b.co' git@github.com:x/y logo@2x.png é@ü.example", ["a@b.co", "é@ü.example"]),
        ("phone", "+1 415 555 2671, (415) 555-2671x9 +4930123456", ["+1 415 555 2671", "+4930123456", "415 555 2671", "(415) 555-2671"]),
        ("phone", "2024-05-15 15:00 1200 - 500 - 300 +12 34 415-555-2671-1", []),
        ("openai", "sk-" + "a" * 30 + " sk-" + "aB" * 15, ["sk-" + "aB" * 15]),
        ("bearer", "bearer certificates bearer " + "x" * 30, ["x" * 30]),
        ("basic", "Basic dXNlcjpwYXNz basic knowledge basic abcdefgh basic abcdefghi", ["dXNlcjpwYXNz"]),
        ("azure", "sha512-" + "a" * 86 + "== key " + "b" * 86 + "==", ["b" * 86 + "=="]),
        ("jwt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0. eyJhbGciOi", ["eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."]),
    ],
)  # fmt: skip
def test_a_form_finds_its_own_and_leaves_look_alikes(name, text, hidden):
    """Checks beyond the pattern: schemes, check digits, neighbours, countries."""
    assert found(name, text) == hidden


def test_a_line_break_of_json_before_a_secret_is_no_part_of_it():
    """A backslash and an n stand before the secret in JSON text; the escape stays whole."""
    key = "ghp_" + "a1" * 18
    assert found("github", f'"x\\n{key}\\n"') == [key]
    assert found("github", f"MY_{key}") == [key]
    assert found("email", '"x\\nanna@example.com\\n"') == ["anna@example.com"]
    assert found("card", '"x\\n4111111111111111\\n"') == ["4111111111111111"]


def test_every_gate_is_found_wherever_its_pattern_is():
    """Each form alone in a gate: what the pattern matches, the gate reports."""
    from labelled import samples

    for detector in DETECTORS:
        form = compile_detector(detector)
        gate = Gate([(form, expand(detector.gate or detector.pattern))], ())
        for sample in samples(seed=3, each=3):
            data = sample.text.encode()
            assert not list(form.find(data)) or gate.match(data) == {0}, (detector.name, sample.text)


def test_a_gate_too_large_for_its_memory_is_refused():
    """RE2 would find nothing and say nothing."""
    large = r"(?i)[\pL\pN]{1000}"
    with pytest.raises(re2.error):
        Gate([(Form(f"p{n}", compile_pattern("x")), large + str(n)) for n in range(4)], ())
