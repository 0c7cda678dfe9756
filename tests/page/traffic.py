"""Two days of an application's traffic: many short traces over several models, with costs, errors, scores, prompts."""

import json
import random

from runs import S, failure, message

from vestigo.record import Log, Resource, Scope, Span

HOURS = 48
MODELS = {
    "gpt-4o": "openai", "gpt-4o-mini": "openai", "claude-sonnet-4-5": "anthropic", "gemini-2.5-pro": "gcp.gemini",
    "our-llama": "ollama",
}  # fmt: skip
QUESTIONS = (
    ("Where is my order 4711?", "It left on Monday and **arrives tomorrow**."),
    ("Can I return opened headphones?", "Yes, within 30 days, if they are complete:\n\n1. print the label\n2. send it"),
    ("And what does the return cost?", "Returns are free for gold customers."),
    ("Do you ship to Iceland?", "We do; it takes *6 to 9 days*. See [shipping](https://shop.example.org/shipping)."),
    ("Which bike fits a child of 6?", "| bike | size |\n|---|---|\n| Comet 20 | 115-130 cm |\n| Star 18 | 105 cm |"),
)  # fmt: skip
FAILURES = (
    ("openai.RateLimitError", "429: limit of 90000 tokens a minute reached for org-{n}"),
    ("TimeoutError", "no answer from order-service-{n}.internal in 30 s"),
    ("json.decoder.JSONDecodeError", "Expecting value: line 1 column {n} (char {n})"),
)
STACK = """Traceback (most recent call last):
  File "/app/shop/chat.py", line 77, in answer
    found = find_order(number)
  File "/app/shop/orders.py", line 23, in find_order
    return client.get(f"/orders/{{number}}")
  File "/usr/lib/python3.12/site-packages/httpx/_client.py", line 1053, in get
    return self.request("GET", url)
{kind}: {text}
"""
SLOW_USER = "user-slow"
SLOWEST = f"{31:032x}"
"""The trace of the slowest failing call of SLOW_USER."""


def two_days(now_ns, per_hour=28, seed=7):
    """(spans, logs), the newest some minutes old."""
    rng = random.Random(seed)
    spans, logs = [], []
    for number in range(HOURS * per_hour):
        start_ns = now_ns - 300 * S - int(number * 3_600 / per_hour * S) - rng.randrange(60 * S)
        session = f"chat-{number // 3}"
        spans += (made := turn(rng, f"{rng.getrandbits(128):032x}", start_ns, f"user-{number // 3 % 40}", session))
        if number % 4 == 0:
            logs += scores(rng, made)
        if number % 9 == 0:
            logs.append(log(rng, made))
    for number, (seconds, trace_id) in enumerate(((2, f"{29:032x}"), (9, f"{30:032x}"), (31, SLOWEST))):
        spans += slow(rng, trace_id, now_ns - (2 + number) * 1_800 * S, seconds)
    return spans, logs


def resource(model):
    release = "1.5.0" if model == "gpt-4o-mini" else "1.4.2"
    return Resource({
        "service.name": "shop", "service.version": release, "deployment.environment.name": "production",
        "host.name": "web-1",
    })  # fmt: skip


def turn(rng, trace_id, start_ns, user, session):
    """One request: retrieve, perhaps a tool, ask the model."""
    model = rng.choices(list(MODELS), weights=(5, 8, 4, 2, 1))[0]
    asked, told = rng.choice(QUESTIONS)
    made = Turn(trace_id, start_ns, resource(model))
    root = made.span("POST /chat", {
        "user.id": user, "gen_ai.conversation.id": session, "tags": ["gold" if rng.random() < 0.3 else "silver", "web"],
    }, kind="SERVER")  # fmt: skip
    documents = [
        {"id": f"policy-{number}", "score": round(0.92 - 0.11 * number, 2), "content": told} for number in (1, 2, 3)
    ]
    made.span("retrieve policies", {
        "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": asked,
        "gen_ai.retrieval.documents": json.dumps(documents),
    }, root, rng.uniform(0.02, 0.2))  # fmt: skip
    if rng.random() < 0.4:
        made.span("execute_tool find_order", {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order",
            "gen_ai.tool.call.arguments": json.dumps({"order": 4711}), "gen_ai.tool.call.result": '{"state": "sent"}',
        }, root, rng.uniform(0.05, 0.8), failed=_failure(rng) if rng.random() < 0.2 else None)  # fmt: skip
    failed = _failure(rng) if rng.random() < 0.06 else None
    made.span(
        f"chat {model}", called(rng, model, asked, told, failed), root, rng.lognormvariate(0.3, 0.5), "CLIENT", failed
    )
    made.end(root, failed)
    return made.spans


def called(rng, model, asked, told, failed=None):
    """Attributes of a model call."""
    tokens = rng.randint(350, 3_000)
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": MODELS[model], "gen_ai.request.model": model,
        "gen_ai.request.temperature": 0.3, "gen_ai.prompt.name": rng.choice(("answer-customer", "answer-briefly")),
        "gen_ai.prompt.version": rng.choice(("3", "4")), "gen_ai.system_instructions": json.dumps([
            {"type": "text", "content": "You answer customers of a shop, shortly and kindly."}]),
        "gen_ai.input.messages": json.dumps([message("user", asked)]),
    }  # fmt: skip
    if failed is None:
        said |= {
            "gen_ai.response.model": model, "gen_ai.usage.input_tokens": tokens,
            "gen_ai.usage.output_tokens": rng.randint(30, 500), "gen_ai.usage.cache_read.input_tokens": tokens // 4,
            "gen_ai.usage.reasoning.output_tokens": rng.choice((0, 20)), "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": rng.uniform(0.1, 0.9),
            "gen_ai.output.messages": json.dumps([message("assistant", told)]),
        }  # fmt: skip
    return said


def slow(rng, trace_id, start_ns, seconds):
    """A call that failed after so many seconds."""
    failed = ("TimeoutError", f"no answer from the model in {seconds} s")
    made = Turn(trace_id, start_ns, resource("gpt-4o"))
    root = made.span("POST /chat", {"user.id": SLOW_USER, "gen_ai.conversation.id": "chat-slow"}, kind="SERVER")
    made.span("chat gpt-4o", called(rng, "gpt-4o", *QUESTIONS[0], failed), root, seconds, "CLIENT", failed)
    made.end(root, failed)
    return made.spans


def _failure(rng):
    kind, text = rng.choice(FAILURES)
    return kind, text.format(n=rng.randrange(100, 999))


def scores(rng, spans):
    """As a program gives them: a number, a label, a yes or no."""
    last = spans[-1]
    given = (("helpful", {"score.value": round(rng.betavariate(5, 2), 2), "explanation": "by a judge"}),
             ("tone", {"score.label": rng.choice(("kind", "neutral", "curt"))}),
             ("correct", {"score.value": float(rng.random() < 0.8)}))  # fmt: skip
    for name, said in given:
        attributes = {"gen_ai.evaluation.name": name} | {
            f"gen_ai.evaluation.{key}": value for key, value in said.items()
        }
        yield Log(
            last.end_ns, 9, None, "gen_ai.evaluation.result", attributes, last.trace_id, last.span_id,
            resource=last.resource, log_id=f"{rng.getrandbits(128):032x}",
        )  # fmt: skip


def log(rng, spans):
    last = spans[-1]
    severity, text = rng.choice(
        ((9, "order {n} looked up"), (13, "answer took {n} ms"), (17, "retry {n} after an error"))
    )
    return Log(
        last.start_ns, severity, text.format(n=rng.randrange(900)), "", {"code.function.name": "answer"}, last.trace_id,
        last.span_id, resource=last.resource, scope=Scope("shop.chat"), log_id=f"{rng.getrandbits(128):032x}",
    )  # fmt: skip


class Turn:
    """Spans of one request, one after the other."""

    def __init__(self, trace_id, start_ns, resource):
        self.trace_id, self.now_ns, self.resource, self.spans = trace_id, start_ns, resource, []

    def span(self, name, attributes, parent=None, seconds=0.0, kind="INTERNAL", failed=None):
        span = Span(
            self.trace_id, f"{len(self.spans) + 1:016x}", name, self.now_ns, parent.span_id if parent else None, None,
            kind, attributes=attributes, resource=self.resource, scope=Scope("shop.chat", "1.4.2"),
        )  # fmt: skip
        self.spans.append(span)
        self.now_ns += int(seconds * S) + 1_000_000
        if parent is not None:
            self.end(span, failed)
        return span

    def end(self, span, failed=None):
        span.end_ns = self.now_ns
        if failed:
            kind, text = failed
            span.status, span.status_message = "ERROR", text
            if span.parent_id:
                span.attributes["error.type"] = kind
                span.events = [failure(self.now_ns, kind, text, STACK.format(kind=kind, text=text))]
