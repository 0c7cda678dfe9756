"""`Prices`: equal to genai-prices where that knows, our own file first, unknown instead of 0."""

import logging
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest
from genai_prices import data_snapshot
from genai_prices.types import ModelPrice, TimeOfDateConstraint
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vestigo import diagnostics
from vestigo.errors import SettingsError
from vestigo.prices import MAX_TOKENS, Prices
from vestigo.record import Cost, NormalForm, Usage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AUTUMN_2026 = (datetime(2026, 10, 20, 12, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 1000

ARN = "arn:aws:bedrock:eu-west-1:1:inference-profile"

GENAI_NAMES = {
    "input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens", "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "output_reasoning_tokens", "audio_input": "input_audio_tokens",
    "audio_output": "output_audio_tokens", "image_input": "input_image_tokens", "image_output": "output_image_tokens",
}  # fmt: skip

CONTEXTS = [
    ({}, {}),
    ({"batch": True}, {"processing": "batch"}),
    ({"service_tier": "batch"}, {"processing": "batch"}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"service_tier": "default"}, {"service_tier": "default"}),
    ({"service_tier": "fast"}, {"service_tier": "fast", "speed": "fast"}),
    ({"service_tier": "flex", "batch": True}, {"service_tier": "flex", "processing": "batch"}),
]

PRICES = Prices()  # one for all examples, so that its cache is under test as well

MODELS = [(provider.id, model.id) for provider in data_snapshot.get_snapshot().providers for model in provider.models]
SPECIAL = [
    (provider.id, model.id)
    for provider in data_snapshot.get_snapshot().providers
    for model in provider.models
    if model.price_variants or not isinstance(model.prices, ModelPrice)
]

numbers_of_tokens = st.one_of(st.integers(0, 3_000), st.integers(0, 400_000), st.integers(0, 10_000_000))


@st.composite
def usages(draw):
    """Counts that fit together: inclusive totals and parts of them, each perhaps not told."""
    total_input, total_output = draw(numbers_of_tokens), draw(numbers_of_tokens)
    counts = {"input": total_input, "output": total_output}

    def part(name, most):
        counts[name] = draw(st.one_of(st.none(), st.just(0), st.integers(0, most)))
        return counts[name] or 0

    read = part("cache_read", total_input)
    written = part("cache_write", total_input - read)
    if counts["cache_write"] is not None:
        part("cache_write_1h", written)
    part("image_input", total_input - part("audio_input", total_input))
    part("reasoning", total_output)
    part("image_output", total_output - part("audio_output", total_output))
    return Usage(**counts)


def call(model, usage, provider=None, asked=None):
    return NormalForm(kind="llm", provider=provider, request_model=asked, response_model=model, usage=usage)


def nanoseconds(moment):
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def directly(provider, model, usage, moment, context):
    """What genai-prices itself says: (input, output, total) or None where it refuses, with a warning-free usage."""
    told = {name: getattr(usage, ours) for ours, name in GENAI_NAMES.items() if getattr(usage, ours) is not None}
    try:
        return genai_prices.calc_price(
            genai_prices.Usage(**told), model, provider_id=provider, genai_request_timestamp=moment,
            price_context=context,
        )  # fmt: skip
    except (ValueError, LookupError):
        return None


@settings(max_examples=1_500, deadline=None)
@given(
    st.one_of(st.sampled_from(MODELS), st.sampled_from(SPECIAL)),
    usages(),
    st.datetimes(datetime(2023, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001  hypothesis wants naive bounds
    st.sampled_from(CONTEXTS),
)
@example(("google", "gemini-2.5-pro"), Usage(input=200_000, output=1), datetime(2026, 1, 1), CONTEXTS[0])  # noqa: DTZ001
@example(("google", "gemini-2.5-pro"), Usage(input=200_001, output=1), datetime(2026, 1, 1), CONTEXTS[0])  # noqa: DTZ001
def test_prices_equal_those_of_genai_prices(where, usage, moment, context):
    """Any listed model, usage, date and context: equal within 1e-12, refused together, parts adding up exactly.

    We say `unknown` for one thing more: tokens of a direction that the table has no price for, which it counts as 0.
    """
    provider, model = where
    moment = moment.replace(tzinfo=UTC)
    ours, theirs = context
    cost = PRICES.price(call(model, usage, provider), nanoseconds(moment), **ours)
    found = directly(provider, model, usage, moment, theirs)
    if cost.source == "unknown":
        assert cost == Cost()
        listed = [] if found is None else [key for key, price in vars(found.model_price).items() if price is not None]
        missing_input, missing_output = "input_mtok" not in listed, "output_mtok" not in listed
        assert found is None or (usage.input and missing_input) or (usage.output and missing_output) or not (
            usage.input or usage.output or {"input_mtok", "requests_kcount"} & {*listed}
        )  # fmt: skip
        return
    assert found is not None
    per_request = found.total_price - found.input_price - found.output_price
    assert cost.total_usd == pytest.approx(float(found.total_price), rel=1e-12, abs=1e-12)
    assert cost.input_usd == pytest.approx(float(found.input_price + per_request), rel=1e-12, abs=1e-12)
    assert cost.output_usd == pytest.approx(float(found.output_price), rel=1e-12, abs=1e-12)
    assert cost.input_usd + cost.output_usd == cost.total_usd


def test_nearly_every_listed_model_is_priced():
    """The comparison above is not empty: of the models that list a token price, all are priced for plain tokens."""
    unknown, priced = [], 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            found = directly(provider.id, model.id, Usage(input=1000, output=0), EPOCH + timedelta(days=20_700), {})
            if found is not None and "input_mtok" in vars(found.model_price):
                cost = PRICES.price(call(model.id, Usage(input=1000, output=0), provider.id), 20_700 * 86_400 * 10**9)
                priced += cost.source == "computed"
                unknown += [] if cost.source == "computed" else [model.id]
    assert unknown == []
    assert priced > 2_000


def test_the_time_of_day_counts_to_the_microsecond():
    """Models that are cheaper by night: right on each side of each change of price, wherever the cache was filled."""
    tried = 0
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            conditions = [] if isinstance(model.prices, ModelPrice) else model.prices
            for change in (c.constraint for c in conditions if isinstance(c.constraint, TimeOfDateConstraint)):
                for edge in (change.start_time, change.end_time):
                    on = datetime.combine(date(2025, 7, 1), edge.replace(tzinfo=None), edge.tzinfo or UTC)
                    for moment in (on - timedelta(microseconds=1), on, on + timedelta(microseconds=1)):
                        usage = Usage(input=1000, output=1000)
                        cost = PRICES.price(call(model.id, usage, provider.id), nanoseconds(moment))
                        found = directly(provider.id, model.id, usage, moment, {})
                        assert cost.total_usd == pytest.approx(float(found.total_price), abs=1e-15)
                        tried += 1
    assert tried > 20


@pytest.mark.parametrize(
    ("provider", "model", "usage", "usd"),
    [
        ("openai", "gpt-4o", Usage(input=10_000, output=1_000), 0.035),
        ("openai", "gpt-4o", Usage(input=10_000, output=1_000, cache_read=8_000), 0.025),
        ("anthropic", "claude-sonnet-4-5", Usage(input=10_000, output=1_000, cache_read=8_000), 0.0234),
        ("gcp.gemini", "models/gemini-2.5-pro", Usage(input=200_000, output=1_000), 0.26),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", Usage(input=200_001, output=1_000), 0.5150025),
        ("azure.ai.openai", "gpt-4o-2024-08-06", Usage(input=10_000, output=1_000), 0.035),
        (None, "gpt-4o", Usage(input=10_000, output=1_000), 0.035),
        ("litellm", "anthropic/claude-sonnet-4-5", Usage(input=10_000, output=1_000), 0.045),
        ("openai", "anthropic/claude-sonnet-4-5", Usage(input=10_000, output=1_000), 0.045),
        ("aws.bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0", Usage(input=1_000_000, output=0), 0.8),
        ("aws.bedrock", f"{ARN}/us.anthropic.claude-3-5-haiku-20241022-v1:0", Usage(input=1_000_000, output=0), 0.8),
    ],
)  # fmt: skip
def test_models_are_found_under_the_names_that_spans_carry(provider, model, usage, usd):
    """OpenTelemetry's provider names, prefixes, paths and ARNs; figures from the providers' price pages."""
    cost = PRICES.price(call(model, usage, provider), AUTUMN_2026)
    assert cost.total_usd == pytest.approx(usd, abs=1e-12)
    assert cost.source == "computed"
    assert cost.price_id.startswith(f"genai-prices-{genai_prices.__version__}/")
    assert cost.price_id.endswith("@2026-10-20")


def test_the_date_of_the_call_decides():
    """o3 was cut by four fifths in June 2025: a call of May keeps the price of May."""
    asked = call("o3", Usage(input=10_000, output=1_000), "openai")
    may = nanoseconds(datetime(2025, 5, 1, tzinfo=UTC))
    assert PRICES.price(asked, may).total_usd == pytest.approx(0.14)
    assert PRICES.price(asked, AUTUMN_2026).total_usd == pytest.approx(0.028)


def test_a_price_for_batches_is_named_as_such():
    """Half the price, and a price id that says why; where batches cost the same, the id is the usual one."""
    asked = call("claude-sonnet-4-5", Usage(input=10_000, output=1_000), "anthropic")
    cost = PRICES.price(asked, AUTUMN_2026, batch=True)
    assert cost.total_usd == pytest.approx(0.0225)
    assert cost.price_id.endswith("@2026-10-20+batch")
    assert PRICES.price(asked, AUTUMN_2026, service_tier="unheard-of").price_id.endswith("@2026-10-20")


def test_the_answering_model_counts_before_the_one_that_was_asked():
    """A router answers with another model; where the answer names an unknown one, the one that was asked counts."""
    usage = Usage(input=10_000, output=1_000)
    assert PRICES.price(call("gpt-4o", usage, "openai", "gpt-4o-mini"), AUTUMN_2026).total_usd == pytest.approx(0.035)
    assert PRICES.price(call("hidden", usage, "openai", "gpt-4o"), AUTUMN_2026).total_usd == pytest.approx(0.035)


@pytest.mark.parametrize(
    ("model", "provider", "usage", "reason"),
    [
        ("gpt-99-nowhere", "openai", Usage(input=1, output=1), "no price for 'gpt-99-nowhere'"),
        ("mistral", "ollama", Usage(input=1, output=1), "no price for 'mistral' of provider 'ollama'"),
        ("whisper-1", "openai", Usage(input=1, output=1), "lists no price for tokens"),
        ("text-embedding-3-small", "openai", Usage(input=1, output=1), "no price for output tokens"),
        ("gpt-4o", "openai", None, "no tokens were counted"),
        ("gpt-4o", "openai", Usage(), "no tokens were counted"),
        (None, "openai", Usage(input=1), "no model is named"),
        ("", "openai", Usage(input=1), "no model is named"),
        ("x" * 1000, "openai", Usage(input=1), "a name is too long"),
        ("gpt-4o", "openai", Usage(input=-1, output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(input=MAX_TOKENS + 1, output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(input=1.5, output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(input="7", output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(input=True, output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(input=float("nan"), output=1), "is no number of tokens"),
        ("gpt-4o", "openai", Usage(output=1, cache_read=1), "more than all input"),
        ("gpt-4o", "openai", Usage(input=1, output=1, reasoning=2), "more than all output"),
        ("gpt-4o", "openai", Usage(input=5, output=1, cache_read=3, cache_write=3), "more than all input"),
        ("gpt-realtime", "openai", Usage(input=9, output=1, cache_read=3, audio_input=3), "may be the same"),
    ],
)
def test_what_cannot_be_priced_is_unknown_and_never_0(model, provider, usage, reason):
    """Unknown models, counts that are missing, make no sense or contradict each other: no figure, and a reason."""
    asked = call(model, usage, provider)
    assert PRICES.price(asked, AUTUMN_2026) == Cost(None, None, None, "unknown", "")
    explained = PRICES.explain(asked, AUTUMN_2026)
    assert explained.cost == Cost()
    assert explained.lines == []
    assert reason in explained.reason


def test_a_model_that_is_listed_as_free_costs_0():
    """`:free` in the listed name is a price: known, and 0."""
    free = next(model for provider, model in MODELS if provider == "openrouter" and model.endswith(":free"))
    cost = PRICES.price(call(free, Usage(input=1_000, output=10), "openrouter"), AUTUMN_2026)
    assert cost.total_usd == 0
    assert cost.source == "computed"


@pytest.mark.parametrize("time_ns", [10**30, -(10**30), float("nan"), "noon", None])
def test_a_time_that_makes_no_sense_is_unknown(time_ns):
    """Dates outside the calendar and times that are no number: no figure, nothing raised."""
    asked = call("gpt-4o", Usage(input=1, output=1), "openai")
    assert PRICES.price(asked, time_ns) == Cost()
    assert PRICES.explain(asked, time_ns).reason
    diagnostics.counters.reset()


def test_a_reported_cost_is_kept():
    """What the program or its gateway reported stands, even where we know a price; a computed one is done anew."""
    asked = call("gpt-4o", Usage(input=10_000, output=1_000), "openai")
    asked.cost = Cost(0.5, source="reported")
    assert PRICES.price(asked, AUTUMN_2026) is asked.cost
    assert PRICES.explain(asked, AUTUMN_2026).cost is asked.cost
    asked.cost = Cost(0.5, source="computed")
    assert PRICES.price(asked, AUTUMN_2026).total_usd == pytest.approx(0.035)


def test_the_lines_of_an_explanation_add_up():
    """Each token stands in one line, and the lines' dollars are the total."""
    usage = Usage(input=10_000, output=1_000, cache_read=8_000, cache_write=1_500, cache_write_1h=500)
    explained = PRICES.explain(call("claude-sonnet-4-5", usage, "anthropic"), AUTUMN_2026)
    assert [(line.unit, line.count, line.usd_per_million) for line in explained.lines] == [
        ("cache_write_1h", 500, 6.0),
        ("cache_write", 1_000, 3.75),
        ("cache_read", 8_000, 0.3),
        ("input", 500, 3.0),
        ("output", 1_000, 15.0),
    ]
    assert sum(line.usd for line in explained.lines) == pytest.approx(explained.cost.total_usd, abs=1e-15)


def prices_of(path, text):
    file = path / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return Prices(file)


def test_prices_of_ones_own_come_first(tmp_path):
    """Ours before the table, the first that fits before the others, for the answering or the asked model."""
    prices = prices_of(
        tmp_path,
        """
        [[price]]
        model = "gpt-4o"
        provider = "azure"
        input = 1.00
        output = 2.00

        [[price]]
        model = "gpt-4*"
        input = 0.1
        cache_read = 0.05
        output = 0.3
    """,
    )
    usage = Usage(input=1_000_000, output=1_000_000, cache_read=500_000)
    on_azure = prices.price(call("GPT-4o", usage, "azure.ai.openai"), AUTUMN_2026)
    assert on_azure == Cost(3.0, 1.0, 2.0, "computed", "override:gpt-4o")
    elsewhere = prices.price(call("gpt-4o", usage, "openai"), AUTUMN_2026)
    assert elsewhere == Cost(0.075 + 0.3, 0.075, 0.3, "computed", "override:gpt-4*")
    asked = prices.price(call("o3", usage, "openai", "gpt-4-deployment"), AUTUMN_2026)
    assert asked.price_id == "override:gpt-4*"
    assert prices.price(call("o3", usage, "openai"), AUTUMN_2026).price_id.startswith("genai-prices")


def test_every_kind_of_token_may_have_its_own_price(tmp_path):
    """Ten units and the request, each token in the most special unit that has a price."""
    prices = prices_of(
        tmp_path,
        """
        [[price]]
        model = "all"
        input = 1
        cache_read = 2
        cache_write = 3
        cache_write_1h = 4
        output = 10
        reasoning = 20
        request = 0.25

        [[price]]
        model = "media"
        input = 1
        audio_input = 5
        image_input = 6
        output = 10
        audio_output = 30
        image_output = 40

        [[price]]
        model = "flat"
        request = 0.002

        [[price]]
        model = "hour"
        input = 1
        cache_write_1h = 4
        output = 1
    """,
    )
    million = 10**6
    everything = Usage(
        input=10 * million, cache_read=million, cache_write=3 * million, cache_write_1h=million,
        output=2 * million, reasoning=million,
    )  # fmt: skip
    explained = prices.explain(call("all", everything), 0)
    assert [(line.unit, line.count, line.usd) for line in explained.lines] == [
        ("cache_write_1h", million, 4.0),
        ("cache_write", 2 * million, 6.0),
        ("cache_read", million, 2.0),
        ("input", 6 * million, 6.0),
        ("reasoning", million, 20.0),
        ("output", million, 10.0),
        ("request", 1, 0.25),
    ]
    assert explained.cost == Cost(48.25, 18.25, 30.0, "computed", "override:all")
    media = Usage(input=4 * million, audio_input=million, image_input=2 * million, output=4 * million,
                  audio_output=million, image_output=million)  # fmt: skip
    assert prices.price(call("media", media), 0) == Cost(18.0 + 90.0, 18.0, 90.0, "computed", "override:media")
    assert prices.price(call("flat", everything), 0) == Cost(0.002, 0.002, 0.0, "computed", "override:flat")
    assert prices.price(call("hour", everything), 0).total_usd == 9 * 1 + 1 * 4 + 2 * 1


def test_prices_of_ones_own_have_dates_tiers_and_batches(tmp_path):
    """Both days of a period count; outside it, or for another way of serving, the next entry or the table does."""
    prices = prices_of(
        tmp_path,
        """
        [[price]]
        model = "m"
        batch = true
        input = 1

        [[price]]
        model = "m"
        service_tier = "flex"
        input = 2

        [[price]]
        model = "m"
        from = 2026-01-01
        to = 2026-06-30
        input = 3

        [[price]]
        model = "m"
        from = 2026-07-01
        input = 4
    """,
    )

    def usd(day, **how):
        time_ns = nanoseconds(datetime.fromisoformat(day).replace(tzinfo=UTC))
        return prices.price(call("m", Usage(input=10**6)), time_ns, **how).total_usd

    assert [usd(day) for day in ("2025-12-31T23:59:59", "2026-01-01", "2026-06-30T23:59:59", "2026-07-01")] == [
        None,
        3,
        3,
        4,
    ]
    assert usd("2026-02-01", batch=True) == 1
    assert usd("2026-02-01", service_tier="batch") == 1
    assert usd("2026-02-01", service_tier="flex") == 2


def test_deployment_names_are_aliases(tmp_path):
    """A deployment is priced as its model, in the table or in the file, with its provider where one is given."""
    prices = prices_of(
        tmp_path,
        """
        [aliases]
        "Prod-Chat" = "gpt-4o"
        eu-chat = { model = "gpt-4o", provider = "azure.ai.openai" }
        local = "mine"

        [[price]]
        model = "mine"
        input = 1
        output = 1
    """,
    )
    usage = Usage(input=10_000, output=1_000)
    assert prices.price(call(None, usage, "openai", "prod-chat"), AUTUMN_2026).total_usd == pytest.approx(0.035)
    assert "/azure/" in prices.price(call(None, usage, "my-gateway", "eu-chat"), AUTUMN_2026).price_id
    assert prices.price(call(None, usage, "ollama", "local"), AUTUMN_2026).price_id == "override:mine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[price]", "is not TOML"),
        ("\udcff", "is not TOML"),
        ("[[prices]]\nmodel = 'm'", "unknown key 'prices'; did you mean 'price'?"),
        ("zebra = 1", "unknown key 'zebra'; there are: aliases, price"),
        ("aliases = 3", "aliases: write a table"),
        ("aliases.m = 3", "aliases.m: 3 is no model; write"),
        ("aliases.m = ''", "aliases.m: '' is no model; write"),
        ("aliases.m = { provider = 'azure' }", "aliases.m: {'provider': 'azure'} is no model; write"),
        ("aliases.m = { modle = 'azure' }", "aliases.m: unknown key 'modle'; did you mean 'model'?"),
        ("price = 3", "begin each price with [[price]]"),
        ("price = [3]", "price 1: begin each price with [[price]]"),
        ("[[price]]\ninput = 1", "price 1: model is missing: write a model's name"),
        ("[[price]]\nmodel = 'm'", "price 1: it has no price; write input ="),
        ("[[price]]\nmodel = ''\ninput = 1", "price 1: model = '': write a model's name"),
        ("[[price]]\nmodel = 'm'\ninput = 1\n[[price]]\nmodel = 3", "price 2: model = 3: write a model's name"),
        ("[[price]]\nmodel = 'm'\ninptu = 1", "price 1: unknown key 'inptu'; did you mean 'input'?"),
        ("[[price]]\nmodel = 'm'\ninput = '1'", "price 1: input = 1: write USD per million"),
        ("[[price]]\nmodel = 'm'\ninput = true", "price 1: input = True: write USD per million"),
        ("[[price]]\nmodel = 'm'\ninput = -1", "price 1: input = -1: write USD per million"),
        ("[[price]]\nmodel = 'm'\ninput = nan", "price 1: input = NaN: write USD per million"),
        ("[[price]]\nmodel = 'm'\ninput = inf", "price 1: input = Infinity: write USD per million"),
        ("[[price]]\nmodel = 'm'\ninput = 1\nbatch = 1", "price 1: batch = 1: write true or false"),
        ("[[price]]\nmodel = 'm'\ninput = 1\nfrom = '2026'", "price 1: from = '2026': write a date"),
        ("[[price]]\nmodel = 'm'\ninput = 1\nfrom = 2026-01-01T00:00:00Z", "price 1: from = datetime"),
        ("[[price]]\nmodel = 'm'\ninput = 1\nfrom = 2026-02-01\nto = 2026-01-01", "is after to 2026-01-01; both"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_the_remedy(tmp_path, text, told):
    """SettingsError with the file, the key, the value and what to write instead."""
    file = tmp_path / "prices.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as raised:
        Prices(str(file))
    assert told in str(raised.value)
    assert "prices.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_file_in_the_guide_is_right(tmp_path):
    """The example of docs/prices.md loads and prices as its comments say."""
    guide = (Path(__file__).parent.parent / "docs" / "prices.md").read_text(encoding="utf-8")
    prices = prices_of(tmp_path, guide.partition("```toml\n")[2].partition("```")[0])
    usage = Usage(input=10**6, output=10**6)

    def usd(model, provider=None, **how):
        return prices.price(call(model, usage, provider), AUTUMN_2026, **how).total_usd

    assert usd("eu-chat", "my-gateway") == usd("GPT-4o", "azure.ai.openai") == 11.25
    assert usd("prod-chat", "openai") == usd("gpt-4o", "openai") == 12.5
    assert usd("prod-chat", "openai", batch=True) == 6.25
    assert usd("our-llama", "ollama") == 0
    assert usd("search-web") == 0.005


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """A path that leads nowhere, or to a directory, raises SettingsError; no path, or an empty one, is no file."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SettingsError, match="cannot read the prices file"):
            Prices(path)
    assert Prices("").price(call("gpt-4o", Usage(input=0, output=0)), AUTUMN_2026).total_usd == 0


def test_without_genai_prices_only_prices_of_ones_own_count(tmp_path, monkeypatch, caplog):
    """The extra is not installed: ours are used, all others are unknown, and one line says so."""
    monkeypatch.setattr(diagnostics, "_last_told", {})
    for name in [name for name in sys.modules if name.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    prices = prices_of(tmp_path, '[[price]]\nmodel = "mine"\ninput = 1\noutput = 1')
    usage = Usage(input=10**6, output=0)
    with caplog.at_level(logging.WARNING, "vestigo"):
        assert prices.price(call("mine", usage), 0).total_usd == 1
        assert caplog.messages == []
        for model in ("gpt-4o", "o3"):
            assert prices.price(call(model, usage, "openai"), AUTUMN_2026) == Cost()
    assert "genai-prices is not installed" in prices.explain(call("o3", usage, "openai"), AUTUMN_2026).reason
    assert len(caplog.messages) == 1
    assert "pip install 'vestigo[prices]'" in caplog.messages[0]


def test_genai_prices_is_loaded_at_the_first_pricing_and_opens_no_connection():
    """Importing us and pricing by a file load nothing; pricing by the table loads it, with sockets forbidden."""
    program = """
import socket, sys
def refuse(*given, **named): raise AssertionError("a connection")
from vestigo.prices import Prices
from vestigo.record import NormalForm, Usage
prices = Prices()
assert "genai_prices" not in sys.modules and "pydantic" not in sys.modules
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
asked = NormalForm(response_model="gpt-4o", provider="openai", usage=Usage(input=10_000, output=1_000))
cost = prices.price(asked, 1_792_000_000 * 10**9)
print("genai_prices" in sys.modules, cost.total_usd)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "0.035"], done.stderr


def test_the_cache_is_bounded_and_answers_stay_right():
    """5,000 names that nobody knows do not stay in memory, and known ones are priced as before."""
    prices = Prices()
    for number in range(5_000):
        prices.price(call(f"model-{number}", Usage(input=1), "ollama"), AUTUMN_2026)
    assert len(prices._days) <= 4096
    assert prices.price(call("gpt-4o", Usage(input=10_000, output=1_000)), AUTUMN_2026).total_usd == pytest.approx(
        0.035
    )


def test_decimals_are_exact_whatever_the_program_does_with_its_decimal_context():
    """A program that works with 3 digits gets the same dollars: we count in whole numbers."""
    import decimal

    with decimal.localcontext() as context:
        context.prec = 3
        cost = Prices().price(call("gpt-4o-mini", Usage(input=123_457, output=7), "openai"), AUTUMN_2026)
    assert cost.input_usd == float(Decimal("0.15") * 123_457 / 10**6)
    assert cost.output_usd == 4.2e-06
