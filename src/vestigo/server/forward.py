"""OTLP out: what was accepted is sent on to other receivers, each with a spool of its own.

`offer` returns when the records are in the spools, so that a killed server sends them when it is started again. It
never waits for a receiver and never fails what was accepted: what cannot be spooled is dropped and counted.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from vestigo.diagnostics import Counters, trouble
from vestigo.errors import ExportError, QueryError, SettingsError
from vestigo.filtertext import parse_filter
from vestigo.matching import TraceView, log_matches, span_matches
from vestigo.query import And, Filter, Not, Or, Within
from vestigo.record import Batch, Log, Point, Span, Trace
from vestigo.sdk.exporters import OTLPExporter, SpoolingExporter, spool_name, without_records
from vestigo.sdk.spool import Spool
from vestigo.server.content import without_content

if TYPE_CHECKING:
    from vestigo.server import Server

_DRAIN_S: Final = 1.0


class Figures(Struct, frozen=True):
    """Of one receiver since the start."""

    forwarded: int
    waiting_bytes: int
    dropped: int


class Forwarder:
    """Sends on to every receiver of the settings. Raises SettingsError for one that makes no sense."""

    def __init__(self, server: "Server") -> None:
        settings = server.settings
        self._filter = _filter_of(settings.forward_filter)
        self._content = settings.forward_content
        self._place = server.data_dir / "forward"
        self._limit = settings.spool_bytes
        self._exporters: dict[str, OTLPExporter] = {}
        for url in settings.forward:
            exporter = OTLPExporter(url, headers=settings.forward_headers)
            _refuse_ourselves(url, {settings.host, "localhost", "127.0.0.1", "::1"}, settings.port)
            self._exporters[exporter.endpoint.url] = exporter
        self._receivers: dict[str, SpoolingExporter] = {}
        self._lost: dict[str, Counters] = {url: Counters() for url in self._exporters}

    # --- life

    def start(self) -> None:
        """Open the spools, and begin to send what a former server left in them."""
        for url, exporter in self._exporters.items():
            spool = Spool(self._place / spool_name(url, ""), self._limit)
            self._receivers[url] = SpoolingExporter(exporter, spool, from_memory=False)

    def stop(self, timeout_s: float = _DRAIN_S) -> None:
        """Send what can be sent in time to all of them together; the rest stays in the spools."""
        deadline = time.monotonic() + timeout_s
        for receiver in self._receivers.values():
            receiver.drain(max(0.0, deadline - time.monotonic()))
            receiver.close()

    # --- records

    def offer(self, batch: Batch) -> None:
        """Take over what is to be sent on. Blocks for as long as the disk takes; never raises."""
        if not self._receivers:
            return
        try:
            wanted = self._wanted(batch)
        except Exception as error:
            self._lose("dropped.failed", len(batch), f"{type(error).__name__} while filtering")
            return
        for url, receiver in self._receivers.items() if len(wanted) else ():
            try:
                receiver.write(wanted)
            except ExportError as error:
                self._lose("dropped.disk", len(wanted), str(error), url)
            except Exception as error:
                self._lose("dropped.failed", len(wanted), type(error).__name__, url)

    def _wanted(self, batch: Batch) -> Batch:
        if self._filter is not None:
            traces: dict[str, Trace] = {}
            for span in batch.spans:
                traces.setdefault(span.trace_id, Trace(span.trace_id)).spans.append(span)
            views = {trace_id: TraceView(trace) for trace_id, trace in traces.items()}
            batch = Batch(
                [span for span in batch.spans if span_matches(self._filter, span, views[span.trace_id])],
                [log for log in batch.logs if _log_matches(self._filter, log)],
                batch.project,
                [point for point in batch.points if _log_matches(self._filter, _as_log(point))],
            )
        return batch if self._content else without_content(batch)

    def _lose(self, name: str, records: int, why: str, url: str | None = None) -> None:
        for lost in self._lost.values() if url is None else [self._lost[url]]:
            lost.add(name, records)
        trouble(f"forward.{name}", f"{records} records are not sent on to {url or 'anybody'}: {why}")

    def erase(self, gone: Callable[[Span | Log | Point], bool]) -> int:
        """Take records that match out of every spool; how many. Raises OSError, and then some may be left.

        What has been sent, or is being sent at this moment, is the receiver's to erase.
        """
        return sum(
            receiver.spool.erase(lambda frame: without_records(frame, gone)) for receiver in self._receivers.values()
        )

    # --- figures

    def losses(self) -> Counter[str]:
        """Records that were lost on the way, by `dropped.<reason>`, for all receivers."""
        found: Counter[str] = Counter()
        for lost in self._lost.values():
            found.update(lost.snapshot())
        for receiver in self._receivers.values():
            found.update({k: n for k, n in receiver.counters.snapshot().items() if k.startswith("dropped.")})
            found.update(receiver.spool.dropped)
        return found

    def figures(self) -> dict[str, Figures]:
        """By the receiver's address."""
        return {
            url: Figures(
                receiver.counters.get("exported"),
                receiver.spool.waiting_bytes,
                receiver.counters.get("dropped")
                + sum(receiver.spool.dropped.values())
                + self._lost[url].get("dropped"),
            )
            for url, receiver in self._receivers.items()
        }

    def watch(self, metrics: Any) -> None:
        """Show the figures at `/metrics`; `metrics` is a PrometheusMetrics."""
        for name, kind, about, field in (
            ("vestigo_forwarded_records", "counter", "Records that receivers took", "forwarded"),
            ("vestigo_forward_waiting_bytes", "gauge", "Spooled requests to receivers", "waiting_bytes"),
            ("vestigo_forward_dropped_records", "counter", "Records that were not sent on", "dropped"),
        ):
            metrics.watch(name, kind, about, self._reader(field), ("receiver",))

    def _reader(self, field: str) -> Callable[[], Mapping[tuple[str, ...], float]]:
        return lambda: {(url,): getattr(figures, field) for url, figures in self.figures().items()}


def _filter_of(text: str) -> Filter | None:
    try:
        found = parse_filter(text)
    except QueryError as error:
        raise SettingsError(f"setting forward_filter={text!r}: {error}") from None
    if _looks_around(found):
        raise SettingsError(f"setting forward_filter={text!r} asks for a whole trace, and spans come one by one")
    return found


def _looks_around(filter_: Filter | None) -> bool:
    match filter_:
        case Within():
            return True
        case And(parts) | Or(parts):
            return any(map(_looks_around, parts))
        case Not(part):
            return _looks_around(part)
        case _:
            return False


def _log_matches(filter_: Filter, log: Log) -> bool:
    """A filter on what logs do not have lets none of them through."""
    try:
        return log_matches(filter_, log)
    except QueryError:
        return False


def _as_log(point: Point) -> Log:
    return Log(point.time_ns, attributes=point.attributes, scope=point.scope, resource=point.resource)


def _refuse_ourselves(url: str, hosts: set[str], port: int) -> None:
    parts = urlsplit(url)
    if parts.hostname in hosts and parts.port == port:
        raise SettingsError(f"setting forward={url!r} is this server itself; give another receiver")


__all__ = ["Figures", "Forwarder"]
