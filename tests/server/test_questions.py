"""Parameters of the query string: times, widths, names, ids."""

import pytest

from vestigo.errors import QueryError
from vestigo.query import ALL_TIME, Compare
from vestigo.server.questions import Listing, Window, id_of, moment, names_of, query_of, width_ns
from vestigo.server.routes import Failure

NOW = 1_790_000_000_000_000_000
HOUR = 3_600 * 10**9


@pytest.mark.parametrize(
    ("text", "ns"),
    [("", -1), ("1790000000000000001", NOW + 1), ("0", 0), ("2h", NOW - 2 * HOUR), ("1w", NOW - 168 * HOUR),
     ("99999999w", 0), (str(ALL_TIME[1]), ALL_TIME[1])],
)  # fmt: skip
def test_a_time_is_digits_or_a_distance(text, ns):
    """A distance from now never lies before 1970."""
    assert moment("start", text, -1, NOW) == ns


@pytest.mark.parametrize("text", ["now", "1.5h", "-1", "1y", "9223372036854775808", "\u0661\u0662", "1e9", " 1h"])
def test_what_is_no_time_is_refused(text):
    """With the name of the parameter, the value and the remedy."""
    with pytest.raises(QueryError, match=r"start='.*' is no time; give"):
        moment("start", text, 0, NOW)


def test_a_width_is_a_distance_or_digits():
    """Empty is no width."""
    assert [width_ns(text) for text in ("", "5m", "3600000000000")] == [None, 300 * 10**9, HOUR]
    with pytest.raises(QueryError, match="step="):
        width_ns("hour")


def test_names_come_once_each_and_not_too_many():
    """Spaces and empty ones are left out."""
    assert names_of(" a, b,,a ", "fields", 2) == ("a", "b")
    with pytest.raises(QueryError, match="3 fields are too many"):
        names_of("a,b,c", "fields", 2)


def test_a_question_has_project_window_filter_and_page():
    """Everything that the query string says is in it."""
    query = query_of("shop", Listing(q="kind:llm", start="5", end="9", order="oldest", limit=3, cursor=""))
    assert (query.project, query.start_ns, query.end_ns, query.order, query.limit) == ("shop", 5, 9, "oldest", 3)
    assert (query.filter, query.cursor) == (Compare("kind", "=", "llm"), None)
    assert (query_of("shop", Window()).start_ns, query_of("shop", Window()).end_ns) == ALL_TIME


@pytest.mark.parametrize("text", ["", "a" * 31, "A" * 32, "a" * 33, "g" * 32, "../" * 10 + "aa", "a" * 31 + "\n"])
def test_an_id_is_lower_case_hex_digits(text):
    """Anything else is refused before a storage sees it."""
    assert id_of("trace_id", "0a" * 16) == "0a" * 16
    with pytest.raises(Failure, match="32 lower-case hex digits"):
        id_of("trace_id", text)
