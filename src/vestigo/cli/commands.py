"""The commands that ask, move and check. Each takes the parsed arguments and answers an exit code or None."""

import argparse
import importlib.metadata
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from vestigo import otlp
from vestigo.cli import credentials, render
from vestigo.errors import IngestError, SettingsError
from vestigo.filtertext import parse_filter
from vestigo.prices import Prices
from vestigo.query import Query
from vestigo.record import Batch, Log, Span
from vestigo.settings import (
    Settings,
    default_storage_url,
    environment_value,
    load_server_settings,
    load_settings,
    server_source,
)
from vestigo.storage import Storage, open_storage, settle
from vestigo.storage.policies import Policies

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DEPENDENCIES = (
    "msgspec", "google-re2", "apsw", "backports.zstd", "genai-prices", "starlette", "uvicorn", "opentelemetry-proto",
    "argon2-cffi", "authlib", "grpcio", "openai", "structlog",
)  # fmt: skip
_EXPORT_TRACES = 500
_SECRET = ("redact_hash_key", "api_key", "headers", "forward_headers", "oidc_client_secret")


def settings_of(given: argparse.Namespace) -> Settings:
    """Settings from the command's options, then the environment."""
    data_dir = getattr(given, "data_dir", None)
    return load_settings({"storage": given.storage, "project": given.project, "data_dir": data_dir})


def storage_of(settings: Settings) -> Storage:
    url = default_storage_url(settings)
    if url.startswith("memory:"):
        raise SettingsError("memory:// ends with the program that wrote it; give sqlite:///path.db or file:///dir")
    return open_storage(url)


def question(given: argparse.Namespace, settings: Settings, **more: Any) -> Query:
    """The query that a command's filter and window make."""
    start = _moment(given.since) if given.since else 0
    end = _moment(given.until) if given.until else Query(project=settings.project).end_ns
    return Query(project=settings.project, start_ns=start, end_ns=end, filter=parse_filter(given.filter), **more)


def query(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage:
        asked = question(given, settings, order=given.sort, limit=given.limit)
        find = storage.find_spans if given.spans else storage.find_logs if given.logs else storage.find_traces
        page: Any = find(asked)
        if given.json:
            for item in page.items:
                _print_json(item)
            return None
        if not page.items:
            print("nothing found; widen --since or the filter, or run `vestigo demo`", file=sys.stderr)
            return None
        lines = render.span_lines if given.spans else render.trace_lines
        for line in map(render.log_line, page.items) if given.logs else lines(page.items):
            print(line)
        if page.cursor is not None:
            print(f"the first {given.limit}; --limit shows more", file=sys.stderr)
    return None


def show(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage:
        trace = storage.trace(settings.project, given.trace.lower())
        if trace is None:
            newest = storage.find_traces(Query(project=settings.project, limit=1_000))
            ids = [one.trace_id for one in newest if one.trace_id.startswith(given.trace.lower())]
            trace = storage.trace(settings.project, ids[0]) if len(ids) == 1 else None
            if len(ids) > 1:
                raise SettingsError(f"{len(ids)} traces begin with {given.trace!r}; give more of the id")
        if trace is None:
            print(f"vestigo: no trace {render.plain(given.trace, 40)!r}; `vestigo query` lists them", file=sys.stderr)
            return 1
        if given.json:
            _print_json(trace)
            return None
        for line in render.tree_lines(trace, said=given.messages):
            print(line)
    return None


def tail(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage:
        shown: dict[str, None] = {}
        limit = max(given.lines, 1)
        while True:
            page = storage.find_spans(question(given, settings, limit=limit))
            fresh = [span for span in reversed(page.items) if _version(span) not in shown]
            for span in fresh:
                shown[_version(span)] = None
                print(render.span_line(span), flush=True)
            for old in list(shown)[:-10_000]:
                del shown[old]
            if not given.follow:
                return None
            limit = 1_000
            time.sleep(0.5)


def export(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage, _output(given.output) as out:
        count = 0
        for batch in _traces(storage, question(given, settings, order="oldest", limit=_EXPORT_TRACES)):
            count += len(batch)
            if given.format == "otlp":
                out.write(otlp.encode_traces(batch.spans) + b"\n")
                if batch.logs:
                    out.write(otlp.encode_logs(batch.logs) + b"\n")
            else:
                for record in (*batch.spans, *batch.logs):
                    kind = "span" if isinstance(record, Span) else "log"
                    out.write(msgspec.json.encode({"record": kind, **msgspec.to_builtins(record)}) + b"\n")
        out.flush()
        print(f"{count} records", file=sys.stderr)
    return None


def load(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage:
        count = broken = 0
        prices = Prices(settings.prices or None)
        source = sys.stdin.buffer if given.input == "-" else open(given.input, "rb")  # noqa: PTH123, SIM115
        with source:
            for number, line in enumerate(source, 1):
                if not line.strip():
                    continue
                try:
                    batch = _read_line(line, given.format, settings.project)
                except (IngestError, msgspec.MsgspecError) as error:
                    broken += 1
                    print(f"vestigo: line {number} left out: {error}", file=sys.stderr)
                    continue
                storage.write(settle(batch, prices))
                count += len(batch)
        print(f"{count} records{f', {broken} lines left out' if broken else ''}", file=sys.stderr)
    return 1 if broken else None


def delete(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    with closing(storage_of(settings)) as storage:
        asked = question(given, settings)
        if asked.filter is None and not given.since and not given.until:
            raise SettingsError("delete without a filter would delete everything; give a filter, --since or --until")
        allowed = Policies(Path(settings.data_dir).expanduser() / "retention.json").allowed(asked)
        if allowed is None:
            raise SettingsError(f"project {settings.project!r} is on hold; change its retention policy first")
        asked = allowed
        if not given.yes:
            if not sys.stdin.isatty():
                raise SettingsError("delete asks before it deletes, and nobody is there to answer; give --yes")
            found = storage.find_traces(msgspec.structs.replace(asked, limit=1_000))
            many = f"{len(found)}{' or more' if found.cursor else ''}"
            if input(f"delete {many} traces and their logs for good? [y/N] ").strip().lower() not in {"y", "yes"}:
                print("nothing deleted")
                return None
        report = storage.erase(asked)
        for line in render.erasure_lines(report):
            print(line)
    return None if report.clean else 1


def verify(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    troubles = credentials.audit_troubles(given)
    with closing(storage_of(settings)) as storage:
        check = getattr(storage, "verify", None)
        if check is None:
            count = sum(len(batch) for batch in _traces(storage, Query(project=settings.project, limit=_EXPORT_TRACES)))
            skipped = getattr(storage, "skipped_lines", 0)
            print(f"{count} records read, {skipped} broken lines skipped")
            troubles += [f"{skipped} broken lines"] if skipped else []
        else:
            troubles += check()
    for trouble in troubles:
        print(render.plain(trouble))
    print(f"{len(troubles)} troubles found" if troubles else "everything was read and is sound")
    return 1 if troubles else None


def doctor(given: argparse.Namespace) -> int | None:
    settings = settings_of(given)
    chosen = {name for name in ("storage", "project") if getattr(given, name) is not None}
    _print_settings("settings of a program", settings, _source, chosen)
    options = {name: getattr(given, name) for name in chosen}
    server = load_server_settings(options, config=given.config)
    _print_settings("settings of a server", server, lambda name: server_source(name, given.config), chosen)
    print(render.paint("storage", "bold"))
    url = default_storage_url(settings)
    print(f"  {url}")
    with closing(storage_of(settings)) if not url.startswith("http") else nullcontext() as storage:
        for name, value in getattr(storage, "figures", dict)().items():
            print(f"  {name:<22}{value:,}")
    print(render.paint("redaction in force", "bold"))
    for rule in _rules(settings):
        print(f"  {rule}")
    print(render.paint("dependencies", "bold"))
    for name in _DEPENDENCIES:
        print(f"  {name:<22}{_version_of(name)}")
    return None


def _source(name: str) -> str:
    return "environment" if environment_value(name) else "default"


def _print_settings(title: str, settings: Struct, source: Callable[[str], str], options: set[str]) -> None:
    print(render.paint(title, "bold"))
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if name in _SECRET and value:
            value = "(set)"
        print(f"  {name:<22}{render.plain(value):<40} {'option' if name in options else source(name)}")


def _rules(settings: Settings) -> Iterator[str]:
    from vestigo.redact import Redactor

    if settings.redact == "off":
        yield "nothing is hidden (redact=off)"
        return
    redactor = Redactor(personal=settings.redact == "personal", phone=settings.redact_phone, keys=settings.redact_keys)
    for rule in redactor.describe():
        yield f"{rule.name:<22}{rule.kind:<18}{'on' if rule.on else 'off'}"


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _version(span: Span) -> str:
    return f"{span.trace_id}{span.span_id}{span.end_ns}"


def _traces(storage: Storage, asked: Query) -> Iterator[Batch]:
    """Whole traces with their logs, a page at a time."""
    while True:
        page = storage.find_traces(asked)
        for summary in page:
            trace = storage.trace(asked.project, summary.trace_id)
            if trace is not None:
                yield Batch(trace.spans, trace.logs, asked.project)
        if page.cursor is None:
            return
        asked = msgspec.structs.replace(asked, cursor=page.cursor)


def _read_line(line: bytes, form: str, project: str) -> Batch:
    if form == "otlp":
        return Batch(otlp.decode_traces(line), otlp.decode_logs(line), project)
    record = msgspec.json.decode(line)
    kind = record.pop("record", None) if isinstance(record, dict) else None
    if kind == "span":
        return Batch([msgspec.convert(record, Span)], [], project)
    if kind == "log":
        return Batch([], [msgspec.convert(record, Log)], project)
    raise IngestError("no span and no log; give a file that `vestigo export` wrote, or --format otlp")


def _output(name: str) -> IO[bytes]:
    if name == "-":
        return open(sys.stdout.fileno(), "wb", closefd=False)
    return open(name, "wb")  # noqa: PTH123


def _print_json(record: Any) -> None:
    print(msgspec.json.encode(record).decode())


def _moment(text: str) -> int:
    """Nanoseconds since 1970 of `24h` ago or of a local date and time. Raises SettingsError."""
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if ago:
        return time.time_ns() - int(float(ago[1]) * _UNITS[ago[2]] * 1e9)
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1e9)
    except ValueError:
        raise SettingsError(f"time {text!r} is not one; give 24h, 30m, 7d, 2026-11-20 or 2026-11-20T08:00") from None


__all__ = ["delete", "doctor", "export", "load", "query", "show", "tail", "verify"]
