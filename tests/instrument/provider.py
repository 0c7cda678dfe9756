"""A local stand-in for a model provider: speaks OpenAI's HTTP protocol on 127.0.0.1, answers what it is told to.

Answers are made by `chat`, `streamed_chat`, `responses`, `streamed_responses`, `embeddings` and `failure`; a `Provider`
gives them out in order, or asks a function of yours for each request.
"""

import json
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What to send: one JSON body, or events with a pause before each."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    events: list[str] | None = None
    pause_s: float = 0.0
    cut: bool = False
    """Drop the connection where the end of the events should come."""


@dataclass
class Request:
    path: str
    body: Any
    headers: dict[str, str]


class Provider:
    """Listens from `with` to the end of the block. `requests` are those that came, in order."""

    def __init__(self, *answers: Answer, answer: Callable[[Request], Answer] | None = None) -> None:
        self.answers = deque(answers)
        self.requests: list[Request] = []
        self._answer = answer

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self._answer is not None:
            return self._answer(request)
        return self.answers.popleft() if self.answers else failure(500, "the stand-in has no more answers")

    def __enter__(self) -> "Provider":
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.provider = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    provider: Provider

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # the client went away, as some tests do
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1  # headers and body in one packet: two would wait for the other side's delayed acknowledgement
    timeout = 5  # an idle connection that nobody closed does not keep its thread

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = self.server.provider.answer(Request(self.path, json.loads(body), dict(self.headers.items())))
        if answer.events is None:
            self._send_whole(answer)
        else:
            self._send_events(answer)

    def _send_whole(self, answer: Answer) -> None:
        if answer.pause_s:
            time.sleep(answer.pause_s)
        raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self._send_head(answer, "application/json", {"content-length": str(len(raw))})
        self.wfile.write(raw)

    def _send_events(self, answer: Answer) -> None:
        self._send_head(answer, "text/event-stream", {"transfer-encoding": "chunked"})
        self.wfile.flush()
        for event in answer.events or ():
            if answer.pause_s:
                time.sleep(answer.pause_s)
            raw = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            self.wfile.flush()
        if answer.cut:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, answer: Answer, kind: str, framing: dict[str, str]) -> None:
        self.send_response(answer.status)
        for key, value in {"content-type": kind, "x-request-id": "req-1", **framing, **answer.headers}.items():
            self.send_header(key, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


# --- answers

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 5, "cache_write_tokens": 7, "image_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 3},
}
RESPONSES_USAGE = {
    "input_tokens": 40,
    "input_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 49,
}


def chat(*messages: dict[str, Any], finish_reason: str = "stop", usage: Any = CHAT_USAGE, **more: Any) -> Answer:
    """A chat completion with one choice for each message."""
    choices = [
        {
            "index": index,
            "finish_reason": "tool_calls" if message.get("tool_calls") else finish_reason,
            "logprobs": None,
            "message": {"role": "assistant", "content": None, "refusal": None, **message},
        }
        for index, message in enumerate(messages or ({"content": "Hello."},))
    ]
    return Answer({**_chat_head("chat.completion"), "choices": choices, "usage": usage, **more})


def tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def streamed_chat(
    *deltas: dict[str, Any],
    finish_reason: str | None = "stop",
    usage: bool = False,
    done: bool = True,
    pause_s: float = 0.0,
    cut: bool = False,
) -> Answer:
    """A chat answer in chunks, one for each delta; a delta may say its choice by `index`."""
    head = _chat_head("chat.completion.chunk")
    chunks: list[Any] = []
    for delta in ({"role": "assistant", "content": ""}, *deltas):
        index = delta.pop("index", 0)
        chunks.append({**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
    if finish_reason is not None:
        seen = sorted({choice["index"] for chunk in chunks for choice in chunk["choices"]})
        chunks += [
            {**head, "choices": [{"index": index, "delta": {}, "finish_reason": finish_reason}]} for index in seen
        ]
    if usage:
        chunks.append({**head, "choices": [], "usage": CHAT_USAGE})
    return sse(chunks, done=done, pause_s=pause_s, cut=cut)


def sse(chunks: Iterable[Any], *, done: bool = True, pause_s: float = 0.0, cut: bool = False) -> Answer:
    """Any chunks as server-sent events."""
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return Answer(events=[*events, "data: [DONE]\n\n"] if done else events, pause_s=pause_s, cut=cut)


def _chat_head(kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1_790_000_000,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def message_item(text: str) -> dict[str, Any]:
    """An item of the Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def response(*items: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    """The body of an answer of the Responses API."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": "gpt-5-2026-01-01",
        "status": status,
        "output": list(items or (message_item("Hello."),)),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE if status == "completed" else None,
        "service_tier": "default",
        **more,
    }


def responses(*items: dict[str, Any], **more: Any) -> Answer:
    return Answer(response(*items, **more))


def streamed_responses(*texts: str, final: str | None = "response.completed", pause_s: float = 0.0) -> Answer:
    """An answer of the Responses API in events, its text in these pieces."""
    begun = response(status="in_progress") | {"output": []}
    item = {**message_item(""), "status": "in_progress", "content": []}
    place = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts),
    ]
    if final is not None:
        done = message_item("".join(texts))
        status = final.removeprefix("response.")
        events += [
            {"type": "response.output_item.done", "output_index": 0, "item": done},
            {"type": final, "response": response(done, status=status)},
        ]
    numbered = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered]
    return Answer(events=lines, pause_s=pause_s)


def embeddings(*vectors: Any) -> Answer:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return Answer({"object": "list", "model": "text-embedding-3-small", "data": data, "usage": usage})


def failure(status: int, message: str, code: str = "failed", **headers: str) -> Answer:
    """An error; `retry_after="0"` and the like become headers."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return Answer(body, status=status, headers={key.replace("_", "-"): value for key, value in headers.items()})
