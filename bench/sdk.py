"""What a span costs the caller: our tracer against `opentelemetry-sdk` with its batch processor, in one run.

CPU of the caller's thread (`time.thread_time_ns`) for bursts that both queues hold, with the queues drained in between,
so that neither drops a span; exporters do nothing. Best of several rounds, taken in turn.

    python bench/sdk.py [--short]
"""

import asyncio
import sys
import threading
import time

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from vestigo.sdk.tracer import Tracer

BURST = 1_000
PROMPT = "Where is my order? " * 105  # 2 kB
ANSWER = "It left on Monday. " * 53  # 1 kB


class Nothing:
    """An exporter of ours that does nothing."""

    def write(self, batch): ...
    def close(self): ...


class NothingForOTel(SpanExporter):
    def export(self, spans):  # noqa: ARG002
        return SpanExportResult.SUCCESS

    def shutdown(self): ...


class Ours:
    def __init__(self):
        self.tracer = Tracer("bench", Nothing(), redact="off")

    def bare(self):
        with self.tracer.span("work"), self.tracer.span("inner"):
            pass

    def llm(self):
        with self.tracer.span("chat gpt-4o") as span:
            span.attribute("gen_ai.request.model", "gpt-4o")
            span.attribute("gen_ai.usage.input_tokens", 512)
            span.attribute("gen_ai.usage.output_tokens", 256)
            span.attribute("gen_ai.input.messages", PROMPT)
            span.attribute("gen_ai.output.messages", ANSWER)

    def drain(self):
        self.tracer.flush(30)


class OTel:
    def __init__(self):
        self.provider = TracerProvider()
        self.provider.add_span_processor(BatchSpanProcessor(NothingForOTel()))
        self.tracer = self.provider.get_tracer("bench")

    def bare(self):
        with self.tracer.start_as_current_span("work"), self.tracer.start_as_current_span("inner"):
            pass

    def llm(self):
        with self.tracer.start_as_current_span("chat gpt-4o") as span:
            span.set_attribute("gen_ai.request.model", "gpt-4o")
            span.set_attribute("gen_ai.usage.input_tokens", 512)
            span.set_attribute("gen_ai.usage.output_tokens", 256)
            span.set_attribute("gen_ai.input.messages", PROMPT)
            span.set_attribute("gen_ai.output.messages", ANSWER)

    def drain(self):
        self.provider.force_flush()


def burst(call, spans_each, count=BURST):
    """Nanoseconds of this thread's CPU for one span."""
    times = count // spans_each
    began = time.thread_time_ns()
    for _ in range(times):
        call()
    return (time.thread_time_ns() - began) / (times * spans_each)


def threads(call, spans_each):
    """The same from four threads at once, each with its own share."""
    found = []
    workers = [threading.Thread(target=lambda: found.append(burst(call, spans_each, BURST // 4))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(found) / len(found)


def tasks(call, spans_each):
    """The same from a hundred asyncio tasks, less what the tasks cost without spans."""

    async def one(work):
        for _ in range(BURST // 100 // spans_each):
            if work:
                call()
            await asyncio.sleep(0)

    async def run(work):
        began = time.thread_time_ns()
        await asyncio.gather(*(one(work) for _ in range(100)))
        return time.thread_time_ns() - began

    return (asyncio.run(run(True)) - asyncio.run(run(False))) / BURST


CASES = {
    "bare nested spans": ("bare", 2, burst),
    "LLM span, 2 kB + 1 kB": ("llm", 1, burst),
    "4 threads, bare": ("bare", 2, threads),
    "100 asyncio tasks, bare": ("bare", 2, tasks),
}


def main():
    rounds = 8 if "--short" in sys.argv else 30
    sides = {"ours": Ours(), "otel": OTel()}
    print(f"{'caller CPU per span':<26}{'vestigo':>12}{'otel sdk':>12}{'ratio':>8}   budget 1/8")
    for title, (name, spans_each, how) in CASES.items():
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(rounds):
            for side, tracer in sides.items():
                best[side] = min(best[side], how(getattr(tracer, name), spans_each))
                tracer.drain()
        ours, otel = best["ours"], best["otel"]
        print(f"{title:<26}{ours / 1e3:>9.2f} us{otel / 1e3:>9.2f} us   1/{otel / ours:<5.1f}")
    print("dropped by vestigo:", {k: v for k, v in sides["ours"].tracer.pipeline.stats().items() if "dropped" in k})


if __name__ == "__main__":
    main()
