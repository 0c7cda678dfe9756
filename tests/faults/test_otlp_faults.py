"""Requests made to fill the memory: each is refused, within 256 MiB above its own size and 4 s of processor."""

import importlib.util
from pathlib import Path

import pytest

_PLACE = Path(__file__).parent.parent / "otlp" / "test_count.py"
_spec = importlib.util.spec_from_file_location("otlp_bombs", _PLACE)
bombs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(bombs)

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("bomb", bombs.BOMBS)
def test_no_request_fills_the_memory(bomb):
    """Whatever it is made of; nothing is built of what cannot be kept."""
    told, mebibytes, seconds = bombs.measure(bomb)
    assert told in {"refused", "rejected"} or bomb == "JSON items"  # which stays just below the limit
    assert mebibytes <= 256
    assert seconds < 4
