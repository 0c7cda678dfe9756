"""OTLP JSON: as the specification writes it, and what the field writes is understood."""

import json

import pytest

from vestigo import otlp
from vestigo.errors import IngestError
from vestigo.record import Log, Resource, Scope, Span


def test_the_json_is_as_the_specification_writes_it():
    """lowerCamelCase, ids in hex, 64-bit integers as text, enums as numbers, open spans without an end."""
    span = Span(
        "a" * 32, "b" * 16, "work", 5, "c" * 16, None, "CLIENT", "ERROR", "boom", {"n": 7, "list": [True, None]}
    )
    (group,) = json.loads(otlp.encode_traces([span]))["resourceSpans"]
    (wire,) = group["scopeSpans"][0]["spans"]
    assert wire == {
        "traceId": "a" * 32, "spanId": "b" * 16, "parentSpanId": "c" * 16, "name": "work", "kind": 3,
        "startTimeUnixNano": "5", "status": {"code": 2, "message": "boom"},
        "attributes": [
            {"key": "n", "value": {"intValue": "7"}},
            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}, {}]}}},
        ],
    }  # fmt: skip


def test_what_other_exporters_write_is_read():
    """Numbers for 64-bit integers, upper-case ids, unknown fields, bytes, an older event name, observed time only."""
    spans = otlp.decode_traces(json.dumps({
        "resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [{"scope": {"name": "lib"}, "spans": [{
                "traceId": "A" * 32, "spanId": "B" * 16, "name": "x", "startTimeUnixNano": 5, "endTimeUnixNano": "9",
                "futureField": {"a": 1}, "kind": 99, "status": {"code": 77},
                "attributes": [{"key": "raw", "value": {"bytesValue": "AAEC"}}, {"key": "n", "value": {"intValue": 3}},
                               {"key": "inf", "value": {"doubleValue": "Infinity"}},
                               {"key": "d", "value": {"doubleValue": 2}}],
            }]}]}], "unknown": 1,
    }))  # fmt: skip
    (span,) = spans
    assert (span.trace_id, span.span_id, span.kind, span.status) == ("a" * 32, "b" * 16, "INTERNAL", "UNSET")
    assert (span.start_ns, span.end_ns, span.service, span.scope.name) == (5, 9, "shop", "lib")
    assert span.attributes == {"raw": "base64:AAEC", "n": 3, "inf": "Infinity", "d": 2.0}
    (log,) = otlp.decode_logs(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "observedTimeUnixNano": "8", "body": {"stringValue": "hi"},
        "attributes": [{"key": "event.name", "value": {"stringValue": "old"}}]}]}]}]}))  # fmt: skip
    assert (log.time_ns, log.event_name, log.body, log.severity) == (8, "old", "hi", 9)


def one_span(**fields):
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]})


@pytest.mark.parametrize(
    ("wire", "named"),
    [
        ('{"resourceSpans": 3}', "resourceSpans"),
        ("not json", "cannot read"),
        ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz","spanId":"b"}]}]}]}', "'xyz'"),
        (one_span(traceId="0" * 32, spanId="b" * 16), "zero"),
        (one_span(traceId="a" * 32, spanId="b" * 16, startTimeUnixNano="soon"), "'soon'"),
        ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"bytesValue":"%"}}]}]}]}', "base64"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(wire, named):
    """IngestError says which value is wrong."""
    with pytest.raises(IngestError, match=named):
        otlp.decode_traces(wire)
        otlp.decode_logs(wire)


def spans_of(*wires):
    return otlp.decode_traces(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(wires)}]}]}))


def logs_of(*wires):
    return otlp.decode_logs(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(wires)}]}]}))


WIRE = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "x", "startTimeUnixNano": "5"}


def attribute(**value):
    return {**WIRE, "attributes": [{"key": "k", "value": value}]}


def test_null_means_not_told():
    """As the JSON mapping of protobuf has it: a null field is one that is not there."""
    nulls = dict.fromkeys(("attributes", "events", "links", "status", "traceState", "parentSpanId", "endTimeUnixNano"))
    assert spans_of({**WIRE, **nulls}) == spans_of(WIRE)
    nulls = dict.fromkeys(("traceId", "spanId", "body", "attributes", "eventName", "severityNumber", "severityText"))
    assert logs_of({"timeUnixNano": 1, **nulls}) == [Log(1)]
    assert otlp.decode_traces('{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":null}]}]}') == []
    assert otlp.decode_logs('{"resourceLogs":null}') == []
    assert spans_of(attribute(arrayValue={"values": None}))[0].attributes == {"k": []}


def test_ids_of_zeros_mean_none():
    """Some emitters write zeros for a root's parent and for a log outside a trace."""
    assert spans_of({**WIRE, "parentSpanId": "0" * 16})[0].parent_id is None
    assert logs_of({"timeUnixNano": 1, "traceId": "0" * 32, "spanId": "0" * 16}) == [Log(1)]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"doubleValue": "1.5"}, 1.5),
        ({"doubleValue": "NaN"}, "NaN"),
        ({"doubleValue": "-Infinity"}, "-Infinity"),
        ({"intValue": str(2**63 - 1)}, 2**63 - 1),
        ({"intValue": -(2**63)}, -(2**63)),
        ({"bytesValue": "-_8="}, "base64:+/8="),
        ({"bytesValue": "AAE"}, "base64:AAE="),
        ({"stringValue": ""}, ""),
        ({"kvlistValue": {}}, {}),
    ],
)
def test_values_are_read_in_every_spelling(value, read):
    """Doubles as text, both base64 alphabets, empty ones."""
    assert spans_of(attribute(**value))[0].attributes == {"k": read}


@pytest.mark.parametrize(
    ("wire", "named"),
    [
        (attribute(intValue=str(2**63)), "does not fit 64 bits"),
        (attribute(intValue=10**30), "does not fit 64 bits"),
        (attribute(doubleValue="much"), "'much'"),
        ({**WIRE, "startTimeUnixNano": 2**64 - 1}, "startTimeUnixNano"),
        ({**WIRE, "startTimeUnixNano": -1}, "before 1970"),
        ({**WIRE, "links": [{"traceId": "\x1b[31m", "spanId": "b" * 16}]}, "traceId of a link"),
    ],
)
def test_what_no_record_can_hold_is_refused(wire, named):
    """Numbers beyond 64 bits, times before 1970, links that are none."""
    with pytest.raises(IngestError, match=named):
        spans_of(wire)


def test_values_nested_without_end_are_refused():
    """However deep, the answer is an IngestError and not the end of Python's stack."""
    for depth in (3_000, 100_000):
        body = '{"arrayValue":{"values":[' * depth + "]}}" * depth
        value = f'{{"attributes":[{{"key":"k","value":{body}}}]}}'
        with pytest.raises(IngestError):
            otlp.decode_traces(f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{value}]}}]}}]}}')
        with pytest.raises(IngestError):
            otlp.decode_logs(f'{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{value}]}}]}}]}}')


@pytest.mark.parametrize(
    ("wire", "severity"),
    [({"severityNumber": 17}, 17), ({"severityText": "WARN"}, 13), ({"severityNumber": 99}, 24), ({}, 9)],
)
def test_severity_is_found(wire, severity):
    """By number, else by the level's name, always from 1 to 24."""
    assert logs_of({"timeUnixNano": "1", **wire})[0].severity == severity


@pytest.mark.parametrize(
    "weight", [{"doubleValue": -3}, {"stringValue": "heavy"}, {"boolValue": True}, {"intValue": 0}]
)
def test_a_weight_that_makes_no_sense_is_1(weight):
    """A sender cannot make sums wrong with it."""
    assert spans_of({**WIRE, "attributes": [{"key": "vestigo.weight", "value": weight}]})[0].weight == 1


def test_records_are_grouped_by_resource_and_scope():
    """Equal resources and scopes are written once, in the order of their first record."""
    one, other = Resource({"service.name": "a"}), Resource({"service.name": "b"})
    spans = [
        Span("a" * 32, f"{n:016x}", "x", n, resource=resource, scope=Scope(scope))
        for n, (resource, scope) in enumerate(
            [(one, "s"), (other, "s"), (Resource(dict(one.attributes)), "t"), (one, "s")], 1
        )
    ]
    groups = json.loads(otlp.encode_traces(spans))["resourceSpans"]
    assert [[len(scoped["spans"]) for scoped in group["scopeSpans"]] for group in groups] == [[2, 1], [1]]


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ({"kind": "SPAN_KIND_CLIENT", "status": {"code": "STATUS_CODE_ERROR"}}, ("CLIENT", "ERROR")),
        ({"kind": "SPAN_KIND_INTERNAL", "status": {"code": "STATUS_CODE_UNSET"}}, ("INTERNAL", "UNSET")),
        ({"kind": "3", "status": {"code": "1"}}, ("CLIENT", "OK")),
        ({"kind": "SPAN_KIND_ODD", "status": {"code": ""}}, ("INTERNAL", "UNSET")),
        ({"kind": -1, "status": {"code": 10**6}}, ("INTERNAL", "UNSET")),
    ],
)
def test_enums_are_read_by_number_and_name(wire, read):
    """By name is how protobuf's own JSON has them, which the specification forbids and some senders write."""
    (span,) = spans_of({**WIRE, **wire})
    assert (span.kind, span.status) == read
    (log,) = logs_of({"timeUnixNano": 1, "severityNumber": "SEVERITY_NUMBER_WARN2"})
    assert log.severity == 14


def test_strict_reading_tells_of_the_first_that_cannot_be_read():
    """`decode_traces` takes all or nothing, and counts what is wrong."""
    with pytest.raises(IngestError, match="record 1: spanId") as caught:
        spans_of(WIRE, {**WIRE, "spanId": "x"}, {**WIRE, "traceId": ""})
    assert caught.value.rejected == 2
