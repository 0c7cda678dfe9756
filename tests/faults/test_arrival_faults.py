"""Whatever order the spans of a trace arrive in, and however often, the stored trace is the same."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vestigo.normalize.events import spans_of
from vestigo.query import Grouping, Query
from vestigo.record import Batch, Log, Scope, Span
from vestigo.storage import Storage, open_storage

pytestmark = pytest.mark.faults

TRACE = "5" * 32
SHUFFLES = 20
SECOND = 10**9
START = 1_790_000_000 * SECOND

URLS: dict[str, Callable[[Path], str]] = {
    "memory": lambda _: "memory://",
    "file": lambda path: f"file:///{path / 'traces'}",
    "sqlite": lambda path: f"sqlite:///{path / 'traces.db'}",
}


def versions() -> list[Span]:
    """A trace of 200 spans in all their versions: two reports of a call, orphans, never-ended ones, open and ended."""
    rng = random.Random(11)
    spans: list[Span] = []
    for number in range(200):
        parent = None if number == 0 else f"{rng.randrange(number) + 1:016x}"
        if number % 23 == 5:
            parent = f"{10_000 + number:016x}"  # an orphan, whose parent never comes
        start_ns = START + number * SECOND // 10
        span = Span(TRACE, f"{number + 1:016x}", f"span {number}", start_ns, parent_id=parent)
        span.end_ns = None if number % 19 == 7 else start_ns + rng.randrange(1, 5) * SECOND
        span.status = "ERROR" if number % 31 == 3 and span.end_ns else "UNSET"
        if number % 3 == 0:
            span.attributes = call(number // 6, number)  # two spans tell of each call
        elif number % 20 == 1:
            span.attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 10_000,
                               "session.id": f"s{number % 2}"}  # fmt: skip
        spans.append(span)
    shown = [
        msgspec.structs.replace(span, end_ns=None, status="UNSET", attributes={})
        for span in spans
        if span.end_ns is not None and rng.random() < 0.3
    ]
    return [*spans, *shown, *rng.sample(spans, 40)]


def call(number: int, span: int) -> dict[str, Any]:
    """What one of the two reports of a call says; the second has the text."""
    told: dict[str, Any] = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": f"model-{number % 3}",
        "gen_ai.response.id": f"resp_{number}", "gen_ai.usage.input_tokens": 100 + number,
        "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cost": 0.25, "user.id": "u1",
    }  # fmt: skip
    if span % 2:
        told["gen_ai.output.messages"] = [{"role": "assistant", "parts": [{"type": "text", "content": f"{number}"}]}]
    return told


def arrivals(rng: random.Random) -> list[Batch]:
    """All versions in one order, in batches of any size."""
    records = [msgspec.convert(msgspec.to_builtins(span), Span) for span in versions()]
    rng.shuffle(records)
    batches: list[Batch] = []
    while records:
        size = rng.choice((1, 3, 20, 100))
        batches.append(Batch(records[:size]))
        records = records[size:]
    return batches


def digest(storage: Storage) -> str:
    """All that a storage answers about what it holds."""
    everything = Query(project="default", limit=1000)
    trace = storage.trace("default", TRACE)
    assert trace is not None
    assert len(trace.spans) == 200
    rows = storage.aggregate(everything, Grouping(by=("model",), measures=("count", "tokens.in", "tokens.out", "cost")))
    told = [trace, storage.find_traces(everything).items, storage.find_spans(everything).items, rows]
    return hashlib.sha256(repr(told).encode()).hexdigest()


@pytest.mark.parametrize("scheme", URLS)
def test_any_order_of_arrival_settles_to_the_same_trace(scheme: str, tmp_path: Path) -> None:
    """20 shuffles of 200 late, duplicate, orphan and never-ended spans: one digest, each call once."""
    digests: set[str] = set()
    for number in range(SHUFFLES):
        path = tmp_path / str(number)
        path.mkdir()
        storage = open_storage(URLS[scheme](path))
        for batch in arrivals(random.Random(number)):
            storage.write(batch)
        digests.add(digest(storage))
        (summary,) = storage.find_traces(Query(project="default"))
        assert (summary.calls, summary.input_tokens) == totals()
        storage.close()
    assert len(digests) == 1


def totals() -> tuple[int, int]:
    """Calls and input tokens when each response counts once."""
    tokens = {
        span.attributes["gen_ai.response.id"]: span.attributes["gen_ai.usage.input_tokens"]
        for span in versions()
        if "gen_ai.response.id" in span.attributes
    }
    return len(tokens), sum(tokens.values())


def test_all_storages_settle_to_the_same_trace(tmp_path: Path) -> None:
    """The digest does not depend on the storage either."""
    digests: set[str] = set()
    for scheme, url in URLS.items():
        storage = open_storage(url(tmp_path))
        for batch in arrivals(random.Random(scheme)):
            storage.write(batch)
        digests.add(digest(storage))
        storage.close()
    assert len(digests) == 1


def test_log_events_make_one_trace_in_any_order(tmp_path: Path) -> None:
    """A prompt of Claude Code, known from logs only, sent twice and shuffled: each call once, the prompt as root."""
    digests: set[str] = set()
    for number in range(SHUFFLES):
        rng = random.Random(number)
        logs = [event(place) for place in range(40)] * 2
        rng.shuffle(logs)
        storage = open_storage(f"sqlite:///{tmp_path / str(number)}.db")
        while logs:
            batch = Batch(logs=[msgspec.convert(msgspec.to_builtins(log), Log) for log in logs[:9]])
            logs = logs[9:]
            batch.spans = [span for log in batch.logs for span in spans_of(log)]
            storage.write(batch)
        (summary,) = storage.find_traces(Query(project="default"))
        assert (summary.name, summary.spans, summary.calls) == ("claude_code.user_prompt", 40, 39)
        assert summary.cost_usd == pytest.approx(39 * 0.25)
        trace = storage.trace("default", summary.trace_id)
        digests.add(hashlib.sha256(repr(trace).encode()).hexdigest())
        storage.close()
    assert len(digests) == 1


def event(number: int) -> Log:
    told = {"session.id": "s", "prompt.id": "p", "event.sequence": number,
            "event.name": "api_request" if number else "user_prompt"}  # fmt: skip
    if number:
        told |= {"request_id": f"r{number}", "model": "claude-sonnet-5", "input_tokens": 5, "output_tokens": 2,
                 "cost_usd": 0.25, "duration_ms": 700}  # fmt: skip
    scope = Scope("com.anthropic.claude_code.events")
    return Log(START + number * SECOND, attributes=told, scope=scope, log_id=f"{number:032x}")
