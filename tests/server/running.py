"""`vestigo serve` as a process of its own on free ports, with a client that has a key for everything."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import uvicorn

from vestigo.server import Server, create_app
from vestigo.server.accounts import Accounts
from vestigo.settings import ServerSettings

TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


def wait_until(condition, timeout_s=60):
    """Ask again and again until it holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def children_of(pid):
    """Of all threads of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


class Running:
    """A server that can be started and ended again and again."""

    def __init__(self, data_dir, *flags, environ=None):
        self.data_dir = Path(data_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        accounts = Accounts(self.data_dir / "accounts.db")
        self.key = accounts.create_key("all", {"*": ["read", "write", "admin", "ingest"]}, "test")
        accounts.close()
        self.flags, self.environ = flags, environ or {}
        self.log = self.data_dir / "own.log"
        self.process = None

    def start(self):
        """Returns when it has printed where it listens."""
        flags = list(self.flags)
        if "--port" not in flags:
            flags += ["--port", "0"]
        if "--grpc-port" not in flags:
            flags += ["--grpc-port=-2"]
        command = [sys.executable, "-m", "vestigo.cli", "serve", "--data-dir", str(self.data_dir), *flags]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VESTIGO_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env={**environ, **self.environ})
        self.hear(r"  open  .*\n")
        self.url = re.search(r"listens on (\S+)", self.told)[1]
        self.port = urlsplit(self.url).port
        return self

    def hear(self, pattern, timeout_s=60):
        """Wait until it has printed what the pattern finds."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.told):
            assert self.process.poll() is None, f"it ended: {self.told}"
            assert time.monotonic() < deadline, self.told
            time.sleep(0.01)

    @property
    def told(self):
        """What it has printed since its start."""
        return self.log.read_text(encoding="utf-8")

    def client(self, **more):
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60, **more)

    def stop(self, how=signal.SIGTERM):
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def running(data_dir, *flags, environ=None):
    server = Running(data_dir, *flags, environ=environ).start()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


@contextmanager
def listening(directory, **settings):
    """(server, HTTP port, gRPC port) of a server in this process, on SQLite: quicker to start than one of its own."""
    chosen = {"grpc_port": 0, "ingest_workers": 0, **settings}
    server = Server(ServerSettings(data_dir=str(directory), **chosen))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        config = uvicorn.Config(create_app(server), lifespan="on", log_config=None, ws="none")
        web = uvicorn.Server(config)
        thread = threading.Thread(target=web.run, args=([sock],))
        thread.start()
        try:
            port = sock.getsockname()[1]
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=60).status_code == 200
            yield server, port, server.rpc.port if server.rpc else 0
        finally:
            web.should_exit = True
            thread.join()
