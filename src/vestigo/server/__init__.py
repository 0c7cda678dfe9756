"""The server: one process that any OpenTelemetry program can send to and any person or tool can ask.

`Server` holds the parts and their lives, `ROUTES` is the one table of what can be asked, `create_app` is the ASGI
application around both; `vestigo serve` (`cli/serve.py`) runs it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from starlette.datastructures import Headers

from vestigo import diagnostics
from vestigo.diagnostics import Counters
from vestigo.errors import SettingsError
from vestigo.prices import Prices
from vestigo.query import time_limit
from vestigo.record import Batch
from vestigo.server import access, api, guard, ingest, login, oidc, openapi, prometheus, retention, web
from vestigo.server.accounts import Accounts
from vestigo.server.audit import Audit
from vestigo.server.chain import Entry
from vestigo.server.forward import Forwarder
from vestigo.server.gate import Gate, admit
from vestigo.server.ingest import Ingest
from vestigo.server.live import Live
from vestigo.server.passwords import Attempts, network_of
from vestigo.server.prometheus import PrometheusMetrics
from vestigo.server.retention import Retention
from vestigo.server.routes import Call, Failure, Handler, Principal, Route, Scope
from vestigo.server.rpc import Rpc, open_rpc
from vestigo.server.web import BuiltPage
from vestigo.settings import ServerSettings, Settings, default_storage_url
from vestigo.storage import Storage, open_storage

T = TypeVar("T")

ROUTES: Final[tuple[Route, ...]] = (
    *ingest.ROUTES, *prometheus.ROUTES, *retention.ROUTES, *api.ROUTES, *login.ROUTES, *oidc.ROUTES, *access.ROUTES,
    *openapi.ROUTES, *web.ROUTES,
)  # fmt: skip
"""Every route there is. What stands here in no entry is answered with 404."""

_TIDY_S: Final = 10.0
_MAX_REFUSALS: Final = 1_000
_OTLP: Final = {route.path.rpartition("/")[2]: route for route in ingest.ROUTES}


class Server:
    """The parts of one server. Makes its directory and opens its storage; `start` and `stop` are its life.

    Raises SettingsError for settings that make no sense or would be unsafe.
    """

    def __init__(self, settings: ServerSettings, storage: Storage | None = None) -> None:
        refusal = guard.refuse_to_start(settings)
        if refusal is not None:
            raise SettingsError(refusal)
        self.settings = settings
        self.started_s = time.time()
        self.counters = Counters()
        self.data_dir = Path(settings.data_dir).expanduser().absolute()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.storage = storage if storage is not None else open_storage(storage_url(settings))
        self.accounts = Accounts(self.data_dir / "accounts.db")
        self.audit = Audit(self.data_dir / "audit.db", self.accounts)
        self.metrics = PrometheusMetrics(self.counters, self.started_s)
        self.metrics.watch_storage(self.storage)
        self.page = BuiltPage(Path(settings.web_dir).expanduser() if settings.web_dir else web.FOLDER)
        self.retention = Retention(self)
        self.ingest = Ingest(self)
        self.live = Live(self)
        self.forwarders = Forwarder(self)
        self.forwarders.watch(self.metrics)
        self.metrics.watch_retention(self.retention)
        self.metrics.watch_live(self.live)
        self.metrics.watch(
            "vestigo_waiting_bytes", "gauge", "Request bodies in work", lambda: self.ingest.waiting_bytes
        )
        self.rpc: Rpc | None = None
        self._questions = ThreadPoolExecutor(settings.query_threads, thread_name_prefix="vestigo-query")
        self._clerks = ThreadPoolExecutor(2, thread_name_prefix="vestigo-accounts")
        self._ending = threading.Event()
        self._tidier: threading.Thread | None = None
        self._refusals = 0
        self._strangers = Attempts(60, 10.0)

    @property
    def redactor(self) -> object:
        """What hides secrets on the way in; None where nothing is to be hidden."""
        return self.ingest.workers.preparer.redactor

    @property
    def prices(self) -> Prices:
        """What calls cost."""
        return self.ingest.workers.preparer.prices

    # --- life

    async def start(self) -> None:
        """Begin what runs beside the requests."""
        self._tidier = threading.Thread(target=self._tidy, name="vestigo-tidy", daemon=True)
        self._tidier.start()
        await asyncio.to_thread(self.forwarders.start)
        await asyncio.to_thread(self.retention.start)
        self.rpc = await asyncio.to_thread(
            open_rpc, self.settings, self.ingest.take_message, self._admit_rpc, self._observe_rpc
        )

    async def stop(self) -> None:
        """Finish what was taken, then close everything. Safe to call twice."""
        self._ending.set()
        await self.live.stop()
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        if self.rpc is not None:
            self.rpc.stop(self.settings.exit_timeout_s)
        self.retention.stop()
        self.ingest.close()
        self.forwarders.stop()
        self._questions.shutdown(cancel_futures=True)
        self._clerks.shutdown()
        self.audit.close()
        self.accounts.close()
        self.storage.close()

    def _tidy(self) -> None:
        while not self._ending.wait(_TIDY_S):
            with diagnostics.guard("tidy"):
                self.ingest.workers.tidy()

    # --- for routes

    async def ask(self, question: Callable[[], T]) -> T:
        """Run a blocking question in the bounded pool, within the time that a question may take."""

        def limited() -> T:
            with time_limit(self.settings.query_timeout_s):
                return question()

        return await asyncio.get_running_loop().run_in_executor(self._questions, limited)

    async def ask_accounts(self, work: Callable[[], T]) -> T:
        """Run blocking work on accounts or the audit log, which wait for nobody's questions."""
        return await asyncio.get_running_loop().run_in_executor(self._clerks, work)

    def note_refusal(self, entry: Entry) -> None:
        """Put a refused access into the audit log, while not too many wait: strangers fill neither memory nor disk."""
        stranger = network_of(entry.address) if entry.principal == "anonymous" else ""
        flood = stranger and self._strangers.wait_s(stranger) > 0
        if flood or self._refusals >= _MAX_REFUSALS or self._ending.is_set():
            self.counters.add("dropped.refusals")
            return
        if stranger:
            self._strangers.fail(stranger)
        self._refusals += 1
        self._clerks.submit(self._note_refusal, entry)

    def _note_refusal(self, entry: Entry) -> None:
        try:
            with diagnostics.guard("audit"):
                self.audit.note(entry)
        finally:
            self._refusals -= 1

    # --- for ingest

    def accepted(self, batch: Batch) -> None:
        """Tell the other parts of records that have been stored just now."""
        self.counters.add("stored.spans", len(batch.spans))
        self.counters.add("stored.logs", len(batch.logs))
        self.counters.add("stored.points", len(batch.points))
        self.forwarders.offer(batch)
        self.metrics.observe((span for span in batch.spans if span.end_ns is not None), batch.project)

    def _admit_rpc(self, headers: Mapping[str, str], peer: str) -> tuple[Principal, str]:
        """Who sends by gRPC, and to which project. Raises Failure."""
        del peer
        told = Headers({name: value for name, value in headers.items() if name != "cookie"})
        route = _OTLP["traces"]
        principal = self.gate.principal("POST", told, route)
        return principal, admit(principal, route, told.get("x-vestigo-project", ""), self.settings.project)

    def _observe_rpc(self, method: str, path: str, status: str, duration_s: float) -> None:
        self.metrics.observe_request(method, path, status, duration_s)

    @property
    def gate(self) -> Gate:
        """The ASGI application; made once."""
        if self._gate is None:
            self._gate = Gate(self, ROUTES)
        return self._gate

    _gate: Gate | None = None


def create_app(server: Server) -> Gate:
    """The ASGI application of a server. Its lifespan starts and stops the server."""
    return server.gate


def storage_url(settings: ServerSettings) -> str:
    """The storage that the settings name, or SQLite in the data directory."""
    return default_storage_url(Settings(storage=settings.storage, data_dir=settings.data_dir))


__all__ = [
    "ROUTES", "Call", "Failure", "Handler", "Principal", "Route", "Scope", "Server", "create_app", "storage_url",
]  # fmt: skip
