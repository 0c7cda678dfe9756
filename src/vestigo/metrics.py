"""Numbers about a program: counters and distributions by tags, mergeable across processes.

`MetricsCollector` is called in the user's program, so nothing here raises there: what cannot be counted is dropped,
counted by reason. Quantiles come from a sketch (`sketch.py`), everything else is exact. Long, because the Prometheus
text is written here: it is one more reading of the same figures.
"""

import math
import os
import re
import sys
import threading
import weakref
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from vestigo import diagnostics, semconv
from vestigo.record import NormalForm, Span
from vestigo.sketch import Sketch

MAX_SERIES = 1000
"""Series of one collector; further sets of tags of a metric are counted together, tagged `OVERFLOW`."""

OVERFLOW = {"overflow": "__overflow__"}

DURATION_BUCKETS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Source: OpenTelemetry GenAI conventions, `gen_ai.client.operation.duration`."""

Tags: TypeAlias = Mapping[str, object]


class MetricsCollector:
    """Counts and measures by name and tags. Safe from any thread; no method raises for what it is given.

    Values are finite numbers (booleans are none), names are text of 1 to 200 characters, tags are at most 16 pairs of
    names and short values. What is not is dropped and counted in `dropped`. A forked child starts empty.
    """

    def __init__(self) -> None:
        self._start()
        _collectors.add(self)

    def _start(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a finalizer may record while we do
        self._series: dict[_Key, _Series] = {}
        self._kinds: dict[str, _Kind] = {}
        self._known: dict[object, _Series] = {}  # the same series by name and tags as they were given
        self._dropped: dict[str, int] = {}
        self._regular = 0  # how many series are none of overflow

    def record(self, name: str, value: float, tags: Tags | None = None) -> None:
        """Count one value of a distribution, such as a latency."""
        if not self._append("value", name, value, tags):
            self._take("value", name, value, tags)

    def increment(self, name: str, value: float = 1, tags: Tags | None = None) -> None:
        """Raise a counter. Counters do not fall: negative values are dropped."""
        if not self._append("counter", name, value, tags):
            self._take("counter", name, value, tags)

    def observe_span(self, span: Span) -> None:
        """Count one finished LLM or embedding call, times its weight; other spans are passed over.

        Counters `llm.requests`, `llm.errors` (by `error.type`), `llm.tokens.input`, `.output`, `.cached` and
        `.reasoning`, `llm.cost_usd`, and `llm.cost_unknown` where the price is not known; distributions
        `llm.latency_ms` and `llm.ttft_ms`; tagged `model`, `provider`, `operation`, `service` where they are known.
        """
        with diagnostics.guard("metrics"):
            normal = span.normal
            if normal is None or span.end_ns is None or normal.usage_role != "leaf":
                return
            if normal.kind not in {"llm", "embedding"}:
                return
            given = {
                "model": normal.model,
                "provider": normal.provider,
                "operation": span.attributes.get(semconv.OPERATION),
                "service": span.service,
            }
            self._observe(
                span, normal, {key: value for key, value in given.items() if value is not None and value != ""}
            )

    def get_summary(self) -> dict[str, dict[str, Any]]:
        """All figures by metric name: of all its tags together, and in `series` for each set of tags.

        A distribution is `{"type": "value", "count", "sum", "mean", "min", "max", "p50", "p95", "p99", "series"}`, a
        counter `{"type": "counter", "value", "series"}`; each of `series` holds the same figures and its `tags`.
        Count, sum, mean, min and max are exact, the quantiles within 1 % and exact up to 8 different values.
        """
        with self._lock:
            self._fold_all()
            named: dict[str, list[_Series]] = {}
            for series in self._series.values():
                named.setdefault(series.name, []).append(series)
            return {name: _summarize(parts) for name, parts in sorted(named.items())}

    def reset(self) -> None:
        """Forget everything, also what was dropped."""
        with self._lock:
            self._series, self._kinds, self._known, self._dropped, self._regular = {}, {}, {}, {}, 0

    @property
    def dropped(self) -> dict[str, int]:
        """What was not counted, by reason: `bad_name`, `bad_value`, `bad_tags`, `negative`, `other_kind`,
        `too_many_names`, `bad_snapshot`. `overflow` counts what lost its tags, but is counted.
        """
        with self._lock:
            return dict(self._dropped)

    def snapshot(self) -> bytes:
        """All that was counted, for `merge` in another process. MessagePack."""
        with self._lock:
            self._fold_all()
            found = [
                _Wire(
                    one.name, one.kind, list(one.tags), one.count, *one.total.parts, one.least, one.most,
                    one.sketch.to_bytes() if one.kind == "value" else b"", one.histogram,
                )
                for one in self._series.values() if one.count
            ]  # fmt: skip
            return _encode(_Snapshot(found, self._dropped))

    def merge(self, other: "MetricsCollector | bytes") -> None:
        """Add what another collector counted, which stays as it is. Bytes that are no snapshot are dropped."""
        try:
            data = other.snapshot() if isinstance(other, MetricsCollector) else other
            found = _decode(data)
            sketches = [Sketch.from_bytes(one.sketch) if one.kind == "value" else Sketch() for one in found.series]
            sound = all(map(_is_sound, found.series, sketches))
            if not sound or any(count < 0 for count in found.dropped.values()):
                raise ValueError("figures out of range")
        except Exception as error:  # whatever was given here is foreign, and counted
            self._drop("bad_snapshot")
            diagnostics.trouble("metrics.merge", f"this is no snapshot of metrics: {error}")
            return
        with self._lock:
            for reason in _REASONS & found.dropped.keys():
                self._drop(reason, found.dropped[reason])
            for one, sketch in zip(found.series, sketches, strict=True):
                series = self._get_series(one.kind, _clean(one.name), _read_tags(dict(one.tags)), one.count)
                if series is not None:
                    series.merge(one, sketch)

    def prometheus(self) -> str:
        """The Prometheus text exposition format 0.0.4.

        Counters end in `_total`, distributions are summaries; `llm.latency_ms` and `llm.ttft_ms` are also histograms in
        seconds (`llm_latency_seconds`, `llm_ttft_seconds`), which add up over processes as quantiles do not.
        """
        with self._lock:
            self._fold_all()
            named: dict[tuple[str, _Kind], list[_Series]] = {}
            for series in self._series.values():
                named.setdefault((series.name, series.kind), []).append(series)
            lines: list[str] = []
            used: set[str] = set()
            for (name, kind), parts in sorted(named.items()):
                labelled = list(zip(_label_all(parts), parts, strict=True))
                lines += (
                    _write_counter(name, labelled, used) if kind == "counter" else _write_values(name, labelled, used)
                )
            return "".join(line + "\n" for line in lines)

    def _append(self, kind: "_Kind", name: str, value: float, tags: Tags | None) -> bool:
        """The quick way, for a plain number in a series seen before; False if the careful way must decide."""
        try:
            series = self._known[name if not tags else (name, *tags.items())]
            if series.kind != kind or type(value) not in _PLAIN or not series.lowest <= value < _HIGHEST:
                return False
        except Exception:  # not seen before, or not well-formed
            return False
        waiting = series.waiting
        waiting.append(float(value))  # without the lock: this is atomic, and so is taking it out again
        if len(waiting) >= _WAITING:
            self._fold(series)
        return True

    def _observe(self, span: Span, normal: NormalForm, tags: dict[str, Any]) -> None:
        weight = span.weight

        def take(kind: _Kind, name: str, value: float, tags: dict[str, Any] = tags) -> None:
            times, once = (weight, 1.0) if kind == "value" else (1.0, weight)  # a counter is raised by the weight
            if times != 1 or not self._append(kind, name, value * once, tags):
                self._take(kind, name, value * once, tags, times)

        take("counter", "llm.requests", 1)
        if span.status == "ERROR":
            take(
                "counter", "llm.errors", 1, {**tags, "error.type": span.attributes.get(semconv.ERROR_TYPE) or "_OTHER"}
            )
        if normal.usage is not None:
            for part, field in _TOKENS.items():
                tokens: int | None = getattr(normal.usage, field)
                if tokens is not None:
                    take("counter", f"llm.tokens.{part}", tokens)
        if normal.cost is None or normal.cost.total_usd is None:
            take("counter", "llm.cost_unknown", 1)
        else:
            take("counter", "llm.cost_usd", normal.cost.total_usd)
        take("value", "llm.latency_ms", span.duration_ms or 0.0)
        if normal.ttft_s is not None:
            take("value", "llm.ttft_ms", normal.ttft_s * 1000)

    def _take(self, kind: "_Kind", name: object, value: object, tags: Any, weight: float = 1) -> None:
        """Check and count; or drop, counted."""
        try:
            number = _read_number(value)
            if not isinstance(name, str) or not 0 < len(name) <= _MAX_TEXT:
                self._drop("bad_name")
            elif number is None or not 0 < weight < math.inf:
                self._drop("bad_value")
            elif kind == "counter" and number < 0:
                self._drop("negative")
            else:
                read = _read_tags(tags)
                with self._lock:
                    series = self._get_series(kind, _clean(name), read, 1)
                    if series is not None:
                        self._remember(name, tags, series)
                        series.add(number, weight)
        except Exception:  # the program's own objects raised when we read them
            self._drop("bad_tags")

    def _get_series(self, kind: "_Kind", name: str, tags: "_Pairs", count: float) -> "_Series | None":
        if self._kinds.get(name, kind) != kind:
            self._drop("other_kind")
            return None
        found = self._series.get((name, tags))
        if found is None and self._regular >= MAX_SERIES and tags != _OVERFLOW:
            if name not in self._kinds:
                self._drop("too_many_names")
                return None
            self._drop("overflow", math.ceil(count))
            tags = _OVERFLOW
            found = self._series.get((name, tags))
        if found is None:
            found = self._series[name, tags] = _Series(name, kind, tags)
            self._kinds[name] = kind
            self._regular += tags != _OVERFLOW
        return found

    def _remember(self, name: str, tags: Any, series: "_Series") -> None:
        """So that `record` finds it without reading the tags again, if they are text: 1, 1.0 and True are one key."""
        if series.tags == _OVERFLOW or type(tags or {}) is not dict:
            return
        pairs = (tags or {}).items()
        if all(type(text) is str and len(text) <= _MAX_TEXT for pair in pairs for text in pair):
            if len(self._known) >= 4 * MAX_SERIES:
                self._known.clear()
            self._known[(name, *pairs) if pairs else name] = series

    def _drop(self, reason: str, count: int = 1) -> None:
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + count

    def _fold(self, series: "_Series") -> None:
        with self._lock:
            series.fold()

    def _fold_all(self) -> None:
        for series in self._series.values():
            series.fold()


_Kind: TypeAlias = Literal["value", "counter"]
_Pairs: TypeAlias = tuple[tuple[str, str], ...]
_Key: TypeAlias = tuple[str, _Pairs]

_OVERFLOW = tuple(OVERFLOW.items())
_PLAIN = frozenset({float, int})  # and not bool
_HIGHEST = 1e300
_WAITING = 128  # values are worked in together: sums in C, one look-up per bucket
_MAX_TEXT = 200
_MAX_TAGS = 16
_REASONS = {
    "bad_name", "bad_value", "bad_tags", "negative", "other_kind", "too_many_names", "bad_snapshot", "overflow",
}  # fmt: skip
_TOKENS = {"input": "input", "output": "output", "cached": "cache_read", "reasoning": "reasoning"}
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_HISTOGRAMS = {"llm.latency_ms": "llm_latency_seconds", "llm.ttft_ms": "llm_ttft_seconds"}

_collectors: weakref.WeakSet[MetricsCollector] = weakref.WeakSet()


class _Total:
    """A sum as two floats, the second being what the first cannot hold: exact to some 32 digits."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts = (0.0, 0.0)

    def add(self, values: Iterable[float]) -> None:
        numbers = [*self.parts, *values]
        try:
            total = math.fsum(numbers)
            self.parts = (total, math.fsum([*numbers, -total]))
        except OverflowError:
            total = math.fsum(number * 2.0**-64 for number in numbers) * 2.0**64
            self.parts = (math.copysign(min(abs(total), sys.float_info.max), total), 0.0)

    def value(self) -> float:
        return self.parts[0]


class _Series:
    """The figures of one name and set of tags. All but `waiting` are touched under the collector's lock."""

    __slots__ = (
        "count", "folding", "histogram", "kind", "least", "lowest", "most", "name", "sketch", "tags", "total",
        "waiting",
    )  # fmt: skip

    def __init__(self, name: str, kind: _Kind, tags: _Pairs) -> None:
        self.name = name
        self.kind: _Kind = kind
        self.tags = tags
        self.lowest = 0 if kind == "counter" else -_HIGHEST
        self.waiting: deque[float] = deque()
        self.folding = False
        self.count: float = 0
        self.total = _Total()
        self.least = math.inf
        self.most = -math.inf
        self.sketch = Sketch()
        self.histogram = [0.0] * (len(DURATION_BUCKETS_S) + 1) if name in _HISTOGRAMS and kind == "value" else []

    def add(self, value: float, weight: float) -> None:
        if weight == 1:
            self.waiting.append(value)
            if len(self.waiting) >= _WAITING:
                self.fold()
            return
        if self.kind == "value":
            self.sketch.add(value, weight)
        self._count([value], [value * weight], weight)

    def fold(self) -> None:
        """Work in what waits; what other threads add meanwhile waits on."""
        if self.folding:  # a finalizer recorded while we do: what it brought waits on
            return
        self.folding = True
        values = [self.waiting.popleft() for _ in range(len(self.waiting))]
        if values:
            if self.kind == "value":
                self.sketch.add_many(values)
            self._count(values, values, 1)
        self.folding = False

    def merge(self, other: "_Wire", sketch: Sketch) -> None:
        self.count += other.count
        self.total.add([other.total, other.rest])
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.sketch.merge(sketch)
        self.histogram = [here + there for here, there in zip(self.histogram, other.histogram, strict=True)]

    def quantile(self, q: float) -> float:
        found = self.sketch.quantile(q)
        assert found is not None  # a series is made when something is counted
        return min(max(found, self.least), self.most)

    def _count(self, values: list[float], sums: list[float], weight: float) -> None:
        self.count += weight * len(values)
        self.total.add(sums)
        self.least = min(self.least, *values)
        self.most = max(self.most, *values)
        if self.histogram:
            for value in values:
                self.histogram[bisect_left(DURATION_BUCKETS_S, value / 1000)] += weight


class _Wire(msgspec.Struct, array_like=True):
    name: str
    kind: _Kind
    tags: list[tuple[str, str]]
    count: float
    total: float
    rest: float
    least: float
    most: float
    sketch: bytes
    histogram: list[float]


class _Snapshot(msgspec.Struct, array_like=True):
    series: list[_Wire]
    dropped: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Snapshot).decode


def _is_sound(one: _Wire, sketch: Sketch) -> bool:
    figures = [one.count, one.total, one.rest, one.least, one.most, *one.histogram]
    if not all(map(math.isfinite, figures)) or one.count <= 0 or one.least > one.most:
        return False
    if one.kind == "value" and sketch.quantile(0.5) is None:
        return False
    buckets = len(DURATION_BUCKETS_S) + 1 if one.kind == "value" and one.name in _HISTOGRAMS else 0
    return len(one.histogram) == buckets and 0 < len(one.name) <= _MAX_TEXT and len(one.tags) <= _MAX_TAGS


def _read_number(value: object) -> float | None:
    """A finite float, or None for anything else. Whole numbers above 2**53 are rounded."""
    if isinstance(value, (bool, str, bytes, bytearray)):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever has a __float__: numpy's, Decimal, Fraction
    except Exception:
        return None
    return number if math.isfinite(number) else None


def _read_tags(tags: object) -> _Pairs:
    """Sorted pairs of text. Raises if they are no mapping or too many; values of None are left out."""
    if tags is None:
        return ()
    if not isinstance(tags, Mapping) or len(tags) > _MAX_TAGS:
        raise TypeError
    found = {_clean(str(key)): _clean(_text(value)) for key, value in tags.items() if value is not None}
    return tuple(sorted(found.items()))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clean(text: str) -> str:
    """Text that fits, and that UTF-8 can hold."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _summarize(parts: list[_Series]) -> dict[str, Any]:
    if len(parts) == 1:
        whole = parts[0]
    else:
        whole = _Series(parts[0].name, parts[0].kind, ())
        for one in parts:
            wire = _Wire(
                one.name, one.kind, [], one.count, *one.total.parts, one.least, one.most, b"", one.histogram
            )  # fmt: skip
            whole.merge(wire, one.sketch)
    series = [{"tags": dict(one.tags), **_figures(one)} for one in parts]
    return {"type": whole.kind, **_figures(whole), "series": series}


def _figures(one: _Series) -> dict[str, Any]:
    total = one.total.value()
    if one.kind == "counter":
        return {"value": _whole(total)}
    exact = {"count": _whole(one.count), "sum": total, "mean": total / one.count, "min": one.least, "max": one.most}
    return {**exact, **{name: one.quantile(q) for name, q in _QUANTILES.items()}}


def _whole(number: float) -> float:
    """An integer where it is one."""
    return int(number) if abs(number) < 2**53 and float(number).is_integer() else number


def _write_counter(name: str, labelled: list[tuple[dict[str, str], _Series]], used: set[str]) -> list[str]:
    stem = _metric_name(name).removesuffix("_total")
    family = _unused(stem, ("_total",), used) + "_total"
    values = [_line(family, labels, one.total.value()) for labels, one in labelled]
    return [f"# HELP {family} {_escape_help(name)}", f"# TYPE {family} counter", *values]


def _write_values(name: str, labelled: list[tuple[dict[str, str], _Series]], used: set[str]) -> list[str]:
    family = _unused(_metric_name(name), ("", "_sum", "_count"), used)
    lines = [f"# HELP {family} {_escape_help(name)}", f"# TYPE {family} summary"]
    for labels, one in labelled:
        lines += [_line(family, {**labels, "quantile": str(q)}, one.quantile(q)) for q in _QUANTILES.values()]
        lines += [_line(family + "_sum", labels, one.total.value()), _line(family + "_count", labels, one.count)]
    if name in _HISTOGRAMS:
        family = _unused(_HISTOGRAMS[name], ("", "_bucket", "_sum", "_count"), used)
        lines += [f"# HELP {family} {_escape_help(name)} in seconds", f"# TYPE {family} histogram"]
        for labels, one in labelled:
            seen = 0.0
            for bound, count in zip([*map(str, DURATION_BUCKETS_S), "+Inf"], one.histogram, strict=True):
                seen += count
                lines.append(_line(family + "_bucket", {**labels, "le": bound}, seen))
            lines.append(_line(family + "_sum", labels, one.total.value() / 1000))
            lines.append(_line(family + "_count", labels, seen))
    return lines


def _line(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f'{label}="{_escape_label(text)}"' for label, text in labels.items())
    return f"{name}{{{inner}}} {_whole(value)!r}" if inner else f"{name} {_whole(value)!r}"


def _metric_name(name: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_:]", "_", name)
    return "_" + name if name[0].isdigit() else name


def _unused(stem: str, suffixes: tuple[str, ...], used: set[str]) -> str:
    """A name whose samples collide with no other's (`a.b` and `a_b` look the same): a number is put behind it."""
    number, name = 1, stem
    while any(name + suffix in used for suffix in suffixes):
        number += 1
        name = f"{stem}_{number}"
    used.update(name + suffix for suffix in suffixes)
    return name


def _label_all(parts: list[_Series]) -> list[dict[str, str]]:
    """The labels of each series; one tag has one label name throughout, and no two tags share one."""
    names: dict[str, str] = {}
    used = {"quantile", "le"}  # these have a meaning of their own
    for key in sorted({key for one in parts for key, _ in one.tags}):
        stem = re.sub(r"[^a-zA-Z0-9_]", "_", key)
        if not stem or stem[0].isdigit() or stem.startswith("__"):  # two underscores are Prometheus' own
            stem = "tag_" + stem
        names[key] = _unused(stem, ("",), used)
    return [{names[key]: text for key, text in one.tags} for one in parts]


def _escape_label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _start_afresh() -> None:
    """In a forked child: the parent keeps its counts, and another thread may have held a lock."""
    for collector in list(_collectors):
        collector._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
