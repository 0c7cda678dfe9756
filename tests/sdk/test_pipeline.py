"""From the queue to the storage: nothing lost uncounted, nothing in the program's way."""

import os
import subprocess
import sys
import threading
import time

import pytest

from vestigo import InMemoryTraceStorage, Tracer
from vestigo.errors import ExportError, StorageError
from vestigo.record import Log


class Kept:
    """An exporter that keeps batches, after failing as told."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.spans, self.logs, self.batches = [], [], 0
        self.gate = threading.Event()
        self.gate.set()

    def write(self, batch):
        self.gate.wait(30)
        if self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure
        self.batches += 1
        self.spans += batch.spans
        self.logs += batch.logs

    def close(self): ...


def law(tracer):
    """The figures, after checking that nothing is missing."""
    figures = tracer.pipeline.stats()
    dropped = sum(count for name, count in figures.items() if name.startswith("dropped."))
    assert figures["recorded"] == figures["stored"] + figures["queued"] + figures["held"] + dropped, figures
    return figures


def make(tracer, count):
    for number in range(count):
        with tracer.span(f"s{number}"):
            pass


def test_everything_arrives_in_batches():
    """10,000 spans from four threads, each once, in far fewer batches."""
    kept = Kept()
    tracer = Tracer("t", kept)
    threads = [threading.Thread(target=make, args=(tracer, 2_500)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracer.flush(30)
    assert len({span.span_id for span in kept.spans if span.end_ns}) == 10_000
    assert kept.batches < 100
    assert law(tracer)["stored"] == 10_000
    tracer.close()


def test_a_full_queue_drops_and_counts():
    """Bounded in bytes while the storage hangs; what got in arrives."""
    kept = Kept()
    kept.gate.clear()
    tracer = Tracer("t", kept, queue_bytes=50_000)
    for _ in range(1_000):
        with tracer.span("big") as span:
            span.attribute("text", "x" * 1_000)
    kept.gate.set()
    assert tracer.flush(30)
    figures = law(tracer)
    assert figures["recorded"] == 1_000
    assert 0 < figures["stored"] < 200
    assert figures["dropped.queue_full"] == 1_000 - figures["stored"]
    tracer.close()


def test_a_failing_storage_is_asked_again():
    """Passing troubles cost time, not records."""
    kept = Kept(StorageError("disk full"), ExportError("busy", 0.1), None)
    tracer = Tracer("t", kept)
    make(tracer, 10)
    assert tracer.flush(30)
    assert law(tracer)["stored"] == 10
    tracer.close()


def test_a_hopeless_answer_drops_the_batch_and_counts_it():
    """ExportError without a time to come back."""
    kept = Kept(ExportError("never"))
    tracer = Tracer("t", kept)
    make(tracer, 3)
    assert tracer.flush(30)
    make(tracer, 2)
    tracer.flush(30)
    figures = law(tracer)
    assert (figures["stored"], figures["dropped.export"]) == (2, 3)
    tracer.close()


def test_one_record_that_spoils_a_batch_goes_alone():
    """The others are stored."""

    class Picky(Kept):
        def write(self, batch):
            if any(span.name == "s5" for span in batch.spans):
                raise TypeError("cannot encode this")
            super().write(batch)

    kept = Picky()
    tracer = Tracer("t", kept)
    make(tracer, 10)
    assert tracer.flush(30)
    figures = law(tracer)
    assert figures["stored"] == 9
    assert sum(count for name, count in figures.items() if name.startswith("dropped.")) == 1
    tracer.close()


def test_what_comes_after_the_end_is_counted():
    """Closing twice is harmless."""
    tracer = Tracer("t", Kept())
    make(tracer, 2)
    tracer.close()
    tracer.close()
    make(tracer, 3)
    figures = law(tracer)
    assert (figures["stored"], figures["dropped.closed"]) == (2, 3)


def test_closing_keeps_to_its_time_when_the_storage_hangs():
    """What is left is counted as dropped at the exit."""
    kept = Kept()
    kept.gate.clear()
    tracer = Tracer("t", kept)
    make(tracer, 5)
    began = time.monotonic()
    tracer.close(0.3)
    assert time.monotonic() - began < 3
    assert tracer.pipeline.stats()["dropped.exit"] == 5
    kept.gate.set()


def test_records_are_redacted_before_they_are_written():
    """Spans, events, links, resources and logs: the secret is nowhere."""
    secret = "sk-proj-" + "a1B2c3D4" * 6
    kept = Kept()
    tracer = Tracer("t", kept, resource_attributes={"api_key": secret})
    with tracer.span(f"with {secret}", {"password": "hunter2", "text": f"key {secret}"}) as span:
        span.event("e", {"token": secret, "list": [{"deep": secret}]})
        span.set_status("ERROR", f"failed with {secret}")
    tracer.pipeline.put_log(Log(1, body={"authorization": secret, "text": f"x {secret}"}), 100)
    assert tracer.flush(30)
    assert secret not in repr(kept.spans) + repr(kept.logs)
    assert "hunter2" not in repr(kept.spans)
    assert kept.spans
    assert kept.logs
    tracer.close()


def test_long_values_are_cut_with_their_size_and_hash():
    """And too many attributes are left out, counted."""
    kept = Kept()
    tracer = Tracer("t", kept, max_value_bytes=1_000, max_attributes=5)
    with tracer.span("s", {f"a{number}": number for number in range(10)}):
        pass
    with tracer.span("long", {"text": "ü" * 5_000, "in": [{"a": "y" * 5_000}]}):
        pass
    assert tracer.flush(30)
    many, long = kept.spans
    assert len(many.attributes) <= 6
    assert "10000 bytes, sha256" in long.attributes["text"]
    assert len(long.attributes["text"].encode()) < 1_200
    assert "sha256" in long.attributes["in"][0]["a"]
    tracer.close()


def test_calls_of_models_feed_the_metrics():
    """Requests, tokens and errors by model, without a line of the program's."""
    tracer = Tracer("t", InMemoryTraceStorage())
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}  # fmt: skip
    with tracer.span("chat", said):
        pass
    tracer.flush()
    summary = tracer.pipeline.metrics.get_summary()
    assert summary["llm.requests"]["value"] == 1
    assert summary["llm.tokens.input"]["value"] == 10
    assert summary["llm.cost_usd"]["value"] > 0
    tracer.close()


def test_content_sampling_keeps_numbers_and_drops_text():
    """Tokens, cost and latency of every call; messages of none."""
    tracer = Tracer("t", InMemoryTraceStorage(), content_sample_rate=0.0)
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.input.messages": [{"role": "user"}],
    }
    with tracer.span("chat", said) as span:
        pass
    (found,) = tracer.storage.get(span.trace_id).spans
    assert "gen_ai.input.messages" not in found.attributes
    assert found.normal.usage.input == 10
    tracer.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_records_its_own_and_nothing_twice(tmp_path):
    """Parent's queued spans are written by the parent, the child's by the child."""
    program = f"""
import os
from vestigo import Tracer
tracer = Tracer("t", "sqlite:////{tmp_path}/x.db")
for n in range(50):
    with tracer.span("parent"): pass
with tracer.trace("over the fork"):
    child = os.fork()
    if child == 0:
        for n in range(50):
            with tracer.span("child"): pass
if child == 0:
    tracer.close()
    os._exit(0)
os.waitpid(child, 0)
tracer.close()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    from vestigo import SQLiteTraceStorage
    from vestigo.query import Query

    storage = SQLiteTraceStorage(tmp_path / "x.db")
    names = [span.name for span in storage.find_spans(Query(project="default", limit=1_000))]
    assert {name: names.count(name) for name in set(names)} == {"parent": 50, "child": 50, "over the fork": 1}
    storage.close()


def test_the_end_of_a_program_writes_what_is_left(tmp_path):
    """Without a flush, and without a word on standard error."""
    program = f"""
from vestigo import Tracer
tracer = Tracer("t", "sqlite:////{tmp_path}/x.db")
for n in range(100):
    with tracer.span("s"): pass
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    from vestigo import SQLiteTraceStorage

    storage = SQLiteTraceStorage(tmp_path / "x.db")
    assert storage.figures()["spans"] == 100
    storage.close()


def test_figures_of_a_storage_are_not_those_of_records_on_their_way(tmp_path):
    """A storage that counts its rows and bytes changes nothing of the law."""
    from vestigo import SQLiteTraceStorage

    tracer = Tracer("t", SQLiteTraceStorage(tmp_path / "x.db"))
    with tracer.span("s"):
        pass
    assert tracer.flush()
    told = tracer.pipeline.stats()
    assert (told["recorded"], told["stored"], told["queued"]) == (1, 1, 0)
    assert "bytes" not in told
    tracer.close()
