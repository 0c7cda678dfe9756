"""Trace and span ids from a generator of our own."""

import hashlib
import os
import random

_random = random.Random()  # noqa: S311  ids need to be distinct, not secret
"""Ours, so that an application's `random.seed(0)` cannot repeat our ids."""

getrandbits = _random.getrandbits


def new_trace_id() -> str:
    """32 lower-case hex digits, never all zero."""
    return f"{getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """16 lower-case hex digits, never all zero."""
    return f"{getrandbits(64) or 1:016x}"


def reseed() -> None:
    """A fresh state from the operating system: a forked child starts with a copy of its parent's."""
    _random.seed(os.urandom(32))


def trace_id_from(text: str) -> tuple[str, str | None]:
    """A trace id for an id that somebody else chose, and the text itself where it was no trace id.

    32 hex digits and UUIDs are trace ids as they stand; any other text gives the same derived id each time.
    """
    plain = text.strip().lower().removeprefix("urn:uuid:").strip("{}").replace("-", "")
    if len(plain) == 32 and _is_hex(plain) and plain != "0" * 32:
        return plain, None
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16, person=b"vestigo-trace").hexdigest()
    return digest, text


def is_trace_id(text: str) -> bool:
    """32 lower-case hex digits, not all zero: what W3C trace context and OTLP call valid."""
    return len(text) == 32 and _is_hex(text) and text != "0" * 32


def is_span_id(text: str) -> bool:
    """16 lower-case hex digits, not all zero."""
    return len(text) == 16 and _is_hex(text) and text != "0" * 16


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdef")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=reseed)
