"""Every storage keeps the contract: it answers as the memory storage does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vestigo.storage import SCHEMES, Storage, open_storage
from vestigo.testing import check_storage

ROUNDS = 8

URLS: dict[str, Callable[[Path], str]] = {
    "memory": lambda _: "memory://",
    "file": lambda path: f"file:///{path / 'traces'}",
    "sqlite": lambda path: f"sqlite:///{path / 'traces.db'}",
}
"""Where each scheme keeps its records in a run. A new scheme needs a line here."""

LOSES_ALL_WHEN_CLOSED = {"memory"}


def test_every_scheme_has_a_run() -> None:
    """A storage that can be opened is held to the contract; nobody forgets to."""
    assert set(URLS) == set(SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_storage_answers_as_memory_does(scheme: str, tmp_path: Path) -> None:
    """The contract of `storage.Storage`, with closing and opening between writing and asking."""

    def open_it() -> Storage:
        return open_storage(URLS[scheme](tmp_path))

    check_storage(open_it, rounds=ROUNDS, seed=7, reopen=None if scheme in LOSES_ALL_WHEN_CLOSED else open_it)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_storage_is_what_the_protocol_says(scheme: str, tmp_path: Path) -> None:
    """`isinstance(storage, Storage)` holds, feeders start empty, and what survives closing says that it is durable."""
    storage = open_storage(URLS[scheme](tmp_path))
    try:
        assert isinstance(storage, Storage)
        assert storage.feeders == []
        assert scheme in LOSES_ALL_WHEN_CLOSED or storage.capabilities.durable
    finally:
        storage.close()
