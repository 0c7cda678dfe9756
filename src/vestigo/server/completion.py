"""What may stand next in a filter text: fields, comparisons, values with counts; and the mistake, with its place."""

import re
import time
from typing import Annotated, Final, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from vestigo.errors import QueryError, QueryTimeout
from vestigo.filtertext import parse_filter
from vestigo.query import ALL_TIME, FIELDS, HAS, PREFIXES, Grouping, Query, check_field, time_limit
from vestigo.record import Kind, Status
from vestigo.server.answers import answer
from vestigo.server.charts import counted
from vestigo.server.histogram import LEVELS
from vestigo.server.questions import Time, moment
from vestigo.server.routes import Call, Route
from vestigo.storage import Storage
from vestigo.storage.grouping import check_grouping, key_order

_MOST: Final = 30
_SECONDS: Final = 1.0
"""Values that take longer to find than one waits while typing are not suggested."""
_SCOPES: Final = ("any(", "none(", "root(", "parent(", "child(")
_OPS: Final = {
    "word": (":", "!=", "~", ":*"),
    "text": (":", "=", "!=", "~", ":*"),
    "number": (">", ">=", "<", "<=", "=", ":*"),
}
_THEN: Final = {"word": ":", "text": ":", "number": ">"}
_FIXED: Final[dict[str, tuple[str, ...]]] = {
    "kind": get_args(Kind),
    "status": tuple(status.lower() for status in get_args(Status)),
    "has": HAS,
    "level": LEVELS,
}
_VALUE: Final = re.compile(
    r"(?P<field>[^\s()\":=<>~!]+)(?P<op>!=|>=|<=|[:=<>~])(?P<list>\[(?:[^\],]*,)*)?(?P<value>.*)", re.DOTALL
)
_PLAIN: Final = re.compile(r"[\w./@+%#-]+")


class Complete(Struct, kw_only=True):
    q: Annotated[str, Meta(description="The filter text so far.", max_length=10_000)] = ""
    at: Annotated[int, Meta(ge=0, le=10_000, description="Where the cursor stands in it, in characters.")] = 10_000
    start: Time = ""
    end: Time = ""


class Suggestion(Struct, kw_only=True):
    text: str
    """What takes the place of the text from `start` to `end`."""
    kind: Literal["field", "operator", "value", "scope"]
    then: str = ""
    """The comparison that usually follows a field."""
    count: float | None = None
    """Spans in the window that have this value."""


class Mistake(Struct):
    message: str
    position: int | None


class Completion(Struct, kw_only=True):
    start: int
    end: int
    items: list[Suggestion]
    error: Mistake | None
    """Why the whole text cannot be read as it stands."""


class Word(NamedTuple):
    """The part of the text that is being typed: from `start` to the cursor."""

    start: int
    text: str
    field: str = ""
    """Where a value is typed: of which field."""


async def complete(call: Call) -> Response:
    asked: Complete = call.query
    now_ns = time.time_ns()
    query = Query(
        project=call.project, start_ns=moment("start", asked.start, ALL_TIME[0], now_ns),
        end_ns=moment("end", asked.end, ALL_TIME[1], now_ns),
    )  # fmt: skip
    word = word_before(asked.q, min(asked.at, len(asked.q)))
    items = await call.ask(lambda: suggestions(call.server.storage, query, word))
    end = word.start + len(word.text)
    return await answer(call, Completion(start=word.start, end=end, items=items[:_MOST], error=mistake(asked.q)))


def word_before(text: str, at: int) -> Word:
    """What is being typed at the cursor."""
    start = quotes = 0
    for place, sign in enumerate(text[:at]):
        if sign == '"':
            quotes += 1
        elif quotes % 2 == 0 and (sign.isspace() or sign in "()"):
            start = place + 1
    while text[start:at].startswith("-"):
        start += 1
    found = _VALUE.fullmatch(text[start:at])
    if found is None:
        return Word(start, text[start:at])
    return Word(start + found.start("value"), found["value"], found["field"])


def suggestions(storage: Storage, query: Query, word: Word) -> list[Suggestion]:
    """What may stand in the place of the word, the likely first."""
    return _values(storage, query, word) if word.field else _fields(word.text)


def _fields(typed: str) -> list[Suggestion]:
    prefix = typed.lower()
    items = [
        Suggestion(text=name, kind="field", then=_THEN[FIELDS[name]] if name in FIELDS else "")
        for name in (*FIELDS, *PREFIXES)
        if name.startswith(prefix)
    ]
    items += [Suggestion(text=scope, kind="scope") for scope in _SCOPES if scope.startswith(prefix)]
    try:
        ops = _OPS[check_field(typed)]
    except QueryError:
        return items
    return [*(Suggestion(text=typed + op, kind="operator") for op in ops), *items]


def _values(storage: Storage, query: Query, word: Word) -> list[Suggestion]:
    prefix = word.text.removeprefix('"').casefold()
    try:
        with time_limit(_SECONDS):
            known = _known(storage, query, word.field)
    except QueryTimeout:
        known = dict.fromkeys(_FIXED.get(word.field, ()))
    except QueryError:
        return []
    fits = [value for value in known if value and prefix in value.casefold()]
    fits.sort(key=lambda value: (not value.casefold().startswith(prefix), -(known[value] or 0.0), key_order(value)))
    return [Suggestion(text=_quoted(value), kind="value", count=known[value]) for value in fits[:_MOST]]


def _known(storage: Storage, query: Query, field: str) -> dict[str, float | None]:
    """Values of a field, with counts where spans are grouped by it. Raises QueryError for an unknown field."""
    if check_field(field) == "number" and field != "level":
        return {}
    known: dict[str, float | None] = dict.fromkeys(_FIXED.get(field, ()))
    if field in {"has", "level", "input", "output"}:
        return known
    try:
        check_grouping(Grouping(by=(field,)))
    except QueryError:
        return known | dict.fromkeys(storage.values(field, msgspec.structs.replace(query, limit=1_000)))
    return known | {key: count for key, count in counted(storage, query, field).items() if key is not None}


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def mistake(text: str) -> Mistake | None:
    """Why a filter text cannot be read; None where it can."""
    try:
        parse_filter(text)
    except QueryError as error:
        return Mistake(str(error), error.position)
    return None


ROUTES: Final = (
    Route(
        method="GET", path="/api/complete", scope="read", handler=complete, tag="figures", query=Complete,
        answer=Completion, summary="What may stand next in a filter text, and what is wrong with it.",
        audit="figures.read",
    ),
)  # fmt: skip
