"""Hides secrets and personal data in records before anything is kept or sent: the same code in library and server.

Knows where to look: key names at any depth, text, JSON inside text, every field of a record. What a secret looks like
is in `detectors.py` and `keynames.py`. Fails closed: a rule that raises hides the value, and is counted. Longer than
other modules because it walks every field of every record in one place.
"""

import base64
import functools
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
import re2  # pyright: ignore[reportMissingTypeStubs]

from vestigo import diagnostics
from vestigo.detectors import DETECTORS, Find, Form, Gate, compile_detector, compile_pattern, expand
from vestigo.errors import SettingsError
from vestigo.keynames import MARKED, find_pairs, is_secret_key, pair_gate, pair_pattern, plain_name
from vestigo.record import Attributes, Batch, Log, Point, Resource, Scope, Span
from vestigo.settings import ServerSettings, Settings
from vestigo.values import pack, unpack

Mode: TypeAlias = Literal["replace", "last4", "hash"]
TextRule: TypeAlias = Callable[[str], str]
"""A user's rule: text -> the text without what it hides, or the same text."""

MARK: Final = "[REDACTED]"
MAX_DEPTH: Final = 100
"""Containers and JSON in text nested deeper than this are hidden unread."""

_BYTES: Final = "base64:"  # how records write OTLP bytes
_MIN_BYTES: Final = 5  # "pwd=x": nothing shorter can be told from a word
_MEMO_CHARS: Final = 64
_MEMO_ITEMS: Final = 20_000  # short clean texts repeat: roles, names, ids
_KEY_ITEMS: Final = 10_000
_BLOB_CHARS: Final = 1_024
_BLOB: Final = compile_pattern(r"(?:data:[\w/+.;=-]+;base64,)?[A-Za-z0-9+/_\s-]+=*\s*")
_HASHED_HEX: Final = 8
_LAST4_CHARS: Final = 10  # of a shorter secret four characters tell too much
_SHOWABLE: Final = compile_pattern(r"[^\s\[\]\"'\\]+")
_PROCESS_KEY: Final = secrets.token_bytes(
    32
)  # one for all redactors of the process, so that equal values stay joinable
_SCHEMA_TYPES: Final = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))
_SCHEMA_WORDS: Final = frozenset(
    ("type", "title", "description", "format", "minLength", "maxLength", "minimum", "maximum")
)

_HARMLESS: Final = (False, None)
"""What is remembered of a key that neither says secret nor holds one."""
_NUMBERS: Final = frozenset((int, float, bool, type(None)))
_RULE_NAME: Final = compile_pattern(r"[A-Za-z][\w-]*")
_NO_PATTERNS: Final[Mapping[str, str]] = MappingProxyType({})

Part = TypeVar("Part", Resource, Scope)


class Rule(NamedTuple):
    """What `Redactor.describe` tells of one rule."""

    name: str
    kind: Literal["key names", "secret", "personal", "phone", "pattern", "function"]
    on: bool


class Redactor:
    """Hides what must not be kept. Safe from any thread; takes any value, never raises after it was made.

    `replace` writes `[REDACTED]`; `last4` writes `[REDACTED:…1234]` where at least 12 characters were hidden; `hash`
    writes `[REDACTED:rule:hhhhhhhh]`, where equal values under one `hash_key` have equal h, and 8 hex digits cannot be
    turned back. What is hidden already stays as it is. Counts each hiding as `redacted.<rule>` and each rule that
    raised as `redactor_error`.
    """

    def __init__(
        self,
        *,
        personal: bool = False,
        phone: bool = False,
        mode: Mode = "replace",
        hash_key: bytes | None = None,
        keys: Iterable[str] = (),
        keep_keys: Iterable[str] = (),
        patterns: Mapping[str, str] = _NO_PATTERNS,
        rules: Iterable[TextRule] = (),
        counters: diagnostics.Counters | None = None,
    ) -> None:
        """Raises SettingsError. `keys` and `keep_keys` are compared without case, dash, underscore and dot, to the
        whole name or to its part after the last dot; `keep_keys` wins. `patterns` are RE2, name -> pattern, and hide
        what they match. `rules` see every text after the patterns did, but no key names; without a `hash_key` the key
        is random per process.
        """
        if mode not in ("replace", "last4", "hash"):
            raise SettingsError(f"redaction mode {mode!r} makes no sense; give replace, last4 or hash")
        if hash_key is not None and not (isinstance(hash_key, bytes) and hash_key):
            raise SettingsError("the redaction hash key is empty or no bytes; give bytes, or None for a random one")
        self._mode: Mode = mode
        self._hash_key = hash_key or _PROCESS_KEY
        self._personal, self._phone = bool(personal), bool(phone)
        self._more_keys = _plain_names("keys", keys)
        self._kept_keys = _plain_names("keep_keys", keep_keys)
        self._patterns = _compile_patterns(patterns)
        self._rules = _named_rules(rules)
        self._counters = diagnostics.counters if counters is None else counters
        names = tuple(sorted(self._more_keys))
        self._pairs = compile_pattern(pair_pattern(names))
        self._all = self._gate(names, personal=self._personal, phone=self._phone)
        self._secrets = self._gate(names, personal=False, phone=False) if self._personal or self._phone else self._all
        self._key_memo: dict[str, tuple[bool, str | None]] = {}
        self._clean: dict[str, None] = {}
        self._min_bytes = 0 if self._patterns or self._rules else _MIN_BYTES

    def span(self, span: Span) -> bool:
        """Redact in place. True if anything changed: then the span's normal form needs computing again.

        Resource and scope are shared between records and are replaced, not changed.
        """
        before = (span.name, span.status_message, span.trace_state, span.attributes, span.resource, span.scope)
        span.name = self.text(span.name)
        span.status_message = self.text(span.status_message)
        span.trace_state = self.text(span.trace_state)
        span.attributes = self._attributes(span.attributes)
        span.resource = self._part(span.resource)
        span.scope = self._part(span.scope)
        after = (span.name, span.status_message, span.trace_state, span.attributes, span.resource, span.scope)
        changed = any(old is not new for old, new in zip(before, after, strict=True))
        for event in span.events:
            name, attributes = self.text(event.name), self._attributes(event.attributes)
            changed = changed or name is not event.name or attributes is not event.attributes
            event.name, event.attributes = name, attributes
        for link in span.links:
            state, attributes = self.text(link.trace_state), self._attributes(link.attributes)
            changed = changed or state is not link.trace_state or attributes is not link.attributes
            link.trace_state, link.attributes = state, attributes
        return changed

    def log(self, log: Log) -> bool:
        """Redact in place. True if anything changed."""
        before = (log.body, log.event_name, log.attributes, log.resource, log.scope)
        log.body = self.value(log.body)
        log.event_name = self.text(log.event_name)
        log.attributes = self._attributes(log.attributes)
        log.resource = self._part(log.resource)
        log.scope = self._part(log.scope)
        after = (log.body, log.event_name, log.attributes, log.resource, log.scope)
        return any(old is not new for old, new in zip(before, after, strict=True))

    def point(self, point: Point) -> None:
        """Redact in place."""
        point.name, point.unit = self.text(point.name), self.text(point.unit)
        point.description = self.text(point.description)
        point.attributes = self._attributes(point.attributes)
        point.resource = self._part(point.resource)
        point.scope = self._part(point.scope)

    def batch(self, batch: Batch) -> list[Span]:
        """Redact every record in place. Returns the spans that changed: their normal form needs computing again."""
        for log in batch.logs:
            self.log(log)
        for point in batch.points:
            self.point(point)
        return [span for span in batch.spans if self.span(span)]

    def value(self, value: Any) -> Any:
        """The same object if nothing was hidden, else a new one; the given one is never changed.

        Reads text, dicts, lists and tuples; other types are returned as they are. Numbers are hidden by key name only.
        """
        try:
            return self._value(value, 0)
        except Exception:
            return self._failed("value")

    def text(self, text: str) -> str:
        """The same object if nothing was hidden."""
        try:
            return self._text(text, 0)
        except Exception:
            return self._failed("text")

    def describe(self) -> list[Rule]:
        """Every rule there is, in the order of application, with whether it is on."""
        on = {"secret": True, "personal": self._personal, "phone": self._phone}
        forms = dict.fromkeys(Rule(form.name, form.kind, on[form.kind]) for form in DETECTORS)
        patterns = [Rule(form.name, "pattern", True) for form, _ in self._patterns]
        functions = [Rule(name, "function", True) for name, _ in self._rules]
        return [Rule("key", "key names", True), *forms, *patterns, *functions]

    def _gate(self, names: tuple[str, ...], *, personal: bool, phone: bool) -> Gate:
        on = {"secret": True, "personal": personal, "phone": phone}
        forms = [(compile_detector(form), expand(form.gate or form.pattern)) for form in DETECTORS if on[form.kind]]
        try:
            return Gate([*forms, *self._patterns], hints=(pair_gate(names), r"\\u00[2-7]"))
        except re2.error as error:
            given = ", ".join(form.name for form, _ in self._patterns) or "none"
            raise SettingsError(f"patterns {given}: {_reason(error)}; give fewer or shorter ones") from None

    def _attributes(self, attributes: Attributes) -> Attributes:
        try:
            keys = self._key_memo
            if "value" not in attributes and not [key for key in attributes if keys.get(key) != _HARMLESS]:
                return self._plain(attributes)
            return self._dict(attributes, 0)
        except Exception:
            return {MARK: self._failed("attributes")}

    def _part(self, part: Part) -> Part:
        attributes = self._attributes(part.attributes)
        return part if attributes is part.attributes else msgspec.structs.replace(part, attributes=attributes)

    def _value(self, value: Any, depth: int, *, schema: bool = False) -> Any:
        if isinstance(value, str):
            return self._text(value, depth)
        if not isinstance(value, dict | list | tuple):
            return value
        if depth >= MAX_DEPTH:
            self._counters.add("redacted.depth")
            return MARK
        return self._dict(value, depth, schema=schema) if isinstance(value, dict) else self._list(value, depth)

    def _plain(self, mapping: Attributes) -> Attributes:
        """As `_dict` for a record's attributes none of whose names says anything: a loop without calls, mostly."""
        clean = self._clean
        changed: Attributes = {}
        for key, item in mapping.items():
            if type(item) is str:
                new = item if item in clean else self._text(item, 1)
            elif type(item) in _NUMBERS:
                continue
            else:
                new = self._value(item, 1, schema=key == "properties")
            if new is not item:
                changed[key] = new
        return {**mapping, **changed} if changed else mapping

    def _dict(self, mapping: dict[Any, Any], depth: int, *, schema: bool = False) -> dict[Any, Any]:
        kept: dict[Any, Any] = {}
        changed = False
        named = _names_secret(mapping, self._is_secret)
        for key, item in mapping.items():
            known = self._key_memo.get(key)
            secret, shown = known if known is not None else self._key(key)
            if (secret or (named and key == "value")) and not _is_harmless(mapping, key, item, schema=schema):
                new = self._hide_whole(item)
            else:
                new = self._value(item, depth + 1, schema=key == "properties")
            changed = changed or new is not item or shown is not None
            name = key if shown is None else shown
            kept[_free_key(kept, name) if name in kept else name] = new
        return kept if changed else mapping

    def _list(self, items: Any, depth: int) -> Any:
        kept = [self._item(item, depth) for item in items]
        if all(new is old for new, old in zip(kept, items, strict=True)):
            return items
        return tuple(kept) if isinstance(items, tuple) else kept

    def _item(self, item: Any, depth: int) -> Any:
        """One of a list; a pair of name and text, as headers are often listed, counts as an entry of a dict."""
        if isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], str):
            hidden = self._hide_whole(item[1]) if item[1] and self._is_secret(item[0]) else item[1]
            if hidden is not item[1]:
                return (item[0], hidden) if isinstance(item, tuple) else [item[0], hidden]
        return self._value(item, depth + 1)

    def _key(self, key: Any) -> tuple[bool, str | None]:
        """Whether the name says secret, and the name without the secrets in itself or None. Remembered."""
        if not isinstance(key, str):
            return False, None
        known = self._is_secret(key), self._scan(key, self._all, pairs=True)
        if len(self._key_memo) >= _KEY_ITEMS:
            self._key_memo.clear()
        if len(key) <= 256:
            self._key_memo[key] = known
        return known

    def _is_secret(self, key: str) -> bool:
        if key.startswith(_BYTES):  # header names of ASGI are bytes
            key = _decode_bytes(key) or ""
        if self._kept_keys or self._more_keys:
            names = {plain_name(key), plain_name(key.rpartition(".")[2])}
            if names & self._kept_keys:
                return False
            if names & self._more_keys:
                return True
        return is_secret_key(key)

    def _text(self, text: str, depth: int) -> str:
        short = len(text) <= _MEMO_CHARS
        if len(text) < self._min_bytes or (short and text in self._clean):
            return text
        shown = self._find(str.__str__(text), depth)
        shown = self._apply_rules(text if shown is None else shown)
        if short and shown is text and not self._rules:
            if len(self._clean) >= _MEMO_ITEMS:
                self._clean.clear()
            self._clean[text] = None
        return shown

    def _find(self, text: str, depth: int) -> str | None:
        """The text with what the detectors and patterns hide, or None if that is nothing."""
        if text.startswith(_BYTES):
            return self._find_in_bytes(text)
        gate = self._secrets if len(text) >= _BLOB_CHARS and _is_blob(text) else self._all
        data = _encode(text)
        found = gate.match(data)
        if not found:
            return None
        hints = {number for number in found if number >= gate.forms}
        if hints and text.lstrip()[:1] in ("{", "[", '"'):
            is_json, shown = self._find_in_json(text, depth)
            if shown is not None:
                return self._scan(shown, gate, pairs=False) or shown
            return self._replace(data, self._reaches(data, gate, found, pairs=not is_json))
        return self._replace(data, self._reaches(data, gate, found, pairs=bool(hints)))

    def _scan(self, text: str, gate: Gate, *, pairs: bool) -> str | None:
        data = _encode(text)
        return self._replace(data, self._reaches(data, gate, gate.match(data), pairs=pairs))

    def _reaches(self, data: bytes, gate: Gate, found: Iterable[int], *, pairs: bool) -> list[Find]:
        reaches = gate.reaches(data, found)
        if pairs:
            reaches += (
                (start, end, gate.forms, "key") for start, end in find_pairs(data, self._pairs, self._is_secret)
            )
        return reaches

    def _find_in_json(self, text: str, depth: int) -> tuple[bool, str | None]:
        """Whether the text is JSON, and its new form if anything in it was hidden."""
        if depth >= MAX_DEPTH:
            return False, None
        try:
            parsed = json.loads(text, object_pairs_hook=_single_keys)
        except (ValueError, RecursionError):
            return False, None
        shown = self._value(parsed, depth + 1)
        if shown is parsed:
            return True, None
        spaced = '": ' in text or '", ' in text
        separators = (", ", ": ") if spaced else (",", ":")
        return True, _encode(json.dumps(shown, ensure_ascii=False, separators=separators)).decode("utf-8", "replace")

    def _find_in_bytes(self, text: str) -> str | None:
        """OTLP bytes are base64 in our records; what they hold is read as text."""
        plain = _decode_bytes(text)
        if plain is None:
            return None
        shown = self._text(plain, MAX_DEPTH)
        return None if shown is plain else _BYTES + base64.b64encode(shown.encode("latin-1", "replace")).decode("ascii")

    def _replace(self, data: bytes, reaches: list[Find]) -> str | None:
        """Overlapping finds become one, named by the most telling of them."""
        if not reaches:
            return None
        reaches.sort()
        pieces: list[bytes] = []
        done = 0
        start, end, rank, name = reaches[0]
        for reach in reaches[1:]:
            if reach[0] < end:
                end = max(end, reach[1])
                rank, name = min((rank, name), reach[2:])
                continue
            pieces += (data[done:start], self._hide(name, data[start:end]))
            done = end
            start, end, rank, name = reach
        pieces += (data[done:start], self._hide(name, data[start:end]), data[end:])
        return b"".join(pieces).decode("utf-8", "replace")

    def _hide(self, name: str, found: bytes) -> bytes:
        self._counters.add(f"redacted.{name}")
        if self._mode == "hash":
            digest = hmac.new(self._hash_key, found, hashlib.sha256).hexdigest()[:_HASHED_HEX]
            return f"[REDACTED:{name}:{digest}]".encode()
        last = found.decode("utf-8", "replace")
        if self._mode == "last4" and len(last) >= _LAST4_CHARS and _SHOWABLE.fullmatch(last[-4:].encode()) is not None:
            return f"[REDACTED:…{last[-4:]}]".encode()
        return MARK.encode()

    def _hide_whole(self, item: Any) -> Any:
        """Stand in for all that a secret name holds; what is hidden already stays."""
        if isinstance(item, str):
            data = _encode(item)
            return item if MARKED.fullmatch(data) is not None else self._hide("key", data).decode()
        try:
            data = msgspec.json.encode(item, order="sorted")
        except Exception:  # whatever a caller put there; hidden it is all the same
            data = b""
        if isinstance(item, dict | list | tuple) and self._mode == "last4":
            data = b""
        return self._hide("key", data).decode()

    def _apply_rules(self, text: str) -> str:
        for name, rule in self._rules:
            try:
                shown = rule(text)
            except Exception:
                return self._failed(name)
            if not isinstance(shown, str):
                return self._failed(name)
            if shown != text:
                self._counters.add(f"redacted.{name}")
                text = shown
        return text

    def _failed(self, what: str) -> str:
        self._counters.add("redactor_error")
        self._counters.add("redacted.error")
        diagnostics.trouble(f"redact.{what}", f"redaction rule {what} failed; the value is hidden", exc_info=False)
        return MARK


def sanitize_for_logging(data: object) -> Any:
    """Plain data without secrets, of any value: JSON values in fresh containers, tuples and sets as lists.

    Never raises: what cannot be read, or nests too deep, becomes a marker in `<...>`. Bytes become `base64:...`.
    """
    return _default_redactor().value(unpack(pack(data)))


@functools.cache
def _default_redactor() -> Redactor:
    return Redactor()


def _plain_names(what: str, keys: Iterable[str]) -> frozenset[str]:
    if isinstance(keys, str | bytes):
        raise SettingsError(f"{what}={keys!r} is one text; give a list of key names")
    names: set[str] = set()
    for key in keys:
        name = plain_name(key) if isinstance(key, str) else ""
        if not name:
            raise SettingsError(f"key name {key!r} in {what} has no letter or digit; give a name such as 'card_pin'")
        names.add(name)
    return frozenset(names)


def _compile_patterns(patterns: Mapping[str, str]) -> list[tuple[Form, str]]:
    taken = {detector.name for detector in DETECTORS} | {"key", "depth", "error"}
    forms: list[tuple[Form, str]] = []
    for name, pattern in patterns.items():
        if _RULE_NAME.fullmatch(str(name).encode()) is None or name in taken:
            raise SettingsError(f"pattern name {name!r} is taken or no name; give letters, digits, dash and underscore")
        try:
            regex = compile_pattern(pattern)
        except (re2.error, AttributeError, UnicodeEncodeError) as error:
            raise SettingsError(
                f"pattern {name!r} ({pattern!r}) is not RE2: {_reason(error)}; see RE2's syntax page"
            ) from None
        if regex.fullmatch(b"") is not None:
            raise SettingsError(f"pattern {name!r} ({pattern!r}) matches empty text; make one character compulsory")
        forms.append((Form(name, regex, whole=True), pattern))
    return forms


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _named_rules(rules: Iterable[TextRule]) -> list[tuple[str, TextRule]]:
    named: list[tuple[str, TextRule]] = []
    for rule in rules:
        if not callable(rule):
            raise SettingsError(f"redaction rule {rule!r} cannot be called; give a function of text that returns text")
        named.append((str(getattr(rule, "__name__", type(rule).__name__)).strip("<>"), rule))
    return named


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates: become U+FFFD where the text is written anew
        return text.encode("utf-8", "surrogatepass")


def _decode_bytes(text: str) -> str | None:
    try:
        return base64.b64decode(text[len(_BYTES) :], validate=True).decode("latin-1")  # a character a byte, and back
    except ValueError:
        return None


def _is_blob(text: str) -> bool:
    """Long base64, also as a data URI: chance makes numbers in it that look personal."""
    return " " not in text[:256] and _BLOB.fullmatch(_encode(text)) is not None


def _single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name twice: one of its values would go unread")
    return mapping


def redactor_of(settings: Settings | ServerSettings, counters: diagnostics.Counters) -> Redactor | None:
    """The redactor that the settings ask for; None where nothing is to be hidden."""
    if settings.redact == "off":
        return None
    return Redactor(
        personal=settings.redact == "personal",
        phone=settings.redact_phone,
        mode=settings.redact_mode,
        hash_key=settings.redact_hash_key.encode() or None,
        keys=settings.redact_keys,
        counters=counters,
    )


def _names_secret(mapping: dict[Any, Any], is_secret: Callable[[str], bool]) -> bool:
    """`{"name": "api_key", "value": ...}`: how HAR files, form fields and OTLP JSON write an entry."""
    if "value" not in mapping:
        return False
    name = mapping.get("name") or mapping.get("key")
    return isinstance(name, str) and is_secret(name)


def _is_harmless(mapping: dict[Any, Any], key: str, item: Any, *, schema: bool) -> bool:
    """Nothing to hide in spite of the name: no value, a piece of text with its probability, a parameter's schema."""
    if item is None or item is True or item is False or item == "":
        return True
    if "logprob" in mapping and plain_name(key) == "token":
        return True
    return schema and isinstance(item, dict) and item.get("type") in _SCHEMA_TYPES and item.keys() <= _SCHEMA_WORDS


def _free_key(mapping: dict[Any, Any], key: Any) -> Any:
    """Two names that became equal must not cost an entry."""
    free, number = key, 2
    while free in mapping:
        free, number = f"{key} {number}", number + 1
    return free
