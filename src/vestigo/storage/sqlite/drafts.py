"""Lists of messages taken apart before they come to the writer, as a child process of the server does while it writes.

A draft holds what takes time: the digests of the items and, of those that the drafter has not seen before, the words
and the compressed content. The writer takes it where it fits the file as it is by then, and else begins from the text.
"""

from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from vestigo import semconv
from vestigo.query import HAS
from vestigo.record import Span
from vestigo.storage.sqlite.bodies import History, Recent, compressor_of, digest_of, item_text, split_json

_HAS_INPUT: Final = 1 << HAS.index("input")
_HAS_OUTPUT: Final = 1 << HAS.index("output")
_ELSEWHERE: Final = frozenset({semconv.TOOL_ARGUMENTS, semconv.TOOL_RESULT, "input.value", "output.value"})
"""Attributes that say a span's messages where the conventions' own attributes do not."""
LONGEST_HISTORY: Final = 256 * 1024
"""Characters of the longest list that is remembered for the next one to continue it."""
DIGEST: Final = 16
"""Bytes of a digest."""
_encode = msgspec.msgpack.Encoder().encode

Plain: TypeAlias = dict[str, int] | None


class Fresh(Struct, array_like=True):
    """An item that the writer may not know."""

    place: int
    """In the list, counted from 0."""
    words: str
    content: bytes
    """As a body's row has it."""


class Draft(Struct, array_like=True):
    """One list of messages."""

    code: int
    """The extension type that tells how the text is written."""
    dictionary: int
    """Number of the dictionary that the contents are compressed with."""
    digests: bytes
    """Of all items, one after the other."""
    fresh: list[Fresh]


class Drafter:
    """Drafts the messages of spans, for one file. Not thread-safe."""

    def __init__(self) -> None:
        self.dictionary = 0
        self._compressor: Any = None
        self._seen: Recent[bytes, bool] = Recent(50_000)
        self._histories: Recent[tuple[str, str], tuple[History, bytes]] = Recent(400)

    def use(self, number: int, content: bytes) -> None:
        """Compress with another dictionary of the file from now on."""
        self.dictionary = number
        self._compressor = compressor_of(content)

    def drafts(self, spans: list[Span]) -> list[tuple[int, str, Draft]]:
        """(place of the span, attribute, draft) of each list that can be drafted; none without a dictionary."""
        if not self.dictionary:
            return []
        found: list[tuple[int, str, Draft]] = []
        for place, span in enumerate(spans):
            for key in plain_keys(span) or ():
                text = span.attributes[key]
                draft = self._draft(span.trace_id, key, text) if isinstance(text, str) else None
                if draft is not None:
                    found.append((place, key, draft))
        return found

    def _draft(self, trace_id: str, key: str, text: str) -> Draft | None:
        history, before = self._histories.get((trace_id, key), (None, b""))
        items = split_json(text, history)
        if items is None:
            return None
        if not items.continues:
            before = b""
        digests = [digest_of(item) for item in items.items]
        first = len(before) // DIGEST
        fresh = [
            self._fresh(first + place, item)
            for place, (item, digest) in enumerate(zip(items.items, digests, strict=True))
            if digest not in self._seen and self._seen.remember(digest, True)
        ]
        whole = before + b"".join(digests)
        if key == semconv.INPUT_MESSAGES and len(text) <= LONGEST_HISTORY:
            self._histories.remember((trace_id, key), (History(items.code, text[:-1], []), whole))
        return Draft(items.code, self.dictionary, whole, fresh)

    def _fresh(self, place: int, item: bytes) -> Fresh:
        compressor = self._compressor
        content = compressor.compress(_encode(item.decode()), mode=compressor.FLUSH_FRAME)
        return Fresh(place, item_text(item), content)


def plain_keys(span: Span) -> Plain:
    """The attributes whose items are all the messages that a span has, with their `has:` bits; None if in doubt."""
    form = span.normal
    if form is None or form.dialect != "gen_ai":
        return None
    attributes = span.attributes
    told: dict[str, int] = {}
    for key, bit in ((semconv.INPUT_MESSAGES, _HAS_INPUT), (semconv.OUTPUT_MESSAGES, _HAS_OUTPUT)):
        value = attributes.get(key)
        if value is None:
            continue
        if not (isinstance(value, str) and value[:2] == "[{") and not (
            isinstance(value, list) and value and isinstance(value[0], dict)
        ):
            return None
        told[key] = bit
    if len(told) < 2 and (not told or span.events or not _ELSEWHERE.isdisjoint(attributes)):
        return None
    return None if semconv.SYSTEM_INSTRUCTIONS in attributes else told
