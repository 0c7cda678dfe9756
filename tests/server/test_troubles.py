"""Counters in plain words: each one that tells of a loss has a meaning and a remedy."""

import re
from pathlib import Path

import pytest
from served import served

import vestigo
from vestigo import diagnostics
from vestigo.server import troubles

SOURCE = Path(vestigo.__file__).parent
TROUBLE = r"(?:dropped|failed|refused|rejected)"


def counted():
    """Names of counters in the source, whole ones and those that are put together."""
    names = {"dropped.closed", "dropped.queue_full", "dropped.exit", "dropped.sampled", "dropped.failed"}
    for path in SOURCE.rglob("*.py"):
        if path.name == "troubles.py":
            continue
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(rf'"({TROUBLE}\.[a-z_]+(?:\.[a-z_]+)*)"', text))
        names |= {f"failed.{what}" for what in re.findall(r'(?:\bguard|_swallow|\bfailed)\("(\w+)"', text)}
        for part in re.findall(r'f"rejected\.\{what\}\.(\w+)"', text):
            names |= {f"rejected.{what}.{part}" for what in ("spans", "logs", "points")}
    return names


TOLD_ONLY = {"failed.rpc", "rejected.failed", "failed.thread", "failed.spool", "failed.open", "failed.poison"}
"""Names of log lines in the source that count nothing under that name."""


def test_every_counter_of_the_source_has_its_words():
    """Whoever adds a counter says what it means; words of counters that are gone go too."""
    names = counted() - TOLD_ONLY
    assert len(names) > 60
    known = set(troubles.WORDS) | {f"failed.{what}" for what in troubles.GUARDED}
    assert names - known == set()
    assert known - names == {"busy", "redacted.depth", "redacted.error"}


@pytest.mark.parametrize("name", sorted(troubles.WORDS))
def test_words_are_a_sentence_and_what_to_do(name):
    """The meaning ends as a sentence does, the remedy goes on after a colon."""
    words = troubles.WORDS[name]
    assert words.meaning[0].isupper()
    assert words.meaning.endswith(".")
    assert len(words.remedy) > 8
    assert not words.remedy.endswith(".")


def test_the_page_of_the_server_has_its_counters():
    """docs/server.md has a row for each counter of the server, in the words of the table."""
    page = (SOURCE.parent.parent / "docs" / "server.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", page.partition("## What was lost")[2], re.MULTILINE))
    assert len(rows) >= 19
    assert {name: words.meaning for name, words in troubles.WORDS.items() if name in rows} == {
        name: f"{meaning}." for name, meaning in rows.items()
    }
    source = "\n".join(path.read_text(encoding="utf-8") for path in (SOURCE / "server").glob("*.py"))
    counted_here = set(re.findall(rf'counters\.add\("({TROUBLE}\.[a-z_.]+|busy)"', source))
    assert counted_here - {"dropped.failed", "dropped.disk"} <= set(rows)


def test_only_what_tells_of_trouble_is_told():
    """Zeros and good news are not; names that nobody knows are, so that no loss is kept quiet."""
    told = troubles.told(
        {"stored.spans": 9, "dropped.live": 2, "failed.write": 0, "dropped.new": 1, "redacted.key": 7,
         "forward.dropped.refused": 5, "forward.exported": 3, "failed.link": 4}
    )  # fmt: skip
    assert [(one.name, one.count) for one in told] == [
        ("forward.dropped.refused", 5), ("failed.link", 4), ("dropped.live", 2), ("dropped.new", 1),
    ]  # fmt: skip
    assert told[0].meaning.startswith("On the way to another server (forward): A server refused")
    assert "a link" in told[1].meaning


def test_status_tells_them(tmp_path, monkeypatch):
    """Of the server, of its process, and of what is sent on to others."""
    monkeypatch.setattr(diagnostics, "counters", diagnostics.Counters())
    with served("memory", tmp_path, forward=("http://127.0.0.1:9",)) as (server, client):
        assert client.get("/api/status").json()["troubles"] == []
        server.counters.add("failed.write", 3)
        diagnostics.counters.add("failed.audit", 2)
        server.forwarders._lose("dropped.disk", 7, "full")
        told = client.get("/api/status").json()["troubles"]
    assert [(one["name"], one["count"]) for one in told] == [
        ("forward.dropped.disk", 7), ("failed.write", 3), ("failed.audit", 2),
    ]  # fmt: skip
