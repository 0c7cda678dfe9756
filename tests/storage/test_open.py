"""From a URL to a storage, and the plain questions that programs ask."""

import stat
import sys
from pathlib import Path

import pytest

from vestigo import QueryError, SettingsError, Tracer, open_storage


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://x", "memory://"),
        ("sqlite:", "unknown storage"),
        ("sqlite://", "names no file"),
        ("file://", "names no directory"),
        ("memory://x", "takes no path"),
        ("sqlite:///x.db?project=a", "leave it out"),
    ],
)
def test_a_url_that_cannot_be_opened_is_told_with_the_remedy(url, told):
    """SettingsError names the URL and what to give instead."""
    with pytest.raises(SettingsError, match=told):
        open_storage(url)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"status": "BAD"}, "UNSET, OK, ERROR"),
        ({"min_duration_ms": "x"}, "no number"),
        ({"limit": "x"}, "no number"),
        ({"attributes": "x"}, "no dict"),
        ({"start_time": "yesterday"}, "seconds since 1970"),
        ({"bananas": 1}, "it has start_time"),
    ],
)
def test_an_argument_that_makes_no_sense_is_told(arguments, told):
    """SettingsError with the value, never an empty answer."""
    with pytest.raises(SettingsError, match=told):
        open_storage("memory://").query(**arguments)


def test_a_filter_may_be_text():
    """The filter language, as on the command line; mistakes are QueryErrors."""
    tracer = Tracer("t")
    for name in ("one", "two"):
        with tracer.trace(name):
            pass
    assert [trace.root.name for trace in tracer.storage.query(filter="name:one")] == ["one"]
    with pytest.raises(QueryError, match="did you mean 'model'"):
        tracer.storage.query(filter="modle:x")
    tracer.close()


def test_a_tracer_finds_its_own_records_under_its_project(tmp_path):
    """A storage opened by URL belongs to the tracer's project."""
    tracer = Tracer("t", f"sqlite:////{tmp_path}/x.db", project="mine")
    with tracer.trace("x") as trace:
        pass
    assert tracer.storage.get(trace.trace_id) is not None
    assert len(tracer.storage.query()) == 1
    tracer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs file modes")
def test_prompts_are_nobody_elses_to_read(tmp_path):
    """A new directory is 0700, a new database and its log 0600."""
    tracer = Tracer("t", f"sqlite:////{tmp_path}/new/x.db")
    with tracer.trace("x"):
        pass
    tracer.flush()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(tmp_path, "new").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(Path(tmp_path, "new").stat().st_mode) == 0o700
    tracer.close()
