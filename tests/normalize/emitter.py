"""A program whose calls of the real clients a foreign instrumentation records, alone in its process.

`python emitter.py INSTRUMENTATION` makes each of CALLS against a provider of ours, and writes to standard output what
OpenTelemetry's exporter would send: the spans in the order of the calls, as one OTLP request in protobuf. `python
emitter.py anthropic` makes two calls of Anthropic's client, which records them itself. A process of its own, since
OpenLLMetry's instrumentation cannot be undone, and a process has but one global tracer provider.
"""

import importlib
import json
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

sys.path.append(str(Path(__file__).parent.parent / "instrument"))
from provider import Answer, Provider, chat, embeddings, responses, streamed_chat, tool_call

INSTRUMENTATIONS = {
    "openinference": "openinference.instrumentation.openai",
    "gen_ai": "opentelemetry.instrumentation.genai.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
}
CALL = tool_call("c1", "add", '{"a": 1}')
ADD = {"name": "add", "description": "adds", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}
ASK = {
    "model": "gpt-4o",
    "tools": [{"type": "function", "function": ADD}],
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [
            {"type": "text", "text": "what is 1+1?"},
            {"type": "image_url", "image_url": {"url": "https://x.test/y.png"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [tool_call("c0", "add", '{"a": 0}')]},
        {"role": "tool", "tool_call_id": "c0", "content": "0"},
    ],
}  # fmt: skip


def streamed():
    """An answer in chunks, its tool call in two of them."""
    started = {**CALL, "function": {"name": "add", "arguments": ""}}
    return streamed_chat(
        {"content": "let"}, {"content": " me see"}, {"tool_calls": [{"index": 0, **started}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}, finish_reason="tool_calls", usage=True,
    )  # fmt: skip


CALLS = {
    "chat": (
        lambda client: client.chat.completions.create(**ASK),
        lambda: chat({"content": "let me see", "tool_calls": [CALL]}),
    ),
    "stream": (
        lambda client: list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})),
        streamed,
    ),
    "embeddings": (
        lambda client: client.embeddings.create(model="text-embedding-3-small", input="hello", encoding_format="float"),
        lambda: embeddings([0.1, 0.2]),
    ),
    "responses": (
        lambda client: client.responses.create(model="gpt-5", input="hello", instructions="be brief"),
        responses,
    ),
}


USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 50, "cache_read_input_tokens": 300, "output_tokens": 12,
         "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 40}}  # fmt: skip
TEXT, USE = {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}
ANSWER = {"id": "msg_7", "type": "message", "role": "assistant", "model": "claude-sonnet-5-20260101",
          "content": [TEXT, USE], "stop_reason": "tool_use", "stop_sequence": None, "usage": USAGE}  # fmt: skip
EVENTS = [
    {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me see."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {**USE, "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": USAGE},
    {"type": "message_stop"},
]
REQUEST = {
    "model": "claude-sonnet-5",
    "max_tokens": 9,
    "system": "Be brief.",
    "tools": [{"name": "add", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "what is 1+1?"},
        {"role": "assistant", "content": [{**USE, "id": "t0"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t0", "content": "0"}]},
    ],
}


def make(call, client, provider):
    """One of CALLS, answered as it should be."""
    ask, answer = CALLS[call]
    provider.answers.append(answer())
    ask(client)


def call_openai(name, tracers):
    openai = importlib.import_module("openai")
    importlib.import_module(INSTRUMENTATIONS[name]).OpenAIInstrumentor().instrument(tracer_provider=tracers)
    with Provider() as provider, openai.OpenAI(base_url=provider.url, api_key="k", max_retries=0) as client:
        for call in CALLS:
            make(call, client, provider)


def call_anthropic():
    anthropic = importlib.import_module("anthropic")
    events = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in EVENTS]
    with (
        Provider(Answer(ANSWER), Answer(events=events)) as provider,
        anthropic.Anthropic(base_url=f"http://127.0.0.1:{provider.port}", api_key="k", max_retries=0) as client,
    ):
        client.messages.create(**REQUEST)
        list(client.messages.create(**REQUEST, stream=True))


def main(name):
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracers)
    if name == "anthropic":
        call_anthropic()
    else:
        call_openai(name, tracers)
    sys.stdout.buffer.write(encode_spans(exporter.get_finished_spans()).SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1])
