"""Requests that chance has spoiled, through all of ingest: each is stored, rejected or refused, and counted."""

import random
import time

import pytest

from vestigo import otlp
from vestigo.query import Query
from vestigo.record import Event, Link, Log, Point, Resource, Scope, Span
from vestigo.server import Server
from vestigo.server.gate import ANONYMOUS
from vestigo.server.routes import Failure
from vestigo.settings import ServerSettings
from vestigo.storage.memory import InMemoryTraceStorage

pytestmark = pytest.mark.faults

COUNTED = {"traces": "spans", "logs": "logs", "metrics": "points"}
SECONDS_EACH = 3.5
VALUES = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1_000,
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi sk-proj-abc"}]}]',
    "llm.input_messages.0.message.role": "user", "langfuse.observation.type": "generation", "ai.prompt": '{"a":[1]}',
    "list": [1, "two", {"three": [True, 0.5, None]}], "share": 0.25,
}  # fmt: skip
INTERESTING = (
    b"0", b"-1", b"null", b"[]", b"{}", b'""', b"1e999", b"9" * 40, b"true", b"\xff", b"\\ud800", b"\x00", b"NaN",
    b"\x80" * 10, b"\xff\xff\xff\xff\x0f", b"18446744073709551615",
)  # fmt: skip


def seeds():
    """(signal, form, body) of sound requests."""
    resource, scope = Resource({"service.name": "shop"}), Scope("scope", "1", {"k": "v"})
    common = {"resource": resource, "scope": scope}
    ids = [(f"{n + 1:032x}", f"{n + 1:016x}") for n in range(4)]
    spans = [
        Span(
            *one, "chat gpt-4o", 10**18, end_ns=10**18 + 5, attributes=dict(VALUES), status="ERROR",
            status_message="no", events=[Event(10**18, "gen_ai.user.message", {"content": "hi"})],
            links=[Link(*ids[0], attributes={"a": 1})],
            **common,
        )
        for one in ids
    ]  # fmt: skip
    logs = [
        Log(10**18 + n, 9, {"said": ["x"]}, "gen_ai.choice", dict(VALUES), *one, **common) for n, one in enumerate(ids)
    ]
    points = [
        Point("sum", 10**18, "sum", 10**18 - 5, value=3, monotonic=True, attributes={"a": 1}, **common),
        Point("latency", 10**18, "histogram", count=3, sum=4.5, bounds=[1.0], buckets=[1, 2], **common),
    ]
    for signal, records in (("traces", spans), ("logs", logs), ("metrics", points)):
        for form in ("protobuf", "json"):
            yield signal, form, otlp.encode(signal, form, records)


def spoil(rng, body):
    """One to six changes: bytes, cuts, repeats, swaps and values that are known to hurt."""
    data = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 2, 8, 64, 2_000)))
        match rng.randrange(6):
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * rng.choice((1, 1, 2, 50))
            case 3:
                data[at:end] = rng.choice(INTERESTING)
            case 4:
                data[at:at] = rng.choice(INTERESTING)
            case _ if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
    return bytes(data)


@pytest.mark.parametrize(
    ("signal", "form", "body"), list(seeds()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_spoiled_request_breaks_the_server(tmp_path, signal, form, body):
    """Nothing but Failure 400 comes out; received = stored + rejected; what is stored can be read, and no secret is."""
    settings = ServerSettings(data_dir=str(tmp_path), grpc_port=-2, ingest_workers=0)
    server = Server(settings, InMemoryTraceStorage(max_traces=1_000_000))
    counters, what = server.counters, COUNTED[signal]
    rng, until, tried, taken = random.Random(f"{signal} {form}"), time.monotonic() + SECONDS_EACH, 0, 0
    while time.monotonic() < until:
        spoiled = spoil(rng, body)
        refusal = None
        try:
            answer = server.ingest.take(signal, form, spoiled, ANONYMOUS, "default")
        except Failure as failure:
            refusal = failure
        if refusal is None:
            rejected, why = otlp.read_answer(signal, form, answer)
            assert (rejected > 0) == bool(why), spoiled
            assert "could not be read" not in why, (why, spoiled)  # an exception that nobody expected
            taken += 1
        else:
            assert (refusal.status, len(refusal.message) < 2_000) == (400, True), spoiled
        tried += 1
    told = counters.snapshot()
    lost = sum(count for name, count in told.items() if name.startswith(f"rejected.{what}"))
    assert told[f"received.{what}"] == told[f"stored.{what}"] + lost
    assert not any(name.startswith("failed") for name in told), told
    assert tried > 300
    assert 0 < taken < tried
    query = Query(project="default", limit=1_000)
    found = {"traces": server.storage.find_spans, "logs": server.storage.find_logs}.get(
        signal, server.storage.find_points
    )
    assert len(found(query)) > 0
    assert server.storage.values("service", query) is not None
    server._stop()
