"""Child processes that prepare requests while the server's own process writes and answers.

Python runs one thread at a time, so preparing beside writing would take turns with it at every row. Children are
started when requests queue up and end when there is nothing to do, so an idle server is one process. A child ends when
its pipe does, also where the server was killed.
"""

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Final

import msgspec

from vestigo.diagnostics import Counters, trouble
from vestigo.errors import IngestError
from vestigo.otlp import Form, Signal
from vestigo.server.prepare import Prepared, Preparer, collect_seldom, pack_parcel, read_parcel
from vestigo.settings import ServerSettings
from vestigo.storage.sqlite.drafts import Drafter

_SMALL_BYTES: Final = 64 * 1024
"""Up to this size a request is prepared at once where it arrived: handing it over would cost as much."""
NO_DICTIONARY: Final = (0, b"")
_IDLE_S: Final = 30.0
_END_S: Final = 5.0


class Workers:
    """Prepares requests here or in a child, whichever is better now. Safe from any thread."""

    def __init__(
        self,
        settings: ServerSettings,
        counters: Counters,
        dictionary: Callable[[], tuple[int, bytes]] = lambda: NO_DICTIONARY,
    ) -> None:
        """`dictionary` tells number and content of the one that drafts are compressed with; 0 where none are wanted."""
        self._dictionary = dictionary
        self.preparer = Preparer(settings, counters)
        self.children: list[Child] = []
        self._settings = settings
        self._counters = counters
        self._lock = threading.Lock()
        self._here = threading.Lock()
        self._idle: SimpleQueue[Child | None] = SimpleQueue()
        """A place for each child; an empty one for who takes it to start a child."""
        self._wanted = False
        self._closed = False
        self._last_used_s = 0.0
        self._in_work = 0

    def prepare(self, signal: Signal, form: Form, data: bytes, project: str) -> Prepared:
        """Blocks until it is done. Raises IngestError for a body that cannot be read."""
        if len(data) <= _SMALL_BYTES or self._settings.ingest_workers == 0:
            return self.preparer.prepare(signal, form, data, project)
        with self._lock:
            self._in_work += 1
            self._last_used_s = time.monotonic()
            if not self._wanted and self._in_work > 1 and not self._closed:
                self._wanted = True
                for _ in range(self._settings.ingest_workers):
                    self._idle.put(None)
            idle = self._idle if self._wanted else None
        try:
            if idle is not None:
                return self._in_child(idle, signal, form, data, project)
            with self._here:
                return self.preparer.prepare(signal, form, data, project)
        finally:
            with self._lock:
                self._in_work -= 1

    def _start(self) -> "Child | None":
        """A new child; None where none can be had now."""
        with self._lock:
            if self._closed:
                return None
            try:
                child = Child(self._settings)
            except Exception as error:  # the place must not be lost, whatever is wrong
                self._counters.add("failed.worker")
                trouble(
                    "failed.worker",
                    f"no child process could be started ({type(error).__name__}); requests are prepared here",
                )
                return None
            self.children.append(child)
            return child

    def _in_child(
        self, idle: "SimpleQueue[Child | None]", signal: Signal, form: Form, data: bytes, project: str
    ) -> Prepared:
        child = idle.get() or self._start()
        if child is None:
            idle.put(None)
            return self.preparer.prepare(signal, form, data, project)
        try:
            parcel = child.prepare(signal, form, data, project, self._dictionary())
        except IngestError:
            idle.put(child)
            raise
        except Exception as error:  # not to be used again: the rest of an answer in its pipe would be the next one's
            idle.put(None)
            with self._lock:
                if child in self.children:
                    self.children.remove(child)
            child.end()
            self._counters.add("failed.worker")
            trouble("failed.worker", f"a child process ended ({type(error).__name__}); its request is prepared here")
            return self.preparer.prepare(signal, form, data, project)
        idle.put(child)
        return read_parcel(parcel, self._counters)

    def tidy(self) -> None:
        """End children that had nothing to do for a while; called now and then."""
        with self._lock:
            if not self._wanted or self._in_work or time.monotonic() - self._last_used_s < _IDLE_S:
                return
            self._end()

    def close(self) -> None:
        """End the children; a request that is still in one is prepared here."""
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        for child in self.children:
            child.end()
        self.children.clear()
        self._wanted = False
        self._idle = SimpleQueue()


class Child:
    """One child process, which prepares one request at a time."""

    def __init__(self, settings: ServerSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, settings), name="vestigo-ingest", daemon=True)
        self.process.start()
        theirs.close()
        self._told = 0

    def prepare(self, signal: Signal, form: Form, data: bytes, project: str, dictionary: tuple[int, bytes]) -> bytes:
        """An encoded parcel. Raises IngestError, and EOFError or OSError if the child has ended."""
        number, content = dictionary
        news = content if number != self._told else b""
        self._pipe.send_bytes(msgspec.msgpack.encode((signal, form, project, number, news)))
        self._told = number
        self._pipe.send_bytes(data)
        rejected, message = _decode_outcome(self._pipe.recv_bytes())
        if rejected:
            raise IngestError(message, rejected)
        return self._pipe.recv_bytes()

    def end(self) -> None:
        """End it; what it was about to answer is lost. Safe to call twice."""
        self._pipe.close()
        with suppress(ValueError):  # closed already, or not to be killed
            self.process.join(_END_S)
            if self.process.is_alive():
                self.process.kill()
                self.process.join(_END_S)
            self.process.close()


_decode_outcome = msgspec.msgpack.Decoder(tuple[int, str]).decode
_decode_task = msgspec.msgpack.Decoder(tuple[Signal, Form, str, int, bytes]).decode


def _work(pipe: Connection, settings: ServerSettings) -> None:
    """What a child does, until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server ends its children
    counters = Counters()
    preparer = Preparer(settings, counters)
    drafter = Drafter()
    collect_seldom()
    while True:
        try:
            what, form, project, number, dictionary = _decode_task(pipe.recv_bytes())
            if dictionary:
                drafter.use(number, dictionary)
            data = pipe.recv_bytes()
            try:
                parcel = pack_parcel(preparer.prepare(what, form, data, project), counters, drafter)
            except IngestError as error:
                pipe.send_bytes(msgspec.msgpack.encode((error.rejected, str(error))))
                continue
            pipe.send_bytes(msgspec.msgpack.encode((0, "")))
            pipe.send_bytes(parcel)
        except (EOFError, OSError):
            return
