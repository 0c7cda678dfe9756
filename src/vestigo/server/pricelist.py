"""What the models of a project cost: the price table, prices of one's own, and what holds for each model seen."""

import time
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from vestigo.prices import OwnPrice, Prices, Rate, Rates
from vestigo.query import And, Grouping, OneOf, Row
from vestigo.server.answers import answer
from vestigo.server.questions import Window, query_of
from vestigo.server.routes import Call, Route

_CALLS: Final = OneOf("kind", ("llm", "embedding", "rerank"))
_MEASURES: Final = Grouping(by=("provider", "model"), measures=("count", "cost", "unpriced"))
_MODELS: Final = 500


class PriceRow(Struct, kw_only=True):
    """What a model costs now; with `reason` set, why nobody knows."""

    price_id: str
    """Where it comes from: `genai-prices-VERSION/provider/model@date`, or `override:model`."""
    rates: list[Rate]
    request_usd: float
    reason: str


class ModelPrice(Struct, kw_only=True):
    """A model that was called in the window, with what its calls cost when they were made."""

    provider: str | None
    model: str | None
    calls: float
    cost_usd: float | None
    """None where no call has a known cost."""
    unpriced_calls: float
    """Calls that used tokens and whose cost nobody knows."""
    price: PriceRow


class OwnPriceRow(Struct, kw_only=True):
    """A price of one's own, from the file of the setting `prices`; null: whatever it is."""

    model: str
    """A name, or a pattern with * and ?."""
    provider: str | None
    first: str | None
    """The first and the last day, such as 2026-01-31; null is without bound."""
    last: str | None
    service_tier: str | None
    batch: bool | None
    in_force: bool
    """Whether today is one of its days."""
    price: PriceRow


class PriceList(Struct, kw_only=True):
    table: str
    """Name and version of the price table; empty where none is installed."""
    own: list[OwnPriceRow]
    """In the order in which they are looked at, before the table."""
    models: list[ModelPrice]
    """The most expensive first, then the most called."""
    left_out: int
    """Models beyond those that are told."""


async def prices(call: Call) -> Response:
    query = query_of(call.project, call.query)
    whole = _CALLS if query.filter is None else And((_CALLS, query.filter))
    known = call.server.prices

    def ask() -> PriceList:
        rows = call.server.storage.aggregate(msgspec.structs.replace(query, filter=whole), _MEASURES)
        return price_list(known, rows, time.time_ns())

    return await answer(call, await call.ask(ask))


def price_list(known: Prices, rows: list[Row], now_ns: int) -> PriceList:
    """Rows are sums by provider and model."""
    rows = [row for row in rows if row.keys != (None, None)]
    ordered = sorted(rows, key=lambda row: (-(row.values["cost"] or 0.0), -(row.values["count"] or 0.0)))
    today = datetime.fromtimestamp(now_ns / 1e9, UTC).date()
    return PriceList(
        table=known.table, own=[_own(one, today) for one in known.own],
        models=[_model(known, row, now_ns) for row in ordered[:_MODELS]], left_out=max(0, len(rows) - _MODELS),
    )  # fmt: skip


def _model(known: Prices, row: Row, now_ns: int) -> ModelPrice:
    provider, model = row.keys
    return ModelPrice(
        provider=provider, model=model, calls=row.values["count"] or 0.0, cost_usd=row.values["cost"],
        unpriced_calls=row.values["unpriced"] or 0.0, price=_price(known.rates(provider, model or "", now_ns)),
    )  # fmt: skip


def _own(one: OwnPrice, today: date) -> OwnPriceRow:
    return OwnPriceRow(
        model=one.model, provider=one.provider, first=None if one.first == date.min else one.first.isoformat(),
        last=None if one.last == date.max else one.last.isoformat(), service_tier=one.service_tier, batch=one.batch,
        in_force=one.first <= today <= one.last, price=_price(one.rates),
    )  # fmt: skip


def _price(rates: Rates) -> PriceRow:
    return PriceRow(price_id=rates.price_id, rates=rates.rates, request_usd=rates.request_usd, reason=rates.reason)


ROUTES: Final = (
    Route(
        method="GET", path="/api/prices", scope="read", handler=prices, tag="figures", query=Window, answer=PriceList,
        summary="The price table, prices of one's own, and what each model seen costs.", audit="prices.read",
    ),
)  # fmt: skip
