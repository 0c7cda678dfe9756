"""The filter language: text to tree, tree to text, and mistakes that say where and what."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vestigo.errors import QueryError
from vestigo.filtertext import MAX_CHARACTERS, MAX_DEPTH, filter_text, parse_filter
from vestigo.matching import TraceView, span_matches, tokens
from vestigo.query import FIELDS, HAS, And, Compare, Filter, Not, OneOf, Or, Text, Within, check_filter
from vestigo.record import Span, Trace


def both(field: str, value: object, text: str) -> Or:
    """An attribute's number and its text."""
    return Or((Compare(field, "=", value), Compare(field, "=", text)))


READ = [
    ("kind:llm", Compare("kind", "=", "llm")),
    ("kind:LLM", Compare("kind", "=", "llm")),
    ("kind!=Tool", Compare("kind", "!=", "tool")),
    ("status:Error", Compare("status", "=", "error")),
    ("trace:4AEFE704", Compare("trace", "=", "4aefe704")),
    ("session:AbC", Compare("session", "=", "AbC")),
    ("session:42", Compare("session", "=", "42")),
    ("model:[gpt-4o,gpt-4.1]", OneOf("model", ("gpt-4o", "gpt-4.1"))),
    ('model:[ gpt-4o , "a, b" ]', OneOf("model", ("gpt-4o", "a, b"))),
    ("model:[gpt-4o]", Compare("model", "=", "gpt-4o")),
    ("model=[a,b]", OneOf("model", ("a", "b"))),
    ("kind:[LLM,tool]", OneOf("kind", ("llm", "tool"))),
    ("name:refund", Compare("name", "contains", "refund")),
    ("name=refund", Compare("name", "=", "refund")),
    ('name:"POST /chat"', Compare("name", "contains", "POST /chat")),
    ("name:[a,b]", Or((Compare("name", "contains", "a"), Compare("name", "contains", "b")))),
    ("name=[a,b]", OneOf("name", ("a", "b"))),
    (r'name:"say \"hi\" to C:\\ \d"', Compare("name", "contains", r'say "hi" to C:\ \d')),
    ("latency>2s", Compare("latency", ">", 2)),
    ("latency>=150ms", Compare("latency", ">=", 0.15)),
    ("latency<1.5m", Compare("latency", "<", 90)),
    ("latency<=2h", Compare("latency", "<=", 7200)),
    ("latency>20us", Compare("latency", ">", 0.00002)),
    ("latency>.5", Compare("latency", ">", 0.5)),
    ("ttft>1d", Compare("ttft", ">", 86400)),
    ("ttft:[1s,2s]", OneOf("ttft", (1, 2))),
    ("cost>=$0.05", Compare("cost", ">=", 0.05)),
    ("cost:0.1", Compare("cost", "=", 0.1)),
    ("tokens>10k", Compare("tokens", ">", 10_000)),
    ("tokens.in>1.5M", Compare("tokens.in", ">", 1_500_000)),
    ("tokens.out!=1e3", Compare("tokens.out", "!=", 1000)),
    ("tokens>9223372036854775808", Compare("tokens", ">", 2.0**63)),
    ("tokens:9223372036854775807", Compare("tokens", "=", 2**63 - 1)),
    ("level:error", And((Compare("level", ">=", 17), Compare("level", "<=", 20)))),
    ("level=WARN", And((Compare("level", ">=", 13), Compare("level", "<=", 16)))),
    ("level>=warning", Compare("level", ">=", 13)),
    ("level>error", Compare("level", ">", 20)),
    ("level<=info", Compare("level", "<=", 12)),
    ("level<fatal", Compare("level", "<", 21)),
    ("level!=debug", Or((Compare("level", "<", 5), Compare("level", ">", 8)))),
    ("level:17", Compare("level", "=", 17)),
    ("level>17", Compare("level", ">", 17)),
    (
        "level:[info,17]",
        Or((And((Compare("level", ">=", 9), Compare("level", "<=", 12))), Compare("level", "=", 17))),
    ),
    ("level:*", Compare("level", "exists")),
    ("user:*", Compare("user", "exists")),
    ("(user:*)", Compare("user", "exists")),
    ("attr.a.b:*", Compare("attr.a.b", "exists")),
    ("has:error", Compare("has", "=", "error")),
    ("name~^chat", Compare("name", "~", "^chat")),
    (r'name~"a(b|c)\d"', Compare("name", "~", r"a(b|c)\d")),
    ("score.helpful<0.5", Compare("score.helpful", "<", 0.5)),
    ("score.x>-0.5", Compare("score.x", ">", -0.5)),
    ("score.tone:good", Compare("score.tone", "=", "good")),
    ('score.tone:"1"', Compare("score.tone", "=", "1")),
    ("score.helpful:[0,1]", OneOf("score.helpful", (0, 1))),
    ("attr.tier=gold", Compare("attr.tier", "=", "gold")),
    ("attr.tier:gold", Compare("attr.tier", "contains", "gold")),
    ("attr.n=3", both("attr.n", 3, "3")),
    ("attr.n:3", both("attr.n", 3, "3")),
    ("attr.n=3.50", both("attr.n", 3.5, "3.50")),
    ("attr.n!=3", And((Compare("attr.n", "!=", 3), Compare("attr.n", "!=", "3")))),
    ("attr.n>3", Compare("attr.n", ">", 3)),
    ('attr.n>"3"', Compare("attr.n", ">", "3")),
    ("attr.n>true", Compare("attr.n", ">", "true")),
    ('attr.n="3"', Compare("attr.n", "=", "3")),
    ('attr.n:"3"', Compare("attr.n", "contains", "3")),
    ("attr.n=1e999", Compare("attr.n", "=", "1e999")),
    ("attr.flag:true", both("attr.flag", True, "true")),
    ("attr.flag=False", both("attr.flag", False, "False")),
    ("attr.n=[a,3]", OneOf("attr.n", ("a", 3, "3"))),
    ("attr.n:[a,3]", Or((Compare("attr.n", "contains", "a"), *both("attr.n", 3, "3").filters))),
    ('attr."we\\"ird key":x', Compare('attr.we"ird key', "contains", "x")),
    ("resource.host=a", Compare("resource.host", "=", "a")),
    ("refund", Text("refund")),
    ("refund policy", And((Text("refund"), Text("policy")))),
    ('"refund policy"', Text("refund policy")),
    ('"OR"', Text("OR")),
    ("help!", Text("help!")),
    ("caffè 返金", And((Text("caffè"), Text("返金")))),
    ("-refund", Not(Text("refund"))),
    ("--refund", Not(Not(Text("refund")))),
    ('-"a b"', Not(Text("a b"))),
    ("a OR b c", Or((Text("a"), And((Text("b"), Text("c")))))),
    ("a AND b", And((Text("a"), Text("b")))),
    ("(a OR b) c", And((Or((Text("a"), Text("b"))), Text("c")))),
    ("(a (b c)) OR (d OR e)", Or((And((Text("a"), Text("b"), Text("c"))), Text("d"), Text("e")))),
    ("ORDER android", And((Text("ORDER"), Text("android")))),
    ("-(a OR b)", Not(Or((Text("a"), Text("b"))))),
    (
        'any(kind:tool status:error) root(name="POST /chat")',
        And((
            Within("any", And((Compare("kind", "=", "tool"), Compare("status", "=", "error")))),
            Within("root", Compare("name", "=", "POST /chat")),
        )),
    ),
    ("none(x) parent( y ) child(-z)", And((
        Within("none", Text("x")), Within("parent", Text("y")), Within("child", Not(Text("z"))),
    ))),
    ("any (x)", And((Text("any"), Text("x")))),
    ("-status:error cost>=$0.05 user:u7", And((
        Not(Compare("status", "=", "error")), Compare("cost", ">=", 0.05), Compare("user", "=", "u7"),
    ))),
    ('"refund policy" attr.customer.tier=gold', And((
        Text("refund policy"), Compare("attr.customer.tier", "=", "gold"),
    ))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), READ, ids=[text for text, _ in READ])
def test_a_text_is_read_as_its_tree_and_written_so_that_it_is_read_again(text: str, tree: Filter) -> None:
    """Every form of the grammar, with the types of values; the canonical text has the same tree."""
    found = parse_filter(text)
    assert found == tree
    assert repr(found) == repr(tree) or "latency" in text  # 1 is not True
    assert repr(parse_filter(filter_text(tree))) == repr(tree) or "latency" in text
    assert check_filter(tree) is tree


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_text_without_terms_is_no_filter(text: str) -> None:
    """Nothing typed means everything, in both directions."""
    assert parse_filter(text) is None
    assert filter_text(None) == filter_text(And(())) == ""


WRONG = [
    ("modle:x", 0, "unknown field 'modle'; did you mean 'model'?"),
    ("a modle:x", 2, "unknown field 'modle'"),
    ("any(a modle>x)", 6, "unknown field 'modle'"),
    ("attr.:x", 0, "unknown field 'attr.'"),
    ("https://example.org/a", 0, "'https' is no field; quote the text: \"https://example.org/a\""),
    ("at 12:30", 3, "'12' is no field; quote the text: \"12:30\""),
    ("kind:lm", 5, "unknown kind 'lm'; did you mean 'llm'?"),
    ("status:[ok,broken]", 11, "unknown status 'broken'; there are: unset, ok, error"),
    ("has:note", 4, "unknown has 'note'"),
    ("model:", 6, "a value is missing for 'model'"),
    ("model: gpt", 6, "a value is missing for 'model'"),
    ("model:(gpt)", 6, "in quotes if it has brackets"),
    ("model:gpt(4)", 6, 'quote a value with brackets: model:"gpt(..."'),
    ("model:gpt-*", 6, "for a pattern write model~"),
    ("model:[a", 6, "'[' is not closed; write [a,b]"),
    ("model:[a b]", 6, "'[' is not closed; write [a,b]"),
    ("model:[]", 7, "a value is missing for 'model'"),
    ("model:[a,]", 9, "a value is missing"),
    ("model>[a,b]", 6, "a list goes with ':' or '=', not with '>'"),
    ('name:"open', 5, "the quote is not closed"),
    ('"open', 0, "the quote is not closed"),
    ('attr."open', 5, "the quote is not closed"),
    ("(a b", 0, "'(' is not closed"),
    ("any(a", 3, "'(' is not closed"),
    ("a)", 1, "')' closes nothing"),
    ("()", 0, "there is nothing between the brackets"),
    ("a OR", 4, "a term is missing here"),
    ("OR a", 0, "a term is missing here"),
    ("a OR OR b", 5, "a term is missing here"),
    ("a AND", 5, "a term is missing here"),
    ("(a OR )", 6, "a term is missing here"),
    ("-", 0, "'-' stands alone"),
    ("a - b", 2, "'-' stands alone"),
    (":x", 0, "a field is missing before ':'"),
    ("!=x", 0, "a field is missing before '!='"),
    ("f(x)", 0, "'f(' is none of any( none( root( parent( child("),
    ("!!! ?", 0, "has no letters or digits"),
    ('""', 0, "has no letters or digits"),
    ("latency>fast", 8, "latency takes a number such as 2s or 150ms, not 'fast'"),
    ("latency>2 s", -1, ""),
    ("latency>10k", 8, "latency takes a number"),
    ("latency>$5", 8, "latency takes a number"),
    ("tokens>2s", 7, "tokens takes a number such as 10 or 1.5k"),
    ("cost>1e999", 5, "is too large"),
    ("score.x>high", -1, ""),
    ("level:loud", 6, "level takes a number such as error"),
    ("level~x", 6, "matches no pattern"),
    ("tokens~x", 0, "'tokens' is a number and matches no pattern"),
    ('name~"("', 5, "cannot read the pattern '('"),
    ("a" * (MAX_CHARACTERS + 1), MAX_CHARACTERS, "the filter has 10001 characters; 10000 are allowed"),
]


@pytest.mark.parametrize(("text", "position", "message"), WRONG, ids=[text[:20] for text, _, _ in WRONG])
def test_a_mistake_is_told_with_its_place_and_its_remedy(text: str, position: int, message: str) -> None:
    """The position is the offset of what is wrong; a negative one stands for a text that is right after all."""
    if position < 0:
        assert parse_filter(text) is not None
        return
    with pytest.raises(QueryError) as caught:
        parse_filter(text)
    assert message in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize("opening", ["(", "-", "any(", "-("])
def test_depth_is_an_error_and_not_the_end_of_the_stack(opening: str) -> None:
    """64 brackets, scopes and negations inside each other can be read and asked, more cannot."""
    deepest = MAX_DEPTH // (2 if opening == "-(" else 1)
    closing = ")" if "(" in opening else ""

    def nested(depth: int) -> str:
        return ("-" if opening == "-" else f"x OR y {opening}") * depth + "z" + closing * depth

    tree = parse_filter(nested(deepest))
    assert parse_filter(filter_text(tree)) == tree
    assert check_filter(tree) is tree
    span = Span("1" * 32, "2" * 16, "z" if opening == "-" else "x", 0)
    assert span_matches(tree, span, TraceView(Trace(span.trace_id, [span])))
    for depth in (deepest + 1, 700):
        with pytest.raises(QueryError, match=f"more than {MAX_DEPTH} deep") as caught:
            parse_filter(nested(depth))
        assert caught.value.position is not None


# --- properties

words = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["OR", "AND", "true", "3", "-1", "1e5", "a b", 'say "x"', "back\\slash", "\\", "[a,b]", "*", "any", "返金", ""]
)
phrases = words.filter(lambda text: bool(tokens(text)))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
literals = numbers | st.booleans()
keys = st.sampled_from(["a", "a.b", 'we"ird', "sp ace", "x:y", "ä", "[0]", "b\\", "a.", "%"]) | words.filter(bool)
own_fields = st.builds(lambda prefix, key: prefix + key, st.sampled_from(["attr.", "resource."]), keys)
named = {kind: [name for name, of in FIELDS.items() if of == kind] for kind in ("word", "text", "number")}
free_words = st.sampled_from([n for n in named["word"] if n not in {"kind", "status", "has", "trace", "span"}])
texts = st.sampled_from(named["text"]) | own_fields
orders = st.sampled_from([">", ">=", "<", "<="])


def written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


leaves = st.one_of(
    st.builds(Compare, free_words, st.sampled_from(["=", "!=", ">", "<"]), words),
    st.builds(Compare, st.just("kind"), st.sampled_from(["=", "!="]), st.sampled_from(["llm", "tool"])),
    st.builds(Compare, st.just("has"), st.just("="), st.sampled_from(HAS)),
    st.builds(Compare, texts, st.sampled_from(["=", "!=", "contains", ">=", "<"]), words),
    st.builds(Compare, st.sampled_from(named["number"]), orders | st.sampled_from(["=", "!="]), numbers),
    st.builds(Compare, st.builds("score.{}".format, keys), orders | st.just("="), numbers | words),
    st.builds(Compare, own_fields, orders, numbers),
    st.builds(lambda f, v: both(f, v, written(v)), own_fields, literals),
    st.builds(
        lambda f, v: And((Compare(f, "!=", v), Compare(f, "!=", written(v)))), own_fields, literals
    ),
    st.builds(Compare, st.sampled_from(["name", "model", "attr.x"]), st.just("~"), st.sampled_from(["^a", "(a|b) c"])),
    st.builds(Compare, free_words | texts | st.sampled_from(named["number"]), st.just("exists")),
    st.builds(OneOf, free_words | st.sampled_from(named["text"]), st.lists(words, min_size=2, max_size=3).map(tuple)),
    st.builds(OneOf, st.sampled_from(["latency", "cost", "tokens"]), st.tuples(numbers, numbers)),
    st.builds(lambda f, t, v: OneOf(f, (t, v, written(v), t)), own_fields, words, literals),
    st.builds(Text, phrases),
)  # fmt: skip


def flat(kind: type[And] | type[Or], parts: list[Filter]) -> Filter:
    found: list[Filter] = []
    for part in parts:
        found += part.filters if isinstance(part, kind) else [part]
    return kind(tuple(found))


trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Within, st.sampled_from(["any", "none", "root", "parent", "child"]), inner),
        st.builds(flat, st.just(And), st.lists(inner, min_size=2, max_size=4)),
        st.builds(flat, st.just(Or), st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(trees)
def test_what_is_written_is_read_as_the_same_tree(tree: Filter) -> None:
    """parse_filter(filter_text(tree)) == tree for every tree in normal form, and its text stays the same."""
    text = filter_text(tree)
    if len(text) <= MAX_CHARACTERS:
        assert parse_filter(text) == tree, text
        again = filter_text(parse_filter(text))  # 0.0 is written as 0 from then on
        assert parse_filter(again) == tree
        assert filter_text(parse_filter(again)) == again


pieces = st.sampled_from([
    "kind:llm", "model:", "[", "]", "(", ")", '"', "-", " ", "OR", "AND", "any(", "latency>", "2s", ",", "a", "\\", ":",
    "attr.", "attr.x=", "~", "*", "$1", "level", "\u00a0", "\x00", "é", "score.q<", "1e5", "!=", "true", "\ud800",
])  # fmt: skip


@settings(max_examples=2500, deadline=None)
@given(st.text(max_size=60))
@example("\ud800")
def test_no_text_raises_anything_but_a_query_error(text: str) -> None:
    """Whatever is typed is a filter or a mistake with a position inside the text."""
    check_answer(text)


@settings(max_examples=2500, deadline=None)
@given(st.lists(pieces, max_size=20).map("".join))
def test_no_pieces_of_filters_raise_anything_but_a_query_error(text: str) -> None:
    """The same for texts that are almost filters; what is one can be written and is read again the same."""
    check_answer(text)


def check_answer(text: str) -> None:
    position: int | None = 0
    tree = None
    try:
        tree = parse_filter(text)
    except QueryError as error:
        position = error.position
    assert position is not None
    assert 0 <= position <= len(text)
    assert check_filter(tree) == tree
    assert repr(parse_filter(filter_text(tree))) == repr(tree)


# --- trees that no text makes


def test_trees_from_python_get_a_text_that_means_the_same() -> None:
    """One part is itself, inner parts of the same kind are drawn up, `contains` on words is a pattern."""
    assert filter_text(And((Text("a"),))) == "a"
    assert filter_text(And((Text("a"), And((Text("b"), Text("c")))))) == "a b c"
    assert filter_text(Not(And((Or((Text("a"), Text("b"))),)))) == "-(a OR b)"
    assert filter_text(Compare("model", "contains", "gpt.4")) == r'model~"(?i)gpt\\.4"'
    assert filter_text(Compare("attr.n", "=", 3)) == "attr.n=3"
    assert filter_text(Compare("model", "=", True)) == "model:true"
    assert filter_text(And((Compare("attr.n", "=", 3), Compare("attr.n", "=", "3")))) == 'attr.n=3 attr.n="3"'


@pytest.mark.parametrize("tree", [Not(Or(())), Or(()), Not(And(())), Text("?!"), Within("any", Text(""))])
def test_a_tree_that_no_text_says_is_refused(tree: Filter) -> None:
    """Empty unions and phrases without words have no text."""
    with pytest.raises(QueryError):
        filter_text(tree)


def test_an_unknown_field_in_a_tree_is_refused() -> None:
    """A tree with a field that does not exist has no text."""
    with pytest.raises(QueryError, match="did you mean 'model'"):
        filter_text(Compare("modle", "=", "x"))
