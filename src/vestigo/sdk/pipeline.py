"""From the caller's thread to the storage: a queue bounded in bytes, one worker thread, batches, the end.

`put` runs in the caller's thread and does as little as can be: count, append. Everything that takes time (unpacking,
normalizing, pricing, sampling, redacting, truncating, writing) runs in the worker. The law that holds at any moment:
recorded = stored + queued + held + dropped (by reason).
"""

import atexit
import hashlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from vestigo import diagnostics
from vestigo.diagnostics import Counters, trouble
from vestigo.errors import ExportError, SettingsError, StorageError, VestigoError
from vestigo.metrics import MetricsCollector
from vestigo.normalize import normalize
from vestigo.prices import Prices
from vestigo.record import Batch, Event, Link, Log, Span
from vestigo.redact import Redactor
from vestigo.sdk.sampling import WorkerSampler, head_sampler, worker_sampler
from vestigo.sdk.values import tidy, unpack
from vestigo.settings import Settings, default_storage_url

if TYPE_CHECKING:
    from vestigo.sdk.tracer import ActiveSpan

_BATCH_RECORDS = 2_000
_BATCH_BYTES = 8 * 1024 * 1024
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0


class Exporter(Protocol):
    """Where batches go: a storage, or a way to one."""

    def write(self, batch: Batch) -> None:
        """Return when the records are safe. Raises ExportError or StorageError if they are not."""
        ...

    def close(self) -> None: ...


opener: Callable[[str], Exporter] | None = None
"""Opens storage URLs. Set by the package, since `sdk` and `storage` do not know each other."""

Record: TypeAlias = Span | Log


class Entry(msgspec.Struct, gc=False):
    """A log in the queue. Spans stand there as the ActiveSpan that they were made with."""

    record: Log
    size: int


class _Flush:
    """A mark in the queue: everything before it has been written when `done` is set."""

    def __init__(self) -> None:
        self.done = threading.Event()


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
        self.redactor = _redactor(settings, self.counters)
        self.head = head_sampler(settings)
        self.open: dict[str, ActiveSpan] = {}
        """Spans that are being recorded, by span id."""
        self._sampler = self._new_sampler()
        self._prices = Prices(settings.prices or None) if hasattr(exporter, "capabilities") else None
        self._owned = owned
        self._limit = settings.queue_bytes
        self._batch_bytes = min(_BATCH_BYTES, max(self._limit // 4, 1))
        self._shown: dict[str, int] = {}
        self._taken = 0
        self._closed = False
        self._last_open_look = 0.0
        self._reset()
        _pipelines.add(self)
        feeders = getattr(exporter, "feeders", None)
        if feeders is not None:
            feeders.append(_Feeder(self))

    @staticmethod
    def of(storage: Any, settings: Settings) -> "Pipeline":
        """A pipeline to a Storage, an exporter, a storage URL, or (None) memory. Raises SettingsError."""
        if isinstance(storage, Pipeline):
            return storage
        if isinstance(storage, str) or storage is None:
            if opener is None:
                raise SettingsError(f"cannot open storage {storage!r}; import vestigo first")
            return Pipeline(opener(storage or "memory://"), settings, owned=True)
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
        self._queue: deque[ActiveSpan | Entry | _Flush] = deque()
        self._bytes = 0
        self._soft = -1  # below 0 until the worker runs, so that the first put goes the slow way and starts it
        self._busy = 0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._lock = threading.RLock()  # re-entrant: a finalizer or signal may record a span while we hold it

    # --- the caller's thread

    def put(self, item: "ActiveSpan | Entry", size: int) -> None:
        """Hand over a finished record that takes about `size` bytes. Never blocks, never raises."""
        self._bytes += size
        if self._bytes > self._soft and not self._admit(size):
            return
        self._queue.append(item)

    def put_log(self, log: Log, size: int) -> None:
        """Hand over a log that takes about `size` bytes. Never blocks, never raises."""
        self.put(Entry(log, size), size)

    def _admit(self, size: int) -> bool:
        if self._closed:
            self._drop_at_door("closed", size)
            return False
        if self._bytes > self._limit:
            self._wake.set()
            self._drop_at_door("queue_full", size)
            return False
        if self._thread is None:
            self._start()
        if self._bytes > self._batch_bytes:
            self._soft = self._limit  # woken once is enough: the worker puts it back
            self._wake.set()
        return True

    def _drop_at_door(self, reason: str, size: int) -> None:
        self._bytes -= size
        self.counters.add(f"dropped.{reason}")
        with self._lock:
            self._taken += 1
        trouble(f"dropped.{reason}", f"records are dropped: {reason.replace('_', ' ')}")

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=_run, args=(weakref.ref(self),), name="vestigo", daemon=True)
            self._thread = thread
            self._soft = self._batch_bytes
            try:
                thread.start()
            except RuntimeError:  # the interpreter is shutting down: close() writes what is left
                self._thread = None

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Write what was handed over before, and show what is open; False if the timeout passed first."""
        if threading.current_thread() is self._thread:
            return True
        if self._closed or (not self._queue and not self._busy and not self.open and not self._sampler.held):
            return not self._queue
        mark = _Flush()
        self._queue.append(mark)
        if self._thread is None:
            self._start()
        self._wake.set()
        return mark.done.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Stop taking records, write what is left within the timeout, count the rest as dropped."""
        deadline = time.monotonic() + timeout_s
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._soft = -1
        thread = self._thread
        self._wake.set()
        if thread is None or not thread.is_alive():
            self._work_until_empty(deadline)
        elif thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
        left = sum(1 for item in self._queue.copy() if not isinstance(item, _Flush)) + self._busy
        if left:
            self.counters.add("dropped.exit", left)
            trouble("dropped.exit", f"the program ended before {left} records could be written")
        if self._owned and not left:
            with diagnostics.guard("close"):
                self.exporter.close()

    def stats(self) -> dict[str, int]:
        """The law in figures: recorded = stored + queued + held + all dropped.<reason>."""
        figures = self.counters.snapshot()
        queued = sum(1 for item in self._queue.copy() if not isinstance(item, _Flush))
        dropped_late = figures.get("dropped.exit", 0)
        figures["queued"] = max(queued + self._busy - dropped_late, 0)
        figures["held"] = self._sampler.held
        figures["recorded"] = self._taken + queued
        figures["stored"] = figures.get("stored", 0)
        return figures

    # --- the worker's thread

    def _turn(self) -> bool:
        """Wait for work and do it once; False when the pipeline has closed and nothing is left."""
        closing = self._closed
        if not closing:
            self._wake.wait(self.settings.flush_interval_s)
            self._wake.clear()
            if not self._closed:
                self._soft = self._batch_bytes
        marks = self._write_queue()
        if self._sampler.held and not closing:
            self._deliver(self._process(self._new_batch()))  # a trace may have waited long enough
        if marks or time.monotonic() - self._last_open_look >= self.settings.open_after_s:
            self._show_open(everything=bool(marks))
        for mark in marks:
            mark.done.set()
        if closing and not self._queue:
            self._deliver(self._redacted(self._sample(self._new_batch(), last=True)))
            return False
        return True

    def _work_until_empty(self, deadline: float) -> None:
        while time.monotonic() < deadline and self._turn():
            pass

    def _write_queue(self) -> list[_Flush]:
        marks: list[_Flush] = []
        while True:
            batch, count, size = self._take(marks)
            if not count:
                return marks
            self._deliver(self._process(batch))
            self._bytes -= size
            self._busy = 0
            if not self._queue:
                self._bytes = 0  # heals what unlocked additions may have lost on free-threaded builds

    def _take(self, marks: list[_Flush]) -> tuple[Batch, int, int]:
        batch = self._new_batch()
        count = size = 0
        queue = self._queue
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
        if count:
            with self._lock:
                self._busy = count
                self._taken += count
        return batch, count, size

    def _new_batch(self) -> Batch:
        return Batch(project=self.settings.project)

    def _process(self, batch: Batch, *, open_spans: bool = False) -> Batch:
        """Unpack, normalize, price, measure, sample, redact, truncate: what is left of the batch."""
        whole = self._new_batch()
        for span in batch.spans:
            if self._isolated(self._settle_span, span):
                whole.spans.append(span)
                if not open_spans:
                    self.metrics.observe_span(span)
        whole.logs = [log for log in batch.logs if self._isolated(_settle_log, log)]
        if not open_spans:
            whole = self._sample(whole, last=False)
        else:
            whole.spans = [span for span in whole.spans if self._isolated(self._sampler.content, span)]
        return self._redacted(whole)

    def _sample(self, batch: Batch, *, last: bool) -> Batch:
        before = len(batch) + self._sampler.held
        kept = self._sampler(batch, last=last)
        self._count_dropped("sampled", before - len(kept) - self._sampler.held)
        return kept

    def _redacted(self, batch: Batch) -> Batch:
        cap = self.settings.max_value_bytes
        if self.redactor is not None:
            batch.spans = [span for span in batch.spans if self._isolated(self._redact_span, span)]
            batch.logs = [log for log in batch.logs if self._isolated(self.redactor.log, log)]
        batch.spans = [span for span in batch.spans if self._isolated(lambda s: _truncate(s.attributes, cap), span)]
        batch.logs = [log for log in batch.logs if self._isolated(lambda r: _truncate_log(r, cap), log)]
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
        try:
            work(record)
        except BaseException as error:  # a user's rule may raise anything, and the worker must live
            self._count_dropped("failed", 1)
            trouble("dropped.failed", f"a record was dropped: {type(error).__name__} while processing", exc_info=True)
            return False
        return True

    def _count_dropped(self, reason: str, count: int) -> None:
        if count:
            self.counters.add(f"dropped.{reason}", count)

    def _deliver(self, batch: Batch) -> None:
        """Write until it is safe, hopeless, or the pipeline closes with the storage still failing."""
        wait_s = _FIRST_RETRY_S
        while len(batch):
            try:
                self.exporter.write(batch)
                self.counters.add("stored", len(batch))
                return
            except (ExportError, StorageError) as error:
                hopeless = isinstance(error, ExportError) and error.retry_after_s is None
                self.counters.add("failed.export")
                trouble("failed.export", f"could not write {len(batch)} records: {error}")
                if hopeless:
                    self._count_dropped("export", len(batch))
                    return
                self._wake.clear()
                if self._closed:
                    time.sleep(_FIRST_RETRY_S)
                else:
                    self._wake.wait(wait_s)
                wait_s = min(wait_s * 2, _LAST_RETRY_S)
            except Exception as error:
                trouble(
                    "failed.poison", f"a batch could not be written: {type(error).__name__}: {error}", exc_info=True
                )
                self._deliver_singly(batch)
                return

    def _deliver_singly(self, batch: Batch) -> None:
        """One record spoils a batch: write the others."""
        for record in [*batch.spans, *batch.logs]:
            single = self._new_batch()
            (single.spans if isinstance(record, Span) else single.logs).append(record)  # type: ignore[arg-type]
            try:
                self.exporter.write(single)
                self.counters.add("stored")
            except VestigoError:
                self._count_dropped("export", 1)
            except Exception:
                self._count_dropped("poison", 1)

    def _show_open(self, *, everything: bool) -> None:
        """Write spans that are still open, so that they can be seen; those that did not change since are skipped."""
        self._last_open_look = time.monotonic()
        if self._sampler.tail:
            return
        oldest = time.time_ns() - (0 if everything else int(self.settings.open_after_s * 1e9))
        batch = self._new_batch()
        open_now = dict(self.open)
        self._shown = {span_id: size for span_id, size in self._shown.items() if span_id in open_now}
        for span_id, active in open_now.items():
            record = active.record
            change = active.size + len(record.attributes)
            if record.start_ns <= oldest and self._shown.get(span_id) != change:
                self._shown[span_id] = change
                batch.spans.append(snapshot(record))
        if batch.spans:
            try:
                processed = self._process(batch, open_spans=True)
                processed.spans = [span for span in processed.spans if span.span_id in self.open]
                self.exporter.write(processed)
            except Exception as error:  # the closed span will come; a failing storage is told of there
                trouble("failed.open", f"could not show open spans: {type(error).__name__}: {error}")


class _Feeder:
    """What a storage calls before it reads, so that a program reads what it has just written."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = weakref.ref(pipeline)

    def __call__(self) -> None:
        pipeline = self._pipeline()
        if pipeline is not None:
            pipeline.flush()


def settle_span(span: Span, max_attributes: int = 256) -> None:
    """Make JSON values of what the caller's thread packed, in place."""
    span.name = tidy_text(span.name)
    span.attributes = _settled(span.attributes, max_attributes)
    for event in span.events:
        event.name = tidy_text(event.name)
        event.attributes = _settled(event.attributes, max_attributes)
    for link in span.links:
        link.attributes = _settled(link.attributes, max_attributes)


def _settle_log(log: Log) -> None:
    log.body = unpack(log.body) if isinstance(log.body, bytes) else tidy(log.body)
    log.attributes = _settled(log.attributes, 256)


def _settled(attributes: Mapping[Any, Any], limit: int) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for key, value in attributes.items():
        if len(settled) >= limit:
            settled["vestigo.attributes.left_out"] = len(attributes) - limit
            break
        settled[tidy_text(key)] = unpack(value) if isinstance(value, bytes) else tidy(value)
    return settled


def tidy_text(text: object) -> str:
    tidied = tidy(text)
    return tidied if type(tidied) is str else str(tidied)


def snapshot(record: Span) -> Span:
    """A copy of an open span that the program goes on changing."""
    return msgspec.structs.replace(
        record,
        attributes=record.attributes.copy(),
        events=[Event(event.time_ns, event.name, event.attributes.copy()) for event in record.events.copy()],
        links=[Link(link.trace_id, link.span_id, link.attributes.copy()) for link in record.links.copy()],
        end_ns=None,
    )


def _truncate(attributes: dict[str, Any], cap: int) -> None:
    """Cut text above `cap` bytes, wherever it stands, leaving its size and hash."""
    for key, value in attributes.items():
        attributes[key] = cut(value, cap)


def _truncate_log(log: Log, cap: int) -> None:
    log.body = cut(log.body, cap)
    _truncate(log.attributes, cap)


def cut(value: Any, cap: int) -> Any:
    """The value with every text in it at most about `cap` bytes; the same object where nothing is cut."""
    if type(value) is str:
        if len(value) * 4 <= cap or len(data := value.encode()) <= cap:
            return value
        digest = hashlib.sha256(data).hexdigest()
        return data[:cap].decode("utf-8", "ignore") + f"… [cut: {len(data)} bytes, sha256 {digest}]"
    if type(value) is list:
        for index, item in enumerate(value):
            value[index] = cut(item, cap)
    elif type(value) is dict:
        for key, item in value.items():
            value[key] = cut(item, cap)
    return value


def _redactor(settings: Settings, counters: Counters) -> Redactor | None:
    if settings.redact == "off":
        return None
    return Redactor(
        personal=settings.redact == "personal",
        phone=settings.redact_phone,
        mode=settings.redact_mode,
        hash_key=settings.redact_hash_key.encode() or None,
        keys=settings.redact_keys,
        counters=counters,
    )


def _run(reference: "weakref.ref[Pipeline]") -> None:
    """The worker: lives as long as its pipeline does."""
    while True:
        pipeline = reference()
        if pipeline is None:
            return
        try:
            if not pipeline._turn():
                return
        except BaseException:  # the worker must live
            pipeline.counters.add("failed.worker")
            trouble("failed.worker", "the worker stumbled and goes on", exc_info=True)
            time.sleep(_FIRST_RETRY_S)
        del pipeline


_pipelines: "weakref.WeakSet[Pipeline]" = weakref.WeakSet()


def _close_all() -> None:
    """At the end of the program: all pipelines together have the longest of their times."""
    pipelines = list(_pipelines)
    deadline = time.monotonic() + max((p.settings.exit_timeout_s for p in pipelines), default=0.0)
    for pipeline in pipelines:
        pipeline.close(max(0.0, deadline - time.monotonic()))


def _after_fork_in_child() -> None:
    """The parent writes what was queued and ends what was open; the child starts afresh."""
    diagnostics.after_fork_in_child()
    for pipeline in list(_pipelines):
        pipeline.counters = Counters()
        pipeline.open.clear()
        pipeline._taken = 0
        pipeline._sampler = pipeline._new_sampler()
        pipeline._reset()
        if pipeline.redactor is not None:
            pipeline.redactor = _redactor(pipeline.settings, pipeline.counters)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
