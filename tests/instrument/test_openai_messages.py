"""OpenAI's messages become OpenTelemetry's parts and can be rebuilt from them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.instrument.openai_messages import from_chat, from_chat_answer, from_responses, from_tools, to_chat

AIRLINE = Path(__file__).parents[3] / "shared" / "data" / "tau-bench-gpt-4o-airline.json"

text = st.text(max_size=12)
content_part = st.one_of(
    st.builds(lambda t: {"type": "text", "text": t}, text),
    st.builds(lambda t: {"type": "text", "text": t, "cache_control": {"type": "ephemeral"}}, text),
    st.builds(lambda d: {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": d}}, text),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}),
    st.just({"type": "image_url", "image_url": {"url": "data:,plain"}}),
    st.builds(
        lambda f: {"type": "input_audio", "input_audio": {"data": "UklG", "format": f}}, st.sampled_from(["wav"])
    ),
    st.just({"type": "file", "file": {"file_id": "file-1"}}),
    st.just({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}}),
    st.just({"type": "file", "file": {"file_data": "JVBE", "filename": "a.pdf"}}),
    st.just({"type": "something_new", "value": {"deep": [1, 2]}}),
)
content = st.one_of(text, st.lists(content_part, min_size=2, max_size=4))
named = st.fixed_dictionaries({}, optional={"name": text})
call = st.one_of(
    st.builds(lambda i, a: {"id": i, "type": "function", "function": {"name": "f", "arguments": a}}, text, text),
    st.builds(lambda i, a: {"id": i, "type": "custom", "custom": {"name": "f", "input": a}}, text, text),
)
message = st.one_of(
    st.builds(
        lambda r, c, n: {"role": r, "content": c, **n}, st.sampled_from(["system", "developer", "user"]), content, named
    ),
    st.builds(lambda c, n: {"role": "assistant", "content": c, **n}, st.none() | content, named),
    st.builds(
        lambda c, calls: {"role": "assistant", "content": c, "tool_calls": calls},
        st.none() | content,
        st.lists(call, min_size=1, max_size=3),
    ),
    st.builds(lambda c: {"role": "assistant", "content": None, "refusal": c}, text),
    st.builds(lambda c: {"role": "assistant", "content": "a", "reasoning_content": c}, text),
    st.builds(lambda a: {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": a}}, text),
    st.builds(lambda c, i, n: {"role": "tool", "content": c, "tool_call_id": i, **n}, content, text, named),
    st.builds(lambda c: {"role": "function", "name": "f", "content": c}, text),
)


@given(st.lists(message, max_size=6))
def test_any_messages_are_rebuilt_from_their_parts(messages: list[Any]) -> None:
    """messages -> parts -> messages is the identity, after the parts went through JSON as they do in a storage."""
    assert to_chat(json.loads(json.dumps(from_chat(messages)))) == messages


@given(st.lists(message, max_size=6))
def test_every_part_has_a_type_and_every_message_a_role(messages: list[Any]) -> None:
    """The form is OpenTelemetry's: a role and parts that each say their type."""
    for made in from_chat(messages):
        assert isinstance(made["role"], str)
        assert all(isinstance(part["type"], str) for part in made["parts"])


def test_recorded_agent_conversations_are_rebuilt() -> None:
    """200 real conversations: 5,308 messages with system, user, assistant, tool calls and tool results."""
    if not AIRLINE.exists():
        pytest.skip("the recorded conversations are not here: ../shared/data/tau-bench-gpt-4o-airline.json")
    conversations = json.loads(AIRLINE.read_text())
    assert len(conversations) == 200
    for conversation in conversations:
        assert to_chat(from_chat(conversation["traj"])) == conversation["traj"]


def test_one_text_part_comes_back_in_the_short_form() -> None:
    """A list with one text part and the text itself say the same; the text is what comes back."""
    assert to_chat(from_chat([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])) == [
        {"role": "user", "content": "Hi"}
    ]


def test_arguments_stay_the_text_that_was_sent() -> None:
    """Spaces and the order of keys in tool arguments are kept, and arguments that are no JSON too."""
    for arguments in ('{"b": 1,"a":2}', "{broken"):
        calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
        (made,) = from_chat([{"role": "assistant", "content": None, "tool_calls": calls}])
        assert made["parts"] == [{"type": "tool_call", "id": "c", "name": "f", "arguments": arguments}]


def test_media_become_blobs_uris_and_files() -> None:
    """Images, audio and documents are the OpenTelemetry parts for media, with modality and mime type."""
    content = [
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    (made,) = from_chat([{"role": "user", "content": content}])
    assert made["parts"] == [
        {"type": "uri", "modality": "image", "uri": "https://x.test/a.png"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
        {"type": "blob", "modality": "audio", "mime_type": "audio/mp3", "content": "BBBB"},
        {"type": "file", "modality": "document", "file_id": "file-1"},
    ]


def test_an_answer_with_audio_and_annotations_keeps_them() -> None:
    """An answer's audio is a blob with its transcript; annotations stay beside the parts."""
    made = from_chat_answer(
        {
            "content": "See the page.",
            "reasoning": "thinking",
            "audio": {"id": "au", "data": "AAAA", "transcript": "See"},
            "annotations": [{"type": "url_citation"}],
        }
    )
    assert made == {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": "thinking"},
            {"type": "text", "content": "See the page."},
            {"type": "blob", "modality": "audio", "content": "AAAA", "id": "au", "transcript": "See"},
        ],
        "annotations": [{"type": "url_citation"}],
    }


def test_tool_definitions_are_flat_whichever_api_they_come_from() -> None:
    """Chat nests a tool below its type, Responses does not, old functions have no type: all become one form."""
    inner = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    flat = {"type": "function", **inner}
    assert from_tools([{"type": "function", "function": inner}, flat, inner]) == [flat, flat, flat]
    assert from_tools([{"type": "web_search"}]) == [{"type": "web_search"}]


def test_items_of_the_responses_api_become_messages_in_order() -> None:
    """Each item becomes one message with the role of whoever said it."""
    search = {"type": "web_search_call", "id": "ws", "status": "completed"}
    items = [
        {"role": "developer", "content": "Be brief."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
                {"type": "input_image", "file_id": "file-2"},
                {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            ],
        },
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "y"},
        search,
        {"type": "computer_call_output", "call_id": "e"},
        {"type": "item_reference", "id": "i"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}, {"type": "output_text", "text": "x"}]},
    ]
    assert from_responses(items) == [
        {"role": "developer", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is this?"},
                {"type": "uri", "modality": "image", "uri": "https://x.test/a.png", "detail": "low"},
                {"type": "file", "modality": "image", "file_id": "file-2"},
                {"type": "uri", "modality": "document", "uri": "https://x.test/a.pdf"},
            ],
        },
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm."}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": "{}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "42"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "d", "name": "g", "arguments": "x", "tool_type": "custom"}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "d", "response": "y"}]},
        {
            "role": "assistant",
            "parts": [{"type": "server_tool_call", "id": "ws", "name": "web_search", "server_tool_call": search}],
        },
        {"role": "tool", "parts": [{"type": "computer_call_output", "call_id": "e"}]},
        {"role": "assistant", "parts": [{"type": "item_reference", "id": "i"}]},
        {"role": "assistant", "parts": [{"type": "refusal", "content": "No."}, {"type": "text", "content": "x"}]},
    ]
