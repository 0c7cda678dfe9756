"""`vestigo demo`: a server on the embedded store, and a sample application with a stand-in model that sends to it."""

import argparse
import itertools
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vestigo.cli import render
from vestigo.default import score
from vestigo.errors import SettingsError
from vestigo.sdk.exporters import open_exporter
from vestigo.sdk.tracer import Tracer
from vestigo.settings import Settings, load_settings
from vestigo.storage import open_storage

_TRACES: Final = 12
_START_S: Final = 60.0
_QUESTIONS = (
    ("u7", "Where is my order 4711?", "It left on Monday and arrives tomorrow.", "gold"),
    ("u12", "Can I return opened headphones?", "Yes, within 30 days, if they are complete.", "silver"),
    ("u7", "And what does the return cost?", "Returns are free for gold customers.", "gold"),
    ("u31", "Do you ship to Iceland?", "We do; it takes 6 to 9 days.", "none"),
)
_MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5")


def demo(given: argparse.Namespace) -> int | None:
    settings = load_settings({"project": given.project, "service": "demo-shop"})
    place = Path(settings.data_dir).expanduser().absolute() / "demo"
    url = given.storage or f"sqlite:////{str(place / 'demo.db').lstrip('/')}"
    with served(place, url, settings, port=given.port) as (address, told):
        print(told, flush=True)
        exporter = open_exporter(address, settings)
        tracer = Tracer(storage=exporter, settings=settings)
        rng = random.Random()  # noqa: S311  a sample, no secret
        newest = [answer(tracer, rng, number) for number in range(_TRACES)][-1]
        tracer.flush(_START_S)
        show(url, settings, newest)
        if not given.once:
            print("\none more trace each second; Ctrl-C ends", flush=True)
            try:
                for number in itertools.count(_TRACES):
                    answer(tracer, rng, number)
                    time.sleep(1)
            except KeyboardInterrupt:
                pass
        tracer.close()
        exporter.close()
    return None


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # by way of what ends the server


@contextmanager
def served(place: Path, url: str, settings: Settings, *, port: int) -> Generator[tuple[str, str]]:
    """A server in a process of its own: its address, and what it says of itself. Raises SettingsError if it ends."""
    options = ["--data-dir", str(place), "--storage", url, "--port", str(port), "--grpc-port", "-2"]
    command = [sys.executable, "-m", "vestigo", "serve", *options, "--set", f"project={settings.project}"]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603  this very program
    # a pipe that nobody reads would stop the server once it is full
    rest = threading.Thread(target=lambda: [sys.stderr.write(line) for line in server.stderr or ()], daemon=True)
    try:
        told = ""
        for line in server.stderr or ():
            told += line
            if "  open  " in line:
                break
        address = re.search(r"listens on (\S+)", told)
        if address is None:
            raise SettingsError(told.strip().removeprefix("vestigo: ") or "the server did not start")
        rest.start()
        yield address[1], told.rstrip()
    finally:
        server.terminate()
        server.wait(_START_S)
        if rest.ident is not None:
            rest.join(_START_S)
        if server.stderr is not None:
            server.stderr.close()


def show(url: str, settings: Settings, trace_id: str) -> None:
    """Print one trace, and how to see more."""
    storage = open_storage(url)
    trace = storage.trace(settings.project, trace_id)
    storage.close()
    if trace is not None:
        print()
        for line in render.tree_lines(trace, said=True):
            print(line)
    place = f" --storage {url}"
    print(f"\nthe sample application sent {_TRACES} traces. Open the link above, or try:")
    print(f"  vestigo query{place}")
    print(f"  vestigo query{place} 'any(kind:tool status:error)'")
    print(f"  vestigo show{place} {trace_id}")
    print(f"  vestigo tail -f{place} 'kind:llm'")


def answer(tracer: Tracer, rng: random.Random, number: int) -> str:
    """One request of the sample application: look it up, call a tool, ask the model; the trace id."""
    user, question, reply, tier = _QUESTIONS[number % len(_QUESTIONS)]
    with tracer.trace("POST /chat", {"customer tier": tier}, kind="SERVER") as trace:
        who = {"user.id": user, "session.id": f"session-{user}"}
        trace.update({
            **who, "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop assistant",
            "gen_ai.input.messages": [_message("user", question)],
        })  # fmt: skip
        with tracer.span(
            "retrieve policies", {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": question}
        ) as span:
            _work(rng, 0.002)
            span.attribute(
                "gen_ai.retrieval.documents", [{"id": "policy-3", "score": 0.91}, {"id": "policy-8", "score": 0.74}]
            )
        messages = [
            _message("system", "You answer customers of a shop, shortly and kindly."),
            _message("user", question),
        ]
        _call(tracer, rng, number, messages, None, who)
        _look_up(tracer, rng, number)
        sent = {"type": "tool_call_response", "id": "call_1", "response": {"order": 4711, "state": "sent"}}
        messages.append({"role": "tool", "parts": [sent]})
        _call(tracer, rng, number, messages, reply, who)
        trace.attribute("gen_ai.output.messages", [_message("assistant", reply)])
    score(trace, "helpful", round(rng.uniform(0.4, 1), 2), tracer=tracer)
    return trace.trace_id


def _call(
    tracer: Tracer,
    rng: random.Random,
    number: int,
    messages: list[dict[str, Any]],
    reply: str | None,
    who: dict[str, str],
) -> None:
    """A call of the stand-in model; without a reply it asks for the tool."""
    model = _MODELS[number % len(_MODELS)]
    provider = "anthropic" if model.startswith("claude") else "openai"
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model,
        "gen_ai.response.model": model, "gen_ai.input.messages": messages, **who,
    }  # fmt: skip
    with tracer.span(f"chat {model}", said, kind="CLIENT") as span:
        _work(rng, 0.02)
        part = (
            {"type": "text", "content": reply}
            if reply
            else {"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": "{}"}
        )
        answer = {"role": "assistant", "parts": [part]}
        span.update({
            "gen_ai.output.messages": [answer], "gen_ai.usage.input_tokens": 400 + rng.randrange(900),
            "gen_ai.usage.output_tokens": 20 + rng.randrange(200), "gen_ai.usage.cache_read.input_tokens": 256,
            "gen_ai.response.finish_reasons": ["stop" if reply else "tool_calls"],
            "gen_ai.response.time_to_first_chunk": rng.uniform(0.002, 0.01),
        })  # fmt: skip
    messages.append(answer)


def _look_up(tracer: Tracer, rng: random.Random, number: int) -> None:
    """A tool that fails now and then, and is tried again."""
    for attempt in (1, 2):
        said = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find_order",
            "gen_ai.tool.call.id": "call_1",
            "attempt": attempt,
        }
        try:
            with tracer.span("execute_tool find_order", said) as span:
                _work(rng, 0.004)
                if attempt == 1 and number % 4 == 3:
                    raise TimeoutError("the order system did not answer within 4 ms")
                span.attribute("gen_ai.tool.call.result", {"order": 4711, "state": "sent"})
            return
        except TimeoutError:
            tracer.event("retry", {"attempt": attempt})


def _work(rng: random.Random, seconds: float) -> None:
    time.sleep(rng.uniform(0.5, 1.5) * seconds)


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}
