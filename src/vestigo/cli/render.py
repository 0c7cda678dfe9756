"""Tables, trees and numbers for a terminal. What a record says is hostile: no control character gets through."""

import os
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from vestigo.matching import log_score, message_text, summarize
from vestigo.normalize import messages
from vestigo.query import TraceSummary
from vestigo.record import Log, Span, Trace
from vestigo.storage.erasure import Erasure

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_COLOURS = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "violet": "35",
    "teal": "36",
    "grey": "90",
    "bold": "1",
}
_KIND_COLOURS = {"llm": "violet", "agent": "blue", "tool": "yellow", "retrieval": "teal", "embedding": "teal"}
_SEVERITIES = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))


def colourful() -> bool:
    """Whether standard output is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, colour: str | None) -> str:
    """Text in a colour, where there is any."""
    if not text:
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and colourful() else text


def plain(text: object, width: int | None = None) -> str:
    """Text that is safe for a terminal, on one line, cut to a width."""
    safe = _CONTROL.sub("·", str(text).replace("\n", " ").replace("\t", " "))
    if width is None or wide(safe) <= width:
        return safe
    while wide(safe) >= width and safe:
        safe = safe[: -max(1, (wide(safe) - width + 1) // 2)]
    return safe + "…"


def wide(text: str) -> int:
    """Columns that a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, width: int, *, right: bool = False) -> str:
    space = " " * max(0, width - wide(text))
    return space + text if right else text + space


def duration(nanoseconds: float | None) -> str:
    """`430 ms`, `2.31 s`, `3 m 20 s`; `…` for what is still open."""
    if nanoseconds is None:
        return "…"
    seconds = nanoseconds / 1e9
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds // 60)} m {int(seconds % 60)} s"


def dollars(usd: float | None) -> str:
    """Four significant places below a cent; empty where nobody knows."""
    if usd is None:
        return ""
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}" if usd >= 0.0001 or usd == 0 else f"${usd:.1e}"


def clock(nanoseconds: int) -> str:
    """Local date and time to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(nanoseconds / 1e9))


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], colours: Sequence[str | None]
) -> Iterator[str]:
    """Aligned lines; `right` names the columns of numbers, `colours` one for each row."""
    widths = [max([wide(title), *(wide(row[at]) for row in rows)]) for at, title in enumerate(head)]
    for number, row in enumerate([head, *rows]):
        cells = [pad(cell, widths[at], right=at in right) for at, cell in enumerate(row)]
        yield paint("  ".join(cells).rstrip(), "grey" if number == 0 else colours[number - 1])


def trace_lines(found: Iterable[TraceSummary]) -> Iterator[str]:
    """A list of traces."""
    traces = list(found)
    rows = [
        (
            clock(one.start_ns), duration(None if one.end_ns is None else one.end_ns - one.start_ns),
            "✕" if one.status == "ERROR" else "…" if one.open_spans else "✓", plain(one.name, 30),
            plain(", ".join(one.models), 26), f"{one.input_tokens:,}", f"{one.output_tokens:,}", dollars(one.cost_usd),
            plain(one.user_id or one.session_id or "", 16), one.trace_id,
        )
        for one in traces
    ]  # fmt: skip
    head = ("start", "took", " ", "name", "models", "in", "out", "cost", "user", "trace")
    return table(head, rows, {1, 5, 6, 7}, ["red" if one.status == "ERROR" else None for one in traces])


def span_lines(found: Iterable[Span]) -> Iterator[str]:
    """A list of spans."""
    spans = list(found)
    head = ("start", "took", " ", "kind", "name", "in", "out", "cost", "trace", "span")
    return table(head, [_span_row(span) for span in spans], {1, 5, 6, 7}, [_colour(span) for span in spans])


def span_line(span: Span) -> str:
    """One span as it comes in: start, duration, how it went, name, tokens, the start of its trace id."""
    tokens_in, tokens_out, _ = _numbers(span)
    tokens = f"{tokens_in} → {tokens_out}" if tokens_in or tokens_out else ""
    told = f"{clock(span.start_ns)} {duration(span.duration_ns):>9}  {mark(span)}"
    return paint(f"{told} {pad(plain(span.name, 50), 50)} {tokens:>14}  {span.trace_id[:8]}", _colour(span))


def _span_row(span: Span) -> tuple[str, ...]:
    tokens_in, tokens_out, cost = _numbers(span)
    return (clock(span.start_ns), duration(span.duration_ns), mark(span), span.normal.kind if span.normal else "span",
            plain(span.name, 40), tokens_in, tokens_out, cost, span.trace_id, span.span_id)  # fmt: skip


def log_line(log: Log) -> str:
    """One log: time, level, event, body."""
    level = next((name for least, name in _SEVERITIES if log.severity >= least), "INFO")
    body = log.body if isinstance(log.body, str) else message_text(log.body)
    score = log_score(log)
    if score is not None:
        body = f"{score[0]} = {score[1]} {body}"
    colour = "red" if log.severity >= 17 else "yellow" if log.severity >= 13 else None
    return paint(plain(f"{clock(log.time_ns)}  {level:<5}  {log.event_name}  {body}", 200).rstrip(), colour)


def erasure_lines(report: Erasure) -> Iterator[str]:
    """What a deletion took, and whether anything of it is left."""
    yield f"{report.traces:,} traces deleted"
    counts = ("spans", "logs", "points", "bodies", "words", "names")
    told = ", ".join(f"{getattr(report, name):,} {name}" for name in counts if getattr(report, name))
    if told:
        yield f"with {told}; {report.bytes_freed:,} bytes freed"
    took_s = (report.finished_ns - report.started_ns) / 1e9
    if report.steps:
        yield f"in {took_s:.1f} s and {report.steps:,} steps, the longest {report.longest_step_s * 1e3:.0f} ms"
    for name, copies in report.copies.items():
        yield paint(f"{copies:,} copies left in {plain(name)}", "red" if copies else None)
    if report.arrived:
        yield paint(f"{report.arrived:,} traces arrived meanwhile and match again; delete once more", "red")
    for trouble in report.troubles:
        yield paint(plain(trouble), "red")


def tree_lines(trace: Trace, *, said: bool = False) -> Iterator[str]:
    """A trace as a tree with times, tokens, cost and errors; what was said below each call if asked for."""
    root = trace.root
    if root is None:
        yield from (log_line(log) for log in trace.logs)
        return
    summary = summarize(trace)
    yield paint(f"trace {trace.trace_id}", "bold") + f"  {clock(root.start_ns)}  {plain(root.service)}"
    cost = "no known cost" if summary.cost_usd is None else dollars(summary.cost_usd)
    unpriced = f" and {summary.unpriced_calls} calls of unknown cost" if summary.unpriced_calls else ""
    tokens = f"{summary.input_tokens:,} → {summary.output_tokens:,} tokens"
    failed = f", {summary.errors} failed" if summary.errors else ""
    yield f"{len(trace.spans)} spans{failed}, {duration(trace.duration_ns)}, {tokens}, {cost}{unpriced}"
    for key, value in trace.metadata.items():
        yield paint(f"  {plain(key)}: {plain(value, 100)}", "grey")
    beside: dict[str | None, list[Log]] = {}
    for log in trace.logs:
        beside.setdefault(log.span_id, []).append(log)
    yield ""
    rows = [(prefix, span) for prefix, span in _walk(trace)]
    width = max(wide(prefix + plain(span.name, 60)) for prefix, span in rows)
    for prefix, span in rows:
        yield _tree_row(prefix, span, width).rstrip()
        branch = "│  " if prefix.endswith("├─ ") else "   " if prefix else ""
        logs = beside.get(span.span_id, [])
        yield from _details(span, logs, paint(prefix[:-3] + branch, "grey"), said=said)
    if trace.logs:
        yield ""
        yield from (log_line(log) for log in trace.logs)


def _tree_row(prefix: str, span: Span, width: int) -> str:
    tokens_in, tokens_out, cost = _numbers(span)
    tokens = f"{tokens_in} → {tokens_out}" if tokens_in or tokens_out else ""
    cells = (pad(duration(span.duration_ns), 9, right=True), pad(tokens, 15, right=True), pad(cost, 9, right=True))
    name = pad(plain(span.name, 60), width - wide(prefix))
    return f"{paint(mark(span), _colour(span))} {paint(prefix, 'grey')}{paint(name, _colour(span))} {' '.join(cells)}"


def _details(span: Span, logs: list[Log], indent: str, *, said: bool) -> Iterator[str]:
    if span.status == "ERROR":
        yield f"  {indent}{paint(plain(span.status_message or 'failed', 110), 'red')}"
    if said:
        found = messages(span, logs)
        for message in (*found.input[-1:], *found.output):
            role = message.get("role", "") if isinstance(message, dict) else ""
            yield f"  {indent}{paint(f'{plain(role)}: {plain(message_text(message), 100)}', 'grey')}"


def _walk(trace: Trace) -> Iterator[tuple[str, Span]]:
    """Spans depth first with the branches drawn before their names; without recursion, since traces may be deep."""
    known = {span.span_id for span in trace.spans}
    children: dict[str | None, list[Span]] = {}
    for span in trace.spans:
        above = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else None
        children.setdefault(above, []).append(span)
    seen: set[str] = set()
    stack = [("", "", span) for span in reversed(children.get(None, trace.spans[:1]))]
    while stack:
        prefix, indent, span = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        yield prefix, span
        below = children.get(span.span_id, [])
        for at, child in reversed(list(enumerate(below))):
            last = at == len(below) - 1
            stack.append((indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "), child))


def mark(span: Span) -> str:
    """One sign for how a span went."""
    return "✕" if span.status == "ERROR" else "…" if span.end_ns is None else "✓"


def _colour(span: Span) -> str | None:
    return "red" if span.status == "ERROR" else _KIND_COLOURS.get(span.normal.kind if span.normal else "span")


def _numbers(span: Span) -> tuple[str, str, str]:
    normal = span.normal
    usage = normal.usage if normal else None
    cost = normal.cost.total_usd if normal and normal.cost else None
    if usage is None:
        return "", "", dollars(cost)
    told = [f"{count:,}" if count is not None else "" for count in (usage.input, usage.output)]
    return told[0], told[1], dollars(cost) if cost is not None else "cost ?"
