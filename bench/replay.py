"""The main job on real input: recorded agent runs go through the real `openai` client, wrapped, into SQLite.

Each assistant turn of a run is one call with the history so far, made by a real client against a local server that
answers with the recorded turn; each tool result is a tool span. Prints spans, seconds and bytes on disk. The test of
the same name reads everything back and compares it with the source.

    python bench/replay.py [--short] [--database FILE] [path of the tau-bench file]
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai

from vestigo import LLMCallLogger, SQLiteTraceStorage, Tracer

AIRLINE = Path(__file__).resolve().parents[2] / "shared" / "data" / "tau-bench-gpt-4o-airline.json"
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("get_user_details", "get_reservation_details", "search_direct_flight", "book_reservation")
]


def load_runs(path: Path = AIRLINE) -> list[list[dict[str, Any]]]:
    """The messages of each recorded run."""
    return [run["traj"] for run in json.loads(path.read_text())]


@contextmanager
def recorded_provider(runs: list[list[dict[str, Any]]]) -> Iterator[str]:
    """A server that answers a call with the turn that followed in the recording; yields its base URL.

    The run is named in the request's `X-Run` header, the turn is the one after the history that was sent.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet: two would wait for a delayed acknowledgement

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            run, turn = int(self.headers["X-Run"]), len(request["messages"])
            body = json.dumps(_completion(run, turn, runs[run][turn], request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _completion(run: int, turn: int, message: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    asked = len(json.dumps(request["messages"])) // 4
    answered = len(json.dumps(message)) // 4
    return {
        "id": f"chatcmpl-{run:06d}{turn:06d}",
        "object": "chat.completion",
        "created": 1_715_000_000 + turn,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}
        ],
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
            "prompt_tokens_details": {"cached_tokens": asked // 2},
        },
    }


def replay(runs: list[list[dict[str, Any]]], tracer: Tracer, base_url: str) -> list[str]:
    """Do what the recorded program did; the trace id of each run."""
    client = openai.OpenAI(api_key="none", base_url=base_url, max_retries=0)
    LLMCallLogger(tracer).wrap_openai_client(client)
    trace_ids: list[str] = []
    for number, messages in enumerate(runs):
        chat = client.with_options(default_headers={"X-Run": str(number)}).chat.completions
        with tracer.trace("airline agent", {"run": number}) as trace:
            trace.attribute("session.id", f"run-{number}")
            trace_ids.append(trace.trace_id)
            _one_run(tracer, chat, messages)
    return trace_ids


def _one_run(tracer: Tracer, chat: Any, messages: list[dict[str, Any]]) -> None:
    for turn, message in enumerate(messages):
        if message["role"] == "assistant":
            answer = chat.create(model="gpt-4o", messages=messages[:turn], tools=TOOLS, temperature=0.0)
            assert answer.choices[0].message.content == message["content"]
        elif message["role"] == "tool":
            said = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": message["name"],
                "gen_ai.tool.call.id": message["tool_call_id"],
                "gen_ai.tool.call.result": message["content"],
            }
            with tracer.span(f"execute_tool {message['name']}", said):
                pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=AIRLINE)
    parser.add_argument("--short", action="store_true", help="20 runs, as CI makes them")
    parser.add_argument("--database", help="keep the records in this SQLite file")
    given = parser.parse_args()
    if not given.path.exists():
        print(f"skipped: {given.path.name} is not here; it is no part of the repository")
        return
    runs = load_runs(given.path)[: 20 if given.short else None]
    with tempfile.TemporaryDirectory() as directory, recorded_provider(runs) as base_url:
        storage = SQLiteTraceStorage(given.database or f"{directory}/replay.db")
        tracer = Tracer("airline", storage)
        began = time.perf_counter()
        replay(runs, tracer, base_url)
        replayed = time.perf_counter()
        tracer.flush(120)
        flushed = time.perf_counter()
        tracer.close()
        figures = storage.figures()
        storage.close()
        size = sum(file.stat().st_size for file in Path(storage.path).parent.glob(f"{Path(storage.path).name}*"))
    spans = figures["spans"]
    print(f"runs {len(runs)}, spans {spans}, {replayed - began:.1f} s of replay, {flushed - replayed:.1f} s to flush")
    print(f"disk {size:,} bytes, {size / spans:.0f} a span with all messages and the word index (budget 1,000)")
    print("pipeline:", tracer.pipeline.stats())


if __name__ == "__main__":
    main()
