"""A mergeable sketch of a distribution: quantiles within 1 % of the true value, in bounded memory.

Values up to `EXACT_VALUES` different ones are kept as they are; above that they are counted in buckets whose width
grows with the value. Adding, merging and taking back are plain sums of counts, so order and grouping do not matter.
Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019.
"""

import heapq
import math
import sys
from collections.abc import Iterable
from typing import TypeVar

import msgspec

RELATIVE_ERROR = 0.01
"""The most that a quantile differs from the true one, as a share of it."""

EXACT_VALUES = 8
"""Up to so many different values the quantiles are exact."""

MAX_BUCKETS = 2048
"""Above so many buckets the lowest ones are counted as one: a range of 10**17 without loss, and the top always."""

_ALPHA = RELATIVE_ERROR * 0.99  # the rounding of the logarithm must fit under the promise too
_GAMMA = (1 + _ALPHA) / (1 - _ALPHA)
_LOG_GAMMA = math.log(_GAMMA)
PER_LOG = 1 / _LOG_GAMMA
"""Buckets to one power of e."""
_LOG_MIDDLE = math.log(2 / (1 + _GAMMA))  # a bucket's value has the same relative distance to both its ends
_SMALLEST = sys.float_info.min  # below are the subnormal numbers, which have no 1 % of their own: they count as 0
_ZERO = 40_000  # no logarithm of a float reaches it, so a key is the value's rank: negatives below 0, zero 0
_NOTHING = 1e-9  # what rounding leaves of a weight that was added and taken back
_NO_FLOOR = -(10**9)
_Number = TypeVar("_Number", int, float)


class Sketch:
    """Counts of values, of which `quantile` is asked. Not thread-safe.

    Counts may be fractions (weights) and negative: `add(v, -1)` takes back a `v` that was added here, or will be by
    a later `merge`. Values are finite; anything else raises ValueError.
    """

    __slots__ = ("_buckets", "_exact", "_floor")

    def __init__(self) -> None:
        self._exact: dict[float, float] | None = {}
        self._buckets: dict[int, float] = {}
        self._floor = _NO_FLOOR  # values below this key were counted as it, so they are taken back from it

    def add(self, value: float, count: float = 1) -> None:
        """Count a value `count` times; a negative count takes it back. Raises ValueError unless both are finite."""
        if not (math.isfinite(value) and math.isfinite(count)):
            raise ValueError(f"a sketch holds finite numbers, not {value!r} ({count!r} times)")
        if self._exact is None:
            self._put(_key(value), count)
        else:
            _put(self._exact, float(value) + 0.0, count)  # + 0.0 makes -0.0 the same value as 0.0
            if len(self._exact) > EXACT_VALUES:
                self._spread()
        self._settle()

    def add_many(self, values: Iterable[float]) -> None:
        """Count each value once: the same as `add`, faster for many. All must be finite floats."""
        rest = iter(values)
        while self._exact is not None:
            value = next(rest, None)
            if value is None:
                return
            self.add(value)
        buckets, floor = self._buckets, self._floor
        for value in rest:
            # _key and _put written out: a collector adds every value of a program here
            key = math.ceil(math.log(value) * PER_LOG) + _ZERO if value >= _SMALLEST else _key(value)
            if key < floor:  # noqa: PLR1730  max() is a call
                key = floor
            count = buckets.get(key, 0) + 1
            if count > _NOTHING:
                buckets[key] = count
            else:
                _put(buckets, key, 1)
        self._collapse()
        self._settle()

    def merge(self, other: "Sketch") -> None:
        """Add what another sketch holds, which stays as it is."""
        if other._exact is not None:
            for value, count in list(other._exact.items()):
                self.add(value, count)
            return
        if self._exact is not None:
            self._spread()
        self._floor = max(self._floor, other._floor)
        for key in [key for key in self._buckets if key < self._floor]:
            self._put(key, self._buckets.pop(key))
        buckets, floor = self._buckets, self._floor
        for key, count in list(other._buckets.items()):
            # _put written out: a dashboard merges thousands of sketches
            if key < floor:  # noqa: PLR1730  max() is a call
                key = floor  # noqa: PLW2901
            total = buckets.get(key, 0) + count
            if -_NOTHING < total < _NOTHING:
                buckets.pop(key, None)
            else:
                buckets[key] = total
        self._collapse()
        self._settle()

    def quantile(self, q: float) -> float | None:
        """The smallest value that at least a share q of the values do not exceed; None if there is no value.

        That is the nearest-rank definition: a value that occurred, never one in between, and of two values p50 is the
        lower and p95 the higher. At most `RELATIVE_ERROR` off. Raises ValueError unless 0 <= q <= 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile is asked from 0 to 1, not at {q!r}")
        total = self.count
        if total <= _NOTHING:
            return None
        if self._exact is not None:
            return _find(self._exact, q * total)
        return _value(_find(self._buckets, q * total))

    @property
    def count(self) -> float:
        """How many values it holds; an int as long as all counts were."""
        return sum((self._buckets if self._exact is None else self._exact).values())

    @property
    def buckets(self) -> int:
        """How many counts it keeps: its memory, at most `MAX_BUCKETS`."""
        return len(self._buckets if self._exact is None else self._exact)

    def copy(self) -> "Sketch":
        made = Sketch()
        made._exact = None if self._exact is None else dict(self._exact)
        made._buckets = dict(self._buckets)
        made._floor = self._floor
        return made

    def to_bytes(self) -> bytes:
        """The same bytes for the same contents. Some 2 to 3 bytes a bucket."""
        if self._exact is not None:
            values = sorted(self._exact)
            return _encode(_Wire(counts=[_whole(self._exact[value]) for value in values], values=values))
        keys = sorted(self._buckets)
        counts = [_whole(self._buckets[key]) for key in keys]
        steps = [key - before for before, key in zip([0, *keys], keys, strict=False)]  # small, so one byte each
        return _encode(_Wire(counts=counts, steps=steps, floor=self._floor))

    @staticmethod
    def from_bytes(data: bytes) -> "Sketch":
        """What `to_bytes` wrote. Raises ValueError for anything else."""
        try:
            wire = _decode(data)
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a sketch: {error}") from error
        _check(wire)
        made = Sketch()
        if wire.steps is None:
            for value, count in zip(wire.values or (), wire.counts, strict=True):
                made.add(value, count)
            return made
        made._exact, made._floor = None, wire.floor
        key = 0
        for step, count in zip(wire.steps, wire.counts, strict=True):
            key += step
            made._buckets[key] = count
        made._settle()
        return made

    def _put(self, key: int, count: float) -> None:
        key = max(key, self._floor)
        _put(self._buckets, key, count)
        self._collapse()

    def _collapse(self) -> None:
        """Count the lowest buckets as one, so that few enough are left."""
        excess = len(self._buckets) - MAX_BUCKETS
        if excess > 0:
            lowest = heapq.nsmallest(excess + 1, self._buckets)
            self._floor = lowest[-1]
            _put(self._buckets, self._floor, sum(self._buckets.pop(key) for key in lowest[:-1]))

    def _settle(self) -> None:
        """Start afresh, exact again, once everything was taken back."""
        if self._exact is None and not self._buckets:
            self._exact, self._floor = {}, _NO_FLOOR

    def _spread(self) -> None:
        values, self._exact = self._exact or {}, None
        for value, count in values.items():
            _put(self._buckets, _key(value), count)


class _Wire(msgspec.Struct, array_like=True):
    counts: list[int | float]
    values: list[float] | None = None
    steps: list[int] | None = None
    floor: int = _NO_FLOOR


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode


def _check(wire: _Wire) -> None:
    numbers = wire.values if wire.steps is None else wire.steps
    limit = EXACT_VALUES if wire.steps is None else MAX_BUCKETS
    if numbers is None or len(numbers) != len(wire.counts) or len(numbers) > limit:
        raise ValueError("not a sketch: its parts do not fit together")
    if not all(map(math.isfinite, numbers)) or not all(map(math.isfinite, wire.counts)):
        raise ValueError("not a sketch: it holds numbers that are not finite")
    if wire.steps and (any(step <= 0 for step in wire.steps[1:]) or not -2 * _ZERO <= wire.steps[0] <= 2 * _ZERO):
        raise ValueError("not a sketch: its buckets are out of order")
    if wire.steps and sum(wire.steps) > 2 * _ZERO:
        raise ValueError("not a sketch: its buckets are out of range")


def _key(value: float) -> int:
    """Buckets in the order of their values. Raises ValueError or OverflowError unless finite."""
    if value >= _SMALLEST:
        return math.ceil(math.log(value) * PER_LOG) + _ZERO
    if value <= -_SMALLEST:
        return -math.ceil(math.log(-value) * PER_LOG) - _ZERO
    return 0


def _value(key: int) -> float:
    if key == 0:
        return 0.0
    exponent = (abs(key) - _ZERO) * _LOG_GAMMA + _LOG_MIDDLE
    size = math.exp(exponent) if exponent < 709.78 else sys.float_info.max  # exp raises above
    return size if key > 0 else -size


def _put(counts: dict[_Number, float], key: _Number, count: float) -> None:
    total = counts.get(key, 0) + count
    if -_NOTHING < total < _NOTHING:
        counts.pop(key, None)
    else:
        counts[key] = total


def _find(counts: dict[_Number, float], wanted: float) -> _Number:
    """The first key, by value, up to which at least `wanted` were counted. Some count must be above 0."""
    wanted *= 1 - 1e-12  # 0.07 * 100 is a little more than 7
    seen = 0.0
    last = None
    for key in sorted(counts):
        count = counts[key]
        seen += count
        if count > 0:  # below 0: taken back here, and not yet merged with where it was added
            last = key
            if seen >= wanted:
                break
    assert last is not None
    return last


def _whole(count: float) -> float:
    """An integer where it is one: one byte instead of nine."""
    return int(count) if abs(count) < 2**53 and float(count).is_integer() else count
