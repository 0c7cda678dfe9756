"""`vestigo serve`: settings from flags, the environment and a TOML file; one port; a clean end on SIGTERM."""

import argparse
import asyncio
import importlib.util
import json
import logging
import signal
import socket
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from vestigo.cli.render import paint
from vestigo.errors import SettingsError
from vestigo.settings import ServerSettings, load_server_settings, server_value

if TYPE_CHECKING:
    from vestigo.server import Server

_NEEDED: Final = ("starlette", "uvicorn", "argon2", "authlib", "httpx2")


def serve(given: argparse.Namespace) -> int | None:
    """Run a server until it is told to stop."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(f"the server needs {', '.join(missing)}; install them with: pip install 'vestigo[server]'")
    settings = load_server_settings(options(given), config=given.config)
    log_to_stderr(settings)
    from vestigo.server.guard import refuse_to_start

    refusal = refuse_to_start(settings)  # before anything listens
    if refusal is not None:
        raise SettingsError(refusal)
    sock = listen(settings)
    from vestigo.server import Server

    server = Server(settings)
    signal.signal(signal.SIGTERM, _end)
    try:
        asyncio.run(run(server, sock, announce=True))
    finally:
        sock.close()
    return None


def _end(number: int, frame: FrameType | None) -> None:
    """A clean end: uvicorn sends itself the signal again when it has stopped."""
    del number, frame
    sys.exit(0)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The flags of `serve`: the most used settings by name, every other by `--set`."""
    parser.add_argument("--storage", metavar="URL", help="where records lie (default: SQLite in the data directory)")
    parser.add_argument("--data-dir", metavar="DIR", help="storage, keys, users, audit log (default: ~/.vestigo)")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port of OTLP/HTTP, the API and the page (default: 4318)")
    parser.add_argument("--grpc-port", type=int, help="port of OTLP/gRPC (default: 4317 where grpcio is installed)")
    parser.add_argument("--forward", action="append", metavar="URL", help="send on what was accepted; may be repeated")
    parser.add_argument("--allowed-hosts", action="append", metavar="NAME", help="a name that requests may come by")
    parser.add_argument("--behind-proxy", action="store_true", default=None, help="a proxy in front ends TLS")
    parser.add_argument("--tls-certificate", metavar="FILE", help="PEM file of the certificate chain")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of its key")
    parser.add_argument("--config", metavar="FILE", help="TOML file (default: vestigo.toml in the data directory)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="more",
        help="any other setting (docs/settings.md)",
    )


def options(given: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given as flags. Raises SettingsError for a --set that is none."""
    fields = ServerSettings.__struct_fields__
    found: dict[str, Any] = {name: value for name in fields if (value := getattr(given, name, None)) is not None}
    for pair in getattr(given, "more", []):
        name, equals, text = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set {pair!r} has no '='; give NAME=VALUE")
        found[name.strip().replace("-", "_")] = server_value(name.strip().replace("-", "_"), text)
    return found


def listen(settings: ServerSettings) -> socket.socket:
    """The socket that the settings ask for. Raises SettingsError where it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        where = f"{settings.host}:{settings.port}"
        raise SettingsError(
            f"cannot listen on {where}: {error.strerror}; give --port, or end who listens there"
        ) from None
    sock.listen(2048)
    return sock


async def run(server: "Server", sock: socket.socket, *, announce: bool) -> None:
    """Serve on a listening socket until SIGTERM or SIGINT."""
    import uvicorn

    from vestigo.server import create_app
    from vestigo.server.prepare import collect_seldom

    collect_seldom()
    settings = server.settings
    config = uvicorn.Config(
        create_app(server), lifespan="on", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=int(settings.exit_timeout_s),
        ssl_certfile=settings.tls_certificate or None, ssl_keyfile=settings.tls_key or None,
        timeout_keep_alive=65, h11_max_incomplete_event_size=64 * 1024, ws="none",
    )  # fmt: skip

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if announce and self.started:
                tell(server, sock.getsockname()[1])

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await server.live.stop()  # streams do not end by themselves, and an end waits for requests
            await super().shutdown(sockets)

    await Announcing(config).serve(sockets=[sock])


def tell(server: "Server", port: int) -> None:
    """Print where the server is, and a link that logs in once."""
    from vestigo.server import storage_url
    from vestigo.server.guard import is_loopback

    settings = server.settings
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{scheme}://{host}:{port}{settings.root_path}"
    lines = [
        f"{paint('vestigo', 'bold')} listens on {address}",
        f"  storage   {storage_url(settings)}",
        f"  send      OTEL_EXPORTER_OTLP_ENDPOINT={address}",
    ]
    if server.rpc is not None:
        lines.append(f"  gRPC      {host}:{server.rpc.port}")
    if is_loopback(settings.host):
        lines.append(f"  open      {address}/login?token={server.accounts.one_time_link()}   (once, within 10 minutes)")
    else:
        lines.append("  open      `vestigo link` prints a link that logs in once; `vestigo key create` makes keys")
    print("\n".join(lines), file=sys.stderr, flush=True)


def log_to_stderr(settings: ServerSettings) -> None:
    """The server's own log: lines for people, or JSON for machines. Never what records say."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Lines() if settings.log_format == "text" else _Json())
    for name in ("vestigo", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [out]
        logger.setLevel(settings.log_level if name == "vestigo" else "WARNING")
        logger.propagate = False


class _Lines(logging.Formatter):
    converter = time.gmtime

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


__all__ = ["add_options", "listen", "log_to_stderr", "options", "run", "serve", "tell"]
