"""LangSmith's runs."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span, Usage


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_the_kind_wins_over_the_operation():
    """The exporter says `embeddings` of a retriever and `chat` of a prompt."""
    for kind, operation, read in (("retriever", "embeddings", "retrieval"), ("prompt", "chat", "prompt")):
        assert normalize(span({"langsmith.span.kind": kind, "gen_ai.operation.name": operation})).kind == read


def test_a_provider_that_was_guessed_gives_way():
    """LangChain's own word for the provider wins, and `langchain` is none."""
    told = {"langsmith.span.kind": "llm", "gen_ai.system": "langchain"}
    assert normalize(span(told)).provider is None
    assert normalize(span({**told, "langsmith.metadata.ls_provider": "mistralai"})).provider == "mistral_ai"


def test_details_of_tokens_are_written_in_python():
    """A dict's repr, also with None; anything else tells nothing."""
    told = {"langsmith.span.kind": "llm", "gen_ai.usage.input_tokens": 100}
    name = "gen_ai.usage.input_token_details"
    assert normalize(span({**told, name: "{'cache_read': 64, 'audio': None}"})).usage == Usage(input=100, cache_read=64)
    assert normalize(span({**told, name: "__import__('os')"})).usage == Usage(input=100)
