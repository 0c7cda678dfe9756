"""Random records and random questions about them, for `testing.check_storage`. The same seed makes the same ones.

The records are what storages stumble over: spans that arrive shuffled, twice, open and then closed; span ids that
repeat across traces, equal times, orphans, missing fields, values of every type, and texts and keys of every script.
"""

from random import Random
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from vestigo import semconv
from vestigo.matching import TraceView, log_texts, log_values, span_texts, span_values, tokens, trace_values
from vestigo.normalize import normalize
from vestigo.query import (
    HAS,
    LOG_FIELDS,
    And,
    Compare,
    Filter,
    Grouping,
    Measure,
    Not,
    OneOf,
    Op,
    Or,
    Query,
    Scalar,
    Text,
    Within,
)
from vestigo.record import Batch, Cost, Event, Link, Log, Point, Resource, Scope, Span, Status, Trace, Value, point_id

Subject: TypeAlias = Literal["span", "trace", "log"]

START_NS: Final = 1_789_999_200 * 10**9
"""A full hour in 2026, from which on things happen for three hours."""
HOUR_NS: Final = 3600 * 10**9

_WORDS: Final = (
    "refund", "policy", "Order", "rotate", "the", "key", "a", "café", "naïve", "straße", "ДОМ", "返金", "ポリシー",
    "\uff26\uff35\uff2c\uff2c", "🎉", "الطلب", "don't", "snake_case", "50%", "x_y", "C:\\dir", '"quoted"',
    "nul\x00byte", "İstanbul",
)  # fmt: skip
_KEYS: Final = ("customer.tier", "n", "flag", "list", "nested", "schlüssel", 'we"ird', "it's", "sp ace", "$.x[0]", "%")
_VALUES: Final[tuple[Value, ...]] = (
    "gold", "Gold", "", "1", "true", "50%", "5_0", "it's", "naïve CAFÉ", "返金ポリシー", "🎉", "nul\x00byte", "a\nb",
    True, False, 0, 1, -1, 3, 2**53 + 1, 2**63 - 1, -(2**63), 0.0, 1.0, 0.1, -2.5, 1e308, 5e-324, 9007199254740993.0,
    None, [], {}, ["a", 1, True, None], {"a": {"b": [1, 2.0, "x"]}}, ["vip", "beta"], [[[]]], {"": ""},
)  # fmt: skip
_LABELS: Final[dict[str, tuple[Value, ...]]] = {
    semconv.SESSION_ID: ("s1", "s2"), semconv.USER_ID: ("u1", "ü2"), "tags": (["vip", "beta"], "vip", [3]),
    semconv.TOOL_NAME: ("search",), semconv.AGENT_NAME: ("planner",), semconv.PROMPT_NAME: ("greet",),
}  # fmt: skip
_MODELS: Final = ("test-large", "test-small", "tést-模型")
_PATTERNS: Final = ("^chat", "a.e", "[0-9]+", "(?i)GOLD", "é", "^$", "policy|refund", r"\bkey\b", "x_y$", "(?s)a.b")
_SCOPES: Final = ("any", "none", "root", "parent", "child")
_OPS: Final[tuple[Op, ...]] = get_args(Op)
_TEXT_FIELDS: Final = (
    "name", "model", "provider", "status", "error", "session", "user", "tag", "env", "release", "service", "input",
    "output", "trace", "span", "tool", "agent", "prompt", "kind", "operation", "has",
)  # fmt: skip
_NUMBER_FIELDS: Final = (
    "latency", "ttft", "tokens", "tokens.in", "tokens.out", "tokens.cached", "tokens.reasoning", "cost", "level",
)  # fmt: skip
_SCORES: Final = ("helpful", "tone")
_GROUP_FIELDS: Final = ("model", "service", "status", "kind", "name", "user", "env", "session", "provider", "tool")
_VALUES_FIELDS: Final = (
    *_GROUP_FIELDS,
    "tag",
    "release",
    "error",
    "attr.customer.tier",
    'attr.we"ird',
    "resource.host",
)


def copy_batch(batch: Batch) -> Batch:
    """A batch that shares nothing with the other."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch)


class Specimens:
    """Records of two projects that share a trace id, and questions about them."""

    def __init__(self, random: Random, label: str) -> None:
        self._random = random
        self.projects = (f"{label}a", f"{label}b")
        self.trace_ids = [self._hex(128) for _ in range(12)]
        self._span_ids = [self._hex(64) for _ in range(12)]
        self._services = [
            Resource({semconv.SERVICE_NAME: name, **more}, schema)
            for name, more, schema in (
                ("shop", {semconv.ENVIRONMENT: "production", "host": "a", "cores": 8}, "https://example.org/1"),
                ("shop", {semconv.SERVICE_VERSION: "1.2", semconv.ENVIRONMENT: "staging"}, ""),
                ("bot größe", {"host": "b"}, ""),
            )
        ] + [Resource()]

    # --- records

    def batches(self) -> list[Batch]:
        """All records of both projects in the order of their arrival, some in several versions."""
        batches: list[Batch] = []
        for number, project in enumerate(self.projects):
            records: list[Span | Log] = []
            for trace_id in self.trace_ids[number * 4 : number * 4 + 8]:  # four of them in both projects
                records += self._trace(trace_id)
            records += [self._log(None, None) for _ in range(4)]
            records += [self._log(self.trace_ids[-1], None) for _ in range(2)]  # of a trace without spans in the first
            records += [self._changed(record) for record in self._random.sample(records, len(records) // 4)]
            if self._random.random() < 0.8:
                self._random.shuffle(records)
            while records:
                size = self._random.randint(1, 30)
                taken, records = records[:size], records[size:]
                spans = [record for record in taken if isinstance(record, Span)]
                logs = [record for record in taken if isinstance(record, Log)]
                batches.append(Batch(spans, logs, project, self._points()))
        return batches

    def _points(self) -> list[Point]:
        """Points of few series at few times, so that some come again with another value."""
        return [self._point() for _ in range(self._random.choice((0, 0, 1, 3)))]

    def _point(self) -> Point:
        random = self._random
        point = Point(random.choice(("calls", "größe", "")), START_NS + random.choice((0, 1, 2 * HOUR_NS)))
        point.attributes = {semconv.USER_ID: random.choice(("u1", "u2"))}
        point.resource, point.kind = random.choice(self._services), random.choice(("gauge", "sum"))
        point.point_id = point_id(point)
        point.value = random.choice((None, 0, 2**63 - 1, -1.5))
        point.description = self._sentence()
        return point

    def plain_span(self, number: int) -> Span:
        """A closed span of a trace of its own, except that each `plain_span(0)` is in the first trace."""
        trace_id = self.trace_ids[0] if number == 0 else self._hex(128)
        start_ns = START_NS + number
        return Span(trace_id, self._hex(64), "plain", start_ns, end_ns=start_ns + 5, resource=self._services[0])

    def plain_log(self, number: int) -> Log:
        """A log of no trace."""
        return Log(START_NS + number, body="plain", log_id=self._hex(128))

    def _trace(self, trace_id: str) -> list[Span | Log]:
        random = self._random
        start_ns = START_NS + random.choice((0, 1, HOUR_NS // 2, random.randrange(3 * HOUR_NS)))
        size = random.choice((1, 2, 5, 9))
        ids = random.sample(self._span_ids, size)  # so they repeat across traces
        records: list[Span | Log] = []
        history: list[Value] = []
        for number, span_id in enumerate(ids):
            parent_id = random.choice(ids[:number]) if number else None
            if random.random() < 0.08:
                parent_id = random.choice((None, self._hex(64)))
            span = self._span(trace_id, span_id, parent_id, start_ns)
            if random.random() < 0.5:
                self._make_call(span, history)
            if random.random() < 0.3:  # as it was shown while it was open
                shown = msgspec.structs.replace(span, end_ns=None, status="UNSET", attributes={}, normal=None)
                records.append(shown)
            if random.random() < 0.9:
                records.append(span)
            records += [self._log(trace_id, random.choice((None, span_id))) for _ in range(random.choice((0, 0, 1, 2)))]
            start_ns += random.choice((0, 0, 1, 1_000_000, random.randrange(10**9)))
        return records

    def _span(self, trace_id: str, span_id: str, parent_id: str | None, start_ns: int) -> Span:
        random = self._random
        span = Span(trace_id, span_id, self._name(), start_ns, parent_id)
        span.end_ns = start_ns + random.choice((0, 1, 1_500_000, 2_000_000_000, random.randrange(10**10)))
        if random.random() < 0.1:
            span.end_ns = None
        span.kind = random.choice(("INTERNAL", "CLIENT", "SERVER"))
        span.status = random.choice(("UNSET", "OK", "ERROR"))
        span.status_message = self._sentence() if span.status == "ERROR" and random.random() < 0.8 else ""
        span.attributes = self._attributes()
        span.resource = random.choice(self._services)
        span.weight = random.choice((1.0, 1.0, 4.0, 10 / 3))
        if random.random() < 0.3:
            span.scope = Scope("scope", "1.0", {"deep": [1]}, "https://example.org/2")
            span.trace_state = "vendor=1"
            span.events = [
                Event(start_ns + at, "exception", {semconv.EXCEPTION_MESSAGE: self._sentence()}) for at in range(2)
            ]
            span.links = [Link(self._hex(128), self._hex(64), {"why": True}, "a=b"), Link(trace_id, span_id)]
        for name, values in _LABELS.items():
            if random.random() < 0.25:
                span.attributes[name] = random.choice(values)
        return span

    def _make_call(self, span: Span, history: list[Value]) -> None:
        """A call of a model that sends all that was said before; its normal form may come with it."""
        random, attributes = self._random, span.attributes
        operation = random.choice(("chat", "chat", "embeddings", "execute_tool", "invoke_agent"))
        attributes[semconv.OPERATION] = operation
        attributes[semconv.PROVIDER] = random.choice(("test", "other"))
        attributes[semconv.REQUEST_MODEL] = random.choice(_MODELS)
        if random.random() < 0.5:
            attributes[semconv.RESPONSE_MODEL] = random.choice(_MODELS)
        if operation == "execute_tool":
            arguments: Value = {"query": self._sentence(), "id": 7}
            attributes[semconv.TOOL_ARGUMENTS] = arguments if random.random() < 0.5 else _json(arguments)
            attributes[semconv.TOOL_RESULT] = self._sentence()
        elif operation == "chat":
            history.append(self._message("user"))
            answer = self._message("assistant")
            attributes[semconv.INPUT_MESSAGES] = list(history) if random.random() < 0.6 else _json(history)
            attributes[semconv.OUTPUT_MESSAGES] = [answer]
            if random.random() < 0.4:
                attributes[semconv.SYSTEM_INSTRUCTIONS] = [{"type": "text", "content": "You are kind. " * 30}]
            history.append(answer)
        if random.random() < 0.8:
            attributes[semconv.INPUT_TOKENS] = random.randrange(5000)
            attributes[semconv.OUTPUT_TOKENS] = random.choice((0, 7, 10**9))
            attributes[semconv.CACHE_READ_TOKENS] = random.choice((0, 3))
        if random.random() < 0.4:  # so that some are reports of one call
            attributes[semconv.RESPONSE_ID] = random.choice(("resp_1", "resp_2"))
        if random.random() < 0.5:
            attributes[semconv.TTFT_S] = random.choice((0.25, 0.5, random.random()))
        if random.random() < 0.3:
            attributes[semconv.COST_USD] = random.choice((0, 0.25, 1.5))
        span.normal = normalize(span)  # priced here, so that no storage's price table matters
        if span.normal.usage is not None and span.normal.cost is None:
            # halves and quarters, whose sums are exact in any order
            price = random.choice((None, 0.125, 2.0))
            span.normal.cost = Cost(price, source="unknown" if price is None else "computed", price_id="test")

    def _log(self, trace_id: str | None, span_id: str | None) -> Log:
        random = self._random
        log = Log(START_NS + random.choice((0, 0, random.randrange(3 * HOUR_NS))), trace_id=trace_id, span_id=span_id)
        log.log_id = self._hex(128)
        log.severity = random.choice((1, 5, 9, 13, 17, 24))
        log.body = random.choice((None, self._sentence(), {"message": self._sentence(), "n": 1}, ["a", 2.0], 5, True))
        log.event_name = random.choice(("", "order.placed", self._name()))
        log.attributes = self._attributes()
        log.resource = random.choice(self._services)
        if random.random() < 0.3:
            log.attributes[semconv.EXCEPTION_MESSAGE] = self._sentence()
            log.attributes[semconv.USER_ID] = "u1"
        if random.random() < 0.4:
            log.event_name = semconv.EVALUATION_EVENT
            log.attributes[semconv.EVALUATION_NAME] = random.choice(_SCORES)
            if random.random() < 0.8:
                log.attributes[semconv.EVALUATION_SCORE] = random.choice((0, 1, 0.25, -3.5))
            else:
                log.attributes[semconv.EVALUATION_LABEL] = random.choice(("good", "bad"))
        return log

    def _changed(self, record: Span | Log) -> Span | Log:
        """Another version of a record, which may win or lose by the rules."""
        random = self._random
        changed = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=type(record))
        changed.attributes = self._attributes()
        if isinstance(changed, Log):
            changed.body = self._sentence()
            return changed
        changed.name, changed.normal = self._name(), None
        changed.status = random.choice(get_args(Status))
        if random.random() < 0.5:
            changed.end_ns = random.choice((None, changed.start_ns + random.randrange(10**10)))
        if random.random() < 0.2:
            changed.start_ns -= 1_000
        return changed

    def _attributes(self) -> dict[str, Value]:
        keys = self._random.sample(_KEYS, self._random.choice((0, 1, 3, len(_KEYS))))
        return {key: self._random.choice(_VALUES) for key in keys}

    def _message(self, role: str) -> Value:
        part: Value = {"type": "text", "content": self._sentence()}
        call: Value = {"type": "tool_call", "id": "call-1", "name": "search", "arguments": {"q": self._sentence()}}
        return {"role": role, "parts": [part, call] if self._random.random() < 0.3 else [part]}

    def _name(self) -> str:
        return self._random.choice(("chat test-large", "POST /chat", "search", "größe", "", self._sentence()))

    def _sentence(self) -> str:
        return " ".join(self._random.choices(_WORDS, k=self._random.randint(1, 8)))

    def _hex(self, bits: int) -> str:
        return f"{self._random.getrandbits(bits) or 1:0{bits // 4}x}"

    # --- questions

    def query(self, filter_: Filter | None, *, narrow: bool = False) -> Query:
        """A question to either project, for all time or for a window on or off the full hour."""
        random = self._random
        start_ns, end_ns = Query(project="x").start_ns, Query(project="x").end_ns
        if random.random() < 0.5 or narrow:
            step_ns = random.choice((HOUR_NS, 1))
            start_ns = START_NS + random.randrange(-HOUR_NS, 2 * HOUR_NS) // step_ns * step_ns
            end_ns = start_ns + random.randrange(3 * HOUR_NS) // step_ns * step_ns
        if narrow and random.random() < 0.5:
            start_ns, end_ns = START_NS - 10_000, START_NS + 3 * HOUR_NS
        if not narrow and random.random() < 0.15:
            filter_ = None
        return Query(project=self.project(), filter=filter_, start_ns=start_ns, end_ns=end_ns)

    def orders(self, query: Query) -> list[Query]:
        """The question in each order."""
        return [msgspec.structs.replace(query, order=order) for order in ("newest", "oldest", "slowest")]

    def limit(self) -> int:
        return self._random.choice((1, 2, 3, 7))

    def grouping(self) -> Grouping:
        random = self._random
        by = tuple(random.sample(_GROUP_FIELDS, random.choice((0, 1, 1, 2, 4))))
        step_ns = random.choice((None, HOUR_NS, 60 * 10**9, 7 * 10**9 + 1, 24 * HOUR_NS))
        return Grouping(by=by, step_ns=step_ns, measures=get_args(Measure))

    def values_field(self) -> str:
        return self._random.choice(_VALUES_FIELDS)

    def span_filter(self, known: list[Trace]) -> Filter:
        """A filter for spans, mostly one that some span fits."""
        return self._filter("span", known, 3)

    def trace_filter(self, known: list[Trace]) -> Filter:
        """A filter for traces."""
        return self._filter("trace", known, 3)

    def log_filter(self, known: list[Trace]) -> Filter:
        """A filter for logs."""
        return self._filter("log", known, 3)

    def single_filters(self, what: Subject, known: list[Trace]) -> list[Filter]:
        """One of each simple kind, for records of that kind: where they go wrong, it is plain what is wrong."""
        part = self._leaf(what, known)
        phrase = self._phrase(what, known)
        filters = [part, Not(part), Text(phrase), Text(" ".join(reversed(phrase.split())))]
        if what != "log":
            filters.append(Within(self._random.choice(_SCOPES), self._leaf("span", known)))
            filters.append(Within(self._random.choice(_SCOPES), Compare("name", "=", self._name())))
        return filters

    def project(self) -> str:
        return self._random.choice(self.projects)

    def _filter(self, what: Subject, known: list[Trace], depth: int) -> Filter:
        random = self._random
        shape = random.random() if depth else 1.0
        if shape < 0.15:
            return Not(self._filter(what, known, depth - 1))
        if shape < 0.4:
            parts = tuple(self._filter(what, known, depth - 1) for _ in range(random.choice((0, 1, 2, 2, 3))))
            return And(parts) if random.random() < 0.5 else Or(parts)
        if shape < 0.5 and what != "log":
            return Within(random.choice(_SCOPES), self._filter("span", known, depth - 1))
        if random.random() < 0.15:
            return Text(self._phrase(what, known))
        return self._leaf(what, known)

    def _leaf(self, what: Subject, known: list[Trace]) -> Filter:
        random = self._random
        field = self._field(what)
        found = self._found(what, field, known)
        scalars: list[Scalar] = [value for value in found if isinstance(value, str | int | float)]
        if field == "has":
            scalars = [*HAS]
        odd: tuple[Scalar, ...] = ("", "zzz", 0, 1, True, False, 1.5, "1", 2**63 - 1, 0.1)
        value = random.choice(scalars if scalars and random.random() < 0.8 else odd)
        if random.random() < 0.2:
            return OneOf(field, tuple(random.choice([*scalars, *odd]) for _ in range(random.randint(1, 3))))
        op = random.choice(_OPS)
        if op == "~":
            return Compare(field, op, random.choice(_PATTERNS))
        if op == "contains" and isinstance(value, str):
            value = self._piece(value)
        if op == "exists":
            value = ""
        return Compare(field, op, value)

    def _field(self, what: Subject) -> str:
        random = self._random
        choice = random.random()
        if choice < 0.3:
            return "attr." + random.choice((*_KEYS, semconv.USER_ID, "missing"))
        if choice < 0.36:
            return "resource." + random.choice(("host", "cores", "missing"))
        if choice < 0.43:
            return "score." + random.choice((*_SCORES, "missing"))
        if what == "log":
            return random.choice(sorted(LOG_FIELDS))
        return random.choice(_TEXT_FIELDS if choice < 0.8 else _NUMBER_FIELDS)

    def _found(self, what: Subject, field: str, known: list[Trace]) -> list[Value]:
        """Values that the field has in one trace, so that filters find something."""
        trace = self._random.choice(known) if known else Trace("")
        if what == "log":
            return [value for log in trace.logs for value in log_values(log, field)]
        view = TraceView(trace)
        if what == "trace":
            return list(trace_values(trace, field, view))
        return [value for span in trace.spans for value in span_values(span, field, view)]

    def _phrase(self, what: Subject, known: list[Trace]) -> str:
        """One to three words that follow each other somewhere, or a word that nobody said."""
        random = self._random
        trace = random.choice(known) if known else Trace("")
        texts = [text for log in trace.logs for text in log_texts(log)]
        if what != "log":
            texts = [text for span in trace.spans for text in span_texts(span)]
        words = tokens(random.choice(texts)) if texts else []
        if not words or random.random() < 0.1:
            return random.choice(("nobody said this", "", "🎉", "refund policy"))
        at = random.randrange(len(words))
        phrase = " ".join(words[at : at + random.randint(1, 3)])
        return random.choice((phrase, phrase.upper(), f'"{phrase}!"'))

    def _piece(self, text: str) -> str:
        random = self._random
        at = random.randrange(len(text) + 1)
        piece = text[at : at + random.randint(0, 6)]
        return random.choice((piece, piece.upper(), piece.lower()))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
