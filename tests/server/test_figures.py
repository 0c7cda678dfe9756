"""What LLM calls cost and took, by labels: what counts, how often, and within which bounds."""

import itertools
import random
import sys
import threading
import time

import pytest
from exposition_lines import read, value_of

from vestigo.metrics import MetricsCollector
from vestigo.record import Cost, NormalForm, Resource, Span, Usage
from vestigo.server import figures as module
from vestigo.server.exposition import Exposition
from vestigo.server.figures import MAX_LABEL_SETS, Figures

ids = itertools.count(1)


def make_span(duration_s=1.0, *, service="shop", operation="chat", weight=1.0, error=None, **normal):
    attributes = {"gen_ai.operation.name": operation}
    if error is not None:
        attributes["error.type"] = error
    return Span(
        "0" * 32, f"{next(ids):016x}", "chat", 0, end_ns=round(duration_s * 1e9), attributes=attributes, weight=weight,
        status="UNSET" if error is None else "ERROR", resource=Resource({"service.name": service}),
        normal=NormalForm(**{"kind": "llm", "provider": "openai", "response_model": "gpt-4o", **normal}),
    )  # fmt: skip


def families_of(figures, openmetrics=False):
    out = Exposition(openmetrics)
    figures.write(out)
    return read(out.text(), openmetrics)


def test_a_call_is_counted_with_its_tokens_cost_and_times():
    """Each figure of one call stands under its labels."""
    figures = Figures()
    usage = Usage(input=500, output=40, cache_read=300, reasoning=8)
    figures.observe([make_span(0.5, usage=usage, cost=Cost(0.25, source="computed"), ttft_s=0.03)], "web")
    found = families_of(figures)
    labels = {"project": "web", "service": "shop", "provider": "openai", "model": "gpt-4o", "operation": "chat"}
    assert value_of(found, "vestigo_llm_requests_total", **labels) == 1
    assert value_of(found, "vestigo_llm_cost_usd_total", **labels) == 0.25
    assert value_of(found, "vestigo_llm_unpriced_total", **labels) == 0
    tokens = {part: value_of(found, "vestigo_llm_tokens_total", type=part) for part in ("input", "output", "cached")}
    assert tokens == {"input": 500, "output": 40, "cached": 300}
    assert value_of(found, "vestigo_llm_tokens_total", type="reasoning", **labels) == 8
    assert value_of(found, "vestigo_llm_duration_seconds_bucket", le="0.32", **labels) == 0
    assert value_of(found, "vestigo_llm_duration_seconds_bucket", le="0.64", **labels) == 1
    assert value_of(found, "vestigo_llm_duration_seconds_sum", **labels) == 0.5
    assert value_of(found, "vestigo_llm_time_to_first_token_seconds_bucket", le="0.02", **labels) == 0
    assert value_of(found, "vestigo_llm_time_to_first_token_seconds_bucket", le="0.04", **labels) == 1


def test_the_buckets_are_those_of_the_conventions():
    """GenAI conventions, gen_ai.client.operation.duration: 0.01 doubled up to 81.92; a bound belongs to its bucket."""
    figures = Figures()
    figures.observe([make_span(0.01)], "web")
    samples = families_of(figures)["vestigo_llm_duration_seconds"][1]
    bounds = [float(dict(labels)["le"]) for name, labels in samples if name.endswith("_bucket")]
    assert bounds == [*(round(0.01 * 2**n, 2) for n in range(14)), float("inf")]
    assert value_of(families_of(figures), "vestigo_llm_duration_seconds_bucket", le="0.01") == 1


@pytest.mark.parametrize(
    "span",
    [
        make_span(kind="tool"),
        make_span(kind="agent", usage_role="rollup"),
        make_span(usage_role="rollup"),
        make_span(usage_role="duplicate"),
        Span("0" * 32, "0" * 16, "open", 0, normal=NormalForm(kind="llm")),
        Span("0" * 32, "0" * 16, "foreign", 0, end_ns=1),
    ],
)
def test_only_finished_leaves_of_models_count(span):
    """What sums up others or is none of a model's calls is passed over, so that nothing counts twice."""
    figures = Figures()
    figures.observe([span], "web")
    assert families_of(figures)["vestigo_llm_requests_total"][1] == {}


def test_a_sampled_call_stands_for_several():
    """Counts, sums and buckets are multiplied by the weight."""
    figures = Figures()
    usage = Usage(input=10, output=1)
    span = make_span(2.0, weight=2.5, usage=usage, cost=Cost(0.5, source="reported"), ttft_s=1.0, error="timeout")
    figures.observe([span, make_span(2.0, weight=2.5)], "web")
    found = families_of(figures)
    assert value_of(found, "vestigo_llm_requests_total") == 5
    assert value_of(found, "vestigo_llm_errors_total", error_type="timeout") == 2.5
    assert value_of(found, "vestigo_llm_tokens_total", type="input") == 25
    assert value_of(found, "vestigo_llm_cost_usd_total") == 1.25
    assert value_of(found, "vestigo_llm_unpriced_total") == 2.5
    assert value_of(found, "vestigo_llm_duration_seconds_count") == 5
    assert value_of(found, "vestigo_llm_duration_seconds_sum") == 10
    assert value_of(found, "vestigo_llm_time_to_first_token_seconds_count") == 2.5


def test_it_counts_what_the_collector_of_a_program_counts():
    """The same random calls give the same totals in `MetricsCollector` and here."""
    chance = random.Random(5)
    kinds, roles = ["llm", "embedding", "tool"], ["leaf", "leaf", "rollup"]
    spans = [
        make_span(
            chance.lognormvariate(0, 1), weight=chance.choice([1.0, 4.0]), kind=chance.choice(kinds),
            usage_role=chance.choice(roles), error=chance.choice([None, None, "timeout"]),
            usage=chance.choice([None, Usage(input=chance.randrange(9000), output=7, cache_read=3, reasoning=2)]),
            cost=chance.choice([None, Cost(chance.random(), source="computed")]), ttft_s=chance.choice([None, 0.2]),
        )
        for _ in range(500)
    ]  # fmt: skip
    figures, collector = Figures(), MetricsCollector()
    figures.observe(spans, "web")
    for span in spans:
        collector.observe_span(span)
    found, summary = families_of(figures), collector.get_summary()
    for ours, theirs in {
        "requests": "requests",
        "errors": "errors",
        "unpriced": "cost_unknown",
        "cost_usd": "cost_usd",
    }.items():
        assert value_of(found, f"vestigo_llm_{ours}_total") == pytest.approx(summary[f"llm.{theirs}"]["value"])
    for part in ("input", "output", "cached", "reasoning"):
        assert value_of(found, "vestigo_llm_tokens_total", type=part) == summary[f"llm.tokens.{part}"]["value"]
    assert value_of(found, "vestigo_llm_duration_seconds_count") == summary["llm.latency_ms"]["count"]
    assert value_of(found, "vestigo_llm_time_to_first_token_seconds_count") == summary["llm.ttft_ms"]["count"]


def test_a_call_that_is_sent_again_counts_once():
    """OTLP's senders repeat what they have no answer for; the same ids in another project are another call."""
    figures = Figures()
    spans = [make_span() for _ in range(10)]
    figures.observe(spans, "web")
    figures.observe([*spans, make_span()], "web")
    figures.observe(spans, "shop")
    found = families_of(figures)
    assert value_of(found, "vestigo_llm_requests_total", project="web") == 11
    assert value_of(found, "vestigo_llm_requests_total", project="shop") == 10
    assert figures.repeats == 10


def test_what_is_remembered_of_calls_is_bounded(monkeypatch):
    """The newest calls are known again, those before twice their number are not."""
    monkeypatch.setattr(module, "RECENT", 100)
    figures = Figures()
    spans = [make_span() for _ in range(1_000)]
    figures.observe(spans, "web")
    assert len(figures._recent) + len(figures._older) <= 200
    figures.observe(spans[-100:], "web")
    assert figures.repeats == 100
    figures.observe(spans[:100], "web")
    assert figures.repeats == 100


def test_labels_are_bounded_and_nothing_is_lost():
    """10,000 models make at most 200 sets of labels and `other`, by project, and every call counts."""
    figures = Figures()
    for number in range(10_000):
        figures.observe([make_span(response_model=f"m{number}", error=f"E{number}")], f"p{number % 3}")
    found = families_of(figures)
    samples = found["vestigo_llm_requests_total"][1]
    assert len(samples) == MAX_LABEL_SETS + 3
    assert value_of(found, "vestigo_llm_requests_total") == 10_000
    assert value_of(found, "vestigo_llm_requests_total", model="other", project="p1") > 3000
    assert len(found["vestigo_llm_errors_total"][1]) <= 2 * MAX_LABEL_SETS + 3
    assert value_of(found, "vestigo_llm_errors_total") == 10_000
    assert figures.overflows == 2 * (10_000 - MAX_LABEL_SETS)


def test_many_forms_of_one_label_are_not_kept():
    """Names that differ only behind what is cut are one series, and do not fill the memory."""
    figures = Figures()
    for number in range(5_000):
        figures.observe([make_span(response_model="m" * 200 + str(number))], "web")
    assert value_of(families_of(figures), "vestigo_llm_requests_total", model="m" * 200) == 5_000
    assert len(figures._known) <= 4 * MAX_LABEL_SETS


def test_many_projects_do_not_make_more_than_twice_the_sets():
    """Beyond that even the project is `other`."""
    figures = Figures()
    for number in range(1_000):
        figures.observe([make_span(response_model=f"m{number}")], f"p{number}")
    found = families_of(figures)
    assert len(found["vestigo_llm_requests_total"][1]) == 2 * MAX_LABEL_SETS + 1
    assert value_of(found, "vestigo_llm_requests_total", project="other") == 600


def test_values_that_make_no_sense_leave_the_sums_alone():
    """A negative cost, absurd tokens or an end before the start count the call and not the number."""
    figures = Figures()
    figures.observe(
        [
            make_span(-5.0, usage=Usage(input=-7, output=3), cost=Cost(-2.0, source="reported"), ttft_s=-1.0),
            make_span(1.0, usage=Usage(input=10**18), cost=Cost(float("nan"), source="reported"), ttft_s=float("inf")),
        ],
        "web",
    )
    found = families_of(figures)
    assert value_of(found, "vestigo_llm_requests_total") == 2
    assert value_of(found, "vestigo_llm_cost_usd_total") == 0
    assert value_of(found, "vestigo_llm_tokens_total") == 0
    assert value_of(found, "vestigo_llm_duration_seconds_count") == 1
    assert figures.bad_values == 2


def test_labels_of_any_type_are_text():
    """An operation that is a list, a service that is a number and what is missing make no trouble."""
    figures = Figures()
    figures.observe([make_span(operation=["chat"], service=7), make_span(operation=True, service=1)], "web")
    figures.observe([make_span(operation=1, service=True, provider=None, response_model=None)], "web")
    found = families_of(figures, openmetrics=True)
    assert value_of(found, "vestigo_llm_requests_total", operation="['chat']", service="7") == 1
    assert value_of(found, "vestigo_llm_requests_total", operation="True", service="1") == 1
    assert value_of(found, "vestigo_llm_requests_total", operation="1", service="True", model="", provider="") == 1


def test_threads_lose_no_call():
    """Four threads that meet each new model at once, and one that reads: the total is exact."""
    figures, meeting = Figures(), threading.Barrier(4)

    def count():
        for number in range(MAX_LABEL_SETS):
            usage = Usage(output=1)
            spans = [make_span(response_model=f"m{number}", usage=usage, error=f"E{number}") for _ in range(4)]
            meeting.wait(30)
            figures.observe(spans, "web")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            families_of(figures)
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    found = families_of(figures)
    for name in ("requests_total", "errors_total", "duration_seconds_sum"):
        assert value_of(found, f"vestigo_llm_{name}") == 16 * MAX_LABEL_SETS
    assert value_of(found, "vestigo_llm_tokens_total", type="output") == 16 * MAX_LABEL_SETS


def cpu_s(work, rounds=5):
    """The least CPU time of some rounds, of this thread alone: tests before may have left others."""
    costs = []
    for _ in range(rounds):
        start = time.thread_time()
        work()
        costs.append(time.thread_time() - start)
    return min(costs)


def test_it_costs_less_than_a_third_of_the_collector():
    """Ingest takes 10,000 spans/s: counting one is to cost 3 us, measured against another cost of this machine."""
    usage, cost = Usage(input=1000, output=100, cache_read=10), Cost(0.01, source="computed")
    spans = [make_span(response_model=f"gpt-{n % 20}", usage=usage, cost=cost, ttft_s=0.3) for n in range(2_000)]
    collector = MetricsCollector()
    ours = cpu_s(lambda: Figures().observe(spans, "web"))
    theirs = cpu_s(lambda: [collector.observe_span(span) for span in spans])
    assert ours < theirs / 3
