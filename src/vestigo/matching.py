"""The meaning of a filter, in plain Python: the oracle for every storage.

`span_matches`, `trace_matches` and `log_matches` say what an answer is; a storage may be quicker, never different, and
`testing.check_storage` holds it to that. The rules that storages tend to get wrong stand at the top of `query.py`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from vestigo import semconv
from vestigo.errors import QueryError
from vestigo.normalize import messages
from vestigo.query import (
    And,
    Compare,
    Filter,
    Not,
    OneOf,
    Op,
    Or,
    Scalar,
    Text,
    TraceSummary,
    Within,
    check_field,
    check_time,
    pattern,
)
from vestigo.record import Log, Messages, Point, Span, Trace, Value


class TraceView:
    """A trace as filters see it: built once, asked for each span."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._scores: dict[str | None, list[tuple[str, Value]]] | None = None
        self._by_id: dict[str, Span] | None = None
        self._by_parent: dict[str | None, list[Span]] | None = None
        self._answers: dict[tuple[str, int], tuple[Filter, bool]] = {}

    @property
    def scores(self) -> dict[str | None, list[tuple[str, Value]]]:
        """(name, value or label) of the evaluation events, by span id."""
        if self._scores is None:
            self._scores = {}
            for log in self.trace.logs:
                found = log_score(log)
                if found is not None:
                    self._scores.setdefault(log.span_id, []).append(found)
        return self._scores

    def parent(self, span: Span) -> Span | None:
        if self._by_id is None:
            self._by_id = {other.span_id: other for other in self.trace.spans}
        return None if span.parent_id is None else self._by_id.get(span.parent_id)

    def children(self, span: Span) -> Iterable[Span]:
        if self._by_parent is None:
            self._by_parent = {}
            for other in self.trace.spans:
                self._by_parent.setdefault(other.parent_id, []).append(other)
        return self._by_parent.get(span.span_id, ())

    def within(self, scope: str, part: "Filter", span: Span | None) -> bool:
        """Whether spans near this one fit; what does not depend on the span is looked for once."""
        if scope == "parent":
            return self._any_fits(part, [] if span is None or (parent := self.parent(span)) is None else [parent])
        if scope == "child":
            return span is not None and self._any_fits(part, self.children(span))
        known = self._answers.get((scope, id(part)))
        if known is None:
            root = self.trace.root
            found = self._any_fits(part, self.trace.spans if scope != "root" else [] if root is None else [root])
            known = (part, found == (scope != "none"))
            self._answers[scope, id(part)] = known  # holding the part keeps its id its own
        return known[1]

    def _any_fits(self, part: "Filter", spans: Iterable[Span]) -> bool:
        for other in spans:  # noqa: SIM110  any(...) takes another frame, and filters may be deep
            if span_matches(part, other, self):
                return True
        return False


def needs_trace(filter_: Filter | None) -> bool:
    """Whether a filter speaks of other spans, or of scores, which lie in logs."""
    match filter_:
        case Within():
            return True
        case And(filters) | Or(filters):
            return any(needs_trace(part) for part in filters)
        case Not(part):
            return needs_trace(part)
        case Compare(field, _, _):
            return field.startswith("score.") or field == "has"
        case None:
            return False
        case _:
            return getattr(filter_, "field", "").startswith(("score.", "has"))


def log_score(log: Log) -> tuple[str, Value] | None:
    """Name and value (else label) of an evaluation event; None for any other log."""
    if log.event_name != semconv.EVALUATION_EVENT:
        return None
    name = log.attributes.get(semconv.EVALUATION_NAME)
    value = log.attributes.get(semconv.EVALUATION_SCORE)
    if value is None:
        value = log.attributes.get(semconv.EVALUATION_LABEL)
    return (name, value) if isinstance(name, str) and value is not None else None


def span_matches(filter_: Filter | None, span: Span, view: TraceView) -> bool:
    """Whether a span, with `normal` filled in, is what the filter asks for."""
    return _matches(filter_, lambda name: span_values(span, name, view), lambda: span_texts(span), view, span)


def trace_matches(filter_: Filter | None, trace: Trace) -> bool:
    """Whether a trace is what the filter asks for; its spans have `normal` filled in."""
    view = TraceView(trace)
    return _matches(
        filter_,
        lambda name: trace_values(trace, name, view),
        lambda: (text for span in trace.spans for text in span_texts(span)),
        view,
        trace.root,
    )


def log_matches(filter_: Filter | None, log: Log) -> bool:
    """Whether a log is what the filter asks for. Raises QueryError for fields that logs do not have."""
    check_time()
    return _matches(filter_, lambda name: log_values(log, name), lambda: log_texts(log), None, None)


def point_matches(filter_: Filter | None, point: Point) -> bool:
    """Whether a data point is what the filter asks for. Raises QueryError for fields that logs do not have."""
    check_time()
    texts = (point.name, point.description)
    return _matches(filter_, lambda name: point_values(point, name), lambda: texts, None, None)


def _matches(
    filter_: Filter | None,
    values: Callable[[str], Sequence[Value]],
    texts: Callable[[], Iterable[str]],
    view: TraceView | None,
    span: Span | None,
) -> bool:
    if filter_ is None:
        return True
    match filter_:
        case And(filters):
            return all(_matches(part, values, texts, view, span) for part in filters)
        case Or(filters):
            return any(_matches(part, values, texts, view, span) for part in filters)
        case Not(part):
            return not _matches(part, values, texts, view, span)
        case Compare(field, op, value):
            return any(compare(found, op, value) for found in values(field))
        case OneOf(field, wanted):
            return any(compare(found, "=", value) for found in values(field) for value in wanted)
        case Text(words):
            phrase = tuple(tokens(words))
            return any(has_phrase(text, phrase) for text in texts())
        case Within(scope, part):
            if view is None:
                raise QueryError(f"logs have no {scope}(...); ask for spans or traces")
            return view.within(scope, part, span)


def compare(found: Value, op: Op, value: Scalar) -> bool:
    """One comparison with a value that is there (not None)."""
    if found is None:
        return False
    if op == "exists":
        return True
    if op in {"contains", "~"}:
        if not isinstance(found, str) or not isinstance(value, str):
            return False
        return fold(value) in fold(found) if op == "contains" else pattern(value).search(found) is not None
    alike = _comparable(found, value)
    if op == "=":
        return alike and found == value
    if op == "!=":
        return not (alike and found == value)
    if not alike or isinstance(value, bool):
        return False
    left: Any = found
    right: Any = value
    if op == ">":
        return left > right
    if op == ">=":
        return left >= right
    return left < right if op == "<" else left <= right


def _comparable(found: Value, value: Scalar) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return isinstance(found, bool) and isinstance(value, bool)
    if isinstance(found, int | float):
        return isinstance(value, int | float)
    return isinstance(found, str) and isinstance(value, str)


def fold(text: str) -> str:
    """Text for comparing in any case."""
    return text.casefold()


_ASCII_WORD: Final = re.compile(r"[a-z0-9]+")


_ALONE: Final = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


_WORD: Final = re.compile(rf"(?=\w)[{_ALONE}]|[^\W_{_ALONE}]+")


_ACCENTS: Final = re.compile("[\u0300-\u036f]+")


def tokens(text: str) -> list[str]:
    """The words of a text: runs of letters and digits in any case; ideographs and kana one by one.

    Compatibility forms and accents are taken off, so that full-width letters and `é` are found as plain ones.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", plain.casefold()))
    return _WORD.findall(unicodedata.normalize("NFC", plain))  # puts Hangul, and kana with their marks, together again


def has_phrase(text: str, phrase: tuple[str, ...]) -> bool:
    """Whether the words of the phrase follow each other in the text. An empty phrase is in every text."""
    if not phrase:
        return True
    return f" {' '.join(phrase)} " in f" {' '.join(tokens(text))} "  # no word has a space in it


def span_texts(span: Span) -> Iterator[str]:
    """What words are looked for in: the name, then one text for each message."""
    check_time()
    yield span.name
    found = messages(span)
    for message in (*found.input, *found.output):
        yield message_text(message)
    if found.system:
        yield message_text(found.system)


def log_texts(log: Log) -> Iterator[str]:
    """What words are looked for in: the event's name and every text of the body."""
    yield log.event_name
    yield "\n".join(_leaves(log.body, _NOTHING))


def message_text(message: Value) -> str:
    """Every text leaf of a message, one a line; keys, and the labels of the message and its parts, are not text."""
    return "\n".join(_leaves(message, _LABELS))


_LABELS: Final = frozenset({"type", "role", "id", "modality", "mime_type", "finish_reason"})


_NOTHING: Final[frozenset[str]] = frozenset()


def _leaves(value: Value, labels: frozenset[str]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, labels)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in labels:  # what is below other keys, such as a call's arguments, is somebody's own data
                yield from _leaves(item, labels if key in {"parts", "content"} else _NOTHING)


_SPAN_FIELDS: Final[dict[str, Callable[[Span], Value]]] = {
    "kind": lambda span: span.normal.kind if span.normal else "span",
    "name": lambda span: span.name,
    "model": lambda span: span.normal.model if span.normal else None,
    "provider": lambda span: span.normal.provider if span.normal else None,
    "status": lambda span: span.status.lower(),
    "error": lambda span: span.error_message,
    "latency": lambda span: None if span.duration_ns is None else span.duration_ns / 1e9,
    "ttft": lambda span: span.normal.ttft_s if span.normal else None,
    "cost": lambda span: span.normal.cost.total_usd if span.normal and span.normal.cost else None,
    "session": lambda span: span.normal.session_id if span.normal else None,
    "user": lambda span: span.normal.user_id if span.normal else None,
    "env": lambda span: span.resource.attributes.get(semconv.ENVIRONMENT),
    "release": lambda span: span.resource.attributes.get(semconv.SERVICE_VERSION),
    "service": lambda span: span.resource.attributes.get(semconv.SERVICE_NAME),
    "trace": lambda span: span.trace_id,
    "span": lambda span: span.span_id,
    "tool": lambda span: span.normal.tool_name if span.normal else None,
    "agent": lambda span: span.normal.agent_name if span.normal else None,
    "prompt": lambda span: span.normal.prompt_name if span.normal else None,
    "operation": lambda span: span.attributes.get(semconv.OPERATION),
}


_USAGE_FIELDS: Final = {
    "tokens.in": "input", "tokens.out": "output", "tokens.cached": "cache_read", "tokens.reasoning": "reasoning",
}  # fmt: skip


def span_values(span: Span, field: str, view: TraceView) -> Sequence[Value]:
    """The values that a field has on a span: none where it is missing, several for tags, messages and scores."""
    check_time()
    check_field(field)
    read = _SPAN_FIELDS.get(field)
    if read is not None:
        value = read(span)
        return () if value is None else (value,)
    if field == "tokens" or field in _USAGE_FIELDS:
        return _usage_values(span, field)
    if field == "tag":
        value = span.attributes.get("tags", span.attributes.get("tag.tags"))
        return [item for item in value if item is not None] if isinstance(value, list) else _some(value)
    if field == "level":
        return ()  # logs have levels, spans have none
    if field in {"input", "output"}:
        return [message_text(message) for message in _side(messages(span), field)]
    if field == "has":
        return _has(span, view)
    prefix, _, key = field.partition(".")
    if prefix == "score":
        return [value for name, value in view.scores.get(span.span_id, ()) if name == key]
    return _some((span.attributes if prefix == "attr" else span.resource.attributes).get(key))


def trace_values(trace: Trace, field: str, view: TraceView) -> Sequence[Value]:
    """The values that a field has on a trace, as told at the top of this module."""
    check_field(field)
    root = trace.root
    if root is None:
        return ()
    if field == "name":
        return (root.name,)
    if field == "status":
        return (trace.status.lower(),)
    if field == "latency":
        duration = trace.duration_ns
        return () if duration is None else (duration / 1e9,)
    if field in {"cost", "tokens"} or field in _USAGE_FIELDS:
        numbers = [value for span in trace.spans if is_leaf(span) for value in span_values(span, field, view)]
        return (sum(number for number in numbers if isinstance(number, int | float)),) if numbers else ()
    if field.startswith("score."):
        return [value for scores in view.scores.values() for name, value in scores if name == field[6:]]
    values = [value for span in trace.spans for value in span_values(span, field, view)]
    if field == "has" and None in view.scores:
        values.append("score")
    return values


def log_values(log: Log, field: str) -> Sequence[Value]:
    """The values that a field has on a log."""
    check_field(field, logs=True)
    attributes, resource = log.attributes, log.resource.attributes
    match field:
        case "name":
            return _some(log.event_name or None)
        case "level":
            return (log.severity,)
        case "trace":
            return _some(log.trace_id)
        case "span":
            return _some(log.span_id)
        case "service":
            return _some(resource.get(semconv.SERVICE_NAME))
        case "env":
            return _some(resource.get(semconv.ENVIRONMENT))
        case "release":
            return _some(resource.get(semconv.SERVICE_VERSION))
        case "error":
            return _some(attributes.get(semconv.EXCEPTION_MESSAGE))
        case "user":
            return _some(attributes.get(semconv.USER_ID))
        case "session":
            return _some(attributes.get(semconv.SESSION_ID))
        case _:
            prefix, _, key = field.partition(".")
            if prefix == "score":
                found = log_score(log)
                return (found[1],) if found and found[0] == key else ()
            return _some((attributes if prefix == "attr" else resource).get(key))


def point_values(point: Point, field: str) -> Sequence[Value]:
    """The values that a field has on a data point: as on a log, `name` being the metric's."""
    check_field(field, logs=True)
    if field == "name":
        return (point.name,)
    if field in {"level", "trace", "span"}:
        return ()
    return log_values(Log(point.time_ns, attributes=point.attributes, resource=point.resource), field)


def is_leaf(span: Span) -> bool:
    """Whether the span's tokens and cost count in sums."""
    return span.normal is not None and span.normal.usage_role == "leaf"


def _usage_values(span: Span, field: str) -> Sequence[Value]:
    usage = span.normal.usage if span.normal else None
    if usage is None:
        return ()
    if field == "tokens":
        told = [count for count in (usage.input, usage.output) if count is not None]
        return (sum(told),) if told else ()
    return _some(getattr(usage, _USAGE_FIELDS[field]))


def _side(found: Messages, field: str) -> list[Value]:
    if field == "output":
        return found.output
    return [*found.input, found.system] if found.system else found.input


def _has(span: Span, view: TraceView) -> list[Value]:
    normal = span.normal
    text = messages(span)
    told = {
        "error": span.status == "ERROR",
        "cost": normal is not None and normal.cost is not None and normal.cost.total_usd is not None,
        "session": normal is not None and normal.session_id is not None,
        "user": normal is not None and normal.user_id is not None,
        "input": bool(text.input or text.system),
        "output": bool(text.output),
        "score": span.span_id in view.scores,
        "open": span.end_ns is None,
        "tool": normal is not None and normal.tool_name is not None,
    }
    return [name for name, there in told.items() if there]


def _some(value: Value) -> Sequence[Value]:
    return () if value is None else (value,)


def summarize(trace: Trace) -> TraceSummary:
    """A trace as it stands in a list; its spans have `normal` filled in."""
    root = trace.root
    if root is None:
        return TraceSummary(trace_id=trace.trace_id)
    normals = [(span, span.normal) for span in trace.spans if span.normal is not None]
    leaves = [normal for span, normal in normals if is_leaf(span)]
    usages = [normal.usage for normal in leaves if normal.usage is not None]
    costs = [normal.cost.total_usd for normal in leaves if normal.cost and normal.cost.total_usd is not None]
    ends = [span.end_ns for span in trace.spans if span.end_ns is not None]
    return TraceSummary(
        trace_id=trace.trace_id,
        name=root.name,
        service=root.service,
        start_ns=min(span.start_ns for span in trace.spans),
        end_ns=None if root.end_ns is None else max(ends),
        status=trace.status,
        error_message=trace.error_message,
        spans=len(trace.spans),
        errors=sum(span.status == "ERROR" for span in trace.spans),
        open_spans=sum(span.end_ns is None for span in trace.spans),
        calls=sum(normal.kind == "llm" for normal in leaves),
        input_tokens=sum(usage.input or 0 for usage in usages),
        output_tokens=sum(usage.output or 0 for usage in usages),
        cached_tokens=sum(usage.cache_read or 0 for usage in usages),
        reasoning_tokens=sum(usage.reasoning or 0 for usage in usages),
        cost_usd=sum(costs) if costs else None,
        unpriced_calls=sum(is_unpriced(normal.usage, normal.cost) for normal in leaves),
        session_id=next((normal.session_id for _, normal in normals if normal.session_id), None),
        user_id=next((normal.user_id for _, normal in normals if normal.user_id), None),
        models=sorted({normal.model for _, normal in normals if normal.model}),
        weight=root.weight,
    )


def is_unpriced(usage: object, cost: Any) -> bool:
    """Whether a call used tokens and nobody knows what they cost."""
    return usage is not None and (cost is None or cost.total_usd is None)
