"""Locks between processes, and bytes that are on the disk."""

import os
import stat

from vestigo.disk import open_file, read_at, release_lock, sync_directory, sync_file, take_lock, write_all


def test_a_lock_is_held_by_one_opening_at_a_time(tmp_path):
    """Also within one process, and until it is released or closed."""
    first, second = (open_file(tmp_path / "x", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert take_lock(first)
    assert not take_lock(second, wait=False)
    release_lock(first)
    assert take_lock(second, wait=False)
    os.close(second)
    assert take_lock(first, wait=False)
    os.close(first)


def test_what_is_written_is_read_and_nobody_elses(tmp_path):
    """Every byte, at its place, in a file of mode 0600."""
    fd = open_file(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    write_all(fd, b"0123456789" * 100_000)
    sync_file(fd)
    sync_directory(tmp_path)
    assert read_at(fd, 4, 999_998) == b"89"
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    os.close(fd)
