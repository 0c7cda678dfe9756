"""What the pages tell is so: their Python runs, the examples run, and nothing public is left out of them."""

import argparse
import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vestigo
from vestigo import Tracer
from vestigo.cli import build_parser
from vestigo.query import FIELDS, HAS
from vestigo.sdk.tracer import ActiveSpan
from vestigo.settings import ServerSettings, Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ALL_TEXT = [
    *PAGES,
    *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs" / "adr").glob("*.md")),
    *sorted((ROOT / "changelog.d").glob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FENCE = re.compile(r"^(?:<!-- no run(?P<why>.*?)-->\n\s*)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def named(path):
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def clean_environment(place):
    """The caller's variables without ours, so that a developer's settings change nothing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("VESTIGO_", "OTEL_", "OPENAI_"))}
    return {**kept, "HOME": str(place), "NO_COLOR": "1"}


def run(arguments, place):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=place, env=clean_environment(place), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def blocks(path):
    """(line of the file, code) of each Python block that is to run; a block that is not says why."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        if match["why"] is None:
            found.append((text[: match.start("code")].count("\n"), match["code"]))
        else:
            assert match["why"].strip(": \n"), f"{named(path)}: say why a block is not run: <!-- no run: why -->"
    return found


# --- what runs


@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path)], ids=named)
def test_the_python_of_a_page_runs(path, tmp_path):
    """The blocks of a page run in order, as one program in an empty directory; warnings are errors."""
    program = ""
    for line, code in blocks(path):
        program += "\n" * (line - program.count("\n")) + code  # so that a traceback names the line of the page
    (tmp_path / "page.py").write_text(program, encoding="utf-8")
    done = run(["page.py"], tmp_path)
    assert done.returncode == 0, f"{named(path)}:\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_an_example_prints_what_it_says(path, tmp_path):
    """An example ends well, is short, and prints the lines that its docstring shows ("..." stands for anything)."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120
    done = run([str(path)], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    shown = [line.strip() for line in told.partition("Prints, in short:")[2].splitlines() if line.strip()]
    assert len(shown) >= 3, f"{named(path)} does not show its output"
    printed = [line.strip() for line in done.stdout.splitlines()]
    for line in shown:
        form = re.compile(".*".join(map(re.escape, line.split("..."))))
        assert any(form.fullmatch(real) for real in printed), f"{line!r} is not in:\n{done.stdout}"


@pytest.mark.skipif(shutil.which("jq") is None, reason="there is no jq here")
def test_the_jq_commands_of_the_storage_page_read_our_files(tmp_path):
    """Each command prints what it promises for the files of a tracer."""
    program = """
from vestigo import Tracer
tracer = Tracer("shop", "file:///traces")
with tracer.trace("answer"):
    with tracer.span("chat", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "our-llama"}) as call:
        call.update({"gen_ai.usage.input_tokens": 500, "gen_ai.usage.cost": 0.25})
    try:
        with tracer.span("find_order"):
            raise TimeoutError("no answer")
    except TimeoutError:
        pass
"""
    assert run(["-c", program], tmp_path).stderr == ""
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    script = re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1]
    printed = [
        subprocess.run(["sh", "-c", part], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        for part in script.split("\n\n")
    ]
    assert sorted(line.rpartition(" ")[0] for line in printed[0]) == ["answer", "chat", "find_order"]
    assert printed[1:] == [["find_order\tno answer"], ["our-llama\t500\t0.25"]]


def test_broken_python_on_a_page_would_be_noticed(tmp_path):
    """The test of pages can fail: an assertion that does not hold ends the run with the page's line."""
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\nassert 1 == 2, 'two'\n```\n", encoding="utf-8")
    assert [line for line, _ in blocks(page)] == [3]
    (tmp_path / "page.py").write_text("\n" * 3 + blocks(page)[0][1], encoding="utf-8")
    done = run(["page.py"], tmp_path)
    assert done.returncode == 1
    assert "line 4" in done.stderr
    page.write_text("<!-- no run -->\n```python\npass\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="say why"):
        blocks(page)


# --- what is complete


def test_every_setting_is_on_its_page():
    """docs/settings.md is what tools/settings_table.py makes, and names each setting."""
    spec = importlib.util.spec_from_file_location("settings_table", ROOT / "tools" / "settings_table.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == made.page(), "run: python tools/settings_table.py > docs/settings.md"
    fields = [*Settings.__struct_fields__, *ServerSettings.__struct_fields__]
    assert [name for name in fields if f"| `{name}` |" not in page] == []


def test_every_public_name_is_on_a_page():
    """Each name of `vestigo.__all__` is told of in docs/."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES if path.parent.name == "docs")
    assert [name for name in vestigo.__all__ if not re.search(rf"\b{re.escape(name)}\b", text)] == []


def test_every_method_of_a_tracer_is_on_a_page():
    """Each public method of Tracer and of a span is told of in docs/tracing.md."""
    text = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
    names = {name for kind in (Tracer, ActiveSpan) for name in vars(kind) if not name.startswith("_")}
    internal = set(ActiveSpan.__struct_fields__) | {"service_name"}
    assert sorted(name for name in names - internal if not re.search(rf"[`.]{name}\b", text)) == []


def test_every_field_of_filters_is_on_a_page():
    """docs/storage.md has each field of the filter language in its tables, and each value of `has`."""
    text = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    assert [field for field in FIELDS if f"`{field}`" not in text] == []
    assert [value for value in HAS if f"`{value}`" not in text] == []


def test_every_command_is_on_its_page():
    """docs/cli.md has each command and each of its options."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    missing = []
    for name, parser in commands(build_parser()):
        section = re.search(rf"^#+ .*\b{name}\b.*$", text, re.MULTILINE)
        if section is None and f"vestigo {name}" not in text:
            missing.append(name)
        options = [option for action in parser._actions for option in action.option_strings]
        missing += [f"{name} {option}" for option in options if option not in text and option not in {"-h", "--help"}]
    assert missing == []


def commands(parser):
    action = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    return action.choices.items()


def test_every_reason_to_drop_is_on_a_page():
    """docs/tracing.md has each `dropped.<reason>` that the tracer counts, and none that it does not."""
    sources = [*(ROOT / "src" / "vestigo" / "sdk").glob("*.py"), ROOT / "src" / "vestigo" / "default.py"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.stem not in {"logger", "logformat"})
    reasons = set(re.findall(r'"dropped\.([a-z_]+)"', source))
    for tracer in (Tracer("full", queue_bytes=1), Tracer("sampled", tail_sample_rate=0)):
        tracer.span("too much").end()
        tracer.close()
        tracer.span("too late").end()
        reasons |= {name.removeprefix("dropped.") for name in tracer.pipeline.stats() if name.startswith("dropped.")}
    assert {"queue_full", "closed", "exit", "sampled"} <= reasons
    text = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`dropped\.([a-z_]+)`", text)) == reasons


# --- what points somewhere


@pytest.mark.parametrize("path", ALL_TEXT, ids=named)
def test_links_lead_to_a_page_and_a_heading(path):
    """A link inside the repository names a file that is there and, behind `#`, a heading of it."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) if path.suffix == ".md" else []:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{named(path)} links to {target}, which is not there"
        if heading:
            assert heading in headings(found), f"{named(path)} links to {target}; headings are {headings(found)}"


def headings(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("path", ALL_TEXT, ids=named)
def test_pages_tell_of_no_machine(path):
    """No page or example has a path of one machine, or the address of a package registry."""
    text = path.read_text(encoding="utf-8")
    machine = re.findall(r"(?<![\w.])/(?:work|root|home)/\S*", text)
    registries = re.findall(r"\S*(?:pypi\.org|pythonhosted|artifactory|index-url\s+http|crates\.io|npmjs)\S*", text)
    assert machine + registries == []


def test_every_page_is_in_the_index():
    """docs/index.md links each page of docs/."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [path.name for path in PAGES if path.parent.name == "docs" and path.name != "index.md"]
    assert [name for name in pages if f"]({name})" not in index] == []
