"""OpenInference's spans."""

from vestigo.normalize import messages, normalize
from vestigo.record import Event, Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


LLM = {"openinference.span.kind": "LLM"}


def test_the_model_is_asked_until_it_has_answered():
    """`llm.model_name` is the asked one, and the answering one where the parameters tell what was asked."""
    form = normalize(span({**LLM, "llm.model_name": "gpt-4o"}))
    assert (form.request_model, form.response_model) == ("gpt-4o", None)
    asked = {**LLM, "llm.model_name": "gpt-4o-2024-08-06", "llm.invocation_parameters": '{"model": "gpt-4o"}'}
    form = normalize(span(asked))
    assert (form.request_model, form.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")


def test_new_names_for_both_models_win():
    """`llm.request.model_name` and `llm.response.model_name`."""
    told = {**LLM, "llm.model_name": "x", "llm.request.model_name": "a", "llm.response.model_name": "b",
            "llm.invocation_parameters": '{"model": "c"}'}  # fmt: skip
    form = normalize(span(told))
    assert (form.request_model, form.response_model) == ("a", "b")


def test_the_response_id_stands_in_the_answer():
    """Only there; an answer that is no JSON object or is cut tells none."""
    for said, read in (
        ('{"id": "r1", "choices": []}', "r1"),
        ('{"id": 5}', "5"),
        ('{"id": "r1", "cho', None),
        ("hi", None),
    ):
        assert normalize(span({**LLM, "output.value": said})).response_id == read


def test_the_first_chunk_is_an_event():
    """Its time since the start; other events tell nothing."""
    told = span(LLM)
    told.events = [Event(told.start_ns + 10, "other"), Event(told.start_ns + 500_000_000, "First Token Stream Event")]
    assert normalize(told).ttft_s == 0.5


def test_a_model_without_a_kind_is_a_call():
    """Older instrumentors left the kind out."""
    assert normalize(span({"llm.model_name": "gpt-4o"})).kind == "llm"
    assert normalize(span({**LLM, "openinference.span.kind": "UNKNOWN", "llm.model_name": "gpt-4o"})).kind == "span"


def test_a_function_call_of_old_is_a_tool_call():
    """The form before tool calls, which has no id."""
    told = {"llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.function_call_name": "add",
            "llm.output_messages.0.message.function_call_arguments_json": "{}"}  # fmt: skip
    (said,) = messages(span({**LLM, **told})).output
    assert said["parts"] == [{"type": "tool_call", "name": "add", "arguments": "{}"}]
