"""Which traces are kept: at their start (head), at their end (tail), and whose text is kept (content).

Head sampling runs in the caller's thread, the rest in the worker. Whatever is left out, each record that is kept says
by its weight how many it stands for, so that weighted counts and sums stay right.
"""

import fnmatch
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

import msgspec

from vestigo import semconv
from vestigo.errors import SettingsError
from vestigo.record import Attributes, Batch, Log, Span
from vestigo.settings import Settings

if TYPE_CHECKING:
    from vestigo.sdk.tracer import AttributesIn, Head

_ALL = 1 << 56  # OpenTelemetry's probability sampling looks at 56 bits of randomness
_DIGITS = 14
_MAX_HELD_RECORDS = 50_000
_MAX_DECISIONS = 100_000
_RECORD_BYTES = 1_000
_NOT_SAMPLED = "not sampled"

_CONTENT_KEY = re.compile(
    r"gen_ai\.(prompt|completion)\.\d|llm\.(input_messages|output_messages|prompts|choices|tools)\b"
    r"|traceloop\.entity\.(input|output)$|langfuse\.(trace|observation)\.(input|output)$"
    r"|ai\.(prompt(\.(messages|tools|format))?|response\.(text|toolCalls|object|reasoning|files)|toolCall\.(args|result))$"
    r"|retrieval\.documents\.\d+\.document\.content$|reranker\.(query|input_documents|output_documents)\b"
)  # the other dialects' names for what `semconv.CONTENT_ATTRIBUTES` holds


# --- head sampling: OpenTelemetry, "TraceState: Probability Sampling" (specification 1.50)


def threshold(rate: float) -> int:
    """The rejection threshold T of a rate above 0: a trace is kept if the low 56 bits of its id are at least T."""
    return min(_ALL - round(rate * _ALL), _ALL - 1)


def threshold_text(rate: float) -> str:
    """The threshold as `tracestate` carries it (`ot=th:...`): 14 hex digits without the zeros at their end."""
    return f"{threshold(rate):014x}".rstrip("0") or "0"


def weight_from_trace_state(trace_state: str, trace_id: str = "") -> float:
    """How many traces one of this `tracestate` stands for; 1 where it says nothing, or nothing that can be read.

    With the trace id, also 1 where the threshold says that this trace would have been left out.
    """
    for member in trace_state.split(","):
        key, _, value = member.strip().partition("=")
        if key == "ot":
            fields = {name: text for name, _, text in (field.partition(":") for field in value.split(";"))}
            text = fields.get("th", "")
            first = text.ljust(_DIGITS, "0")
            randomness = fields.get("rv", trace_id[-_DIGITS:])
            if re.fullmatch(r"[0-9a-f]{1,14}", text) and (not trace_id or randomness >= first):
                return _ALL / (_ALL - int(first, 16))
    return 1.0


def head_sampler(settings: Settings) -> "Head | None":
    """Keeps `sample_rate` of all traces; None where nothing is ever left out."""
    return None if settings.sample_rate >= 1 else _ratio(settings.sample_rate)


class Rule(msgspec.Struct, frozen=True):
    """A share for some traces, told by their root span as it starts. Patterns are globs; all must match."""

    rate: float
    name: str | None = None
    attributes: Mapping[str, str] = {}
    """Patterns by attribute; booleans read `true` and `false`, and `*` matches any value that is there."""


def rule_sampler(rules: Sequence[Rule], default_rate: float = 1.0) -> "Head":
    """The first rule that matches decides, else the default rate. Raises SettingsError for a rule that makes no sense.

    A trace that is kept at one rate is kept at each higher one, whichever rule or service says so.
    """
    if isinstance(rules, str) or not isinstance(cast("object", rules), Sequence):
        raise SettingsError(f"sampling rules {rules!r} are no list; give [Rule(0.1, name='GET /health')]")
    table = [_compiled(rule) for rule in rules]
    otherwise = _ratio(_share("default_rate", default_rate))

    def head(trace_id: str, name: str, attributes: "AttributesIn") -> float:
        for matches, ratio in table:
            if matches(name, attributes or {}):
                return ratio(trace_id, name, attributes)
        return otherwise(trace_id, name, attributes)

    return head


def _ratio(rate: float) -> "Head":
    weight = _weight(rate) if rate > 0 else 0.0
    first = f"{threshold(rate):014x}"

    def head(trace_id: str, name: str, attributes: "AttributesIn") -> float:  # noqa: ARG001  the Head protocol's
        # lower-case hex sorts as its numbers do, and text that is no number cannot fail
        return weight if trace_id[-_DIGITS:] >= first else 0.0

    return head


_Matches = Callable[[str, Mapping[str, Any]], bool]


def _compiled(rule: Rule) -> "tuple[_Matches, Head]":
    if not isinstance(cast("object", rule), Rule):
        raise SettingsError(f"sampling rule {rule!r} is no Rule; give one such as Rule(0.1, name='GET /health')")
    ratio = _ratio(_share("rate", rule.rate))
    if not isinstance(cast("object", rule.attributes), Mapping):
        raise SettingsError(f"sampling rule's attributes={rule.attributes!r} are no mapping; give {{'user.id': 'u*'}}")
    named = None if rule.name is None else _glob("name", rule.name)
    wanted = {key: _glob(f"attribute {key!r}", pattern) for key, pattern in rule.attributes.items()}

    def matches(name: str, attributes: Mapping[str, Any]) -> bool:
        return (named is None or named(name) is not None) and all(
            key in attributes and pattern(_plain(attributes[key])) is not None for key, pattern in wanted.items()
        )

    return matches, ratio


def _glob(what: str, pattern: str) -> "Callable[[str], re.Match[str] | None]":
    if not isinstance(cast("object", pattern), str):
        raise SettingsError(f"sampling rule's {what}={pattern!r} is no text; give a glob such as 'GET *'")
    return re.compile(fnmatch.translate(pattern)).match


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _share(name: str, rate: float) -> float:
    if isinstance(rate, bool) or not isinstance(cast("object", rate), int | float) or not 0 <= rate <= 1:
        raise SettingsError(f"sampling {name}={rate!r} is no share; give a number from 0 to 1")
    return rate


# --- tail and content sampling, in the worker


def worker_sampler(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.monotonic,
    open_traces: Callable[[], Collection[str]] | None = None,
) -> "WorkerSampler":
    """What a pipeline's worker runs its batches through. `open_traces` gives the ids of traces with open spans."""
    return WorkerSampler(settings, clock, open_traces)


class _Held(msgspec.Struct):
    """The records of one trace that wait for a decision."""

    since: float
    spans: list[Span] = []
    logs: list[Log] = []
    size: int = 0

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs)


class WorkerSampler:
    """Takes batches of finished records and gives back those to be written now; for one thread.

    Each record that goes in comes out, is counted in `held`, or is left out for good. A trace is decided when its
    root span has arrived (or the span that answers another process), when `tail_wait_s` passed, or when too much is
    held. What comes after that follows the decision.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float], open_traces: Callable[[], Collection[str]] | None
    ) -> None:
        self.tail = settings.tail_sample_rate < 1
        self.held = 0
        """Records that wait for a decision."""
        self._settings = settings
        self._clock = clock
        self._open_traces = open_traces
        self._contents = _all_but(settings.content_sample_rate, b"content")
        self._lucky = _all_but(settings.tail_sample_rate, b"tail")
        self._factor = 1.0 if settings.tail_sample_rate <= 0 else _weight(settings.tail_sample_rate)
        self._waiting: OrderedDict[str, _Held] = OrderedDict()
        self._decisions: OrderedDict[str, float] = OrderedDict()
        self._size = 0
        self._size_limit = settings.queue_bytes // 4
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, batch: Batch, *, last: bool) -> Batch:
        """Of this batch and of what was held, what is to be written now; with `last`, nothing is held any more."""
        if self._settings.content_sample_rate < 1:
            for span in batch.spans:
                self.content(span)
            for log in batch.logs:
                self.log_content(log)
        if not self.tail:
            return batch
        kept = Batch(project=batch.project)
        ended: dict[str, None] = {}
        for record in [*batch.spans, *batch.logs]:
            if self._hold(record, kept) and isinstance(record, Span) and _ends_trace(record):
                ended[record.trace_id] = None
        for trace_id in list(self._waiting) if last else ended:
            self._decide(trace_id, kept)
        self._decide_old(kept)
        return kept

    def content(self, span: Span) -> None:
        """Remove what people and models said, in place, unless the span's trace is one whose text is kept."""
        if self._contents(span.trace_id):
            return
        removed = _strip(span.attributes)
        for event in span.events:
            removed += _strip(event.attributes, also=event.name.startswith("gen_ai."))
        if removed:
            span.attributes[semconv.CONTENT] = _NOT_SAMPLED

    def log_content(self, log: Log) -> None:
        """`content` for a log; one outside of any trace is decided by itself."""
        if self._contents(log.trace_id or log.log_id):
            return
        told = log.event_name.startswith("gen_ai.")
        removed = _strip(log.attributes, also=told)
        if isinstance(log.body, dict):
            removed += _strip(log.body, also=told)
        if removed:
            log.attributes[semconv.CONTENT] = _NOT_SAMPLED

    def _hold(self, record: Span | Log, kept: Batch) -> bool:
        """Hold a record, unless it belongs to no trace or to one that is decided."""
        trace_id = record.trace_id
        if not trace_id:
            _add(kept, record, 1.0)
            return False
        factor = self._decisions.get(trace_id)
        if factor is not None:
            self._decisions.move_to_end(trace_id)
            _add(kept, record, factor)
            return False
        held = self._waiting.get(trace_id)
        if held is None:
            held = self._waiting[trace_id] = _Held(self._clock())
        size = self._estimate(record)
        if isinstance(record, Span):
            held.spans.append(record)
        else:
            held.logs.append(record)
        held.size += size
        self._size += size
        self.held += 1
        return True

    def _decide_old(self, kept: Batch) -> None:
        """Decide what waited long enough, or is the oldest of too much."""
        now = self._clock()
        oldest_first = self._waiting.items()
        waited = [
            key for key, _ in takewhile(lambda item: now - item[1].since >= self._settings.tail_wait_s, oldest_first)
        ]
        still_open = self._open_traces() if waited and self._open_traces is not None else ()
        for trace_id in waited:
            lasted_s = now - self._waiting[trace_id].since if trace_id in still_open else 0.0
            if trace_id not in still_open or lasted_s >= self._settings.tail_slow_s:
                self._decide(trace_id, kept, lasted_s)
        while self.held > _MAX_HELD_RECORDS or self._size > self._size_limit:
            self._decide(next(iter(self._waiting)), kept)

    def _decide(self, trace_id: str, kept: Batch, lasted_s: float = 0.0) -> None:
        held = self._waiting.pop(trace_id)
        self.held -= len(held)
        self._size -= held.size
        factor = self._factor if self._lucky(trace_id) else 0.0
        if self._eventful(held, lasted_s):
            factor = 1.0
        self._decisions[trace_id] = factor
        if len(self._decisions) > _MAX_DECISIONS:
            self._decisions.popitem(last=False)
        for record in [*held.spans, *held.logs]:
            _add(kept, record, factor)

    def _eventful(self, held: _Held, lasted_s: float) -> bool:
        spans = held.spans
        if not spans:
            return False
        if any(span.status == "ERROR" for span in spans):
            return True
        ends = [span.start_ns if span.end_ns is None else span.end_ns for span in spans]
        lasted_s = max(lasted_s, (max(ends) - min(span.start_ns for span in spans)) / 1e9)
        return lasted_s >= self._settings.tail_slow_s or _cost_usd(spans) >= self._settings.tail_cost_usd

    def _estimate(self, record: Span | Log) -> int:
        content = record.events if isinstance(record, Span) else record.body
        try:
            return _RECORD_BYTES + len(self._encode((record.attributes, content)))
        except (TypeError, ValueError, OverflowError, RecursionError):  # fails where it is written, not here
            return _RECORD_BYTES


def _add(kept: Batch, record: Span | Log, factor: float) -> None:
    """Keep a record, if at all. One that is to weigh more is copied: its open children still look at it."""
    if factor <= 0:
        return
    if factor != 1:
        record = msgspec.structs.replace(record, weight=record.weight * factor)
    if isinstance(record, Span):
        kept.spans.append(record)
    else:
        kept.logs.append(record)


def _ends_trace(span: Span) -> bool:
    """The outermost span here: it has no parent, or the parent is in the process that called this one."""
    return span.parent_id is None or span.kind in {"SERVER", "CONSUMER"}


def _cost_usd(spans: list[Span]) -> float:
    total_usd = 0.0
    for span in spans:
        normal = span.normal
        if normal is not None and normal.usage_role == "leaf" and normal.cost is not None:
            total_usd += normal.cost.total_usd or 0.0
    return total_usd


def _weight(rate: float) -> float:
    return _ALL / (_ALL - threshold(rate))


def _all_but(rate: float, purpose: bytes) -> Callable[[str], bool]:
    """Keeps a share of ids, by a hash of its own, so that it takes the same share of whatever head sampling left."""
    if rate >= 1:
        return lambda _: True
    if rate <= 0:
        return lambda _: False
    first = threshold(rate).to_bytes(7, "big")

    def keeps(trace_id: str) -> bool:
        digest = hashlib.blake2b(trace_id.encode("utf-8", "replace"), digest_size=7, person=b"vestigo-" + purpose)
        return digest.digest() >= first

    return keeps


def _strip(attributes: Attributes, *, also: bool = False) -> int:
    """Remove attributes that hold text, in place; `also` those of GenAI events, which have bare names."""
    names = [
        key
        for key in attributes
        if key in semconv.CONTENT_ATTRIBUTES
        or _CONTENT_KEY.match(key)
        or (also and key in {"content", "message", "tool_calls"})
    ]
    for key in names:
        del attributes[key]
    return len(names)
