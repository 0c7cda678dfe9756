"""Child processes that prepare requests while the server's own process writes and answers.

Python runs one thread at a time, so preparing beside writing would take turns with it at every row. Children are
started when requests queue up and end when there is nothing to do, so an idle server is one process.
"""

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from vestigo.diagnostics import Counters, trouble
from vestigo.otlp import Form, Signal
from vestigo.server.prepare import Prepared, Preparer, begin_child, prepare_in_child, read_parcel
from vestigo.settings import ServerSettings

_SMALL_BYTES: Final = 64 * 1024
"""Up to this size a request is prepared at once where it arrived: handing it over would cost as much."""
_IDLE_S: Final = 30.0


class Workers:
    """Prepares requests here or in a child, whichever is better now. Safe from any thread."""

    def __init__(self, settings: ServerSettings, counters: Counters) -> None:
        self.preparer = Preparer(settings, counters)
        self._settings = settings
        self._counters = counters
        self._lock = threading.Lock()
        self._here = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._last_used_s = 0.0
        self._in_work = 0

    def prepare(self, signal: Signal, form: Form, data: bytes, project: str) -> Prepared:
        """Blocks until it is done. Raises IngestError for a body that cannot be read."""
        if len(data) <= _SMALL_BYTES or self._settings.ingest_workers == 0:
            return self.preparer.prepare(signal, form, data, project)
        with self._lock:
            self._in_work += 1
        try:
            pool = self._pool_now()
            if pool is None:
                with self._here:
                    return self.preparer.prepare(signal, form, data, project)
            return self._in_child(pool, signal, form, data, project)
        finally:
            with self._lock:
                self._in_work -= 1

    def _pool_now(self) -> ProcessPoolExecutor | None:
        """The children, if there are any or if requests wait for each other now."""
        with self._lock:
            self._last_used_s = time.monotonic()
            if self._pool is None and self._in_work > 1:
                self._pool = ProcessPoolExecutor(
                    self._settings.ingest_workers,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=begin_child,
                    initargs=(self._settings,),
                )
            return self._pool

    def _in_child(self, pool: ProcessPoolExecutor, signal: Signal, form: Form, data: bytes, project: str) -> Prepared:
        try:
            parcel = pool.submit(prepare_in_child, signal, form, data, project).result()
        except (BrokenProcessPool, RuntimeError) as error:  # a child was killed, or the pool was just ended
            trouble("failed.worker", f"a child process ended ({type(error).__name__}); its request is prepared here")
            self._counters.add("failed.worker")
            self._end(pool)
            return self.preparer.prepare(signal, form, data, project)
        return read_parcel(parcel, self._counters)

    def tidy(self) -> None:
        """End children that had nothing to do for a while; called now and then."""
        with self._lock:
            idle = self._pool is not None and not self._in_work and time.monotonic() - self._last_used_s > _IDLE_S
            pool = self._pool if idle else None
        if pool is not None:
            self._end(pool)

    def close(self) -> None:
        """End the children; what is in work is finished first."""
        pool = self._pool
        if pool is not None:
            self._end(pool)

    def _end(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)
