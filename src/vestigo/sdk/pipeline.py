"""From the caller's thread to the storage: a queue bounded in bytes, one worker thread, batches, the end.

`put` runs in the caller's thread and does as little as can be: count, append. Everything that takes time (unpacking,
normalizing, pricing, sampling, redacting, truncating, writing) runs in the worker. The law that holds at any moment:
recorded = stored + queued + held + spooled + dropped (by reason). One file, since all of it moves the same few counts.
"""

import atexit
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from vestigo import diagnostics, semconv
from vestigo.diagnostics import Counters, trouble
from vestigo.errors import ExportError, SettingsError, StorageError
from vestigo.metrics import MetricsCollector
from vestigo.normalize import normalize
from vestigo.prices import Prices
from vestigo.record import Batch, Log, Span
from vestigo.redact import redactor_of
from vestigo.sdk.sampling import WorkerSampler, head_sampler, worker_sampler
from vestigo.sdk.settle import settle_log, settle_span, snapshot, truncate_log, truncate_span
from vestigo.settings import Settings, default_storage_url

if TYPE_CHECKING:
    from vestigo.sdk.tracer import ActiveSpan

_BATCH_RECORDS = 2_000
_BATCH_BYTES = 8 * 1024 * 1024
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0
_LONGEST_ASKED_S = 60.0  # an exporter may ask for longer than we believe
_LONGEST_TIMEOUT_S = 1e6
_TO_CLOSE_S = 0.1  # of the end of the program, for what comes after the last record was sent
_MAX_OPEN = 50_000
_clock_ns = time.perf_counter_ns  # the clock of `ActiveSpan.started_ns`


class Exporter(Protocol):
    """Where batches go: a storage, or a way to one.

    One that delivers after `write` has returned has two methods more: `undelivered() -> dict[str, int]` tells how many
    of the records that it took are still on the way (`spooled`) or were lost there (`dropped.<reason>`), and
    `drain(timeout_s) -> bool` waits until all have arrived; False where they do not.
    """

    def write(self, batch: Batch) -> None:
        """Return when the records are safe. Raises ExportError or StorageError if they are not."""
        ...

    def close(self) -> None: ...


opener: Callable[[str, Settings], Exporter] | None = None
"""Opens a storage URL. Set by the package, since `sdk` and `storage` do not know each other."""

Record: TypeAlias = Span | Log


class Entry(msgspec.Struct, gc=False):
    """A log in the queue. Spans stand there as the ActiveSpan that they were made with."""

    record: Log
    size: int
    pipeline: "Pipeline"
    """Keeps the pipeline alive for as long as something waits in it, as `ActiveSpan.pipeline` does."""


class _Flush:
    """A mark in the queue: everything before it has been handled when `done` is set."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.written = True
        """False where the pipeline gave up before it came to this mark."""


class Pipeline:
    """One queue with one worker in front of one exporter."""

    def __init__(
        self,
        exporter: Exporter,
        settings: Settings,
        *,
        owned: bool = False,
        metrics: MetricsCollector | None = None,
    ) -> None:
        self.exporter = exporter
        self.settings = settings
        self.counters = Counters()
        self.metrics = metrics or MetricsCollector()
        self.redactor = redactor_of(settings, self.counters)
        self.head = head_sampler(settings)
        self.open: dict[str, ActiveSpan] = {}
        """Spans that are being recorded, by span id."""
        self._prices = Prices(settings.prices or None) if hasattr(exporter, "capabilities") else None
        self._owned = owned
        self._limit = settings.queue_bytes
        self._batch_bytes = min(_BATCH_BYTES, max(self._limit // 4, 1))
        self._closed = False
        self._reset()
        _pipelines.add(self)
        feeders = getattr(exporter, "feeders", None)
        if feeders is not None:
            feeder = _Feeder(self)
            feeders.append(feeder)
            weakref.finalize(self, _remove, feeders, feeder).atexit = False

    @staticmethod
    def of(storage: Any, settings: Settings) -> "Pipeline":
        """A pipeline to a Storage, an exporter, a storage URL, or (None) memory. Raises SettingsError."""
        if isinstance(storage, Pipeline):
            return storage
        if isinstance(storage, str) or storage is None:
            if opener is None:
                raise SettingsError(f"cannot open storage {storage!r}; import vestigo first")
            return Pipeline(opener(storage or "memory://", settings), settings, owned=True)
        if not callable(getattr(storage, "write", None)):
            raise SettingsError(
                f"storage {type(storage).__name__} has no write(batch); give a Storage, or a URL such as sqlite:///path.db"
            )
        return Pipeline(storage, settings)

    @staticmethod
    def to_default(settings: Settings) -> "Pipeline":
        """A pipeline to the storage that the settings name."""
        return Pipeline.of(default_storage_url(settings), settings)

    def _new_sampler(self) -> WorkerSampler:
        return worker_sampler(self.settings, open_traces=lambda: {span.trace_id for span in self.open.copy().values()})

    def _reset(self) -> None:
        """The state of a pipeline that has not begun; also what a forked child starts with."""
        self._sampler = self._new_sampler()
        self._queue: deque[ActiveSpan | Entry | _Flush] = deque()
        self._bytes = 0
        self._soft = -1  # below 0 until the worker runs, so that the first put goes the slow way and starts it
        self._taken = 0  # records that have left the queue, or were not let in
        self._busy = 0  # those of them that the worker has in its hands
        self._held = 0  # those that tail sampling holds
        self._given_up = False
        self._shown: dict[str, int] = {}
        self._last_open_look = 0.0
        self._thread: threading.Thread | None = None
        self._wake: SimpleQueue[None] = SimpleQueue()  # unlike an Event it may be used by a signal handler at any time
        self._closing = threading.Event()
        self._lock = threading.RLock()  # re-entrant: a finalizer or signal may record a span while we hold it
        self._hands = threading.RLock()  # of whoever does the worker's work

    # --- the caller's thread

    def put(self, item: "ActiveSpan | Entry", size: int) -> None:
        """Hand over a finished record that takes about `size` bytes. Never blocks, never raises."""
        self._bytes += size
        if self._bytes > self._soft:
            self._admit(item, size)
        else:
            self._queue.append(item)

    def put_log(self, log: Log, size: int) -> None:
        """Hand over a log that takes about `size` bytes. Never blocks, never raises."""
        self.put(Entry(log, size, self), size)

    def _admit(self, item: "ActiveSpan | Entry", size: int) -> None:
        """The slow way in: the first record of all, every so many bytes, and where there is no room."""
        with self._lock:
            reason = "closed" if self._closed else "queue_full" if self._bytes > self._limit else None
            if reason is None:
                self._queue.append(item)
                if self._bytes > self._batch_bytes:
                    self._soft = self._limit  # woken once is enough: the worker puts it back
                self._start()
            else:
                self._bytes -= size
                self._taken += 1
                self.counters.add(f"dropped.{reason}")
        if reason is not None:
            trouble(f"dropped.{reason}", f"records are dropped: {reason.replace('_', ' ')}")
        if self._bytes > self._batch_bytes:
            self._rouse()

    def _rouse(self) -> None:
        if self._wake.empty():
            self._wake.put(None)

    def _start(self) -> None:
        """Start the worker if it does not run yet; with `_lock` held."""
        if self._thread is not None:
            return
        left = self.exporter if self._owned else None
        thread = threading.Thread(target=_run, args=(weakref.ref(self), left), name="vestigo", daemon=True)
        self._thread = thread
        if not self._closed:
            self._soft = max(self._soft, self._batch_bytes)
        try:
            thread.start()
            _close_with_multiprocessing()
        except (RuntimeError, MemoryError):  # no more threads: tried again with more records, else flush() and
            self._thread = None  # close() write what is left
            self._soft = -1 if self._closed else min(self._bytes + self._batch_bytes // 64, self._limit)
            trouble("failed.thread", "the worker thread could not be started; records wait")

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Write what was handed over before, and show what is open; False if the timeout passed first.

        With a server also wait until it has the records; False too where it does not answer, and they are in the spool.
        """
        thread = self._thread
        if thread is not None and thread.ident == threading.get_ident():
            return True
        timeout_s = _seconds(timeout_s, 5.0)
        deadline = time.monotonic() + timeout_s
        return self._flush_queue(timeout_s) and _drain(self.exporter, deadline)

    def _flush_queue(self, timeout_s: float) -> bool:
        mark = _Flush()
        with self._lock:
            if self._closed or not (self._queue or self._busy or self._held or self.open):
                return not (self._queue or self._busy)
            self._queue.append(mark)
            self._start()
        if self._thread is None:
            self._work_here(time.monotonic() + timeout_s)
            return mark.done.is_set()
        self._rouse()
        return mark.done.wait(timeout_s) and mark.written

    def close(self, timeout_s: float) -> None:
        """Stop taking records, write what is left within the timeout, count the rest as dropped."""
        deadline = time.monotonic() + _seconds(timeout_s, self.settings.exit_timeout_s)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._soft = -1
            self._closing.set()
            if self._queue or self._held or self.open:
                self._start()
        self._rouse()
        thread = self._thread
        if thread is None:
            self._work_here(deadline)
        elif thread.ident != threading.get_ident():
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._give_up():
            return
        _drain(self.exporter, deadline - _TO_CLOSE_S)
        if self._owned:
            with diagnostics.guard("close"):
                self.exporter.close()

    def _give_up(self) -> int:
        """Count what could not be written as dropped, and how many that were."""
        with self._lock:
            self._given_up = True
            waiting = [item for item in self._queue if not isinstance(item, _Flush)]
            for item in self._queue:
                if isinstance(item, _Flush):
                    item.written = False
                    item.done.set()
            left = len(waiting) + self._busy + self._held
            self._taken += len(waiting)
            self._queue.clear()
            self._busy = self._held = self._bytes = 0
            self._count_dropped("exit", left)
        if left:
            trouble("dropped.exit", f"the program ended before {left} records could be written")
        return left

    def stats(self) -> dict[str, int]:
        """The law in figures: recorded = stored + queued + held + spooled + all dropped.<reason>."""
        with self._lock:
            later: dict[str, int] = getattr(self.exporter, "undelivered", dict)()
            queued = sum(1 for item in self._queue.copy() if not isinstance(item, _Flush))
            figures = self.counters.snapshot()
            figures["queued"] = queued + self._busy
            figures["held"] = self._held
            figures["recorded"] = self._taken + queued
            stored = figures.get("stored", 0) - sum(later.values())
            figures["stored"] = max(stored, 0)
            figures["queued"] += min(stored, 0)  # the exporter has them, and the worker has not yet heard so
            for name, count in later.items():
                figures[name] = figures.get(name, 0) + count
        return figures

    # --- the worker's thread

    def _turn(self) -> bool:
        """Wait for work and do it once; False when the pipeline has closed and nothing is left."""
        closing = self._closed
        if not closing:
            self._rest()
            with self._lock:
                if not self._closed:
                    self._soft = self._batch_bytes
        with self._hands:
            return self._work(closing=closing)

    def _rest(self) -> None:
        try:
            self._wake.get(timeout=self.settings.flush_interval_s)
            while not self._wake.empty():
                self._wake.get_nowait()
        except Empty:
            pass

    def _work(self, *, closing: bool) -> bool:
        marks: list[_Flush] = []
        try:
            self._write_queue(marks)
            if self._held and not closing:
                self._handle(self._new_batch())  # a trace may have waited long enough
            ends = closing and not self._queue
            if marks or ends or time.monotonic() - self._last_open_look >= self.settings.open_after_s:
                self._show_open(everything=bool(marks) or ends)
        finally:
            for mark in marks:
                mark.done.set()
        if ends:
            self._handle(self._new_batch(), last=True)
        return not ends and not self._given_up

    def _work_here(self, deadline: float) -> None:
        """The worker's work in the caller's thread, for when there can be no worker any more."""
        while time.monotonic() < deadline and self._hands.acquire(timeout=max(0.0, deadline - time.monotonic())):
            try:
                closing = self._closed
                if not self._work(closing=closing) or not closing:
                    return
            finally:
                self._hands.release()

    def _write_queue(self, marks: list[_Flush]) -> None:
        """Write what is in the queue now; what comes meanwhile has its own turn, so that flushes end under load."""
        ahead = len(self._queue)
        while ahead > 0 and not self._given_up:
            before = len(marks)
            batch, size = self._take(marks)
            ahead -= len(batch) + len(marks) - before
            if not len(batch):
                return
            self._handle(batch)
            self._bytes -= size
            if not self._queue:
                self._bytes = 0  # heals what unlocked additions may have lost on free-threaded builds

    def _take(self, marks: list[_Flush]) -> tuple[Batch, int]:
        batch = self._new_batch()
        count = size = 0
        queue = self._queue
        with self._lock:
            while queue and count < _BATCH_RECORDS and size < self._batch_bytes:
                item = queue.popleft()
                if isinstance(item, _Flush):
                    marks.append(item)
                    continue
                count += 1
                size += item.size
                record = item.record
                if isinstance(record, Span):
                    batch.spans.append(record)
                else:
                    batch.logs.append(record)
            self._busy += count
            self._taken += count
        return batch, size

    def _handle(self, batch: Batch, *, last: bool = False) -> None:
        """Process and write a batch. Whatever happens, each of its records is accounted for at the end."""
        try:
            self._deliver(self._process(batch, last=last))
        except BaseException as error:  # the worker must live
            self.counters.add("failed.worker")
            trouble("failed.worker", f"the worker stumbled and goes on: {type(error).__name__}", exc_info=True)
        finally:
            if self._busy:
                self._account("dropped.failed", self._busy)

    def _account(self, name: str, count: int) -> None:
        """So many records have left our hands, to be `stored` or `dropped.<reason>`."""
        with self._lock:
            if not self._given_up:
                self._busy -= count
                self.counters.add(name, count)
            elif name == "stored":  # a write that returned after close() had counted its records as lost
                self.counters.add("dropped.exit", -count)
                self.counters.add("stored", count)

    def _new_batch(self) -> Batch:
        return Batch(project=self.settings.project)

    def _process(self, batch: Batch, *, last: bool = False) -> Batch:
        """Unpack, normalize, price, measure, sample, redact, truncate: what is left of the batch."""
        whole = self._new_batch()
        for span in batch.spans:
            if self._isolated(self._settle_span, span):
                whole.spans.append(span)
                self.metrics.observe_span(span)
        whole.logs = [
            log for log in batch.logs if self._isolated(lambda log: settle_log(log, self.settings.max_attributes), log)
        ]
        return self._redacted(self._sample(whole, last=last), self._isolated)

    def _sample(self, batch: Batch, *, last: bool) -> Batch:
        reason = "sampled"
        try:
            kept = self._sampler(batch, last=last)
        except Exception as error:
            trouble("failed.sampling", f"records were dropped: {type(error).__name__} in sampling", exc_info=True)
            kept, reason = self._new_batch(), "failed"
        with self._lock:
            if not self._given_up:
                held = self._sampler.held
                self._count_dropped(reason, len(batch) + self._held - len(kept) - held)
                self._busy, self._held = len(kept), held
        return kept

    def _redacted(self, batch: Batch, isolated: "Callable[[Callable[[Any], object], Record], bool]") -> Batch:
        if self.redactor is not None:
            batch.spans = [span for span in batch.spans if isolated(self._redact_span, span)]
            batch.logs = [log for log in batch.logs if isolated(self.redactor.log, log)]
        cap = self.settings.max_value_bytes
        batch.spans = [span for span in batch.spans if isolated(lambda span: truncate_span(span, cap), span)]
        batch.logs = [log for log in batch.logs if isolated(lambda log: truncate_log(log, cap), log)]
        return batch

    def _redact_span(self, span: Span) -> None:
        if self.redactor is not None and self.redactor.span(span) and span.normal is not None:
            numbers = span.normal
            span.normal = normalize(span)
            span.normal.cost, span.normal.usage = numbers.cost, numbers.usage

    def _settle_span(self, span: Span) -> None:
        settle_span(span, self.settings.max_attributes)
        if span.normal is None:
            span.normal = normalize(span)
        if self._prices is not None and span.normal.usage is not None:
            span.normal.cost = self._prices.price(span.normal, span.start_ns)

    def _isolated(self, work: Callable[[Any], object], record: Record) -> bool:
        """Do it; a record that makes it fail is dropped and counted, whatever it raised."""
        if self._attempt(work, record):
            return True
        self._account("dropped.failed", 1)
        return False

    @staticmethod
    def _attempt(work: Callable[[Any], object], record: object) -> bool:
        try:
            work(record)
        except BaseException as error:  # a user's rule may raise anything, and the worker must live
            trouble("dropped.failed", f"a record was dropped: {type(error).__name__} while processing", exc_info=True)
            return False
        return True

    def _count_dropped(self, reason: str, count: int) -> None:
        if count > 0:
            self.counters.add(f"dropped.{reason}", count)

    def _deliver(self, batch: Batch) -> None:
        """Write until it is safe, hopeless, or the pipeline closes with the storage still failing."""
        wait_s = _FIRST_RETRY_S
        while (count := len(batch)) and not self._given_up:
            try:
                self.exporter.write(batch)
            except (ExportError, StorageError) as error:
                self.counters.add("failed.export")
                trouble("failed.export", f"could not write {count} records: {error}")
                asked_s = error.retry_after_s if isinstance(error, ExportError) else 0.0
                if asked_s is None:
                    self._account("dropped.export", count)
                    return
                if self._closed:
                    time.sleep(_FIRST_RETRY_S)
                else:
                    self._closing.wait(max(wait_s, min(asked_s, _LONGEST_ASKED_S)))
                wait_s = min(wait_s * 2, _LAST_RETRY_S)
            except BaseException as error:  # an exporter may raise anything, and the worker must live
                self._deliver_singly(batch, error)
                return
            else:
                self._account("stored", count)
                return

    def _deliver_singly(self, batch: Batch, error: BaseException) -> None:
        """One record spoils a batch: write the others."""
        trouble("failed.poison", f"records could not be written: {type(error).__name__}", exc_info=True)
        if len(batch) <= 1:
            self._account("dropped.poison", len(batch))
            return
        for span in batch.spans:
            self._deliver(Batch([span], project=batch.project))
        for log in batch.logs:
            self._deliver(Batch(logs=[log], project=batch.project))

    def _show_open(self, *, everything: bool) -> None:
        """Write spans that are still open, so that they can be seen; those that did not change since are skipped."""
        self._last_open_look = time.monotonic()
        open_now = dict(self.open)
        self._end_forgotten(open_now)
        if self._sampler.tail or self._given_up:
            return
        newest = _clock_ns() - (0 if everything else int(self.settings.open_after_s * 1e9))
        self._shown = {span_id: size for span_id, size in self._shown.items() if span_id in open_now}
        batch = self._new_batch()
        for span_id, active in open_now.items():
            record = active.record
            change = active.size + len(record.attributes)
            if active.started_ns <= newest and self._shown.get(span_id) != change:
                self._shown[span_id] = change
                self._attempt(lambda span: batch.spans.append(snapshot(span)), record)
        if batch.spans:
            try:
                self._write_open(batch)
            except BaseException as error:  # the closed span will come; a failing storage is told of there
                trouble("failed.open", f"could not show open spans: {type(error).__name__}")

    def _write_open(self, batch: Batch) -> None:
        """Process as `_process` does what is not yet recorded, and therefore neither counted nor measured."""
        batch.spans = [
            span
            for span in batch.spans
            if self._attempt(self._settle_span, span) and self._attempt(self._sampler.content, span)
        ]
        shown = self._redacted(batch, self._attempt)
        shown.spans = [span for span in shown.spans if span.span_id in self.open]
        if shown.spans:
            self.exporter.write(shown)

    def _end_forgotten(self, open_now: "dict[str, ActiveSpan]") -> None:
        """A program that starts spans and never ends them would fill the memory: end the oldest."""
        for _, active in zip(range(len(open_now) - _MAX_OPEN), open_now.values(), strict=False):
            active.attribute(semconv.ABANDONED, True)
            active.end()


class _Feeder:
    """What a storage calls before it reads, so that a program reads what it has just written."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = weakref.ref(pipeline)

    def __call__(self) -> None:
        pipeline = self._pipeline()
        if pipeline is not None:
            pipeline.flush()


def _drain(exporter: Exporter, deadline: float) -> bool:
    """Wait until an exporter that delivers later has done so."""
    drain = getattr(exporter, "drain", None)
    if drain is None:
        return True
    with diagnostics.guard("drain"):
        return drain(max(0.0, deadline - time.monotonic()))
    return False


def _seconds(given: object, otherwise: float) -> float:
    """A timeout that a lock can wait for: nonsense from the program must not raise there."""
    if isinstance(given, int | float) and given >= 0:
        return min(float(given), _LONGEST_TIMEOUT_S)
    return otherwise


def _remove(feeders: list[Any], feeder: object) -> None:
    if feeder in feeders:
        feeders.remove(feeder)


def _run(reference: "weakref.ref[Pipeline]", owned: Exporter | None) -> None:
    """The worker: lives as long as its pipeline does, and closes what the pipeline opened if nobody else did."""
    while True:
        pipeline = reference()
        if pipeline is None:
            if owned is not None:
                _drain(owned, time.monotonic() + _LAST_RETRY_S)
                with diagnostics.guard("close"):
                    owned.close()
            return
        try:
            if not pipeline._turn():
                return
        except BaseException as error:  # the worker must live
            pipeline.counters.add("failed.worker")
            trouble("failed.worker", f"the worker stumbled and goes on: {type(error).__name__}", exc_info=True)
            time.sleep(_FIRST_RETRY_S)
        _kept = pipeline if pipeline._held else None  # what waits for a decision outlives the tracer
        del pipeline


_pipelines: "weakref.WeakSet[Pipeline]" = weakref.WeakSet()
_closes_with_process = False


def _close_all() -> None:
    """At the end of the program: all pipelines together have the longest of their times."""
    pipelines = list(_pipelines)
    deadline = time.monotonic() + max((p.settings.exit_timeout_s for p in pipelines), default=0.0)
    for pipeline in pipelines:
        pipeline.close(max(0.0, deadline - time.monotonic()))


def _close_with_multiprocessing() -> None:
    """Close at the end of a child of `multiprocessing` too: it ends by `os._exit`, which passes by atexit."""
    global _closes_with_process
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is None or process is None or _closes_with_process or process.parent_process() is None:
        return
    _closes_with_process = True
    util.Finalize(None, _close_all, exitpriority=-100)  # after the program's own


def _after_fork_in_child() -> None:
    """The parent writes what was queued and ends what was open; the child starts afresh."""
    global _closes_with_process
    _closes_with_process = False
    diagnostics.after_fork_in_child()
    for pipeline in list(_pipelines):
        former, pipeline.counters = pipeline.counters, Counters()
        pipeline.open.clear()
        pipeline._reset()
        if pipeline._closed:
            pipeline._closing.set()
        if pipeline.redactor is not None and pipeline.redactor._counters is former:
            pipeline.redactor._counters = pipeline.counters


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
