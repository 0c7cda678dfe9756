"""Replaces functions of other libraries so that their calls are recorded, and puts them back.

Only this module patches, tells plain from async, follows streams and undoes. What a library's calls mean stands in a
file of its own, as a `Library`: a list of `Call`s with pure functions. A call keeps its arguments, its result, its
exceptions and its laziness; of a stream only the HTTP response underneath is listened to, so that its type and order
stay. All of ours runs under `diagnostics.guard`.
"""

import inspect
import time
import types
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, Final

from msgspec import Struct

from vestigo import semconv
from vestigo.diagnostics import guard
from vestigo.errors import SettingsError
from vestigo.instrument.bodies import Assembler, decode_json, listen
from vestigo.record import Attributes
from vestigo.sdk.tracer import ActiveSpan, AnySpan, Tracer, attach, current_span

_clock_ns = time.perf_counter_ns
_MARK: Final = "vestigo_patch"


# --- what a library's file says


class Asked(Struct):
    """One call, as its arguments tell it."""

    name: str
    attributes: dict[str, Any]
    content: Callable[[], dict[str, Any]]
    """More attributes, which take time to make: called only if the span is recorded."""
    answered: Callable[[Any], dict[str, Any]]
    """Attributes from the result, or from the decoded JSON body of a raw response."""
    assembler: Callable[[], Assembler] | None
    """For a call that asks for a stream of events."""
    args: tuple[Any, ...]
    """The arguments to call with: those that came, unless the program opted into a change."""
    kwargs: dict[str, Any]
    decode: Callable[[bytes], Any] = decode_json


class Call(Struct, frozen=True):
    """One function of a library that is recorded: `module:Class` and the method."""

    owner: str
    method: str
    ask: "Callable[[Any, tuple[Any, ...], dict[str, Any], Recorder], Asked | None]"
    """None for a call that is not recorded."""
    body: Callable[[Any], Any]
    """The HTTP response inside a result whose body the program reads itself, or None for a finished result."""
    failed: Callable[[BaseException], dict[str, Any]]
    """What an exception says of the call."""


class Note(Struct, frozen=True):
    """A function inside a call, of which only something in its arguments is noted on the call's span."""

    owner: str
    method: str
    read: Callable[[dict[str, Any]], dict[str, Any] | None]


class Library(Struct, frozen=True):
    """All that is recorded of one library."""

    name: str
    module: str
    calls: tuple[Call, ...]
    notes: tuple[Note, ...] = ()
    copies: tuple[str, ...] = ()
    """Methods of a client that answer a new client, which is recorded as well."""


class Outcome(Struct):
    """One finished call, for whoever wants to know beside the span."""

    span: AnySpan
    attributes: Attributes
    content: Attributes
    """What `Asked.content` gave: messages and tools."""
    latency_ns: int
    error: BaseException | None = None


class Recorder(Struct, eq=False):
    """Who records: asked for at each call, the newest one wins."""

    tracer: Callable[[], Tracer]
    stream_usage: bool = False
    told: Callable[[Outcome], None] | None = None
    by: object = None
    """Who asked for it, to find it again when it is to be removed."""


# --- patching and undoing


def patch_library(library: Library, recorder: Recorder) -> Callable[[], None]:
    """Record all calls of a library; the answer undoes it. Raises SettingsError where the library is not as known."""
    owners = [(_resolve(library, part.owner, part.method), part) for part in (*library.calls, *library.notes)]
    patches = [_patch(owner, part, _Recorders(None)) for owner, part in owners]
    for patch in patches:
        patch.recorders.own.append(recorder)
    return lambda: _remove(patches, recorder)


def patch_client(library: Library, client: Any, recorder: Recorder) -> None:
    """Record the calls of one client and of the copies that it makes. Raises SettingsError for another's client."""
    parts = [
        part
        for part in (*library.calls, *library.notes)
        if isinstance(client, _resolve(library, part.owner, part.method))
    ]
    if not parts:
        known = " or ".join(sorted({call.owner.replace(":", ".") for call in library.calls}))
        raise SettingsError(f"cannot wrap {type(client).__name__}; give a client of class {known}")
    recorders = _patch_parts(library, client, parts, _Recorders(None))
    recorders.own = [other for other in recorders.own if other.by is not recorder.by]
    recorders.own.append(recorder)


def unpatch_client(client: Any, by: object) -> bool:
    """Remove the recorders of `by` from one client and from its copies; False if there was none."""
    patches = [mark for mark in map(_mark, list(getattr(client, "__dict__", {}).values())) if mark is not None]
    gone = {id(recorder): recorder for patch in patches for recorder in patch.recorders.own if recorder.by is by}
    for recorder in gone.values():
        _remove(patches, recorder)
    return bool(gone)


def _patch_parts(library: Library, client: Any, parts: "list[Call | Note]", recorders: "_Recorders") -> "_Recorders":
    """The recorders of the client: those given, or those that it has already."""
    for part in (*parts, *(_Copies(method, library, parts) for method in library.copies)):
        recorders = _patch(client, part, recorders).recorders
    return recorders


class _Recorders:
    """Who records at one place, the newest last; a copied client also has those of the client it was copied from."""

    __slots__ = ("_above", "own")

    def __init__(self, above: "_Recorders | None") -> None:
        self.own: list[Recorder] = []
        self._above = above

    def newest(self) -> Recorder | None:
        if self.own:
            return self.own[-1]
        return None if self._above is None else self._above.newest()


class _Copies(Struct):
    """A method that makes a new client, which gets the recorders of the old one: they go when the old one's go."""

    method: str
    library: Library
    parts: list[Any]


class _Patch(Struct, eq=False):
    """One function replaced, on a class or on one object, until its last recorder is removed."""

    holder: Any
    method: str
    recorders: _Recorders
    before: Any
    """What the holder itself had under this name; None if it inherited."""
    replacement: Any = None


def _patch(holder: Any, part: "Call | Note | _Copies", recorders: _Recorders) -> _Patch:
    """Replace a function, or find the replacement that is there already, with its own recorders."""
    found = vars(holder).get(part.method)
    patch = _mark(found)
    if patch is not None:
        if patch.holder is holder:
            return patch
        found = None  # came along when another object's attributes were copied
    patch = _Patch(holder, part.method, recorders, found)
    original = _original(holder, part.method, found)
    if isinstance(part, Call):
        replaced = _recorded(patch, part, original)
    elif isinstance(part, Note):
        replaced = _noted(patch, part, original)
    else:
        replaced = _copied(patch, part, original)
    setattr(replaced, _MARK, patch)
    patch.replacement = replaced if isinstance(holder, type) else types.MethodType(replaced, holder)
    setattr(holder, part.method, patch.replacement)
    return patch


def _original(holder: Any, method: str, found: Any) -> Callable[..., Any]:
    """What to call in place of the replacement, with the object as its first argument."""
    if isinstance(holder, type):
        return found if found is not None else getattr(holder, method)
    model = found if found is not None else getattr(type(holder), method)

    def bound(self: Any) -> Any:  # looked up at each call, since the class may be patched by then
        return found if found is not None else getattr(type(self), method).__get__(self)

    if inspect.iscoroutinefunction(model):

        @wraps(model)
        async def call_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await bound(self)(*args, **kwargs)

        return call_async

    @wraps(model)
    def call_now(self: Any, *args: Any, **kwargs: Any) -> Any:
        return bound(self)(*args, **kwargs)

    return call_now


def _remove(patches: list[_Patch], recorder: Recorder) -> None:
    for patch in patches:
        if recorder in patch.recorders.own:
            patch.recorders.own.remove(recorder)
        if patch.recorders.newest() is not None or vars(patch.holder).get(patch.method) is not patch.replacement:
            continue  # in use; or replaced by others since, and then ours stays below theirs and passes calls on
        if patch.before is None:
            delattr(patch.holder, patch.method)
        else:
            setattr(patch.holder, patch.method, patch.before)


def _mark(function: Any) -> _Patch | None:
    found = getattr(function, _MARK, None) if callable(function) else None
    return found if type(found) is _Patch else None


def _resolve(library: Library, owner: str, method: str) -> type:
    module, _, name = owner.partition(":")
    try:
        found = getattr(import_module(module), name)
        getattr(found, method)
    except ImportError as error:
        raise SettingsError(f"{library.name} is not installed: {error}; pip install {library.name}") from error
    except AttributeError as error:
        raise SettingsError(f"cannot instrument this {library.name}: {error}; install another version") from error
    return found


# --- the replacements


def _recorded(patch: _Patch, call: Call, original: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def run_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = _begin(patch, call, self, args, kwargs)
            if run is None:
                return await original(self, *args, **kwargs)
            try:
                with attach(run.span):  # type: ignore[arg-type]
                    result = await original(self, *run.asked.args, **run.asked.kwargs)
            except BaseException as error:
                run.fail(error)
                raise
            run.finish(result)
            return result

        return run_async

    @wraps(original)
    def run_now(self: Any, *args: Any, **kwargs: Any) -> Any:
        run = _begin(patch, call, self, args, kwargs)
        if run is None:
            return original(self, *args, **kwargs)
        try:
            with attach(run.span):  # type: ignore[arg-type]
                result = original(self, *run.asked.args, **run.asked.kwargs)
        except BaseException as error:
            run.fail(error)
            raise
        run.finish(result)
        return result

    return run_now


def _noted(patch: _Patch, note: Note, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if patch.recorders.newest() is not None:
            with guard("note"):
                noted, span = note.read(kwargs), current_span()
                if noted and span is not None and span.recording:
                    span.update(noted)
        return original(self, *args, **kwargs)  # an awaitable, where the function is async

    return run


def _copied(patch: _Patch, copies: _Copies, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        copy = original(self, *args, **kwargs)
        if patch.recorders.newest() is not None:
            with guard("copy"):
                _patch_parts(copies.library, copy, copies.parts, _Recorders(patch.recorders))
        return copy

    return run


def _begin(patch: _Patch, call: Call, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Run | None":
    """Start recording; None where nobody records, or where a patch on the object itself does so already."""
    recorder = patch.recorders.newest()
    if recorder is None:
        return None
    with guard("call"):
        own = _mark(vars(instance).get(patch.method))
        if own is not None and own is not patch and own.recorders.newest() is not None:
            return None
        asked = call.ask(instance, args, kwargs, recorder)
        if asked is None:
            return None
        run = _Run(call, asked, recorder, recorder.tracer().span(asked.name, asked.attributes, kind="CLIENT"))
        if run.wanted:
            with guard("request"):
                run.content = asked.content()
                for key, value in run.content.items():
                    run.span.attribute(key, value)
        return run
    return None


class _Run:
    """One call under way."""

    __slots__ = ("asked", "call", "content", "recorder", "span", "started_ns")

    def __init__(self, call: Call, asked: Asked, recorder: Recorder, span: AnySpan) -> None:
        self.call, self.asked, self.recorder, self.span = call, asked, recorder, span
        self.content: dict[str, Any] = {}
        self.started_ns = _clock_ns()

    @property
    def wanted(self) -> bool:
        """False where nobody would see what we read."""
        return self.span.recording or self.recorder.told is not None

    def fail(self, error: BaseException) -> None:
        """The call raised: record that and end."""
        self.end(self.said_by(error), error)

    def said_by(self, error: BaseException) -> dict[str, Any]:
        """What an exception says of the call."""
        with guard("error"):
            return self.call.failed(error)
        return {}

    def finish(self, result: Any) -> None:
        """The call answered: end now, or when the body that it answered with has been read."""
        attributes: dict[str, Any] = {}
        asked = self.asked
        if self.wanted:
            with guard("answer"):
                response = self.call.body(result)
                if response is None:
                    attributes = asked.answered(result)
                elif response.is_closed and asked.assembler is None:
                    attributes = asked.answered(asked.decode(response.content))
                else:
                    listen(response, self, asked.assembler, lambda body: asked.answered(asked.decode(body)))
                    return
        self.end(attributes)

    def end(
        self,
        attributes: dict[str, Any],
        error: BaseException | None = None,
        *,
        abandoned: bool = False,
        problem: tuple[str, str] | None = None,
        ended_ns: int | None = None,
    ) -> None:
        """End the span, now or at `ended_ns` by `time.perf_counter_ns`, and tell of it."""
        latency_ns = (ended_ns or _clock_ns()) - self.started_ns
        span = self.span
        if problem is not None and error is None:
            attributes = {**attributes, semconv.ERROR_TYPE: problem[0]}
        with guard("answer"):
            for key, value in attributes.items():
                span.attribute(key, value)
            if abandoned or isinstance(error, GeneratorExit):
                span.attribute(semconv.ABANDONED, True)
            elif error is not None:
                span.exception(error)
            elif problem is not None:
                span.set_status("ERROR", problem[1])
        with guard("end"):
            if ended_ns is not None and isinstance(span, ActiveSpan):
                span.end(span.record.start_ns + ended_ns - span.started_ns)
            else:
                span.end()
        if self.recorder.told is not None:
            with guard("told"):
                self.recorder.told(
                    Outcome(span, {**self.asked.attributes, **attributes}, self.content, latency_ns, error)
                )


__all__ = [
    "Asked", "Assembler", "Call", "Library", "Note", "Outcome", "Recorder", "patch_client", "patch_library",
    "unpatch_client",
]  # fmt: skip
