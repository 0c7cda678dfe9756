"""The guard on the bytes: what holds too much is refused before any object is built, quickly and in little memory."""

import subprocess
import sys

import pytest

from vestigo import otlp
from vestigo.errors import IngestError
from vestigo.otlp.count import Budget, check_json, check_protobuf, split, varint

IDS = b"\x0a\x10" + b"a" * 16 + b"\x12\x08" + b"b" * 8


def number(value):
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes((*groups, value))


def field(key, content):
    return number(key << 3 | 2) + number(len(content)) + content


def test_numbers_are_read():
    """Of one to ten bytes; a longer one is none."""
    for value in (0, 1, 127, 128, 300, 2**32, 2**64 - 1):
        assert varint(b"x" + number(value), 1) == (value, 1 + len(number(value)))
    with pytest.raises(IngestError):
        varint(b"\xff" * 11, 0)


def test_a_message_is_split():
    """Into the places of one field and all other bytes, in order, whatever the tags' length."""
    other = field(1, b"head") + b"\x18\x05" + b"\x21" + b"8" * 8 + b"\x2d" + b"4" * 4 + field(1000, b"far")
    data = field(2, b"one") + other + field(2, b"two" * 100)
    rest, found = split(data, 0, len(data), 2, 100)
    assert rest == other
    assert [data[start:end] for _, _, start, end in found] == [b"one", b"two" * 100]
    assert [data[begin:end] for _, begin, _, end in found] == [field(2, b"one"), field(2, b"two" * 100)]


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05abc", b"\x0b", b"\x09abc", b"\x08", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_what_is_no_protobuf_is_refused(data):
    """Cut short, of a group, of a number without end."""
    with pytest.raises(IngestError):
        split(data, 0, len(data), 1, 100)
    with pytest.raises(IngestError):
        check_protobuf(data, 0, len(data), "traces", Budget())


def test_messages_within_a_record_are_counted():
    """Attributes, values in lists and maps, events; numbers that lie packed count each."""
    span = IDS + field(9, field(1, b"key") + field(2, field(5, field(1, b"") * 10))) + field(11, field(3, b""))
    budget = Budget()
    before = budget.fields
    check_protobuf(span, 0, len(span), "traces", budget)
    assert before - budget.fields == 2 + (3 + 1 + 10) + 2
    metric = field(10, field(1, field(8, field(2, b"\x01" * 50))))
    check_protobuf(metric, 0, len(metric), "metrics", budget)
    assert before - budget.fields == 18 + 3 + 50


def test_json_is_counted_outside_of_strings():
    """A long text full of commas is no bomb, whatever it escapes and even if it does not end."""
    check_json(b'{"a":"' + b",{[" * 1_000_000 + b'"}')
    check_json(b'{"a":"' + b',\\"' * 2_500_000 + b'"}')
    check_json(b'{"a":"' + b',\\"' * 2_500_000)
    with pytest.raises(IngestError, match="smaller"):
        check_json(b'{"a":"\\"",' + b"[1,2]," * 1_100_000)


BIG = 16 << 20


def wrapped(spans):
    return field(1, field(2, spans))


def filled(unit, size=BIG):
    return unit * (size // len(unit))


def span_of(content):
    return field(2, IDS + content)


def attribute(value):
    return field(9, field(2, value))


def buckets(counts):
    return field(8, field(2, counts))


def json_of(spans):
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + spans + b"]}]}]}"


JSON_SPAN = b'{"traceId":"' + b"a" * 32 + b'","spanId":"' + b"b" * 16 + b'",'
LIST = b'"attributes":[{"key":"k","value":{"arrayValue":{"values":['
MAP = b"\x0a\x02\x32\x00"  # an empty one, in a list
BOMBS = {
    "groups": ("traces", "protobuf", lambda: filled(b"\x0a\x00")),
    "spans": ("traces", "protobuf", lambda: wrapped(filled(b"\x12\x00"))),
    "attributes of one span": ("traces", "protobuf", lambda: wrapped(span_of(filled(b"\x4a\x00")))),
    "attributes of many spans": ("traces", "protobuf", lambda: wrapped(filled(span_of(b"\x4a\x00" * 100_000)))),
    "links": ("traces", "protobuf", lambda: wrapped(filled(span_of(field(13, IDS) * 4_000)))),
    "items": ("traces", "protobuf", lambda: wrapped(filled(span_of(attribute(field(5, MAP * 50_000)))))),
    "resource": ("traces", "protobuf", lambda: field(1, field(1, filled(b"\x0a\x00")) + field(2, span_of(b"")))),
    "points": ("metrics", "protobuf", lambda: wrapped(field(2, field(5, filled(b"\x0a\x00"))))),
    "buckets": ("metrics", "protobuf", lambda: wrapped(field(2, field(10, field(1, buckets(filled(b"\x01"))))))) ,
    "JSON spans": ("traces", "json", lambda: json_of(filled(b"{},") + b"{}")),
    "JSON numbers": ("traces", "json", lambda: json_of(b"1," * 1_900_000 + b"1")),
    "JSON items": ("traces", "json", lambda: json_of(JSON_SPAN + LIST + b"{}," * 900_000 + b"{}]}}}]}")),
    "JSON attributes": (
        "traces", "json",
        lambda: json_of(JSON_SPAN + b'"attributes":[' + b'{"key":"k","value":{}},' * 700_000 + b"{}]}"),
    ),
    "JSON depth": ("traces", "json", lambda: json_of(JSON_SPAN + b'"x":' + b"[" * 900_000 + b"]" * 900_000 + b"}")),
    "JSON integer": ("traces", "json", lambda: json_of(JSON_SPAN + b'"kind":' + b"9" * BIG + b"}")),
    "JSON text": ("traces", "json", lambda: b'{"a":"' + b',\\"' * (BIG // 3)),
}  # fmt: skip
_MEASURE = """
import resource, sys, time
from vestigo import otlp
from vestigo.errors import IngestError
import vestigo.otlp.protobuf
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
try:
    found = otlp.decode(sys.argv[1], sys.argv[2], data)
    told = "taken" if not found.rejected else "rejected"
except IngestError:
    told = "refused"
print(told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, time.process_time() - begin)
"""


def measure(bomb):
    """What became of it, MiB of memory above those of the request itself, seconds of processor."""
    signal, form, make = BOMBS[bomb]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, signal, form], input=make(), capture_output=True, check=True, timeout=120
    )
    told, mebibytes, seconds = done.stdout.split()
    return told.decode(), int(mebibytes), float(seconds)


@pytest.mark.parametrize("bomb", ["attributes of one span", "JSON numbers"])
def test_a_bomb_costs_little(bomb):
    """Less than 256 MiB above the request; all of them are in tests/faults/test_otlp_faults.py."""
    told, mebibytes, _ = measure(bomb)
    assert told in {"refused", "rejected"}
    assert mebibytes <= 256


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_many_honest_records_pass(form):
    """The most records that a request may have are no bomb."""
    from vestigo.record import Span

    spans = [Span("a" * 32, f"{n:016x}", "x", n, attributes={"n": n}) for n in range(1, 20_001)]
    found = otlp.decode("traces", form, otlp.encode("traces", form, spans), 20_000)
    assert (len(found.spans), found.rejected) == (20_000, 0)
