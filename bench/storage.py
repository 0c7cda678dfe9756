"""Writing and asking: rates, bytes and query times of each storage at a given number of spans.

LLM spans in traces of ten, as an agent makes them: each call sends the history of its trace again. Times are medians of
several runs on a warm file, in milliseconds, on whatever else the machine is doing.

    python bench/storage.py [--short] [--spans 100000 1000000] [--storage sqlite file memory]
"""

import argparse
import gc
import random
import statistics
import tempfile
import time
from pathlib import Path

from vestigo.query import And, Compare, Grouping, Query, Text
from vestigo.record import Batch, Cost, Event, Resource, Scope, Span, Status
from vestigo.storage import open_storage, settle

START_NS = 1_790_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
WEEK_NS = 7 * 24 * HOUR_NS
BATCH = 1_000
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "llama-3.3-70b")
WORDS = (  # noqa: SIM905  a list would be three times as long
    "order refund policy flight seat payment invoice search answer customer delivery window update address account "
    "price model retry cancel booking member support question details confirm reason status weather ticket travel"
).split()


def said(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def spans(count, seed=1):
    """`count` spans in traces of ten: a root, tools, and calls that send their history again; spread over a week."""
    rng = random.Random(seed)
    resources = [Resource({"service.name": name, "service.version": "1.4"}) for name in ("shop", "bot", "search")]
    scope = Scope("bench")
    step = WEEK_NS // max(count // 10, 1)
    for number in range(count // 10):
        trace_id = f"{rng.getrandbits(128):032x}"
        start = START_NS + number * step
        model, user = rng.choice(MODELS), f"user-{rng.randrange(5_000)}"
        root_id = f"{rng.getrandbits(64):016x}"
        history = [said("system", "You are a helpful shop assistant. " * 20)]
        resource = resources[number % 3]
        for index in range(10):
            failed = rng.random() < 0.02
            status: Status = "ERROR" if failed else "OK"
            base = {"session.id": f"session-{number // 3}", "user.id": user}
            at = start + index * 1_000_000_000
            span = Span(
                trace_id, root_id if index == 0 else f"{rng.getrandbits(64):016x}", "", at,
                None if index == 0 else root_id, at + int(rng.lognormvariate(20, 1)), "CLIENT", status,
                "rate limited" if failed else "", base, [], [], scope, resource,
            )  # fmt: skip
            if index == 0:
                span.name, span.kind = "POST /chat", "SERVER"
                span.end_ns = at + 10_000_000_000
                base["customer.tier"] = rng.choice(("gold", "silver", "none"))
            elif index % 4 == 3:
                span.name = "execute_tool search"
                base |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
            else:
                text = " ".join(rng.choices(WORDS, k=60)) + f" number{number}"
                history = [*history, said("user", text)]
                answer = said("assistant", " ".join(rng.choices(WORDS, k=90)))
                span.name = f"chat {model}"
                base |= {
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
                    "gen_ai.response.model": model, "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(96):024x}",
                    "gen_ai.usage.input_tokens": 300 + 150 * index, "gen_ai.usage.output_tokens": 120,
                    "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": rng.random(),
                    "gen_ai.input.messages": history, "gen_ai.output.messages": [answer],
                }  # fmt: skip
                history = [*history, answer]
                span.events = [Event(at + 1_000_000, "first token")]
            yield span


def priced(batch):
    """Normal forms and a plain price, so that the storage and not the price table is measured."""
    for span in settle(batch).spans:
        if span.normal.usage is not None:
            span.normal.cost = Cost(span.normal.usage.input * 2.5e-6, None, None, "computed", "bench")
    return batch


def questions(count):
    """Each question of the design's budgets, as a function of the storage."""
    week = {"project": "default", "start_ns": START_NS, "end_ns": START_NS + WEEK_NS + HOUR_NS}
    by_model = Grouping(by=("model",), measures=("count", "errors", "tokens.in", "cost", "latency.p50", "latency.p99"))
    by_day = Grouping(by=("model",), step_ns=24 * HOUR_NS, measures=("count", "cost", "latency.p95"))
    rare = Text(f"number{count // 20}")

    def traces(filter_=None, order="newest", limit=100):
        return lambda storage: storage.find_traces(Query(**week, filter=filter_, order=order, limit=limit))

    return {
        "newest 100 traces": traces(),
        "slowest 100 traces": traces(order="slowest"),
        "traces by status": traces(Compare("status", "=", "error")),
        "traces by model": traces(Compare("model", "=", MODELS[2])),
        "traces by user (rare)": traces(Compare("user", "=", "user-77")),
        "traces by user and cost": traces(And((Compare("user", "=", "user-77"), Compare("cost", ">", 0.001)))),
        "traces by attribute": traces(Compare("attr.customer.tier", "=", "gold")),
        "spans by name": lambda s: s.find_spans(Query(**week, filter=Compare("name", "=", "execute_tool search"))),
        "one trace": lambda s: s.trace("default", s.find_traces(Query(**week, limit=1)).items[0].trace_id),
        "dashboard, 7 days by model": lambda s: s.aggregate(Query(**week), by_model),
        "dashboard, by day and model": lambda s: s.aggregate(Query(**week), by_day),
        "common words, 50 traces": traces(Text("refund policy"), limit=50),
        "rare word, 50 traces": traces(rare, limit=50),
        "values of model": lambda s: s.values("model", Query(**week, limit=20)),
    }


def measure(scheme, count, runs):
    with tempfile.TemporaryDirectory() as directory:
        place = {"memory": "", "file": f"/{directory}/traces", "sqlite": f"/{directory}/vestigo.db"}[scheme]
        options = {"max_traces": count} if scheme == "memory" else {}
        storage = open_storage(f"{scheme}:///{place}" if place else "memory://", **options)
        taken = 0.0
        written = 0
        source = spans(count)
        while batch := priced(Batch([span for _, span in zip(range(BATCH), source, strict=False)])):
            began = time.process_time()
            storage.write(batch)
            taken += time.process_time() - began
            written += len(batch)
        gc.collect()
        size = sum(file.stat().st_size for file in Path(directory).rglob("*") if file.is_file())
        rate, each = written / taken, size / written
        print(f"\n{scheme}, {written:,} spans: {rate:,.0f} spans per CPU-second, {each:,.0f} bytes a span")
        for title, ask in questions(count).items():
            times = []
            for _ in range(runs):
                began = time.perf_counter()
                answer = ask(storage)
                times.append((time.perf_counter() - began) * 1e3)
            found = len(answer) if hasattr(answer, "__len__") else len(answer.spans)
            print(f"  {title:<32}{statistics.median(times):>10.1f} ms{found:>8} found")
        storage.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="10,000 spans, as CI runs it")
    parser.add_argument("--spans", type=int, nargs="+", default=[100_000])
    parser.add_argument("--storage", nargs="+", default=["sqlite"])
    given = parser.parse_args()
    for scheme in ["memory", "file", "sqlite"] if given.short else given.storage:
        for count in [5_000] if given.short else given.spans:
            measure(scheme, count, 3 if given.short else 7)


if __name__ == "__main__":
    main()
