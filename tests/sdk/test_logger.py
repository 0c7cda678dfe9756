"""LLMLogger, the handler and formatter of `logging`, the structlog processor, and the guide's code."""

import copy
import io
import json
import logging
import logging.config
import logging.handlers
import multiprocessing
import pickle
import queue
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from vestigo.diagnostics import counters
from vestigo.errors import SettingsError
from vestigo.record import METADATA_PREFIX
from vestigo.sdk.logger import JSONFormatter, LLMLogger, StructlogProcessor, VestigoHandler
from vestigo.sdk.tracer import RemoteParent, Tracer, attach, current_span

GUIDE = Path(__file__).parents[2] / "docs" / "logging.md"
SECRET = "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5q" * 2  # made up for the test
CONTENT = "the customer said something private"


class Kept:
    """An exporter that keeps what it gets."""

    def __init__(self):
        self.logs = []
        self.spans = []

    def write(self, batch):
        self.logs += batch.logs
        self.spans += batch.spans

    def close(self): ...


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def tracer(kept):
    tracer = Tracer("shop", kept)
    yield tracer
    tracer.close()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def app(request):
    """A logger of `logging` that nobody else has, pytest included."""
    return logging.Logger(f"app.{request.node.name}", logging.DEBUG)  # noqa: LOG001  no part of the tree


def lines(stream):
    text = stream.getvalue()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def only(items):
    assert len(items) == 1, items
    return items[0]


class counted:  # noqa: N801
    """How much a counter of the process grew in a block."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = counters.get(self.name)
        return self

    def __exit__(self, *_):
        self.more = counters.get(self.name) - self.before


# --- LLMLogger: what a line holds


def test_an_llm_call_is_one_line_with_these_fields(stream):
    """Names and order of the fields are what readers of the lines depend on."""
    LLMLogger("shop", stream=stream).log_llm_call("chat", "gpt-4o", 12, 5, 123.4567, metadata={"attempt": 1})
    line = only(lines(stream))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert list(line.items()) == list(
        {
            "level": "INFO", "service": "shop", "event": "llm_call", "operation": "chat", "model": "gpt-4o",
            "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17, "latency_ms": 123.457,
            "metadata": {"attempt": 1}, "trace_id": None, "span_id": None,
        }.items()
    )  # fmt: skip


def test_the_stored_log_says_the_same_in_opentelemetrys_words(tracer, kept, stream):
    """And it belongs to the current trace and span, with an id of its own."""
    logger = LLMLogger("shop", stream=stream, tracer=tracer)
    with tracer.trace("order") as span:
        logger.log_llm_call("chat", "gpt-4o", 12, 5, 1500, metadata={"attempt": 1, "gen_ai.response.id": "r1"})
    tracer.flush()
    log, line = only(kept.logs), only(lines(stream))
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id) == (log.trace_id, log.span_id)
    assert (log.severity, log.event_name, log.body) == (9, "llm_call", "chat gpt-4o")
    assert log.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.client.operation.duration": 1.5,
        METADATA_PREFIX + "attempt": 1,
        "gen_ai.response.id": "r1",
    }
    assert log.resource.attributes["service.name"] == "shop"
    assert re.fullmatch("[0-9a-f]{32}", log.log_id)


def test_a_logger_of_another_service_stores_under_its_own_name(tracer, kept, stream):
    """One process may speak for several services; without a name it is the tracer's."""
    LLMLogger("billing", stream=stream, tracer=tracer).info("a")
    LLMLogger(stream=stream, tracer=tracer).info("b")
    tracer.flush()
    assert [log.resource.attributes["service.name"] for log in kept.logs] == ["billing", "shop"]
    assert [line["service"] for line in lines(stream)] == ["billing", "shop"]


def test_given_ids_win_over_the_current_span(tracer, stream):
    """A given trace takes the current span only if that is one of its own."""
    logger = LLMLogger("shop", stream=stream)
    other = "a" * 32
    with tracer.trace() as span:
        logger.log_llm_call("chat", "m", 1, 1, 1, trace_id=other, span_id="b" * 16)
        logger.log_llm_call("chat", "m", 1, 1, 1, trace_id=other)
        logger.log_llm_call("chat", "m", 1, 1, 1, trace_id=span.trace_id)
        logger.log_error("chat", ValueError("x"), trace_id=other)
        logger.info("x", trace_id=other, span_id="B" * 16)
    ids = [(line["trace_id"], line["span_id"]) for line in lines(stream)]
    assert ids == [
        (other, "b" * 16), (other, None), (span.trace_id, span.span_id), (other, None), (other, "b" * 16),
    ]  # fmt: skip


def test_an_id_of_the_programs_own_stays_readable_and_finds_its_trace(tracer, kept, stream):
    """The line says what was given; the Log has the trace id that the tracer derives from it too."""
    logger = LLMLogger("shop", stream=stream, tracer=tracer)
    logger.log_llm_call("chat", "m", 1, 1, 1, trace_id="order-4711", span_id="no span id")
    with tracer.trace(trace_id="order-4711") as span:
        pass
    tracer.flush()
    log = only(kept.logs)
    assert only(lines(stream))["trace_id"] == "order-4711"
    assert (log.trace_id, log.span_id, log.attributes["correlation.id"]) == (span.trace_id, None, "order-4711")


def test_without_a_span_the_remote_parent_is_what_a_log_belongs_to(tracer, kept, stream):
    """A request's headers are known before its first span."""
    parent = RemoteParent("c" * 32, "d" * 16, True, weight=4.0)
    with attach(parent):
        LLMLogger("shop", stream=stream, tracer=tracer).info("x")
    tracer.flush()
    log = only(kept.logs)
    assert (log.trace_id, log.span_id, log.weight) == ("c" * 32, "d" * 16, 4.0)


def test_logs_of_a_trace_that_sampling_left_out_are_printed_but_not_stored(kept, stream):
    """They are counted; logs outside any trace are stored."""
    tracer = Tracer("shop", kept, sample_rate=0.0)
    logger = LLMLogger("shop", stream=stream, tracer=tracer)
    with counted("sampled_out.logs") as left_out:
        with tracer.trace() as span:
            logger.info("inside")
        logger.info("outside")
    tracer.close()
    assert left_out.more == 1
    assert [line["message"] for line in lines(stream)] == ["inside", "outside"]
    assert lines(stream)[0]["trace_id"] == span.trace_id
    assert [log.body for log in kept.logs] == ["outside"]


def test_a_disabled_tracer_stores_nothing_and_lines_go_on(kept, stream):
    """Switching tracing off does not silence a program."""
    tracer = Tracer("shop", kept, disabled=True)
    LLMLogger("shop", stream=stream, tracer=tracer).info("x")
    tracer.close()
    assert only(lines(stream))["message"] == "x"
    assert kept.logs == []


@pytest.mark.parametrize(
    ("level", "shown"),
    [("DEBUG", 6), ("info", 5), (20, 5), ("WARNING", 3), ("error", 2), ("CRITICAL", 0)],
)
def test_what_is_below_the_level_is_neither_printed_nor_stored(tracer, kept, stream, level, shown):
    """LLM calls are INFO, errors are ERROR."""
    logger = LLMLogger("shop", level, stream=stream, tracer=tracer)
    logger.debug("a")
    logger.info("b")
    logger.log_llm_call("chat", "m", 1, 1, 1)
    logger.warning("c")
    logger.error("d")
    logger.log_error("chat", ValueError("x"))
    tracer.flush()
    expected = ["DEBUG", "INFO", "INFO", "WARNING", "ERROR", "ERROR"][6 - shown :]
    assert [line["level"] for line in lines(stream)] == expected
    assert [log.severity for log in kept.logs] == [5, 9, 9, 13, 17, 17][6 - shown :]


def test_metadata_that_is_no_mapping_is_kept_as_it_is(tracer, kept, stream):
    """A list is no reason to lose a line."""
    LLMLogger("shop", stream=stream, tracer=tracer).log_llm_call("chat", "m", 1, 1, 1, metadata=[1, {"prompt": "x"}])
    tracer.flush()
    assert only(lines(stream))["metadata"] == [1, {"prompt": "<1 characters>"}]
    assert only(kept.logs).attributes["metadata"] == [1, {"prompt": "<1 characters>"}]


def test_the_level_comes_from_the_settings_where_it_is_not_given(monkeypatch, stream):
    """VESTIGO_LOG_LEVEL is the switch from outside."""
    monkeypatch.setenv("VESTIGO_LOG_LEVEL", "ERROR")
    LLMLogger("shop", stream=stream).warning("x")
    assert lines(stream) == []


def test_info_hides_what_was_said_and_debug_shows_it(tracer, kept, stream):
    """In the line and in the storage alike; numbers below such keys stay."""
    metadata = {
        "prompt": CONTENT,
        "request": {"messages": [{"role": "user", "content": CONTENT}]},
        "gen_ai.output.messages": [CONTENT],
        "usage": {"input": 12},
    }
    LLMLogger("shop", "INFO", stream=stream, tracer=tracer).log_llm_call("chat", "m", 1, 1, 1, metadata=metadata)
    LLMLogger("shop", "INFO", stream=stream, tracer=tracer).info("x", response=CONTENT)
    tracer.flush()
    assert CONTENT not in stream.getvalue()
    assert CONTENT not in repr(kept.logs)
    line = lines(stream)[0]
    assert line["metadata"]["prompt"] == f"<{len(CONTENT)} characters>"
    assert line["metadata"]["request"] == {"messages": f"<1 items, {len(CONTENT) + 4} characters>"}
    assert line["metadata"]["usage"] == {"input": 12}
    assert metadata["prompt"] == CONTENT

    LLMLogger("shop", "DEBUG", stream=stream, tracer=tracer).log_llm_call("chat", "m", 1, 1, 1, metadata=metadata)
    tracer.flush()
    assert lines(stream)[-1]["metadata"] == metadata
    assert kept.logs[-1].attributes["gen_ai.output.messages"] == [CONTENT]


@pytest.mark.parametrize("with_tracer", [True, False])
def test_secrets_are_in_no_line_and_no_log(tracer, kept, stream, with_tracer):
    """By key name and by form, in messages, fields, metadata and errors."""
    logger = LLMLogger("shop", "DEBUG", stream=stream, tracer=tracer if with_tracer else None)
    logger.info("key %s", SECRET, password="hunter2", nested={"api_key": "hunter2"}, prompt=SECRET, event=SECRET)
    logger.log_llm_call("chat", "m", 1, 1, 1, metadata={"authorization": "hunter2"}, trace_id=SECRET)
    logger.log_error("chat", ValueError(f"bad key {SECRET}"), metadata={"text": SECRET})
    tracer.flush()
    assert len(kept.logs) == (3 if with_tracer else 0)
    for text in (stream.getvalue(), repr(kept.logs)):
        assert SECRET not in text
        assert "hunter2" not in text
    assert lines(stream)[0]["nested"] == {"api_key": "[REDACTED]"}


def test_redaction_can_be_switched_off(monkeypatch, stream):
    """Whoever asks for it gets what was logged."""
    monkeypatch.setenv("VESTIGO_REDACT", "off")
    LLMLogger("shop", stream=stream).info("x", password="hunter2")
    assert only(lines(stream))["password"] == "hunter2"


def test_a_huge_value_is_cut_in_the_line(kept, stream):
    """Its size and hash stay; short values beside it are whole."""
    tracer = Tracer("shop", kept, max_value_bytes=1_000)
    LLMLogger("shop", stream=stream, tracer=tracer).info("x" * 5_000, small="y")
    tracer.close()
    line = only(lines(stream))
    assert line["message"].startswith("x" * 1_000 + "… [cut: 5000 bytes, sha256 ")
    assert line["small"] == "y"


@given(st.text())
def test_any_message_is_wrapped_into_one_line_of_json(message):
    """Line ends, control characters and half characters included."""
    stream = io.StringIO()
    LLMLogger("shop", stream=stream).info(message + "\n{}")
    line = only(lines(stream))
    assert len(line["message"]) >= len(message)


class Hostile:
    """Raises whatever it is asked."""

    def __str__(self):
        raise RuntimeError

    __repr__ = __float__ = __index__ = __iter__ = __len__ = __bool__ = __eq__ = __str__
    __hash__ = object.__hash__


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(Hostile)
    | st.builds(object) | st.just(10**400),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.sets(st.integers())
    ),
    max_leaves=10,
)  # fmt: skip


@given(_values, _values)
def test_whatever_is_logged_neither_raises_nor_breaks_the_line(one, other):
    """Each call with any values gives exactly one line of JSON."""
    stream = io.StringIO()
    logger = LLMLogger("shop", "DEBUG", stream=stream)
    logger.log_llm_call(one, other, one, other, one, None, None, other)
    logger.log_error(one, other, None, one)
    logger.info(one, field=other)
    logger.warning("%s %d", one, other)
    assert len(lines(stream)) == 4


@pytest.mark.parametrize("depth", [50, 400, 700, 20_000])
def test_deep_nesting_costs_no_line(tracer, kept, stream, depth):
    """What is too deep to be walked becomes a marker; the line and the Log are there."""
    deep = {"prompt": CONTENT}
    for _ in range(depth):
        deep = {"a": deep}
    logger = LLMLogger("shop", stream=stream, tracer=tracer)
    logger.log_llm_call("chat", "m", 1, 1, 1, metadata=deep)
    logger.info("x", **deep)
    tracer.flush()
    assert len(lines(stream)) == len(kept.logs) == 2
    assert CONTENT not in stream.getvalue()
    assert CONTENT not in str(kept.logs[-1].attributes)


def test_a_log_that_cannot_be_made_is_counted(stream):
    """Here because the program made something current that is no span."""
    logger = LLMLogger("shop", stream=stream)
    with counted("failed.log") as lost, attach("no span"):
        logger.info("x")
        logger.log_llm_call("chat", "m", 1, 1, 1)
        logger.log_error("chat", ValueError())
    assert lost.more == 3
    assert lines(stream) == []


def test_arguments_are_filled_in_as_logging_does(stream):
    """Also by name; arguments that do not fit are shown beside the message and counted."""
    logger = LLMLogger("shop", stream=stream)
    logger.info("%s of %d", "one", 2)
    logger.info("%(a)s", {"a": 1})
    logger.info("100%")
    with counted("failed.log_argument") as bad:
        logger.info("%d", "x")
    assert [line["message"] for line in lines(stream)] == ["one of 2", "1", "100%", '%d {"args":["x"]}']
    assert bad.more == 1


def test_fields_cannot_take_the_place_of_ours(stream):
    """A field of the same name gets an underscore; `event` names the kind of line."""
    LLMLogger("shop", stream=stream).info("x", level="fake", timestamp="fake", service="fake", event="login")
    line = only(lines(stream))
    assert (line["level"], line["service"], line["event"]) == ("INFO", "shop", "login")
    assert (line["level_"], line["timestamp_"], line["service_"]) == ("fake", "fake", "fake")


@pytest.mark.parametrize("value", ["many", -1, 1.5, float("nan"), float("inf"), 1 << 80, [], Hostile(), True])
def test_a_number_that_is_none_is_null_and_shown_as_invalid(stream, value):
    """Nothing is guessed, and nothing is lost unseen."""
    with counted("failed.log_argument") as bad:
        LLMLogger("shop", stream=stream).log_llm_call("chat", "m", value, 5, -1)
    line = only(lines(stream))
    assert (line["prompt_tokens"], line["completion_tokens"], line["total_tokens"]) == (None, 5, None)
    assert line["latency_ms"] is None
    assert set(line["invalid"]) == {"prompt_tokens", "latency_ms"}
    assert bad.more == 2


def test_numbers_of_other_kinds_are_numbers(stream):
    """Text of a number, whole floats and number-like objects count; None is simply not known."""

    class Number:
        def __float__(self):
            return 7.0

    LLMLogger("shop", stream=stream).log_llm_call("chat", "m", "12", 5.0, Number())
    LLMLogger("shop", stream=stream).log_llm_call("chat", None, None, 5, None)
    first, second = lines(stream)
    assert (first["prompt_tokens"], first["completion_tokens"], first["latency_ms"]) == (12, 5, 7.0)
    assert (second["model"], second["prompt_tokens"], second["total_tokens"], second["latency_ms"]) == (None,) * 4
    assert "invalid" not in second


# --- errors


def fail():
    raise ValueError("no such tool")


def raised():
    try:
        fail()
    except ValueError as error:
        return error


def test_an_error_is_logged_with_type_message_and_stack(tracer, kept, stream):
    """At every level of the logger, since an error without its stack cannot be found."""
    logger = LLMLogger("shop", "ERROR", stream=stream, tracer=tracer)
    with tracer.span("x") as span:
        logger.log_error("tool", raised(), metadata={"tool": "search"})
    tracer.flush()
    line, log = only(lines(stream)), only(kept.logs)
    assert (line["level"], line["event"], line["operation"]) == ("ERROR", "error", "tool")
    assert (line["error_type"], line["error_message"]) == ("ValueError", "no such tool")
    assert "in fail" in line["stack"]
    assert line["metadata"] == {"tool": "search"}
    assert line["span_id"] == log.span_id == span.span_id
    assert (log.severity, log.event_name, log.body) == (17, "error", "tool ValueError")
    assert log.attributes["exception.type"] == log.attributes["error.type"] == "ValueError"
    assert log.attributes["exception.message"] == "no such tool"
    assert log.attributes["exception.stacktrace"] == line["stack"]


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [("timeout", None, "timeout"), (None, None, None), (ValueError, "ValueError", ""), (7, None, "7")],
)
def test_an_error_that_is_no_exception_is_logged_and_counted(stream, error, kind, message):
    """What can be told is told."""
    with counted("failed.log_argument") as bad:
        LLMLogger("shop", stream=stream).log_error("chat", error)
    line = only(lines(stream))
    assert (line["error_type"], line["error_message"]) == (kind, message)
    assert bad.more == 1


def test_an_error_that_was_never_raised_has_no_stack(stream):
    """There is none to show."""
    LLMLogger("shop", stream=stream).log_error("chat", json.JSONDecodeError("bad", "doc", 0))
    line = only(lines(stream))
    assert line["error_type"] == "json.decoder.JSONDecodeError"
    assert "stack" not in line


@pytest.mark.parametrize("how", ["true", "error", "tuple"])
def test_a_message_may_carry_an_exception(tracer, kept, stream, how):
    """`exc_info` means what it means in `logging`."""
    logger = LLMLogger("shop", stream=stream, tracer=tracer)
    try:
        fail()
    except ValueError as error:
        given_ = {"true": True, "error": error, "tuple": sys.exc_info()}[how]
        logger.error("failed", exc_info=given_, attempt=2)  # noqa: TRY400  ours
    tracer.flush()
    line = only(lines(stream))
    assert (line["message"], line["attempt"], line["error_type"]) == ("failed", 2, "ValueError")
    assert only(kept.logs).attributes["exception.type"] == "ValueError"


def test_exc_info_without_an_exception_adds_nothing(stream):
    """Nor does a tuple of the wrong length."""
    logger = LLMLogger("shop", stream=stream)
    logger.error("a", exc_info=True)  # noqa: LOG014  it is the point
    logger.error("b", exc_info=(1, 2))
    logger.error("c", exc_info=False)
    assert all("error_type" not in line for line in lines(stream))


# --- where lines go


def test_lines_go_to_standard_error_by_default(capsys):
    """Standard output belongs to the program's answer; the stream is looked up at each line."""
    LLMLogger("shop").info("x")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["message"] == "x"


def test_two_loggers_of_one_name_print_once_each(capsys, tmp_path):
    """Making a logger again adds no handler anywhere, and nothing propagates to the root logger."""
    root = io.StringIO()
    handler = logging.StreamHandler(root)
    logging.getLogger().addHandler(handler)
    try:
        for _ in range(2):
            LLMLogger("shop").info("x")
            LLMLogger("shop", path=tmp_path / "app.jsonl").info("x")
    finally:
        logging.getLogger().removeHandler(handler)
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert len((tmp_path / "app.jsonl").read_text().splitlines()) == 2
    assert root.getvalue() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"log_level": "LOUD"}, "log_level='LOUD'"),
        ({"service_name": ""}, "service_name=''"),
        ({"service_name": 7}, "service_name=7"),
        ({"tracer": "me"}, "tracer='me' is no Tracer"),
        ({"stream": object()}, r"has no write\(\)"),
        ({"path": "/dev/null/app.jsonl"}, "cannot write log file"),
    ],
)
def test_configuration_that_makes_no_sense_is_refused(arguments, words):
    """With the value and the remedy."""
    with pytest.raises(SettingsError, match=words):
        LLMLogger(**{"service_name": "shop", **arguments})


class Broken:
    """A stream that fails as told."""

    def __init__(self, error):
        self.error = error

    def write(self, _text):
        raise self.error


@pytest.mark.parametrize("error", [OSError(28, "No space left"), ValueError("closed"), TypeError(), RuntimeError()])
def test_a_stream_that_fails_is_counted_and_survived(tracer, kept, error):
    """The copy into the storage is made all the same."""
    with counted("failed.log_write") as lost:
        LLMLogger("shop", stream=Broken(error), tracer=tracer).info("x")
    tracer.flush()
    assert lost.more == 1
    assert only(kept.logs).body == "x"


def test_a_closed_stream_is_survived(stream):
    """As at the end of a program, or under a test runner."""
    logger = LLMLogger("shop", stream=stream)
    stream.close()
    with counted("failed.log_write") as lost:
        logger.info("x")
    assert lost.more == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_counted_and_survived():
    """Each lost line once."""
    logger = LLMLogger("shop", path="/dev/full")
    with counted("failed.log_write") as lost:
        logger.info("x")
        logger.info("y")
    assert lost.more == 2


def test_a_stream_that_logs_what_is_written_does_not_loop(stream):
    """As a program does that sends standard error to its logger."""

    class Echo:
        def write(self, text):
            stream.write(text)
            logger.info(text)

    logger = LLMLogger("shop", stream=Echo())
    with counted("dropped.log_recursion") as dropped:
        logger.info("x")
        logger.info("y")
    assert [line["message"] for line in lines(stream)] == ["x", "y"]
    assert dropped.more == 2


def test_threads_write_whole_lines(tmp_path):
    """With one logger or several on one file."""
    path = tmp_path / "app.jsonl"
    threads = [
        threading.Thread(target=lambda n=n: [LLMLogger("shop", path=path).info("m" * 5_000, n=n) for _ in range(20)])
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(line)["n"] for line in path.read_text().splitlines()]
    assert sorted(found) == sorted(list(range(6)) * 20)


def write_some(path, number):
    logger = LLMLogger("shop", path=path)
    for _ in range(100):
        logger.info("m" * 9_000, n=number)


def test_processes_append_whole_lines_to_one_file(tmp_path):
    """Longer than a pipe's or a stdio buffer's atomic size."""
    path = tmp_path / "app.jsonl"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=write_some, args=(path, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = [json.loads(line)["n"] for line in path.read_text().splitlines()]
    assert sorted(found) == sorted(list(range(4)) * 100)


# --- through a logger of `logging`


def test_a_logger_of_choice_gets_the_line_as_its_message(app, stream):
    """With the program's own place in the code; any formatter will do."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(funcName)s %(message)s"))
    app.addHandler(handler)
    LLMLogger("shop", logger=app).info("x", percent="100%s")
    LLMLogger("shop", logger=app).log_llm_call("chat", "m", 1, 1, 1)
    LLMLogger("shop", logger=logging.LoggerAdapter(app, {})).warning("y")
    LLMLogger("shop", logger=app).log_error("chat", ValueError())
    name = "test_a_logger_of_choice_gets_the_line_as_its_message"
    heads = [line.split(" {", 1)[0] for line in stream.getvalue().splitlines()]
    assert heads == [f"INFO {name}", f"INFO {name}", f"WARNING {name}", f"ERROR {name}"]
    assert json.loads(stream.getvalue().splitlines()[0].split(" ", 2)[2])["percent"] == "100%s"


def test_a_logger_may_be_given_by_name(caplog):
    """Its level applies beside ours."""
    caplog.set_level("WARNING", "app.named")
    logger = LLMLogger("shop", "DEBUG", logger="app.named")
    logger.info("low")
    logger.warning("high")
    assert [json.loads(record.message)["message"] for record in caplog.records] == ["high"]


def test_a_line_is_not_wrapped_twice(app, stream):
    """JSONFormatter prints an LLMLogger's line as it is, also behind a queue."""
    waiting = queue.SimpleQueue()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    app.addHandler(handler)
    app.addHandler(logging.handlers.QueueHandler(waiting))
    LLMLogger("shop", logger=app).info("x", a=1)
    queued = waiting.get()
    handler.handle(queued)
    handler.handle(logging.makeLogRecord(pickle.loads(pickle.dumps(queued.__dict__))))
    direct, same, from_another_process = lines(stream)
    assert direct == same == from_another_process
    assert direct["a"] == 1


def test_a_log_is_stored_once_although_logger_and_handler_both_store(app, tracer, kept):
    """The handler knows that the pipeline has it."""
    app.addHandler(VestigoHandler(tracer))
    LLMLogger("shop", logger=app, tracer=tracer).info("x")
    tracer.flush()
    assert only(kept.logs).body == "x"


def test_a_handler_stores_the_whole_log_of_a_logger_without_tracer(app, tracer, kept):
    """Fields and event are those of the LLMLogger, not a line inside a message."""
    app.addHandler(VestigoHandler(tracer))
    LLMLogger("billing", logger=app).log_llm_call("chat", "m", 1, 2, 3, metadata={"a": [1]})
    tracer.flush()
    log = only(kept.logs)
    assert (log.event_name, log.attributes["gen_ai.usage.output_tokens"]) == ("llm_call", 2)
    assert log.attributes["metadata.a"] == [1]
    assert log.resource.attributes["service.name"] == "billing"


# --- the handler of `logging`


def test_a_record_of_logging_becomes_a_log_of_the_current_span(app, tracer, kept):
    """With severity, logger, place in the code and further fields."""
    app.addHandler(VestigoHandler(tracer))
    fields = {"order": 7, "tags": ["a", {"b": 1}], "ratio": 0.5, "none": None, "level": "mine", "_own": "private"}
    with tracer.span("x") as span:
        app.warning("order %s", 7, extra=fields)
    tracer.flush()
    log = only(kept.logs)
    assert (log.severity, log.body, log.scope.name) == (13, "order 7", app.name)
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
    code = {key: log.attributes.pop(key) for key in list(log.attributes) if key.startswith("code.")}
    assert log.attributes == {"order": 7, "tags": ["a", {"b": 1}], "ratio": 0.5, "none": None, "level": "mine"}
    assert code["code.file.path"] == __file__
    assert code["code.function.name"] == "test_a_record_of_logging_becomes_a_log_of_the_current_span"
    assert isinstance(code["code.line.number"], int)
    assert log.resource is tracer.resource or log.resource == tracer.resource


def test_the_handler_stores_exceptions_and_stacks(app, tracer, kept):
    """Type, message and stack; `stack_info` beside it; text of a stack where the exception itself is gone."""
    app.addHandler(VestigoHandler(tracer))
    try:
        fail()
    except ValueError:
        app.exception("failed")
    app.info("here", stack_info=True)
    gone = app.makeRecord(app.name, 40, "f.py", 1, "m", (), None)
    gone.exc_text = "Traceback of another process"
    app.handle(gone)
    tracer.flush()
    failed, here, other = kept.logs
    assert failed.attributes["exception.type"] == "ValueError"
    assert failed.attributes["exception.message"] == "no such tool"
    assert "in fail" in failed.attributes["exception.stacktrace"]
    assert "Stack (most recent call last)" in here.attributes["code.stacktrace"]
    assert other.attributes["exception.stacktrace"] == "Traceback of another process"


def test_the_handler_hides_content_unless_asked(app, tracer, kept):
    """`extra` may hold prompts as well."""
    hiding, showing = VestigoHandler(tracer), VestigoHandler(tracer, content=True)
    for handler in (hiding, showing):
        app.handlers[:] = [handler]
        app.info("x", extra={"prompt": CONTENT, "messages": [CONTENT], "data": {"output": CONTENT}, "input": 3})
    tracer.flush()
    hidden, shown = [log.attributes for log in kept.logs]
    assert CONTENT not in repr(hidden)
    assert hidden["prompt"] == f"<{len(CONTENT)} characters>"
    assert hidden["input"] == shown["input"] == 3
    assert (shown["prompt"], shown["messages"], shown["data"]) == (CONTENT, [CONTENT], {"output": CONTENT})


def test_arguments_that_do_not_fit_cost_no_record(app, tracer, kept):
    """The handler keeps the message and the arguments, and prints nothing."""
    app.addHandler(VestigoHandler(tracer))
    with counted("failed.log_argument") as bad:
        app.info("%d %d", "x")
        app.info("%(missing)s", {"a": 1})
        app.info("%d", Hostile())
    tracer.flush()
    assert kept.logs[0].body == '%d %d {"args":["x"]}'
    assert len(kept.logs) == 3
    assert bad.more == 3


def test_records_of_vestigo_itself_are_left_out(app, tracer, kept):
    """Otherwise telling of trouble would make the trouble worse."""
    handler = VestigoHandler(tracer)
    app.addHandler(handler)
    for name in ("vestigo", "vestigo.storage"):
        assert not handler.handle(logging.makeLogRecord({"name": name, "msg": "x"}))
    handler.handle(logging.makeLogRecord({"name": "vestigology", "msg": "y"}))
    tracer.flush()
    assert [log.body for log in kept.logs] == ["y"]


def test_an_exporter_that_logs_does_not_feed_itself(app):
    """What the worker logs while it writes is not stored, whoever logs it."""

    class Chatty(Kept):
        def write(self, batch):
            super().write(batch)
            app.info("wrote a batch")
            logger.info("wrote a batch")

    kept = Chatty()
    tracer = Tracer("shop", kept)
    logger = LLMLogger("shop", stream=io.StringIO(), tracer=tracer)
    app.addHandler(VestigoHandler(tracer))
    with counted("dropped.log_own") as own:
        app.info("x")
        tracer.flush()
        tracer.flush()
        tracer.close()
    assert [log.body for log in kept.logs] == ["x"]
    assert own.more == 2


def test_a_record_whose_arguments_log_does_not_loop(app, tracer, kept):
    """The inner record is dropped and counted."""

    class Talking:
        def __str__(self):
            app.info("inner %s", self)
            return "talk"

    app.addHandler(VestigoHandler(tracer))
    with counted("dropped.log_recursion") as dropped:
        app.info("outer %s", Talking())
    tracer.flush()
    assert [log.body for log in kept.logs] == ["outer talk"]
    assert dropped.more == 1


def test_a_full_queue_with_the_handler_on_the_root_logger_neither_deadlocks_nor_loops(kept):
    """The trouble that it makes is logged by `vestigo`, which comes back to the handler."""
    tracer = Tracer("shop", kept, queue_bytes=1)
    root = logging.getLogger()
    handler = VestigoHandler(tracer)
    root.addHandler(handler)
    try:
        threads = [threading.Thread(target=lambda: [root.error("x") for _ in range(20)], daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in threads)
    finally:
        root.removeHandler(handler)
    tracer.close()
    stats = tracer.pipeline.stats()
    assert stats["recorded"] == 80
    assert stats["dropped.queue_full"] + stats["stored"] == 80


def test_a_record_that_passes_two_handlers_is_stored_once(app, tracer, kept):
    """As with one on a logger and one on its parent; another tracer's handler has its own copy."""
    other = Tracer("other", second := Kept())
    child = logging.Logger("app.child")  # noqa: LOG001  no part of the tree
    child.parent = app
    child.addHandler(VestigoHandler(tracer))
    app.addHandler(VestigoHandler(tracer))
    app.addHandler(VestigoHandler(other))
    child.info("x")
    child.info("x")
    tracer.flush()
    other.close()
    assert len(kept.logs) == len(second.logs) == 2


def test_the_handler_minds_its_level_and_filters(app, tracer, kept):
    """Also a filter that replaces the record."""
    handler = VestigoHandler(tracer, "WARNING")

    def rename(record):
        record = copy.copy(record)
        record.msg = f"new {record.msg}"
        return record

    handler.addFilter(lambda record: record.msg != "secret")
    if sys.version_info >= (3, 12):
        handler.addFilter(rename)
    app.addHandler(handler)
    app.info("low")
    app.warning("secret")
    app.warning("high")
    tracer.flush()
    assert only(kept.logs).body in {"high", "new high"}


def test_a_record_that_cannot_be_read_is_counted(app, tracer, kept):
    """A handler never raises into the program."""
    handler = VestigoHandler(tracer)
    with counted("failed.log_record") as lost:
        handler.handle(logging.makeLogRecord({"name": "x", "created": "yesterday"}))
    assert lost.more == 1
    assert kept.logs == []


@pytest.mark.parametrize(("tracer", "level"), [(None, 0), ("me", 0), (object(), 0)])
def test_a_handler_without_tracer_is_refused(tracer, level):
    """At once, not at the first record."""
    with pytest.raises(SettingsError, match=r"give vestigo\.Tracer"):
        VestigoHandler(tracer, level)


# --- the formatter of `logging`


def test_a_record_is_formatted_as_one_line_of_json(app, stream, tracer):
    """Message, logger, span, place in the code, further fields."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter(service_name="shop"))
    app.addHandler(handler)
    with tracer.span("x") as span:
        app.info(
            "two\nlines of %s", "text", extra={"order": 7, "password": "hunter2", "message_": 1, "prompt": CONTENT}
        )
    line = only(lines(stream))
    assert line.pop("timestamp").endswith("Z")
    assert isinstance(line.pop("line"), int)
    assert line == {
        "level": "INFO", "service": "shop", "logger": app.name, "message": "two\nlines of text", "order": 7,
        "password": "[REDACTED]", "message_": 1, "prompt": f"<{len(CONTENT)} characters>",
        "trace_id": span.trace_id, "span_id": span.span_id, "file": __file__,
        "function": "test_a_record_is_formatted_as_one_line_of_json",
    }  # fmt: skip


def test_the_formatter_tells_exceptions_in_fields(app, stream):
    """And fields of its own names do not hide its own."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    app.addHandler(handler)
    try:
        fail()
    except ValueError:
        app.exception("failed", extra={"level": "fake", "file": "fake", "trace_id": "a" * 32})
    line = only(lines(stream))
    assert (line["error_type"], line["error_message"]) == ("ValueError", "no such tool")
    assert "in fail" in line["stack"]
    assert (line["level"], line["level_"], line["file_"], line["trace_id"]) == ("ERROR", "fake", "fake", "a" * 32)
    assert "service" not in line


def test_the_formatter_can_be_named_in_a_configuration(tmp_path):
    """By `class` with the usual format, or by `()` with arguments."""
    names = {"plain": {"class": "vestigo.JSONFormatter", "format": "%(message)s", "datefmt": "%H"}}
    names["named"] = {"()": "vestigo.JSONFormatter", "service_name": "shop"}
    file = tmp_path / "log"
    handlers = {
        name: {"class": "logging.FileHandler", "filename": f"{file}.{name}", "formatter": name} for name in names
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": names,
            "handlers": handlers,
            "loggers": {"configured": {"handlers": list(names), "level": "INFO", "propagate": False}},
        }
    )
    logger = logging.getLogger("configured")
    logger.info("x")
    for handler in logger.handlers.copy():
        handler.close()
        logger.removeHandler(handler)
    assert json.loads(Path(f"{file}.plain").read_text())["message"] == "x"
    assert json.loads(Path(f"{file}.named").read_text())["service"] == "shop"


@given(_values, st.dictionaries(st.text(), _values))
def test_the_formatter_survives_any_record(message, fields):
    """Whatever the program put on it, there is one line of JSON."""
    record = logging.makeLogRecord({"name": "x", **fields, "msg": message})
    text = JSONFormatter().format(record)
    assert isinstance(json.loads(text), dict)
    assert len(text.splitlines()) == 1


def test_a_record_that_cannot_be_formatted_leaves_a_mark():
    """And is counted."""
    with counted("failed.log_format") as bad:
        text = JSONFormatter().format(logging.makeLogRecord({"created": "yesterday", "levelname": "INFO"}))
    assert json.loads(text) == {"level": "INFO", "message": "<cannot format: TypeError>"}
    assert bad.more == 1


# --- structlog


def test_structlog_events_get_ids_and_are_stored(tracer, kept, stream):
    """The event passes on with the ids; the Log has the fields."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[StructlogProcessor(tracer), structlog.processors.JSONRenderer()],
    )
    with tracer.span("x") as span:
        logger.warning("order placed", order=7, prompt=CONTENT, _private=1)
    logger.info("outside")
    tracer.flush()
    line, outside = lines(stream)
    log = kept.logs[0]
    assert (line["event"], line["order"], line["prompt"]) == ("order placed", 7, CONTENT)
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id) == (log.trace_id, log.span_id)
    assert (log.severity, log.body, log.scope.name) == (13, "order placed", "structlog")
    assert log.attributes == {"order": 7, "prompt": f"<{len(CONTENT)} characters>"}
    assert outside == {"event": "outside"}


def test_structlog_exceptions_names_and_given_ids_are_stored(tracer, kept):
    """What other processors said of the event counts."""
    processor = StructlogProcessor(tracer)
    try:
        fail()
    except ValueError as error:
        processor(None, "exception", {"event": "a"})
        processor(None, "msg", {"event": "b", "exc_info": error, "level": "critical", "logger": "shop.orders"})
    given_ = {"event": "c", "trace_id": "order-4711", "span_id": "a" * 16, "timestamp": "now"}
    assert processor(None, "info", given_) is given_
    tracer.flush()
    first, second, third = kept.logs
    assert first.severity == 17
    assert first.attributes["exception.type"] == second.attributes["exception.type"] == "ValueError"
    assert (second.severity, second.scope.name) == (21, "shop.orders")
    assert third.attributes == {"correlation.id": "order-4711"}
    assert third.span_id == "a" * 16


def test_the_structlog_processor_without_tracer_only_adds_ids(tracer):
    """For programs that want their lines joined to traces and no copy; a caller's trace may come without a span."""
    with attach(RemoteParent("c" * 32)):
        assert StructlogProcessor()(None, "info", {}) == {"trace_id": "c" * 32}
    with tracer.span("x") as span:
        event = StructlogProcessor()(None, "info", {"event": "x"})
    assert event == {"event": "x", "trace_id": span.trace_id, "span_id": span.span_id}


def test_the_structlog_processor_survives_any_event(tracer, kept):
    """The event passes on whatever happens, also one whose values log."""
    processor = StructlogProcessor(tracer)

    class Talking:
        def __str__(self):
            processor(None, "info", {"event": "inner"})
            return "talk"

    event = {"event": Talking(), 7: Hostile(), "x": Hostile()}
    assert processor(None, "info", event) is event
    with counted("failed.log_structlog") as bad:
        broken = {"event": "x", "level": Hostile()}
        assert processor(None, "info", broken) is broken
    tracer.flush()
    assert only(kept.logs).body == "talk"
    assert bad.more == 1


def test_structlog_through_logging_is_stored_by_its_fields(app, tracer, kept):
    """structlog hands its whole event to `logging` as the message."""
    app.addHandler(VestigoHandler(tracer))
    logger = structlog.wrap_logger(
        app, processors=[structlog.stdlib.add_log_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    )
    logger.info("order placed", order=7, trace_id="a" * 32)
    app.info({"no": "event"})
    tracer.flush()
    log, other = kept.logs
    assert (log.body, log.attributes["order"], log.trace_id) == ("order placed", 7, "a" * 32)
    assert "level" not in log.attributes
    assert other.body == {"no": "event"}


def test_structlog_is_not_imported_until_a_program_does():
    """Nor anything else that is not installed with us."""
    code = "import sys, vestigo.sdk.logger; print('structlog' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


# --- the guide


def blocks():
    found = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) >= 5
    return found


@pytest.mark.parametrize("number", range(len(blocks())))
def test_the_code_of_the_guide_runs(number, tmp_path):
    """Each block on its own, as a reader would run it; lines on standard error are JSON."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(blocks()[number])],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    for line in run.stderr.splitlines():
        json.loads(line)


def test_no_span_is_left_current():
    """The tests above, like the logger, leave the context as they found it."""
    assert current_span() is None
