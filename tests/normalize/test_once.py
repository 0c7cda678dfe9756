"""Reports of one call by several instrumentations count once, whatever order they arrive in."""

from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestigo.normalize import normalize
from vestigo.normalize.once import Claim, settle_roles, settle_trace
from vestigo.query import Grouping, Query
from vestigo.record import Batch, Span
from vestigo.storage import Storage, open_storage

TRACE = "a" * 32


def claim(number: int, **more: Any) -> Claim:
    told: dict[str, Any] = {
        "kind": "llm", "role": "leaf", "response_id": "r", "start_ns": 10, "end_ns": 20,
        "has_usage": True, "content": 0,
    }  # fmt: skip
    return Claim(f"{number:016x}", **(told | more))


def roles(*claims: Claim) -> list[str]:
    settled = settle_roles(claims)
    return [settled[one.span_id] for one in claims]


def test_two_reports_of_a_call_count_once() -> None:
    """The span with more content is the leaf; one without the id, or with another, is a call of its own."""
    assert roles(claim(1), claim(2, content=2)) == ["duplicate", "leaf"]
    assert roles(claim(1), claim(2, response_id="s"), claim(3, response_id=None)) == ["leaf"] * 3
    assert roles(claim(1, response_id=""), claim(2, response_id="")) == ["leaf"] * 2


def test_usage_is_never_lost_with_a_duplicate() -> None:
    """A report with tokens wins over one that only has more text, since a duplicate's tokens do not count."""
    assert roles(claim(1, content=2, has_usage=False), claim(2)) == ["duplicate", "leaf"]


def test_ties_go_to_the_earlier_and_then_to_the_lower_id() -> None:
    """So that the answer is one, and the outer of two nested spans is the leaf."""
    assert roles(claim(1), claim(2, start_ns=9)) == ["duplicate", "leaf"]
    assert roles(claim(2), claim(1)) == ["duplicate", "leaf"]


def test_rollups_and_tools_neither_win_nor_lose() -> None:
    """An agent that repeats the response id of its last call leaves that call its tokens."""
    agent = claim(1, kind="agent", role="rollup", content=2)
    assert roles(agent, claim(2), claim(3, kind="tool")) == ["rollup", "leaf", "leaf"]
    assert roles(claim(1, role="rollup"), claim(2)) == ["rollup", "leaf"]


def test_a_server_that_gives_an_id_twice_loses_no_call() -> None:
    """Reports of one call overlap; the next call has begun later. An open span may still overlap."""
    assert roles(claim(1), claim(2, start_ns=21, end_ns=30)) == ["leaf", "leaf"]
    assert roles(claim(1, end_ns=None), claim(2, start_ns=21, end_ns=30)) == ["leaf", "duplicate"]


def test_what_has_lost_its_other_half_counts_again() -> None:
    """A duplicate that is alone is a leaf: its other report was deleted, or got another id."""
    assert roles(claim(1, role="duplicate")) == ["leaf"]
    assert roles(claim(1, role="duplicate", response_id=None)) == ["duplicate"]


CLAIMS = st.lists(
    st.builds(
        claim,
        st.integers(1, 60),
        kind=st.sampled_from(["llm", "embedding", "agent", "tool"]),
        role=st.sampled_from(["leaf", "leaf", "rollup", "duplicate"]),
        response_id=st.sampled_from([None, "", "r", "s"]),
        start_ns=st.integers(0, 30),
        end_ns=st.one_of(st.none(), st.integers(30, 60)) | st.just(3),
        has_usage=st.booleans(),
        content=st.integers(0, 2),
    ),
    unique_by=lambda one: one.span_id,
    max_size=8,
)


@given(CLAIMS, st.randoms(), st.data())
@settings(max_examples=100, deadline=None)
def test_any_order_and_any_batches_give_the_same_roles(claims: list[Claim], random: Any, data: st.DataObject) -> None:
    """Settling id by id as claims arrive in batches ends where settling all of them at once does."""
    want = settle_roles(claims)
    arriving = list(claims)
    random.shuffle(arriving)
    stored: dict[str, Claim] = {}
    while arriving:
        size = data.draw(st.integers(1, len(arriving)))
        batch, arriving = arriving[:size], arriving[size:]
        stored |= {one.span_id: one for one in batch}
        for response_id in {one.response_id for one in batch}:
            same = [one for one in stored.values() if one.response_id == response_id]
            for span_id, role in settle_roles(same).items():
                stored[span_id] = msgspec.structs.replace(stored[span_id], role=role)
    assert {span_id: one.role for span_id, one in stored.items()} == want


# --- spans, and the storages that keep them


def call(number: int, scope: str, **more: Any) -> Span:
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": scope, "gen_ai.request.model": "m",
        "gen_ai.response.id": "resp_1", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10,
    }  # fmt: skip
    return Span(TRACE, f"{number:016x}", "chat m", number, end_ns=50, attributes=attributes | more)


def three_reports() -> list[Span]:
    """The provider's own span within one of an instrumentation, which has the text, in an agent's."""
    said = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
    agent = Span(TRACE, f"{9:016x}", "agent", 1, end_ns=60, attributes={"gen_ai.operation.name": "invoke_agent",
                 "gen_ai.response.id": "resp_1", "gen_ai.usage.input_tokens": 100})  # fmt: skip
    return [agent, call(2, "openai"), call(3, "azure.ai.openai", **{"gen_ai.input.messages": said})]


def test_the_roles_of_a_trace_are_settled_in_place() -> None:
    """`settle_trace` sets the role of every span that has a normal form, and leaves the others alone."""
    spans = [*three_reports(), Span(TRACE, f"{7:016x}", "no form", 1)]
    for span in spans[:3]:
        span.normal = normalize(span)
    settle_trace(spans)
    told = [span.normal.usage_role for span in spans if span.normal is not None]
    assert told == ["rollup", "duplicate", "leaf"]


URLS = {"memory": "memory://", "file": "file:///{path}/traces", "sqlite": "sqlite:///{path}/traces.db"}


def opened(scheme: str, path: Path) -> Storage:
    return open_storage(URLS[scheme].format(path=path))


def totals(storage: Storage) -> dict[str, Any]:
    (row,) = storage.aggregate(Query(project="default"), Grouping(measures=("tokens.in",)))
    (summary,) = storage.find_traces(Query(project="default"))
    return {**row.values, "calls": summary.calls, "input": summary.input_tokens}


@pytest.mark.parametrize("scheme", URLS)
def test_a_storage_counts_a_call_once_in_any_order_of_arrival(scheme: str, tmp_path: Path) -> None:
    """Sums, the list of traces and each record say the same for every order of three reports, one write each."""
    for number, order in enumerate(permutations(range(3))):
        storage = opened(scheme, tmp_path / str(number))
        for at in order:
            storage.write(Batch([three_reports()[at]]))
        assert totals(storage) == {"tokens.in": 100, "calls": 1, "input": 100}
        trace = storage.trace("default", TRACE)
        assert trace is not None
        told = {span.span_id[-1]: span.normal.usage_role for span in trace.spans if span.normal is not None}
        assert told == {"9": "rollup", "2": "duplicate", "3": "leaf"}
        storage.close()


@pytest.mark.parametrize("scheme", URLS)
def test_a_later_version_of_a_span_settles_anew(scheme: str, tmp_path: Path) -> None:
    """The leaf turns out to be another call: the report that it had hidden counts."""
    storage = opened(scheme, tmp_path)
    storage.write(Batch(three_reports()))
    storage.write(Batch([call(3, "openai", **{"gen_ai.response.id": "resp_2"})]))
    assert totals(storage) == {"tokens.in": 200, "calls": 2, "input": 200}
    storage.close()
