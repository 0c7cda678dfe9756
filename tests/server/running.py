"""`vestigo serve` as a process of its own on free ports, with a client that has a key for everything."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

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


class Running:
    """A started server. `told` is what it printed so far; `url` its address."""

    def __init__(self, data_dir, *flags, environ=None):
        self.data_dir = Path(data_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        accounts = Accounts(self.data_dir / "accounts.db")
        self.key = accounts.create_key("all", {"*": ["read", "write", "admin", "ingest"]}, "test")
        accounts.close()
        self.flags, self.environ = flags, environ or {}
        self.told = ""
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
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**environ, **self.environ})
        os.set_blocking(self.process.stderr.fileno(), False)
        self.told = ""
        self.hear(r"  open  .*\n")
        self.url = re.search(r"listens on (\S+)", self.told)[1]
        self.port = int(self.url.rpartition(":")[2])
        return self

    def hear(self, pattern, timeout_s=60):
        """Read on until the pattern was printed."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.told):
            select.select([self.process.stderr], [], [], 1)
            piece = self.process.stderr.read()
            self.told += (piece or b"").decode()
            assert piece != b"", f"it ended: {self.told}"
            assert time.monotonic() < deadline, self.told

    def client(self, **more):
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60, **more)

    def stop(self, how=signal.SIGTERM):
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.told += (self.process.stderr.read() or b"").decode()
            self.process.stderr.close()
        return code


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
