"""Vestigo: what an LLM application did, what it cost and what failed, kept on one's own machines.

The names here are what a program types. Each is loaded when it is first used, so that `import vestigo` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vestigo.version import VERSION

if TYPE_CHECKING:
    from vestigo.default import configure, default_tracer, score, shutdown, traced
    from vestigo.errors import QueryError, SettingsError, StorageError, VestigoError
    from vestigo.instrument import LLMCallLogger, instrument
    from vestigo.metrics import MetricsCollector
    from vestigo.redact import Redactor, sanitize_for_logging
    from vestigo.sdk.logger import JSONFormatter, LLMLogger, StructlogProcessor, VestigoHandler
    from vestigo.sdk.middleware import ASGIMiddleware, WSGIMiddleware
    from vestigo.sdk.propagation import baggage, extract, inject, set_baggage
    from vestigo.sdk.tracer import Tracer, attach, carry, current_span
    from vestigo.storage import open_storage
    from vestigo.storage.files import FileTraceStorage
    from vestigo.storage.memory import InMemoryTraceStorage
    from vestigo.storage.sqlite import SQLiteTraceStorage

__version__ = VERSION

_HOMES = {
    "vestigo.default": ("configure", "default_tracer", "score", "shutdown", "traced"),
    "vestigo.errors": ("QueryError", "SettingsError", "StorageError", "VestigoError"),
    "vestigo.instrument": ("LLMCallLogger", "instrument"),
    "vestigo.metrics": ("MetricsCollector",),
    "vestigo.redact": ("Redactor", "sanitize_for_logging"),
    "vestigo.sdk.logger": ("JSONFormatter", "LLMLogger", "StructlogProcessor", "VestigoHandler"),
    "vestigo.sdk.middleware": ("ASGIMiddleware", "WSGIMiddleware"),
    "vestigo.sdk.propagation": ("baggage", "extract", "inject", "set_baggage"),
    "vestigo.sdk.tracer": ("Tracer", "attach", "carry", "current_span"),
    "vestigo.storage": ("open_storage",),
    "vestigo.storage.files": ("FileTraceStorage",),
    "vestigo.storage.memory": ("InMemoryTraceStorage",),
    "vestigo.storage.sqlite": ("SQLiteTraceStorage",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'vestigo' has no attribute {name!r}")
    import_module("vestigo.default")  # tells the parts of each other before any of them is used
    # the module `vestigo.instrument` is callable, since importing it takes the function's place here
    found = import_module(home) if name == "instrument" else getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])


__all__ = [
    "ASGIMiddleware", "FileTraceStorage", "InMemoryTraceStorage", "JSONFormatter", "LLMCallLogger", "LLMLogger",
    "MetricsCollector", "QueryError", "Redactor", "SQLiteTraceStorage", "SettingsError", "StorageError",
    "StructlogProcessor", "Tracer", "VestigoError", "VestigoHandler", "WSGIMiddleware", "__version__", "attach",
    "baggage", "carry", "configure", "current_span", "default_tracer", "extract", "inject", "instrument",
    "open_storage", "sanitize_for_logging", "score", "set_baggage", "shutdown", "traced",
]  # fmt: skip
