"""Series, facets, values and errors by the API, the same from every storage."""

import pytest
from served import SHOP, STORAGES, T0, TOOL, S, served

from vestigo.errors import QueryError
from vestigo.query import Row
from vestigo.record import Batch, Span
from vestigo.server.charts import series_of, template


@pytest.fixture(params=STORAGES)
def both(request, tmp_path):
    with served(request.param, tmp_path) as pair:
        yield pair


@pytest.fixture
def client(both):
    return both[1]


def get(client, path, **params):
    answer = client.get(f"/api/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_series_have_several_measures_over_time_and_by_field(client):
    """Every bucket from the first to the last; nothing is 0 where it is added up, none where it is a rate."""
    told = get(
        client, "series", measures="count,error_rate,tokens.in,cost,latency.p50,ttft.p50", by="service", step="10s"
    )
    assert (told["step_ns"], told["times_ns"]) == (str(10 * S), [str(T0 + n * 10 * S) for n in range(7)])
    shop, bot = told["groups"]
    assert (shop["keys"], bot["keys"]) == (["shop"], ["bot"])
    assert shop["values"]["count"] == [3, 0, 0, 0, 0, 0, 0]
    assert bot["values"]["count"] == [0, 0, 0, 0, 0, 0, 1]
    assert shop["values"]["error_rate"] == [pytest.approx(1 / 3), None, None, None, None, None, None]
    assert shop["values"]["tokens.in"][0] == 1_000
    assert (shop["values"]["cost"][:2], bot["values"]["cost"][6]) == ([0.25, None], None)
    assert shop["values"]["latency.p50"][0] == pytest.approx(2, rel=0.02)
    assert shop["values"]["ttft.p50"][0] == pytest.approx(0.5, rel=0.02)


def test_series_without_a_step_are_one_figure_for_each_group(client):
    """The largest groups first; how many were left out is told."""
    told = get(client, "series", measures="count", by="service,status", groups="2")
    assert (told["times_ns"], told["step_ns"], told["left_out"]) == ([], None, 1)
    assert told["groups"][0] == {"keys": ["shop", "unset"], "values": {"count": [2]}}
    assert get(client, "series", measures="count,errors")["groups"] == [
        {"keys": [], "values": {"count": [4], "errors": [1]}}
    ]
    assert get(client, "series", q="name:nothing")["groups"] == []


@pytest.mark.parametrize(
    "params",
    [{"measures": "count,speed"}, {"by": "input"}, {"by": "kind,model,user,session,tool"}, {"step": "1"},
     {"step": "soon"}, {"groups": "0"}],
    ids=str,
)  # fmt: skip
def test_series_that_make_no_sense_are_refused(client, params):
    """With a message that names the value."""
    refused = client.get("/api/series", params=params)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"]


def test_too_many_buckets_are_refused():
    """An answer is bounded, however far apart the spans are."""
    rows = [Row((), time, {"count": 1.0}) for time in (0, 10**9 * 6_000)]
    with pytest.raises(QueryError, match="6001 buckets of time are too many"):
        series_of(rows, ("count",), (), 10**9, 10)


def test_facets_have_counts_of_several_fields(client):
    """The most frequent values first, how many spans have none, whether there are more; tags without counts."""
    kind, service, tag = get(client, "facets", fields="kind,service,tag", limit="1")["facets"]
    assert kind == {"field": "kind", "values": [{"value": "span", "count": 2}], "more": True, "missing": 0}
    assert service["values"] == [{"value": "shop", "count": 3}]
    assert (tag["values"], tag["more"]) == ([{"value": "gold", "count": None}], True)
    (model,) = get(client, "facets", fields="model", q="service:shop")["facets"]
    assert (model["values"], model["missing"]) == ([{"value": "gpt-4o", "count": 1}], 2)
    assert client.get("/api/facets", params={"fields": "input"}).status_code == 400
    assert client.get("/api/facets", params={"fields": "modle"}).status_code == 400


def test_values_of_a_field_can_begin_with_something(client):
    """The most frequent first."""
    assert get(client, "values", field="name")["values"] == [
        "POST /chat",
        "chat gpt-4o",
        "execute_tool search",
        "nightly",
    ]
    assert get(client, "values", field="name", prefix="Ch")["values"] == ["chat gpt-4o"]
    assert get(client, "values", field="user", q="service:bot")["values"] == ["bob"]
    assert client.get("/api/values", params={"field": "nothing"}).status_code == 400


def test_errors_that_differ_in_numbers_only_are_one_group(both):
    """By type, form of the message and name of the span; the newest is the example."""
    server, client = both
    again = Span(
        SHOP, "0b" * 8, "execute_tool search", T0 + 8 * S, status="ERROR", status_message="no answer", weight=2.0
    )
    again.events = list(server.storage.trace("default", SHOP).spans[2].events)
    again.events[0].attributes["exception.message"] = "no answer from 10.0.0.9 in 45 s"
    other = Span(SHOP, "0c" * 8, "chat", T0 + 9 * S, status="ERROR", status_message="quota 'gold' used up")
    server.storage.write(Batch([again, other]))
    told = get(client, "errors")
    first, second = told["groups"]
    assert (first["error_type"], first["message"], first["span_name"]) == (
        "TimeoutError", "no answer from … in … s", "execute_tool search",
    )  # fmt: skip
    assert (first["count"], first["first_ns"], first["last_ns"]) == (3, str(T0 + 4 * S), str(T0 + 8 * S))
    assert (first["span_id"], first["example"]) == ("0b" * 8, "no answer from 10.0.0.9 in 45 s")
    assert second["message"] == "quota … used up"
    assert (told["spans_read"], told["complete"]) == (3, True)
    assert [group["span_name"] for group in get(client, "errors", q="kind:tool")["groups"]] == ["execute_tool search"]
    assert get(client, "errors", q="kind:tool")["groups"][0]["span_id"] == TOOL


def test_errors_are_counted_over_time_and_by_user(both):
    """In equal parts of the window, else from the first to the last; a user counts whom only the trace names."""
    server, client = both
    spans = [
        Span("c3" * 16, f"{n:016x}", "call", T0 + n * S, status="ERROR", status_message="gone", weight=2.0)
        for n in range(1, 13)
    ]
    spans += [
        Span("c3" * 16, "aa" * 8, "root", T0, attributes={"user.id": "eve"}),
        Span("d4" * 16, "bb" * 8, "call", T0 + 24 * S, status="ERROR", status_message="gone"),
    ]
    spans[0].attributes["user.id"] = "dan"
    server.storage.write(Batch(spans))
    told = get(client, "errors", q="name:call")
    assert (told["start_ns"], told["end_ns"]) == (str(T0 + S), str(T0 + 24 * S + 1))
    group = told["groups"][0]
    assert (group["count"], sum(group["buckets"]), len(group["buckets"])) == (25, 25, 24)
    assert (group["buckets"][0], group["buckets"][-1]) == (2, 1)
    assert group["users"] == 2
    told = get(client, "errors", q="name:call", start=str(T0), end=str(T0 + 24 * S))
    assert (told["start_ns"], told["end_ns"]) == (str(T0), str(T0 + 24 * S))
    assert told["groups"][0]["buckets"] == [0.0] + [2.0] * 12 + [0.0] * 11
    assert get(client, "errors", q="name:call")["groups"][0]["users"] == 2
    assert get(client, "errors", q="kind:tool")["groups"][0]["users"] == 1
    nothing = get(client, "errors", q="name:nobody")
    assert (nothing["groups"], nothing["complete"]) == ([], True)
    recent = get(client, "errors", start="24h")
    assert int(recent["end_ns"]) - int(recent["start_ns"]) >= 24 * 3_600 * S


@pytest.mark.parametrize(
    ("message", "form"),
    [
        ("timeout after 30.5 s", "timeout after … s"),
        ('no key "x y" in \'z\'', "no key … in …"),
        ("GET https://example.org/a?b=1 failed", "GET … failed"),
        ("id 3f9b7024340081a797182a6d67ed96b1 gone", "id … gone"),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_the_form_of_a_message(message, form):
    """Numbers, quoted text, addresses and ids do not tell errors apart."""
    assert template(message) == form
