"""`/metrics` for Prometheus, and `/healthz` and `/readyz`: what LLM calls cost and took (`figures.py`), and how we are.

The server's own figures are read when they are asked for: from its counters, and from readers that its parts give to
`watch`. Every family has a bounded number of label sets.
"""

import asyncio
import os
import platform
import stat
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from starlette.responses import JSONResponse, Response

from vestigo import diagnostics
from vestigo.diagnostics import Counters
from vestigo.errors import StorageError
from vestigo.record import Span
from vestigo.server.exposition import (
    OPENMETRICS,
    TEXT,
    Exposition,
    MetricKind,
    clean,
    wants_openmetrics,
    write_labels,
)
from vestigo.server.figures import MAX_LABEL_SETS, OTHER, Figures
from vestigo.server.routes import Call, Failure, Route
from vestigo.version import VERSION

if TYPE_CHECKING:
    from vestigo.server import Server
    from vestigo.server.live import Live
    from vestigo.server.retention import Retention
    from vestigo.storage import Storage

Reader: TypeAlias = Callable[[], "float | Mapping[tuple[str, ...], float] | None"]
"""Reads one figure, or one for each tuple of label values; None where there is none now."""

REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

MAX_REQUEST_SETS = 1000
"""Sets of method, route and status: more than our routes make, and callers choose none of them."""

READY_S = 1.0
"""How long an answer of the storage holds for `/readyz`, so that asking it often costs no questions."""


class PrometheusMetrics:
    """All figures of one server. Safe from any thread."""

    def __init__(self, counters: Counters, started_s: float | None = None) -> None:
        self.figures = Figures()
        self.ready_until_s = 0.0
        self.ready = False
        self._counters = counters
        self._started_s = time.time() if started_s is None else started_s
        self._committed_s: float | None = None
        self._requests = _Requests()
        self._watched: dict[str, _Watched] = {}
        self._failures = 0

    def observe(self, spans: Iterable[Span], project: str) -> None:
        """Count finished spans that were accepted; some 2 us of CPU for each LLM call, and each call once."""
        with diagnostics.guard("metrics"):
            self.figures.observe(spans, project)
            self.committed()

    def committed(self) -> None:
        """Records have been stored just now."""
        self._committed_s = time.time()

    def observe_request(self, method: str, route: str, status: int | str, duration_s: float) -> None:
        """Count one answered request; `route` is the path of its Route, empty where none was found."""
        self._requests.add(method if method in _METHODS else OTHER, route or OTHER, str(status), duration_s)

    def watch(self, name: str, kind: MetricKind, about: str, read: Reader, labels: tuple[str, ...] = ()) -> None:
        """Show a figure that `read` gives at each scrape; one that raises is left out and counted.

        A counter's name is given its `_total`, and a name that is watched again replaces the one before.
        """
        name = name.removesuffix("_total") + "_total" if kind == "counter" else name
        self._watched[name] = _Watched(name, kind, about, read, labels)

    def watch_storage(self, storage: "Storage") -> None:
        """Show how much disk a storage takes, if it lies in files."""
        path = getattr(storage, "path", None)
        if path is not None:
            self.watch("vestigo_storage_bytes", "gauge", "Disk that the storage takes", lambda: measure_bytes(path))

    def watch_live(self, live: "Live") -> None:
        """Show how many listen to the live tail."""
        self.watch("vestigo_live_listeners", "gauge", "Streams of the live tail", lambda: live.listeners)

    def watch_retention(self, retention: "Retention") -> None:
        """Show what was deleted because of its age, number or size."""

        def read() -> dict[tuple[str, ...], float]:
            return {(what,): count for what, count in retention.figures().items() if what != "reserve_bytes"}

        self.watch(
            "vestigo_retention_total", "counter", "What retention did and deleted, since the start", read, ("what",)
        )

    def text(self, openmetrics: bool = False) -> str:
        out = Exposition(openmetrics)
        self.figures.write(out)
        self._write_counters(out)
        self._requests.write(out)
        for one in list(self._watched.values()):
            self._write_watched(out, one)
        self._write_own(out)
        _write_process(out, self._started_s)
        return out.text()

    def _write_counters(self, out: Exposition) -> None:
        families: dict[_Counted, dict[tuple[str, ...], float]] = {one: {} for one in _COUNTED.values()}
        families[_EVENTS] = {}
        for name, count in sorted(self._counters.snapshot().items()):
            head, _, rest = name.partition(".")
            counted = _COUNTED.get(head, _EVENTS)
            words = [name] if counted is _EVENTS else rest.split(".", len(counted.labels) - 1)
            families[counted][tuple(words + [""] * (len(counted.labels) - len(words)))] = count
        for counted, samples in families.items():
            self._write_family(out, counted.name, "counter", counted.about, counted.labels, samples)

    def _write_watched(self, out: Exposition, one: "_Watched") -> None:
        try:
            found = one.read()
            samples = {(): found} if isinstance(found, int | float) else found
            if samples is not None:
                self._write_family(out, one.name, one.kind, one.about, one.labels, samples)
        except Exception as error:  # a figure must not cost all others
            self._failures += 1
            diagnostics.trouble("metrics.watch", f"{one.name} could not be read: {error}")

    def _write_family(
        self, out: Exposition, name: str, kind: MetricKind, about: str, labels: tuple[str, ...],
        samples: Mapping[tuple[str, ...], float],
    ) -> None:  # fmt: skip
        lines: list[tuple[str, float]] = []
        excess = 0.0
        for values, value in samples.items():
            if len(lines) < MAX_LABEL_SETS:
                lines.append((write_labels(dict(zip(labels, map(clean, values), strict=True))), float(value)))
            else:
                excess += value
        if excess:
            lines.append((write_labels(dict.fromkeys(labels, OTHER)), excess))
        out.family(name, kind, about)
        for written, value in lines:
            out.sample(name, written, value)

    def _write_own(self, out: Exposition) -> None:
        if self._committed_s is not None:
            out.family("vestigo_last_commit_timestamp_seconds", "gauge", "When records were last stored")
            out.sample("vestigo_last_commit_timestamp_seconds", "", self._committed_s)
        name = "vestigo_llm_repeats_total"
        out.family(name, "counter", "LLM and embedding calls that were sent again, and not counted again")
        out.sample(name, "", self.figures.repeats)
        name = "vestigo_metrics_overflows_total"
        out.family(name, "counter", f"What was counted under {OTHER!r}, a family having too many sets of labels")
        out.sample(name, 'of="calls"', self.figures.overflows)
        out.sample(name, 'of="requests"', self._requests.overflows)
        name = "vestigo_metrics_failures_total"
        out.family(name, "counter", "Figures that could not be read, and calls with a number that makes no sense")
        out.sample(name, 'of="calls"', self.figures.bad_values)
        out.sample(name, 'of="readers"', self._failures)
        out.family("vestigo_build_info", "gauge", "Which program this is; always 1")
        out.sample("vestigo_build_info", write_labels({"version": VERSION, "python": platform.python_version()}), 1)


class _Counted(Struct, frozen=True):
    """A family that `Counters` named `head.label.label` become."""

    name: str
    about: str
    labels: tuple[str, ...]


_COUNTED = {
    "received": _Counted("vestigo_received_records_total", "Records that came in", ("signal",)),
    "stored": _Counted("vestigo_stored_records_total", "Records that were stored", ("signal",)),
    "rejected": _Counted("vestigo_rejected_records_total", "Records that were refused", ("signal", "reason")),
    "redacted": _Counted("vestigo_redactions_total", "Values that were hidden, by rule", ("rule",)),
    "busy": _Counted("vestigo_busy_answers_total", "Requests that were put off", ("reason",)),
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})  # a caller may send any word
_EVENTS = _Counted("vestigo_events_total", "Other things that the server counts, by name", ("event",))


class _Watched(Struct, frozen=True):
    name: str
    kind: MetricKind
    about: str
    read: Reader
    labels: tuple[str, ...]


class _Requests:
    """Requests by route and status, and how long they took, by route."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, str], int] = {}
        self._durations: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
        self.overflows = 0

    def add(self, method: str, route: str, status: str, duration_s: float) -> None:
        with self._lock:
            key = (method, route, status)
            if key not in self._counts and len(self._counts) >= MAX_REQUEST_SETS:
                self.overflows += 1
                method = route = OTHER
                key = (OTHER, OTHER, OTHER)
            self._counts[key] = self._counts.get(key, 0) + 1
            buckets, total = self._durations.setdefault((method, route), ([0] * (len(REQUEST_BUCKETS_S) + 1), [0.0]))
            buckets[bisect_left(REQUEST_BUCKETS_S, duration_s)] += 1
            total[0] += duration_s

    def write(self, out: Exposition) -> None:
        with self._lock:
            counts = list(self._counts.items())
            durations = [(key, [*buckets], total[0]) for key, (buckets, total) in self._durations.items()]
        name = "vestigo_http_requests_total"
        out.family(name, "counter", "Answered requests")
        for (method, route, status), count in counts:
            labels = {"method": clean(method), "route": clean(route), "status": clean(status)}
            out.sample(name, write_labels(labels), count)
        name = "vestigo_http_request_duration_seconds"
        out.family(name, "histogram", "From a request to its answer")
        for (method, route), buckets, total in durations:
            labels = {"method": clean(method), "route": clean(route)}
            out.histogram(name, write_labels(labels), map(str, REQUEST_BUCKETS_S), buckets, total)


def measure_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes of a directory and all below it, or of a database file with its log and index."""
    place = Path(path)
    files = place.rglob("*") if place.is_dir() else (Path(f"{place}{end}") for end in ("", "-wal", "-shm"))
    total = 0
    for file in files:
        try:
            found = file.lstat()
        except FileNotFoundError:  # deleted meanwhile, or no log now
            continue
        total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def _write_process(out: Exposition, started_s: float) -> None:
    """The figures that Prometheus' own libraries have under these names."""
    out.family("process_start_time_seconds", "gauge", "When the server started")
    out.sample("process_start_time_seconds", "", started_s)
    out.family("process_cpu_seconds_total", "counter", "CPU time of the server")
    out.sample("process_cpu_seconds_total", "", time.process_time())
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:  # another system than Linux
        return
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    out.family("process_virtual_memory_bytes", "gauge", "Address space of the server")
    out.sample("process_virtual_memory_bytes", "", int(pages[0]) * page_bytes)
    out.family("process_resident_memory_bytes", "gauge", "Memory of the server")
    out.sample("process_resident_memory_bytes", "", int(pages[1]) * page_bytes)
    out.family("process_open_fds", "gauge", "Open files and connections")
    out.sample("process_open_fds", "", descriptors)
    out.family("process_max_fds", "gauge", "Most files and connections that may be open")
    out.sample("process_max_fds", "", os.sysconf("SC_OPEN_MAX"))


def _ask_storage(server: "Server") -> None:
    server.storage.trace(server.settings.project, "0" * 32)


async def show_metrics(call: Call) -> Response:
    """All figures, in the format that `Accept` asks for."""
    openmetrics = wants_openmetrics(call.request.headers.get("accept", ""))
    text = await asyncio.to_thread(call.server.metrics.text, openmetrics)
    return Response(text.encode(), headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})


async def show_health(_: Call) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def show_readiness(call: Call) -> Response:
    """The storage answers, or did a second ago; 503 if not, without saying why to who may be anybody."""
    metrics = call.server.metrics
    now_s = time.monotonic()
    if now_s >= metrics.ready_until_s:
        metrics.ready_until_s = now_s + READY_S  # those who ask meanwhile get the answer before
        try:
            await call.ask(lambda: _ask_storage(call.server))
            metrics.ready = True
        except (StorageError, Failure, TimeoutError) as error:
            metrics.ready = False
            diagnostics.trouble("ready", f"the storage does not answer: {error}")
    if metrics.ready:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "the storage does not answer"}, status_code=503, headers={"Retry-After": "1"})


ROUTES = (
    Route(
        method="GET", path="/metrics", scope="read", handler=show_metrics, tag="health", project=False,
        summary="Figures for Prometheus",
    ),
    Route(
        method="GET", path="/healthz", scope="public", handler=show_health, tag="health", project=False,
        summary="Whether the process answers",
    ),
    Route(
        method="GET", path="/readyz", scope="public", handler=show_readiness, tag="health", project=False,
        summary="Whether the storage answers",
    ),
)  # fmt: skip
