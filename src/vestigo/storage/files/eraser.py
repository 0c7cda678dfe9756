"""Deletion from files: those that hold what goes are written anew without it."""

from collections.abc import Iterator
from typing import Final

import msgspec

from vestigo.disk import sync_directory, sync_file
from vestigo.record import Log
from vestigo.storage.files.folder import Folder, copy_lines
from vestigo.storage.files.lines import LOOSE, Index, blocks, glance, split_lines, zstd
from vestigo.storage.files.view import View

_decode_log: Final = msgspec.json.Decoder(Log).decode


class Eraser:
    """What goes: traces of one project with their logs, and logs without a trace."""

    def __init__(self, project: str, trace_ids: set[str], logs: list[Log]) -> None:
        self._project = project
        self._trace_ids = trace_ids
        self._texts = [trace_id.encode() for trace_id in trace_ids]
        self._log_ids = {log.log_id for log in logs}
        self._logs = bool(logs)

    def erase(self, folder: Folder, view: View) -> None:
        """Write the files anew that hold any of it. Needs the directory's lock alone.

        Lines that cannot be read go too where they may hold a part of it: those with the id of a trace that goes, those
        of logs if logs without a trace go. So does what follows a damaged place in a packed file that is written anew.
        """
        for index, fd in view.files:
            if not self._concerns(index):
                continue
            if self._takes_all(index):
                folder.file(index.name).unlink()  # frees room where there is none for a new file
                continue
            with folder.replacement(index.name) as (out, path):
                copy_lines(self._kept(index, fd), out, packed=index.packed)
                sync_file(out)
                path.replace(folder.file(index.name))
        sync_directory(folder.path)

    def _concerns(self, index: Index) -> bool:
        if index.tail or index.bad:
            return bool(self._trace_ids or self._logs)
        if self._logs and any(key[0] == self._project and key[1].startswith(LOOSE) for key in index.logs):
            return True
        keys = [(self._project, trace_id) for trace_id in self._trace_ids]
        return any(key in index.spans or key in index.logs for key in keys)

    def _takes_all(self, index: Index) -> bool:
        known = [*index.spans, *index.logs]
        all_go = all(project == self._project and trace_id in self._trace_ids for project, trace_id in known)
        return all_go and not index.skipped

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
            is_log = self._logs and line.startswith(b'{"record":"log"')
            return is_log or any(text in line for text in self._texts)
        if seen.project != self._project:
            return False
        if seen.trace_id:
            return seen.trace_id in self._trace_ids
        return seen.record == "log" and seen.log_id in self._log_ids
