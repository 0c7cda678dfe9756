"""Records into rows, within one transaction that the storage begins and commits."""

import hashlib
from typing import Any, Final, cast

import apsw
import msgspec

from vestigo import semconv
from vestigo.errors import StorageError
from vestigo.matching import log_score
from vestigo.normalize import messages
from vestigo.query import HAS
from vestigo.record import Batch, Log, Messages, NormalForm, Span, Value
from vestigo.storage.grouping import Figures, figures_of
from vestigo.storage.sqlite.bodies import Bodies, Codec, Recent, attributes_with_references, encode_rest
from vestigo.storage.sqlite.conditions import KINDS, STATUSES, UNINDEXED, indexed_key, indexed_value
from vestigo.storage.sqlite.reader import stored_attributes
from vestigo.storage.sqlite.rollups import HOUR_NS, RollupKey, Rollups

_KIND_NUMBERS: Final = {name: number for number, name in enumerate(KINDS)}
_STATUS_NUMBERS: Final = {name: number for number, name in enumerate(STATUSES)}
_HAS: Final = {name: 1 << bit for bit, name in enumerate(HAS)}
_encode = msgspec.msgpack.Encoder().encode

_SPAN_COLUMNS: Final = (
    "trace, span_id, parent_id, project, start_ns, duration_ns, status, kind, name, origin, model, provider, session, "
    "user, tool, agent, prompt, operation, tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost, ttft_s, role, "
    "unpriced, weight, has, error, record"
)
_INSERT_SPAN: Final = f"INSERT INTO span({_SPAN_COLUMNS}) VALUES({','.join('?' * 30)})"
_OLD: Final = (
    "SELECT id, duration_ns, start_ns, origin, kind, model, provider, status, weight, ttft_s, role, tokens_in,"
    " tokens_out, tokens_cached, tokens_reasoning, cost, unpriced FROM span"
)
_OLD_SPAN: Final = f"{_OLD} WHERE trace = ? AND span_id = ?"
_OLD_SPAN_BY_NUMBER: Final = f"{_OLD} WHERE id = ?"
_SUMMARY_ROWS: Final = (
    "SELECT id, span_id, parent_id, start_ns, duration_ns, status, kind, role, tokens_in, tokens_out, tokens_cached,"
    " tokens_reasoning, cost, unpriced, session, user, weight, name, origin, error"
    " FROM span WHERE trace = ? ORDER BY start_ns, span_id"
)


class Writer:
    """Writes batches through one connection. Its lookup tables know what the file has, so a rollback forgets them."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db: Any = db  # rows are tuples of whatever the columns hold
        self.codec = Codec(db)
        self.bodies = Bodies(db, self.codec)
        self._generation = -1
        self._rollups = Rollups()
        self._touched: set[int] = set()
        self._begun: set[int] = set()  # traces that are new in this transaction, and their spans
        self._begun_spans: set[tuple[int, bytes]] = set()
        self._projects: Recent[str, int] = Recent(1_000)
        self._names: Recent[str, int] = Recent(20_000)
        self._terms: Recent[str, int] = Recent(50_000)
        self._origins: Recent[bytes, int] = Recent(10_000)
        self._traces: Recent[tuple[int, str], int] = Recent(20_000)
        self._mentions: Recent[tuple[int, int], bool] = Recent(200_000)

    def begin(self) -> None:
        """Forget what another process may have deleted since; call first in each transaction."""
        (generation,) = self.db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        if generation != self._generation:
            self.forget()
            self._generation = generation

    def forget(self) -> None:
        """Drop every lookup table, after a rollback or a deletion."""
        for table in (self._projects, self._names, self._terms, self._origins, self._traces, self._mentions):
            table.clear()
        self.bodies.known.clear()
        self._rollups = Rollups()
        self._touched.clear()
        self.codec.reload()

    def write(self, batch: Batch) -> None:
        """Add a batch's records; `finish` then brings summaries up to date."""
        project = self.project_id(batch.project)
        for span in batch.spans:
            self._write_span(span, project)
        for log in batch.logs:
            self._write_log(log, project)

    def finish(self) -> None:
        """Bring rollups and the summaries of the touched traces up to date; call before the commit."""
        for trace in self._touched:
            self.summarize(trace)
        self._touched.clear()
        self._begun.clear()
        self._begun_spans.clear()
        self._rollups.write(self.db)

    # --- spans

    def _write_span(self, span: Span, project: int) -> None:
        trace = self._trace_id(span, project)
        span_id = _bytes_id(span.span_id, 8, "span id")
        old = None if self._is_first(trace, span_id) else self.db.execute(_OLD_SPAN, (trace, span_id)).fetchone()
        if old is not None:
            if old[1] is not None and span.end_ns is None:
                return  # an open span never replaces a closed one
            self._take_back(old, project)
        form = span.normal or NormalForm()
        key, row = self._columns(span, form, project, trace, span_id)
        figures = figures_of(span)
        self._rollups.add(key, figures)
        said = messages(span)
        attributes, used = self._bodies_of(span, said)
        has = _has_bits(span, form, said)
        record = self.codec.compress("span", encode_rest(span, attributes))
        self.db.execute(_INSERT_SPAN, (*row, has, span.error_message, record))
        self._index_attributes(span, project, self.db.last_insert_rowid())
        self._mention(used, trace)
        self._touched.add(trace)

    def _is_first(self, trace: int, span_id: bytes) -> bool:
        """Whether a span cannot have been there: its trace began in this transaction, and this is its first version."""
        if trace not in self._begun:
            return False
        known = len(self._begun_spans)
        self._begun_spans.add((trace, span_id))
        return len(self._begun_spans) > known

    def _columns(
        self, span: Span, form: NormalForm, project: int, trace: int, span_id: bytes
    ) -> tuple[RollupKey, tuple[Any, ...]]:
        figures = figures_of(span)
        parent = None if span.parent_id is None else _bytes_id(span.parent_id, 8, "parent id")
        status, kind = _STATUS_NUMBERS[span.status], _KIND_NUMBERS[form.kind]
        origin, model, provider = self._origin_id(span), self._term_id(form.model), self._term_id(form.provider)
        operation = span.attributes.get(semconv.OPERATION)
        row = (
            trace, span_id, parent, project, span.start_ns, span.duration_ns, status, kind,
            self._name_id(span.name), origin, model, provider, self._term_id(form.session_id),
            self._term_id(form.user_id), self._term_id(form.tool_name), self._term_id(form.agent_name),
            self._term_id(form.prompt_name), self._term_id(operation if isinstance(operation, str) else None),
            figures.tokens_in, figures.tokens_out, figures.tokens_cached, figures.tokens_reasoning, figures.cost,
            figures.ttft_s, int(figures.leaf), int(figures.unpriced), figures.weight,
        )  # fmt: skip
        key = RollupKey(project, span.start_ns // HOUR_NS, origin, kind, model or 0, provider or 0, status)
        return key, row

    def take_back(self, number: int, project: int) -> None:
        """Remove a span: its row, its index entries and its share of the rollups."""
        self._take_back(self.db.execute(_OLD_SPAN_BY_NUMBER, (number,)).fetchone(), project)

    def _take_back(self, old: tuple[Any, ...], project: int) -> None:
        number, key, figures = _old_figures(old, project)
        self._rollups.add(key, figures, -1)
        for name, value in _indexed(stored_attributes(self.db, self.codec, number)):
            self.db.execute(
                "DELETE FROM attribute WHERE project = ? AND key = ? AND value = ? AND span = ?",
                (project, self._term_id(name), value, number),
            )
        self.db.execute("DELETE FROM span WHERE id = ?", (number,))

    def _bodies_of(self, span: Span, said: Messages) -> tuple[dict[str, Any], list[int]]:
        """Attributes with references, and the bodies of the span; the words of its messages are indexed.

        A message mostly is an item of an attribute's list, the same object, so it is looked up once.
        """
        messages: dict[int, Value] = {id(message): message for message in (*said.input, *said.output)}
        if said.system:
            messages[id(said.system)] = said.system
        body_id = self.bodies.id_of
        attributes, used = attributes_with_references(span.attributes, body_id, messages)
        used += [body_id(message, messages) for message in list(messages.values())]
        return attributes, used

    def _mention(self, used: list[int], trace: int) -> None:
        mentions = self._mentions
        for body in set(used):
            if (body, trace) not in mentions:
                self.db.execute("INSERT OR IGNORE INTO mention VALUES(?, ?)", (body, trace))
                mentions.remember((body, trace), True)

    def _index_attributes(self, span: Span, project: int, number: int) -> None:
        for key, value in _indexed(span.attributes):
            self.db.execute(
                "INSERT OR IGNORE INTO attribute VALUES(?, ?, ?, ?)", (project, self._term_id(key), value, number)
            )

    # --- logs

    def _write_log(self, log: Log, project: int) -> None:
        record = _encode(log)
        log_id = log.log_id or hashlib.blake2b(record, digest_size=16).hexdigest()
        trace_id = None if log.trace_id is None else _bytes_id(log.trace_id, 16, "trace id")
        span_id = None if log.span_id is None else _bytes_id(log.span_id, 8, "span id")
        score = log_score(log)
        self.db.execute(
            "INSERT OR REPLACE INTO log(project, log_id, time_ns, severity, trace_id, span_id, score, record)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            (
                project, log_id.encode("utf-8", "replace"), log.time_ns, log.severity, trace_id, span_id,
                score[0] if score else None, self.codec.compress("span", record),
            ),
        )  # fmt: skip

    # --- summaries

    def summarize(self, trace: int) -> None:
        """Work out a trace's row from its spans; remove it if there are none."""
        rows = self.db.execute(_SUMMARY_ROWS, (trace,)).fetchall()
        if not rows:
            self.db.execute("DELETE FROM trace WHERE id = ?", (trace,))
            return
        rows = _root_first(rows)
        root = rows[0]
        leaves = [row for row in rows if row[7]]
        ends = [row[3] + row[4] for row in rows if row[4] is not None]
        start = min(row[3] for row in rows)
        end = None if root[4] is None else max(ends)
        errors = [row for row in rows if row[5] == 2]
        self.db.execute(
            "UPDATE trace SET start_ns=?, end_ns=?, duration_ns=?, status=?, root=?, name=?, origin=?, error=?,"
            " spans=?, errors=?, open_spans=?, calls=?, tokens_in=?, tokens_out=?, tokens_cached=?,"
            " tokens_reasoning=?, cost=?, unpriced=?, session=?, user=?, weight=? WHERE id = ?",
            (
                start, end, -1 if end is None else end - start, 2 if errors else root[5], root[0], root[17], root[18],
                errors[0][19] if errors else None, len(rows), len(errors), len(rows) - len(ends),
                sum(row[6] == _KIND_NUMBERS["llm"] for row in leaves), *(_total(leaves, at) for at in range(8, 13)),
                sum(row[13] for row in leaves), _first(rows, 14), _first(rows, 15), root[16], trace,
            ),
        )  # fmt: skip

    # --- numbers for what repeats

    def project_id(self, name: str) -> int:
        return self._number(self._projects, "project", "name", name)

    def _name_id(self, text: str) -> int:
        return self._number(self._names, "name", "text", text)

    def _term_id(self, text: str | None) -> int | None:
        return None if text is None else self._number(self._terms, "term", "text", text)

    def _number(self, known: Recent[str, int], table: str, column: str, text: str) -> int:
        number = known.get(text)
        if number is not None:
            return number
        row = self.db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()
        if row is None:
            self.db.execute(f"INSERT INTO {table}({column}) VALUES(?)", (text,))
            return known.remember(text, self.db.last_insert_rowid())
        return known.remember(text, row[0])

    def _origin_id(self, span: Span) -> int:
        body = _encode((span.resource, span.scope))
        number = self._origins.get(body)
        if number is not None:
            return number
        row = self.db.execute("SELECT id FROM origin WHERE body = ?", (body,)).fetchone()
        if row is not None:
            return self._origins.remember(body, row[0])
        told = span.resource.attributes
        texts = (told.get(name) for name in (semconv.SERVICE_NAME, semconv.ENVIRONMENT, semconv.SERVICE_VERSION))
        columns = [text if isinstance(text, str) else None for text in texts]
        self.db.execute("INSERT INTO origin(body, service, env, release) VALUES(?, ?, ?, ?)", (body, *columns))
        return self._origins.remember(body, self.db.last_insert_rowid())

    def _trace_id(self, span: Span, project: int) -> int:
        key = (project, span.trace_id)
        number = self._traces.get(key)
        if number is not None:
            return number
        trace_id = _bytes_id(span.trace_id, 16, "trace id")
        row = self.db.execute("SELECT id FROM trace WHERE project = ? AND trace_id = ?", (project, trace_id)).fetchone()
        if row is not None:
            return self._traces.remember(key, row[0])
        self.db.execute(
            "INSERT INTO trace(project, trace_id, start_ns, duration_ns, status, spans, errors, open_spans, calls,"
            " unpriced, weight) VALUES(?, ?, ?, -1, 0, 0, 0, 0, 0, 0, 1)",
            (project, trace_id, span.start_ns),
        )
        number = self.db.last_insert_rowid()
        self._begun.add(number)
        return self._traces.remember(key, number)


def _old_figures(old: tuple[Any, ...], project: int) -> tuple[int, RollupKey, Figures]:
    """Number, rollup row and figures of a stored span, from a row of `_OLD_SPAN`."""
    number, duration, start, origin, kind, model, provider, status, weight, ttft, role = old[:11]
    tokens_in, tokens_out, cached, reasoning, cost, unpriced = old[11:]
    latency = None if duration is None else duration / 1e9
    figures = Figures(
        weight, status == 2, latency, ttft, bool(role), tokens_in, tokens_out, cached, reasoning, cost, bool(unpriced)
    )
    return number, RollupKey(project, start // HOUR_NS, origin, kind, model or 0, provider or 0, status), figures


def _indexed(attributes: dict[str, Any]) -> list[tuple[str, Any]]:
    """What of a span's attributes goes into the index."""
    own = ((key, value) for key, value in attributes.items() if indexed_key(key) and value is not None)
    return [(key, UNINDEXED if (short := indexed_value(value)) is None else short) for key, value in own]


def _has_bits(span: Span, form: NormalForm, said: Messages) -> int:
    """The `has:` words that hold for a span, one bit for each."""
    cost = form.cost is not None and form.cost.total_usd is not None
    return (
        _HAS["error"] * (span.status == "ERROR")
        | _HAS["cost"] * cost
        | _HAS["session"] * (form.session_id is not None)
        | _HAS["user"] * (form.user_id is not None)
        | _HAS["input"] * bool(said.input or said.system)
        | _HAS["output"] * bool(said.output)
        | _HAS["open"] * (span.end_ns is None)
        | _HAS["tool"] * (form.tool_name is not None)
    )


def _root_first(rows: list[Any]) -> list[Any]:
    """Rows in the order of `record.order_spans`."""
    known = {row[1] for row in rows}
    root = next((row for row in rows if row[2] is None), None)
    root = root or next((row for row in rows if row[2] not in known), None)
    if root is None or rows[0] is root:
        return rows
    return [root, *(row for row in rows if row is not root)]


def _total(rows: list[Any], at: int) -> Any:
    told = [row[at] for row in rows if row[at] is not None]
    return sum(told) if told else None


def _first(rows: list[Any], at: int) -> Any:
    return next((row[at] for row in rows if row[at] is not None), None)


def _bytes_id(text: str, length: int, what: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except (ValueError, TypeError):
        data = b""
    if len(data) != length or text != data.hex():
        raise StorageError(f"{what} {cast('object', text)!r:.80} is not {length * 2} lower-case hex digits")
    return data
