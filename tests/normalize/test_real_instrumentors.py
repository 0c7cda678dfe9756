"""Four instrumentations record the same calls of the real clients, and give the same normal form.

Each records by its own names: OpenInference, OpenTelemetry's GenAI line, OpenLLMetry, and ours. What one of them does
not tell is listed, so that it is seen when a new version tells it.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import msgspec
import openai
import pytest
from emitter import CALLS, INSTRUMENTATIONS, make
from provider import Provider

from vestigo.instrument import LLMCallLogger
from vestigo.normalize import messages, normalize
from vestigo.normalize.reading import parsed
from vestigo.otlp import decode
from vestigo.record import Messages, Usage
from vestigo.sdk.tracer import Tracer

LEFT_OUT = {
    # none has a name for the tokens of images
    ("openinference", "chat"): {"image_input"},
    ("openinference", "stream"): {"image_input"},
    ("gen_ai", "chat"): {"image_input"},
    ("gen_ai", "stream"): {"image_input"},
    ("openllmetry", "chat"): {"image_input", "cache_write", "audio_input", "audio_output"},
    ("openllmetry", "stream"): {"image_input", "cache_write", "audio_input", "audio_output", "reasoning"},
}
"""Parts of the usage that an instrumentation does not tell."""

OTHERWISE = {
    ("openllmetry", "chat"): {"finish_reasons": ["tool_call"]},  # OpenTelemetry's word for OpenAI's `tool_calls`
    ("openllmetry", "stream"): {"finish_reasons": ["tool_call"]},
    ("gen_ai", "embeddings"): {"input": []},  # the conventions have no name for what is embedded
    ("openinference", "responses"): {"finish_reasons": []},
}
"""Fields that an instrumentation tells in other words, or not."""


@pytest.mark.parametrize("name", INSTRUMENTATIONS)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_the_same_whoever_recorded_it(name, call):
    """Kind, models, provider, response id, usage, finish reasons, messages and tools do not depend on the recorder."""
    expected, told = essence(ours(call)), essence(theirs(name)[list(CALLS).index(call)])
    for part in LEFT_OUT.get((name, call), ()):
        assert part not in told["usage"], f"{name} now tells {part} of {call}"
        del expected["usage"][part]
    for field, words in OTHERWISE.get((name, call), {}).items():
        assert expected[field] != words
        expected[field] = words
    assert told == expected


@pytest.mark.parametrize("name", INSTRUMENTATIONS)
def test_each_recorder_is_recognised(name):
    """The dialect is the recorder's."""
    assert {normalize(span).dialect for span in theirs(name)} == {name}


def ours(call):
    """The span of a call that our instrumentation records."""
    kept = Kept()
    tracer = Tracer("svc", kept)
    with Provider() as provider, openai.OpenAI(base_url=provider.url, api_key="k", max_retries=0) as client:
        make(call, LLMCallLogger(tracer).wrap_openai_client(client), provider)
        assert tracer.flush()
    tracer.close()
    (span,) = kept
    return span


class Kept(list):
    """An exporter that keeps the spans that ended."""

    def write(self, batch):
        self.extend(span for span in batch.spans if span.end_ns is not None)

    def close(self):
        pass


def theirs(name):
    """The spans of all calls that a foreign instrumentation records."""
    return emitted(name, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY")


@cache
def emitted(name, **environment):
    """The spans of a program whose calls are recorded by what has this name, as they come over the wire."""
    program = [sys.executable, str(Path(__file__).with_name("emitter.py")), name]
    done = subprocess.run(program, capture_output=True, timeout=60, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr.decode()
    return decode("traces", "protobuf", done.stdout).spans


def essence(span):
    """What must be the same whoever recorded the call."""
    form, said = normalize(span), messages(span)
    told = [{"role": "system", "parts": said.system}, *said.input] if said.system else said.input
    return {
        "kind": form.kind, "provider": form.provider, "request_model": form.request_model,
        "response_model": form.response_model, "response_id": form.response_id, "role": form.usage_role,
        "finish_reasons": form.finish_reasons,
        "usage": {name: count for name, count in msgspec.to_builtins(form.usage).items() if count},
        "input": [plain(message) for message in told],
        "output": [plain(message) for message in said.output],
        "tools": [tool["name"] for tool in said.tools],
    }  # fmt: skip


def plain(message):
    """A message as its role and its parts; their order differs, and arguments are text or structured."""
    parts = [{key: parsed(value) for key, value in part.items() if value is not None} for part in message["parts"]]
    return message["role"], sorted(json.dumps(part, sort_keys=True) for part in parts)


# --- Anthropic's client, which traces itself


@pytest.mark.parametrize("streamed", [False, True])
def test_the_client_of_anthropic_records_itself(streamed):
    """Its own span tells a call with tools and cached tokens if content is asked for.

    Version 2.13 leaves out the definitions of tools, and the output of a streamed call.
    """
    span = emitted("anthropic", ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE="content")[streamed]
    form, said = normalize(span), essence(span)
    assert (form.kind, form.provider, form.usage_role) == ("llm", "anthropic", "leaf")
    assert (form.request_model, form.response_model) == ("claude-sonnet-5", "claude-sonnet-5-20260101")
    assert (form.response_id, form.finish_reasons) == ("msg_7", ["tool_use"])
    assert form.usage == Usage(input=370, cache_read=300, cache_write=50, cache_write_1h=40, output=12)
    call = {"type": "tool_call", "id": "t1", "name": "add", "arguments": {"a": 1}}
    result = {"type": "tool_call_response", "id": "t0", "response": [{"type": "text", "text": "0"}]}
    assert said["input"] == [
        plain({"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}),
        plain({"role": "user", "parts": [{"type": "text", "content": "what is 1+1?"}]}),
        plain({"role": "assistant", "parts": [{**call, "id": "t0"}]}),
        plain({"role": "user", "parts": [result]}),
    ]
    answer = plain({"role": "assistant", "parts": [{"type": "text", "content": "Let me see."}, call]})
    assert said["output"] == ([] if streamed else [answer])
    assert said["tools"] == []
    assert (form.ttft_s is not None) == streamed


def test_the_client_of_anthropic_keeps_content_to_itself():
    """Without being asked it tells numbers and no text."""
    for span in emitted("anthropic"):
        assert normalize(span).usage.input == 370
        assert messages(span) == Messages()
