"""`Sketch`: quantiles within 1 %, mergeable, bounded, exact on few values."""

import math
import random
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.sketch import EXACT_VALUES, MAX_BUCKETS, RELATIVE_ERROR, Sketch

QUANTILES = (0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1)

normal_numbers = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


def sketch_of(values, count=1):
    made = Sketch()
    for value in values:
        made.add(value, count)
    return made


def true_quantile(values, q):
    return sorted(values)[max(math.ceil(q * len(values) * (1 - 1e-12)) - 1, 0)]


def assert_close(sketch, values):
    for q in QUANTILES:
        true = true_quantile(values, q)
        assert abs(sketch.quantile(q) - true) <= RELATIVE_ERROR * abs(true), (q, sketch.quantile(q), true)


@given(st.lists(normal_numbers, min_size=1, max_size=200))
def test_every_quantile_of_any_numbers_is_within_one_percent(values):
    """Any finite values of any sign and size, with repeats: |estimate - true| <= 1 % of the true one."""
    assert_close(sketch_of(values), values)


def test_quantiles_of_100_000_lognormal_values_are_within_one_percent():
    """Latencies as they are: a long tail over five decades."""
    chance = random.Random(7)
    values = [chance.lognormvariate(5, 2) for _ in range(100_000)]
    sketch = Sketch()
    sketch.add_many(values)
    assert_close(sketch, values)
    assert sketch.count == 100_000
    assert sketch.buckets < 1_100


@given(st.lists(normal_numbers, max_size=EXACT_VALUES))
def test_few_values_are_exact(values):
    """Nothing on no value; up to 8 values, so with 1 and 2 as well, the quantiles are values that were added."""
    sketch = sketch_of(values)
    for q in QUANTILES:
        assert sketch.quantile(q) == (true_quantile(values, q) if values else None)


@given(st.lists(st.lists(normal_numbers, max_size=40), max_size=6), st.randoms())
def test_merging_equals_one_sketch_of_all(parts, chance):
    """However the values are divided and in whatever order they are merged: the same bytes."""
    merged = Sketch()
    shuffled = list(parts)
    chance.shuffle(shuffled)
    for part in shuffled:
        piece = Sketch()
        piece.add_many(part)
        merged.merge(Sketch.from_bytes(piece.to_bytes()))
    assert merged.to_bytes() == sketch_of([value for part in parts for value in part]).to_bytes()


def test_memory_is_bounded_and_the_upper_quantiles_stay_right():
    """20,000 buckets' worth of values: 2,048 are kept, the lowest collapse, the highest keep their 1 %."""
    values = [1.021**exponent for exponent in range(-10_000, 10_000)]
    random.Random(3).shuffle(values)
    sketch = sketch_of(values)
    assert sketch.buckets == MAX_BUCKETS
    assert sketch.count == len(values)
    for q in (0.95, 0.99, 0.999, 1):
        true = true_quantile(values, q)
        assert abs(sketch.quantile(q) - true) <= RELATIVE_ERROR * true
    assert len(sketch.to_bytes()) < 3 * MAX_BUCKETS


def test_collapsed_sketches_merge_as_one_and_give_back_what_was_added():
    """The floor travels with the bytes: halves merge into the whole, and taking all back leaves nothing."""
    values = [1.021**exponent * sign for exponent in range(-2_000, 2_000) for sign in (-1, 1)]
    random.Random(4).shuffle(values)
    left, right = sketch_of(values[:4_000]), sketch_of(values[4_000:])
    left.merge(Sketch.from_bytes(right.to_bytes()))
    whole = sketch_of(values)
    assert left.to_bytes() == whole.to_bytes()
    first, rest = sketch_of(values[:100]), sketch_of(values[100:])
    first.merge(rest)
    assert first.to_bytes() == whole.to_bytes()
    at_once = Sketch()
    at_once.add_many(values)
    assert at_once.to_bytes() == whole.to_bytes()
    at_once.add_many([-1e300] * 10)
    assert at_once.count == len(values) + 10
    assert at_once.buckets == MAX_BUCKETS
    for value in values:
        whole.add(value, -1)
    assert whole.count == 0
    assert whole.quantile(0.5) is None
    assert whole.to_bytes() == Sketch().to_bytes()


@given(st.lists(normal_numbers, max_size=60), st.lists(normal_numbers, max_size=60))
def test_taking_back_restores_what_was_before(kept, taken):
    """Values added and taken back, here or in another sketch merged later, leave no trace in the quantiles."""
    here = sketch_of(kept + taken)
    for value in taken:
        here.add(value, -1)
    elsewhere = sketch_of(kept + taken)
    elsewhere.merge(sketch_of(taken, -1))
    for sketch in (here, elsewhere):
        assert sketch.count == len(kept)
        if kept:
            assert_close(sketch, kept)
        else:
            assert sketch.to_bytes() == Sketch().to_bytes()


def test_a_weight_counts_as_so_many_values():
    """`add(v, 3)` is three times `add(v)`, fractions add up, and a total taken back in fractions leaves nothing."""
    weighted, plain = Sketch(), Sketch()
    for value in range(1, 30):
        weighted.add(value, value)
        plain.add_many([float(value)] * value)
    assert weighted.to_bytes() == plain.to_bytes()
    fractions = Sketch()
    for value in range(20):
        fractions.add(value, 0.1)
        fractions.add(value, 0.2)
    assert fractions.count == pytest.approx(6)
    assert Sketch.from_bytes(fractions.to_bytes()).to_bytes() == fractions.to_bytes()
    for value in range(20):
        fractions.add(value, -0.3)
    assert fractions.to_bytes() == Sketch().to_bytes()


def test_extreme_values_are_held():
    """Zero, the ends of the range of floats, and subnormal numbers, which count as zero."""
    top, least = sys.float_info.max, sys.float_info.min
    values = [0.0, -0.0, top, -top, least, -least, 1e-300, 5e-324, 1.0, -1.0, 2.0, -2.0]
    sketch = sketch_of(values)
    assert sketch.quantile(1) == pytest.approx(top, rel=RELATIVE_ERROR)
    assert sketch.quantile(0) == pytest.approx(-top, rel=RELATIVE_ERROR)
    assert sketch.quantile(0.5) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_refused(value):
    """NaN and infinities raise ValueError, as a value and as a count, and leave the sketch as it was."""
    sketch = sketch_of([1.0])
    for arguments in ((value, 1), (1.0, value)):
        with pytest.raises(ValueError, match="finite"):
            sketch.add(*arguments)
    with pytest.raises(ValueError, match="from 0 to 1"):
        sketch.quantile(value)
    assert sketch.to_bytes() == sketch_of([1.0]).to_bytes()


@given(st.binary(max_size=64))
def test_foreign_bytes_are_refused(data):
    """Bytes of another origin raise ValueError or are a sketch that works; never anything else."""
    try:
        sketch = Sketch.from_bytes(data)
    except ValueError:
        return
    sketch.quantile(0.5)
    assert Sketch.from_bytes(sketch.to_bytes()).to_bytes() == sketch.to_bytes()


@pytest.mark.parametrize(
    "parts",
    [
        ([1], None, None, 0),
        ([1], [1.0, 2.0], None, 0),
        ([1] * 9, [float(number) for number in range(9)], None, 0),
        ([1], [math.nan], None, 0),
        ([math.inf], [1.0], None, 0),
        ([1, 1], None, [5, 0], 0),
        ([1, 1], None, [5, -2], 0),
        ([1], None, [10**12], 0),
        ([1, 1], None, [5, 10**12], 0),
    ],
)
def test_bytes_that_contradict_themselves_are_refused(parts):
    """Parts of different lengths, too many, out of order or out of range raise ValueError."""
    with pytest.raises(ValueError, match="not a sketch"):
        Sketch.from_bytes(msgspec.msgpack.encode(parts))


def test_a_copy_is_independent():
    """What is added to a copy is not added to the original, nor the other way round."""
    for size in (3, 30):
        sketch = sketch_of(range(1, size))
        copy = sketch.copy()
        copy.add(1000.0)
        assert sketch.count == size - 1
        assert copy.count == size
        sketch.merge(sketch)
        assert sketch.count == 2 * (size - 1)
        assert copy.count == size


def test_a_sketch_that_owes_more_than_it_has_answers_nothing():
    """Only taken back so far: no quantile; after the merge with what was added, the rest is there."""
    owing = sketch_of([float(number) for number in range(1, 21)], -1)
    assert owing.quantile(0.5) is None
    paid = owing.copy()
    owing.merge(sketch_of([float(number) for number in range(1, 22)]))
    paid.add_many([float(number) for number in range(1, 22)])
    for sketch in (owing, paid):
        assert sketch.count == 1
        assert sketch.quantile(0.5) == pytest.approx(21, rel=RELATIVE_ERROR)
