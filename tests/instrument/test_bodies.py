"""Bodies are heard while the program reads them: whole ones and events, and what is no JSON."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from vestigo.diagnostics import counters
from vestigo.instrument import bodies
from vestigo.instrument.bodies import decode_json, listen


class Response:
    """As much of an HTTP response as is listened to: a body in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.closed = 0

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self._pieces

    async def aiter_bytes(self) -> Any:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


class Ended:
    """A call that keeps how it was ended."""

    started_ns = 0

    def __init__(self) -> None:
        self.ends: list[tuple[dict[str, Any], BaseException | None, dict[str, Any]]] = []

    def end(self, attributes: dict[str, Any], error: BaseException | None = None, **how: Any) -> None:
        self.ends.append((attributes, error, how))

    def said_by(self, error: BaseException) -> dict[str, Any]:
        return {"said": str(error)}


def read(data: bytes) -> dict[str, Any]:
    return {"value": decode_json(data)}


def test_a_whole_body_is_read_once_it_has_come() -> None:
    """The end comes with the last piece, and closing afterwards is no second end."""
    response, call = Response(b"[1,", b"2]"), Ended()
    listen(response, call, None, read)
    chunks = response.iter_bytes()
    assert next(chunks) == b"[1,"
    assert call.ends == []
    assert list(chunks) == [b"2]"]
    response.close()
    assert response.closed == 1
    ((attributes, error, how),) = call.ends
    assert (attributes, error, how["abandoned"]) == ({"value": [1, 2]}, None, False)


def test_half_a_body_says_nothing_and_is_abandoned() -> None:
    """Reading was given up in the middle, so there is no JSON to read."""
    response, call = Response(b"[1,", b"2]"), Ended()
    listen(response, call, None, read)
    chunks = response.iter_bytes()
    next(chunks)
    chunks.close()
    response.close()
    ((attributes, _, how),) = call.ends
    assert (attributes, how["abandoned"]) == ({}, True)


def test_a_body_that_is_too_long_is_passed_on_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets all of it; we keep no more than the bound, and say nothing of the answer."""
    monkeypatch.setattr(bodies, "_MAX_BODY_BYTES", 8)
    response, call = Response(b"[1,2,3,", b"4,5,6]"), Ended()
    listen(response, call, None, read)
    assert b"".join(response.iter_bytes()) == b"[1,2,3,4,5,6]"
    assert call.ends[0][0] == {}


class Broken:
    """An assembler whose every method raises."""

    def add(self, event: Any) -> bool:
        raise RuntimeError("ours")

    def complete(self) -> bool:
        raise RuntimeError("ours")

    def problem(self) -> None:
        return None

    def attributes(self) -> dict[str, Any]:
        raise RuntimeError("ours")


async def test_an_assembler_that_raises_is_counted_and_the_program_reads_on() -> None:
    """Plain and async: every byte comes, the call ends once, the faults are counted."""
    for form in ("plain", "async"):
        before = counters.get("failed")
        response, call = Response(b"data: {}\n\n", b"data: {}\n\n"), Ended()
        listen(response, call, Broken, read)
        if form == "plain":
            assert len(list(response.iter_bytes())) == 2
        else:
            assert len([chunk async for chunk in response.aiter_bytes()]) == 2
            await response.aclose()
        assert len(call.ends) == 1
        assert counters.get("failed") >= before + 2


async def test_an_async_body_can_be_closed_while_it_is_read() -> None:
    """Closing the iterator closes the one below."""
    response, call = Response(b"1", b"2"), Ended()
    listen(response, call, None, read)
    chunks = response.aiter_bytes()
    assert await anext(chunks) == b"1"
    await chunks.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


def test_a_body_that_nobody_reads_is_ended_by_the_collector() -> None:
    """Listening does not keep the response."""
    call = Ended()
    response = Response(b"[]")
    listen(response, call, None, read)
    del response
    gc.collect()
    ((_, _, how),) = call.ends
    assert how["abandoned"] is True
    assert how["ended_ns"] > 0


def test_json_is_read_as_the_standard_library_reads_it() -> None:
    """Where the fast decoder is stricter the slow one is asked; what is no JSON is a ValueError."""
    assert decode_json(b'{"a": [1.5, null]}') == {"a": [1.5, None]}
    assert decode_json(b'{"a": NaN}')["a"] != decode_json(b'{"a": NaN}')["a"]
    with pytest.raises(ValueError, match="Expecting"):
        decode_json(b"{broken")
