"""One address that requests are posted to, over a connection that is kept. Knows HTTP, not what the bodies mean.

The address comes from configuration alone: no proxy of the environment, no redirect, no cookie. A request takes at most
its timeout in all, however slowly the other side answers. Nothing here is traced by our own instrumentation, which
patches other clients.
"""

import http.client
import io
import re
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from vestigo.errors import SettingsError
from vestigo.version import VERSION

RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""Source: OpenTelemetry protocol 1.11.0, OTLP/HTTP, failures."""

TAKES_HEADER: Final = "X-Vestigo-Takes"
"""Answered by our server: `open` means spans that have not ended too."""

_MOST_ANSWERED: Final = 4 * 1024 * 1024  # the same source
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIGNALS: Final = ("/v1/traces", "/v1/logs", "/v1/metrics")


class Answer(Struct, frozen=True):
    """What came back, or why nothing did (`status` 0)."""

    status: int
    body: bytes = b""
    content_type: str = ""
    retry_after_s: float | None = None
    why: str = ""
    takes_open: bool = False
    """Whether it takes spans that have not ended, which a Vestigo says of itself."""

    @property
    def retryable(self) -> bool:
        return self.status == 0 or self.status in RETRYABLE


class Endpoint:
    """Posts one request at a time; others wait for their turn. Raises SettingsError for an address that is none."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0) -> None:
        self.url, self._secure, self._host, self._port, self._path = _parsed(url)
        self.timeout_s = timeout_s
        self._headers = {"User-Agent": f"vestigo/{VERSION}", **_checked(headers or {})}
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """The parent's connection is left to the parent."""
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    def post(self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None = None) -> Answer:
        """Never raises for what the network or the other side does."""
        deadline = time.monotonic() + min(self.timeout_s, timeout_s or self.timeout_s)
        sent = {**self._headers, **headers}
        with self._lock:
            kept = self._connection is not None
            answer, again = self._attempt(path, body, sent, deadline)
            if kept and again:  # the other side had closed the kept connection, which is no trouble of its
                answer, _ = self._attempt(path, body, sent, deadline)
            return answer

    def _attempt(self, path: str, body: bytes, headers: Mapping[str, str], deadline: float) -> tuple[Answer, bool]:
        """The answer, and whether another connection might bring one."""
        try:
            return self._exchange(path, body, headers, deadline), False
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop()
            return Answer(0, why=_said(error)), not isinstance(error, TimeoutError) and not self._closed
        finally:
            if self._closed:
                self._drop()

    def _exchange(self, path: str, body: bytes, headers: Mapping[str, str], deadline: float) -> Answer:
        connection = self._connection or self._connect(deadline)
        connection.sock.settimeout(_left_s(deadline))
        cut: OSError | None = None
        try:
            connection.request("POST", self._path + path, body, headers)
        except (BrokenPipeError, ConnectionResetError) as error:
            cut = error  # it may have answered before it had read everything, such as with 413
        connection.response_class = partial(_Response, deadline=deadline)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            if cut is not None:
                raise cut from None
            raise
        text = response.read(_MOST_ANSWERED)
        if response.length and len(text) < _MOST_ANSWERED:
            raise ConnectionError("the answer was cut off")
        if cut is not None or not response.isclosed():
            self._drop()
        return Answer(
            response.status,
            text,
            response.headers.get_content_type(),
            _retry_after_s(response.headers.get("Retry-After")),
            f"{response.status} {response.reason}"[:100],
            response.headers.get(TAKES_HEADER) == "open",
        )

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = self._connection = kind(self._host, self._port, timeout=_left_s(deadline))
        connection.connect()
        if self._closed:
            raise ConnectionError("closed")
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def close(self) -> None:
        """End what is under way, in whatever thread, and take nothing more."""
        self._closed = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # not TLS's own, which another thread uses
        if self._lock.acquire(blocking=False):
            self._drop()
            self._lock.release()


class _Response(http.client.HTTPResponse):
    """An answer that must be here by a moment: a socket's timeout alone would begin again with every byte."""

    def __init__(self, sock: socket.socket, *arguments: Any, deadline: float, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self._timed = _Timed(sock, self.fp, deadline)
        self.fp = io.BufferedReader(self._timed)

    def begin(self) -> None:
        super().begin()
        if self._timed.ended:  # http.client takes the end of the connection for the end of the headers
            raise ConnectionError("the answer was cut off")


class _Timed(io.RawIOBase):
    """The bytes of a socket until a moment."""

    def __init__(self, sock: socket.socket, held: io.IOBase, deadline: float) -> None:
        self._sock = sock
        self._held = held  # keeps the socket open, as http.client expects of its reader
        self._deadline = deadline
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._sock.settimeout(_left_s(self._deadline))
        count = self._sock.recv_into(buffer)
        self.ended = not count
        return count

    def close(self) -> None:
        self._held.close()
        super().close()


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("timed out")
    return left_s


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


def _retry_after_s(text: str | None) -> float | None:
    """From seconds or an HTTP date; None for anything else."""
    if not text:
        return None
    if text.strip().isdecimal():
        return min(float(text), 1e9)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _parsed(url: str) -> tuple[str, bool, str, int | None, str]:
    """The address without what follows it, whether it is https, host, port, path."""
    remedy = "give one such as http://localhost:4318"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # also imports what looking up a name does, here and not in a thread that is forked
    except ValueError as error:
        raise SettingsError(f"endpoint {url!r}: {error}; {remedy}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingsError(f"endpoint {url!r} is no http address; {remedy}")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"endpoint at {host!r} has a user in it; give the setting api_key or headers")
    if parts.query or parts.fragment or any(char <= " " or char > "~" for char in url):
        raise SettingsError(f"endpoint {url!r} has a '?', '#', blank or foreign character; {remedy}")
    path = parts.path.rstrip("/")
    for signal in _SIGNALS:
        path = path.removesuffix(signal)
    return f"{parts.scheme}://{parts.netloc.lower()}{path}", parts.scheme == "https", host, port, path


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise SettingsError(f"header {name!r} cannot be sent; give printable ASCII text")
    return dict(headers)


__all__ = ["RETRYABLE", "TAKES_HEADER", "Answer", "Endpoint"]
