"""Which names mean a secret, and where the value of such a name ends in text."""

# ruff: noqa: E501  tables are read by line

import pytest

from vestigo.keynames import MARKED, compile_pattern, find_pairs, is_secret_key, pair_gate, pair_pattern, plain_name


@pytest.mark.parametrize("key", [
    "password", "PASS-WORD", "userPassword", "passwd", "pwd", "db_pwd", "secret", "secrets", "client_secret", "secret_id", "api_key", "APIKEY", "x-api-key",
    "openai.api.key", "token", "tokens.access_tokens", "refresh_tokens", "id_token", "github_token_prod", "token2", "authorization", "Proxy-Authorization",
    "auth", "http.auth", "cookie", "Set-Cookie", "credentials", "private_key", "accessKeyId", "aws_session_token", "jwt", "csrf", "otp", "cvv", "passphrase",
    "\uff50assword", "signing-key", "connect.sid", "token_secret", "password_policy_secret",
])  # fmt: skip
def test_names_of_secrets(key):
    """Case, dash, underscore, dot and width do not matter."""
    assert is_secret_key(key)


@pytest.mark.parametrize("key", [
    "", "---", "name", "author", "authority", "tokens", "max_token", "promptTokens", "token_count", "token_type", "tokenizer", "total_tokens_used",
    "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.token", "eos_token", "secretary", "secret_name", "password_length", "passwordless", "cookie_policy",
    "keyboard", "bypass", "compass", "authorization_status", "session_id", "key", "monkey", "token_ids", "first_token", "api_tokens_count", "credential_type",
])  # fmt: skip
def test_names_of_no_secrets(key):
    """Counts, kinds and rules about secrets hold none."""
    assert not is_secret_key(key)


def test_plain_names_keep_letters_and_digits_of_any_script():
    """What `keys` and `keep_keys` are compared by."""
    assert plain_name("X-Api_Key.2 Ä") == "xapikey2ä"


def values(text, keys=()):
    data = text.encode()
    gate = compile_pattern(pair_gate(keys))
    pairs = [
        data[start:end].decode() for start, end in find_pairs(data, compile_pattern(pair_pattern(keys)), lambda _: True)
    ]
    assert not pairs or gate.search(data) is not None
    return pairs


@pytest.mark.parametrize("level", range(4))
def test_quoted_values_end_at_their_own_quote_at_any_level_of_escapes(level):
    """JSON in JSON in JSON: a quote inside the value is one level deeper than the one that ends it."""
    import json

    text = json.dumps({"secret": 'a"b\\', "n": 1})
    inside = json.dumps('a"b\\')[1:-1]
    for _ in range(level):
        text = json.dumps(text)[1:-1]
        inside = json.dumps(inside)[1:-1]
    assert values(text) == [inside]
    assert values(text[: text.index(inside) + 1]) == [inside[:1]]


def test_values_end_where_their_kind_of_text_ends_them():
    """Query strings, connection strings, prose, an outer string that ends first."""
    assert values("a?token=x1&b=2 password=x2;db=1 (secret=x3). 'api_key=x4'") == ["x1", "x2", "x3", "x4"]
    assert values('"{\\"token\\": \\"x1", "next": 2') == ["x1"]
    assert values("token: [REDACTED], password=[REDACTED:…1234] secret=[REDACTED]x") == ["[REDACTED]x"]
    assert values('token: "[REDACTED]" password=[REDACTED:bearer:01234567] x') == []
    assert values("[REDACTED:bearer: x1") == ["x1"]
    assert values("token=\npassword=\n") == []
    assert values("mypin=1234", ("mypin",)) == ["1234"]
    assert values(f"{'-' * 60} secret: word") == []


def test_marks_are_known_in_every_mode():
    """What is hidden stays as it is."""
    for mark in ("[REDACTED]", "[REDACTED:email:01234567]", "[REDACTED:…1234]"):
        assert MARKED.fullmatch(mark.encode()) is not None
    for text in ("[REDACTED] x", "[REDACTED:x]", "REDACTED"):
        assert MARKED.fullmatch(text.encode()) is None
