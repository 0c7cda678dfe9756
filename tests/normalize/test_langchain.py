"""LangChain's answers, as its tracers record them."""

import pytest

from vestigo.normalize.langchain import read_answer
from vestigo.record import NormalForm

OPENAI = {"id": "chatcmpl-1", "model_name": "gpt-4o-2024-08-06", "finish_reason": "stop"}
ANTHROPIC = {"id": "msg_7", "model": "claude-sonnet-5-20260101", "stop_reason": "end_turn"}


def message(metadata):
    return {"id": ["langchain", "AIMessage"], "kwargs": {"content": "hi", "id": "run-1", "response_metadata": metadata}}


@pytest.mark.parametrize(
    ("metadata", "read"),
    [
        (OPENAI, ("chatcmpl-1", "gpt-4o-2024-08-06", ["stop"])),
        (ANTHROPIC, ("msg_7", "claude-sonnet-5-20260101", ["end_turn"])),
        ({}, (None, None, [])),
    ],
)
def test_the_providers_id_is_the_response_id(metadata, read):
    """It is the metadata's, not the run's, whether the message stands in generations or alone, serialised or plain."""
    for told in (
        {"generations": [[{"message": message(metadata)}]]},
        message(metadata),
        {"content": "hi", "id": "run-1", "response_metadata": metadata},
    ):
        form = NormalForm()
        read_answer(form, told)
        assert (form.response_id, form.response_model, form.finish_reasons) == read


def test_what_is_known_stays():
    """An answer fills in only what no attribute told."""
    form = NormalForm(response_id="r1", response_model="m", finish_reasons=["length"])
    read_answer(form, message(OPENAI))
    assert form == NormalForm(response_id="r1", response_model="m", finish_reasons=["length"])


@pytest.mark.parametrize("told", [None, "hi", [], {"generations": []}, {"generations": [[]]}, {"message": 3}])
def test_an_answer_of_another_form_tells_nothing(told):
    """Whatever stands there: no error."""
    form = NormalForm()
    read_answer(form, told)
    assert form == NormalForm()
