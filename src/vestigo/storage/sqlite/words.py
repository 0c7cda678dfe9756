"""Whether a trace says some words: told by its first spans that do, without reading all of it."""

from typing import TYPE_CHECKING

from vestigo.matching import has_phrase, span_texts, tokens
from vestigo.query import And, Filter, Text
from vestigo.storage.sqlite.conditions import Conditions

if TYPE_CHECKING:
    from vestigo.storage.sqlite.reader import Reader

Phrase = tuple[str, ...]


def phrases_of(filter_: Filter | None, conditions: Conditions) -> list[Phrase] | None:
    """The phrases that are all that is left to check where SQL has said the rest; None where more is left."""
    parts = filter_.filters if isinstance(filter_, And) else (filter_,)
    texts = [part for part in parts if isinstance(part, Text)]
    if not texts or not all(conditions.traces(part).exact for part in parts if not isinstance(part, Text)):
        return None
    return [tuple(tokens(text.words)) for text in texts]


def trace_says(reader: "Reader", trace: int, phrases: list[Phrase]) -> bool:
    """Whether some span of the trace says each of the phrases, in its name or in one message."""
    left = [phrase for phrase in phrases if phrase]
    known: set[str] = set()  # each call says its history again
    for spans in reader._span_chunks("span.trace = ? ORDER BY span.start_ns", (trace,), 2):
        for span in spans:
            texts = set(span_texts(span)) - known
            known |= texts
            left = [phrase for phrase in left if not any(has_phrase(text, phrase) for text in texts)]
            if not left:
                return True
    return not left
