"""Adding spans up: groups, steps of time, weights, and figures that nobody knows."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.errors import QueryError
from vestigo.query import Grouping, Measure
from vestigo.record import Cost, NormalForm, Resource, Span, Usage
from vestigo.storage.grouping import Group, Groups, check_grouping, count_values, figures_of, key_order

SECOND_NS = 10**9


def span(start_s: float = 0, latency_s: float | None = 1.0, *, normal: NormalForm | None = None, **more: Any) -> Span:
    start_ns = int(start_s * SECOND_NS)
    end_ns = None if latency_s is None else start_ns + int(latency_s * SECOND_NS)
    return Span("1" * 32, "2" * 16, "s", start_ns, end_ns=end_ns, normal=normal, **more)


def call(model: str = "m", usage: Usage | None = None, cost: float | None = None, **more: Any) -> NormalForm:
    return NormalForm("llm", request_model=model, usage=usage, cost=None if cost is None else Cost(cost), **more)


def rows_of(spans: list[Span], **grouping: Any) -> list[tuple[Any, ...]]:
    groups = Groups(Grouping(**grouping))
    for each in spans:
        groups.add(each)
    return [(row.time_ns, row.keys, row.values) for row in groups.rows()]


def test_one_group_adds_everything_up_by_weight() -> None:
    """Counts and sums are multiplied by the weights; percentiles count each span as often as it weighs."""
    normal = call(usage=Usage(input=10, output=3, cache_read=2, reasoning=1), cost=0.5, ttft_s=0.25)
    spans = [span(normal=normal, weight=4.0), span(latency_s=9, status="ERROR")]
    ((time_ns, keys, values),) = rows_of(spans, measures=get_args(Measure))
    assert (time_ns, keys) == (None, ())
    assert values == {
        "count": 5.0, "errors": 1.0, "tokens.in": 40.0, "tokens.out": 12.0, "tokens.cached": 8.0,
        "tokens.reasoning": 4.0, "cost": 2.0, "unpriced": 0.0, "latency.sum": 13.0, "latency.p50": 1.0,
        "latency.p95": 9.0, "latency.p99": 9.0, "ttft.p50": 0.25, "ttft.p95": 0.25, "ttft.p99": 0.25,
    }  # fmt: skip


def test_what_nobody_knows_is_none_and_never_zero() -> None:
    """A cost without any price, and percentiles of nothing; sums of nothing are 0."""
    ((_, _, values),) = rows_of([span(latency_s=None)], measures=get_args(Measure))
    assert {name for name, value in values.items() if value is None} == {
        "cost", "latency.p50", "latency.p95", "latency.p99", "ttft.p50", "ttft.p95", "ttft.p99",
    }  # fmt: skip
    assert values["latency.sum"] == values["tokens.in"] == 0.0


def test_a_call_without_a_price_is_counted_as_such() -> None:
    """The cost is of the calls that have one; the others are told beside it."""
    spans = [
        span(normal=call(usage=Usage(input=1), cost=0.0)),
        span(normal=call(usage=Usage(input=1))),
        span(normal=NormalForm("llm", usage=Usage(input=1), cost=Cost()), weight=3.0),
        span(normal=NormalForm("tool")),
    ]
    ((_, _, values),) = rows_of(spans, measures=("cost", "unpriced"))
    assert values == {"cost": 0.0, "unpriced": 4.0}


def test_only_leaves_add_their_tokens_and_cost() -> None:
    """What an agent repeats of its calls counts as a span, not again as tokens."""
    usage = Usage(input=10)
    spans = [
        span(normal=call(usage=usage, cost=1.0)),
        span(normal=call(usage=usage, cost=1.0, usage_role="rollup")),
        span(normal=call(usage=usage, cost=1.0, usage_role="duplicate")),
    ]
    ((_, _, values),) = rows_of(spans, measures=("count", "tokens.in", "cost"))
    assert values == {"count": 3.0, "tokens.in": 10.0, "cost": 1.0}


def test_groups_come_by_time_and_then_key_with_none_first() -> None:
    """Steps are counted from 1970; groups without spans are left out."""
    spans = [
        span(125, normal=call("b")),
        span(119.9, normal=call("b")),
        span(60, normal=call("a")),
        span(61),
        span(60, normal=call("a"), resource=Resource({"service.name": "shop"})),
    ]
    rows = rows_of(spans, by=("model", "service"), step_ns=60 * SECOND_NS, measures=("count",))
    assert [(time_ns // SECOND_NS, keys) for time_ns, keys, _ in rows] == [
        (60, (None, None)), (60, ("a", None)), (60, ("a", "shop")), (60, ("b", None)), (120, ("b", None)),
    ]  # fmt: skip
    assert sorted([None, "", "a"], key=key_order) == [None, "", "a"]


def test_a_field_with_several_values_groups_by_the_first_and_numbers_by_their_text() -> None:
    """Keys are texts or None."""
    odd = Resource({"service.name": 7})
    assert [keys for _, keys, _ in rows_of([span(resource=odd)], by=("service", "status"))] == [("7", "unset")]


@pytest.mark.parametrize(
    ("grouping", "message"),
    [
        (Grouping(by=("model",) * 5), "give at most 4"),
        (Grouping(by=("latency",)), "cannot group by 'latency'"),
        (Grouping(by=("input",)), "cannot group by 'input'"),
        (Grouping(by=("tag",)), "cannot group by 'tag'"),
        (Grouping(by=("attr.x",)), "cannot group by 'attr.x'"),
        (Grouping(step_ns=1000), "give at least a second"),
        (Grouping(measures=("latency.p42",)), "unknown measure 'latency.p42'; there are: count"),  # type: ignore[arg-type]
    ],
)
def test_a_grouping_that_makes_no_sense_is_refused(grouping: Grouping, message: str) -> None:
    """Fields that are many or not words, steps below a second, figures that nobody keeps."""
    with pytest.raises(QueryError, match=message):
        Groups(grouping)


def test_every_field_that_may_group_does() -> None:
    """Words and the name, and no grouping at all."""
    assert check_grouping(Grouping(by=("name", "model", "user", "env")))
    assert rows_of([]) == []


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 10**6), st.sampled_from([1.0, 2.5])), max_size=30))
def test_merged_groups_are_the_group_of_all(calls: list[tuple[float, int, float]]) -> None:
    """Adding half and half and merging gives the figures of adding all."""
    spans = [
        span(0, latency, normal=call(usage=Usage(input=tokens, output=1), cost=tokens / 4), weight=weight)
        for latency, tokens, weight in calls
    ]
    whole, one, other = Group(), Group(), Group()
    for index, each in enumerate(spans):
        whole.add(figures_of(each))
        (one if index % 2 else other).add(figures_of(each))
    one.merge(other)
    for measure in get_args(Measure):
        expected = whole.measure(measure)
        assert one.measure(measure) == (expected if expected is None else pytest.approx(expected))


@given(st.permutations([1.0, 10 / 3, 0.1, 7 / 11]))
def test_what_is_taken_back_leaves_nothing(weights: list[float]) -> None:
    """A group from which every span was taken back answers as an empty one, whatever rounding leaves."""
    group = Group()
    spans = [span(normal=call(usage=Usage(input=1), cost=0.1, ttft_s=0.1), weight=weight) for weight in weights]
    for each in spans:
        group.add(figures_of(each))
    for each in sorted(spans, key=lambda span: span.weight):
        group.add(figures_of(each), -1)
    for measure in get_args(Measure):
        expected = Group().measure(measure)
        assert group.measure(measure) == (expected if expected is None else pytest.approx(expected, abs=1e-9))


def test_values_are_counted_by_frequency_then_text() -> None:
    """Distinct texts only, at most as many as asked for."""
    assert count_values(["b", "a", "b", 3, None, "c", True], 10) == ["b", "a", "c"]
    assert count_values(["b", "a", "b"], 1) == ["b"]
