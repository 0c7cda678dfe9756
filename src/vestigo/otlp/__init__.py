"""Records <-> OTLP, as protobuf and as JSON: what the server reads, what exporters send, and the answers between them.

`decode` takes the records of a request that can be taken and counts the others. The JSON form needs nothing but
msgspec; what reads protobuf, or writes metrics in it, loads `opentelemetry.proto` when it is first used.
Not carried: the normal form, which the receiver makes for itself; attributes named `vestigo.weight` and
`vestigo.log_id`, which have that meaning; a time of 0, which means "not told"; exemplars of metrics.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from vestigo.errors import IngestError
from vestigo.otlp import jsonform, written
from vestigo.otlp.jsonform import encode_logs, encode_traces
from vestigo.otlp.jsonwire import read_request
from vestigo.otlp.status import answer, read_answer, status
from vestigo.otlp.terms import Decoded, Form, Signal
from vestigo.record import Log, Point, Span

MAX_RECORDS: Final = 100_000


def decode(signal: Signal, form: Form, data: bytes, max_records: int = MAX_RECORDS) -> Decoded:
    """The records of a request, each taken or rejected by itself.

    Raises IngestError for a body that is no such request, and for one that holds more records, or more values in
    them, than a request may; then nothing of it was built. Equal resources and scopes are shared between records.
    """
    return _reader(form).decode(signal, data, max_records)


def count(signal: Signal, form: Form, data: bytes, max_records: int = MAX_RECORDS) -> int:
    """How many records a request holds, of metrics their points, before any of them is built. Raises as `decode`."""
    return _reader(form).count(signal, data, max_records)


def encode(signal: Signal, form: Form, records: Sequence[Span] | Sequence[Log] | Sequence[Point]) -> bytes:
    """One request of records of that signal; they keep their order within their resource and scope.

    Metrics in protobuf raise ImportError where `opentelemetry-proto` is not installed.
    """
    return _writer(signal, form)(records)


def decode_traces(data: bytes | str) -> list[Span]:
    """The spans of a JSON request of any size. Raises IngestError naming the first that cannot be read."""
    return _all("traces", data).spans


def decode_logs(data: bytes | str) -> list[Log]:
    """The logs of a JSON request of any size. Raises IngestError naming the first that cannot be read."""
    return _all("logs", data).logs


def _all(signal: Signal, data: bytes | str) -> Decoded:
    found = jsonform.read(signal, read_request(data))
    if found.rejected:
        raise IngestError(found.reasons[0], found.rejected)
    return found


def _reader(form: Form) -> Any:
    if form == "json":
        return jsonform
    from vestigo.otlp import protobuf  # noqa: PLC0415  needs opentelemetry-proto, which the library goes without

    return protobuf


def _writer(signal: Signal, form: Form) -> Callable[[Any], bytes]:
    if signal == "metrics" and form == "protobuf":
        from vestigo.otlp.messages import encode_metrics  # noqa: PLC0415

        return encode_metrics
    writers: dict[tuple[Signal, Form], Callable[[Any], bytes]] = {
        ("traces", "json"): encode_traces,
        ("logs", "json"): encode_logs,
        ("metrics", "json"): jsonform.encode_metrics,
        ("traces", "protobuf"): written.encode_traces,
        ("logs", "protobuf"): written.encode_logs,
    }
    return writers[signal, form]


__all__ = [
    "MAX_RECORDS", "Decoded", "Form", "Signal", "answer", "count", "decode", "decode_logs", "decode_traces", "encode",
    "encode_logs", "encode_traces", "read_answer", "status",
]  # fmt: skip
