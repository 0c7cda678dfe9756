"""To a server: batches as OTLP/HTTP requests, sent at once (`OTLPExporter`) or by way of the disk (`SpoolingExporter`).

An exporter has the `write(batch)` of a storage. What becomes of records after `write` has taken them is in
`undelivered()`, which the pipeline takes into its law; so one exporter serves one tracer. A request that may be tried
again is, slower and slower or when the server says; one that the server refuses is dropped and counted, as OTLP
demands; one that is too large is halved.
"""

import gzip
import hashlib
import os
import random
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from vestigo import otlp
from vestigo.diagnostics import Counters, trouble
from vestigo.errors import ExportError, IngestError, SettingsError
from vestigo.record import Batch
from vestigo.sdk.endpoint import Answer, Endpoint
from vestigo.sdk.spool import Frame, Spool, Waiting
from vestigo.settings import PROJECT_NAME, Settings

_FRAME_RECORDS: Final = 512
_FRAME_BYTES: Final = 4 * 1024 * 1024  # a quarter of what our server takes, before compression
_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 30.0
_LONGEST_ASKED_S: Final = 600.0  # a server may ask for longer than we believe
_ADOPT_EVERY_S: Final = 30.0
_CONTENT_TYPES: Final[dict[otlp.Form, str]] = {"json": "application/json", "protobuf": "application/x-protobuf"}

_random = random.Random()  # noqa: S311  ours, so that an application's random.seed() cannot make all clients retry at once


class Outcome(Struct):
    """What became of one request."""

    retry_s: float | None = None
    """When to send it again; None if it is settled."""
    why: str = ""
    dropped: dict[str, int] = {}
    """Records by `dropped.<reason>`; all others have been taken."""


class OTLPExporter:
    """Sends each batch before `write` returns. Raises SettingsError for an endpoint or header that makes no sense."""

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str] | None = None,
        api_key: str = "",
        timeout_s: float = 10.0,
        compression: Literal["gzip", "none"] = "gzip",
        form: Literal["auto", "json", "protobuf"] = "auto",
    ) -> None:
        own = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.endpoint = Endpoint(endpoint, {**(headers or {}), **own}, timeout_s)
        self.form: otlp.Form = _form(form)
        self._auto = form == "auto"
        # imports what it needs here: a child that is forked while a thread of ours imports would wait for ever
        otlp.decode("traces", self.form, otlp.encode("traces", self.form, []))
        self.counters = Counters()
        """exported, retried and dropped.<reason>, of whatever process the records are."""
        self.takes_open = False
        """Whether the other side is a Vestigo, which shows spans that have not ended; known after its first answer."""
        self._gzip = compression == "gzip"
        self._failures = 0
        self._dropped: Counter[str] = Counter()
        _all.add(self)

    # --- as the pipeline sees it

    def write(self, batch: Batch) -> None:
        """Return when the server has answered for every record. Raises ExportError with the time to come back."""
        self.send_all(list(self.frames(batch)))

    def send_all(self, frames: list[Frame]) -> None:
        """As `write`, and nothing is counted where it raises: the frames come again."""
        outcomes: list[Outcome] = []
        for frame in frames:
            outcome = self.send(frame)
            if outcome.retry_s is not None:
                raise ExportError(f"{self.endpoint.url} did not take them: {outcome.why}", outcome.retry_s)
            outcomes.append(outcome)
        for frame, outcome in zip(frames, outcomes, strict=True):
            self.count(frame, outcome, own=True)

    def undelivered(self) -> dict[str, int]:
        """Of the records that `write` took: what was dropped afterwards, by reason."""
        return dict(self._dropped)

    def close(self) -> None:
        self.endpoint.close()

    def after_fork_in_child(self) -> None:
        self.endpoint.after_fork_in_child()
        self.counters = Counters()
        self._dropped = Counter()

    # --- requests

    def frames(self, batch: Batch) -> Iterator[Frame]:
        """The requests that a batch makes."""
        ended = [span for span in batch.spans if span.end_ns is not None]
        yield from self._frames("traces", ended, batch.project)
        if self.takes_open and len(ended) < len(batch.spans):
            running = [span for span in batch.spans if span.end_ns is None]
            yield from self._frames("traces", running, batch.project, open=True)
        yield from self._frames("logs", batch.logs, batch.project)
        yield from self._frames("metrics", batch.points, batch.project)

    def _frames(
        self,
        signal: otlp.Signal,
        records: Sequence[Any],
        project: str,
        *,
        open: bool = False,  # noqa: A002
    ) -> Iterator[Frame]:
        for begin in range(0, len(records), _FRAME_RECORDS):
            yield from self._fitting(signal, records[begin : begin + _FRAME_RECORDS], project, open=open)

    def _fitting(self, signal: otlp.Signal, records: Sequence[Any], project: str, *, open: bool) -> Iterator[Frame]:  # noqa: A002
        body = otlp.encode(signal, self.form, records)
        if len(body) > _FRAME_BYTES and len(records) > 1:
            for half in _halves(records):
                yield from self._fitting(signal, half, project, open=open)
        else:
            packed = gzip.compress(body, 1, mtime=0) if self._gzip else body
            yield Frame(signal, self.form, self._gzip, len(records), project, open, packed)

    def send(self, frame: Frame, timeout_s: float | None = None) -> Outcome:
        """Post one request, and its halves where it is too large. Counts nothing but attempts."""
        if self._auto and frame.form != self.form and (other := self._in_our_form(frame)) is not None:
            frame = other
        headers = {"Content-Type": _CONTENT_TYPES[frame.form], "X-Vestigo-Project": quote(frame.project, safe="")}
        if frame.gzip:
            headers["Content-Encoding"] = "gzip"
        answer = self.endpoint.post(f"/v1/{frame.signal}", frame.body, headers, timeout_s)
        self.takes_open = answer.takes_open or (self.takes_open and answer.status == 0)
        if answer.retryable:
            self.counters.add("retried")
            return Outcome(self._wait_s(answer), answer.why)
        self._failures = 0
        if answer.status == 415 and self._auto and frame.form == "json" and _has_protobuf():
            self.form = "protobuf"
            return self.send(frame, timeout_s)
        if answer.status == 413 and frame.records > 1:
            return self._send_halves(frame, timeout_s)
        if not 200 <= answer.status < 300:
            name = "dropped.too_large" if answer.status == 413 else "dropped.refused"
            return Outcome(None, answer.why, {name: frame.records})
        rejected, why = _rejected(frame, answer)
        return Outcome(None, why, {"dropped.rejected": rejected} if rejected else {})

    def _in_our_form(self, frame: Frame) -> Frame | None:
        try:
            return _again(msgspec.structs.replace(frame, form=self.form), _records(frame))
        except _UNREADABLE:
            return None

    def _wait_s(self, answer: Answer) -> float:
        """Exponential with jitter, or a little more than what the server asks for."""
        self._failures += 1
        if answer.retry_after_s is not None:
            return min(answer.retry_after_s, _LONGEST_ASKED_S) * (1 + _random.random() / 10)
        return min(_FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 20), _LAST_RETRY_S) * (0.5 + _random.random() / 2)

    def _send_halves(self, frame: Frame, timeout_s: float | None) -> Outcome:
        both = Outcome()
        try:
            halves = [_again(frame, half) for half in _halves(_records(frame))]
        except _UNREADABLE:
            return Outcome(None, "cannot be halved", {"dropped.too_large": frame.records})
        for half in halves:
            outcome = self.send(half, timeout_s)
            if outcome.retry_s is not None:
                return outcome
            both.why = outcome.why or both.why
            for name, count in outcome.dropped.items():
                both.dropped[name] = both.dropped.get(name, 0) + count
        return both

    def count(self, frame: Frame, outcome: Outcome, *, own: bool) -> None:
        """A request is settled: add up what became of its records, in the law too where this process made them."""
        lost = 0
        for name, count in outcome.dropped.items():
            lost += count
            self.counters.add(name, count)
            trouble(name, f"{self.endpoint.url} did not take {count} of {frame.records} {frame.signal}: {outcome.why}")
            if own and frame.counted:
                self._dropped[name] += count
        self.counters.add("exported", frame.records - lost)


class SpoolingExporter:
    """Appends to the spool, which is when `write` returns, and sends from there in a thread of its own.

    Where the disk does not take the records they are sent before `write` returns, as without a spool; or, without
    `from_memory`, not at all.
    """

    def __init__(self, exporter: OTLPExporter, spool: Spool, *, from_memory: bool = True) -> None:
        self.exporter = exporter
        self.spool = spool
        self._from_memory = from_memory
        self._begin()
        _all.add(self)
        if self.spool.left_behind():
            self._looked = False
            self._start()

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._looked = True  # unless another process may have left something that is not adopted yet
        self._failing = False
        self._closed = False

    def after_fork_in_child(self) -> None:
        self.spool.after_fork_in_child()
        self._begin()

    @property
    def counters(self) -> Counters:
        return self.exporter.counters

    def write(self, batch: Batch) -> None:
        """Return when the records are on the disk, or the server has them. Raises ExportError where neither can be."""
        frames = list(self.exporter.frames(batch))
        if not frames:
            return
        try:
            self.spool.append(frames)
        except OSError as error:
            self.counters.add("degraded")
            if not self._from_memory:
                raise ExportError(f"cannot write to {self.spool.directory}: {error.strerror}") from error
            trouble("failed.spool", f"records are sent from memory, since {self.spool.directory}: {error.strerror}")
            self.exporter.send_all(frames)
            return
        self._start()
        with self._changed:
            self._changed.notify_all()

    def undelivered(self) -> dict[str, int]:
        """Of the records that `write` took: how many wait in the spool, and what was dropped, by reason."""
        with self._changed:
            return {**Counter(self.exporter.undelivered()) + self.spool.dropped, "spooled": self.spool.spooled}

    def drain(self, timeout_s: float) -> bool:
        """Wait until the server has everything; False where the time ends first or the server does not answer."""
        deadline = time.monotonic() + timeout_s
        if self._thread is None and not self._closed:
            self._drain_here(deadline)
        with self._changed:
            while not (self._looked and self.spool.empty) and not self._failing and not self._closed:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    break
            return self.spool.empty

    def close(self) -> None:
        """At once: what has not been sent stays in the spool."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.exporter.close()
        thread = self._thread
        if thread is not None and thread.ident != threading.get_ident():
            thread.join(0.1)
        self.spool.close()

    # --- the thread that sends

    def _start(self) -> None:
        if self._thread is not None or self._closed:
            return
        with self._changed:
            if self._thread is not None:
                return
            thread = self._thread = threading.Thread(target=self._run, name="vestigo-export", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # no more threads at the end of a program: `drain` sends then
                self._thread = None

    def _run(self) -> None:
        self.spool.adopt()
        self._looked = True
        while not self._closed:
            try:
                wait_s = self._step()
            except BaseException as error:  # the thread must live
                self.counters.add("failed.sender")
                trouble("failed.sender", f"sending stumbled and goes on: {type(error).__name__}", exc_info=True)
                wait_s = _LAST_RETRY_S
            self._rest(wait_s)

    def _step(self, timeout_s: float | None = None) -> float | None:
        """Send the oldest request; how long to wait then, None where nothing waits."""
        waiting = self.spool.next()
        if waiting is None:
            return None
        try:
            outcome = self.exporter.send(waiting.frame, timeout_s)
        except Exception as error:  # one request must not hold up all others
            trouble("dropped.failed", f"a request was dropped: {type(error).__name__} while sending", exc_info=True)
            outcome = Outcome(None, type(error).__name__, {"dropped.failed": waiting.frame.records})
        if outcome.retry_s is not None:
            if not self._closed:
                trouble("failed.export", f"{self.exporter.endpoint.url} did not answer for records: {outcome.why}")
            return outcome.retry_s
        self._settle(waiting, outcome)
        return 0.0

    def _settle(self, waiting: Waiting, outcome: Outcome) -> None:
        with self._changed:  # so that `figures` never sees a record in two places
            if self.spool.settle(waiting):
                self.exporter.count(waiting.frame, outcome, own=waiting.segment.own)

    def _rest(self, wait_s: float | None) -> None:
        with self._changed:
            self._failing = bool(wait_s)
            self._changed.notify_all()
            if wait_s is None:
                self._changed.wait_for(lambda: self._closed or not self.spool.empty, _ADOPT_EVERY_S)
            elif wait_s:
                self._changed.wait_for(lambda: self._closed, wait_s)
        if wait_s is None and not self._closed and self.spool.empty:
            self.spool.adopt()

    def _drain_here(self, deadline: float) -> None:
        """The thread's work in the caller's, where there is none."""
        while (left_s := deadline - time.monotonic()) > 0 and self._step(left_s) == 0.0:
            pass


def open_exporter(url: str, settings: Settings) -> OTLPExporter | SpoolingExporter:
    """What an `http://` storage URL means. Raises SettingsError."""
    if not PROJECT_NAME.fullmatch(settings.project):
        raise SettingsError(
            f"setting project={settings.project!r} cannot be sent; give at most 100 letters, digits, '.', '_' and '-'"
        )
    exporter = OTLPExporter(
        url,
        headers=settings.headers,
        api_key=settings.api_key,
        timeout_s=settings.export_timeout_s,
        form=settings.export_form,
    )
    try:
        place = Path(settings.data_dir).expanduser() / "spool"
    except RuntimeError:  # no home directory
        trouble("failed.spool", "records are sent from memory, since there is no home directory; give data_dir")
        return exporter
    if not settings.spool_bytes:
        return exporter
    directory = place / spool_name(exporter.endpoint.url, settings.project)
    return SpoolingExporter(exporter, Spool(directory, settings.spool_bytes, sync=settings.spool_sync))


def without_records(frame: Frame, gone: Callable[[Any], bool]) -> Frame | None:
    """A request without the records that match, for `Spool.erase`; None where none is left, or it cannot be read."""
    try:
        records = _records(frame)
    except _UNREADABLE:
        return None
    kept = [record for record in records if not gone(record)]
    if len(kept) == len(records):
        return frame
    return _again(frame, kept) if kept else None


def spool_name(url: str, project: str) -> str:
    """The directory of a receiver's spool: no name from outside becomes a path."""
    return hashlib.blake2b(f"{url}\n{project}".encode(), digest_size=12).hexdigest()


# --- records and bodies


def _form(asked: str) -> otlp.Form:
    """JSON where nobody asks for the other: it costs a third of the time, and every server should take it."""
    if asked == "protobuf" and not _has_protobuf():
        raise SettingsError("form 'protobuf' needs the package opentelemetry-proto; install it, or give 'json'")
    return "protobuf" if asked == "protobuf" else "json"


def _has_protobuf() -> bool:
    return find_spec("opentelemetry") is not None and find_spec("opentelemetry.proto") is not None


def _halves(records: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    middle = (len(records) + 1) // 2
    return records[:middle], records[middle:]


def _again(frame: Frame, records: Sequence[Any]) -> Frame:
    """The request with some of its records."""
    body = otlp.encode(frame.signal, frame.form, records)
    packed = gzip.compress(body, 1, mtime=0) if frame.gzip else body
    return msgspec.structs.replace(frame, records=len(records), body=packed)


_UNREADABLE: Final = (IngestError, OSError, EOFError, ImportError)
"""What `_records` raises for a body that is none, or whose form cannot be read here."""


def _records(frame: Frame) -> Sequence[Any]:
    body = gzip.decompress(frame.body) if frame.gzip else frame.body
    found = otlp.decode(frame.signal, frame.form, body)
    return found.spans or found.logs or found.points


def _rejected(frame: Frame, answer: Answer) -> tuple[int, str]:
    """How many records a successful answer says were not taken, and why."""
    form: otlp.Form = "json" if answer.content_type.endswith("json") else "protobuf"
    count, why = otlp.read_answer(frame.signal, form, answer.body)
    return min(count, frame.records), why[:200]


_all: "weakref.WeakSet[OTLPExporter | SpoolingExporter]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """The child has an own connection, own files and an own thread; what waits is its parent's."""
    for exporter in list(_all):
        exporter.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
