"""`LLMCallLogger` tells a logger of each call, and refuses nonsense."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from provider import Provider, chat, failure, streamed_chat
from test_openai import ASK, Kept, Setup, said_text

from vestigo import semconv
from vestigo.errors import SettingsError
from vestigo.instrument import LLMCallLogger
from vestigo.sdk.tracer import Tracer


@pytest.fixture
def setup() -> Iterator[Setup]:
    with Provider() as provider:
        made = Setup(provider)
        yield made
        made.tracer.close()
        made.client.close()
        made.plain.close()


def test_what_cannot_be_wrapped_is_refused_with_the_remedy(setup: Setup) -> None:
    """Nonsense is told at configuration time: client, tracer, logger."""
    for client in ("client", None, object(), openai):
        with pytest.raises(SettingsError, match="give a client of class openai"):
            setup.calls.wrap_openai_client(client)
        assert setup.calls.unwrap_openai_client(client) is client
    with pytest.raises(SettingsError, match="tracer str has no span"):
        LLMCallLogger("tracer")
    with pytest.raises(SettingsError, match="logger str has no log_llm_call"):
        LLMCallLogger(setup.tracer, "logger")


class Told:
    """A logger that keeps what it is told; `_content` as an LLMLogger at DEBUG has it."""

    def __init__(self, content: bool = False) -> None:
        self.calls: list[dict[str, Any]] = []
        self.errors: list[tuple[str, BaseException, dict[str, Any]]] = []
        self._content = content

    def log_llm_call(self, **said: Any) -> None:
        self.calls.append(said)

    def log_error(self, operation: str, error: BaseException, **said: Any) -> None:
        self.errors.append((operation, error, said))


def test_the_logger_is_told_of_each_call_and_error(setup: Setup) -> None:
    """With the fixed names, the ids of the span, and no content; a stream is told when it ends."""
    told = Told()
    LLMCallLogger(setup.tracer, told).wrap_openai_client(setup.client)
    setup.will(chat(), streamed_chat({"content": "a"}), failure(400, "bad"))
    create = setup.client.chat.completions.create
    create(**ASK)
    list(create(**ASK, stream=True))
    with pytest.raises(openai.BadRequestError) as caught:
        create(**ASK)
    plain, streamed, failed = setup.spans
    first, second = told.calls
    metadata = first.pop("metadata")
    assert first.pop("latency_ms") == pytest.approx(plain.duration_ms, abs=5)
    assert first == {
        "operation": "chat",
        "model": "gpt-4o-2024-08-06",
        "prompt_tokens": 120,
        "completion_tokens": 30,
        "trace_id": plain.trace_id,
        "span_id": plain.span_id,
    }
    assert metadata[semconv.FINISH_REASONS] == ["stop"]
    assert not metadata.keys() & semconv.CONTENT_ATTRIBUTES
    assert (second["prompt_tokens"], second["span_id"]) == (None, streamed.span_id)
    ((operation, error, more),) = told.errors
    assert (operation, error, more["trace_id"]) == ("chat", caught.value, failed.trace_id)
    assert more["metadata"]["http.response.status_code"] == 400


def test_the_logger_at_debug_level_is_told_the_messages(setup: Setup) -> None:
    """Prompts and answers are part of what a debug line shows, even of a call that is not sampled."""
    told = Told(content=True)
    tracer = Tracer("svc", Kept(), sample_rate=0.0)
    LLMCallLogger(tracer, told).wrap_openai_client(setup.plain)
    setup.will(chat({"content": "Hello."}))
    setup.plain.chat.completions.create(**ASK)
    tracer.close()
    metadata = told.calls[0]["metadata"]
    assert metadata[semconv.INPUT_MESSAGES] == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    assert metadata[semconv.OUTPUT_MESSAGES] == said_text("Hello.")
