"""`vestigo demo`: a sample application with a stand-in model, recorded by the real tracer into the embedded store."""

import argparse
import itertools
import random
import time
from pathlib import Path
from typing import Any

from vestigo.cli import render
from vestigo.default import score
from vestigo.sdk.tracer import Tracer
from vestigo.settings import load_settings
from vestigo.storage import open_storage

_QUESTIONS = (
    ("u7", "Where is my order 4711?", "It left on Monday and arrives tomorrow.", "gold"),
    ("u12", "Can I return opened headphones?", "Yes, within 30 days, if they are complete.", "silver"),
    ("u7", "And what does the return cost?", "Returns are free for gold customers.", "gold"),
    ("u31", "Do you ship to Iceland?", "We do; it takes 6 to 9 days.", "none"),
)
_MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5")


def demo(given: argparse.Namespace) -> int | None:
    settings = load_settings({"project": given.project, "service": "demo-shop"})
    url = given.storage or f"sqlite:///{Path(settings.data_dir).expanduser() / 'demo.db'}"
    storage = open_storage(url)
    tracer = Tracer(storage=storage, settings=settings)
    rng = random.Random()  # noqa: S311  a sample, no secret
    newest = ""
    for number in range(12):
        newest = answer(tracer, rng, number)
    tracer.flush()
    trace = storage.trace(settings.project, newest)
    if trace is not None:
        for line in render.tree_lines(trace, said=True):
            print(line)
    place = "" if not url else f" --storage {url}"
    print("\nthe sample application recorded 12 traces. Try:")
    print(f"  vestigo query{place}")
    print(f"  vestigo query{place} 'any(kind:tool status:error)'")
    print(f"  vestigo show{place} {newest}")
    print(f"  vestigo tail -f{place} 'kind:llm'")
    if not given.once:
        print("\none more trace each second; Ctrl-C ends", flush=True)
        try:
            for number in itertools.count(12):
                answer(tracer, rng, number)
                time.sleep(1)
        except KeyboardInterrupt:
            pass
    tracer.close()
    storage.close()
    return None


def answer(tracer: Tracer, rng: random.Random, number: int) -> str:
    """One request of the sample application: look it up, call a tool, ask the model; the trace id."""
    user, question, reply, tier = _QUESTIONS[number % len(_QUESTIONS)]
    with tracer.trace("POST /chat", {"customer tier": tier}, kind="SERVER") as trace:
        trace.update({"user.id": user, "session.id": f"session-{user}"})
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
        _call(tracer, rng, number, messages, None)
        _look_up(tracer, rng, number)
        sent = {"type": "tool_call_response", "id": "call_1", "response": {"order": 4711, "state": "sent"}}
        messages.append({"role": "tool", "parts": [sent]})
        _call(tracer, rng, number, messages, reply)
    score(trace, "helpful", round(rng.uniform(0.4, 1), 2), tracer=tracer)
    return trace.trace_id


def _call(tracer: Tracer, rng: random.Random, number: int, messages: list[dict[str, Any]], reply: str | None) -> None:
    """A call of the stand-in model; without a reply it asks for the tool."""
    model = _MODELS[number % len(_MODELS)]
    provider = "anthropic" if model.startswith("claude") else "openai"
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model,
        "gen_ai.response.model": model, "gen_ai.input.messages": messages,
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
