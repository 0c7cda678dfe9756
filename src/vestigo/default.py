"""The default tracer of a program, and the wiring of parts that do not know each other."""

import logging
import math
import os
import threading
import time
from typing import Any

import vestigo.instrument as _instrument
from vestigo import semconv
from vestigo.diagnostics import counters, guard, trouble
from vestigo.errors import VestigoError
from vestigo.record import Batch, Log, Resource, Scope, Span, Trace
from vestigo.sdk import middleware as _middleware
from vestigo.sdk import pipeline as _pipeline
from vestigo.sdk import tracer as _tracer
from vestigo.sdk.ids import is_span_id, is_trace_id, new_trace_id
from vestigo.sdk.pipeline import Exporter, Pipeline
from vestigo.sdk.tracer import AnySpan, AttributesIn, Tracer
from vestigo.settings import Settings, default_storage_url, load_settings, resource_attributes
from vestigo.storage import open_storage
from vestigo.values import key_text, pack
from vestigo.version import VERSION

_lock = threading.RLock()
_default: Tracer | None = None


def configure(*, storage: Any = None, **settings: Any) -> Tracer:
    """Set up the default tracer, which `instrument`, `traced` and the middleware use; the former one is closed.

    `storage` is a storage URL, a Storage or any exporter; without one, `VESTIGO_STORAGE` or SQLite in
    `~/.vestigo`. The other settings are those of `vestigo.settings.Settings`. Raises SettingsError.
    """
    global _default
    named = storage if isinstance(storage, str) else None
    loaded = load_settings({**settings, "storage": named})
    tracer = Tracer(storage=default_storage_url(loaded) if storage is None else storage, settings=loaded)
    with _lock:
        former, _default = _default, tracer
    if former is not None:
        former.close()
    return tracer


def default_tracer() -> Tracer:
    """The tracer of `configure`; configured from the environment if the program did not. Raises SettingsError then."""
    tracer = _default
    if tracer is None:
        with _lock:
            tracer = _default or configure()
    return tracer


def shutdown() -> None:
    """Write what is left and close the default tracer; the next use configures a new one."""
    global _default
    with _lock:
        former, _default = _default, None
    if former is not None:
        former.close()


def traced(
    name: Any = None, /, *, kind: str | None = None, attributes: AttributesIn = None, capture: bool | None = None
) -> Any:
    """`Tracer.traced` with the default tracer as it is when the function is called."""
    return _tracer.traced(_willing_tracer, name, kind=kind, attributes=attributes, capture=capture)


def score(
    target: "Trace | Span | AnySpan | str",
    name: str,
    value: float | bool | str,
    comment: str | None = None,
    *,
    tracer: Tracer | None = None,
    attributes: AttributesIn = None,
) -> None:
    """Record feedback on a span or a trace: a number, a yes or no (1 or 0), or a label.

    `target` is a Span, a Trace, a trace id, or a span that is still open. Never raises: what makes no sense is counted
    as `dropped.score`.
    """
    with guard("score"):
        trace_id, span_id = _target(target)
        told = _told(value)
        if trace_id is None or told is None or not isinstance(name, str) or not name:
            counters.add("dropped.score")
            return
        said: dict[str, Any] = {semconv.EVALUATION_NAME: name, **told}
        if comment is not None:
            said[semconv.EVALUATION_EXPLANATION] = comment = str(comment)
        said.update({key_text(key): pack(item) for key, item in dict(attributes or {}).items()})
        pipeline = getattr(target, "pipeline", None)
        if tracer is not None or not isinstance(pipeline, Pipeline):
            pipeline = (tracer or default_tracer()).pipeline
        log = Log(
            time_ns=time.time_ns(),
            event_name=semconv.EVALUATION_EVENT,
            attributes=said,
            trace_id=trace_id,
            span_id=span_id,
            scope=Scope("vestigo", VERSION),
            resource=Resource(resource_attributes(pipeline.settings)),
            log_id=new_trace_id(),
        )
        pipeline.put_log(log, 500 + len(name) + len(comment or ""))


def _told(value: object) -> dict[str, Any] | None:
    """A label, or a finite number; None for what is neither."""
    if isinstance(value, str):
        return {semconv.EVALUATION_LABEL: value}
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return {semconv.EVALUATION_SCORE: number} if math.isfinite(number) else None


def _willing_tracer() -> Tracer:
    """The default tracer, or one that records nothing where the environment allows none: the program goes on."""
    global _default
    try:
        return default_tracer()
    except VestigoError as error:
        counters.add("failed.configure")
        trouble("failed.configure", f"nothing is recorded: {error}", level=logging.ERROR)
        with _lock:
            _default = _default or Tracer(storage=_Nowhere(), settings=Settings(disabled=True))
        return _default


class _Nowhere:
    """The storage of a tracer that records nothing."""

    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


def _target(target: Any) -> tuple[str | None, str | None]:
    if isinstance(target, str):
        return (target, None) if is_trace_id(target) else (None, None)
    trace_id = getattr(target, "trace_id", None)
    span_id = None if isinstance(target, Trace) else getattr(target, "span_id", None)
    if not isinstance(trace_id, str) or not is_trace_id(trace_id):
        return None, None
    return trace_id, span_id if isinstance(span_id, str) and is_span_id(span_id) else None


def _open(url: str, settings: Settings) -> Exporter:
    if url.startswith(("http://", "https://")):
        from vestigo.sdk.exporters import open_exporter  # noqa: PLC0415  only who sends loads what sending needs

        return open_exporter(url, settings)
    return open_storage(url, project=settings.project)


_pipeline.opener = _open
_instrument.get_tracer = default_tracer
_middleware.default_tracer = default_tracer


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # another thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

__all__ = ["configure", "default_tracer", "score", "shutdown", "traced"]
