"""Levels, times, hidden content and sinks of log lines."""

import datetime as dt
import io
import json
import os
import pickle
import sys
import threading
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo import semconv
from vestigo.diagnostics import counters
from vestigo.errors import SettingsError
from vestigo.sdk.logformat import (
    Line,
    StreamSink,
    copied,
    error_fields,
    hide_content,
    is_content,
    json_line,
    level_number,
    open_sink,
    severity,
    stack_text,
    timestamp,
)


@pytest.mark.parametrize(
    ("level", "number"),
    [
        (0, 1),
        (5, 1),
        (7, 3),
        (9, 4),
        (10, 5),
        (11, 6),
        (19, 8),
        (20, 9),
        (25, 12),
        (30, 13),
        (40, 17),
        (50, 21),
        (99, 24),
    ],
)
def test_a_logging_level_becomes_an_opentelemetry_severity(level, number):
    """Each range of ten has four steps, and nothing leaves 1 to 24."""
    assert severity(level) == number


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_severity_keeps_the_order_of_levels(one, other):
    """A higher level never has a lower severity."""
    low, high = sorted((one, other))
    assert 1 <= severity(low) <= severity(high) <= 24


@pytest.mark.parametrize("level", ["verbose", "", None, 1.5, True, -1, object(), b"INFO"])
def test_an_unknown_level_is_refused_with_the_choice(level):
    """The error names what may be given."""
    with pytest.raises(SettingsError, match="give DEBUG, INFO"):
        level_number(level)


def test_levels_are_names_in_any_case_and_numbers():
    """What `logging` takes is taken."""
    assert [level_number(name) for name in ("debug", " Info", "WARN", "fatal", 25)] == [10, 20, 30, 50, 25]


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999))
def test_a_timestamp_is_the_time_in_utc_to_the_microsecond(second, rest):
    """Read back it is the same time, cut to microseconds."""
    text = timestamp(second * 1_000_000_000 + rest)
    assert text.endswith("Z")
    assert len(text) == 27
    read = dt.datetime.fromisoformat(text)
    assert read == dt.datetime.fromtimestamp(second, dt.UTC) + dt.timedelta(microseconds=rest // 1000)


@pytest.mark.parametrize(
    "key",
    [
        *["prompt", "Messages", "system_prompt", "systemPrompt", "gen_ai.prompt.0.content", "llm.completions"],
        *sorted(semconv.CONTENT_ATTRIBUTES),
    ],
)
def test_content_keys_are_known_by_any_spelling(key):
    """Case, dashes, underscores and what stands before the last dot do not matter."""
    assert is_content(key)


@pytest.mark.parametrize(
    "key", ["prompt_tokens", "gen_ai.prompt.name", "output_format", "model", "gen_ai.usage.input_tokens"]
)
def test_names_and_numbers_are_no_content(key):
    """What only speaks of content stays."""
    assert not is_content(key)


_trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("secret ", max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["prompt", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(_trees)
def test_no_text_below_a_content_key_survives_hiding(tree):
    """At any depth, in lists and dicts; what is elsewhere stays the same."""
    before = json.dumps(tree)
    hidden = {"x": json.loads(before)}
    hide_content(hidden)

    def check(old, new):
        if isinstance(old, dict):
            for key, item in old.items():
                if key == "prompt" and isinstance(item, str | list | dict):
                    assert new[key].startswith("<")
                    assert new[key].endswith(" characters>")
                else:
                    check(item, new[key])
        elif isinstance(old, list):
            for one, other in zip(old, new, strict=True):
                check(one, other)
        else:
            assert old == new

    check(tree, hidden["x"])


def test_hidden_content_shows_its_size():
    """A text by its characters, a container by items and characters."""
    tree = {"prompt": "x" * 1234, "messages": [{"role": "user", "content": "hello"}], "output": 7}
    hide_content(tree)
    assert tree == {"prompt": "<1234 characters>", "messages": "<1 items, 9 characters>", "output": 7}


def test_a_value_too_deep_to_walk_becomes_a_marker():
    """Hostile nesting neither raises nor takes the line with it."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    text = json_line({"x": copied(deep, content=False)})
    assert len(text) < 1_000


@given(st.text())
def test_a_line_is_one_line_for_every_reader(text):
    """`splitlines`, the strictest of readers, finds one line, and JSON reads the text back."""
    clean = text.encode("utf-8", "replace").decode()
    line = json_line({"message": clean})
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"message": clean}


def test_terminal_commands_in_a_message_are_escaped():
    """Neither ESC nor the one-byte CSI reaches a terminal."""
    line = json_line({"message": "\x1b[2J\x9b2J\x7f"})
    assert line.isprintable()
    assert json.loads(line)["message"] == "\x1b[2J\x9b2J\x7f"


def test_a_stack_is_bounded_at_its_end():
    """The last calls are what one needs."""
    try:
        raise ValueError("x" * 50_000)
    except ValueError as error:
        fields = error_fields(error)
    assert len(fields["stack"]) == 20_001
    assert fields["stack"].startswith("…")
    assert len(fields["error_message"]) <= 10_001


def test_an_error_whose_stack_cannot_be_told_is_marked():
    """A hostile exception does not break the telling."""

    class Hostile(Exception):  # noqa: N818
        @property
        def __cause__(self):
            raise RuntimeError

    assert stack_text(Hostile()) == "<cannot read stack: RuntimeError>"


def test_a_line_is_plain_text_in_another_process():
    """Whoever unpickles it needs nothing of ours."""
    read = pickle.loads(pickle.dumps(Line('{"a":1}'), 1))
    assert type(read) is str
    assert read == '{"a":1}'


# --- sinks


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"stream": io.StringIO(), "path": "x"}, "stream and path given"),
        ({"stream": 7}, "stream=7 has no write"),
        ({"logger": 7}, "logger=7 is no logger"),
        ({"path": 7}, "path=7 is no path"),
        ({"path": "a\0b"}, "cannot write log file"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(given_, words):
    """The error names the argument, the value and the remedy."""
    with pytest.raises(SettingsError, match=words):
        open_sink(**{"stream": None, "path": None, "logger": None, **given_})


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    """At configuration, with the path."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "app.jsonl"):
        with pytest.raises(SettingsError, match=r"cannot write log file .* give a file"):
            open_sink(None, path, None)


def test_a_text_stream_that_knows_only_ascii_gets_the_same_json():
    """Signs outside ASCII are escaped, also those outside the basic plane."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    open_sink(stream, None, None).write('{"m":"é🦊"}', 20)
    assert json.loads(raw.getvalue().decode("ascii")) == {"m": "é🦊"}


def test_a_binary_stream_gets_utf8():
    """No wrapper is needed."""
    raw = io.BytesIO()
    open_sink(raw, None, None).write('{"m":"é"}', 20)
    assert raw.getvalue() == '{"m":"é"}\n'.encode()


def test_a_program_without_standard_error_counts_the_line(monkeypatch):
    """Windows programs without a console have none."""
    monkeypatch.setattr(sys, "stderr", None)
    before = counters.get("dropped.log_no_stream")
    StreamSink(None).write("{}", 20)
    assert counters.get("dropped.log_no_stream") == before + 1


class Slow:
    """A stream that takes a line in two parts and lets others in between."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        half = len(text) // 2
        self.text += text[:half]
        time.sleep(0.0005)
        self.text += text[half:]


class Unhashable(Slow):
    """A stream that no weak dictionary takes."""

    __hash__ = None


def test_lines_of_several_threads_and_sinks_never_mix_on_one_stream():
    """The lock belongs to the stream, not to the logger."""
    stream = Slow()
    sinks = [open_sink(stream, None, None) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda sink=sink, n=n: [sink.write(str(n) * 40, 20) for _ in range(15)])
        for n, sink in enumerate(sinks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.text.splitlines()
    assert len(lines) == 60
    assert all(len(line) == 40 and len(set(line)) == 1 for line in lines)


def test_a_stream_without_hash_or_flush_is_taken():
    """Only `write` is asked for."""
    stream = Unhashable()
    open_sink(stream, None, None).write("{}", 20)
    assert stream.text == "{}\n"


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path):
    """As logrotate does it: lines go on in a new file of the old name."""
    path = tmp_path / "logs" / "app.jsonl"
    sink = open_sink(None, path, None)
    sink.write("1", 20)
    path.rename(path.with_suffix(".1"))
    sink.write("2", 20)
    path.unlink()
    sink.write("3", 20)
    assert path.read_text() == "3\n"
    assert path.with_suffix(".1").read_text() == "1\n"


def test_a_file_that_was_cut_in_place_goes_on_at_its_start(tmp_path):
    """logrotate's copytruncate leaves no hole."""
    path = tmp_path / "app.jsonl"
    sink = open_sink(None, path, None)
    sink.write("1", 20)
    os.truncate(path, 0)
    sink.write("2", 20)
    assert path.read_text() == "2\n"


def test_a_moved_file_takes_lines_while_no_new_one_can_be_made(tmp_path):
    """The directory went, the file is elsewhere: its lines can still be found."""
    path = tmp_path / "logs" / "app.jsonl"
    sink = open_sink(None, path, None)
    path.parent.rename(tmp_path / "moved")
    sink.write("1", 20)
    assert (tmp_path / "moved" / "app.jsonl").read_text() == "1\n"


def test_a_deleted_directory_raises_until_it_is_back(tmp_path):
    """Lines are never written where nobody can find them."""
    path = tmp_path / "logs" / "app.jsonl"
    sink = open_sink(None, path, None)
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        sink.write("1", 20)
    path.parent.mkdir()
    sink.write("2", 20)
    assert path.read_text() == "2\n"


def test_loggers_of_one_file_share_it_and_a_new_one_makes_its_directory_again(tmp_path):
    """One open file per path and process."""
    path = tmp_path / "logs" / "app.jsonl"
    sink = open_sink(None, path, None)
    path.unlink()
    path.parent.rmdir()
    assert open_sink(None, str(path), None) is sink
    sink.write("1", 20)
    assert path.read_text() == "1\n"


def test_half_a_line_of_a_program_that_died_spoils_no_other(tmp_path):
    """The next line starts on a line of its own."""
    path = tmp_path / "app.jsonl"
    path.write_text('{"whole":1}\n{"hal')
    open_sink(None, path, None).write('{"next":1}', 20)
    assert path.read_text().splitlines() == ['{"whole":1}', '{"hal', '{"next":1}']


def test_a_file_is_not_for_everybody(tmp_path):
    """Prompts may be in it."""
    path = tmp_path / "app.jsonl"
    _sink = open_sink(None, path, None)
    assert path.stat().st_mode & 0o007 == 0


def test_a_forked_child_logs_although_another_thread_held_the_lock(tmp_path):
    """The child has fresh locks, so that it does not wait for a thread that it does not have."""
    entered, leave = threading.Event(), threading.Event()
    parent = os.getpid()

    class Stuck:
        def write(self, _text):
            if os.getpid() == parent:
                entered.set()
                leave.wait(10)

    sinks = [open_sink(Stuck(), None, None), open_sink(None, tmp_path / "app.jsonl", None)]
    holder = threading.Thread(target=sinks[0].write, args=("1", 20))
    holder.start()
    entered.wait(10)
    with warnings.catch_warnings(), sinks[1]._lock:
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads is the point
        child = os.fork()
        if child == 0:
            worker = threading.Thread(target=lambda: [sink.write("child", 20) for sink in sinks], daemon=True)
            worker.start()
            worker.join(5)
            os._exit(1 if worker.is_alive() else 0)
    _, status = os.waitpid(child, 0)
    leave.set()
    holder.join()
    assert os.waitstatus_to_exitcode(status) == 0
    assert (tmp_path / "app.jsonl").read_text() == "child\n"
