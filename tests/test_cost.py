"""What a span costs, counted: Python calls and files, and what `import vestigo` loads."""

import subprocess
import sys

from vestigo import InMemoryTraceStorage, Tracer

LIMITS = {"calls": 12, "files": 2, "off": 2}


def calls_of(work):
    """(file, function) of each Python call that the work makes, itself left out."""
    seen = []

    def note(frame, event, _):
        if event == "call":
            seen.append((frame.f_code.co_filename, frame.f_code.co_name))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen[1:]


def test_a_span_with_three_attributes_costs_few_calls_in_two_files():
    """At most 12 Python calls in at most 2 files, below a trace."""
    tracer = Tracer("cost", InMemoryTraceStorage())

    def work():
        with tracer.span("work"):
            tracer.attribute("a", 1)
            tracer.attribute("b", "two")
            tracer.attribute("c", 3.0)

    with tracer.trace("root"):
        work()
        calls = calls_of(work)
    assert len(calls) <= LIMITS["calls"], calls
    assert len({file for file, _ in calls}) <= LIMITS["files"], calls
    tracer.close()


def test_a_span_that_is_off_or_not_sampled_costs_two_calls():
    """Making it and entering it; leaving it costs none."""
    off = Tracer("cost", InMemoryTraceStorage(), disabled=True)

    def work_off():
        with off.span("work"):
            pass

    assert len(calls_of(work_off)) <= LIMITS["off"]
    unsampled = Tracer("cost", InMemoryTraceStorage(), sample_rate=0.0)

    def work():
        with unsampled.span("work"):
            pass

    with unsampled.trace("root"):
        assert len(calls_of(work)) <= LIMITS["off"]
    off.close()
    unsampled.close()


def test_importing_the_package_loads_next_to_nothing():
    """No third-party module beyond msgspec, and of the standard library nothing heavy."""
    program = "import sys; before = set(sys.modules); import vestigo; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded <= set(sys.stdlib_module_names) | {"vestigo", "msgspec"}
    assert not loaded & {"asyncio", "http", "socket", "ssl", "sqlite3", "logging"}
