"""From the bytes of a request to records that may be stored: decode, redact, normalize, price, cut.

The same work is done in the server's process and, under load, in child processes (`workers.py`); it knows no storage.
Redaction comes before anything that is kept or shown is made from a record, and a record that cannot be prepared is
rejected alone.
"""

import gc
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from vestigo import otlp, semconv
from vestigo.diagnostics import Counters, trouble
from vestigo.normalize import normalize
from vestigo.normalize.events import spans_of
from vestigo.normalize.logfire import ANNOUNCED, open_span
from vestigo.otlp import Form, Signal
from vestigo.prices import Prices
from vestigo.record import Batch, Log, Point, Resource, Scope, Span
from vestigo.redact import redactor_of
from vestigo.sdk.settle import cut, truncate_log, truncate_span
from vestigo.settings import ServerSettings
from vestigo.storage.sqlite.drafts import Draft, Drafter

R = TypeVar("R", Span, Log, Point)

SENT: Final = "sent:"
"""Before the author of a score that came by OTLP."""


class Prepared(Struct):
    """What became of one request's records."""

    batch: Batch
    rejected: int
    reasons: list[str]
    """Some of the reasons, for the answer."""


class Parcel(Struct, array_like=True):
    """A `Prepared` on its way from a child: resources and scopes once each, not once a record."""

    prepared: Prepared
    origins: list[tuple[Resource, Scope]]
    which: list[int]
    """For each span, log and point, in this order: its place in `origins`."""
    counts: dict[str, int]
    """What the child counted meanwhile: redactions by rule."""
    drafts: list[tuple[int, str, Draft]]
    """Place of the span, attribute, and what was worked out of it for the storage."""


class Preparer:
    """Prepares requests for one server. Safe from any thread."""

    def __init__(self, settings: ServerSettings, counters: Counters) -> None:
        self.redactor = redactor_of(settings, counters)
        self.prices = Prices(settings.prices or None)
        self._counters = counters
        self._settings = settings

    def prepare(self, signal: Signal, form: Form, data: bytes, project: str) -> Prepared:
        """Raises IngestError for a body that is no such request."""
        decoded = otlp.decode(signal, form, data, self._settings.max_records)
        batch = Batch(decoded.spans, decoded.logs, project, decoded.points)
        prepared = Prepared(batch, decoded.rejected, decoded.reasons)
        cap = self._settings.max_value_bytes
        self._finish(prepared, cap if len(data) > cap else None)
        return prepared

    def _finish(self, prepared: Prepared, cap: int | None) -> None:
        """Make decoded records ready to be stored, in place; those that fail are rejected.

        `cap` is the bytes of the longest value; None where none can be longer.
        """
        batch = prepared.batch
        if batch.logs:
            batch.logs = self._each(batch.logs, lambda log: self._log(log, cap), prepared)
            batch.spans += [span for log in batch.logs for span in spans_of(log)]
        batch.spans = self._each(batch.spans, lambda span: self._span(span, cap), prepared)
        batch.points = self._each(batch.points, lambda point: self._point(point, cap), prepared)

    def _each(self, records: Iterable[R], work: Callable[[R], None], prepared: Prepared) -> list[R]:
        kept: list[R] = []
        for record in records:
            try:
                work(record)
            except Exception as error:  # one record must not spoil the others
                prepared.rejected += 1
                prepared.reasons.append(f"a record could not be read: {type(error).__name__}")
                trouble("rejected.failed", f"a record was rejected: {type(error).__name__}", exc_info=True)
            else:
                kept.append(record)
        return kept

    def _span(self, span: Span, cap: int | None) -> None:
        if ANNOUNCED in span.attributes:
            open_span(span)
        if self.redactor is not None:
            self.redactor.span(span)
        form = span.normal = normalize(span)
        if form.usage is not None:
            form.cost = self.prices.price(form, span.start_ns)
        if cap is not None:
            truncate_span(span, cap)

    def _log(self, log: Log, cap: int | None) -> None:
        if semconv.AUTHOR in log.attributes:  # whoever may send must not speak for a person who logs in
            log.attributes[semconv.AUTHOR] = f"{SENT}{str(log.attributes[semconv.AUTHOR]).removeprefix(SENT)}"
        if self.redactor is not None:
            self.redactor.log(log)
        if cap is not None:
            truncate_log(log, cap)

    def _point(self, point: Point, cap: int | None) -> None:
        if self.redactor is not None:
            self.redactor.point(point)
        if cap is not None:
            cut(point.attributes, cap)


def collect_seldom() -> None:
    """Set the garbage collector for a process that makes many records and few cycles: a tenth of its time otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


# --- between processes


def pack_parcel(prepared: Prepared, counters: Counters, drafter: Drafter) -> bytes:
    """An encoded parcel; the counters, which are the child's own, begin anew. The records are used up."""
    drafts = drafter.drafts(prepared.batch.spans)
    counts = counters.snapshot()
    counters.reset()
    origins: list[tuple[Resource, Scope]] = []
    places: dict[tuple[int, int], int] = {}
    which: list[int] = []
    for record in _records(prepared.batch):
        key = (id(record.resource), id(record.scope))
        place = places.get(key)
        if place is None:
            place = places[key] = len(origins)
            origins.append((record.resource, record.scope))
        which.append(place)
    for record in _records(prepared.batch):
        record.resource, record.scope = _NO_RESOURCE, _NO_SCOPE
    return msgspec.msgpack.encode(Parcel(prepared, origins, which, counts, drafts))


def read_parcel(data: bytes, counters: Counters) -> Prepared:
    """What `pack_parcel` packed; its counts are added to the counters."""
    parcel = _decode_parcel(data)
    for record, place in zip(_records(parcel.prepared.batch), parcel.which, strict=True):
        record.resource, record.scope = parcel.origins[place]
    for name, count in parcel.counts.items():
        counters.add(name, count)
    spans = parcel.prepared.batch.spans
    parcel.prepared.batch.drafts = {id(spans[place].attributes[key]): draft for place, key, draft in parcel.drafts}
    return parcel.prepared


def _records(batch: Batch) -> Iterable[Span | Log | Point]:
    return chain(batch.spans, batch.logs, batch.points)


_NO_RESOURCE: Final = Resource()
_NO_SCOPE: Final = Scope()
_decode_parcel = msgspec.msgpack.Decoder(Parcel).decode
