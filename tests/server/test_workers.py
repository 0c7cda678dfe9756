"""Children that prepare requests: started when requests wait, ended when idle, and no request is lost with one."""

import threading

import pytest

from vestigo import otlp
from vestigo.diagnostics import Counters
from vestigo.errors import IngestError
from vestigo.record import Span
from vestigo.server import workers as workers_module
from vestigo.server.workers import Workers
from vestigo.settings import ServerSettings


def request(first):
    spans = [Span(f"{first + n:032x}", f"{n + 1:016x}", "s" * 300, 1, end_ns=2) for n in range(1, 400)]
    return otlp.encode("traces", "protobuf", spans)


def fail(error):
    def failing(_):
        raise error

    return failing


@pytest.fixture
def workers():
    made = Workers(ServerSettings(), Counters())
    yield made
    made.close()


def prepare_at_once(workers, many):
    """Prepare several requests from as many threads that start together."""
    barrier, found = threading.Barrier(many), []

    def work(number):
        barrier.wait()
        found.append(workers.prepare("traces", "protobuf", request(number * 1_000), "p"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_children_start_when_requests_wait_and_end_when_idle(workers, monkeypatch):
    """One request at a time needs none; several at once do; tidy ends them after a while without work."""
    workers.prepare("traces", "protobuf", request(1), "p")
    assert workers.children == []
    assert sum(len(one.batch) for one in prepare_at_once(workers, 4)) == 4 * 399
    assert workers.children != []
    workers.tidy()
    assert workers.children != []
    monkeypatch.setattr(workers_module, "_IDLE_S", -1.0)
    workers.tidy()
    assert workers.children == []


def test_small_requests_are_prepared_where_they_arrive(workers):
    """Handing them over would cost as much."""
    small = otlp.encode("traces", "protobuf", [Span("a" * 32, "b" * 16, "s", 1, end_ns=2)])
    prepare_at_once(workers, 3)
    workers.children[0].process.kill()  # a request that went there would count as failed
    assert len(workers.prepare("traces", "protobuf", small, "p").batch) == 1
    assert workers._counters.get("failed.worker") == 0


def test_a_killed_child_costs_no_request(workers):
    """Its request is prepared here, which is counted, and the next child is new."""
    prepare_at_once(workers, 3)
    for child in workers.children:
        child.process.kill()
    assert sum(len(one.batch) for one in prepare_at_once(workers, 3)) == 3 * 399


def test_a_child_ends_with_its_pipe(workers):
    """Also where the server was killed and could not end it."""
    prepare_at_once(workers, 3)
    (child,) = workers.children
    child._pipe.close()
    child.process.join(30)
    assert child.process.exitcode == 0


def test_a_child_refuses_what_cannot_be_read(workers):
    """The error comes through as it is."""
    prepare_at_once(workers, 3)
    with pytest.raises(IngestError):
        workers.prepare("traces", "protobuf", b"\xff" * 100_000, "p")


def test_children_that_cannot_be_started_again_cost_no_request(workers, monkeypatch):
    """Requests are prepared here meanwhile, none waits for a child that is not there, and later there are some."""
    prepare_at_once(workers, 3)
    for child in workers.children:
        child.process.kill()
    with monkeypatch.context() as patch:
        patch.setattr(workers_module, "Child", fail(OSError))
        assert sum(len(one.batch) for one in prepare_at_once(workers, 4)) == 4 * 399
        assert workers.children == []
    assert sum(len(one.batch) for one in prepare_at_once(workers, 4)) == 4 * 399
    assert workers.children != []


def test_an_answer_that_was_not_read_is_nobody_elses(workers, monkeypatch):
    """What one request left in the pipe must not answer the next, which may be of another project."""
    prepare_at_once(workers, 3)
    with monkeypatch.context() as patch:
        patch.setattr(workers_module, "_decode_outcome", fail(MemoryError))
        assert len(workers.prepare("traces", "protobuf", request(1_000), "one").batch) == 399
    for first in (2_000, 3_000):
        batch = workers.prepare("traces", "protobuf", request(first), "two").batch
        assert (batch.project, batch.spans[0].trace_id) == ("two", f"{first + 1:032x}")


def test_requests_in_work_at_the_end_are_prepared(workers):
    """Also those that wait for a child."""
    prepare_at_once(workers, 3)
    held = workers._idle.get()
    idle, found = workers._idle, []
    thread = threading.Thread(
        target=lambda: found.append(workers.prepare("traces", "protobuf", request(1_000), "p")), daemon=True
    )
    thread.start()
    while not workers._in_work:
        thread.join(0.01)
    workers.close()
    idle.put(held)
    thread.join(30)
    assert [len(one.batch) for one in found] == [399]
