"""From a tracer to a server: OTLP's rules, the law, the spool, and a program that never notices."""

import gzip
import os
import subprocess
import sys
import threading
import time

import pytest
from sink import sink

import vestigo
from vestigo import SettingsError, Tracer, open_storage, otlp
from vestigo.diagnostics import counters
from vestigo.errors import ExportError
from vestigo.record import Batch, Log, Point, Span
from vestigo.sdk import exporters
from vestigo.sdk.exporters import OTLPExporter, SpoolingExporter, open_exporter, spool_name
from vestigo.sdk.spool import Spool
from vestigo.settings import Settings

TRACE = "0af7651916cd43dd8448eb211c80319c"


def spans(count, begin=0, **more):
    return [
        Span(TRACE, f"{n + 1:016x}", f"s{n}", 1_000 + n, end_ns=2_000 + n, **more) for n in range(begin, begin + count)
    ]


def law(tracer):
    """The figures, after checking that nothing is missing."""
    figures = tracer.pipeline.stats()
    dropped = sum(count for name, count in figures.items() if name.startswith("dropped."))
    spooled = figures.get("spooled", 0)
    assert figures["recorded"] == figures["stored"] + figures["queued"] + figures["held"] + spooled + dropped, figures
    return figures


def make(tracer, count):
    made = []
    for number in range(count):
        with tracer.span(f"s{number}", {"n": number}) as span:
            made.append(span.span_id)
    return made


@pytest.fixture
def tracer_to(tmp_path):
    """Makes tracers to a URL, closed at the end."""
    made = []

    def tracer(url, **settings):
        made.append(Tracer("t", url, **{"data_dir": str(tmp_path), **settings}))
        return made[-1]

    yield tracer
    for one in made:
        one.close(0.2)


# --- one request


@pytest.mark.parametrize("form", ["json", "protobuf"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_spans_logs_and_points_arrive_as_they_were(form, compression):
    """In both forms, compressed or not, at the path of their signal, with project and key."""
    batch = Batch(
        spans(3, attributes={"a": ["x", 1, {"b": None}]}),
        [Log(5, body={"k": "v"}, event_name="e", log_id="a" * 32)],
        "my shop/ü",
        [Point("requests", 7, "sum", value=3)],
    )
    with sink() as server:
        exporter = OTLPExporter(server.url, api_key="k1", headers={"X-Team": "a"}, form=form, compression=compression)
        exporter.write(batch)
        assert server.spans == batch.spans
        assert server.logs == batch.logs
        assert [(point.name, point.value) for point in server.points] == [("requests", 3)]
        assert [path for _, path, _, _ in server.requests] == ["/v1/traces", "/v1/logs", "/v1/metrics"]
        headers = server.requests[0][2]
        assert headers["Authorization"] == "Bearer k1"
        assert headers["X-Team"] == "a"
        assert headers["X-Vestigo-Project"] == "my%20shop%2F%C3%BC"
        assert headers["Content-Type"] == {"json": "application/json"}.get(form, "application/x-protobuf")
        assert headers.get("Content-Encoding") == (None if compression == "none" else "gzip")
        assert exporter.counters.snapshot() == {"exported": 5}
        exporter.close()


def test_large_batches_go_in_several_requests(monkeypatch):
    """At most 512 records and 4 MiB before compression."""
    exporter = OTLPExporter("http://x")
    sizes = [frame.records for frame in exporter.frames(Batch(spans(1_100)))]
    assert sizes == [512, 512, 76]
    big = list(exporter.frames(Batch(spans(8, attributes={"text": "x" * 1_000_000}))))
    assert [frame.records for frame in big] == [4, 4]
    assert all(len(gzip.decompress(frame.body)) <= exporters._FRAME_BYTES for frame in big)
    assert len(list(exporter.frames(Batch(spans(1, attributes={"text": "x" * 9_000_000}))))) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504, "reset", "answer lost"])
def test_what_may_be_tried_again_is(status):
    """The four statuses of OTLP and troubles of the connection: ExportError with a time, nothing counted as lost."""
    with sink(script=[status]) as server:
        exporter = OTLPExporter(server.url)
        with pytest.raises(ExportError) as caught:
            exporter.write(Batch(spans(2)))
        assert 0 < caught.value.retry_after_s <= 0.5
        exporter.write(Batch(spans(2)))
        assert len(server.distinct) == 2
        assert exporter.counters.snapshot() == {"retried": 1, "exported": 2}
        assert exporter.undelivered() == {}
        exporter.close()


@pytest.mark.parametrize("status", [302, 400, 401, 404, 408, 415, 500, 501])
def test_what_may_not_be_tried_again_is_dropped_and_counted(status):
    """Once, by reason, and the next batch goes its way."""
    with sink(script=[status]) as server:
        exporter = OTLPExporter(server.url, form="json")
        exporter.write(Batch(spans(3)))
        exporter.write(Batch(spans(2)))
        assert [told for *_, told in server.requests] == [status, 200]
        assert exporter.undelivered() == {"dropped.refused": 3}
        assert exporter.counters.snapshot() == {"dropped.refused": 3, "exported": 2}
        exporter.close()


def test_a_partial_success_is_counted_and_never_sent_again():
    """Rejected records are lost; a count beyond all reason is not believed."""
    with sink(script=[("reject", 2), ("reject", 2_000)]) as server:
        exporter = OTLPExporter(server.url)
        exporter.write(Batch(spans(5)))
        exporter.write(Batch(spans(1)))
        assert len(server.requests) == 2
        assert exporter.undelivered() == {"dropped.rejected": 3}
        assert exporter.counters.get("exported") == 3
        exporter.close()


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_what_is_too_large_is_halved_until_it_fits(form):
    """Down to single records, of which each that is still too large is lost alone."""
    with sink() as server:
        server.largest = 3
        exporter = OTLPExporter(server.url, form=form)
        exporter.write(Batch(spans(20)))
        assert server.spans == spans(20)
        assert exporter.undelivered() == {}
        server.largest = 0
        exporter.write(Batch(spans(3)))
        assert exporter.undelivered() == {"dropped.too_large": 3}
        exporter.close()


def test_waiting_grows_with_jitter_and_ends_with_success():
    """From half a second to half a minute, each time between half of it and all."""
    with sink(503) as server:
        exporter = OTLPExporter(server.url)
        frame = next(exporter.frames(Batch(spans(1))))
        waits = [exporter.send(frame).retry_s for _ in range(12)]
        for n, wait_s in enumerate(waits):
            assert min(0.5 * 2**n, 30) / 2 <= wait_s <= min(0.5 * 2**n, 30)
        assert len(set(waits)) == 12
        server.mode = "ok"
        assert exporter.send(frame).retry_s is None
        server.mode = 503
        assert exporter.send(frame).retry_s <= 0.5
        exporter.close()


@pytest.mark.parametrize("told", ["in", "at"])
@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_when_to_come_back(told, status):
    """In seconds or at a date, with at most a tenth more; never for hours."""
    with sink((f"retry {told}", status, 40)) as server:
        exporter = OTLPExporter(server.url)
        frame = next(exporter.frames(Batch(spans(1))))
        assert 38.9 <= exporter.send(frame).retry_s <= 44
        server.mode = (f"retry {told}", status, 1_000_000)
        assert exporter.send(frame).retry_s <= 660
        exporter.close()


def test_jitter_is_not_the_applications_to_seed():
    """Processes that all call random.seed(0) do not come back at the same moment."""
    program = (
        "import random; random.seed(0)\n"
        "from vestigo.sdk.exporters import _random\n"
        "random.seed(0); print(_random.random())"
    )
    told = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(told) == 2


# --- from a tracer


def test_a_tracer_sends_to_a_server_by_its_url(tracer_to):
    """All of it, with the law exact before and after."""
    with sink() as server:
        tracer = tracer_to(server.url, project="shop", api_key="secret-key")
        made = make(tracer, 1_500)
        vestigo.score(TRACE, "good", 1, tracer=tracer)
        assert tracer.flush(20)
        assert server.distinct >= set(made)
        assert len(server.ids) == 1_501
        figures = law(tracer)
        assert (figures["stored"], figures["spooled"], figures["queued"]) == (1_501, 0, 0)
        assert server.requests[0][2]["X-Vestigo-Project"] == "shop"


def test_a_dead_server_costs_nothing_but_disk(tracer_to, tmp_path):
    """Records wait in the spool, redacted; when the server is back they arrive, by this process or the next."""
    with sink() as server:
        port = server.port
    tracer = tracer_to(f"http://127.0.0.1:{port}")
    made = make(tracer, 100)
    with tracer.span("secret", {"password": "hunter2", "text": "key sk-proj-abcdefghijklmnopqrstuvwxyz123456"}):
        pass
    assert tracer.flush(20) is False
    assert law(tracer)["spooled"] == 101
    (path,) = tmp_path.rglob("*.spool")
    held = b"".join(
        gzip.decompress(frame.body)
        for segment in tracer.pipeline.exporter.spool._segments
        for _, frame in exporters_frames(segment)
    )
    assert b"secret" in held
    assert b"hunter2" not in held
    assert b"sk-proj-abc" not in held
    tracer.close()
    assert law(tracer)["spooled"] == 101
    with sink(port=port) as server:
        second = tracer_to(f"http://127.0.0.1:{port}")
        server.wait(lambda: len(server.distinct) == 101)
        second.close()
        assert set(made) <= server.distinct
        assert len(server.ids) == 101
        assert law(second)["recorded"] == 0
    assert not path.exists()


def exporters_frames(segment):
    from vestigo.sdk.spool import _frames

    return _frames(segment)


def test_a_server_that_comes_back_gets_everything_once(tracer_to):
    """By itself, after the pause, without a new process."""
    with sink(script=[503, "reset", ("retry in", 429, 0)]) as server:
        tracer = tracer_to(server.url)
        made = make(tracer, 50)
        tracer.flush(0.01)
        server.wait(lambda: set(made) <= server.distinct)
        assert tracer.flush(10)
        assert len(server.ids) == 50
        assert law(tracer)["stored"] == 50
        assert tracer.pipeline.exporter.counters.get("retried") == 2  # and once at once, on a kept connection


def test_what_the_server_did_not_take_is_in_the_law(tracer_to):
    """Refused, rejected and too large, besides stored."""
    with sink(script=[400, ("reject", 2)]) as server:
        tracer = tracer_to(server.url)
        for count in (3, 5, 4):
            make(tracer, count)
            assert tracer.flush(10)
        figures = law(tracer)
        assert (figures["stored"], figures["dropped.refused"], figures["dropped.rejected"]) == (7, 3, 2)


def test_what_an_earlier_process_left_is_in_no_law_but_its_own(tracer_to):
    """It is sent, or refused and counted by the exporter; the figures of this process know nothing of it."""
    with sink(503) as server:
        first = tracer_to(server.url)
        make(first, 10)
        first.flush(5)
        first.close()
        server.mode = 400
        second = tracer_to(server.url)
        server.wait(lambda: server.requests[-1][-1] == 400)
        make(second, 3)
        assert second.flush(10)
        assert law(second)["dropped.refused"] == 3
        assert second.pipeline.exporter.counters.get("dropped.refused") == 13


def test_the_law_holds_while_a_write_is_under_way():
    """The exporter has the records already, and the worker has not heard so yet: they are in one place only."""

    class Later:
        def __init__(self):
            self.has, self.taken, self.gate = 0, threading.Event(), threading.Event()

        def write(self, batch):
            self.has += len(batch)
            self.taken.set()
            self.gate.wait(20)

        def undelivered(self):
            return {"spooled": self.has}

        def close(self): ...

    exporter = Later()
    tracer = Tracer("t", exporter)
    make(tracer, 5)
    threading.Thread(target=tracer.flush, daemon=True).start()
    assert exporter.taken.wait(20)
    figures = law(tracer)
    assert (figures["stored"], figures["queued"], figures["spooled"]) == (0, 0, 5)
    exporter.gate.set()
    tracer.close()
    assert law(tracer)["spooled"] == 5


def test_an_open_span_is_shown_to_a_vestigo_only(tracer_to):
    """Others would take it for a span that ended in 1970; it is not counted where it is shown."""
    for is_vestigo in (False, True):
        with sink() as server:
            server.vestigo = is_vestigo
            tracer = tracer_to(server.url, project=str(is_vestigo))
            make(tracer, 1)
            assert tracer.flush(10)
            span = tracer.start_span("running")
            assert tracer.flush(10)
            assert [one.name for one in server.spans if one.end_ns is None] == ["running"] * is_vestigo
            assert law(tracer)["stored"] == 1
            tracer.end_span(span)
            assert tracer.flush(10)
            assert law(tracer)["stored"] == 2


def test_flush_does_not_wait_for_a_server_that_is_known_to_be_away(tracer_to):
    """It says so at once: the records are safe, and the program has more to do."""
    with sink(("retry in", 503, 50)) as server:
        tracer = tracer_to(server.url)
        make(tracer, 1)
        tracer.flush(10)
        begun = time.monotonic()
        make(tracer, 1)
        assert tracer.flush(30) is False
        assert time.monotonic() - begun < 10
        assert law(tracer)["spooled"] == 2


@pytest.mark.parametrize("mode", ["hang", "drip", 503, ("retry in", 429, 60), "reset"])
def test_the_end_takes_no_longer_than_it_may(tracer_to, mode):
    """Whatever the server does; the rest stays in the spool and is counted there."""
    with sink(mode) as server:
        tracer = tracer_to(server.url)
        make(tracer, 10)
        begun = time.monotonic()
        tracer.close(0.5)
        assert time.monotonic() - begun < 2
        assert law(tracer)["spooled"] == 10


def test_without_a_place_for_a_spool_records_are_sent_from_memory(tracer_to, tmp_path, caplog):
    """One warning, the law, and the pipeline's own queue while the server is away."""
    (tmp_path / "spool").write_text("no directory", encoding="utf-8")
    with sink(script=[503]) as server:
        tracer = tracer_to(server.url)
        made = make(tracer, 20)
        assert tracer.flush(20)
        assert server.distinct == set(made)
        assert law(tracer)["stored"] == 20
        assert tracer.pipeline.exporter.counters.get("degraded") >= 1
    assert len([line for line in caplog.messages if "from memory" in line]) <= 1


def test_spool_bytes_of_zero_send_from_memory(tmp_path):
    """No file is made."""
    with sink() as server:
        exporter = open_exporter(server.url, Settings(data_dir=str(tmp_path), spool_bytes=0))
        assert isinstance(exporter, OTLPExporter)
        exporter.write(Batch(spans(2)))
        assert len(server.ids) == 2
        exporter.close()
    assert list(tmp_path.iterdir()) == []


def test_no_home_directory_is_no_reason_to_fail(monkeypatch):
    """`~` that cannot be known."""
    monkeypatch.setattr("pathlib.Path.expanduser", lambda _: (_ for _ in ()).throw(RuntimeError("no home")))
    exporter = open_exporter("http://x", Settings())
    assert isinstance(exporter, OTLPExporter)


def test_a_spool_that_overflows_is_in_the_law(tracer_to):
    """The oldest are dropped and counted."""
    with sink(("retry in", 503, 60)) as server:
        tracer = tracer_to(server.url, spool_bytes=200_000, export_form="json")
        for _ in range(60):
            with tracer.span("s", {"text": os.urandom(4_000).hex()}):
                pass
            tracer.flush(5)
        figures = law(tracer)
        assert figures["recorded"] == 60
        assert 10 < figures["spooled"] < 60
        assert figures["dropped.spool_full"] == 60 - figures["spooled"]


def test_each_endpoint_and_project_has_a_spool_of_its_own(tmp_path):
    """And no name from outside becomes a path."""
    names = {spool_name(url, project) for url in ("http://a", "http://b") for project in ("x", "../../x")}
    assert len(names) == 4
    assert all(name.isalnum() for name in names)


def test_a_request_that_cannot_be_handled_holds_up_no_other(tmp_path, monkeypatch):
    """It is dropped and counted as failed."""
    with sink() as server:
        exporter = SpoolingExporter(OTLPExporter(server.url), Spool(tmp_path, 1_000_000))
        real, broken = exporter.exporter.send, [True]

        def send(frame, timeout_s=None):
            if broken:
                broken.pop()
                raise ZeroDivisionError
            return real(frame, timeout_s)

        monkeypatch.setattr(exporter.exporter, "send", send)
        exporter.write(Batch(spans(2)))
        exporter.write(Batch(spans(3, begin=2)))
        assert exporter.drain(10)
        assert exporter.undelivered() == {"dropped.failed": 2, "spooled": 0}
        assert len(server.ids) == 3
        exporter.close()


def test_where_no_thread_can_start_the_end_sends(tmp_path, monkeypatch):
    """As at the end of an interpreter, which starts no more threads."""

    def refuse(_):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    with sink() as server:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        exporter = SpoolingExporter(OTLPExporter(server.url), Spool(tmp_path, 1_000_000))
        exporter.write(Batch(spans(4)))
        monkeypatch.undo()
        assert exporter.drain(10)
        assert len(server.ids) == 4
        exporter.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_sends_what_is_its_own(tmp_path):
    """Parent and child each once, with a request of the parent's under way."""
    with sink("slow") as server:
        program = (
            "import os, sys\nfrom vestigo import Tracer\n"
            "tracer = Tracer('f', sys.argv[1], data_dir=sys.argv[2])\n"
            "for n in range(50):\n    tracer.span('parent').end()\n"
            "tracer.flush(0.2)\n"
            "if child := os.fork():\n    os.waitpid(child, 0)\n"
            "else:\n"
            "    for n in range(30):\n        tracer.span('child').end()\n"
            "    tracer.close(20)\n    os._exit(0)\n"
            "tracer.close(20)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, server.url, str(tmp_path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        names = [span.name for span in server.spans]
        assert (names.count("parent"), names.count("child"), len(server.distinct)) == (50, 30, 80)


# --- configuration


def test_a_server_is_asked_by_itself_and_not_by_programs():
    """`open_storage` says that it is write-only."""
    for url in ("http://localhost:4318", "https://x"):
        with pytest.raises(SettingsError, match="only write to"):
            open_storage(url)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"storage": "http://"}, "no http address"), ({"storage": "http://a:b@c"}, "api_key"),
     ({"storage": "http://x", "headers": {"X A": "b"}}, "header"), ({"storage": "http://x", "spool_bytes": -1}, "0"),
     ({"storage": "http://x", "export_timeout_s": 0}, "above 0"), ({"storage": "http://x", "export_form": "x"}, "json"),
     ({"storage": "http://x", "api_key": "a\nb"}, "header"), ({"storage": "http://x", "project": "a b"}, "letters")],
)  # fmt: skip
def test_a_mistake_is_told_at_configure(settings, told):
    """SettingsError, before anything is recorded."""
    with pytest.raises(SettingsError, match=told):
        vestigo.configure(**settings)


def test_protobuf_that_is_not_installed_is_told_or_not_used(monkeypatch):
    """Asked for, it is a mistake; by itself JSON is as good."""
    monkeypatch.setattr(exporters, "find_spec", lambda _: None)
    assert OTLPExporter("http://x").form == "json"
    with pytest.raises(SettingsError, match="opentelemetry-proto"):
        OTLPExporter("http://x", form="protobuf")
    monkeypatch.undo()
    assert OTLPExporter("http://x", form="protobuf").form == "protobuf"


def test_a_server_without_json_gets_protobuf(monkeypatch):
    """After its first 415, also what waits as JSON; without protobuf, or where JSON was asked for, it is lost."""
    with sink(script=[415]) as server:
        exporter = OTLPExporter(server.url)
        waiting = next(exporter.frames(Batch(spans(2, begin=10))))
        exporter.write(Batch(spans(3)))
        exporter.write(Batch(spans(3, begin=3)))
        assert exporter.send(waiting).dropped == {}
        kinds = [headers["Content-Type"].rpartition("/")[2] for _, _, headers, _ in server.requests]
        assert kinds == ["json", "x-protobuf", "x-protobuf", "x-protobuf"]
        assert [span.name for span in server.spans] == ["s0", "s1", "s2", "s3", "s4", "s5", "s10", "s11"]
        assert exporter.undelivered() == {}
        exporter.close()
    with sink(415) as server:
        exporter = OTLPExporter(server.url, form="json")
        exporter.write(Batch(spans(3)))
        monkeypatch.setattr(exporters, "find_spec", lambda _: None)
        other = OTLPExporter(server.url)
        other.write(Batch(spans(3)))
        assert exporter.undelivered() == other.undelivered() == {"dropped.refused": 3}
        assert len(server.requests) == 2
        exporter.close()
        other.close()


def test_headers_come_from_the_environment_too(monkeypatch):
    """As key=value by comma; OTEL_EXPORTER_OTLP_ENDPOINT alone sends nothing anywhere."""
    from vestigo.settings import default_storage_url, load_settings

    environ = {"VESTIGO_HEADERS": "X-A=1,X-B=2%20", "VESTIGO_API_KEY": "k", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}
    settings = load_settings({}, environ)
    assert settings.headers == {"X-A": "1", "X-B": "2 "}
    assert settings.api_key == "k"
    assert default_storage_url(settings).startswith("sqlite:")


def test_our_requests_are_not_traced_by_ourselves(tracer_to):
    """Whatever is patched: a thousand requests make no span."""
    with sink() as server:
        undo = vestigo.instrument()
        tracer = tracer_to(server.url)
        with tracer.span("only"):
            for _ in range(20):
                tracer.flush(5)
        assert tracer.flush(5)
        undo()
        assert {span.name for span in server.spans} == {"only"}
        assert law(tracer)["recorded"] == 1


def test_the_counters_of_a_process_know_of_full_spools(tmp_path):
    """`vestigo.diagnostics.counters` too, where records of other processes are dropped."""
    before = counters.get("dropped.spool_full")
    spool = Spool(tmp_path, 10)
    spool.append(list(OTLPExporter("http://x").frames(Batch(spans(2)))))
    assert counters.get("dropped.spool_full") == before + 2
    assert otlp.encode("traces", "json", [])
