"""Drafts of messages: what is stored is the same with and without, whatever the file knows by then."""

import json
import random

import pytest

from vestigo import SQLiteTraceStorage
from vestigo.normalize import normalize
from vestigo.query import Query, Text
from vestigo.record import Batch, Span
from vestigo.storage.sqlite.drafts import Drafter

WORDS = [f"word{number}" for number in range(500)]
EVERYTHING = Query(project="default", limit=10_000)


def said(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def conversation(number, turns=4, separators=(",", ":")):
    """Calls that send their history again, as JSON text."""
    rng = random.Random(number)
    history = [said("system", "be kind " * 10)]
    for turn in range(turns):
        history.append(said("user", " ".join(rng.choices(WORDS, k=40)) + f" unique{number}x{turn}"))
        answer = said("assistant", " ".join(rng.choices(WORDS, k=40)))
        span = Span(f"{number + 1:032x}", f"{turn + 1:016x}", "chat", 10**18 + number, end_ns=10**18 + number + 1)
        span.attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json.dumps(history, separators=separators),
            "gen_ai.output.messages": json.dumps([answer], separators=separators),
        }
        span.normal = normalize(span)
        history.append(answer)
        yield span


def spans(numbers, **more):
    return [span for number in numbers for span in conversation(number, **more)]


def drafted(batch, drafter):
    batch.drafts = {id(batch.spans[place].attributes[key]): draft for place, key, draft in drafter.drafts(batch.spans)}
    return batch


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """A storage whose dictionary is settled after a few hundred bodies."""
    from vestigo.storage.sqlite import bodies

    monkeypatch.setattr(bodies, "_TRAIN_AT", (300,))
    made = SQLiteTraceStorage(tmp_path / "x.db")
    made.write(Batch(spans(range(100))))
    assert made.dictionary[0]
    yield made
    made.close()


def drafter_of(storage):
    made = Drafter()
    made.use(*storage.dictionary)
    return made


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_drafted_messages_are_read_and_found_as_others(storage, separators):
    """The texts come back byte for byte, their words are found, and the history is stored once."""
    drafter = drafter_of(storage)
    before = storage.figures()["bodies"]
    for numbers in (range(200, 210), range(210, 220)):
        batch = drafted(Batch(spans(numbers, separators=separators)), drafter)
        assert len(batch.drafts) == 2 * len(batch.spans)
        storage.write(batch)
    assert storage.figures()["bodies"] - before <= 20 * 8 + 1
    wanted = {(span.trace_id, span.span_id): span.attributes for span in spans(range(200, 220), separators=separators)}
    found = {(span.trace_id, span.span_id): span.attributes for span in storage.find_spans(EVERYTHING)}
    assert {key: found[key] for key in wanted} == wanted
    for number in range(200, 220):
        hits = storage.find_traces(Query(project="default", filter=Text(f"unique{number}x3")))
        assert [trace.trace_id for trace in hits] == [f"{number + 1:032x}"]
    assert storage.verify() == []


def test_a_draft_that_does_not_fit_the_file_any_more_is_left_aside(storage):
    """After deletions the writer knows less than the drafter thinks, and another dictionary may be in use."""
    drafter = drafter_of(storage)
    storage.write(drafted(Batch(spans(range(300, 310))), drafter))
    storage.delete(Query(project="default", start_ns=10**18 + 300))
    again = drafted(Batch(spans(range(300, 310))), drafter)  # the drafter has seen all of it, the file has none
    assert not any(draft.fresh for draft in again.drafts.values())
    storage.write(again)
    stale = drafted(Batch(spans(range(400, 410))), drafter)
    for draft in stale.drafts.values():
        draft.dictionary += 1
    storage.write(stale)
    wanted = {span.span_id + span.trace_id: span.attributes for span in spans([*range(300, 310), *range(400, 410)])}
    found = {span.span_id + span.trace_id: span.attributes for span in storage.find_spans(EVERYTHING)}
    assert {key: found[key] for key in wanted} == wanted
    assert len(storage.find_traces(Query(project="default", filter=Text("unique405x2")))) == 1
    assert storage.verify() == []


def test_what_another_process_wrote_is_recognised(storage, tmp_path):
    """A body that stands in the file already is used, and its words are not indexed twice."""
    other = SQLiteTraceStorage(tmp_path / "x.db")
    other.write(Batch(spans(range(500, 505))))
    bodies = other.figures()["bodies"]
    other.close()
    storage.write(drafted(Batch(spans(range(500, 505))), drafter_of(storage)))
    assert storage.figures()["bodies"] == bodies
    assert storage.verify() == []


def test_only_what_the_conventions_say_is_drafted(storage):
    """No dictionary, another dialect, structured messages or text that is no list: none of it has a draft."""
    drafter = drafter_of(storage)
    (span,) = conversation(600, turns=1)
    assert Drafter().drafts([span]) == []
    assert len(drafter.drafts([span])) == 2
    for change in ({"gen_ai.input.messages": "hello"}, {"gen_ai.input.messages": '[{"role": 1}  , 2]'},
                   {"gen_ai.system_instructions": "x"}):  # fmt: skip
        (other,) = conversation(601, turns=1)
        other.attributes |= change
        assert len(drafter.drafts([other])) <= 1
    (plain,) = conversation(602, turns=1)
    plain.normal.dialect = "openinference"
    assert drafter.drafts([plain]) == []


@pytest.mark.parametrize("value", ["1e999", "[" * 5_000 + "]" * 5_000, '"\ud800"'])
def test_messages_that_cannot_be_decoded_end_no_child(storage, value):
    """They are left to the writer, or drafted with the text as it stands."""
    (span,) = spans([1_000], turns=1)
    span.attributes["gen_ai.input.messages"] = f'[{{"role":"user","more":{value}}}]'
    drafts = drafter_of(storage).drafts([span])
    assert "gen_ai.output.messages" in [key for _, key, _ in drafts]
