"""Golden spans: files with a span as its emitter writes it, and what we read from it.

Each is JSON with `source` (who wrote it, or after whose documentation it was made), `span`, `normal` and `messages`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from vestigo import normalize
from vestigo.record import Span

FOLDER = Path(__file__).parent / "golden"


def check(path: Path) -> None:
    """The span reads as the file says, also after a way through JSON as a storage takes it."""
    golden = json.loads(path.read_text())
    assert golden["source"]
    span = msgspec.convert(golden["span"], Span)
    assert told(normalize.normalize(span)) == golden["normal"], path.name
    assert told(normalize.messages(span)) == golden["messages"], path.name


def told(record: Any) -> Any:
    return json.loads(msgspec.json.encode(record))
