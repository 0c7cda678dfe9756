"""What recording costs a program: calls of the real `openai` client over a transport that answers at once.

Wrapped and unwrapped calls take turns in one run; the figures are CPU microseconds of the caller's thread: the median
of each, and the median of the differences between neighbours. The last rows leave out what the client does above and
below `request`, so that the difference is not lost in it.
Not named after the library, whose place on the import path it would take. Run: `python bench/llm_calls.py`.
"""

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx2
import openai
from openai._models import FinalRequestOptions
from openai.types.chat import ChatCompletion

from vestigo.instrument import LLMCallLogger
from vestigo.record import Batch
from vestigo.sdk.tracer import Tracer

CALLS = 400
CHUNKS = 100


class Nothing:
    """An exporter that forgets."""

    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


def history(messages: int) -> list[dict[str, Any]]:
    """An agent's conversation: system, then user, tool call, tool result, answer by turns; 400 characters each."""
    text = "The passenger would like to change the flight. " * 9
    call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"origin": "JFK"}'}}
    turn: list[dict[str, Any]] = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "name": "search", "content": text},
        {"role": "assistant", "content": text},
    ]
    return [{"role": "system", "content": text}, *(turn[number % 4] for number in range(messages - 1))]


def answer(request: httpx2.Request) -> httpx2.Response:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    head = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-2024-08-06"}
    if b'"stream":true' not in request.content:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Done. " * 100}}
        return httpx2.Response(200, json={**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**head, "object": "chat.completion.chunk"}
    delta = json.dumps({**chunk, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]})
    last = json.dumps({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = f"data: {delta}\n\n" * CHUNKS + f"data: {last}\n\ndata: [DONE]\n\n"
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=body)


class Instant(openai.OpenAI):
    """A client whose request answers at once with an answer that was made before."""

    def __init__(self, body: Any) -> None:
        super().__init__(api_key="k")
        self._options = FinalRequestOptions(method="post", url="/chat/completions", json_data=body)
        made = json.loads(answer(httpx2.Request("POST", "http://x", json={})).content)
        self._made = ChatCompletion.model_validate(made)

    def request(self, *_: Any, **__: Any) -> Any:
        return self._made

    def ask(self) -> object:
        return self.request(ChatCompletion, self._options)


def compare(name: str, bare: Callable[[], object], wrapped: Callable[[], object], flush: Callable[[], object]) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for function in (bare, wrapped):
        for _ in range(20):
            function()
    gc.disable()
    for number in range(CALLS):
        for function, kept in zip((bare, wrapped), times, strict=True):
            started = time.thread_time_ns()
            function()
            kept.append((time.thread_time_ns() - started) / 1e3)
        if number % 50 == 0:
            flush()
            gc.collect()
    gc.enable()
    more = statistics.median(after - before for before, after in zip(*times, strict=True))
    print(f"{name:34} {statistics.median(times[0]):9.1f} {statistics.median(times[1]):9.1f} {more:9.1f}")


def main() -> None:
    tracer = Tracer("bench", Nothing())
    calls = LLMCallLogger(tracer)

    def client() -> openai.OpenAI:
        return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))

    async def answer_async(request: httpx2.Request) -> httpx2.Response:
        return answer(request)

    def async_client() -> openai.AsyncOpenAI:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer_async))
        return openai.AsyncOpenAI(api_key="k", http_client=http)

    plain, wrapped = client(), calls.wrap_openai_client(client())
    print(f"{'us per call, median of ' + str(CALLS):34} {'bare':>9} {'wrapped':>9} {'more':>9}")
    for messages in (1, 20, 100):
        ask: dict[str, Any] = {"model": "gpt-4o", "messages": history(messages), "temperature": 0.2}
        compare(
            f"chat, {messages} messages",
            lambda ask=ask: plain.chat.completions.create(**ask),
            lambda ask=ask: wrapped.chat.completions.create(**ask),
            tracer.flush,
        )
    ask = {"model": "gpt-4o", "messages": history(20)}
    loop = asyncio.new_event_loop()
    plain_async, wrapped_async = async_client(), calls.wrap_openai_client(async_client())
    compare(
        "async chat, 20 messages",
        lambda: loop.run_until_complete(plain_async.chat.completions.create(**ask)),
        lambda: loop.run_until_complete(wrapped_async.chat.completions.create(**ask)),
        tracer.flush,
    )
    compare(
        f"stream of {CHUNKS} chunks, 20 messages",
        lambda: list(plain.chat.completions.create(**ask, stream=True)),
        lambda: list(wrapped.chat.completions.create(**ask, stream=True)),
        tracer.flush,
    )
    for messages in (1, 20, 100):
        body = {"model": "gpt-4o", "messages": history(messages)}
        alone = Instant(body)
        alone_wrapped = calls.wrap_openai_client(Instant(body))
        compare(f"recording alone, {messages} messages", alone.ask, alone_wrapped.ask, tracer.flush)
    loop.run_until_complete(plain_async.close())
    loop.run_until_complete(wrapped_async.close())
    loop.close()
    tracer.close()


if __name__ == "__main__":
    main()
