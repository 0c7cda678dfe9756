r"""The filter language: what a user types -> a filter tree, and back. What a tree means stands in `query.py`.

Reading and writing stand in one file since each has to undo the other.

    kind:llm model:[gpt-4o,gpt-4.1] latency>2s        all of them; also with AND between
    -status:error (cost>=$0.05 OR tokens>10k)          not, brackets, or
    any(kind:tool status:error) root(name:"POST /chat") of the same trace; also none( parent( child(
    refund "no receipt" attr.customer.tier=gold        words and phrases in names and messages

- `:` means equal for words (`model`) and numbers, and "contains, in any case" for texts (`name`, `error`, `input`,
  `output`, attr.KEY, resource.KEY). `=` is always equal, `~` an RE2 pattern, `field:*` that the field is there.
- `field:[a,b]` is any of them. Values with spaces, brackets or commas are quoted; `\"` and `\\` stand for `"` and `\`.
- Times are seconds or 150ms, 2s, 1.5m, 2h; costs may begin with $; numbers may end in k, M or G.
- A level by name means the whole level: `level:error` is 17 to 20, `level>=warning` 13 and above, `level>error` 21 up.
- For attr.KEY and resource.KEY an unquoted number, true or false means that number or that text; quoted it is text.
"""

import difflib
import math
import re
from decimal import Decimal
from typing import Final, Literal, NamedTuple, cast, get_args

import re2  # pyright: ignore[reportMissingTypeStubs]

from vestigo.errors import QueryError
from vestigo.matching import tokens
from vestigo.query import (
    FIELDS,
    HAS,
    PREFIXES,
    And,
    Compare,
    Filter,
    Not,
    OneOf,
    Op,
    Or,
    Scalar,
    Text,
    Within,
    check_field,
    pattern,
)
from vestigo.record import Kind, Status

MAX_CHARACTERS: Final = 10_000
MAX_DEPTH: Final = 64
"""Brackets, scopes and negations inside each other."""

Scope = Literal["any", "none", "root", "parent", "child"]


def parse_filter(text: str) -> Filter | None:
    """A filter as a tree; None for a text without terms. Raises QueryError with the position of the mistake.

    `And` and `Or` have at least two parts and none of their own kind, `OneOf` at least two values.
    """
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the filter has {len(text)} characters; {MAX_CHARACTERS} are allowed", MAX_CHARACTERS)
    reader = _Reader(text)
    if reader.at_end():
        return None
    found = reader.either(0)
    if not reader.at_end():
        raise QueryError("')' closes nothing; remove it or quote it", reader.at)
    return found


def filter_text(filter_: Filter | None) -> str:
    """The text of a tree, which is read again as the same tree if `parse_filter` made it.

    Other trees get a text that means the same, with two exceptions: a number compared with an attribute also means
    its text, and other values than texts in word fields become texts. Raises QueryError for what no text says: an
    empty And or Or inside a filter, words without a letter.
    """
    if filter_ is None or filter_ == And(()):
        return ""
    return _written(filter_, "or")


# --- reading


_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_NAME: Final = re.compile(r'(?:[^\s()":=<>~!]|!(?!=))*')
_OP: Final = re.compile(r":|!=|>=|<=|=|>|<|~")
_SPACE: Final = re.compile(r"\s*")
_BARE: Final = re.compile(r'[^\s()"]+')
_BARE_ITEM: Final = re.compile(r'[^\s()",\[\]]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r'\\(["\\])')


class _Word(NamedTuple):
    """A value as it was typed."""

    text: str
    quoted: bool
    at: int


class _Reader:
    """A cursor in the text. Each method reads one thing and leaves the cursor behind it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def at_end(self) -> bool:
        self._skip_space()
        return self.at == len(self._text)

    def either(self, depth: int) -> Filter:
        """or := and ("OR" and)*"""
        if depth > MAX_DEPTH:
            raise QueryError(f"brackets and negations are more than {MAX_DEPTH} deep", self.at)
        parts = [self._all(depth)]
        while self._keyword("OR"):
            parts.append(self._all(depth))
        return _either(parts)

    def _all(self, depth: int) -> Filter:
        """and := unary ("AND"? unary)*"""
        parts = [self._unary(depth)]
        while True:
            joined = self._keyword("AND")
            if not joined and (self.at_end() or self._peek() == ")" or self._keyword("OR", stay=True)):
                return _all(parts)
            parts.append(self._unary(depth))

    def _unary(self, depth: int) -> Filter:
        start = self.at
        if self.at_end() or self._peek() == ")" or self._keyword("OR", stay=True) or self._keyword("AND", stay=True):
            raise QueryError("a term is missing here", self.at)
        if self._peek() == "-":
            self.at += 1
            if depth >= MAX_DEPTH:
                raise QueryError(f"brackets and negations are more than {MAX_DEPTH} deep", self.at)
            if self.at == len(self._text) or self._peek().isspace():
                raise QueryError("'-' stands alone; put it before a term, or quote it", start)
            return Not(self._unary(depth + 1))
        if self._peek() == "(":
            return self._group(depth)
        if self._peek() == '"':
            return _phrase(self._quoted())
        return self._term(depth)

    def _group(self, depth: int) -> Filter:
        """The filter in brackets; the cursor stands on the opening one."""
        start = self.at
        self.at += 1
        if not self.at_end() and self._peek() == ")":
            raise QueryError("there is nothing between the brackets", start)
        found = self.either(depth + 1)
        if self.at_end():
            raise QueryError("'(' is not closed; add a ')'", start)
        self.at += 1
        return found

    def _term(self, depth: int) -> Filter:
        start = self.at
        name = self._match(_NAME)
        if name in PREFIXES and self._peek() == '"':
            name += self._quoted().text
        op = self._match(_OP)
        if not op:
            return self._scope(name, start, depth) if self._peek() == "(" else _phrase(_Word(name, False, start))
        if not name:
            raise QueryError(f"a field is missing before {op!r}; name one, or quote the text", start)
        self._check_name(name, op, start)
        if op == ":" and self._star():
            return Compare(name, "exists")
        return _comparison(name, op, self._values(name, op), start)

    def _scope(self, name: str, start: int, depth: int) -> Filter:
        for scope in _SCOPES:
            if name == scope:
                return Within(scope, self._group(depth))
        raise QueryError(
            f"'{name}(' is none of any( none( root( parent( child(; quote it to search for the text", start
        )

    def _check_name(self, name: str, op: str, start: int) -> None:
        try:
            check_field(name)
        except QueryError as error:
            rest = self._match(_BARE)
            if op == ":" and (rest.startswith("//") or (name[-1].isdigit() and rest[:1].isdigit())):
                raise QueryError(f'{name!r} is no field; quote the text: "{name}:{rest}"', start) from None
            raise QueryError(str(error), start) from None

    def _values(self, name: str, op: str) -> list[_Word]:
        """One value, or those of a list."""
        start = self.at
        if self._peek() != "[":
            return [self._value(name, _BARE)]
        if op not in {":", "="}:
            raise QueryError(f"a list goes with ':' or '=', not with {op!r}", start)
        self.at += 1
        words: list[_Word] = []
        while True:
            self._skip_space()
            words.append(self._value(name, _BARE_ITEM))
            self._skip_space()
            if self._peek() == "]":
                self.at += 1
                return words
            if self._peek() != ",":
                raise QueryError("'[' is not closed; write [a,b]", start)
            self.at += 1

    def _value(self, name: str, bare: re.Pattern[str]) -> _Word:
        if self._peek() == '"':
            return self._quoted()
        start = self.at
        text = self._match(bare)
        if not text:
            raise QueryError(f"a value is missing for {name!r}; give one, in quotes if it has brackets", start)
        if self._peek() == "(":
            raise QueryError(f'quote a value with brackets: {name}:"{text}(..."', start)
        return _Word(text, False, start)

    def _quoted(self) -> _Word:
        start = self.at
        found = _QUOTED.match(self._text, start)
        if found is None:
            raise QueryError("the quote is not closed; add a '\"'", start)
        self.at = found.end()
        return _Word(_ESCAPE.sub(r"\1", found[1]), True, start)

    def _star(self) -> bool:
        after = self._text[self.at + 1 : self.at + 2]
        if self._peek() == "*" and (not after or after.isspace() or after == ")"):
            self.at += 1
            return True
        return False

    def _keyword(self, word: str, *, stay: bool = False) -> bool:
        """Whether a keyword stands here, alone; it is read unless told to stay."""
        self._skip_space()
        end = self.at + len(word)
        after = self._text[end : end + 1]
        found = self._text[self.at : end] == word and (not after or after.isspace() or after in "()")
        if found and not stay:
            self.at = end
        return found

    def _peek(self) -> str:
        return self._text[self.at : self.at + 1]

    def _skip_space(self) -> None:
        self._match(_SPACE)

    def _match(self, expected: re.Pattern[str]) -> str:
        found = expected.match(self._text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]


def _all(parts: list[Filter]) -> Filter:
    flat = [inner for part in parts for inner in (part.filters if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def _either(parts: list[Filter]) -> Filter:
    flat = [inner for part in parts for inner in (part.filters if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def _phrase(word: _Word) -> Filter:
    if not tokens(word.text):
        raise QueryError(
            f"{word.text!r} has no letters or digits to search for; input~ and output~ find signs", word.at
        )
    return Text(word.text)


# --- what a comparison means


_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "kind": get_args(Kind), "status": tuple(status.lower() for status in get_args(Status)), "has": HAS,
}  # fmt: skip
_LOWER: Final = frozenset({*_CHOICES, "trace", "span"})
_LEVELS: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21}
_LEVEL_WIDTH: Final = 4
_TIMES: Final = {"us": "0.000001", "ms": "0.001", "": "1", "s": "1", "m": "60", "h": "3600", "d": "86400"}
_SIZES: Final = {"": "1", "k": "1000", "K": "1000", "M": "1000000", "G": "1000000000"}
_NUMBER: Final = re.compile(r"(\$?)([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([a-zA-Z]*)")
_LITERAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def _comparison(field: str, op: str, words: list[_Word], start: int) -> Filter:
    if field == "level":
        return _either([_level(op, word) for word in words])
    kind = check_field(field)
    if op == "~":
        return _matching(field, words[0], start)
    if op == ":" and kind == "text":
        return _either([_contained(field, word) for word in words])
    for word in words:
        if kind == "word" and op == ":" and "*" in word.text and not word.quoted:
            raise QueryError(f"'*' alone means any value; for a pattern write {field}~, or quote it", word.at)
    if op in {":", "="} and len(words) > 1:
        return OneOf(field, tuple(value for word in words for value in _values(field, op, word)))
    return _equal(field, "=" if op == ":" else cast("Op", op), words[0])


def _contained(field: str, word: _Word) -> Filter:
    if _own(field) and _literal(word) is not None:
        return _equal(field, "=", word)
    return Compare(field, "contains", word.text)


def _equal(field: str, op: Op, word: _Word) -> Filter:
    parts = [Compare(field, op, value) for value in _values(field, op, word)]
    if op in {"=", "!="}:
        return _either([*parts]) if op == "=" else _all([*parts])
    literal = isinstance(parts[0].value, bool)  # which is neither more nor less than anything, as a text is
    return parts[-1] if literal else parts[0]


def _values(field: str, op: str, word: _Word) -> list[Scalar]:
    """What the value may be: for attributes a number and a text, else one."""
    if _own(field):
        literal = _literal(word)
        return [word.text] if literal is None else [literal, word.text]
    if check_field(field) == "number":
        if field.startswith("score.") and (word.quoted or _literal(word) is None):
            return [word.text]
        return [_number(field, word)]
    text = word.text.lower() if field in _LOWER and op in {":", "=", "!="} else word.text
    if field in _CHOICES and op in {":", "=", "!="} and text not in _CHOICES[field]:
        near = difflib.get_close_matches(text, _CHOICES[field], 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_CHOICES[field])}"
        raise QueryError(f"unknown {field} {text!r}; {remedy}", word.at)
    return [text]


def _matching(field: str, word: _Word, start: int) -> Filter:
    if field in FIELDS and FIELDS[field] == "number":
        raise QueryError(f"{field!r} is a number and matches no pattern", start)
    try:
        pattern(word.text)
    except QueryError as error:
        raise QueryError(str(error), word.at) from None
    return Compare(field, "~", word.text)


def _level(op: str, word: _Word) -> Filter:
    lowest = _LEVELS.get(word.text.lower())
    if op == "~":
        raise QueryError("'level' is a number and matches no pattern", word.at)
    if lowest is None:
        return Compare("level", "=" if op == ":" else cast("Op", op), _number("level", word))
    highest = lowest + _LEVEL_WIDTH - 1
    match op:
        case ">" | "<=":
            return Compare("level", op, highest)
        case ">=" | "<":
            return Compare("level", op, lowest)
        case "!=":
            return Or((Compare("level", "<", lowest), Compare("level", ">", highest)))
        case _:
            return And((Compare("level", ">=", lowest), Compare("level", "<=", highest)))


def _own(field: str) -> bool:
    """Whether the program chose the field and the type of its values."""
    return field.startswith(("attr.", "resource."))


def _literal(word: _Word) -> int | float | bool | None:
    """The number or boolean that an unquoted value may be."""
    if word.quoted:
        return None
    if word.text.lower() in {"true", "false"}:
        return word.text.lower() == "true"
    number = _plain(Decimal(word.text), word.text) if _LITERAL.fullmatch(word.text) else None
    return None if number is None or math.isinf(number) else number


def _number(field: str, word: _Word) -> int | float:
    found = _NUMBER.fullmatch(word.text)
    units = _TIMES if field in {"latency", "ttft"} else _SIZES
    if found is None or found[3] not in units or (found[1] and field != "cost"):
        example = {"latency": "2s or 150ms", "ttft": "300ms", "cost": "$0.05", "level": "error"}.get(
            field, "10 or 1.5k"
        )
        raise QueryError(f"{field} takes a number such as {example}, not {word.text[:40]!r}", word.at)
    value = _plain(Decimal(found[2]) * Decimal(units[found[3]]), found[2])
    if math.isinf(value):
        raise QueryError(f"{word.text[:40]!r} is too large", word.at)
    return value


def _plain(number: Decimal, text: str) -> int | float:
    """An integer where it is one, up to 64 bits if digits only were typed, so that large ids stay exact."""
    limit = _MAX_INTEGER if text.lstrip("+-").isdigit() else _MAX_WHOLE_FLOAT
    if abs(number) < limit and number == number.to_integral_value():
        return int(number)
    return float(number)


_MAX_INTEGER: Final = 1 << 63
_MAX_WHOLE_FLOAT: Final = 1 << 53


# --- writing


_PLAIN_VALUE: Final = re.compile(r"[\w./@+%#-]+")
_PLAIN_WORD: Final = re.compile(r"\w[\w.'@-]*")
_PLAIN_KEY: Final = re.compile(r"[\w./@%$-]+")


def _written(filter_: Filter, inside: Literal["or", "and", "not"]) -> str:
    """The text, in brackets where its place asks for them."""
    match filter_:
        case And(filters) | Or(filters):
            return _joined(filter_, filters, inside)
        case Not(part):
            return "-" + _written(part, "not")
        case Within(scope, part):
            return f"{scope}({_written(part, 'or')})"
        case Text(words):
            _phrase(_Word(words, False, 0))
            return words if _PLAIN_WORD.fullmatch(words) and words not in {"OR", "AND"} else _quote(words)
        case OneOf(field, values):
            op = "=" if check_field(field) == "text" else ":"
            return f"{_key(field)}{op}[{','.join(_items(field, values))}]"
        case Compare(field, op, value):
            return _compared(field, op, value)


def _joined(filter_: And | Or, filters: tuple[Filter, ...], inside: str) -> str:
    if not filters:
        raise QueryError("an empty And or Or inside a filter has no text; leave it out")
    own, op, glue = ("and", "!=", " ") if isinstance(filter_, And) else ("or", "=", " OR ")
    parts: list[Filter | str] = []
    for part in filters:
        pair = _pair(parts[-1], part, op) if parts and not isinstance(parts[-1], str) else None
        if pair is None:
            parts.append(part)
        else:
            parts[-1] = pair
    if len(parts) == 1:
        return parts[0] if isinstance(parts[0], str) else _written(parts[0], cast("Literal['or']", inside))
    text = glue.join(part if isinstance(part, str) else _written(part, own) for part in parts)
    return f"({text})" if inside == "not" or (inside, own) == ("and", "or") else text


def _pair(first: Filter, second: Filter, op: str) -> str | None:
    """A number and its text compared with one attribute, as the one term that means both."""
    match first, second:
        case Compare(field, one, number), Compare(other, two, str(text)) if field == other and one == two == op:
            return f"{_key(field)}{op}{text}" if _is_pair(field, number, text) else None
        case _:
            return None


def _items(field: str, values: tuple[Scalar, ...]) -> list[str]:
    items: list[str] = []
    for before, value in zip(("", *values), values, strict=False):
        if isinstance(value, str) and _is_pair(field, before, value):
            items[-1] = value
        else:
            items.append(_value_text(field, value))
    return items


def _is_pair(field: str, number: Scalar, text: str) -> bool:
    literal = _literal(_Word(text, False, 0))
    return (
        _own(field)
        and literal is not None
        and isinstance(literal, bool) == isinstance(number, bool)
        and literal == number
    )


def _compared(field: str, op: Op, value: Scalar) -> str:
    key = _key(field)
    if op == "exists":
        return f"{key}:*"
    if op == "contains":
        if check_field(field) == "text":
            return f"{key}:{_value_text(field, value)}"
        return f"{key}~{_quote('(?i)' + re2.escape(str(value)))}"
    written = ":" if op == "=" and check_field(field) != "text" else op
    return f"{key}{written}{_quote(str(value)) if op == '~' else _value_text(field, value)}"


def _value_text(field: str, value: Scalar) -> str:
    if isinstance(value, str):
        ambiguous = (_own(field) or field.startswith("score.")) and _literal(_Word(value, False, 0)) is not None
        return value if _PLAIN_VALUE.fullmatch(value) and not ambiguous else _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    before, after = _SIGNS.get(field, ("", ""))
    return f"{before}{value!r}{after}"


_SIGNS: Final = {"latency": ("", "s"), "ttft": ("", "s"), "cost": ("$", "")}


def _key(field: str) -> str:
    for prefix in PREFIXES:
        if field.startswith(prefix) and not _PLAIN_KEY.fullmatch(field):
            return prefix + _quote(field.removeprefix(prefix))
    return field


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "filter_text", "parse_filter"]
