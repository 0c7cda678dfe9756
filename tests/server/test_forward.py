"""OTLP out: what was accepted goes on to others, filtered, without content where asked, from a spool."""

import sys
from pathlib import Path

import pytest

from vestigo.errors import SettingsError
from vestigo.record import Batch, Log, Point, Resource, Span
from vestigo.server.forward import Figures, Forwarder
from vestigo.settings import ServerSettings

sys.path.insert(0, str(Path(__file__).parent.parent / "sdk"))

from sink import sink

TRACE = "0af7651916cd43dd8448eb211c80319c"


class Server:
    """What a forwarder needs of a server."""

    def __init__(self, data_dir, **settings):
        self.settings = ServerSettings(**settings)
        self.data_dir = data_dir


@pytest.fixture
def forwarder_to(tmp_path):
    """Makes started forwarders, stopped at the end."""
    made = []

    def forwarder(*urls, **settings):
        made.append(Forwarder(Server(tmp_path, forward=urls, **settings)))
        made[-1].start()
        return made[-1]

    yield forwarder
    for one in made:
        one.stop(0.1)


def span(number, service="shop", **attributes):
    return Span(
        TRACE, f"{number + 1:016x}", f"s{number}", 1_000, end_ns=2_000, attributes=attributes,
        resource=Resource({"service.name": service}),
    )  # fmt: skip


def test_what_was_accepted_arrives_at_every_receiver(forwarder_to):
    """Spans, logs and points, with the project and the receiver's headers."""
    batch = Batch([span(n) for n in range(3)], [Log(5, body="x", log_id="a" * 32)], "shop", [Point("p", 7, value=1)])
    with sink() as one, sink() as two:
        forwarder = forwarder_to(one.url, two.url, forward_headers={"X-Key": "k"})
        forwarder.offer(batch)
        for server in (one, two):
            server.wait(lambda server=server: len(server.requests) == 3)
            assert server.spans == batch.spans
            assert server.logs == batch.logs
            assert [point.name for point in server.points] == ["p"]
            assert {headers["X-Vestigo-Project"] for _, _, headers, _ in server.requests} == {"shop"}
            assert {headers["X-Key"] for _, _, headers, _ in server.requests} == {"k"}
        forwarder.stop()
        assert forwarder.figures() == {one.url: Figures(5, 0, 0), two.url: Figures(5, 0, 0)}


def test_a_filter_lets_through_what_matches(forwarder_to):
    """Spans by any field; logs and points by those that they have, and not at all by others."""
    batch = Batch(
        [span(0), span(1, "internal")],
        [Log(1, log_id="a" * 32, resource=Resource({"service.name": name})) for name in ("shop", "internal")],
        points=[Point(name, 1, value=1, resource=Resource({"service.name": name})) for name in ("shop", "internal")],
    )
    with sink() as server:
        forwarder = forwarder_to(server.url, forward_filter="-service:internal")
        forwarder.offer(batch)
        server.wait(lambda: len(server.requests) == 3)
        assert [one.name for one in server.spans] == ["s0"]
        assert [log.resource.attributes["service.name"] for log in server.logs] == ["shop"]
        assert [point.name for point in server.points] == ["shop"]
    with sink() as server:
        forwarder = forwarder_to(server.url, forward_filter="name:s1")
        forwarder.offer(batch)
        server.wait(lambda: server.requests)
        forwarder.stop()
        assert ([one.name for one in server.spans], server.logs, server.points) == (["s1"], [], [])


def test_content_stays_here_where_asked(forwarder_to):
    """And the server's own records are as they were."""
    asked = span(0, **{"gen_ai.input.messages": "what is my balance", "gen_ai.usage.input_tokens": 5})
    with sink() as server:
        forwarder = forwarder_to(server.url, forward_content=False)
        forwarder.offer(Batch([asked]))
        server.wait(lambda: server.spans)
        assert server.spans[0].attributes == {"gen_ai.usage.input_tokens": 5, "vestigo.content": "not forwarded"}
    assert asked.attributes["gen_ai.input.messages"] == "what is my balance"


def test_a_receiver_that_is_away_gets_it_later(forwarder_to, tmp_path):
    """From the spool in the data directory, also by the next server; what was offered is never refused."""
    with sink(503) as server:
        forwarder = forwarder_to(server.url)
        forwarder.offer(Batch([span(n) for n in range(10)]))
        server.wait(lambda: server.requests)
        assert forwarder.figures()[server.url].waiting_bytes > 0
        forwarder.stop(0)
        assert list((tmp_path / "forward").rglob("*.spool"))
        server.mode = "ok"
        second = forwarder_to(server.url)
        server.wait(lambda: len(server.spans) == 10)
        second.stop()
        assert second.figures()[server.url] == Figures(10, 0, 0)
    assert not list((tmp_path / "forward").rglob("*.spool"))


def test_a_disk_that_takes_nothing_costs_the_receiver_and_nobody_else(forwarder_to, tmp_path):
    """Dropped and counted, without waiting for the receiver."""
    (tmp_path / "forward").write_text("no directory", encoding="utf-8")
    with sink("hang") as server:
        forwarder = forwarder_to(server.url)
        forwarder.offer(Batch([span(n) for n in range(7)]))
        assert not server.requests
        assert forwarder.figures()[server.url] == Figures(0, 0, 7)


def test_a_record_that_cannot_be_filtered_harms_nothing(forwarder_to):
    """Whatever is wrong with it; it has been accepted already."""
    with sink() as server:
        forwarder = forwarder_to(server.url, forward_filter="name:x", forward_content=False)
        forwarder.offer(Batch([None]))
        assert forwarder.figures()[server.url].dropped == 1


def test_what_is_erased_leaves_the_spools(forwarder_to, tmp_path):
    """The erased records and no others; no byte of them is left in any file."""
    with sink(("retry in", 503, 60)) as server:
        forwarder = forwarder_to(server.url)
        forwarder.offer(Batch([span(n, user=f"user-{n % 2}") for n in range(10)]))
        forwarder.offer(Batch([span(10, user="user-1")]))
        server.wait(lambda: server.requests)
        assert forwarder.erase(lambda record: record.attributes.get("user") == "user-1") == 6
        assert forwarder.figures()[server.url].dropped == 6
        forwarder.stop(0)
        server.mode = "ok"
        forwarder_to(server.url).stop(10)
        assert {one.attributes["user"] for one in server.spans} == {"user-0"}
        assert len(server.spans) == 5


def test_figures_are_shown_to_prometheus(forwarder_to):
    """By receiver, under their names."""
    shown = {}

    class Metrics:
        def watch(self, name, kind, about, read, labels=()):
            shown[name] = (kind, read, labels)

    with sink() as server:
        forwarder = forwarder_to(server.url)
        forwarder.watch(Metrics())
        forwarder.offer(Batch([span(0)]))
        server.wait(lambda: server.spans)
        forwarder.stop()
        kind, read, labels = shown["vestigo_forwarded_records"]
        assert (kind, read(), labels) == ("counter", {(server.url,): 1}, ("receiver",))
        assert shown["vestigo_forward_waiting_bytes"][1]() == {(server.url,): 0}
        assert shown["vestigo_forward_dropped_records"][1]() == {(server.url,): 0}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"forward": ("localhost:4317",)}, "no http address"),
        ({"forward": ("http://localhost:4318",)}, "this server itself"),
        ({"forward": ("http://x",), "forward_filter": "modle:x"}, "did you mean 'model'"),
        ({"forward": ("http://x",), "forward_filter": "-(a or root(name:x))"}, "whole trace"),
        ({"forward": ("http://x",), "forward_headers": {"X A": "b"}}, "header"),
    ],
)
def test_a_mistake_is_told_at_the_start(tmp_path, settings, told):
    """SettingsError before the server takes anything."""
    with pytest.raises(SettingsError, match=told):
        Forwarder(Server(tmp_path, **settings))


def test_without_receivers_nothing_happens(forwarder_to, tmp_path):
    """No thread, no directory."""
    forwarder = forwarder_to()
    forwarder.offer(Batch([span(0)]))
    assert forwarder.figures() == {}
    assert list(tmp_path.iterdir()) == []
