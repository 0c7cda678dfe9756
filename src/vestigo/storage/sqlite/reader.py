"""Rows into records and answers, through one thread's connection."""

from collections.abc import Callable, Iterator
from itertools import islice
from sys import intern
from typing import Any, Final, TypeVar, cast

import apsw
import msgspec

from vestigo.matching import TraceView, log_matches, needs_trace, span_matches, span_values, trace_matches
from vestigo.query import (
    GroupField,
    Grouping,
    Page,
    Query,
    Row,
    SortKey,
    TraceGroup,
    TraceSummary,
    check_groups,
    check_query,
    check_time,
    group_sort_key,
    log_sort_key,
    make_cursor,
    read_cursor,
    span_sort_key,
    summary_sort_key,
)
from vestigo.record import Log, Point, Resource, Scope, Span, Trace, order_spans
from vestigo.semconv import SERVICE_NAME
from vestigo.sketch import PER_LOG
from vestigo.storage.grouping import Group, Groups, Sums, count_values, group_traces
from vestigo.storage.sqlite.bodies import Codec, Recent, SpanRest, decode_rest, references, resolve
from vestigo.storage.sqlite.conditions import (
    KINDS,
    NUMBERED,
    ORIGIN,
    STATUSES,
    Condition,
    Conditions,
    names_trace,
)
from vestigo.storage.sqlite.points import find_points
from vestigo.storage.sqlite.rollups import HOUR_NS, read_group, spans_of_hours, whole_hours
from vestigo.storage.sqlite.words import phrases_of, trace_says

T = TypeVar("T")
_CHUNK: Final = 200  # candidates that are decoded and checked at a time
_SPAN: Final = (
    "span.id, trace.trace_id, span.span_id, span.parent_id, span.start_ns, span.duration_ns, span.status, span.weight,"
    " name.text, span.origin, span.role, span.record"
)
_FROM_SPAN: Final = "FROM span JOIN trace ON trace.id = span.trace JOIN name ON name.id = span.name"
SUMS: Final = {
    "count": ("count",), "errors": ("errors",), "cost": ("cost", "priced"), "unpriced": ("unpriced",),
    "tokens.in": ("tokens_in",), "tokens.out": ("tokens_out",), "tokens.cached": ("tokens_cached",),
    "tokens.reasoning": ("tokens_reasoning",), "latency.sum": ("latency",),
}  # fmt: skip
"""Measures that are made of sums only, and of which."""
_FINE: Final = 4 * PER_LOG
"""Spans whose values differ by less than half a percent are counted as one; they share a bucket of a sketch anyway."""
_LEAF: Final = "weight * (role != 0)"
SUM_SQL: Final = {
    "count": "sum(weight)", "errors": "sum(weight * (status = 2))", "latency": "sum(weight * duration_ns / 1e9)",
    "cost": f"sum({_LEAF} * cost)", "priced": f"sum({_LEAF} * (cost IS NOT NULL))",
    "unpriced": f"sum({_LEAF} * unpriced)", "tokens_in": f"sum({_LEAF} * tokens_in)",
    "tokens_out": f"sum({_LEAF} * tokens_out)", "tokens_cached": f"sum({_LEAF} * tokens_cached)",
    "tokens_reasoning": f"sum({_LEAF} * tokens_reasoning)",
}  # fmt: skip
_ORDERS: Final = {
    "newest": ("start_ns", "DESC"),
    "oldest": ("start_ns", "ASC"),
    "slowest": ("duration_ns", "DESC"),
}


def stored_attributes(db: Any, codec: Codec, number: int) -> dict[str, Any]:
    """A span's attributes as its row has them, with references in place of bodies."""
    (data,) = db.execute("SELECT record FROM span WHERE id = ?", (number,)).fetchone()
    return decode_rest(codec.decompress(data)).attributes


class Reader:
    """Answers questions through one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db: Any = db  # rows are tuples of whatever the columns hold
        self.codec = Codec(db)
        self._origins: Recent[int, tuple[Resource, Scope]] = Recent(1_000)

    # --- the protocol

    def trace(self, project: str, trace_id: str) -> Trace | None:
        number = self._project(project)
        try:
            key = bytes.fromhex(trace_id)
        except (ValueError, TypeError):
            return None
        if number is None:
            return None
        spans = order_spans(self._spans("trace.project = ? AND trace.trace_id = ?", (number, key)))
        sql = "SELECT record FROM log WHERE project = ? AND trace_id = ? ORDER BY time_ns, log_id"
        logs = [self._log(row[0]) for row in self.db.execute(sql, (number, key))]
        return Trace(trace_id, spans, logs) if spans or logs else None

    def find_traces(self, query: Query) -> Page[TraceSummary]:
        page = self._page(query, "trace", summary_sort_key, lambda condition: self.summaries(query, condition))
        self._add_models(query.project, page.items)
        return page

    def find_groups(self, query: Query, field: GroupField) -> Page[TraceGroup]:
        check_groups(query, field)
        after = read_cursor(query)
        condition = self._condition(query, "trace")
        if condition is None:
            return Page([])
        if not condition.exact:
            traces = msgspec.structs.replace(query, cursor=None)
            return group_traces(self.summaries(traces, condition), field, query)
        sign, direction = ("<", "DESC") if query.order == "newest" else (">", "ASC")
        sql = (
            "SELECT text, traces, failed, spans, errors, calls, tokens_in, tokens_out, cost, unpriced, first, last FROM"
            f" (SELECT {field} AS number, sum(weight) AS traces, sum(weight * (status = 2)) AS failed,"
            " sum(weight * spans) AS spans, sum(weight * errors) AS errors, sum(weight * calls) AS calls,"
            " sum(weight * ifnull(tokens_in, 0)) AS tokens_in, sum(weight * ifnull(tokens_out, 0)) AS tokens_out,"
            " sum(weight * cost) AS cost, sum(weight * unpriced) AS unpriced, min(start_ns) AS first,"
            f" max(start_ns) AS last FROM trace WHERE {self._window(query, 'trace')} AND {condition.sql}"
            f" AND {field} IS NOT NULL GROUP BY {field}) JOIN term ON term.id = number"
            f" WHERE {'1' if after is None else f'(last, text) {sign} (?, ?)'}"
            f" ORDER BY last {direction}, text {direction} LIMIT {query.limit + 1}"
        )
        place = () if after is None else (after[0], after[2])
        rows = self.db.execute(sql, (*condition.parameters, *place))
        groups = [TraceGroup(**dict(zip(TraceGroup.__struct_fields__, row, strict=True))) for row in rows]
        if len(groups) <= query.limit:
            return Page(groups)
        groups.pop()
        return Page(groups, make_cursor(query.order, group_sort_key(groups[-1], query.order)))

    def find_spans(self, query: Query) -> Page[Span]:
        return self._page(query, "span", span_sort_key, lambda condition: self._matching_spans(query, condition))

    def find_logs(self, query: Query) -> Page[Log]:
        return self._page(query, "log", log_sort_key, lambda condition: self._matching_logs(query, condition))

    def find_points(self, query: Query) -> Page[Point]:
        return find_points(self.db, self._project(query.project), query)

    def aggregate(self, query: Query, grouping: Grouping) -> list[Row]:
        check_query(query)
        groups = Groups(grouping)
        project = self._project(query.project)
        if project is None:
            return []
        hours = whole_hours(query, grouping)
        if hours is None:
            self._add_spans(groups, query, grouping)
        else:
            first, last = hours[0] * HOUR_NS, hours[1] * HOUR_NS
            self._add_spans(groups, msgspec.structs.replace(query, end_ns=min(first, query.end_ns)), grouping)
            self._add_rollups(groups, query, grouping, project, hours)
            self._add_spans(groups, msgspec.structs.replace(query, start_ns=max(last, query.start_ns)), grouping)
        return groups.rows()

    def values(self, field: str, query: Query) -> list[str]:
        condition = self._condition(query, "span")
        if condition is None:
            return []
        column = {"name": "span.name", **{name: f"span.{name}" for name in NUMBERED}}.get(field)
        if column is not None and condition.exact:
            table = "name" if field == "name" else "term"
            sql = (
                f"SELECT text FROM (SELECT {column} AS number, count(*) AS spans FROM span"
                f" WHERE {self._window(query, 'span')} AND {condition.sql} AND {column} IS NOT NULL GROUP BY 1)"
                f" JOIN {table} ON {table}.id = number ORDER BY spans DESC, text LIMIT ?"
            )
            return [row[0] for row in self.db.execute(sql, (*condition.parameters, query.limit))]
        spans = self._matching_spans(query, condition)
        found = (v for span in spans for v in span_values(span, field, TraceView(Trace(span.trace_id, [span]))))
        return count_values(found, query.limit)

    # --- pages

    def _page(
        self,
        query: Query,
        table: str,
        key_of: Callable[[Any, str], SortKey],
        find: Callable[[Condition], Iterator[T]],
    ) -> Page[T]:
        check_query(query)
        read_cursor(query)
        condition = self._condition(query, table)
        if condition is None:
            return Page([])
        items = list(islice(find(condition), query.limit + 1))
        if len(items) <= query.limit:
            return Page(items)
        items.pop()
        return Page(items, make_cursor(query.order, key_of(items[-1], query.order)))

    def _condition(self, query: Query, table: str) -> Condition | None:
        """The filter as SQL; None for a project that has no records."""
        project = self._project(query.project)
        conditions = Conditions(self._ask, project or 0)
        found = getattr(conditions, f"{table}s")(query.filter)
        return None if project is None else found

    def _window(self, query: Query, table: str) -> str:
        time = "time_ns" if table == "log" else "start_ns"
        project = self._project(query.project)
        # the plus keeps SQLite from reading by time, to sort all of it for the slowest or to look for a named trace
        named = names_trace(query.filter)
        by_time = "+" if named or query.order == "slowest" else ""
        bounds = [f"{'+' if named and table != 'log' else ''}{table}.project = {project or 0}"]
        if query.start_ns > 0:
            bounds.append(f"{by_time}{table}.{time} >= {int(query.start_ns)}")
        bounds.append(f"{by_time}{table}.{time} < {int(query.end_ns)}")
        return " AND ".join(bounds)

    def _ordered(self, query: Query, table: str, ids: tuple[str, ...]) -> tuple[str, str, tuple[Any, ...]]:
        """SQL for the place after the cursor, for the order, and the cursor's parameters."""
        column, direction = _ORDERS[query.order]
        time = "time_ns" if table == "log" else "start_ns"
        first = time if table == "log" or column == "start_ns" else "duration_ns"
        lead = f"ifnull({table}.duration_ns, -1)" if first == "duration_ns" and table == "span" else f"{table}.{first}"
        if table == "log" and names_trace(query.filter):
            lead = f"+{lead}"
        keys = [lead, *([] if first == time else [f"{table}.{time}"]), *ids]
        order = ", ".join(f"{key} {direction}" for key in keys)
        after = read_cursor(query)
        if after is None:
            return "1", order, ()
        wanted = [after[0], *([] if first == time else [after[1]])]
        trace_id, last = after[2], after[3]
        texts: list[Any] = [bytes.fromhex(trace_id) if trace_id else b""]
        if table == "span":
            texts.append(bytes.fromhex(last))
        elif table == "log":
            texts.append(last.encode())
        sign = ">" if direction == "ASC" else "<"
        parameters = (*wanted, *texts)
        bound = f"{lead} {sign}= {int(after[0])} AND " if table != "log" and first == time else ""
        return f"{bound}({', '.join(keys)}) {sign} ({', '.join('?' * len(keys))})", order, parameters

    # --- traces

    def summaries(self, query: Query, condition: Condition) -> Iterator[TraceSummary]:
        """Summaries of matching traces, in order, as many as are asked for."""
        place, order, after = self._ordered(query, "trace", ("trace.trace_id",))
        sql = (
            "SELECT id, trace_id, (SELECT text FROM name WHERE id = trace.name), origin, start_ns, end_ns, status,"
            " error, spans, errors, open_spans, calls, tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost,"
            " unpriced, (SELECT text FROM term WHERE id = trace.session),"
            " (SELECT text FROM term WHERE id = trace.user), weight"
            f" FROM trace WHERE {self._window(query, 'trace')} AND {place} AND {condition.sql} ORDER BY {order}"
        )
        phrases = None
        if not condition.exact:
            phrases = phrases_of(query.filter, Conditions(self._ask, self._project(query.project) or 0))
        for row in self.db.execute(sql, (*after, *condition.parameters)):
            trace_id = row[1].hex()
            if condition.exact:
                matching = True
            elif phrases is not None:
                matching = trace_says(self, row[0], phrases)
            else:
                matching = self._trace_matches(query, trace_id)
            if matching:
                yield self._summary(row, trace_id)

    def _trace_matches(self, query: Query, trace_id: str) -> bool:
        trace = self.trace(query.project, trace_id)
        return trace is not None and trace_matches(query.filter, trace)

    def _summary(self, row: tuple[Any, ...], trace_id: str) -> TraceSummary:
        return TraceSummary(
            trace_id=trace_id, name=row[2] or "", service=_service(self._origin(row[3])[0]),
            start_ns=row[4], end_ns=row[5], status=cast("Any", STATUSES[row[6]]), error_message=row[7], spans=row[8],
            errors=row[9], open_spans=row[10], calls=row[11], input_tokens=row[12] or 0, output_tokens=row[13] or 0,
            cached_tokens=row[14] or 0, reasoning_tokens=row[15] or 0, cost_usd=row[16], unpriced_calls=row[17],
            session_id=row[18], user_id=row[19], weight=row[20],
        )  # fmt: skip

    def _add_models(self, project: str, summaries: list[TraceSummary]) -> None:
        """Fill in the models of a page's traces, in one question for all."""
        by_number = {
            number: summary for summary in summaries if (number := self.trace_number(project, summary.trace_id))
        }
        numbers = iter(by_number)
        while chunk := list(islice(numbers, 5_000)):
            sql = (
                "SELECT DISTINCT span.trace, term.text FROM span JOIN term ON term.id = span.model"
                f" WHERE span.trace IN ({','.join(map(str, chunk))}) ORDER BY 1, 2"
            )
            for number, model in self.db.execute(sql):
                by_number[number].models.append(model)

    # --- spans

    def _matching_spans(self, query: Query, condition: Condition) -> Iterator[Span]:
        place, order, after = self._ordered(query, "span", ("trace.trace_id", "span.span_id"))
        where = f"{self._window(query, 'span')} AND {place} AND {condition.sql} ORDER BY {order}"
        for spans in self._span_chunks(where, (*after, *condition.parameters), min(_CHUNK, query.limit + 1)):
            for span in spans:
                if condition.exact or span_matches(query.filter, span, self._view(query, span)):
                    yield span

    def _view(self, query: Query, span: Span) -> TraceView:
        whole = self.trace(query.project, span.trace_id) if needs_trace(query.filter) else None
        return TraceView(whole or Trace(span.trace_id, [span]))

    def spans_of_rows(self, numbers: list[int]) -> list[Span]:
        """The spans of these rows, in their order."""
        return self._spans(f"span.id IN ({','.join(map(str, numbers))}) ORDER BY span.id", ())

    def _spans(self, where: str, parameters: tuple[Any, ...]) -> list[Span]:
        return [span for spans in self._span_chunks(where, parameters, 1_000) for span in spans]

    def _span_chunks(self, where: str, parameters: tuple[Any, ...], size: int) -> Iterator[list[Span]]:
        rows = self.db.execute(f"SELECT {_SPAN} {_FROM_SPAN} WHERE {where}", parameters)
        while chunk := list(islice(rows, size)):
            check_time()
            yield self._decode(chunk)
            size = min(size * 2, 2_000)

    def _decode(self, rows: list[tuple[Any, ...]]) -> list[Span]:
        rests = [decode_rest(self.codec.decompress(row[-1])) for row in rows]
        bodies = self._bodies({number for rest in rests for number in references(rest.attributes)})
        spans: list[Span] = []
        for row, rest in zip(rows, rests, strict=True):
            resolve(rest.attributes, bodies)
            spans.append(self._span(row, rest))
        return spans

    def _span(self, row: tuple[Any, ...], rest: SpanRest) -> Span:
        resource, scope = self._origin(row[9])
        if rest.normal is not None and bool(row[10]) != (rest.normal.usage_role == "leaf"):
            rest.normal.usage_role = "leaf" if row[10] else "duplicate"  # settled since it was written
        return Span(
            trace_id=row[1].hex(), span_id=row[2].hex(), name=row[8], start_ns=row[4],
            parent_id=None if row[3] is None else row[3].hex(), end_ns=None if row[5] is None else row[4] + row[5],
            kind=cast("Any", intern(rest.kind)), status=cast("Any", STATUSES[row[6]]),
            status_message=rest.status_message, attributes=rest.attributes, events=rest.events, links=rest.links,
            scope=scope, resource=resource, trace_state=rest.trace_state, weight=row[7], normal=rest.normal,
        )  # fmt: skip

    def _bodies(self, numbers: set[int]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        ordered = iter(sorted(numbers))
        while chunk := list(islice(ordered, 5_000)):
            sql = f"SELECT id, content FROM body WHERE id IN ({','.join(map(str, chunk))})"
            found.update((number, self.codec.decompress(content)) for number, content in self.db.execute(sql))
        return found

    def _origin(self, number: int | None) -> tuple[Resource, Scope]:
        if number is None:
            return Resource(), Scope()
        found = self._origins.get(number)
        if found is None:
            (body,) = self.db.execute("SELECT body FROM origin WHERE id = ?", (number,)).fetchone()
            found = self._origins.remember(number, msgspec.msgpack.decode(body, type=tuple[Resource, Scope]))
        return found

    # --- logs

    def _matching_logs(self, query: Query, condition: Condition) -> Iterator[Log]:
        place, order, after = self._ordered(query, "log", ("ifnull(log.trace_id, x'')", "log.log_id"))
        where = f"{self._window(query, 'log')} AND {place} AND {condition.sql}"
        sql = f"SELECT record FROM log WHERE {where} ORDER BY {order}"
        for (record,) in self.db.execute(sql, (*after, *condition.parameters)):
            log = self._log(record)
            if condition.exact or log_matches(query.filter, log):
                yield log

    def _log(self, record: bytes) -> Log:
        return msgspec.msgpack.decode(self.codec.decompress(record), type=Log)

    # --- sums

    def _add_spans(self, groups: Groups, query: Query, grouping: Grouping) -> None:
        """Count span by span: from columns where the filter is exact, else from whole records."""
        if query.start_ns >= query.end_ns:
            return
        condition = self._condition(query, "span")
        if condition is None:
            return
        if not condition.exact or set(grouping.by) & {"trace", "span"}:
            for span in self._matching_spans(query, condition):
                groups.add(span)
            return
        source = f"FROM span WHERE {self._window(query, 'span')} AND {condition.sql}"
        wanted = list(dict.fromkeys(name for measure in grouping.measures for name in SUMS.get(measure, ())))
        columns = ", ".join(SUM_SQL[name] for name in wanted) or "0"
        for group, row in self._grouped(groups, grouping, columns, source, "", condition.parameters):
            group.merge(Group(Sums(**{name: value or 0.0 for name, value in zip(wanted, row, strict=False)})))
        for field, column in (("latency", "duration_ns / 1e9"), ("ttft", "ttft_s")):
            if any(measure.startswith(f"{field}.p") for measure in grouping.measures):
                alike = f", CASE WHEN {column} > 1e-12 THEN ceil(ln({column}) * {_FINE!r}) ELSE {column} END"
                told = f"min({column}), sum(weight)"
                there = f"{source} AND {column} IS NOT NULL"
                for group, (value, weight) in self._grouped(groups, grouping, told, there, alike, condition.parameters):
                    getattr(group, field).add(value, weight)

    def _grouped(
        self, groups: Groups, grouping: Grouping, columns: str, source: str, alike: str, parameters: tuple[Any, ...]
    ) -> Iterator[tuple[Group, tuple[Any, ...]]]:
        """Let SQLite add up: each group with what the columns say of it, or of its spans that are alike."""
        step = grouping.step_ns
        keys = ", ".join([f"{0 if step is None else f'start_ns / {step}'}", *map(_group_column, grouping.by)])
        names, many = _Names(self._ask), len(grouping.by) + 1
        places = ", ".join(str(at + 1) for at in range(many))
        rows = self.db.execute(f"SELECT {keys}, {columns} {source} GROUP BY {places}{alike}", parameters).fetchall()
        for at, field in enumerate(grouping.by, 1):
            names.read(field, {row[at] for row in rows} - {None})
        known: dict[tuple[Any, ...], Group] = {}
        for row in rows:
            key = row[:many]
            group = known.get(key)
            if group is None:
                texts = tuple(names.text(field, number) for field, number in zip(grouping.by, key[1:], strict=True))
                group = known[key] = groups.group(key[0] * (step or 0), texts)
            yield group, row[many:]

    def _add_rollups(
        self, groups: Groups, query: Query, grouping: Grouping, project: int, hours: tuple[int, int]
    ) -> None:
        found = Conditions(self._ask, project).spans(query.filter, "span")
        sql = (
            "SELECT hour, sums, latency, ttft, origin, kind, model, provider, status FROM (SELECT hour, sums, latency,"
            " ttft, origin, kind, nullif(model, 0) AS model, nullif(provider, 0) AS provider, status FROM rollup"
            f" WHERE width = ? AND project = ? AND hour >= ? AND hour < ?) AS span WHERE {found.sql}"
        )
        names = _Names(self._ask)
        columns: tuple[str, ...] = ("origin", "kind", "model", "provider", "status")
        for width, first, last in spans_of_hours(*hours, grouping):
            for row in self.db.execute(sql, (width, project, first, last, *found.parameters)):
                told: dict[str, Any] = dict(zip(columns, row[4:], strict=True))
                keys = tuple(names.text(field, told["origin" if field in ORIGIN else field]) for field in grouping.by)
                groups.group(row[0] * HOUR_NS, keys).merge(read_group(row[1], row[2], row[3], grouping.measures))

    # --- small look-ups

    def projects(self) -> list[str]:
        return self._ask("SELECT name FROM project ORDER BY name", ())

    def trace_number(self, project: str, trace_id: str) -> int | None:
        """The row of a trace that has spans; None for any other."""
        number = self._project(project)
        try:
            key = bytes.fromhex(trace_id)
        except (ValueError, TypeError):
            return None
        sql = "SELECT id FROM trace WHERE project = ? AND trace_id = ?"
        row = None if number is None else self.db.execute(sql, (number, key)).fetchone()
        return None if row is None else row[0]

    def _project(self, name: str) -> int | None:
        row = self.db.execute("SELECT id FROM project WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def _ask(self, sql: str, parameters: tuple[Any, ...]) -> list[Any]:
        return [row[0] for row in self.db.execute(sql, parameters)]


class _Names:
    """Texts of the numbers in one answer's groups."""

    def __init__(self, ask: Callable[[str, tuple[Any, ...]], list[Any]]) -> None:
        self._ask = ask
        self._known: dict[tuple[str, int], str | None] = {}

    def read(self, field: str, numbers: set[int]) -> None:
        """Look up many at once."""
        if field in {"kind", "status"} or field in ORIGIN:
            return
        table = "name" if field == "name" else "term"
        ordered = iter(numbers)
        while chunk := ",".join(map(str, islice(ordered, 5_000))):
            texts = self._ask(f"SELECT text FROM {table} WHERE id IN ({chunk}) ORDER BY id", ())
            self._known.update(
                ((field, int(number)), text)
                for number, text in zip(sorted(map(int, chunk.split(","))), texts, strict=True)
            )

    def text(self, field: str, number: int | None) -> str | None:
        if number is None:
            return None
        if field == "kind":
            return KINDS[number]
        if field == "status":
            return STATUSES[number].lower()
        key = (field, number)
        if key not in self._known:
            table, column = ("origin", field) if field in ORIGIN else ("name" if field == "name" else "term", "text")
            self._known[key] = self._ask(f"SELECT {column} FROM {table} WHERE id = ?", (number,))[0]
        return self._known[key]


def _service(resource: Resource) -> str:
    return str(resource.attributes.get(SERVICE_NAME, ""))


def _group_column(field: str) -> str:
    return "span.origin" if field in ORIGIN else f"span.{field}"
