"""OTLP in: from the body of a request to the answer that its records are safe.

The answer is sent after the commit and not before, in the form of the request. HTTP comes in here (`routes`), gRPC in
`rpc.py`; both hand whole messages to `Ingest.take`. Source: opentelemetry-proto 1.11.0, docs/specification.md.
"""

import asyncio
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, cast

from starlette.requests import Request
from starlette.responses import Response

from vestigo import otlp
from vestigo.errors import ExportError, IngestError, StorageError
from vestigo.otlp import Form, Signal
from vestigo.record import Batch
from vestigo.server.prepare import Prepared
from vestigo.server.routes import Call, Failure, Principal, Route
from vestigo.server.workers import NO_DICTIONARY, Workers

if TYPE_CHECKING:
    from collections.abc import Generator

    from vestigo.server import Server

try:
    from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
except ImportError:
    from backports import zstd

_FORMS: Final[dict[str, Form]] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_TYPES: Final = {form: name for name, form in _FORMS.items()}
_BODY_TIMEOUT_S: Final = 30.0  # a body that dribbles in holds memory meanwhile
_BUSY_RETRY_S: Final = 1.0
_FULL_RETRY_S: Final = 30.0
_CLOSE: Final = {"Connection": "close"}  # the rest of this body is never read
_STEP_BYTES: Final = 64 * 1024
_MAX_FRAMES: Final = 10_000
_COUNTED: Final[dict[Signal, str]] = {"traces": "spans", "logs": "logs", "metrics": "points"}


class Ingest:
    """Takes records in for one server."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._limit = server.settings.max_body_bytes
        self.workers = Workers(server.settings, server.counters, self._dictionary)
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="vestigo-ingest")  # they wait for commits
        self._lock = threading.Lock()
        self.waiting_bytes = 0
        """Bodies that are being received, prepared or written."""
        self._closing = False

    def _dictionary(self) -> tuple[int, bytes]:
        return getattr(self._server.storage, "dictionary", NO_DICTIONARY)

    # --- HTTP

    async def receive(self, call: Call, signal: Signal) -> Response:
        """The handler of the three OTLP paths."""
        request = call.request
        form = form_of(request)
        with self._held() as hold:
            body = await self._body(request, hold)
            decompress = _decompressor(request.headers.get("content-encoding", ""))
            answer = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._receive, call, signal, form, body, decompress
            )
        return Response(answer, media_type=_TYPES[form])

    def _receive(self, call: Call, signal: Signal, form: Form, body: bytes, decompress: "_Decompress | None") -> bytes:
        data = body if decompress is None else decompress(body, self._limit)
        return self.take(signal, form, data, call.principal, call.project)

    async def _body(self, request: Request, hold: Callable[[int], None]) -> bytes:
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told) > self._limit:
            raise _too_large(self._limit)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > self._limit:
                        raise _too_large(self._limit, _CLOSE)
                    hold(len(chunk))
                    chunks.append(chunk)
        except TimeoutError:
            told = f"the body did not come within {_BODY_TIMEOUT_S:.0f} s"
            raise Failure(408, "slow", told, headers=_CLOSE) from None
        return b"".join(chunks)

    @contextmanager
    def _held(self) -> "Generator[Callable[[int], None]]":
        """Counts the bytes of one body for as long as it is in work; refuses when there are too many."""
        mine = 0

        def hold(more: int) -> None:
            nonlocal mine
            with self._lock:
                if self._closing or self.waiting_bytes + more > self._server.settings.max_waiting_bytes:
                    self._server.counters.add("busy")
                    raise Failure(503, "busy", "too much is waiting to be written", retry_after_s=_BUSY_RETRY_S)
                self.waiting_bytes += more
            mine += more

        try:
            yield hold
        finally:
            with self._lock:
                self.waiting_bytes -= mine

    # --- whole messages

    def take_message(self, signal: Signal, form: Form, data: bytes, principal: Principal, project: str) -> bytes:
        """`take` for a message that came by gRPC, which counts among the waiting bytes from now on."""
        with self._held() as hold:
            hold(len(data))
            return self.take(signal, form, data, principal, project)

    def take(self, signal: Signal, form: Form, data: bytes, principal: Principal, project: str) -> bytes:
        """Store the records of one decompressed request, and answer when they are safe. Blocks.

        Raises Failure: 400 for what cannot be read, 503 with a time to retry where the storage cannot write now.
        """
        del principal  # whoever got here may send; who it was is the gate's to log
        counters, what = self._server.counters, _COUNTED[signal]
        try:
            prepared = self.workers.prepare(signal, form, data, project)
        except IngestError as error:
            counters.add(f"received.{what}", error.rejected)
            counters.add(f"rejected.{what}.unreadable", error.rejected)
            raise Failure(400, "bad_data", str(error)) from None
        batch = prepared.batch
        counters.add(f"received.{what}", len(batch) + prepared.rejected)
        if prepared.rejected:
            counters.add(f"rejected.{what}.malformed", prepared.rejected)
        if len(batch):
            self._write(batch)
            self._server.accepted(batch)
        return otlp.answer(signal, form, prepared.rejected, _explanation(prepared))

    def _write(self, batch: Batch) -> None:
        try:
            self._server.storage.write(batch)
        except StorageError as error:
            self._server.counters.add("failed.write")
            raise Failure(503, "storage", str(error), retry_after_s=_FULL_RETRY_S) from None
        except ExportError as error:
            raise Failure(503, "storage", str(error), retry_after_s=error.retry_after_s) from None

    def close(self) -> None:
        """Take nothing more, finish what was taken."""
        self._closing = True
        self._threads.shutdown()
        self.workers.close()


def form_of(request: Request) -> Form:
    """The form that the request's content type names. Raises Failure 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = _FORMS.get(kind)
    if form is None:
        raise Failure(415, "content_type", f"content type {kind[:80]!r}; send {' or '.join(_FORMS)}")
    return form


def _explanation(prepared: Prepared) -> str:
    if not prepared.rejected:
        return ""
    more = prepared.rejected - len(prepared.reasons)
    return "; ".join(prepared.reasons) + (f"; and {more} more" if more > 0 else "")


def _too_large(limit: int, headers: dict[str, str] | None = None) -> Failure:
    told = f"the request is larger than {limit} bytes; send smaller batches"
    return Failure(413, "too_large", told, headers=headers)


# --- compression


class _Decompress(Protocol):
    def __call__(self, data: bytes, limit: int) -> bytes: ...


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Inflater:
    """zlib's decompressor with the face of zstd's: what did not fit is kept until it is asked for."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))


def _decompressor(encoding: str) -> "_Decompress | None":
    """How to undo a Content-Encoding; None for identity. Raises Failure 415 for one that we do not know."""
    name = encoding.strip().lower()
    if name in {"", "identity", "none"}:
        return None
    if name not in _CODECS:
        known = ", ".join(_CODECS)
        raise Failure(
            415, "content_encoding", f"content encoding {name[:40]!r}; send one of {known}",
            headers={"Accept-Encoding": known},
        )  # fmt: skip
    return lambda data, limit: _decompress(name, data, limit)


def _decompress(name: str, data: bytes, limit: int) -> bytes:
    """Stops as soon as the result passes the limit, so that a bomb costs no more than a body."""
    codec = _CODECS[name]
    if name == "deflate" and data[:1] and data[0] & 15 != 8:  # bare deflate without zlib's head, as some send it
        codec = _bare_deflate
    parts: list[bytes] = []
    room, frames, stream = limit, 1, codec()
    try:
        for at in range(0, len(data), _STEP_BYTES):  # fed whole, what is left would be copied at each step and frame
            fed = data[at : at + _STEP_BYTES]
            while fed:
                if stream.eof:  # several frames may follow each other
                    stream, frames = codec(), frames + 1
                    if frames > _MAX_FRAMES:
                        raise Failure(400, "bad_data", f"more than {_MAX_FRAMES} frames of {name}; send one")
                room = _drain(stream, fed, parts, room, limit)
                fed = stream.unused_data
        if not stream.eof:
            raise EOFError("it ends too early")
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise Failure(400, "bad_data", f"the body is not {name}: {error}") from None
    return b"".join(parts)


def _drain(stream: _Stream, data: bytes, parts: list[bytes], room: int, limit: int) -> int:
    """Add what comes out of a frame for this piece of it to `parts`; how much room is left."""
    piece = stream.decompress(data, _STEP_BYTES)
    while piece:
        room -= len(piece)
        if room < 0:
            raise _too_large(limit)
        parts.append(piece)
        piece = b"" if stream.eof else stream.decompress(b"", _STEP_BYTES)
    return room


def _bare_deflate() -> _Stream:
    return _Inflater(-zlib.MAX_WBITS)


_CODECS: Final[dict[str, Callable[[], _Stream]]] = {
    "gzip": lambda: _Inflater(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Inflater(zlib.MAX_WBITS),
    "zstd": lambda: cast("_Stream", zstd.ZstdDecompressor()),
}


# --- routes


async def _traces(call: Call) -> Response:
    return await call.server.ingest.receive(call, "traces")


async def _logs(call: Call) -> Response:
    return await call.server.ingest.receive(call, "logs")


async def _metrics(call: Call) -> Response:
    return await call.server.ingest.receive(call, "metrics")


ROUTES: Final = tuple(
    Route(method="POST", path=f"/v1/{signal}", scope="ingest", handler=handler, summary=f"Send {what}.", tag="otlp")
    for signal, handler, what in (
        ("traces", _traces, "spans: ExportTraceServiceRequest"),
        ("logs", _logs, "logs: ExportLogsServiceRequest"),
        ("metrics", _metrics, "data points of metrics: ExportMetricsServiceRequest"),
    )
)
