"""The engine that dialects share: a table of attribute names for each normal field, read in one pass over a span.

A dialect is a short table plus what a table cannot say. Reading costs one look-up for each attribute of the span,
however many spellings the table knows.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import msgspec

from vestigo import semconv
from vestigo.normalize.providers import as_provider
from vestigo.normalize.reading import as_count, as_number, as_seconds, as_text, as_texts, as_usd
from vestigo.record import Cost, Kind, NormalForm, Span, Usage, Value

Names = Mapping[str, tuple[str, ...]]
"""Normal field -> the attributes that may hold it, the best first."""

KINDS: Final[frozenset[Kind]] = frozenset(get_args(Kind))
ROLLUPS: Final[frozenset[str]] = frozenset({"agent", "workflow", "chain"})
"""Kinds whose usage repeats that of the calls inside."""

COMMON: Final[Names] = {
    "session_id": (semconv.SESSION_ID, semconv.CONVERSATION_ID),
    "user_id": (semconv.USER_ID, "enduser.id", "gen_ai.user"),
    "agent_name": (semconv.AGENT_NAME,),
    "tool_name": (semconv.TOOL_NAME,),
    "tool_call_id": (semconv.TOOL_CALL_ID,),
    "prompt_name": (semconv.PROMPT_NAME,),
    "prompt_version": (semconv.PROMPT_VERSION,),
    "total_usd": (semconv.COST_USD, "gen_ai.usage.total_cost"),
}
"""What any span may say."""

_Read = Callable[[Value], Any]
_FORM: Final[dict[str, _Read]] = {
    "provider": as_provider, "request_model": as_text, "response_model": as_text, "response_id": as_text,
    "ttft_s": as_number, "ttft_ms": as_seconds, "finish_reasons": as_texts, "session_id": as_text, "user_id": as_text,
    "agent_name": as_text, "tool_name": as_text, "tool_call_id": as_text, "prompt_name": as_text,
    "prompt_version": as_text,
}  # fmt: skip
_USAGE: Final = frozenset(Usage.__struct_fields__)
_COST: Final = frozenset({"total_usd", "input_usd", "output_usd"})
_SHARED: Final = {"ttft_ms": "ttft_s"}
"""Fields of a table that fill the same field of the form in another unit."""


class Table(msgspec.Struct, frozen=True):
    """How one dialect names things. Made by `table`; `extended` makes that of one which speaks it with an accent."""

    dialect: str
    names: Names
    kinds: Mapping[str, Kind]
    exclusive: bool
    slots: dict[str, tuple[int, str, int, _Read]]
    """Attribute -> (0 form, 1 usage, 2 cost; field; its rank among the field's attributes; reader)."""

    def extended(
        self, dialect: str, names: Names, kinds: Mapping[str, Kind] | None = None, *, exclusive: bool = False
    ) -> "Table":
        """A table that also knows these names, which are better than its own, and these kinds."""
        merged = {field: (*names.get(field, ()), *self.names.get(field, ())) for field in (*names, *self.names)}
        return table(dialect, merged, {**self.kinds, **(kinds or {})}, exclusive=exclusive)


def table(dialect: str, names: Names, kinds: Mapping[str, Kind], *, exclusive: bool = False) -> Table:
    """A table from names by field; the names in COMMON are added behind.

    Fields are those of NormalForm, Usage and Cost, plus `ttft_ms`. `kinds` maps what stands in the attributes of field
    `kind`, without regard to case. `exclusive` says that the input is told without its cached tokens.
    An attribute that stands for two fields belongs to the first. Raises ValueError for an unknown field.
    """
    lower: dict[str, Kind] = {word.lower(): kind for word, kind in kinds.items()}

    def as_kind(value: Value) -> Kind | None:
        word = as_text(value)
        return None if word is None else lower.get(word.lower())

    slots: dict[str, tuple[int, str, int, _Read]] = {}
    for field in dict.fromkeys((*names, *COMMON)):
        group, read = _place(field, as_kind)
        for rank, name in enumerate((*names.get(field, ()), *COMMON.get(field, ()))):
            slots.setdefault(name, (group, _SHARED.get(field, field), rank, read))
    return Table(dialect, names, kinds, exclusive, slots)


def _place(field: str, as_kind: _Read) -> tuple[int, _Read]:
    if field == "kind":
        return 0, as_kind
    if field in _FORM:
        return 0, _FORM[field]
    if field in _USAGE:
        return 1, as_count
    if field in _COST:
        return 2, as_usd
    raise ValueError(f"no field {field!r} in the normal form; see tables.table for the fields")


def read_table(span: Span, table: Table) -> NormalForm:
    """The normal form as far as the table says it; agents, workflows and chains are rollups. Never raises."""
    found: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    form_fields, usage_fields, cost_fields = found
    ranks: dict[str, int] = {}
    slots = table.slots
    for name, value in span.attributes.items():
        slot = slots.get(name)
        if slot is None:
            continue
        group, field, rank, read = slot
        if field in ranks and ranks[field] <= rank:
            continue
        told = read(value)
        if told is not None:
            found[group][field] = told
            ranks[field] = rank
    form = NormalForm(dialect=table.dialect, **form_fields)
    if usage_fields:
        form.usage = inclusive(Usage(**usage_fields), exclusive=table.exclusive)
    if cost_fields:
        form.cost = reported(**cost_fields)
    if form.kind in ROLLUPS:
        form.usage_role = "rollup"
    return form


def reported(
    total_usd: float | None = None, input_usd: float | None = None, output_usd: float | None = None
) -> Cost | None:
    """A cost as an emitter tells it; the total is the sum of its parts where only they are told."""
    if total_usd is None and input_usd is not None and output_usd is not None:
        total_usd = input_usd + output_usd
    if total_usd is None:
        return None
    return Cost(total_usd=total_usd, input_usd=input_usd, output_usd=output_usd, source="reported")


def inclusive(usage: Usage, *, exclusive: bool = False) -> Usage:
    """The same usage with cached tokens counted in the input.

    They are added where the dialect tells them apart, and where they are more than the input, which then cannot have
    them inside.
    """
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    if cached and usage.input is not None and (exclusive or cached > usage.input):
        usage.input += cached
    return usage
