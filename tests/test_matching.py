"""What a filter means: each rule at the top of `query.py`, words, checks, summaries and pages over records."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo import semconv
from vestigo.errors import QueryError
from vestigo.matching import (
    TraceView,
    compare,
    has_phrase,
    log_matches,
    log_score,
    message_text,
    span_matches,
    span_texts,
    span_values,
    summarize,
    tokens,
    trace_matches,
    trace_values,
)
from vestigo.normalize import normalize
from vestigo.query import (
    ALL_TIME,
    FIELDS,
    HAS,
    LOG_FIELDS,
    MAX_DEPTH,
    ORDERS,
    And,
    Compare,
    Filter,
    Not,
    OneOf,
    Or,
    Query,
    Text,
    Within,
    check_field,
    check_filter,
    check_query,
    log_sort_key,
    make_cursor,
    page_of,
    read_cursor,
    span_sort_key,
    summary_sort_key,
)
from vestigo.record import Cost, Log, NormalForm, Resource, Span, Trace, Usage, order_spans

TRACE_ID = "1" * 32
SECOND_NS = 10**9


def span(
    span_id: str = "a", parent_id: str | None = None, start_s: float = 0, latency_s: float | None = 1, **more: Any
) -> Span:
    start_ns = int(start_s * SECOND_NS)
    end_ns = None if latency_s is None else start_ns + int(latency_s * SECOND_NS)
    made = Span(TRACE_ID, span_id, more.pop("name", span_id), start_ns, parent_id, end_ns, **more)
    made.normal = made.normal or normalize(made)
    return made


def trace_of(*spans: Span, logs: list[Log] | None = None) -> Trace:
    return Trace(TRACE_ID, order_spans(list(spans)), logs or [])


def score(name: str, value: Any, span_id: str | None = None, key: str = semconv.EVALUATION_SCORE) -> Log:
    attributes = {semconv.EVALUATION_NAME: name, key: value}
    return Log(1, event_name=semconv.EVALUATION_EVENT, attributes=attributes, trace_id=TRACE_ID, span_id=span_id)


def fits(filter_: Filter, one: Span, *others: Span, logs: list[Log] | None = None) -> bool:
    return span_matches(filter_, one, TraceView(trace_of(one, *others, logs=logs)))


def call(**attributes: Any) -> Span:
    return span(attributes={semconv.OPERATION: "chat", **attributes})


# --- comparisons


@pytest.mark.parametrize("op", ["=", "!=", ">", ">=", "<", "<=", "contains", "~", "exists"])
def test_a_comparison_with_a_missing_field_is_false_and_not_is_plain_negation(op: Any) -> None:
    """Whatever the comparison; `not` of it is true. None counts as missing."""
    for one in (span(), span(attributes={"x": None})):
        assert not fits(Compare("attr.x", op, ""), one)
        assert fits(Not(Compare("attr.x", op, "")), one)
        assert not fits(OneOf("attr.x", ("", 0, False)), one)
    assert compare(None, op, "") is False


@pytest.mark.parametrize(
    ("found", "op", "value", "expected"),
    [
        (True, "=", 1, False),
        (1, "=", True, False),
        (True, "=", True, True),
        (True, "!=", 1, True),
        (0, "!=", False, True),
        (True, ">", False, False),
        (2, ">", True, False),
        (1, "=", 1.0, True),
        (2**63 - 1, "=", 2.0**63, False),
        (2**63 - 1, "<", 2.0**63, True),
        (1, "=", "1", False),
        ("1", "=", 1, False),
        ("1", "!=", 1, True),
        ("1", ">", 0, False),
        ("b", ">", "a", True),
        ("b", ">=", "b", True),
        ("B", "<", "a", True),
        ("a", "<=", "B", False),
        (3, ">=", 3, True),
        (3, "<=", 2.9, False),
        (-0.0, "=", 0, True),
        ("Straße", "contains", "STRASSE", True),
        ("abc", "contains", "", True),
        ("abc", "contains", "d", False),
        (123, "contains", "2", False),
        ("123", "contains", 2, False),
        ("abc", "~", "^a.c$", True),
        ("xabcx", "~", "^a.c$", False),
        (1, "~", "1", False),
        ("a", "=", "A", False),
        ([1], "=", "1", False),
        ([1], "!=", "1", True),
        ({}, "exists", "", True),
        ("", "exists", "", True),
        (False, "exists", "", True),
        ([1], ">", 0, False),
    ],
)
def test_values_are_compared_by_type_first(found: Any, op: Any, value: Any, expected: bool) -> None:
    """Booleans are not numbers, texts are not numbers; across types only `!=` is true."""
    assert compare(found, op, value) is expected
    assert fits(Compare("attr.x", op, value), span(attributes={"x": found})) is expected


def test_one_of_is_equality_with_any() -> None:
    """By the same rules as `=`."""
    one = span(attributes={"x": 1})
    assert fits(OneOf("attr.x", ("a", 1.0)), one)
    assert not fits(OneOf("attr.x", ("1", True)), one)
    assert not fits(OneOf("attr.x", ()), one)


def test_and_or_of_nothing() -> None:
    """All of nothing is true, any of nothing is false, no filter is true."""
    assert fits(And(()), span())
    assert not fits(Or(()), span())
    assert span_matches(None, span(), TraceView(trace_of()))


def test_patterns_are_those_of_re2_and_mistakes_are_told_quietly() -> None:
    """A pattern that cannot be read raises QueryError with the reason; nothing goes to standard error."""
    code = (
        "from vestigo.query import pattern\n"
        "for text in ('(', 'a{2000}', '\\ud800', '(?=x)'):\n"
        "    try:\n        pattern(text)\n"
        "    except Exception as error:\n        print(type(error).__name__, ascii(str(error)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count("QueryError") == 4
    assert "cannot read the pattern '(': missing ): (" in done.stdout


# --- fields


def test_every_field_is_read_from_its_place() -> None:
    """One span with everything; the names are the same in every storage."""
    one = span(
        name="chat", start_s=5, latency_s=1.5, status="ERROR", status_message="boom",
        attributes={
            semconv.OPERATION: "chat", semconv.PROVIDER: "test", semconv.REQUEST_MODEL: "asked",
            semconv.RESPONSE_MODEL: "answered", semconv.SESSION_ID: "s", semconv.USER_ID: "u",
            "tags": ["t1", None, "t2"],
            semconv.TOOL_NAME: "search", semconv.AGENT_NAME: "planner", semconv.PROMPT_NAME: "greet",
            semconv.TTFT_S: 0.25, semconv.INPUT_TOKENS: 10, semconv.OUTPUT_TOKENS: 5, semconv.CACHE_READ_TOKENS: 3,
            semconv.REASONING_TOKENS: 2, semconv.COST_USD: 0.5,
            semconv.INPUT_MESSAGES: [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}],
            semconv.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "be kind"}],
            semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}],
            "x.y": 7,
        },
        resource=Resource({
            semconv.SERVICE_NAME: "shop", semconv.ENVIRONMENT: "production", semconv.SERVICE_VERSION: "1.2",
            "host": "h",
        }),
    )  # fmt: skip
    view = TraceView(
        trace_of(one, logs=[score("helpful", 0.5, "a"), score("tone", "good", "a", semconv.EVALUATION_LABEL)])
    )
    expected: dict[str, list[Any]] = {
        "kind": ["llm"], "name": ["chat"], "model": ["answered"], "provider": ["test"], "status": ["error"],
        "error": ["boom"], "latency": [1.5], "ttft": [0.25], "tokens": [15], "tokens.in": [10], "tokens.out": [5],
        "tokens.cached": [3], "tokens.reasoning": [2], "cost": [0.5], "session": ["s"], "user": ["u"],
        "tag": ["t1", "t2"], "env": ["production"], "release": ["1.2"], "service": ["shop"], "level": [],
        "input": ["hello", "be kind"], "output": ["hi"], "trace": [TRACE_ID], "span": ["a"], "tool": ["search"],
        "agent": ["planner"], "prompt": ["greet"], "operation": ["chat"],
        "has": ["error", "cost", "session", "user", "input", "output", "score", "tool"],
    }  # fmt: skip
    assert set(expected) == set(FIELDS)
    assert {field: list(span_values(one, field, view)) for field in FIELDS} == expected
    assert list(span_values(one, "attr.x.y", view)) == [7]
    assert list(span_values(one, "resource.host", view)) == ["h"]
    assert list(span_values(one, "score.helpful", view)) == [0.5]
    assert list(span_values(one, "score.tone", view)) == ["good"]
    assert set(expected["has"]) < set(HAS)


def test_a_bare_span_has_few_values() -> None:
    """What is not known is missing, not empty or 0."""
    one = span(latency_s=None, resource=Resource({"": "odd"}))
    view = TraceView(trace_of(one))
    found = {field: list(span_values(one, field, view)) for field in FIELDS}
    assert {field: values for field, values in found.items() if values} == {
        "kind": ["span"], "name": ["a"], "status": ["unset"], "trace": [TRACE_ID], "span": ["a"], "has": ["open"],
    }  # fmt: skip
    raw = Span(TRACE_ID, "a", "n", 0)
    assert [list(span_values(raw, field, view)) for field in ("kind", "model", "tokens", "cost")] == [
        ["span"],
        [],
        [],
        [],
    ]


def test_tokens_are_those_that_were_told() -> None:
    """The sum of input and output, or the one that is known."""
    one = span(attributes={semconv.OPERATION: "chat", semconv.OUTPUT_TOKENS: 4})
    assert list(span_values(one, "tokens", TraceView(trace_of(one)))) == [4]


@pytest.mark.parametrize(
    ("attributes", "expected"), [({"tags": "one"}, ["one"]), ({"tag.tags": ["a", 3]}, ["a", 3]), ({"tags": None}, [])]
)
def test_tags_come_in_several_shapes(attributes: dict[str, Any], expected: list[Any]) -> None:
    """One text or a list."""
    one = span(attributes=attributes)
    assert list(span_values(one, "tag", TraceView(trace_of(one)))) == expected


def test_a_field_with_several_values_fits_if_any_does() -> None:
    """Tags and messages; `!=` is true if any value differs."""
    one = span(attributes={"tags": ["a", "b"]})
    assert fits(Compare("tag", "=", "b"), one)
    assert fits(Compare("tag", "!=", "b"), one)
    assert not fits(Compare("tag", "=", "c"), one)


@pytest.mark.parametrize("field", ["modle", "attr.", "attr", "score.", "", "Model", "resource."])
def test_an_unknown_field_is_refused_with_the_nearest_name(field: str) -> None:
    """In a comparison, in a tree, for values; nothing is guessed."""
    one = span()
    with pytest.raises(QueryError, match="unknown field") as caught:
        check_field(field)
    assert "did you mean" in str(caught.value) or "there are: kind" in str(caught.value)
    with pytest.raises(QueryError):
        span_values(one, field, TraceView(trace_of(one)))
    with pytest.raises(QueryError):
        check_filter(Or((Not(OneOf(field, ("x",))),)))


def test_kinds_of_fields() -> None:
    """Own attributes are texts for `:`, scores are numbers, keys may end in a dot."""
    assert (check_field("attr.a."), check_field("resource.x"), check_field("score.q")) == ("text", "text", "number")
    assert (check_field("model"), check_field("name"), check_field("cost")) == ("word", "text", "number")
    with pytest.raises(QueryError, match="did you mean 'model'"):
        check_field("modle")
    with pytest.raises(QueryError, match=r"did you mean 'attr\.KEY'"):
        check_field("attr.")


# --- traces


def test_on_a_trace_a_term_speaks_of_the_trace() -> None:
    """Latency is the trace's, sums are of leaves, the name is the root's, other fields hold if any span's do."""
    root = span("a", start_s=0, latency_s=2, name="root")
    root.normal = NormalForm("agent", usage=Usage(input=100), usage_role="rollup", cost=Cost(9.0))
    one = span("b", "a", start_s=1, latency_s=3, name="one", status="ERROR", status_message="boom")
    one.normal = NormalForm("llm", request_model="m1", usage=Usage(input=10, output=1), cost=Cost(0.5))
    two = span("c", "a", start_s=1, latency_s=None, name="two")
    two.normal = NormalForm("llm", request_model="m2", usage=Usage(input=5), cost=Cost(0.25))
    trace = trace_of(root, one, two, logs=[score("helpful", 1), score("helpful", 0, "b")])
    view = TraceView(trace)
    expected: dict[str, list[Any]] = {
        "name": ["root"], "status": ["error"], "latency": [4.0], "cost": [0.75], "tokens": [16], "tokens.in": [15],
        "tokens.out": [1], "tokens.cached": [], "model": ["m1", "m2"], "error": ["boom"],
        "kind": ["agent", "llm", "llm"],
        "score.helpful": [1, 0], "span": ["a", "b", "c"], "level": [],
    }  # fmt: skip
    assert {field: list(trace_values(trace, field, view)) for field in expected} == expected
    assert {"error", "score", "open", "cost"} == set(trace_values(trace, "has", view))
    assert trace_matches(And((Compare("model", "=", "m1"), Compare("model", "=", "m2"))), trace)
    assert not trace_matches(Compare("name", "=", "one"), trace)
    assert trace_matches(Text("two"), trace)
    assert trace_matches(Compare("latency", ">", 3.9), trace)


def test_an_open_root_has_no_latency_and_an_empty_trace_nothing() -> None:
    """A trace lasts until its root ends; one without spans fits nothing but negations."""
    assert not trace_matches(Compare("latency", "exists"), trace_of(span(latency_s=None)))
    empty = Trace(TRACE_ID)
    assert not trace_matches(Compare("name", "exists"), empty)
    assert not trace_matches(Within("root", And(())), empty)
    assert not trace_matches(Within("parent", And(())), empty)
    assert trace_matches(Within("none", And(())), empty)
    assert summarize(empty).spans == 0


# --- scopes


def family() -> tuple[Span, Span, Span, Span]:
    """root -> parent -> child, and an orphan."""
    return (
        span("r", start_s=0, name="root"),
        span("p", "r", start_s=1, name="parent"),
        span("c", "p", start_s=2, name="child"),
        span("o", "gone", start_s=3, name="orphan"),
    )


def test_scopes_ask_other_spans_of_the_trace() -> None:
    """any, none and root do not depend on the span; parent and child do."""
    spans = family()
    view = TraceView(trace_of(*spans))

    def answers(filter_: Filter) -> str:
        return "".join(one.span_id for one in spans if span_matches(filter_, one, view))

    def named(name: str) -> Compare:
        return Compare("name", "=", name)

    assert answers(Within("any", named("child"))) == "rpco"
    assert answers(Within("any", named("nobody"))) == ""
    assert answers(Within("none", named("nobody"))) == "rpco"
    assert answers(Within("none", named("child"))) == ""
    assert answers(Within("root", named("root"))) == "rpco"
    assert answers(Within("root", named("child"))) == ""
    assert answers(Within("parent", named("root"))) == "p"
    assert answers(Within("child", named("child"))) == "p"
    assert answers(Not(Within("parent", And(())))) == "ro"
    assert answers(Within("parent", Within("parent", named("root")))) == "c"
    assert answers(Within("child", Within("child", And(())))) == "r"
    assert answers(Within("any", Within("parent", named("parent")))) == "rpco"


def test_on_a_trace_parent_and_child_are_those_of_the_root() -> None:
    """The root has no parent here, and children."""
    trace = trace_of(*family())
    assert trace_matches(Within("child", Compare("name", "=", "parent")), trace)
    assert not trace_matches(Within("child", Compare("name", "=", "child")), trace)
    assert not trace_matches(Within("parent", And(())), trace)


def test_a_view_answers_each_filter_for_itself() -> None:
    """`True` and `1` are equal in Python and different questions; a filter that is gone leaves no answer behind."""
    one = span(attributes={"x": True})
    view = TraceView(trace_of(one))
    for _ in range(50):
        assert span_matches(Within("any", Compare("attr.x", "=", True)), one, view)
        assert not span_matches(Within("any", Compare("attr.x", "=", 1)), one, view)


def test_scopes_inside_each_other_are_asked_once() -> None:
    """Nested any(...) over many spans costs spans times depth, not spans to the power of depth."""
    spans = [span(str(number), None if number == 0 else "0", start_s=number) for number in range(300)]
    deep: Filter = Compare("name", "=", "nobody")
    for _ in range(21):
        deep = Within("any", Not(deep))
    trace = trace_of(*spans)
    view = TraceView(trace)
    assert all(span_matches(deep, one, view) for one in spans)
    assert len(view._answers) == 21


# --- logs


def test_logs_are_filtered_by_their_own_fields() -> None:
    """Each field of a log, and its words."""
    one = Log(
        5, severity=17, body={"message": "order lost", "type": "refund", "id": "A-17"}, event_name="order.failed",
        attributes={semconv.EXCEPTION_MESSAGE: "boom", semconv.USER_ID: "u", semconv.SESSION_ID: "s", "n": 3},
        trace_id=TRACE_ID, span_id="a",
        resource=Resource({
            semconv.SERVICE_NAME: "shop", semconv.ENVIRONMENT: "test", semconv.SERVICE_VERSION: "1", "host": "h",
        }),
    )  # fmt: skip
    expected = {
        "name": "order.failed", "level": 17, "service": "shop", "env": "test", "release": "1", "trace": TRACE_ID,
        "span": "a", "error": "boom", "user": "u", "session": "s", "attr.n": 3, "resource.host": "h",
    }  # fmt: skip
    assert set(expected) >= LOG_FIELDS
    bare = Log(5)
    for field, value in expected.items():
        assert log_matches(Compare(field, "=", value), one), field
        assert log_matches(Compare(field, "exists"), bare) == (field == "level")
    assert log_matches(Text("order lost"), one)
    assert log_matches(Text("refund A-17"), one)
    assert log_matches(Text("order failed"), one)
    assert not log_matches(Text("message"), one)
    assert log_matches(None, bare)


def test_logs_have_no_fields_of_spans() -> None:
    """What logs cannot answer raises, whether or not there is a log."""
    for wrong in (Compare("model", "=", "x"), Within("any", Compare("name", "=", "x")), OneOf("latency", (1,))):
        with pytest.raises(QueryError, match="logs have no"):
            log_matches(wrong, Log(1))
        with pytest.raises(QueryError, match="logs have no"):
            check_query(Query(project="p", filter=Not(wrong)), logs=True)
        assert check_query(Query(project="p", filter=wrong))


def test_scores_are_logs_with_a_name_and_a_value() -> None:
    """The value, or else the label; without a name it is no score."""
    assert log_score(score("q", 0)) == ("q", 0)
    assert log_score(score("q", "good", key=semconv.EVALUATION_LABEL)) == ("q", "good")
    assert log_score(score("q", None)) is None
    assert log_score(score(7, 1)) is None  # type: ignore[arg-type]
    assert log_score(Log(1, event_name="other")) is None
    assert log_matches(Compare("score.q", ">=", 0), score("q", 0))
    assert not log_matches(Compare("score.p", "exists"), score("q", 0))
    one = span("a")
    assert fits(Compare("score.q", "=", 1), one, logs=[score("q", 1, "a")])
    assert not fits(Compare("score.q", "=", 1), one, logs=[score("q", 1, "b")])
    assert fits(Compare("has", "=", "score"), one, logs=[score("q", 1, "a")])


# --- words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The refund-policy, v2!", ["the", "refund", "policy", "v2"]),
        ("snake_case don't", ["snake", "case", "don", "t"]),
        ("Café naïve ÉCOLE", ["cafe", "naive", "ecole"]),
        ("cafe\u0301", ["cafe"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("\uff26\uff35\uff2c\uff2c \uff11\uff12", ["full", "12"]),
        ("返金ポリシー", ["返", "金", "ポ", "リ", "シ", "ー"]),
        ("返金。ポリシー、「はい」", ["返", "金", "ポ", "リ", "シ", "ー", "は", "い"]),
        ("ガカ ﾊﾟ", ["ガ", "カ", "パ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("ДОМ дом", ["дом", "дом"]),
        ("İstanbul", ["istanbul"]),
        ("a🎉b 🎉", ["a", "b"]),
        ("x\x00y", ["x", "y"]),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_in_any_case(text: str, expected: list[str]) -> None:
    """Accents and forms do not matter; ideographs and kana stand alone, with their marks; signs are no words."""
    assert tokens(text) == expected


@given(st.text())
def test_words_stay_words(text: str) -> None:
    """Reading the words of words gives the same words, so that an index may hold them instead of the text."""
    assert tokens(" ".join(tokens(text))) == tokens(text)


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=8), st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_a_phrase_is_in_a_text_whose_words_follow_each_other_so(text: list[str], phrase: list[str]) -> None:
    """The same as looking at every place; the empty phrase is in every text."""
    places = range(len(text) + 1)
    expected = any(text[at : at + len(phrase)] == phrase for at in places)
    assert has_phrase(" ".join(text), tuple(phrase)) == expected


def test_a_phrase_does_not_reach_over_messages() -> None:
    """Words follow each other in the name, in one message, or in the system's text, not across them."""
    one = call(**{
        semconv.INPUT_MESSAGES: [
            {"role": "user", "parts": [{"type": "text", "content": "where is my"}]},
            {"role": "user", "parts": [{"type": "text", "content": "refund today"}]},
        ],
        semconv.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "be kind"}],
    })  # fmt: skip
    assert fits(Text("refund TODAY"), one)
    assert fits(Text("be kind"), one)
    assert not fits(Text("my refund"), one)
    assert not fits(Text("user"), one)
    assert fits(And((Text("my"), Text("refund"))), one)
    assert list(span_texts(one)) == ["a", "where is my", "refund today", "be kind"]


def test_labels_of_messages_are_no_text_but_the_same_words_in_arguments_are() -> None:
    """Roles and part types are structure; what stands in a call's arguments or answer was said."""
    message = {
        "role": "assistant", "finish_reason": "stop",
        "parts": [
            {"type": "tool_call", "id": "call-9", "name": "search", "arguments": {"id": "A-17", "type": "b", "n": 5}},
            {"type": "text", "content": "hello"},
        ],
    }  # fmt: skip
    assert message_text(message) == "search\nA-17\nb\nhello"
    assert message_text([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]) == "hi"
    assert message_text("plain") == "plain"
    assert message_text(None) == message_text(5) == ""


# --- checks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limit": 0}, "limit 0 makes no sense; give 1 to 100000"),
        ({"limit": 100_001}, "limit 100001"),
        ({"start_ns": 2, "end_ns": 1}, "the window ends \\(1\\) before it starts \\(2\\)"),
        ({"project": ""}, "no project is named"),
        ({"order": "fastest"}, "unknown order 'fastest'; there are: newest, oldest, slowest"),
        ({"filter": Compare("name", "like", "x")}, "unknown comparison 'like'; there are: =, !="),  # type: ignore[arg-type]
        ({"filter": Compare("name", "~", "[")}, "cannot read the pattern '\\['"),
        ({"filter": And((Or((Not(Within("any", Compare("modle", "=", 1))),)),))}, "did you mean 'model'"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_whatever_is_stored(wrong: dict[str, Any], message: str) -> None:
    """Limits, windows, orders, and every part of the filter are looked at before any record."""
    with pytest.raises(QueryError, match=message):
        check_query(Query(**{"project": "p", **wrong}))


def test_a_query_that_makes_sense_is_given_back() -> None:
    """Also an empty window and a pattern that is no text, which matches nothing."""
    query = Query(project="p", start_ns=5, end_ns=5, filter=And((Text("x"), Compare("name", "~", 5))))
    assert check_query(query) is query
    assert (Query(project="p").start_ns, Query(project="p").end_ns) == ALL_TIME


def test_a_filter_may_be_deep_but_not_too_deep() -> None:
    """200 levels can be asked; more is an error instead of the end of the stack."""

    def deep(levels: int) -> Filter:
        tree: Filter = Compare("name", "=", "a")
        for _ in range(levels - 1):
            tree = Within("any", tree)
        return tree

    assert fits(deep(MAX_DEPTH), span("a"))
    assert check_filter(deep(MAX_DEPTH))
    with pytest.raises(QueryError, match="more than 200 levels deep"):
        check_filter(deep(MAX_DEPTH + 1))
    assert check_filter(None) is None


# --- pages


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 2)), max_size=30
    ),
    st.sampled_from(ORDERS),
    st.integers(1, 5),
)
def test_pages_neither_skip_nor_repeat(records: list[tuple[int, str, str, int]], order: Any, limit: int) -> None:
    """Pages put together are the whole in order, with equal starts and ids that repeat across traces."""
    unique = {(trace, id_): (start, trace, id_, length) for start, trace, id_, length in records}.values()
    spans = [
        Span(trace, id_, "n", start, end_ns=start + length if length else None) for start, trace, id_, length in unique
    ]
    whole = page_of(spans, Query(project="p", order=order), span_sort_key)
    assert whole.cursor is None
    keys = [span_sort_key(one, order) for one in whole]
    assert keys == sorted(keys, reverse=order != "oldest")
    query, found = Query(project="p", order=order, limit=limit), []
    while True:
        page = page_of(spans, query, span_sort_key)
        assert len(page) <= limit
        found += page.items
        if page.cursor is None:
            break
        assert len(page) == limit
        query = Query(project="p", order=order, limit=limit, cursor=page.cursor)
    assert found == whole.items


def test_an_open_span_is_the_shortest_and_logs_have_no_duration() -> None:
    """Sort keys of spans, summaries and logs."""
    assert span_sort_key(span(latency_s=None), "slowest")[0] == -1
    assert span_sort_key(span(latency_s=0), "slowest")[0] == 0
    assert summary_sort_key(summarize(trace_of(span(latency_s=None))), "slowest")[0] == -1
    assert summary_sort_key(summarize(trace_of(span(latency_s=2))), "slowest")[0] == 2 * SECOND_NS
    assert log_sort_key(Log(7, trace_id="t", log_id="l"), "slowest") == (7, 7, "t", "l")
    assert log_sort_key(Log(7), "newest") == (7, 7, "", "")


def test_a_cursor_belongs_to_one_order_and_is_ours() -> None:
    """It is text for a URL; anything else raises QueryError."""
    cursor = make_cursor("newest", (1, 2, "ä", ""))
    assert read_cursor(Query(project="p", cursor=cursor)) == (1, 2, "ä", "")
    assert read_cursor(Query(project="p")) is None
    assert cursor.replace("-", "").replace("_", "").isalnum()
    with pytest.raises(QueryError, match="belongs to order 'newest'"):
        read_cursor(Query(project="p", cursor=cursor, order="oldest"))


@given(st.text(max_size=30))
def test_no_text_is_taken_for_a_cursor(text: str) -> None:
    """Hostile cursors raise QueryError and nothing else."""
    with pytest.raises(QueryError, match="cannot read the cursor"):
        read_cursor(Query(project="p", cursor=text))


# --- summaries


def test_a_summary_adds_up_leaves_only() -> None:
    """Everything that a list shows of a trace."""
    root = span(
        "a", start_s=10, latency_s=5, name="root", weight=4.0, resource=Resource({semconv.SERVICE_NAME: "shop"})
    )
    root.normal = NormalForm("agent", usage=Usage(input=99), usage_role="rollup", cost=Cost(9.0), session_id="s")
    one = span("b", "a", start_s=9, latency_s=2, status="ERROR", status_message="boom")
    usage = Usage(input=10, output=4, cache_read=3, reasoning=2)
    one.normal = NormalForm("llm", request_model="m2", usage=usage, cost=Cost(0.5), user_id="u")
    two = span("c", "a", start_s=11, latency_s=None)
    two.normal = NormalForm("llm", request_model="m1", usage=Usage(input=1), cost=Cost())
    tool = span("d", "a", start_s=12, latency_s=9)
    summary = summarize(trace_of(root, one, two, tool))
    assert (summary.name, summary.service, summary.weight) == ("root", "shop", 4.0)
    assert (summary.start_ns, summary.end_ns) == (9 * SECOND_NS, 21 * SECOND_NS)
    assert (summary.start_time, summary.duration_ms) == (9.0, 12_000.0)
    assert (summary.status, summary.error_message) == ("ERROR", "boom")
    assert (summary.spans, summary.errors, summary.open_spans, summary.calls) == (4, 1, 1, 2)
    assert (summary.input_tokens, summary.output_tokens) == (11, 4)
    assert (summary.cached_tokens, summary.reasoning_tokens) == (3, 2)
    assert (summary.cost_usd, summary.unpriced_calls) == (0.5, 1)
    assert (summary.session_id, summary.user_id, summary.models) == ("s", "u", ["m1", "m2"])


def test_a_summary_of_an_open_trace_has_no_end_and_unknown_cost_is_none() -> None:
    """None where nobody knows, never 0."""
    summary = summarize(trace_of(span("a", latency_s=None), span("b", "a", latency_s=3)))
    assert (summary.end_ns, summary.duration_ms, summary.cost_usd) == (None, None, None)
