"""One trace from the columns of its rows, without its records: skeleton, matching spans, the span that tells most."""

from typing import TYPE_CHECKING, Any, Final

from vestigo.matching import TraceView, needs_trace, span_matches
from vestigo.query import HAS, Filter
from vestigo.record import Span, Trace
from vestigo.storage.skeleton import ERROR, LEAF, OPEN, UNPRICED, Skeleton, build
from vestigo.storage.sqlite.conditions import KINDS, Conditions

if TYPE_CHECKING:
    from vestigo.storage.sqlite.reader import Reader

_SAID: Final = 1 << HAS.index("input") | 1 << HAS.index("output")
_MANY: Final = 2_000
"""Spans of a trace above which only its root is looked at for a list."""


def skeleton(reader: "Reader", project: str, trace_id: str) -> Skeleton | None:
    """As `storage.skeleton.read_skeleton`."""
    trace = reader.trace_number(project, trace_id)
    if trace is None:
        return None if reader.trace(project, trace_id) is None else Skeleton(trace_id=trace_id)  # it may have logs
    flags = f"(status = 2) * {ERROR} | (duration_ns IS NULL) * {OPEN} | (role != 0) * {LEAF} | unpriced * {UNPRICED}"
    rows = reader.db.execute(
        "SELECT lower(hex(span_id)), lower(hex(parent_id)), name, kind, model, start_ns, duration_ns,"
        f" {flags}, tokens_in, tokens_out, cost, ttft_s FROM span WHERE trace = ? ORDER BY start_ns, span_id",
        (trace,),
    )
    # hex() of nothing is an empty text
    found = build(trace_id, ((row[0], row[1] or None, *row[2:]) for row in rows))
    found.names = _texts(reader, "name", found.names)
    found.kinds = [KINDS[int(number)] for number in found.kinds]
    found.models = _texts(reader, "term", found.models)
    return found


def matching_ids(reader: "Reader", project: str, trace_id: str, filter_: Filter | None) -> list[str]:
    """As `storage.skeleton.Columnar`: by columns where they say it exactly, else the candidates are decoded."""
    number, trace = reader._project(project), reader.trace_number(project, trace_id)
    condition = Conditions(reader._ask, number or 0).spans(filter_)
    if trace is None:
        return []
    where = f"span.trace = ? AND {condition.sql}"
    parameters = (trace, *condition.parameters)
    if condition.exact:
        sql = f"SELECT lower(hex(span_id)) FROM span WHERE {where}"
        return [row[0] for row in reader.db.execute(sql, parameters)]
    whole = reader.trace(project, trace_id) if needs_trace(filter_) else None
    view = None if whole is None else TraceView(whole)
    return [
        span.span_id
        for spans in reader._span_chunks(where, parameters, 200)
        for span in spans
        if span_matches(filter_, span, view or TraceView(Trace(trace_id, [span])))
    ]


def telling_spans(reader: "Reader", project: str, trace_ids: list[str]) -> dict[str, Span]:
    """As `storage.skeleton.read_telling_spans`; of traces with very many spans the root only."""
    numbers = [reader.trace_number(project, trace_id) for trace_id in trace_ids]
    sql = (
        f"SELECT span.id FROM trace JOIN span ON span.trace = trace.id WHERE trace.id = ? AND span.has & {_SAID}"
        f" AND (trace.spans <= {_MANY} OR span.id = trace.root)"
        " ORDER BY span.id != trace.root, span.start_ns, span.span_id LIMIT 1"
    )
    found = [row[0] for number in numbers if number is not None for row in reader.db.execute(sql, (number,))]
    return {span.trace_id: span for span in reader.spans_of_rows(found)}


def _texts(reader: "Reader", table: str, numbers: list[Any]) -> list[str]:
    known = dict(
        reader.db.execute(f"SELECT id, text FROM {table} WHERE id IN ({','.join(map(str, numbers))})").fetchall()
    )
    return [known[number] for number in numbers]
