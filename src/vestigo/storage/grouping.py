"""Adding spans up by field and time: what every storage answers `aggregate` with, from spans or from rollups."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, get_args

from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.matching import TraceView, is_unpriced, span_values
from vestigo.query import (
    FIELDS,
    GroupField,
    Grouping,
    Measure,
    Page,
    Query,
    Row,
    TraceGroup,
    TraceSummary,
    group_sort_key,
    page_of,
)
from vestigo.record import NormalForm, Span, Trace, Usage, Value
from vestigo.sketch import Sketch

MAX_FIELDS = 4
_NOTHING = 1e-9  # what rounding leaves of weights that were added and taken back


class Sums(Struct):
    """What is known of one group. Everything is multiplied by the weights of the spans."""

    count: float = 0.0
    errors: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    tokens_cached: float = 0.0
    tokens_reasoning: float = 0.0
    cost: float = 0.0
    priced: float = 0.0
    unpriced: float = 0.0
    latency: float = 0.0
    """Seconds, over closed spans."""


class Figures(Struct):
    """What one span adds to a group."""

    weight: float
    error: bool
    latency_s: float | None
    ttft_s: float | None
    leaf: bool
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    tokens_reasoning: int | None
    cost: float | None
    unpriced: bool


def figures_of(span: Span) -> Figures:
    """The figures of a span whose normal form is filled in."""
    normal = span.normal or NormalForm()
    usage = normal.usage or Usage()
    return Figures(
        weight=span.weight,
        error=span.status == "ERROR",
        latency_s=None if span.duration_ns is None else span.duration_ns / 1e9,
        ttft_s=normal.ttft_s,
        leaf=normal.usage_role == "leaf",
        tokens_in=usage.input,
        tokens_out=usage.output,
        tokens_cached=usage.cache_read,
        tokens_reasoning=usage.reasoning,
        cost=normal.cost.total_usd if normal.cost else None,
        unpriced=is_unpriced(normal.usage, normal.cost),
    )


class Group:
    """One group's sums and sketches of latency and time to first token, both in seconds."""

    __slots__ = ("latency", "sums", "ttft")

    def __init__(self, sums: Sums | None = None, latency: Sketch | None = None, ttft: Sketch | None = None) -> None:
        self.sums = sums or Sums()
        self.latency = latency or Sketch()
        self.ttft = ttft or Sketch()

    def add(self, figures: "Figures", sign: int = 1) -> None:
        """Count a span, or take it back with sign -1."""
        sums, weight = self.sums, figures.weight * sign
        sums.count += weight
        sums.errors += weight * figures.error
        if figures.latency_s is not None:
            sums.latency += weight * figures.latency_s
            self.latency.add(figures.latency_s, weight)
        if figures.ttft_s is not None:
            self.ttft.add(figures.ttft_s, weight)
        if not figures.leaf:
            return
        sums.tokens_in += weight * (figures.tokens_in or 0)
        sums.tokens_out += weight * (figures.tokens_out or 0)
        sums.tokens_cached += weight * (figures.tokens_cached or 0)
        sums.tokens_reasoning += weight * (figures.tokens_reasoning or 0)
        if figures.cost is not None:
            sums.cost += weight * figures.cost
            sums.priced += weight
        sums.unpriced += weight * figures.unpriced

    def add_many(self, many: "list[Figures]") -> None:
        """Count spans: the same as `add` for each, faster for many."""
        if len(many) < 4 or any(figures.weight != 1 for figures in many):
            for figures in many:
                self.add(figures)
            return
        sums = self.sums
        sums.count += len(many)
        sums.errors += sum([figures.error for figures in many])
        latencies = [figures.latency_s for figures in many if figures.latency_s is not None]
        sums.latency += sum(latencies)
        self.latency.add_many(latencies)
        self.ttft.add_many([figures.ttft_s for figures in many if figures.ttft_s is not None])
        leaves = [figures for figures in many if figures.leaf]
        sums.tokens_in += sum([figures.tokens_in or 0 for figures in leaves])
        sums.tokens_out += sum([figures.tokens_out or 0 for figures in leaves])
        sums.tokens_cached += sum([figures.tokens_cached or 0 for figures in leaves])
        sums.tokens_reasoning += sum([figures.tokens_reasoning or 0 for figures in leaves])
        costs = [figures.cost for figures in leaves if figures.cost is not None]
        sums.cost += sum(costs)
        sums.priced += len(costs)
        sums.unpriced += sum([figures.unpriced for figures in leaves])

    def merge(self, other: "Group") -> None:
        """Add another group's figures to this one."""
        for name in Sums.__struct_fields__:
            setattr(self.sums, name, getattr(self.sums, name) + getattr(other.sums, name))
        self.latency.merge(other.latency)
        self.ttft.merge(other.ttft)

    def measure(self, name: str) -> float | None:
        """One figure; None for a cost that nobody knows and for percentiles of nothing."""
        sums = self.sums
        match name:
            case "cost":
                return sums.cost if sums.priced > _NOTHING else None
            case "latency.sum":
                return sums.latency
            case "count" | "errors" | "unpriced":
                return getattr(sums, name)
            case _:
                first, _, last = name.partition(".")
                if first == "tokens":
                    return getattr(sums, {"in": "tokens_in", "out": "tokens_out"}.get(last, f"tokens_{last}"))
                sketch = self.latency if first == "latency" else self.ttft
                return sketch.quantile(int(last[1:]) / 100)


class Groups:
    """The groups of one question."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = check_grouping(grouping)
        self._groups: dict[tuple[int | None, tuple[str | None, ...]], Group] = {}

    def add(self, span: Span) -> None:
        """Count a span in its group."""
        view = TraceView(Trace(span.trace_id, [span]))
        keys = tuple(group_key(span_values(span, field, view)) for field in self._grouping.by)
        self.group(span.start_ns, keys).add(figures_of(span))

    def group(self, time_ns: int, keys: tuple[str | None, ...]) -> Group:
        """The group of these keys at this time, new if there was none."""
        step = self._grouping.step_ns
        bucket = None if step is None else time_ns // step * step
        return self._groups.setdefault((bucket, keys), Group())

    def rows(self) -> list[Row]:
        """By time, then keys with None first."""
        order = sorted(
            self._groups.items(),
            key=lambda item: (item[0][0] or 0, [key_order(key) for key in item[0][1]]),
        )
        measures = self._grouping.measures
        return [Row(keys, bucket, {name: group.measure(name) for name in measures}) for (bucket, keys), group in order]


def key_order(key: str | None) -> tuple[bool, str]:
    """Sorts None before every text."""
    return (key is not None, key or "")


def check_grouping(grouping: Grouping) -> Grouping:
    """The grouping itself. Raises QueryError for fields that cannot group and figures that nobody has."""
    if len(grouping.by) > MAX_FIELDS:
        raise QueryError(f"cannot group by {len(grouping.by)} fields; give at most {MAX_FIELDS}")
    for field in grouping.by:
        if field not in FIELDS or (FIELDS[field] != "word" and field != "name") or field in {"has", "tag"}:
            raise QueryError(f"cannot group by {field!r}; give a field such as model, service or user")
    for measure in grouping.measures:
        if measure not in get_args(Measure):
            raise QueryError(f"unknown measure {measure!r}; there are: {', '.join(get_args(Measure))}")
    if grouping.step_ns is not None and grouping.step_ns < 1_000_000_000:
        raise QueryError(f"step of {grouping.step_ns} ns is too short; give at least a second")
    return grouping


def group_key(values: Any) -> str | None:
    """The first of a field's values as text; None where there is none."""
    return str(values[0]) if values else None


def count_values(values: Iterable[Value], limit: int) -> list[str]:
    """Distinct texts, most frequent first, then by text."""
    counts = Counter(value for value in values if isinstance(value, str))
    return [value for value, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]]


def group_traces(summaries: Iterable[TraceSummary], field: GroupField, query: Query) -> Page[TraceGroup]:
    """What `find_groups` answers, from the traces that match; those without such an id are left out."""
    groups: dict[str, TraceGroup] = {}
    for trace in summaries:
        key = trace.session_id if field == "session" else trace.user_id
        if key is None:
            continue
        group = groups.get(key)
        if group is None:
            group = groups[key] = TraceGroup(key=key, first_ns=trace.start_ns, last_ns=trace.start_ns)
        _add_trace(group, trace)
    return page_of(groups.values(), query, group_sort_key)


def _add_trace(group: TraceGroup, trace: TraceSummary) -> None:
    weight = trace.weight
    group.traces += weight
    group.failed += weight * (trace.status == "ERROR")
    group.spans += weight * trace.spans
    group.errors += weight * trace.errors
    group.calls += weight * trace.calls
    group.input_tokens += weight * trace.input_tokens
    group.output_tokens += weight * trace.output_tokens
    if trace.cost_usd is not None:
        group.cost_usd = (group.cost_usd or 0.0) + weight * trace.cost_usd
    group.unpriced_calls += weight * trace.unpriced_calls
    group.first_ns = min(group.first_ns, trace.start_ns)
    group.last_ns = max(group.last_ns, trace.start_ns)
