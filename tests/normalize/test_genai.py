"""OpenTelemetry's GenAI attributes, current and older names, into the normal form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestigo.normalize import messages, normalize
from vestigo.record import Messages, Span, Usage


def span(**attributes):
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span("a" * 32, "b" * 16, "work", 1, attributes=named)


def gen_ai(attributes):
    return Span("a" * 32, "b" * 16, "work", 1, attributes={f"gen_ai.{key}": value for key, value in attributes.items()})


@pytest.mark.parametrize(
    ("operation", "kind", "role"),
    [
        ("chat", "llm", "leaf"),
        ("text_completion", "llm", "leaf"),
        ("embeddings", "embedding", "leaf"),
        ("execute_tool", "tool", "leaf"),
        ("invoke_agent", "agent", "rollup"),
        ("invoke_workflow", "workflow", "rollup"),
        ("search_memory", "memory", "leaf"),
        ("something new", "span", "leaf"),
    ],
)
def test_the_operation_tells_the_kind(operation, kind, role):
    """Each operation name has its kind, and agents and workflows only repeat what their calls used."""
    form = normalize(gen_ai({"operation.name": operation}))
    assert (form.kind, form.usage_role) == (kind, role)


def test_a_span_of_no_dialect_is_a_span():
    """A span without any sign keeps kind `span` and still tells its session and user."""
    form = normalize(span(session__id="s1", user__id="u7"))
    assert (form.kind, form.dialect, form.session_id, form.user_id, form.usage) == ("span", "", "s1", "u7", None)


def test_our_own_kind_wins_over_the_operation():
    """`vestigo.kind` says what OpenTelemetry has no word for; an unknown word is ignored."""
    assert normalize(span(vestigo__kind="chain")).kind == "chain"
    assert normalize(span(vestigo__kind="banana", gen_ai__operation__name="chat")).kind == "llm"


def test_current_and_older_names_say_the_same():
    """Old token names, `gen_ai.system` and `cache_creation` are read like the current ones."""
    new = gen_ai({
        "operation.name": "chat", "provider.name": "openai", "request.model": "gpt-4o", "usage.input_tokens": 10,
        "usage.output_tokens": 5, "usage.cache_read.input_tokens": 4, "usage.cache_write.input_tokens": 2,
    })  # fmt: skip
    old = gen_ai({
        "operation.name": "chat", "system": "openai", "request.model": "gpt-4o", "usage.prompt_tokens": "10",
        "usage.completion_tokens": 5, "usage.cache_read_input_tokens": 4, "usage.cache_creation.input_tokens": 2,
    })  # fmt: skip
    assert normalize(new) == normalize(old)
    assert normalize(new).usage == Usage(input=10, output=5, cache_read=4, cache_write=2)


def test_cached_tokens_told_apart_are_added_to_the_input():
    """Totals are inclusive: an emitter whose cached tokens exceed its input counts them apart."""
    usage = normalize(
        gen_ai({"operation.name": "chat", "usage.input_tokens": 3, "usage.cache_read.input_tokens": 90})
    ).usage
    assert usage == Usage(input=93, cache_read=90)


def test_fetching_a_stored_response_uses_no_tokens():
    """The conventions forbid usage on `fetch_response`, so it is not counted even where it is told."""
    assert normalize(gen_ai({"operation.name": "fetch_response", "usage.input_tokens": 10})).usage is None


def test_a_reported_cost_is_kept_with_its_source():
    """A cost that the program or a gateway tells is `reported`; a negative one is none."""
    cost = normalize(gen_ai({"operation.name": "chat", "usage.cost": 0.25})).cost
    assert cost is not None
    assert (cost.total_usd, cost.source) == (0.25, "reported")
    assert normalize(gen_ai({"operation.name": "chat", "usage.cost": -1})).cost is None


def test_the_model_is_the_one_that_answered():
    """`model` prefers the response's over the request's."""
    form = normalize(gen_ai({"request.model": "gpt-4o", "response.model": "gpt-4o-2024-08-06"}))
    assert (form.kind, form.model) == ("llm", "gpt-4o-2024-08-06")
    assert normalize(gen_ai({"request.model": "gpt-4o"})).model == "gpt-4o"


SAID = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]


@pytest.mark.parametrize("written", [SAID, json.dumps(SAID), json.dumps(json.dumps(SAID))])
def test_messages_are_read_structured_and_as_text(written):
    """Lists, JSON text and JSON text in JSON text give the same messages."""
    assert messages(gen_ai({"operation.name": "chat", "input.messages": written})).input == SAID


def test_a_tool_span_has_its_call_and_its_result_as_messages():
    """Arguments and result of a tool are shown and found like messages."""
    told = gen_ai({"operation.name": "execute_tool", "tool.name": "add", "tool.call.id": "c1",
                   "tool.call.arguments": {"a": 1}, "tool.call.result": "2"})  # fmt: skip
    found = messages(told)
    call, answer = ({"type": "tool_call", "arguments": {"a": 1}, "id": "c1", "name": "add"},
                    {"type": "tool_call_response", "response": "2", "id": "c1"})  # fmt: skip
    assert found.input == [{"role": "assistant", "parts": [call]}]
    assert found.output == [{"role": "tool", "parts": [answer]}]


def test_a_span_without_content_has_no_messages():
    """Numbers alone make no messages."""
    assert messages(gen_ai({"operation.name": "chat", "usage.input_tokens": 3})) == Messages()
    assert messages(span(session__id="s")) == Messages()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([
    "operation.name", "provider.name", "system", "request.model", "response.model", "response.id", "usage.input_tokens",
    "usage.output_tokens", "usage.cost", "response.finish_reasons", "response.time_to_first_chunk", "input.messages",
    "output.messages", "system_instructions", "tool.definitions", "tool.call.arguments", "conversation.id",
])  # fmt: skip


@given(st.dictionaries(NAMES, VALUES))
def test_whatever_stands_in_the_attributes_is_read_without_error(attributes):
    """Foreign spans hold anything: reading never raises, and counts are never negative."""
    told = gen_ai(attributes)
    form = normalize(told)
    messages(told)
    if form.usage is not None:
        assert all(
            getattr(form.usage, name) is None or getattr(form.usage, name) >= 0 for name in Usage.__struct_fields__
        )


def test_messages_of_today_are_the_same_objects():
    """A storage keeps each message once, by looking at the attribute's own items."""
    told = gen_ai({"operation.name": "chat", "input.messages": SAID})
    assert messages(told).input is told.attributes["gen_ai.input.messages"]
