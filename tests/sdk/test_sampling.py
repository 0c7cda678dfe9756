"""Sampling: whole traces are kept or left out, and what is kept can be counted as if all were there."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo import semconv
from vestigo.errors import SettingsError
from vestigo.record import Batch, Cost, Event, Log, NormalForm, Span
from vestigo.sdk.sampling import (
    Rule,
    head_sampler,
    rule_sampler,
    threshold_text,
    weight_from_trace_state,
    worker_sampler,
)
from vestigo.settings import Settings

SECOND = 1_000_000_000
IDS = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
SHARES = st.floats(1e-6, 0.999)


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ids(count: int, seed: int = 7) -> list[str]:
    numbers = random.Random(seed)
    return [f"{numbers.getrandbits(128):032x}" for _ in range(count)]


def span(
    trace_id: str, *, parent: str | None = None, seconds: float = 1.0, usd: float | None = None, **more: Any
) -> Span:
    start = more.pop("start_ns", 1_700_000_000 * SECOND)
    made = Span(
        trace_id, f"{random.getrandbits(64):016x}", "work", start, parent, start + int(seconds * SECOND), **more
    )
    made.normal = NormalForm(cost=None if usd is None else Cost(usd, source="computed"))
    return made


def head(rate: float) -> Any:
    sampler = head_sampler(Settings(sample_rate=rate))
    assert sampler is not None
    return sampler


def tail(rate: float = 0.5, **more: Any) -> tuple[Any, Clock]:
    clock = Clock()
    open_traces = more.pop("open_traces", None)
    return worker_sampler(Settings(tail_sample_rate=rate, **more), clock=clock, open_traces=open_traces), clock


def within(estimate: float, truth: float, rate: float, count: int) -> bool:
    """Five standard deviations of a weighted count."""
    return abs(estimate - truth) <= 5 * math.sqrt(count * (1 - rate) / rate)


# --- head


def test_a_full_rate_needs_no_sampler():
    """Where nothing is left out there is nothing to ask."""
    assert head_sampler(Settings()) is None


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.013])
def test_weights_of_kept_traces_add_up_to_all_of_them(rate: float):
    """The sum of weights estimates the number of traces."""
    weights = [head(rate)(trace_id, "x", None) for trace_id in ids(20_000)]
    assert 0 < sum(weight > 0 for weight in weights) < 20_000
    assert within(sum(weights), 20_000, rate, 20_000)


@given(IDS, SHARES, SHARES)
def test_a_trace_kept_at_a_low_rate_is_kept_at_every_higher_one(trace_id: str, one: float, other: float):
    """Two services of different rates agree: the trace of the pickier one is whole."""
    low, high = sorted((one, other))
    if head(low)(trace_id, "x", None):
        assert head(high)(trace_id, "y", {"any": 1})


@given(SHARES)
def test_the_weight_is_one_through_the_rate(rate: float):
    """A kept trace stands for 1/rate traces."""
    weight = head(rate)("f" * 32, "x", None)
    assert weight == pytest.approx(1 / rate, rel=1e-9)


def test_only_the_low_56_bits_of_the_id_decide():
    """As OpenTelemetry says, so that other SDKs decide alike."""
    keeps = head(0.5)
    assert keeps("0" * 18 + "80000000000000", "x", None) == 2
    assert keeps("f" * 18 + "7fffffffffffff", "x", None) == 0


def test_a_rate_of_zero_keeps_nothing_and_the_smallest_rate_something():
    """0 is never; any rate above 0 keeps the highest id."""
    assert head(0.0)("f" * 32, "x", None) == 0
    assert head(1e-300)("f" * 32, "x", None) == 2**56


@pytest.mark.parametrize(
    ("rate", "text"), [(1.0, "0"), (0.5, "8"), (0.25, "c"), (0.75, "4"), (1 / 16, "f"), (0.1, "e6666666666666")]
)
def test_the_threshold_reads_as_open_telemetry_writes_it(rate: float, text: str):
    """Hex digits of the rejected share, without the zeros at the end."""
    assert threshold_text(rate) == text
    assert weight_from_trace_state(f"ot=th:{text}") == pytest.approx(1 / rate)


@given(SHARES)
def test_a_weight_survives_the_way_through_trace_state(rate: float):
    """What one service writes, the next one reads."""
    state = f"vendor=a:b;th:1, ot=rv:00000000000000;th:{threshold_text(rate)},x=y"
    assert weight_from_trace_state(state) == head(rate)("f" * 32, "x", None)


@given(
    st.one_of(
        st.text(), st.sampled_from(["", "ot=", "ot=th:", "ot=th:xyz", "ot=th:123456789012345", "ot=th:F", "a=th:8"])
    )
)
def test_trace_state_of_any_other_form_weighs_one(text: str):
    """Broken or foreign headers say nothing of sampling."""
    assert weight_from_trace_state(text) == 1


# --- rules


def test_the_first_rule_that_matches_decides():
    """By the name and the attributes that the root span starts with."""
    keeps = rule_sampler(
        [
            Rule(0, name="GET /health*"),
            Rule(1, attributes={"user.tier": "g?ld", "beta": "true"}),
            Rule(0.25, name="POST *", attributes={"size": "1*", "anything": "*"}),
        ],
        0.5,
    )
    kept = "f" * 32
    assert keeps(kept, "GET /healthz", None) == 0
    assert keeps("0" * 32, "POST /", {"user.tier": "gold", "beta": True}) == 1
    assert keeps(kept, "POST /", {"user.tier": "gold", "beta": False}) == 2
    assert keeps(kept, "POST /", {"size": 12, "anything": ["a"]}) == 4
    assert keeps(kept, "POST /", {"size": 2, "anything": ["a"]}) == 2
    assert keeps(kept, "post /", {"size": 12, "anything": ["a"]}) == 2
    assert keeps(kept, "POST /", {"size": 12}) == 2
    assert keeps("0" * 32, "other", None) == 0


@pytest.mark.parametrize(
    ("rules", "default"),
    [
        ([Rule(1.5)], 1.0),
        ([Rule(-0.1)], 1.0),
        ([Rule(float("nan"))], 1.0),
        ([Rule(True)], 1.0),
        ([Rule("half")], 1.0),  # type: ignore[arg-type]
        ([Rule(0.5, name=3)], 1.0),  # type: ignore[arg-type]
        ([Rule(0.5, attributes={"a": 3})], 1.0),  # type: ignore[dict-item]
        ([Rule(0.5, attributes=["a"])], 1.0),  # type: ignore[arg-type]
        ([{"rate": 0.5}], 1.0),
        ("GET *", 1.0),
        (5, 1.0),
        ([], 2.0),
    ],
)
def test_a_rule_that_makes_no_sense_is_told_at_once(rules: Any, default: float):
    """With the value and the remedy, before the program runs."""
    with pytest.raises(SettingsError, match="give"):
        rule_sampler(rules, default)


# --- tail


def test_with_nothing_to_do_the_batch_comes_back_itself():
    """Sampling that is off costs nothing."""
    sampler = worker_sampler(Settings())
    batch = Batch([span("a" * 32)])
    assert sampler(batch, last=False) is batch
    assert not sampler.tail
    assert sampler.held == 0


@pytest.mark.parametrize(
    "event",
    [{"status": "ERROR"}, {"seconds": 10.0}, {"usd": 0.1}],
)
def test_failed_slow_and_expensive_traces_are_kept_whole_at_weight_one(event: dict[str, Any]):
    """Whatever the background share, here none."""
    sampler, _ = tail(0.0)
    quiet, eventful = "a" * 32, "b" * 32
    batch = Batch(
        [span(quiet, parent="1" * 16), span(eventful, parent="1" * 16, **event), span(eventful), span(quiet, usd=0.09)],
        [Log(1, trace_id=eventful), Log(2, trace_id=quiet)],
    )
    kept = sampler(batch, last=False)
    assert [(one.trace_id, one.weight) for one in kept.spans] == [(eventful, 1.0)] * 2
    assert [(one.trace_id, one.weight) for one in kept.logs] == [(eventful, 1.0)]
    assert sampler.held == 0


def test_the_cost_of_a_trace_is_that_of_its_leaves():
    """A rollup repeats what its leaves cost and does not make a trace expensive."""
    sampler, _ = tail(0.0, tail_cost_usd=0.1)
    trace_id = "a" * 32
    rollup = span(trace_id, usd=0.09)
    assert rollup.normal is not None
    rollup.normal.usage_role = "rollup"
    assert len(sampler(Batch([span(trace_id, parent="1" * 16, usd=0.05), rollup]), last=False)) == 0
    both = [span("b" * 32, parent="1" * 16, usd=0.05), span("b" * 32, usd=0.06)]
    assert sampler(Batch(both), last=False).spans == both


def test_the_slowness_of_a_trace_is_from_its_first_start_to_its_last_end():
    """Two short spans far apart make a slow trace."""
    sampler, _ = tail(0.0)
    late = 1_700_000_000 * SECOND + 9 * SECOND
    spans = [span("a" * 32, parent="1" * 16), span("a" * 32, start_ns=late)]
    assert sampler(Batch(spans), last=False).spans == spans


@pytest.mark.parametrize("rate", [0.5, 0.1])
def test_weights_of_the_background_share_add_up_to_all_uneventful_traces(rate: float):
    """Spans, logs and cost can be extrapolated; what head sampling weighed stays a factor."""
    sampler, _ = tail(rate)
    batch = Batch()
    for trace_id in ids(8_000):
        batch.spans += [span(trace_id, parent="1" * 16, weight=4.0), span(trace_id, weight=4.0)]
        batch.logs.append(Log(1, trace_id=trace_id))
    kept = sampler(batch, last=False)
    assert within(sum(one.weight for one in kept.spans) / 8, 8_000, rate, 8_000)
    assert within(sum(one.weight for one in kept.logs), 8_000, rate, 8_000)
    assert len(kept.spans) == 2 * len(kept.logs)
    assert len({one.weight for one in kept.spans}) == 1


def test_the_background_share_is_independent_of_head_sampling():
    """Of what a head sampler of the same rate left, the share is kept again, not all or nothing."""
    keeps = head(0.1)
    left = [trace_id for trace_id in ids(20_000) if keeps(trace_id, "x", None)]
    sampler, _ = tail(0.1)
    kept = sampler(Batch([span(trace_id, weight=10.0) for trace_id in left]), last=False)
    assert within(sum(one.weight for one in kept.spans) / 10, len(left), 0.1, len(left))


def test_two_samplers_keep_the_same_background():
    """Services that share a trace keep it or leave it out together, at a higher rate at least as much."""
    batch = [span(trace_id) for trace_id in ids(500)]
    low = {one.trace_id for one in tail(0.1)[0](Batch(list(batch)), last=True).spans}
    same = {one.trace_id for one in tail(0.1)[0](Batch(list(batch)), last=True).spans}
    high = {one.trace_id for one in tail(0.5)[0](Batch(list(batch)), last=True).spans}
    assert low == same < high


def test_records_wait_for_the_root_and_late_ones_follow_it():
    """Nothing of a trace is written before its end is known; what comes later is treated alike."""
    sampler, _ = tail(0.0)
    bad, good = "a" * 32, "b" * 32
    assert (
        len(sampler(Batch([span(bad, parent="1" * 16, status="ERROR"), span(good, parent="1" * 16)]), last=False)) == 0
    )
    assert sampler.held == 2
    assert len(sampler(Batch([span(bad), span(good)], [Log(1, trace_id=bad)]), last=False)) == 3
    assert sampler.held == 0
    late = sampler(Batch([span(good, parent="1" * 16, status="ERROR"), span(bad, parent="1" * 16)]), last=False)
    assert [one.trace_id for one in late.spans] == [bad]


def test_the_late_child_of_a_kept_span_weighs_what_its_trace_weighs():
    """The weight of an ended span does not change under its open children, so no factor is applied twice."""
    sampler, _ = tail(0.5)
    trace_id = next(one for one in ids(100) if tail(0.5)[0](Batch([span(one)]), last=True).spans)
    root = span(trace_id, weight=3.0)
    assert sampler(Batch([root]), last=False).spans[0].weight == 6
    assert root.weight == 3
    assert sampler(Batch([span(trace_id, parent=root.span_id, weight=root.weight)]), last=False).spans[0].weight == 6


@pytest.mark.parametrize("kind", ["SERVER", "CONSUMER"])
def test_a_span_that_answers_another_process_ends_the_trace_here(kind: Any):
    """Its parent is elsewhere and never arrives."""
    sampler, _ = tail(0.0)
    assert len(sampler(Batch([span("a" * 32, parent="1" * 16, kind=kind, status="ERROR")]), last=False)) == 1


def test_a_trace_without_a_root_is_decided_after_the_wait():
    """Even when nothing more arrives of any trace."""
    sampler, clock = tail(0.0, tail_wait_s=30)
    spans = [span("a" * 32, parent="1" * 16), span("b" * 32, parent="1" * 16, status="ERROR")]
    assert len(sampler(Batch(spans), last=False)) == 0
    clock.now += 29
    assert len(sampler(Batch(), last=False)) == 0
    clock.now += 1
    assert sampler(Batch(), last=False).spans == [spans[1]]
    assert sampler.held == 0


def test_a_trace_that_is_still_open_after_the_wait_is_a_slow_one():
    """A long run whose early steps were quick is kept, and its later steps with it."""
    running = {"a" * 32}
    sampler, clock = tail(0.0, tail_wait_s=5, tail_slow_s=20, open_traces=lambda: running)
    steps = [span("a" * 32, parent="1" * 16), span("b" * 32, parent="1" * 16)]
    sampler(Batch(list(steps)), last=False)
    clock.now += 19
    assert len(sampler(Batch(), last=False)) == 0
    assert sampler.held == 1
    clock.now += 1
    assert sampler(Batch(), last=False).spans == steps[:1]
    assert len(sampler(Batch([span("a" * 32)]), last=False)) == 1


def test_too_much_to_hold_decides_the_oldest_traces_early():
    """Memory stays bounded however many traces never end."""
    sampler, _ = tail(0.0, queue_bytes=4 * 10_000)
    old = span("a" * 32, parent="1" * 16, status="ERROR")
    assert len(sampler(Batch([old]), last=False)) == 0
    big = span("b" * 32, parent="1" * 16, attributes={"text": ["x" * 4_000] * 2})
    assert sampler(Batch([big]), last=False).spans == [old]
    assert sampler.held == 1


def test_more_records_than_the_bound_are_not_held():
    """The number of records is bounded too."""
    sampler, _ = tail(0.0, queue_bytes=1 << 40)
    logs = [Log(1, trace_id=trace_id) for trace_id in ids(50_001)]
    assert len(sampler(Batch([], logs), last=False)) == 0
    assert sampler.held == 50_000


def test_decisions_are_forgotten_after_a_hundred_thousand_others():
    """The memory of decisions is bounded; a trace in use stays in it."""
    sampler, _ = tail(0.0)
    used, unused = "a" * 32, "b" * 32
    sampler(Batch([span(used, status="ERROR"), span(unused, status="ERROR")]), last=False)
    root = span("c" * 32)
    for count, trace_id in enumerate(ids(99_999)):
        root.trace_id = trace_id
        sampler(Batch([root]), last=False)
        if count == 50_000:
            assert len(sampler(Batch([span(used, parent="1" * 16)]), last=False)) == 1
    assert len(sampler(Batch([span(used, parent="1" * 16)]), last=False)) == 1
    assert len(sampler(Batch([span(unused, parent="1" * 16)]), last=False)) == 0


def test_logs_outside_of_any_trace_pass():
    """There is nothing to wait for."""
    sampler, _ = tail(0.0)
    log = Log(1, body="hello")
    assert sampler(Batch([], [log]), last=False).logs == [log]


def test_the_size_of_a_record_that_no_json_can_hold_is_estimated():
    """It is refused where it is written, not while it waits."""
    sampler, _ = tail(0.0)
    sampler(Batch([span("a" * 32, parent="1" * 16, attributes={"odd": object()})]), last=False)
    assert sampler.held == 1


RECORDS = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["root", "child", "log", "loose"]),
    st.booleans(),
)


@given(st.lists(st.tuples(st.lists(RECORDS, max_size=8), st.integers(0, 20)), max_size=12), st.sampled_from([0.0, 0.3]))
def test_every_record_comes_out_is_held_or_is_left_out_with_its_trace(
    turns: list[tuple[list[tuple[int, str, bool]], int]], rate: float
):
    """Nothing is doubled, nothing is lost by itself: a trace is written whole or not at all."""
    sampler, clock = tail(rate, queue_bytes=4 * 12_000)
    went_in: dict[str, int] = {}
    came_out: dict[str, int] = {}
    total = loose = 0
    for records, seconds in turns:
        clock.now += seconds
        batch = Batch()
        for number, what, bad in records:
            trace_id = f"{number + 1:032x}"
            total += 1
            if what == "loose":
                loose += 1
                batch.logs.append(Log(total))
                continue
            went_in[trace_id] = went_in.get(trace_id, 0) + 1
            if what == "log":
                batch.logs.append(Log(total, trace_id=trace_id))
            else:
                parent = None if what == "root" else "1" * 16
                batch.spans.append(span(trace_id, parent=parent, status="ERROR" if bad else "OK"))
        before = sampler.held
        kept = sampler(batch, last=False)
        assert 0 <= sampler.held <= before + len(batch)
        _count(came_out, kept)
    _count(came_out, sampler(Batch(), last=True))
    assert sampler.held == 0
    assert came_out.pop("", 0) == loose
    assert all(went_in[trace_id] == count for trace_id, count in came_out.items())


def _count(totals: dict[str, int], kept: Batch) -> None:
    for record in [*kept.spans, *kept.logs]:
        totals[record.trace_id or ""] = totals.get(record.trace_id or "", 0) + 1


# --- content


def wordy(trace_id: str) -> Span:
    return span(
        trace_id,
        usd=0.01,
        attributes={
            semconv.INPUT_MESSAGES: [{"role": "user", "parts": []}],
            semconv.INPUT_TOKENS: 12,
            semconv.PROMPT_NAME: "greeting",
            "gen_ai.prompt.0.content": "hi",
            "llm.output_messages.0.message.content": "hello",
            "llm.token_count.prompt": 12,
            "ai.prompt.messages": "hi",
            "traceloop.entity.name": "chat",
        },
        events=[
            Event(1, "gen_ai.user.message", {"content": "hi", "role": "user"}),
            Event(2, "exception", {semconv.EXCEPTION_STACK: "Traceback", "content": "kept"}),
            Event(3, "note", {semconv.OUTPUT_MESSAGES: []}),
        ],
    )


def test_content_that_is_not_sampled_goes_and_the_figures_stay():
    """Tokens, cost, names and stacks are there on every span; the record says why the text is not."""
    sampler = worker_sampler(Settings(content_sample_rate=0.0))
    one = wordy("a" * 32)
    kept = sampler(Batch([one]), last=False).spans[0]
    assert kept.attributes == {
        semconv.INPUT_TOKENS: 12,
        semconv.PROMPT_NAME: "greeting",
        "llm.token_count.prompt": 12,
        "traceloop.entity.name": "chat",
        semconv.CONTENT: "not sampled",
    }
    assert [event.attributes for event in kept.events] == [
        {"role": "user"},
        {semconv.EXCEPTION_STACK: "Traceback", "content": "kept"},
        {},
    ]
    assert kept.normal == NormalForm(cost=Cost(0.01, source="computed"))
    assert kept.weight == 1


def test_a_span_without_content_is_left_as_it_is():
    """It does not claim that something is missing."""
    sampler = worker_sampler(Settings(content_sample_rate=0.0))
    one = span("a" * 32, attributes={"key": "value"})
    sampler.content(one)
    assert one.attributes == {"key": "value"}


def test_logs_lose_their_content_with_their_trace():
    """In attributes and in the body; a log outside of a trace is decided by itself."""
    sampler = worker_sampler(Settings(content_sample_rate=0.0))
    logs = [
        Log(1, trace_id="a" * 32, attributes={semconv.INPUT_MESSAGES: []}),
        Log(2, event_name="gen_ai.choice", body={"message": {}, "index": 0}),
        Log(3, body="a plain message"),
    ]
    sampler(Batch([], logs), last=False)
    assert logs[0].attributes == {semconv.CONTENT: "not sampled"}
    assert logs[1].body == {"index": 0}
    assert logs[1].attributes == {semconv.CONTENT: "not sampled"}
    assert (logs[2].body, logs[2].attributes) == ("a plain message", {})


def test_content_is_kept_for_its_share_of_whole_traces():
    """All spans of a trace keep their text or none, in every service, independently of head and tail sampling."""
    keeps = head(0.2)
    left = [trace_id for trace_id in ids(20_000) if keeps(trace_id, "x", None)]
    first, second = (worker_sampler(Settings(content_sample_rate=0.2)) for _ in range(2))
    kept = 0
    for trace_id in left:
        spans = [wordy(trace_id), wordy(trace_id)]
        first.content(spans[0])
        second(Batch(spans[1:]), last=False)
        assert spans[0].attributes == spans[1].attributes
        log = Log(1, trace_id=trace_id, attributes={semconv.INPUT_MESSAGES: []})
        second(Batch([], [log]), last=False)
        assert (semconv.INPUT_MESSAGES in log.attributes) == (semconv.INPUT_MESSAGES in spans[0].attributes)
        kept += semconv.INPUT_MESSAGES in spans[0].attributes
    assert within(kept / 0.2, len(left), 0.2, len(left))
