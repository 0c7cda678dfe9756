"""Traces that cross process borders: W3C `traceparent`, `tracestate` and `baggage`, and `X-Trace-ID`, in headers.

Sources: W3C Trace Context level 2, W3C Baggage (2024). Headers come from anybody: what is broken is ignored and
counted as `ignored.<header>`, and nothing that they say reaches a setting or an address.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar, overload
from urllib.parse import quote, unquote

from vestigo import semconv
from vestigo.diagnostics import counters, guard
from vestigo.sdk.ids import is_span_id, is_trace_id, new_trace_id, trace_id_from
from vestigo.sdk.sampling import threshold_text, weight_from_trace_state
from vestigo.sdk.tracer import ActiveSpan, Current, RemoteParent, SilentSpan, current_context

Headers: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None
"""Names and values, text or bytes, in any case; a value may be a list of lines."""

Carrier = TypeVar("Carrier", bound=MutableMapping[str, str])

_NAMES = frozenset({"traceparent", "tracestate", "baggage", "x-trace-id"})
_MAX_BYTES = 8_192
_MAX_ENTRIES = 64
_MAX_STATES = 32

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_STATE = re.compile(
    r"([a-z0-9][a-z0-9_\-*/@]{0,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OCTETS = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_UNQUOTED = "!#$&'()*+-./:<=>?@[]^_`{|}~"
_PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?")

own_baggage: ContextVar[Mapping[str, str]] = ContextVar("vestigo_baggage", default={})  # noqa: B039  never changed


# --- in


def extract(headers: Headers) -> RemoteParent | None:
    """Who called us, from `traceparent`, else from `X-Trace-ID`; None where the headers do not say. Never raises.

    An `X-Trace-ID` beside a `traceparent` of another id is kept as the correlation id. Baggage alone starts a new
    trace that carries it.
    """
    with guard("extract"):
        return _parse(_lines(headers))
    return None


def _parse(lines: Mapping[str, list[str]]) -> RemoteParent | None:
    carried = _parse_baggage(lines["baggage"]) if "baggage" in lines else {}
    text = _parse_id(lines["x-trace-id"]) if "x-trace-id" in lines else ""
    given, foreign = trace_id_from(text) if text else (None, None)
    parent = _parse_traceparent(lines["traceparent"]) if "traceparent" in lines else None
    if parent is not None:
        trace_id, span_id, sampled = parent
        state = _parse_trace_state(lines.get("tracestate", []))
        weight = weight_from_trace_state(state, trace_id) if sampled else 1.0
        correlation = foreign or (text or None if given != trace_id else None)
        return RemoteParent(trace_id, span_id, sampled, state, weight, correlation, carried)
    if given is not None:
        return RemoteParent(given, correlation_id=foreign, baggage=carried)
    return RemoteParent(new_trace_id(), baggage=carried) if carried else None


def _lines(headers: Headers) -> dict[str, list[str]]:
    """The headers that concern us, by lower-case name, in the order of their lines."""
    found: dict[str, list[str]] = {}
    for name, value in _pairs(headers):
        key = _text(name).lower()
        if key in _NAMES:
            found.setdefault(key, []).extend(map(_text, value if isinstance(value, list | tuple) else [value]))
    return found


def _pairs(headers: Any) -> Iterator[tuple[Any, Any]]:
    pairs: Any = headers.items() if hasattr(headers, "items") else headers
    for pair in pairs or ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            yield pair[0], pair[1]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return bytes(value).decode("latin-1") if isinstance(value, bytes | bytearray | memoryview) else ""


def _parse_traceparent(lines: list[str]) -> tuple[str, str, bool] | None:
    match = _TRACEPARENT.fullmatch(lines[0].strip(" \t")) if len(lines) == 1 else None
    if match is not None:
        version, trace_id, span_id, flags, more = match.groups()
        if version != "ff" and is_trace_id(trace_id) and is_span_id(span_id) and (version != "00" or more is None):
            return trace_id, span_id, bool(int(flags, 16) & 1)
    counters.add("ignored.traceparent")
    return None


def _parse_trace_state(lines: list[str]) -> str:
    """The lines as one, or nothing where any part of them is broken, as the specification has it."""
    members = [member for line in lines for part in line.split(",") if (member := part.strip(" \t"))]
    keys = [match[1] for member in members if (match := _STATE.fullmatch(member))]
    state = ",".join(members)
    if len(members) > _MAX_STATES or len(set(keys)) < len(members) or len(state) > _MAX_BYTES:
        counters.add("ignored.tracestate")
        return ""
    return state


def _parse_id(lines: list[str]) -> str:
    """The text of `X-Trace-ID`, of several lines the first; empty where there is none that can be used."""
    text = lines[0].strip(" \t") if lines else ""
    if text and len(text) <= _MAX_BYTES:
        return text
    counters.add("ignored.x-trace-id")
    return ""


def _parse_baggage(lines: list[str]) -> dict[str, str]:
    """Names and values without properties; broken entries and those above the limits are left out and counted."""
    carried: dict[str, str] = {}
    size = ignored = 0
    for member in (part.strip(" \t") for line in lines for part in line.split(",")):
        entry = member.partition(";")[0]
        name, equals, value = entry.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        fits = size + len(member) <= _MAX_BYTES and len(carried) < _MAX_ENTRIES
        if fits and equals and _TOKEN.fullmatch(name) and _OCTETS.fullmatch(value):
            carried[name] = unquote(value, errors="replace")
            size += len(member) + 1
        elif member:
            ignored += 1
    if ignored:
        counters.add("ignored.baggage", ignored)
    return carried


# --- out


@overload
def inject(headers: None = None) -> dict[str, str]: ...
@overload
def inject(headers: Carrier) -> Carrier: ...
def inject(headers: MutableMapping[str, str] | None = None) -> MutableMapping[str, str]:
    """Add the headers that let the next service join the current trace; gives back the same mapping. Never raises.

    Older ones of the same names are replaced, in whatever case. Without a current span, what was attached is passed on.
    """
    target: MutableMapping[str, str] = {} if headers is None else headers
    with guard("inject"):
        made = _headers_of(current_context())
        names = {name.lower() for name in made}
        if "traceparent" in made:
            names.add("tracestate")  # an older one would tell of another trace
        for name in [name for name in target if isinstance(name, str) and name.lower() in names]:
            del target[name]
        target.update(made)
    return target


def _headers_of(context: Current) -> dict[str, str]:
    made: dict[str, str] = {}
    if context is not None and is_trace_id(context.trace_id):
        sampled, state = _sampled_state(context)
        if context.span_id is not None and is_span_id(context.span_id):
            made["traceparent"] = f"00-{context.trace_id}-{context.span_id}-{'01' if sampled else '00'}"
            if state:
                made["tracestate"] = state
        made["X-Trace-ID"] = _correlation_id(context) or context.trace_id
    carried = _format_baggage(baggage())
    if carried:
        made["baggage"] = carried
    return made


def _sampled_state(context: ActiveSpan | SilentSpan | RemoteParent) -> tuple[bool, str]:
    if isinstance(context, SilentSpan):
        return False, context.trace_state
    if isinstance(context, RemoteParent):
        return context.sampled is not False, context.trace_state
    return True, _weighted(context.record.trace_state, context.record.weight)


def _weighted(state: str, weight: float) -> str:
    """The `tracestate` that says this weight, so that the next service's spans weigh the same."""
    if abs(weight_from_trace_state(state) - weight) <= 1e-9 * weight or weight < 1:
        return state
    kept: list[str] = []
    fields = [f"th:{threshold_text(1 / weight)}"]
    for member in state.split(","):
        key, _, value = member.partition("=")
        if key == "ot":
            fields += [field for field in value.split(";") if not field.startswith("th:")]
        elif member:
            kept.append(member)
    return ",".join([f"ot={';'.join(fields)}", *kept[: _MAX_STATES - 1]])


def _correlation_id(context: Current) -> str | None:
    """The caller's own id of this trace, where a header can hold it."""
    trace_id = None if context is None else context.trace_id
    for above in _chain(context):
        if above.trace_id != trace_id:
            return None
        found = (
            above.correlation_id
            if isinstance(above, RemoteParent)
            else above.record.attributes.get(semconv.CORRELATION_ID)
            if isinstance(above, ActiveSpan)
            else None
        )
        if isinstance(found, str):
            return found if _PLAIN.fullmatch(found) else None
    return None


def _chain(context: Current) -> Iterator[ActiveSpan | SilentSpan | RemoteParent]:
    """The context, then what was current before it, up to the remote parent."""
    while context is not None:
        yield context
        context = None if isinstance(context, RemoteParent) else context.previous


# --- baggage


def baggage() -> dict[str, str]:
    """A copy of what travels with the current trace: what the caller sent, and what `set_baggage` added."""
    remote = next((above for above in _chain(current_context()) if isinstance(above, RemoteParent)), None)
    return {**(remote.baggage if remote else {}), **own_baggage.get()}


class set_baggage:  # noqa: N801  used like a function
    """Send an entry along with every call to another service made in a `with` block.

    A name that is no HTTP token, or a value that is no text, is left out and counted as `ignored.baggage`.
    """

    __slots__ = ("_before", "_entry", "_mine")

    def __init__(self, key: str, value: str) -> None:
        self._entry = {key: value} if _fits(key, value) else {}
        if not self._entry:
            counters.add("ignored.baggage")

    def __enter__(self) -> "set_baggage":
        self._before = own_baggage.get()
        self._mine = {**self._before, **self._entry}
        own_baggage.set(self._mine)
        return self

    def __exit__(self, *_: object) -> None:
        if own_baggage.get() is self._mine:
            own_baggage.set(self._before)


def _fits(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, str) and _TOKEN.fullmatch(key) is not None


def _format_baggage(carried: Mapping[str, str]) -> str:
    """The header's text within its limits; entries above them are left out and counted."""
    members: list[str] = []
    size = -1
    for name, value in carried.items():
        member = f"{name}={quote(value, safe=_UNQUOTED, errors='replace')}"
        if len(members) < _MAX_ENTRIES and size + 1 + len(member) <= _MAX_BYTES:
            members.append(member)
            size += 1 + len(member)
        else:
            counters.add("ignored.baggage")
    return ",".join(members)


__all__ = ["Headers", "baggage", "extract", "inject", "set_baggage"]
