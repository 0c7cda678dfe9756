"""What a secret is called: key names of containers, and `name=value`, `"name": "value"`, `Name: value` in text.

Only tables and decisions; `redact.py` walks the records. Works on UTF-8 bytes, as RE2 does, and in linear time.
"""

# ruff: noqa: E501  a table is read by line

import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from vestigo.detectors import Reach, Regex, compile_pattern

_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "secret", "apikey", "accesskey", "privatekey", "signingkey",
    "encryptionkey", "masterkey", "subscriptionkey", "accountkey", "sharedkey", "servicekey", "sessionkey", "credential",
    "seedphrase", "recoverycode", "backupcode",
)  # fmt: skip
"""Secret wherever they stand in a name, unless `_ABOUT` follows."""

_ENDS: Final = (
    "authorization",
    "cookie",
    "cookies",
    "jwt",
    "bearer",
    "csrf",
    "xsrf",
    "pwd",
    "sessid",
    "jsessionid",
    "authkey",
    "authheader",
    "authorizationheader",
    "cookieheader",
)
"""Secret at the end of a name."""

_WHOLE: Final = frozenset(
    (
        "auth",
        "xauth",
        "basicauth",
        "httpauth",
        "pass",
        "dbpass",
        "userpass",
        "smtppass",
        "otp",
        "totp",
        "cvv",
        "cvv2",
        "cvc",
        "connectsid",
    )
)
"""Secret only as the whole name, or its part after the last dot."""

_ABOUT: Final = (
    "policy", "length", "strength", "type", "status", "count", "required", "enabled", "expir", "rotation", "manager",
    "name", "version", "age", "less", "ly", "changed", "updated", "ary", "ariat", "file", "path", "stdin", "reset", "provider",
)  # fmt: skip
"""What follows where a name tells about a secret and does not hold it: `password_policy`, `secretary`."""

_COUNTED: Final = (
    "prompt", "completion", "input", "output", "max", "min", "total", "num", "per", "stop", "eos", "bos", "pad", "unk",
    "mask", "sep", "cls", "special", "next", "page", "continuation", "first", "last", "cached", "reasoning", "thinking",
    "candidates", "new", "used", "remaining", "avg", "mean", "image", "audio", "text", "context", "chunk",
)  # fmt: skip
"""Before `token`: a piece of text and no key."""

_TOKEN_ABOUT: Final = (
    "count", "type", "limit", "usage", "id", "iz", "isation", "budget", "len", "rate", "price", "cost", "position", "index",
    "logprob", "prob", "text", "used", "expir", "ttl", "endpoint", "uri", "url", "name", "class", "detail", "file", "path",
)  # fmt: skip
"""After `token`: the same."""

_TOKENS: Final = ("access", "refresh", "auth", "api", "bearer", "session", "secret", "device", "push", "csrf", "bot")
"""Before `tokens`: keys after all."""


def plain_name(key: str) -> str:
    """A key name without case, dashes, underscores, dots and the like."""
    if not key.isascii():
        key = unicodedata.normalize("NFKC", key)
    return "".join(char for char in key.casefold() if char.isalnum())


def is_secret_key(key: str) -> bool:
    """Whether what stands under this name is a secret. `prompt_tokens` and the like are not."""
    name = plain_name(key)
    if name.startswith("genaiusage"):
        return False
    if name.endswith(_ENDS) or name in _WHOLE or plain_name(key.rpartition(".")[2]) in _WHOLE:
        return True
    if "token" in name and _is_token(*name.rpartition("token")[::2]):
        return True
    return any(word in name and not _is_about(name.rpartition(word)[2]) for word in _WORDS)


def _is_about(rest: str) -> bool:
    return rest.removeprefix("s").startswith(_ABOUT) or rest.startswith(_ABOUT)


def _is_token(before: str, after: str) -> bool:
    if after.startswith("s") and not after.startswith("secret"):
        return before.endswith(_TOKENS) and not after[1:].startswith(_TOKEN_ABOUT)
    return not before.endswith(_COUNTED) and not after.startswith(_TOKEN_ABOUT)


def _spelled(word: str) -> str:
    return r"[-_. ]?".join(word)


def _names(keys: tuple[str, ...]) -> tuple[str, str]:
    words = "|".join(_spelled(word) for word in ("token", *_WORDS, *_ENDS, *keys))
    return words, "|".join(_spelled(word) for word in sorted(_WHOLE))


def pair_pattern(keys: tuple[str, ...]) -> str:
    """A name that may be secret, and what joins it to a value: `=`, `:`, `is`, `>` of XML, a blank after `--name`."""
    words, whole = _names(keys)
    name = rf"[\w.-]*(?:{words})[\w.-]*|\b(?:[\w-]+\.)*(?:{whole})"
    return rf"(?i)({name})(\\*[\"'`]?\]?[ \t]*(?:(?:=>|:=|==?)[ \t]*|:\s*)|\\*[\"']\s*,(?:\s|\\+[nrt])*|\s+is\s+(?:now\s+|set to\s+)?|>|\s+)"


def pair_gate(keys: tuple[str, ...]) -> str:
    """A cheaper pattern: found in every text that holds a pair, or a quoted name of a secret."""
    words, whole = _names(keys)
    join = r"(?:\\*[\"'`]|\]?[ \t]*[:=>]|\s+is\s)"
    return rf"(?i)(?:{words})[\w.-]*{join}|\b(?:{whole}){join}|--[\w.-]*(?:{words}|{whole})[\w.-]*\s"


_OPENER: Final = compile_pattern(r"""(?:\b[brf])?(\\*)(\"\"\"|'''|["'`])""")
_SCHEME: Final = r"(?i:(?:bearer|basic|token|apikey|bot|negotiate|ntlm|key)\s+|(?:digest|aws4-hmac-sha256|oauth|hawk|signature)\s[^\r\n]*)?"
_BARE: Final = compile_pattern(_SCHEME + r"""(?:[^\s"'`&;<>\\]|\\[^"'`nrt\s])*""")
_COOKIES: Final = compile_pattern(r"""[^\s=;,"'\\]+=[^\s;"'\\]*(?:;[ ]*[^\s=;,"'\\]+=[^\s;"'\\]*)*""")
_NO_VALUE: Final = compile_pattern(
    r"(?i)\*+|none|null|nil|true|false|undefined|str|string|bytes|bool|boolean|int|integer|number|optional|any|required|\$\{?[A-Z_]+\}?|"
)
_PLAIN_WORD: Final = compile_pattern(r"[A-Za-z]?[a-z]+|\d{1,4}|")
_LETTER_AND_DIGIT: Final = compile_pattern(r"\D*\d.*[A-Za-z]|.*[A-Za-z].*\d")
_OUTSIDE: Final = compile_pattern(r"\s*(?:[,}\]]|\z)")
_NESTED: Final = compile_pattern(r"""[\[{]\s*["'\\\[{]""")
MARKED: Final = compile_pattern(r"\[REDACTED(?::(?:\w[\w.-]*:[0-9a-f]{8}|…[^\]]{1,16}))?\]")
"""What stands for something hidden, whole."""


_AFTER: Final = b",.)]}:"
"""Punctuation behind a bare value."""
_LINE_START: Final = 40
"""Bytes before a name in which its line must begin: more would make long lines slow."""


class _Pair(NamedTuple):
    start: int
    value_at: int
    key: bytes
    join: bytes


def find_pairs(data: bytes, regex: Regex, is_secret: Callable[[str], bool]) -> Iterator[Reach]:
    """Values of secret names in text: `password=x`, `"api_key": "x"` at any depth of escapes, cut JSON, headers, XML."""
    at = 0
    text = ""
    while (match := regex.search(data, at)) is not None:
        start, at = match.span()
        if data[max(0, start - 10) : start] == b"[REDACTED:" and (mark := MARKED.match(data, start - 10)) is not None:
            at = mark.span()[1]  # the rule named in a mark may sound secret itself
            continue
        pair = _Pair(start, at, match.group(1), match.group(2))
        if not _joins(data, pair) or not is_secret(pair.key.decode("utf-8", "replace")):
            continue
        if _NESTED.match(data, at) is not None:
            text = text or data.decode("latin-1")  # one character a byte, so that offsets agree
            reach = at, _nested_end(text, at)
        else:
            reach = _value(data, pair)
        if reach is not None:
            at = max(at, reach[1])
            if reach[0] < reach[1] and MARKED.fullmatch(data[reach[0] : reach[1]]) is None:
                yield reach


def _joins(data: bytes, pair: _Pair) -> bool:
    if pair.join == b">":
        return data[max(0, pair.start - 1) : pair.start] == b"<"
    if b"," in pair.join:  # `("cookie", "a=b")`: headers as pairs
        first = data[max(0, pair.start - 200) : pair.start].rstrip(b"bnrt\\\"' \n\r\t").endswith((b"(", b"["))
        return first and _OPENER.match(data, pair.value_at) is not None
    return bool(pair.join.strip()) or pair.key.startswith(b"--")


def _value(data: bytes, pair: _Pair) -> Reach | None:
    at = pair.value_at
    opener = _OPENER.match(data, at)
    if opener is not None:
        begin = opener.span()[1]
        if pair.join == b":" and _OUTSIDE.match(data, begin) is not None:  # "enter password:", of cut JSON
            return None
        return begin, _close(data, begin, opener.group(2), len(opener.group(1)))
    if pair.key.lower().endswith((b"cookie", b"cookies")) and (cookies := _COOKIES.match(data, at)) is not None:
        return cookies.span()
    marked = MARKED.match(data, at)
    bare = _BARE.match(data, at if marked is None else marked.span()[1])
    value = b"" if bare is None else bare.group().rstrip(_AFTER)
    if marked is not None:
        return (at, marked.span()[1] + len(value)) if value else None
    if _NO_VALUE.fullmatch(value) is not None or not _is_told(data, pair, value):
        return None
    return at, at + len(value)


def _is_told(data: bytes, pair: _Pair, value: bytes) -> bool:
    """Prose says `the secret: practice` and `the token is valid`; settings and headers begin a line."""
    if b"is" in pair.join.lower():
        return _LETTER_AND_DIGIT.match(value) is not None
    if b":" not in pair.join or _PLAIN_WORD.fullmatch(value) is None:
        return True
    before = data[max(0, pair.start - _LINE_START) : pair.start]
    line = before.rpartition(b"\n")[2]
    return (len(line) < _LINE_START) and not line.strip(b" \t-#>*'\"{,")


def _close(data: bytes, at: int, quote: bytes, slashes: int) -> int:
    """Where quoted text ends, or the end of all if it was cut. `slashes` stood before the opening quote.

    Each JSON inside a string doubles the escapes: 0, 1, 3, 7 slashes before a quote; one more round is a quote inside.
    """
    found = data.find(quote, at)
    while found >= 0:
        run = 0
        while found - run > at and data[found - run - 1] == 0x5C:
            run += 1
        if run < slashes or run % (2 * (slashes + 1)) == slashes:
            return found - min(run, slashes)
        found = data.find(quote, found + len(quote))
    return len(data)


def _nested_end(text: str, at: int) -> int:
    """Where a JSON list or object ends; the end of all if it is cut or no JSON."""
    try:
        return json.JSONDecoder().raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return len(text)
