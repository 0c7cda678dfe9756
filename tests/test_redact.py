"""`Redactor` and `sanitize_for_logging`: what must not be kept is hidden, whatever holds it; the rest is untouched."""

# ruff: noqa: E501  tables are read by line

import json
import os
import re
import string
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from labelled import SECRET_KINDS, decoys, is_gone, make_value, samples

from vestigo.diagnostics import Counters
from vestigo.errors import SettingsError
from vestigo.record import Batch, Event, Link, Log, Point, Resource, Scope, Span
from vestigo.redact import MARK, MAX_DEPTH, Redactor, sanitize_for_logging

AIRLINE = Path(__file__).resolve().parents[2] / "shared" / "data" / "tau-bench-gpt-4o-airline.json"
OPENAI_KEY = "sk-proj-" + "aB3" * 16


def make(**settings_):
    counters = Counters()
    return Redactor(counters=counters, **settings_), counters


# --- how much is found ---------------------------------------------------------------------------------------------


def test_at_least_94_percent_of_the_labelled_set_is_hidden_and_at_most_2_percent_of_look_alikes():
    """Detection and false hits on our own labelled set, all kinds on; no kind falls far behind."""
    redactor, _ = make(personal=True, phone=True)
    planted = samples()
    missed = Counter(sample.kind for sample in planted if not is_gone(sample.core, redactor.text(sample.text)))
    assert len(planted) >= 400
    assert missed.total() <= 0.06 * len(planted), missed
    assert max(missed.values(), default=0) <= 4, missed
    lookalikes = decoys()
    wrong = [sample.text for sample in lookalikes if redactor.text(sample.text) != sample.text]
    assert len(wrong) <= 0.02 * len(lookalikes), wrong


def test_secrets_are_hidden_by_default_and_personal_data_is_not():
    """The default hides every kind of secret, and leaves e-mail, cards and the like alone."""
    redactor, _ = make()
    for sample in samples(seed=21, each=4):
        hidden = is_gone(sample.core, redactor.text(sample.text))
        assert hidden == (sample.kind in SECRET_KINDS), sample


def test_what_a_sentence_says_around_a_hidden_value_is_kept():
    """Only the match is replaced."""
    redactor, _ = make(personal=True)
    text = f"use {OPENAI_KEY} or write to anna@example.com, thanks"
    assert redactor.text(text) == "use [REDACTED] or write to [REDACTED], thanks"


def airline_texts():
    if not AIRLINE.exists():
        pytest.skip("the airline conversations are not beside this repository")
    runs = json.loads(AIRLINE.read_bytes())
    texts = []

    def read(value):
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                read(item)

    read(runs)
    return runs, texts


def test_the_airline_data_holds_no_secrets_for_us():
    """200 real agent runs, defaults: nothing is touched, so the very same object comes back."""
    runs, texts = airline_texts()
    redactor, counters = make()
    assert redactor.value(runs) is runs
    assert all(redactor.text(text) is text for text in texts)
    assert counters.snapshot() == {}


def test_every_hit_of_personal_rules_in_the_airline_data_is_an_email():
    """Card ids, times, amounts and dates of birth are no cards, phones or addresses; the e-mails are all there is."""
    _, texts = airline_texts()
    redactor, counters = make(personal=True, phone=True)
    email = re.compile(r"[a-z0-9._]+@(?:example|gmail)\.com")  # read by hand: these are all there are
    for text in texts:
        assert redactor.text(text) == email.sub(MARK, text)
    assert counters.snapshot() == {"redacted.email": sum(len(email.findall(text)) for text in texts)}
    assert counters.get("redacted.email") == 127


# --- key names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["password", "API_KEY", "api-key", "apiKey", "X-Api-Key", "Set-Cookie", "clientSecret",
                                 "http.request.header.authorization", "access_token", "AWS_SECRET_ACCESS_KEY", "db.password"])  # fmt: skip
def test_the_whole_value_of_a_secret_key_name_is_hidden_at_any_depth(key):
    """Case, dash and underscore do not matter; containers go whole; siblings stay."""
    redactor, counters = make()
    for held in ("hunter2", 123456, 1.5, ["a", "b"], {"inner": "hunter2"}):
        data = {"a": [{"b": ({key: held, "other": "stays"},)}]}
        assert redactor.value(data) == {"a": [{"b": ({key: MARK, "other": "stays"},)}]}
        assert data["a"][0]["b"][0][key] is held
    assert counters.snapshot() == {"redacted.key": 5}


@pytest.mark.parametrize("key", ["prompt_tokens", "max_tokens", "input_tokens", "token_count", "gen_ai.usage.input_tokens",
                                 "llm.token_count.prompt", "tokens", "completion_tokens_details", "tokenizer", "secretary",
                                 "time_to_first_token", "password_policy", "session.id", "author", "next_page_token"])  # fmt: skip
def test_names_that_only_sound_secret_keep_their_values(key):
    """Counts of tokens are the daily bread of these records."""
    redactor, _ = make()
    data = {key: 17, "in": {key: "words"}, "json": json.dumps({key: 5, "n": [1]}), "text": f"{key}=5 {key}: 6"}
    assert redactor.value(data) is data


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a": {"password": "x1"}, "n": 1}', '{"a": {"password": "[REDACTED]"}, "n": 1}'),
        ('{"a":{"password":"x1"},"n":1}', '{"a":{"password":"[REDACTED]"},"n":1}'),
        ('[{"api_key": ["a", {"b": 2}]}]', '[{"api_key": "[REDACTED]"}]'),
        ('{"password": "x1", "text": "it is c', '{"password": "[REDACTED]", "text": "it is c'),
        ('{"text": "a", "password": "x1 cut of', '{"text": "a", "password": "[REDACTED]'),
        ('{"p\\u0061ssword": "x1"}', '{"password": "[REDACTED]"}'),
        ('{"password": "x1", "password": null}', '{"password": "[REDACTED]", "password": null}'),
        ('log: {"credentials": {"user": "x1"}, "n": 1}', 'log: {"credentials": [REDACTED], "n": 1}'),
        ('log: {"credentials": {"user": "x1", "cut', 'log: {"credentials": [REDACTED]'),
        ('{"s": "{\\"token\\": \\"x1\\"}"}', '{"s": "{\\"token\\": \\"[REDACTED]\\"}"}'),
        ('{"s": "{\\"token\\": \\"x1\\"}', '{"s": "{\\"token\\": \\"[REDACTED]\\"}'),
        (
            'cut "s": "{\\"token\\": \\"x\\\\\\"1\\", \\"n\\": 2}"',
            'cut "s": "{\\"token\\": \\"[REDACTED]\\", \\"n\\": 2}"',
        ),
        ("{'password': 'x1', 'n': 2}", "{'password': '[REDACTED]', 'n': 2}"),
        ('{"msg": "enter password:", "user": "b', '{"msg": "enter password:", "user": "b'),
        ('"[[\\"cookie\\", \\"x1\\"]]"', '"[[\\"cookie\\", \\"[REDACTED]\\"]]"'),
        ("[('cookie', 'x1'), (b'accept', b'json')", "[('cookie', '[REDACTED]'), (b'accept', b'json')"),
        ('[["x-api-key", "x1"', '[["x-api-key", "[REDACTED]"'),
        ("needs 'password', 'email'", "needs 'password', 'email'"),
        ('[["authorization", "x1"], ["accept", "json"]]', '[["authorization", "[REDACTED]"], ["accept", "json"]]'),
    ],
)
def test_json_inside_strings_is_redacted_by_name_whole_or_cut(text, shown):
    """JSON is parsed and written again in its own spacing; broken JSON is read pair by pair."""
    assert make()[0].text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2", "password=[REDACTED]"),
        ("api_key: abc", "api_key: [REDACTED]"),
        ("Authorization: Bearer xyz", "Authorization: [REDACTED]"),
        ("Authorization: Basic eDp5, next", "Authorization: [REDACTED], next"),
        ('Authorization: Digest username="u", response="1"\nHost: a', "Authorization: [REDACTED]\nHost: a"),
        ("my password is hunter2!", "my password is [REDACTED]"),
        ("the password is required", "the password is required"),
        ("cmd --api-key abc -v", "cmd --api-key [REDACTED] -v"),
        ("<password>hunter2</password>", "<password>[REDACTED]</password>"),
        ("length of password>8", "length of password>8"),
        ("os.environ['API_KEY'] = 'abc'", "os.environ['API_KEY'] = '[REDACTED]'"),
        ('secret = """a"b"""', 'secret = """[REDACTED]"""'),
        ("Server=a;Password=b c;", "Server=a;Password=[REDACTED] c;"),
        ("Cookie: a=b; c=d", "Cookie: [REDACTED]"),
        ("def f(token: str = None, secret: bytes = b''):", "def f(token: str = None, secret: bytes = b''):"),
        ("The secret: practice, every day", "The secret: practice, every day"),
        ("secret: practice", "secret: [REDACTED]"),
        ("export TOKEN=$TOKEN", "export TOKEN=$TOKEN"),
        ("https://u:p@host/x?token=abc&y=1", "https://[REDACTED]@host/x?token=[REDACTED]&y=1"),
    ],
)
def test_key_names_in_free_text_hide_what_they_are_joined_to(text, shown):
    """Settings, headers, command lines, code and XML; prose about passwords stays."""
    assert make()[0].text(text) == shown


def test_entries_written_as_name_and_value_are_hidden_too():
    """Headers as pairs, HAR entries and OTLP JSON attributes."""
    redactor, _ = make()
    assert redactor.value([["x-api-key", "abc"], ("cookie", "a=b"), ["n", "m"]]) == [
        ["x-api-key", MARK],
        ("cookie", MARK),
        ["n", "m"],
    ]
    assert redactor.value({"name": "password", "value": "abc"}) == {"name": "password", "value": MARK}
    assert redactor.value({"key": "api_key", "value": {"stringValue": "abc"}}) == {"key": "api_key", "value": MARK}
    kept = {"name": "city", "value": "Rome"}
    assert redactor.value(kept) is kept


def test_tokens_of_a_model_and_parameters_of_a_tool_are_no_secrets():
    """Log probabilities and JSON schemas use the words; a default in the schema is hidden all the same."""
    redactor, _ = make()
    kept = {
        "content": [{"token": "Hello", "logprob": -0.3, "bytes": [72]}],
        "parameters": {"type": "object", "properties": {"password": {"type": "string", "description": "yours"}}},
        "flags": {"has_token": True, "password": None, "secret": ""},
    }
    assert redactor.value(kept) is kept
    given_ = {"properties": {"password": {"type": "string", "default": "hunter2"}}}
    assert redactor.value(given_) == {"properties": {"password": MARK}}


def test_further_key_names_hide_and_kept_names_win():
    """`keys` and `keep_keys` compare the whole name or its last part, in containers, JSON and text."""
    redactor, _ = make(keys=("internal-ref",), keep_keys=("session_token",))
    assert redactor.value({"app.InternalRef": "a", "session_token": "b"}) == {
        "app.InternalRef": MARK,
        "session_token": "b",
    }
    assert redactor.text('{"internal_ref": "a"}') == '{"internal_ref": "[REDACTED]"}'
    assert redactor.text("internal ref=a session-token=b") == "internal ref=[REDACTED] session-token=b"


def test_secrets_in_key_names_are_hidden_without_losing_an_entry():
    """A dict keyed by e-mail address keeps its size."""
    redactor, _ = make(personal=True)
    data = {"a@example.com": 1, "b@example.com": 2, MARK: 3, "n": 4}
    assert redactor.value(data) == {MARK: 1, f"{MARK} 2": 2, f"{MARK} 3": 3, "n": 4}
    assert redactor.value({7: "a@example.com"}) == {7: MARK}


# --- modes ---------------------------------------------------------------------------------------------------------


def test_hashed_values_stay_joinable_under_one_key_and_differ_under_another():
    """Equal values have equal hashes, in text and by name, in every redactor with that key."""
    one, other = (
        make(mode="hash", hash_key=b"k1", personal=True)[0],
        make(mode="hash", hash_key=b"k2", personal=True)[0],
    )
    first, second = one.text("from a@example.com to c@example.com"), one.text("a@example.com again")
    assert first.split()[1] == second.split()[0] != first.split()[3]
    assert first.split()[1].startswith("[REDACTED:email:")
    assert len(first.split()[1]) == len("[REDACTED:email:12345678]")
    assert other.text("a@example.com again") != second
    assert one.value({"token": {"a": 1, "b": 2}}) == one.value({"token": {"b": 2, "a": 1}})
    assert make(mode="hash")[0].text(OPENAI_KEY) == make(mode="hash")[0].text(OPENAI_KEY)
    assert one.value({"token": {1: object()}})["token"].startswith("[REDACTED:key:")


def test_last_four_characters_are_kept_of_long_values_only():
    """A short secret would be half told; containers have no last four; what would break JSON is left out."""
    redactor, _ = make(mode="last4", personal=True)
    assert redactor.text("card 4111 1111 1111 1234".replace("1234", "1111")) == "card [REDACTED:…1111]"
    assert redactor.value({"password": "hunter2"}) == {"password": MARK}
    assert redactor.value({"password": "long enough 9876"}) == {"password": "[REDACTED:…9876]"}
    assert redactor.value({"password": 12345678901}) == {"password": "[REDACTED:…8901]"}
    assert redactor.value({"password": ["long enough 9876"]}) == {"password": MARK}
    assert redactor.value({"password": 'long enough 98"]'}) == {"password": MARK}


MODES = st.sampled_from(["replace", "last4", "hash"])


@settings(deadline=None, max_examples=150)
@given(
    mode=MODES,
    kind=st.sampled_from(SECRET_KINDS),
    seed=st.randoms(use_true_random=False),
    key=st.sampled_from(["password", "note"]),
)
def test_what_is_hidden_already_stays_as_it_is(mode, kind, seed, key):
    """The server redacts again what the library redacted: nothing changes and nothing is counted twice."""
    redactor, counters = make(mode=mode, personal=True)
    value = make_value(seed, kind).replace("\0", "")
    once = redactor.value({key: value, "text": f"{key}={value} end", "json": json.dumps({key: value})})
    count = counters.get("redacted")
    assert redactor.value(once) is once
    assert counters.get("redacted") == count


# --- the secret never appears --------------------------------------------------------------------------------------

SECRET = st.text(string.ascii_letters + string.digits, min_size=24, max_size=40).map(lambda tail: "Zq7" + tail)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20))
PLANT = st.sampled_from([
    lambda s: {"password": s}, lambda s: {"x": {"API-Key": [s]}}, lambda s: "sk-" + s, lambda s: f"ghp_{s}{s}", lambda s: f"token={s}",
    lambda s: f'{{"secret": "{s}", "n": 1', lambda s: f"https://u:{s}@host/", lambda s: f"Authorization: Bearer {s}\nHost: x",
    lambda s: {"sk-ant-" + s: 1}, lambda s: [["cookie", s]], lambda s: f"wrote\n-----BEGIN PRIVATE KEY-----\n{s}", lambda s: (s, {"jwt": s})[1],
])  # fmt: skip
WRAP = st.sampled_from([
    lambda v: {"a": v, "n": 1}, lambda v: [1, v, "x"], lambda v: (v, None), json.dumps, lambda v: json.dumps({"deep": v}, indent=1),
    lambda v: json.dumps([v], ensure_ascii=False), lambda v: {"messages": [{"role": "user", "parts": [{"content": v}]}]},
    lambda v: v if isinstance(v, dict | list | tuple) else "see\n" + v, lambda v: v if isinstance(v, dict | list | tuple) else v + " \ud800 ş",
    lambda v: [json.dumps(v)[:-1]],
])  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(secret=SECRET, plant=PLANT, wraps=st.lists(WRAP, max_size=6), beside=PLAIN, mode=MODES, personal=st.booleans())
@example(
    "Zq7" + "a" * 24,
    lambda s: {"password": s},
    [json.dumps, json.dumps, json.dumps, lambda v: [json.dumps(v)[:-1]]],
    1,
    "hash",
    False,
)
def test_a_planted_secret_never_appears_in_any_nesting_of_containers_and_json(
    secret, plant, wraps, beside, mode, personal
):
    """Dicts, lists, tuples, JSON, JSON in JSON, cut JSON, lone surrogates: no eight characters of the secret are left."""
    value = plant(secret)
    for wrap in wraps:
        value = wrap(value)
    redactor, counters = make(mode=mode, personal=personal)
    shown = repr(redactor.value({"beside": beside, "value": value}))
    assert not any(secret[at : at + 8] in shown for at in range(len(secret) - 7))
    assert counters.get("redacted") >= 1
    logged = repr(sanitize_for_logging({"beside": beside, "value": value}))
    assert not any(secret[at : at + 8] in logged for at in range(len(secret) - 7))


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        PLAIN,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
def test_nothing_raises_and_nothing_is_changed_in_place(value):
    """Any JSON-like value: the given one is as it was, and an unchanged answer is the same object."""
    before = repr(value)
    redactor, counters = make(personal=True, phone=True)
    shown = redactor.value(value)
    assert repr(value) == before
    assert (shown is value) == (counters.get("redacted") == 0)
    assert counters.get("redactor_error") == 0


# --- users' rules --------------------------------------------------------------------------------------------------


def test_a_users_pattern_hides_what_it_matches_and_is_counted_by_name():
    """The whole match goes, groups or not; short texts are read too."""
    redactor, counters = make(patterns={"staff": r"(E)-\d+", "pet": "cat"})
    assert redactor.text("staff E-1234 has a cat") == "staff [REDACTED] has a [REDACTED]"
    assert redactor.text("cat") == MARK
    assert redactor.value({"E-7": '{"x": "E-9"}'}) == {MARK: '{"x": "[REDACTED]"}'}
    assert counters.get("redacted.staff") == 3
    assert make(mode="hash", patterns={"staff": r"E-\d+"})[0].text("E-1").startswith("[REDACTED:staff:")


def test_a_users_function_rewrites_text_and_is_counted_by_its_name():
    """Functions run after the patterns, on every text but not on key names."""

    def no_names(text):
        return text.replace("Anna", "A.")

    redactor, counters = make(rules=[no_names])
    assert redactor.value({"Anna": ["hi Anna", "hi"]}) == {"Anna": ["hi A.", "hi"]}
    assert counters.snapshot() == {"redacted.no_names": 1}


def test_a_rule_that_raises_or_returns_junk_hides_the_value_and_is_counted_at_each_call():
    """Fails closed: the value goes, the record stays, `redactor_error` equals the calls."""

    def raises(text):
        raise RuntimeError(text)

    for rule in (raises, lambda _: None, lambda _: 7):
        redactor, counters = make(rules=[rule])
        span = Span("0" * 32, "1" * 16, "work", 1, attributes={"n": 5, "text": "private", "list": ["a"]})
        assert redactor.span(span)
        assert span.name == MARK
        assert span.attributes == {"n": 5, "text": MARK, "list": [MARK]}
        assert counters.get("redactor_error") == counters.get("redacted.error") == 5


def test_a_value_that_cannot_be_read_is_hidden_whole():
    """A container that raises while it is read leaves only a marker; a record keeps its form."""

    class Hostile(dict):
        def items(self):
            raise KeyError

    class HostileText(str):
        __slots__ = ()

        def __hash__(self):
            raise KeyError

    redactor, counters = make()
    assert redactor.value(Hostile(a=1)) == MARK
    assert redactor.text(HostileText("secret text")) == MARK
    span = Span("0" * 32, "1" * 16, "work", 1, attributes=Hostile(a=1))
    assert redactor.span(span)
    assert span.attributes == {MARK: MARK}
    assert counters.get("redactor_error") == 3


def test_what_nests_too_deep_is_hidden_unread():
    """No recursion error, no unread depths: deeper than MAX_DEPTH is a marker and counted."""
    deep = inner = {}
    for _ in range(5_000):
        inner["a"] = {}
        inner = inner["a"]
    redactor, counters = make()
    shown = redactor.value(deep)
    for _ in range(MAX_DEPTH):
        shown = shown["a"]
    assert shown == MARK
    assert counters.snapshot() == {"redacted.depth": 1}
    text = json.dumps({"password": "hunter2"})
    nested = json.loads("[" * MAX_DEPTH + "null" + "]" * MAX_DEPTH)
    at = nested
    while at[0] is not None:
        at = at[0]
    at[0] = text
    assert "hunter2" not in repr(redactor.value(nested))


# --- records -------------------------------------------------------------------------------------------------------


def test_every_field_of_every_kind_of_record_is_redacted_and_the_changed_spans_are_told():
    """Names, status, attributes, events, links, scope, resource, log bodies; shared resources are replaced."""
    redactor, _ = make()
    key = OPENAI_KEY
    resource, scope = Resource({"password": key}), Scope("s", attributes={"t": key})
    span = Span("0" * 32, "1" * 16, f"call {key}", 1, status_message=key, attributes={"a": [key]}, trace_state=f"x={key}",
                events=[Event(1, key, {"b": key})], links=[Link("0" * 32, "2" * 16, {"c": key}, key)], resource=resource, scope=scope)  # fmt: skip
    clean = Span(
        "0" * 32,
        "3" * 16,
        "clean",
        1,
        attributes={"gen_ai.usage.input_tokens": 7},
        events=[Event(1, "e")],
        links=[Link("0" * 32, "4" * 16)],
    )
    log = Log(
        1, body={"token": "x", "text": key}, event_name=key, attributes={"d": key}, resource=resource, scope=scope
    )
    batch = Batch([span, clean], [log, Log(2, body="fine")])
    assert redactor.batch(batch) == [span]
    assert key not in repr(batch)
    assert resource.attributes == {"password": key}
    assert span.resource.attributes == {"password": MARK}
    assert log.body == {"token": MARK, "text": MARK}


def test_a_span_says_whether_it_was_changed():
    """Each field counts by itself; a log says it too."""
    redactor, _ = make()
    for field in ("attributes", "events", "links"):
        held = {
            "attributes": {"a": OPENAI_KEY},
            "events": [Event(1, "e", {"a": OPENAI_KEY})],
            "links": [Link("0" * 32, "1" * 16, {"a": OPENAI_KEY})],
        }
        assert redactor.span(Span("0" * 32, "1" * 16, "n", 1, **{field: held[field]}))
    assert not redactor.span(Span("0" * 32, "1" * 16, "n", 1))
    assert redactor.log(Log(1, body=OPENAI_KEY))
    assert not redactor.log(Log(1, body="fine"))


def test_bytes_of_otlp_are_read_through_their_base64():
    """`base64:` text is decoded, scanned, and written again; bytes that are no text survive."""
    redactor, _ = make()
    shown = sanitize_for_logging({"body": b"\xff\x00 password=hunter2 \xfe"})
    assert shown == {"body": "base64:/wAgcGFzc3dvcmQ9W1JFREFDVEVEXSD+"}
    headers = sanitize_for_logging([(b"authorization", b"Bearer x"), (b"accept", b"json")])
    assert headers == [["base64:YXV0aG9yaXphdGlvbg==", MARK], ["base64:YWNjZXB0", "base64:anNvbg=="]]
    for text in ("base64:AAAA", "base64:not base64!"):
        assert redactor.text(text) is text


# --- sanitize_for_logging ------------------------------------------------------------------------------------------


class Nasty:
    def __repr__(self):
        raise RuntimeError

    __str__ = __repr__


def test_sanitize_for_logging_takes_any_value_and_returns_plain_data():
    """Cycles, raising reprs, depth, NaN, surrogates, huge numbers: JSON comes out, nothing raises."""
    cycle = {"password": "hunter2"}
    cycle["self"] = cycle
    deep = []
    for _ in range(5_000):
        deep = [deep]
    values = [cycle, Nasty(), {Nasty(): Nasty()}, deep, b"\xff", float("nan"), 10**400, "\ud800", {1, 2}, (1, "a"), object, None,
              [cycle], {None: 1, 2: 3}, Counter("ab"), Path("x"), ValueError("password=hunter2")]  # fmt: skip
    for value in values:
        shown = sanitize_for_logging(value)
        text = json.dumps(shown, allow_nan=False)
        assert text.encode()
        assert "hunter2" not in text


def test_sanitize_for_logging_hides_by_name_and_by_value():
    """The same rules as the records'; what is given is not touched."""
    data = {"user": "anna", "password": "hunter2", "items": ({"api_key": "x"}, f"key {OPENAI_KEY}"), "prompt_tokens": 5}
    shown = sanitize_for_logging(data)
    assert shown == {"user": "anna", "password": MARK, "items": [{"api_key": MARK}, f"key {MARK}"], "prompt_tokens": 5}
    assert data["password"] == "hunter2"
    assert sanitize_for_logging("plain") == "plain"


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"mode": "erase"}, "'erase'"),
        ({"hash_key": b""}, "hash key"),
        ({"hash_key": "text"}, "hash key"),
        ({"keys": "password"}, "list"),
        ({"keys": ["--"]}, "'--'"),
        ({"keep_keys": [7]}, "7"),
        ({"patterns": {"bad": "(x"}}, r"'bad'.*\(x.*RE2"),
        ({"patterns": {"bad": "(?=x)"}}, "'bad'"),
        ({"patterns": {"bad": 7}}, "'bad'"),
        ({"patterns": {"email": "x"}}, "taken"),
        ({"patterns": {"no name": "x"}}, "'no name'"),
        ({"patterns": {"empty": "x*"}}, "empty text"),
        ({"patterns": {"long": r"(?i)[\pL\pN]{1000}"}}, "'long'.*RE2"),
        ({"patterns": {"long": r"(?i)[\pL\pN]{250}"}}, "long.*fewer"),
        ({"rules": ["x"]}, "called"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_value_and_remedy(given_, says):
    """Before anything is recorded, not later."""
    with pytest.raises(SettingsError, match=says):
        Redactor(**given_)


def test_describe_lists_every_rule_with_whether_it_is_on():
    """What `doctor` prints."""
    listed = make(personal=True, patterns={"staff": "E-1"}, rules=[str.strip])[0].describe()
    on = {(rule.name, rule.kind): rule.on for rule in listed}
    assert on["key", "key names"]
    assert on["openai", "secret"]
    assert on["email", "personal"]
    assert not on["phone", "phone"]
    assert on["staff", "pattern"]
    assert on["strip", "function"]
    assert len(on) == len(listed) > 40


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '"token": ["a"] ' * 20_000, "token: foo " * 25_000, "password=" * 30_000, '\\"' * 50_000 + ' "password": "' + '\\"' * 90_000,
        "4111 " * 50_000, "a@" * 100_000, "eyJaaaaaaaa." * 20_000, "-----BEGIN PRIVATE KEY-----" * 10_000, "1.2.3.4 " * 30_000, "a:b@/" * 40_000,
        '{"password": ' * 20_000, "AB12 " * 50_000, os.urandom(100_000).hex(), "cookie: a=b; " * 20_000, "://a:" * 40_000, "+1 " * 80_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_hostile_text_takes_linear_time(text):
    """A quarter of a megabyte of near-misses: well within two seconds each, in every mode of reading."""
    redactor, _ = make(personal=True, phone=True)
    start = time.process_time()
    redactor.text(text)
    assert time.process_time() - start < 2


def test_long_base64_is_no_place_for_personal_data_but_for_secrets():
    """Images carry digits by chance; a key pasted behind one is still found."""
    redactor, counters = make(personal=True)
    blob = "data:image/png;base64," + "4111111111111111/" * 100
    assert redactor.text(blob) is blob
    assert counters.snapshot() == {}
    assert OPENAI_KEY not in redactor.text(blob + " " + OPENAI_KEY)


def test_memory_for_names_and_texts_seen_is_bounded():
    """Ever new keys and texts do not pile up."""
    redactor, _ = make()
    for number in range(25_000):
        assert redactor.value({f"key {number}": f"text {number}"}) == {f"key {number}": f"text {number}"}
    assert len(redactor._key_memo) <= 10_000
    assert len(redactor._clean) <= 20_000
    assert redactor.value({"k" * 300: 1}) == {"k" * 300: 1}


def test_points_of_metrics_are_redacted_everywhere():
    """Name, unit, description, attributes, and resource and scope, which are shared and therefore replaced."""
    redactor, _ = make()
    resource = Resource({"note": OPENAI_KEY})
    scope = Scope("s", "1", {"note": OPENAI_KEY})
    told = Point(OPENAI_KEY, 1, unit=OPENAI_KEY, description=f"with {OPENAI_KEY}", attributes={"a": [OPENAI_KEY]})
    told.resource, told.scope = resource, scope
    redactor.batch(Batch([], [], "default", [told]))
    assert "sk-proj" not in repr(told)
    assert repr(told).count(MARK) == 6
    assert resource.attributes == {"note": OPENAI_KEY}
