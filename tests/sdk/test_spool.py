"""Requests that wait on the disk: nothing that was appended is lost by a kill, nothing comes twice, nothing leaks."""

import os
import stat
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vestigo.diagnostics import counters
from vestigo.sdk import spool as spools
from vestigo.sdk.spool import Files, Frame, Spool, erase

MEGABYTE = 1024 * 1024


def frame(body, records=1, **more):
    return Frame("traces", "json", False, records, "default", False, body, **more)


def drained(spool):
    """The bodies of all that waits, settled one after another."""
    bodies = []
    while (waiting := spool.next()) is not None:
        bodies.append(waiting.frame.body)
        assert spool.settle(waiting)
    return bodies


def files_of(directory):
    return sorted(path for path in Path(directory).rglob("*") if path.is_file())


def test_frames_come_out_as_they_went_in_and_leave_nothing(tmp_path):
    """In order, each until it is settled; the file of a settled spool holds no byte of them."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append([frame(b"one", 3), frame(b"two")])
    spool.append([frame(b"three")])
    assert spool.spooled == 5
    first = spool.next()
    assert first == spool.next()
    assert first.frame == frame(b"one", 3)
    assert drained(spool) == [b"one", b"two", b"three"]
    assert (spool.spooled, spool.empty, spool.next()) == (0, True, None)
    assert [b"one" in path.read_bytes() for path in files_of(tmp_path)] == [False]
    spool.close()
    assert files_of(tmp_path) == []


def test_what_a_dead_process_left_is_taken_over_once(tmp_path):
    """Without what it had settled; a living one's files stay its own."""
    first, second, third = (Spool(tmp_path, MEGABYTE) for _ in range(3))
    first.append([frame(b"settled"), frame(b"left"), frame(b"left too")])
    first.settle(first.next())
    assert second.adopt() == 0
    assert first.left_behind() is False
    assert second.left_behind() is True
    first.close()
    assert second.adopt() == 2
    assert third.adopt() == 0
    assert drained(second) == [b"left", b"left too"]
    assert second.spooled == 0  # they are not records of this process
    second.close()
    assert third.adopt() == 0


def test_a_prompt_on_the_disk_is_nobody_elses_to_read(tmp_path):
    """Files of mode 0600 in directories of mode 0700, with the process id in the name."""
    spool = Spool(tmp_path / "new" / "er", MEGABYTE)
    spool.append([frame(b"x")])
    (path,) = files_of(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert f"-{os.getpid()}-" in path.name
    spool.close()


def test_above_the_limit_the_oldest_go_and_are_counted(tmp_path):
    """The directory never holds more than its limit, whoever filled it."""
    spool = Spool(tmp_path, 100_000)
    for number in range(300):
        spool.append([frame(b"%03d" % number + os.urandom(997))])
        assert sum(path.stat().st_size for path in files_of(tmp_path)) <= 100_000
    left = drained(spool)
    assert left[-1].startswith(b"299")
    assert [body[:3] for body in left] == [b"%03d" % n for n in range(300 - len(left), 300)]
    assert 80 <= len(left) <= 100
    assert spool.dropped == {"dropped.spool_full": 300 - len(left)}
    spool.append([frame(os.urandom(100_001), records=7)])
    assert spool.dropped == {"dropped.spool_full": 307 - len(left)}
    spool.close()


def test_what_others_hold_is_not_dropped_for_us(tmp_path):
    """Then it is the new that does not fit."""
    other, spool = Spool(tmp_path, 100_000), Spool(tmp_path, 100_000)
    other.append([frame(os.urandom(99_000))])
    spool.append([frame(os.urandom(5_000), records=2)])
    assert spool.dropped == {"dropped.spool_full": 2}
    assert other.spooled == 1
    other.close()
    spool.close()


def test_a_frame_that_was_dropped_meanwhile_is_not_counted_twice(tmp_path):
    """It is sent, and dropped in the law: one of them only."""
    spool = Spool(tmp_path, 4_000)
    spool.append([frame(os.urandom(3_000))])
    waiting = spool.next()
    spool.append([frame(os.urandom(3_000))])
    assert spool.settle(waiting) is False
    assert (spool.spooled, spool.dropped) == (1, {"dropped.spool_full": 1})
    spool.close()


@pytest.mark.parametrize("cut", [1, 5, 15, 16, 17, 40, 57])
def test_a_torn_tail_loses_nothing_before_it(tmp_path, cut):
    """As a kill in the midst of a write leaves it."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append([frame(b"whole"), frame(b"x" * 20)])
    spool.close()
    (path,) = files_of(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    spool.adopt()
    assert drained(spool) == [b"whole"]
    spool.close()
    assert files_of(tmp_path) == []


def test_damage_in_the_middle_loses_that_frame_only(tmp_path):
    """Each byte of the middle frame flipped in turn: the others come, and the loss is counted."""
    made = Spool(tmp_path / "made", MEGABYTE)
    made.append([frame(b"first"), frame(b"second"), frame(b"third")])
    made.close()
    (path,) = files_of(tmp_path)
    whole = path.read_bytes()
    begin = whole.index(spools._FRAME_MARK, whole.index(b"first"))
    end = whole.index(spools._FRAME_MARK, begin + 1)
    for at in range(begin, end):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        before = counters.get("failed.spool_frame")
        spool = Spool(path.parent, MEGABYTE)
        spool.adopt()
        assert drained(spool) == [b"first", b"third"], at
        assert counters.get("failed.spool_frame") > before
        spool.close()


def test_a_frame_damaged_under_us_is_counted_as_dropped(tmp_path):
    """The law holds when the disk does not."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append([frame(b"first", 2), frame(b"second", 3), frame(b"third", 4)])
    (path,) = files_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"second", b"secund"))
    assert drained(spool) == [b"first", b"third"]
    assert (spool.spooled, spool.dropped) == (0, {"dropped.spool_damaged": 3})
    spool.append([frame(b"only", 2)])
    path.write_bytes(path.read_bytes().replace(b"only", b"0nly"))
    assert drained(spool) == []
    assert (spool.spooled, spool.dropped) == (0, {"dropped.spool_damaged": 5})
    spool.close()


@pytest.mark.parametrize("content", [b"", b"VSP", b"VSPOOL1\n\xff\xff", b"VSPOOL1\n" + b"\xff" * 8, os.urandom(500)])
def test_a_file_that_is_none_of_ours_harms_nothing(tmp_path, content):
    """Torn headers are removed, what another version wrote is left alone."""
    path = tmp_path / "0-1-x.spool"
    path.write_bytes(content)
    spool = Spool(tmp_path, MEGABYTE)
    assert spool.adopt() == 0
    assert path.exists() == (len(content) == 500)
    spool.append([frame(b"x")])
    assert drained(spool) == [b"x"]
    spool.close()


def test_a_disk_that_takes_nothing_is_told_to_the_caller(tmp_path):
    """OSError, nothing kept, and it goes on when there is room."""
    files = Failing(tmp_path)
    spool = Spool(tmp_path, MEGABYTE, files=files)
    spool.append([frame(b"before")])
    files.left = 10
    with pytest.raises(OSError, match="no room"):
        spool.append([frame(b"lost")])
    with pytest.raises(OSError, match="no room"):
        spool.append([frame(b"lost")])
    files.left = None
    spool.append([frame(b"after")])
    assert spool.spooled == 2
    assert drained(spool) == [b"before", b"after"]
    spool.close()
    assert files_of(tmp_path) == []


class Failing(Files):
    """A disk with so many bytes of room, or a process that is killed after so many bytes."""

    def __init__(self, directory):
        self.left = None
        self.kills = False
        self.fds = set()

    def open(self, path, flags):
        fd = super().open(path, flags)
        self.fds.add(fd)
        return fd

    def close(self, fd):
        super().close(fd)
        self.fds.discard(fd)

    def write(self, fd, data, offset):
        if self.left is not None and len(data) > self.left:
            super().write(fd, data[: self.left], offset)
            self.left = 0
            raise Killed if self.kills else OSError(28, "no room")
        self.left = None if self.left is None else self.left - len(data)
        super().write(fd, data, offset)

    def truncate(self, fd, size):
        if self.kills and self.left == 0:
            raise Killed
        super().truncate(fd, size)

    def remove(self, path):
        if self.kills and self.left == 0:
            raise Killed
        super().remove(path)


class Killed(BaseException):
    """The process is no more."""


def test_a_spool_is_erased_to_the_last_copy(tmp_path):
    """All of it, or what is not kept; of what was sent before, no byte stays; living files are named."""
    spool = Spool(tmp_path / "a", MEGABYTE)
    spool.append([frame(b"sent secret", 5), frame(b"secret", 2), frame(b"other"), frame(b"half secret", 4)])
    spool.settle(spool.next())
    (held,) = files_of(tmp_path)
    assert erase(tmp_path) == (0, [held])

    def keep(one):
        if one.body == b"secret":
            return None
        return msgspec.structs.replace(one, records=1, body=b"half") if b"half" in one.body else one

    assert spool.erase(keep) == 5
    assert not any(b"secret" in path.read_bytes() for path in files_of(tmp_path))
    assert (spool.spooled, spool.dropped) == (2, {"dropped.erased": 5})
    assert spool.erase(lambda one: one) == 0
    spool.append([frame(b"more")])
    spool.close()
    assert erase(tmp_path, keep) == (0, [])
    assert erase(tmp_path) == (3, [])
    assert files_of(tmp_path) == []
    assert erase(tmp_path / "nothing here") == (0, [])


def test_a_child_has_files_of_its_own(tmp_path):
    """It sends nothing of its parent's, and does not keep its parent's files locked."""
    spool = Spool(tmp_path, MEGABYTE)
    spool.append([frame(b"parent")])
    segment = spool._segments[0]
    kept = os.dup(segment.fd)  # what the parent would hold
    spool.after_fork_in_child()
    assert spool.next() is None
    assert spool.adopt() == 0
    spool.append([frame(b"child")])
    assert len(files_of(tmp_path)) == 2
    assert drained(spool) == [b"child"]
    os.close(kept)
    assert spool.adopt() == 1
    spool.close()


def test_syncing_reaches_the_disk_before_append_returns(tmp_path):
    """For those who fear for power; without it nothing waits for the disk."""
    synced = []

    class Seen(Files):
        def sync(self, fd):
            synced.append(os.fstat(fd).st_size)
            super().sync(fd)

    for sync in (False, True):
        spool = Spool(tmp_path, MEGABYTE, sync=sync, files=Seen())
        spool.append([frame(b"x" * 1_000)])
        drained(spool)
        spool.close()
    assert len(synced) == 1
    assert synced[0] > 1_000


class Lives(RuleBasedStateMachine):
    """A directory over the lives of processes that are killed at any byte, with disks that are full at any byte."""

    @initialize()
    def begin(self):
        self.directory = Path(tempfile.mkdtemp(dir=self.root))
        self.appended, self.unsure, self.sent = [], set(), []
        self.number = 0
        self.spool = None
        self.start()

    def start(self):
        self.files = Failing(self.directory)
        self.spool = Spool(self.directory, 10 * MEGABYTE, files=self.files)
        self.spool._segment_bytes = 300

    def die(self):
        self.teardown()
        self.start()
        self.spool.adopt()

    def attempt(self, work, *arguments):
        """The result, None where the disk was full, and a new process where it was killed."""
        try:
            return work(*arguments)
        except OSError:
            return None
        except Killed:
            self.die()
            return None

    @rule(sizes=st.lists(st.integers(0, 200), min_size=1, max_size=4))
    def append(self, sizes):
        frames = []
        for size in sizes:
            self.number += 1
            frames.append(frame(b"%06d" % self.number + b"\x89VSF" * (size % 3) + b"x" * size))
        names = [one.body[:6] for one in frames]
        self.unsure |= set(names)
        try:
            self.spool.append(frames)
        except OSError:
            self.unsure -= set(names)
        except Killed:
            self.die()
        else:
            self.unsure -= set(names)
            self.appended += names

    @rule(times=st.integers(1, 4))
    def send(self, times):
        for _ in range(times):
            waiting = self.spool.next()
            if waiting is None:
                return
            self.sent.append(waiting.frame.body[:6])
            self.attempt(self.spool.settle, waiting)

    @rule(left=st.integers(0, 400), kills=st.booleans())
    def limit(self, left, kills):
        self.files.left, self.files.kills = left, kills

    @rule()
    def room(self):
        self.files.left = None

    @rule()
    def kill(self):
        self.die()

    @rule()
    def end(self):
        self.attempt(self.spool.close)
        self.start()
        self.spool.adopt()

    @invariant()
    def nothing_is_lost(self):
        """What was appended has been sent or waits, whatever happened; nothing else comes."""
        waiting = {one.body[:6] for segment in self.spool._segments for _, one in spools._frames(segment)}
        assert set(self.appended) <= waiting | set(self.sent)
        assert waiting | set(self.sent) <= set(self.appended) | self.unsure

    def teardown(self):
        for fd in self.files.fds:
            os.close(fd)


def test_whatever_happens_what_was_appended_is_sent(tmp_path):
    """Random lives: appends, sends, full disks, kills at every byte, ends and new beginnings."""
    Lives.root = tmp_path
    machine = Lives.TestCase
    machine.settings = settings(
        max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine("runTest").runTest()
