"""Every span below `golden/`, as its emitter writes it, beside what we read from it."""

import json

import msgspec
import pytest
from golden import FOLDER, check

from vestigo import normalize
from vestigo.record import Span

FILES = sorted(FOLDER.glob("*/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_span_reads_as_its_file_says(path):
    """The dialect, every field of the normal form and the messages are exactly what stands beside the span."""
    check(path)
    assert json.loads(path.read_text())["normal"].get("dialect", "") == path.parent.name


@pytest.mark.parametrize("path", [path for path in FILES if '"documents": [' in path.read_text()], ids=lambda p: p.stem)
def test_a_golden_span_has_its_documents(path):
    """What was retrieved or ranked comes in one form, whatever the dialect calls it."""
    golden = json.loads(path.read_text())
    assert normalize.documents(msgspec.convert(golden["span"], Span)) == golden["documents"]


@pytest.mark.parametrize("dialect", normalize.DIALECTS, ids=lambda dialect: dialect.__name__)
def test_each_dialect_has_a_golden_span(dialect):
    """A dialect without a specimen in the folder of its name would be untested."""
    assert any(path.parent.name == NAMES.get(short(dialect), short(dialect)) for path in FILES)


def short(dialect):
    return dialect.__name__.rpartition(".")[2]


NAMES = {"genai": "gen_ai"}
