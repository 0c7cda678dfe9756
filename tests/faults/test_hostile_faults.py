"""Hostile values, failing rules, tangled schedules and clocks, processes of every kind."""

import asyncio
import json
import multiprocessing
import random
import subprocess
import sys
import time

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vestigo import InMemoryTraceStorage, SQLiteTraceStorage, Tracer, current_span
from vestigo.query import Query
from vestigo.redact import Redactor
from vestigo.values import pack, unpack

pytestmark = pytest.mark.faults


class Raising:
    """Every dunder that we may call raises; counts the calls."""

    calls = 0

    def _boom(self, *_):
        Raising.calls += 1
        raise RuntimeError("hostile")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __format__ = __getattr__ = __getitem__ = _boom
    __hash__ = object.__hash__


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=20), st.complex_numbers(),
    st.datetimes(), st.decimals(allow_nan=True), st.uuids(), st.builds(object), st.just(10**400), st.just("\ud800"),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=5)
    | st.tuples(inner, inner),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(VALUES)
def test_five_thousand_hostile_values_are_kept_as_json(value):
    """No exception, JSON that parses, no number that JSON has not."""
    json.loads(json.dumps(unpack(pack([value])), allow_nan=False))


def test_objects_whose_every_method_raises_are_named():
    """The marker says the class; their code runs at most three times each."""
    Raising.calls = 0
    for _ in range(100):
        assert "Raising" in str(unpack(pack([Raising()])))
    assert Raising.calls <= 300


def test_a_rule_that_raises_hides_the_value_and_is_counted():
    """The span is stored, its text is withheld, the counter says how often."""

    def bad(text):
        raise ValueError(text)

    tracer = Tracer("t", InMemoryTraceStorage())
    tracer.pipeline.redactor = Redactor(rules=[bad], counters=tracer.pipeline.counters)
    with tracer.trace("x") as trace:
        for number in range(50):
            trace.attribute(f"a{number}", f"very private {number}")
    found = tracer.storage.get(trace.trace_id)
    assert found is not None
    assert "very private" not in repr(found)
    assert tracer.pipeline.counters.get("redactor_error") >= 50
    tracer.close()


def test_random_schedules_of_tasks_generators_and_cancels_match_a_model():
    """50 tasks with random nesting, traced generators left early, and cancels: every parent as the model says."""
    tracer = Tracer("t", InMemoryTraceStorage(100_000))
    expected = {}

    @tracer.traced("numbers")
    def numbers():
        yield from range(10)

    async def work(rng, depth, above):
        if depth == 0:
            return
        with tracer.span("step") as span:
            expected[span.span_id] = above
            for _ in range(rng.randrange(3)):
                choice = rng.randrange(4)
                if choice == 0:
                    await asyncio.sleep(0)
                elif choice == 1:
                    for _ in zip(range(rng.randrange(5)), numbers(), strict=False):
                        assert current_span() is span
                elif choice == 2:
                    await work(rng, depth - 1, span.span_id)
                else:
                    task = asyncio.create_task(work(rng, depth - 1, span.span_id))
                    await asyncio.sleep(0)
                    if rng.random() < 0.5:
                        task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            assert current_span() is span

    async def run(seed):
        rng = random.Random(seed)
        await asyncio.gather(*(work(random.Random(rng.random()), 4, root.span_id) for _ in range(50)))

    for seed in range(40):
        with tracer.trace("root") as root:
            asyncio.run(run(seed))
        assert current_span() is None
        parents = {
            span.span_id: span.parent_id for span in tracer.storage.get(root.trace_id).spans if span.name == "step"
        }
        assert parents == {span_id: expected[span_id] for span_id in parents}
    assert not tracer.pipeline.open
    assert len(expected) > 3_000
    tracer.close()


@pytest.mark.parametrize("jump_s", [3_600, -3_600, -50 * 365 * 86_400])
def test_clock_steps_do_not_touch_durations(jump_s):
    """The wall clock jumps an hour or to 1976 while a span runs: its duration is the monotonic clock's."""
    tracer = Tracer("t", InMemoryTraceStorage())
    with time_machine.travel(time.time(), tick=True) as clock, tracer.trace("x") as trace:
        began = time.perf_counter()
        clock.shift(jump_s)
        took_ms = (time.perf_counter() - began) * 1e3
    found = tracer.storage.get(trace.trace_id).root
    assert 0 <= found.duration_ms < took_ms + 1_000
    tracer.close()


def record_in_a_child(path, number):
    tracer = Tracer("child", SQLiteTraceStorage(path))
    for at in range(25):
        with tracer.span(f"{number} {at}"):
            pass
    tracer.close()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_every_kind_store_what_they_made(tmp_path, method):
    """Four children that end by themselves: 100 of 100."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    path = tmp_path / "x.db"
    SQLiteTraceStorage(path).close()
    children = [
        multiprocessing.get_context(method).Process(target=record_in_a_child, args=(path, number))
        for number in range(4)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    storage = SQLiteTraceStorage(path)
    names = {span.name for span in storage.find_spans(Query(project="default", limit=1_000))}
    assert names == {f"{number} {at}" for number in range(4) for at in range(25)}
    storage.close()


def test_a_program_that_ends_without_a_goodbye_keeps_what_it_flushed(tmp_path):
    """os._exit runs no handlers: what was flushed is there, the rest is at most one interval's."""
    program = f"""
import os
from vestigo import Tracer
tracer = Tracer("t", "sqlite:////{tmp_path}/x.db")
for n in range(50):
    with tracer.span("flushed"): pass
assert tracer.flush(30)
with tracer.span("not flushed"): pass
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    names = [span.name for span in storage.find_spans(Query(project="default", limit=1_000))]
    assert names.count("flushed") == 50
    storage.close()
