"""Counters add up from any thread; trouble is told once a minute; the guard swallows and counts."""

import logging
import threading

from vestigo import diagnostics
from vestigo.diagnostics import Counters, counters, guard, trouble


def test_counters_add_up_over_threads_and_names():
    """Exact totals, and sums of all below a name."""
    counted = Counters()
    threads = [threading.Thread(target=lambda: [counted.add("dropped.full") for _ in range(1_000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted.add("dropped.exit", 2)
    counted.add("droppedness")
    assert counted.get("dropped") == 8_002
    assert counted.snapshot()["dropped.full"] == 8_000
    counted.reset()
    assert counted.snapshot() == {}


def test_trouble_of_one_kind_is_told_once_a_minute(caplog, monkeypatch):
    """The next line says how many were kept quiet."""
    now = [1_000.0]
    monkeypatch.setattr(diagnostics.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.WARNING, "vestigo"):
        for _ in range(5):
            trouble("test.kind", "it broke")
        now[0] += 61
        trouble("test.kind", "it broke")
    assert [record.getMessage() for record in caplog.records] == ["it broke", "it broke (4 more since)"]


def test_a_logging_handler_that_raises_harms_nobody(monkeypatch):
    """Telling of trouble makes no more of it."""
    monkeypatch.setattr(diagnostics.logger, "log", lambda *_, **__: 1 / 0)
    before = counters.get("failed.diagnostics")
    trouble("test.raising", "x")
    assert counters.get("failed.diagnostics") == before + 1


def test_the_guard_swallows_and_counts():
    """An exception of ours never reaches the program."""
    before = counters.get("failed.testing")
    with guard("testing"):
        raise ValueError("x")
    assert counters.get("failed.testing") == before + 1
