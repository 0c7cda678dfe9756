"""Spans: right parents everywhere, nothing raised into the program, what was said comes back."""

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vestigo import InMemoryTraceStorage, SettingsError, Tracer, attach, current_span
from vestigo.sdk.tracer import RemoteParent


@pytest.fixture
def tracer():
    made = Tracer("test", InMemoryTraceStorage())
    yield made
    made.close()
    assert current_span() is None  # no test leaves a span behind


def names_by_parent(tracer, trace_id):
    """{span name: parent's name}."""
    trace = tracer.storage.get(trace_id)
    names = {span.span_id: span.name for span in trace.spans}
    return {span.name: names.get(span.parent_id) for span in trace.spans}


def test_spans_nest_and_say_what_they_were_told(tracer):
    """Parents, attributes, events, status and duration come back from the storage."""
    with tracer.trace("root", {"tier": "gold", "n": 1}) as trace, tracer.span("outer", {"a": 1}) as outer:
        with tracer.span("inner"):
            tracer.event("happened", {"why": ["x"]})
            tracer.attribute("b", {"deep": [1]})
        outer.set_status("OK", "fine")
    found = tracer.storage.get(trace.trace_id)
    assert names_by_parent(tracer, trace.trace_id) == {"root": None, "outer": "root", "inner": "outer"}
    root, outer, inner = found.spans
    assert (found.metadata, outer.attributes, outer.status) == ({"tier": "gold", "n": 1}, {"a": 1}, "OK")
    assert inner.attributes == {"b": {"deep": [1]}}
    assert [(event.name, event.attributes) for event in inner.events] == [("happened", {"why": ["x"]})]
    assert inner.start_ns <= inner.events[0].time_ns <= inner.end_ns
    assert root.duration_ms >= outer.duration_ms >= inner.duration_ms >= 0
    assert found.root_span_id == root.span_id == trace.span_id


def test_an_exception_passes_through_and_is_recorded(tracer):
    """The same object; type, message and stack on the span, the stack once for all the spans it passes."""
    error = ValueError("boom")
    with pytest.raises(ValueError, match="boom") as raised, tracer.trace("root") as trace, tracer.span("inner"):
        raise error
    assert raised.value is error
    root, inner = tracer.storage.get(trace.trace_id).spans
    for span in (root, inner):
        assert (span.status, span.error_message, span.attributes["error.type"]) == ("ERROR", "boom", "ValueError")
        assert span.events[0].attributes["exception.type"] == "ValueError"
    assert "raise error" in inner.events[0].attributes["exception.stacktrace"]
    assert "exception.stacktrace" not in root.events[0].attributes


def test_open_spans_are_seen_before_they_end(tracer):
    """Inside the block the storage shows the trace, with what is known so far."""
    with tracer.trace("long") as trace:
        tracer.attribute("step", 1)
        (span,) = tracer.storage.get(trace.trace_id).spans
        assert (span.end_ns, span.attributes) == (None, {"step": 1})
    (span,) = tracer.storage.get(trace.trace_id).spans
    assert span.end_ns is not None


def test_a_trace_id_can_be_chosen(tracer):
    """Hex and UUIDs as they are; other text is kept as correlation id."""
    with tracer.trace("a", trace_id="AB" * 16) as trace:
        assert trace.trace_id == "ab" * 16
    with tracer.trace("b", trace_id="order-4711") as trace:
        pass
    assert tracer.storage.get(trace.trace_id).root.attributes["correlation.id"] == "order-4711"


def test_a_trace_inside_a_trace_links_to_it(tracer):
    """A new trace, not a child."""
    with tracer.trace("one") as one, tracer.trace("two") as two:
        pass
    assert one.trace_id != two.trace_id
    (link,) = tracer.storage.get(two.trace_id).root.links
    assert (link.trace_id, link.span_id) == (one.trace_id, one.span_id)


def test_code_without_with_nests_too(tracer):
    """start and end by hand, in any order, with an error."""
    trace = tracer.start_trace("root")
    outer = tracer.start_span("outer")
    tracer.start_span("inner")
    tracer.end_span(error=ValueError("bad"))
    tracer.end_span(outer)
    tracer.start_span("left open")
    tracer.end_trace(trace)
    assert current_span() is None
    parents = names_by_parent(tracer, trace.trace_id)
    assert parents == {"root": None, "outer": "root", "inner": "outer", "left open": "root"}
    assert tracer.storage.get(trace.trace_id).status == "ERROR"


def test_every_kind_of_function_can_be_traced(tracer):
    """Plain, async, generator, async generator: results, arguments of tools, parents."""

    @tracer.traced(kind="tool")
    def add(a, b=2):
        return a + b

    @tracer.traced
    async def later():
        with tracer.span("inside later"):
            await asyncio.sleep(0)
        return 3

    @tracer.traced("numbers")
    def numbers():
        with tracer.span("inside numbers"):
            pass
        got = yield 1
        yield got
        return 9

    @tracer.traced("stream")
    async def stream():
        for number in range(3):
            yield number

    def collect():
        return (yield from numbers())

    async def all_of_it():
        return await later(), [item async for item in stream()]

    with tracer.trace("root") as trace:
        assert add(1) == 3
        assert asyncio.run(all_of_it()) == (3, [0, 1, 2])
        generator = collect()
        assert next(generator) == 1
        assert generator.send("sent") == "sent"
        with pytest.raises(StopIteration) as stop:
            next(generator)
        assert stop.value.value == 9
    found = tracer.storage.get(trace.trace_id)
    tool = next(span for span in found.spans if span.normal.kind == "tool")
    assert tool.attributes["gen_ai.tool.call.arguments"] == {"a": 1}
    assert tool.attributes["gen_ai.tool.call.result"] == 3
    parents = names_by_parent(tracer, trace.trace_id)
    assert parents["inside numbers"] == "numbers"
    assert parents["numbers"] == parents["stream"] == "root"
    assert add.__name__ == "add"


def test_a_traced_generator_is_current_only_while_it_runs(tracer):
    """Between steps the caller's span is current; a generator left early is marked and leaks nothing."""

    @tracer.traced("numbers")
    def numbers():
        yield 1
        yield 2

    with tracer.trace("root") as trace:
        generator = numbers()
        next(generator)
        assert current_span() is trace
        with tracer.span("between"):
            pass
        generator.close()
        assert current_span() is trace
    found = {span.name: span for span in tracer.storage.get(trace.trace_id).spans}
    assert found["between"].parent_id == trace.span_id
    assert found["numbers"].attributes["vestigo.abandoned"] is True
    assert found["numbers"].status == "UNSET"


def test_a_generator_closed_in_another_context_loses_nothing(tracer):
    """A `with` block around a yield, ended by another task: no error, and later spans have the right parents."""

    def numbers():
        with tracer.span("held"):
            yield 1

    with tracer.trace("root") as trace:
        generator = numbers()
        contextvars.copy_context().run(next, generator)
        contextvars.copy_context().run(generator.close)
        leaking = numbers()
        next(leaking)
        thread = threading.Thread(target=leaking.close)
        thread.start()
        thread.join()
        with tracer.span("after"):
            pass
    assert names_by_parent(tracer, trace.trace_id)["after"] == "root"
    assert current_span() is None


def test_an_abandoned_generator_is_ended_by_the_garbage_collector(tracer):
    """Its span ends and is marked."""

    @tracer.traced("numbers")
    def numbers():
        yield 1
        yield 2

    with tracer.trace("root") as trace:
        for _ in numbers():
            break
        gc.collect()
    span = next(span for span in tracer.storage.get(trace.trace_id).spans if span.name == "numbers")
    assert span.end_ns is not None
    assert span.attributes["vestigo.abandoned"] is True


def test_a_hundred_tasks_keep_their_parents(tracer):
    """Interleaved, each below its own span, also when they outlive it."""

    async def work(number):
        with tracer.span(f"task {number}"):
            await asyncio.sleep(0)
            with tracer.span(f"child {number}"):
                await asyncio.sleep(0)

    async def run():
        with tracer.span("spawner"):
            tasks = [asyncio.create_task(work(number)) for number in range(100)]
        await asyncio.gather(*tasks)

    with tracer.trace("root") as trace:
        asyncio.run(run())
    parents = names_by_parent(tracer, trace.trace_id)
    assert all(parents[f"child {number}"] == f"task {number}" for number in range(100))
    assert all(parents[f"task {number}"] == "spawner" for number in range(100))


def test_threads_with_a_copied_context_keep_their_parents(tracer):
    """`copy_context().run` and `attach` in an executor."""
    with tracer.trace("root") as trace, ThreadPoolExecutor(4) as pool:

        def work(number):
            with tracer.span(f"work {number}"):
                pass

        def attached(number):
            with attach(trace):
                work(number)

        for number in range(10):
            pool.submit(contextvars.copy_context().run, work, number)
            pool.submit(attached, number + 10)
    parents = names_by_parent(tracer, trace.trace_id)
    assert all(parents[f"work {number}"] == "root" for number in range(20))


def test_a_remote_parent_is_joined(tracer):
    """The trace goes on with its id, below the caller's span; an unsampled one is not recorded."""
    with attach(RemoteParent("ab" * 16, "cd" * 8, sampled=True)), tracer.span("served") as span:
        assert (span.trace_id, span.parent_id) == ("ab" * 16, "cd" * 8)
    with attach(RemoteParent("ef" * 16, "cd" * 8, sampled=False)), tracer.trace("served") as span:
        assert not span.recording
    assert tracer.storage.get("ef" * 16) is None


def test_what_makes_no_sense_never_raises(tracer):
    """Wrong types everywhere: counted or shown, and the program goes on."""
    with tracer.trace(5, metadata=7) as trace, tracer.span(None, attributes="nonsense") as span:
        span.attribute(3, object())
        span.set_status("BANANA")
        span.event(None, 9)
        span.link(None)
        span.exception("no exception")
        tracer.attribute(None, None)
        tracer.event({}, [])
        span.end()
        span.end()
    assert len(tracer.storage.get(trace.trace_id).spans) == 2
    tracer.event("outside")
    tracer.attribute("outside", 1)
    tracer.end_span()


@pytest.mark.parametrize("bad", [{"storage": 5}, {"service_name": ""}, {"sample_rate": "x"}, {"banana": 1}])
def test_bad_arguments_are_refused_at_once(bad):
    """With SettingsError, before anything is recorded."""
    with pytest.raises(SettingsError):
        Tracer(**{"service_name": "x", **bad})


def test_a_tracer_that_is_off_records_nothing_and_does_everything():
    """Every call is taken, nothing is stored."""
    tracer = Tracer("off", InMemoryTraceStorage(), disabled=True)
    with tracer.trace("a", {"x": 1}) as trace, tracer.span("b") as span:
        span.attribute("a", 1)
        span.name = "new"
        span.event("x")
        tracer.event("y")
        tracer.attribute("z", 1)
    assert tracer.traced(lambda: 5)() == 5
    tracer.start_span("c")
    tracer.end_span()
    assert trace.attributes == {}
    assert tracer.storage.query() == []
    tracer.close()
