"""The command line: `vestigo serve | demo | tail | query | show | export | import | delete | verify | doctor`.

Commands load what they use, so that `--help` is quick. Errors are one line with the remedy; exit codes are 0, 1 for
what went wrong, 2 for what was asked wrongly, 130 for Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from vestigo.cli import credentials, serve
from vestigo.errors import QueryError, SettingsError, VestigoError
from vestigo.version import VERSION


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(prog="vestigo", description="What an LLM application did.")
    parser.add_argument("--version", action="version", version=f"vestigo {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--storage",
        metavar="URL",
        help="sqlite:///path.db or file:///dir (default: SQLite in ~/.vestigo)",
    )
    place.add_argument("--project", help="project of the records (default: VESTIGO_PROJECT, or 'default')")
    window = argparse.ArgumentParser(add_help=False)
    window.add_argument("filter", nargs="?", default="", help="such as 'kind:llm cost>$0.01' (see docs/storage.md)")
    window.add_argument("--since", metavar="TIME", help="24h, 30m, 7d, 2026-11-20 or 2026-11-20T08:00")
    window.add_argument("--until", metavar="TIME", help="the end of the window, in the same forms")

    demo = commands.add_parser(
        "demo", parents=[place], help="start a server, send it a sample application's traces, show them"
    )
    demo.add_argument("--once", action="store_true", help="end by itself instead of going on until Ctrl-C")
    demo.add_argument("--port", type=int, default=0, help="port of its server (default: a free one)")
    serve.add_options(commands.add_parser("serve", help="take records by OTLP, answer the API, show the page"))
    query = commands.add_parser("query", parents=[place, window], help="list traces, spans or logs")
    what = query.add_mutually_exclusive_group()
    what.add_argument("--spans", action="store_true", help="list spans")
    what.add_argument("--logs", action="store_true", help="list logs")
    query.add_argument("--limit", type=int, default=50, help="how many at most (default: 50)")
    query.add_argument("--sort", choices=("newest", "oldest", "slowest"), default="newest", help="(default: newest)")
    query.add_argument("--json", action="store_true", help="one JSON object a line")
    show = commands.add_parser("show", parents=[place], help="show one trace as a tree")
    show.add_argument("trace", help="trace id, or the start of one that is among the newest 1,000")
    show.add_argument("--messages", action="store_true", help="with what was said")
    show.add_argument("--json", action="store_true", help="the whole trace as JSON")
    tail = commands.add_parser("tail", parents=[place, window], help="the newest spans; -f goes on as they come")
    tail.add_argument("-f", "--follow", action="store_true", help="wait for more until Ctrl-C")
    tail.add_argument("-n", "--lines", type=int, default=10, help="how many to begin with (default: 10)")
    export = commands.add_parser("export", parents=[place, window], help="write traces and their logs")
    export.add_argument("-o", "--output", default="-", help="file, or - for the terminal (default)")
    export.add_argument("--format", choices=("jsonl", "otlp"), default="jsonl", help="(default: jsonl)")
    load = commands.add_parser("import", parents=[place], help="read what export wrote; again is harmless")
    load.add_argument("input", nargs="?", default="-", help="file, or - (default)")
    load.add_argument("--format", choices=("jsonl", "otlp"), default="jsonl", help="(default: jsonl)")
    delete = commands.add_parser("delete", parents=[place, window], help="delete traces for good")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    verify = commands.add_parser("verify", parents=[place], help="read everything and tell what is damaged")
    verify.add_argument("--data-dir", metavar="DIR", help="of the server whose audit log is checked too")
    verify.add_argument(
        "--audit-head", action="append", default=[], metavar="HEAD", help="one that was kept elsewhere; may be repeated"
    )
    doctor = commands.add_parser("doctor", parents=[place], help="settings in force, storage, redaction, dependencies")
    doctor.add_argument("--config", metavar="FILE", help="the server's TOML file (default: as for `serve`)")
    credentials.add_options(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = build_parser().parse_args(arguments)
    from vestigo.cli import commands, demo

    command = {
        "demo": demo.demo, "import": commands.load, "serve": serve.serve,
        "key": credentials.key, "user": credentials.user, "link": credentials.link,
    }.get(given.command) or getattr(commands, given.command)  # fmt: skip
    try:
        return command(given) or 0
    except QueryError as error:
        print(f"vestigo: {error}", file=sys.stderr)
        if error.position is not None:
            print(f"  {given.filter}\n  {' ' * error.position}^", file=sys.stderr)
        return 2
    except SettingsError as error:
        print(f"vestigo: {error}", file=sys.stderr)
        return 2
    except VestigoError as error:
        print(f"vestigo: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the last flush must not complain
            return 0
        print(f"vestigo: {error.filename or 'file'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
