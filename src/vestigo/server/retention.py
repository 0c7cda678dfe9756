"""Deletes what the policies make due, beside the requests, and erases on request; keeps a record of both.

On a full disk a reserve file is given up first, so that there is room to delete in; it is made again afterwards.
"""

import asyncio
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from vestigo import diagnostics
from vestigo.disk import open_file, sync_file, write_all
from vestigo.errors import SettingsError, StorageError
from vestigo.filtertext import parse_filter
from vestigo.query import ALL_TIME, And, Compare, Filter, OneOf, Or, Query
from vestigo.server.questions import moment
from vestigo.server.routes import Call, Failure, Route
from vestigo.storage.erasure import Erasure
from vestigo.storage.policies import Policies, Policy, due

if TYPE_CHECKING:
    from vestigo.server import Server

_RESERVE_BYTES: Final = 16 * 1024 * 1024
_THOROUGH_NS: Final = 86_400 * 10**9
_PAST: Final = 1_000
_PAGE: Final = 10_000
_PERSONAL: Final = frozenset({"user", "session", "trace"})
_BELOW: Final = 0.95  # of the bytes that may be: so that not every run deletes


class Told(Struct, kw_only=True):
    """An erasure as the API tells it."""

    project: str
    filter: str = ""
    """Empty in the record of the past, which must not name whom it forgot."""
    filter_sha256: str = ""
    """By which those who know the filter find it again."""
    by: str = ""
    start_ns: str = "0"
    end_ns: str = "0"
    started_ns: str = "0"
    finished_ns: str = "0"
    traces: int = 0
    spans: int = 0
    logs: int = 0
    points: int = 0
    bodies: int = 0
    words: int = 0
    names: int = 0
    spooled: int = 0
    """Records that waited to be sent on."""
    audit_entries: int = 0
    """Entries of the audit log that named it; they say now that something was erased."""
    bytes_freed: int = 0
    steps: int = 0
    longest_step_s: float = 0.0
    probes: int = 0
    copies: dict[str, int] = {}
    arrived: int = 0
    troubles: list[str] = []
    clean: bool = True
    dry_run: bool = False


class RetentionState(Struct, kw_only=True):
    """What is kept, and what that has deleted so far."""

    policy: Policy
    default: Policy
    own: bool
    """Whether the project has a policy of its own."""
    figures: dict[str, int]


class EraseBody(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom or what to forget: one of these, or several that must all hold."""

    user: str = ""
    session: str = ""
    trace: str = ""
    q: str = ""
    start: str = ""
    end: str = ""
    dry_run: bool = False


class Erasures(Struct):
    """The newest erasures first."""

    items: list[Told]


class Retention:
    """The background life, `start` and `stop`, of deletions. One at a time in a process."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        settings = server.settings
        default = Policy(days=settings.retention_days, traces=settings.retention_traces).check()
        self.policies = Policies(server.data_dir / "retention.json", default)
        self._past = server.data_dir / "erasures.jsonl"
        self._reserve = server.data_dir / "reserve"
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._swept_ns = 0
        self._figures: dict[str, int] = dict.fromkeys(("runs", "failed", "traces", "spans", "logs", "bytes_freed"), 0)

    def start(self) -> None:
        """Make the reserve and begin to look every `retention_interval_s`."""
        self._make_reserve()
        self._thread = threading.Thread(target=self._run, name="vestigo-retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a deletion under way ends with the storage, and the next one finishes it."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(self._server.settings.exit_timeout_s)

    def wake(self) -> None:
        """Look now: for whoever finds the disk full."""
        self._wake.set()

    def figures(self) -> dict[str, int]:
        """Totals since the start, for `/metrics` and `/api/status`."""
        return {**self._figures, "reserve_bytes": self._reserve_size()}

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._server.settings.retention_interval_s)
            self._wake.clear()
            if self._stopped:
                return
            try:
                self.run_once(time.time_ns())
            except Exception as error:
                self._figures["failed"] += 1
                diagnostics.trouble("retention", f"retention failed: {error}")

    # --- what is due

    def run_once(self, now_ns: int) -> list[Erasure]:
        """Delete what is due; what was deleted. Raises StorageError, SettingsError."""
        storage = self._server.storage
        reports: list[Erasure] = []
        share = self._excess()
        for project in storage.projects():
            for query in due(storage, project, self.policies.of(project), now_ns, share):
                report = self._with_room(lambda query=query: storage.erase(query, thorough=False))
                if report.traces or report.logs:
                    reports.append(report)
                    self._note(report, "retention")
        self._make_reserve()
        if self._reserve_size() and now_ns - self._swept_ns >= _THOROUGH_NS:  # it needs room of its own
            self._sweep()
            self._swept_ns = now_ns
        self._figures["runs"] += 1
        return reports

    def _sweep(self) -> None:
        """Take away what deletions left behind in indexes and dictionaries; where there is no room, the next time."""
        nothing = Query(project=self._server.settings.project, end_ns=0)
        try:
            with self._lock:
                self._server.storage.erase(nothing, thorough=True)
        except StorageError as error:
            self._figures["failed"] += 1
            diagnostics.trouble("retention.sweep", f"what was deleted is not swept up yet: {error}")

    def _excess(self) -> float:
        """The share of the records that is above `retention_bytes`."""
        limit = self._server.settings.retention_bytes
        used = getattr(self._server.storage, "used_bytes", int)()
        return max(0.0, 1 - limit * _BELOW / used) if limit and used > limit else 0.0

    def _with_room(self, work: Callable[[], Erasure]) -> Erasure:
        """Do it; where the disk is full, once more without the reserve."""
        with self._lock:
            try:
                return work()
            except StorageError as error:
                if not self._reserve_size() or "full" not in str(error):
                    raise
                self._reserve.unlink(missing_ok=True)
                return work()

    def _reserve_size(self) -> int:
        with suppress(OSError):
            return self._reserve.stat().st_size
        return 0

    def _make_reserve(self) -> None:
        """Take room for later, where there is plenty of it."""
        disk = shutil.disk_usage(self._server.data_dir)
        size = min(_RESERVE_BYTES, disk.total // 8)
        if self._reserve_size() or disk.free < 2 * size:
            return
        with suppress(OSError):
            fd = open_file(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                write_all(fd, bytes(size))
                sync_file(fd)
            finally:
                os.close(fd)

    # --- on request

    def erase(self, query: Query, by: str) -> Told:
        """Erase now and everywhere: the storage, what waits to be sent on, the audit log. Blocks until it is done."""
        going = self._going(query)
        report = self._with_room(lambda: self._server.storage.erase(query))
        told = told_of(report, by)
        if going:
            told.spooled = self._server.forwarders.erase(lambda record: getattr(record, "trace_id", None) in going)
        audit = getattr(self._server, "audit", None)
        words = [word for word in _named(query.filter) if word]
        if audit is not None and words:
            told.audit_entries = audit.erase(words, by=by)
        self._note(report, by)
        return told

    def _going(self, query: Query) -> frozenset[str]:
        """Ids of the traces that match, by which they are found where they wait to be sent on."""
        found: set[str] = set()
        query = msgspec.structs.replace(query, limit=_PAGE, cursor=None)
        while True:
            page = self._server.storage.find_traces(query)
            found.update(trace.trace_id for trace in page)
            if page.cursor is None:
                return frozenset(found)
            query = msgspec.structs.replace(query, cursor=page.cursor)

    def _note(self, report: Erasure, by: str) -> None:
        for name in self._figures.keys() & {"traces", "spans", "logs", "bytes_freed"}:
            self._figures[name] += getattr(report, name)
        past = told_of(report, by)
        past.filter_sha256 = hashlib.sha256(report.filter.encode()).hexdigest() if report.filter else ""
        past.filter = ""
        with suppress(OSError):  # on a full disk the deletion counts, not its record
            fd = open_file(self._past, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            try:
                write_all(fd, msgspec.json.encode(past) + b"\n")
            finally:
                os.close(fd)

    def past(self, project: str) -> list[Told]:
        """The newest erasures of a project first, without whom they forgot."""
        try:
            lines = self._past.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: list[Told] = []
        for line in reversed(lines):
            with suppress(msgspec.MsgspecError):  # half a line of a process that was killed
                told = msgspec.json.decode(line, type=Told)
                if told.project == project and len(found) < _PAST:
                    found.append(told)
        return found


def told_of(report: Erasure, by: str) -> Told:
    """An erasure as the API tells it."""
    values: dict[str, Any] = {name: getattr(report, name) for name in Erasure.__struct_fields__}
    values |= {name: str(value) for name, value in values.items() if name.endswith("_ns")}
    return Told(**values, by=by, clean=report.clean)


def _named(filter_: Filter | None) -> Iterator[str]:
    """Whom or what a filter names."""
    match filter_:
        case Compare(field, "=", str(value)) if field in _PERSONAL:
            yield value
        case OneOf(field, values) if field in _PERSONAL:
            yield from map(str, values)
        case And(filters) | Or(filters):
            for part in filters:
                yield from _named(part)
        case _:
            return


# --- routes


async def retention(call: Call) -> Response:
    return _answer(_state(call))


async def set_retention(call: Call) -> Response:
    try:
        call.server.retention.policies.set(call.project, call.body)
    except SettingsError as error:
        raise Failure(400, "bad_policy", str(error)) from None
    return _answer(_state(call))


def _state(call: Call) -> RetentionState:
    found = call.server.retention
    own = found.policies.all().get(call.project)
    default = found.policies.default
    return RetentionState(policy=own or default, default=default, own=own is not None, figures=found.figures())


async def erase(call: Call) -> Response:
    query = _query(call.project, call.body)
    held = call.server.retention.policies.allowed(query)
    if held is None:
        raise Failure(409, "held", f"project {call.project!r} is on hold; change its policy first")
    if call.body.dry_run:
        found = await call.ask(lambda: call.server.storage.find_traces(msgspec.structs.replace(held, limit=100_000)))
        report = Told(project=call.project, traces=len(found), spans=sum(one.spans for one in found), dry_run=True)
        report.troubles = ["there are more; these are the newest 100000"] if found.cursor else []
        return _answer(report)
    return _answer(await asyncio.to_thread(call.server.retention.erase, held, call.principal.name))


async def erasures(call: Call) -> Response:
    return _answer(Erasures(await asyncio.to_thread(call.server.retention.past, call.project)))


def _query(project: str, body: EraseBody) -> Query:
    parts: list[Filter] = [
        Compare(field, "=", value) for field in ("user", "session", "trace") if (value := getattr(body, field))
    ]
    told = parse_filter(body.q)
    parts += [] if told is None else [told]
    if not parts and not body.start and not body.end:
        raise Failure(400, "bad_query", "this would erase everything; give user, session, trace, q, start or end")
    now_ns = time.time_ns()
    return Query(
        project=project,
        start_ns=moment("start", body.start, ALL_TIME[0], now_ns),
        end_ns=moment("end", body.end, ALL_TIME[1], now_ns),
        filter=None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts)),
    )


def _answer(told: Struct) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")


ROUTES: Final = (
    Route(
        method="GET", path="/api/retention", scope="admin", handler=retention, tag="retention", answer=RetentionState,
        summary="How long the records of a project are kept.", audit="retention.read",
    ),
    Route(
        method="PUT", path="/api/retention", scope="admin", handler=set_retention, tag="retention", body=Policy,
        answer=RetentionState, summary="Set how long they are kept, and what is on hold.", audit="retention.set",
    ),
    Route(
        method="POST", path="/api/erase", scope="admin", handler=erase, tag="retention", body=EraseBody, answer=Told,
        summary="Erase a user, a session, a trace or what a filter finds, and tell what is left of it.",
        audit="records.erase",
    ),
    Route(
        method="GET", path="/api/erasures", scope="admin", handler=erasures, tag="retention", answer=Erasures,
        summary="What was erased, the newest first.", audit="erasures.list",
    ),
)  # fmt: skip

__all__ = ["ROUTES", "EraseBody", "Erasures", "Retention", "RetentionState", "Told", "told_of"]
