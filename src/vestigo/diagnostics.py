"""Our own troubles: counters that anybody may read, and one log line per kind of trouble and minute.

Nothing here raises, and nothing here logs what a record says.
"""

import logging
import sys
import threading
import time
import traceback
from collections import deque

logger = logging.getLogger("vestigo")
logger.addHandler(logging.NullHandler())

_MANY = 1_000
_QUIET_S = 60.0  # one line per kind of trouble and minute (OpenTelemetry's DuplicateFilter idea, by key)


class Counters:
    """Named totals since the start, e.g. `recorded`, `dropped.queue_full`, `redacted`. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a finalizer or a signal handler may count while we count
        self._totals: dict[str, int] = {}
        self._new: deque[tuple[str, int]] = deque()
        self._adding_up = False

    def add(self, name: str, value: int = 1) -> None:
        self._new.append((name, value))  # one step, so that a signal handler cannot come in between
        if len(self._new) > _MANY:
            self._add_up()

    def _add_up(self) -> None:
        """Move what is new into the totals. A signal handler in the midst of it leaves that to whom it interrupted."""
        with self._lock:
            if self._adding_up:
                return
            self._adding_up = True
            try:
                while self._new:
                    name, value = self._new.popleft()
                    self._totals[name] = self._totals.get(name, 0) + value
            finally:
                self._adding_up = False

    def get(self, name: str) -> int:
        """The total, or the sum of all totals below it: `get("dropped")` adds up `dropped.queue_full` and the like."""
        with self._lock:
            self._add_up()
            return sum(total for key, total in self._totals.items() if key == name or key.startswith(name + "."))

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            self._add_up()
            return dict(self._totals)

    def reset(self) -> None:
        with self._lock:
            self._add_up()
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
        told = f" ({more} more since)" if more else ""
        logger.log(level, "%s%s%s", message, told, _where() if exc_info else "")
    except Exception:  # a handler of the program's may raise; telling of trouble must not make more
        counters.add("failed.diagnostics")


class guard:  # noqa: N801  used like a function
    """Run code of ours inside the program's call: an `Exception` is counted as `failed.<what>`, told, and swallowed."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: object) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        counters.add(f"failed.{self._what}")
        trouble(f"guard.{self._what}", f"could not record {self._what}: {type(error).__name__}", exc_info=True)
        return True


def _where() -> str:
    """The stack of the exception being handled, without its message: that may say what a record says."""
    tb = sys.exc_info()[2]
    return "" if tb is None else "\n" + "".join(traceback.format_tb(tb)).rstrip()


def after_fork_in_child() -> None:
    """Fresh locks: another thread may have held one when the process forked."""
    counters._lock = threading.RLock()
