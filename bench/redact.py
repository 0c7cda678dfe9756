"""Redaction speed over the text of 200 recorded agent runs: MB of text a second, one thread, best of nine.

The floor is one e-mail pattern of the standard library's `re` over the same leaves, in the same run.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from vestigo.redact import Redactor

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "tau-bench-gpt-4o-airline.json"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
ROUNDS = 9


def leaves(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for item in items for leaf in leaves(item)]


def times_s(work: Callable[[Redactor], object], *, personal: bool = False, phone: bool = False) -> tuple[float, float]:
    """The first pass, which builds RE2's automaton, and the best later one; seen texts are forgotten each time."""
    redactor = Redactor(personal=personal, phone=phone)
    times: list[float] = []
    for _ in range(ROUNDS):
        redactor._clean.clear()
        start = time.perf_counter()
        work(redactor)
        times.append(time.perf_counter() - start)
    return times[0], min(times[1:])


def main() -> int:
    if not SOURCE.exists():
        print(f"no {SOURCE.name} in {SOURCE.parent.name}; nothing to measure")
        return 1
    runs = json.loads(SOURCE.read_bytes())
    texts = leaves(runs)
    long = [text for text in texts if len(text) > 200]
    small, large = (sum(len(text.encode()) for text in some) / 1e6 for some in (texts, long))

    def each(some: list[str]) -> Callable[[Redactor], object]:
        return lambda redactor: [redactor.text(text) for text in some]

    rows = [
        ("stdlib re, one e-mail pattern", small, times_s(lambda _: [EMAIL.search(text) for text in texts])),
        ("secrets, all leaves", small, times_s(each(texts))),
        ("secrets, leaves over 200 characters", large, times_s(each(long))),
        ("secrets, whole runs with keys", small, times_s(lambda redactor: redactor.value(runs))),
        ("and personal, all leaves", small, times_s(each(texts), personal=True)),
        ("and personal, over 200 characters", large, times_s(each(long), personal=True)),
        ("and phone, all leaves", small, times_s(each(texts), personal=True, phone=True)),
    ]
    print(f"{len(texts)} leaves, {small:.2f} MB; {len(long)} over 200 characters, {large:.2f} MB")
    print(f"{'':38} {'first MB/s':>10} {'MB/s':>8}")
    for what, size_mb, (first, best) in rows:
        print(f"{what:38} {size_mb / first:10.1f} {size_mb / best:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
