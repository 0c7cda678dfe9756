"""The vocabulary: what a program did, as plain records. Imports nothing of ours.

A record travels from the tracer through the pipeline into a storage and back out unchanged. Records are made of JSON
values only (`Value`), in fresh containers that nobody else holds, which is what makes `gc=False` safe.
"""

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct, field, msgpack

if TYPE_CHECKING:
    Value: TypeAlias = "None | bool | int | float | str | list[Value] | dict[str, Value]"
else:
    Value = Any  # msgspec decodes any JSON value as this; it refuses an alias that contains itself
"""What an attribute may hold. Integers fit 64 bits, floats are finite; OTLP bytes are base64 text with a marker."""

Attributes: TypeAlias = dict[str, Value]

Status: TypeAlias = Literal["UNSET", "OK", "ERROR"]

SpanKind: TypeAlias = Literal["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]

Kind: TypeAlias = Literal[
    "llm", "embedding", "retrieval", "rerank", "tool", "agent", "workflow", "chain",
    "guardrail", "evaluator", "memory", "prompt", "mcp", "fetch", "span",
]  # fmt: skip
"""What a span is to an LLM application; `span` is everything else."""

CostSource: TypeAlias = Literal["reported", "computed", "unknown"]

UsageRole: TypeAlias = Literal["leaf", "rollup", "duplicate"]
"""Whether a span's tokens count: only leaves are added up, so that nothing counts twice."""


class Event(Struct, omit_defaults=True, gc=False):
    """Something that happened at one moment of a span."""

    time_ns: int
    name: str
    attributes: Attributes = {}

    @property
    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return self.time_ns / 1e9


class Link(Struct, omit_defaults=True, gc=False):
    """A pointer from a span to one that is not its parent, perhaps in another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes = {}
    trace_state: str = ""


class Resource(Struct, omit_defaults=True):
    """Who recorded: `service.name`, `deployment.environment.name`, `service.version`, host, process."""

    attributes: Attributes = {}
    schema_url: str = ""


class Scope(Struct, omit_defaults=True):
    """Which library made the record."""

    name: str = ""
    version: str = ""
    attributes: Attributes = {}
    schema_url: str = ""


class Usage(Struct, omit_defaults=True):
    """Tokens of one call. `input` and `output` are inclusive totals; the others are parts of them. None: not told.

    Source: OpenTelemetry GenAI conventions, `gen_ai.usage.*`.
    """

    input: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    image_input: int | None = None
    image_output: int | None = None


class Cost(Struct, omit_defaults=True):
    """What one call cost in USD. An unknown price is `total_usd=None` with source `unknown`, never 0."""

    total_usd: float | None = None
    input_usd: float | None = None
    output_usd: float | None = None
    source: CostSource = "unknown"
    price_id: str = ""
    """Which price was applied: `table/provider/model@date`, or `override:model`, or empty."""


class NormalForm(Struct, omit_defaults=True):
    """What every dialect of LLM span says, in one form. Its messages are read on demand by `normalize.messages`."""

    kind: Kind = "span"
    dialect: str = ""
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    usage_role: UsageRole = "leaf"
    cost: Cost | None = None
    ttft_s: float | None = None
    finish_reasons: list[str] = []
    session_id: str | None = None
    user_id: str | None = None
    agent_name: str | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None

    @property
    def model(self) -> str | None:
        """The model that answered, or else the one that was asked."""
        return self.response_model or self.request_model


class Messages(Struct, omit_defaults=True):
    """The text of one call, as OpenTelemetry's message parts: `[{"role": ..., "parts": [...]}]`."""

    input: list[Value] = []
    output: list[Value] = []
    system: list[Value] = []
    """Parts of the system instructions where the dialect keeps them apart from the input."""
    tools: list[Value] = []


class Span(Struct, omit_defaults=True, gc=False):
    """One operation. Mutable while it is open (`end_ns` is None); whoever ends it hands it over."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    name: str
    start_ns: int
    """Nanoseconds since 1970, UTC, by the wall clock."""
    parent_id: str | None = None
    end_ns: int | None = None
    """`start_ns` plus a duration from the monotonic clock; None while the span is open."""
    kind: SpanKind = "INTERNAL"
    status: Status = "UNSET"
    status_message: str = ""
    attributes: Attributes = {}
    events: list[Event] = []
    links: list[Link] = []
    scope: Scope = field(default_factory=Scope)
    resource: Resource = field(default_factory=Resource)
    trace_state: str = ""
    weight: float = 1.0
    """How many spans this one stands for after sampling: counts and sums are multiplied by it."""
    normal: NormalForm | None = None
    """Computed once on the way into a storage."""

    @property
    def start_time(self) -> float:
        """Seconds since 1970, UTC."""
        return self.start_ns / 1e9

    @property
    def end_time(self) -> float | None:
        """Seconds since 1970, UTC; None while the span is open."""
        return None if self.end_ns is None else self.end_ns / 1e9

    @property
    def duration_ns(self) -> int | None:
        return None if self.end_ns is None else self.end_ns - self.start_ns

    @property
    def duration_ms(self) -> float | None:
        """None while the span is open."""
        return None if self.end_ns is None else (self.end_ns - self.start_ns) / 1e6

    @property
    def error_message(self) -> str | None:
        """The status message of a failed span, else None."""
        return self.status_message if self.status == "ERROR" else None

    @property
    def service(self) -> str:
        return str(self.resource.attributes.get("service.name", ""))


class Log(Struct, omit_defaults=True, gc=False):
    """One log record, or an event without duration such as a score (`gen_ai.evaluation.result`)."""

    time_ns: int
    severity: int = 9
    """1 to 24, OpenTelemetry's severity numbers: 5 debug, 9 info, 13 warning, 17 error, 21 fatal."""
    body: Value = None
    event_name: str = ""
    attributes: Attributes = {}
    trace_id: str | None = None
    span_id: str | None = None
    scope: Scope = field(default_factory=Scope)
    resource: Resource = field(default_factory=Resource)
    weight: float = 1.0
    log_id: str = ""
    """32 hex digits given when the log is made, so that writing it twice stores it once."""

    @property
    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return self.time_ns / 1e9


METADATA_PREFIX = "metadata."
"""Root span attributes that hold what `tracer.trace(metadata=...)` was given."""


class Trace(Struct, omit_defaults=True):
    """All that is known of one trace: spans by start with the root first, logs by time."""

    trace_id: str
    spans: list[Span] = []
    logs: list[Log] = []

    @property
    def root(self) -> Span | None:
        """The first span without a parent, or else the first whose parent is not here."""
        return self.spans[0] if self.spans else None

    @property
    def root_span_id(self) -> str | None:
        return self.spans[0].span_id if self.spans else None

    @property
    def metadata(self) -> Attributes:
        """What `tracer.trace(metadata=...)` was given."""
        if not self.spans:
            return {}
        cut = len(METADATA_PREFIX)
        items = self.spans[0].attributes.items()
        return {key[cut:]: value for key, value in items if key.startswith(METADATA_PREFIX)}

    @property
    def start_time(self) -> float | None:
        """Seconds since 1970, UTC, of the earliest span."""
        return min(span.start_ns for span in self.spans) / 1e9 if self.spans else None

    @property
    def end_time(self) -> float | None:
        """Seconds since 1970, UTC, of the latest end; None while any span is open."""
        ends = [span.end_ns for span in self.spans]
        return None if not ends or None in ends else max(end for end in ends if end is not None) / 1e9

    @property
    def duration_ns(self) -> int | None:
        """From the earliest start to the latest end; None while the root is open."""
        if not self.spans or self.spans[0].end_ns is None:
            return None
        ends = [span.end_ns for span in self.spans if span.end_ns is not None]
        return max(ends) - min(span.start_ns for span in self.spans)

    @property
    def duration_ms(self) -> float | None:
        """From the earliest start to the latest end; None while the root is open."""
        duration = self.duration_ns
        return None if duration is None else duration / 1e6

    @property
    def status(self) -> Status:
        """ERROR if any span failed, else the root's."""
        if any(span.status == "ERROR" for span in self.spans):
            return "ERROR"
        return self.spans[0].status if self.spans else "UNSET"

    @property
    def error_message(self) -> str | None:
        """The root's error, or else that of the first span that failed."""
        return next((span.status_message for span in self.spans if span.status == "ERROR"), None)


PointKind: TypeAlias = Literal["gauge", "sum", "histogram", "exponential", "summary"]


class Point(Struct, omit_defaults=True, gc=False):
    """One data point of a metric, as OpenTelemetry has it: one time series at one moment."""

    name: str
    """Of the metric: `gen_ai.client.operation.duration`."""
    time_ns: int
    kind: PointKind = "gauge"
    start_ns: int = 0
    """Since when a sum or histogram counts; 0 where it is not told."""
    value: float | int | None = None
    """Of a gauge or sum; None for distributions and where no value was recorded."""
    unit: str = ""
    description: str = ""
    attributes: Attributes = {}
    delta: bool = False
    """Whether a sum or histogram counts since the point before (delta), not since `start_ns` (cumulative)."""
    monotonic: bool = False
    count: int | None = None
    """How many values a distribution has, and below it their sum, least and greatest."""
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bounds: list[float] = []
    """Upper bounds of a histogram's buckets; `buckets` has one count more."""
    buckets: list[int] = []
    scale: int = 0
    """Of an exponential histogram, with `zero_count`, `offset` and `buckets` (positive), and the negative ones."""
    zero_count: int = 0
    offset: int = 0
    negative_offset: int = 0
    negative_buckets: list[int] = []
    quantiles: list[tuple[float, float]] = []
    """Of a summary: (quantile from 0 to 1, value)."""
    scope: Scope = field(default_factory=Scope)
    resource: Resource = field(default_factory=Resource)
    point_id: str = ""
    """32 hex digits from the series and the time, so that writing it twice stores it once."""


def point_id(point: Point) -> str:
    """32 hex digits from the series and the time: the same however the attributes are ordered."""
    resource, scope = point.resource, point.scope
    series = (point.name, point.kind, point.attributes, resource.attributes, scope.name, scope.version, point.time_ns)
    return blake2b(_encode_alike(series), digest_size=16).hexdigest()


_encode_alike: Final = msgpack.Encoder(order="deterministic").encode


class Batch(Struct):
    """Records that travel together, of one project."""

    spans: list[Span] = []
    logs: list[Log] = []
    project: str = "default"
    points: list[Point] = []
    drafts: dict[int, Any] = {}
    """What was worked out beforehand of texts in the spans' attributes, by identity, for the storage that knows it."""

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs) + len(self.points)


def order_spans(spans: list[Span]) -> list[Span]:
    """Spans by (start, span id), the root first.

    The root is the first without a parent; without one, the first whose parent is not among them.
    """
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    known = {span.span_id for span in ordered}
    root = next((span for span in ordered if span.parent_id is None), None) or next(
        (span for span in ordered if span.parent_id not in known), None
    )
    if root is not None and ordered[0] is not root:
        ordered.remove(root)
        ordered.insert(0, root)
    return ordered


__all__ = [
    "METADATA_PREFIX", "Attributes", "Batch", "Cost", "CostSource", "Event", "Kind", "Link", "Log", "Messages",
    "NormalForm", "Point", "PointKind", "Resource", "Scope", "Span", "SpanKind", "Status", "Trace", "Usage",
    "UsageRole", "Value", "order_spans", "point_id",
]  # fmt: skip
