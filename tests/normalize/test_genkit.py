"""Genkit's actions."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_a_models_name_is_its_plugin_and_its_model():
    """The part before the last slash is the provider, if there is one."""
    told = {"genkit:type": "action", "genkit:metadata:subtype": "model"}
    for name, provider, model in (
        ("vertexai/gemini-2.5-pro", "gcp.vertex_ai", "gemini-2.5-pro"),
        ("echo", None, "echo"),
    ):
        form = normalize(span({**told, "genkit:name": name}))
        assert (form.provider, form.request_model) == (provider, model)


def test_an_action_of_no_known_subtype_is_a_span():
    """`genkit:type` alone tells steps of flows, and nothing of actions."""
    assert normalize(span({"genkit:type": "action", "genkit:metadata:subtype": "banana"})).kind == "span"
    assert normalize(span({"genkit:type": "flowStep"})).usage_role == "rollup"
