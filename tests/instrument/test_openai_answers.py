"""Answers of OpenAI's APIs, whole or in events, are read as far as they can be understood."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider import CHAT_USAGE, RESPONSES_USAGE, message_item, response

from vestigo import semconv
from vestigo.instrument.openai_answers import ChatAssembler, ResponsesAssembler, chat_answered, responses_answered

USAGE = {
    "gen_ai.usage.input_tokens": 40,
    "gen_ai.usage.cache_read.input_tokens": 16,
    "gen_ai.usage.cache_write.input_tokens": 0,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.reasoning.output_tokens": 4,
}


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


@given(st.lists(st.text(min_size=1), max_size=8))
def test_a_text_is_the_same_however_it_was_cut_into_deltas(pieces: list[str]) -> None:
    """The assembled answer is what a whole answer with the joined text says."""
    assembler = ChatAssembler()
    for piece in pieces:
        assert assembler.add(chunk({"content": piece}))
    assert not assembler.add(chunk({}, "stop"))
    assert assembler.complete()
    whole: dict[str, Any] = {"role": "assistant"}
    if pieces:
        whole["content"] = "".join(pieces)
    assert assembler.attributes() == chat_answered(
        {"id": "c", "choices": [{"message": whole, "finish_reason": "stop"}]}
    )


def test_both_forms_of_usage_are_read() -> None:
    """Chat and Responses name tokens differently; the attributes are the same, and zero is not left out."""
    assert USAGE.items() <= responses_answered(response()).items()
    said = chat_answered({"choices": [], "usage": CHAT_USAGE})
    assert (said[semconv.INPUT_TOKENS], said[semconv.CACHE_READ_TOKENS]) == (120, 100)
    assert RESPONSES_USAGE["input_tokens"] == 40


@pytest.mark.parametrize("answer", [None, "<html>", {}, {"choices": None, "usage": None}, {"choices": [{}]}, [1], 5])
def test_what_is_no_answer_says_nothing(answer: Any) -> None:
    """Proxies and other servers answer all kinds of things."""
    assert chat_answered(answer) == {}
    assert responses_answered(answer) == {}


def test_a_stream_of_other_events_has_no_output() -> None:
    """Events that nobody knows yet are passed over; deltas of unknown kinds count as output."""
    assembler = ResponsesAssembler()
    assert not assembler.add({"type": "response.something.new"})
    assert assembler.add({"type": "response.something.delta", "delta": "x"})
    assert not assembler.complete()
    assert assembler.problem() is None
    assert assembler.attributes() == {}


def test_the_last_event_of_a_response_says_it_all() -> None:
    """Once the final event has come the pieces are not looked at any more."""
    assembler = ResponsesAssembler()
    assembler.add({"type": "response.output_text.delta", "output_index": 0, "delta": "draft"})
    assembler.add({"type": "response.completed", "response": response(message_item("Final."))})
    assert assembler.complete()
    assert assembler.attributes()[semconv.OUTPUT_MESSAGES] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Final."}]}
    ]
