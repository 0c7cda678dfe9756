"""What `/api` answers with: allow-lists of what leaves the server, and how records become them.

64-bit times are decimal strings, since numbers of JavaScript hold 53 bits.
"""

import asyncio
import gzip
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from starlette.responses import Response

from vestigo.matching import message_text
from vestigo.normalize import messages
from vestigo.query import TraceGroup, TraceSummary
from vestigo.record import Log, Messages, Point, Span, Value
from vestigo.server.routes import Call

PREVIEW: Final = 160
"""Characters of a preview."""
FIELD_BYTES: Final = 256 * 1024
"""What a field of a span or log may take in an answer; the whole is there for asking."""


class TraceRow(Struct, kw_only=True):
    """A trace in a list. Sums are over leaf calls only, so that nothing counts twice."""

    trace_id: str
    name: str
    service: str
    start_ns: str
    end_ns: str | None
    duration_ms: float | None
    status: str
    error_message: str | None
    spans: int
    errors: int
    open_spans: int
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    session_id: str | None
    user_id: str | None
    models: list[str]
    weight: float
    input_preview: str = ""
    output_preview: str = ""


class SpanRow(Struct, kw_only=True):
    """A span in a list."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    """What it is to an LLM application; `span_kind` is OpenTelemetry's."""
    span_kind: str
    start_ns: str
    end_ns: str | None
    duration_ms: float | None
    status: str
    error_message: str | None
    service: str
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    ttft_ms: float | None
    session_id: str | None
    user_id: str | None
    tool: str | None
    agent: str | None
    counted: bool
    """Whether its tokens and cost count in sums."""
    weight: float
    input_preview: str = ""
    output_preview: str = ""


class CutField(Struct, kw_only=True):
    """A field that was cut."""

    field: str
    """Such as `attributes.gen_ai.input.messages` or `messages.input`."""
    size_bytes: int
    """Of its JSON."""
    href: str
    """Where all of it is."""


class LogRow(Struct, kw_only=True):
    """A log record. `cut` tells if a large body or attribute was cut."""

    log_id: str
    time_ns: str
    severity: int
    event_name: str
    body: Any
    attributes: dict[str, Any]
    trace_id: str | None
    span_id: str | None
    service: str
    scope_name: str
    """Name of the logger."""
    cut: bool = False


class PointRow(Struct, kw_only=True):
    """A data point of a metric, as `record.Point`."""

    name: str
    kind: str
    time_ns: str
    start_ns: str
    value: float | None
    unit: str
    description: str
    attributes: dict[str, Any]
    delta: bool
    monotonic: bool
    count: int | None
    sum: float | None
    min: float | None
    max: float | None
    bounds: list[float]
    buckets: list[int]
    scale: int
    zero_count: int
    offset: int
    negative_offset: int
    negative_buckets: list[int]
    quantiles: list[tuple[float, float]]
    service: str


class GroupRow(Struct, kw_only=True):
    """A session or a user: its traces, and the start of the first and the last of them."""

    key: str
    traces: float
    failed: float
    spans: float
    errors: float
    calls: float
    input_tokens: float
    output_tokens: float
    cost_usd: float | None
    unpriced_calls: float
    first_ns: str
    last_ns: str


class TracePage(Struct):
    items: list[TraceRow]
    cursor: str | None


class SpanPage(Struct):
    items: list[SpanRow]
    cursor: str | None


class LogPage(Struct):
    items: list[LogRow]
    cursor: str | None


class PointPage(Struct):
    items: list[PointRow]
    cursor: str | None


class GroupPage(Struct):
    items: list[GroupRow]
    cursor: str | None


async def answer(call: Call, told: Struct | bytes) -> Response:
    """A struct, or JSON made elsewhere, as the answer to a call: with gzip where the caller takes it."""
    body = told if isinstance(told, bytes) else msgspec.json.encode(told)
    headers = {"Vary": "Accept-Encoding"}
    if len(body) >= _WORTH_BYTES and takes_gzip(call.request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        if len(body) < _QUICK_BYTES:
            body = gzip.compress(body, 5, mtime=0)
        else:
            body = await asyncio.to_thread(gzip.compress, body, 5, mtime=0)
    return Response(body, headers=headers, media_type="application/json")


_WORTH_BYTES: Final = 1_000
_QUICK_BYTES: Final = 64 * 1024  # a millisecond; more would hold up other requests


def takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` lists gzip, or anything, and not with a weight of 0."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def trace_row(trace: TraceSummary, telling: Span | None = None) -> TraceRow:
    """`telling` is the span whose messages are shown."""
    shown = ("", "") if telling is None else previews(telling)
    return TraceRow(
        trace_id=trace.trace_id, name=trace.name, service=trace.service, start_ns=str(trace.start_ns),
        end_ns=None if trace.end_ns is None else str(trace.end_ns), duration_ms=trace.duration_ms, status=trace.status,
        error_message=_short(trace.error_message), spans=trace.spans, errors=trace.errors,
        open_spans=trace.open_spans, calls=trace.calls, input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens, cached_tokens=trace.cached_tokens, reasoning_tokens=trace.reasoning_tokens,
        cost_usd=trace.cost_usd, unpriced_calls=trace.unpriced_calls, session_id=trace.session_id,
        user_id=trace.user_id, models=trace.models, weight=trace.weight, input_preview=shown[0],
        output_preview=shown[1],
    )  # fmt: skip


def span_row(span: Span) -> SpanRow:
    normal = span.normal
    usage = normal.usage if normal else None
    shown = previews(span)
    return SpanRow(
        trace_id=span.trace_id, span_id=span.span_id, parent_id=span.parent_id, name=span.name,
        kind=normal.kind if normal else "span", span_kind=span.kind, start_ns=str(span.start_ns),
        end_ns=None if span.end_ns is None else str(span.end_ns), duration_ms=span.duration_ms, status=span.status,
        error_message=_short(span.error_message), service=span.service, provider=normal.provider if normal else None,
        model=normal.model if normal else None, input_tokens=usage.input if usage else None,
        output_tokens=usage.output if usage else None,
        cost_usd=normal.cost.total_usd if normal and normal.cost else None,
        ttft_ms=normal.ttft_s * 1e3 if normal and normal.ttft_s is not None else None,
        session_id=normal.session_id if normal else None, user_id=normal.user_id if normal else None,
        tool=normal.tool_name if normal else None, agent=normal.agent_name if normal else None,
        counted=normal is not None and normal.usage_role == "leaf", weight=span.weight, input_preview=shown[0],
        output_preview=shown[1],
    )  # fmt: skip


def log_row(log: Log) -> LogRow:
    body, body_cut = cut(log.body)
    attributes, cuts = cut_values(log.attributes)
    return LogRow(
        log_id=log.log_id, time_ns=str(log.time_ns), severity=log.severity, event_name=log.event_name, body=body,
        attributes=attributes, trace_id=log.trace_id, span_id=log.span_id,
        service=str(log.resource.attributes.get("service.name", "")), scope_name=log.scope.name,
        cut=bool(cuts) or body_cut is not None,
    )  # fmt: skip


def point_row(point: Point) -> PointRow:
    told: dict[str, Any] = {name: getattr(point, name) for name in PointRow.__struct_fields__ if name != "service"}
    told |= {"time_ns": str(point.time_ns), "start_ns": str(point.start_ns)}
    return PointRow(**told, service=str(point.resource.attributes.get("service.name", "")))


def group_row(group: TraceGroup) -> GroupRow:
    told: dict[str, Any] = msgspec.structs.asdict(group)
    told |= {"first_ns": str(group.first_ns), "last_ns": str(group.last_ns)}
    return GroupRow(**told)


def previews(span: Span) -> tuple[str, str]:
    """The beginning of the last thing that was said to it, and of what it answered."""
    said = messages(span)
    return _preview(_last_of_user(said)), _preview(said.output[-1:])


def _last_of_user(said: Messages) -> list[Value]:
    """The newest message that is not the model's own or a tool's, else the newest."""
    for message in reversed(said.input):
        if isinstance(message, dict) and message.get("role") == "user":
            return [message]
    return said.input[-1:]


def _preview(found: list[Value]) -> str:
    text = message_text(found[0])[: PREVIEW * 4] if found else ""
    return " ".join(text.split())[:PREVIEW]


def _short(text: str | None) -> str | None:
    return None if text is None else text[:1_000]


def cut_field(span: Span, field: str, size: int) -> CutField:
    """A field of a span that was cut, and where all of it is."""
    href = f"/api/spans/{span.trace_id}/{span.span_id}?field={quote(field, safe='')}"
    return CutField(field=field, size_bytes=size, href=href)


def cut_values(values: dict[str, Value]) -> tuple[dict[str, Any], dict[str, int]]:
    """Values by name, the large ones cut, and the size of each that was."""
    shown: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    for name, value in values.items():
        shown[name], size = cut(value)
        if size is not None:
            sizes[name] = size
    return shown, sizes


def cut(value: Any) -> tuple[Any, int | None]:
    """A value as it is, or its beginning in the same shape and the size of its JSON if that is large."""
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) < 40_000):
        return value, None
    size = len(msgspec.json.encode(value))
    return (value, None) if size <= FIELD_BYTES else (_beginning(value, [FIELD_BYTES]), size)


def _beginning(value: Any, left: list[int]) -> Any:
    """As much of a value as there is room left for, in bytes of its JSON."""
    if isinstance(value, str):
        room = max(left[0], 0)
        text = value.encode()[:room].decode("utf-8", "ignore")
        left[0] -= len(msgspec.json.encode(text))
        return text
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            if left[0] <= 0:
                break
            items.append(_beginning(item, left))
        return items
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, item in value.items():
            if left[0] <= 0:
                break
            left[0] -= len(key) + 4
            found[key] = _beginning(item, left)
        return found
    left[0] -= 8
    return value
