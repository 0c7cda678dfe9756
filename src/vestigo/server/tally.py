"""Scores added up: by name their spread, who gave them, how they went over time, and where people and programs differ.

Of several scores that one source gave the same target under one name the newest counts, since giving another one is how
a score is corrected. What is read is bounded, the newest first.
"""

import math
from collections import Counter
from typing import Annotated, Any, Final, TypeAlias, TypeGuard

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo.errors import QueryError
from vestigo.record import Log
from vestigo.server.answers import answer
from vestigo.server.charts import MAX_BUCKETS
from vestigo.server.histogram import read_logs
from vestigo.server.questions import Window, width_ns
from vestigo.server.routes import Call, Route
from vestigo.server.scores import ScoreRow, score_row, scores_query

BINS: Final = 10
_MOST: Final = 20_000
"""Scores that are read for one answer."""
_READING_S: Final = 3.0
_NAMES: Final = 200
_LISTED: Final = 20
_DISAGREEMENTS: Final = 100


class TallyOf(Window, kw_only=True):
    name: Annotated[str, Meta(description="Only scores of this name.")] = ""
    step: Annotated[str, Meta(description="Width of a bucket of time, such as `5m` or `1d`; empty for no buckets.")] = (
        ""
    )


class Counted(Struct):
    value: str
    count: int


class ScoreTally(Struct, kw_only=True):
    """The scores of one name."""

    name: str
    count: int
    by_people: int
    """Given by somebody who was logged in; the rest by programs."""
    by_programs: int
    numbers: int
    mean: float | None
    min: float | None
    max: float | None
    bins: list[int]
    """Numbers in ten equal parts between `min` and `max`; all of them in the first one where those are the same."""
    labels: list[Counted]
    """Labels, the most frequent first, at most 20."""
    sources: list[Counted]
    """Who gave them, the most frequent first, at most 20."""
    counts: list[int]
    """In each bucket of time."""
    means: list[float | None]


class Given(Struct, kw_only=True):
    score_id: str
    time_ns: str
    source: str
    """`user:ann@example.org`, `key:7f3a`, or the service that sent it."""
    by_people: bool
    value: float | None
    label: str | None
    comment: str


class Disagreement(Struct, kw_only=True):
    """A trace or a span that got different values under one name."""

    name: str
    trace_id: str
    span_id: str | None
    given: list[Given]


class Tally(Struct, kw_only=True):
    names: list[ScoreTally]
    """The most frequent first."""
    step_ns: str | None
    times_ns: list[str]
    """Starts of the buckets, all of them from the first to the last that has scores."""
    disagreements: list[Disagreement]
    """Of the newest scores first, at most 100."""
    disagreeing: int
    """How many there are in all."""
    scores_read: int
    replaced: int
    """Scores that the same source has given anew since."""
    complete: bool
    """Whether all scores of the window were read; else only the newest."""


_One: TypeAlias = tuple[ScoreRow, int, str]
"""A score, its time, its source."""


async def summary(call: Call) -> Response:
    asked: TallyOf = call.query
    query = scores_query(call.project, asked, asked.name)
    step_ns = width_ns(asked.step)
    limit_s = min(_READING_S, call.server.settings.query_timeout_s / 2)

    def ask() -> Tally:
        logs, complete = read_logs(call.server.storage, query, _MOST, limit_s, _without_body)
        return tally(logs, step_ns, complete)

    return await answer(call, await call.ask(ask))


def _without_body(log: Log) -> Log:
    return msgspec.structs.replace(log, body=None)  # what a score is stands in its attributes


def tally(logs: list[Log], step_ns: int | None, complete: bool) -> Tally:
    """Logs are evaluation events, the newest first. Raises QueryError for too many buckets."""
    targets: dict[tuple[str, str, str | None], dict[str, _One]] = {}
    names: dict[str, list[_One]] = {}
    replaced = 0
    for log in logs:
        row = score_row(log)
        one = (row, log.time_ns, _source(log, row))
        if row.trace_id is not None:
            given = targets.setdefault((row.name, row.trace_id, row.span_id), {})
            if one[2] in given:
                replaced += 1
                continue
            given[one[2]] = one
        names.setdefault(row.name, []).append(one)
    starts = _starts([one for ones in names.values() for one in ones], step_ns)
    ordered = sorted(names.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    differing = [
        _disagreement(*target, list(given.values()))
        for target, given in targets.items()
        if len({(one[0].value, one[0].label) for one in given.values()}) > 1
    ]
    return Tally(
        names=[_tally(name, ones, starts, step_ns or 0) for name, ones in ordered[:_NAMES]],
        step_ns=None if step_ns is None else str(step_ns), times_ns=[str(start) for start in starts],
        disagreements=differing[:_DISAGREEMENTS], disagreeing=len(differing), scores_read=len(logs),
        replaced=replaced, complete=complete,
    )  # fmt: skip


def _source(log: Log, row: ScoreRow) -> str:
    """Who gave it; of programs that do not say, the service."""
    return row.author or str(log.resource.attributes.get("service.name", "")) or log.scope.name


def _is_person(source: str, row: ScoreRow) -> bool:
    return bool(row.author) and (source == "local" or source.startswith("user:"))


def _starts(ones: list[_One], step_ns: int | None) -> list[int]:
    if not ones or step_ns is None:
        return []
    first = min(one[1] for one in ones) // step_ns * step_ns
    last = max(one[1] for one in ones)
    buckets = (last - first) // step_ns + 1
    if buckets > MAX_BUCKETS:
        raise QueryError(f"{buckets} buckets of time are too many; narrow the window, or give a wider step")
    return list(range(first, last + 1, step_ns))


def _tally(name: str, ones: list[_One], starts: list[int], step_ns: int) -> ScoreTally:
    numbers = [one[0].value for one in ones if _is_number(one[0].value)]
    low, high = min(numbers, default=None), max(numbers, default=None)
    people = sum(_is_person(one[2], one[0]) for one in ones)
    counts, sums, valued = [0] * len(starts), [0.0] * len(starts), [0] * len(starts)
    for row, time_ns, _ in ones if starts else ():
        at = (time_ns - starts[0]) // step_ns
        counts[at] += 1
        if _is_number(row.value):
            sums[at] += row.value
            valued[at] += 1
    return ScoreTally(
        name=name, count=len(ones), by_people=people, by_programs=len(ones) - people, numbers=len(numbers),
        mean=sum(numbers) / len(numbers) if numbers else None, min=low, max=high, bins=bins(numbers),
        labels=_most(Counter(one[0].label for one in ones if one[0].label is not None)),
        sources=_most(Counter(one[2] for one in ones)), counts=counts,
        means=[total / count if count else None for total, count in zip(sums, valued, strict=True)],
    )  # fmt: skip


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def bins(numbers: list[float]) -> list[int]:
    """How many lie in each tenth between the least and the greatest; none without numbers."""
    if not numbers:
        return []
    low, found = min(numbers), [0] * BINS
    width = max(numbers) / BINS - low / BINS  # divided first, since the difference may be more than a float holds
    for number in numbers:
        found[max(0, min(int(number / width - low / width), BINS - 1)) if width else 0] += 1
    return found


def _most(counts: "Counter[str]") -> list[Counted]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Counted(value[:1_000], count) for value, count in ordered[:_LISTED]]


def _disagreement(name: str, trace_id: str, span_id: str | None, ones: list[_One]) -> Disagreement:
    return Disagreement(name=name, trace_id=trace_id, span_id=span_id, given=[_given(one) for one in ones[:_LISTED]])


def _given(one: _One) -> Given:
    row, _, source = one
    told: dict[str, Any] = {name: getattr(row, name) for name in ("score_id", "time_ns", "value", "label", "comment")}
    return Given(source=source, by_people=_is_person(source, row), **told)


ROUTES: Final = (
    Route(
        method="GET", path="/api/scores/summary", scope="read", handler=summary, tag="scores", query=TallyOf,
        answer=Tally, summary="Scores added up by name, over time, and where they differ.", audit="scores.list",
    ),
)  # fmt: skip
