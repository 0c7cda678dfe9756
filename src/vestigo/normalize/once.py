"""Counting each call once: several instrumentations may report one call, each as a span of the same trace.

A dialect says what one span is (`leaf`, `rollup`); here is what only the spans of a trace together can say. It is a
pure function of the set of spans, so the order of their arrival does not matter. Reports of one call share the id that
the provider gave its response.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from vestigo.normalize import messages
from vestigo.record import Kind, NormalForm, Span, UsageRole

CALLS: frozenset[Kind] = frozenset({"llm", "embedding"})


class Claim(Struct, frozen=True, gc=False):
    """What decides whether a span counts: all of it stands in narrow columns of a storage."""

    span_id: str
    kind: Kind
    role: UsageRole
    """As the dialect told it, or as it was settled before: `leaf` and `duplicate` mean the same here."""
    response_id: str | None
    start_ns: int
    end_ns: int | None
    """None while the span is open: then it may still overlap whatever starts later."""
    has_usage: bool
    """Whether input or output tokens are told."""
    content: int
    """0 to 2: one for an input or system message, one for an output message (`has:input`, `has:output`)."""


def settle_roles(claims: Iterable[Claim]) -> dict[str, UsageRole]:
    """The role of each of a trace's spans, by span id.

    Spans of kind `llm` or `embedding` that are no rollup, share a non-empty response id and overlap in time are
    reports of one call: one of them is the `leaf`, the others are `duplicate`. The leaf is the one with usage, then
    with more content, then the earlier start, then the lower span id. Usage comes first, since tokens of a duplicate
    do not count. A report without others is a leaf, also where it was a duplicate before; so a dialect that knows a
    span as the duplicate of something else leaves its response id out. All other spans keep their role. Rollups stay
    rollups even where no leaf below them has usage: such a leaf may yet arrive.

    The spans must overlap because some servers reuse ids: Ollama's are `chatcmpl-` and a number below 999.

    **For a storage.** Give it all stored spans of one (project, trace id) that have one response id, with the new
    version of the span that is being written in the place of its old one; what it answers is the role to store for
    each of them, in its row, its record (`normal.usage_role`) and its share of the sums. Spans with another response
    id, or none, cannot change the answer. Do so after each write of a span with a response id, and for the old id of
    a version that is replaced. A storage that reads whole traces calls `settle_trace` on reading instead.
    """
    roles: dict[str, UsageRole] = {}
    reports: dict[str, list[Claim]] = {}
    for claim in claims:
        roles[claim.span_id] = claim.role
        if claim.response_id and claim.role != "rollup" and claim.kind in CALLS:
            reports.setdefault(claim.response_id, []).append(claim)
    for same_id in reports.values():
        for call in _calls(same_id):
            leaf = min(call, key=_rank)
            for claim in call:
                roles[claim.span_id] = "leaf" if claim is leaf else "duplicate"
    return roles


def settle_trace(spans: Iterable[Span]) -> None:
    """Set `normal.usage_role` of a whole trace's spans, where it differs, by `settle_roles`."""
    reports: dict[str, list[tuple[Span, NormalForm]]] = {}
    for span in spans:
        if span.normal is not None and span.normal.response_id:
            reports.setdefault(span.normal.response_id, []).append((span, span.normal))
    for same_id in reports.values():
        if len(same_id) == 1 and same_id[0][1].usage_role == "leaf":
            continue  # the usual case, for which no message need be read
        roles = settle_roles(claim_of(span, form) for span, form in same_id)
        for span, form in same_id:
            if form.usage_role != roles[span.span_id]:
                form.usage_role = roles[span.span_id]


def claim_of(span: Span, form: NormalForm) -> Claim:
    """A span's claim; reads its messages."""
    said = messages(span)
    content = bool(said.input or said.system) + bool(said.output)
    usage = form.usage
    has_usage = usage is not None and (usage.input is not None or usage.output is not None)
    return Claim(
        span.span_id, form.kind, form.usage_role, form.response_id, span.start_ns, span.end_ns, has_usage, content
    )


def _calls(same_id: list[Claim]) -> Iterator[list[Claim]]:
    """Reports with one response id, parted where time passed between them."""
    ordered = sorted(same_id, key=lambda claim: (claim.start_ns, claim.span_id))
    call = [ordered[0]]
    last_ns = ordered[0].end_ns
    for claim in ordered[1:]:
        if last_ns is not None and claim.start_ns > last_ns:
            yield call
            call, last_ns = [], claim.end_ns
        call.append(claim)
        last_ns = None if last_ns is None or claim.end_ns is None else max(last_ns, claim.end_ns)
    yield call


def _rank(claim: Claim) -> tuple[bool, int, int, str]:
    return (not claim.has_usage, -claim.content, claim.start_ns, claim.span_id)
