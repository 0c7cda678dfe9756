"""Documents of any dialect in one form."""

import json

from vestigo.normalize import documents
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_documents_of_the_conventions_are_read_structured_and_as_text():
    """`gen_ai.retrieval.documents` is a list, or JSON text of one; scores are numbers."""
    told = [{"id": "d7", "score": "0.5", "content": "30 days"}]
    for written in (told, json.dumps(told)):
        found = documents(span({"gen_ai.retrieval.documents": written}))
        assert found == [{"id": "d7", "score": 0.5, "content": "30 days"}]


def test_a_conversation_is_no_list_of_documents():
    """Messages in an output have content too, and are not shown as documents."""
    assert documents(span({"output.value": json.dumps([{"role": "user", "content": "hi"}])})) == []
    assert documents(span({"output.value": "30 days"})) == []


def test_a_ranking_that_points_nowhere_is_left_out():
    """The AI SDK's ranking has indexes; one beyond the documents raises nothing."""
    told = {"ai.documents": ['"a"', '"b"'], "ai.ranking": ['{"index": 9}', '{"index": 1, "relevanceScore": 0.5}']}
    assert documents(span(told)) == [{"content": "b", "score": 0.5}]
