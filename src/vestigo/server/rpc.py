"""OTLP/gRPC: the same messages as OTLP/HTTP, by grpcio, which is an extra.

Messages go to `Ingest.take` as the bytes that came. A sender is admitted before its message is received, so that a
stranger costs no memory. Source: opentelemetry-proto 1.11.0, docs/specification.md, "OTLP/gRPC".
"""

import importlib
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from vestigo import diagnostics
from vestigo.errors import IngestError, SettingsError, StorageError
from vestigo.otlp import Form, Signal
from vestigo.server.routes import Failure, Principal
from vestigo.settings import ServerSettings

grpc: Any = importlib.import_module("grpc") if find_spec("grpc") else None

DEFAULT_PORT = 4317

THREADS = 16
"""Messages in work at once; they wait for commits. What is above waits with its sender, unreceived."""

MESSAGE_TIMEOUT_S = 30.0
"""A message that dribbles in holds a thread meanwhile."""

Admit: TypeAlias = Callable[[Mapping[str, str], str], tuple[Principal, str]]
"""From a call's headers and its peer to who sends, and to which project. Raises Failure for who may not."""

Observe: TypeAlias = Callable[[str, str, str, float], None]
"""Told of each answer: method, path, name of the status, duration in seconds."""


class Take(Protocol):
    """`Ingest.take`: store the records of one message and answer when they are safe; raises Failure."""

    def __call__(self, signal: Signal, form: Form, data: bytes, principal: Principal, project: str) -> bytes: ...


def open_rpc(settings: ServerSettings, take: Take, admit: Admit, observe: Observe | None = None) -> "Rpc | None":
    """Start to listen where the settings say so; None where they do not, or leave it open and it cannot be.

    Raises SettingsError for a port that was asked for and cannot be had.
    """
    asked = settings.grpc_port >= 0
    if settings.grpc_port < -1:
        return None
    if grpc is None:
        if asked:
            raise SettingsError(f"grpc_port={settings.grpc_port} needs grpcio; install 'vestigo[grpc]'")
        return None
    rpc = Rpc(settings, take, admit, observe)
    try:
        rpc.start(settings.grpc_port if asked else DEFAULT_PORT)
    except SettingsError as error:
        rpc.stop(0)
        if asked:
            raise
        diagnostics.trouble("rpc.port", f"no OTLP/gRPC: {error}")
        return None
    return rpc


class Rpc:
    """The three services of OTLP/gRPC. `start` and `stop` block and may be called from any thread, once each."""

    def __init__(self, settings: ServerSettings, take: Take, admit: Admit, observe: Observe | None = None) -> None:
        self.port = 0
        """The port that it listens on, after `start`."""
        self._settings = settings
        self._take = take
        self._admit = admit
        self._observe = observe
        self._deadlines = _Deadlines(MESSAGE_TIMEOUT_S)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="vestigo-rpc")
        self._server = grpc.server(self._threads, options=_options(settings))
        for service, signal in _SERVICES.items():
            path = f"/{service}/Export"
            # of one message, but taken as a stream: else grpcio would call us only once it has received it
            method = grpc.stream_unary_rpc_method_handler(self._handler(signal, path))
            handler = grpc.method_handlers_generic_handler(service, {"Export": method})
            self._server.add_generic_rpc_handlers((handler,))

    def start(self, port: int) -> None:
        """Listen on the port, 0 for a free one. Raises SettingsError where that cannot be."""
        host = self._settings.host
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._settings.tls_certificate:
                self.port = self._server.add_secure_port(address, _credentials(self._settings))
            else:
                self.port = self._server.add_insecure_port(address)
        except RuntimeError:
            raise SettingsError(f"cannot listen on {address} for OTLP/gRPC; set grpc_port to a free one") from None
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Take no more; let what is in work finish within the grace, then end it."""
        self._server.stop(grace_s).wait()
        self._deadlines.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _handler(self, signal: Signal, path: str) -> Callable[[Iterator[bytes], Any], bytes]:
        def export(messages: Iterator[bytes], context: Any) -> bytes:
            start_s = time.perf_counter()
            failure: Failure | None = None
            answer = b""
            try:
                answer = self._receive(signal, messages, context)
            except Failure as error:
                failure = error
            except StorageError as error:
                failure = Failure(503, "storage", str(error), retry_after_s=1.0)
            except IngestError as error:
                failure = Failure(400, "bad_data", str(error))
            except Exception:  # what is wrong with us is not the sender's to read
                diagnostics.trouble("failed.rpc", "a message could not be taken", exc_info=True)
                failure = Failure(500, "internal", "the server failed")
            status = "OK" if failure is None else _status(failure.status)
            if self._observe is not None:
                self._observe("POST", path, status, time.perf_counter() - start_s)
            if failure is not None:
                _refuse(context, failure, status)
            return answer

        return export

    def _receive(self, signal: Signal, messages: Iterator[bytes], context: Any) -> bytes:
        principal, project = self._admit(_headers(context), context.peer())
        try:
            with self._deadlines.watch(context):
                data = next(messages)
        except (StopIteration, grpc.RpcError):  # ended by the sender, by its size, or by us for its slowness
            raise Failure(408, "cancelled", "no message came in time and size") from None
        return self._take(signal, "protobuf", data, principal, project)


_SERVICES: Final[dict[str, Signal]] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}

_STATUSES: Final = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    408: "CANCELLED", 413: "RESOURCE_EXHAUSTED", 415: "INVALID_ARGUMENT", 429: "UNAVAILABLE",
    502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE", 507: "UNAVAILABLE",
}  # fmt: skip
"""What a Failure is here. RESOURCE_EXHAUSTED without RetryInfo is not tried again; UNAVAILABLE is."""


def _status(status: int) -> str:
    return _STATUSES.get(status, "INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL")


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_body_bytes),  # after decompression too
        ("grpc.max_concurrent_streams", 100),  # of one connection
        ("grpc.so_reuseport", 0),  # else two servers would share a port, each with a part of the calls
    ]


def _credentials(settings: ServerSettings) -> Any:
    pem: list[bytes] = []
    for name in ("tls_key", "tls_certificate"):
        file = getattr(settings, name)
        try:
            pem.append(Path(file).expanduser().read_bytes())
        except OSError as error:
            raise SettingsError(f"{name}={file!r} cannot be read: {error.strerror}; give a PEM file") from None
    return grpc.ssl_server_credentials([(pem[0], pem[1])])


def _headers(context: Any) -> dict[str, str]:
    """Metadata as HTTP has it; binary values are none of ours."""
    return {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}


def _refuse(context: Any, failure: Failure, status: str) -> None:
    """End the call with a status, and with the time to try again after if there is one."""
    code = getattr(grpc.StatusCode, status)
    if status == "UNAVAILABLE" and failure.retry_after_s is not None:
        retry = _retry_info(failure.retry_after_s)
        details = _status_message(code.value[0], failure.message, retry)
        # the second is where OpenTelemetry's exporters for Python look
        context.set_trailing_metadata((("grpc-status-details-bin", details), ("google.rpc.retryinfo-bin", retry)))
    context.abort(code, failure.message)


# --- google.rpc.Status, by hand: its classes are in no package that we need otherwise


def _retry_info(seconds: float) -> bytes:
    """RetryInfo{retry_delay = 1: Duration{seconds = 1, nanos = 2}}."""
    nanos, whole = math.modf(seconds)
    return _field(1, _varint_field(1, int(whole)) + _varint_field(2, int(nanos * 1e9)))


def _status_message(code: int, message: str, retry: bytes) -> bytes:
    """Status{code = 1, message = 2, details = 3: Any{type_url = 1, value = 2}}."""
    detail = _field(1, b"type.googleapis.com/google.rpc.RetryInfo") + _field(2, retry)
    return _varint_field(1, code) + _field(2, message.encode("utf-8", "replace")) + _field(3, detail)


def _varint_field(number: int, value: int) -> bytes:
    return bytes((number << 3,)) + _varint(value)


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    made.append(value)
    return bytes(made)


class _Deadlines:
    """Ends calls whose message does not come; its thread sleeps while none is waited for."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._change = threading.Condition()
        self._waiting: dict[Any, float] = {}
        self._closed = False
        threading.Thread(target=self._run, name="vestigo-rpc-deadlines", daemon=True).start()

    @contextmanager
    def watch(self, context: Any) -> Generator[None]:
        """Cancel the call if it is still in here after the limit."""
        with self._change:
            if not self._waiting:
                self._change.notify()
            self._waiting[context] = time.monotonic() + self._limit_s
        try:
            yield
        finally:
            with self._change:
                del self._waiting[context]

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify()

    def _run(self) -> None:
        while True:
            with self._change:
                if self._closed:
                    return
                self._change.wait(self._limit_s / 4 if self._waiting else None)
                now_s = time.monotonic()
                late = [context for context, end_s in self._waiting.items() if end_s <= now_s]
            for context in late:
                context.cancel()
