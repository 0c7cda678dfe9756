"""Langfuse's observations, whose usage is told in buckets."""

import json

import pytest

from vestigo.normalize import normalize
from vestigo.record import Scope, Span, Usage


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def usage(**details):
    told = {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(details)}
    return normalize(span(told)).usage


def test_buckets_that_exclude_each_other_are_added_up():
    """By custom `input` is without its cached tokens, and `output` without its reasoning."""
    found = usage(input=50, input_cached_tokens=1000, output=30, output_reasoning_tokens=12)
    assert found == Usage(input=1050, cache_read=1000, output=42, reasoning=12)


def test_a_total_tells_that_buckets_are_inclusive():
    """Where input and output make the total, the others are parts of them."""
    found = usage(input=1050, input_cached_tokens=1000, output=42, output_reasoning_tokens=12, total=1092)
    assert found == Usage(input=1050, cache_read=1000, output=42, reasoning=12)


def test_names_of_anthropic_are_buckets_too():
    """Its own usage handed on: cached tokens beside the input."""
    found = usage(input=20, cache_read_input_tokens=300, cache_creation_input_tokens=50, output=12)
    assert found == Usage(input=370, cache_read=300, cache_write=50, output=12)


def test_the_usage_of_openai_is_inclusive():
    """With details in details it is the provider's own."""
    found = usage(input_tokens=40, input_tokens_details={"cached_tokens": 16}, output_tokens=9,
                  output_tokens_details={"reasoning_tokens": 4})  # fmt: skip
    assert found == Usage(input=40, cache_read=16, output=9, reasoning=4)


def test_usage_without_numbers_is_none():
    """Empty, broken and foreign details tell nothing."""
    assert usage() is None
    assert usage(model="gpt-4o") is None


def test_costs_are_added_up_where_no_total_is_told():
    """Cost details may have any buckets."""
    told = {"langfuse.observation.type": "generation", "langfuse.observation.cost_details": '{"input": 1, "output": 2}'}
    assert normalize(span(told)).cost.total_usd == 3


@pytest.mark.parametrize(
    "written", ["2026-09-21T14:13:20.5Z", '"2026-09-21T14:13:20.500Z"', "2026-09-21T16:13:20.5+02:00"]
)
def test_the_first_token_came_at_a_time_of_day(written):
    """ISO 8601 in any zone, JSON-quoted or not, gives seconds since the start."""
    told = {"langfuse.observation.type": "generation", "langfuse.observation.completion_start_time": written}
    assert normalize(span(told)).ttft_s == 0.5


@pytest.mark.parametrize(
    "written", ["soon", "2026-09-21T14:13:19Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_cannot_be_is_none(written):
    """Before the start, in another year, or no time."""
    told = {"langfuse.observation.type": "generation", "langfuse.observation.completion_start_time": written}
    assert normalize(span(told)).ttft_s is None


def test_a_span_of_another_library_stays_its_own():
    """Langfuse's processor puts its session on every span, which alone is no observation."""
    told = {"langfuse.environment": "prod", "langfuse.session.id": "s1", "gen_ai.operation.name": "chat"}
    assert normalize(span(told)).dialect == "gen_ai"
