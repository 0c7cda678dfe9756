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

    def iter_bytes(*args: Any, **kwargs: Any) -> Any:
        return _Bytes(inner_bytes(*args, **kwargs), heard)

    def aiter_bytes(*args: Any, **kwargs: Any) -> Any:
        return _AsyncBytes(inner_abytes(*args, **kwargs), heard)

    def close() -> None:
        heard.closed()
        inner_close()

    async def aclose() -> None:
        heard.closed()
        await inner_aclose()

    response.iter_bytes, response.aiter_bytes, response.close, response.aclose = iter_bytes, aiter_bytes, close, aclose
    heard.forgotten = weakref.finalize(response, heard.end, collected=True)


class _Heard:
    """What was read from one response so far."""

    def __init__(self, call: Ending, reader: "_Whole | _Events") -> None:
        self.call = call
        self.reader = reader
        self.inside = False
        """True while the program waits for the next bytes."""
        self.failure: BaseException | None = None
        self.around: BaseException | None = None
        """What the program was handling when the provider told of an error: no news, if it is still so at the end."""
        self.first_ns: int | None = None
        self.ended = False
        self.forgotten: weakref.finalize[Any, Any] | None = None

    def read(self, data: bytes) -> None:
        with guard("stream"):
            if self.reader.feed(data) and self.first_ns is None:
                self.first_ns = _clock_ns()
            if self.reader.problem() is not None and self.around is None:
                self.around = sys.exc_info()[1]

    def failed(self, error: BaseException) -> None:
        """Not the end: the client closes the response with the exception in flight that the program will see."""
        if not isinstance(error, GeneratorExit):
            self.failure = error

    def closed(self) -> None:
        if not self.inside:
            self.end()

    def end(self, *, exhausted: bool = False, collected: bool = False) -> None:
        if self.ended:
            return
        self.ended = True
        with guard("stream"):
            if self.forgotten is not None:
                self.forgotten.detach()
            self._tell(exhausted, collected)

    def _tell(self, exhausted: bool, collected: bool) -> None:
        attributes: dict[str, Any] = {}
        problem = None
        complete = exhausted
        with guard("stream"):
            complete = exhausted or self.reader.complete()
            problem = self.reader.problem()
            attributes = self.reader.attributes()
            if self.first_ns is not None:
                attributes[semconv.TTFT_S] = (self.first_ns - self.call.started_ns) / 1e9
        error = self.failure if exhausted or collected else self._raised(problem is not None)
        if error is not None:
            attributes.update(self.call.said_by(error))
        failed = error is not None or problem is not None
        self.call.end(attributes, error, abandoned=not complete and not failed, problem=problem)

    def _raised(self, problem: bool) -> BaseException | None:
        """The exception that the program sees: the one in flight, if it comes of what we saw fail."""
        flying = sys.exc_info()[1]
        if self.failure is not None:
            return flying if flying is not None and _comes_of(flying, self.failure) else self.failure
        if problem and flying is not self.around and not isinstance(flying, GeneratorExit):
            return flying
        return None


def _comes_of(error: BaseException, cause: BaseException) -> bool:
    above: BaseException | None = error
    for _ in range(10):
        if above is cause:
            return True
        above = None if above is None else above.__cause__ or above.__context__
    return False


class _Bytes:
    """An iterator of bytes that is heard."""

    __slots__ = ("_chunks", "_heard")

    def __init__(self, chunks: Any, heard: _Heard) -> None:
        self._chunks, self._heard = chunks, heard

    def __iter__(self) -> "_Bytes":
        return self

    def __next__(self) -> bytes:
        heard = self._heard
        heard.inside = True
        try:
            data = next(self._chunks)
        except StopIteration:
            heard.end(exhausted=True)
            raise
        except BaseException as error:
            heard.failed(error)
            raise
        finally:
            heard.inside = False
        heard.read(data)
        return data

    def close(self) -> None:
        self._chunks.close()


class _AsyncBytes:
    """An async iterator of bytes that is heard; no generator, so that the event loop has none more to close."""

    __slots__ = ("_chunks", "_heard")

    def __init__(self, chunks: Any, heard: _Heard) -> None:
        self._chunks, self._heard = chunks, heard

    def __aiter__(self) -> "_AsyncBytes":
        return self

    async def __anext__(self) -> bytes:
        heard = self._heard
        heard.inside = True
        try:
            data = await anext(self._chunks)
        except StopAsyncIteration:
            heard.end(exhausted=True)
            raise
        except BaseException as error:
            heard.failed(error)
            raise
        finally:
            heard.inside = False
        heard.read(data)
        return data

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
