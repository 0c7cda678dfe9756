"""Preparing a request's records: the same here and in a child process, and one bad record spoils no other."""

import pytest

from vestigo import otlp
from vestigo.diagnostics import Counters
from vestigo.errors import IngestError
from vestigo.record import Log, Resource, Scope, Span
from vestigo.server import prepare
from vestigo.server.prepare import Preparer, pack_parcel, read_parcel
from vestigo.settings import ServerSettings
from vestigo.storage.sqlite.drafts import Drafter

SECRET = "sk-proj-" + "a1B2c3D4" * 6


def span(number, resource, text="hello"):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100}
    return Span(
        f"{number + 1:032x}", f"{number + 1:016x}", "chat", 10**18, end_ns=10**18 + 1,
        attributes={**attributes, "text": text}, resource=resource, scope=Scope("t", "1"),
    )  # fmt: skip


def request(text="hello"):
    shop, bot = Resource({"service.name": "shop"}), Resource({"service.name": "bot"})
    return otlp.encode("traces", "protobuf", [span(1, shop, text), span(2, bot), span(3, shop)])


def test_a_parcel_holds_what_was_prepared():
    """Records, rejections and counts are equal; resources are shared again afterwards."""
    settings, here = ServerSettings(), Counters()
    own = Preparer(settings, here).prepare("traces", "protobuf", request(SECRET), "shop")
    child, there = Counters(), Counters()
    prepared = Preparer(settings, child).prepare("traces", "protobuf", request(SECRET), "shop")
    read = read_parcel(pack_parcel(prepared, child, Drafter()), there)
    assert read == own
    assert there.snapshot() == here.snapshot()
    assert there.get("redacted") == 1
    by_service = {one.resource.attributes["service.name"]: one.resource for one in read.batch.spans}
    assert all(one.resource is by_service[one.resource.attributes["service.name"]] for one in read.batch.spans)


def test_spans_are_redacted_before_they_are_normalized():
    """A secret in an attribute that the normal form repeats stands in neither."""
    preparer = Preparer(ServerSettings(), Counters())
    told = span(1, Resource({"service.name": "shop"}))
    told.attributes["gen_ai.tool.name"] = f"run {SECRET}"
    (found,) = preparer.prepare("traces", "json", otlp.encode("traces", "json", [told]), "p").batch.spans
    assert SECRET not in str(found)
    assert found.normal.tool_name == "run [REDACTED]"


def test_values_above_the_limit_are_cut_and_others_are_not():
    """With the size and hash of what was cut."""
    preparer = Preparer(ServerSettings(max_value_bytes=1_000), Counters())
    (cut, *_) = preparer.prepare("traces", "protobuf", request("x" * 5_000), "p").batch.spans
    assert cut.attributes["text"].startswith("x" * 1_000 + "… [cut: 5000 bytes, sha256 ")
    (whole, *_) = preparer.prepare("traces", "protobuf", request("x" * 900), "p").batch.spans
    assert whole.attributes["text"] == "x" * 900


def test_a_record_that_cannot_be_prepared_is_rejected_alone(monkeypatch):
    """The others are kept, and the reason is told."""
    real = prepare.normalize

    def fails_for_one(one):
        if one.span_id.endswith("2"):
            raise ValueError("no")
        return real(one)

    monkeypatch.setattr(prepare, "normalize", fails_for_one)
    prepared = Preparer(ServerSettings(), Counters()).prepare("traces", "protobuf", request(), "p")
    assert (len(prepared.batch.spans), prepared.rejected) == (2, 1)
    assert prepared.reasons == ["a record could not be read: ValueError"]


def test_logs_that_tell_of_calls_become_spans_too():
    """Claude Code sends logs without traces: its api_request is a call with tokens and cost."""
    said = {
        "event.name": "api_request", "session.id": "s", "prompt.id": "p", "event.sequence": 3,
        "model": "claude-opus-4-1", "input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 5,
        "cache_creation_tokens": 0, "cost_usd": 0.25,
        "duration_ms": 1_500, "request_id": "req_1",
    }  # fmt: skip
    log = Log(10**18, body="claude_code.api_request", attributes=said, scope=Scope("com.anthropic.claude_code.events"))
    prepared = Preparer(ServerSettings(), Counters()).prepare("logs", "json", otlp.encode("logs", "json", [log]), "p")
    (call,) = prepared.batch.spans
    assert (call.normal.kind, call.normal.usage.input, call.normal.cost.total_usd) == ("llm", 15, 0.25)
    assert len(prepared.batch.logs) == 1


def test_what_cannot_be_read_raises():
    """A body that is no such request."""
    with pytest.raises(IngestError):
        Preparer(ServerSettings(), Counters()).prepare("traces", "protobuf", b"\xff\xff\xff", "p")


@pytest.mark.parametrize("told", ["user:ann", "sent:user:ann", 7])
def test_a_score_that_was_sent_does_not_speak_for_a_person(told):
    """Whoever may send records can write any attribute; only the server's own scores name who logged in."""
    score = Log(1, 9, None, "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "helpful", "vestigo.author": told})
    body = otlp.encode("logs", "json", [score])
    (found,) = Preparer(ServerSettings(), Counters()).prepare("logs", "json", body, "p").batch.logs
    assert found.attributes["vestigo.author"] == f"sent:{str(told).removeprefix('sent:')}"
