"""The text that Prometheus reads: format 0.0.4, and OpenMetrics 1.0 for who asks for it. Knows no metric by name.

Source: prometheus.io/docs/instrumenting/exposition_formats and the OpenMetrics specification 1.0.0.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from vestigo.metrics import _escape_help, _escape_label, _whole

MetricKind: TypeAlias = Literal["counter", "gauge", "histogram"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

MAX_TEXT = 200
"""Characters of a label's value; what is longer is cut."""

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f]")  # NUL ends the text for some readers; a newline has its escape


class Exposition:
    """Lines of one answer, by family."""

    def __init__(self, openmetrics: bool = False) -> None:
        self.lines: list[str] = []
        self._openmetrics = openmetrics

    def family(self, name: str, kind: MetricKind, about: str) -> None:
        """Begin a family: its samples follow. Counters have names that end in `_total`."""
        stem = name.removesuffix("_total") if self._openmetrics and kind == "counter" else name
        about = _escape_label(about) if self._openmetrics else _escape_help(about)  # there quotes are escaped too
        self.lines += (f"# HELP {stem} {about}", f"# TYPE {stem} {kind}")

    def sample(self, name: str, labels: str, value: float) -> None:
        """One line; `labels` is what `write_labels` gave."""
        self.lines.append(f"{name}{{{labels}}} {write_number(value)}" if labels else f"{name} {write_number(value)}")

    def histogram(self, name: str, labels: str, bounds: Iterable[str], counts: Iterable[float], total: float) -> None:
        """The lines of one histogram; one count more than bounds, each of its own bucket only."""
        head = f"{name}_bucket{{{labels}{',' if labels else ''}le="
        seen = 0.0
        for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
            seen += count
            self.lines.append(f'{head}"{bound}"}} {write_number(seen)}')
        self.sample(name + "_sum", labels, total)
        self.sample(name + "_count", labels, seen)

    def text(self) -> str:
        end = "# EOF\n" if self._openmetrics else ""
        return "".join(line + "\n" for line in self.lines) + end


def write_labels(labels: Mapping[str, str]) -> str:
    """`a="b",c="d"`, escaped."""
    return ",".join(f'{name}="{_escape_label(text)}"' for name, text in labels.items())


def write_number(value: float) -> str:
    if math.isfinite(value):
        return repr(_whole(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def clean(value: object) -> str:
    """A label's value: short text that UTF-8 can hold, without control characters but newlines."""
    return _CONTROL.sub("�", str(value)[:MAX_TEXT].encode("utf-8", "replace").decode())


def wants_openmetrics(accept: str) -> bool:
    """Whether an `Accept` header prefers OpenMetrics 1.0 to the plain text."""
    weights = {"openmetrics": 0.0, "text": 0.0}
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        given = dict(pair.split("=", 1) for pair in parameters if "=" in pair)
        weight = _weight(given.get("q", "1"))
        if media == "application/openmetrics-text" and given.get("version", "1.0.0") == "1.0.0":
            weights["openmetrics"] = max(weights["openmetrics"], weight)
        elif media in {"text/plain", "text/*", "*/*"}:
            weights["text"] = max(weights["text"], weight)
    return weights["openmetrics"] > 0 and weights["openmetrics"] >= weights["text"]


def _weight(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 <= number <= 1 else 0.0
