"""How long records are kept: a policy for each project, and what it makes due for deletion now.

Policies stand in one JSON file, which every server and command of a machine reads anew at each use. Nothing here runs
by itself: `server/retention.py` does that, `vestigo delete` asks for holds.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from vestigo.disk import open_file, sync_directory, sync_file, write_all
from vestigo.errors import SettingsError
from vestigo.filtertext import parse_filter
from vestigo.query import And, Filter, Not, Query
from vestigo.storage import Storage

EVERYTHING: Final = "*"
_DAY_NS: Final = 86_400 * 10**9
_PAGE: Final = 100_000


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a project; 0 keeps everything."""

    days: float = 0.0
    """Traces and logs that began longer ago are deleted."""
    traces: int = 0
    """Above this many traces the oldest are deleted."""
    hold: str = ""
    """Filter of what nobody may delete, such as `session:s7 or tag:case-12`; `*` is all of the project."""

    def check(self) -> "Policy":
        """The policy itself. Raises SettingsError, or QueryError for a hold that cannot be read."""
        if not 0 <= self.days < 100_000 or self.traces < 0:
            raise SettingsError(
                f"a policy of {self.days:g} days and {self.traces} traces makes no sense; give 0 or more"
            )
        if self.hold != EVERYTHING:
            parse_filter(self.hold)
        return self


class Policies:
    """The policies in a file, beside a default for projects that stand in none."""

    def __init__(self, path: Path, default: Policy | None = None) -> None:
        self.path = path
        self.default = default or Policy()

    def all(self) -> dict[str, Policy]:
        """By project. Raises SettingsError for a file that is none: nothing is deleted on a guess."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=dict[str, Policy])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"cannot read the policies in {self.path}: {error}; repair or remove it") from None

    def of(self, project: str) -> Policy:
        """The one that holds for a project."""
        return self.all().get(project, self.default)

    def set(self, project: str, policy: Policy | None) -> None:
        """Keep a project's policy; None takes it out, so that the default holds."""
        policies = self.all()
        policies.pop(project, None)
        if policy is not None:
            policies[project] = policy.check()
        temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.tmp")
        fd = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(fd, msgspec.json.format(msgspec.json.encode(policies)) + b"\n")
            sync_file(fd)
        finally:
            os.close(fd)
        temporary.replace(self.path)
        sync_directory(self.path.parent)

    def allowed(self, query: Query) -> Query | None:
        """What of a deletion the holds let through; None for nothing."""
        return without_held(query, self.of(query.project).hold)


def without_held(query: Query, hold: str) -> Query | None:
    """The query without what is held; None if all of the project is."""
    if hold == EVERYTHING:
        return None
    held = parse_filter(hold)
    if held is None:
        return query
    parts: tuple[Filter, ...] = (Not(held),) if query.filter is None else (query.filter, Not(held))
    return msgspec.structs.replace(query, filter=And(parts) if len(parts) > 1 else parts[0])


def due(storage: Storage, project: str, policy: Policy, now_ns: int, share: float = 0.0) -> Iterator[Query]:
    """What is to be deleted now: by age, by number, and the oldest `share` of the traces where bytes are too many."""
    ends = [now_ns - int(policy.days * _DAY_NS)] if policy.days else []
    if policy.traces:
        ends.append(start_of_newest(storage, project, policy.traces))
    if share:
        ends.append(start_of_newest(storage, project, 1.0 - share))
    end_ns = max(ends, default=0)
    allowed = without_held(Query(project=project, end_ns=max(0, end_ns)), policy.hold)
    if end_ns > 0 and allowed is not None:
        yield allowed


def start_of_newest(storage: Storage, project: str, keep: float) -> int:
    """The start of the oldest of the newest traces that stay: so many, or this share if it is below 1; 0 if all do."""
    quick = getattr(storage, "start_of_newest", None)  # by index, in SQLite
    if quick is not None:
        return quick(project, keep)
    starts = _starts(storage, project)
    if keep < 1:
        told = list(starts)
        at = int(len(told) * keep)
        return 0 if at >= len(told) else told[at - 1] if at else told[0] + 1
    last = 0
    for number, start in enumerate(starts, 1):
        if number > keep:
            return last
        last = start
    return 0


def _starts(storage: Storage, project: str) -> Iterator[int]:
    """Of all traces, newest first."""
    query = Query(project=project, limit=_PAGE)
    while True:
        page = storage.find_traces(query)
        yield from (trace.start_ns for trace in page)
        if page.cursor is None:
            return
        query = msgspec.structs.replace(query, cursor=page.cursor)


__all__ = ["EVERYTHING", "Policies", "Policy", "due", "start_of_newest", "without_held"]
