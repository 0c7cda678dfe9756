"""Bodies of HTTP responses that the program reads itself: heard while they are read, never read by us.

A stream of a client's keeps its type, its order and its laziness, since only the response underneath is listened to.
The call ends when the body has been read, closed, forgotten or cut.
"""

import json
import sys
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec

from vestigo import semconv
from vestigo.diagnostics import guard
from vestigo.sdk.tracer import _error_name
from vestigo.values import describe_error

_clock_ns = time.perf_counter_ns
_decode_strictly = msgspec.json.Decoder().decode
_MAX_BODY_BYTES: Final = 32 * 1024 * 1024


class Assembler(Protocol):
    """Puts a streamed answer together. Its methods may raise: what they do is guarded."""

    def add(self, event: Any) -> bool:
        """Take one decoded event; True if it carries output, be it one letter."""
        ...

    def complete(self) -> bool:
        """True when the provider has said all that it wants to say."""
        ...

    def problem(self) -> tuple[str, str] | None:
        """The type and message of an error that came as an event."""
        ...

    def attributes(self) -> dict[str, Any]:
        """What the answer says so far."""
        ...


class Ending(Protocol):
    """The call that a body belongs to."""

    @property
    def started_ns(self) -> int:
        """By the clock `time.perf_counter_ns`."""
        ...

    def end(
        self,
        attributes: dict[str, Any],
        error: BaseException | None = None,
        *,
        abandoned: bool = False,
        problem: tuple[str, str] | None = None,
        ended_ns: int | None = None,
    ) -> None: ...

    def said_by(self, error: BaseException) -> dict[str, Any]:
        """What an exception says of the call."""
        ...


def decode_json(data: bytes) -> Any:
    """Decode as the libraries do, by the standard library where ours is stricter (NaN). Raises ValueError."""
    try:
        return _decode_strictly(data)
    except msgspec.DecodeError:
        return json.loads(data)


def listen(
    response: Any,
    call: Ending,
    assembler: Callable[[], Assembler] | None,
    read: Callable[[bytes], dict[str, Any]],
) -> None:
    """Hear what is read from an httpx-like response, and end the call when it has been read, closed or forgotten.

    `assembler` is for a stream of events; without it the whole body goes to `read`. Sets four methods on this one
    object, which hold it: httpx's own stream does so too, so it lives no longer than before. Held weakly it would be
    gone when the collector closes the client's generators, and the connection would leak.
    """
    inner_bytes, inner_abytes = response.iter_bytes, response.aiter_bytes
    inner_close, inner_aclose = response.close, response.aclose
    heard = _Heard(call, _Whole(read) if assembler is None else _Events(assembler()))
    listener = _Listener(heard)

    def iter_bytes(*args: Any, **kwargs: Any) -> Any:
        return _Bytes(inner_bytes(*args, **kwargs), listener)

    def aiter_bytes(*args: Any, **kwargs: Any) -> Any:
        return _AsyncBytes(inner_abytes(*args, **kwargs), listener)

    def close() -> None:
        listener.closed()
        inner_close()

    async def aclose() -> None:
        listener.closed()
        await inner_aclose()

    response.iter_bytes, response.aiter_bytes, response.close, response.aclose = iter_bytes, aiter_bytes, close, aclose
    heard.forgotten = weakref.finalize(response, heard.collected)


class _Heard:
    """What was read from one response so far. Holds nothing that holds the response, or it would never be collected."""

    def __init__(self, call: Ending, reader: "_Whole | _Events") -> None:
        self.reader = reader
        self.trouble: tuple[str, str] | None = None
        """Type and message of the exception that reading ended in."""
        self.forgotten: weakref.finalize[Any, Any] | None = None
        self._call = call
        self._first_ns: int | None = None
        self._last_ns = _clock_ns()
        """When the program last got something: the end of a body that nobody closed."""
        self._ended = False

    def read(self, data: bytes) -> None:
        self._last_ns = _clock_ns()
        with guard("stream"):
            if self.reader.feed(data) and self._first_ns is None:
                self._first_ns = self._last_ns

    def failed(self, error: BaseException) -> None:
        self._last_ns = _clock_ns()
        with guard("stream"):
            self.trouble = _error_name(error), describe_error(error)

    def collected(self) -> None:
        self.end(ended_ns=self._last_ns)

    def end(self, error: BaseException | None = None, *, exhausted: bool = False, ended_ns: int | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        with guard("stream"):
            if self.forgotten is not None:
                self.forgotten.detach()
            self._tell(error, exhausted, ended_ns)

    def _tell(self, error: BaseException | None, exhausted: bool, ended_ns: int | None) -> None:
        attributes: dict[str, Any] = {}
        complete, problem = exhausted, self.trouble
        with guard("stream"):
            complete = exhausted or self.reader.complete()
            problem = self.trouble or self.reader.problem()
            attributes = self.reader.attributes()
            if self._first_ns is not None:
                attributes[semconv.TTFT_S] = (self._first_ns - self._call.started_ns) / 1e9
        if error is not None:
            attributes.update(self._call.said_by(error))
        abandoned = not complete and error is None and problem is None
        self._call.end(attributes, error, abandoned=abandoned, problem=problem, ended_ns=ended_ns)


class _Listener:
    """What the response itself holds: follows the reading, and finds the exception that the program sees."""

    def __init__(self, heard: _Heard) -> None:
        self._heard = heard
        self._inside = False
        """True while the program waits for the next bytes."""
        self._failure: BaseException | None = None
        self._around: BaseException | None = None
        """What the program was handling when the provider told of an error: no news, if it is still so at the end."""

    def waits(self) -> None:
        self._inside = True

    def got(self, data: bytes) -> bytes:
        self._inside = False
        self._heard.read(data)
        with guard("stream"):
            if self._around is None and self._heard.reader.problem() is not None:
                self._around = sys.exc_info()[1]
        return data

    def exhausted(self) -> None:
        self._inside = False
        self._heard.end(exhausted=True)

    def failed(self, error: BaseException) -> None:
        """Not the end: the client closes the response with the exception in flight that the program will see."""
        self._inside = False
        if not isinstance(error, GeneratorExit):
            self._failure = error
            self._heard.failed(error)

    def closed(self) -> None:
        if not self._inside:
            with guard("stream"):
                self._heard.end(self._raised())

    def _raised(self) -> BaseException | None:
        """The exception that the program sees: the one in flight, if it comes of what we saw fail."""
        flying = sys.exc_info()[1]
        if self._failure is not None:
            return flying if flying is not None and _comes_of(flying, self._failure) else self._failure
        told = self._heard.reader.problem() is not None
        return flying if told and flying is not self._around and not isinstance(flying, GeneratorExit) else None


def _comes_of(error: BaseException, cause: BaseException) -> bool:
    above: BaseException | None = error
    for _ in range(10):
        if above is cause:
            return True
        above = None if above is None else above.__cause__ or above.__context__
    return False


class _Bytes:
    """An iterator of bytes that is heard."""

    __slots__ = ("_chunks", "_listener")

    def __init__(self, chunks: Any, listener: _Listener) -> None:
        self._chunks, self._listener = chunks, listener

    def __iter__(self) -> "_Bytes":
        return self

    def __next__(self) -> bytes:
        self._listener.waits()
        try:
            data = next(self._chunks)
        except StopIteration:
            self._listener.exhausted()
            raise
        except BaseException as error:
            self._listener.failed(error)
            raise
        return self._listener.got(data)

    def close(self) -> None:
        self._chunks.close()


class _AsyncBytes:
    """An async iterator of bytes that is heard; no generator, so that the event loop has none more to close."""

    __slots__ = ("_chunks", "_listener")

    def __init__(self, chunks: Any, listener: _Listener) -> None:
        self._chunks, self._listener = chunks, listener

    def __aiter__(self) -> "_AsyncBytes":
        return self

    async def __anext__(self) -> bytes:
        self._listener.waits()
        try:
            data = await anext(self._chunks)
        except StopAsyncIteration:
            self._listener.exhausted()
            raise
        except BaseException as error:
            self._listener.failed(error)
            raise
        return self._listener.got(data)

    def aclose(self) -> Awaitable[None]:
        return self._chunks.aclose()


class _Whole:
    """A body that is one JSON value."""

    def __init__(self, read: Callable[[bytes], dict[str, Any]]) -> None:
        self._read = read
        self._data = bytearray()
        self._cut = False

    def feed(self, data: bytes) -> bool:
        if len(self._data) + len(data) <= _MAX_BODY_BYTES:
            self._data += data
        else:
            self._cut = True
        return False

    def problem(self) -> None:
        return None

    def complete(self) -> bool:
        return False  # until it is exhausted

    def attributes(self) -> dict[str, Any]:
        if self._cut or not self._data:
            return {}
        try:
            return self._read(bytes(self._data))
        except ValueError:  # read in part, or no JSON
            return {}


class _Events:
    """A body of server-sent events with JSON data. Source: WHATWG HTML, server-sent events."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler
        self._rest: list[bytes] = []
        """The beginning of a line whose end has not come yet."""
        self._data: list[bytes] = []
        self._done = False
        self._broken = False

    def feed(self, data: bytes) -> bool:
        """True if it brought output."""
        self._rest.append(data)
        if b"\n" not in data:
            return False
        lines = b"".join(self._rest).split(b"\n")
        self._rest = [lines.pop()]
        output = False
        for line in lines:
            line = line.removesuffix(b"\r")  # noqa: PLW2901
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                event, self._data = b"\n".join(self._data), []
                output = self._take(event) or output
        return output

    def _take(self, event: bytes) -> bool:
        if event.startswith(b"[DONE]"):
            self._done = True
            return False
        try:
            decoded = decode_json(event)
        except ValueError:
            self._broken = True
            return False
        with guard("event"):
            return self._assembler.add(decoded)
        return False

    def problem(self) -> tuple[str, str] | None:
        return self._assembler.problem() or (("invalid_json", "an event is no JSON") if self._broken else None)

    def complete(self) -> bool:
        return self._done or self._assembler.complete()

    def attributes(self) -> dict[str, Any]:
        return self._assembler.attributes()


__all__ = ["Assembler", "Ending", "decode_json", "listen"]
