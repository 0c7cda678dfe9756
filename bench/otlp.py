"""OTLP in both forms: microseconds of CPU a span on one core, for LLM spans of 3 kB and for bare ones.

`python bench/otlp.py [--short]`; in batches of 512, as exporters send them, with messages as JSON text in attributes.
CPU time of this process, best of several. "counted" is the guard before anything is built; "decoded" includes it.
"""

import json
import sys
import time

from vestigo import otlp
from vestigo.record import Event, Resource, Scope, Span

BATCH = 512


def bare(number):
    return Span(f"{number + 1:032x}", f"{number + 1:016x}", "work", 10**18, end_ns=10**18 + 5, attributes={"n": number})


def llm(number):
    span = bare(number)
    text = "Where is my order? It left on Monday and arrives tomorrow. " * 17
    span.attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-11-20", "gen_ai.response.id": f"chatcmpl-{number}",
        "gen_ai.request.temperature": 0.2, "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 80,
        "gen_ai.response.finish_reasons": ["stop"], "server.address": "api.openai.com", "server.port": 443,
        "user.id": f"u{number}", "session.id": f"s{number}",
        "gen_ai.input.messages": json.dumps([
            {"role": "system", "parts": [{"type": "text", "content": text}]},
            {"role": "user", "parts": [{"type": "text", "content": text}]},
        ]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]),
    }  # fmt: skip
    span.events = [Event(10**18 + 1, "first token")]
    return span


def measure(make, form, rounds):
    """Bytes a span, and microseconds a span to encode, count and decode."""
    resource, scope = Resource({"service.name": "shop", "host.name": "a"}), Scope("vestigo", "1")
    spans = [make(number) for number in range(BATCH)]
    for span in spans:
        span.resource, span.scope = resource, scope
    data = otlp.encode("traces", form, spans)
    assert otlp.decode("traces", form, data).spans == spans
    told = [len(data) / BATCH]
    for work in (
        lambda: otlp.encode("traces", form, spans),
        lambda: otlp.count("traces", form, data),
        lambda: otlp.decode("traces", form, data),
    ):
        best = float("inf")
        for _ in range(rounds):
            begin = time.process_time()
            work()
            best = min(best, time.process_time() - begin)
        told.append(best / BATCH * 1e6)
    return told


def main():
    rounds = 5 if "--short" in sys.argv else 40
    print(f"{'':<22}{'bytes/span':>12}{'encoded, us':>13}{'counted, us':>13}{'decoded, us':>13}{'decoded/s':>12}")
    for name, make in (("bare", bare), ("LLM, 3 kB", llm)):
        for form in ("json", "protobuf"):
            size, encoded, counted, decoded = measure(make, form, rounds)
            print(
                f"{f'{name}, {form}':<22}{size:>12,.0f}{encoded:>13.1f}{counted:>13.1f}{decoded:>13.1f}"
                f"{1e6 / decoded:>12,.0f}"
            )


if __name__ == "__main__":
    main()
