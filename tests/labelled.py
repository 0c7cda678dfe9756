"""A labelled set of our own: sentences with one planted value each, and look-alikes that must stay. Seeded."""

# ruff: noqa: E501  tables are read by line

import random
import string
from collections.abc import Callable
from typing import NamedTuple

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"
WORDS = ALNUM + "-_"


class Sample(NamedTuple):
    kind: str
    text: str
    core: str
    """What must not be left, nor any six characters of it; of a look-alike what must be."""


SENTENCES = (
    "{}", "Here it is: {}", "please use {} for the request, thanks", "({})", "value='{}'", "I tried {}. It failed.",
    "line one\n{}\nline three", '{{"note": "see {}", "n": 3}}', "Ürün değeri: {} — teşekkürler", "<td>{}</td>",
    "a,b,{},c", "[{}] was sent to the assistant by mistake", '{{"text": "first\\n{}\\nlast"}}',
)  # fmt: skip


def luhn(body: str) -> str:
    """The body with its check digit: ISO/IEC 7812-1."""
    total = 0
    for place, char in enumerate(reversed(body)):
        doubled = int(char) * 2 if place % 2 == 0 else int(char)
        total += doubled // 10 + doubled % 10
    return body + str(-total % 10)


def make_secret(rng: random.Random, kind: str) -> str:
    """A key in the documented form of its provider, made of chance; the secret part between zero bytes if not all is."""

    def chars(alphabet: str, count: int) -> str:
        return "".join(rng.choices(alphabet, k=count))

    upper = string.ascii_uppercase + "234567"
    makers: dict[str, Callable[[], str]] = {
        "openai": lambda: rng.choice(("sk-", "sk-proj-", "sk-svcacct-")) + chars(ALNUM, 48),
        "anthropic": lambda: "sk-ant-api03-" + chars(WORDS, 93) + "AA",
        "aws": lambda: rng.choice(("AKIA", "ASIA")) + chars(upper, 16),
        "google": lambda: "AIza" + chars(WORDS, 34) + "x",
        "github": lambda: rng.choice(("ghp_", "gho_", "ghs_", "ghr_")) + chars(ALNUM, 36),
        "github fine": lambda: "github_pat_" + chars(ALNUM, 22) + "_" + chars(ALNUM, 59),
        "gitlab": lambda: "glpat-" + chars(WORDS, 19) + "a",
        "slack": lambda: f"xoxb-{chars(string.digits, 12)}-{chars(string.digits, 12)}-{chars(ALNUM, 24)}",
        "slack webhook": lambda: (
            f"https://hooks.slack.com/services/\0T{chars(upper, 8)}/B{chars(upper, 8)}/{chars(ALNUM, 24)}\0"
        ),
        "stripe": lambda: rng.choice(("sk_live_", "rk_live_", "sk_test_")) + chars(ALNUM, 24),
        "huggingface": lambda: "hf_" + chars(string.ascii_letters, 34),
        "azure storage": lambda: chars(BASE64, 86) + "==",
        "azure client": lambda: chars(ALNUM, 3) + "8Q~" + chars(ALNUM + "_-", 33) + "z",
        "azure ai": lambda: chars(ALNUM, 52) + "JQQJ99" + chars(ALNUM, 26),
        "npm": lambda: "npm_" + chars(ALNUM, 36),
        "pypi": lambda: "pypi-AgEIcHlwaS5vcmc" + chars(WORDS, 80) + "x",
        "twilio": lambda: "SK" + chars(HEX, 32),
        "sendgrid": lambda: f"SG.{chars(WORDS, 22)}.{chars(WORDS, 42)}x",
        "digitalocean": lambda: "dop_v1_" + chars(HEX, 64),
        "databricks": lambda: "dapi" + chars(HEX, 32),
        "telegram": lambda: chars("123456789", 10) + ":AA" + chars(WORDS, 32) + "x",
        "groq": lambda: "gsk_" + chars(ALNUM, 52),
        "vestigo": lambda: f"vst_{chars(HEX, 12)}_{chars(HEX, 64)}",
        "jwt": lambda: f"eyJ{chars(ALNUM, 33)}.eyJ{chars(ALNUM, 60)}.{chars(WORDS, 42)}x",
        "private key": lambda: f"-----BEGIN RSA PRIVATE KEY-----\\n{chars(BASE64, 64)}\\n-----END RSA PRIVATE KEY-----",
        "bearer": lambda: "Bearer \0" + chars(ALNUM, 30) + "7\0",
        "basic": lambda: "Basic \0dXNlcjpodW50ZXIy" + chars(ALNUM, 8) + "\0",
        "url user": lambda: f"postgresql://app:\0{chars(ALNUM, 14)}\0@db.internal:5432/main",
        "url query": lambda: f"https://api.example.com/v1?user=7&api_key=\0{chars(ALNUM, 20)}\0&page=2",
        "signed url": lambda: f"https://b.s3.amazonaws.com/f.pdf?X-Amz-Signature=\0{chars(HEX, 64)}\0",
        "pair": lambda: (
            rng.choice(("password=", "api_key: ", "DB_PASSWORD=", "client-secret = ")) + "\0" + chars(ALNUM, 12) + "4\0"
        ),
        "header": lambda: (
            rng.choice(("Authorization: Token ", "X-Api-Key: ", "Cookie: sid=")) + "\0" + chars(ALNUM, 16) + "9\0"
        ),
    }
    return makers[kind]()


SECRET_KINDS = (
    "openai", "anthropic", "aws", "google", "github", "github fine", "gitlab", "slack", "slack webhook", "stripe",
    "huggingface", "azure storage", "azure client", "azure ai", "npm", "pypi", "twilio", "sendgrid", "digitalocean",
    "databricks", "telegram", "groq", "vestigo", "jwt", "private key", "bearer", "basic", "url user", "url query", "signed url",
    "pair", "header",
)  # fmt: skip

PERSONAL_KINDS = ("email", "card", "iban", "ssn", "ipv4", "ipv6")
LENGTHS = {"DE": 22, "GB": 22, "FR": 27, "NL": 18, "ES": 24, "CH": 21, "TR": 26, "NO": 15}


def make_iban(rng: random.Random) -> str:
    country = rng.choice(sorted(LENGTHS))
    bank = "".join(rng.choices(string.ascii_uppercase, k=4)) if country in ("GB", "NL") else ""
    body = bank + "".join(rng.choices(string.digits, k=LENGTHS[country] - 4 - len(bank)))
    number = int("".join(str(int(char, 36)) for char in body + country + "00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    return rng.choice((whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))))


def make_card(rng: random.Random) -> str:
    prefix, length = rng.choice(
        (("4", 16), ("52", 16), ("2221", 16), ("37", 15), ("6011", 16), ("36", 14), ("3530", 16))
    )
    digits = luhn(prefix + "".join(rng.choices(string.digits, k=length - len(prefix) - 1)))
    if length == 16:
        joint = rng.choice(("", " ", "-"))
        return joint.join(digits[at : at + 4] for at in range(0, 16, 4))
    return digits if length == 14 else rng.choice((digits, f"{digits[:4]} {digits[4:10]} {digits[10:]}"))


def make_personal(rng: random.Random, kind: str) -> str:
    def number(low: int, high: int) -> int:
        return rng.randint(low, high)

    if kind == "email":
        name = rng.choice(("anna.lund", "o'brien", "j_doe+news", "müller", "x", "first.last99"))
        return f"{name}@{rng.choice(('example.com', 'mail.example.co.uk', 'büro.example', 'a-b.io'))}"
    if kind == "card":
        return make_card(rng)
    if kind == "iban":
        return make_iban(rng)
    if kind == "ssn":
        return f"{number(1, 665):03}-{number(1, 99):02}-{number(1, 9999):04}"
    if kind == "ipv4":
        return rng.choice(("10.{}.{}.{}", "192.168.{}.{}", "8.8.{}.{}", "203.0.{}.{}")).format(
            *(number(1, 250) for _ in range(3))
        )
    groups = [f"{number(4096, 65535):x}" for _ in range(8)]
    return rng.choice(
        (":".join(groups), "2001:db8::" + ":".join(groups[:3]), f"fe80::1{groups[0][:2]}:{groups[1]}:{groups[2]}")
    )


def make_phone(rng: random.Random) -> str:
    def digits(count: int) -> str:
        return "".join(rng.choices("23456789", k=count))

    return rng.choice((
        f"+1 {digits(3)} {digits(3)} {digits(4)}", f"+1-{digits(3)}-{digits(3)}-{digits(4)}", f"({digits(3)}) {digits(3)}-{digits(4)}",
        f"{digits(3)}-{digits(3)}-{digits(4)}", f"+49 30 {digits(8)}", f"+44 20 {digits(4)} {digits(4)}", f"+90{digits(10)}",
        f"020 {digits(4)} {digits(4)}", f"+33 {digits(1)} {digits(2)} {digits(2)} {digits(2)} {digits(2)}", f"001 {digits(3)} {digits(3)} {digits(4)}",
        f"{digits(3)}.{digits(3)}.{digits(4)}", f"06-{digits(8)}", f"+81 3-{digits(4)}-{digits(4)}", f"{digits(10)}",
    ))  # fmt: skip


def make_decoy(rng: random.Random) -> str:
    """What looks like something to hide and is none."""

    def digits(count: int) -> str:
        return str(rng.randint(1, 9)) + "".join(rng.choices(string.digits, k=count - 1))

    def hexes(count: int) -> str:
        return "".join(rng.choices(HEX, k=count))

    wrong = luhn("4" + digits(14))
    wrong = wrong[:-1] + str((int(wrong[-1]) + rng.randint(1, 9)) % 10)
    return rng.choice((
        f"order {digits(12)}", f"order no. {digits(9)}", f"{rng.random()}", f"-{rng.random() * 180}", f"17{digits(17)}", f"17{digits(11)}",
        f"{hexes(8)}-{hexes(4)}-4{hexes(3)}-a{hexes(3)}-{hexes(12)}", f"commit {hexes(40)}", hexes(64), wrong,
        f"prompt_tokens: {digits(4)}", f"max_tokens={digits(3)}", f'"total_tokens": {digits(5)}', f"token_count={digits(5)}",
        f"gen_ai.usage.input_tokens={digits(4)}", f"tokens per second: {digits(2)}.{digits(3)}", "the token is valid until noon",
        "password reset requested", "the secret of good bread", "secretary of state", "cookie recipe with butter", "a bearer bond worth little",
        f"2024-05-15 {rng.randint(10, 23)}:00:00.{digits(6)}Z", f"version {rng.randint(1, 9)}.0.{digits(2)}.{rng.randint(1, 9)}", f"{digits(3)}-{digits(2)}",
        f"credit_card_{digits(7)}", f"call_{hexes(24)}", f"chatcmpl-{hexes(29)}", f"https://example.com/{hexes(16)}?page={digits(2)}",
        f"std::vector<int> v{digits(3)}", "git@github.com:org/repo.git", "logo@2x.png", f"{digits(2)},{digits(3)},{digits(3)}.{digits(2)}",
        f"flight HAT{digits(3)} at 15:00:00", f"resp_{hexes(48)}", f"sha512-{hexes(40)}", "sk-learn-style-class-names-for-pages", f"DE{digits(20)[:19]}x",
        f"ISBN 978-{digits(1)}-{digits(4)}-{digits(4)}-{digits(1)}", f"{digits(5)}", f"$ {digits(3)},{digits(3)}", f"trace {hexes(32)} span {hexes(16)}",
        f"model-{digits(4)}-{digits(2)}-{digits(2)}", f"temperature=0.{digits(16)}", f"0x{hexes(40)}", f"{digits(20)}", "127.0.0.1", "0.0.0.0",
    ))  # fmt: skip


def samples(seed: int = 7, each: int = 12) -> list[Sample]:
    """Every kind of secret and of personal data, `each` times, in sentences of many forms."""
    rng = random.Random(seed)
    made: list[Sample] = []
    for kind in (*SECRET_KINDS, *PERSONAL_KINDS, "phone"):
        for _ in range(each):
            value = make_value(rng, kind)
            core = value.split("\0")[1] if "\0" in value else value
            made.append(Sample(kind, rng.choice(SENTENCES).format(value.replace("\0", "")), core))
    return made


def make_value(rng: random.Random, kind: str) -> str:
    if kind == "phone":
        return make_phone(rng)
    return make_secret(rng, kind) if kind in SECRET_KINDS else make_personal(rng, kind)


def is_gone(core: str, text: str) -> bool:
    """Whether no six characters of the planted value are left."""
    return not any(core[at : at + 6] in text for at in range(max(1, len(core) - 5)))


def decoys(seed: int = 8, count: int = 600) -> list[Sample]:
    rng = random.Random(seed)
    made = [make_decoy(rng) for _ in range(count)]
    return [Sample("decoy", rng.choice(SENTENCES).format(value), value) for value in made]
