"""The live tail: what is written arrives, nothing is missed over a break, slow readers lose counted batches only."""

import asyncio
import json
import sqlite3
import threading
from contextlib import asynccontextmanager

import pytest
from served import BOT, CALL, OPEN, SHOP, STORAGES, T0, S, served

from vestigo import SQLiteTraceStorage
from vestigo.record import Batch, Log, Span
from vestigo.server import live
from vestigo.server.live import MAX_WAITING, Change, Listening, Rows, events
from vestigo.server.routes import Call, Failure

WAIT_S = 20


@pytest.fixture(params=STORAGES)
def server(request, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "INTERVAL_S", 0.01)
    with served(request.param, tmp_path) as (server, _):
        yield server


@pytest.fixture
def sqlite(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "INTERVAL_S", 0.01)
    with served("sqlite", tmp_path) as (server, _):
        yield server


def call_of(server):
    call = Call.__new__(Call)
    call.server, call.project = server, "default"
    return call


@asynccontextmanager
async def stream(server, of="spans", filter_=None, last=""):
    """A function that gives the next event as (name, id, data)."""
    rows = Rows(server.storage, "default", of, filter_)
    source = events(call_of(server), server.live, rows, last)

    async def following():
        while True:
            raw = (await asyncio.wait_for(anext(source), WAIT_S)).decode()
            fields = dict(line.split(": ", 1) for line in raw.splitlines() if ": " in line)
            if "event" in fields:
                return fields["event"], fields.get("id", ""), json.loads(fields["data"])

    try:
        yield following
    finally:
        await source.aclose()


def new_span(number, end=None, **more):
    return Span("c7" * 16, f"{number:016x}", f"new {number}", T0 + number, end_ns=end, **more)


async def test_new_open_and_finished_spans_arrive(server):
    """A span comes when it begins and again when it ends; what was there before does not come."""
    async with stream(server) as following:
        assert (await following())[0] == "ready"
        server.storage.write(Batch([new_span(1)]))
        name, _, data = await following()
        assert (name, [(row["name"], row["end_ns"]) for row in data["spans"]]) == ("batch", [("new 1", None)])
        server.storage.write(Batch([new_span(1, end=T0 + 9)]))
        _, _, data = await following()
        assert [(row["name"], row["end_ns"]) for row in data["spans"]] == [("new 1", str(T0 + 9))]


async def test_a_list_of_traces_gets_the_summaries_that_were_touched(server):
    """With the sums as they are now, for spans and for logs such as scores."""
    async with stream(server, "traces") as following:
        await following()
        server.storage.write(Batch([Span(BOT, OPEN, "nightly", T0 + 60 * S, end_ns=T0 + 61 * S)]))
        _, _, data = await following()
        assert [(row["trace_id"], row["open_spans"]) for row in data["traces"]] == [(BOT, 0)]
        server.storage.write(Batch([], [Log(T0, trace_id=SHOP, span_id=CALL, log_id="1e" * 16)]))
        _, _, data = await following()
        assert [row["trace_id"] for row in data["traces"]] == [SHOP]


async def test_only_what_matches_comes(server):
    """The filter means the same as in the list, relations included; no empty batch is sent."""
    from vestigo.filtertext import parse_filter

    async with stream(server, "spans", parse_filter("root(name:begin) -status:error")) as following:
        await following()
        server.storage.write(Batch([new_span(1)]))
        root = Span("d8" * 16, "f1" * 8, "begin", T0)
        inner = Span("d8" * 16, "f2" * 8, "inner", T0, "f1" * 8)
        server.storage.write(Batch([root, inner, Span("d8" * 16, "f3" * 8, "bad", T0, "f1" * 8, status="ERROR")]))
        _, _, data = await following()
        assert {row["name"] for row in data["spans"]} == {"begin", "inner"}


async def test_logs_can_be_followed(server):
    """By their own fields."""
    from vestigo.filtertext import parse_filter

    async with stream(server, "logs", parse_filter("level>=error")) as following:
        await following()
        server.storage.write(Batch([], [Log(T0, 9, "quiet"), Log(T0, 17, "loud")]))
        _, _, data = await following()
        assert [row["body"] for row in data["logs"]] == ["loud"]


async def test_a_stream_goes_on_where_it_broke_off(server):
    """With the id of the last event that came, what was written meanwhile comes first."""
    async with stream(server) as following:
        _, mark, _ = await following()
    for number in range(3):
        server.storage.write(Batch([new_span(number)]))
    server.storage.write(Batch([new_span(1, end=T0 + 5)]))
    async with stream(server, last=mark) as following:
        assert (await following())[0] == "ready"
        _, mark, data = await following()
        assert sorted((row["name"], row["end_ns"]) for row in data["spans"]) == [
            ("new 0", None), ("new 1", str(T0 + 5)), ("new 2", None),
        ]  # fmt: skip
        server.storage.write(Batch([new_span(9)]))
        _, _, data = await following()
        assert [row["name"] for row in data["spans"]] == ["new 9"]


async def test_what_another_process_writes_arrives(sqlite):
    """SQLite is asked, not this process's writes."""
    other = SQLiteTraceStorage(sqlite.storage.path)
    async with stream(sqlite) as following:
        await following()
        await asyncio.to_thread(other.write, Batch([new_span(1)]))
        _, _, data = await following()
        assert [row["name"] for row in data["spans"]] == ["new 1"]
    other.close()


async def test_a_slow_reader_loses_the_oldest_and_is_told(sqlite):
    """At most so many changes wait; how many were lost is told and counted."""
    async with sqlite.live.listen("default") as listener:
        for number in range(MAX_WAITING + 5):
            listener.offer(Change([new_span(number)], [], str(number)))
        assert len(listener.waiting) == MAX_WAITING
        assert (listener.lost, listener.waiting[0].mark) == (5, "5")
    async with stream(sqlite) as following:
        await following()
        (listener,) = sqlite.live._listeners["default"]
        for number in range(MAX_WAITING + 5):
            listener.offer(Change([new_span(number)], [], str(number)))
        assert await following() == ("lost", "", {"changes": 5})
        assert (await following())[1] == "5"
    assert sqlite.counters.get("dropped.live") == 5


async def test_listeners_share_one_poller_that_ends_with_the_last(sqlite):
    """Nobody listens: nothing runs. Too many are refused."""
    assert not sqlite.live._pollers
    async with stream(sqlite) as one, stream(sqlite, "traces") as two:
        await one()
        await two()
        assert (sqlite.live.listeners, len(sqlite.live._pollers)) == (2, 1)
        sqlite.storage.write(Batch([new_span(1)]))
        assert (await one())[2]["spans"]
        assert (await two())[2]["traces"]
    assert (sqlite.live.listeners, sqlite.live._pollers) == (0, {})


async def test_too_many_streams_are_refused(sqlite, monkeypatch):
    """503 with a time to try again."""
    monkeypatch.setattr(live, "MAX_LISTENERS", 1)
    async with sqlite.live.listen("default"):
        with pytest.raises(Failure, match="live tails are open"):
            async with sqlite.live.listen("default"):
                pass


async def test_many_rows_are_cut_and_counted(sqlite, monkeypatch):
    """An event is bounded; the rest is told as left out."""
    monkeypatch.setattr(live, "MAX_ROWS", 3)
    spans = [new_span(number) for number in range(5)]
    assert len(Rows(sqlite.storage, "default", "spans", None).of(Change(spans, [], "")).spans) == 3
    assert Rows(sqlite.storage, "default", "spans", None).of(Change(spans, [], "")).left_out == 2


async def test_a_quiet_stream_sends_comments(sqlite, monkeypatch):
    """So that proxies and clients know that it lives."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)
    source = events(call_of(sqlite), sqlite.live, Rows(sqlite.storage, "default", "spans", None), "")
    await anext(source)
    assert (await anext(source)).startswith(b":")
    await source.aclose()


async def test_a_storage_that_fails_for_a_while_ends_no_stream(sqlite, monkeypatch):
    """It is counted, and afterwards what was written comes."""
    broken, failed = True, threading.Event()
    real = sqlite.storage.changes

    def changes(project, mark):
        if broken and mark is not None:
            failed.set()
            raise sqlite3.OperationalError("gone")
        return real(project, mark)

    monkeypatch.setattr(sqlite.storage, "changes", changes)
    async with stream(sqlite) as following:
        await following()
        sqlite.storage.write(Batch([new_span(1)]))
        assert await asyncio.to_thread(failed.wait, WAIT_S)
        broken = False
        assert [row["name"] for row in (await following())[2]["spans"]] == ["new 1"]
    assert sqlite.counters.get("failed.live") >= 1


async def test_the_end_of_the_server_ends_its_streams(sqlite):
    """The last event is read, then the stream ends by itself."""
    source = events(call_of(sqlite), sqlite.live, Rows(sqlite.storage, "default", "spans", None), "")
    await anext(source)
    await sqlite.live.stop()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(source), WAIT_S)


def test_parameters_are_checked_before_the_stream_begins(tmp_path):
    """A bad filter, mark or trace id is 400, as everywhere."""
    assert Listening().of == "traces"
    with served("memory", tmp_path) as (_, client):
        for params in ({"q": "modle:x"}, {"of": "logs", "q": "model:x"}, {"trace_id": "1"}, {"of": "metrics"}):
            assert client.get("/api/live", params=params).status_code == 400
        assert client.get("/api/live", headers={"last-event-id": "nonsense"}).status_code == 400
