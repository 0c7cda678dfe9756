"""OTLP in over HTTP: what is taken, what is refused and how, and that the answer comes after the commit."""

import gzip
import json
import threading
import zlib

import msgspec
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from served import served

from vestigo import otlp
from vestigo.errors import StorageError
from vestigo.query import Query
from vestigo.record import Log, Point, Resource, Scope, Span
from vestigo.server.ingest import _decompress
from vestigo.server.routes import Failure
from vestigo.storage.memory import InMemoryTraceStorage

TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}
EVERYTHING = Query(project="default", limit=1_000)


def span(number, **more):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1_000}
    return Span(
        f"{number + 1:032x}", f"{number + 1:016x}", f"chat {number}", 10**18, end_ns=10**18 + 10**9,
        attributes={**attributes, **more}, resource=Resource({"service.name": "shop"}), scope=Scope("t", "1"),
    )  # fmt: skip


def send(client, signal, form, records, **headers):
    return client.post(
        f"/v1/{signal}", content=otlp.encode(signal, form, records), headers={"Content-Type": TYPES[form], **headers}
    )


@pytest.fixture
def app(tmp_path):
    with served("memory", tmp_path, empty=True) as made:
        yield made


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_each_signal_is_taken_and_answered_in_its_own_form(app, form):
    """Spans, logs and points are stored, normalized and priced; the answer repeats the request's type and is empty."""
    server, client = app
    sent = {"traces": [span(1)], "logs": [Log(10**18, body="hello")], "metrics": [Point("depth", 10**18, value=3)]}
    for signal, records in sent.items():
        answer = send(client, signal, form, records)
        assert (answer.status_code, answer.headers["content-type"]) == (200, TYPES[form])
        assert otlp.read_answer(signal, form, answer.content) == (0, "")
    (found,) = server.storage.find_spans(EVERYTHING)
    assert (found.name, found.normal.kind, found.normal.cost.source) == ("chat 1", "llm", "computed")
    assert [log.body for log in server.storage.find_logs(EVERYTHING)] == ["hello"]
    assert [point.value for point in server.storage.find_points(EVERYTHING)] == [3]
    assert server.counters.get("received.spans") == server.counters.get("stored.spans") == 1


def test_a_request_sent_again_changes_nothing(app):
    """Spans, logs and points have an identity of their own, so a resend is stored once."""
    server, client = app
    for _ in range(3):
        send(client, "traces", "protobuf", [span(1), span(2)])
        send(client, "logs", "protobuf", [Log(10**18, body="once")])
        send(client, "metrics", "protobuf", [Point("depth", 10**18, value=3)])
    assert len(server.storage.find_spans(EVERYTHING)) == 2
    assert len(server.storage.find_logs(EVERYTHING)) == 1
    assert len(server.storage.find_points(EVERYTHING)) == 1


@pytest.mark.parametrize("at", range(5))
def test_a_bad_span_is_rejected_alone(app, at):
    """Whatever its place, the others are stored, and the answer tells of one rejected span and why."""
    server, client = app
    wire = json.loads(otlp.encode("traces", "json", [span(number) for number in range(5)]))
    wire["resourceSpans"][0]["scopeSpans"][0]["spans"][at]["spanId"] = ""
    answer = client.post("/v1/traces", json=wire)
    rejected, why = otlp.read_answer("traces", "json", answer.content)
    assert answer.status_code == 200
    assert rejected == 1
    assert "spanId" in why
    assert len(server.storage.find_spans(EVERYTHING)) == 4
    counts = {name: server.counters.get(f"{name}.spans") for name in ("received", "stored", "rejected")}
    assert counts == {"received": 5, "stored": 4, "rejected": 1}


def test_secrets_are_hidden_before_anything_is_stored(app):
    """In attributes, names, resources, logs and points."""
    server, client = app
    key = "sk-proj-" + "a1B2c3D4" * 6
    told = span(1, note=f"my key is {key}")
    told.resource = Resource({"service.name": "shop", "api_key": "hunter2hunter2"})
    send(client, "traces", "protobuf", [told])
    send(client, "logs", "json", [Log(10**18, body=f"Authorization: Bearer {key}")])
    send(client, "metrics", "json", [Point("depth", 10**18, value=3, attributes={"password": "hunter2hunter2"})])
    kept = msgspec.json.encode(
        [
            list(server.storage.find_spans(EVERYTHING)),
            list(server.storage.find_logs(EVERYTHING)),
            list(server.storage.find_points(EVERYTHING)),
        ]
    )
    assert key.encode() not in kept
    assert b"hunter2" not in kept
    assert kept.count(b"[REDACTED]") >= 4


# --- the body


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_bodies_are_taken(app, coding):
    """gzip, deflate and zstd, also in several frames; a body cut short is 400, and one that says another coding too."""
    server, client = app
    body = otlp.encode("traces", "protobuf", [span(1)])
    pack = CODINGS[coding]
    headers = {"Content-Type": TYPES["protobuf"], "Content-Encoding": coding}
    assert client.post("/v1/traces", content=pack(body), headers=headers).status_code == 200
    frames = pack(body[:50]) + pack(body[50:])
    if coding != "deflate":
        assert client.post("/v1/traces", content=frames, headers=headers).status_code == 200
    assert len(server.storage.find_spans(EVERYTHING)) == 1
    for broken in (pack(body)[:-5], b"nonsense", b""):
        assert client.post("/v1/traces", content=broken, headers=headers).status_code == 400


def test_bare_deflate_is_understood():
    """Some senders leave out zlib's head."""
    compressor = zlib.compressobj(wbits=-15)
    assert _decompress("deflate", compressor.compress(b"hello" * 100) + compressor.flush(), 10_000) == b"hello" * 100


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_many_small_frames_are_refused(coding):
    """10,000 are taken; more of them are only there to cost time, as the rest of the body is looked at for each."""
    frame = CODINGS[coding](b"x")
    assert _decompress(coding, frame * 10_000, 20_000) == b"x" * 10_000
    with pytest.raises(Failure, match="10000 frames"):
        _decompress(coding, frame * 10_001, 20_000)


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_records_of_another_signal_are_not_swallowed(app, form):
    """Logs that are sent to the path of traces are refused, or rejected one by one, and told."""
    _, client = app
    body = otlp.encode("logs", form, [Log(10**18, body="hello")])
    answer = client.post("/v1/traces", content=body, headers={"Content-Type": TYPES[form]})
    if form == "json":
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "these are logs, not traces; send them to /v1/logs",
        )
    else:
        assert otlp.read_answer("traces", form, answer.content)[0] == 1


@given(st.binary(max_size=200), st.sampled_from(sorted(CODINGS)))
def test_decompressing_never_fails_in_another_way(data, coding):
    """Any bytes give bytes or a Failure."""
    statuses = set()
    try:
        _decompress(coding, data, 10_000)
    except Failure as failure:
        statuses.add(failure.status)
    assert statuses <= {400, 413}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_costs_no_more_than_a_body(tmp_path, coding):
    """What would be larger than the limit is 413 and not retried, before or after decompression."""
    with served("memory", tmp_path, empty=True, max_body_bytes=100_000) as (_, client):
        headers = {"Content-Type": TYPES["json"], "Content-Encoding": coding}
        answer = client.post("/v1/traces", content=CODINGS[coding](b" " * 50_000_000), headers=headers)
        assert answer.status_code == 413
        assert "100000 bytes" in answer.json()["message"]
        plain = client.post("/v1/traces", content=b" " * 100_001, headers={"Content-Type": TYPES["json"]})
        assert plain.status_code == 413
        assert "Retry-After" not in plain.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({}, 415),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
        ({"Content-Type": "application/json", "Content-Encoding": "br"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "identity"}, 200),
    ],
)
def test_content_types_and_codings(app, headers, status):
    """Type and coding are read in any case and with parameters; unknown ones are 415."""
    _, client = app
    assert client.post("/v1/traces", content=b"{}", headers=headers).status_code == status


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_an_error_is_a_status_in_the_form_of_the_request(app, form):
    """google.rpc.Status: code 3 (invalid argument) and a message."""
    _, client = app
    answer = client.post("/v1/traces", content=b"{{{\xff", headers={"Content-Type": TYPES[form]})
    assert (answer.status_code, answer.headers["content-type"]) == (400, TYPES[form])
    if form == "json":
        assert answer.json()["code"] == 3
    else:
        assert answer.content.startswith(b"\x08\x03\x12")


# --- the storage


class Failing(InMemoryTraceStorage):
    """A storage whose disk is full."""

    def write(self, batch):
        raise StorageError("the disk is full, cannot write; free some space")


def test_a_full_disk_is_told_as_busy_and_counted(app):
    """503 with Retry-After, so that senders keep the records; nothing counts as stored."""
    server, client = app
    server.storage = Failing()
    answer = send(client, "traces", "json", [span(1)])
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "disk is full" in answer.json()["message"]
    assert server.counters.get("stored.spans") == 0


class Slow(InMemoryTraceStorage):
    """A storage that commits when it is told to."""

    def __init__(self):
        super().__init__()
        self.reached, self.commit = threading.Event(), threading.Event()

    def write(self, batch):
        self.reached.set()
        assert self.commit.wait(30)
        super().write(batch)


def test_the_answer_comes_after_the_commit(app):
    """As long as the storage has not committed, the sender has no answer."""
    server, client = app
    server.storage = slow = Slow()
    answers = []
    sender = threading.Thread(target=lambda: answers.append(send(client, "traces", "json", [span(1)]).status_code))
    sender.start()
    assert slow.reached.wait(30)
    assert answers == []
    slow.commit.set()
    sender.join(30)
    assert answers == [200]


def test_too_much_at_once_is_busy(tmp_path):
    """Bodies in work are bounded in bytes: what comes above that is 503 with Retry-After, and room comes back."""
    limits = {"max_body_bytes": 3_000, "max_waiting_bytes": 4_000}
    with served("memory", tmp_path, empty=True, **limits) as (server, client):
        server.storage = slow = Slow()
        body = otlp.encode("traces", "protobuf", [span(1, text="x" * 2_200)])
        headers = {"Content-Type": TYPES["protobuf"]}
        first = threading.Thread(target=lambda: client.post("/v1/traces", content=body, headers=headers))
        first.start()
        assert slow.reached.wait(30)
        refused = client.post("/v1/traces", content=body, headers=headers)
        assert (refused.status_code, server.counters.get("busy")) == (503, 1)
        assert int(refused.headers["retry-after"]) >= 1
        slow.commit.set()
        first.join(30)
        assert server.ingest.waiting_bytes == 0
        assert client.post("/v1/traces", content=body, headers=headers).status_code == 200
