"""`MetricsCollector`: exact counts from any thread and process, bounded, and never an exception into the program."""

import json
import math
import os
import random
import re
import sys
import threading
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestigo import diagnostics
from vestigo.metrics import DURATION_BUCKETS_S, MAX_SERIES, MetricsCollector
from vestigo.record import Cost, NormalForm, Resource, Span, Usage
from vestigo.sketch import EXACT_VALUES, RELATIVE_ERROR

FIGURES = ("count", "sum", "mean", "min", "max", "p50", "p95", "p99")

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def unescape(raw):
    return re.sub(r'\\[\\"n]', lambda found: {"n": "\n"}.get(found[0][1], found[0][1]), raw)


def read_exposition(text):
    """Samples by (name, sorted labels), and types by family; refuses what the format does not allow."""
    samples, types = {}, {}
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types
            types[family] = kind
            continue
        name, inner, value = SAMPLE.fullmatch(line).groups()
        labels = LABEL.findall(inner or "")
        assert LABEL.sub("", inner or "") == "", line
        assert len(dict(labels)) == len(labels), line
        key = name, tuple(sorted((label, unescape(raw)) for label, raw in labels))
        assert key not in samples, line
        samples[key] = float(value)
    return samples, types


def figures(values):
    """What a summary must say of these values, by sorting them."""
    ordered = sorted(values)
    return {
        "count": len(values), "sum": math.fsum(values), "mean": math.fsum(values) / len(values),
        "min": ordered[0], "max": ordered[-1],
        **{f"p{q}": ordered[math.ceil(q * len(values) / 100) - 1] for q in (50, 95, 99)},
    }  # fmt: skip


def assert_figures(found, values):
    for name, true in figures(values).items():
        error = RELATIVE_ERROR if name.startswith("p") and len(set(values)) > EXACT_VALUES else 1e-15
        assert found[name] == pytest.approx(true, rel=error, abs=0), name


@given(st.lists(st.floats(-1e200, 1e200, allow_subnormal=False), min_size=1, max_size=400))
def test_the_figures_of_any_values_are_right(values):
    """Count, sum, min and max as by fsum and sorting, the mean of them, quantiles within 1 % and inside [min, max]."""
    collector = MetricsCollector()
    for value in values:
        collector.record("x", value)
    found = collector.get_summary()["x"]
    assert_figures(found, values)
    assert found["sum"] == math.fsum(values)
    assert found["min"] <= found["p50"] <= found["p95"] <= found["p99"] <= found["max"]
    assert found["type"] == "value"
    assert [{**part, "tags": None} for part in found["series"]] == [
        {"tags": None, **{name: found[name] for name in FIGURES}}
    ]


@pytest.mark.parametrize("values", [[7.5], [7.5, 2.25], [-1.0, 3.0], [0.0, 0.0]])
def test_one_and_two_values_are_exact(values):
    """No error at all on 1 and 2 values, of the quantiles neither; nothing at all is an empty summary."""
    collector = MetricsCollector()
    assert collector.get_summary() == {}
    assert collector.prometheus() == ""
    for value in values:
        collector.record("x", value)
    found = collector.get_summary()["x"]
    assert {name: found[name] for name in FIGURES} == figures(values)


def test_100_000_lognormal_values_are_within_one_percent():
    """A long tail over five decades, in tagged series that add up to one."""
    chance = random.Random(11)
    values = [chance.lognormvariate(5, 2) for _ in range(100_000)]
    collector = MetricsCollector()
    for number, value in enumerate(values):
        collector.record("latency", value, {"model": f"m{number % 3}"})
    found = collector.get_summary()["latency"]
    assert_figures(found, values)
    assert len(found["series"]) == 3
    for part in found["series"]:
        assert_figures(part, values[int(part["tags"]["model"][1:]) :: 3])


def test_a_sum_keeps_what_plain_addition_loses():
    """A million tenths, and a one beside 1e16, come out as exactly as a float can say; a sum too large stays finite."""
    collector = MetricsCollector()
    for _ in range(100_000):
        collector.record("tenths", 0.1)
    for value in (1e16, 1.0, -1e16):
        for _ in range(200):
            collector.record("mixed", value)
    for _ in range(3):
        collector.record("huge", sys.float_info.max)
    collector.record("huge", 1.0)
    found = collector.get_summary()
    assert found["tenths"]["sum"] == math.fsum([0.1] * 100_000)
    assert found["mixed"]["sum"] == 200.0
    assert found["huge"]["sum"] == sys.float_info.max


def test_counters_add_up_by_tags_and_over_all():
    """`increment` by 1 and by amounts, whole numbers staying whole, with the total over all tags."""
    collector = MetricsCollector()
    collector.increment("calls")
    collector.increment("calls", 2, {"model": "a"})
    collector.increment("calls", 0.5, {"model": "b"})
    collector.increment("calls", tags={"model": "a"})
    assert collector.get_summary() == {
        "calls": {
            "type": "counter",
            "value": 4.5,
            "series": [
                {"tags": {}, "value": 1},
                {"tags": {"model": "a"}, "value": 3},
                {"tags": {"model": "b"}, "value": 0.5},
            ],
        }
    }
    assert json.dumps(collector.get_summary()["calls"]["series"][0]) == '{"tags": {}, "value": 1}'
    collector.reset()
    assert collector.get_summary() == {}


def test_tags_are_one_set_whatever_their_order_and_type():
    """Order does not matter, values are their text, None is left out; True and 1 are not the same tag."""
    collector = MetricsCollector()
    for tags in ({"a": "1", "b": "x"}, {"b": "x", "a": "1"}, {"a": 1, "b": "x", "c": None}, {"a": True, "b": "x"}) * 2:
        collector.increment("n", tags=tags)
    assert [(part["tags"], part["value"]) for part in collector.get_summary()["n"]["series"]] == [
        ({"a": "1", "b": "x"}, 6),
        ({"a": "true", "b": "x"}, 2),
    ]


class Hostile:
    def __float__(self):
        raise RuntimeError("no")

    __str__ = __hash__ = __eq__ = __len__ = __float__


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("name", "value", "tags", "reason"),
    [
        ("x", math.nan, None, "bad_value"),
        ("x", math.inf, None, "bad_value"),
        ("x", -math.inf, None, "bad_value"),
        ("x", 10**400, None, "bad_value"),
        ("x", True, None, "bad_value"),
        ("x", "7", None, "bad_value"),
        ("x", b"7", None, "bad_value"),
        ("x", None, None, "bad_value"),
        ("x", [1], None, "bad_value"),
        ("x", Hostile(), None, "bad_value"),
        (None, 1, None, "bad_name"),
        (7, 1, None, "bad_name"),
        ("", 1, None, "bad_name"),
        ("x" * 201, 1, None, "bad_name"),
        (["x"], 1, None, "bad_name"),
        (Hostile(), 1, None, "bad_name"),
        ("x", 1, "model=a", "bad_tags"),
        ("x", 1, 7, "bad_tags"),
        ("x", 1, {"a": Hostile()}, "bad_tags"),
        ("x", 1, HostileDict(a="b"), "bad_tags"),
        ("x", 1, Hostile(), "bad_tags"),
        ("x", 1, {str(number): "a" for number in range(17)}, "bad_tags"),
    ],
)
def test_nonsense_is_dropped_and_counted_and_never_raises(name, value, tags, reason):
    """Wrong names, values and tags, also into a series that exists: nothing raised, nothing counted but the drop."""
    collector = MetricsCollector()
    collector.record("x", 1.0)
    collector.increment("n")
    before = collector.get_summary()
    collector.record(name, value, tags)
    collector.increment("n" if isinstance(name, str) and name == "x" else name, value, tags)
    assert collector.dropped == {reason: 2}
    assert collector.get_summary() == before


def test_counters_do_not_fall_and_a_name_has_one_kind():
    """A negative increment is dropped; so is `record` on a counter and `increment` on a distribution."""
    collector = MetricsCollector()
    collector.increment("n", 3)
    collector.increment("n", -1)
    collector.increment("m", -0.5)
    collector.record("n", 1.0)
    collector.record("x", 1.0)
    collector.increment("x")
    assert collector.dropped == {"negative": 2, "other_kind": 2}
    assert list(collector.get_summary()) == ["n", "x"]


def test_numbers_of_any_library_are_taken():
    """What has a `__float__` is a number: Decimal, Fraction, a subclass of float; whole numbers up to 1e308."""

    class Metres(float):
        pass

    collector = MetricsCollector()
    for value in (Decimal("1.5"), Fraction(1, 2), Metres(2.0), 10**300, -4):
        collector.record("x", value)
    found = collector.get_summary()["x"]
    assert (found["count"], found["min"], found["max"]) == (5, -4.0, 1e300)
    assert type(found["min"]) is float


def test_text_that_utf8_cannot_hold_is_still_exported():
    """Lone surrogates in names and tags become a question mark; long tag values are cut."""
    collector = MetricsCollector()
    collector.increment("a\udcff", tags={"k\ud800": "v\udfff" + "x" * 1000})
    ((name, found),) = collector.get_summary().items()
    assert name == "a?"
    assert found["series"][0]["tags"] == {"k?": "v?" + "x" * 198}
    collector.prometheus().encode()
    collector.merge(collector.snapshot())
    assert collector.get_summary()["a?"]["value"] == 2


def test_series_are_bounded_and_what_is_above_is_counted_together():
    """A tag that never repeats: 1,000 series and one of overflow, no value lost, and new names are refused."""
    collector = MetricsCollector()
    for number in range(3_000):
        collector.increment("n", tags={"request": str(number)})
    collector.record("new", 1.0)
    collector.increment("n", tags={"request": "7"})
    found = collector.get_summary()["n"]
    assert found["value"] == 3_001
    assert len(found["series"]) == MAX_SERIES + 1
    assert found["series"][-1] == {"tags": {"overflow": "__overflow__"}, "value": 2_000}
    assert collector.dropped == {"overflow": 2_000, "too_many_names": 1}
    other = MetricsCollector()
    other.merge(collector)
    other.merge(collector)
    assert other.get_summary()["n"]["value"] == 6_002
    assert len(other.get_summary()["n"]["series"]) == MAX_SERIES + 1


def test_the_memory_of_tags_as_given_is_bounded():
    """Tags in ever new orders, and the same under ever new long names, are found without being kept for ever."""
    collector = MetricsCollector()
    names = [f"t{number}" for number in range(8)]
    for number in range(6_000):
        random.Random(number).shuffle(names)
        collector.increment("n", tags=dict.fromkeys(names, "v"))
    assert collector.get_summary()["n"]["value"] == 6_000
    assert len(collector._known) <= 4 * MAX_SERIES


def test_threads_that_record_at_once_lose_nothing():
    """Eight threads, values and counters, while another reads: exact counts and sums."""
    collector = MetricsCollector()
    done = threading.Event()

    def work(seed):
        for number in range(5_000):
            collector.record("x", float(number), {"thread": str(seed % 2)})
            collector.increment("n")

    def read():
        while not done.is_set():
            collector.get_summary()
            collector.snapshot()
            done.wait(0.002)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        reader = threading.Thread(target=read)
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in [reader, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        reader.join()
    finally:
        sys.setswitchinterval(interval)
    found = collector.get_summary()
    assert found["n"]["value"] == 40_000
    assert found["x"]["count"] == 40_000
    assert found["x"]["sum"] == 8 * sum(range(5_000))
    assert collector.dropped == {}


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(-1e200, 1e200, allow_subnormal=False), max_size=60), min_size=1, max_size=4))
def test_merging_equals_one_collector_of_all(parts):
    """Values and counters of several collectors, as objects and as bytes: as if one had counted them all."""
    merged, one = MetricsCollector(), MetricsCollector()
    for number, part in enumerate(parts):
        piece = MetricsCollector()
        for value in part:
            for collector in (piece, one):
                collector.record("x", value, {"sign": str(value < 0)})
                collector.increment("n")
                collector.record("llm.latency_ms", abs(value))
        merged.merge(piece if number % 2 else piece.snapshot())
    assert_same(merged.get_summary(), one.get_summary())
    found, _ = read_exposition(merged.prometheus())
    expected, _ = read_exposition(one.prometheus())
    assert found.keys() == expected.keys()
    assert {key: value for key, value in found.items() if "_bucket" in key[0]} == {
        key: value for key, value in expected.items() if "_bucket" in key[0]
    }


def assert_same(found, expected):
    """Equal but for the order of series, and for the last digit of sums whose parts were rounded apart."""
    assert found.keys() == expected.keys()
    for name, entry in expected.items():
        ours = {tuple(part["tags"].items()): part for part in [{**found[name], "tags": {}}, *found[name]["series"]]}
        for part in [{**entry, "tags": {}}, *entry["series"]]:
            for figure in FIGURES:
                if figure in part:
                    true = part[figure]
                    assert ours[tuple(part["tags"].items())][figure] == pytest.approx(true, rel=1e-12, abs=1e180)


def test_a_collector_merged_with_itself_doubles():
    """No deadlock, and every count twice."""
    collector = MetricsCollector()
    for value in range(20):
        collector.record("x", value)
    collector.merge(collector)
    assert collector.get_summary()["x"]["count"] == 40
    assert collector.get_summary()["x"]["sum"] == 2 * sum(range(20))


def test_a_snapshot_carries_what_was_dropped():
    """Drops add up across processes like everything else."""
    collector = MetricsCollector()
    collector.record("x", math.nan)
    other = MetricsCollector()
    other.merge(collector.snapshot())
    other.merge(collector.snapshot())
    assert other.dropped == {"bad_value": 2}


GOOD = ["x", "counter", [], 1, 1, 0, 1, 1, b"", []]
VALUE = ["x", "value", [], 1, 1, 0, 1, 1, b"\x94\x91\x01\x91\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xc0\x00", []]


def with_part(index, value, base=GOOD):
    return msgspec.msgpack.encode([[[*base[:index], value, *base[index + 1 :]]], {}])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"nonsense",
        None,
        7,
        "text",
        msgspec.msgpack.encode([[GOOD], {"bad_value": -1}]),
        with_part(0, ""),
        with_part(0, "x" * 300),
        with_part(1, "gauge"),
        with_part(2, [["a", "b"]] * 17),
        with_part(3, -1),
        with_part(3, 0),
        with_part(4, math.nan),
        with_part(6, 2),
        with_part(9, [1]),
        with_part(8, b"junk", VALUE),
        with_part(8, msgspec.msgpack.encode([[], []]), VALUE),
        with_part(0, "llm.latency_ms", VALUE),
    ],
)
def test_what_is_no_snapshot_is_dropped_whole(data):
    """Bytes of another origin, or figures that cannot be: nothing is merged, and the drop is counted."""
    collector = MetricsCollector()
    collector.increment("x")
    before = collector.get_summary()
    collector.merge(data)
    assert collector.dropped == {"bad_snapshot": 1}
    assert collector.get_summary() == before


def test_the_snapshots_of_the_test_above_are_good_without_their_fault():
    """So that each of them is refused for its one fault."""
    for base in (GOOD, VALUE):
        collector = MetricsCollector()
        collector.merge(with_part(3, 1, base))
        assert collector.dropped == {}
        assert list(collector.get_summary()) == ["x"]


def test_a_snapshot_with_a_name_of_the_other_kind_adds_nothing_there():
    """Here a counter, there a distribution: ours stays, the other is counted as dropped."""
    here, there = MetricsCollector(), MetricsCollector()
    here.increment("x")
    there.record("x", 5.0)
    here.merge(there)
    assert here.get_summary()["x"]["value"] == 1
    assert here.dropped == {"other_kind": 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_empty_and_is_not_blocked():
    """Forked while another thread holds the lock: the child counts from zero, and its snapshot adds to the parent's."""
    collector = MetricsCollector()
    collector.increment("n", 5)
    held, release = threading.Event(), threading.Event()

    def hold():
        with collector._lock:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  another process
        collector.increment("n", 2)
        os.write(writing, collector.snapshot())
        os._exit(0)
    os.close(writing)
    release.set()
    thread.join()
    with os.fdopen(reading, "rb") as pipe:
        collector.merge(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    assert collector.get_summary()["n"]["value"] == 7


def test_prometheus_text_says_what_was_counted():
    """Counters as `_total`, distributions as summaries, labels in place, whole numbers without a point."""
    collector = MetricsCollector()
    collector.increment("http.calls", 3, {"route": "/a"})
    collector.record("size", 2.5)
    collector.record("size", 4.0)
    assert collector.prometheus() == (
        "# HELP http_calls_total http.calls\n"
        "# TYPE http_calls_total counter\n"
        'http_calls_total{route="/a"} 3\n'
        "# HELP size size\n"
        "# TYPE size summary\n"
        'size{quantile="0.5"} 2.5\n'
        'size{quantile="0.95"} 4\n'
        'size{quantile="0.99"} 4\n'
        "size_sum 6.5\n"
        "size_count 2\n"
    )


def test_llm_durations_are_histograms_in_seconds_as_well():
    """The conventions' bounds, upper bound included, cumulative, ending in +Inf; sum in seconds."""
    collector = MetricsCollector()
    for value in (10.0, 10.1, 20.0, 500.0, 1e6):
        collector.record("llm.latency_ms", value, {"model": "m"})
    samples, types = read_exposition(collector.prometheus())
    assert types == {"llm_latency_ms": "summary", "llm_latency_seconds": "histogram"}
    buckets = {dict(labels)["le"]: value for (name, labels), value in samples.items() if name.endswith("_bucket")}
    assert list(buckets) == [*map(str, DURATION_BUCKETS_S), "+Inf"]
    assert [buckets[bound] for bound in ("0.01", "0.02", "0.32", "0.64", "81.92", "+Inf")] == [1, 3, 3, 4, 4, 5]
    assert samples["llm_latency_seconds_sum", (("model", "m"),)] == pytest.approx(1000.5401)
    assert samples["llm_latency_seconds_count", (("model", "m"),)] == 5


@given(
    st.lists(
        st.tuples(
            st.text(max_size=12),
            st.dictionaries(st.text(max_size=6), st.text(max_size=12), max_size=3),
            st.sampled_from(["record", "increment"]),
        ),
        max_size=12,
    )
)
def test_any_names_and_labels_make_a_valid_exposition(given_metrics):
    """Names and labels of any characters: the text can be read back, no sample twice, label values unharmed."""
    collector = MetricsCollector()
    for name, tags, method in given_metrics:
        getattr(collector, method)(name, 1.0, tags=tags)
    samples, types = read_exposition(collector.prometheus())
    summary = collector.get_summary()
    assert len(types) == len(summary)
    told = sorted(text for part in summary.values() for one in part["series"] for text in one["tags"].values())
    written = [
        value
        for (name, labels), _ in samples.items()
        if name.endswith(("_total", "_count")) or re.search(r"_(total|count)_\d+$", name)
        for label, value in labels
    ]
    assert sorted(written) == told


def test_names_that_look_alike_stay_apart():
    """`a.b` and `a_b`, a `_sum` or `_total` beside a metric of that very name, labels with a meaning of their own."""
    collector = MetricsCollector()
    collector.increment("a.b", 1, {"x.y": "1"})
    collector.increment("a.b", 5, {"x_y": "1"})
    collector.increment("a_b", 2)
    collector.increment("a_b_total", 3)
    collector.record("s", 1.0, {"quantile": "q", "le": "l", "__name__": "n", "0": "z", "": "e"})
    collector.record("s_sum", 2.0)
    collector.record("9 lives", 9.0)
    samples, types = read_exposition(collector.prometheus())
    assert [family for family, kind in types.items() if kind == "counter"] == [
        "a_b_total", "a_b_2_total", "a_b_3_total",
    ]  # fmt: skip
    assert samples["a_b_total", (("x_y", "1"),)] == 1
    assert samples["a_b_total", (("x_y_2", "1"),)] == 5
    assert samples["s_sum_2_sum", ()] == 2
    assert samples["_9_lives_count", ()] == 1
    labels = next(dict(labels) for name, labels in samples if name == "s_count")
    assert labels == {"quantile_2": "q", "le_2": "l", "tag___name__": "n", "tag_0": "z", "tag_": "e"}


def llm_span(weight=1.0, **normal):
    return Span(
        "a" * 32, "b" * 16, "chat gpt-4o", 10**18, end_ns=10**18 + 1_500_000_000, weight=weight,
        attributes={"gen_ai.operation.name": "chat"}, resource=Resource({"service.name": "shop"}),
        normal=NormalForm(**{
            "kind": "llm", "provider": "openai", "request_model": "gpt-4o",
            "usage": Usage(input=100, output=20, cache_read=60, reasoning=5), "cost": Cost(0.01, source="computed"),
            "ttft_s": 0.25, **normal,
        }),
    )  # fmt: skip


def test_an_llm_call_feeds_the_figures():
    """Requests, tokens, cost, latency and time to first token, tagged by model, provider, operation and service."""
    collector = MetricsCollector()
    collector.observe_span(llm_span())
    collector.observe_span(llm_span(response_model="gpt-4o-2024-08-06", cost=None, ttft_s=None))
    found = collector.get_summary()
    assert {name: entry["value"] for name, entry in found.items() if entry["type"] == "counter"} == {
        "llm.requests": 2, "llm.tokens.input": 200, "llm.tokens.output": 40, "llm.tokens.cached": 120,
        "llm.tokens.reasoning": 10, "llm.cost_usd": 0.01, "llm.cost_unknown": 1,
    }  # fmt: skip
    assert found["llm.latency_ms"]["sum"] == 3000
    assert found["llm.ttft_ms"]["max"] == 250
    tags = {"provider": "openai", "operation": "chat", "service": "shop"}
    assert [part["tags"] for part in found["llm.requests"]["series"]] == [
        {"model": "gpt-4o", **tags},
        {"model": "gpt-4o-2024-08-06", **tags},
    ]


def test_failed_calls_are_counted_by_error_type():
    """Each failure by its `error.type`, or `_OTHER` where it has none; one without tokens has no token figures."""
    collector = MetricsCollector()
    for error in ("timeout", "timeout", None):
        span = llm_span(usage=None, cost=None, ttft_s=None)
        span.status = "ERROR"
        if error:
            span.attributes["error.type"] = error
        collector.observe_span(span)
    found = collector.get_summary()
    assert [(part["tags"]["error.type"], part["value"]) for part in found["llm.errors"]["series"]] == [
        ("timeout", 2),
        ("_OTHER", 1),
    ]
    assert sorted(found) == ["llm.cost_unknown", "llm.errors", "llm.latency_ms", "llm.requests"]


def test_a_span_that_stands_for_ten_counts_ten_times():
    """After sampling: counts, sums and the histogram are those of all spans, not of the kept ones."""
    collector = MetricsCollector()
    collector.observe_span(llm_span(weight=10.0))
    collector.observe_span(llm_span(weight=2.5))
    found = collector.get_summary()
    assert found["llm.requests"]["value"] == 12.5
    assert found["llm.tokens.input"]["value"] == 1250
    assert found["llm.cost_usd"]["value"] == pytest.approx(0.125)
    assert found["llm.latency_ms"]["count"] == 12.5
    assert found["llm.latency_ms"]["mean"] == 1500
    assert found["llm.latency_ms"]["p50"] == 1500
    samples, _ = read_exposition(collector.prometheus())
    assert next(value for (name, _), value in samples.items() if name == "llm_latency_seconds_count") == 12.5


def test_spans_that_are_no_finished_call_are_passed_over():
    """Open spans, tools, roll-ups and duplicates of calls count nothing; embeddings count."""
    collector = MetricsCollector()
    still_open, plain = llm_span(), llm_span()
    still_open.end_ns = plain.normal = None
    for span in (
        still_open, plain, llm_span(kind="tool"), llm_span(usage_role="rollup"), llm_span(usage_role="duplicate"),
    ):  # fmt: skip
        collector.observe_span(span)
    assert collector.get_summary() == {}
    collector.observe_span(llm_span(kind="embedding"))
    assert collector.get_summary()["llm.requests"]["value"] == 1


def test_a_span_of_nonsense_raises_nothing():
    """Foreign spans hold anything: what cannot be counted is dropped or told, never raised."""
    collector = MetricsCollector()
    collector.observe_span(llm_span(weight=math.nan))
    collector.observe_span(llm_span(usage=Usage(input="many", output=-5)))
    span = llm_span(request_model=["a", "list"])
    span.attributes["gen_ai.operation.name"] = {"a": "dict"}
    collector.observe_span(span)
    collector.observe_span(None)
    assert diagnostics.counters.get("failed.metrics") >= 1
    assert all(math.isfinite(entry.get("value", 0)) for entry in collector.get_summary().values())
    diagnostics.counters.reset()
