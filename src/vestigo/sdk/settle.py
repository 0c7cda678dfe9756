"""What the worker makes of a record's raw content: JSON values in containers of its own, copies, and cuts.

The caller's thread has left scalars as they were and everything else as msgpack bytes (`values.pack`).
"""

import hashlib
from typing import Any

import msgspec

from vestigo.record import Log, Span
from vestigo.values import tidy, unpack


def settle_span(span: Span, max_attributes: int = 256) -> None:
    """Make JSON values of what the caller's thread packed, in containers that nobody else holds."""
    span.name, span.status_message = tidy_text(span.name), tidy_text(span.status_message)
    span.attributes = _settled(span.attributes, max_attributes)
    span.events, span.links = span.events.copy(), span.links.copy()
    for event in span.events:
        event.name = tidy_text(event.name)
        event.attributes = _settled(event.attributes, max_attributes)
    for link in span.links:
        link.attributes = _settled(link.attributes, max_attributes)


def settle_log(log: Log, max_attributes: int = 256) -> None:
    """`settle_span` for a log."""
    log.body = unpack(log.body) if isinstance(log.body, bytes) else tidy(log.body)
    log.event_name = tidy_text(log.event_name)
    log.attributes = _settled(log.attributes, max_attributes)


def truncate_span(span: Span, cap: int) -> None:
    """Cut every text of a settled span at about `cap` bytes."""
    span.name, span.status_message = cut(span.name, cap), cut(span.status_message, cap)
    for part in (span, *span.events, *span.links):
        cut(part.attributes, cap)


def truncate_log(log: Log, cap: int) -> None:
    """`truncate_span` for a log."""
    log.body = cut(log.body, cap)
    cut(log.attributes, cap)


def _settled(attributes: dict[Any, Any], limit: int) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for key, value in attributes.copy().items():  # the program may still hold the span
        if len(settled) >= limit:
            settled["vestigo.attributes.left_out"] = len(attributes) - limit
            break
        settled[tidy_text(key)] = unpack(value) if isinstance(value, bytes) else tidy(value)
    return settled


def tidy_text(text: object) -> str:
    tidied = tidy(text)
    return tidied if type(tidied) is str else str(tidied)


def snapshot(record: Span) -> Span:
    """A copy of an open span that the program goes on changing."""
    replace = msgspec.structs.replace
    return replace(
        record,
        attributes=record.attributes.copy(),
        events=[replace(event, attributes=event.attributes.copy()) for event in record.events.copy()],
        links=[replace(link, attributes=link.attributes.copy()) for link in record.links.copy()],
        end_ns=None,
    )


def cut(value: Any, cap: int) -> Any:
    """The value with every text in it at most about `cap` bytes, and the size and hash of what was cut.

    Lists and dicts are changed in place; they must be ours.
    """
    if type(value) is str:
        if len(value) * 4 <= cap or len(data := value.encode()) <= cap:
            return value
        digest = hashlib.sha256(data).hexdigest()
        return data[:cap].decode("utf-8", "ignore") + f"… [cut: {len(data)} bytes, sha256 {digest}]"
    if type(value) is list:
        for index, item in enumerate(value):
            value[index] = cut(item, cap)
    elif type(value) is dict:
        for key, item in value.items():
            value[key] = cut(item, cap)
    return value
