"""A server over each storage with a few known traces, and a client with a key: for tests of `/api`."""

import asyncio
from contextlib import contextmanager

from starlette.testclient import TestClient

from vestigo import semconv
from vestigo.record import Batch, Event, Log, Point, Resource, Scope, Span
from vestigo.server import Server, create_app
from vestigo.settings import ServerSettings

STORAGES = ("memory", "file", "sqlite")
ORIGIN = "http://127.0.0.1:4318"
T0 = 1_790_000_000_000_000_000
S = 1_000_000_000
SHOP, BOT = "a1" * 16, "b2" * 16
ROOT, CALL, TOOL, OPEN = "01" * 8, "02" * 8, "03" * 8, "04" * 8


def text(role, content):
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def records():
    """Two traces: a shop's with a call and a failed tool, a bot's that is still open; logs and a score."""
    shop = Resource({semconv.SERVICE_NAME: "shop", semconv.ENVIRONMENT: "prod"})
    base = {"session.id": "s1", "user.id": "ann", "tags": ["gold", "new"]}
    call = {
        **base, semconv.OPERATION: "chat", semconv.PROVIDER: "openai", semconv.REQUEST_MODEL: "gpt-4o",
        semconv.INPUT_TOKENS: 1_000, semconv.OUTPUT_TOKENS: 100, semconv.COST_USD: 0.25, semconv.TTFT_S: 0.5,
        semconv.INPUT_MESSAGES: [text("system", "be kind"), text("user", "where is my refund?")],
        semconv.OUTPUT_MESSAGES: [text("assistant", "it is on its way")],
    }  # fmt: skip
    failure = {semconv.EXCEPTION_TYPE: "TimeoutError", semconv.EXCEPTION_MESSAGE: "no answer from 10.0.0.7 in 30 s"}
    spans = [
        Span(SHOP, ROOT, "POST /chat", T0, end_ns=T0 + 10 * S, kind="SERVER", attributes=dict(base), resource=shop),
        Span(
            SHOP, CALL, "chat gpt-4o", T0 + S, ROOT, T0 + 3 * S, attributes=call, resource=shop, scope=Scope("t", "1")
        ),
        Span(
            SHOP, TOOL, "execute_tool search", T0 + 4 * S, ROOT, T0 + 5 * S, status="ERROR", resource=shop,
            status_message="no answer", events=[Event(T0 + 5 * S, "exception", failure)],
            attributes={semconv.OPERATION: "execute_tool", semconv.TOOL_NAME: "search"},
        ),
        Span(
            BOT, OPEN, "nightly", T0 + 60 * S, attributes={"user.id": "bob"}, resource=Resource({"service.name": "bot"})
        ),
    ]  # fmt: skip
    score = {semconv.EVALUATION_NAME: "helpful", semconv.EVALUATION_SCORE: 0.5, semconv.EVALUATION_EXPLANATION: "meh"}
    logs = [
        Log(T0 + 2 * S, 17, {"message": "slow"}, "slow.call", {"n": 2**60}, SHOP, CALL, log_id="l1" * 16),
        Log(T0 + 9 * S, 9, None, semconv.EVALUATION_EVENT, score, SHOP, CALL, log_id="l2" * 16),
        Log(T0 + 9 * S, 9, "loose", log_id="l3" * 16),
    ]
    points = [
        Point("queue.depth", T0 + S, value=7, resource=shop),
        Point(
            "latency",
            T0 + 2 * S,
            "histogram",
            T0,
            unit="s",
            count=3,
            sum=4.5,
            bounds=[1.0],
            buckets=[1, 2],
            resource=shop,
        ),
    ]
    return Batch(spans, logs, "default", points)


@contextmanager
def served(kind, directory, *, empty=False, app=create_app, **settings):
    """(server, client with a key for everything)."""
    urls = {"memory": "memory://", "file": f"file:///{directory}/traces", "sqlite": f"sqlite:///{directory}/traces.db"}
    chosen = {"grpc_port": -2, "ingest_workers": 0, **settings}
    server = Server(ServerSettings(data_dir=str(directory / "data"), storage=urls[kind], **chosen))
    try:
        if not empty:
            server.storage.write(records())
        token = server.accounts.create_key("all", {"*": ["read", "write", "admin", "ingest"]}, "test")
        client = TestClient(app(server), base_url=ORIGIN, raise_server_exceptions=True)
        client.headers["authorization"] = f"Bearer {token}"
        yield server, client
    finally:
        asyncio.run(server.stop())
