"""An OTLP/HTTP server on 127.0.0.1 that keeps what it gets and misbehaves as told."""

import gzip
import http.server
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from vestigo import otlp


class Sink:
    """`mode` may be changed at any time; `script` goes before it, one entry for each request."""

    def __init__(self, mode="ok", script=()):
        self.mode = mode
        self.script = list(script)
        self.requests = []
        """(monotonic time, path, headers, status) of each request that was read to its end."""
        self.ids = []
        """Span and log ids as they came, repeated where they came again."""
        self.spans, self.logs, self.points = [], [], []
        self.release = threading.Event()
        self.arrived = threading.Condition()
        self.vestigo = False
        self.largest = None
        """Records above this number are answered 413."""

    @property
    def distinct(self):
        return set(self.ids)

    def wait(self, condition, timeout_s=20):
        """Until `condition()` holds after some request."""
        with self.arrived:
            assert self.arrived.wait_for(condition, timeout_s), f"{len(self.requests)} requests, {len(self.ids)} ids"

    def take(self, found):
        """Keep the records of a request."""
        with self.arrived:
            self.spans += found.spans
            self.logs += found.logs
            self.points += found.points
            self.ids += [span.span_id for span in found.spans] + [log.log_id for log in found.logs]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its headers
    sink: Sink

    def do_POST(self):
        sink = self.sink
        mode = sink.script.pop(0) if sink.script else sink.mode
        if mode == "reset":
            self.cut()
            return
        if isinstance(mode, tuple) and mode[0] == "reset after":
            self.rfile.read(mode[1])
            self.cut()
            return
        if mode == "early 413":
            self.answer(413, b"", {"Connection": "close"})
            self.cut()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        form = "json" if self.headers["Content-Type"] == "application/json" else "protobuf"
        found = otlp.decode(self.path.rpartition("/")[2], form, body)
        assert not found.rejected, found.reasons
        if mode == "hang":
            sink.release.wait(60)
            self.cut()
            return
        if mode == "drip":
            self.drip()
            return
        if mode == "answer lost" or (isinstance(mode, tuple) and mode[0] == "cut answer"):
            self.note(200)
            sink.take(found)
            whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            self.wfile.write(whole[: mode[1]] if isinstance(mode, tuple) else b"")
            self.cut()
            return
        self.reply(mode, found)

    def reply(self, mode, found):
        sink = self.sink
        headers, status, body = {}, 200, b"{}"
        match mode:
            case "slow":
                sink.release.wait(0.5)
            case ("retry in", status, delay):
                headers = {"Retry-After": str(delay)}
            case ("retry at", status, delay):
                headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=delay), usegmt=True)}
            case ("reject", count):
                body = otlp.answer(self.path.rpartition("/")[2], "json", count, "no thanks")
            case int():
                status, headers = mode, {"Location": "/elsewhere"} if 300 <= mode < 400 else {}
        if sink.largest is not None and len(found.spans) + len(found.logs) > sink.largest:
            status = 413
        if status == 200:
            sink.take(found)
        self.answer(status, body, headers)

    def note(self, status):
        with self.sink.arrived:
            self.sink.requests.append((time.monotonic(), self.path, dict(self.headers), status))
            self.sink.arrived.notify_all()

    def answer(self, status, body, headers=None):
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.sink.vestigo:
            self.send_header("X-Vestigo-Takes", "open")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self):
        """An answer that never ends, a byte at a time: each byte in time, the whole never."""
        self.note(200)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
            if self.sink.release.wait(0.02):
                break
            self.wfile.write(bytes([byte]))
        self.cut()

    def cut(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Clients go as they please."""


@contextmanager
def sink(mode="ok", script=(), port=0):
    """A running sink, with its address in `url`."""
    kept = Sink(mode, script)
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"sink": kept}))
    kept.url = f"http://127.0.0.1:{server.server_port}"
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
