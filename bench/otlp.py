"""OTLP JSON both ways: spans a second on one core, for LLM spans of 3 kB and for bare ones.

`python bench/otlp.py [--short]`; in batches of 512, as exporters send them. CPU time of this process, best of three.
"""

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
        "gen_ai.request.temperature": 0.2, "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 80,
        "gen_ai.response.finish_reasons": ["stop"], "user.id": f"u{number}", "session.id": f"s{number}",
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": text}]},
            {"role": "user", "parts": [{"type": "text", "content": text}]},
        ],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": text}]}],
    }  # fmt: skip
    span.events = [Event(10**18 + 1, "first token")]
    return span


def measure(make, total):
    resource, scope = Resource({"service.name": "shop", "host.name": "a"}), Scope("vestigo", "1")
    spans = [make(number) for number in range(BATCH)]
    for span in spans:
        span.resource, span.scope = resource, scope
    data = otlp.encode_traces(spans)
    assert otlp.decode_traces(data) == spans
    rounds = max(total // BATCH, 1)
    told = [len(data) / BATCH]
    for work in (lambda: otlp.encode_traces(spans), lambda: otlp.decode_traces(data)):
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            for _ in range(rounds):
                work()
            best = min(best, time.process_time() - begin)
        told.append(rounds * BATCH / best)
    return told


def main():
    total = 2_048 if "--short" in sys.argv else 20_480
    print(f"{'':<12}{'bytes/span':>12}{'encoded/s':>12}{'decoded/s':>12}")
    for name, make in (("bare", bare), ("LLM, 3 kB", llm)):
        size, encoded, decoded = measure(make, total)
        print(f"{name:<12}{size:>12,.0f}{encoded:>12,.0f}{decoded:>12,.0f}")


if __name__ == "__main__":
    main()
