"""Every route of `/api` but those of accounts, and those that fit nowhere else: status, projects, deletion."""

import asyncio
import shutil
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, cast
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Struct
from starlette.responses import Response

from vestigo import diagnostics
from vestigo.errors import QueryError
from vestigo.query import ALL_TIME
from vestigo.redact import Rule
from vestigo.server import (
    charts,
    completion,
    histogram,
    lists,
    live,
    pricelist,
    scores,
    tally,
    tracepage,
    troubles,
    turns,
)
from vestigo.server.answers import answer
from vestigo.server.questions import NoParameters, Window, query_of
from vestigo.server.routes import Call, Route
from vestigo.server.troubles import Trouble
from vestigo.settings import ServerSettings
from vestigo.version import VERSION

if TYPE_CHECKING:
    from vestigo.server import Server

_SECRET: Final = frozenset({"oidc_client_secret", "redact_hash_key", "forward_headers"})
_ADDRESSES: Final = frozenset({"storage", "forward", "oidc_issuer"})


class SettingRow(Struct):
    name: str
    value: str


class RuleRow(Struct):
    name: str
    kind: str
    on: bool


class Status(Struct, kw_only=True):
    version: str
    started_s: float
    """Seconds since 1970."""
    now_s: float
    settings: list[SettingRow]
    """What is in force; secrets show only that they are set."""
    storage: dict[str, float]
    """Rows and bytes, where the storage knows them, and what is free on the disk of the data directory."""
    counters: dict[str, int]
    troubles: list[Trouble]
    """Counters that tell of something lost, refused or failed, in plain words; the largest first."""
    redaction: list[RuleRow]


class Projects(Struct):
    projects: list[str]


class Deleted(Struct, kw_only=True):
    traces: int
    complete: bool
    """Whether nothing is left of it, as far as was looked."""
    report: dict[str, Any]
    """Counts by kind of record, and what was found when files were looked through afterwards."""


class Deletion(Window, kw_only=True):
    everything: Literal["", "yes"] = ""


class _Describes(Protocol):
    def describe(self) -> list[Rule]: ...


async def status(call: Call) -> Response:
    server = call.server
    figures = getattr(server.storage, "figures", None)
    storage: dict[str, float] = {} if figures is None else await call.ask(figures)
    with suppress(OSError):
        storage |= {"disk_free_bytes": shutil.disk_usage(server.data_dir).free}
    rules = [] if server.redactor is None else cast("_Describes", server.redactor).describe()
    told = Status(
        version=VERSION, started_s=server.started_s, now_s=time.time(), settings=shown_settings(server.settings),
        storage=storage, counters=server.counters.snapshot(),
        troubles=troubles.told(losses(server)),
        redaction=[RuleRow(rule.name, rule.kind, rule.on) for rule in rules],
    )  # fmt: skip
    return await answer(call, told)


def losses(server: "Server") -> Counter[str]:
    """What was counted here: by the server's parts, by the process, and by what sends records on."""
    found = Counter(server.counters.snapshot())
    found.update(diagnostics.counters.snapshot())
    for name, count in server.forwarders.losses().items():
        found[f"forward.{name}"] += count
    return found


def shown_settings(settings: ServerSettings) -> list[SettingRow]:
    """Settings as text; of secrets whether they are set, of addresses no password."""
    return [SettingRow(name, _shown(name, getattr(settings, name))) for name in settings.__struct_fields__]


def _shown(name: str, value: Any) -> str:
    if name in _SECRET:
        return "(set)" if value else ""
    if isinstance(value, tuple):
        return ",".join(_shown(name, item) for item in value)
    return _without_password(value) if name in _ADDRESSES else str(value)


def _without_password(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "(cannot be read)"
    host = parts.netloc.rpartition("@")[2]
    query = "..." if parts.query else ""  # some services take keys there
    return urlunsplit((parts.scheme, host, parts.path, query, "")) if parts.netloc else address


async def projects(call: Call) -> Response:
    """Those that the caller may read, out of all that have records or stand in a grant."""
    stored = await call.ask(call.server.storage.projects)
    known = {*stored, *call.principal.projects, call.server.settings.project}
    return await answer(call, Projects(sorted(name for name in known if call.principal.may("read", name))))


async def delete(call: Call) -> Response:
    """Deletes whole traces with their logs; answers when it is done, with what was looked for afterwards."""
    asked: Deletion = call.query
    query = query_of(call.project, asked)
    whole = query.filter is None and (query.start_ns, query.end_ns) == ALL_TIME
    if whole and asked.everything != "yes":
        raise QueryError("this would delete everything; give q, start or end, or everything=yes")
    found = await asyncio.to_thread(call.server.storage.erase, query)  # longer than a question may take
    told: dict[str, Any] = msgspec.to_builtins(found)
    told |= {name: str(value) for name, value in told.items() if name.endswith("_ns")}
    return await answer(call, Deleted(traces=found.traces, complete=found.clean, report=told))


ROUTES: Final[tuple[Route, ...]] = (
    *lists.ROUTES,
    *histogram.ROUTES,
    *tracepage.ROUTES,
    *turns.ROUTES,
    *charts.ROUTES,
    *completion.ROUTES,
    *scores.ROUTES,
    *tally.ROUTES,
    *pricelist.ROUTES,
    *live.ROUTES,
    Route(
        method="DELETE", path="/api/traces", scope="admin", handler=delete, tag="traces", query=Deletion,
        answer=Deleted, summary="Delete the traces that match, with their logs.", audit="traces.delete",
    ),
    Route(
        method="GET", path="/api/projects", scope="public", handler=projects, tag="server", project=False,
        query=NoParameters, answer=Projects, summary="The projects that the caller may read.",
    ),
    Route(
        method="GET", path="/api/status", scope="read", handler=status, tag="server", project=False,
        query=NoParameters, answer=Status,
        summary="Settings in force, figures of the storage, counters, redaction rules.", audit="status.read",
    ),
)  # fmt: skip
