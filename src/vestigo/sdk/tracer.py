"""The hot path: spans, the current span, the decorator. Runs in the caller's thread; `pipeline.py` does the rest.

A span holds its own parent. The context variable only says which span is current, and nothing here keeps a context
token: a `with` block that is closed in another context (a generator's, say) marks its span as lost, and whoever finds
a lost span as the current one goes on to that span's parent.
"""

import inspect
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

from msgspec import Struct

from vestigo import semconv
from vestigo.diagnostics import counters, guard
from vestigo.record import METADATA_PREFIX, Event, Link, Resource, Scope, Span, SpanKind, Status
from vestigo.sdk.ids import getrandbits, is_span_id, is_trace_id, new_span_id, new_trace_id, trace_id_from
from vestigo.sdk.pipeline import Pipeline
from vestigo.settings import Settings, load_settings, resource_attributes
from vestigo.values import describe_error, pack, unpack
from vestigo.version import VERSION

P = ParamSpec("P")
R = TypeVar("R")
AttributesIn: TypeAlias = Mapping[str, Any] | None

_time_ns = time.time_ns
_clock_ns = time.perf_counter_ns
_SPAN_BYTES = 1_000  # what a record without text takes in memory, sys.getsizeof of its parts
_STACK_CHARACTERS = 20_000
_MAX_EVENTS = 10_000


class Head(Protocol):
    """Decides at the start of a trace whether it is recorded at all."""

    def __call__(self, trace_id: str, name: str, attributes: AttributesIn) -> float:
        """How many traces this one stands for, at least 1; 0 leaves it out."""
        ...


class RemoteParent(Struct, frozen=True, eq=False):
    """The span of another process that called us, as read from its headers."""

    trace_id: str
    span_id: str | None = None
    """None where the caller told only a trace id."""
    sampled: bool | None = None
    """None where the caller did not say."""
    trace_state: str = ""
    weight: float = 1.0
    correlation_id: str | None = None
    baggage: dict[str, str] = {}
    plain: bool = False


class ActiveSpan(Struct, eq=False, gc=False):
    """A span that is being recorded: what `tracer.span()` gives, to use as a context manager or to end by hand."""

    record: Span
    pipeline: Pipeline
    previous: "Current"
    """What was current when this span was made; its parent, unless that is lost."""
    started_ns: int
    size: int
    plain: bool = True
    """False once the span ended in another context than the one it was entered in."""
    started: bool = False
    """True where no `with` block keeps the span current, but `start_span` made it so."""
    seen_error: int = 0
    """`_identity` of the exception that a child has told in full, so that its stack is written once."""

    # --- what the program does with it

    def attribute(self, key: str, value: object) -> None:
        """Set an attribute. Scalars are kept as they are; containers and objects are copied, within bounds."""
        record = self.record
        if record.end_ns is not None:
            counters.add("dropped.late")  # it is the worker's now, and perhaps written already
            return
        kind = type(value)
        if kind is str:
            self.size += len(value)  # type: ignore[arg-type]
        elif kind is not int and kind is not float and kind is not bool:
            value = pack(value)
            self.size += len(value)
        try:
            record.attributes[key] = value  # type: ignore[assignment]
        except Exception as error:  # a key that cannot be hashed
            _swallow("attribute", error)

    def update(self, attributes: AttributesIn) -> None:
        """Set several attributes. Anything but a mapping is counted and left out."""
        try:
            for key, value in dict(() if attributes is None else attributes).items():
                self.attribute(key, value)
        except Exception as error:
            _swallow("attribute", error)

    def event(self, name: str, attributes: AttributesIn = None) -> None:
        """Record that something happened now."""
        with guard("event"):
            events = self.record.events
            if self._is_late():
                return
            if len(events) >= _MAX_EVENTS:
                counters.add("dropped.events")
                return
            kept, size = _copy(attributes)
            events.append(Event(self.record.start_ns + _clock_ns() - self.started_ns, _text(name), kept))
            self.size += size + 100

    def link(self, other: "AnySpan | Link | RemoteParent", attributes: AttributesIn = None) -> None:
        """Point to a span that is not the parent, such as one whose result is used here."""
        with guard("link"):
            if self._is_late():
                return
            trace_id, span_id = other.trace_id, other.span_id or ""
            if not is_trace_id(trace_id) or (span_id and not is_span_id(span_id)):
                raise ValueError(span_id)
            kept, size = _copy(other.attributes if attributes is None and isinstance(other, Link) else attributes)
            state = other.record.trace_state if isinstance(other, ActiveSpan) else other.trace_state
            self.record.links.append(Link(trace_id, span_id, kept, state))
            self.size += size + 100

    def set_status(self, status: Status, message: str = "") -> None:
        """`OK` or `ERROR` with a message; anything else is counted and left out."""
        with guard("status"):
            if status not in {"UNSET", "OK", "ERROR"}:
                raise ValueError(status)
            if not self._is_late():
                self.record.status, self.record.status_message = status, _text(message)

    def exception(self, error: BaseException, *, stack: bool = True) -> None:
        """Record an exception as an event and the span as failed."""
        with guard("exception"):
            if self._is_late():
                return
            name = _error_name(error)
            attributes: dict[str, Any] = {
                semconv.EXCEPTION_TYPE: name,
                semconv.EXCEPTION_MESSAGE: describe_error(error),
            }
            seen = _identity(error)
            if stack and self.seen_error != seen:
                attributes[semconv.EXCEPTION_STACK] = _stack(error)
            if isinstance(self.previous, ActiveSpan):
                self.previous.seen_error = seen
            self.event("exception", attributes)
            self.record.attributes.setdefault(semconv.ERROR_TYPE, name)
            self.set_status("ERROR", attributes[semconv.EXCEPTION_MESSAGE] or name)

    def end(self, end_ns: int | None = None) -> None:
        """End the span and hand it over. Ending it again, or in a forked child of its process, does nothing.

        What `start_span` made current stops being so. An `end_ns` before the start counts as the start.
        """
        if self.started and _is_below(_current.get(), self):
            _current.set(self.previous)
        record = self.record
        pipeline = self.pipeline
        if pipeline.open.pop(record.span_id, None) is None:
            return
        record.end_ns = record.start_ns + _clock_ns() - self.started_ns
        if end_ns is not None:
            with guard("end"):
                record.end_ns = _checked_ns(end_ns, record.start_ns)
        pipeline.put(self, self.size)

    # --- as a context manager

    def __enter__(self) -> "ActiveSpan":
        _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if error is not None:
                self._fail(error)
            if _current.get() is self:
                _current.set(self.previous)
            else:
                self._leave(error)
        except RecursionError as deep:  # the program has used up its stack; what is raised is its own affair
            _swallow("exit", deep)
        record = self.record
        pipeline = self.pipeline
        if pipeline.open.pop(record.span_id, None) is not None:
            record.end_ns = record.start_ns + _clock_ns() - self.started_ns
            pipeline.put(self, self.size)

    async def __aenter__(self) -> "ActiveSpan":
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, GeneratorExit):
            self.attribute(semconv.ABANDONED, True)
        else:
            self.exception(error)

    def _is_late(self) -> bool:
        if self.record.end_ns is None:
            return False
        counters.add("dropped.late")
        return True

    def _leave(self, error: BaseException | None) -> None:
        """Stop being current although another span is: step below our leftover children, or be lost."""
        if not isinstance(error, GeneratorExit) and _is_below(_current.get(), self):
            _current.set(self.previous)
        else:  # we end in another context than the one that we were entered in
            self.plain = False

    # --- what it says of itself

    @property
    def recording(self) -> bool:
        """True until the span has ended."""
        return self.record.end_ns is None

    @property
    def trace_id(self) -> str:
        return self.record.trace_id

    @property
    def span_id(self) -> str:
        return self.record.span_id

    @property
    def parent_id(self) -> str | None:
        return self.record.parent_id

    @property
    def name(self) -> str:
        return self.record.name

    @name.setter
    def name(self, name: str) -> None:
        if not self._is_late():
            self.record.name = _text(name)

    @property
    def attributes(self) -> dict[str, Any]:
        """A readable copy of the attributes so far."""
        items = self.record.attributes.copy().items()
        return {key: unpack(value) if isinstance(value, bytes) else value for key, value in items}

    @property
    def events(self) -> list[Event]:
        """A copy of the events so far."""
        return [
            Event(event.time_ns, event.name, {key: _unpacked(value) for key, value in event.attributes.items()})
            for event in self.record.events.copy()
        ]

    @property
    def status(self) -> Status:
        return self.record.status

    @property
    def error_message(self) -> str | None:
        return self.record.error_message

    @property
    def start_time(self) -> float:
        """Seconds since 1970, UTC."""
        return self.record.start_time

    @property
    def end_time(self) -> float | None:
        """Seconds since 1970, UTC; None while the span is open."""
        return self.record.end_time

    @property
    def duration_ms(self) -> float | None:
        """None while the span is open."""
        return self.record.duration_ms

    @property
    def root_span_id(self) -> str:
        """The span id of the outermost span of this process in this trace."""
        top = self
        while isinstance(top.previous, ActiveSpan) and top.previous.trace_id == self.trace_id:
            top = top.previous
        return top.span_id

    @property
    def metadata(self) -> dict[str, Any]:
        """What `tracer.trace(metadata=...)` was given."""
        cut = len(METADATA_PREFIX)
        return {key[cut:]: value for key, value in self.attributes.items() if key.startswith(METADATA_PREFIX)}


class SilentSpan:
    """Stands for a span that is not recorded: takes every call of ActiveSpan and does nothing."""

    __slots__ = ("inert", "previous", "span_id", "trace_id", "trace_state")

    plain = False
    recording = False
    parent_id: str | None = None
    status: Status = "UNSET"
    error_message: str | None = None
    start_time = 0.0
    end_time: float | None = None
    duration_ms: float | None = None
    seen_error = 0

    def __init__(self, trace_id: str, span_id: str, previous: "Current" = None, trace_state: str = "") -> None:
        self.trace_id, self.span_id, self.trace_state = trace_id, span_id, trace_state
        self.previous = previous
        self.inert: SilentSpan = self

    # str.format takes any arguments and answers "", which is false: leaving costs no Python call
    __exit__ = "".format

    def __enter__(self) -> "SilentSpan":
        return self

    async def __aenter__(self) -> "SilentSpan":
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__(*_)

    def attribute(self, key: str, value: object) -> None: ...
    def update(self, attributes: AttributesIn) -> None: ...
    def event(self, name: str, attributes: AttributesIn = None) -> None: ...
    def link(self, other: object, attributes: AttributesIn = None) -> None: ...
    def set_status(self, status: Status, message: str = "") -> None: ...
    def exception(self, error: BaseException, *, stack: bool = True) -> None: ...
    def end(self, end_ns: int | None = None) -> None: ...

    @property
    def name(self) -> str:
        return ""

    @name.setter
    def name(self, name: str) -> None: ...

    @property
    def attributes(self) -> dict[str, Any]:
        return {}

    @property
    def events(self) -> list[Event]:
        return []

    @property
    def metadata(self) -> dict[str, Any]:
        return {}

    @property
    def root_span_id(self) -> str:
        return self.span_id


class SilentRoot(SilentSpan):
    """The root of a trace that sampling left out; current while it lasts, so that its children are left out too."""

    __slots__ = ("lost",)

    def __init__(self, trace_id: str, span_id: str, previous: "Current", trace_state: str) -> None:
        super().__init__(trace_id, span_id, previous, trace_state)
        self.lost = False
        self.inert = SilentSpan(trace_id, span_id, None, trace_state)

    def __enter__(self) -> "SilentRoot":
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:  # type: ignore[override]
        if _is_below(_current.get(), self):
            _current.set(self.previous)
        else:
            self.lost = True

    def end(self, end_ns: int | None = None) -> None:  # noqa: ARG002  ActiveSpan's
        if _current.get() is self:
            _current.set(self.previous)


AnySpan: TypeAlias = ActiveSpan | SilentSpan
Current: TypeAlias = ActiveSpan | SilentSpan | RemoteParent | None

_current: ContextVar[Current] = ContextVar("vestigo_current", default=None)
_OFF = SilentSpan("0" * 32, "0" * 16)


def current_span() -> AnySpan | None:
    """The span that new spans become children of, or None; never a lost one."""
    found = _found()
    return found if isinstance(found, ActiveSpan | SilentSpan) else None


def current_context() -> Current:
    """The current span, or the remote parent that was attached where there is none."""
    return _found()


class attach:  # noqa: N801  used like a function
    """Make a span or a remote parent current for a `with` block, without ending it."""

    __slots__ = ("_before", "_context")

    def __init__(self, context: Current) -> None:
        self._context = context
        self._before: Current = None

    def __enter__(self) -> Current:
        self._before = _current.get()
        _current.set(self._context)
        return self._context

    def __exit__(self, *_: object) -> None:
        if _is_below(_current.get(), self._context):  # also where spans below it were left open
            _current.set(self._before)


class _Inside:
    """What is current inside a generator, put in place for each of its steps and never held across a `yield`."""

    __slots__ = ("_before", "_current")

    def __init__(self, span: Current) -> None:
        self._current = span
        self._before: Current = None

    def __enter__(self) -> None:
        self._before = _current.get()
        _current.set(self._current)

    def __exit__(self, *_: object) -> None:
        self._current = _current.get()  # the generator's own `with` blocks may have left it at another
        _current.set(self._before)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function with the span that is current now, for another thread: `pool.submit(carry(work), 1)`.

    Python copies no context into threads (before 3.14), so what runs there would start traces of its own.
    """
    context = current_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with attach(context):
            return function(*args, **kwargs)

    return run


class Tracer:
    """Makes spans for one program and hands them to a storage.

    `storage` is a Storage, anything with `write(batch)`, a storage URL, or None for one in memory. Settings not given
    come from the environment. Raises SettingsError for arguments that make no sense; nothing raises afterwards.
    """

    def __init__(
        self,
        service_name: str | None = None,
        storage: Any = None,
        *,
        settings: Settings | None = None,
        head: Head | None = None,
        **more: Any,
    ) -> None:
        if settings is None:
            settings = load_settings({"service": service_name, **more})
        self.settings = settings
        self.resource = Resource(resource_attributes(settings))
        self.scope = Scope("vestigo", VERSION)
        self.pipeline = Pipeline.of(storage, settings)
        self._open = self.pipeline.open
        self._head = head or self.pipeline.head
        self._off = settings.disabled
        if settings.disabled:
            self.span = self._off_span  # type: ignore[method-assign]  chosen once, not asked on each call

    @property
    def service_name(self) -> str:
        return self.settings.service

    @property
    def storage(self) -> Any:
        """Where the records go. Reading it, or from it, first writes what has ended so far."""
        return self.pipeline.exporter

    # --- spans

    def span(
        self,
        name: str,
        attributes: AttributesIn = None,
        *,
        kind: SpanKind = "INTERNAL",
        links: list[Link] | None = None,
    ) -> AnySpan:
        """A span below the current one, for a `with` block; a new trace where there is none."""
        parent = _current.get()
        if parent is not None and parent.plain:
            above = parent.record  # type: ignore[union-attr]
            trace_id, parent_id, state, weight = above.trace_id, above.span_id, above.trace_state, above.weight
        elif parent is None and self._head is None:
            trace_id, parent_id, state, weight = getrandbits(128).to_bytes(16).hex(), None, "", 1.0
        elif type(parent) is SilentRoot and not parent.lost:
            return parent.inert
        else:
            return self._span_below(_found(), name, attributes, kind, links)
        record = Span(
            trace_id, getrandbits(64).to_bytes(8).hex(), name, _time_ns(), parent_id, None, kind,
            "UNSET", "", {}, [], [], self.scope, self.resource, state, weight,
        )  # fmt: skip
        span = ActiveSpan(record, self.pipeline, parent, _clock_ns(), _SPAN_BYTES)
        self._open[record.span_id] = span
        if attributes is not None:
            span.update(attributes)
        if links is not None:
            _add_links(span, links)
        return span

    def trace(
        self,
        name: str | None = None,
        metadata: AttributesIn = None,
        trace_id: str | None = None,
        *,
        attributes: AttributesIn = None,
        kind: SpanKind = "INTERNAL",
    ) -> AnySpan:
        """A new trace with a root span, for a `with` block.

        Joins the remote parent if one is attached and no trace id is given; inside another trace, links to it. A
        `trace_id` that is neither 32 hex digits nor a UUID is kept as `correlation.id`, and the trace id derived.
        """
        if self._off:
            return _OFF
        above = _found()
        correlation = None
        if trace_id is not None:
            given, correlation = trace_id_from(_text(trace_id))
            parent = RemoteParent(given, None)
        elif isinstance(above, RemoteParent):
            parent = above
        else:
            parent = RemoteParent(new_trace_id())
        label = self.settings.service if name is None else _text(name) or self.settings.service
        span = self._root(parent, label, attributes, kind, None, above)
        if isinstance(span, ActiveSpan):
            if correlation is not None:
                span.attribute(semconv.CORRELATION_ID, correlation)
            if isinstance(above, ActiveSpan):
                span.link(above)
            with guard("metadata"):
                for key, value in dict(() if metadata is None else metadata).items():
                    span.attribute(f"{METADATA_PREFIX}{_text(key)}", value)
        return span

    def event(self, name: str, attributes: AttributesIn = None) -> None:
        """Record an event on the current span; counted as `dropped.no_span` where there is none."""
        span = _current.get()
        if span is None or not span.plain:
            span = current_span()
            if span is None:
                counters.add("dropped.no_span")
                return
        span.event(name, attributes)  # type: ignore[union-attr]

    def attribute(self, key: str, value: object) -> None:
        """Set an attribute of the current span; counted as `dropped.no_span` where there is none."""
        span = _current.get()
        if span is None or not span.plain:
            span = current_span()
            if span is None:
                counters.add("dropped.no_span")
            elif span.recording:
                span.attribute(key, value)
            return
        span.attribute(key, value)  # type: ignore[union-attr]

    def exception(self, error: BaseException) -> None:
        """Record an exception on the current span and mark it as failed."""
        span = current_span()
        if span is not None:
            span.exception(error)

    # --- for code without a `with`

    def start_trace(
        self, name: str | None = None, metadata: AttributesIn = None, trace_id: str | None = None
    ) -> AnySpan:
        """Like `trace`, and current at once; `end_trace` ends it."""
        return _make_current(self.trace(name, metadata, trace_id))

    def start_span(
        self, name: str, attributes: AttributesIn = None, parent: AnySpan | None = None, *, kind: SpanKind = "INTERNAL"
    ) -> AnySpan:
        """Like `span`, and current at once; below `parent` where one is given. `end_span` ends it."""
        if parent is None:
            return _make_current(self.span(name, attributes, kind=kind))
        return _make_current(self.child(parent, name, attributes, kind=kind))

    def child(
        self, parent: Current, name: str, attributes: AttributesIn = None, *, kind: SpanKind = "INTERNAL"
    ) -> AnySpan:
        """A span below the given one, or a new trace for None; not current until it is entered."""
        if self._off:
            return _OFF
        if parent is not None and not isinstance(parent, ActiveSpan | SilentSpan | RemoteParent):
            _swallow("parent", TypeError(type(parent).__name__))
            parent = _found()
        return self._span_below(parent, name, attributes, kind, None)

    def end_span(
        self, span: AnySpan | None = None, error: BaseException | None = None, *, status: Status | None = None
    ) -> None:
        """End a span, by default the current one, as failed if an error is given."""
        if span is None:
            span = current_span()
            if span is None:
                counters.add("dropped.no_span")
                return
        with guard("end"):
            if status is not None:
                span.set_status(status)
            span.__exit__(None if error is None else type(error), error, None)

    def end_trace(self, trace: AnySpan | None = None, error: BaseException | None = None) -> None:
        """End a trace's root span, by default the outermost current one, and what is still open below it."""
        span = current_span()
        if trace is None:
            trace = span
            while isinstance(trace, ActiveSpan) and isinstance(trace.previous, ActiveSpan):
                trace = trace.previous
        while isinstance(span, ActiveSpan) and span is not trace and span.trace_id == getattr(trace, "trace_id", None):
            span.__exit__(None, None, None)
            span = span.previous if isinstance(span.previous, ActiveSpan) else None
        self.end_span(trace, error)

    # --- the decorator

    @overload
    def traced(self, name: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def traced(
        self,
        name: str | None = None,
        /,
        *,
        kind: str | None = None,
        attributes: AttributesIn = None,
        capture: bool | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def traced(
        self,
        name: Any = None,
        /,
        *,
        kind: str | None = None,
        attributes: AttributesIn = None,
        capture: bool | None = None,
    ) -> Any:
        """Record each call of a function as a span: plain, async, generator or async generator.

        `kind` is our word for what it is (`tool`, `chain`, `agent`, ...). `capture` keeps the arguments and the result;
        by default only for tools. A generator's span is current only while the generator runs, never in between.
        """
        return traced(lambda: self, name, kind=kind, attributes=attributes, capture=capture)

    # --- the end

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Write what has ended and show what is open; False if that took longer than the timeout."""
        return self.pipeline.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, stop the worker and close the storage if the tracer opened it; later spans are counted as dropped."""
        self.pipeline.close(self.settings.exit_timeout_s if timeout_s is None else timeout_s)

    # --- off the hot path

    def _off_span(
        self,
        name: str,  # noqa: ARG002  the signature of `span`
        attributes: AttributesIn = None,  # noqa: ARG002
        *,
        kind: SpanKind = "INTERNAL",  # noqa: ARG002
        links: list[Link] | None = None,  # noqa: ARG002
    ) -> AnySpan:
        return _OFF

    def _span_below(
        self, parent: Current, name: str, attributes: AttributesIn, kind: SpanKind, links: list[Link] | None
    ) -> AnySpan:
        if isinstance(parent, SilentSpan):
            return parent.inert
        if parent is None:
            parent = RemoteParent(new_trace_id())
        if isinstance(parent, RemoteParent):
            return self._root(parent, name, attributes, kind, links, _found())
        above = parent.record
        record = Span(above.trace_id, new_span_id(), name, _time_ns(), above.span_id, None, kind)
        record.trace_state, record.weight = above.trace_state, above.weight
        return self._start(record, attributes, links, parent)

    def _root(
        self,
        parent: RemoteParent,
        name: str,
        attributes: AttributesIn,
        kind: SpanKind,
        links: list[Link] | None,
        above: Current,
    ) -> AnySpan:
        weight = parent.weight
        if parent.sampled is None and self._head is not None:
            with guard("sampling"):
                weight = self._head(parent.trace_id, _text(name), attributes)
        if weight <= 0 or parent.sampled is False:
            counters.add("sampled_out.traces")
            return SilentRoot(parent.trace_id, new_span_id(), above, parent.trace_state)
        record = Span(parent.trace_id, new_span_id(), name, _time_ns(), parent.span_id, None, kind)
        record.trace_state, record.weight = parent.trace_state, weight
        span = self._start(record, attributes, links, above)
        if parent.correlation_id is not None:
            span.attribute(semconv.CORRELATION_ID, parent.correlation_id)
        return span

    def _start(self, record: Span, attributes: AttributesIn, links: list[Link] | None, above: Current) -> ActiveSpan:
        record.scope, record.resource = self.scope, self.resource
        span = ActiveSpan(record, self.pipeline, above, _clock_ns(), _SPAN_BYTES)
        self._open[record.span_id] = span
        if attributes is not None:
            span.update(attributes)
        if links is not None:
            _add_links(span, links)
        return span


def traced(
    tracer: Callable[[], Tracer],
    name: Any = None,
    *,
    kind: str | None = None,
    attributes: AttributesIn = None,
    capture: bool | None = None,
) -> Any:
    """`Tracer.traced` for a tracer that is only known when the function is called."""
    keep = kind == "tool" if capture is None else capture

    def decorate(function: Any) -> Any:
        if isinstance(function, staticmethod | classmethod):
            return type(function)(decorate(function.__func__))
        label = name if isinstance(name, str) else getattr(function, "__qualname__", None) or type(function).__name__
        call = _Call(tracer, label, kind, attributes, function if keep else None)
        if inspect.isasyncgenfunction(function):
            return wraps(function)(_async_generator(call, function))
        if inspect.isgeneratorfunction(function):
            return wraps(function)(_generator(call, function))
        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):

            @wraps(function)
            async def run(*args: Any, **kwargs: Any) -> Any:
                with call.start(args, kwargs) as span:
                    return call.result(span, await function(*args, **kwargs))

            return run

        @wraps(function)
        def run_now(*args: Any, **kwargs: Any) -> Any:
            with call.start(args, kwargs) as span:
                return call.result(span, function(*args, **kwargs))

        return run_now

    return decorate(name) if callable(name) or isinstance(name, classmethod) else decorate


class _Call:
    """What every call of one decorated function records."""

    def __init__(
        self,
        tracer: Callable[[], Tracer],
        name: str,
        kind: str | None,
        attributes: AttributesIn,
        captured: Callable[..., Any] | None,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes: dict[str, Any] = dict(() if attributes is None else attributes)
        if kind is not None:
            self._attributes[semconv.SPAN_TYPE] = kind
        tool = kind == "tool"
        if tool:
            self._attributes.setdefault(semconv.OPERATION, "execute_tool")
            self._attributes.setdefault(semconv.TOOL_NAME, name.rpartition(".")[2])
        self._signature = _signature(captured) if captured else None
        self._keep = captured is not None
        self._input = semconv.TOOL_ARGUMENTS if tool else "input.value"
        self._output = semconv.TOOL_RESULT if tool else "output.value"

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AnySpan:
        span = self._tracer().span(self._name, self._attributes)
        if self._keep and span.recording:
            with guard("arguments"):
                span.attribute(self._input, self._arguments(args, kwargs))
        return span

    def result(self, span: AnySpan, value: R) -> R:
        if self._keep and span.recording:
            with guard("result"):
                span.attribute(self._output, value)
        return value

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._signature is not None:
            try:
                bound = self._signature.bind(*args, **kwargs).arguments
                return {name: value for name, value in bound.items() if name not in {"self", "cls"}}
            except TypeError:  # the call itself will raise it
                pass
        return {"args": args, **kwargs} if args else kwargs


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _generator(call: _Call, function: Callable[..., Any]) -> Callable[..., Generator[Any, Any, Any]]:
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = call.start(args, kwargs)
        inside = _Inside(span)
        try:
            inner = function(*args, **kwargs)
            step: Callable[[], Any] = lambda: next(inner)  # noqa: E731
            while True:
                with inside:
                    item = step()
                try:
                    sent = yield item
                    step = (lambda: next(inner)) if sent is None else (lambda sent=sent: inner.send(sent))
                except GeneratorExit:
                    with inside:
                        inner.close()
                    raise
                except BaseException as error:  # thrown in by the caller: the generator's business
                    step = lambda error=error: inner.throw(error)  # noqa: E731
        except StopIteration as stop:
            span.end()
            return stop.value
        except BaseException as error:
            _end_failed(span, error)
            raise

    return run


def _async_generator(call: _Call, function: Callable[..., Any]) -> Callable[..., AsyncGenerator[Any, Any]]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = call.start(args, kwargs)
        inside = _Inside(span)
        try:
            inner = function(*args, **kwargs)
            step: Callable[[], Any] = lambda: anext(inner)  # noqa: E731
            while True:
                with inside:
                    item = await step()
                try:
                    sent = yield item
                    step = (lambda: anext(inner)) if sent is None else (lambda sent=sent: inner.asend(sent))
                except GeneratorExit:
                    with inside:
                        await inner.aclose()
                    raise
                except BaseException as error:  # thrown in by the caller: the generator's business
                    step = lambda error=error: inner.athrow(error)  # noqa: E731
        except StopAsyncIteration:
            span.end()
        except BaseException as error:
            _end_failed(span, error)
            raise

    return run


def _end_failed(span: AnySpan, error: BaseException) -> None:
    if isinstance(error, GeneratorExit):
        span.attribute(semconv.ABANDONED, True)
    else:
        span.exception(error)
    span.end()


def _found() -> Current:
    """The current span or remote parent, past any that ended in another context."""
    found = _current.get()
    while (isinstance(found, ActiveSpan) and not found.plain) or (isinstance(found, SilentRoot) and found.lost):
        found = found.previous
    return found


def _is_below(inner: Current, outer: Current) -> bool:
    """True for the same, and for a span that was made while the outer one was current."""
    while inner is not outer and isinstance(inner, ActiveSpan | SilentSpan):
        inner = inner.previous
    return inner is outer


def _make_current(span: AnySpan) -> AnySpan:
    if isinstance(span, ActiveSpan):
        span.started = True
    return span.__enter__()


def _add_links(span: ActiveSpan, links: "list[Link]") -> None:
    with guard("link"):
        for link in links:
            span.link(link)


def _copy(attributes: AttributesIn) -> tuple[dict[str, Any], int]:
    """Attributes copied as `ActiveSpan.attribute` does, and their size in bytes."""
    kept: dict[str, Any] = {}
    size = 0
    for key, value in dict(() if attributes is None else attributes).items():
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind is not int and kind is not float and kind is not bool:
            value = pack(value)  # noqa: PLW2901
            size += len(value)
        kept[_text(key)] = value
    return kept, size


def _unpacked(value: Any) -> Any:
    return unpack(value) if isinstance(value, bytes) else value


def _text(value: object) -> str:
    return value if type(value) is str else describe_error(cast("BaseException", value))


def _error_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _stack(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as failed:  # it asks the program's classes for their names and texts
        return f"<cannot read stack: {type(failed).__name__}>"
    return text if len(text) <= _STACK_CHARACTERS else "…" + text[-_STACK_CHARACTERS:]


def _identity(error: BaseException) -> int:
    """Tells this exception from others; where it was raised counts too, since id() is soon used again."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return hash((id(error), None if tb is None else (id(tb.tb_frame.f_code), tb.tb_lasti)))


def _checked_ns(end_ns: int, start_ns: int) -> int:
    given = int(end_ns)
    if not 0 <= given < 1 << 63:
        raise ValueError(given)
    return max(given, start_ns)


def _swallow(what: str, error: Exception) -> None:
    """`guard` for where entering one on each call would cost too much."""
    with guard(what):
        raise error


__all__ = [
    "ActiveSpan", "AnySpan", "Current", "Head", "RemoteParent", "SilentSpan", "Tracer", "attach", "carry",
    "current_context", "current_span", "is_span_id", "is_trace_id", "traced",
]  # fmt: skip
