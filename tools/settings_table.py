"""Prints docs/settings.md, made from src/vestigo/settings.py: `python tools/settings_table.py > docs/settings.md`.

The docstring below each field of `Settings` is its description; `tests/test_docs.py` holds the page to it.
"""

import ast
import itertools
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "vestigo" / "settings.py"

HEAD = """\
# Settings

Made from `src/vestigo/settings.py` by `python tools/settings_table.py > docs/settings.md`.

A setting comes from, first to last: an argument of `configure()` or `Tracer()`, the variable `VESTIGO_<NAME>`, the
`OTEL_*` variable named in the table, the default. Times are in seconds, sizes in bytes, shares from 0 to 1.

```python
import vestigo

tracer = vestigo.configure(service="shop", environment="production", storage="memory://", redact="personal")
assert tracer.settings.environment == "production"
```

is the same as starting a program with `VESTIGO_SERVICE=shop VESTIGO_ENVIRONMENT=production VESTIGO_STORAGE=memory://
VESTIGO_REDACT=personal`, whether it calls `configure()` or not. In variables a switch is `true` or `false` (also `1`,
`yes`, `on`, `0`, `no`, `off`), several values are separated by commas, and an empty variable counts as not set.

`Tracer(...)` takes the same settings, calls the first `service_name`, and keeps its spans in memory unless it is given
a storage or its URL: it reads every variable but `VESTIGO_STORAGE`.

A name or a value that makes no sense raises `SettingsError` where it is given, with the remedy:

```python
try:
    vestigo.configure(storage="memory://", sample_rate=20)
except vestigo.SettingsError as error:
    assert str(error) == "setting sample_rate=20.0 is no share; give a number from 0 to 1"
```

`vestigo doctor` shows what is in force and where it comes from.
"""

TABLE = """
| setting | variable | default | what it is |
|---|---|---|---|
"""


SERVER = """
## The server

A setting of `vestigo serve` comes from, first to last: a flag (`--port 4318`, or `--set NAME=VALUE` for those without a
flag of their own), the variable, a TOML file with the names below as keys, the default. The file is what `--config` or
VESTIGO_CONFIG names, else `vestigo.toml` in the data directory. `vestigo doctor` shows what is in force.
"""


def settings(kind: str) -> list[tuple[str, str, str]]:
    """(name, default as source text, description) of each field, in order."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind)
    found: list[tuple[str, str, str]] = []
    for field, after in itertools.pairwise(body):
        if not isinstance(field, ast.AnnAssign) or field.value is None:
            continue
        told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if not told:
            raise SystemExit(f"{ast.unparse(field.target)} has no docstring below it")
        text = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
        found.append((ast.unparse(field.target), ast.unparse(field.value), text))
    return found


def page() -> str:
    """All of docs/settings.md."""
    return HEAD + TABLE + rows("Settings") + SERVER + TABLE + rows("ServerSettings")


def rows(kind: str) -> str:
    """The table of one struct of settings."""
    return "".join(
        f"| `{name}` | `VESTIGO_{name.upper()}` | {shown(default)} | {text.replace('|', chr(92) + '|')} |\n"
        for name, default, text in settings(kind)
    )


def shown(default: str) -> str:
    """A default as a reader wants it: text without quotes, products worked out, nothing for empty."""
    value = eval(default, {"__builtins__": {}})  # a constant of our own source
    if value in ("", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    print(page(), end="")
