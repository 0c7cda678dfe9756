"""The random records hold what storages stumble over, and the random questions can all be asked."""

import itertools
from collections import Counter
from random import Random

import msgspec
import pytest

from vestigo.matching import TraceView, log_matches, span_matches, trace_matches
from vestigo.normalize import normalize
from vestigo.query import Query, check_query
from vestigo.record import Batch, Log, Span, Trace, order_spans
from vestigo.specimens import Specimens, copy_batch
from vestigo.storage.grouping import check_grouping


def made(seed: int) -> Specimens:
    return Specimens(Random(seed), f"p{seed}")


def all_batches() -> list[Batch]:
    return [batch for seed in range(6) for batch in made(seed).batches()]


def test_the_same_seed_makes_the_same_records_and_questions() -> None:
    """So that a failure can be seen again; another seed makes others."""

    def everything(seed: int) -> bytes:
        specimens = made(seed)
        batches = specimens.batches()
        known = [Trace(span.trace_id, [span]) for batch in batches for span in batch.spans if span.normal]
        questions = [specimens.query(specimens.span_filter(known)) for _ in range(20)]
        return msgspec.json.encode((batches, questions, specimens.grouping(), specimens.values_field()))

    assert everything(1) == everything(1) != everything(2)


def test_records_have_what_storages_stumble_over() -> None:
    """Versions, repeats, orphans, equal times, every type of value, texts with NUL and of several scripts."""
    batches = all_batches()
    spans = [(batch.project, span) for batch in batches for span in batch.spans]
    versions: dict[tuple[str, str, str], list[Span]] = {}
    for project, span in spans:
        versions.setdefault((project, span.trace_id, span.span_id), []).append(span)
    pairs = [(first, second) for found in versions.values() for first, second in itertools.pairwise(found)]
    assert any(first.end_ns is None and second.end_ns is not None for first, second in pairs)
    assert any(first.end_ns is not None and second.end_ns is None for first, second in pairs)
    assert any(first.end_ns is not None and second.end_ns is not None for first, second in pairs)
    assert any(len(traces) > 1 for traces in traces_by(lambda span: span.span_id, spans).values())
    assert any(len(projects) > 1 for projects in projects_by_trace(spans).values())
    known = {(project, span.trace_id, span.span_id) for project, span in spans}
    assert any(span.parent_id and (project, span.trace_id, span.parent_id) not in known for project, span in spans)
    starts = Counter((project, span.trace_id, span.start_ns) for project, span in spans)
    assert starts.most_common(1)[0][1] > 1
    values = [value for _, span in spans for value in span.attributes.values()]
    assert {type(value) for value in values} >= {bool, int, float, str, list, dict, type(None)}
    assert {2**63 - 1, -(2**63)} <= {value for value in values if type(value) is int}
    texts = [span.name for _, span in spans]
    assert any("\0" in text for text in texts)
    assert any("返金" in text for text in texts)
    assert any(not text for text in texts)


def traces_by(key, spans):
    found: dict[str, set[str]] = {}
    for _, span in spans:
        found.setdefault(key(span), set()).add(span.trace_id)
    return found


def projects_by_trace(spans):
    found: dict[str, set[str]] = {}
    for project, span in spans:
        found.setdefault(span.trace_id, set()).add(project)
    return found


def test_logs_are_of_traces_of_lost_traces_and_of_none() -> None:
    """Each log has an id; scores hang on spans, on traces and on nothing."""
    batches = all_batches()
    logs = [log for batch in batches for log in batch.logs]
    with_spans = {(batch.project, span.trace_id) for batch in batches for span in batch.spans}
    traces = {(batch.project, log.trace_id) for batch in batches for log in batch.logs if log.trace_id}
    assert all(log.log_id for log in logs)
    assert any(log.trace_id is None for log in logs)
    assert traces & with_spans
    assert traces - with_spans
    assert {type(log.body) for log in logs} >= {str, dict, list, int, bool, type(None)}


def test_calls_resend_their_history_and_bring_their_cost() -> None:
    """Message bodies repeat from call to call, and no storage's price table can matter."""
    spans = [span for batch in all_batches() for span in batch.spans]
    with_usage = [span for span in spans if (span.normal or normalize(span)).usage is not None]
    assert with_usage
    assert all(span.normal is not None and span.normal.cost is not None for span in with_usage)
    bodies = Counter(
        msgspec.json.encode(message, order="sorted")
        for span in spans
        for messages in [span.attributes.get("gen_ai.input.messages")]
        if isinstance(messages, list)
        for message in messages
    )
    assert bodies.most_common(1)[0][1] > 2


@pytest.mark.parametrize("seed", range(8))
def test_every_question_can_be_asked_and_some_are_answered(seed: int) -> None:
    """Queries and groupings are valid, filters for logs speak of logs only, and many filters fit something."""
    specimens = made(seed)
    project = specimens.projects[0]
    spans = [span for batch in specimens.batches() if batch.project == project for span in batch.spans]
    for span in spans:
        span.normal = span.normal or normalize(span)
    by_trace = {span.trace_id: [other for other in spans if other.trace_id == span.trace_id] for span in spans}
    known = [Trace(trace_id, order_spans(found), [Log(1, body="said")]) for trace_id, found in by_trace.items()]
    answered = 0
    for _ in range(60):
        query = check_query(specimens.query(specimens.span_filter(known)))
        answered += any(span_matches(query.filter, span, TraceView(trace)) for trace in known for span in trace.spans)
        query = check_query(specimens.query(specimens.trace_filter(known), narrow=True))
        answered += any(trace_matches(query.filter, trace) for trace in known)
        query = check_query(specimens.query(specimens.log_filter(known)), logs=True)
        answered += log_matches(query.filter, known[0].logs[0])
        assert check_grouping(specimens.grouping())
    assert 40 < answered < 170
    for subject in ("span", "trace", "log"):
        for filter_ in specimens.single_filters(subject, known):
            check_query(Query(project=specimens.project(), filter=filter_), logs=subject == "log")
    assert specimens.single_filters("span", [])
    assert {query.order for query in specimens.orders(query)} == {"newest", "oldest", "slowest"}


def test_a_copied_batch_shares_nothing() -> None:
    """What is done to the copy is not done to the batch."""
    batch = made(1).batches()[0]
    before = msgspec.json.encode(batch)
    copy = copy_batch(batch)
    assert copy == batch
    for span in copy.spans:
        span.attributes["more"] = 1
    for log in copy.logs:
        log.attributes["more"] = 1
    assert msgspec.json.encode(batch) == before
