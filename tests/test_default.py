"""The default tracer: configured once, used by everything, replaced and closed cleanly; scores."""

import pytest

import vestigo
from vestigo import InMemoryTraceStorage, SettingsError, configure, default_tracer, score, shutdown


@pytest.fixture(autouse=True)
def _fresh():
    shutdown()
    yield
    shutdown()


def test_configure_sets_the_tracer_that_everything_uses():
    """`traced`, `default_tracer` and a second `configure`, which closes the first."""
    storage = InMemoryTraceStorage()
    tracer = configure(service="one", storage=storage)
    assert default_tracer() is tracer

    @vestigo.traced
    def work():
        return 5

    assert work() == 5
    assert [trace.root.name.rpartition(".")[2] for trace in storage.query()] == ["work"]
    second = configure(service="two", storage="memory://")
    assert default_tracer() is second
    with tracer.span("after the end"):
        pass
    assert tracer.pipeline.stats()["dropped.closed"] == 1


def test_the_environment_configures_a_program_that_does_not(monkeypatch, tmp_path):
    """The first use reads VESTIGO_*."""
    monkeypatch.setenv("VESTIGO_STORAGE", f"sqlite:////{tmp_path}/x.db")
    monkeypatch.setenv("VESTIGO_SERVICE", "by environment")
    with default_tracer().span("work"):
        pass
    shutdown()
    storage = vestigo.open_storage(f"sqlite:////{tmp_path}/x.db")
    assert storage.query()[0].root.service == "by environment"
    storage.close()


@pytest.mark.parametrize("value", [0.5, True, "good"])
def test_a_score_is_found_on_its_trace(value):
    """Numbers, yes and no, and labels, with a comment, on spans and traces."""
    storage = InMemoryTraceStorage()
    tracer = configure(storage=storage)
    with tracer.trace("answer") as trace:
        pass
    score(trace, "helpful", value, "because")
    score(storage.get(trace.trace_id), "of trace", value)
    score(trace.trace_id, "of id", value)
    names = {log.attributes["gen_ai.evaluation.name"] for log in storage.get(trace.trace_id).logs}
    assert names == {"helpful", "of trace", "of id"}


def test_a_score_that_makes_no_sense_is_counted():
    """Never raises."""
    tracer = configure(storage="memory://")
    before = vestigo.diagnostics.counters.get("dropped.score")
    score("no id", "x", 1)
    score(None, "x", 1)
    score("a" * 32, "", 1)
    assert vestigo.diagnostics.counters.get("dropped.score") == before + 3
    assert tracer.storage.query() == []


def test_bad_arguments_are_told_at_once():
    """A wrong setting leaves the former tracer in place."""
    tracer = configure(storage="memory://")
    with pytest.raises(SettingsError, match="sample_rate"):
        configure(sample_rate=9)
    with pytest.raises(SettingsError, match="unknown storage"):
        configure(storage="redis://x")
    assert default_tracer() is tracer
