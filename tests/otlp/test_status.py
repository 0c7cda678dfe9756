"""Answers of a receiver: as the official messages have them, and read back whatever was sent."""

import json

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from vestigo.otlp import answer, read_answer, status

RESPONSES = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
}
signals = pytest.mark.parametrize("signal", RESPONSES)
forms = pytest.mark.parametrize("form", ["json", "protobuf"])


@signals
@given(rejected=st.integers(0, 2**63 - 1), message=st.text(max_size=300))
def test_answers_are_the_official_messages(signal, rejected, message):
    """The official class reads what we write, and we read what it writes."""
    response, field = RESPONSES[signal]
    told = response.FromString(answer(signal, "protobuf", rejected, message))
    assert (getattr(told.partial_success, field), told.partial_success.error_message) == (rejected, message)
    assert told.HasField("partial_success") == bool(rejected or message)
    assert read_answer(signal, "protobuf", told.SerializeToString()) == (rejected, message)


@signals
def test_answers_in_json_are_as_the_specification_writes_them(signal):
    """64-bit numbers as text, lowerCamelCase, nothing for a plain success."""
    assert answer(signal, "json") == b"{}"
    assert answer(signal, "protobuf") == b""
    field = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}[signal]
    told = json.loads(answer(signal, "json", 3, "why"))
    assert told == {"partialSuccess": {field: "3", "errorMessage": "why"}}
    assert read_answer(signal, "json", answer(signal, "json", 3, "why")) == (3, "why")
    assert read_answer(signal, "json", json.dumps({"partialSuccess": {field: 3}}).encode()) == (3, "")


@given(st.integers(0, 16), st.text(max_size=200))
def test_a_status_is_the_official_message(code, message):
    """`google.rpc.Status` in both forms."""
    told = Status.FromString(status("protobuf", code, message))
    assert (told.code, told.message) == (code, message)
    assert json.loads(status("json", code, message)) == {"code": code, "message": message}


@forms
@given(data=st.binary(max_size=60))
def test_junk_for_an_answer_is_a_success(form, data):
    """The status code was 200, so whatever stands in the body raises nothing."""
    for signal in RESPONSES:
        rejected, message = read_answer(signal, form, data)
        assert rejected >= 0
        assert isinstance(message, str)


@forms
def test_a_huge_answer_is_not_read(form):
    """Beyond 4 MiB, which is more than the specification lets a receiver send."""
    assert read_answer("traces", form, answer("traces", form, 1, "x" * (4 << 20))) == (0, "")
    assert read_answer("traces", form, answer("traces", form, 1, "x" * 1_000)) == (1, "x" * 1_000)


def test_unknown_fields_of_answers_are_passed_over():
    """What a later version may add."""
    told = json.dumps({"partialSuccess": {"rejectedSpans": "2", "new": {}}, "more": [1]}).encode()
    assert read_answer("traces", "json", told) == (2, "")
    assert read_answer("traces", "protobuf", b"\x10\x05" + answer("traces", "protobuf", 2, "b") + b"\x1a\x00") == (
        2,
        "b",
    )
