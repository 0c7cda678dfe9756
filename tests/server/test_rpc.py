"""OTLP/gRPC through the official exporters and through bare channels: what is taken, refused, and put off."""

import datetime as dt
import ipaddress
import socket
import threading
import time
from types import SimpleNamespace

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from vestigo.errors import IngestError, SettingsError, StorageError
from vestigo.server import rpc as module
from vestigo.server.routes import Failure, Principal
from vestigo.server.rpc import Rpc, open_rpc
from vestigo.settings import ServerSettings

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SENDER = Principal("key:7f3a", {"shop": frozenset({"ingest"})})


class Receiver:
    """Stands for the server: keeps what was taken, and fails as it is told to."""

    def __init__(self):
        self.taken = []
        self.answered = []
        self.failures = []
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Event()
        self.told = threading.Event()

    def take(self, signal, form, data, principal, project):
        self.began.set()
        assert self.go.wait(30)
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(SimpleNamespace(signal=signal, form=form, data=data, principal=principal, project=project))
        if signal == "traces":
            answer = ExportTraceServiceResponse()
            answer.partial_success.rejected_spans = 3
            return answer.SerializeToString()
        return b""

    def admit(self, headers, peer):
        assert peer.startswith(("ipv4:127.0.0.1", "ipv6:"))
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token != "right":
            raise Failure(401, "unauthenticated", "send a key as 'authorization: Bearer <key>'")
        project = headers.get("x-vestigo-project", "shop")
        if not SENDER.may("ingest", project):
            raise Failure(403, "forbidden", f"key:7f3a may not send to {project!r}")
        return SENDER, project

    def observe(self, method, path, status, duration_s):
        assert duration_s >= 0
        self.answered.append((method, path, status))
        self.told.set()


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def rpc(receiver):
    started = Rpc(ServerSettings(max_body_bytes=1024 * 1024), receiver.take, receiver.admit, receiver.observe)
    started.start(0)
    yield started
    receiver.go.set()
    started.stop(0)


@pytest.fixture
def channel(rpc):
    with grpc.insecure_channel(f"127.0.0.1:{rpc.port}") as made:
        yield made


def send(channel, data=b"", path=TRACES, headers=(("authorization", "Bearer right"),), **more):
    return channel.unary_unary(path)(data, metadata=headers, timeout=30, **more)


def refusal(channel, *arguments, **more):
    with pytest.raises(grpc.RpcError) as caught:
        send(channel, *arguments, **more)
    return caught.value


def exporter_options(rpc, **more):
    return {
        "endpoint": f"http://127.0.0.1:{rpc.port}", "insecure": True, "headers": {"authorization": "Bearer right"},
        **more,
    }  # fmt: skip


# --- the official exporters


def test_the_official_exporter_of_traces_is_understood(rpc, receiver):
    """A span of OpenTelemetry's SDK, with gzip, arrives as the bytes of its request."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(**exporter_options(rpc, compression=grpc.Compression.Gzip))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("test").start_span("chat", attributes={"gen_ai.request.model": "gpt-4o" * 100}).end()
    provider.shutdown()
    (taken,) = receiver.taken
    assert (taken.signal, taken.form, taken.project, taken.principal) == ("traces", "protobuf", "shop", SENDER)
    span = ExportTraceServiceRequest.FromString(taken.data).resource_spans[0].scope_spans[0].spans[0]
    assert span.name == "chat"
    assert span.attributes[0].value.string_value == "gpt-4o" * 100
    assert receiver.answered == [("POST", TRACES, "OK")]


def test_the_official_exporter_of_logs_is_understood(rpc, receiver):
    """A log record arrives at LogsService."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(**exporter_options(rpc))))
    provider.get_logger("test").emit(body="hello")
    provider.shutdown()
    (taken,) = receiver.taken
    record = ExportLogsServiceRequest.FromString(taken.data).resource_logs[0].scope_logs[0].log_records[0]
    assert (taken.signal, record.body.string_value) == ("logs", "hello")


def test_the_official_exporter_of_metrics_is_understood(rpc, receiver):
    """A counter arrives at MetricsService."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(**exporter_options(rpc)), 60_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("calls").add(7)
    provider.force_flush()
    taken = receiver.taken[0]
    provider.shutdown()
    metric = ExportMetricsServiceRequest.FromString(taken.data).resource_metrics[0].scope_metrics[0].metrics[0]
    assert (taken.signal, metric.name, metric.sum.data_points[0].as_int) == ("metrics", "calls", 7)


def test_the_official_exporter_comes_again_when_it_was_told_to(rpc, receiver):
    """Busy, then a full disk, then room: the span arrives once, after the times that we asked for."""
    receiver.failures = [
        Failure(503, "busy", "too much is waiting", retry_after_s=0.05),
        Failure(507, "full", "the disk is full", retry_after_s=0.1),
    ]
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(**exporter_options(rpc))))
    start_s = time.monotonic()
    provider.get_tracer("test").start_span("chat").end()
    took_s = time.monotonic() - start_s
    provider.shutdown()
    assert len(receiver.taken) == 1
    assert [status for _, _, status in receiver.answered] == ["UNAVAILABLE", "UNAVAILABLE", "OK"]
    assert took_s >= 0.15


# --- what is refused, and how


def test_the_answer_is_what_the_server_gave(channel):
    """Partial success comes through."""
    assert ExportTraceServiceResponse.FromString(send(channel)).partial_success.rejected_spans == 3


def test_an_empty_request_is_taken(channel, receiver):
    """No bytes are a message too."""
    send(channel, b"")
    assert [taken.data for taken in receiver.taken] == [b""]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure(400, "bad_data", "no spans"), "INVALID_ARGUMENT"),
        (Failure(401, "unauthenticated", "no"), "UNAUTHENTICATED"),
        (Failure(403, "forbidden", "no"), "PERMISSION_DENIED"),
        (Failure(413, "too_large", "no"), "RESOURCE_EXHAUSTED"),
        (Failure(418, "teapot", "no"), "INVALID_ARGUMENT"),
        (Failure(429, "busy", "later", retry_after_s=2.5), "UNAVAILABLE"),
        (Failure(503, "busy", "später", retry_after_s=2.5), "UNAVAILABLE"),
        (Failure(503, "closing", "no time told"), "UNAVAILABLE"),
        (Failure(500, "internal", "no"), "INTERNAL"),
        (IngestError("no message of OTLP"), "INVALID_ARGUMENT"),
        (StorageError("disk full"), "UNAVAILABLE"),
    ],
)
def test_a_failure_has_its_code_and_its_time(channel, receiver, failure, code):
    """As OTLP asks: bad data is never retried, what may pass is UNAVAILABLE, with RetryInfo where a time is known."""
    receiver.failures = [failure]
    error = refusal(channel)
    assert (error.code().name, error.details()) == (code, str(failure))
    trailing = dict(error.trailing_metadata())
    retry_after_s = 1.0 if isinstance(failure, StorageError) else getattr(failure, "retry_after_s", None)
    if retry_after_s is None:
        assert not {"grpc-status-details-bin", "google.rpc.retryinfo-bin"} & trailing.keys()
        return
    status = Status.FromString(trailing["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], str(failure))
    told = RetryInfo()
    assert status.details[0].Unpack(told)
    assert told.retry_delay.ToTimedelta().total_seconds() == retry_after_s
    assert told == RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"])


def test_what_is_wrong_with_us_is_not_told(channel, receiver):
    """INTERNAL, without the text of the exception; the next message is taken."""
    receiver.failures = [RuntimeError("password=hunter2")]
    error = refusal(channel)
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "the server failed")
    send(channel)
    assert len(receiver.taken) == 1


def test_a_sender_without_a_key_is_refused(channel, receiver):
    """UNAUTHENTICATED without or with a wrong key, PERMISSION_DENIED for the project of another."""
    assert refusal(channel, headers=()).code() == grpc.StatusCode.UNAUTHENTICATED
    assert refusal(channel, headers=(("authorization", "Bearer wrong"),)).code() == grpc.StatusCode.UNAUTHENTICATED
    foreign = (("authorization", "Bearer right"), ("x-vestigo-project", "bank"))
    assert refusal(channel, headers=foreign).code() == grpc.StatusCode.PERMISSION_DENIED
    assert receiver.taken == []
    own = (("authorization", "Bearer right"), ("x-vestigo-project", "shop"), ("trace-bin", b"\x00\xff"))
    send(channel, headers=own)
    assert receiver.taken[0].project == "shop"


def test_a_stranger_is_refused_before_its_message_comes(channel):
    """An open stream without a message gets its answer: strangers hold neither memory nor a thread."""

    def nothing():
        done.wait(30)
        return
        yield b""

    done = threading.Event()
    call = channel.stream_unary(TRACES).future(nothing(), metadata=(), timeout=30)
    assert call.exception(10).code() == grpc.StatusCode.UNAUTHENTICATED
    done.set()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_above_the_limit_is_refused_for_good(channel, receiver, compression):
    """RESOURCE_EXHAUSTED without RetryInfo, by its size as it comes and after decompression; smaller ones pass."""
    error = refusal(channel, bytes(2 * 1024 * 1024), compression=compression)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata())
    assert receiver.taken == []
    assert receiver.told.wait(10)  # the sender has its answer from grpcio itself, perhaps before we know
    assert receiver.answered == [("POST", TRACES, "CANCELLED")]
    send(channel, bytes(1024 * 1024), compression=compression)
    assert len(receiver.taken[0].data) == 1024 * 1024


def test_a_call_without_a_message_is_cancelled(channel, receiver):
    """A stream that ends before anything came."""
    call = channel.stream_unary(TRACES).future(iter(()), metadata=(("authorization", "Bearer right"),), timeout=30)
    assert call.exception(10).code() == grpc.StatusCode.CANCELLED
    assert receiver.taken == []


def test_other_methods_are_unknown(channel):
    """Nothing but the three Exports."""
    for path in ("/opentelemetry.proto.collector.trace.v1.TraceService/Delete", "/x/Export"):
        assert refusal(channel, path=path).code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_does_not_come_ends(receiver, monkeypatch):
    """After the limit the call is cancelled and its thread is free."""
    monkeypatch.setattr(module, "MESSAGE_TIMEOUT_S", 0.2)
    started = Rpc(ServerSettings(), receiver.take, receiver.admit, receiver.observe)
    started.start(0)
    done = threading.Event()

    def nothing():
        done.wait(30)
        return
        yield b""

    with grpc.insecure_channel(f"127.0.0.1:{started.port}") as channel:
        headers = (("authorization", "Bearer right"),)
        calls = [channel.stream_unary(TRACES).future(nothing(), metadata=headers, timeout=30) for _ in range(20)]
        assert {call.exception(20).code() for call in calls} <= {
            grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED,
        }  # fmt: skip
        done.set()
        send(channel)
    started.stop(5)
    assert len(receiver.taken) == 1
    assert receiver.answered.count(("POST", TRACES, "OK")) == 1


# --- start and stop


def test_stopping_finishes_what_is_in_work(rpc, channel, receiver):
    """A message that is being stored gets its answer; new ones are not taken."""
    receiver.go.clear()
    call = channel.unary_unary(TRACES).future(b"", metadata=(("authorization", "Bearer right"),), timeout=30)
    assert receiver.began.wait(10)
    stopping = threading.Thread(target=rpc.stop, args=(20,))
    stopping.start()
    receiver.go.set()
    assert ExportTraceServiceResponse.FromString(call.result(20)).partial_success.rejected_spans == 3
    stopping.join(20)
    assert not stopping.is_alive()
    assert refusal(channel).code() == grpc.StatusCode.UNAVAILABLE
    assert len(receiver.taken) == 1


def test_stopping_ends_what_takes_too_long(rpc, channel, receiver):
    """After the grace a call is cancelled: its sender keeps the records and comes again."""
    receiver.go.clear()
    call = channel.unary_unary(TRACES).future(b"", metadata=(("authorization", "Bearer right"),), timeout=30)
    assert receiver.began.wait(10)
    rpc.stop(0.1)
    assert call.exception(10).code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}


def test_a_taken_port_is_told(rpc, receiver):
    """A port that was asked for and is taken is an error; the default one is left to who has it."""
    with pytest.raises(SettingsError, match="cannot listen on"):
        open_rpc(ServerSettings(grpc_port=rpc.port), receiver.take, receiver.admit)


def test_the_default_port_is_taken_if_it_is_free(receiver, monkeypatch):
    """-1 takes 4317 or does without it, -2 listens nowhere, 0 takes a free port."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(module, "DEFAULT_PORT", other.getsockname()[1])
        assert open_rpc(ServerSettings(grpc_port=-1), receiver.take, receiver.admit) is None
    started = open_rpc(ServerSettings(grpc_port=-1), receiver.take, receiver.admit)
    assert started.port == module.DEFAULT_PORT
    started.stop(0)
    assert open_rpc(ServerSettings(grpc_port=-2), receiver.take, receiver.admit) is None
    started = open_rpc(ServerSettings(grpc_port=0), receiver.take, receiver.admit)
    assert started.port > 0
    started.stop(0)


def test_without_grpcio_there_is_none(receiver, monkeypatch):
    """Left open it is left out; asked for it is an error that names the extra."""
    monkeypatch.setattr(module, "grpc", None)
    assert open_rpc(ServerSettings(grpc_port=-1), receiver.take, receiver.admit) is None
    with pytest.raises(SettingsError, match=r"vestigo\[grpc\]"):
        open_rpc(ServerSettings(grpc_port=4317), receiver.take, receiver.admit)


def make_certificate(place):
    """Files of a certificate for 127.0.0.1 and its key, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (place / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (place / "key.pem").write_bytes(key.private_bytes(*private))
    return place / "cert.pem", place / "key.pem"


def test_tls_is_spoken_where_there_is_a_certificate(receiver, tmp_path):
    """A sender that trusts the certificate is served, one without TLS is not."""
    certificate, key = make_certificate(tmp_path)
    settings = ServerSettings(tls_certificate=str(certificate), tls_key=str(key))
    started = Rpc(settings, receiver.take, receiver.admit)
    started.start(0)
    trust = grpc.ssl_channel_credentials(certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{started.port}", trust) as channel:
        send(channel)
    with grpc.insecure_channel(f"127.0.0.1:{started.port}") as channel:
        assert refusal(channel).code() == grpc.StatusCode.UNAVAILABLE
    started.stop(0)
    assert len(receiver.taken) == 1


def test_a_certificate_that_is_not_there_is_told(receiver, tmp_path):
    """With the setting and the file."""
    settings = ServerSettings(tls_certificate=str(tmp_path / "no.pem"), tls_key=str(tmp_path / "no.key"))
    with pytest.raises(SettingsError, match=r"tls_key=.*no\.key' cannot be read"):
        Rpc(settings, receiver.take, receiver.admit).start(0)
