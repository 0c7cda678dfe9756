"""What stores and spools ask of the operating system: locks between processes, and bytes that are on the disk."""

import os
import sys
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover  the tests run where flock is
    import msvcrt

    _FAR = 1 << 40  # locks of Windows keep others from reading what they cover

    def take_lock(fd: int, *, shared: bool = False, wait: bool = True) -> bool:  # noqa: ARG001  no shared locks there
        """Lock an open file, whole and until it is closed; False if another holds it and we do not wait."""
        while True:
            os.lseek(fd, _FAR, os.SEEK_SET)
            try:
                msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False

    def release_lock(fd: int) -> None:
        """Unlock an open file."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

    def read_at(fd: int, length: int, offset: int) -> bytes:
        """Bytes of a file; fewer at its end."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, length)

    def sync_directory(path: Path) -> None:
        """Nothing: Windows keeps names by itself."""

    _BINARY = os.O_BINARY
else:
    import fcntl

    def take_lock(fd: int, *, shared: bool = False, wait: bool = True) -> bool:
        """Lock an open file, whole and until it is closed; False if another holds it and we do not wait."""
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(fd, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release_lock(fd: int) -> None:
        """Unlock an open file, for every process that has it open from here."""
        fcntl.flock(fd, fcntl.LOCK_UN)

    read_at = os.pread

    def sync_directory(path: Path) -> None:
        """Put names on the disk: what was made, renamed or removed in a directory."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    _BINARY = 0


def sync_file(fd: int) -> None:
    """Put a file's bytes on the disk."""
    if sys.platform == "darwin":  # pragma: no cover  there fsync stops at the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def open_file(path: Path, flags: int) -> int:
    """A descriptor that children do not inherit; new files are for the user alone, since traces hold private text."""
    return os.open(path, flags | _BINARY, 0o600)


def write_all(fd: int, data: bytes) -> None:
    """Write every byte. Raises OSError, and then has written some or none."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
