"""The audit log: what was told of is on the disk, in one chain, and reads wait rather than vanish."""

import subprocess
import sys
import threading
import time

import apsw
import pytest

from vestigo import diagnostics
from vestigo.diagnostics import counters
from vestigo.errors import SchemaError, StorageError
from vestigo.server import audit as module
from vestigo.server.accounts import Accounts
from vestigo.server.audit import Audit, AuditQuery, Entry


@pytest.fixture
def log(tmp_path):
    log = Audit(tmp_path / "audit.db")
    yield log
    log.close()


def stored(path):
    """(action, object) of the entries in the file, read by somebody else."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return db.execute("SELECT action, object FROM entry ORDER BY sequence").fetchall()
    finally:
        db.close()


def fill(log, count=10):
    for number in range(count):
        log.append(Entry(principal="key:7f", action="trace.read", project="shop", object=f"trace {number}"))


def test_an_entry_is_on_the_disk_when_append_returns(log):
    """Another connection finds it at once, and `audit.head` has its hash."""
    log.append(Entry(principal="user:ann", action="key.create", object="7f"))
    assert stored(log.path) == [("key.create", "7f")]
    sequence, digest = log.head()
    assert sequence == 1
    assert log.head_path.read_text() == f"{1:020d} {digest}\n"
    assert log.verify() == []


def test_reads_are_noted_and_flushed_by_themselves(log):
    """A noted entry is in the file within a moment, without anybody asking for it."""
    log.note(Entry(principal="key:7f", action="trace.read", object="t1"))
    deadline = time.monotonic() + 10
    while not stored(log.path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stored(log.path) == [("trace.read", "t1")]


def test_what_was_noted_before_a_change_stands_before_it(log):
    """append takes what waits with it, in order; close does too."""
    log.note(Entry(principal="a", action="read", object="1"))
    log.append(Entry(principal="a", action="change", object="2"))
    log.note(Entry(principal="a", action="read", object="3"))
    log.close()
    log.close()
    assert stored(log.path) == [("read", "1"), ("change", "2"), ("read", "3")]


def test_a_full_queue_waits_and_then_refuses(log, monkeypatch):
    """Nothing is dropped: while the file cannot be written, readers wait, then fail; later all is there."""
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    blocker = apsw.Connection(log.path)
    blocker.execute("BEGIN IMMEDIATE")
    for number in range(3):
        log.note(Entry(principal="a", action="read", object=str(number)))
    noted, refused = 3, 0
    for number in range(3, 9):  # the flusher has taken the first three, and waits for the file
        try:
            log.note(Entry(principal="a", action="read", object=str(number)))
            noted += 1
        except StorageError:
            refused += 1
    assert refused >= 3
    blocker.execute("ROLLBACK")
    blocker.close()
    log.flush()
    assert [name for _, name in stored(log.path)] == [str(number) for number in range(noted)]


def test_a_failed_write_loses_nothing_that_was_noted(log):
    """append tells its caller, and what was noted before it waits on."""
    log._thread = threading.current_thread()  # no flusher in this test
    log.note(Entry(principal="a", action="read", object="1"))
    blocker = apsw.Connection(log.path)
    blocker.execute("BEGIN IMMEDIATE")
    log._connections.writer().set_busy_timeout(0)
    with pytest.raises(StorageError, match="locked"):
        log.append(Entry(principal="a", action="change", object="2"))
    blocker.execute("ROLLBACK")
    blocker.close()
    log.flush()
    log._thread = None
    assert stored(log.path) == [("read", "1")]


def fill_the_disk(log):
    """Let the file not grow any more, and fill what it has; what lets it grow again."""
    db = log._connections.writer()
    db.pragma("max_page_count", db.pragma("page_count"))
    with pytest.raises(StorageError, match="the disk is full"):
        fill(log, 1_000)
    return lambda: db.pragma("max_page_count", 1_000_000)


def test_a_full_disk_refuses_changes_and_keeps_reads_waiting(log):
    """append fails, what is noted waits and is told of; with room again everything is written, in one chain."""
    with_room = fill_the_disk(log)
    before = log.head_path.read_bytes()
    failed = counters.get("failed.audit")
    for number in range(200):
        log.note(Entry(principal="a", action="noted", object=str(number)))
    deadline = time.monotonic() + 10
    while counters.get("failed.audit") == failed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert counters.get("failed.audit") > failed
    with pytest.raises(StorageError, match="the disk is full"):
        log.erase(["trace 1"], by="a")
    assert log.head_path.read_bytes() == before
    with_room()
    log.flush()
    noted = [name for action, name in stored(log.path) if action == "noted"]
    assert noted == [str(number) for number in range(200)]
    assert log.verify() == []


def test_a_head_that_cannot_be_kept_is_told_of_and_no_more(log, caplog):
    """The entry is on the disk; the older head is right too."""
    fill(log, 1)
    folder = log.head_path.with_suffix(".folder")
    log.head_path.rename(folder)
    log.head_path.mkdir()
    diagnostics._last_told.clear()
    fill(log, 1)
    assert "head of the audit log cannot be kept" in caplog.text
    log.head_path.rmdir()
    folder.rename(log.head_path)
    assert log.verify() == []
    assert log.head()[0] == 2


WRITER = """
import sys
from pathlib import Path
from vestigo.server.audit import Audit, Entry
log = Audit(Path(sys.argv[1]))
for number in range(50):
    entry = Entry(principal=sys.argv[2], action="read", object=str(number))
    log.note(entry) if number % 3 else log.append(entry)
log.close()
"""


def test_several_processes_make_one_chain(log):
    """Four writers at once; every entry is there, in each writer's order, and the chain holds."""
    children = [subprocess.Popen([sys.executable, "-c", WRITER, log.path, f"key:{name}"]) for name in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    found = log.entries(AuditQuery(limit=1_000))
    assert len(found) == 200
    for name in range(4):
        mine = [int(entry.object) for entry in reversed(found) if entry.principal == f"key:{name}"]
        assert mine == list(range(50))
    assert log.verify() == []


def test_threads_share_it(log):
    """Eight threads append and note; nothing is lost, and the chain holds."""
    threads = [threading.Thread(target=fill, args=(log, 20)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.head()[0] == 160
    assert log.verify() == []


def test_entries_are_asked_for(log):
    """By principal, action, project, object and time; the newest first, page by page."""
    log.append(Entry(principal="user:ann", action="key.create", object="7f", detail={"scopes": ["read"]}, time_ns=10))
    log.append(Entry(principal="user:bob", action="trace.read", project="shop", object="t1", time_ns=20))
    log.append(Entry(principal="user:ann", action="trace.read", project="shop", object="t2", time_ns=30))

    def ask(**query):
        return [entry.sequence for entry in log.entries(AuditQuery(**query))]

    assert ask() == [3, 2, 1]
    assert ask(principal="user:ann") == [3, 1]
    assert ask(action="trace.read", project="shop") == [3, 2]
    assert ask(object="t2") == [3]
    assert ask(start_ns=20, end_ns=30) == [2]
    assert ask(limit=2) == [3, 2]
    assert ask(before=2) == [1]
    (first,) = log.entries(AuditQuery(object="7f"))
    assert (first.detail, first.outcome, first.address) == ({"scopes": ["read"]}, "ok", "")


def test_strange_values_are_entries_too(log):
    """Lone surrogates, what is no JSON and what is too large are told of, and do not break the log."""
    log.append(Entry(principal="\ud800", action="a", object="x" * 10_000, detail={"what": object()}))
    log.append(Entry(principal="b", action="a", detail={"what": "x" * 10_000}))
    log.append(Entry(principal="c", action="a", detail={"what": "\ud800"}))
    newest, middle, oldest = log.entries(AuditQuery())
    assert (oldest.principal, len(oldest.object), oldest.detail) == ("?", 500, {"left_out": "no JSON"})
    assert middle.detail == {"left_out": "too large"}
    assert newest.detail == {"left_out": "no JSON"}
    assert log.verify() == []


def test_an_erased_person_is_in_no_file_and_the_chain_holds(log, tmp_path):
    """Object and detail go with every copy; who did what when stays; the erasure is told of by number."""
    fill(log, 5)
    log.append(Entry(principal="user:ann", action="trace.read", object="session of karl@example.org"))
    log.append(Entry(principal="user:ann", action="query", detail={"filter": 'user:"karl@example.org" "quoted"'}))
    log.note(Entry(principal="user:ann", action="query", detail={"filter": "user:karl@example.org"}))
    before = log.head()[0]
    assert log.erase(["karl@example.org", ""], by="user:dpo") == 3
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"user:ann" in everything
    assert b"karl" not in everything
    erased = [entry for entry in log.entries(AuditQuery()) if entry.object is None]
    assert [(entry.principal, entry.detail) for entry in erased] == [("user:ann", None)] * 3
    newest = log.entries(AuditQuery(limit=1))[0]
    assert (newest.principal, newest.action) == ("user:dpo", "audit.erase")
    assert newest.detail == {"sequences": [[before - 2, before]]}
    assert log.verify() == []
    assert log.erase(["6"], by="user:dpo") == 0  # the numbers of an erasure are no one's data
    assert log.erase(['"quoted"'], by="user:dpo") == 0
    assert log.verify() == []


def test_many_scattered_erasures_are_told_of(log):
    """More ranges than one entry takes are spread over several, and the log is sound."""
    for number in range(250):
        log.note(Entry(principal="a", action="read", object="gone" if number % 2 else "kept"))
    assert log.erase(["gone"], by="b") == 125
    assert len(log.entries(AuditQuery(action="audit.erase"))) == 2
    assert log.verify() == []


def test_a_cut_tail_is_found_though_the_rest_is_sound(log):
    """`audit.head` still names what was cut, also after more entries have been appended."""
    fill(log)
    log._connections.writer().execute("DELETE FROM entry WHERE sequence > 6")
    assert log.verify() == ["audit.head names entry 10, and the log ends at 6: it was cut"]
    fill(log, 2)
    assert log.verify() == ["audit.head names entry 10, and the log ends at 8: it was cut"]
    fill(log, 4)
    assert log.verify() == ["audit.head has another hash for entry 10: the log was written anew"]


def test_a_log_written_anew_is_found_by_a_head_kept_elsewhere(tmp_path):
    """With every file of its own replaced, accounts.db or a head from another machine still tells."""
    accounts = Accounts(tmp_path / "accounts.db")
    log = Audit(tmp_path / "audit.db", accounts)
    fill(log)
    kept = log.head()
    assert accounts.anchor() == kept
    assert log.verify([kept]) == []
    log.close()
    for path in tmp_path.glob("audit.*"):
        path.unlink()
    log = Audit(tmp_path / "audit.db", accounts)
    fill(log)
    assert accounts.anchor() == kept
    assert log.verify() == ["accounts.db has another hash for entry 10: the log was written anew"]
    assert "a head that was kept elsewhere has another hash for entry 10: the log was written anew" in log.verify(
        [kept]
    )
    log.close()
    accounts.close()


def test_a_missing_or_broken_head_is_found(log):
    """And appending makes no new one, which would hide it."""
    fill(log, 3)
    log.head_path.write_text("nonsense")
    fill(log, 1)
    (told,) = log.verify()
    assert told.startswith("audit.head is missing or unreadable")
    log.head_path.unlink()
    fill(log, 1)
    Audit(log.path).close()
    assert [told] == log.verify()


def test_a_head_that_was_made_but_not_written_is_written(tmp_path):
    """A start that was killed in between leaves an empty file beside an empty log."""
    Audit(tmp_path / "audit.db").close()
    (tmp_path / "audit.head").write_bytes(b"")
    log = Audit(tmp_path / "audit.db")
    fill(log, 1)
    assert log.verify() == []
    log.close()


def test_an_older_head_is_no_trouble(log):
    """A crash between the commit and the head leaves an older one, which the next entry moves on."""
    fill(log, 2)
    before = log.head_path.read_bytes()
    fill(log, 1)
    log.head_path.write_bytes(before)
    assert log.verify() == []
    fill(log, 1)
    assert log.head_path.read_text().startswith(f"{4:020d} ")


def test_files_are_their_owners_alone(log):
    """0600 for the log, its head and what SQLite puts beside it."""
    fill(log, 1)
    folder = log.head_path.parent
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_newer_file_is_refused(tmp_path):
    """A log that a newer version wrote is not guessed at."""
    Audit(tmp_path / "audit.db").close()
    db = apsw.Connection(str(tmp_path / "audit.db"))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(SchemaError, match="newer"):
        Audit(tmp_path / "audit.db")


def test_a_damaged_file_is_told_of(tmp_path):
    """Verifying a file that SQLite cannot read is an answer, not an error."""
    log = Audit(tmp_path / "audit.db")
    fill(log, 200)
    log.close()
    path = tmp_path / "audit.db"
    content = bytearray(path.read_bytes())
    content[20_480:28_672] = b"\xff" * 8_192
    path.write_bytes(content)
    log = Audit(path)
    assert "is damaged" in log.verify()[-1]
    log.close()
