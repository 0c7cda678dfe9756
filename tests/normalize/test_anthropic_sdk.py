"""Spans of Anthropic's own client."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import anthropic
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from vestigo.normalize import messages, normalize
from vestigo.otlp import decode_traces
from vestigo.record import Usage

SAID = {"id": "msg_7", "type": "message", "role": "assistant", "model": "claude-sonnet-5-20260101",
        "content": [{"type": "text", "text": "Rain."}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 20, "cache_creation_input_tokens": 50, "cache_read_input_tokens": 300,
                  "output_tokens": 12, "cache_creation": {"ephemeral_5m_input_tokens": 10,
                                                          "ephemeral_1h_input_tokens": 40}}}  # fmt: skip


def test_the_real_client_is_understood() -> None:
    """The installed client against a server of ours, through the real exporter's encoding."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with anthropic.Anthropic(
            api_key="k",
            base_url=f"http://127.0.0.1:{server.server_address[1]}",
            open_telemetry={"tracer_provider": tracers, "traces": {"content_mode": "content"}},
        ) as client:
            client.messages.create(
                model="claude-sonnet-5", max_tokens=9, system="Be short.", messages=[{"role": "user", "content": "Hi"}]
            )
    (span,) = decode_traces(encode_spans(exporter.get_finished_spans()).to_json())
    form, said = normalize(span), messages(span)
    assert (form.dialect, form.kind, form.response_id) == ("anthropic_sdk", "llm", "msg_7")
    assert form.usage == Usage(input=370, cache_read=300, cache_write=50, cache_write_1h=40, output=12)
    assert form.finish_reasons == ["end_turn"]
    assert said.input == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    assert said.output == [{"role": "assistant", "parts": [{"type": "text", "content": "Rain."}]}]
    assert said.system == [{"type": "text", "content": "Be short."}]


class Server(BaseHTTPRequestHandler):
    """Answers one call."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        raw = json.dumps(SAID).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
