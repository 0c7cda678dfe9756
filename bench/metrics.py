"""What a measurement costs the caller: ns per `record` and `increment`, beside appending to a list; and the server.

Run: python bench/metrics.py
"""

import itertools
import random
import statistics
import sys
import threading
import time

import msgspec

from vestigo.metrics import MetricsCollector
from vestigo.record import Cost, NormalForm, Resource, Span, Usage
from vestigo.server.exposition import Exposition
from vestigo.server.figures import MAX_LABEL_SETS, Figures
from vestigo.sketch import Sketch

ROUNDS = 5


def measure(title, calls, run):
    """The median over some rounds of what one call costs, in CPU time of this process."""
    costs = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        run()
        costs.append((time.process_time_ns() - start) / calls)
    cost = statistics.median(costs)
    print(f"{title:<46}{cost:>9.0f} ns{1e9 / cost:>14,.0f} /s")
    return cost


def main():
    chance = random.Random(1)
    values = [chance.lognormvariate(5, 2) for _ in range(200_000)]
    calls = len(values)
    tags = [{"model": f"model-{number % 8}", "provider": "openai", "operation": "chat"} for number in range(64)]
    print(f"Python {sys.version.split()[0]}, {calls:,} calls a round, median of {ROUNDS} rounds, CPU time\n")

    def append():
        found = []
        for value in values:
            found.append(value)  # noqa: PERF402  the floor: the least that keeping a value can cost

    def record():
        collector = MetricsCollector()
        for value in values:
            collector.record("latency", value)

    def record_tagged():
        collector = MetricsCollector()
        for value, given in zip(values, itertools.cycle(tags), strict=False):
            collector.record("latency", value, given)

    def increment():
        collector = MetricsCollector()
        for _ in values:
            collector.increment("calls")

    def record_threads():
        collector = MetricsCollector()

        def work(part):
            for value in part:
                collector.record("latency", value)

        threads = [threading.Thread(target=work, args=(values[number::4],)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def sketch():
        made = Sketch()
        for value in values:
            made.add(value)

    def sketch_many():
        Sketch().add_many(values)

    floor = measure("list.append (floor)", calls, append)
    cost = measure("record(name, value)", calls, record)
    measure("record(name, value, three tags), 8 series", calls, record_tagged)
    measure("increment(name)", calls, increment)
    measure("record(name, value) from 4 threads", calls, record_threads)
    measure("Sketch.add", calls, sketch)
    measure("Sketch.add_many, per value", calls, sketch_many)

    span = Span(
        "0" * 32, "0" * 16, "chat gpt-4o", 0, end_ns=10**9, attributes={"gen_ai.operation.name": "chat"},
        resource=Resource({"service.name": "bench"}),
        normal=NormalForm(
            kind="llm", provider="openai", response_model="gpt-4o", usage=Usage(input=1000, output=100, cache_read=10),
            cost=Cost(0.01, source="computed"), ttft_s=0.3,
        ),
    )  # fmt: skip
    collector = MetricsCollector()
    measure(
        "observe_span(an LLM call): 7 figures", 20_000, lambda: [collector.observe_span(span) for _ in range(20_000)]
    )

    figures = Figures()
    spans = [msgspec.structs.replace(span, span_id=f"{number:016x}") for number in range(20_000)]
    measure("the server's Figures.observe, per LLM call", 20_000, lambda: Figures().observe(spans, "default"))
    for number in range(MAX_LABEL_SETS):
        span.normal.response_model = f"model-{number}"
        figures.observe([spans[number]], "default")
    out = Exposition()
    figures.write(out)
    lines = len(out.lines)
    measure(f"a scrape of {lines:,} lines, per line", lines, lambda: (figures.write(one := Exposition()), one.text()))

    made = Sketch()
    made.add_many(values)
    print(f"\nsketch of {calls:,} lognormal values: {made.buckets} buckets, {len(made.to_bytes()):,} bytes")
    print(f"record / list.append: {cost / floor:.1f}")


if __name__ == "__main__":
    main()
