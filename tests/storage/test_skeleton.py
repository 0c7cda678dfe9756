"""Skeletons of traces: the same from columns as from records, for any trace."""

from random import Random

import pytest

from vestigo import InMemoryTraceStorage, SQLiteTraceStorage
from vestigo.query import Compare, Not, Or, Text, Within
from vestigo.record import Batch, Log, Span
from vestigo.specimens import Specimens, copy_batch
from vestigo.storage.skeleton import Columnar, matching_places, read_skeleton, read_telling_spans


@pytest.fixture
def pair(tmp_path):
    """SQLite, which has columns, and memory, which has not."""
    sqlite, memory = SQLiteTraceStorage(tmp_path / "x.db"), InMemoryTraceStorage()
    yield sqlite, memory
    sqlite.close()


@pytest.mark.parametrize("seed", range(6))
def test_columns_say_what_records_say(pair, seed):
    """Skeleton, matching spans and telling spans of random traces, written in several batches."""
    sqlite, memory = pair
    made = Specimens(Random(seed), f"k{seed}")
    for batch in made.batches():
        sqlite.write(copy_batch(batch))
        memory.write(copy_batch(batch))
    assert isinstance(sqlite, Columnar)
    assert not isinstance(memory, Columnar)
    project = made.projects[0]
    traces = [memory.trace(project, trace_id) for trace_id in made.trace_ids]
    filters = [made.span_filter([trace for trace in traces if trace is not None]) for _ in range(8)]
    filters += [
        None,
        Within("root", Compare("status", "!=", "ok")),
        Not(Or((Text("order"), Compare("has", "=", "score")))),
    ]
    for trace_id in (*made.trace_ids, "f" * 32):
        assert read_skeleton(sqlite, project, trace_id) == read_skeleton(memory, project, trace_id)
        for filter_ in filters:
            places = matching_places(memory, project, trace_id, filter_)
            assert matching_places(sqlite, project, trace_id, filter_) == places
    told = read_telling_spans(sqlite, project, made.trace_ids), read_telling_spans(memory, project, made.trace_ids)
    assert {key: span.span_id for key, span in told[0].items()} == {key: span.span_id for key, span in told[1].items()}


def test_a_trace_that_has_logs_only_is_empty_but_known(pair):
    """None is for what nothing is known of."""
    for storage in pair:
        storage.write(Batch([], [Log(1, trace_id="a" * 32)]))
        skeleton = read_skeleton(storage, "default", "a" * 32)
        assert skeleton is not None
        assert skeleton.span_id == []
        assert matching_places(storage, "default", "a" * 32, None) == []
        assert matching_places(storage, "default", "b" * 32, None) is None


def test_the_root_tells_of_a_trace_of_very_many_spans(tmp_path):
    """A list does not read 100,000 spans for one of its rows."""
    storage = SQLiteTraceStorage(tmp_path / "x.db")
    said = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": [{"role": "user", "content": "hi"}]}
    spans = [Span("a" * 32, f"{n:016x}", "x", n, None if n == 1 else f"{1:016x}", n + 1) for n in range(1, 2_002)]
    spans[5].attributes = said
    storage.write(Batch(spans[:2_000]))
    assert storage.telling_spans("default", ["a" * 32])["a" * 32].span_id == spans[5].span_id
    storage.write(Batch(spans[2_000:]))
    assert storage.telling_spans("default", ["a" * 32]) == {}
    storage.close()
