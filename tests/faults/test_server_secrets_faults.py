"""Secrets and people on their way through a server of its own process: looked for in every byte that it leaves."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))
sys.path.insert(0, str(Path(__file__).parent.parent))

from labelled import SECRET_KINDS, make_secret
from running import TYPES, running, wait_until
from test_exporter_faults import free_port

from vestigo import SQLiteTraceStorage, otlp
from vestigo.query import Query
from vestigo.record import Event, Link, Log, Point, Resource, Scope, Span

pytestmark = pytest.mark.faults

T0 = 1_790_000_000_000_000_000
EVERYTHING = Query(project="default", limit=100_000)
SHOP = Resource({"service.name": "shop"})


def span(number, **more):
    told = {"kind": "CLIENT", "resource": SHOP, "end_ns": T0 + number + 5, **more}
    return Span(f"{number + 1:032x}", f"{number + 1:016x}", told.pop("name", "call"), T0 + number, **told)


def said(text):
    return [{"role": "user", "parts": [{"type": "text", "content": text}]}]


PLACES = (
    lambda n, s: span(n, attributes={"note": s}),
    lambda n, s: span(n, attributes={"deep": {"list": [{"a": [s]}]}}),
    lambda n, s: span(n, attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": said(s)}),
    lambda n, s: span(n, attributes={"gen_ai.output.messages": msgspec.json.encode(said(s)).decode()}),
    lambda n, s: span(n, name=f"GET {s}"),
    lambda n, s: span(n, status="ERROR", status_message=s),
    lambda n, s: span(n, events=[Event(T0, "exception", {"exception.stacktrace": f"line\n{s}\nline"})]),
    lambda n, s: span(n, events=[Event(T0, f"said {s}")]),
    lambda n, s: span(n, links=[Link("1" * 32, "2" * 16, {"why": s})]),
    lambda n, s: span(n, resource=Resource({"service.name": "shop", "process.command_line": s})),
    lambda n, s: span(n, scope=Scope("scope", "1", {"note": s})),
    lambda n, s: Log(T0 + n, body=s),
    lambda n, s: Log(T0 + n, body={"said": [s]}, attributes={"more": s}),
    lambda n, s: Log(T0 + n, event_name="e", resource=Resource({"service.name": "shop", "note": s})),
    lambda n, s: Point(f"m{n}", T0 + n, value=1, attributes={"note": s}),
    lambda n, s: Point(f"m{n}", T0 + n, value=1, description=s),
    lambda n, s: Point(f"m{n}", T0 + n, value=1, resource=Resource({"service.name": "shop", "note": s})),
)
SIGNALS = {Span: "traces", Log: "logs", Point: "metrics"}


def bytes_of(place):
    return b"".join(path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file())


def pieces(core, text):
    """The pieces of ten characters that are left of a secret."""
    return [core[at : at + 10] for at in range(len(core) - 9) if core[at : at + 10] in text]


def read_back(path):
    """All that the storage says, unpacked."""
    storage = SQLiteTraceStorage(path)
    found = [list(storage.find_spans(EVERYTHING)), list(storage.find_logs(EVERYTHING))]
    found.append(list(storage.find_points(EVERYTHING)))
    assert storage.verify() == []
    storage.close()
    return found


def verify(data_dir):
    """What `vestigo verify` says of storage and audit log; it must find nothing."""
    command = [sys.executable, "-m", "vestigo.cli", "verify", "--storage", f"sqlite:///{data_dir / 'vestigo.db'}"]
    done = subprocess.run(
        [*command, "--data-dir", str(data_dir)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_none_of_500_secrets_is_left_behind_by_the_server(tmp_path, how):
    """31 kinds at 17 places of spans, logs and points, in both forms, with a receiver that is away.

    Neither in the database and its log, the spool, the audit log and what the server printed, nor in what is read back.
    """
    rng = random.Random(23)
    secrets = [make_secret(rng, SECRET_KINDS[number % len(SECRET_KINDS)]) for number in range(500)]
    cores = [secret.split("\0")[1] if "\0" in secret else secret for secret in secrets]
    with running(tmp_path, "--forward", f"http://127.0.0.1:{free_port()}", "--set", "log_level=DEBUG") as server:
        with server.client() as client:
            for number, secret in enumerate(secrets):
                place = PLACES[number % len(PLACES)]
                record = place(number, secret.replace("\0", ""))
                signal_, form = SIGNALS[type(record)], ("protobuf", "json")[number % 2]
                body = otlp.encode(signal_, form, [record])
                answer = client.post(f"/v1/{signal_}", content=body, headers={"Content-Type": TYPES[form]})
                assert otlp.read_answer(signal_, form, answer.content) == (0, "")
            assert client.get("/api/traces").status_code == client.get("/metrics").status_code == 200
            wait_until(lambda: any(tmp_path.rglob("*.spool")))
        server.stop(how)
    told = bytes_of(tmp_path).decode("latin-1")
    assert len(told) > 100_000
    assert [(n % len(PLACES), core) for n, core in enumerate(cores) if core in told] == []
    found = read_back(tmp_path / "vestigo.db")
    assert sum(map(len, found)) == 500
    text = repr(found)
    assert text.count("[REDACTED") >= 480
    assert [(n % len(PLACES), core) for n, core in enumerate(cores) if pieces(core, text)] == []


def test_a_user_is_forgotten_while_records_come_in(tmp_path):
    """Erased by the API under load: 0 copies in any file afterwards, others' records are all there, all is sound."""
    ann, word = "ann.lund@example.org", "Xylophonistin"
    ends, sent = threading.Event(), []
    with running(tmp_path, "--forward", f"http://127.0.0.1:{free_port()}") as server, server.client() as client:

        def post(client, spans):
            body = otlp.encode("traces", "protobuf", spans)
            answer = client.post("/v1/traces", content=body, headers={"Content-Type": TYPES["protobuf"]})
            assert answer.status_code == 200

        def others():
            with server.client() as own:
                for number in range(100_000, 200_000):
                    if ends.is_set():
                        return
                    post(own, [span(number, attributes={"user.id": "bob", "gen_ai.input.messages": said("bottles")})])
                    sent.append(number)

        for first in range(0, 1_000, 50):
            attributes = {
                "user.id": ann,
                "gen_ai.operation.name": "chat",
                "gen_ai.input.messages": said(f"{word} {first}"),
            }
            post(client, [span(first + n, name=f"chat of {ann}", attributes=dict(attributes)) for n in range(50)])
        writer = threading.Thread(target=others)
        writer.start()
        try:
            wait_until(lambda: len(sent) > 20)
            before = len(sent)
            answer = client.post("/api/erase", json={"user": ann})
            assert len(sent) > before
        finally:
            ends.set()
            writer.join(60)
        told = answer.json()
        assert (answer.status_code, told["clean"], told["traces"], told["spooled"]) == (200, True, 1_000, 1_000), told
        left = bytes_of(tmp_path)
        assert [one for one in (ann, word, word.lower(), "chat of") if one.encode() in left] == []
        assert server.stop() == 0
    spans, _, _ = read_back(tmp_path / "vestigo.db")
    assert sorted(int(one.span_id, 16) - 1 for one in spans) == sent
    left = bytes_of(tmp_path)
    assert [one for one in (ann, word, word.lower(), "chat of") if one.encode() in left] == []
    verify(tmp_path)
