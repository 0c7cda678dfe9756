"""Questions as such: what is refused, and how a page goes on. `test_matching.py` has the meaning of filters."""

import pytest

from vestigo.errors import QueryError
from vestigo.query import Compare, Query, check_query, make_cursor, page_of, read_cursor


def key_of(item, order):
    return (item, item, "a", "b")


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_follow_each_other(order):
    """All items once, in order, the last page without a cursor."""
    cursor, seen, pages = None, [], 0
    while True:
        asked = Query(project="default", order=order, limit=3, cursor=cursor)
        page = page_of([5, 1, 4, 2, 3, 7, 6], asked, key_of)
        seen += page.items
        pages += 1
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=order == "newest")
    assert (len(seen), pages) == (7, 3)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 10**6}, {"start_ns": 5, "end_ns": 1}, {"project": ""}])
def test_a_question_that_makes_no_sense_is_refused(wrong):
    """With QueryError, before any storage is asked."""
    with pytest.raises(QueryError):
        check_query(Query(**{"project": "default", **wrong}))


def test_a_cursor_is_read_back_and_no_other_is_taken():
    """Its key, or a QueryError for text that is none or belongs to another order."""
    cursor = make_cursor("newest", (5, 5, "a" * 32, "b" * 16))
    assert read_cursor(Query(project="default", cursor=cursor)) == (5, 5, "a" * 32, "b" * 16)
    for asked in (Query(project="default", cursor="nonsense"), Query(project="default", cursor=cursor, order="oldest")):
        with pytest.raises(QueryError):
            read_cursor(asked)
    assert check_query(Query(project="default", filter=Compare("name", "exists"))).limit == 100
