"""Calls through the real `openai` client are recorded in whole, and the client does not change."""

import asyncio
import gc
import json
import time
import weakref
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion, ParsedChatCompletion
from provider import (
    CHAT_USAGE,
    Answer,
    Provider,
    Request,
    chat,
    embeddings,
    failure,
    message_item,
    response,
    responses,
    sse,
    streamed_chat,
    streamed_responses,
    tool_call,
)
from pydantic import BaseModel

from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.instrument import LLMCallLogger
from vestigo.record import Batch, Span
from vestigo.sdk.tracer import Tracer, current_span

HI = [{"role": "user", "content": "Hi"}]
ASK: dict[str, Any] = {"model": "gpt-4o", "messages": HI}
TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}, "strict": True},
}


class Kept:
    """An exporter that keeps the spans that ended."""

    def __init__(self) -> None:
        self.all: list[Span] = []

    def write(self, batch: Batch) -> None:
        self.all += [span for span in batch.spans if span.end_ns is not None]

    def close(self) -> None: ...


class Setup:
    """A wrapped client of each kind in front of one provider, and what they recorded."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.kept = Kept()
        self.tracer = Tracer("svc", self.kept)
        self.calls = LLMCallLogger(self.tracer)
        where: dict[str, Any] = {"base_url": provider.url, "api_key": "k", "max_retries": 0}
        self.plain = openai.OpenAI(**where)
        self.client = self.calls.wrap_openai_client(openai.OpenAI(**where))
        self.async_client = self.calls.wrap_openai_client(openai.AsyncOpenAI(**where))

    def will(self, *answers: Answer) -> None:
        self.provider.answers.extend(answers)

    @property
    def spans(self) -> list[Span]:
        assert self.tracer.flush()
        return self.kept.all

    @property
    def span(self) -> Span:
        (span,) = self.spans
        return span

    @property
    def said(self) -> dict[str, Any]:
        return self.span.attributes

    @property
    def output(self) -> Any:
        return self.said[semconv.OUTPUT_MESSAGES]


@pytest.fixture
def setup() -> Iterator[Setup]:
    failed = counters.get("failed")
    with Provider() as provider:
        made = Setup(provider)
        yield made
        made.tracer.close()
        made.client.close()
        made.plain.close()
    assert counters.get("failed") == failed, "our own code failed"


def said_text(text: str) -> list[Any]:
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]


# --- chat completions


def test_a_chat_call_is_recorded_in_whole(setup: Setup) -> None:
    """Model asked and answered, messages, parameters, tokens, finish reasons, ids, place and latency."""
    setup.will(chat({"content": "Hello."}))
    answer = setup.client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "system", "content": "Be kind."}, *HI],
        temperature=0.2,
        top_p=0.9,
        max_completion_tokens=100,
        seed=7,
        stop="END",
        frequency_penalty=0.1,
        presence_penalty=0.3,
        reasoning_effort="low",
        service_tier="default",
        response_format={"type": "json_object"},
        tool_choice="auto",
        tools=[TOOL],
        user="u7",
    )
    assert answer.choices[0].message.content == "Hello."
    span = setup.span
    assert (span.name, span.kind, span.status) == ("chat gpt-4o", "CLIENT", "UNSET")
    assert 0 < span.duration_ms < 10_000
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "server.address": "127.0.0.1",
        "server.port": setup.provider.port,
        "openai.api.type": "chat_completions",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.presence_penalty": 0.3,
        "gen_ai.request.reasoning.level": "low",
        "openai.request.service_tier": "default",
        "openai.request.response_format": {"type": "json_object"},
        "openai.request.tool_choice": "auto",
        "gen_ai.output.type": "json",
        "user.id": "u7",
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ],
        "gen_ai.tool.definitions": [{"type": "function", **TOOL["function"]}],
        "gen_ai.output.messages": said_text("Hello."),
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop"],
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_write.input_tokens": 7,
        "gen_ai.usage.audio.input_tokens": 5,
        "gen_ai.usage.image.input_tokens": 2,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.reasoning.output_tokens": 12,
        "gen_ai.usage.audio.output_tokens": 3,
    }


def test_tool_calls_and_their_results_are_recorded(setup: Setup) -> None:
    """A turn with tool calls, the client's own message object put into the history, and the result sent back."""
    setup.will(chat({"tool_calls": [tool_call("c1", "f", '{"a": 1}')]}), chat({"content": "Done."}))
    history: list[Any] = [*HI]
    first = setup.client.chat.completions.create(model="gpt-4o", messages=history, tools=[TOOL])
    history += [first.choices[0].message, {"role": "tool", "tool_call_id": "c1", "content": "42"}]
    setup.client.chat.completions.create(model="gpt-4o", messages=history, tools=[TOOL])
    asked, answered = setup.spans
    called = {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"a": 1}'}]}
    assert asked.attributes[semconv.OUTPUT_MESSAGES] == [called]
    assert asked.attributes[semconv.FINISH_REASONS] == ["tool_calls"]
    assert len(asked.attributes[semconv.INPUT_MESSAGES]) == 1, "the history grew after the call"
    assert answered.attributes[semconv.INPUT_MESSAGES][1:] == [
        called,
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
    ]


def test_several_choices_and_refusals_are_recorded(setup: Setup) -> None:
    """n > 1 gives one output message and one finish reason for each choice."""
    setup.will(chat({"content": "A"}, {"refusal": "No."}))
    setup.client.chat.completions.create(**ASK, n=2)
    assert setup.said["gen_ai.request.choice.count"] == 2
    assert setup.said[semconv.FINISH_REASONS] == ["stop", "stop"]
    assert setup.output == [
        *said_text("A"),
        {"role": "assistant", "parts": [{"type": "refusal", "content": "No."}]},
    ]


def test_fields_that_openai_does_not_have_are_recorded_too(setup: Setup) -> None:
    """`extra_body` counts as the request; reasoning and cost that other servers tell are kept."""
    setup.will(chat({"content": "4", "reasoning_content": "2+2"}, usage={**CHAT_USAGE, "cost": 0.25}))
    setup.client.chat.completions.create(**ASK, extra_body={"top_k": 5})
    assert setup.said["gen_ai.request.top_k"] == 5
    assert setup.said[semconv.COST_USD] == 0.25
    assert setup.output[0]["parts"] == [{"type": "reasoning", "content": "2+2"}, {"type": "text", "content": "4"}]


class City(BaseModel):
    name: str


def test_parse_is_one_call_and_its_answer_is_parsed(setup: Setup) -> None:
    """`.parse` gives its own type and is recorded once, with the schema that was sent."""
    setup.will(chat({"content": '{"name":"Rome"}'}))
    answer = setup.client.chat.completions.parse(**ASK, response_format=City)
    assert isinstance(answer, ParsedChatCompletion)
    assert answer.choices[0].message.parsed == City(name="Rome")
    assert setup.said["gen_ai.output.type"] == "json"
    assert setup.said["openai.request.response_format"]["json_schema"]["name"] == "City"
    assert setup.output == said_text('{"name":"Rome"}')


def test_an_answer_that_parse_refuses_is_recorded(setup: Setup) -> None:
    """A cut answer makes `.parse` raise; the span has the error, the answer and its tokens."""
    setup.will(chat({"content": '{"na'}, finish_reason="length"))
    with pytest.raises(openai.LengthFinishReasonError):
        setup.client.chat.completions.parse(**ASK, response_format=City)
    assert setup.span.status == "ERROR"
    assert setup.said[semconv.ERROR_TYPE] == "openai.LengthFinishReasonError"
    assert setup.said[semconv.FINISH_REASONS] == ["length"]
    assert setup.said[semconv.OUTPUT_TOKENS] == 30
    assert setup.output == said_text('{"na')


# --- the client stays what it is


def test_answers_have_their_own_type_and_the_wrapped_client_is_the_same_object(setup: Setup) -> None:
    """Wrapping gives the same object back; answers equal those of a client that is not wrapped."""
    setup.will(chat(), chat())
    wrapped, plain = setup.client.chat.completions.create(**ASK), setup.plain.chat.completions.create(**ASK)
    assert type(wrapped) is ChatCompletion
    assert wrapped == plain
    assert wrapped._request_id == "req-1"
    assert type(setup.client) is openai.OpenAI
    assert setup.calls.wrap_openai_client(setup.client) is setup.client


def test_the_program_sees_the_very_result_and_error_that_the_client_made(setup: Setup) -> None:
    """The objects are passed on as they are, not copied: seen from a layer below ours."""
    below: list[Any] = []
    original = type(setup.client).request

    class Spying(openai.OpenAI):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            try:
                below.append(original(self, *args, **kwargs))
                return below[-1]
            except openai.OpenAIError as error:
                below.append(error)
                raise

    client = Spying(base_url=setup.provider.url, api_key="k", max_retries=0)
    setup.calls.wrap_openai_client(client)
    setup.will(chat(), failure(400, "bad"), streamed_chat({"content": "a"}))
    assert client.chat.completions.create(**ASK) is below[0]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**ASK)
    assert caught.value is below[1]
    stream = client.chat.completions.create(**ASK, stream=True)
    assert stream is below[2]
    stream.close()
    client.close()


def test_wrapping_twice_records_once(setup: Setup) -> None:
    """By the same logger or another one: each call is one span; of two tracers the newer records."""
    other = Kept()
    newer = LLMCallLogger(Tracer("other", other))
    setup.calls.wrap_openai_client(setup.client)
    setup.will(chat(), chat(), chat())
    setup.client.chat.completions.create(**ASK)
    assert len(setup.spans) == 1
    newer.wrap_openai_client(setup.client)
    setup.client.chat.completions.create(**ASK)
    newer.unwrap_openai_client(setup.client)
    setup.client.chat.completions.create(**ASK)
    newer.tracer.close()
    assert (len(other.all), len(setup.spans)) == (1, 2)


def test_unwrapping_gives_the_client_back_as_it_was(setup: Setup) -> None:
    """No trace of ours is left on the object, and nothing is recorded any more, by its copies neither."""
    copy = setup.client.with_options(timeout=5)
    setup.calls.unwrap_openai_client(setup.client)
    assert vars(setup.client).keys() - {"chat"} == vars(setup.plain).keys() - {"chat"}
    setup.will(chat(), chat())
    setup.client.chat.completions.create(**ASK)
    copy.chat.completions.create(**ASK)
    assert setup.spans == []


def test_copies_of_a_wrapped_client_are_recorded(setup: Setup) -> None:
    """`with_options`, `copy`, and copies of copies, each call once; what wraps a copy stays there."""
    setup.will(chat(), chat(), chat())
    setup.client.with_options(max_retries=1).chat.completions.create(**ASK)
    setup.client.copy().with_options(timeout=3).chat.completions.create(**ASK)
    assert len(setup.spans) == 2
    other = Kept()
    copy = setup.client.copy()
    newer = LLMCallLogger(Tracer("other", other))
    newer.wrap_openai_client(copy)
    setup.client.chat.completions.create(**ASK)
    newer.tracer.close()
    assert (len(other.all), len(setup.spans)) == (0, 3)


def test_resources_taken_before_wrapping_are_recorded(setup: Setup) -> None:
    """A program may hold `client.chat.completions.create` already."""
    create = setup.plain.chat.completions.create
    raw = setup.plain.chat.completions.with_raw_response
    setup.calls.wrap_openai_client(setup.plain)
    setup.will(chat(), chat())
    create(**ASK)
    raw.create(**ASK)
    assert len(setup.spans) == 2


def test_azure_clients_are_recorded(setup: Setup) -> None:
    """Azure puts the deployment into the path; the span says the provider and the deployment's name as the model."""
    client = openai.AzureOpenAI(
        azure_endpoint=setup.provider.url.removesuffix("/v1"), api_key="k", api_version="2026-01-01"
    )
    setup.calls.wrap_openai_client(client)
    setup.will(chat())
    client.chat.completions.create(**ASK)
    client.close()
    assert "/deployments/gpt-4o/chat/completions" in setup.provider.requests[0].path
    assert setup.said[semconv.PROVIDER] == "azure.ai.openai"
    assert setup.said[semconv.REQUEST_MODEL] == "gpt-4o"


@pytest.mark.parametrize(
    ("base_url", "provider", "port"),
    [
        ("https://api.deepseek.com/v1", "deepseek", 443),
        ("https://my.openai.azure.com/openai/v1/", "azure.ai.openai", 443),
        ("http://llm.internal/v1", "openai", 80),
        ("https://notx.ai/v1", "openai", 443),
    ],
)
def test_the_provider_is_told_by_the_host(base_url: str, provider: str, port: int) -> None:
    """Many providers speak OpenAI's protocol; who is asked follows from the address."""
    kept = Kept()
    tracer = Tracer("svc", kept)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=chat().body))
    client = openai.OpenAI(base_url=base_url, api_key="k", http_client=httpx2.Client(transport=transport))
    LLMCallLogger(tracer).wrap_openai_client(client).chat.completions.create(**ASK)
    tracer.close()
    client.close()
    said = kept.all[0].attributes
    assert (said[semconv.PROVIDER], said["server.port"]) == (provider, port)


def test_a_call_is_below_the_current_span_which_stays_current(setup: Setup) -> None:
    """The span is a child of the program's, is current while the call runs, and is not current afterwards."""
    seen: list[Any] = []

    def answer(_: httpx2.Request) -> httpx2.Response:
        seen.append(current_span())
        return httpx2.Response(200, json=chat().body)

    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))
    setup.calls.wrap_openai_client(client)
    with setup.tracer.trace("turn") as turn:
        client.chat.completions.create(**ASK)
        assert current_span() is turn
    client.close()
    call = next(span for span in setup.spans if span.name == "chat gpt-4o")
    assert call.parent_id == turn.span_id
    assert seen[0].span_id == call.span_id


async def test_a_thousand_concurrent_calls_keep_their_parents(setup: Setup) -> None:
    """1,000 async calls at once, each in a span of its own: every call is the child of its own span."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0.001)
        asked = json.loads(request.content)["messages"][0]["content"]
        return httpx2.Response(200, json=chat({"content": f"answer {asked}"}).body)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    client = setup.calls.wrap_openai_client(openai.AsyncOpenAI(api_key="k", http_client=http))

    async def turn(number: int) -> None:
        with setup.tracer.trace(f"turn {number}"):
            messages = [{"role": "user", "content": str(number)}]
            await client.chat.completions.create(model="gpt-4o", messages=messages)

    await asyncio.gather(*(turn(number) for number in range(1000)))
    await client.close()
    turns = {span.span_id: span.name for span in setup.spans if span.parent_id is None}
    calls = [span for span in setup.spans if span.parent_id is not None]
    assert (len(turns), len(calls)) == (1000, 1000)
    for call in calls:
        number = call.attributes[semconv.INPUT_MESSAGES][0]["parts"][0]["content"]
        assert turns[call.parent_id] == f"turn {number}"
        assert call.attributes[semconv.OUTPUT_MESSAGES] == said_text(f"answer {number}")


# --- errors and retries


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_an_error_is_recorded_and_raised(setup: Setup, status: int, kind: type[openai.APIStatusError]) -> None:
    """The program gets the client's error; the span has its type, status, code, request id, message and stack."""
    setup.will(failure(status, "not so", code="some_code"))
    with pytest.raises(kind, match="not so"):
        setup.client.chat.completions.create(**ASK)
    span = setup.span
    assert span.status == "ERROR"
    assert "not so" in span.status_message
    assert span.attributes[semconv.ERROR_TYPE] == f"openai.{kind.__name__}"
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["openai.error.code"] == "some_code"
    assert span.attributes["openai.request_id"] == "req-1"
    assert span.attributes[semconv.INPUT_MESSAGES]
    (event,) = span.events
    assert event.attributes[semconv.EXCEPTION_TYPE] == f"openai.{kind.__name__}"
    assert f"openai.{kind.__name__}: Error code: {status} - not so" in event.attributes[semconv.EXCEPTION_STACK]


def test_a_server_that_is_not_there_is_recorded(setup: Setup) -> None:
    """A connection error has no status, only a type."""
    client = openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="k", max_retries=1)
    setup.calls.wrap_openai_client(client)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**ASK)
    client.close()
    assert setup.said[semconv.ERROR_TYPE] == "openai.APIConnectionError"
    assert "http.response.status_code" not in setup.said
    assert setup.said["http.request.resend_count"] == 1


def test_a_call_that_takes_too_long_is_recorded(setup: Setup) -> None:
    """The client's timeout is an error of its own type."""
    slow = chat()
    slow.pause_s = 0.4
    setup.will(slow)
    with pytest.raises(openai.APITimeoutError):
        setup.client.chat.completions.create(**ASK, timeout=0.05)
    assert setup.said[semconv.ERROR_TYPE] == "openai.APITimeoutError"


@pytest.mark.parametrize("form", ["plain", "raw", "stream"])
def test_retries_inside_the_client_are_one_span_that_counts_them(setup: Setup, form: str) -> None:
    """A rate limit with retry-after, then an answer: one span, no error, one request sent again."""
    client = setup.client.with_options(max_retries=2)
    busy = failure(429, "slow down", retry_after_ms="1")
    match form:
        case "plain":
            setup.will(busy, busy, chat())
            client.chat.completions.create(**ASK)
        case "raw":
            setup.will(busy, busy, chat())
            assert client.chat.completions.with_raw_response.create(**ASK).retries_taken == 2
        case _:
            setup.will(busy, busy, streamed_chat({"content": "a"}))
            list(client.chat.completions.create(**ASK, stream=True))
    assert len(setup.provider.requests) == 3
    assert setup.span.status == "UNSET"
    assert setup.said["http.request.resend_count"] == 2


def test_retries_that_end_in_an_error_are_counted(setup: Setup) -> None:
    """The last error is told, with how often the request was sent again."""
    setup.will(*(failure(500, "down", retry_after_ms="1") for _ in range(2)))
    with pytest.raises(openai.InternalServerError):
        setup.client.with_options(max_retries=1).chat.completions.create(**ASK)
    assert setup.said["http.request.resend_count"] == 1


def test_retries_of_other_calls_are_not_noted_on_the_programs_span(setup: Setup) -> None:
    """A moderation call is not recorded, and leaves no attribute on the span around it."""
    moderation = {"id": "m", "model": "m", "results": []}
    setup.will(failure(500, "down", retry_after_ms="1"), Answer(moderation))
    with setup.tracer.trace("turn"):
        setup.client.with_options(max_retries=1).moderations.create(input="x")
    assert "http.request.resend_count" not in setup.said


async def test_a_cancelled_call_is_recorded(setup: Setup) -> None:
    """A task that is cancelled while it waits ends its span with the cancellation."""
    slow = chat()
    slow.pause_s = 0.5
    setup.will(slow)
    task = asyncio.create_task(setup.async_client.chat.completions.create(**ASK))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await setup.async_client.close()
    assert setup.said[semconv.ERROR_TYPE] == "asyncio.exceptions.CancelledError"


def test_a_body_that_is_no_json_does_not_disturb(setup: Setup) -> None:
    """A proxy answers HTML with status 200: the client gives text, the span has no answer."""
    setup.will(Answer(b"<html>", headers={"content-type": "text/html"}))
    assert setup.client.chat.completions.create(**ASK) == "<html>"
    assert semconv.OUTPUT_MESSAGES not in setup.said


# --- streams


def test_a_stream_keeps_its_type_order_and_laziness(setup: Setup) -> None:
    """Chunks come one by one as the provider sends them, equal to those of a client that is not wrapped."""
    answer = {"pause_s": 0.03}
    setup.will(*(streamed_chat({"content": "A"}, {"content": "B"}, usage=True, **answer) for _ in range(2)))
    stream = setup.client.chat.completions.create(**ASK, stream=True)
    assert type(stream) is openai.Stream
    assert isinstance(stream.response, httpx2.Response)
    assert not stream.response.is_closed
    first = next(stream)
    assert setup.spans == [], "the span is open while the stream is"
    chunks = [first, *stream]
    assert chunks == list(setup.plain.chat.completions.create(**ASK, stream=True))
    assert stream.response.is_closed
    assert setup.output == said_text("AB")
    assert setup.said["gen_ai.request.stream"] is True
    assert setup.said[semconv.FINISH_REASONS] == ["stop"]
    assert setup.said[semconv.RESPONSE_ID] == "chatcmpl-1"
    assert setup.said[semconv.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert setup.said[semconv.INPUT_TOKENS] == 120
    assert setup.said[semconv.CACHE_READ_TOKENS] == 100
    assert semconv.ABANDONED not in setup.said
    # the role comes first, then the first letter: two pauses, and three more until the end
    assert 0.06 <= setup.said[semconv.TTFT_S] < setup.span.duration_ms / 1e3 - 0.06


def test_streamed_tool_calls_choices_and_refusals_are_put_together(setup: Setup) -> None:
    """Pieces of arguments, of several calls and choices, mixed as they may come."""
    setup.will(
        streamed_chat(
            {"tool_calls": [{"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": ""}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]},
            {"tool_calls": [{"index": 1, "id": "c1", "type": "function", "function": {"name": "g", "arguments": "{"}}]},
            {"index": 1, "refusal": "I can"},
            {"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]},
            {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
            {"index": 1, "refusal": "not."},
            {"index": 2, "reasoning_content": "Hm"},
            {"index": 2, "content": "ok"},
            {"index": 3, "function_call": {"name": "old", "arguments": "{"}},
            {"index": 3, "function_call": {"arguments": "}"}},
            {"index": 4, "audio": {"id": "au", "transcript": "He"}},
            {"index": 4, "audio": {"transcript": "llo", "data": "AA"}},
            finish_reason="stop",
        )
    )
    list(setup.client.chat.completions.create(**ASK, n=5, stream=True))
    assert [message["parts"] for message in setup.output] == [
        [
            {"type": "tool_call", "id": "c0", "name": "f", "arguments": '{"a": 1}'},
            {"type": "tool_call", "id": "c1", "name": "g", "arguments": "{}"},
        ],
        [{"type": "refusal", "content": "I cannot."}],
        [{"type": "reasoning", "content": "Hm"}, {"type": "text", "content": "ok"}],
        [{"type": "tool_call", "name": "old", "arguments": "{}"}],
        [{"type": "blob", "modality": "audio", "content": "AA", "id": "au", "transcript": "Hello"}],
    ]
    assert setup.said[semconv.FINISH_REASONS] == ["stop"] * 5


def test_tokens_of_a_stream_are_asked_for_only_on_request(setup: Setup) -> None:
    """By default the body is sent as it is; with `stream_usage` it asks, unless the program decided itself."""
    setup.will(*(streamed_chat({"content": "a"}) for _ in range(4)))
    create = setup.client.chat.completions.create
    list(create(**ASK, stream=True))
    setup.calls.wrap_openai_client(setup.client, stream_usage=True)
    list(create(**ASK, stream=True))
    list(create(**ASK, stream=True, stream_options={"include_obfuscation": False}))
    list(create(**ASK, stream=True, stream_options={"include_usage": False}))
    assert [request.body.get("stream_options") for request in setup.provider.requests] == [
        None,
        {"include_usage": True},
        {"include_obfuscation": False, "include_usage": True},
        {"include_usage": False},
    ]
    assert semconv.INPUT_TOKENS not in setup.spans[0].attributes


def test_a_stream_used_as_a_context_manager_and_left_early_is_abandoned(setup: Setup) -> None:
    """What came until then is recorded, and that there was more."""
    setup.will(streamed_chat({"content": "A"}, {"content": "B"}, pause_s=0.05))
    with setup.client.chat.completions.create(**ASK, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content == "A":
                break
    assert setup.said[semconv.ABANDONED] is True
    assert setup.span.status == "UNSET"
    assert setup.output == said_text("A")


def test_an_error_of_the_programs_own_inside_the_block_is_not_the_calls(setup: Setup) -> None:
    """The call did not fail, it was abandoned."""
    setup.will(streamed_chat({"content": "A"}, {"content": "B"}, pause_s=0.05))
    with pytest.raises(ZeroDivisionError), setup.client.chat.completions.create(**ASK, stream=True) as stream:
        next(stream)
        1 / 0
    assert setup.said[semconv.ABANDONED] is True
    assert setup.span.status == "UNSET"


@pytest.mark.parametrize("read", [0, 2])
def test_a_stream_that_is_forgotten_is_abandoned(setup: Setup, read: int) -> None:
    """The garbage collector ends the span, whether the stream was begun or not."""
    setup.will(streamed_chat({"content": "A"}, {"content": "B"}, pause_s=0.02))
    stream = setup.client.chat.completions.create(**ASK, stream=True)
    for _ in range(read):
        next(stream)
    time.sleep(0.1)
    del stream
    gc.collect()
    assert setup.span.duration_ms < 100, "it ended when it was last read"
    assert setup.said[semconv.ABANDONED] is True
    assert (semconv.OUTPUT_MESSAGES in setup.said) == bool(read)


def test_a_stream_left_after_the_last_word_is_not_abandoned(setup: Setup) -> None:
    """Many programs stop at the finish reason, before the protocol's own last line."""
    setup.will(streamed_chat({"content": "A"}))
    for chunk in setup.client.chat.completions.create(**ASK, stream=True):
        if chunk.choices[0].finish_reason:
            break
    del chunk
    gc.collect()
    assert semconv.ABANDONED not in setup.said
    assert setup.output == said_text("A")


def test_a_stream_that_is_cut_off_fails_with_the_error_that_the_program_sees(setup: Setup) -> None:
    """The connection breaks in the middle: the error is the client's, what came before is recorded."""
    setup.will(streamed_chat({"content": "A"}, finish_reason=None, done=False, cut=True))
    with pytest.raises(openai.APIConnectionError):
        list(setup.client.chat.completions.create(**ASK, stream=True))
    assert setup.span.status == "ERROR"
    assert setup.said[semconv.ERROR_TYPE] == "openai.APIConnectionError"
    assert semconv.ABANDONED not in setup.said
    assert setup.output == said_text("A")


def test_a_body_that_breaks_and_is_never_closed_is_collected_with_its_error(setup: Setup) -> None:
    """The program reads the bytes itself and lets go of them: the span has the error, and nothing is kept alive."""
    setup.will(streamed_chat({"content": "A"}, finish_reason=None, done=False, cut=True))
    raw = setup.client.chat.completions.with_raw_response.create(**ASK, stream=True)
    response = weakref.ref(raw.http_response)
    with pytest.raises(httpx2.RemoteProtocolError):
        list(raw.http_response.iter_bytes())
    del raw
    gc.collect()
    assert response() is None
    assert setup.span.status == "ERROR"
    assert setup.said[semconv.ERROR_TYPE] == "httpx2.RemoteProtocolError"
    assert setup.output == said_text("A")


def test_a_stream_that_stalls_fails_with_a_timeout(setup: Setup) -> None:
    """The time between two chunks is longer than the client waits."""
    setup.will(streamed_chat({"content": "A"}, pause_s=0.4))
    with pytest.raises(openai.APITimeoutError):
        list(setup.client.chat.completions.create(**ASK, stream=True, timeout=0.1))
    assert setup.said[semconv.ERROR_TYPE] == "openai.APITimeoutError"


@pytest.mark.parametrize("while_handling", [False, True])
def test_an_error_event_in_a_stream_fails_the_call(setup: Setup, while_handling: bool) -> None:
    """The provider tells of an error after the stream began; it is told as the client raises it."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    begun = {**head, "choices": [{"index": 0, "delta": {"content": "A"}, "finish_reason": None}]}
    setup.will(sse([begun, {"error": {"message": "overloaded", "code": "busy"}}]))

    def read() -> None:
        with pytest.raises(openai.APIError, match="overloaded"):
            list(setup.client.chat.completions.create(**ASK, stream=True))

    if while_handling:
        try:
            raise KeyError("something else")
        except KeyError:
            read()
    else:
        read()
    assert setup.said[semconv.ERROR_TYPE] == "openai.APIError"
    assert setup.span.status_message == "overloaded"
    assert setup.output == said_text("A")


def test_an_error_event_that_nobody_raises_fails_the_call_too(setup: Setup) -> None:
    """The program reads the lines itself while it handles something else, which is not taken for the call's error."""
    setup.will(sse([{"error": {"message": "overloaded", "code": "busy"}}]))
    try:
        raise KeyError("something else")
    except KeyError:
        with setup.client.chat.completions.with_streaming_response.create(**ASK, stream=True) as raw:
            assert "overloaded" in "".join(raw.iter_lines())
    assert setup.said[semconv.ERROR_TYPE] == "busy"
    assert (setup.span.status, setup.span.status_message) == ("ERROR", "overloaded")


def test_an_event_that_is_no_json_fails_the_call_as_the_program_sees_it(setup: Setup) -> None:
    """A broken event makes the client raise; the span has the same error."""
    setup.will(Answer(events=["data: {broken\n\n"]))
    with pytest.raises(json.JSONDecodeError):
        list(setup.client.chat.completions.create(**ASK, stream=True))
    assert setup.said[semconv.ERROR_TYPE] == "json.decoder.JSONDecodeError"


def test_events_are_read_however_they_are_cut_into_packets(setup: Setup) -> None:
    """Line ends of both kinds, comments, NaN, data over several lines, and packets that end anywhere."""
    whole = "".join(streamed_chat({"content": "Aé"}, {"content": "B", "odd": float("nan")}).events or [])
    whole = ": comment\r\n\r\nevent: x\r\n" + whole.replace("\n", "\r\n").replace('"choices"', '\r\ndata:  "choices"')
    raw = whole.encode()
    pieces = [raw[at : at + 7] for at in range(0, len(raw), 7)]

    class Pieces(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from pieces

    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, stream=Pieces()))
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
    setup.calls.wrap_openai_client(client)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ASK, stream=True))
    client.close()
    assert text == "AéB"
    assert setup.output == said_text("AéB")


def test_the_stream_helper_is_one_call(setup: Setup) -> None:
    """`chat.completions.stream` gives its own events and final completion, and one span."""
    setup.will(streamed_chat({"content": '{"name":'}, {"content": '"Rome"}'}, usage=True))
    with setup.client.chat.completions.stream(**ASK, response_format=City) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.parsed == City(name="Rome")
    assert setup.output == said_text('{"name":"Rome"}')
    assert setup.said[semconv.OUTPUT_TOKENS] == 30


def test_a_stream_is_not_current_while_it_is_open(setup: Setup) -> None:
    """What the program does between two chunks is not below the call."""
    setup.will(streamed_chat({"content": "A"}, {"content": "B"}))
    with setup.tracer.trace("turn") as turn:
        for number, _ in enumerate(setup.client.chat.completions.create(**ASK, stream=True)):
            with setup.tracer.span(f"work {number}"):
                pass
    assert {span.parent_id for span in setup.spans if span.name != "turn"} == {turn.span_id}


# --- raw and streaming responses


def test_a_raw_response_is_recorded_and_read_by_the_program_alone(setup: Setup) -> None:
    """Headers and parse work as ever; the span has the answer even if the program never parses it."""
    setup.will(chat({"content": "Hello."}), chat({"content": "Hello."}))
    raw = setup.client.chat.completions.with_raw_response.create(**ASK)
    assert setup.output == said_text("Hello.")
    assert raw.headers["x-request-id"] == "req-1"
    assert raw.parse() == setup.plain.chat.completions.create(**ASK)


def test_a_raw_response_of_a_stream_is_recorded(setup: Setup) -> None:
    """The stream comes out of `parse`; the span ends with it."""
    setup.will(streamed_chat({"content": "A"}))
    raw = setup.client.chat.completions.with_raw_response.create(**ASK, stream=True)
    assert setup.spans == []
    stream = raw.parse()
    assert type(stream) is openai.Stream
    list(stream)
    assert setup.output == said_text("A")


@pytest.mark.parametrize("how", ["parse", "json", "read", "text", "iter_bytes", "iter_lines"])
def test_a_streaming_response_is_recorded_however_it_is_read(setup: Setup, how: str) -> None:
    """`with_streaming_response` leaves the reading to the program: the span has what was read, and ends with it."""
    setup.will(chat({"content": "Hello."}))
    with setup.client.chat.completions.with_streaming_response.create(**ASK) as raw:
        assert not raw.http_response.is_stream_consumed
        assert setup.spans == []
        value = getattr(raw, how)()
        if how.startswith("iter"):
            list(value)
        assert len(setup.spans) == 1
    assert setup.output == said_text("Hello.")
    assert setup.said[semconv.OUTPUT_TOKENS] == 30
    assert semconv.ABANDONED not in setup.said


def test_a_streaming_response_that_is_not_read_is_abandoned(setup: Setup) -> None:
    """The request is made when the block is entered, and given up when it is left."""
    setup.will(chat())
    manager = setup.client.chat.completions.with_streaming_response.create(**ASK)
    assert setup.provider.requests == []
    with manager:
        pass
    assert setup.said[semconv.ABANDONED] is True


def test_a_streaming_response_of_a_stream_is_recorded(setup: Setup) -> None:
    """Both forms at once: lines, or chunks by `parse`."""
    setup.will(streamed_chat({"content": "A"}), streamed_chat({"content": "B"}))
    streaming = setup.client.chat.completions.with_streaming_response
    with streaming.create(**ASK, stream=True) as raw:
        assert any("[DONE]" in line for line in raw.iter_lines())
    with streaming.create(**ASK, stream=True) as raw:
        list(raw.parse())
    assert [span.attributes[semconv.OUTPUT_MESSAGES] for span in setup.spans] == [said_text("A"), said_text("B")]


# --- async


async def test_async_calls_are_recorded(setup: Setup) -> None:
    """Plain, streamed, by helper, raw and by streaming response."""
    streamed = streamed_chat({"content": "B"}, usage=True)
    setup.will(chat({"content": "A"}), streamed, streamed_chat({"content": "C"}), chat({"content": "D"}))
    setup.will(chat({"content": "E"}), streamed_chat({"content": "F"}))
    completions = setup.async_client.chat.completions
    pending = completions.create(**ASK)
    assert setup.provider.requests == []
    assert type(await pending) is ChatCompletion
    stream = await completions.create(**ASK, stream=True)
    assert type(stream) is openai.AsyncStream
    assert len([chunk async for chunk in stream]) == 4
    async with completions.stream(**ASK) as helper:
        assert (await helper.get_final_completion()).choices[0].message.content == "C"
    (await completions.with_raw_response.create(**ASK)).parse()
    async with completions.with_streaming_response.create(**ASK) as raw:
        await raw.parse()
    async with completions.with_streaming_response.create(**ASK, stream=True) as raw:
        assert [line async for line in raw.iter_lines()]
    await setup.async_client.close()
    assert [span.attributes[semconv.OUTPUT_MESSAGES] for span in setup.spans] == [said_text(text) for text in "ABCDEF"]
    assert not any(semconv.ABANDONED in span.attributes for span in setup.spans)
    assert setup.spans[1].attributes[semconv.OUTPUT_TOKENS] == 30
    assert setup.spans[1].attributes[semconv.TTFT_S] > 0


async def test_async_streams_end_their_spans_however_they_end(setup: Setup) -> None:
    """Left early, closed, cut off, and cancelled while waiting."""
    setup.will(
        streamed_chat({"content": "A"}, {"content": "B"}, pause_s=0.02),
        streamed_chat({"content": "A"}, {"content": "B"}, pause_s=0.02),
        streamed_chat({"content": "A"}, finish_reason=None, done=False, cut=True),
        streamed_chat({"content": "A"}, pause_s=0.3),
    )
    create = setup.async_client.chat.completions.create
    async with await create(**ASK, stream=True) as stream:
        async for _ in stream:
            break
    stream = await create(**ASK, stream=True)
    await anext(stream)
    await stream.close()
    with pytest.raises(openai.APIConnectionError):
        [chunk async for chunk in await create(**ASK, stream=True)]

    async def read() -> None:
        async for _ in await create(**ASK, stream=True):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.15)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await setup.async_client.close()
    left, closed, cut, cancelled = (span.attributes for span in setup.spans)
    assert left[semconv.ABANDONED] is True
    assert closed[semconv.ABANDONED] is True
    assert cut[semconv.ERROR_TYPE] == "openai.APIConnectionError"
    assert cut[semconv.OUTPUT_MESSAGES] == said_text("A")
    assert cancelled[semconv.ERROR_TYPE] == "asyncio.exceptions.CancelledError"


async def test_async_errors_are_recorded(setup: Setup) -> None:
    """As with the plain client."""
    setup.will(failure(429, "slow down"))
    with pytest.raises(openai.RateLimitError):
        await setup.async_client.chat.completions.create(**ASK)
    await setup.async_client.close()
    assert setup.said["http.response.status_code"] == 429


# --- the Responses API


def test_a_responses_call_is_recorded_in_whole(setup: Setup) -> None:
    """Instructions, input items, parameters, tools, output items, tokens, status."""
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
    reasoning = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]}
    search = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search", "query": "q"}}
    setup.will(responses(reasoning, search, message_item("Hello."), call, conversation={"id": "conv_1"}))
    answer = setup.client.responses.create(
        model="gpt-5",
        instructions="Be kind.",
        input=[{"role": "user", "content": "Hi"}],
        max_output_tokens=50,
        reasoning={"effort": "high"},
        text={"format": {"type": "json_object"}, "verbosity": "low"},
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        previous_response_id="resp_0",
        prompt={"id": "pmpt_1", "version": "2"},
        conversation="conv_1",
    )
    assert answer.output_text == "Hello."
    said = dict(setup.said)
    (output,) = said.pop(semconv.OUTPUT_MESSAGES)
    search_part = output["parts"].pop(1)
    assert (search_part["type"], search_part["name"]) == ("server_tool_call", "web_search")
    assert search_part["server_tool_call"]["action"]["query"] == "q"
    assert output == {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "Hm."},
            {"type": "text", "content": "Hello."},
            {"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"},
        ],
    }
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "server.address": "127.0.0.1",
        "server.port": setup.provider.port,
        "openai.api.type": "responses",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.reasoning.level": "high",
        "gen_ai.request.previous_response.id": "resp_0",
        "openai.request.response_format": {"type": "json_object"},
        "openai.request.verbosity": "low",
        "gen_ai.output.type": "json",
        "gen_ai.prompt.name": "pmpt_1",
        "gen_ai.prompt.version": "2",
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.system_instructions": [{"type": "text", "content": "Be kind."}],
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
        "gen_ai.tool.definitions": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-5-2026-01-01",
        "gen_ai.response.status": "completed",
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "openai.response.service_tier": "default",
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.cache_read.input_tokens": 16,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.reasoning.output_tokens": 4,
    }


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ["length"]),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, ["content_filter"]),
        ({"status": "failed", "error": {"code": "server_error", "message": "x"}}, ["error"]),
        ({"status": "queued"}, None),
    ],
)
def test_an_unfinished_response_says_why(setup: Setup, more: dict[str, Any], reasons: list[str] | None) -> None:
    """The status stays OpenAI's; the finish reason is in the words of chat completions."""
    setup.will(responses(**more))
    setup.client.responses.create(model="gpt-5", input="Hi")
    assert setup.said["gen_ai.response.status"] == more["status"]
    assert setup.said.get(semconv.FINISH_REASONS) == reasons


@pytest.mark.parametrize("form", ["events", "helper", "async"])
async def test_a_streamed_response_is_recorded(setup: Setup, form: str) -> None:
    """Events as they come, the helper, and async: one span with the whole answer."""
    setup.will(streamed_responses("Hel", "lo.", pause_s=0.02))
    asked: dict[str, Any] = {"model": "gpt-5", "input": "Hi"}
    match form:
        case "events":
            stream = setup.client.responses.create(**asked, stream=True)
            assert [event.type for event in stream][-1] == "response.completed"
        case "helper":
            with setup.client.responses.stream(**asked) as stream:
                assert stream.get_final_response().output_text == "Hello."
        case _:
            stream = await setup.async_client.responses.create(**asked, stream=True)
            assert len([event async for event in stream]) == 7
            await setup.async_client.close()
    assert setup.output == said_text("Hello.")
    assert setup.said[semconv.INPUT_TOKENS] == 40
    assert setup.said[semconv.FINISH_REASONS] == ["stop"]
    assert 0.06 < setup.said[semconv.TTFT_S] < setup.span.duration_ms / 1e3


def test_responses_parse_is_one_call(setup: Setup) -> None:
    """`.parse` gives its own type and is recorded once."""
    setup.will(responses(message_item('{"name":"Rome"}')))
    parsed = setup.client.responses.parse(model="gpt-5", input="Hi", text_format=City)
    assert parsed.output_parsed == City(name="Rome")
    assert setup.output == said_text('{"name":"Rome"}')


def test_a_response_stream_left_early_has_what_came(setup: Setup) -> None:
    """The last event repeats the whole answer; without it the pieces are put together, of every kind of item."""
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response(status="in_progress") | {"output": []}},
        *_begun(0, {"type": "reasoning", "id": "rs", "summary": []}, "reasoning_summary_text", "Hm"),
        {"type": "response.output_item.done", "output_index": 1, "item": message_item("Whole.")},
        *_begun(2, {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}, "function_call_arguments"),
        *_begun(3, {**message_item(""), "status": "in_progress", "content": []}, "output_text", "Par", "tial"),
    ]
    setup.will(sse(events, done=False))
    with setup.client.responses.create(model="gpt-5", input="Hi", stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta" and event.delta == "tial":
                break
    assert setup.said[semconv.ABANDONED] is True
    assert setup.said[semconv.RESPONSE_MODEL] == "gpt-5-2026-01-01"
    assert setup.output[0]["parts"] == [
        {"type": "reasoning", "content": "Hm"},
        {"type": "text", "content": "Whole."},
        {"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"},
        {"type": "text", "content": "Partial"},
    ]


def _begun(index: int, item: dict[str, Any], kind: str, *pieces: str) -> list[dict[str, Any]]:
    added = {"type": "response.output_item.added", "output_index": index, "item": {"status": "in_progress", **item}}
    place = {"output_index": index, "item_id": "i", "content_index": 0, "summary_index": 0}
    return [added, *({"type": f"response.{kind}.delta", **place, "delta": piece} for piece in pieces or ("{", "}"))]


@pytest.mark.parametrize("how", ["failed", "error"])
def test_a_response_stream_that_fails_is_an_error(setup: Setup, how: str) -> None:
    """As a last event with a failed response, or as an error event."""
    error = {"code": "server_error", "message": "it broke"}
    if how == "failed":
        event = {"type": "response.failed", "response": response(status="failed", error=error), "sequence_number": 1}
    else:
        event = {"type": "error", **error, "param": None, "sequence_number": 1}
    setup.will(sse([event], done=False))
    list(setup.client.responses.create(model="gpt-5", input="Hi", stream=True))
    assert (setup.span.status, setup.span.status_message) == ("ERROR", "it broke")
    assert setup.said[semconv.ERROR_TYPE] == "server_error"


def test_reading_a_stored_response_is_no_call_of_a_model(setup: Setup) -> None:
    """`responses.retrieve` costs no tokens and is not recorded."""
    with pytest.raises(openai.APIError):  # the stand-in answers no GET
        setup.client.responses.retrieve("resp_1")
    assert setup.spans == []


# --- embeddings


async def test_embeddings_are_recorded_without_the_vectors(setup: Setup) -> None:
    """Model, texts, tokens and dimensions; plain, async and raw."""
    setup.will(embeddings([0.1, 0.2], [0.3, 0.4]), embeddings([0.1, 0.2]), embeddings([0.1, 0.2]), embeddings([0.1]))
    asked: dict[str, Any] = {"model": "text-embedding-3-small", "encoding_format": "float"}
    answer = setup.client.embeddings.create(**asked, input=["a", "b"], dimensions=2)
    assert answer.data[1].embedding == [0.3, 0.4]
    await setup.async_client.embeddings.create(**asked, input="c")
    await setup.async_client.close()
    setup.client.embeddings.with_raw_response.create(**asked, input="d")
    setup.client.embeddings.create(**asked, input=[1, 2, 3])
    first, second, raw, tokens = setup.spans
    assert first.name == "embeddings text-embedding-3-small"
    assert first.attributes == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "openai",
        "server.address": "127.0.0.1",
        "server.port": setup.provider.port,
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.request.encoding_formats": ["float"],
        "gen_ai.embeddings.dimension.count": 2,
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]}
        ],
        "gen_ai.response.model": "text-embedding-3-small",
        "gen_ai.usage.input_tokens": 8,
    }
    assert second.attributes["gen_ai.embeddings.dimension.count"] == 2
    assert raw.attributes[semconv.INPUT_TOKENS] == 8
    assert semconv.INPUT_MESSAGES not in tokens.attributes


# --- sampling


def test_a_call_in_a_trace_that_is_left_out_costs_the_program_nothing_but_the_call(setup: Setup) -> None:
    """Nothing is recorded below a root that sampling left out, streams neither; the answers stay."""
    kept = Kept()
    tracer = Tracer("svc", kept, sample_rate=0.0)
    LLMCallLogger(tracer).wrap_openai_client(setup.plain)
    setup.will(chat({"content": "A"}), streamed_chat({"content": "B"}))
    assert setup.plain.chat.completions.create(**ASK).choices[0].message.content == "A"
    assert len(list(setup.plain.chat.completions.create(**ASK, stream=True))) == 3
    tracer.close()
    assert kept.all == []


def test_a_provider_that_answers_by_function_serves_a_whole_conversation(setup: Setup) -> None:
    """The stand-in can answer from the request, as replaying programs do."""

    def answer(request: Request) -> Answer:
        return chat({"content": str(len(request.body["messages"]))})

    with Provider(answer=answer) as provider:
        client = openai.OpenAI(base_url=provider.url, api_key="k")
        setup.calls.wrap_openai_client(client)
        client.chat.completions.create(**ASK)
        client.close()
    assert setup.output == said_text("1")
