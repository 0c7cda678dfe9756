"""What LLM calls cost and took, added up by project, service, provider, model and operation, for Prometheus.

Stands on ingest's path, so a span costs a look-up and some additions. `metrics.MetricsCollector` counts the same calls
in a program: it takes any name and tag and keeps sketches, at several times the cost of this.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from copy import copy

from vestigo import semconv
from vestigo.metrics import DURATION_BUCKETS_S
from vestigo.record import NormalForm, Span, Usage
from vestigo.server.exposition import Exposition, clean, write_labels

MAX_LABEL_SETS = 200
"""Sets of labels of one family; what comes above it is counted under `other`, still by project."""

OTHER = "other"

RECENT = 32_768
"""Calls that are remembered, twice as many at most: a sender that lost our answer sends them again within seconds."""

LABELS = ("project", "service", "provider", "model", "operation")


class Figures:
    """Adds up calls. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], _Series] = {}
        self._known: dict[object, _Series] = {}  # the same series by labels as they came
        self._regular = 0  # how many series are not those of `other`
        self._error_sets = 0
        self._recent: set[int] = set()  # hashes of the ids of calls; when it is full it becomes the older one
        self._older: set[int] = set()
        self.overflows = 0
        """Calls and errors that were counted under `other`."""
        self.bad_values = 0
        """Calls with a number that was left out, being negative or absurd."""
        self.repeats = 0
        """Calls that came again and were not counted again."""

    def observe(self, spans: Iterable[Span], project: str) -> None:
        """Count the LLM and embedding calls among finished spans, times their weight; others are passed over.

        A call that comes again, as OTLP's senders may do, is counted once.
        """
        known = self._known
        with self._lock:
            for span in spans:
                normal = span.normal
                if normal is None or normal.kind not in _KINDS or normal.usage_role != "leaf" or span.end_ns is None:
                    continue
                if self._came_before(hash((project, span.trace_id, span.span_id))):
                    continue
                key = (
                    project,
                    span.resource.attributes.get("service.name"),
                    normal.provider,
                    normal.response_model or normal.request_model,
                    span.attributes.get("gen_ai.operation.name"),
                )
                try:
                    series = known[key]
                except (KeyError, TypeError):  # not seen before, or a list where a name belongs
                    series = self._find(key)
                if not series.add(span, normal, (span.end_ns - span.start_ns) / 1e9):
                    self.bad_values += 1
                if span.status == "ERROR":
                    self._count_error(series, span)

    def write(self, out: Exposition) -> None:
        """The families of LLM calls."""
        with self._lock:
            series = [one.copied() for one in self._series.values()]
        for name, field, about in _SUMS:
            out.family(name, "counter", about)
            for one in series:
                out.sample(name, one.labels, getattr(one, field))
        out.family(_ERRORS, "counter", "LLM and embedding calls that failed, by error.type")
        for one in series:
            for error, count in one.errors.items():
                out.sample(_ERRORS, f"{one.labels},{write_labels({'error_type': error})}", count)
        out.family(_TOKENS, "counter", "Tokens; cached ones are among the input, reasoning ones among the output")
        for one in series:
            for part in ("input", "output", "cached", "reasoning"):
                out.sample(_TOKENS, f'{one.labels},type="{part}"', getattr(one, part))
        out.family(_DURATION, "histogram", "How long LLM and embedding calls took")
        for one in series:
            out.histogram(_DURATION, one.labels, _BOUNDS, one.durations, one.duration_s)
        out.family(_TTFT, "histogram", "From the request to the first part of a streamed answer")
        for one in series:
            if any(one.ttfts):
                out.histogram(_TTFT, one.labels, _BOUNDS, one.ttfts, one.ttft_s)

    def _came_before(self, call: int) -> bool:
        if call in self._recent or call in self._older:
            self.repeats += 1
            return True
        self._recent.add(call)
        if len(self._recent) >= RECENT:
            self._older, self._recent = self._recent, set()
        return False

    def _find(self, given: tuple[object, ...]) -> "_Series":
        """The series of labels not seen in this form; those of `other`, by project, where there are too many."""
        key = tuple("" if one is None else clean(one) for one in given)
        series = self._series.get(key)
        if series is None and self._regular >= MAX_LABEL_SETS:
            self.overflows += 1
            key = (key[0], OTHER, OTHER, OTHER, OTHER)
            if key not in self._series and len(self._series) >= 2 * MAX_LABEL_SETS:
                key = (OTHER,) * len(LABELS)
            return self._series.get(key) or self._series.setdefault(key, _Series(key))
        if series is None:
            series = self._series[key] = _Series(key)
            self._regular += 1
        if all(one is None or type(one) is str for one in given):  # 1, 1.0 and True are one key
            if len(self._known) >= 4 * MAX_LABEL_SETS:
                self._known.clear()
            self._known[given] = series
        return series

    def _count_error(self, series: "_Series", span: Span) -> None:
        error = clean(span.attributes.get(semconv.ERROR_TYPE) or "_OTHER")
        if error not in series.errors:
            if self._error_sets >= MAX_LABEL_SETS:
                self.overflows += 1
                error = OTHER
            else:
                self._error_sets += 1
        series.errors[error] = series.errors.get(error, 0.0) + span.weight


_KINDS = frozenset({"llm", "embedding"})
_HIGHEST = 1e12  # of one call's tokens, dollars and seconds: a sum must not be spoilt for ever
_BOUNDS = tuple(map(str, DURATION_BUCKETS_S))
_ERRORS = "vestigo_llm_errors_total"
_TOKENS = "vestigo_llm_tokens_total"
_DURATION = "vestigo_llm_duration_seconds"
_TTFT = "vestigo_llm_time_to_first_token_seconds"
_SUMS = (
    ("vestigo_llm_requests_total", "requests", "LLM and embedding calls"),
    ("vestigo_llm_cost_usd_total", "cost_usd", "What LLM and embedding calls cost, where the price is known"),
    ("vestigo_llm_unpriced_total", "unpriced", "LLM and embedding calls whose cost is not known"),
)


class _Series:
    """The figures of one set of labels; all but `labels` under the lock."""

    __slots__ = (
        "cached", "cost_usd", "duration_s", "durations", "errors", "input", "labels", "output", "reasoning",
        "requests", "ttft_s", "ttfts", "unpriced",
    )  # fmt: skip

    def __init__(self, key: tuple[str, ...]) -> None:
        self.labels = write_labels(dict(zip(LABELS, key, strict=True)))
        self.requests = self.unpriced = self.cost_usd = 0.0
        self.input = self.output = self.cached = self.reasoning = 0.0
        self.duration_s = self.ttft_s = 0.0
        self.durations = [0.0] * (len(DURATION_BUCKETS_S) + 1)
        self.ttfts = [0.0] * (len(DURATION_BUCKETS_S) + 1)
        self.errors: dict[str, float] = {}

    def add(self, span: Span, normal: NormalForm, duration_s: float) -> bool:
        """Count one call; False where a number was out of range and left out."""
        weight = span.weight
        sound = True
        self.requests += weight
        if 0 <= duration_s < _HIGHEST:
            self.durations[bisect_left(DURATION_BUCKETS_S, duration_s)] += weight
            self.duration_s += duration_s * weight
        else:
            sound = False
        if normal.usage is not None:
            sound = self._add_tokens(normal.usage, weight) and sound
        cost_usd = None if normal.cost is None else normal.cost.total_usd
        if cost_usd is None:
            self.unpriced += weight
        elif 0 <= cost_usd < _HIGHEST:
            self.cost_usd += cost_usd * weight
        else:
            sound = False
        ttft_s = normal.ttft_s
        if ttft_s is None:
            return sound
        if not 0 <= ttft_s < _HIGHEST:
            return False
        self.ttfts[bisect_left(DURATION_BUCKETS_S, ttft_s)] += weight
        self.ttft_s += ttft_s * weight
        return sound

    def copied(self) -> "_Series":
        """As it is now, for reading without the lock."""
        made = copy(self)
        made.durations, made.ttfts, made.errors = [*self.durations], [*self.ttfts], {**self.errors}
        return made

    def _add_tokens(self, usage: Usage, weight: float) -> bool:
        tokens = (usage.input or 0, usage.output or 0, usage.cache_read or 0, usage.reasoning or 0)
        if min(tokens) < 0 or max(tokens) >= _HIGHEST:
            return False
        self.input += tokens[0] * weight
        self.output += tokens[1] * weight
        self.cached += tokens[2] * weight
        self.reasoning += tokens[3] * weight
        return True
