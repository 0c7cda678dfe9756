"""Test tools, for our tests and our users': the storage contract as a test, and spans caught in memory.

`check_storage` writes random records to a storage and to the memory storage, asks both the same random questions, and
raises AssertionError with the question and both answers where they differ. `captured`, `FakeClock` and `counted_ids`
make what a program records readable and the same each time. The random records come from `specimens.py`; the rest is
one file, since it is one place that users import from.
"""

import itertools
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from math import isclose
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import msgspec

from vestigo.errors import QueryError
from vestigo.query import (
    And,
    Compare,
    Filter,
    GroupField,
    Grouping,
    Measure,
    Not,
    Or,
    Page,
    Query,
    Row,
    TraceGroup,
    Within,
)
from vestigo.record import Batch, Log, Span, Trace
from vestigo.specimens import Specimens, Subject, copy_batch
from vestigo.storage import Storage
from vestigo.storage.memory import InMemoryTraceStorage

if TYPE_CHECKING:
    from vestigo.sdk.tracer import Tracer

T = TypeVar("T")

_ALL: Final = 100_000  # the highest limit that a query may have
_SHOWN: Final = 4  # records in a message
_SUM_ERROR: Final = 1e-9
_PERCENTILE_ERROR: Final = 0.02
_ADDED_UP: Final = tuple(name for name in get_args(Measure) if name.rpartition(".")[2] not in {"p50", "p95", "p99"})


# --- the contract


def check_storage(
    open_storage: Callable[[], Storage],
    *,
    rounds: int = 20,
    seed: int = 0,
    reopen: Callable[[], Storage] | None = None,
) -> None:
    """Hold a storage to the contract of `storage.Storage`: it answers as the memory storage does.

    `open_storage` gives an empty storage, which is closed at the end. `reopen`, for storages that keep their records
    when closed, opens the same one again. Each round writes some hundred records of two new projects, asks, deletes
    and asks again. Raises AssertionError with seed, round, question and both answers. 20 rounds take some seconds.
    """
    check = _Check(open_storage(), reopen, seed)
    try:
        check.feeders()
        check.threads()
        for number in range(rounds):
            check.round(number)
    finally:
        check.storage.close()


class _Check:
    """The storage under test beside the oracle."""

    def __init__(self, storage: Storage, reopen: Callable[[], Storage] | None, seed: int) -> None:
        self.storage = storage
        self._oracle = InMemoryTraceStorage(max_traces=1_000_000)
        self._reopen = reopen
        self._seed = seed
        self._where = ""

    def round(self, number: int) -> None:
        """Write, ask, delete, ask again, in two projects that nobody used before."""
        self._where = f"seed {self._seed}, round {number}"
        random = Random(f"{self._seed}/{number}")  # noqa: S311
        made = Specimens(random, f"s{self._seed}r{number}")
        batches = made.batches()
        for batch in batches:
            marks = self._marks(made)
            self._write(batch)
            if random.random() < 0.2:
                self._write(batch)
            self._same_changes(marks)
        if number % 4 == 0:
            self._open_again()
        self._ask(made, questions=10)
        self._errors(made)
        query = made.query(made.trace_filter(self._known(made)), narrow=True)
        self._same("delete", query, lambda storage: storage.delete(query))
        if number % 4 == 0:
            self._open_again()
        self._compare_all(made)
        marks = self._marks(made)
        self._write(batches[0])
        self._same_changes(marks)
        self._ask(made, questions=3)
        everything = Query(project=made.projects[0])
        self._same("delete", everything, lambda storage: storage.delete(everything))
        self._compare_all(made)

    # --- writing

    def _write(self, batch: Batch) -> None:
        """Write copies, and spoil the storage's afterwards: it may not keep what belongs to the caller."""
        self._oracle.write(copy_batch(batch))
        given = copy_batch(batch)
        self._call("write", f"{len(batch)} records", self.storage.write, given)
        for span in given.spans:
            if span.normal is None:
                raise AssertionError(f"write left span.normal of {span.span_id} empty ({self._where})")
            span.name = "changed after write"
            span.attributes["changed after write"] = True
            for event in span.events:
                event.attributes["changed after write"] = True
        for log in given.logs:
            log.body = "changed after write"
        for point in given.points:
            point.attributes["changed after write"] = True

    def _open_again(self) -> None:
        if self._reopen is not None:
            self.storage.close()
            self.storage = self._reopen()

    # --- asking

    def _known(self, made: Specimens) -> list[Trace]:
        """What the oracle holds, as the material of questions that have an answer."""
        return [
            trace
            for project in made.projects
            for trace_id in made.trace_ids
            if (trace := self._oracle.trace(project, trace_id)) is not None
        ]

    def _ask(self, made: Specimens, questions: int) -> None:
        known = self._known(made)
        self._compare_all(made)
        for _ in range(questions):
            for query in made.orders(made.query(made.span_filter(known))):
                self._same_pages("find_spans", query, made)
            for query in made.orders(made.query(made.trace_filter(known))):
                self._same_pages("find_traces", query, made)
            self._same_groups(made.query(made.trace_filter(known)), made)
            for query in made.orders(made.query(made.log_filter(known))):
                self._same_pages("find_logs", query, made)
                self._same_pages("find_points", query, made)
            query, grouping = made.query(made.span_filter(known)), made.grouping()
            self._same_rows(query, grouping)
            self._same_rows(msgspec.structs.replace(query, filter=None), grouping)
            self._same_rows(query, msgspec.structs.replace(grouping, measures=_ADDED_UP))
            for subject in get_args(Subject):
                for filter_ in made.single_filters(subject, known):
                    self._same_whole(f"find_{subject}s", Query(project=made.project(), filter=filter_))
            field, query = made.values_field(), made.query(made.span_filter(known))
            for asked in (query, msgspec.structs.replace(query, filter=None, limit=made.limit())):
                self._same(f"values({field!r})", asked, lambda storage, f=field, q=asked: storage.values(f, q))

    def _compare_all(self, made: Specimens) -> None:
        """Every trace, whole, and every list without a filter."""
        for project in (*made.projects, "nobody's"):
            query = Query(project=project, limit=_ALL)
            for name in ("find_spans", "find_traces", "find_logs", "find_points"):
                self._same_pages(name, query, made)
            self._same_groups(query, made)
            for trace_id in (*made.trace_ids, "0" * 31 + "1"):
                self._same("trace", (project, trace_id), lambda storage, p=project, t=trace_id: storage.trace(p, t))
        missing = set(self._oracle.projects()) - set(self._call("projects", None, self.storage.projects))
        if missing:
            raise AssertionError(f"projects left out {', '.join(sorted(missing))} ({self._where})")

    def _same_pages(self, name: str, query: Query, made: Specimens) -> None:
        """The whole answer at once, then page by page."""
        want = self._same_whole(name, query)
        paged = msgspec.structs.replace(query, limit=made.limit())
        self._compare(f"{name}, page by page,", paged, self._pages(name, paged), want)

    def _same_whole(self, name: str, query: Query) -> list[Any]:
        whole = msgspec.structs.replace(query, limit=_ALL)
        want = getattr(self._oracle, name)(whole).items
        self._compare(name, whole, self._pages(name, whole), want)
        return want

    def _pages(self, name: str, query: Query) -> list[Any]:
        return self._follow(name, query, getattr(self.storage, name))

    def _follow(self, name: str, query: Query, find: Callable[[Query], Page[Any]]) -> list[Any]:
        items: list[Any] = []
        while True:
            page: Page[Any] = self._call(name, query, find, query)
            if len(page.items) > query.limit:
                raise AssertionError(f"{name} gave {len(page.items)} for {query} ({self._where})")
            items += page.items
            if page.cursor is None:
                return items
            if not page.items or len(items) > _ALL:
                raise AssertionError(f"{name} gave a cursor but no end for {query} ({self._where})")
            query = msgspec.structs.replace(query, cursor=page.cursor)

    def _same_rows(self, query: Query, grouping: Grouping) -> None:
        question = (query, grouping)
        self._compare(
            "aggregate",
            question,
            self._call("aggregate", question, self.storage.aggregate, query, grouping),
            self._oracle.aggregate(query, grouping),
        )

    def _same(self, name: str, question: object, ask: Callable[[Storage], object]) -> None:
        got = self._call(name, question, ask, self.storage)
        self._compare(name, question, got, ask(self._oracle))

    def _call(self, name: str, question: object, call: Callable[..., T], *arguments: Any) -> T:
        try:
            return call(*arguments)
        except Exception as error:
            raise AssertionError(
                f"{name} raised {type(error).__name__}: {error}\n  asked: {question}\n  {self._where}"
            ) from error

    def _compare(self, name: str, question: object, got: object, want: object) -> None:
        difference = _difference(got, want)
        if not difference:
            return
        if isinstance(question, Query) and question.filter is not None and name.startswith("find_"):
            question = self._smallest(name.partition(",")[0], msgspec.structs.replace(question, limit=_ALL))
        raise AssertionError(
            f"{name} answered otherwise than memory\n  asked: {question}\n{difference}\n  {self._where}"
        )

    def _smallest(self, name: str, query: Query) -> Query:
        """The question with the smallest part of its filter that is still answered wrongly."""
        for part in _parts(query.filter):
            smaller = msgspec.structs.replace(query, filter=part)
            try:
                wrong = _difference(self._pages(name, smaller), getattr(self._oracle, name)(smaller).items)
            except (AssertionError, QueryError):
                continue
            if wrong:
                return self._smallest(name, smaller)
        return query

    # --- sessions, users, changes

    def _same_groups(self, query: Query, made: Specimens) -> None:
        """Sessions and users at once, then page by page."""
        for field in get_args(GroupField):
            for order in ("newest", "oldest"):
                whole = msgspec.structs.replace(query, limit=_ALL, order=order)
                want = self._oracle.find_groups(whole, field).items
                self._compare(f"find_groups({field!r})", whole, self._groups(whole, field), want)
                paged = msgspec.structs.replace(whole, limit=made.limit())
                self._compare(f"find_groups({field!r}), page by page,", paged, self._groups(paged, field), want)

    def _groups(self, query: Query, field: GroupField) -> list[TraceGroup]:
        return self._follow(f"find_groups({field!r})", query, lambda asked: self.storage.find_groups(asked, field))

    def _marks(self, made: Specimens) -> dict[str, tuple[str, str]]:
        """Where the storage and the oracle stand, by project."""
        return {
            project: (self.storage.changes(project, None)[2], self._oracle.changes(project, None)[2])
            for project in made.projects
        }

    def _same_changes(self, marks: dict[str, tuple[str, str]]) -> None:
        """All that the oracle knows to be written since the marks comes, as it is stored, and then nothing more."""
        for project, (first, known) in marks.items():
            mark = first
            spans, logs, _ = self._oracle.changes(project, known)
            want = {(record.trace_id, _record_id(record)): record for record in (*spans, *logs)}
            got: dict[tuple[str | None, str], Span | Log] = {}
            while True:
                spans, logs, after = self._call("changes", mark, self.storage.changes, project, mark)
                got.update({(record.trace_id, _record_id(record)): record for record in (*spans, *logs)})
                if not spans and not logs:
                    break
                mark = after
            changed = [got[key] for key in want if key in got]
            self._compare("changes", project, changed, list(want.values()))
            for (trace_id, _), record in got.items():
                trace = self._oracle.trace(project, trace_id) if trace_id else None
                stored = [] if trace is None else [*trace.spans, *trace.logs]
                if trace_id and not any(_alike(record, other) for other in stored):
                    raise AssertionError(f"changes answered otherwise than trace: {_shown(record)} ({self._where})")

    # --- the rest of the contract

    def _errors(self, made: Specimens) -> None:
        """Questions that make no sense raise QueryError, whatever is stored."""
        storage, project = self.storage, made.projects[0]
        first = storage.find_spans(Query(project=project, limit=1))
        bad: list[tuple[str, Query]] = [
            (name, query)
            for name in ("find_spans", "find_traces", "find_logs")
            for query in (
                Query(project=project, filter=Compare("modle", "=", "x")),
                Query(project="nobody's", filter=Not(And((Compare("level", ">", 99), Compare("modle", "=", "x"))))),
                Query(project=project, filter=Compare("name", "~", "(")),
                Query(project=project, limit=0),
                Query(project=project, start_ns=2, end_ns=1),
                Query(project=project, cursor="nonsense"),
                Query(project=""),
            )
        ]
        bad += [("find_logs", Query(project=project, filter=Compare("model", "=", "x")))]
        bad += [("find_logs", Query(project=project, filter=Within("any", Compare("name", "=", "x"))))]
        if first.cursor is not None:
            bad += [("find_spans", Query(project=project, cursor=first.cursor, order="oldest"))]
        for name, query in bad:
            try:
                page = getattr(storage, name)(query)
            except QueryError:
                continue
            raise AssertionError(f"{name} answered {len(page)} records instead of QueryError to {query}")

    def feeders(self) -> None:
        """Every read first calls the feeders, and finds what they wrote."""
        made = Specimens(Random(f"{self._seed}/feeders"), f"s{self._seed}feeders")  # noqa: S311
        project = made.projects[0]
        query = Query(project=project)
        marks: list[str] = []
        reads: dict[str, Callable[[], object]] = {
            "find_spans": lambda: self.storage.find_spans(query).items,
            "find_traces": lambda: self.storage.find_traces(query).items,
            "find_logs": lambda: self.storage.find_logs(query).items,
            "trace": lambda: self.storage.trace(project, made.trace_ids[0]),
            "aggregate": lambda: self.storage.aggregate(query, Grouping()),
            "values": lambda: self.storage.values("name", query),
            "find_groups": lambda: self.storage.find_groups(query, "user").items,
            "changes": lambda: self.storage.changes(project, marks[-1])[0],
            "delete": lambda: self.storage.delete(query),
        }
        for name, read in reads.items():
            marks.append(self.storage.changes(project, None)[2])
            batch = Batch([made.plain_span(0)], [made.plain_log(0)], project)
            batch.spans[0].attributes["user.id"] = "ann"
            waiting = [batch]

            def feeder(waiting: list[Batch] = waiting) -> None:
                if waiting:
                    self.storage.write(waiting.pop())

            self.storage.feeders.append(feeder)
            found = self._call(name, query, read)
            self.storage.feeders.remove(feeder)
            if waiting or not found:
                raise AssertionError(f"{name} did not ask the feeders before it read")
            self.storage.delete(query)

    def threads(self) -> None:
        """Four threads write while others read: nothing is lost, nothing raised."""
        made = Specimens(Random(f"{self._seed}/threads"), f"s{self._seed}threads")  # noqa: S311
        project = made.projects[0]
        spans = [[made.plain_span(number) for number in range(40)] for _ in range(4)]
        errors: list[BaseException] = []

        def work(mine: list[Span]) -> None:
            try:
                for at in range(0, len(mine), 8):
                    self.storage.write(Batch(mine[at : at + 8], [], project))
                    self.storage.find_traces(Query(project=project, limit=3))
                    self.storage.trace(project, mine[at].trace_id)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(mine,)) for mine in spans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise AssertionError(f"a thread got {type(errors[0]).__name__}: {errors[0]}") from errors[0]
        found = {span.span_id for span in self.storage.find_spans(Query(project=project, limit=_ALL))}
        lost = {span.span_id for mine in spans for span in mine} - found
        if lost:
            raise AssertionError(f"{len(lost)} of 160 spans that four threads wrote at once are not there")


# --- comparing answers


def _parts(filter_: Filter | None) -> tuple[Filter, ...]:
    match filter_:
        case And(filters) | Or(filters):
            return filters
        case Not(part) | Within(_, part):
            return (part,)
        case _:
            return ()


def _difference(got: object, want: object) -> str:
    """What differs, for people; empty where nothing does. Sums may differ by rounding, percentiles by 2 %."""
    if _alike(got, want):
        return ""
    if not isinstance(got, list) or not isinstance(want, list):
        return f"  got:    {_shown(got)}\n  memory: {_shown(want)}"
    extra = [item for item in got if not any(_alike(item, other) for other in want)]
    missing = [item for item in want if not any(_alike(item, other) for other in got)]
    lines = [f"  got {len(got)}, memory {len(want)}"]
    lines += [f"  only got:    {_shown(item)}" for item in extra[:_SHOWN]]
    lines += [f"  only memory: {_shown(item)}" for item in missing[:_SHOWN]]
    if not extra and not missing:
        lines.append("  the same records, in another order or repeated")
        lines += [f"  got:    {_named(got)}", f"  memory: {_named(want)}"]
    return "\n".join(lines)


def _alike(got: object, want: object, key: str = "") -> bool:
    """Equal in value and type; floats within what adding in another order may change."""
    if type(got) is not type(want):
        return False
    if isinstance(got, Span | Log):
        return _wire(got) == _wire(want)
    if isinstance(got, Trace) and isinstance(want, Trace):
        return got.trace_id == want.trace_id and _alike(got.spans, want.spans) and _alike(got.logs, want.logs)
    if isinstance(got, float) and isinstance(want, float):
        error = _PERCENTILE_ERROR if key[-3:] in {"p50", "p95", "p99"} else _SUM_ERROR
        return isclose(got, want, rel_tol=error, abs_tol=1e-12)
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        return len(got) == len(want) and all(map(_alike, got, want))
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(_alike(got[name], want[name], name) for name in got)
    if isinstance(got, msgspec.Struct):
        return _alike(msgspec.structs.asdict(got), msgspec.structs.asdict(want))  # type: ignore[arg-type]
    return got == want


def _wire(record: object) -> bytes:
    """A record as bytes: equal only if every value and its type are; the order of attributes does not matter."""
    return msgspec.json.encode(record, order="deterministic")


def _shown(item: object) -> str:
    text = str(item) if isinstance(item, Row) else msgspec.json.encode(item, order="sorted").decode()
    return text if len(text) <= 1500 else text[:1500] + "…"


def _record_id(record: Span | Log) -> str:
    return record.span_id if isinstance(record, Span) else record.log_id


def _named(items: list[Any]) -> str:
    names = [getattr(item, "span_id", None) or getattr(item, "trace_id", None) or _shown(item) for item in items]
    return ", ".join(names[:20])


# --- what a program records


class Captured:
    """What was recorded inside `with captured() as seen`. Reading it first writes what has ended so far."""

    def __init__(self, tracer: "Tracer", storage: InMemoryTraceStorage, project: str) -> None:
        self.tracer = tracer
        self.storage = storage
        self._project = project

    @property
    def spans(self) -> list[Span]:
        """By start."""
        return self.storage.find_spans(self._everything()).items

    @property
    def logs(self) -> list[Log]:
        """By time."""
        return self.storage.find_logs(self._everything()).items

    @property
    def traces(self) -> list[Trace]:
        """By start."""
        summaries = self.storage.find_traces(self._everything())
        found = (self.storage.trace(self._project, summary.trace_id) for summary in summaries)
        return [trace for trace in found if trace is not None]

    def span(self, name: str) -> Span:
        """The only span of that name. Raises AssertionError that tells which there are."""
        return _only([span for span in self.spans if span.name == name], f"span {name!r}", self.spans)

    def trace(self, name: str | None = None) -> Trace:
        """The only trace, or the only one whose root has that name or that trace id. Raises AssertionError."""
        traces = self.traces
        fits = [trace for trace in traces if name is None or name in {trace.trace_id, trace.spans[0].name}]
        return _only(fits, "trace" if name is None else f"trace {name!r}", [trace.spans[0] for trace in traces])

    def _everything(self) -> Query:
        return Query(project=self._project, order="oldest", limit=_ALL)


@contextmanager
def captured(service: str = "test", **settings: Any) -> Generator[Captured]:
    """A tracer over a storage in memory, for the length of a `with` block: `seen.tracer`, `seen.spans`, `seen.logs`.

    It is the default tracer in the block, in all threads. `settings` are those of `configure`; the environment is not
    read, so that a test means the same everywhere.
    """
    from vestigo import default  # noqa: PLC0415  check_storage does without the SDK
    from vestigo.sdk.tracer import Tracer  # noqa: PLC0415
    from vestigo.settings import load_settings  # noqa: PLC0415

    chosen = load_settings({"service": service, **settings}, environ={})
    storage = InMemoryTraceStorage(project=chosen.project)
    tracer = Tracer(storage=storage, settings=chosen)
    former, default._default = default._default, tracer
    try:
        yield Captured(tracer, storage, chosen.project)
    finally:
        if default._default is tracer:  # else the program configured one of its own
            default._default = former
        tracer.close()


def _only(found: list[T], what: str, all_spans: list[Span]) -> T:
    if len(found) != 1:
        names = ", ".join(repr(span.name) for span in all_spans) or "nothing"
        raise AssertionError(f"{len(found)} of {what}; recorded were: {names}")
    return found[0]


class FakeClock:
    """The tracer's time inside a `with` block: it stands still but for `advance` and `tick_s` for each reading.

    `tick_s` keeps spans in order that begin one after the other. Wall clock and monotonic clock move together.
    """

    def __init__(self, start_s: float = 1_700_000_000.0, tick_s: float = 0.001) -> None:
        self.now_ns = round(start_s * 1e9)
        self._tick_ns = round(tick_s * 1e9)
        self._undo: Callable[[], None] | None = None

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(seconds * 1e9)

    def read_ns(self) -> int:
        """The time now, after which it moves on by a tick."""
        now_ns = self.now_ns
        self.now_ns += self._tick_ns
        return now_ns

    def __enter__(self) -> "FakeClock":
        self._undo = _replace({"_time_ns": self.read_ns, "_clock_ns": self.read_ns})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._undo is not None:
            self._undo()


@contextmanager
def counted_ids() -> Generator[None]:
    """Inside the `with` block the tracer's ids count up from 1, trace ids and span ids each on their own."""
    counts: dict[int, Iterator[int]] = {}

    def count(bits: int) -> int:
        return next(counts.setdefault(bits, itertools.count(1)))

    undo = _replace({"getrandbits": count})
    try:
        yield
    finally:
        undo()


def _replace(fakes: dict[str, Callable[..., int]]) -> Callable[[], None]:
    """Put fakes in the place of module variables of the SDK; what is returned puts the originals back."""
    from vestigo.sdk import tracer  # noqa: PLC0415

    originals = {name: getattr(tracer, name) for name in fakes}

    def put(now: dict[str, Any], then: dict[str, Any]) -> None:
        # every module that took the name, also one that was first imported while the fake stood there
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("vestigo.sdk."):
                for name, value in then.items():
                    if vars(module).get(name) == now[name]:
                        setattr(module, name, value)

    put(originals, fakes)
    return lambda: put(fakes, originals)


__all__ = ["Captured", "FakeClock", "captured", "check_storage", "counted_ids"]
