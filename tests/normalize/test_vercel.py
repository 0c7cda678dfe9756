"""Spans of the Vercel AI SDK."""

import json

import pytest

from vestigo.normalize import normalize
from vestigo.record import Scope, Span, Usage


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_only_the_innermost_spans_count():
    """Outer spans repeat the usage of the provider's calls."""
    roles = {}
    for operation in ("ai.generateText", "ai.generateText.doGenerate", "ai.embedMany", "ai.embedMany.doEmbed"):
        form = normalize(span({"ai.operationId": operation, "ai.usage.inputTokens": 9}))
        roles[operation] = (form.kind, form.usage_role)
    assert roles == {
        "ai.generateText": ("chain", "rollup"), "ai.generateText.doGenerate": ("llm", "leaf"),
        "ai.embedMany": ("chain", "rollup"), "ai.embedMany.doEmbed": ("embedding", "leaf"),
    }  # fmt: skip


def test_a_function_id_behind_the_operation_is_no_part_of_it():
    """`operation.name` alone is enough, with whatever stands behind it."""
    assert normalize(span({"operation.name": "ai.streamText.doStream my function"})).kind == "llm"
    assert normalize(span({"operation.name": "airline.book"})).dialect == ""


@pytest.mark.parametrize(
    "metadata",
    [
        {"anthropic": {"usage": {"cache_read_input_tokens": 300, "cache_creation_input_tokens": 50}}},
        {"anthropic": {"cacheCreationInputTokens": 50, "usage": {"cache_read_input_tokens": 300}}},
        {"bedrock": {"usage": {"cacheReadInputTokens": 300, "cacheWriteInputTokens": 50}}},
    ],
)
def test_cached_tokens_are_found_in_the_providers_metadata(metadata):
    """Before the SDK had attributes for them; counted apart from the input where they are more than it."""
    told = {"ai.operationId": "ai.generateText.doGenerate", "ai.usage.promptTokens": 20,
            "ai.response.providerMetadata": json.dumps(metadata)}  # fmt: skip
    assert normalize(span(told)).usage == Usage(input=370, cache_read=300, cache_write=50)
