"""Recording what other libraries do: `instrument("openai")` for all of a program, `LLMCallLogger` for one client."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from vestigo.errors import SettingsError
from vestigo.sdk.tracer import Tracer

if TYPE_CHECKING:
    from vestigo.instrument.calls import LLMCallLogger as LLMCallLogger
    from vestigo.instrument.wrap import Library

LIBRARIES: Final[dict[str, str]] = {"openai": "vestigo.instrument.openai"}
"""The libraries that we know, and where it stands what their calls mean."""

get_tracer: Callable[[], Tracer] | None = None
"""Gives the default tracer. Set by the package, and asked at each call, so that `configure` may come later."""


def instrument(*names: str, tracer: Tracer | None = None, stream_usage: bool = False) -> Callable[[], None]:
    """Record the calls of these libraries, or of all known ones that are installed; call the answer to undo it.

    `stream_usage` asks providers to tell tokens at the end of streams, which adds a chunk to them. Where this is done
    twice each call is recorded once, by the newer. Raises SettingsError for a library that is unknown or missing.
    """
    from vestigo.instrument.wrap import Recorder, patch_library  # noqa: PLC0415  `import vestigo` needs none of it

    source = tracer_source(tracer)
    undos: list[Callable[[], None]] = []
    try:
        for library in _libraries(names):
            undos.append(patch_library(library, Recorder(source, stream_usage=stream_usage)))  # noqa: PERF401
    except SettingsError:
        _undo_all(undos)
        raise
    return lambda: _undo_all(undos)


def tracer_source(tracer: Tracer | None) -> Callable[[], Tracer]:
    """Where recorders get their tracer from. Raises SettingsError if there is neither one nor a default."""
    if tracer is not None:
        if not callable(getattr(tracer, "span", None)):
            raise SettingsError(f"tracer {type(tracer).__name__} has no span(); give a vestigo.Tracer")
        return lambda: tracer
    if get_tracer is None:
        raise SettingsError("there is no default tracer; call vestigo.configure(), or give tracer=")
    return _default_tracer


def _default_tracer() -> Tracer:
    if get_tracer is None:
        raise SettingsError("there is no default tracer any more")
    return get_tracer()


def _libraries(names: tuple[str, ...]) -> "list[Library]":
    for name in names:
        if name not in LIBRARIES:
            raise SettingsError(f"cannot instrument {name!r}; known are {', '.join(sorted(LIBRARIES))}")
        if find_spec(name) is None:
            raise SettingsError(f"{name} is not installed; pip install {name}")
    chosen = dict.fromkeys(names or (name for name in LIBRARIES if find_spec(name) is not None))
    return [import_module(LIBRARIES[name]).LIBRARY for name in chosen]


def _undo_all(undos: list[Callable[[], None]]) -> None:
    for undo in reversed(undos):
        undo()


def __getattr__(name: str) -> Any:
    if name == "LLMCallLogger":
        from vestigo.instrument.calls import LLMCallLogger  # noqa: PLC0415

        return LLMCallLogger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["LIBRARIES", "LLMCallLogger", "get_tracer", "instrument", "tracer_source"]


class _Callable(ModuleType):
    """Lets `vestigo.instrument("openai")` stand beside `import vestigo.instrument.openai`."""

    def __call__(self, *names: str, tracer: Tracer | None = None, stream_usage: bool = False) -> Callable[[], None]:
        return instrument(*names, tracer=tracer, stream_usage=stream_usage)


sys.modules[__name__].__class__ = _Callable
