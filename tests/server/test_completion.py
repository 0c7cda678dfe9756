"""Completion of filter texts: what may stand at the cursor, and what is wrong with the whole."""

import pytest
from served import STORAGES, served

from vestigo.filtertext import parse_filter
from vestigo.query import FIELDS
from vestigo.server.completion import word_before


@pytest.fixture(params=STORAGES)
def complete(request, tmp_path):
    with served(request.param, tmp_path) as (_, client):

        def ask(q, at=None):
            answer = client.get("/api/complete", params={"q": q, **({} if at is None else {"at": at})})
            assert answer.status_code == 200
            return answer.json()

        yield ask


def texts(told):
    return [item["text"] for item in told["items"]]


def test_an_empty_text_offers_every_field_and_scope(complete):
    """Up to a screenful; nothing is wrong with an empty text."""
    told = complete("")
    assert (told["start"], told["end"], told["error"]) == (0, 0, None)
    assert texts(told)[:5] == list(FIELDS)[:5]


def test_the_beginning_of_a_field_offers_its_fields(complete):
    """Also behind a minus or a bracket; a whole field offers its comparisons first."""
    assert texts(complete("mod")) == ["model"]
    assert complete("kind:llm -(tok")["start"] == 11
    assert texts(complete("kind:llm -(tok"))[:1] == ["tokens"]
    assert texts(complete("latency"))[:2] == ["latency>", "latency>="]
    assert texts(complete("an")) == ["any("]
    follows = {item["text"]: item["then"] for item in complete("")["items"]}
    assert (follows["kind"], follows["name"], follows["latency"]) == (":", ":", ">")


def test_a_field_offers_its_values_with_counts(complete):
    """The most frequent first; those that begin with what was typed before those that only hold it."""
    told = complete("service:")
    assert (told["start"], told["end"]) == (8, 8)
    assert [(item["text"], item["count"]) for item in told["items"]] == [("shop", 3), ("bot", 1)]
    assert texts(complete("name:cha")) == ['"chat gpt-4o"', '"POST /chat"']
    assert texts(complete("status:e")) == ["error", "unset"]
    assert texts(complete("tag:")) == ["gold", "new"]
    assert texts(complete("model:[gpt-4,g")) == ["gpt-4o"]
    assert texts(complete("latency>")) == []


def test_an_offer_taken_gives_a_text_that_can_be_read(complete):
    """Whatever is offered for a value fits where it is put."""
    for q in ("name:", "name:ch", "-service:s", "(kind:llm OR user:a", 'name:"PO'):
        told = complete(q)
        for item in told["items"]:
            whole = q[: told["start"]] + item["text"]
            assert parse_filter(whole + ")" * (q.count("(")))


def test_completion_is_at_the_cursor(complete):
    """What stands behind the cursor is left alone."""
    told = complete("model:gp latency>2s", 8)
    assert (told["start"], told["end"], texts(told)) == (6, 8, ["gpt-4o"])


def test_the_mistake_is_told_with_its_place(complete):
    """As the list would tell it."""
    assert complete("kind:llm modle:x")["error"] == {
        "message": "unknown field 'modle'; did you mean 'model'?", "position": 9,
    }  # fmt: skip
    assert complete("modle:")["items"] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('a "b c', (2, '"b c', "")),
        ("x model:a", (8, "a", "model")),
        ("any(kind:", (9, "", "kind")),
        ("--kind", (2, "kind", "")),
        ('name:"a b', (5, '"a b', "name")),
        ("model:[a,b", (9, "b", "model")),
    ],
)
def test_the_word_before_the_cursor(text, word):
    """From the last space or bracket that is not quoted."""
    assert word_before(text, len(text)) == word
