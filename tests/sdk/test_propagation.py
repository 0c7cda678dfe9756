"""Headers: a trace goes on in the next process, and whatever headers say, nothing breaks."""

import contextvars
from collections import UserDict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.record import Batch, Span
from vestigo.sdk.ids import trace_id_from
from vestigo.sdk.propagation import baggage, extract, inject, set_baggage
from vestigo.sdk.sampling import Rule, head_sampler, rule_sampler
from vestigo.sdk.tracer import RemoteParent, Tracer, attach, current_context
from vestigo.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Kept:
    """An exporter that keeps what it is given, in memory."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def write(self, batch: Batch) -> None:
        self.spans += [span for span in batch.spans if span.end_ns is not None]

    def close(self) -> None: ...


def make_tracer(**more: Any) -> tuple[Tracer, Kept]:
    kept = Kept()
    return Tracer("svc", kept, **more), kept


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    made, _ = make_tracer()
    yield made
    made.close()


def ignored(name: str) -> int:
    return counters.get(f"ignored.{name}")


# --- in


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": PARENT},
        {"Traceparent": PARENT},
        {b"TRACEPARENT": PARENT.encode()},
        [("traceparent", PARENT)],
        [[b"traceparent", bytearray(PARENT.encode())]],
        iter([("a", "b"), ("traceparent", f" \t{PARENT} ")]),
        {"traceparent": [PARENT]},
        UserDict({"traceparent": PARENT}),
    ],
)
def test_headers_of_every_kind_are_read(headers: Any):
    """Mappings and pairs, text and bytes, in any case."""
    parent = extract(headers)
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.sampled) == (TRACE, SPAN, True)
    assert (parent.weight, parent.correlation_id, parent.baggage) == (1.0, None, {})


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", True),
        (f"cc-{TRACE}-{SPAN}-00-", False),
    ],
)
def test_flags_and_future_versions_are_read_as_far_as_they_are_known(text: str, sampled: bool):
    """The sampled bit counts; a later version may add parts at the end."""
    parent = extract({"traceparent": text})
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.sampled) == (TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE}{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-0\uff11",
    ],
)
def test_a_broken_traceparent_is_ignored_and_counted(text: str):
    """And its tracestate with it."""
    before = ignored("traceparent")
    assert extract({"traceparent": text, "tracestate": "a=b"}) is None
    assert ignored("traceparent") == before + 1


def test_two_traceparents_are_none():
    """Nobody can say which is right."""
    assert extract([("traceparent", PARENT), ("Traceparent", PARENT)]) is None


def test_a_broken_traceparent_leaves_the_word_to_x_trace_id():
    """The next best header counts."""
    parent = extract({"traceparent": "junk", "x-trace-id": TRACE})
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.sampled) == (TRACE, None, None)


@pytest.mark.parametrize(
    "text",
    [TRACE, TRACE.upper(), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "urn:uuid:4bf92f35-77b3-4da6-a3ce-929d0e0e4736"],
)
def test_hex_and_uuids_are_trace_ids_as_they_stand(text: str):
    """Whoever logs the id finds the trace by it."""
    parent = extract({"X-Trace-ID": f" {text} "})
    assert parent is not None
    assert (parent.trace_id, parent.correlation_id) == (TRACE, None)


def test_any_other_id_is_kept_and_gives_the_same_trace_id_each_time():
    """Two services that are told `order-4711` write one trace."""
    first, second = extract({"X-Trace-ID": "order-4711"}), extract([(b"x-trace-id", b"order-4711")])
    assert first is not None
    assert second is not None
    assert first.trace_id == second.trace_id == trace_id_from("order-4711")[0]
    assert first.correlation_id == "order-4711"
    assert first.sampled is None


@pytest.mark.parametrize(
    ("text", "correlation"),
    [(TRACE, None), ("order-4711", "order-4711"), ("a" * 32, "a" * 32)],
)
def test_an_x_trace_id_beside_a_traceparent_is_the_correlation_id(text: str, correlation: str | None):
    """The trace is that of traceparent; another id stays findable."""
    parent = extract({"traceparent": PARENT, "x-trace-id": text})
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.correlation_id) == (TRACE, SPAN, correlation)


@pytest.mark.parametrize("text", ["", "  ", "x" * 8_193])
def test_an_empty_or_endless_x_trace_id_is_ignored_and_counted(text: str):
    """It cannot name a trace."""
    before = ignored("x-trace-id")
    assert extract({"x-trace-id": text}) is None
    assert ignored("x-trace-id") == before + 1


def test_trace_state_of_several_lines_is_one():
    """In their order, without empty members."""
    headers = [("traceparent", PARENT), ("tracestate", "a=1, ,b=2"), ("TraceState", " t@c=3 ")]
    parent = extract(headers)
    assert parent is not None
    assert parent.trace_state == "a=1,b=2,t@c=3"


@pytest.mark.parametrize(
    "text",
    [
        *("a", "a=", "=1", "A=1", "a=1,a=2", "a=1=2", "a=\xfc"),
        ",".join(f"k{n}=1" for n in range(33)),
        ",".join(f"k{n}={'x' * 256}" for n in range(32)),
    ],
)
def test_a_broken_trace_state_is_dropped_whole_and_the_parent_stays(text: str):
    """Part of it could tell a lie."""
    before = ignored("tracestate")
    parent = extract({"traceparent": PARENT, "tracestate": text})
    assert parent is not None
    assert (parent.trace_id, parent.trace_state) == (TRACE, "")
    assert ignored("tracestate") == before + 1


@pytest.mark.parametrize(
    ("flags", "state", "weight"),
    [
        ("01", "ot=th:8", 2.0),
        ("01", "x=y,ot=rv:ffffffffffffff;th:c", 4.0),
        ("00", "ot=th:8", 1.0),
        ("01", "ot=th:f", 1.0),
        ("01", "ot=rv:00000000000000;th:8", 1.0),
    ],
)
def test_the_caller_tells_the_weight_unless_it_contradicts_itself(flags: str, state: str, weight: float):
    """A threshold above the trace's randomness cannot have let it pass."""
    parent = extract({"traceparent": f"00-{TRACE[:18]}ce929d0e0e4736-{SPAN}-{flags}", "tracestate": state})
    assert parent is not None
    assert parent.weight == weight


def test_baggage_is_read_without_properties_and_broken_entries():
    """Values are percent-decoded; the rest is counted."""
    before = ignored("baggage")
    lines = ["a=1 ; p=q;r, b = %C3%BC%20x=y", 'c,d e=1,,=2,f="g",h=%FF,i=']
    headers = [("traceparent", PARENT), *(("baggage", line) for line in lines)]
    parent = extract(headers)
    assert parent is not None
    assert parent.baggage == {"a": "1", "b": "ü x=y", "h": "�", "i": ""}
    assert ignored("baggage") == before + 4


def test_baggage_above_the_limits_is_left_out_and_counted():
    """64 entries, 8,192 bytes."""
    before = ignored("baggage")
    parent = extract({"traceparent": PARENT, "baggage": ",".join(f"k{n}=v" for n in range(70))})
    assert parent is not None
    assert list(parent.baggage) == [f"k{n}" for n in range(64)]
    assert ignored("baggage") == before + 6
    for size, names in ((8_186, ["a", "b"]), (8_187, ["a"]), (8_191, ["b"])):
        parent = extract({"traceparent": PARENT, "baggage": f"a={'x' * size},b=1"})
        assert parent is not None
        assert list(parent.baggage) == names


def test_baggage_above_the_limits_is_not_sent():
    """The first 64 entries that fit are."""
    before = ignored("baggage")
    carried = {"big": "x" * 8_190, **{f"k{n}": "v" for n in range(70)}}
    with attach(RemoteParent(TRACE, SPAN, baggage=carried)):
        assert inject()["baggage"] == ",".join(f"k{n}=v" for n in range(64))
    assert ignored("baggage") == before + 7


def test_exactly_8192_bytes_of_baggage_fit():
    """The limit itself is allowed."""
    text = f"a={'x' * 8_190}"
    assert len(text) == 8_192
    parent = extract({"traceparent": PARENT, "baggage": text})
    assert parent is not None
    assert len(parent.baggage["a"]) == 8_190


def test_baggage_alone_begins_a_trace_that_carries_it():
    """There is no trace to join, but what was sent goes on."""
    parent = extract({"baggage": "user.id=u7"})
    assert parent is not None
    assert (parent.span_id, parent.sampled, parent.baggage) == (None, None, {"user.id": "u7"})


class Hostile:
    """Fails whatever one asks of it."""

    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        [],
        5,
        "traceparent",
        b"x",
        [1, (2,), ("a", "b", "c")],
        {3: 4, None: None},
        {"traceparent": 7},
        Hostile(),
    ],
)
def test_whatever_is_no_header_says_nothing(headers: Any):
    """And nothing is raised."""
    assert extract(headers) is None


NAMES = st.sampled_from(["traceparent", "tracestate", "baggage", "x-trace-id", "X-Trace-ID", "other"])
VALUES = st.one_of(
    st.text(),
    st.binary(),
    st.none(),
    st.text("0123456789abcdef-=,;:@% ot\x00é", max_size=80),
    st.lists(st.text(), max_size=2),
)


@given(st.lists(st.tuples(st.one_of(NAMES, NAMES.map(str.encode)), VALUES)))
def test_no_header_makes_it_raise_and_what_it_takes_is_valid(headers: list[tuple[Any, Any]]):
    """Whatever comes in can be sent on, and is then read as the same."""
    failed = counters.get("failed")
    parent = extract(headers)
    if parent is not None:
        with attach(parent):
            sent = inject()
        assert all(isinstance(value, str) and value.isascii() and value.isprintable() for value in sent.values())
        again = extract(sent)
        assert again is not None
        assert (again.trace_id, again.span_id, again.trace_state) == (
            parent.trace_id,
            parent.span_id,
            parent.trace_state,
        )
    assert counters.get("failed") == failed


# --- out


def test_what_is_injected_is_extracted_in_the_next_process(tracer: Tracer):
    """The current span is the parent there."""
    with tracer.span("call") as span:
        headers = inject()
    parent = extract(headers)
    assert headers["X-Trace-ID"] == span.trace_id
    assert "tracestate" not in headers
    assert "baggage" not in headers
    assert parent is not None
    assert (parent.trace_id, parent.span_id, parent.sampled) == (span.trace_id, span.span_id, True)
    with attach(parent), tracer.trace("serve") as served:
        assert (served.trace_id, served.parent_id) == (span.trace_id, span.span_id)


def test_without_a_current_span_nothing_is_added():
    """A program that does not trace sends nothing."""
    headers = {"accept": "*/*", "traceparent": "theirs"}
    assert inject(headers) is headers
    assert headers == {"accept": "*/*", "traceparent": "theirs"}
    assert inject() == {}


def test_the_headers_of_another_trace_are_replaced_in_whatever_case(tracer: Tracer):
    """A proxy that forwards its headers does not send two parents."""
    headers = {"Traceparent": PARENT, "TRACESTATE": "a=b", "x-trace-id": "old", "Accept": "*/*"}
    with tracer.span("call") as span:
        inject(headers)
    assert headers == {
        "Accept": "*/*",
        "traceparent": f"00-{span.trace_id}-{span.span_id}-01",
        "X-Trace-ID": span.trace_id,
    }


def test_what_was_attached_is_passed_on_where_there_is_no_span():
    """Even by a program that records nothing of its own."""
    with attach(RemoteParent(TRACE, SPAN, False, "a=b", baggage={"k": "v"})):
        assert inject() == {
            "traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "a=b", "X-Trace-ID": TRACE, "baggage": "k=v",
        }  # fmt: skip
    with attach(RemoteParent(TRACE)):
        assert inject() == {"X-Trace-ID": TRACE}


def test_a_trace_that_is_left_out_is_left_out_in_the_next_process_too():
    """The flag says 00, and nothing is recorded there, whatever the rate."""
    tracer, _ = make_tracer(sample_rate=0.0)
    other, kept = make_tracer()
    with tracer.span("call") as span:
        headers = inject()
    assert headers["traceparent"] == f"00-{span.trace_id}-{span.span_id}-00"
    with attach(extract(headers)), other.span("serve") as served:
        assert not served.recording
    other.flush()
    assert kept.spans == []
    tracer.close()
    other.close()


def test_the_weight_travels_so_that_the_next_services_spans_weigh_the_same():
    """A head sampler's 1/rate, and a vendor's entries stay."""
    tracer, _ = make_tracer(head=lambda trace_id, name, attributes: 8.0)
    other, kept = make_tracer(sample_rate=0.001)
    trace_id = TRACE[:18] + "ffffffffffffff"
    state = "vendor=1,ot=rv:ffffffffffffff;th:4"
    with attach(RemoteParent(trace_id, SPAN, None, state)), tracer.span("call"):
        headers = inject()
    assert headers["tracestate"] == "ot=th:e;rv:ffffffffffffff,vendor=1"
    with attach(extract(headers)), other.span("serve"):
        assert inject()["tracestate"] == headers["tracestate"]
    other.flush()
    assert [span.weight for span in kept.spans] == [8.0]
    tracer.close()
    other.close()


@given(st.floats(0.001, 0.999))
def test_a_sampled_weight_is_the_same_after_headers(rate: float):
    """Whatever the rate."""
    sampler = head_sampler(Settings(sample_rate=rate))
    assert sampler is not None
    weight = sampler("f" * 32, "x", None)
    tracer, _ = make_tracer(head=rule_sampler([Rule(rate)]))
    with attach(RemoteParent("f" * 32)), tracer.span("call"):
        parent = extract(inject())
    tracer.close()
    assert parent is not None
    assert parent.weight == pytest.approx(weight, rel=1e-9)


def test_the_callers_own_id_travels_with_its_trace(tracer: Tracer):
    """Below it, not into another trace."""
    with attach(extract({"x-trace-id": "order-4711"})), tracer.span("serve") as span, tracer.span("call"):
        headers = inject()
        with tracer.trace("aside") as aside:
            assert inject()["X-Trace-ID"] == aside.trace_id
    assert headers["X-Trace-ID"] == "order-4711"
    assert span.attributes[semconv.CORRELATION_ID] == "order-4711"
    with tracer.trace("own", trace_id="order-4712"), tracer.span("call"):
        assert inject()["X-Trace-ID"] == "order-4712"


def test_an_id_that_no_header_can_hold_is_not_sent(tracer: Tracer):
    """A line break in it would be a header of the caller's choice."""
    for text in ("a\r\nSet-Cookie: x=1", "ü", "x" * 300):
        with tracer.trace("own", trace_id=text) as span:
            assert inject()["X-Trace-ID"] == span.trace_id


def test_the_off_span_of_a_tracer_that_is_off_sends_nothing():
    """All-zero ids are nobody's."""
    tracer, _ = make_tracer(disabled=True)
    with tracer.span("call") as span, attach(span):  # type: ignore[arg-type]
        assert inject() == {}
    tracer.close()


def test_a_mapping_that_takes_nothing_makes_no_trouble(tracer: Tracer):
    """The call that it was for goes on."""

    class Full(dict[str, str]):
        def update(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("full")

    with tracer.span("call"):
        assert inject(Full()) == {}


# --- baggage


def test_baggage_is_what_the_caller_sent_and_what_was_set(tracer: Tracer):
    """Later entries win, and end with their block."""
    with attach(extract({"baggage": "a=1,b=2"})), tracer.span("serve"), tracer.span("inner"):
        assert baggage() == {"a": "1", "b": "2"}
        with set_baggage("b", "ü, x;%"), set_baggage("c", ""):
            assert baggage() == {"a": "1", "b": "ü, x;%", "c": ""}
            assert inject()["baggage"] == "a=1,b=%C3%BC%2C%20x%3B%25,c="
        assert baggage() == {"a": "1", "b": "2"}
    assert baggage() == {}
    assert current_context() is None


def test_a_copy_of_baggage_is_given():
    """Changing it changes nothing."""
    with set_baggage("a", "1"):
        baggage()["a"] = "2"
        assert baggage() == {"a": "1"}


@pytest.mark.parametrize(("key", "value"), [("a b", "1"), ("", "1"), ("ü", "1"), (3, "1"), ("a", 3), ("a=b", "1")])
def test_baggage_that_no_header_can_hold_is_left_out_and_counted(key: Any, value: Any):
    """And nothing is raised."""
    before = ignored("baggage")
    with set_baggage(key, value):
        assert baggage() == {}
    assert ignored("baggage") == before + 1


def test_baggage_that_ends_in_another_context_leaves_that_context_alone():
    """A generator may be closed elsewhere."""
    block = set_baggage("a", "1")
    contextvars.copy_context().run(block.__enter__)
    with set_baggage("b", "2"):
        block.__exit__(None, None, None)
        assert baggage() == {"b": "2"}


@given(st.dictionaries(st.text("abc.-_*!", min_size=1, max_size=20), st.text(max_size=60), max_size=80))
def test_baggage_is_the_same_after_headers_within_the_limits(carried: dict[str, str]):
    """Any text as value; the header stays within 64 entries and 8,192 bytes."""
    carried = {key: value.encode("utf-8", "replace").decode() for key, value in carried.items()}
    with attach(RemoteParent(TRACE, SPAN, baggage=carried)):
        headers = inject()
    text = headers.get("baggage", "")
    assert len(text) <= 8_192
    parent = extract(headers)
    assert parent is not None
    assert len(parent.baggage) <= 64
    assert parent.baggage.items() <= carried.items()
    if len(carried) <= 64 and sum(len(key) + 9 * len(value) * 2 for key, value in carried.items()) < 8_000:
        assert parent.baggage == carried
