"""Tokens to USD, with where the price comes from and its date.

Prices of one's own (a TOML file, docs/prices.md) come first, then the table of genai-prices, an optional extra that
is loaded at the first call it has to price and never refreshed over the network. What neither knows is `unknown`,
never 0. Prices are looked up once per model, day and way of serving; a call is then priced in whole numbers.
Long, because the two sources of prices and the file's checks are of one mind about what a unit is.
"""

import difflib
import fnmatch
import importlib
import math
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

from vestigo import diagnostics
from vestigo.errors import SettingsError
from vestigo.record import Cost, NormalForm, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

MAX_TOKENS = 10**9
"""More tokens than this in one call are a mistake of whoever counted them."""


class PriceLine(Struct, frozen=True):
    """One part of a price: `count` tokens of a unit, each token in one line only."""

    unit: str
    """A field of `Usage` (`input` means the input that no other line names), or `request`."""
    count: int
    """Tokens; for `request` 1."""
    usd_per_million: float
    usd: float


class Explanation(Struct, frozen=True):
    """How a cost came about: its lines, or the reason why it is unknown."""

    cost: Cost
    lines: list[PriceLine]
    reason: str = ""


class Rate(Struct, frozen=True):
    """The price of one sort of token."""

    unit: str
    """A field of `Usage`."""
    usd_per_million: float
    above: int
    """In calls with more input tokens than this; -1 is the price without such a condition."""


class Rates(Struct, frozen=True):
    """What a model costs at one time, or the reason why nobody knows."""

    price_id: str
    rates: list[Rate]
    request_usd: float
    """For each request besides."""
    reason: str = ""


class OwnPrice(Struct, frozen=True):
    """One entry of the file of one's own prices. None: whatever it is."""

    model: str
    """A name, or a pattern with * and ?."""
    provider: str | None
    first: date
    last: date
    service_tier: str | None
    batch: bool | None
    rates: Rates


class Prices:
    """What calls cost. Safe from any thread; `price` and `explain` never raise.

    `overrides` is a TOML file of one's own prices; a wrong one raises SettingsError with file, key and remedy.
    """

    def __init__(self, overrides: Path | str | None = None) -> None:
        self._aliases, self._overrides = _load(Path(overrides).expanduser()) if overrides else ({}, [])
        self._table: _Table | None = None
        self._loaded = False
        self._days: dict[_Call, _Day] = {}

    def price(self, normal: NormalForm, time_ns: int, *, service_tier: str | None = None, batch: bool = False) -> Cost:
        """What a call cost at the prices of its time (`time_ns`, since 1970, UTC). A reported cost is kept.

        The price of the answering model, or else of the one that was asked. Batch and service tier (`flex`,
        `priority`, `fast`, ...) count where they have a price. A price per request is part of `input_usd`.
        """
        cost = normal.cost
        if cost is not None and cost.source == "reported":
            return cost
        with diagnostics.guard("prices"):
            found = self._assess(normal, time_ns, service_tier, batch)
            if not isinstance(found, str):
                return _add_up(*found)
        return Cost()

    def explain(
        self, normal: NormalForm, time_ns: int, *, service_tier: str | None = None, batch: bool = False
    ) -> Explanation:
        """As `price`, with the lines that the cost is the sum of, or the reason why it is unknown."""
        cost = normal.cost
        if cost is not None and cost.source == "reported":
            return Explanation(cost, [], "the program or a gateway reported it")
        with diagnostics.guard("prices"):
            found = self._assess(normal, time_ns, service_tier, batch)
            if isinstance(found, str):
                return Explanation(Cost(), [], found)
            plan, counts = found
            lines = [
                PriceLine(rate.unit, count, price * 10**6 / _SCALE, price * count / _SCALE)
                for rate, count, price in _walk(plan, counts)
                if count
            ]
            if plan.request:
                lines.append(PriceLine("request", 1, plan.request * 10**6 / _SCALE, plan.request / _SCALE))
            return Explanation(_add_up(plan, counts), lines)
        return Explanation(Cost(), [], "it could not be worked out")

    def rates(self, provider: str | None, model: str, time_ns: int) -> Rates:
        """What calls of a model cost at a time, at the standard way of serving."""
        day, moment_ns = divmod(time_ns, _DAY_NS)
        call = _Call(provider, None, model, None, batch=False, day=day)
        with diagnostics.guard("prices"):
            found = self._days.get(call) or self._look_up(call)
            plan = found.plans[bisect_right(found.starts_ns, moment_ns) - 1]
            return Rates("", [], 0.0, plan) if isinstance(plan, str) else _rates(plan)
        return Rates("", [], 0.0, "it could not be worked out")

    @property
    def own(self) -> list[OwnPrice]:
        """The prices of one's own, in the order in which they are looked at."""
        return [
            OwnPrice(
                one.plan.price_id.removeprefix("override:"), one.provider, one.first, one.last, one.tier, one.batch,
                _rates(one.plan),
            )
            for one in self._overrides
        ]  # fmt: skip

    @property
    def table(self) -> str:
        """Name and version of the price table; empty without one."""
        table = self._load_table()
        return "" if table is None else table.name

    def _assess(
        self, normal: NormalForm, time_ns: int, tier: str | None, batch: bool
    ) -> "tuple[_Plan, dict[str, int]] | str":
        """The plan for a call and its checked counts, or why it has no price."""
        counts = _count_tokens(normal.usage)
        if isinstance(counts, str):
            return counts
        if tier == "batch":  # Anthropic's word for it
            tier, batch = None, True
        day, moment_ns = divmod(time_ns, _DAY_NS)
        call = _Call(normal.provider, normal.response_model, normal.request_model, tier, batch, day)
        found = self._days.get(call)
        if found is None:
            found = self._look_up(call)
        plan = found.plans[bisect_right(found.starts_ns, moment_ns) - 1]
        return plan if isinstance(plan, str) else _check_plan(plan, counts) or (plan, counts)

    def _look_up(self, call: "_Call") -> "_Day":
        if not (call.response_model or call.request_model):
            return _unpriced("no model is named")
        if any(isinstance(part, str) and len(part) > _MAX_NAME for part in call):
            return _unpriced("a name is too long")  # and not kept, since names come from anywhere
        try:
            today = _EPOCH + timedelta(days=call.day)
        except OverflowError:
            return _unpriced("its date is out of range")
        found = self._find_override(call, today) or self._find_listed(call, today)
        if len(self._days) >= _MAX_CACHED:
            self._days.clear()  # rare and cheap to fill again
        self._days[call] = found
        return found

    def _find_override(self, call: "_Call", today: datetime) -> "_Day | None":
        for provider, model in self._candidates(call):
            for override in self._overrides:
                if override.matches(provider, model, today.date(), call.tier, call.batch):
                    return _Day((0,), (override.plan,))
        return None

    def _find_listed(self, call: "_Call", today: datetime) -> "_Day":
        table = self._load_table()
        candidates = self._candidates(call)
        if table is None:
            return _unpriced(f"no price of one's own for {candidates[0][1]!r}, and genai-prices is not installed")
        for provider, model in candidates:
            listed = table.find(provider, model)
            if listed is not None:
                return table.price_day(*listed, today, call.tier, call.batch)
        return _unpriced(f"no price for {candidates[0][1]!r} of provider {call.provider!r}")

    def _candidates(self, call: "_Call") -> list[tuple[str | None, str]]:
        """Who may be meant, as (provider, model), the answering model before the one that was asked."""
        found: list[tuple[str | None, str]] = []
        provider = _provider_id(call.provider)
        for model in (call.response_model, call.request_model):
            if model:
                alias = self._aliases.get(model.lower())
                if alias is not None:
                    found.append((alias[0] or provider, alias[1]))
                found += [(provider, form) for form in _forms(model)]
        return found

    def _load_table(self) -> "_Table | None":
        if not self._loaded:
            try:
                self._table = _Table()
            except ImportError as error:
                diagnostics.trouble("prices.table", f"no price table ({error}); pip install 'vestigo[prices]'")
            finally:  # and if it is broken: it is not tried again at every call
                self._loaded = True
        return self._table


_DAY_NS = 86_400 * 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_CACHED = 4096
_MAX_NAME = 256
_SCALE = 10**24  # USD are counted in whole 10**-24, exact for prices of up to 18 decimals per million tokens

_PARENTS = {
    "cache_write_1h": "cache_write", "cache_write": "input", "cache_read": "input", "audio_input": "input",
    "image_input": "input", "input": "", "reasoning": "output", "audio_output": "output", "image_output": "output",
    "output": "",
}  # fmt: skip
"""What each field of `Usage` is a part of, parts first. A part without a price of its own costs as the whole."""

_FIELDS = Usage.__struct_fields__
_CACHED = ("cache_read", "cache_write", "cache_write_1h")
_INPUTS = frozenset({"input", "audio_input", "image_input", *_CACHED})

_SUMS = [
    ("input", "cache_read", "cache_write"), ("cache_write", "cache_write_1h"), ("input", "audio_input", "image_input"),
    ("output", "audio_output", "image_output"), ("output", "reasoning"),
]  # fmt: skip
"""A whole and parts of it that share no tokens."""

_OVERLAPS = [
    *((cached, medium) for cached in _CACHED for medium in ("audio_input", "image_input")),
    ("reasoning", "audio_output"),
    ("reasoning", "image_output"),
]
"""Parts that may share tokens (cached audio) which nobody tells: with a price for each, their cost is unknown."""

_MTOK_KEYS = {
    "input": "input_mtok", "cache_read": "cache_read_mtok", "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok", "audio_input": "input_audio_mtok", "image_input": "input_image_mtok",
    "output": "output_mtok", "reasoning": "output_reasoning_mtok", "audio_output": "output_audio_mtok",
    "image_output": "output_image_mtok",
}  # fmt: skip
"""Our units by the names of genai-prices 0.2."""

_PROVIDERS: dict[str, str | None] = {
    "azure.ai.openai": "azure", "azure.ai.inference": "azure", "az.ai.openai": "azure", "az.ai.inference": "azure",
    "azure_openai": "azure", "azure-openai": "azure", "gcp.gemini": "google", "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google", "aws.bedrock": "aws", "mistral_ai": "mistral", "x_ai": "x-ai", "xai": "x-ai",
    "moonshot_ai": "moonshotai", "litellm": None,
}  # fmt: skip
"""OpenTelemetry's `gen_ai.provider.name`, and spellings seen in the wild, by the ids of genai-prices."""


class _Call(NamedTuple):
    """All that the price of a token depends on, but for the time of day and the number of tokens."""

    provider: str | None
    response_model: str | None
    request_model: str | None
    tier: str | None
    batch: bool
    day: int


class _Rate(Struct, frozen=True):
    unit: str
    parent: int
    """Index of the rate that these tokens would have cost otherwise, -1 for none."""
    steps: tuple[tuple[int, int], ...]
    """(more input tokens than, 10**-24 USD a token), the highest first; the last one is (-1, base price)."""


class _Plan(Struct, frozen=True):
    price_id: str
    rates: tuple[_Rate, ...]
    request: int
    """10**-24 USD for the request itself."""
    missing: tuple[str, ...]
    """Of `input` and `output`: what has no price."""
    overlaps: tuple[tuple[str, str], ...]
    """Those of `_OVERLAPS` that have different prices here."""


class _Day(NamedTuple):
    """The prices of one day: from each start, in ns since midnight UTC, a plan or the reason why there is none."""

    starts_ns: tuple[int, ...]
    plans: tuple[_Plan | str, ...]


def _unpriced(reason: str) -> _Day:
    return _Day((0,), (reason,))


def _provider_id(name: str | None) -> str | None:
    name = name.lower().strip() if name else None
    return _PROVIDERS.get(name, name) if name else None


def _forms(model: str) -> list[str]:
    """A model's name as it was given, and without `models/`, a path or an ARN in front of it."""
    shorter = model.rsplit("models/", 1)[-1]
    if shorter.startswith("arn:"):
        shorter = shorter.rsplit("/", 1)[-1]
    return [model] if shorter in {model, ""} else [model, shorter]


def _make_plan(
    price_id: str, prices: Mapping[str, list[tuple[int, Decimal]]], request: Decimal = Decimal(0), per: int = 1
) -> _Plan:
    """From steps per unit: (more input tokens than, USD per million), ascending, the first being (-1, base price)."""
    units = [unit for unit in _PARENTS if unit in prices]
    rates: list[_Rate] = []
    for unit in units:
        parent = _PARENTS[unit]
        while parent and parent not in prices:
            parent = _PARENTS[parent]
        steps = tuple((above, round(Fraction(usd) * _SCALE / 10**6)) for above, usd in reversed(prices[unit]))
        rates.append(_Rate(unit, units.index(parent) if parent else -1, steps))
    missing = () if request else tuple(whole for whole in ("input", "output") if whole not in prices)
    overlaps = tuple(pair for pair in _OVERLAPS if pair[0] in prices and pair[1] in prices)
    return _Plan(price_id, tuple(rates), round(Fraction(request) * _SCALE / per), missing, overlaps)


def _count_tokens(usage: Usage | None) -> dict[str, int] | str:
    """Every count, 0 where none was told; or why they make no sense."""
    if usage is None or (usage.input is None and usage.output is None):
        return "no tokens were counted"
    counts = dict.fromkeys(_PARENTS, 0)
    told = 0
    for unit, count in zip(_FIELDS, msgspec.structs.astuple(usage), strict=True):
        if count is None:
            continue
        if type(count) is not int or not 0 <= count <= MAX_TOKENS:
            return f"{unit} tokens: {count!r:.50} is no number of tokens"
        counts[unit] = count
        told += 1
    if told == (counts["input"] > 0) + (counts["output"] > 0):
        return counts  # no parts are told, so none is more than the whole
    for whole, *parts in _SUMS:
        if sum([counts[part] for part in parts]) > counts[whole]:
            return f"{' and '.join(parts)} tokens are more than all {whole} tokens"
    return counts


def _check_plan(plan: _Plan, counts: dict[str, int]) -> str:
    """Why these tokens cannot be priced by this plan, or nothing."""
    for whole in plan.missing:
        if counts[whole]:
            return f"{plan.price_id} has no price for {whole} tokens"
    for one, other in plan.overlaps:
        if counts[one] and counts[other]:
            return f"{one} and {other} tokens may be the same, at different prices"
    return ""


def _walk(plan: _Plan, counts: dict[str, int]) -> Iterator[tuple[_Rate, int, int]]:
    """Each rate with the tokens that are its own and the price of one."""
    taken = [0] * (len(plan.rates) + 1)  # the last one is for those without a parent, whose index is -1
    total = counts["input"]
    for index, rate in enumerate(plan.rates):
        count = counts[rate.unit]
        taken[rate.parent] += count
        for above, price in rate.steps:
            if total > above:
                yield rate, count - taken[index], price
                break


def _add_up(plan: _Plan, counts: dict[str, int]) -> Cost:
    spent_input, spent_output = plan.request, 0
    for rate, count, price in _walk(plan, counts):
        if rate.unit in _INPUTS:
            spent_input += count * price
        else:
            spent_output += count * price
    input_usd, output_usd = spent_input / _SCALE, spent_output / _SCALE  # division of integers rounds once
    return Cost(input_usd + output_usd, input_usd, output_usd, "computed", plan.price_id)


def _rates(plan: _Plan) -> Rates:
    return Rates(
        plan.price_id,
        [
            Rate(rate.unit, price * 10**6 / _SCALE, above)
            for rate in plan.rates
            for above, price in reversed(rate.steps)
        ],
        plan.request / _SCALE,
    )


class _Table:
    """genai-prices' bundled table, as it was at the first use. Raises ImportError if it is not installed."""

    def __init__(self) -> None:
        package: Any = importlib.import_module("genai_prices")
        snapshots: Any = importlib.import_module("genai_prices.data_snapshot")
        self._types: Any = importlib.import_module("genai_prices.types")
        self._providers: list[Provider] = snapshots.get_snapshot().providers
        self._find_provider = snapshots.find_provider_by_id
        self._ids = {provider.id for provider in self._providers}
        self.name = f"genai-prices-{package.__version__}"

    def find(self, provider: str | None, model: str) -> "tuple[Provider, ModelInfo] | None":
        """By the named provider; by a provider's id in front of the model; without a provider by the model alone.

        A provider that is not listed (`ollama`, `vllm`) has no price, even where others sell a model of that name.
        """
        model = model.lower()
        asked: Provider | None = self._find_provider(self._providers, provider) if provider else None
        found = asked.find_model(model, all_providers=self._providers) if asked else None
        if found and asked:
            return asked, found
        maker, slash, rest = model.partition("/")
        if slash and maker in self._ids:
            return self.find(maker, rest)
        if provider is None:
            for one in self._providers:
                if one.model_match is not None and one.model_match.is_match(model):
                    found = one.find_model(model, all_providers=self._providers)
                    return (one, found) if found else None
        return None

    def price_day(
        self, provider: "Provider", model: "ModelInfo", today: datetime, tier: str | None, batch: bool
    ) -> _Day:
        """The plans of one day; more than one only where a price depends on the time of day."""
        context = {"processing": "batch"} if batch else {}
        if tier:
            context |= {"service_tier": tier, "speed": tier}  # OpenAI and Google name the one, Anthropic the other
        if not any(model is own for own in provider.models):
            context = {}  # the variants are those of the model's maker, not of who resells it
        name = f"{self.name}/{provider.id}/{model.id}@{today.date()}"
        starts = self._starts_of_prices(model)
        plans: list[_Plan | str] = []
        for start in starts:
            moment = today + timedelta(microseconds=start // 1000)
            prices = model.get_prices(moment, context)
            special = bool(context) and prices != model.get_prices(moment)
            plans.append(
                self._make_plan(name + "".join(f"+{how}" for how in dict.fromkeys(context.values()) if special), prices)
            )
        return _Day(starts, tuple(plans))

    def _starts_of_prices(self, model: "ModelInfo") -> tuple[int, ...]:
        """The times of day at which a model's price may change."""
        prices: Any = [] if isinstance(model.prices, self._types.ModelPrice) else model.prices
        starts = {0}
        for price in [*prices, *(model.price_variants or ())]:
            constraint: Any = price.constraint
            if isinstance(constraint, self._types.TimeOfDateConstraint):
                for moment in (constraint.start_time, constraint.end_time):
                    at = datetime.combine(_EPOCH.date(), moment, moment.tzinfo or UTC) - _EPOCH
                    starts.add((at.seconds * 10**6 + at.microseconds) * 1000)  # .seconds wraps at midnight
        return tuple(sorted(starts))

    def _make_plan(self, price_id: str, prices: "ModelPrice") -> _Plan | str:
        steps: dict[str, list[tuple[int, Decimal]]] = {}
        for unit, key in _MTOK_KEYS.items():
            price: Any = vars(prices).get(key)
            if isinstance(price, Decimal):
                steps[unit] = [(-1, price)]
            elif price is not None:
                steps[unit] = [(-1, price.base), *((tier.start, tier.price) for tier in price.tiers)]
        request: Any = vars(prices).get("requests_kcount") or Decimal(0)
        if not steps and not request:
            if not price_id.partition("@")[0].endswith(":free"):
                return f"{price_id} lists no price for tokens"
            steps = {"input": [(-1, Decimal(0))], "output": [(-1, Decimal(0))]}
        return _make_plan(price_id, steps, request, 1000)


class _Override(Struct, frozen=True):
    pattern: re.Pattern[str]
    provider: str | None
    first: date
    last: date
    tier: str | None
    batch: bool | None
    plan: _Plan

    def matches(self, provider: str | None, model: str, today: date, tier: str | None, batch: bool) -> bool:
        return (
            self.first <= today <= self.last
            and self.provider in {None, provider}
            and self.tier in {None, tier}
            and self.batch in {None, batch}
            and self.pattern.match(model.lower()) is not None
        )


_KINDS: dict[str, tuple[type, str]] = {
    "model": (str, "a model's name, or a pattern with * and ?"),
    "provider": (str, "a provider's name"),
    "from": (date, "a date such as 2026-01-31, without quotes"),
    "to": (date, "a date such as 2026-01-31, without quotes"),
    "service_tier": (str, "a service tier's name"),
    "batch": (bool, "true or false"),
}
_PRICE_KEYS = (*_PARENTS, "request")

_Aliases = dict[str, tuple[str | None, str]]


def _load(path: Path) -> tuple[_Aliases, list[_Override]]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file, parse_float=Decimal)
    except OSError as error:
        raise SettingsError(f"cannot read the prices file {str(path)!r}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the prices file {str(path)!r} is not TOML: {error}") from error
    _refuse_unknown(path, "", content, ("aliases", "price"))
    aliases, prices = content.get("aliases", {}), content.get("price", [])
    if not isinstance(aliases, dict):
        raise SettingsError(f'{path}: aliases: write a table [aliases] of deployment = "model"')
    if not isinstance(prices, list):
        raise SettingsError(f"{path}: price: begin each price with [[price]], in double brackets")
    return (
        {deployment.lower(): _read_alias(path, deployment, value) for deployment, value in aliases.items()},
        [_read_override(path, f"price {number}", value) for number, value in enumerate(prices, 1)],
    )


def _read_alias(path: Path, deployment: str, value: Any) -> tuple[str | None, str]:
    if isinstance(value, dict):
        _refuse_unknown(path, f"aliases.{deployment}: ", value, ("model", "provider"))
        model, provider = value.get("model"), value.get("provider")
    else:
        model, provider = value, None
    if not isinstance(model, str) or not model or (provider is not None and not isinstance(provider, str)):
        remedy = 'write "gpt-4o" or { model = "gpt-4o", provider = "azure" }'
        raise SettingsError(f"{path}: aliases.{deployment}: {value!r} is no model; {remedy}")
    return _provider_id(provider), model


def _read_override(path: Path, where: str, value: Any) -> _Override:
    if not isinstance(value, dict):
        raise SettingsError(f"{path}: {where}: begin each price with [[price]], in double brackets")
    _refuse_unknown(path, f"{where}: ", value, (*_KINDS, *_PRICE_KEYS))
    for key, (kind, wanted) in _KINDS.items():
        if key in value and (type(value[key]) is not kind or value[key] == ""):
            raise SettingsError(f"{path}: {where}: {key} = {value[key]!r}: write {wanted}")
    if "model" not in value:
        raise SettingsError(f"{path}: {where}: model is missing: write {_KINDS['model'][1]}")
    first, last = value.get("from", date.min), value.get("to", date.max)
    if first > last:
        raise SettingsError(f"{path}: {where}: from {first} is after to {last}; both days are part of the period")
    prices = {key: _read_price(path, where, key, value[key]) for key in _PRICE_KEYS if key in value}
    if not prices:
        raise SettingsError(f"{path}: {where}: it has no price; write input = ... and output = ..., USD per million")
    request = prices.pop("request", Decimal(0))
    return _Override(
        re.compile(fnmatch.translate(value["model"].lower())), _provider_id(value.get("provider")), first, last,
        value.get("service_tier"), value.get("batch"),
        _make_plan(f"override:{value['model']}", {unit: [(-1, price)] for unit, price in prices.items()}, request),
    )  # fmt: skip


def _read_price(path: Path, where: str, key: str, value: Any) -> Decimal:
    if type(value) not in {int, Decimal} or not math.isfinite(value) or value < 0:
        raise SettingsError(f"{path}: {where}: {key} = {value!s:.50}: write USD per million tokens, such as 2.50")
    return Decimal(value)


def _refuse_unknown(path: Path, where: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise SettingsError(f"{path}: {where}unknown key {key!r}; {remedy}")
