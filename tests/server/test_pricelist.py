"""What models cost: the table, prices of one's own, and the price in force of each model seen."""

from datetime import UTC, datetime

import pytest
from served import STORAGES, T0, S, served

from vestigo import semconv
from vestigo.prices import Prices
from vestigo.query import Row
from vestigo.record import Batch, Span
from vestigo.server.pricelist import price_list

OWN = """
[aliases]
our-deployment = "gpt-4o"

[[price]]
model = "our-llama*"
input = 0.10
output = 0.40
request = 0.001

[[price]]
model = "gpt-4o"
provider = "azure"
from = 2020-01-01
to = 2020-12-31
input = 5
"""
NOW = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp() * 1e9)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(OWN)
    return path


@pytest.fixture(params=STORAGES)
def both(request, tmp_path, file):
    with served(request.param, tmp_path, prices=str(file)) as pair:
        yield pair


def call(number, model, provider="openai", **more):
    attributes = {
        semconv.OPERATION: "chat", semconv.PROVIDER: provider, semconv.REQUEST_MODEL: model,
        semconv.INPUT_TOKENS: 1_000, semconv.OUTPUT_TOKENS: 10, **more,
    }  # fmt: skip
    return Span(
        "c3" * 16, f"{number:016x}", "chat", T0 + number * S, end_ns=T0 + (number + 1) * S, attributes=attributes
    )


def test_each_model_seen_has_its_price(both):
    """With its calls and what they cost, the most expensive first; a model that nobody knows has a reason."""
    server, client = both
    server.storage.write(
        Batch([call(1, "our-llama-7b", "vllm"), call(2, "nobodys-model", "vllm"), call(3, "nobodys-model", "vllm")])
    )
    answer = client.get("/api/prices")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["left_out"] == 0
    first, second, third = told["models"]
    assert (first["provider"], first["model"], first["calls"], first["cost_usd"]) == ("openai", "gpt-4o", 1, 0.25)
    assert first["price"]["price_id"].startswith("genai-prices-")
    assert {rate["unit"] for rate in first["price"]["rates"]} >= {"input", "output", "cache_read"}
    assert all(rate["usd_per_million"] > 0 for rate in first["price"]["rates"])
    assert (second["model"], second["calls"], second["unpriced_calls"]) == ("nobodys-model", 2, 2)
    assert second["price"]["rates"] == []
    assert second["price"]["reason"] == "no price for 'nobodys-model' of provider 'vllm'"
    assert (third["model"], third["price"]["price_id"], third["price"]["request_usd"]) == (
        "our-llama-7b", "override:our-llama*", 0.001,
    )  # fmt: skip
    assert third["price"]["rates"] == [
        {"unit": "input", "usd_per_million": 0.1, "above": -1}, {"unit": "output", "usd_per_million": 0.4, "above": -1},
    ]  # fmt: skip
    assert client.get("/api/prices", params={"q": "model:gpt-4o"}).json()["models"] == [first]
    assert client.get("/api/prices", params={"end": str(T0)}).json()["models"] == []


def test_prices_of_ones_own_are_told_with_their_days(file):
    """In their order; those that are not of today are not in force."""
    told = price_list(Prices(file), [], NOW)
    assert told.table.startswith("genai-prices-")
    llama, old = told.own
    assert (llama.model, llama.provider, llama.first, llama.last, llama.in_force) == (
        "our-llama*",
        None,
        None,
        None,
        True,
    )
    assert (old.model, old.provider, old.first, old.last, old.in_force) == (
        "gpt-4o", "azure", "2020-01-01", "2020-12-31", False,
    )  # fmt: skip
    assert [rate.unit for rate in old.price.rates] == ["input"]


def test_without_a_table_prices_of_ones_own_are_all(file, monkeypatch):
    """It is said why the others are not known."""
    prices = Prices(file)
    monkeypatch.setattr(prices, "_load_table", lambda: None)
    rows = [Row((None, "gpt-4o"), None, {"count": 1.0, "cost": None, "unpriced": 1.0}), Row((None, None), None, {})]
    told = price_list(prices, rows, NOW)
    assert told.table == ""
    assert "genai-prices is not installed" in told.models[0].price.reason
    assert len(told.models) == 1


def test_a_price_that_rises_with_the_size_of_a_call_is_told_in_steps(file):
    """Each step with the number of tokens above which it holds."""
    rates = Prices(file).rates("google", "gemini-2.5-pro", NOW)
    steps = [rate for rate in rates.rates if rate.unit == "input"]
    assert [rate.above for rate in steps] == [-1, 200_000]
    assert steps[0].usd_per_million < steps[1].usd_per_million
