"""What a receiver answers, in both forms: `Export*ServiceResponse` and `google.rpc.Status`.

Both are two fields each, so their protobuf is written by hand and needs no library.
Source: opentelemetry-proto 1.11.0, docs/specification.md, "Response"; google/rpc/status.proto.
"""

from typing import Final

import msgspec
from msgspec import Struct

from vestigo.errors import IngestError
from vestigo.otlp.count import split, varint
from vestigo.otlp.terms import Form, Signal

_MAX_ANSWER_BYTES: Final = 4 << 20
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints",
}  # fmt: skip


def answer(signal: Signal, form: Form, rejected: int = 0, message: str = "") -> bytes:
    """A success; with rejected records or a message a partial one. A message without rejected records is a warning."""
    partly = bool(rejected or message)
    if form == "json":
        told = {_REJECTED[signal]: str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": told} if partly else {})
    return _text(1, _whole(1, rejected) + _text(2, message.encode())) if partly else b""


def status(form: Form, code: int, message: str) -> bytes:
    """A failure; `code` is one of google.rpc.Code, such as 3 for a request that cannot be read."""
    if form == "json":
        return msgspec.json.encode({"code": code, "message": message})
    return _whole(1, code) + _text(2, message.encode())


def read_answer(signal: Signal, form: Form, data: bytes) -> tuple[int, str]:
    """How many records were rejected, and why; (0, "") for an answer that cannot be read, since the status said 200."""
    if len(data) > _MAX_ANSWER_BYTES:
        return 0, ""
    try:
        return _read_json(signal, data) if form == "json" else _read_protobuf(data)
    except (IngestError, msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return 0, ""


class _Partial(Struct, rename="camel"):
    rejected_spans: int | str | None = 0
    rejected_log_records: int | str | None = 0
    rejected_data_points: int | str | None = 0
    error_message: str | None = ""


class _Answer(Struct, rename="camel"):
    partial_success: _Partial | None = None


_decode_answer: Final = msgspec.json.Decoder(_Answer).decode


def _read_json(signal: Signal, data: bytes) -> tuple[int, str]:
    told = _decode_answer(data).partial_success or _Partial()
    match signal:
        case "traces":
            rejected = told.rejected_spans
        case "logs":
            rejected = told.rejected_log_records
        case "metrics":
            rejected = told.rejected_data_points
    return max(int(rejected or 0), 0), told.error_message or ""


def _read_protobuf(data: bytes) -> tuple[int, str]:
    rejected, message = 0, ""
    for _, _, start, end in split(data, 0, len(data), 1, 1_000)[1]:
        rest, texts = split(data, start, end, 2, 1_000)
        for _, _, first, last in texts:
            message = data[first:last].decode("utf-8", "replace")
        if rest.startswith(b"\x08"):
            rejected = varint(rest, 1)[0]
    return (rejected if rejected < 1 << 63 else 0), message


def _whole(field: int, number: int) -> bytes:
    """A field of type int32 or int64, left out at 0 as proto3 does."""
    return bytes((field << 3,)) + _varint(number) if number else b""


def _text(field: int, text: bytes) -> bytes:
    return bytes((field << 3 | 2,)) + _varint(len(text)) + text if text else b""


def _varint(number: int) -> bytes:
    groups: list[int] = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes((*groups, number))
