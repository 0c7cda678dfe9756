"""What the page is shown over: a real server, filled by real clients and by OTLP, with everything that a view can show.

`fill` is asked once for each run of the tests; what it made is told by name in `Seeds`.
"""

import contextlib
import time
from datetime import UTC, datetime, timedelta

import conversations
import hostile
import httpx
import runs
import traffic
from msgspec import Struct

from vestigo import otlp

SHOP, EMPTY = "shop", "empty"
SESSION = "research-1"
BATCH = 2_000
ANN = ("ann", "a-long-passphrase-of-ann")


class Seeds(Struct):
    """Where things are."""

    sessions: dict[str, list[str]]
    failed: str
    refused: str
    slowest: str = traffic.SLOWEST
    run_80: str = f"{80:032d}"
    run_2000: str = f"{2_000:032d}"
    run_10000: str = f"{10_000:032d}"
    run_100000: str = f"{100_000:032d}"
    open: str = f"{7_777:032d}"
    first: str = f"{1:032d}"
    second: str = f"{2:032d}"
    """Two runs of the same that differ."""
    conversation: str = ""


def post(running, project, signal, records):
    """Records to a project by OTLP."""
    with running.client() as client:
        for at in range(0, len(records), BATCH):
            body = otlp.encode(signal, "protobuf", records[at : at + BATCH])
            headers = {"content-type": "application/x-protobuf", "x-vestigo-project": project}
            for _ in range(200):
                answer = client.post(f"/v1/{signal}", content=body, headers=headers)
                if answer.status_code not in {429, 503}:
                    break
                time.sleep(0.05)
            assert answer.status_code == 200, answer.text


def fill(running, *, conversations_=6, per_hour=28, hostile_payloads=None):
    """Everything but the largest trace."""
    now_ns = time.time_ns()
    played = conversations.send(running, SHOP, conversations_)
    failed = conversations.send_failed(running, SHOP)
    seeds = Seeds(played, **failed, conversation=max(played, key=lambda session: len(played[session])))
    spans, logs = traffic.two_days(now_ns, per_hour)
    post(running, SHOP, "traces", spans)
    post(running, SHOP, "logs", logs)
    for trace_id, count, pace in (
        (seeds.run_80, 80, 1.0), (seeds.run_2000, 2_000, 0.8), (seeds.run_10000, 10_000, 1.2), (seeds.first, 60, 1.0),
    ):  # fmt: skip
        start_ns = now_ns - int(runs.length_s(count, pace) + 900) * runs.S
        post(running, SHOP, "traces", runs.agent_run(trace_id, count, start_ns, pace=pace, session=SESSION))
    post(running, SHOP, "traces", changed(runs.agent_run(seeds.second, 60, now_ns - 600 * runs.S, pace=1.4)))
    post(running, SHOP, "traces", open_run(seeds.open, now_ns - 60 * runs.S))
    spans, logs = hostile.records(now_ns, hostile_payloads)
    post(running, hostile.PROJECT, "traces", spans)
    post(running, hostile.PROJECT, "logs", logs)
    judge(running, seeds)
    return seeds


def largest(running, seeds):
    """The trace of 100,000 spans, which takes some seconds."""
    start_ns = time.time_ns() - 20 * 3_600 * runs.S
    post(running, SHOP, "traces", runs.agent_run(seeds.run_100000, 100_000, start_ns, pace=0.5, said_every=20))


def changed(spans):
    """The same run another time: other answers, a failure, two spans less."""
    for span in spans:
        if "gen_ai.output.messages" in span.attributes:
            span.attributes["gen_ai.output.messages"] = span.attributes["gen_ai.output.messages"].replace(
                "order", "parcel"
            )
    spans[9].status, spans[9].status_message = "ERROR", "no answer from 10.0.0.8 in 30 s"
    return spans[:-2]


def open_run(trace_id, start_ns):
    """A run that is still going on: its root and one call are open."""
    run = runs.Run(trace_id, 30, start_ns)
    root = run.open(None, "POST /research", {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "researcher", "user.id": "ann",
        "gen_ai.conversation.id": SESSION,
    }, "SERVER")  # fmt: skip
    while not run.full:
        run.step(root, 0)
    run.open(root, "chat gpt-4o", {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai",
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "And now?"}]}]',
    }, "CLIENT")  # fmt: skip
    return [*run.spans]


def judge(running, seeds):
    """Scores by a person and by a key, over the API."""
    with signed_in(running, ANN) as person, running.client() as key:
        for number, trace_id in enumerate(seeds.sessions[seeds.conversation]):
            for client, value in ((person, 0.2 * (number % 5)), (key, 0.9 - 0.1 * (number % 3))):
                given = {"trace_id": trace_id, "name": "helpful", "value": value, "comment": "read through"}
                answer = client.post("/api/scores", json=given, headers={"x-vestigo-project": SHOP})
                assert answer.status_code == 200, answer.text


@contextlib.contextmanager
def signed_in(running, who):
    """A client that a person has logged in by the page's own route."""
    name, password = who
    headers = {"X-Vestigo": "1", "Origin": running.url}
    with httpx.Client(base_url=running.url, headers=headers, timeout=60) as client:
        answer = client.post("/api/login", json={"user": name, "password": password})
        assert answer.status_code == 204, answer.text
        yield client


def yesterday():
    """(start, end) of yesterday as the page's `t` has them: epoch ms."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today - timedelta(days=1)).timestamp() * 1e3), int(today.timestamp() * 1e3)
