"""Prints docs/cli.md, made from the parser: `python tools/cli_page.py > docs/cli.md`. A test holds the page to it."""

import argparse

from vestigo.cli import build_parser

HEAD = """# The command line

Made by `python tools/cli_page.py` from the commands themselves.

`vestigo COMMAND --help` tells the same. Errors are one line with the remedy. Exit codes: 0, 1 for what went wrong, 2
for what was asked wrongly, 130 for Ctrl-C. Colour is for terminals only, and `NO_COLOR` turns it off. The filter
language is described in [storage.md](storage.md), settings and their environment variables in
[settings.md](settings.md).

```
vestigo demo --once                                   # something to look at
vestigo query 'kind:llm latency>2s' --since 24h       # traces with slow calls
vestigo query --spans 'status:error' --json           # failed spans, one JSON object a line
vestigo show 4aefe704                                 # one trace as a tree; the start of its id is enough
vestigo tail -f 'kind:tool'                           # tool calls as they come
vestigo export 'user:u7' -o u7.jsonl                  # everything of one user
vestigo delete 'user:u7' --yes                        # and gone
vestigo key create ci --scopes ingest                 # a key for a server (see security.md)
```
"""


def page() -> str:
    """The whole page."""
    (commands,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    told = {choice.dest: choice.help for choice in commands._choices_actions}
    parts = [HEAD]
    for name, parser in commands.choices.items():
        parts += _sections(name, parser, told[name] or "")
    return "\n".join(parts)


def _sections(name: str, parser: argparse.ArgumentParser, told: str) -> list[str]:
    """The section of a command, and those of the commands below it."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    rows = [
        f"| `{_spelled(action)}` | {(action.help or '').replace('|', chr(92) + '|')} |"
        for action in parser._actions
        if action not in inner
    ]
    parts = [f"## `vestigo {name}`\n\n{told[:1].upper()}{told[1:]}.\n"]
    if not inner:
        parts.append("\n".join(["| argument | what |", "|---|---|", *rows]) + "\n")
    for action in inner:
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for below, choice in action.choices.items():
            parts += _sections(f"{name} {below}", choice, helps[below])
    return parts


def _spelled(action: argparse.Action) -> str:
    if not action.option_strings:
        return action.dest.upper()
    value = "" if action.nargs == 0 else f" {action.metavar or _choices(action) or action.dest.upper()}"
    return ", ".join(action.option_strings) + value


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""


if __name__ == "__main__":
    print(page(), end="")
