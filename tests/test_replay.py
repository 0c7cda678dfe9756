"""The main job on real input: 200 recorded agent runs through the real client into SQLite, and back out complete."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from vestigo import SQLiteTraceStorage, Tracer
from vestigo.instrument.openai_messages import to_chat
from vestigo.query import Compare, Query, Text

_spec = importlib.util.spec_from_file_location("replay", Path(__file__).parent.parent / "bench" / "replay.py")
assert _spec
assert _spec.loader
bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bench)

pytestmark = pytest.mark.skipif(
    not bench.AIRLINE.exists(),
    reason=f"{bench.AIRLINE.name} lies beside the repository in shared/data, and is not here",
)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """(storage, runs, trace id of each run), written by a tracer with default settings."""
    runs = bench.load_runs()
    path = tmp_path_factory.mktemp("replay") / "airline.db"
    tracer = Tracer("airline", SQLiteTraceStorage(path))
    with bench.recorded_provider(runs) as base_url:
        trace_ids = bench.replay(runs, tracer, base_url)
    assert tracer.flush(120)
    stats = tracer.pipeline.stats()
    tracer.close()
    tracer.storage.close()
    assert stats["stored"] == stats["recorded"]
    assert not [name for name in stats if name.startswith("dropped")]
    storage = SQLiteTraceStorage(path)  # what counts is what another program finds in the file
    yield storage, runs, trace_ids
    storage.close()


def normalized(message):
    """A recorded message as both sides say it: no null content, arguments as their JSON value."""
    kept = {key: value for key, value in message.items() if value is not None and key != "name"}
    for call in kept.get("tool_calls", ()):
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return kept


def test_every_run_comes_back_complete(replayed):
    """Each run is one trace; parents, messages, tool calls and answers of every span equal the source."""
    storage, runs, trace_ids = replayed
    assert len(storage.find_traces(Query(project="default", limit=1_000))) == len(runs) == 200
    spans = 0
    for trace_id, messages in zip(trace_ids, runs, strict=True):
        trace = storage.get(trace_id)
        root, *children = trace.spans
        spans += len(trace.spans)
        assert root.name == "airline agent"
        assert {span.parent_id for span in children} == {root.span_id}
        turns = [turn for turn, message in enumerate(messages) if message["role"] in {"assistant", "tool"}]
        assert len(children) == len(turns)
        for span, turn in zip(children, turns, strict=True):
            check_span(span, messages, turn)
    assert spans == 3_818


def check_span(span, messages, turn):
    message = json.loads(json.dumps(messages[turn]))
    if message["role"] == "tool":
        assert span.normal.kind == "tool"
        assert span.attributes["gen_ai.tool.call.id"] == message["tool_call_id"]
        assert span.attributes["gen_ai.tool.name"] == message["name"]
        assert span.attributes["gen_ai.tool.call.result"] == message["content"]
        return
    assert span.normal.kind == "llm"
    assert span.normal.request_model == "gpt-4o"
    assert span.normal.response_model == "gpt-4o-2024-08-06"
    assert span.normal.usage.input > 0
    assert span.normal.usage.cache_read == span.normal.usage.input // 2
    assert span.normal.cost.source == "computed"
    history = [normalized(said) for said in json.loads(json.dumps(messages[:turn]))]
    assert [normalized(said) for said in to_chat(span.attributes["gen_ai.input.messages"])] == history
    assert [normalized(said) for said in to_chat(span.attributes["gen_ai.output.messages"])] == [normalized(message)]


def test_a_span_takes_less_than_a_kilobyte_with_all_its_messages(replayed):
    """The budget of the design: at most 1,000 bytes a span on disk, index and all."""
    storage = replayed[0]
    assert storage.figures()["bytes"] / storage.figures()["spans"] <= 1_000


def test_traces_are_found_by_what_was_said(replayed):
    """Words and phrases find exactly the runs whose messages have them."""
    storage, runs, trace_ids = replayed
    for words in ("certificate", "travel insurance", "basic economy", "mia_li_3668"):
        phrase = r"[\W_]+".join(re.findall(r"[a-z0-9]+", words))
        pattern = re.compile(rf"(?<![a-z0-9]){phrase}(?![a-z0-9])", re.IGNORECASE)
        wanted = {
            trace_id
            for trace_id, messages in zip(trace_ids, runs, strict=True)
            if pattern.search("\n".join(said(message) for message in messages[: last_told(messages) + 1]))
        }
        found = storage.find_traces(Query(project="default", filter=Text(words), limit=1_000))
        assert {summary.trace_id for summary in found} == wanted, words


def said(message):
    calls = message.get("tool_calls") or ()
    texts = [message["content"] or "", *(text for call in calls for text in call["function"].values())]
    return "\n".join(texts)


def last_told(messages):
    """The last message that any span has: what comes after the last turn of the model or a tool was never sent."""
    return max(turn for turn, message in enumerate(messages) if message["role"] in {"assistant", "tool"})


def test_sums_equal_the_source(replayed):
    """Tokens of all traces add up to what the provider told, each call counted once."""
    storage = replayed[0]
    spans = storage.find_spans(Query(project="default", filter=Compare("kind", "=", "llm"), limit=10_000))
    summaries = storage.find_traces(Query(project="default", limit=1_000))
    assert sum(summary.input_tokens for summary in summaries) == sum(span.normal.usage.input for span in spans)
    assert sum(summary.calls for summary in summaries) == len(spans) == 2_454
