"""Records into rows, within one transaction that the storage begins and commits.

Rows are collected and written table by table, and their numbers are given here, since only one connection writes at a
time: a statement a row, each with a turn through Python, would take twice as long.
"""

import hashlib
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Final, cast

import apsw
import msgspec

from vestigo import semconv
from vestigo.errors import StorageError
from vestigo.matching import is_unpriced, log_score
from vestigo.normalize import messages
from vestigo.normalize.once import CALLS, Claim, settle_roles
from vestigo.normalize.reading import as_list
from vestigo.query import HAS
from vestigo.record import Batch, Log, NormalForm, Span, Usage, Value
from vestigo.storage.grouping import Figures
from vestigo.storage.sqlite.bodies import (
    LIST,
    LONG_TEXT,
    ONE,
    Bodies,
    Codec,
    History,
    Recent,
    encode_rest,
    index_text,
    reference,
    split_json,
)
from vestigo.storage.sqlite.conditions import KINDS, SHORT_TEXT, STATUSES, UNINDEXED, indexed_key, indexed_value
from vestigo.storage.sqlite.drafts import LONGEST_HISTORY, Draft, plain_keys
from vestigo.storage.sqlite.points import write_points
from vestigo.storage.sqlite.reader import stored_attributes
from vestigo.storage.sqlite.rollups import HOUR_NS, RollupKey, Rollups

_KIND_NUMBERS: Final = {name: number for number, name in enumerate(KINDS)}
_STATUS_NUMBERS: Final = {name: number for number, name in enumerate(STATUSES)}
_HAS: Final = {name: 1 << bit for bit, name in enumerate(HAS)}
_HAS_INPUT, _HAS_OUTPUT = _HAS["input"], _HAS["output"]
_encode = msgspec.msgpack.Encoder().encode

_SPAN_COLUMNS: Final = (
    "id", "trace", "span_id", "parent_id", "project", "start_ns", "duration_ns", "status", "kind", "name", "origin",
    "model", "provider", "session", "user", "tool", "agent", "prompt", "operation", "tokens_in", "tokens_out",
    "tokens_cached", "tokens_reasoning", "cost", "ttft_s", "role", "unpriced", "weight", "has", "error", "record",
    "response",
)  # fmt: skip
_INSERT_SPAN: Final = f"INSERT INTO span({','.join(_SPAN_COLUMNS)}) VALUES({','.join('?' * len(_SPAN_COLUMNS))})"
_OLD: Final = (
    "id", "trace", "duration_ns", "start_ns", "origin", "kind", "model", "provider", "status", "weight", "ttft_s",
    "role", "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "cost", "unpriced", "response", "project",
)  # fmt: skip
_SELECT_OLD: Final = f"SELECT {','.join(_OLD)} FROM span"
_SUMMARY: Final = (
    "id", "span_id", "parent_id", "start_ns", "duration_ns", "status", "kind", "role", "tokens_in", "tokens_out",
    "tokens_cached", "tokens_reasoning", "cost", "unpriced", "session", "user", "weight", "name", "origin", "error",
)  # fmt: skip
_SELECT_SUMMARY: Final = f"SELECT {','.join(_SUMMARY)} FROM span WHERE trace = ? ORDER BY start_ns, span_id"
_summary_of = itemgetter(*(_SPAN_COLUMNS.index(column) for column in _SUMMARY))
_TRACE_COLUMNS: Final = (
    "start_ns", "end_ns", "duration_ns", "status", "root", "name", "origin", "error", "spans", "errors", "open_spans",
    "calls", "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "cost", "unpriced", "session", "user",
    "weight",
)  # fmt: skip
_INSERT_TRACE: Final = (
    f"INSERT INTO trace({','.join(_TRACE_COLUMNS)}, id, project, trace_id)"
    f" VALUES({','.join('?' * (len(_TRACE_COLUMNS) + 3))})"
)
_UPDATE_TRACE: Final = f"UPDATE trace SET {','.join(f'{column}=?' for column in _TRACE_COLUMNS)} WHERE id = ?"
_INSERT_LOG: Final = (
    "INSERT OR REPLACE INTO log(project, log_id, time_ns, severity, trace_id, span_id, score, record)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
)


class _Begun:
    """A trace whose first spans come in this transaction."""

    __slots__ = ("plain", "project", "rows", "spans", "trace_id")

    def __init__(self, project: int, trace_id: bytes) -> None:
        self.project = project
        self.trace_id = trace_id
        self.rows: list[tuple[Any, ...]] = []
        self.spans: set[bytes] = set()
        self.plain = True
        """Whether `rows` are all there is to say of it: no span was replaced, none has another role by now."""


class Writer:
    """Writes batches through one connection. Its lookup tables know what the file has, so a rollback forgets them."""

    def __init__(self, db: apsw.Connection) -> None:
        self.db: Any = db  # rows are tuples of whatever the columns hold
        self.codec = Codec(db)
        self.bodies = Bodies(db, self.codec)
        self._generation = -1
        self._rollups = Rollups()
        self._touched: set[int] = set()
        self._begun: dict[int, _Begun] = {}
        self._begun_numbers: dict[tuple[int, str], int] = {}
        self._contested: set[tuple[int, int]] = set()  # (trace, response) that more than one span may have
        self._responses: set[tuple[int, int]] = set()  # those of this transaction
        self._spans: list[tuple[Any, ...]] = []
        self._attributes: list[tuple[Any, ...]] = []
        self._said: list[tuple[int, int]] = []
        self._logs: list[tuple[Any, ...]] = []
        self._next_span = self._next_trace = 1
        self._projects: Recent[str, int] = Recent(1_000)
        self._names: Recent[str, int] = Recent(20_000)
        self._terms: Recent[str, int] = Recent(50_000)
        self._keys: Recent[str, int | None] = Recent(10_000)
        self._origins: Recent[bytes, int] = Recent(10_000)
        self._last_origin: tuple[object, object, int] = (None, None, 0)
        self._traces: Recent[tuple[int, str], int] = Recent(20_000)
        self._mentions: Recent[tuple[int, int], bool] = Recent(200_000)
        self._drafts: dict[int, Draft] = {}
        self._histories: Recent[tuple[int, str], History] = Recent(200)

    def begin(self) -> None:
        """Forget what another process may have deleted since, and see which numbers are free; call first."""
        (generation,) = self.db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        if generation != self._generation:
            self.forget()
            self._generation = generation
        (span,) = self.db.execute("SELECT ifnull(max(id), 0) + 1 FROM span").fetchone()
        self._next_span = max(span, self._next_span)  # a number is not given again, so that what is new has the highest
        (self._next_trace,) = self.db.execute("SELECT ifnull(max(id), 0) + 1 FROM trace").fetchone()
        self.bodies.begin()

    def forget(self) -> None:
        """Drop every lookup table and every row not written, after a rollback or a deletion."""
        for table in (
            self._projects, self._names, self._terms, self._keys, self._origins, self._traces, self._mentions,
            self._touched, self._begun, self._begun_numbers, self._contested, self._responses, self._spans,
            self._attributes, self._said, self._logs, self._histories,
        ):  # fmt: skip
            table.clear()
        self._last_origin = (None, None, 0)
        self.bodies.forget()
        self._rollups = Rollups()
        self.codec.reload()

    def write(self, batch: Batch) -> None:
        """Add a batch's records; `finish` then writes what is left and brings summaries up to date."""
        project = self.project_id(batch.project)
        self._drafts = batch.drafts
        for span in batch.spans:
            self._write_span(span, project)
        for log in batch.logs:
            self._write_log(log, project)
        write_points(self.db, batch.points, project)

    def finish(self) -> None:
        """Write what is collected, then roles, summaries and rollups; call before the commit."""
        self._flush()
        for trace, response in self._contested:
            self._settle_roles(trace, response)
        begun = []
        for trace, new in self._begun.items():
            rows = sorted(map(_summary_of, new.rows), key=_by_start) if new.plain else self._summary_rows(trace)
            if rows:
                begun.append((*_summary(rows), trace, new.project, new.trace_id))
        self.db.executemany(_INSERT_TRACE, begun)
        for trace in self._touched - self._begun.keys():
            self.summarize(trace)
        self._rollups.write(self.db)
        for done in (self._touched, self._begun, self._begun_numbers, self._contested, self._responses):
            done.clear()

    def _flush(self) -> None:
        """Write the rows collected so far."""
        self.bodies.flush()
        for sql, rows in (
            (_INSERT_SPAN, self._spans),
            ("INSERT OR IGNORE INTO attribute VALUES(?, ?, ?, ?)", self._attributes),
            ("INSERT OR IGNORE INTO mention VALUES(?, ?)", self._said),
            (_INSERT_LOG, self._logs),
        ):
            if rows:
                self.db.executemany(sql, rows)
                rows.clear()

    # --- spans

    def _write_span(self, span: Span, project: int) -> None:
        trace = self._trace_id(span.trace_id, project)
        span_id = _bytes_id(span.span_id, 8, "span id")
        begun = self._begun.get(trace)
        if begun is None or span_id in begun.spans:
            self._flush()
            old = self.db.execute(f"{_SELECT_OLD} WHERE trace = ? AND span_id = ?", (trace, span_id)).fetchone()
            if old is not None:
                if old[2] is not None and span.end_ns is None:
                    return  # an open span never replaces a closed one
                self._take_back(old)
        number = self._next_span
        self._next_span = number + 1
        form = span.normal or NormalForm()
        kept, has = self._split(span, number, trace, project)
        row = self._row(span, form, (number, trace, span_id), project, kept, has)
        self._spans.append(row)
        self._touched.add(trace)
        if begun is not None:
            begun.spans.add(span_id)
            begun.rows.append(row)
        if row[-1] is not None:
            self._note_response(trace, row[-1], new=begun is not None)
            if form.usage_role == "duplicate":
                self._contested.add((trace, row[-1]))  # alone it counts

    def _row(
        self, span: Span, form: NormalForm, ids: tuple[int, int, bytes], project: int, kept: dict[str, Any], has: int
    ) -> tuple[Any, ...]:
        """The row of a span in the order of its columns; its figures are counted in the rollups."""
        usage, cost, weight = form.usage or _NO_USAGE, form.cost, span.weight
        total = None if cost is None else cost.total_usd
        start, duration = span.start_ns, span.duration_ns
        status, kind = _STATUS_NUMBERS[span.status], _KIND_NUMBERS[form.kind]
        origin, model, provider = self._origin_id(span), self._term_id(form.model), self._term_id(form.provider)
        leaf, unpriced = form.usage_role == "leaf", is_unpriced(form.usage, cost)
        figures = Figures(
            weight, status == 2, None if duration is None else duration / 1e9, form.ttft_s, leaf,
            usage.input, usage.output, usage.cache_read, usage.reasoning, total, unpriced,
        )  # fmt: skip
        self._rollups.add(
            RollupKey(project, start // HOUR_NS, origin, kind, model or 0, provider or 0, status), figures
        )
        said = span.attributes.get(semconv.OPERATION)
        operation = said if isinstance(said, str) else None
        response = form.response_id if form.usage_role != "rollup" and form.kind in CALLS else None
        term, known = self._term_id, self._terms.get
        return (
            *ids, None if span.parent_id is None else _bytes_id(span.parent_id, 8, "parent id"),
            project, start, duration, status, kind, self._name_id(span.name), origin, model, provider,
            known(form.session_id or "") or term(form.session_id), known(form.user_id or "") or term(form.user_id),
            form.tool_name and term(form.tool_name), form.agent_name and term(form.agent_name),
            form.prompt_name and term(form.prompt_name), operation and term(operation),
            usage.input, usage.output, usage.cache_read, usage.reasoning, total, form.ttft_s, int(leaf), int(unpriced),
            weight, has | _has_bits(span, form, total), span.error_message,
            self.codec.compress("span", encode_rest(span, kept)), None if not response else _response_id(response),
        )  # fmt: skip

    def take_back(self, number: int) -> None:
        """Remove a span: its row, its index entries and its share of the rollups."""
        self._take_back(self.db.execute(f"{_SELECT_OLD} WHERE id = ?", (number,)).fetchone())

    def _take_back(self, old: tuple[Any, ...]) -> None:
        number, trace, response, project = old[0], old[1], old[-2], old[-1]
        key, figures = _old_figures(old)
        self._rollups.add(key, figures, -1)
        gone = [
            (project, self._term_id(name), value, number)
            for name, value in stored_attributes(self.db, self.codec, number).items()
            if indexed_key(name) and value is not None
            for value in (_index_value(value),)
        ]
        self.db.executemany("DELETE FROM attribute WHERE project = ? AND key = ? AND value = ? AND span = ?", gone)
        self.db.execute("DELETE FROM span WHERE id = ?", (number,))
        if trace in self._begun:
            self._begun[trace].plain = False
        if response is not None:
            self._contested.add((trace, response))

    # --- content

    def _split(self, span: Span, number: int, trace: int, project: int) -> tuple[dict[str, Any], int]:
        """Attributes with references in the place of bodies, and the `has:` bits of what was said.

        Words of messages are indexed. In the conventions' own form the messages are the items of two attributes, so
        they are neither decoded nor compared when they are known already.
        """
        plain = plain_keys(span)
        kept: dict[str, Any] = {}
        used: list[int] = []
        if plain is None:
            said = messages(span)
            mine = (*said.input, *said.output)
            own = {id(message) for message in mine}
        else:
            said, mine, own = None, (), _NONE_OWN
        keys, index = self._keys, self._attributes
        for key, value in span.attributes.items():
            if plain is not None and key in plain:
                kept[key] = self._stored_messages(key, value, used, trace)
            elif type(value) is str:
                kept[key] = value if len(value) <= LONG_TEXT else self._stored_text(value, used)
            elif type(value) is list or type(value) is dict:
                kept[key] = self._stored_tree(value, used, own)
            else:
                kept[key] = value
            term = keys.get(key, 0)
            if term == 0:
                term = keys.remember(key, self._term_id(key) if indexed_key(key) else None)
            if term is not None and value is not None:
                if type(value) is not str or len(value) > SHORT_TEXT:
                    value = _index_value(value)  # noqa: PLW2901
                index.append((project, term, value, number))
        has = 0
        if plain is not None:
            has = sum(plain.values())
        elif said is not None:
            used += [self.bodies.of_words(index_text(message)) for message in mine if id(message) in own]
            if said.system:
                used.append(self.bodies.of_words(index_text(said.system)))
            has = _HAS_INPUT * bool(said.input or said.system) | _HAS_OUTPUT * bool(said.output)
        self._mention(used, trace)
        return kept, has

    def _stored_messages(self, key: str, value: Value, used: list[int], trace: int) -> Any:
        """What stands in the record for a list of messages, whose words are indexed."""
        if isinstance(value, list):
            numbers = [self.bodies.of_value(item, words=True) for item in value]
            used += numbers
            return reference(LIST, numbers)
        text = str(value)
        draft = self._drafts.get(id(value))
        if draft is not None:
            drafted = self.bodies.of_draft(
                draft.digests, draft.dictionary, lambda: {one.place: (one.words, one.content) for one in draft.fresh}
            )
            if drafted is not None:
                used += drafted
                return reference(draft.code, drafted)
        history = self._histories.get((trace, key))
        found = split_json(text, history)
        if found is None:
            used += [self.bodies.of_words(index_text(message)) for message in as_list(text)]
            return self._stored_text(text, used)
        of_json = self.bodies.of_json
        numbers = [of_json(item, words=True) for item in found.items]
        used += numbers  # those of the history are mentioned already
        if found.continues and history is not None:
            numbers = [*history.numbers, *numbers]
        if key == semconv.INPUT_MESSAGES and len(text) <= LONGEST_HISTORY:
            self._histories.remember((trace, key), History(found.code, text[:-1], numbers))
        return reference(found.code, numbers)

    def _stored_tree(self, value: Value, used: list[int], own: set[int]) -> Any:
        """What stands in the record for a list or dict; messages of `own`, by identity, are indexed and taken out."""
        if isinstance(value, list) and value and isinstance(value[0], dict):
            numbers = [self.bodies.of_value(item, words=id(item) in own) for item in value]
            own.difference_update(map(id, value))
            used += numbers
            return reference(LIST, numbers)
        if len(_encode(value)) <= LONG_TEXT:
            return value
        used.append(self.bodies.of_value(value, words=False))
        return reference(ONE, used[-1:])

    def _stored_text(self, text: str, used: list[int]) -> Any:
        found = split_json(text) if text[:2] == "[{" else None
        if found is None:
            used.append(self.bodies.of_value(text, words=False))
            return reference(ONE, used[-1:])
        numbers = [self.bodies.of_json(item, words=False) for item in found.items]
        used += numbers
        return reference(found.code, numbers)

    def _mention(self, used: list[int], trace: int) -> None:
        mentions = self._mentions
        for body in used:
            key = (body, trace)
            if key not in mentions:
                self._said.append(key)
                mentions.remember(key, True)

    # --- logs

    def _write_log(self, log: Log, project: int) -> None:
        record = _encode(log)
        log_id = log.log_id or hashlib.blake2b(record, digest_size=16).hexdigest()
        trace_id = None if log.trace_id is None else _bytes_id(log.trace_id, 16, "trace id")
        span_id = None if log.span_id is None else _bytes_id(log.span_id, 8, "span id")
        score = log_score(log)
        self._logs.append((
            project, log_id.encode("utf-8", "replace"), log.time_ns, log.severity, trace_id, span_id,
            score[0] if score else None, self.codec.compress("span", record),
        ))  # fmt: skip

    # --- summaries

    def summarize(self, trace: int) -> None:
        """Work out a stored trace's row from its spans; remove it if there are none."""
        rows = self._summary_rows(trace)
        if rows:
            self.db.execute(_UPDATE_TRACE, (*_summary(rows), trace))
        else:
            self.db.execute("DELETE FROM trace WHERE id = ?", (trace,))

    def _summary_rows(self, trace: int) -> list[tuple[Any, ...]]:
        return self.db.execute(_SELECT_SUMMARY, (trace,)).fetchall()

    # --- roles

    def _note_response(self, trace: int, response: int, *, new: bool) -> None:
        """See whether a span with this response may be there already."""
        key = (trace, response)
        if key in self._responses:
            self._contested.add(key)
        elif not new:
            sql = "SELECT 1 FROM span WHERE trace = ? AND response = ?"
            if self.db.execute(sql, key).fetchone() is not None:
                self._contested.add(key)
        self._responses.add(key)

    def _settle_roles(self, trace: int, response: int) -> None:
        """Let one of the spans that tell of the same call count; see `normalize.once`."""
        columns = ("span_id", "end_ns", "has", *_OLD)
        sql = (
            f"SELECT span_id, start_ns + duration_ns, has, {','.join(_OLD)} FROM span WHERE trace = ? AND response = ?"
        )
        rows = self.db.execute(sql, (trace, response)).fetchall()
        at = {column: place for place, column in enumerate(columns)}
        claims = [
            Claim(
                span_id=row[0].hex(), kind=KINDS[row[at["kind"]]], role="leaf" if row[at["role"]] else "duplicate",
                response_id=str(response), start_ns=row[at["start_ns"]], end_ns=row[1],
                has_usage=row[at["tokens_in"]] is not None or row[at["tokens_out"]] is not None,
                content=bool(row[2] & _HAS_INPUT) + bool(row[2] & _HAS_OUTPUT),
            )
            for row in rows
        ]  # fmt: skip
        roles = settle_roles(claims)
        for row in rows:
            leaf = roles[row[0].hex()] == "leaf"
            if leaf == bool(row[at["role"]]):
                continue
            key, figures = _old_figures(row[3:])
            self._rollups.add(key, figures, -1)
            self._rollups.add(key, msgspec.structs.replace(figures, leaf=leaf))
            self.db.execute("UPDATE span SET role = ? WHERE id = ?", (int(leaf), row[3]))
            if trace in self._begun:
                self._begun[trace].plain = False

    # --- numbers for what repeats

    def project_id(self, name: str) -> int:
        return self._number(self._projects, "project", "name", name)

    def _name_id(self, text: str) -> int:
        return self._names.get(text) or self._number(self._names, "name", "text", text)

    def _term_id(self, text: str | None) -> int | None:
        if text is None:
            return None
        return self._terms.get(text) or self._number(self._terms, "term", "text", text)

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
        resource, scope, number = self._last_origin
        if span.resource is resource and span.scope is scope:
            return number
        body = _encode((span.resource, span.scope))
        number = self._origins.get(body) or self._origin_number(body, span)
        self._last_origin = (span.resource, span.scope, number)
        return number

    def _origin_number(self, body: bytes, span: Span) -> int:
        row = self.db.execute("SELECT id FROM origin WHERE body = ?", (body,)).fetchone()
        if row is not None:
            return self._origins.remember(body, row[0])
        told = span.resource.attributes
        texts = (told.get(name) for name in (semconv.SERVICE_NAME, semconv.ENVIRONMENT, semconv.SERVICE_VERSION))
        columns = [text if isinstance(text, str) else None for text in texts]
        self.db.execute("INSERT INTO origin(body, service, env, release) VALUES(?, ?, ?, ?)", (body, *columns))
        return self._origins.remember(body, self.db.last_insert_rowid())

    def _trace_id(self, text: str, project: int) -> int:
        key = (project, text)
        number = self._traces.get(key) or self._begun_numbers.get(key)  # these have no row yet
        if number is not None:
            return number
        trace_id = _bytes_id(text, 16, "trace id")
        row = self.db.execute("SELECT id FROM trace WHERE project = ? AND trace_id = ?", (project, trace_id)).fetchone()
        if row is not None:
            return self._traces.remember(key, row[0])
        number = self._next_trace
        self._next_trace = number + 1
        self._begun[number] = _Begun(project, trace_id)
        self._begun_numbers[key] = number
        return self._traces.remember(key, number)


_NO_USAGE: Final = Usage()
_NONE_OWN: Final[set[int]] = set()


def _index_value(value: Value) -> Any:
    return UNINDEXED if (short := indexed_value(value)) is None else short


def _response_id(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def _old_figures(old: tuple[Any, ...]) -> tuple[RollupKey, Figures]:
    """Rollup row and figures of a stored span, from a row of `_OLD`."""
    duration, start, origin, kind, model, provider, status, weight, ttft, role = old[2:12]
    tokens_in, tokens_out, cached, reasoning, cost, unpriced, _, project = old[12:]
    latency = None if duration is None else duration / 1e9
    figures = Figures(
        weight, status == 2, latency, ttft, bool(role), tokens_in, tokens_out, cached, reasoning, cost, bool(unpriced)
    )
    return RollupKey(project, start // HOUR_NS, origin, kind, model or 0, provider or 0, status), figures


def _has_bits(span: Span, form: NormalForm, total_usd: float | None) -> int:
    """The `has:` words that hold for a span beside those of its messages, one bit for each."""
    return (
        _HAS["error"] * (span.status == "ERROR")
        | _HAS["cost"] * (total_usd is not None)
        | _HAS["session"] * (form.session_id is not None)
        | _HAS["user"] * (form.user_id is not None)
        | _HAS["open"] * (span.end_ns is None)
        | _HAS["tool"] * (form.tool_name is not None)
    )


_by_start: Final[Callable[[tuple[Any, ...]], Any]] = itemgetter(3, 1)


def _summary(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """A trace's columns from its spans' rows of `_SUMMARY`, by start and span id."""
    root = _root(rows)
    leaves = [row for row in rows if row[7]]
    ends = [row[3] + row[4] for row in rows if row[4] is not None]
    start = rows[0][3]
    end = None if root[4] is None else max(ends)
    errors = [row for row in rows if row[5] == 2]
    first = [root, *(row for row in rows if row is not root)]
    failed = root if root[5] == 2 else errors[0] if errors else None
    return (
        start, end, -1 if end is None else end - start, 2 if errors else root[5], root[0], root[17], root[18],
        failed[19] if failed else None, len(rows), len(errors), len(rows) - len(ends),
        sum(row[6] == _KIND_NUMBERS["llm"] for row in leaves), *(_total(leaves, at) for at in range(8, 13)),
        sum(row[13] for row in leaves), _first(first, 14), _first(first, 15), root[16],
    )  # fmt: skip


def _root(rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The root by the rule of `record.order_spans`."""
    root = next((row for row in rows if row[2] is None), None)
    if root is None:
        known = {row[1] for row in rows}
        root = next((row for row in rows if row[2] not in known), rows[0])
    return root


def _total(rows: Iterable[tuple[Any, ...]], at: int) -> Any:
    told = [row[at] for row in rows if row[at] is not None]
    return sum(told) if told else None


def _first(rows: Iterable[tuple[Any, ...]], at: int) -> Any:
    return next((row[at] for row in rows if row[at] is not None), None)


def _bytes_id(text: str, length: int, what: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except (ValueError, TypeError):
        data = b""
    if len(data) != length or text != data.hex():
        raise StorageError(f"{what} {cast('object', text)!r:.80} is not {length * 2} lower-case hex digits")
    return data
