"""The rooms of the package: who may import whom, each module has its tests, no room is a junk room."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "vestigo"
TESTS = Path(__file__).parent

LAYERS = [
    {"record", "version"},
    {"errors", "semconv", "sketch"},
    {"diagnostics", "disk", "settings", "normalize", "values"},
    {"query", "matching", "prices", "metrics", "redact", "detectors", "keynames", "specimens", "otlp"},
    {"filtertext"},
    {"sdk", "storage"},
    {"instrument"},
    {"default"},
    {"server"},
    {"testing", "cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
STRANGERS = [
    ("sdk", "storage"),
    ("storage", "sdk"),
    ("storage", "instrument"),
    ("query", "metrics"),
    ("query", "matching"),
]
UNTESTED_BY_NAME = {"__init__.py", "__main__.py"}


def modules():
    return sorted(SOURCE.rglob("*.py"))


def room(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return parts[0]


def imports(path):
    """(imported room, line) of each import of ours that runs; those for type checkers only do not count."""
    tree = ast.parse(path.read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vestigo":
            names = [node.module.split(".")[1]] if "." in node.module else [alias.name for alias in node.names]
            yield from ((name, node.lineno) for name in names)
        elif isinstance(node, ast.Import):
            yield from (
                (alias.name.split(".")[1], node.lineno) for alias in node.names if alias.name.startswith("vestigo.")
            )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_one_way(path):
    """A module imports from its own room or from lower ones, and strangers do not know each other."""
    own = room(path)
    if own == "__init__":
        return
    assert own in RANK, f"{own} is in no layer; put it into one"
    for name, line in imports(path):
        assert name in RANK, f"{path.name}:{line} imports {name}, which is in no layer"
        assert name == own or RANK[name] <= RANK[own], f"{path.name}:{line}: {own} imports {name} from above"
        assert (own, name) not in STRANGERS, f"{path.name}:{line}: {own} must not know {name}"


def test_no_room_is_a_junk_room():
    """Nothing is called utils, helpers, common, core, base, manager or handler."""
    junk = {"utils", "util", "helpers", "common", "core", "base", "manager", "managers", "handlers", "data", "misc"}
    assert not [path for path in modules() if junk & set(path.relative_to(SOURCE).with_suffix("").parts)]


def test_each_module_has_its_tests():
    """`tests/` mirrors `src/vestigo`: a module is tested by the file of its name or of its package."""
    missing = []
    for path in modules():
        inside = path.relative_to(SOURCE)
        if inside.name in UNTESTED_BY_NAME or inside.name == "version.py":
            continue
        own = TESTS / inside.parent / f"test_{inside.stem}.py"
        package = TESTS / inside.parent.parent / f"test_{inside.parent.name}.py"
        if not own.exists() and not (len(inside.parts) > 2 and package.exists()):
            missing.append(str(inside))
    assert not missing


def test_the_environment_is_read_in_one_place():
    """Only settings.py reads environment variables; the command line reads those of the terminal."""
    readers = [
        str(path.relative_to(SOURCE))
        for path in modules()
        if ("os.environ" in path.read_text() or "getenv" in path.read_text()) and room(path) not in {"settings", "cli"}
    ]
    assert readers == []
