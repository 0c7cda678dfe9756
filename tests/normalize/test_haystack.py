"""Haystack's components."""

import json

from vestigo.normalize import normalize
from vestigo.record import Scope, Span, Usage


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def component(kind, **more):
    told = {f"haystack.component.{name}": value for name, value in more.items()}
    return normalize(span({"haystack.component.type": kind, "haystack.component.name": "c", **told}))


def test_the_class_of_a_component_tells_its_kind():
    """By how Haystack names its classes; whatever else is a step of the pipeline."""
    kinds = {
        "OpenAIChatGenerator": "llm", "SentenceTransformersTextEmbedder": "embedding", "PromptBuilder": "prompt",
        "InMemoryEmbeddingRetriever": "retrieval", "Agent": "agent", "ToolInvoker": "tool", "DocumentWriter": "chain",
    }  # fmt: skip
    assert {kind: component(kind).kind for kind in kinds} == kinds


def test_replies_of_a_plain_generator_have_their_meta_beside_them():
    """Text replies, and a list of what is told of each."""
    output = {
        "replies": ["hello"],
        "meta": [{"model": "gpt-4o", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}],
    }
    form = component("OpenAIGenerator", output=json.dumps(output))
    assert (form.response_model, form.usage) == ("gpt-4o", Usage(input=3, output=2))


def test_a_generator_without_content_tells_no_usage():
    """Content tracing is off by default."""
    assert component("OpenAIChatGenerator").usage is None
