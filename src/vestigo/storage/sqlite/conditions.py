"""A filter as SQL, as far as SQL can say it.

A `Condition` never leaves out a record that matches. Where it is not `exact`, the storage checks each candidate with
the meaning in `query.py`; so the answer is always that of the memory storage, and SQL only makes it quick. User text
reaches SQLite as bound parameters only.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, get_args

from msgspec import Struct

from vestigo.errors import QueryError
from vestigo.matching import compare, tokens
from vestigo.query import HAS, And, Compare, Filter, Not, OneOf, Op, Or, Scalar, Text, Within, check_field, pattern
from vestigo.record import Kind

KINDS: Final = get_args(Kind)
STATUSES: Final = ("UNSET", "OK", "ERROR")
NUMBERED: Final = {"model", "provider", "session", "user", "tool", "agent", "prompt", "operation"}
ORIGIN: Final = {"service", "env", "release"}
_NUMBERS: Final = {
    "latency": "{t}.duration_ns / 1e9", "ttft": "{t}.ttft_s", "cost": "{t}.cost", "tokens.in": "{t}.tokens_in",
    "tokens.out": "{t}.tokens_out", "tokens.cached": "{t}.tokens_cached", "tokens.reasoning": "{t}.tokens_reasoning",
    "tokens": "coalesce({t}.tokens_in + {t}.tokens_out, {t}.tokens_in, {t}.tokens_out)",
}  # fmt: skip
_TRACE_NUMBERS: Final = {"latency", "cost", "tokens", "tokens.in", "tokens.out", "tokens.cached", "tokens.reasoning"}
_SQL_OPS: Final = {"=": "=", "!=": "IS NOT", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_FEW_BODIES: Final = 20_000
_FEW_TRACES: Final = 2_000


class Condition(Struct, frozen=True):
    """SQL that is true for every record that matches; `exact` if for no other."""

    sql: str
    parameters: tuple[Any, ...] = ()
    exact: bool = True
    indexed: bool = False
    """Whether an index leads straight to the records."""


SHORT_TEXT: Final = 200
"""Characters of the longest text in the index of attributes."""
UNINDEXED: Final = b""
"""Stands in the index for a value that it does not hold, so that its span is looked at."""

ALL: Final = Condition("1")
NONE: Final = Condition("0")
UNKNOWN: Final = Condition("1", exact=False)

Ask = Callable[[str, tuple[Any, ...]], list[Any]]
"""Runs SQL and answers the first column of each row."""


class Conditions:
    """Translates the filters of one question about one project."""

    def __init__(self, ask: Ask, project: int) -> None:
        self._ask = ask
        self._project = project

    def spans(self, filter_: Filter | None, table: str = "span") -> Condition:
        """For rows of `span` under the given alias."""
        return self._translate(filter_, partial(self._span_field, table=table), table, table)

    def traces(self, filter_: Filter | None) -> Condition:
        """For rows of `trace`."""
        return self._translate(filter_, self._trace_field, "trace", None)

    def logs(self, filter_: Filter | None) -> Condition:
        """For rows of `log`."""
        return self._translate(filter_, _log_field, "log", None)

    def _translate(
        self, filter_: Filter | None, field_of: Callable[[str, Op, Scalar], Condition], table: str, span: str | None
    ) -> Condition:
        if filter_ is None:
            return ALL
        match filter_:
            case And(filters):
                return _join(" AND ", [self._translate(part, field_of, table, span) for part in filters], ALL)
            case Or(filters):
                return _join(" OR ", [self._translate(part, field_of, table, span) for part in filters], NONE)
            case Not(part):
                inner = self._translate(part, field_of, table, span)
                return Condition(f"({inner.sql}) IS NOT TRUE", inner.parameters) if inner.exact else UNKNOWN
            case Compare(field, op, value):
                check_field(field, logs=table == "log")
                return field_of(field, op, value)
            case OneOf(field, values):
                check_field(field, logs=table == "log")
                if field == "trace" and table != "log":
                    return self._traces_of(values, "trace.id" if span is None else f"{table}.trace")
                return _join(" OR ", [field_of(field, "=", value) for value in values], NONE)
            case Text(words):
                return self._words(words, table)
            case Within(scope, part):
                if table == "log":
                    raise QueryError(f"logs have no {scope}(...); ask for spans or traces")
                return self._within(scope, part, table, span)

    # --- structure

    def _within(self, scope: str, part: Filter, table: str, span: str | None) -> Condition:
        alias = f"{table}_"
        inner = self.spans(part, alias)
        trace = "trace.id" if span is None else f"{span}.trace"
        root = "trace.root" if span is None else f"(SELECT root FROM trace WHERE id = {span}.trace)"
        if scope in {"any", "none"}:
            which = f"{alias}.trace = {trace}"
        elif scope == "root":
            which = f"{alias}.id = {root}"
        elif span is None:  # of a trace: parent and child of its root
            own, other = ("parent_id", "span_id") if scope == "parent" else ("span_id", "parent_id")
            which = f"{alias}.trace = trace.id AND {alias}.{other} = (SELECT {own} FROM span WHERE id = trace.root)"
        else:
            own, other = ("parent_id", "span_id") if scope == "parent" else ("span_id", "parent_id")
            which = f"{alias}.trace = {trace} AND {alias}.{other} = {span}.{own}"
        found = f"EXISTS (SELECT 1 FROM span AS {alias} WHERE {which} AND {inner.sql})"
        if scope == "none":
            return Condition(f"NOT {found}", inner.parameters) if inner.exact else UNKNOWN
        return Condition(found, inner.parameters, inner.exact)

    def _words(self, words: str, table: str) -> Condition:
        """Traces that mention a body with all the words, or have a name with them; checked afterwards."""
        found = tokens(words)
        if not found:
            return ALL if table == "log" else UNKNOWN
        if table == "log":
            return UNKNOWN
        phrase = " AND ".join(f'"{word}"' for word in found)
        bodies = self._ask("SELECT rowid FROM words WHERE words MATCH ? LIMIT ?", (phrase, _FEW_BODIES + 1))
        if len(bodies) > _FEW_BODIES:
            return UNKNOWN  # so common that the newest records are likely to have them
        names = self._ask("SELECT id FROM name WHERE vestigo_phrase(text, ?)", (words,))
        traces = f"SELECT trace FROM mention WHERE body IN ({_numbers(bodies)})"
        few = self._ask(f"SELECT DISTINCT trace FROM ({traces}) LIMIT ?", (_FEW_TRACES + 1,))
        if len(few) <= _FEW_TRACES:
            traces = _numbers(few)
        if table == "trace":
            named = f"trace.id IN (SELECT trace FROM span WHERE name IN ({_numbers(names)}))" if names else "0"
            return Condition(f"(trace.id IN ({traces}) OR {named})", exact=False)
        return Condition(f"({table}.trace IN ({traces}) OR {table}.name IN ({_numbers(names)}))", exact=False)

    # --- fields

    def _trace_field(self, field: str, op: Op, value: Scalar) -> Condition:
        if field == "name":
            return self._named("trace.name", op, value)
        if field == "status":
            return _listed("trace.status", STATUSES, op, value, str.lower)
        if field in _TRACE_NUMBERS:
            column = "nullif(trace.duration_ns, -1) / 1e9" if field == "latency" else _NUMBERS[field].format(t="trace")
            return _number(column, op, value)
        if field == "trace":
            return self._trace_of("trace.id", op, value)
        if field.startswith("score."):
            return _scored("log.project = trace.project AND log.trace_id = trace.trace_id", field, op)
        found = self._span_field(field, op, value, "inner_")
        if field == "has" and value == "score":
            return UNKNOWN
        if found.sql == "1" and not found.exact:
            return UNKNOWN
        rare = self._rare(found)
        if rare is not None:
            return Condition(f"trace.id IN ({_numbers(rare)})", (), found.exact)
        exists = f"EXISTS (SELECT 1 FROM span AS inner_ WHERE inner_.trace = trace.id AND {found.sql})"
        return Condition(exists, found.parameters, found.exact)

    def _rare(self, found: Condition) -> list[int] | None:
        """The traces with such a span where an index tells them and they are few, to start the list from; else None."""
        if not found.indexed:
            return None
        sql = f"SELECT inner_.trace FROM span AS inner_ WHERE inner_.project = ? AND {found.sql} LIMIT ?"
        traces = self._ask(sql, (self._project, *found.parameters, _FEW_TRACES + 1))
        return None if len(traces) > _FEW_TRACES else sorted(set(traces))

    def _span_field(self, field: str, op: Op, value: Scalar, table: str) -> Condition:
        if field in _NUMBERS:
            return _number(_NUMBERS[field].format(t=table), op, value)
        if field in NUMBERED:
            return self._term(f"{table}.{field}", op, value)
        if field == "name":
            return self._named(f"{table}.name", op, value)
        if field == "kind":
            return _listed(f"{table}.kind", KINDS, op, value, str)
        if field == "status":
            return _listed(f"{table}.status", STATUSES, op, value, str.lower)
        if field in ORIGIN:
            return _origin(f"{table}.origin", field, op, value)
        if field == "trace":
            return self._trace_of(f"{table}.trace", op, value)
        if field == "span":
            return _identifier(f"{table}.span_id", op, value)
        if field == "has":
            return _has(table, op, value)
        if field == "error":
            return _text(f"{table}.error", op, value)
        return self._span_key(field, op, value, table)

    def _span_key(self, field: str, op: Op, value: Scalar, table: str) -> Condition:
        """`attr.KEY`, `score.NAME` and all else."""
        if field.startswith("attr.") and op == "=":
            return self._attribute(field[5:], value, table)
        if field.startswith("score."):
            trace_id = f"(SELECT trace_id FROM trace WHERE id = {table}.trace)"
            log = f"log.project = {table}.project AND log.trace_id = {trace_id} AND log.span_id = {table}.span_id"
            return _scored(log, field, op)
        return UNKNOWN

    def _trace_of(self, column: str, op: Op, value: Scalar) -> Condition:
        if op == "=":
            return self._traces_of((value,), column)
        inner = _identifier("trace_id", op, value)
        sql = f"{column} IN (SELECT id FROM trace WHERE project = {self._project} AND {inner.sql})"
        return Condition(sql, inner.parameters)

    def _traces_of(self, values: tuple[Scalar, ...], column: str) -> Condition:
        """By number, since the index of ids begins with the project."""
        sql = "SELECT id FROM trace WHERE project = ? AND trace_id = ?"
        ids = (_id_bytes(value) for value in values)
        found = [number for key in ids if key is not None for number in self._ask(sql, (self._project, key))]
        return Condition(f"{column} IN ({_numbers(sorted(found))})", indexed=True) if found else NONE

    def _term(self, column: str, op: Op, value: Scalar) -> Condition:
        if op == "exists":
            return Condition(f"{column} IS NOT NULL")
        if op == "=":
            return self._one_of(column, "SELECT id FROM term WHERE text = ?", value)
        if op == "!=" and isinstance(value, str):
            found = self._ask("SELECT id FROM term WHERE text = ?", (value,))
            return Condition(f"({column} IS NOT NULL AND {column} NOT IN ({_numbers(found)}))")
        return Condition(f"{column} IN (SELECT id FROM term WHERE vestigo_compare(text, ?, ?))", _checked(op, value))

    def _named(self, column: str, op: Op, value: Scalar) -> Condition:
        if op == "=":
            return self._one_of(column, "SELECT id FROM name WHERE text = ?", value)
        return Condition(f"{column} IN (SELECT id FROM name WHERE vestigo_compare(text, ?, ?))", _checked(op, value))

    def _one_of(self, column: str, sql: str, value: Scalar) -> Condition:
        found = self._ask(sql, (value,)) if isinstance(value, str) else []
        return Condition(f"{column} = ?", (found[0],), indexed=True) if found else NONE

    def _attribute(self, key: str, value: Scalar, table: str) -> Condition:
        """By the index of short values. A longer one is looked for among the spans that are marked to have such."""
        if not indexed_key(key):
            return UNKNOWN
        keys = self._ask("SELECT id FROM term WHERE text = ?", (key,))
        if not keys:
            return NONE
        short = indexed_value(value)
        found = UNINDEXED if short is None else short
        sql = "SELECT span FROM attribute WHERE project = ? AND key = ? AND value = ?"
        parameters = (self._project, keys[0], found)
        return Condition(f"{table}.id IN ({sql})", parameters, exact=short is not None, indexed=True)


def names_trace(filter_: Filter | None) -> bool:
    """Whether a filter lets through only what belongs to traces that it names."""
    match filter_:
        case Compare("trace", "=", _) | OneOf("trace", _):
            return True
        case And(filters):
            return any(names_trace(part) for part in filters)
        case _:
            return False


def indexed_key(key: str) -> bool:
    """Whether an attribute is in the index: the program's own are, the conventions' have columns of their own."""
    return not key.startswith("gen_ai.")


def indexed_value(value: Any) -> Any:
    """A short value as the index holds it; None for any other. Booleans are not numbers, so they are blobs."""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | float):
        return value
    return value if isinstance(value, str) and len(value) <= SHORT_TEXT else None


def _log_field(field: str, op: Op, value: Scalar) -> Condition:
    if field == "level":
        return _number("log.severity", op, value)
    if field in {"trace", "span"}:
        return _identifier(f"log.{field}_id", op, value)
    return UNKNOWN


def _join(word: str, parts: list[Condition], empty: Condition) -> Condition:
    if not parts:
        return empty
    sql = word.join(f"({part.sql})" for part in parts)
    parameters = tuple(parameter for part in parts for parameter in part.parameters)
    return Condition(f"({sql})", parameters, all(part.exact for part in parts))


def _number(column: str, op: Op, value: Scalar) -> Condition:
    if op == "exists":
        return Condition(f"({column}) IS NOT NULL")
    if op in {"contains", "~"}:
        _checked(op, value)
        return NONE
    if isinstance(value, bool | str):
        return Condition(f"({column}) IS NOT NULL") if op == "!=" else NONE
    if op == "!=":
        return Condition(f"(({column}) IS NOT NULL AND ({column}) IS NOT ?)", (value,))
    return Condition(f"({column}) {_SQL_OPS[op]} ?", (value,))


def _listed(column: str, names: tuple[str, ...], op: Op, value: Scalar, spelled: Callable[[str], str]) -> Condition:
    _checked(op, value)
    found = [number for number, name in enumerate(names) if compare(spelled(name), op, value)]
    return Condition(f"{column} IN ({_numbers(found)})")


def _origin(column: str, field: str, op: Op, value: Scalar) -> Condition:
    sql = f"{column} IN (SELECT id FROM origin WHERE {field} IS NOT NULL AND vestigo_compare({field}, ?, ?))"
    return Condition(sql, _checked(op, value))


def _identifier(column: str, op: Op, value: Scalar) -> Condition:
    if op == "=":
        key = _id_bytes(value)
        return NONE if key is None else Condition(f"{column} = ?", (key,))
    return Condition(f"({column} IS NOT NULL AND vestigo_compare(lower(hex({column})), ?, ?))", _checked(op, value))


def _id_bytes(value: Scalar) -> bytes | None:
    """The bytes of an id as ids are written: lower-case hex without spaces."""
    try:
        key = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        return None
    return key if key.hex() == value else None


def _text(column: str, op: Op, value: Scalar) -> Condition:
    return Condition(f"({column} IS NOT NULL AND vestigo_compare({column}, ?, ?))", _checked(op, value))


def _scored(log: str, field: str, op: Op) -> Condition:
    """A comparison with a missing score is false, so one of the name is there."""
    exists = f"EXISTS (SELECT 1 FROM log WHERE {log} AND log.score = ?)"
    return Condition(exists, (field.removeprefix("score."),), exact=op == "exists")


def _has(table: str, op: Op, value: Scalar) -> Condition:
    if op != "=" or value not in HAS or value == "score":
        return UNKNOWN
    return Condition(f"({table}.has & {1 << HAS.index(str(value))})")


def _checked(op: Op, value: Scalar) -> tuple[Any, ...]:
    """Parameters of `vestigo_compare`; a bad pattern is told before the query runs."""
    if op == "~" and isinstance(value, str):
        pattern(value)
    return (op, b"true" if value is True else b"false" if value is False else value)


def _numbers(numbers: list[int]) -> str:
    return ",".join(map(str, numbers))


def compare_function(*arguments: Any) -> bool:
    """`vestigo_compare(found, op, value)` for SQLite, by the rules of `query.compare`."""
    found, op, value = arguments
    if isinstance(value, bytes):
        value = value == b"true"
    return compare(found, op, value)
