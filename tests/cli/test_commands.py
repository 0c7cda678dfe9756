"""Asking, moving and checking from the command line, in the process and as a program of its own."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from vestigo import SQLiteTraceStorage
from vestigo.cli import build_parser
from vestigo.query import Query


def ids_of(out):
    return [line.split()[-1] for line in out.splitlines()[1:]]


def test_query_lists_traces_newest_first(run):
    """A table with name, model, tokens, cost and the whole trace id of each trace."""
    code, out, _ = run("query")
    assert code == 0
    assert [line.split()[5] for line in out.splitlines()[1:]] == ["third", "second", "first"]
    assert all("gpt-4o" in line and "1,000" in line and "$0.0030" in line for line in out.splitlines()[1:])
    assert all(len(trace_id) == 32 for trace_id in ids_of(out))


def test_query_understands_filters_order_and_limit(run):
    """The filter language, --sort and --limit, for traces, spans and logs."""
    assert len(ids_of(run("query", "status:error")[1])) == 1
    assert len(ids_of(run("query", "user:user-of-first")[1])) == 1
    assert run("query", "--sort", "oldest", "--limit", 1)[1].splitlines()[1].split()[5] == "first"
    assert "the first 1" in run("query", "--limit", 1)[2]
    assert len(run("query", "--spans", "kind:llm")[1].splitlines()) == 4
    assert run("query", "--logs")[1].count("helpful = 0.5") == 3
    code, out, err = run("query", "name:nobody")
    assert (code, out) == (0, "")
    assert "nothing found" in err


def test_query_prints_json_lines(run):
    """--json gives one object a line with the ids and sums."""
    lines = [json.loads(line) for line in run("query", "--json")[1].splitlines()]
    assert [line["name"] for line in lines] == ["third", "second", "first"]
    assert all(line["input_tokens"] == 1_000 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["query", "modle:x"], "did you mean 'model'"),
        (["query", "--since", "banana"], "24h"),
        (["query", "--limit", "0"], "limit 0"),
        (["query", "--storage", "redis://x"], "unknown storage 'redis://x'"),
        (["query", "--storage", "memory://"], "sqlite:///path.db"),
        (["delete", "name:first"], "--yes"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(run, arguments, told):
    """Exit code 2, nothing on standard output, and what to do instead on standard error."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_a_mistake_in_a_filter_is_pointed_at(run):
    """The text is repeated with a caret below the place."""
    *_, text, caret = run("query", "kind:llm modle:x")[2].splitlines()
    assert text.index("modle") == caret.index("^")


def test_show_draws_the_trace_as_a_tree(run):
    """Root, children in order, tokens and cost, the error below its span, what it was given, the score."""
    trace_id = ids_of(run("query", "status:error")[1])[0]
    code, out, _ = run("show", trace_id)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith(f"trace {trace_id}")
    assert "3 spans, 2 failed" in lines[1] or "3 spans, 1 failed" in lines[1]
    assert "tier: gold" in lines[2]
    tree = [line for line in lines if "─ " in line]
    assert "├─ chat gpt-4o" in tree[0]
    assert "1,000 → 50" in tree[0]
    assert tree[1].startswith("✕ └─ tool")
    assert "no answer" in out
    assert "helpful = 0.5" in out


def test_show_with_messages_and_by_the_start_of_an_id(run):
    """--messages shows what was said; an id may be shortened, but not so far that it means several."""
    trace_id = ids_of(run("query", "name:third")[1])[0]
    assert "assistant: hello third" in run("show", "--messages", trace_id)[1]
    code, _, err = run("show", trace_id[:31])
    assert code == 2
    assert "3 traces begin with" in err
    assert json.loads(run("show", "--json", trace_id)[1])["trace_id"] == trace_id
    code, _, err = run("show", "feed")
    assert code == 1
    assert "vestigo query" in err


def test_no_control_character_of_a_record_reaches_the_terminal(run):
    """Names and messages are hostile: escape sequences and line breaks are taken out."""
    trace_id = ids_of(run("query", "status:error")[1])[0]
    for told in (run("show", trace_id)[1], run("query", "--spans")[1], run("tail")[1]):
        assert "\x1b" not in told
    assert "red" in run("show", trace_id)[1]


def test_colour_is_for_terminals_only(url):
    """On a terminal the tree is coloured, unless NO_COLOR says otherwise."""

    def seen(**more):
        theirs, ours = pty.openpty()
        command = [sys.executable, "-m", "vestigo.cli", "query", "--storage", url]
        environment = {**os.environ, **more}
        subprocess.run(command, stdout=ours, check=True, env=environment)
        os.close(ours)
        told = os.read(theirs, 100_000).decode()
        os.close(theirs)
        return told

    assert "\x1b[31m" in seen()
    assert "\x1b" not in seen(NO_COLOR="1")


def test_tail_shows_the_newest_spans_oldest_first(run):
    """As many as asked for, the newest at the bottom."""
    lines = run("tail", "-n", 2)[1].splitlines()
    assert len(lines) == 2
    assert "chat gpt-4o" in lines[-1]


def test_tail_follows_what_comes(url, tmp_path):
    """-f shows a span that another process ends later, and Ctrl-C ends it with 130."""
    command = [sys.executable, "-m", "vestigo.cli", "tail", "-f", "--storage", url, "name:later"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        writing = (
            "from vestigo import Tracer, SQLiteTraceStorage; "
            f"t = Tracer('late', SQLiteTraceStorage({str(tmp_path / 'traces.db')!r})); "
            "t.trace('later').__enter__().end(); t.close()"
        )
        subprocess.run([sys.executable, "-c", writing], check=True)
        assert "later" in follower.stdout.readline()
        follower.send_signal(2)
        assert follower.wait(10) == 130


@pytest.mark.parametrize("form", ["jsonl", "otlp"])
def test_what_is_exported_can_be_imported(run, tmp_path, form):
    """Into another storage, and again, without a difference in what is found."""
    file, copy = tmp_path / "out", f"sqlite:////{tmp_path / 'copy.db'}"
    assert run("export", "--format", form, "-o", file)[0] == 0
    for _ in range(2):
        assert run("import", "--format", form, file, storage=copy)[0] == 0
    assert run("query", storage=copy)[1] == run("query")[1]
    ours, theirs = SQLiteTraceStorage(tmp_path / "traces.db"), SQLiteTraceStorage(tmp_path / "copy.db")
    for summary in ours.find_traces(Query(project="default")):
        one, other = ours.get(summary.trace_id), theirs.get(summary.trace_id)
        assert [span.attributes for span in one.spans] == [span.attributes for span in other.spans]
        assert [log.attributes for log in one.logs] == [log.attributes for log in other.logs]
    ours.close()
    theirs.close()


def test_a_broken_line_is_named_and_the_rest_imported(run, tmp_path):
    """Exit code 1, the number of the line, nothing else lost."""
    file, copy = tmp_path / "out", f"sqlite:////{tmp_path / 'copy.db'}"
    run("export", "-o", file)
    file.write_bytes(b"broken\n" + file.read_bytes() + b'{"record":"span"}\n{"a":1}\n')
    code, _, err = run("import", file, storage=copy)
    assert code == 1
    assert "line 1 left out" in err
    assert "3 lines left out" in err
    assert len(ids_of(run("query", storage=copy)[1])) == 3


def test_delete_removes_what_matches(run):
    """With --yes, and says how many, and that nothing is left of it in any file."""
    code, out, _ = run("delete", "--yes", "user:user-of-first")
    assert code == 0
    assert out.startswith("1 traces deleted\nwith ")
    assert "0 copies left in " in out
    assert len(ids_of(run("query")[1])) == 2


def test_delete_spares_what_is_on_hold(run, monkeypatch, tmp_path):
    """The holds of the data directory's policies; a project that is held as a whole is refused by name."""
    monkeypatch.setenv("VESTIGO_DATA_DIR", str(tmp_path))
    (tmp_path / "retention.json").write_text('{"default": {"hold": "user:user-of-first"}}')
    run("delete", "--yes", "--since", "2000-01-01")
    assert len(ids_of(run("query")[1])) == 1
    (tmp_path / "retention.json").write_text('{"default": {"hold": "*"}}')
    code, _, err = run("delete", "--yes", "--since", "2000-01-01")
    assert code == 2
    assert "on hold" in err


def test_verify_tells_whether_the_storage_is_sound(run, tmp_path):
    """0 for a sound one; 1 with the trouble for a damaged one; files are read line by line."""
    assert run("verify")[:2] == (0, "everything was read and is sound\n")
    files = f"file:////{tmp_path / 'files'}"
    run("export", "-o", tmp_path / "out")
    run("import", tmp_path / "out", storage=files)
    assert "broken lines" in run("verify", storage=files)[1]


def test_doctor_tells_settings_and_where_they_come_from(run, monkeypatch):
    """Each setting with its source, the storage's size, rules in force, versions."""
    monkeypatch.setenv("VESTIGO_SAMPLE_RATE", "0.5")
    _, out, _ = run("doctor", "--project", "mine")
    told = {
        line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("  ") and line.split()[1:]
    }
    assert told["sample_rate"] == ["0.5", "environment"]
    assert told["project"] == ["mine", "option"]
    assert told["queue_bytes"][-1] == "default"
    assert told["spans"] == ["7"]
    assert told["openai"][-1] == "on" or told["openai"]
    assert "msgspec" in told


def test_doctor_shows_no_key_of_a_server(run, monkeypatch):
    """That there is one is all that is told; a server is not asked."""
    monkeypatch.setenv("VESTIGO_API_KEY", "vst_hush")
    monkeypatch.setenv("VESTIGO_HEADERS", "X-Key=other_hush")
    code, out, _ = run("doctor", storage="http://localhost:4318")
    assert code in {0, None}
    assert "http://localhost:4318" in out
    assert out.count("(set)") == 2
    assert "_hush" not in out


def test_a_closed_pipe_is_quiet(url):
    """`vestigo query | head -1` ends without a complaint."""
    command = f"{sys.executable} -m vestigo.cli query --json --storage {url} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_every_command_has_help():
    """Each command, those below it, and each option says what it does."""
    (commands,) = [action for action in build_parser()._actions if hasattr(action, "choices") and action.choices]
    assert set(commands.choices) == {
        "demo", "serve", "query", "show", "tail", "export", "import", "delete", "verify", "doctor",
        "key", "user", "link",
    }  # fmt: skip
    parsers = list(commands.choices.values())
    for parser in parsers:
        below = [action for action in parser._actions if isinstance(action.choices, dict)]
        parsers += [choice for action in below for choice in action.choices.values()]
        assert all(choice.help for action in below for choice in action._choices_actions)
        assert all(action.help for action in parser._actions if action not in below)
    assert len(parsers) == 21


def test_the_page_of_commands_is_up_to_date():
    """docs/cli.md is what `python tools/cli_page.py` prints."""
    root = Path(__file__).parents[2]
    made = subprocess.run([sys.executable, root / "tools" / "cli_page.py"], capture_output=True, text=True, check=True)
    assert (root / "docs" / "cli.md").read_text() == made.stdout
