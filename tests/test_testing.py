"""The test tools are tested: the contract lets a right storage pass and finds each kind of wrong one."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import vestigo
from vestigo import default
from vestigo.errors import SettingsError
from vestigo.query import (
    And,
    Compare,
    Filter,
    Grouping,
    Not,
    Or,
    Page,
    Query,
    Row,
    Text,
    TraceSummary,
    Within,
    page_of,
    span_sort_key,
)  # fmt: skip
from vestigo.record import Batch, Log, Span, Trace
from vestigo.sdk import ids, tracer
from vestigo.storage.memory import InMemoryTraceStorage
from vestigo.storage.scan import matching_spans
from vestigo.testing import FakeClock, captured, check_storage, counted_ids

# --- storages that are wrong in one way each


def rewritten(filter_: Filter | None, change: Callable[[Compare], Filter]) -> Any:
    """The filter with every comparison changed."""
    match filter_:
        case And(filters):
            return And(tuple(rewritten(part, change) for part in filters))
        case Or(filters):
            return Or(tuple(rewritten(part, change) for part in filters))
        case Not(part):
            return Not(rewritten(part, change))
        case Within(scope, part):
            return Within(scope, rewritten(part, change))
        case Compare():
            return change(filter_)
        case _:
            return filter_


class LosesTheClosed(InMemoryTraceStorage):
    """An open span replaces a closed one."""

    def write(self, batch: Batch) -> None:
        for span in batch.spans:
            self._spans.get((batch.project, span.trace_id), {}).pop(span.span_id, None)
        super().write(batch)


class KeepsTheFirst(InMemoryTraceStorage):
    """The earlier of two versions wins."""

    def write(self, batch: Batch) -> None:
        new = [s for s in batch.spans if s.span_id not in self._spans.get((batch.project, s.trace_id), {})]
        super().write(Batch(batch.spans, batch.logs, "elsewhere"))  # fills in the normal form of all
        super().write(Batch(new, batch.logs, batch.project))


class SwapsOrder(InMemoryTraceStorage):
    """Spans that start at the same time come in the order of their ids, whatever their traces."""

    def find_spans(self, query: Query) -> Page[Span]:
        def key(span: Span, order: str) -> Any:
            first, start_ns, trace_id, span_id = span_sort_key(span, order)
            return (first, start_ns, span_id, trace_id)

        return page_of(list(matching_spans(self._all_traces(query.project), query)), query, key)


class SkipsTies(InMemoryTraceStorage):
    """A page begins after the last start, not after the last record."""

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        page = super().find_traces(query)
        start_ns = page.items[-1].start_ns if page.items else 0
        return Page([item for item in page.items[:-1] if item.start_ns != start_ns] + page.items[-1:], page.cursor)


class RepeatsTheLast(InMemoryTraceStorage):
    """The record between two pages is on both."""

    def find_logs(self, query: Query) -> Page[Log]:
        page = super().find_logs(query)
        if query.cursor is not None and page.items:
            page.items.insert(0, page.items[0])
            page.items = page.items[: query.limit]
        return page


class IgnoresTheWindow(InMemoryTraceStorage):
    """Times are not looked at."""

    def find_spans(self, query: Query) -> Page[Span]:
        return super().find_spans(msgspec.structs.replace(query, start_ns=0, end_ns=1 << 62))


class IgnoresOneField(InMemoryTraceStorage):
    """Every session fits."""

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        def ignore(part: Compare) -> Filter:
            return And(()) if part.field == "session" else part

        return super().find_traces(msgspec.structs.replace(query, filter=rewritten(query.filter, ignore)))


class CountsBooleans(InMemoryTraceStorage):
    """True is 1."""

    def find_spans(self, query: Query) -> Page[Span]:
        def count(part: Compare) -> Filter:
            return Compare(part.field, part.op, int(part.value)) if isinstance(part.value, bool) else part

        return super().find_spans(msgspec.structs.replace(query, filter=rewritten(query.filter, count)))


class NotOfMissing(InMemoryTraceStorage):
    """What is not there is neither this nor not this, as in SQL."""

    def find_spans(self, query: Query) -> Page[Span]:
        match query.filter:
            case Not(Compare(field, op)) if op != "exists":
                query = msgspec.structs.replace(query, filter=And((query.filter, Compare(field, "exists"))))
        return super().find_spans(query)


class AsksOtherTraces(InMemoryTraceStorage):
    """`parent` is looked for by span id alone, although ids repeat across traces."""

    def find_spans(self, query: Query) -> Page[Span]:
        match query.filter:
            case Within("parent", part):
                of_all = super().find_spans(msgspec.structs.replace(query, filter=part, limit=100_000))
                fits = {span.span_id for span in of_all}
                everywhere = msgspec.structs.replace(query, filter=None)
                spans = matching_spans(self._all_traces(query.project), everywhere)
                return page_of([span for span in spans if span.parent_id in fits], query, span_sort_key)
        return super().find_spans(query)


class FindsWordsApart(InMemoryTraceStorage):
    """The words of a phrase are found wherever they stand."""

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        match query.filter:
            case Text(words):
                every = And(tuple(Text(word) for word in words.split()))
                query = msgspec.structs.replace(query, filter=every)
        return super().find_traces(query)


class LeaksAnotherProject(InMemoryTraceStorage):
    """A trace is found by its id alone."""

    def trace(self, project: str, trace_id: str) -> Trace | None:
        projects = [project, *(key[0] for key in self._spans if key[1] == trace_id)]
        return next((found for name in projects if (found := super(type(self), self).trace(name, trace_id))), None)


class CountsDuplicates(InMemoryTraceStorage):
    """A span that is written twice counts twice."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, str, str]] = []

    def write(self, batch: Batch) -> None:
        self.written += [(batch.project, span.trace_id, span.span_id) for span in batch.spans]
        super().write(batch)

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        rows = super().aggregate(query, grouping)
        if len(rows) == 1 and any(self.written.count(key) > 1 for key in self.written if key[0] == query.project):
            rows[0].values["count"] = (rows[0].values["count"] or 0.0) + 1.0
        return rows


class CountsPartOfAnHour(InMemoryTraceStorage):
    """Sums are of whole hours, although the window begins within one."""

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        hour_ns = 3600 * 10**9
        return super().aggregate(msgspec.structs.replace(query, start_ns=query.start_ns // hour_ns * hour_ns), grouping)


class EstimatesPercentiles(InMemoryTraceStorage):
    """Percentiles are 5 % too high."""

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        rows = super().aggregate(query, grouping)
        for row in rows:
            row.values = {key: value and value * (1.05 if ".p" in key else 1) for key, value in row.values.items()}
        return rows


class KeepsWhatIsTheCallers(InMemoryTraceStorage):
    """Records are kept as they were handed over, without a copy."""

    def write(self, batch: Batch) -> None:
        super().write(batch)
        for span in batch.spans:
            kept = self._spans[batch.project, span.trace_id]
            if kept[span.span_id].attributes == span.attributes:
                kept[span.span_id].attributes = span.attributes


class LosesTypes(InMemoryTraceStorage):
    """1.0 comes back as 1."""

    def trace(self, project: str, trace_id: str) -> Trace | None:
        trace = super().trace(project, trace_id)
        for span in trace.spans if trace else ():
            whole = {k: int(v) for k, v in span.attributes.items() if isinstance(v, float) and v.is_integer()}
            span.attributes.update(whole)
        return trace


class CutsAtNul(InMemoryTraceStorage):
    """Text ends where C thinks it does."""

    def write(self, batch: Batch) -> None:
        for span in batch.spans:
            span.name = span.name.split("\0")[0]
        super().write(batch)


class LosesLinks(InMemoryTraceStorage):
    """Links are not kept."""

    def write(self, batch: Batch) -> None:
        for span in batch.spans:
            span.links = []
        super().write(batch)


class SortsRootIn(InMemoryTraceStorage):
    """The root stands where its start puts it."""

    def trace(self, project: str, trace_id: str) -> Trace | None:
        trace = super().trace(project, trace_id)
        if trace is not None:
            trace.spans = sorted(trace.spans, key=lambda span: (span.start_ns, span.span_id))
        return trace


class DeletesTooLittle(InMemoryTraceStorage):
    """Logs survive their trace."""

    def delete(self, query: Query) -> int:
        logs = dict(self._logs)
        count = super().delete(query)
        self._logs = logs
        return count


class DeletesTooMuch(InMemoryTraceStorage):
    """Another project's trace of the same id goes too."""

    def delete(self, query: Query) -> int:
        before = {key[1] for key in self._spans if key[0] == query.project}
        count = super().delete(query)
        gone = before - {key[1] for key in self._spans if key[0] == query.project}
        for key in [key for key in self._spans if key[1] in gone]:
            del self._spans[key]
        return count


class CountsDeletedWrongly(InMemoryTraceStorage):
    """Every deleted trace counts twice."""

    def delete(self, query: Query) -> int:
        return super().delete(query) * 2


class AsksNoFeeder(InMemoryTraceStorage):
    """Reads do not wait for what the pipeline still holds."""

    def values(self, field: str, query: Query) -> list[str]:
        feeders, self.feeders = self.feeders, []
        try:
            return super().values(field, query)
        finally:
            self.feeders = feeders


class LeavesNormalEmpty(InMemoryTraceStorage):
    """The caller's spans stay without a normal form."""

    def write(self, batch: Batch) -> None:
        copies = msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch)
        super().write(copies)


class Fails(InMemoryTraceStorage):
    """An internal error instead of an answer."""

    def values(self, field: str, query: Query) -> list[str]:
        if field.startswith("attr."):
            raise KeyError(field)
        return super().values(field, query)


class TakesAnyField(InMemoryTraceStorage):
    """Unknown fields find nothing, and nobody is told."""

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        return Page([]) if "modle" in str(query.filter) else super().find_traces(query)


class GoesRoundInCircles(InMemoryTraceStorage):
    """The last page has a cursor too."""

    def find_spans(self, query: Query) -> Page[Span]:
        page = super().find_spans(query)
        return Page(page.items, page.cursor or "again") if query.cursor is None else Page([], "again")


class FailsInThreads(InMemoryTraceStorage):
    """Only the thread that opened it may write."""

    def __init__(self) -> None:
        super().__init__()
        self.name = threading.get_ident()

    def write(self, batch: Batch) -> None:
        if threading.get_ident() != self.name:
            raise RuntimeError("not my thread")
        super().write(batch)


class LosesInThreads(FailsInThreads):
    """What other threads write is lost."""

    def write(self, batch: Batch) -> None:
        if threading.get_ident() == self.name:
            super().write(batch)


class GivesTooMany(InMemoryTraceStorage):
    """The limit is not kept."""

    def find_logs(self, query: Query) -> Page[Log]:
        return Page(super().find_logs(msgspec.structs.replace(query, limit=100_000, cursor=None)).items)


WRONG = [
    (LosesTheClosed, "answered otherwise"),
    (KeepsTheFirst, "answered otherwise"),
    (SwapsOrder, "in another order or repeated"),
    (SkipsTies, "only memory"),
    (RepeatsTheLast, "find_logs, page by page,"),
    (IgnoresTheWindow, "find_spans answered otherwise"),
    (IgnoresOneField, "filter=Compare"),
    (CountsBooleans, "filter=Compare"),
    (NotOfMissing, "answered otherwise"),
    (AsksOtherTraces, "filter=Within"),
    (FindsWordsApart, "filter=Text"),
    (LeaksAnotherProject, "trace answered otherwise"),
    (CountsDuplicates, "aggregate answered otherwise"),
    (CountsPartOfAnHour, "aggregate answered otherwise"),
    (EstimatesPercentiles, "aggregate answered otherwise"),
    (KeepsWhatIsTheCallers, "changed after write"),
    (LosesTypes, "trace answered otherwise"),
    (CutsAtNul, "answered otherwise"),
    (LosesLinks, "links"),
    (SortsRootIn, "trace answered otherwise"),
    (DeletesTooLittle, "answered otherwise"),
    (DeletesTooMuch, "answered otherwise"),
    (CountsDeletedWrongly, "delete answered otherwise"),
    (AsksNoFeeder, "values did not ask the feeders"),
    (LeavesNormalEmpty, "left span.normal"),
    (Fails, "raised KeyError"),
    (TakesAnyField, "instead of QueryError"),
    (GoesRoundInCircles, "find_spans"),
    (FailsInThreads, "not my thread"),
    (LosesInThreads, "four threads"),
    (GivesTooMany, "find_logs gave"),
]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_storage_that_answers_as_memory_does_passes(seed: int) -> None:
    """The contract lets a second memory storage pass, whatever the seed."""
    check_storage(InMemoryTraceStorage, rounds=6, seed=seed)


@pytest.mark.parametrize(("storage", "message"), WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_a_storage_that_is_wrong_in_one_way_is_found_out(storage: type[InMemoryTraceStorage], message: str) -> None:
    """Each mutation of a right storage fails within the rounds that are the default, with a message that names it."""
    with pytest.raises(AssertionError, match=message):
        check_storage(storage)


def test_a_storage_that_forgets_when_closed_is_found_out() -> None:
    """With `reopen` the records have to be there afterwards."""
    with pytest.raises(AssertionError, match="only memory"):
        check_storage(InMemoryTraceStorage, rounds=1, reopen=InMemoryTraceStorage)


def test_a_storage_that_is_reopened_with_its_records_passes() -> None:
    """`reopen` closes and opens between writing and asking."""
    storage = InMemoryTraceStorage()
    opened: list[int] = []

    def reopen() -> InMemoryTraceStorage:
        opened.append(1)
        return storage

    check_storage(lambda: storage, rounds=1, reopen=reopen)
    assert len(opened) == 2


def test_a_failure_says_how_to_see_it_again() -> None:
    """The message has the seed, the round, the question with the smallest wrong filter, and both answers."""
    with pytest.raises(AssertionError) as caught:
        check_storage(IgnoresOneField, seed=3)
    message = str(caught.value)
    assert "seed 3, round" in message
    assert "asked: Query(project=" in message
    assert "filter=Compare(field='session'" in message
    assert "only got:" in message or "only memory:" in message
    with pytest.raises(AssertionError) as again:
        check_storage(IgnoresOneField, seed=3)
    assert str(again.value) == message


# --- what a program records


def test_captured_shows_what_a_program_recorded() -> None:
    """Spans, logs and traces are there without a flush, and by name."""
    with captured("shop") as seen:
        with seen.tracer.trace("order", {"id": 7}), seen.tracer.span("pay", {"amount": 2.5}):
            pass
        with seen.tracer.trace("refund"):
            pass
        assert [span.name for span in seen.spans] == ["order", "pay", "refund"]
        assert seen.span("pay").attributes == {"amount": 2.5}
        assert seen.span("pay").service == "shop"
        assert [trace.spans[0].name for trace in seen.traces] == ["order", "refund"]
        assert seen.trace("order").metadata == {"id": 7}
        assert seen.trace(seen.traces[1].trace_id).spans[0].name == "refund"
        assert seen.logs == []
        seen.storage.write(Batch([], [Log(1, body="said")]))
        assert [log.body for log in seen.logs] == ["said"]


def test_captured_tells_what_there_is_instead() -> None:
    """Asking for one record where there is none, or more, names those that were recorded."""
    with captured() as seen:
        with pytest.raises(AssertionError, match="0 of trace; recorded were: nothing"):
            seen.trace()
        for _ in range(2):
            with seen.tracer.trace("order"):
                pass
        with pytest.raises(AssertionError, match="2 of span 'order'; recorded were: 'order', 'order'"):
            seen.span("order")
        with pytest.raises(AssertionError, match="0 of trace 'pay'"):
            seen.trace("pay")


def test_captured_takes_settings_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test means the same on every machine."""
    monkeypatch.setenv("VESTIGO_DISABLED", "true")
    monkeypatch.setenv("VESTIGO_PROJECT", "other")
    with captured(project="mine", max_attributes=2) as seen:
        with seen.tracer.span("wide", {"a": 1, "b": 2, "c": 3}):
            pass
        assert seen.trace().spans[0].attributes["vestigo.attributes.left_out"] == 1
    with pytest.raises(SettingsError, match="unknown setting 'colour'"), captured(colour="red"):
        pass


def test_captured_is_the_default_tracer_in_its_block() -> None:
    """Code that uses `vestigo.traced` is caught too; afterwards the default is what it was."""
    before = default._default

    @vestigo.traced("work")
    def work() -> int:
        return 7

    with captured("outer") as outer:
        with captured("inner") as inner:
            assert work() == 7
        work()
        assert vestigo.default_tracer() is outer.tracer
    assert default._default is before
    assert [span.service for span in (*inner.spans, *outer.spans)] == ["inner", "outer"]


def test_captured_leaves_a_tracer_that_the_program_configured() -> None:
    """A program that calls `configure` in the block gets what it asked for."""
    before = default._default
    with captured() as seen:
        default._default = None
    assert default._default is None
    default._default = before
    assert seen.spans == []


def test_captured_stops_recording_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """What ends after the block is counted as dropped."""
    caplog.set_level(logging.CRITICAL, "vestigo")
    with captured() as seen:
        pass
    with seen.tracer.span("late"):
        pass
    assert seen.spans == []
    assert seen.tracer.pipeline.stats()["dropped.closed"] == 1


def test_a_fake_clock_and_counted_ids_make_every_run_alike() -> None:
    """Times and ids are the same each time, and the real ones come back."""

    def record() -> list[bytes]:
        with FakeClock(tick_s=0.25) as clock, counted_ids(), captured() as seen:
            with seen.tracer.trace("a"), seen.tracer.span("b"):
                clock.advance(2)
            return [msgspec.json.encode(span) for span in seen.spans]

    before = (tracer._time_ns, tracer._clock_ns, tracer.getrandbits, ids.getrandbits)
    first = record()
    assert first == record()
    assert before == (tracer._time_ns, tracer._clock_ns, tracer.getrandbits, ids.getrandbits)
    outer, inner = (msgspec.json.decode(span, type=Span) for span in first)
    assert (outer.trace_id, outer.span_id) == ("0" * 31 + "1", "0" * 15 + "1")
    assert (inner.span_id, inner.parent_id) == ("0" * 15 + "2", outer.span_id)
    assert outer.start_time == 1_700_000_000.0
    assert inner.duration_ms == 2250.0  # two seconds and the reading of the start


def test_a_fake_clock_stands_still_without_ticks() -> None:
    """`tick_s=0` leaves all time to `advance`."""
    with FakeClock(start_s=5, tick_s=0) as clock, captured() as seen:
        with seen.tracer.span("none"):
            pass
        with seen.tracer.span("some"):
            clock.advance(0.5)
        assert {(span.name, span.start_time, span.duration_ms) for span in seen.spans} == {
            ("none", 5.0, 0.0),
            ("some", 5.0, 500.0),
        }


def test_counted_ids_come_back_after_an_error() -> None:
    """An exception in the block leaves no fake behind."""
    with pytest.raises(ValueError, match="mine"), counted_ids(), FakeClock():
        raise ValueError("mine")
    assert tracer.getrandbits == ids._random.getrandbits
    assert ids.new_span_id() != ids.new_span_id()


def test_the_contract_has_a_generator_of_its_own() -> None:
    """The program's random state is neither read nor changed."""
    random.seed(1)
    before = random.getstate()
    check_storage(InMemoryTraceStorage, rounds=1)
    assert random.getstate() == before
