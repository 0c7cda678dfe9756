"""Answers from traces read one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from vestigo.query import Compare, Query, page_of, span_sort_key
from vestigo.record import Log, Span, Trace
from vestigo.storage.scan import Best, distinct_values, in_window, matches_loosely, matching_spans, matching_traces

spans = st.lists(
    st.builds(
        Span,
        trace_id=st.sampled_from(["a", "b"]),
        span_id=st.integers(0, 10**6).map(str),
        name=st.just("x"),
        start_ns=st.integers(0, 20),
        end_ns=st.none() | st.integers(20, 40),
    ),
    max_size=40,
    unique_by=lambda span: (span.trace_id, span.span_id),
)
orders = st.sampled_from(["newest", "oldest", "slowest"])


@given(spans, orders, st.integers(1, 12))
def test_best_gives_the_pages_of_page_of(items, order, limit):
    """Page by page, items offered in any order give what sorting all of them gives."""
    query = Query(project="p", order=order, limit=limit)
    while True:
        best = Best(query)
        for item in items:
            best.offer(span_sort_key(item, order), item)
        page, want = best.page(), page_of(items, query, span_sort_key)
        assert page == want
        if page.cursor is None:
            break
        query = Query(project="p", order=order, limit=limit, cursor=page.cursor)


@given(spans, st.sampled_from(["newest", "oldest"]), st.integers(1, 5))
def test_a_full_page_does_not_change(items, order, limit):
    """Once is_full(bound) is true, nothing at the bound or further on changes the page."""
    query = Query(project="p", order=order, limit=limit)
    ordered = sorted(items, key=lambda span: span.start_ns, reverse=order == "newest")
    best = Best(query)
    for item in ordered:
        if best.is_full(item.start_ns):
            break
        best.offer(span_sort_key(item, order), item)
    assert best.page() == page_of(items, query, span_sort_key)


def test_the_slowest_are_never_settled_early():
    """By duration the start says nothing about what is still to come."""
    best = Best(Query(project="p", order="slowest", limit=1))
    for number in range(5):
        span = Span("a", str(number), "x", 100, end_ns=200)
        best.offer(span_sort_key(span, "slowest"), span)
    assert not best.is_full(0)


def test_a_window_holds_its_start_and_not_its_end():
    """[start_ns, end_ns)."""
    query = Query(project="p", start_ns=5, end_ns=7)
    assert [time_ns for time_ns in range(4, 9) if in_window(time_ns, query)] == [5, 6]


def test_a_trace_without_spans_is_not_found():
    """Logs alone make no trace in a list."""
    assert list(matching_traces([Trace("a", [], [Log(1)])], Query(project="p"))) == []


def test_values_are_counted_over_matching_spans():
    """The most frequent first, only those in the window."""
    trace = Trace("a", [Span("a", str(at), name, at) for at, name in enumerate(["y", "x", "x", "z"])])
    assert distinct_values([trace], "name", Query(project="p", end_ns=3)) == ["x", "y"]
    assert len(list(matching_spans([trace], Query(project="p", start_ns=1)))) == 3


def test_a_filter_that_logs_cannot_answer_spares_them():
    """Deleting traces by model deletes no log without a trace."""
    query = Query(project="p", filter=Compare("model", "=", "m"))
    assert not matches_loosely(query, Log(1))
    assert matches_loosely(Query(project="p"), Log(1))
    assert not matches_loosely(Query(project="p", end_ns=1), Log(1))
