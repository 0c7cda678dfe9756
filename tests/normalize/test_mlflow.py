"""MLflow's spans, whose every attribute is JSON."""

import json
from typing import Any

from vestigo.normalize import normalize
from vestigo.record import Span


def test_cached_tokens_are_added_only_where_the_total_says_that_they_are_apart() -> None:
    """The same counts mean another input for Anthropic's own numbers than for OpenAI's."""
    counts = {"input_tokens": 200, "output_tokens": 5, "cache_read_input_tokens": 100}
    assert used(counts | {"total_tokens": 205}) == 200
    assert used(counts | {"total_tokens": 305}) == 300
    assert used(counts) == 200


def used(counts: dict[str, int]) -> int | None:
    attributes: dict[str, Any] = {"mlflow.spanType": '"LLM"', "mlflow.chat.tokenUsage": json.dumps(counts)}
    usage = normalize(Span("a" * 32, "b" * 16, "call", 1, attributes=attributes)).usage
    assert usage is not None
    return usage.input
