"""Our own troubles: counters that anybody may read, and one log line per kind of trouble and minute.

Nothing here raises, and nothing here logs what a record says.
"""

import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

logger = logging.getLogger("vestigo")
logger.addHandler(logging.NullHandler())

_QUIET_S = 60.0  # one line per kind of trouble and minute (OpenTelemetry's DuplicateFilter idea, by key)


class Counters:
    """Named totals since the start, e.g. `recorded`, `dropped.queue_full`, `redacted`. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a finalizer may count while we count
        self._totals: dict[str, int] = {}

    def add(self, name: str, value: int = 1) -> None:
        with self._lock:
            self._totals[name] = self._totals.get(name, 0) + value

    def get(self, name: str) -> int:
        """The total, or the sum of all totals below it: `get("dropped")` adds up `dropped.queue_full` and the like."""
        with self._lock:
            return sum(total for key, total in self._totals.items() if key == name or key.startswith(name + "."))

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._totals)

    def reset(self) -> None:
        with self._lock:
            self._totals.clear()


counters = Counters()
"""Of the whole process, for what belongs to no pipeline; each pipeline has its own `Counters` too."""

_last_told: dict[str, float] = {}
_untold: dict[str, int] = {}


def trouble(key: str, message: str, *, level: int = logging.WARNING, exc_info: bool = False) -> None:
    """Log a kind of trouble at most once a minute, with how often it was kept quiet. Never raises."""
    try:
        now = time.monotonic()
        last = _last_told.get(key)
        if last is not None and now - last < _QUIET_S:
            _untold[key] = _untold.get(key, 0) + 1
            return
        _last_told[key] = now
        more = _untold.pop(key, 0)
        logger.log(level, "%s%s", message, f" ({more} more since)" if more else "", exc_info=exc_info)
    except Exception:  # a handler of the program's may raise; telling of trouble must not make more
        counters.add("failed.diagnostics")


@contextmanager
def guard(what: str) -> Generator[None]:
    """Run code of ours inside the program's call: an `Exception` is counted as `failed.<what>`, told, and swallowed."""
    try:
        yield
    except Exception as error:
        counters.add(f"failed.{what}")
        trouble(f"guard.{what}", f"could not record {what}: {type(error).__name__}", exc_info=True)


def after_fork_in_child() -> None:
    """Fresh locks: another thread may have held one when the process forked."""
    counters._lock = threading.RLock()
