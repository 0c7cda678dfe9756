"""Secrets and forgotten people: looked for in every byte that is left on the disk."""

import hashlib
import logging
import random
import string
import threading
import zlib

import pytest
from starlette.testclient import TestClient

from vestigo import FileTraceStorage, LLMLogger, SQLiteTraceStorage, Tracer
from vestigo.filtertext import parse_filter
from vestigo.otlp import encode_logs, encode_traces
from vestigo.prices import Prices
from vestigo.query import Query
from vestigo.record import Batch, Log, Span
from vestigo.redact import Redactor
from vestigo.server import Server, create_app
from vestigo.settings import ServerSettings
from vestigo.storage import settle
from vestigo.storage.policies import Policy

pytestmark = pytest.mark.faults

DAY_NS = 86_400 * 10**9


def bytes_of(place):
    return b"".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


# --- secrets


def secrets_of(rng, count):
    """Keys as their providers make them, each of its own."""

    def some(alphabet, length):
        return "".join(rng.choices(alphabet, k=length))

    letters, digits = string.ascii_letters, string.digits
    makers = (
        lambda: f"ghp_{some(letters + digits, 36)}",
        lambda: f"AKIA{some(string.ascii_uppercase + '234567', 16)}",
        lambda: f"xoxb-{some(digits, 12)}-{some(digits, 12)}-{some(letters + digits, 24)}",
        lambda: f"glpat-{some(letters + digits, 20)}",
        lambda: f"sk_live_{some(letters + digits, 24)}",
    )
    return [makers[number % len(makers)]() for number in range(count)]


def calls(secrets):
    """Each secret in one of the places where programs leave them."""
    places = (
        lambda span, s: span.attributes.update({"note": f"use {s} for it"}),
        lambda span, s: span.attributes.update(
            {"gen_ai.input.messages": [{"role": "user", "content": f"my key: {s}"}]}
        ),
        lambda span, s: span.attributes.update({"gen_ai.output.messages": f'[{{"role":"assistant","content":"{s}"}}]'}),
        lambda span, s: span.attributes.update({"headers": {"authorization": f"Bearer {s}"}, "deep": [{"a": [s]}]}),
        lambda span, s: setattr(span, "status_message", f"401 with {s}"),
        lambda span, s: setattr(span, "name", f"GET /x?api_key={s}"),
        lambda span, s: span.attributes.update({"api_key": s}),
    )
    for number, secret in enumerate(secrets):
        start = number * 1_000
        span = Span(hashlib.md5(secret.encode()).hexdigest(), f"{number + 1:016x}", "call", start, end_ns=start + 5)
        places[number % len(places)](span, secret)
        yield span, Log(start, body={"said": f"token {secret}"}, log_id=f"{number + 1:032x}", trace_id=span.trace_id)


@pytest.mark.parametrize("kind", ["sqlite", "file"])
def test_none_of_500_secrets_reaches_the_disk(tmp_path, kind):
    """Spans, logs and our own logger: redacted before anything is written; in plain, in any file, nowhere."""
    rng = random.Random(17)
    secrets = secrets_of(rng, 500)
    storage = SQLiteTraceStorage(tmp_path / "x.db") if kind == "sqlite" else FileTraceStorage(tmp_path / "d")
    redactor, prices = Redactor(), Prices()
    for span, log in calls(secrets):
        batch = settle(Batch([span], [log]), prices)
        redactor.batch(batch)
        storage.write(batch)
    storage.close()
    told = bytes_of(tmp_path)
    assert [secret for secret in secrets if secret.encode() in told] == []
    read = SQLiteTraceStorage(tmp_path / "x.db") if kind == "sqlite" else FileTraceStorage(tmp_path / "d")
    query = Query(project="default", limit=10_000)
    text = repr([read.find_spans(query).items, read.find_logs(query).items])
    assert text.count("[REDACTED]") >= 900
    assert [secret for secret in secrets if secret in text] == []
    read.close()


def test_none_of_500_secrets_leaves_a_program(tmp_path):
    """Through the tracer and the logger with their defaults: the database, its log, and the log file."""
    rng = random.Random(18)
    secrets = secrets_of(rng, 500)
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    tracer = Tracer("shop", storage)
    with (tmp_path / "app.log").open("w") as stream:
        logger = LLMLogger("shop", stream=stream)
        for number, secret in enumerate(secrets):
            with tracer.span(
                f"call {secret}" if number % 9 == 0 else "call", {"text": f"with {secret}", "list": [secret]}
            ):
                tracer.event("retry", {"reason": f"401 for {secret}"})
            logger.info("sent", key=secret) if number % 2 else logger.error("failed", said=f"with {secret}")
    tracer.close()
    storage.close()
    told = bytes_of(tmp_path)
    assert [secret for secret in secrets if secret.encode() in told] == []
    assert told.count(b"[REDACTED]") >= 250


def test_none_of_500_secrets_passes_the_server(tmp_path):
    """Sent as OTLP to a server that cannot send them on: not in its database, its spool, its audit log."""
    rng = random.Random(19)
    secrets = secrets_of(rng, 500)
    settings = ServerSettings(
        data_dir=str(tmp_path), port=0, grpc_port=-2, ingest_workers=0, forward=("http://127.0.0.1:9",)
    )
    server = Server(settings)
    with TestClient(create_app(server), base_url="http://localhost:4318") as client:
        records = list(calls(secrets))
        for at in range(0, 500, 50):
            spans, logs = zip(*records[at : at + 50], strict=True)
            for path, body in (("traces", encode_traces(list(spans))), ("logs", encode_logs(list(logs)))):
                client.post(f"/v1/{path}", content=body, headers=JSON).raise_for_status()
        text = repr(server.storage.find_spans(Query(project="default", limit=10_000)).items)
        assert text.count("[REDACTED]") >= 450
    told = bytes_of(tmp_path)
    assert [secret for secret in secrets if secret.encode() in told] == []
    spooled = b"".join(map(unpacked, tmp_path.rglob("*.spool")))
    assert spooled.count(b"[REDACTED]") > 0
    assert [secret for secret in secrets if secret.encode() in spooled] == []


JSON = {"content-type": "application/json"}


def unpacked(path):
    """A spool with whatever gzip streams are in it opened."""
    data = path.read_bytes()
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\x1f\x8b\x08"]
    return data + b"".join(zlib.decompressobj(31).decompress(data[at:]) for at in starts)


# --- people


def said(number, user, text):
    start = number * DAY_NS
    return Span(
        hashlib.md5(b"%d" % number).hexdigest(), f"{number + 1:016x}", f"chat with {user}", start, end_ns=start + 5,
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": user, f"of {user}": user,
                    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": text}]}]},
    )  # fmt: skip


def test_a_person_is_forgotten_while_records_come_in(tmp_path):
    """Erased beside a writer: 0 bytes of them in any file, nobody else touched, the audit log still holds.

    Then retention runs by a clock that is given, day after day, and leaves what is young enough.
    """
    logging.getLogger("vestigo").setLevel(logging.CRITICAL)
    server = Server(ServerSettings(data_dir=str(tmp_path), port=0, grpc_port=-2, ingest_workers=0))
    storage, rng = server.storage, random.Random(4)
    words = [f"word{number}" for number in range(500)]
    spans = []
    for number in range(1_500):
        user = "margarethe@example.org" if number % 5 == 0 else f"user{number % 9}"
        own = " Quittenmarmelade aus Wernigerode" if number % 5 == 0 else ""
        spans.append(said(number, user, " ".join(rng.choices(words, k=30)) + own))
    for at in range(0, 1_500, 100):
        storage.write(Batch(spans[at : at + 100]))
    assert b"margarethe@example.org" in bytes_of(tmp_path)
    done, written = threading.Event(), []

    def write():
        while not done.is_set():
            number = 10_000 + len(written)
            storage.write(Batch([said(number, "late", f"{number} bottles")]))
            written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        query = Query(project="default", filter=parse_filter("user:margarethe@example.org"))
        told = server.retention.erase(query, "key:test")
    finally:
        done.set()
        writer.join()
    assert told.traces == told.spans == 300
    assert told.clean, told
    assert told.probes > 100
    left = bytes_of(tmp_path).lower()
    for gone in (b"margarethe", b"quittenmarmelade", b"wernigerode", b"quitten", b"rmelade"):
        assert gone not in left, gone
    assert storage.verify() == []
    assert server.audit.verify() == []
    assert len(storage.find_traces(Query(project="default", limit=10_000))) == 1_200 + len(written)
    assert len(written) > 5
    server.retention.policies.set("default", Policy(days=30))
    for day in (1_000, 1_200, 1_400):
        server.retention.run_once(day * DAY_NS)
        oldest = storage.find_traces(Query(project="default", order="oldest", limit=1)).items[0]
        assert (day - 30) * DAY_NS <= oldest.start_ns < (day - 28) * DAY_NS
    server._stop()
