r"""What a secret looks like by its form: a table of patterns, and checks that tell look-alikes. `keynames.py` has the names.

Only tables and decisions; `redact.py` walks the records. Everything works on UTF-8 bytes, since RE2 does, and in
linear time. JSON inside strings is scanned as it stands, so a line break before a secret may be a backslash and an n.
"""

# ruff: noqa: E501  a table is read by line

import base64
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias, cast

import re2  # pyright: ignore[reportMissingTypeStubs]


class Match(Protocol):
    """What we use of RE2's match; the package has no types."""

    @property
    def lastindex(self) -> int | None: ...
    def group(self, index: int = 0, /) -> bytes: ...
    def span(self, index: int = 0, /) -> tuple[int, int]: ...


class Regex(Protocol):
    """What we use of RE2's compiled pattern, on bytes."""

    def search(self, text: bytes, pos: int = 0, /) -> Match | None: ...
    def match(self, text: bytes, pos: int = 0, /) -> Match | None: ...
    def fullmatch(self, text: bytes, /) -> Match | None: ...


def compile_pattern(pattern: str) -> Regex:
    """Compile for bytes, without chatter on stderr. Raises re2.error."""
    options = cast("Any", re2.Options())
    options.log_errors = False
    return cast("Regex", re2.compile(pattern.encode(), options))


def expand(pattern: str) -> str:
    r"""Write `\<`, the start of a word, or behind `_` or an escaped line break of JSON, in RE2's words."""
    return pattern.replace(r"\<", r"(?:\b|_|\\[nrtbf])")


Reach: TypeAlias = tuple[int, int]
"""Where something to hide starts and ends, in bytes."""

Find: TypeAlias = tuple[int, int, int, str]
"""Start, end, rank (0 is the most telling form) and name."""

Check: TypeAlias = Callable[[bytes, int, int], Reach | None]
"""Looks at a match: the bytes to hide, which may be fewer, or None for a look-alike."""


class Detector(NamedTuple):
    r"""One form. If the pattern has a group that took part, that is what is hidden.

    `\<` is the start of a word, also right behind `_` and an escaped line break of JSON.
    """

    name: str
    kind: Literal["secret", "personal", "phone"]
    pattern: str
    check: Check | None = None
    gate: str = ""
    """A cheaper pattern that is found wherever this one is."""
    again: bool = False
    """After a look-alike, look again from its second byte: a number may start inside it. Only for short forms."""


_ESCAPES: Final = frozenset(b"nrtbf")
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGITS: Final = frozenset(b"0123456789")


def _mixed(data: bytes, start: int, end: int) -> Reach | None:
    """Random keys mix digits or cases; slugs such as `sk-some-class-name-of-a-page` do not."""
    found = data[start:end]
    cases = any(97 <= char <= 122 for char in found[3:]) and any(65 <= char <= 90 for char in found)
    return (start, end) if cases or any(char in _DIGITS for char in found) else None


def _bearer(data: bytes, start: int, end: int) -> Reach | None:
    """Not `bearer certificates`: a digit, or longer than words are."""
    return (start, end) if end - start >= 24 or any(char in _DIGITS for char in data[start:end]) else None


def _basic(data: bytes, start: int, end: int) -> Reach | None:
    """RFC 7617: base64 of `user:password`."""
    try:
        plain = base64.b64decode(data[start:end] + b"===")
    except ValueError:
        return None
    return (start, end) if b":" in plain else None


_JOINS: Final = b"-./+%\\"


def _alone(data: bytes, start: int, end: int, joins: bytes = _JOINS) -> bool:
    """Whether a number stands by itself: not a part of a float, an id, a path, a date or a longer number."""
    after, next_after = data[end : end + 1], data[end + 1 : end + 2]
    if after and (after[0] in _WORD or (after in b"-." and next_after and next_after[0] in _DIGITS)):
        return False
    return _starts(data, start, joins)


def _starts(data: bytes, start: int, joins: bytes = _JOINS) -> bool:
    before = data[start - 1 : start] if start else b""
    if not before or not (before[0] in _WORD or before in joins):
        return True
    return before[0] in _ESCAPES and data[start - 2 : start - 1] == b"\\"


def _email(data: bytes, start: int, end: int) -> Reach | None:
    """Not `git@github.com:path`, not `logo@2x.png`."""
    start += len(data[start:end]) - len(data[start:end].lstrip(b"'"))
    name, _, domain = data[start:end].rpartition(b"@")
    remote = name == b"git" and data[end : end + 1] in (b":", b"/")
    return None if remote or domain.rpartition(b".")[2].lower() in _FILES else (start, end)


def _storage_key(data: bytes, start: int, end: int) -> Reach | None:
    """Not the SHA-512 of a lock file, which is as long."""
    return None if data[max(0, start - 7) : start].lower() in (b"sha512-", b"sha512:") else (start, end)


_FILES: Final = frozenset((b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"css", b"js"))
_JSON_NUMBER: Final = re2.compile(rb'":\s*\z')


def _digits(data: bytes, start: int, end: int) -> str:
    return "".join(chr(char) for char in data[start:end] if char in _DIGITS)


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) << (place & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _brand(digits: str) -> bool:
    """Whether the first digits and the length are those of a card scheme. Source: ISO/IEC 7812 issuer ranges, 2025."""
    length, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if length == 16:
        mastercard = 51 <= two <= 55 or 2221 <= four <= 2720
        discover = four == 6011 or 644 <= three <= 649 or two == 65
        return digits[0] == "4" or mastercard or discover or 3528 <= four <= 3589 or two == 62
    if length == 15:
        return two in (34, 37)
    return length == 14 and (300 <= three <= 305 or two in (36, 38, 39))


def _card(data: bytes, start: int, end: int) -> Reach | None:
    """Scheme, Luhn, and alone; a bare number in JSON is a number and no card, as in a leaf that is an int."""
    digits = _digits(data, start, end)
    if len(set(digits)) < 2 or not _brand(digits) or not passes_luhn(digits) or not _alone(data, start, end):
        return None
    return None if _JSON_NUMBER.search(data[max(0, start - 8) : start]) else (start, end)


_IBAN_LENGTHS: Final = {
    b"AD": 24, b"AE": 23, b"AL": 28, b"AT": 20, b"AZ": 28, b"BA": 20, b"BE": 16, b"BG": 22, b"BH": 22, b"BI": 27,
    b"BR": 29, b"BY": 28, b"CH": 21, b"CR": 22, b"CY": 28, b"CZ": 24, b"DE": 22, b"DJ": 27, b"DK": 18, b"DO": 28,
    b"EE": 20, b"EG": 29, b"ES": 24, b"FI": 18, b"FK": 18, b"FO": 18, b"FR": 27, b"GB": 22, b"GE": 22, b"GI": 23,
    b"GL": 18, b"GR": 27, b"GT": 28, b"HN": 28, b"HR": 21, b"HU": 28, b"IE": 22, b"IL": 23, b"IQ": 23, b"IS": 26,
    b"IT": 27, b"JO": 30, b"KW": 30, b"KZ": 20, b"LB": 28, b"LC": 32, b"LI": 21, b"LT": 20, b"LU": 20, b"LV": 21,
    b"LY": 25, b"MC": 27, b"MD": 24, b"ME": 22, b"MK": 19, b"MN": 20, b"MR": 27, b"MT": 31, b"MU": 30, b"NI": 28,
    b"NL": 18, b"NO": 15, b"OM": 23, b"PK": 24, b"PL": 28, b"PS": 29, b"PT": 25, b"QA": 29, b"RO": 24, b"RS": 22,
    b"RU": 33, b"SA": 24, b"SC": 31, b"SD": 18, b"SE": 24, b"SI": 19, b"SK": 24, b"SM": 27, b"SO": 23, b"ST": 25,
    b"SV": 28, b"TL": 23, b"TN": 24, b"TR": 26, b"UA": 29, b"VA": 22, b"VG": 24, b"XK": 20, b"YE": 30,
}  # fmt: skip
"""Characters of an IBAN by country. Source: SWIFT IBAN registry, release 99."""


def _iban(data: bytes, start: int, end: int) -> Reach | None:
    """The country's length and mod 97 = 1 (ISO 13616); what stands behind it in capitals is left."""
    length = _IBAN_LENGTHS.get(data[start : start + 2])
    if length is None:
        return None
    found, stop = "", start
    while stop < end and len(found) < length:
        if data[stop] != 0x20:
            found += chr(data[stop])
        stop += 1
    number = "".join(str(int(char, 36)) for char in found[4:] + found[:4])
    fits = len(found) == length and int(number) % 97 == 1 and data[stop : stop + 1].isalnum() is False
    return (start, stop) if fits else None


def _ssn(data: bytes, start: int, end: int) -> Reach | None:
    """Never given out: area 000, 666, 900 to 999, group 00, serial 0000. Source: SSA POMS RM 10201.035."""
    digits = _digits(data, start, end)
    given = digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"
    return (start, end) if given and _alone(data, start, end) else None


_VERSION: Final = compile_pattern(r"(?i)(?:version|release|section|chapter|build|firmware|oid|\bver\.?|\bv)\s*:?\s*\z")


def _ipv4(data: bytes, start: int, end: int) -> Reach | None:
    """An address of a machine: no version or section number, no loopback, no mask."""
    if not _alone(data, start, end, b"-.+%") or _VERSION.search(data[max(0, start - 16) : start]):
        return None
    return _address(data, start, end)


def _ipv6(data: bytes, start: int, end: int) -> Reach | None:
    """Not `std::string` or `a::b`: at least three groups, one with a digit."""
    end -= data[end - 1 : end] == b":" and data[end - 2 : end - 1] != b":"
    found = data[start:end]
    groups = [group for group in found.split(b":") if group]
    if len(groups) < 3 or not any(char in _DIGITS for char in found) or data[end : end + 1].isalnum():
        return None
    return _address(data, start, end)


def _address(data: bytes, start: int, end: int) -> Reach | None:
    try:
        address = ipaddress.ip_address(data[start:end].decode("ascii"))
    except ValueError:
        return None
    nobody = address.is_loopback or address.is_unspecified or data[start : start + 4] == b"255."
    return None if nobody else (start, end)


def _phone(data: bytes, start: int, end: int) -> Reach | None:
    after, next_after = data[end : end + 1], data[end + 1 : end + 2]
    goes_on = after.isdigit() or (after in (b"-", b".", b"/", b":") and next_after.isdigit())
    fits = 8 <= len(_digits(data, start, end)) <= 15
    return (start, end) if fits and not goes_on and _starts(data, start) else None


_PEM = r"PRIVATE KEY(?: BLOCK)?-----"

DETECTORS: Final[tuple[Detector, ...]] = (
    Detector(
        "private_key", "secret",
        rf"(?s)-----BEGIN [A-Z0-9 ]*{_PEM}(?:.*?-----END [A-Z0-9 ]*{_PEM}|.*)",
        gate=rf"-----BEGIN [A-Z0-9 ]*{_PEM}",
    ),
    Detector("jwt", "secret", r"\<eyJ[\w-]{8,}\.[\w-]*\.[\w-]*(?:\.[\w-]+\.[\w-]+)?", gate=r"eyJ[\w-]{8,}\."),  # RFC 7519
    Detector("anthropic", "secret", r"\<sk-ant-[\w-]{16,}"),
    Detector("langfuse", "secret", r"\<sk-lf-[0-9a-f-]{36}"),
    # sk-, sk-proj-, sk-svcacct-, sk-admin-; DeepSeek, OpenRouter (sk-or-) and LiteLLM use the same prefix
    Detector("openai", "secret", r"\<sk-[\w-]{20,}", _mixed),
    Detector("aws", "secret", r"\<(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b|\<ABSK[A-Za-z0-9+/]{60,}=*"),  # + Bedrock keys
    Detector("google", "secret", r"\<AIza[\w-]{35}|\<ya29\.[\w-]{20,}|\<GOCSPX-[\w-]{24,}|\<1//0[\w-]{40,}"),
    Detector("github", "secret", r"\<gh[pousr]_[A-Za-z0-9]{36,}|\<github_pat_\w{22,}"),
    Detector("gitlab", "secret", r"\<gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[\w.-]{20,}|\<GR1348941[\w-]{20}"),
    Detector("slack", "secret", r"\<xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}|\<xapp-\d-[\w-]{10,}|hooks\.slack\.com\\?/(?:services|workflows|triggers)\\?/([\w/\\+]{20,})"),
    Detector("stripe", "secret", r"\<[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\<whsec_[A-Za-z0-9+/=]{24,}"),
    Detector("huggingface", "secret", r"\<(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    Detector("azure", "secret", r"(?:^|[^A-Za-z0-9+/]|\\[nrt])([A-Za-z0-9+/]{86}==)", _storage_key, gate=r"[A-Za-z0-9+/]{8}=="),  # 64 bytes in base64
    # Entra client secrets have Q~ at the fifth place, keys of AI services JQQJ99 at the 53rd
    Detector("azure", "secret", r"[\w~.-]{3}\dQ~[\w~.-]{31,34}|\<[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{20,}", gate=r"\dQ~[\w~.-]{31}|JQQJ99"),
    Detector("npm", "secret", r"\<npm_[A-Za-z0-9]{36}"),
    Detector("pypi", "secret", r"\<pypi-AgE[\w-]{40,}"),  # a macaroon: version 2, then where it is valid
    Detector("twilio", "secret", r"\<SK[0-9a-f]{32}\b"),
    Detector("sendgrid", "secret", r"\<SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    Detector("digitalocean", "secret", r"\<do[opr]_v1_[0-9a-f]{64}"),
    Detector("databricks", "secret", r"\<dapi[0-9a-f]{32}(?:-\d)?"),
    Detector("telegram", "secret", r"\<\d{8,10}:AA[\w-]{33}", gate=r"\d:AA[\w-]{33}"),
    Detector("discord", "secret", r"\<[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}|discord(?:app)?\.com\\?/api\\?/webhooks\\?/(\d+\\?/[\w-]{20,})", gate=r"\.[\w-]{6}\.[\w-]{27}|\\?/api\\?/webhooks"),
    Detector("model_host", "secret", r"\<(?:gsk_|xai-|pplx-|tgp_v1_|nvapi-|fw_|r8_|pcsk_|tvly-|e2b_|csk-|jina_|fc-)[\w-]{24,}", _mixed),
    Detector("langsmith", "secret", r"\<lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    Detector("vestigo", "secret", r"\<vst_[0-9a-f]{12}_[0-9a-f]{64}"),  # keys of our own server
    Detector("shop", "secret", r"\<shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\<sq0(?:atp|csp)-[\w-]{22,}"),  # Shopify, Square
    Detector("mail", "secret", r"\<[0-9a-f]{32}-us\d{1,2}\b|\<key-[0-9a-f]{32}\b", gate=r"[0-9a-f]{8}-us\d|key-[0-9a-f]{32}"),  # Mailchimp, Mailgun
    Detector("grafana", "secret", r"\<gl(?:sa|c)_[A-Za-z0-9+/_]{32,}=*"),
    Detector("hashicorp", "secret", r"\<hv[sbr]\.[\w-]{24,}|\<[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,}", gate=r"\<hv[sbr]\.[\w-]{24}|\.atlasv1\."),
    Detector("doppler", "secret", r"\<dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9]{40,}"),
    Detector("docker", "secret", r"\<dckr_(?:pat|oat)_[\w-]{20,}"),
    Detector("atlassian", "secret", r"\<ATATT3[\w=-]{60,}"),
    Detector("notion", "secret", r"\<ntn_[A-Za-z0-9]{40,}|\<secret_[A-Za-z0-9]{43}\b"),
    Detector("airtable", "secret", r"\<pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    Detector("linear", "secret", r"\<lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    Detector("postman", "secret", r"\<PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    Detector("supabase", "secret", r"\<sb(?:p_[0-9a-f]{40}|_secret_[\w-]{20,})"),
    Detector("planetscale", "secret", r"\<pscale_(?:tkn|oauth|pw)_[\w.-]{32,}"),
    Detector("newrelic", "secret", r"\<NRAK-[A-Z0-9]{27}"),
    Detector("sentry", "secret", r"\<sntry[su]_[\w+/=-]{40,}"),
    Detector("age", "secret", r"\<AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    Detector("bearer", "secret", r"(?i)\<bearer(?:\s|\\[nt]|%20|\+)+([\w.~+/-]{8,}=*)", _bearer),  # RFC 6750
    Detector("basic", "secret", r"(?i)\<basic\s+([A-Za-z0-9+/]{8,}={0,2})", _basic),
    Detector("url_user", "secret", r"""[A-Za-z][\w+.-]*:\\?/\\?/([^\s/?#@"'<>:\[\\]*:[^\s/?#"'<>\\]+)@""", gate=r"""/[^\s/?#@"'<>:\[\\]*:[^\s/?#"'<>\\]+@"""),
    Detector("url_query", "secret", r"""(?i)[?&;](?:key|sig|signature|code|x-(?:amz|goog)-(?:signature|credential|security-token))=([^\[&\s"'<>\\#;][^&\s"'<>\\#;]{11,})"""),
    Detector("email", "personal", r"[\pL\pN._%+'-]*[\pL\pN_+-]@(?:[\pL\pN-]*[\pL\pN]\.)+[\pL]{2,24}", _email, gate=r"[\pL\pN_+-]@[\pL\pN-]+\."),
    Detector("card", "personal", r"\d{4}(?:[ -]?\d{4}){3}|3\d{3}[ -]?\d{6}[ -]?\d{4,5}", _card, again=True),
    Detector("iban", "personal", r"\<[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", _iban, again=True),
    Detector("ssn", "personal", r"\d{3}-\d{2}-\d{4}", _ssn, again=True),
    Detector("ip", "personal", r"\d{1,3}(?:\.\d{1,3}){3}", _ipv4, again=True),
    Detector("ip", "personal", r"(?i)\<(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|\<(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){0,6}:?", _ipv6, gate=r"(?i)[0-9a-f]::|(?:[0-9a-f]{1,4}:){7}"),
    Detector("phone", "phone", r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,5}\d?", _phone, again=True),
    Detector("phone", "phone", r"\<00\d{1,3}[ .-](?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,5}\d?", _phone, again=True),
    Detector("phone", "phone", r"(?:\<1[ .-])?(?:\([2-9]\d{2}\) ?|\<[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}", _phone, again=True),
    Detector("phone", "phone", r"\<0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,4}|\(0\d{1,4}\) ?\d{3,4}[ -]?\d{3,4}", _phone, again=True),
)  # fmt: skip
"""Most telling first: where two overlap, the first gives its name. `\\b` is ASCII. Sources: each provider's own pages on
key formats (GitHub's and GitLab's lists of token prefixes, Slack's token types, AWS's unique identifiers), 2026-10."""


class Form(NamedTuple):
    """A detector or a user's pattern, compiled."""

    name: str
    regex: Regex
    check: Check | None = None
    again: bool = False
    whole: bool = False
    """Hide all that matched, whatever groups there are: what a user's pattern does."""

    def find(self, data: bytes) -> Iterator[Reach]:
        """What to hide, left to right."""
        at = 0
        while (match := self.regex.search(data, at)) is not None:
            start, end = match.span()
            found: Reach | None = (start, end)
            if not self.whole:
                found = _behind_escape(data, *match.span(match.lastindex or 0))
                found = found if self.check is None else self.check(data, *found)
            if found is not None and found[0] < found[1]:
                yield found
            at = start + 1 if found is None and self.again else max(end, start + 1)


def compile_detector(detector: Detector) -> Form:
    return Form(detector.name, compile_pattern(expand(detector.pattern)), detector.check, detector.again)


def _behind_escape(data: bytes, start: int, end: int) -> Reach:
    r"""Leave `_`, and `\n` of JSON in a string, whole: they stand before the secret and are no part of it."""
    if data[start : start + 1] == b"\\" and start + 1 < end and data[start + 1] in _ESCAPES:
        return start + 2, end
    if data[start : start + 1] == b"_":
        return start + 1, end
    if start and data[start - 1] == 0x5C and start + 1 < end and data[start] in _ESCAPES:
        return start + 1, end
    return start, end


class Gate:
    """Many forms looked for in one pass; most texts hold none of them and need no second."""

    def __init__(self, forms: Iterable[tuple[Form, str]], hints: Iterable[str]) -> None:
        """`forms` with their gates; `hints` are patterns that are only reported, numbered after the forms.

        Raises re2.error if RE2 has not the memory for all of them: it would silently find nothing.
        """
        pairs = list(forms)
        self._forms = [form for form, _ in pairs]
        self.forms = len(pairs)
        """How many; hints are numbered from here."""
        self._set = cast("Any", re2.Set.SearchSet())
        for pattern in (*(gate for _, gate in pairs), *hints, _PROBE):
            self._set.Add(pattern.encode())
        self._set.Compile()
        if not self._set.Match(_PROBE.encode()):
            raise re2.error("the patterns together are too large")

    def match(self, data: bytes) -> frozenset[int]:
        """Numbers of the forms and hints that may be in the text."""
        found: list[int] | None = self._set.Match(data)
        return frozenset(found) if found else _NOTHING

    def reaches(self, data: bytes, found: Iterable[int]) -> list[Find]:
        """Start, end, rank and name of all finds of these forms, hints left out."""
        return [
            (start, end, rank, self._forms[rank].name)
            for rank in found
            if rank < len(self._forms)
            for start, end in self._forms[rank].find(data)
        ]


_PROBE: Final = "vestigo-gate-probe-7c1d0e"
_NOTHING: Final[frozenset[int]] = frozenset()
