"""Messages of providers and frameworks as OpenTelemetry's parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.normalize.parts import conversation, exchange, file, located, parts_of, tool_definition
from vestigo.record import Messages

USER = {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
CALL = {"type": "tool_call", "arguments": '{"a": 1}', "id": "c1", "name": "add"}
ANSWER = {"role": "tool", "parts": [{"type": "tool_call_response", "response": "2", "id": "c1"}]}


@pytest.mark.parametrize(
    "said",
    [
        "hi",
        [USER],
        json.dumps([USER]),
        {"role": "user", "content": "hi"},
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        {"messages": [{"role": "user", "content": "hi"}], "model": "gpt-4o"},
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        {"messages": [[{"id": ["langchain", "HumanMessage"], "kwargs": {"content": "hi", "type": "human"}}]]},
        [{"type": "human", "content": "hi"}],
        [{"type": "input_text", "text": "hi"}],
    ],
)
def test_a_request_is_the_same_in_every_shape(said):
    """Text, OpenAI, Anthropic, Gemini and LangChain shapes of one message give one message."""
    assert conversation(said) == [USER]


@pytest.mark.parametrize(
    "said",
    [
        {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "ok"}]}, "finishReason": "stop"}]},
    ],
)
def test_answers_keep_their_finish_reason(said):
    """Choices and candidates are the assistant's messages."""
    parts = [{"type": "text", "content": "ok"}]
    assert conversation(said) == [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]


@pytest.mark.parametrize(
    "said",
    [
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "add", "input": '{"a": 1}'}]},
        {
            "role": "assistant",
            "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "add", "input": '{"a": 1}'}],
        },
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "add", "args": '{"a": 1}'}}]},
        {"type": "ai", "content": "", "tool_calls": [{"id": "c1", "name": "add", "args": '{"a": 1}'}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'},
    ],
)
def test_a_tool_call_is_the_same_in_every_shape(said):
    """OpenAI, Anthropic, AI SDK, Gemini, LangChain and Responses calls give one part."""
    assert conversation([said]) == [{"role": "assistant", "parts": [CALL]}]


@pytest.mark.parametrize(
    "said",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
        {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "2"}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c1", "toolName": "add", "output": "2"}]},
        {"type": "function_call_output", "call_id": "c1", "output": "2"},
        {"role": "tool", "parts": [{"type": "tool_call_response", "result": "2", "id": "c1"}]},
        {"type": "tool", "content": "2", "tool_call_id": "c1"},
    ],
)
def test_a_tool_result_is_the_same_in_every_shape(said):
    """Results of all shapes give one part, also OpenTelemetry's older `result`."""
    assert conversation([said]) == [ANSWER]


def test_media_are_blobs_addresses_and_files():
    """`data:` URLs are bytes, other URLs stay addresses, an id is a file."""
    assert located("data:image/png;base64,QUJD") == {
        "type": "blob", "modality": "image", "mime_type": "image/png", "content": "QUJD",
    }  # fmt: skip
    png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    assert parts_of([png]) == [located("data:image/png;base64,QUJD")]
    assert parts_of([{"inlineData": {"mimeType": "image/png", "data": "QUJD"}}]) == parts_of([png])
    assert parts_of([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]) == [
        {"type": "uri", "modality": "image", "uri": "https://x/y.png"}
    ]
    assert parts_of([{"type": "file", "file": {"file_id": "f1"}}]) == [file("f1")]
    assert parts_of([{"type": "blob", "media_type": "image/png", "content": "QUJD"}]) == [
        {"type": "blob", "mime_type": "image/png", "content": "QUJD"}
    ]


def test_thoughts_are_reasoning():
    """Anthropic's thinking and Gemini's thought are reasoning parts."""
    part = {"type": "reasoning", "content": "hm"}
    assert parts_of([{"type": "thinking", "thinking": "hm", "signature": "s"}]) == [part]
    assert parts_of([{"text": "hm", "thought": True}]) == [part]


def test_the_system_prompt_beside_the_messages_comes_first():
    """Anthropic's `system` and Gemini's `systemInstruction` are a system message."""
    system = {"role": "system", "parts": [{"type": "text", "content": "be brief"}]}
    assert conversation({"system": "be brief", "messages": [{"role": "user", "content": "hi"}]}) == [system, USER]
    gemini = {"systemInstruction": {"parts": [{"text": "be brief"}]}, "contents": [{"parts": [{"text": "hi"}]}]}
    assert conversation(gemini) == [system, USER]


def test_any_other_value_is_text():
    """Arguments of a chain are kept as the text that they were."""
    assert conversation('{"question": "why?"}') == [
        {"role": "user", "parts": [{"type": "text", "content": '{"question": "why?"}'}]}
    ]
    assert conversation({"n": 1}, "assistant") == [
        {"role": "assistant", "parts": [{"type": "text", "content": '{"n":1}'}]}
    ]
    assert conversation(None) == conversation("") == conversation([]) == []


def test_a_tools_exchange_is_its_call_and_its_result():
    """Other kinds converse; the vectors of an embedding are not said."""
    call = {"type": "tool_call", "arguments": {"a": 1}, "name": "add", "id": "c1"}
    told = exchange("tool", {"a": 1}, "2", "add", "c1")
    assert told.input == [{"role": "assistant", "parts": [call]}]
    assert told.output == [ANSWER]
    assert exchange("chain", "hi", None) == Messages(input=[USER])
    assert exchange("embedding", "hi", [[0.1, 0.2]]) == Messages(input=[USER])


@pytest.mark.parametrize(
    "told",
    [
        {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}},
        {"name": "add", "input_schema": {"type": "object"}},
        json.dumps({"name": "add", "inputSchema": {"type": "object"}}),
        {"name": "add", "parameters": '{"type": "object"}'},
    ],
)
def test_a_tool_definition_is_flat_in_every_shape(told):
    """OpenAI's, Anthropic's, the AI SDK's and OpenLLMetry's."""
    assert tool_definition(told) == {"type": "function", "name": "add", "parameters": {"type": "object"}}


KEYS = st.sampled_from(["role", "content", "parts", "type", "text", "tool_calls", "function", "messages", "choices",
                        "message", "source", "image_url", "kwargs", "id", "functionCall", "file"])  # fmt: skip
WORDS = st.sampled_from(["user", "tool", "text", "image", "image_url", "tool_use", "file", "function_call", "[{", ""])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANY)
def test_anything_gives_messages_with_parts(said):
    """Whatever is said: no error, and messages have a role and parts that have a type."""
    for message in conversation(said):
        assert isinstance(message["role"], str)
        assert all("type" in part for part in message["parts"])
