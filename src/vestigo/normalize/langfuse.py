"""Langfuse's SDKs (3 and later), which are OpenTelemetry spans with `langfuse.*` attributes.

Usage is told in buckets that exclude each other (`input` without `input_cached_tokens`), unless the program handed on
what its provider gave. Source: Langfuse SDK and server, attribute names of 2026-11.
"""

import datetime as dt
from typing import Final

from vestigo.normalize.parts import exchange
from vestigo.normalize.reading import as_count, as_dict, as_text, as_usd, first, parsed
from vestigo.normalize.tables import inclusive, read_table, reported, table
from vestigo.record import Cost, Kind, Messages, NormalForm, Span, Usage, Value

SCOPES: Final = ("langfuse-sdk",)
HEADS: Final = frozenset({"langfuse"})

_OBSERVATION: Final = "langfuse.observation."
_TYPE: Final = _OBSERVATION + "type"
_KINDS: Final[dict[str, Kind]] = {
    "span": "span", "event": "span", "generation": "llm", "embedding": "embedding", "agent": "agent", "tool": "tool",
    "chain": "chain", "retriever": "retrieval", "guardrail": "guardrail", "evaluator": "evaluator",
}  # fmt: skip
_OF_GENERATIONS: Final = ("model.name", "usage_details", "cost_details", "completion_start_time")
"""Python SDKs up to 3.3.0 say `span` for generations, which these attributes betray."""

TABLE: Final = table(
    "langfuse",
    {
        "kind": (_TYPE,),
        "request_model": (_OBSERVATION + "model.name",),
        "session_id": ("langfuse.session.id",),
        "user_id": ("langfuse.user.id",),
        "prompt_name": (_OBSERVATION + "prompt.name",),
        "prompt_version": (_OBSERVATION + "prompt.version",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for observations, and for the spans that the SDK's own tracer makes."""
    return _TYPE in span.attributes or span.scope.name.startswith(SCOPES)


def read(span: Span) -> NormalForm:
    """By table; usage, cost and the first token's time are JSON."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    if form.kind == "span" and any(_OBSERVATION + name in attributes for name in _OF_GENERATIONS):
        form.kind = "llm"
    form.usage = _usage(as_dict(attributes.get(_OBSERVATION + "usage_details")))
    form.cost = _cost(as_dict(attributes.get(_OBSERVATION + "cost_details"))) or form.cost
    form.ttft_s = _ttft_s(span, attributes.get(_OBSERVATION + "completion_start_time"))
    if form.kind in {"tool", "agent"}:
        name = as_text(span.name)
        form.tool_name, form.agent_name = (name, form.agent_name) if form.kind == "tool" else (form.tool_name, name)
    return form


def messages(span: Span) -> Messages:
    """Input and output of the observation, else those of the trace, which stand on its root."""
    attributes = span.attributes
    asked = first(attributes, _OBSERVATION + "input", "langfuse.trace.input")
    answered = first(attributes, _OBSERVATION + "output", "langfuse.trace.output")
    kind = read_table(span, TABLE).kind
    return exchange(kind, asked, answered, span.name)


def _usage(details: dict[str, Value]) -> Usage | None:
    """Inclusive totals from buckets, or from what a provider gave (`prompt_tokens`, which includes the cached)."""
    if not details:
        return None
    for name, parts in (("prompt_tokens", "prompt_tokens_details"), ("input_tokens", "input_tokens_details")):
        if name in details and isinstance(parsed(details.get(parts)), dict):
            return _of_provider(details, name, parts)
    counts = {name: count for name, told in details.items() if (count := as_count(told)) is not None}
    usage = Usage(
        input=_bucket(counts, "input", "prompt"),
        cache_read=_sum(counts, "cached", "cache_read"),
        cache_write=_sum(counts, "cache_creation", "cache_write"),
        cache_write_1h=_sum(counts, "creation_1h", "write_1h"),
        output=_bucket(counts, "output", "completion"),
        reasoning=_sum(counts, "reasoning"),
    )
    total = counts.get("total", counts.get("total_tokens"))
    exclusive = usage.input is None or usage.output is None or total != usage.input + usage.output
    if exclusive:
        extra = sum(count for name, count in counts.items() if _is_extra(name, "input", "prompt", "cache"))
        usage.input = None if usage.input is None and not extra else (usage.input or 0) + extra
        more = sum(count for name, count in counts.items() if _is_extra(name, "output", "completion"))
        usage.output = None if usage.output is None and not more else (usage.output or 0) + more
    return usage if counts else None


def _of_provider(details: dict[str, Value], name: str, parts: str) -> Usage:
    output = "completion_tokens" if name == "prompt_tokens" else "output_tokens"
    asked, answered = as_dict(details.get(parts)), as_dict(details.get(output + "_details"))
    usage = Usage(
        input=as_count(details.get(name)),
        cache_read=as_count(asked.get("cached_tokens")),
        cache_write=as_count(asked.get("cache_write_tokens")),
        audio_input=as_count(asked.get("audio_tokens")),
        output=as_count(details.get(output)),
        reasoning=as_count(answered.get("reasoning_tokens")),
        audio_output=as_count(answered.get("audio_tokens")),
    )
    return inclusive(usage)


_WHOLE: Final = frozenset({"input", "output", "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens"})


def _bucket(counts: dict[str, int], *names: str) -> int | None:
    return next((counts[key] for name in names for key in (name, name + "_tokens") if key in counts), None)


def _is_extra(name: str, *beginnings: str) -> bool:
    return name.startswith(beginnings) and name not in _WHOLE


def _sum(counts: dict[str, int], *words: str) -> int | None:
    found = [count for name, count in counts.items() if any(word in name for word in words)]
    return sum(found) if found else None


def _cost(details: dict[str, Value]) -> Cost | None:
    costs = {name: usd for name, told in details.items() if (usd := as_usd(told)) is not None}
    if not costs:
        return None
    asked = sum(usd for name, usd in costs.items() if name.startswith(("input", "cache")))
    answered = sum(usd for name, usd in costs.items() if name.startswith("output"))
    total = costs.get("total")
    return reported(sum(costs.values()) if total is None else total, asked or None, answered or None)


def _ttft_s(span: Span, told: Value) -> float | None:
    """From the time of day when the first token came: ISO 8601, sometimes JSON-quoted."""
    written = as_text(told)
    if written is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(written)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - dt.datetime.fromtimestamp(0, dt.UTC)
    seconds = (since // dt.timedelta(microseconds=1) * 1000 - span.start_ns) / 1e9
    return seconds if 0 <= seconds < 86_400 else None
