"""Deletion from files: those that hold what goes are written anew without it."""

import os
from collections.abc import Iterator

import msgspec

from vestigo.disk import open_file, sync_directory, sync_file
from vestigo.record import Log, Point
from vestigo.storage.erasure import Erasure
from vestigo.storage.files.folder import Folder, copy_lines
from vestigo.storage.files.lines import LOOSE, Index, blocks, glance, split_lines, zstd
from vestigo.storage.files.view import View


class Eraser:
    """What goes: traces of one project with their logs, logs that belong to no trace with spans, and points."""

    def __init__(self, project: str, trace_ids: set[str], logs: list[Log], points: list[Point]) -> None:
        self._project = project
        self._trace_ids = trace_ids
        self._texts = [trace_id.encode() for trace_id in trace_ids]
        self._log_ids = {log.log_id for log in logs}
        self._point_ids = {point.point_id for point in points}
        self._keys = {(project, trace_id) for trace_id in trace_ids}
        self._log_keys = {(project, log.trace_id or LOOSE + log.log_id) for log in logs}

    def erase(self, folder: Folder, view: View, report: Erasure) -> None:
        """Write the files anew that hold any of it. Needs the directory's lock alone.

        Lines that cannot be read go too where they may hold a part of it: those with the id of a trace that goes, those
        of logs if logs without a trace go, of points if points go. So does what follows a damaged place in a packed
        file that is written anew.
        """
        for index, fd in view.files:
            if not self._concerns(index):
                continue
            report.steps += 1
            before = os.fstat(fd).st_size
            if self._takes_all(index):
                folder.file(index.name).unlink()  # frees room where there is none for a new file
                report.bytes_freed += before
                report.copies[index.name] = 0
                continue
            with folder.replacement(index.name) as (out, path):
                copy_lines(self._kept(index, fd), out, packed=index.packed)
                sync_file(out)
                path.replace(folder.file(index.name))
            report.bytes_freed += max(0, before - folder.file(index.name).stat().st_size)
            report.copies[index.name] = self._left(folder, index)
        sync_directory(folder.path)

    def _left(self, folder: Folder, index: Index) -> int:
        """Lines of what went that a file written anew still has, as it is read from the disk."""
        fd = open_file(folder.file(index.name), os.O_RDONLY)
        try:
            return sum(self._goes(line) for block in blocks(fd, packed=index.packed) for line in split_lines(block))
        finally:
            os.close(fd)

    def _concerns(self, index: Index) -> bool:
        if index.tail or index.bad:
            return bool(self._trace_ids or self._log_ids or self._point_ids)
        if self._point_ids and self._project in index.points:
            return True
        if any(key in index.logs for key in self._log_keys):
            return True
        return any(key in index.spans or key in index.logs for key in self._keys)

    def _takes_all(self, index: Index) -> bool:
        known = [*index.spans, *index.logs]
        all_go = all(project == self._project and trace_id in self._trace_ids for project, trace_id in known)
        return all_go and not index.points and not index.skipped

    def _kept(self, index: Index, fd: int) -> Iterator[bytes]:
        first = True
        try:
            for block in blocks(fd, packed=index.packed):
                lines = split_lines(block)
                yield b"".join(line for at, line in enumerate(lines) if (first and at == 0) or not self._goes(line))
                first = False
        except zstd.ZstdError:
            pass

    def _goes(self, line: bytes) -> bool:
        try:
            seen = glance(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            loose = ((self._log_ids, b'{"record":"log"'), (self._point_ids, b'{"record":"point"'))
            if any(ids and line.startswith(lead) for ids, lead in loose):
                return True
            return any(text in line for text in self._texts)
        if seen.project != self._project:
            return False
        if seen.trace_id in self._trace_ids:
            return True
        if seen.record == "point":
            return seen.point_id in self._point_ids
        return seen.record == "log" and seen.log_id in self._log_ids
