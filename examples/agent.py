"""An agent with tools: errors, a retry, a session of two turns, scores, metrics. Run: python examples/agent.py

The model is a plain function that asks for tools as real ones do, so that it needs no network and no key.

Prints, in short:

    turn 1 (session s1): ERROR, 5 spans
      plan (chain) UNSET
      find_order (tool) ERROR: the order system did not answer
      find_order (tool) UNSET
      chat (llm) UNSET
    turn 2 (session s1): UNSET, 3 spans
    helpful=0.9  helpful=0.4
    turns that someone was unhappy with: turn 2
    turns in which a tool failed: turn 1
    tool calls: 2 retries: 1
    llm calls: 2 tokens in: 9
    recorded 10 = stored 10 + queued 0 + held 0 + dropped 0
"""

from typing import Any

from vestigo import MetricsCollector, Tracer, score
from vestigo.filtertext import parse_filter

tracer = Tracer("agent")  # Tracer("agent", "sqlite:///agent.db") keeps it
metrics = MetricsCollector()
failures = iter([True, False])


@tracer.traced("find_order", kind="tool")
def find_order(number: int) -> dict[str, Any]:
    metrics.increment("tool.calls", tags={"tool": "find_order"})
    if next(failures):
        raise TimeoutError("the order system did not answer")
    return {"order": number, "state": "sent"}


@tracer.traced("plan", kind="chain", capture=True)
def plan(question: str) -> list[int]:
    """Which orders to look up."""
    return [int(word.strip("?")) for word in question.split() if word.strip("?").isdigit()]


def chat(question: str, known: list[dict[str, Any]]) -> str:
    reply = f"Order {known[0]['order']} was {known[0]['state']}." if known else "Which order?"
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "our-llama", "gen_ai.provider.name": "ollama"}
    with tracer.span("chat", said) as span:
        span.update(
            {"gen_ai.usage.input_tokens": len(question.split()), "gen_ai.usage.output_tokens": len(reply.split())}
        )
    return reply


def look_up(number: int) -> dict[str, Any]:
    """The order, asked for twice if need be."""
    try:
        return find_order(number)
    except TimeoutError as error:
        metrics.increment("retries")
        tracer.event("retry", {"tool": "find_order", "why": str(error)})
        return find_order(number)


def turn(number: int, question: str) -> str:
    """One turn of the session; the trace id."""
    with tracer.trace(f"turn {number}", attributes={"session.id": "s1", "user.id": "u7"}) as trace:
        trace.attribute("vestigo.kind", "agent")
        chat(question, [look_up(order) for order in plan(question)])
    return trace.trace_id


def main() -> None:
    first = turn(1, "Where is my order 4711?")
    second = turn(2, "Thanks! And my refund?")
    score(first, "helpful", 0.9, comment="found it at once", tracer=tracer)
    score(second, "helpful", 0.4, comment="asked back", tracer=tracer)

    storage = tracer.storage
    turns = storage.query(session="s1", order="oldest")
    for trace in turns:
        print(f"{trace.root.name} (session {trace.root.normal.session_id}): {trace.status}, {len(trace.spans)} spans")
        for span in trace.spans[1:]:
            print(f"  {span.name} ({span.normal.kind})", f"{span.status}: {span.error_message or ''}".rstrip(": "))
    scores = [log.attributes for trace in turns for log in trace.logs]
    said = [(one["gen_ai.evaluation.name"], one["gen_ai.evaluation.score.value"]) for one in scores]
    print("  ".join(f"{name}={value}" for name, value in said))

    unhappy, failed = parse_filter("score.helpful<0.5"), parse_filter("any(kind:tool status:error)")
    print("turns that someone was unhappy with:", *[trace.root.name for trace in storage.query(filter=unhappy)])
    print("turns in which a tool failed:", *[trace.root.name for trace in storage.query(filter=failed)])
    counted = metrics.get_summary()
    print("tool calls:", counted["tool.calls"]["value"], "retries:", counted["retries"]["value"])
    calls = tracer.pipeline.metrics.get_summary()  # what the tracer counts by itself
    print("llm calls:", calls["llm.requests"]["value"], "tokens in:", calls["llm.tokens.input"]["value"])

    stats = tracer.pipeline.stats()
    dropped = sum(count for name, count in stats.items() if name.startswith("dropped."))
    print(
        "recorded {recorded} = stored {stored} + queued {queued} + held {held}".format(**stats), f"+ dropped {dropped}"
    )
    tracer.close()


if __name__ == "__main__":
    main()
