"""Records without what people and models said, by whatever dialect they name it.

Fails closed: an attribute goes if its name has a word for content in it, or if a text in it is long. What stays is
numbers, switches, the attributes that normal forms are read from (models, ids, finish reasons, ...), and short texts of
other names.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from vestigo import semconv
from vestigo.normalize import DIALECTS
from vestigo.record import Attributes, Batch, Event, Log, Span, Value

WITHHELD: Final = "not forwarded"
"""What `vestigo.content` of a record says from which something was taken."""

_LONG: Final = 256
_WORDS: Final = frozenset(
    """answer answers arg args argument arguments body bodies choice choices chunk chunks completion completions content
    contents context delta deltas document documents events history input inputs instruction instructions message
    messages msg object objects output outputs param parameter parameters params prompt prompts query question
    questions reasoning request response responses result results speech summary text texts thinking thought thoughts
    transcript utterance value values""".split()  # noqa: SIM905  a list of words reads better as one
)
"""In the last part of a name: `traceloop.entity.input`, `user_prompt`, `mlflow.spanInputs`."""
_BESIDE: Final = frozenset("code count id ids model name status time tokens type version".split())  # noqa: SIM905
"""Behind one of those, a fact about it: `response_id`, `completion_start_time`."""
_ABOVE: Final = frozenset({"variable", "variables"})
"""In any part: the names below are the user's own."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_READ: Final[frozenset[str]] = frozenset(
    name for dialect in DIALECTS for name in getattr(getattr(dialect, "TABLE", None), "slots", ())
) | {semconv.OPERATION, semconv.SPAN_TYPE, semconv.ERROR_TYPE, semconv.EXCEPTION_TYPE, semconv.EVALUATION_NAME}
"""Attributes that are numbers, names and ids by what they mean."""


def without_content(batch: Batch) -> Batch:
    """Copies of the records, which share nothing that was changed; points have none."""
    return Batch([_span(span) for span in batch.spans], [_log(log) for log in batch.logs], batch.project, batch.points)


def is_content(key: str, value: Value) -> bool:
    """Whether an attribute may hold what somebody said."""
    if key in semconv.CONTENT_ATTRIBUTES:
        return True
    if isinstance(value, bool | int | float) or value is None:
        return False
    if key in _READ:
        return _longest(value) > _LONG
    return _is_told(key) or _longest(value) > _LONG


@lru_cache(4_096)
def _is_told(key: str) -> bool:
    if not _ABOVE.isdisjoint(key.split(".")):
        return True
    words = [word.lower() for word in _WORD.findall(key.rpartition(".")[2])]
    return not _WORDS.isdisjoint(words) and words[-1] not in _BESIDE and "token" not in words


def _span(span: Span) -> Span:
    attributes = _kept(span.attributes)
    events = [Event(event.time_ns, event.name, _kept(event.attributes)) for event in span.events]
    taken = len(attributes) < len(span.attributes) or any(
        len(new.attributes) < len(old.attributes) for new, old in zip(events, span.events, strict=True)
    )
    if taken:
        attributes[semconv.CONTENT] = WITHHELD
    return msgspec.structs.replace(span, attributes=attributes, events=events)


def _log(log: Log) -> Log:
    """An event's body is content, and that of a plain log if it is no short text."""
    attributes = _kept(log.attributes)
    told = bool(log.event_name) and log.event_name != semconv.EVALUATION_EVENT
    short = isinstance(log.body, str) and len(log.body) <= _LONG and not told
    body = log.body if short or isinstance(log.body, bool | int | float) else None
    if len(attributes) < len(log.attributes) or body is not log.body:
        attributes[semconv.CONTENT] = WITHHELD
    return msgspec.structs.replace(log, attributes=attributes, body=body)


def _kept(attributes: Attributes) -> dict[str, Value]:
    return {key: value for key, value in attributes.items() if not is_content(key, value)}


def _longest(value: Value) -> int:
    """Characters of the longest text in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return max(map(_longest, value), default=0)
    if isinstance(value, dict):
        return max((max(len(key), _longest(item)) for key, item in value.items()), default=0)
    return 0


__all__ = ["WITHHELD", "is_content", "without_content"]
